//! From a ledger to commit metadata.

use super::{
    Departure, Encoded, FinishedRun, LEAD, LIMIT, Parts, Subject, Suspicion,
    bits::{BitWriter, number_bits},
    change,
    checksum::checksum,
    layout::{self, Layout, Span},
    room, text,
};

/// Writes what is finished above `subject.offset` into a text of at most `limit` bytes (and never above [`LIMIT`]).
///
/// The runs must be in order, disjoint and at or above the offset; one that is not is left out. If not everything
/// fits, the text holds the longest prefix that does and `complete` is false: what is left out is done again after a
/// crash, and nothing is lost. A limit of less than 29 bytes may give an empty text.
pub fn encode(
    departure: Departure,
    started_below: i64,
    finished: impl IntoIterator<Item = FinishedRun>,
    subject: &Subject<'_>,
    limit: usize,
) -> Encoded {
    encode_suspecting(&Suspicion::default(), departure, started_below, finished, subject, limit)
}

/// The same, with what is known of records under suspicion. That has half of the room at most: of too many marks the
/// last ones that only wait are left out. It goes before what is finished: a finished record that is left out is done
/// again, a mark that is left out may cost a process.
pub fn encode_suspecting(
    suspicion: &Suspicion,
    departure: Departure,
    started_below: i64,
    finished: impl IntoIterator<Item = FinishedRun>,
    subject: &Subject<'_>,
    limit: usize,
) -> Encoded {
    let started = started_below.saturating_sub(subject.offset).max(0) as u64;
    let capacity = room::capacity(limit);
    let set = FinishedSet::gather(finished, subject.offset, capacity);
    let suspicion = Some(suspicion).filter(|suspicion| !suspicion.is_empty());
    let suspicion = suspicion.map(|suspicion| suspicion.within(subject.offset, capacity / 2));
    let suspicion = suspicion.filter(|suspicion| suspicion.bits(subject.offset) <= capacity / 2);
    let told = suspicion.as_ref().map_or(0, |suspicion| suspicion.bits(subject.offset));
    let head = layout::FIXED + number_bits(started) + told;
    let layout = Layout::cheapest(&set.spans, capacity.saturating_sub(head));

    let mut bits = BitWriter::default();
    bits.put(u64::from(departure == Departure::LeftWell), 1);
    bits.number(started);
    let covered = layout.covered();
    if covered > 0 {
        set.write_epochs(set.spans[covered - 1].to, &mut bits);
        layout.write(&set.spans, &mut bits);
    }
    if let Some(suspicion) = &suspicion {
        suspicion.write(subject.offset, &mut bits);
    }
    let parts = Parts { runs: covered > 0, suspicion: suspicion.is_some() };
    let text = seal(parts.lead(), bits.finish(), subject);
    if text.len() > limit.min(LIMIT) {
        return Encoded { text: String::new(), complete: false };
    }
    Encoded { text, complete: set.whole && covered == set.spans.len() }
}

fn seal(lead: &'static str, mut body: Vec<u8>, subject: &Subject<'_>) -> String {
    let sum = checksum(subject, lead.as_bytes(), &body);
    body.extend_from_slice(&sum.to_be_bytes());
    let mut text = String::with_capacity(LEAD + body.len().div_ceil(3) * 4);
    text.push_str(lead);
    text::write(&body, &mut text);
    text
}

/// From this position on, runs have this leader epoch.
#[derive(Clone, Copy, Debug)]
struct Mark {
    at: u64,
    epoch: i32,
}

/// Finished offsets as one set, and the leader epochs beside it: nearly always a single one.
#[derive(Debug, Default)]
struct FinishedSet {
    spans: Vec<Span>,
    marks: Vec<Mark>,
    whole: bool,
}

impl FinishedSet {
    /// Takes runs until no more of them can fit: a span takes two bits at least.
    fn gather(finished: impl IntoIterator<Item = FinishedRun>, offset: i64, capacity: u64) -> Self {
        let mut set = Self { whole: true, ..Self::default() };
        let mut changes = 0;
        let mut reached = offset.max(0);
        for run in finished {
            if run.from < reached || run.to <= run.from || offset < 0 {
                set.whole = false;
                continue;
            }
            if set.spans.len() as u64 * 2 > capacity {
                set.whole = false;
                break;
            }
            reached = run.to;
            let (from, to) = ((run.from - offset) as u64 + 1, (run.to - offset) as u64 + 1);
            changes += set.mark(Mark { at: from, epoch: run.leader_epoch });
            let epoch_bits = changes + number_bits(set.marks.len() as u64 - 1);
            match set.spans.last_mut() {
                Some(last) if last.to == from => (last.to, last.epoch_bits) = (to, epoch_bits),
                _ => set.spans.push(Span { from, to, epoch_bits }),
            }
        }
        set
    }

    /// Notes the epoch if it differs from the one before, and says what that costs. The first one is said to hold from
    /// position 0 on.
    fn mark(&mut self, mark: Mark) -> u64 {
        match self.marks.last() {
            None => {
                self.marks.push(Mark { at: 0, ..mark });
                number_bits(change(0, mark.epoch))
            }
            Some(last) if last.epoch == mark.epoch => 0,
            Some(&last) => {
                self.marks.push(mark);
                number_bits(mark.at - last.at) + number_bits(change(last.epoch, mark.epoch))
            }
        }
    }

    /// Writes the epochs of what lies below a position.
    fn write_epochs(&self, below: u64, bits: &mut BitWriter) {
        let marks = &self.marks[..self.marks.partition_point(|mark| mark.at < below)];
        let Some((first, changes)) = marks.split_first() else { return };
        bits.number(change(0, first.epoch));
        bits.number(changes.len() as u64);
        for (before, mark) in marks.iter().zip(changes) {
            bits.number(mark.at - before.at);
            bits.number(change(before.epoch, mark.epoch));
        }
    }
}
