//! What a handler does with a record, as the record's body says, and where that must end.

use bytes::Bytes;
use retrial_core::outcome::Cause;
use std::{fmt, str::FromStr};

/// What a handler does with a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Deed {
    /// It is done at once.
    Well,
    /// It is done after so many milliseconds.
    Slow(u64),
    /// So many attempts fail.
    Fail(u32),
    /// So many attempts never return.
    Hang(u32),
    /// So many attempts panic.
    Panic(u32),
    /// It is refused for good.
    Dead,
    /// It is discarded.
    Discard,
    /// The first attempt asks for another after so many milliseconds.
    After(u64),
    /// The first attempt asks to be run again after so many milliseconds, without being counted.
    Snooze(u64),
    /// The first attempt finds the service behind it down.
    Hold(u64),
    /// The body cannot be read.
    Garbage,
    /// It is done at once, and its body has so many bytes.
    Large(u64),
}

/// Where a record must end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Done,
    Discarded,
    Buried(Cause),
}

impl Deed {
    /// Whether it is one of those that the simulator counts as something going wrong, and under which name.
    pub(crate) const fn fault(self) -> Option<&'static str> {
        match self {
            Self::Slow(_) => Some("handler is slow"),
            Self::Fail(_) => Some("handler fails"),
            Self::Hang(_) => Some("handler never returns"),
            Self::Panic(_) => Some("handler panics"),
            Self::Garbage => Some("body cannot be read"),
            _ => None,
        }
    }

    /// The body of the record.
    pub(crate) fn body(self) -> Bytes {
        match self {
            Self::Garbage => Bytes::from_static(b"\xFF\xFE"),
            Self::Large(bytes) => format!("{self} {}", "x".repeat(usize::try_from(bytes).unwrap_or(0))).into(),
            other => other.to_string().into(),
        }
    }

    /// The deed that a body asks for.
    pub(crate) fn of_body(body: &[u8]) -> Option<Self> {
        let Ok(text) = std::str::from_utf8(body) else { return Some(Self::Garbage) };
        text.split(' ').next()?.parse().ok()
    }

    /// Where the record ends, if its topic has so many attempts.
    pub(crate) const fn end(self, attempts: u32) -> End {
        match self {
            Self::Fail(fails) | Self::Hang(fails) | Self::Panic(fails) if fails >= attempts => {
                End::Buried(Cause::Exhausted)
            }
            Self::After(_) if attempts == 1 => End::Buried(Cause::Exhausted),
            Self::Dead => End::Buried(Cause::Refused),
            Self::Garbage => End::Buried(Cause::Undecodable),
            Self::Discard => End::Discarded,
            _ => End::Done,
        }
    }
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Well => f.write_str("well"),
            Self::Slow(millis) => write!(f, "slow-{millis}"),
            Self::Fail(times) => write!(f, "fail-{times}"),
            Self::Hang(times) => write!(f, "hang-{times}"),
            Self::Panic(times) => write!(f, "panic-{times}"),
            Self::Dead => f.write_str("dead"),
            Self::Discard => f.write_str("discard"),
            Self::After(millis) => write!(f, "after-{millis}"),
            Self::Snooze(millis) => write!(f, "snooze-{millis}"),
            Self::Hold(millis) => write!(f, "hold-{millis}"),
            Self::Garbage => f.write_str("garbage"),
            Self::Large(bytes) => write!(f, "large-{bytes}"),
        }
    }
}

impl FromStr for Deed {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (word, number) = text.split_once('-').unwrap_or((text, "0"));
        let number: u64 = number.parse().map_err(|_| ())?;
        let times = u32::try_from(number).map_err(|_| ())?;
        Ok(match word {
            "well" => Self::Well,
            "slow" => Self::Slow(number),
            "fail" => Self::Fail(times),
            "hang" => Self::Hang(times),
            "panic" => Self::Panic(times),
            "dead" => Self::Dead,
            "discard" => Self::Discard,
            "after" => Self::After(number),
            "snooze" => Self::Snooze(number),
            "hold" => Self::Hold(number),
            "garbage" => Self::Garbage,
            "large" => Self::Large(number),
            _ => return Err(()),
        })
    }
}
