//! What a record's body holds: its number, in the first eight bytes, and filler.

/// Writes the body of this number into `body`, which keeps its length (eight bytes at least).
pub(crate) fn write(number: u64, body: &mut [u8]) {
    let mut word = number;
    for chunk in body.chunks_mut(8) {
        chunk.copy_from_slice(&word.to_le_bytes()[..chunk.len()]);
        word = (number ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23);
    }
}

/// The number in a body, if it is one of ours.
pub(crate) fn number(body: &[u8]) -> Option<u64> {
    body.first_chunk().map(|bytes| u64::from_le_bytes(*bytes))
}

/// Reads every byte. Sums of bodies add up, so that all that was read can be compared with all that was written.
pub(crate) fn checksum(body: &[u8]) -> u64 {
    let (words, rest) = body.as_chunks();
    let sum = words.iter().fold(0_u64, |sum, word| sum.wrapping_add(u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| sum.wrapping_add(u64::from(*byte)))
}
