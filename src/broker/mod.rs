//! The ports: what the runtime needs of a broker, and no more.
//!
//! `kafka` is the real one; the simulator is the second. The runtime owns a [`Source`] and a [`Sink`] on one thread
//! and turns them; nothing here blocks for longer than its words say, and nothing here decides.

pub(crate) mod kafka;
#[cfg(feature = "testkit")]
pub(crate) mod sim;

use crate::record::{Batch, Record};
use retrial_core::{
    event::{Acknowledged, CommitEntry, CommitResult, Forward, LogRange, Offer},
    id::{CommitId, Slot},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// Something that came from the group or its partitions.
#[derive(Debug)]
pub(crate) enum SourceEvent {
    /// Partitions were assigned; none of them if the member stands by. Each waits for [`Source::start`].
    Offered(Vec<Offer>),
    /// Partitions are to be given up. The source reads nothing more of them and waits for [`Source::release`].
    /// Lost ones are gone already; they, too, are released.
    Revoking {
        /// Which.
        slots: Vec<Slot>,
        /// Whether the group may have given them to somebody else already.
        lost: bool,
    },
    /// Records of one partition, in order, none twice within one assignment.
    Records(Slot, Arc<Batch>),
    /// The log does not hold the next offset. The source waits for [`Source::start`].
    OutOfRange(Slot, LogRange),
    /// A new leader's log ends earlier, in the epoch that was read. The source waits for [`Source::start`].
    Cut {
        /// Which partition.
        slot: Slot,
        /// Up to where records had been fetched.
        position: i64,
        /// Up to here the log is the one that was read; what follows, if anything, is new.
        end: i64,
        /// What the log holds now.
        log: LogRange,
    },
    /// The topic was deleted and made anew under its name. The source waits for [`Source::start`].
    MadeAnew {
        /// Which partition.
        slot: Slot,
        /// Identity of the topic that is there now.
        topic_id: [u8; 16],
        /// What its partition holds.
        log: LogRange,
    },
    /// A partition cannot be read at present, and why. The source keeps trying.
    Unreadable(Slot, String),
    /// It can be read again.
    Readable(Slot),
    /// A commit ended.
    Committed(CommitId, CommitResult),
    /// Something went wrong that mends itself or must be shown; not final.
    Trouble(String),
    /// The client is broken for good (fenced, forbidden, fatal): the service must end, and this is why.
    Fatal(String),
    /// The group was left; [`Source::close`] may be called.
    Left,
}

/// Reads the partitions of one group member.
///
/// The order of calls for a partition: `Offered` → `start` → `Records`… → `Revoking` → commits → `release`.
pub(crate) trait Source {
    /// Serves the group and reads what is ready, without waiting. `room` says how many records a partition may
    /// take now; one with no room is asked again at the next call and keeps what was fetched for it.
    fn poll(&mut self, room: &mut dyn FnMut(Slot) -> usize, events: &mut Vec<SourceEvent>);
    /// Begins to read an offered partition, or moves one that is being read.
    fn start(&mut self, slot: Slot, offset: i64);
    /// Commits offsets with metadata, in one request. The result comes as [`SourceEvent::Committed`].
    fn commit(&mut self, id: CommitId, entries: Vec<CommitEntry>);
    /// Gives up revoked partitions. When all of one revocation are released, the group is answered.
    fn release(&mut self, slots: &[Slot]);
    /// Asks to leave the group: revokes everything, then says [`SourceEvent::Left`].
    fn leave(&mut self);
    /// Deletes the records of a partition below an offset, in the background; failures are told once as trouble.
    fn trim(&mut self, slot: Slot, before: i64);
    /// Waits until something may be ready, [`Waker::wake`] is called, or the time is over.
    fn wait(&mut self, limit: Duration);
    /// What other threads use to end a [`Source::wait`].
    fn waker(&self) -> Waker;
    /// Ends the client within the time given, also with the broker gone (field notes: a drop may never return).
    fn close(self: Box<Self>, limit: Duration);
}

/// Ends a wait from another thread. Cheap to clone and to call.
#[derive(Clone)]
pub(crate) struct Waker(Arc<dyn Fn() + Send + Sync>);

impl Waker {
    /// A waker that calls this.
    pub(crate) fn new(wake: impl Fn() + Send + Sync + 'static) -> Self {
        Self(Arc::new(wake))
    }

    /// Ends the current wait, or the next one if none is under way.
    pub(crate) fn wake(&self) {
        (self.0)();
    }
}

impl std::fmt::Debug for Waker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waker")
    }
}

/// A write that was acknowledged, as a reading of the broker's clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ClockSample {
    /// When it was sent, by our clock.
    pub(crate) sent: Timestamp,
    /// When it was acknowledged, by our clock.
    pub(crate) acknowledged: Timestamp,
    /// When it was appended, by the broker's.
    pub(crate) appended: Timestamp,
}

/// Writes to the group's own topics.
pub(crate) trait Sink {
    /// Queues a write; the result comes from [`Sink::poll`], and until then the sink keeps trying without limit.
    fn send(&mut self, forward: Forward<Record>);
    /// Collects what was acknowledged or refused since the last call, without waiting.
    fn poll(&mut self, results: &mut Vec<Acknowledged>);
    /// Takes out what is queued and not sent; each comes back as [`retrial_core::event::ForwardError::Purged`].
    fn purge(&mut self);
    /// Waits for what is on the wire, at most this long, and ends.
    fn close(self: Box<Self>, limit: Duration);
}
