//! What goes into the engine and what comes out of it.
//!
//! `R` is the record as the runtime holds it: the engine moves it, clones it for a forward, and never looks inside.
//! Work travels in batches, because what it costs to cross a thread is paid per batch.

use crate::{
    history::{History, SourceTime},
    id::{CommitId, ForwardId, Slot, Ticket, TopicIndex},
    outcome::{Outcome, Reason},
    shares::Class,
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// A partition that the group gave to this process, with what is known of it. Answered by [`Action::Start`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// The new assignment.
    pub slot: Slot,
    /// The topic: a source topic or one of the group's tiers.
    pub topic: Arc<str>,
    /// The partition.
    pub partition: i32,
    /// Identity of the topic, where the broker tells it (KIP-516).
    pub topic_id: Option<[u8; 16]>,
    /// What the group committed last, if anything.
    pub committed: Option<Committed>,
    /// First and next offset of the log. Known whenever nothing is committed, or the past is [`Past::Another`].
    pub log: Option<LogRange>,
    /// What is known of the group's past with it.
    pub past: Past,
}

/// What is known of a group's past with a partition, besides its commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Past {
    /// It has never read this topic.
    New,
    /// It has read this topic, and this partition was added since.
    Added,
    /// It has read this partition.
    Read,
    /// It has read another topic of this name, which was deleted: a commit may belong to that one.
    Another,
}

/// An offset commit as it was read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next offset to read.
    pub offset: i64,
    /// Leader epoch of the record before it, or −1.
    pub leader_epoch: i32,
    /// The metadata beside it: our snapshot, or anything at all.
    pub metadata: Vec<u8>,
}

/// The offsets a partition's log holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LogRange {
    /// The first offset that still exists.
    pub start: i64,
    /// The next offset to be written.
    pub end: i64,
}

/// One record as it came from its partition.
#[derive(Clone, Debug)]
pub struct Arrival<R> {
    /// Its offset.
    pub offset: i64,
    /// Leader epoch of its batch, or −1 where the broker does not tell.
    pub leader_epoch: i32,
    /// Its timestamp; in a tier the broker's append time, and what the gate counts from.
    pub appended: Timestamp,
    /// What must run in order shares a lane: a hash of the key where order is by key.
    pub lane: u64,
    /// The record itself.
    pub record: R,
    /// What its headers say, for a record of a tier; `None` for one of a source topic.
    pub lineage: Option<Box<Lineage>>,
}

/// What the engine must know of a record besides its [`Arrival`].
pub trait Payload: Clone {
    /// The timestamp it has where it was read.
    fn time(&self) -> SourceTime;
}

/// What the headers of a tier's record say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lineage {
    /// Where it came from and what happened to it so far.
    Known(Arc<History>),
    /// Headers that retrial did not write, or that were damaged.
    Unreadable(Reason),
}

/// An attempt to be made: handed to a worker, and back with what it came to.
#[derive(Clone, Debug)]
pub struct Work<R> {
    /// Which record.
    pub ticket: Ticket,
    /// Whose handler.
    pub topic: TopicIndex,
    /// What kind of turn it waits for; its slot counts as one of this class.
    pub class: Class,
    /// In-place tries made already within this attempt.
    pub tries: u16,
    /// The lane it runs in; meaningless where the topic is unordered.
    pub lane: u64,
    /// The record.
    pub record: R,
    /// Its past, if it has one.
    pub history: Option<Arc<History>>,
}

/// What a worker reports of one attempt.
#[derive(Clone, Debug)]
pub enum Finished<R> {
    /// It was done, and the worker has dropped the record.
    Done {
        /// Which record.
        ticket: Ticket,
        /// Whose handler, as in [`Work`].
        topic: TopicIndex,
        /// Its class, as in [`Work`].
        class: Class,
        /// Its lane, as in [`Work`].
        lane: u64,
    },
    /// It was given up without a result, because its assignment ended.
    Abandoned {
        /// Which record.
        ticket: Ticket,
        /// Whose handler.
        topic: TopicIndex,
        /// Its class, as in [`Work`].
        class: Class,
    },
    /// It was not started, because its assignment is ending or the lease is over.
    Unstarted(Box<Work<R>>),
    /// Anything else; the record comes back.
    Other(Box<(Work<R>, Outcome)>),
}

impl<R> Finished<R> {
    /// Which record.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        match self {
            Self::Done { ticket, .. } | Self::Abandoned { ticket, .. } => *ticket,
            Self::Unstarted(work) => work.ticket,
            Self::Other(other) => other.0.ticket,
        }
    }
}

/// Where a forward goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The tier with this delay; zero is the way back in.
    Tier(Duration),
    /// The dead letters.
    DeadLetters,
}

/// How much of the record a forward carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Body {
    /// All of it, byte for byte.
    Whole,
    /// Where it is, its hash and its first KiB: it is too large to be written with our headers (RULES 11).
    Reference,
}

/// A write to one of the group's own topics.
#[derive(Clone, Debug)]
pub struct Forward<R> {
    /// Its name until it is acknowledged.
    pub id: ForwardId,
    /// The assignment it belongs to.
    pub slot: Slot,
    /// Where to.
    pub target: Target,
    /// How much of the record.
    pub body: Body,
    /// The record.
    pub record: R,
    /// What to write into its headers.
    pub history: Arc<History>,
}

/// What became of a forward.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Acknowledged {
    /// Which one.
    pub id: ForwardId,
    /// All in-sync replicas have it, or why not.
    pub result: Result<Appended, ForwardError>,
}

/// An acknowledgement of all in-sync replicas.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// When we sent it, by our clock.
    pub sent: Timestamp,
    /// When the acknowledgement came, by our clock.
    pub acknowledged: Timestamp,
    /// When the broker appended it, by the broker's clock; `None` where it does not tell.
    pub appended: Option<Timestamp>,
}

/// Why a forward was not written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ForwardError {
    /// The topic does not take a record of this size.
    #[error("the topic does not take a record of this size")]
    TooLarge,
    /// Taken out of the queue unsent because some partition was revoked; to be sent again if still owned.
    #[error("taken out of the queue before it was sent")]
    Purged,
    /// Kafka refused it, or the producer broke; the text says why. Worth trying again later.
    #[error("{0}")]
    Refused(String),
}

/// One partition's part of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommitEntry {
    /// Which assignment.
    pub slot: Slot,
    /// The watermark: the next offset to read.
    pub offset: i64,
    /// Leader epoch of the record before it, or −1.
    pub leader_epoch: i32,
    /// The snapshot, as text.
    pub metadata: String,
}

/// How a commit ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitResult {
    /// The coordinator took it, but for the partitions listed.
    Accepted {
        /// Partitions whose entry was refused, with the reason.
        refused: Vec<(Slot, String)>,
    },
    /// A rebalance is under way; commit again after the next assignment.
    Rebalancing,
    /// The group does not know this member any more: everything is lost.
    Expelled,
    /// Anything else; commit again later.
    Failed(String),
}

/// Something happened.
#[derive(Clone, Debug)]
pub enum Event<R> {
    /// Partitions were assigned; nothing is read until each was answered by [`Action::Start`].
    Offered(Vec<Offer>),
    /// Partitions are to be given up: drain, commit, answer by [`Action::Release`]. `lost` ones are gone already.
    Revoking {
        /// Which.
        slots: Vec<Slot>,
        /// Whether somebody else may own them by now.
        lost: bool,
    },
    /// Records of one partition, in order.
    Arrived(Slot, Vec<Arrival<R>>),
    /// The log does not hold the offset that was asked for (`auto.offset.reset=error`).
    OutOfRange(Slot, LogRange),
    /// A new leader's log ends earlier than it was read, in the same epoch.
    Cut {
        /// Which partition.
        slot: Slot,
        /// Up to where records had been fetched.
        position: i64,
        /// Up to here the log is the one that was read.
        end: i64,
        /// What the log holds now.
        log: LogRange,
    },
    /// The topic that was read is gone, and another one has its name.
    MadeAnew {
        /// Which partition.
        slot: Slot,
        /// Identity of the topic that is there now.
        topic_id: [u8; 16],
        /// What its partition holds.
        log: LogRange,
    },
    /// Attempts ended.
    Finished(Vec<Finished<R>>),
    /// Forwards ended.
    Acknowledged(Vec<Acknowledged>),
    /// A commit ended.
    Committed(CommitId, CommitResult),
    /// Take nothing new, finish what runs within this time, commit "left well".
    Stop(Duration),
}

/// What the runtime must do besides work and forwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// Begin to read this partition here, or go on from here if it is being read.
    Start {
        /// Which.
        slot: Slot,
        /// The first offset to read.
        offset: i64,
    },
    /// Commit these, in one request.
    Commit(CommitId, Vec<CommitEntry>),
    /// Every result of these assignments is in or given up: answer the revocation.
    Release(Vec<Slot>),
    /// Give up what was handed out for this assignment: tokens fire, futures are dropped, and what waits does not
    /// start. If [`Action::Start`] follows, what is handed out after it is new.
    Abandon(Slot),
    /// Tell what still runs for this assignment that its time is short: its token fires.
    Hurry(Slot),
    /// Everything in this tier's log below the offset is finished and may be deleted.
    Trim(Slot, i64),
    /// Throw away what the producer has queued and not sent.
    Purge,
    /// The stop is complete: leave the group.
    Leave,
    /// Something an operator should know.
    Notice(Notice),
}

/// A change of state worth a line in the log and a counter.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Notice {
    /// Commit metadata that is not ours, or damaged: no record is skipped because of it.
    MetadataIgnored {
        /// Which partition.
        slot: Slot,
        /// What is wrong with it.
        why: String,
    },
    /// Records between two offsets were never read and are gone.
    RecordsGone {
        /// Which partition.
        slot: Slot,
        /// From here.
        from: i64,
        /// To before here.
        to: i64,
    },
    /// The log ends below the place where the group was: what is left of it runs again.
    LogCut {
        /// Which partition.
        slot: Slot,
        /// Where the group was.
        committed: i64,
        /// Where the log ends.
        end: i64,
        /// How many of the records that are gone were not finished, as far as this group had fetched them.
        lost: u64,
    },
    /// The topic was deleted and made anew: the partition is read from its start.
    MadeAnew {
        /// Which partition.
        slot: Slot,
        /// Where the group was in the topic that is gone.
        was: i64,
    },
    /// The partition takes nothing, for a reason that an operator should know.
    Held {
        /// Which partition.
        slot: Slot,
        /// Why.
        why: HoldReason,
        /// In words.
        detail: String,
    },
    /// The partition takes records again.
    Resumed {
        /// Which partition.
        slot: Slot,
        /// What had held it.
        why: HoldReason,
    },
    /// A record was forwarded to the dead letters.
    Buried {
        /// Whose topic.
        topic: TopicIndex,
        /// What the header says.
        cause: crate::outcome::Cause,
        /// The failure kind.
        kind: String,
    },
    /// A record whose turn has not come, or that nobody handles here, goes on waiting in another tier: no attempt was
    /// made.
    Hopped {
        /// The tier that it goes to.
        tier: Duration,
    },
    /// A retry's turn came this long after it was due.
    Lateness {
        /// The tier it waited in.
        tier: Duration,
        /// By the broker's clock.
        late: Duration,
    },
    /// A record that some owner had finished or forwarded before ran or came again.
    Repeated {
        /// Which partition.
        slot: Slot,
        /// How many.
        count: u32,
    },
    /// No commit was acknowledged for a whole session: nothing is started until one is.
    LeaseExpired,
    /// A commit was acknowledged again after [`Notice::LeaseExpired`].
    LeaseRenewed,
    /// A commit was refused.
    CommitFailed(String),
    /// A handler discarded a record.
    Discarded {
        /// Whose topic.
        topic: TopicIndex,
        /// The handler's words.
        why: String,
    },
    /// Ordinary work waits while records are tested that may have taken a process down (RULES 8).
    CarefulBegan {
        /// How many are known now.
        suspects: usize,
    },
    /// Ordinary work goes on.
    CarefulEnded,
    /// A suspect is about to be tested.
    SuspectAnnounced {
        /// Which partition.
        slot: Slot,
        /// Its offset.
        offset: i64,
        /// How often its process vanished while it ran alone.
        crashes: u32,
        /// Whether nothing else runs in this process.
        alone: bool,
    },
    /// It did not take the process down.
    SuspectSurvived {
        /// Which partition.
        slot: Slot,
        /// Its offset.
        offset: i64,
        /// It runs still, and others do not wait for it any longer.
        outlived: bool,
    },
    /// A record does not run any more, because it took its process down alone again and again.
    SuspectCondemned {
        /// Which partition.
        slot: Slot,
        /// Its offset.
        offset: i64,
        /// How often.
        crashes: u32,
        /// It is left where it is, not buried.
        held: bool,
    },
    /// The topic takes nothing new until the time given.
    TopicHeld {
        /// Which topic.
        topic: TopicIndex,
        /// For how long.
        delay: Duration,
    },
}

/// Why a partition takes no records, or not all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum HoldReason {
    /// A forward of one of its records cannot be written.
    ForwardRefused,
    /// The group knew this partition, and its offset is gone: say where to start.
    OffsetMissing,
    /// The commit metadata has no room for more unfinished records.
    MetadataFull,
    /// One of its records takes its process down, and is to be held. The others go on.
    Crashed,
    /// Kafka does not let us read it, or what it sends cannot be read.
    ReadRefused,
}

impl HoldReason {
    /// The word used in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ForwardRefused => "forward_refused",
            Self::OffsetMissing => "offset_missing",
            Self::MetadataFull => "metadata_full",
            Self::Crashed => "crashed",
            Self::ReadRefused => "read_refused",
        }
    }
}

/// What the engine decided, in the order it should be carried out: forwards and other actions, then work.
#[derive(Clone, Debug)]
pub struct Actions<R> {
    /// Attempts to be made.
    pub work: Vec<Work<R>>,
    /// Writes to the group's own topics.
    pub forwards: Vec<Forward<R>>,
    /// Everything else.
    pub others: Vec<Action>,
}

impl<R> Default for Actions<R> {
    fn default() -> Self {
        Self { work: Vec::new(), forwards: Vec::new(), others: Vec::new() }
    }
}

impl<R> Actions<R> {
    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.work.is_empty() && self.forwards.is_empty() && self.others.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::Slot;

    #[test]
    fn each_reason_to_hold_has_its_word() {
        let reasons = [HoldReason::ForwardRefused, HoldReason::OffsetMissing, HoldReason::MetadataFull];
        assert_eq!(reasons.map(HoldReason::as_str), ["forward_refused", "offset_missing", "metadata_full"]);
    }

    #[test]
    fn there_is_something_to_do_while_any_list_has_something() {
        let slot = Slot { index: 0, generation: 1 };
        assert!(Actions::<()>::default().is_empty());
        assert!(!Actions::<()> { others: vec![Action::Purge], ..Actions::default() }.is_empty());
        let work = Work {
            ticket: Ticket { slot, sequence: 0 },
            topic: TopicIndex(0),
            class: Class::Fresh,
            tries: 0,
            lane: 0,
            record: (),
            history: None,
        };
        assert!(!Actions { work: vec![work], ..Actions::default() }.is_empty());
        let history = Arc::new(History::new("orders/0/0".parse().unwrap(), SourceTime::None));
        let (id, target) = (ForwardId(1), Target::DeadLetters);
        let forward = Forward { id, slot, target, body: Body::Whole, record: (), history };
        assert!(!Actions { forwards: vec![forward], ..Actions::default() }.is_empty());
    }
}
