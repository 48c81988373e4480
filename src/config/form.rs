//! How values are written: the same in files, variables and arguments.

use std::{
    fmt,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

/// The form of a setting, with its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Form {
    /// Any text.
    Text,
    /// A time between two others.
    Time(Duration, Duration),
    /// The same, or `none`.
    Limit(Duration, Duration),
    /// A number between two others.
    Count(u64, u64),
    /// A number of bytes, at least so many.
    Bytes(u64),
    /// Where to listen.
    Address,
    /// Waits between attempts, the last perhaps often.
    Waits,
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    Text(String),
    Time(Duration),
    Unlimited,
    Count(usize),
    Address(SocketAddr),
    Waits(Vec<(Duration, u32)>),
}

const MOST_TIMES: u32 = 100_000;

impl Form {
    /// Reads a value.
    pub(super) fn read(self, text: &str) -> Option<Value> {
        let text = text.trim();
        match self {
            Self::Text => (!text.is_empty()).then(|| Value::Text(text.to_owned())),
            Self::Limit(..) if text == "none" => Some(Value::Unlimited),
            Self::Time(least, most) | Self::Limit(least, most) => {
                time(text).filter(|time| (least..=most).contains(time)).map(Value::Time)
            }
            Self::Count(least, most) => {
                let number = text.replace('_', "").parse().ok().filter(|number| (least..=most).contains(number))?;
                Some(Value::Count(usize::try_from(number).ok()?))
            }
            Self::Bytes(least) => {
                Some(Value::Count(usize::try_from(bytes(text).filter(|bytes| *bytes >= least)?).ok()?))
            }
            Self::Address => {
                let port = || text.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
                text.parse().ok().or_else(port).map(Value::Address)
            }
            Self::Waits => text.split(',').map(|wait| waits(wait.trim())).collect::<Option<_>>().map(Value::Waits),
        }
    }
}

/// What is allowed, in words.
impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text => f.write_str("a text that is not empty"),
            Self::Time(least, most) => write!(f, "a time such as 500ms, 25s, 10m or 6h, from {least:?} to {most:?}"),
            Self::Limit(least, most) => {
                write!(f, "a time such as 500ms, 25s, 10m or 6h, from {least:?} to {most:?}, or none")
            }
            Self::Count(least, most) => write!(f, "a number from {least} to {most}"),
            Self::Bytes(least) => write!(f, "a number of bytes such as 64MiB or 512KiB, {least} at least"),
            Self::Address => f.write_str("an address such as 127.0.0.1:9464, or a port of 127.0.0.1"),
            Self::Waits => f.write_str("waits such as 30s, 5m, 1h x 24 (a list in a file), each from 1s to 168h"),
        }
    }
}

fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|char: char| !char.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let millis = match text[digits..].trim_start() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}

fn bytes(text: &str) -> Option<u64> {
    let digits = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let shift = match text[digits..].trim_start() {
        "" | "B" => 0,
        "KiB" => 10,
        "MiB" => 20,
        "GiB" => 30,
        _ => return None,
    };
    text[..digits].parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// `5m`, or `1h x 24`.
fn waits(text: &str) -> Option<(Duration, u32)> {
    let (wait, times) = text.split_once('x').map_or((text, Some(1)), |(wait, times)| (wait, times.trim().parse().ok()));
    let wait =
        time(wait.trim()).filter(|wait| (Duration::from_secs(1)..=Duration::from_secs(168 * 3600)).contains(wait))?;
    Some((wait, times.filter(|times| (1..=MOST_TIMES).contains(times))?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_within_their_bounds() {
        let seconds = Duration::from_secs;
        let (time, limit) = (Form::Time(seconds(1), seconds(3600)), Form::Limit(seconds(1), seconds(3600)));
        assert_eq!(time.read("25s"), Some(Value::Time(seconds(25))));
        assert_eq!(time.read("1h"), Some(Value::Time(seconds(3600))));
        for wrong in ["25", "s", "999ms", "2h", "-1s", "1.5s", "none", "99999999999999999999s"] {
            assert_eq!(time.read(wrong), None, "{wrong}");
        }
        assert_eq!(limit.read("none"), Some(Value::Unlimited));
        assert_eq!(Form::Count(1, 10).read("10"), Some(Value::Count(10)));
        assert_eq!(Form::Count(1, 10).read("0").or(Form::Count(1, 10).read("11")), None);
        assert_eq!(Form::Bytes(1024).read("64MiB"), Some(Value::Count(64 << 20)));
        assert_eq!(Form::Bytes(1024).read("1023").or(Form::Bytes(0).read("1MB")), None);
        assert_eq!(Form::Address.read("9464"), Some(Value::Address(([127, 0, 0, 1], 9464).into())));
        assert_eq!(Form::Address.read("[::]:1"), Some(Value::Address("[::]:1".parse().unwrap())));
        assert_eq!(Form::Address.read("localhost"), None);
        let waits = vec![(seconds(30), 1), (seconds(3600), 24)];
        assert_eq!(Form::Waits.read("30s, 1h x 24"), Some(Value::Waits(waits)));
        assert_eq!(Form::Waits.read("30s,").or(Form::Waits.read("1h x 0")).or(Form::Waits.read("")), None);
    }
}
