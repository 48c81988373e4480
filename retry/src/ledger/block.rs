//! A fixed number of records that arrived one after another.

/// A block's index is the sequence number shifted by this.
pub(super) const SHIFT: u32 = 9;

/// Records of a block: 4 KiB of offsets, and small enough that one stuck record pins little.
pub(super) const RECORDS: usize = 1 << SHIFT;

/// A sequence number's place within its block.
pub(super) const MASK: u64 = RECORDS as u64 - 1;

const WORDS: usize = RECORDS / 64;

/// Offsets of up to [`RECORDS`] records in order of arrival, with a bit for each that is finished.
///
/// Places that no record has taken yet count as unfinished, so a search for the first unfinished record stops there.
#[derive(Clone, Debug)]
pub(super) struct Block {
    offsets: [i64; RECORDS],
    finished: [u64; WORDS],
    /// Set where a record that was finished by an earlier owner lies between this record and the one before it.
    skipped: [u64; WORDS],
    /// The first record's offset.
    pub(super) first: i64,
    /// Offsets received before the first record, counted from the start of the ledger.
    pub(super) received: u64,
    /// What the records cost at most in a bitmap.
    pub(super) bits: u64,
    /// Records that are not finished.
    pub(super) unfinished: u16,
}

/// One unfinished record.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unfinished {
    pub(super) sequence: u64,
    pub(super) offset: i64,
    /// Whether something that was finished before lies between this record and the one before it.
    pub(super) skipped: bool,
}

impl Block {
    pub(super) const EMPTY: Self = Self {
        offsets: [0; RECORDS],
        finished: [0; WORDS],
        skipped: [0; WORDS],
        first: 0,
        received: 0,
        bits: 0,
        unfinished: 0,
    };

    /// Makes an old block as good as new. Offsets are written before they are read.
    pub(super) fn begin(&mut self, first: i64, received: u64) {
        (self.finished, self.skipped) = ([0; WORDS], [0; WORDS]);
        (self.first, self.received) = (first, received);
        (self.bits, self.unfinished) = (0, 0);
    }

    pub(super) fn push(&mut self, sequence: u64, offset: i64, skipped: bool, bits: u64) {
        let place = (sequence & MASK) as usize;
        self.offsets[place] = offset;
        self.skipped[place / 64] |= u64::from(skipped) << (place % 64);
        self.bits += bits;
        self.unfinished += 1;
    }

    /// True the first time only.
    pub(super) fn finish(&mut self, sequence: u64) -> bool {
        let place = (sequence & MASK) as usize;
        let (word, bit) = (&mut self.finished[place / 64], 1 << (place % 64));
        if *word & bit != 0 {
            return false;
        }
        *word |= bit;
        self.unfinished -= 1;
        true
    }

    pub(super) fn is_finished(&self, sequence: u64) -> bool {
        let place = (sequence & MASK) as usize;
        self.finished[place / 64] & (1 << (place % 64)) != 0
    }

    pub(super) fn offset(&self, sequence: u64) -> i64 {
        self.offsets[(sequence & MASK) as usize]
    }

    /// The first sequence number at or after this one, within the block, that is not finished.
    pub(super) fn next_unfinished(&self, sequence: u64) -> Option<u64> {
        let place = (sequence & MASK) as usize;
        let mut word = place / 64;
        let mut left = !self.finished[word] & (u64::MAX << (place % 64));
        while left == 0 {
            word += 1;
            left = !*self.finished.get(word)?;
        }
        Some((sequence & !MASK) + word as u64 * 64 + u64::from(left.trailing_zeros()))
    }

    pub(super) fn unfinished_at(&self, sequence: u64) -> Unfinished {
        let place = (sequence & MASK) as usize;
        let skipped = self.skipped[place / 64] & (1 << (place % 64)) != 0;
        Unfinished { sequence, offset: self.offsets[place], skipped }
    }
}
