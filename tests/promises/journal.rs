//! Journals: what the handlers of a worker did and when, a line each.
//!
//! A line is written with one call before the handler goes on, so it is there also when the process is killed at once
//! afterwards: what a process has written belongs to the kernel. (Only a crash of the machine would need a sync.)

use std::{
    fs::{File, OpenOptions},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::SystemTime,
};

use retrial::{Attempt, Record, Timestamp};

use crate::task::Task;

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    Began,
    Finished,
    Failed,
}

/// One line.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) what: What,
    /// Microseconds since 1970, by the machine's clock: that of all workers, and of the broker.
    pub(crate) at: i64,
    pub(crate) id: u64,
    /// The attempt's number.
    pub(crate) attempt: u32,
    /// Names the assignment.
    pub(crate) fence: u64,
    /// What was read: a source topic or a tier.
    pub(crate) topic: Arc<str>,
    /// The record's timestamp, in milliseconds; in a tier the broker's append time.
    pub(crate) stamp: i64,
}

/// Appends to a journal.
#[derive(Clone, Debug)]
pub(crate) struct Writer(Arc<File>);

impl Writer {
    pub(crate) fn open(path: &Path) -> Self {
        let file = OpenOptions::new().append(true).create(true).open(path);
        Self(Arc::new(file.unwrap_or_else(|error| panic!("no journal at {}: {error}", path.display()))))
    }

    pub(crate) fn write(&self, what: What, task: &Task, attempt: &Attempt, record: &Record) {
        let what = match what {
            What::Began => 'B',
            What::Finished => 'D',
            What::Failed => 'F',
        };
        let stamp = record.time().timestamp().map_or(-1, Timestamp::as_millis);
        let line = format!(
            "{what} {} {} {} {} {} {stamp}\n",
            now_micros(),
            task.id,
            attempt.number(),
            attempt.fence(),
            record.topic(),
        );
        (&*self.0).write_all(line.as_bytes()).expect("a journal that can be written");
    }
}

/// Microseconds since 1970.
pub(crate) fn now_micros() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().map_or(0, |elapsed| i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX))
}

/// Follows a journal that may be written still.
#[derive(Debug)]
pub(crate) struct Journal {
    path: PathBuf,
    file: Option<File>,
    /// The beginning of a line whose end was not there yet.
    rest: String,
    entries: Vec<Entry>,
    topic: Arc<str>,
}

impl Journal {
    pub(crate) fn at(path: PathBuf) -> Self {
        Self { path, file: None, rest: String::new(), entries: Vec::new(), topic: "".into() }
    }

    /// Everything that was written until now.
    pub(crate) fn entries(&mut self) -> &[Entry] {
        if self.file.is_none() {
            self.file = File::open(&self.path).ok();
        }
        if let Some(file) = &mut self.file {
            file.read_to_string(&mut self.rest).expect("a journal is text");
        }
        let whole = self.rest.rfind('\n').map_or(0, |end| end + 1);
        for line in self.rest[..whole].lines() {
            let entry = parse(line, &mut self.topic).unwrap_or_else(|| panic!("a damaged journal: {line}"));
            self.entries.push(entry);
        }
        self.rest.drain(..whole);
        &self.entries
    }

    pub(crate) fn count(&mut self, what: What) -> usize {
        self.entries().iter().filter(|entry| entry.what == what).count()
    }
}

fn parse(line: &str, last_topic: &mut Arc<str>) -> Option<Entry> {
    fn next<T: FromStr>(fields: &mut std::str::Split<'_, char>) -> Option<T> {
        fields.next()?.parse().ok()
    }
    let mut fields = line.split(' ');
    let what = match fields.next()? {
        "B" => What::Began,
        "D" => What::Finished,
        "F" => What::Failed,
        _ => return None,
    };
    let (at, id, attempt, fence) = (next(&mut fields)?, next(&mut fields)?, next(&mut fields)?, next(&mut fields)?);
    let topic = fields.next()?;
    if **last_topic != *topic {
        *last_topic = topic.into();
    }
    let stamp = next(&mut fields)?;
    Some(Entry { what, at, id, attempt, fence, topic: Arc::clone(last_topic), stamp })
}
