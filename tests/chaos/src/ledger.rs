//! Ledgers: what the handlers of a worker did and when, a line each.
//!
//! A line is one `write` before the handler goes on, so it is there also when the process is killed at once afterwards:
//! what a process has written belongs to the kernel. (Only a crash of the machine would need a sync.) No call writes
//! less than a line, so only the very last line of a killed process could be a part, and none ever is.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    path::{Path, PathBuf},
    str::{FromStr, Split},
    sync::Arc,
};

use retrial::{Attempt, Record, Timestamp};

use crate::{
    clock::{self, Micros},
    place::{Log, Place},
};

/// What happened to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum What {
    Began,
    Done,
    /// To be tried again, if the schedule has another attempt.
    Failed,
    /// To the dead letters.
    Refused,
    /// Dropped before it ended: its worker gave the partition up.
    Dropped,
}

impl What {
    const LETTERS: [(Self, &'static str); 5] =
        [(Self::Began, "B"), (Self::Done, "D"), (Self::Failed, "F"), (Self::Refused, "R"), (Self::Dropped, "X")];
}

/// A worker process: each start of one has a number of its own.
pub(crate) type Worker = u32;

/// One line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) what: What,
    pub(crate) at: Micros,
    /// The record's number.
    pub(crate) number: u64,
    /// What was read: a record of a source topic or of a tier.
    pub(crate) place: Place,
    /// The timestamp of that in milliseconds: in a tier, when the broker appended it.
    pub(crate) stamp: i64,
    pub(crate) attempt: u32,
    /// Names the assignment.
    pub(crate) fence: u64,
    pub(crate) worker: Worker,
}

/// The ledger of a worker.
#[derive(Clone, Debug)]
pub(crate) struct Ledger(Arc<File>);

impl Ledger {
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(Self(Arc::new(file)))
    }

    /// Begins the account of an attempt.
    pub(crate) fn begin(&self, number: u64, attempt: &Attempt, record: &Record) -> Account {
        let stamp = record.time().timestamp().map_or(-1, Timestamp::as_millis);
        let (topic, partition, offset) = (record.topic(), record.partition(), record.offset());
        let rest = format!("{number} {topic} {partition} {offset} {stamp} {} {}", attempt.number(), attempt.fence());
        let account = Account { ledger: self.clone(), rest, ended: false };
        account.write(What::Began);
        account
    }
}

/// The account of one attempt. Dropped without an end, it says so.
#[derive(Debug)]
pub(crate) struct Account {
    ledger: Ledger,
    rest: String,
    ended: bool,
}

impl Account {
    pub(crate) fn end(mut self, what: What) {
        self.ended = true;
        self.write(what);
    }

    fn write(&self, what: What) {
        let letter = What::LETTERS.iter().find(|(known, _)| *known == what).map_or("?", |(_, letter)| letter);
        let line = format!("{letter} {} {}\n", clock::now(), self.rest);
        if let Err(error) = (&*self.ledger.0).write_all(line.as_bytes()) {
            // A handler that cannot say what it does must not do it: the run ends, and says why.
            eprintln!("the ledger cannot be written: {error}");
            std::process::exit(crate::EXIT_BROKEN_RIG);
        }
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        if !self.ended {
            self.write(What::Dropped);
        }
    }
}

/// Reads the ledger of one worker.
pub(crate) fn read(path: &Path, worker: Worker) -> Result<Vec<Entry>, String> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        // It was killed before its first line.
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(format!("{}: {error}", path.display())),
    };
    let mut logs = BTreeMap::new();
    let entries = text.lines().map(|line| {
        parse(line, worker, &mut logs).ok_or_else(|| format!("{}: a damaged line: {line}", path.display()))
    });
    entries.collect()
}

/// Where the ledger of a worker is.
pub(crate) fn path(folder: &Path, worker: Worker) -> PathBuf {
    folder.join(format!("worker-{worker}.ledger"))
}

fn parse<'a>(line: &'a str, worker: Worker, logs: &mut BTreeMap<&'a str, Log>) -> Option<Entry> {
    fn next<T: FromStr>(fields: &mut Split<'_, char>) -> Option<T> {
        fields.next()?.parse().ok()
    }
    let mut fields = line.split(' ');
    let letter = fields.next()?;
    let what = What::LETTERS.iter().find(|(_, known)| *known == letter)?.0;
    let (at, number) = (next(&mut fields)?, next(&mut fields)?);
    let topic = fields.next()?;
    let log = match logs.get(topic) {
        Some(log) => *log,
        None => *logs.entry(topic).or_insert(Log::of(topic)?),
    };
    let place = Place { log, partition: next(&mut fields)?, offset: next(&mut fields)? };
    let (stamp, attempt, fence) = (next(&mut fields)?, next(&mut fields)?, next(&mut fields)?);
    fields.next().is_none().then_some(Entry { what, at, number, place, stamp, attempt, fence, worker })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::place::Source;

    #[test]
    fn a_line_reads_back_and_a_part_of_one_does_not() {
        let mut logs = BTreeMap::new();
        let line = "F 1700000000000001 42 chaos.retry.3s 5 17 1699999999999 2 9";
        let place = Place { log: Log::Tier(3), partition: 5, offset: 17 };
        let entry = parse(line, 4, &mut logs).unwrap();
        assert_eq!((entry.what, entry.number, entry.place, entry.attempt), (What::Failed, 42, place, 2));
        assert_eq!(
            (entry.at, entry.stamp, entry.fence, entry.worker),
            (1_700_000_000_000_001, 1_699_999_999_999, 9, 4)
        );
        assert_eq!(parse("F 1700000000000001 42 chaos.retry.3s 5 17 1699999999999 2", 4, &mut logs), None);
        assert_eq!(parse("B 1 42 work.other 5 17 1 2 9", 4, &mut logs), None);
        let source = parse("B 1 42 work.keyed 5 17 1 1 9", 4, &mut logs).unwrap();
        assert_eq!(source.place.log, Log::Source(Source::Keyed));
    }
}
