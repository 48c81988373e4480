//! Bodies, for people.

use super::table::plain;
use crate::admin::BodyFormat;
use std::fmt::Write;

/// How a body is shown.
#[derive(Clone, Debug)]
pub(super) enum Payload {
    /// JSON if it is JSON, else text if it is text, else hex.
    Auto,
    /// JSON, indented.
    Json,
    /// As text; bytes that are none are replaced.
    Text,
    /// Bytes in hexadecimal, sixteen a line.
    Hex,
    /// In a format of this name, which is shown as JSON.
    Decoded(&'static str, BodyFormat),
}

impl Payload {
    /// How keys are shown beside such bodies.
    pub(super) fn of_keys(&self) -> &Self {
        match self {
            Self::Decoded(..) => &Self::Auto,
            plain => plain,
        }
    }

    /// A body as lines, and the name of the form that was taken.
    pub(super) fn show(&self, body: Option<&[u8]>) -> (&'static str, String) {
        let Some(body) = body else { return ("null", String::new()) };
        match self {
            Self::Auto => match (json(body), str::from_utf8(body)) {
                (Ok(text), _) => ("JSON", text),
                (Err(_), Ok(text)) if is_readable(text) => ("text", lines(text)),
                _ => ("hex", hex(body)),
            },
            Self::Json => match json(body) {
                Ok(text) => ("JSON", text),
                Err(error) => ("not JSON", format!("{error}\n{}", hex(body))),
            },
            Self::Text => ("text", lines(&String::from_utf8_lossy(body))),
            Self::Hex => ("hex", hex(body)),
            Self::Decoded(name, format) => match format.read(Some(body)) {
                Ok(value) => (name, indented(&value.to_string())),
                Err(error) => ("undecodable", format!("{name}: {}\n{}", plain(&error), hex(body))),
            },
        }
    }

    /// A body on one line.
    pub(super) fn on_one_line(&self, body: Option<&[u8]>) -> String {
        let Some(body) = body else { return "null".to_owned() };
        let short_hex = || {
            body.iter().fold(String::with_capacity(body.len() * 2), |mut text, byte| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
        };
        match self {
            Self::Hex => short_hex(),
            Self::Text | Self::Json => plain(&String::from_utf8_lossy(body)),
            Self::Auto => str::from_utf8(body).map_or_else(|_| short_hex(), plain),
            Self::Decoded(_, format) => {
                format.read(Some(body)).map_or_else(|_| short_hex(), |value| plain(&value.to_string()))
            }
        }
    }
}

/// Indented, with the members of objects in their order and numbers as they are written: a parsed value would keep
/// neither.
fn json(body: &[u8]) -> serde_json::Result<String> {
    let raw: &serde_json::value::RawValue = serde_json::from_slice(body)?;
    Ok(indented(raw.get()))
}

/// Valid JSON, with its white space replaced.
fn indented(json: &str) -> String {
    let (mut out, mut depth, mut in_text, mut escaped) = (String::with_capacity(json.len() * 2), 0, false, false);
    let mut letters = json.chars().peekable();
    while let Some(letter) = letters.next() {
        if in_text {
            out.push(letter);
            in_text = escaped || letter != '"';
            escaped = !escaped && letter == '\\';
            continue;
        }
        let next_closes = |letters: &mut std::iter::Peekable<std::str::Chars<'_>>| {
            while letters.next_if(|letter| letter.is_ascii_whitespace()).is_some() {}
            matches!(letters.peek(), Some('}' | ']'))
        };
        match letter {
            '"' => (in_text, _) = (true, out.push(letter)),
            '{' | '[' => {
                out.push(letter);
                if !next_closes(&mut letters) {
                    depth += 1;
                    new_line(&mut out, depth);
                } else if let Some(closing) = letters.next() {
                    out.push(closing);
                }
            }
            '}' | ']' => {
                depth -= 1;
                new_line(&mut out, depth);
                out.push(letter);
            }
            ',' => {
                out.push(letter);
                new_line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ if letter.is_ascii_whitespace() => {}
            _ => out.push(letter),
        }
    }
    out
}

fn new_line(out: &mut String, depth: usize) {
    out.push('\n');
    out.extend(std::iter::repeat_n("  ", depth));
}

fn is_readable(text: &str) -> bool {
    text.chars().all(|letter| !letter.is_control() || matches!(letter, '\n' | '\r' | '\t'))
}

/// Text that moves no cursor but from line to line.
fn lines(text: &str) -> String {
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

fn hex(body: &[u8]) -> String {
    let mut text = String::with_capacity(body.len() * 5);
    for (row, bytes) in body.chunks(16).enumerate() {
        let numbers: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let letters: String =
            bytes.iter().map(|byte| if (32..127).contains(byte) { char::from(*byte) } else { '.' }).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{:08x}  {:<47}  {letters}", row * 16, numbers.join(" "));
    }
    text.truncate(text.trim_end_matches('\n').len());
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_is_shown_in_the_first_form_that_fits() {
        let form = |body: &[u8]| Payload::Auto.show(Some(body)).0;
        assert_eq!(
            [form(b"{\"b\":1,\"a\":2}"), form(b"hello\n"), form(b"\xff\xfe"), form(b"a\x1b[2J")],
            ["JSON", "text", "hex", "hex"]
        );
        assert_eq!(Payload::Auto.show(None), ("null", String::new()));
    }

    #[test]
    fn json_keeps_its_order_and_its_numbers() {
        let (_, text) = Payload::Json.show(Some(b"{\"b\":12345678901234567890,\"a\":[1.5]}"));
        assert_eq!(text, "{\n  \"b\": 12345678901234567890,\n  \"a\": [\n    1.5\n  ]\n}");
    }

    #[test]
    fn hex_shows_bytes_and_letters() {
        let (_, text) = Payload::Hex.show(Some(b"retrial\xff 0123456789"));
        assert_eq!(
            text,
            "00000000  72 65 74 72 69 61 6c ff 20 30 31 32 33 34 35 36  retrial. 0123456\n00000010  37 38 39                                         789"
        );
    }

    #[test]
    fn no_text_moves_the_cursor() {
        assert_eq!(Payload::Text.show(Some(b"a\x1b[2J\nb")).1, "a\\u{1b}[2J\nb");
        assert_eq!(Payload::Auto.on_one_line(Some(b"a\nb")), "a\\nb");
        assert_eq!(
            (Payload::Auto.on_one_line(Some(b"\xff\x01")).as_str(), Payload::Auto.on_one_line(None).as_str()),
            ("ff01", "null")
        );
    }
}
