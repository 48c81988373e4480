//! Rust source with what is not code taken out, line for line.

use std::ops::Range;

/// The text of a file in which comments are spaces and the insides of literals are quotes. Every byte keeps its place, so
/// that lines can be counted and braces matched without a parser.
pub(crate) struct Masked {
    text: Vec<u8>,
}

impl Masked {
    pub(crate) fn new(source: &str) -> Self {
        let mut masked = Self { text: source.as_bytes().to_vec() };
        let mut at = 0;
        while at < masked.text.len() {
            at = masked.step(at);
        }
        masked
    }

    /// The same without `#[cfg(test)]` items.
    pub(crate) fn without_tests(mut self) -> Self {
        while let Some(item) = self.test_item(0) {
            self.fill(item, b' ');
        }
        self
    }

    /// Modules in files of their own that only tests compile: `#[cfg(test)] mod name;`.
    pub(crate) fn test_modules(&self) -> Vec<String> {
        let mut names = Vec::new();
        let mut from = 0;
        while let Some(range) = self.test_item(from) {
            from = range.end;
            let item = String::from_utf8_lossy(&self.text[range]);
            let words: Vec<&str> = item.split_whitespace().collect();
            if let Some(at) = words.iter().position(|word| *word == "mod")
                && let Some(name) = words.get(at + 1).and_then(|word| word.strip_suffix(';'))
            {
                names.push(name.to_owned());
            }
        }
        names
    }

    fn test_item(&self, from: usize) -> Option<Range<usize>> {
        let starts = [&b"#[cfg(test)]"[..], b"#[cfg(all(test,"].map(|attribute| self.find(attribute, from));
        let start = starts.into_iter().flatten().min()?;
        Some(start..self.end_of_item(start))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.text
    }

    /// The line of a byte, from 1.
    pub(crate) fn line(&self, at: usize) -> usize {
        1 + self.text[..at].iter().filter(|byte| **byte == b'\n').count()
    }

    /// Lines with code in a range of bytes.
    pub(crate) fn code_lines(&self, range: Range<usize>) -> usize {
        let lines = self.text[range].split(|byte| *byte == b'\n');
        lines.filter(|line| !line.trim_ascii().is_empty()).count()
    }

    pub(crate) fn all_code_lines(&self) -> usize {
        self.code_lines(0..self.text.len())
    }

    /// Masks what begins at `at`, and returns where to go on.
    fn step(&mut self, at: usize) -> usize {
        let rest = &self.text[at..];
        let literal_may_begin = at == 0 || !is_word(self.text[at - 1]);
        match rest {
            [b'/', b'/', ..] => {
                let end = self.find(b"\n", at).unwrap_or(self.text.len());
                self.fill(at..end, b' ')
            }
            [b'/', b'*', ..] => {
                let end = self.end_of_comment(at);
                self.fill(at..end, b' ')
            }
            [b'"', ..] => self.string(at),
            [b'\'', ..] => self.character(at),
            [b'r' | b'b' | b'c', ..] if literal_may_begin => self.prefixed(at),
            _ => at + 1,
        }
    }

    fn string(&mut self, open: usize) -> usize {
        let mut end = open + 1;
        while end < self.text.len() && self.text[end] != b'"' {
            end += if self.text[end] == b'\\' { 2 } else { 1 };
        }
        self.fill(open..end + 1, b'"')
    }

    /// A character, or the tick of a lifetime.
    fn character(&mut self, open: usize) -> usize {
        let rest = &self.text[open + 1..];
        let length = match rest {
            [b'\\', _, tail @ ..] => tail.iter().position(|byte| *byte == b'\'').map(|tail| tail + 2),
            // One character of up to four bytes.
            _ => (1..=4).find(|length| rest.get(*length) == Some(&b'\'') && is_one_character(&rest[..*length])),
        };
        length.map_or(open + 1, |length| self.fill(open..open + length + 2, b'"'))
    }

    /// `r"…"`, `r#"…"#`, `b"…"`, `br"…"`, `c"…"`, `b'…'`; or a word.
    fn prefixed(&mut self, at: usize) -> usize {
        let prefix = self.text[at..].iter().take_while(|byte| matches!(byte, b'r' | b'b' | b'c')).count();
        let hashes = self.text[at + prefix..].iter().take_while(|byte| **byte == b'#').count();
        let quote = at + prefix + hashes;
        let raw = self.text[at..at + prefix].contains(&b'r');
        match self.text.get(quote) {
            Some(b'"') if raw => {
                let close = [&b"\""[..], &vec![b'#'; hashes]].concat();
                let end = self.find(&close, quote + 1).map_or(self.text.len(), |end| end + close.len());
                self.fill(at..end, b'"')
            }
            Some(b'"') if hashes == 0 => self.string(quote),
            Some(b'\'') if hashes == 0 && prefix == 1 => self.character(quote),
            _ => at + prefix,
        }
    }

    fn end_of_comment(&self, open: usize) -> usize {
        let (mut depth, mut at) = (0, open);
        while at < self.text.len() {
            match &self.text[at..] {
                [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
                [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
                _ => at += 1,
            }
            if depth == 0 {
                return at;
            }
        }
        at
    }

    /// One past the `;` or the closing brace that ends the item at `start`, whose attributes may hold brackets.
    fn end_of_item(&self, start: usize) -> usize {
        let mut depth = 0_i32;
        for (at, byte) in self.text.iter().enumerate().skip(start) {
            match byte {
                b'{' | b'(' | b'[' => depth += 1,
                b')' | b']' => depth -= 1,
                b'}' if depth == 1 => return at + 1,
                b'}' => depth -= 1,
                b';' if depth == 0 => return at + 1,
                _ => {}
            }
        }
        self.text.len()
    }

    /// One past the brace that closes the one at `open`.
    pub(crate) fn closing_brace(&self, open: usize) -> usize {
        self.end_of_item(open)
    }

    fn find(&self, what: &[u8], from: usize) -> Option<usize> {
        let rest = self.text.get(from..)?;
        rest.windows(what.len()).position(|window| window == what).map(|at| at + from)
    }

    /// Overwrites a range, except its line ends, and returns its end.
    fn fill(&mut self, range: Range<usize>, with: u8) -> usize {
        let end = range.end.min(self.text.len());
        self.text[range.start..end].iter_mut().filter(|byte| **byte != b'\n').for_each(|byte| *byte = with);
        end
    }
}

pub(crate) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}

fn is_one_character(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok_and(|text| text.chars().count() == 1)
}
