//! What the cluster saw, in one order: the evidence that checkers judge.
//!
//! Handlers' attempts are noted in the same list, so "before" and "after" mean the same for all of it. Entries hold
//! shared pointers only; recording one copies no record.

use super::{faults::Fault, log::Stored};
use crate::record::Record;
use retrial_core::{
    event::{CommitResult, Committed, ForwardError, LogRange, Target},
    history::History,
    id::{CommitId, ForwardId, Origin, Slot},
    time::Timestamp,
};
use std::{fmt, rc::Rc, sync::Arc, time::Duration};

/// A partition of one creation of a topic: deleted and made anew, it is another place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// The topic's name.
    pub(crate) topic: Arc<str>,
    /// Counts the creations of topics in this cluster.
    pub(crate) incarnation: u32,
    /// The partition.
    pub(crate) partition: i32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}/{}", self.topic, self.incarnation, self.partition)
    }
}

/// One record that was ever in a log. Offsets alone are used again after an unclean election.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Spot {
    /// Its partition.
    pub(crate) place: Place,
    /// Its offset.
    pub(crate) offset: i64,
    /// Its leader epoch.
    pub(crate) epoch: i32,
}

impl Spot {
    /// Where a stored record is.
    pub(crate) fn of(place: &Place, record: &Stored) -> Self {
        Self { place: place.clone(), offset: record.offset, epoch: record.epoch }
    }

    /// Where a delivered record was read from.
    pub(crate) fn read(place: &Place, record: &Record) -> Self {
        Self { place: place.clone(), offset: record.offset(), epoch: record.leader_epoch() }
    }
}

impl fmt::Display for Spot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{} (epoch {})", self.place, self.offset, self.epoch)
    }
}

/// One life of one member process. A process that is started again is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ProcessId(pub(crate) u32);

/// Why records are gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Removal {
    /// Retention, or somebody's DeleteRecords.
    Deleted,
    /// The service itself trimmed its tier.
    Trimmed,
    /// Compaction.
    Compacted,
    /// An unclean election.
    Truncated,
    /// The topic was deleted.
    TopicDeleted,
}

/// One partition's part of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The assignment that it was sent for.
    pub(crate) slot: Slot,
    /// The partition.
    pub(crate) place: Place,
    /// The watermark.
    pub(crate) offset: i64,
    /// Leader epoch beside it.
    pub(crate) epoch: i32,
    /// The snapshot.
    pub(crate) metadata: Rc<str>,
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// Done.
    Done,
    /// Discarded in words.
    Discarded,
    /// It failed: it counts as an attempt.
    Failed,
    /// It asked to run later without counting as an attempt.
    PutOff,
    /// Its future was dropped.
    Dropped,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// A record was appended, by a member's sink or from outside.
    Appended { place: Place, record: Rc<Stored>, by: Option<(ProcessId, ForwardId)> },
    /// Records ceased to exist.
    Removed { place: Place, records: Vec<Rc<Stored>>, why: Removal },
    /// A process was started as a member of a group.
    Born { process: ProcessId, group: Arc<str> },
    /// A process ceased to exist; nothing leaves it any more.
    Died { process: ProcessId },
    /// A generation of the group began.
    Generation { group: Arc<str>, generation: i32, assigned: Vec<(ProcessId, Vec<Place>)> },
    /// A process was asked to finish and leave.
    Stopping { process: ProcessId },
    /// A process, or what runs its handlers, stands still until then.
    Frozen { process: ProcessId, until: Timestamp },
    /// While it stood still, its clock did, too.
    ClockStood { process: ProcessId, stood: Duration },
    /// The coordinator does not count this process as a member any more.
    Expelled { process: ProcessId },
    /// A member was offered a partition, with this commit. It `holds` if it was meant for this creation of the topic
    /// and does not lie beyond the end of the log.
    Offered { process: ProcessId, slot: Slot, place: Place, committed: Option<Committed>, holds: bool },
    /// A member said where to begin.
    Started { process: ProcessId, slot: Slot, offset: i64 },
    /// A member was handed records, when it held so many bytes of others at its last turn.
    Delivered { process: ProcessId, slot: Slot, first: i64, last: i64, count: usize, held: usize },
    /// A member was told that its position does not exist.
    OutOfRange { process: ProcessId, slot: Slot, log: LogRange },
    /// A member was asked to give up partitions.
    Revoking { process: ProcessId, slots: Vec<Slot>, lost: bool },
    /// A member gave up a partition.
    Released { process: ProcessId, slot: Slot },
    /// A member said goodbye.
    Left { process: ProcessId },
    /// A member asked for a commit.
    CommitSent { process: ProcessId, id: CommitId, parts: Vec<Part> },
    /// The coordinator stored one part of it. `generation` is the one in which the request came.
    CommitApplied { process: ProcessId, id: CommitId, part: Part, generation: i32 },
    /// The member was told how its commit ended.
    CommitAnswered { process: ProcessId, id: CommitId, result: CommitResult },
    /// A member's sink was given a write of a record, whole or by reference.
    Forwarded { process: ProcessId, id: ForwardId, from: Spot, target: Target, whole: bool, history: Rc<History> },
    /// A member's sink said how a write ended.
    Acknowledged { process: ProcessId, id: ForwardId, result: Result<(), ForwardError> },
    /// A handler began an attempt, counted from 1.
    Began { process: ProcessId, spot: Spot, origin: Origin, attempt: u32 },
    /// A handler's attempt ended; it may ask to run again after a time of its own.
    Concluded { process: ProcessId, spot: Spot, ended: Ended, asked: Option<Duration> },
    /// A fault changed what happens next.
    Fault(Fault),
    /// A port was used against its contract.
    Misuse { process: ProcessId, what: String },
}

/// Everything that happened, with the broker's time.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Trace {
    entries: Vec<(Timestamp, Event)>,
}

impl Trace {
    pub(super) fn record(&mut self, now: Timestamp, event: Event) {
        self.entries.push((now, event));
    }

    /// What happened, in order.
    pub(crate) fn entries(&self) -> &[(Timestamp, Event)] {
        &self.entries
    }

    /// What happened, without the times.
    pub(crate) fn events(&self) -> impl DoubleEndedIterator<Item = &Event> {
        self.entries.iter().map(|(_, event)| event)
    }

    /// The story of a violation: what happened up to an event, as far as it fits the filter, newest last.
    pub(crate) fn story(&self, at: usize, lines: usize, fits: impl Fn(&Event) -> bool) -> String {
        let fitting = self.entries[..=at].iter().enumerate().rev().filter(|(_, (_, event))| fits(event)).take(lines);
        let mut lines: Vec<String> = fitting
            .map(|(at, (now, event))| format!("{at:6} {} {event}", now.to_string().get(14..23).unwrap_or_default()))
            .collect();
        lines.reverse();
        lines.join("\n")
    }
}
