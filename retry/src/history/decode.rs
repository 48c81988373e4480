//! Headers as a history: everything is checked, nothing panics, and work and memory stay within the block's limits.

use super::{
    History, MAX_ID_BYTES, MAX_OWN_BYTES, VERSION,
    block::{Block, Field},
};
use crate::{
    id::Origin,
    naming::is_topic_name,
    outcome::{MAX_KIND_BYTES, MAX_MESSAGE_BYTES},
};
use std::str::FromStr;

/// Bytes of a bad value that are shown.
const SHOWN_BYTES: usize = 64;

/// Why a record in one of the group's own topics has no readable past.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// A later version of this crate wrote it.
    #[error("header retrial-version says {version}, and this build reads version {VERSION}")]
    TooNew {
        /// The version it is written in.
        version: u32,
    },
    /// Another group wrote it.
    #[error("header retrial-group says {found}: the record belongs to another group")]
    OtherGroup {
        /// The group that wrote it; cut and escaped.
        found: String,
    },
    /// A header that must be there once is there more often.
    #[error("header {name} is there more than once, the last time as {value}")]
    Repeated {
        /// The header.
        name: &'static str,
        /// Its last value; cut and escaped.
        value: String,
    },
    /// A header that must be there is not.
    #[error("header {name} is missing")]
    Missing {
        /// The header.
        name: &'static str,
    },
    /// A value that this crate does not write.
    #[error("header {name} is not {expected}: {value}")]
    Invalid {
        /// The header.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
        /// What it is; cut and escaped.
        value: String,
    },
}

impl History {
    /// Reads the past of a record in one of the group's own topics from its headers; `None` if there is no
    /// `retrial-version` among them. See the [module](super) for which headers it looks at.
    ///
    /// # Errors
    /// A header of ours is missing, repeated, or has a value that [`History::encode`] does not write for this group:
    /// null, not UTF-8, out of range, too long, of another version.
    pub fn decode<'a>(
        group: &str,
        headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    ) -> Result<Option<Self>, HistoryError> {
        Block::find(headers).map(|block| block.read(group)).transpose()
    }
}

impl<'a> Block<'a> {
    fn read(&self, group: &str) -> Result<History, HistoryError> {
        // First, since what a later version means by the other headers is not known.
        let version = self.number(Field::Version)?;
        if version > VERSION {
            return Err(HistoryError::TooNew { version });
        }
        if version < VERSION {
            return Err(self.invalid(Field::Version, "a version"));
        }
        if let Some((name, value)) = self.repeated() {
            return Err(HistoryError::Repeated { name, value: shown(value) });
        }
        let owner = self.need(Field::Group)?;
        if owner != Some(group.as_bytes()) {
            return Err(HistoryError::OtherGroup { found: shown(owner) });
        }
        Ok(History {
            origin: self.origin()?,
            time: self.parsed(Field::Timestamp, "create or append and a time")?,
            attempts: self.number(Field::Attempts)?,
            crashes: self.number(Field::Crashes)?,
            step: self.number(Field::Step)?,
            hop: self.number(Field::Hop)?,
            due: self.time(Field::Due)?,
            first_failed: self.time(Field::FirstFailed)?,
            last_failed: self.time(Field::LastFailed)?,
            expires: self.time(Field::Expires)?,
            error_kind: self.plain(Field::ErrorKind, MAX_KIND_BYTES)?,
            error: self.plain(Field::Error, MAX_MESSAGE_BYTES)?,
            cause: self.optional(Field::Cause, |block, field| block.parsed(field, "a cause of death"))?,
            redrives: self.number(Field::Redrives)?,
            operation: self.plain(Field::Operation, MAX_ID_BYTES)?,
            replay: self.plain(Field::Replay, MAX_ID_BYTES)?,
        })
    }

    fn need(&self, field: Field) -> Result<Option<&'a [u8]>, HistoryError> {
        self.value(field).ok_or(HistoryError::Missing { name: field.name() })
    }

    fn text(&self, field: Field) -> Result<&'a str, HistoryError> {
        let bytes = self.need(field)?.filter(|bytes| bytes.len() <= MAX_OWN_BYTES);
        let text = bytes.and_then(|bytes| str::from_utf8(bytes).ok());
        text.ok_or_else(|| self.invalid(field, "a short UTF-8 text"))
    }

    fn parsed<T: FromStr>(&self, field: Field, expected: &'static str) -> Result<T, HistoryError> {
        self.text(field)?.parse().map_err(|_| self.invalid(field, expected))
    }

    /// Only as encoded: no sign, no leading zero.
    fn number(&self, field: Field) -> Result<u32, HistoryError> {
        let text = self.text(field)?;
        let number = Some(text).filter(|text| is_decimal(text)).and_then(|text| text.parse().ok());
        number.ok_or_else(|| self.invalid(field, "a number"))
    }

    fn origin(&self) -> Result<Origin, HistoryError> {
        let (text, origin) = (self.text(Field::Origin)?, self.parsed(Field::Origin, "topic/partition/offset"));
        origin.and_then(|origin: Origin| {
            let numbers = text.rsplit('/').take(2).all(is_decimal);
            let written = numbers && is_topic_name(&origin.topic);
            written.then_some(origin).ok_or_else(|| self.invalid(Field::Origin, "topic/partition/offset"))
        })
    }

    fn optional<T>(
        &self,
        field: Field,
        read: impl FnOnce(&Self, Field) -> Result<T, HistoryError>,
    ) -> Result<Option<T>, HistoryError> {
        self.value(field).map(|_| read(self, field)).transpose()
    }

    fn time(&self, field: Field) -> Result<Option<crate::time::Timestamp>, HistoryError> {
        self.optional(field, |block, field| block.parsed(field, "a time"))
    }

    fn plain(&self, field: Field, limit: usize) -> Result<Option<String>, HistoryError> {
        self.optional(field, |block, field| {
            let text = block.text(field)?;
            let plain = text.len() <= limit && !text.contains(char::is_control);
            plain
                .then(|| text.to_owned())
                .ok_or_else(|| block.invalid(field, "a short text without control characters"))
        })
    }

    fn invalid(&self, field: Field, expected: &'static str) -> HistoryError {
        HistoryError::Invalid { name: field.name(), expected, value: shown(self.value(field).flatten()) }
    }
}

fn is_decimal(text: &str) -> bool {
    text == "0" || (!text.starts_with('0') && text.bytes().all(|byte| byte.is_ascii_digit()))
}

/// A value for people: quoted, cut, escaped to ASCII.
fn shown(value: Option<&[u8]>) -> String {
    match value {
        None => "null".to_owned(),
        Some(bytes) if bytes.len() <= SHOWN_BYTES => format!("\"{}\"", bytes.escape_ascii()),
        Some(bytes) => format!("\"{}…\" ({} bytes)", bytes[..SHOWN_BYTES].escape_ascii(), bytes.len()),
    }
}
