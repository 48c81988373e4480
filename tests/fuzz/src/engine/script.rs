//! What a script can say.

use arbitrary::{Arbitrary, Unstructured};
use retrial_core::{
    backoff::Backoff,
    engine::{CommitConfig, EngineConfig, TopicConfig},
    ladder::Ladder,
    order::{OnCrash, OnExhausted, Order, RetryPolicy},
    outcome::{Cause, Outcome, Reason},
    schedule::Schedule,
    snapshot,
    start::StartAt,
};
use std::time::Duration;

/// More steps than this find nothing that fewer do not, and take longer.
const MOST_STEPS: usize = 300;

/// A setting and what happens in it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) setup: Setup,
    pub(super) steps: Vec<Step>,
}

impl Script {
    /// Every byte counts: a list of steps as `arbitrary` reads lists would end with every other byte.
    pub(super) fn read(bytes: &[u8]) -> arbitrary::Result<Self> {
        let mut input = Unstructured::new(bytes);
        let setup = Setup::arbitrary(&mut input)?;
        let mut steps = Vec::new();
        while !input.is_empty() && steps.len() < MOST_STEPS {
            steps.push(Step::arbitrary(&mut input)?);
        }
        Ok(Self { setup, steps })
    }

    /// Whether some record carries numbers that no owner writes, so that it may wait for centuries.
    pub(super) fn has_wild_pasts(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Plant { past: Past::Wild { .. }, .. }))
    }
}

/// The group's settings, and what its broker is like.
#[derive(Arbitrary, Debug)]
pub(super) struct Setup {
    pub(super) order: u8,
    pub(super) concurrency: u8,
    pub(super) service: u8,
    pub(super) in_place: u8,
    pub(super) metadata_limit: u16,
    pub(super) session_seconds: u8,
    pub(super) drain_millis: u16,
    pub(super) early: u8,
    /// Whether the broker tells leader epochs.
    pub(super) epochs: bool,
    pub(super) seed: u64,
    /// Records in each source partition at first.
    pub(super) records: [u8; 3],
}

pub(super) const GROUP: &str = "billing";

impl Setup {
    pub(super) fn order(&self) -> Order {
        let exhausted = [OnExhausted::Dead, OnExhausted::Hold, OnExhausted::Overtake][usize::from(self.order / 3 % 3)];
        match self.order % 3 {
            0 => Order::Unordered,
            1 => Order::ByKey(exhausted),
            _ => Order::ByPartition(exhausted),
        }
    }

    /// Limits of the two source topics, and of the service.
    pub(super) fn limits(&self) -> (usize, [usize; 2]) {
        let concurrency = usize::from(self.concurrency % 12) + 1;
        (usize::from(self.service % 16) + 2, [concurrency, 4])
    }

    /// A small limit makes the metadata full sooner; the usual one never cuts what these scripts finish.
    pub(super) fn metadata_limit(&self) -> usize {
        match self.metadata_limit {
            0 | 300.. => snapshot::LIMIT,
            small => usize::from(small),
        }
    }

    pub(super) fn session(&self) -> Duration {
        Duration::from_secs(u64::from(self.session_seconds % 40) + 6)
    }

    pub(super) fn config(&self) -> EngineConfig {
        let (service_limit, limits) = self.limits();
        let retry = RetryPolicy {
            schedule: Schedule::delays([5, 60, 7].map(Duration::from_secs)),
            in_place: u16::from(self.in_place % 4),
            backoff: Backoff::default(),
            on_crash: OnCrash::default(),
        };
        let topic = |name: &str, concurrency, order| TopicConfig {
            name: name.into(),
            concurrency,
            order,
            retry: retry.clone(),
        };
        EngineConfig {
            group: GROUP.into(),
            ladder: Ladder::new([5, 60].map(Duration::from_secs)).expect("a ladder"),
            topics: vec![topic("orders", limits[0], self.order()), topic("mails", limits[1], Order::Unordered)],
            service_limit,
            session_timeout: self.session(),
            commit: CommitConfig {
                early: usize::from(self.early) + 1,
                metadata_limit: self.metadata_limit(),
                ..CommitConfig::default()
            },
            revoke_drain: Duration::from_millis(self.drain_millis.into()),
            memory: 1 << 20,
            start_at: StartAt::Earliest,
            seed: self.seed,
        }
    }
}

/// One thing that happens.
#[derive(Arbitrary, Debug)]
pub(super) enum Step {
    /// More records in a source partition.
    Append { partition: u8, count: u8, gap: u8, key: u8 },
    /// A record in a tier that no engine of this world wrote.
    Plant { tier: u8, past: Past },
    /// What was read reaches the engine.
    Read { most: u8 },
    /// An attempt ends.
    End { which: u8, ending: Ending },
    /// Several attempts end well.
    EndMany { count: u8 },
    /// A write to one of the group's topics ends.
    Write { which: u8, how: Writing },
    /// The commit under way is answered.
    Answer(Answer),
    /// Time goes by.
    Pass { millis: u32 },
    /// Time goes by until the engine asked to be called.
    Wake,
    /// The group takes partitions back: those whose bit is set.
    Revoke { lost: bool, which: u8 },
    /// The group gives this process what it does not have.
    Assign { metadata: Metadata },
    /// The process dies and another one takes over.
    Crash,
    /// The process is asked to stop.
    Stop { seconds: u8 },
    /// The log of a source partition loses its end, or its beginning.
    Cut { partition: u8, records: u8 },
    /// Retention removes the oldest records of a source partition.
    Retain { partition: u8, records: u8 },
    /// Memory fills or empties.
    Memory { bytes: u32 },
    /// Something is said about what is not there.
    Stray(Stray),
}

/// How an attempt ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Ending {
    Done,
    DoneInWords,
    Retry,
    Abrupt,
    RetryAfter(u8),
    Snooze(u8),
    Hold(u8),
    Discard,
    Dead(u8),
    Unstarted,
}

impl Ending {
    /// The outcome that a handler reports; `None` for what the worker itself says.
    pub(super) fn outcome(self) -> Option<Outcome> {
        let reason = Reason::new("test", "it failed");
        let delay = |which: u8| {
            Duration::from_millis([0, 1, 700, 4_999, 5_000, 7_000, 45_000, 300_000][usize::from(which % 8)])
        };
        Some(match self {
            Self::Done | Self::Unstarted => return None,
            Self::DoneInWords => Outcome::Done,
            Self::Retry => Outcome::Retry(reason),
            Self::Abrupt => Outcome::Retry(reason.abrupt()),
            Self::RetryAfter(which) => Outcome::RetryAfter(delay(which), reason),
            Self::Snooze(which) => Outcome::Snooze(delay(which)),
            Self::Hold(which) => Outcome::Hold(delay(which)),
            Self::Discard => Outcome::Discard("not wanted".into()),
            Self::Dead(which) => Outcome::Dead(Cause::ALL[usize::from(which) % Cause::ALL.len()], reason),
        })
    }
}

/// How a write ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Writing {
    Written,
    Refused,
    TooLarge,
    /// It was written, and the producer says that it was not.
    WrittenUnsaid,
}

/// How a commit ends.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Answer {
    Accepted,
    /// One partition's part is refused.
    AcceptedInPart(u8),
    Rebalancing,
    Failed,
    Expelled,
    /// It was taken, and the answer got lost.
    TakenUnsaid,
}

/// What stands beside the committed offsets when partitions are assigned.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Metadata {
    Own,
    None,
    Soup(u64),
    /// That of another partition.
    Swapped,
    /// The commit before the last: a late one of an old owner landed after it.
    Older,
}

/// The headers of a planted record.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Past {
    /// None at all.
    Nothing,
    /// Damaged ones.
    Unreadable,
    /// Some that an owner may have written.
    Usual { attempts: u8, hop: u8, due_seconds: u8, expires: bool },
    /// Any numbers.
    Wild { counts: [u32; 5], due: Option<i64>, expires: Option<i64>, unknown_topic: bool },
}

/// Events about what is not there, or not any more.
#[derive(Arbitrary, Clone, Copy, Debug)]
pub(super) enum Stray {
    Committed {
        id: u64,
        expelled: bool,
    },
    Acknowledged {
        id: u64,
        refused: bool,
    },
    /// Records of an assignment that ended, or never was.
    Arrived {
        index: u8,
        generation: u32,
    },
    /// Records that were delivered before.
    Again {
        partition: u8,
    },
    OutOfRange {
        index: u8,
        generation: u32,
        start: i64,
        end: i64,
    },
    Revoking {
        index: u8,
        generation: u32,
        lost: bool,
    },
    /// A topic that is not the group's.
    Offered,
    /// An assignment that is revoked once more.
    RevokedTwice {
        lost: bool,
    },
    /// The process stands still for longer than a session; what comes first then is told to the engine first.
    Frozen,
}
