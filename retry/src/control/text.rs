//! Values as lines of text: a version first, then `name value` on each line.

use super::{ControlError, TopicId};

/// The version that this build writes, and the only one it reads.
const VERSION: &str = "1";

/// Writes lines.
pub(super) struct Lines(String);

impl Lines {
    pub(super) fn new() -> Self {
        Self(VERSION.to_owned())
    }

    pub(super) fn line(&mut self, name: &str, value: impl std::fmt::Display) {
        // A line's end within a value would forge the next line.
        let value = value.to_string().replace(['\n', '\r'], " ");
        self.0.push('\n');
        self.0.push_str(name);
        self.0.push(' ');
        self.0.push_str(&value);
    }

    pub(super) fn maybe(&mut self, name: &str, value: Option<impl std::fmt::Display>) {
        if let Some(value) = value {
            self.line(name, value);
        }
    }

    pub(super) fn end(self) -> String {
        self.0
    }
}

/// The lines of a value of this version, each as name and value.
pub(super) fn lines(value: &[u8]) -> Result<impl Iterator<Item = (&str, &str)>, ControlError> {
    let text = str::from_utf8(value).map_err(|_| ControlError::Damaged)?;
    let mut lines = text.split('\n');
    match lines.next() {
        Some(VERSION) => Ok(lines.map(|line| line.split_once(' ').unwrap_or((line, "")))),
        Some(version) => match version.parse() {
            Ok(version) if version > 1 => Err(ControlError::TooNew(version)),
            _ => Err(ControlError::Damaged),
        },
        None => Err(ControlError::Damaged),
    }
}

/// An identity as 32 hexadecimal digits, or `-`.
pub(super) fn spell_id(id: TopicId) -> String {
    id.map_or_else(|| "-".to_owned(), |id| format!("{:032x}", u128::from_be_bytes(id)))
}

pub(super) fn read_id(text: &str) -> Option<TopicId> {
    if text == "-" {
        return Some(None);
    }
    Some(Some(u128::from_str_radix(text, 16).ok()?.to_be_bytes()))
}
