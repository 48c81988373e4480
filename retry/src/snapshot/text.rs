//! Bytes as text: base64 with the URL-safe alphabet, without padding (RFC 4648, section 5).
//!
//! Written here because commit metadata is frozen for ten years and the code is shorter than its dependency. Only
//! the one canonical spelling of some bytes is read.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// How many bytes fit into so many characters.
pub(crate) const fn bytes_in(characters: usize) -> usize {
    characters / 4 * 3 + (characters % 4).saturating_sub(1)
}

/// Appends the bytes.
pub(super) fn write(bytes: &[u8], text: &mut String) {
    for chunk in bytes.chunks(3) {
        let word = chunk.iter().fold(0u32, |word, &byte| (word << 8) | u32::from(byte)) << (8 * (3 - chunk.len()));
        for sextet in 0..=chunk.len() {
            text.push(char::from(ALPHABET[(word >> (18 - 6 * sextet)) as usize & 63]));
        }
    }
}

/// The bytes, if this is how [`write`] would have spelt them.
pub(super) fn read(text: &[u8]) -> Option<Vec<u8>> {
    if text.len() % 4 == 1 {
        return None;
    }
    let mut bytes = Vec::with_capacity(bytes_in(text.len()));
    for chunk in text.chunks(4) {
        let mut word = 0u32;
        for &character in chunk {
            word = (word << 6) | sextet(character)?;
        }
        word <<= 6 * (4 - chunk.len());
        let [_, bytes_of_word @ ..] = word.to_be_bytes();
        let (kept, rest) = bytes_of_word.split_at(chunk.len() - 1);
        if rest.iter().any(|&byte| byte != 0) {
            return None;
        }
        bytes.extend_from_slice(kept);
    }
    Some(bytes)
}

fn sextet(character: u8) -> Option<u32> {
    let value = match character {
        b'A'..=b'Z' => character - b'A',
        b'a'..=b'z' => character - b'a' + 26,
        b'0'..=b'9' => character - b'0' + 52,
        b'-' => 62,
        b'_' => 63,
        _ => return None,
    };
    Some(u32::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(bytes: &[u8]) -> String {
        let mut text = String::new();
        write(bytes, &mut text);
        text
    }

    /// The vectors of RFC 4648, section 10, and the two characters in which the URL-safe alphabet differs.
    #[test]
    fn it_is_the_standard_code() {
        for (bytes, text) in
            [("", ""), ("f", "Zg"), ("fo", "Zm8"), ("foo", "Zm9v"), ("foob", "Zm9vYg"), ("foobar", "Zm9vYmFy")]
        {
            assert_eq!(written(bytes.as_bytes()), text);
            assert_eq!(read(text.as_bytes()).as_deref(), Some(bytes.as_bytes()));
        }
        assert_eq!(written(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in ["A", "Zm9vA", "Z", "Zh", "Zm9", "Zg==", "Zm+v", "Zm/v", "Zm 8", "Zm9vY"] {
            assert_eq!(read(text.as_bytes()), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn bytes_read_back(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let text = written(&bytes);
            prop_assert_eq!(bytes_in(text.len()), bytes.len());
            prop_assert_eq!(read(text.as_bytes()), Some(bytes));
        }
    }
}
