//! Single bits in and out, most significant first, and the one code for numbers.
//!
//! A number is written in groups of three bits, lowest group first, each led by a bit that says whether another
//! follows. It needs no parameter and no table, a small number costs four bits, and one outlier among many (a gap in
//! the log) costs its logarithm and makes no other number dearer; the arithmetic of admission rests on that.

/// Bits that [`BitWriter::number`] spends on a value.
pub(crate) const fn number_bits(value: u64) -> u64 {
    let width = u64::BITS - (value | 1).leading_zeros();
    width.div_ceil(3) as u64 * 4
}

/// Collects bits into bytes.
#[derive(Debug, Default)]
pub(super) struct BitWriter {
    bytes: Vec<u8>,
    pending: u64,
    count: u32,
}

impl BitWriter {
    /// The lowest `width` bits of `value`, at most 32 of them.
    pub(super) fn put(&mut self, value: u64, width: u32) {
        debug_assert!(width <= 32 && value >> width == 0);
        self.pending = (self.pending << width) | value;
        self.count += width;
        while self.count >= 8 {
            self.count -= 8;
            self.bytes.push((self.pending >> self.count) as u8);
        }
    }

    /// A number of any size.
    pub(super) fn number(&mut self, mut value: u64) {
        loop {
            let more = u64::from(value > 7);
            self.put((more << 3) | (value & 7), 4);
            value >>= 3;
            if more == 0 {
                return;
            }
        }
    }

    /// The same bit many times.
    pub(super) fn fill(&mut self, bit: bool, mut count: u64) {
        while count > 0 {
            let width = count.min(32) as u32;
            self.put(if bit { (1 << width) - 1 } else { 0 }, width);
            count -= u64::from(width);
        }
    }

    /// The bytes, the last one filled up with zeros.
    pub(super) fn finish(mut self) -> Vec<u8> {
        if self.count > 0 {
            self.put(0, 8 - self.count);
        }
        self.bytes
    }
}

/// Takes bits out of bytes. Everything is `None` beyond the end.
#[derive(Debug)]
pub(super) struct BitReader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> BitReader<'a> {
    /// From the first bit of the first byte.
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    /// The next `width` bits, at most 32.
    pub(super) fn take(&mut self, width: u32) -> Option<u64> {
        let end = self.at + width as usize;
        if end > self.bytes.len() * 8 {
            return None;
        }
        let mut value = 0;
        while self.at < end {
            let left = 8 - self.at % 8;
            let taken = left.min(end - self.at);
            let bits = (self.bytes[self.at / 8] >> (left - taken)) & (0xff >> (8 - taken));
            value = (value << taken) | u64::from(bits);
            self.at += taken;
        }
        Some(value)
    }

    /// The next bit.
    pub(super) fn flag(&mut self) -> Option<bool> {
        self.take(1).map(|bit| bit == 1)
    }

    /// The next number; `None` also for one that no offset can reach (2^63 and above).
    pub(super) fn number(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(3) {
            let group = self.take(4)?;
            value |= (group & 7) << shift;
            if group & 8 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// Whether nothing is left but the zeros that fill the last byte.
    pub(super) fn is_spent(&mut self) -> bool {
        let left = self.bytes.len() * 8 - self.at;
        left < 8 && self.take(left as u32) == Some(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn numbers_read_back_and_cost_what_was_said(shifted in prop::collection::vec((any::<u64>(), 1u32..64), 0..50)) {
            let numbers: Vec<u64> = shifted.iter().map(|(value, shift)| value >> shift).collect();
            let mut writer = BitWriter::default();
            numbers.iter().for_each(|&number| writer.number(number));
            let bytes = writer.finish();
            let bits: u64 = numbers.iter().map(|&number| number_bits(number)).sum();
            prop_assert_eq!(bytes.len() as u64, bits.div_ceil(8));
            let mut reader = BitReader::new(&bytes);
            for number in numbers {
                prop_assert_eq!(reader.number(), Some(number));
            }
            prop_assert!(reader.is_spent());
        }

        #[test]
        fn bits_read_back(bits in prop::collection::vec((any::<u32>(), 1u32..=32), 0..50)) {
            let mut writer = BitWriter::default();
            bits.iter().for_each(|&(value, width)| writer.put(u64::from(value) >> (32 - width), width));
            let bytes = writer.finish();
            let mut reader = BitReader::new(&bytes);
            for (value, width) in bits {
                prop_assert_eq!(reader.take(width), Some(u64::from(value) >> (32 - width)));
            }
        }
    }

    #[test]
    fn only_zeros_that_fill_a_byte_may_be_left() {
        let spent = |byte, taken| {
            let mut reader = BitReader::new(std::slice::from_ref(byte));
            reader.take(taken).map(|_| reader.is_spent())
        };
        assert_eq!(
            [spent(&0b0100_0000, 2), spent(&0b0100_0000, 1), spent(&0, 0)],
            [Some(true), Some(false), Some(false)]
        );
    }

    #[test]
    fn a_number_without_an_end_is_refused() {
        assert_eq!(BitReader::new(&[0xff; 100]).number(), None);
        assert_eq!(BitReader::new(&[0x88]).number(), None);
        assert_eq!(BitReader::new(&[]).number(), None);
    }
}
