//! Headers: any list of them is read without harm, and what is written reads back and never grows.
//!
//! The first byte chooses: the rest is a list of headers, one a line (`name: value`, or a name alone for a null
//! value); or the fields of a past.

use arbitrary::{Arbitrary, Unstructured};
use retrial_core::{
    history::{History, MAX_OWN_BYTES, SourceTime, carried},
    id::Origin,
    naming::{GroupNames, MAX_TOPIC_BYTES},
    outcome::Cause,
    time::Timestamp,
};

/// Longest error that may be told of a header: a bad value is cut before it is shown.
const MAX_ERROR_BYTES: usize = 512;

type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Panics if headers harm the reader, if a past does not read back, or if headers of a user are lost or grow.
pub fn check(bytes: &[u8]) {
    let Some((&kind, rest)) = bytes.split_first() else { return };
    if kind % 2 == 0 {
        let lines = rest.split(|&byte| byte == b'\n');
        read(&lines.map(header).collect::<Vec<_>>());
    } else if let Ok(past) = Past::arbitrary(&mut Unstructured::new(rest)) {
        write(past);
    }
}

fn header(line: &[u8]) -> Header<'_> {
    match line.windows(2).position(|pair| pair == b": ") {
        Some(at) => (&line[..at], Some(&line[at + 2..])),
        None => (line, None),
    }
}

fn read(headers: &[Header<'_>]) {
    let all = || headers.iter().copied();
    assert!(carried(all(), false).eq(all()), "outside, all headers are the user's");
    let users: Vec<Header<'_>> = carried(all(), true).collect();
    assert!(users.len() <= headers.len());
    match History::decode("billing", all()) {
        Ok(None) => assert_eq!(users, headers),
        Ok(Some(history)) => hop(&users, &history, "billing"),
        Err(error) => {
            let text = error.to_string();
            assert!(text.len() <= MAX_ERROR_BYTES && !text.contains(char::is_control), "{text}");
        }
    }
}

/// One hop through a tier: the user's headers stay, ours are replaced, and both read back.
fn hop(users: &[Header<'_>], history: &History, group: &str) {
    let own = history.encode(group);
    let bytes: usize = own.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes <= MAX_OWN_BYTES, "{bytes} bytes");
    let own: Vec<Header<'_>> = own.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))).collect();
    let forwarded = || users.iter().chain(&own).copied();
    assert!(carried(forwarded(), true).eq(users.iter().copied()), "the user's headers changed");
    assert_eq!(History::decode(group, forwarded()), Ok(Some(history.clone())));
    let other_group = format!("{group}x");
    assert!(History::decode(&other_group, forwarded()).is_err());
}

#[derive(Arbitrary, Debug)]
struct Past<'a> {
    group: &'a str,
    topic: &'a str,
    partition: i32,
    offset: i64,
    time: (u8, i64),
    counts: [u32; 5],
    times: [Option<i64>; 4],
    texts: [Option<&'a str>; 4],
    repeat: u8,
    cause: Option<u8>,
    users: Vec<(&'a [u8], Option<&'a [u8]>)>,
}

fn write(past: Past<'_>) {
    if GroupNames::new(past.group, Some("fit")).is_err() || past.topic.len() > MAX_TOPIC_BYTES {
        return;
    }
    let (group, users) = (past.group, past.users.clone());
    let history = past.history();
    let own = history.encode(group);
    let bytes: usize = own.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(bytes <= MAX_OWN_BYTES, "{bytes} bytes");
    let read = History::decode(group, own.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))));
    let topic = &history.origin.topic;
    let letters = topic.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    let fits = letters && !["", ".", ".."].contains(&&**topic);
    if !fits || history.origin.partition < 0 || history.origin.offset < 0 {
        return assert!(read.is_err(), "no place in a topic: {:?}", history.origin);
    }
    let read = read.expect("our own headers").expect("a version among them");
    // Texts are cut and escaped once, when they are written; all else is as it was, and so is the name of the forward.
    assert_eq!(read.identity(), history.identity());
    let texts = (read.error_kind.clone(), read.error.clone(), read.operation.clone(), read.replay.clone());
    let (error_kind, error, operation, replay) = texts;
    assert_eq!(read, History { error_kind, error, operation, replay, ..history.clone() });
    assert_eq!(read.encode(group), own, "another hop writes the same");
    hop(&users, &read, group);
}

impl Past<'_> {
    fn history(self) -> History {
        let origin = Origin { topic: self.topic.into(), partition: self.partition, offset: self.offset };
        let stamp = Timestamp::from_millis(self.time.1);
        let time = match self.time.0 % 3 {
            0 => SourceTime::None,
            1 => SourceTime::Create(stamp),
            _ => SourceTime::Append(stamp),
        };
        let [attempts, crashes, step, hop, redrives] = self.counts;
        let [due, first_failed, last_failed, expires] = self.times.map(|time| time.map(Timestamp::from_millis));
        let texts = self.texts.map(|text| text.map(|text| text.repeat(usize::from(self.repeat))));
        let [error_kind, error, operation, replay] = texts;
        let cause = self.cause.map(|cause| Cause::ALL[usize::from(cause) % Cause::ALL.len()]);
        History {
            attempts,
            crashes,
            step,
            hop,
            redrives,
            due,
            first_failed,
            last_failed,
            expires,
            error_kind,
            error,
            cause,
            operation,
            replay,
            ..History::new(origin, time)
        }
    }
}
