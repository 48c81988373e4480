//! Where to begin an assigned partition (RULES 2, 4, 6).
//!
//! The client library resets nothing by itself (`auto.offset.reset=error`): every case below is decided here, and none
//! of them passes over a record that the log still holds and the group did not finish, unless the user named the place.
//!
//! # The sequences
//! - **Offset in the log.** The group goes on there, with its completion map.
//! - **Offset below the log's start.** Retention, or somebody's DeleteRecords, was faster than the group. What is
//!   left begins at the log's start; the records between are told as gone. The log itself is the same, so what the
//!   map says about records above still holds. In a tier the same facts also follow from a rewind: the owner commits
//!   100 and trims to 100, then a parked commit of the owner before lands and says 80. Nothing is lost then, but it
//!   looks the same from here, so it is told too.
//! - **Offset beyond the log's end.** An unclean election cut the log, or the topic was deleted and made anew. New
//!   records may stand already where finished ones stood: finished to 1,200, cut to 1,000, written again to 1,150. To
//!   go on at the end (1,150) would pass over 150 records that nobody read, and nothing tells how far the cut went.
//!   So the partition begins at the log's start, and the map is dropped: it speaks of records that are gone. Work
//!   that was finished runs again, under the same idempotency keys: the price of a cut, and told loudly. A log that
//!   looks cut only because a new leader has not caught up is no case: brokers answer "not available" until it has
//!   (KIP-207).
//! - **No offset, in a tier.** From the log's start: tiers are trimmed, so all of what is there is unfinished.
//! - **No offset, in a source partition that the group has read before.** The offset expired (a week without
//!   members), or was deleted. From the start would run everything again; from the end would lose what waits. Neither
//!   is ours to choose, so the partition is held until an operator says where to begin. A `start at` in the
//!   configuration does not count here: it was written for the first start. A partition that never held a record
//!   leaves nothing to choose.
//! - **No offset, in a source partition that the group never read.** A new group, or a partition that was added.
//!   From the earliest, or where the user said. See [`refuse_old_backlog`] for the one exception.
//!
//! - **Another topic under the name.** Deleted, made anew, and grown past the place where the group was. Kafka forgets
//!   the offsets of a deleted topic, but members that have not noticed commit theirs again, for Kafka keeps them by name.
//!   Both the marks in the control topic and the commit's checksum name the topic's identity. If the group knew another
//!   topic and the commit is not bound to this one, it belongs to what is gone: from the start of the new log.
//! - **No offset, in a partition that was added** to a topic which the group reads: from the start, whatever the user said
//!   about where a new group begins. What was written between its making and its discovery is work like any other.

use crate::{
    event::{HoldReason, LogRange, Past},
    time::Timestamp,
};
use std::time::Duration;

/// Records older than this are an "old backlog" to a new group.
pub const OLD: Duration = Duration::from_secs(24 * 3600);

/// What kind of topic the partition belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The user's own.
    Source,
    /// One of the group's tiers, the way back in among them.
    Tier,
}

/// What the user said about where a new group begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StartAt {
    /// Nothing: the earliest record, unless that is old (see [`refuse_old_backlog`]).
    #[default]
    Unset,
    /// The earliest record that the log holds.
    Earliest,
    /// The next record to be written.
    Latest,
    /// This offset; one outside the log counts as the nearest inside. A point in time is looked up before and
    /// comes as an offset.
    Offset(i64),
}

/// What is known of an assigned partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The offset that the group committed, or that a running consumer asked for when the log did not hold it.
    pub committed: Option<i64>,
    /// What the log holds, where it was asked.
    pub log: Option<LogRange>,
    /// What is known of the group's past with the partition. [`Past::Another`] only if the commit is not bound to the topic
    /// that is there now.
    pub past: Past,
}

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// Read from `offset` on.
    At {
        /// The first offset to read.
        offset: i64,
        /// What led there.
        because: Because,
    },
    /// Read nothing, for this reason, until an operator says where to begin.
    Held(HoldReason),
}

/// What led to a start position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Because {
    /// The group was here.
    Committed,
    /// Records from `from` to before `to` were deleted before the group read them all.
    Gone {
        /// Where the group was.
        from: i64,
        /// Where the log starts.
        to: i64,
    },
    /// The log ends below the place where the group was.
    Cut {
        /// Where the group was.
        committed: i64,
        /// Where the log ends.
        end: i64,
    },
    /// The topic is not the one that the group was in.
    MadeAnew {
        /// Where the group was.
        was: i64,
    },
    /// The group was never here.
    New,
}

impl Start {
    /// Whether the committed completion map may be used: the log is still the one that it speaks of.
    #[must_use]
    pub const fn keeps_ledger(&self) -> bool {
        matches!(self, Self::At { because: Because::Committed | Because::Gone { .. }, .. })
    }
}

/// Decides where to begin a partition, or where to go on when the log does not hold the next offset.
///
/// ```
/// use retrial_core::{event::{HoldReason, LogRange, Past}, start::{Because, Facts, Kind, Start, StartAt, decide}};
///
/// let log = Some(LogRange { start: 700, end: 1150 });
/// let facts = |committed| Facts { committed, log, past: Past::Read };
/// let at = |offset, because| Start::At { offset, because };
/// let source = |committed| decide(Kind::Source, facts(committed), StartAt::Unset);
/// assert_eq!(source(Some(900)), at(900, Because::Committed));
/// assert_eq!(source(Some(500)), at(700, Because::Gone { from: 500, to: 700 }));
/// assert_eq!(source(Some(1200)), at(700, Because::Cut { committed: 1200, end: 1150 }));
/// assert_eq!(source(None), Start::Held(HoldReason::OffsetMissing));
/// ```
#[must_use]
pub fn decide(kind: Kind, facts: Facts, start_at: StartAt) -> Start {
    match (facts.committed.filter(|&offset| offset >= 0), facts.log) {
        (Some(was), Some(log)) if facts.past == Past::Another => {
            Start::At { offset: log.start, because: Because::MadeAnew { was } }
        }
        (Some(committed), Some(log)) => resume(committed, log),
        (Some(offset), None) => Start::At { offset, because: Because::Committed },
        (None, None) => Start::Held(HoldReason::OffsetMissing),
        (None, Some(log)) => begin(kind, log, facts.past, start_at),
    }
}

fn resume(committed: i64, log: LogRange) -> Start {
    if committed > log.end {
        return Start::At { offset: log.start, because: Because::Cut { committed, end: log.end } };
    }
    if committed < log.start {
        return Start::At { offset: log.start, because: Because::Gone { from: committed, to: log.start } };
    }
    Start::At { offset: committed, because: Because::Committed }
}

fn begin(kind: Kind, log: LogRange, past: Past, start_at: StartAt) -> Start {
    let never_written = log.end == 0;
    let offset = match (kind, past, start_at) {
        (Kind::Source, Past::Read, _) if !never_written => return Start::Held(HoldReason::OffsetMissing),
        (Kind::Source, Past::New | Past::Read, StartAt::Latest) => log.end,
        (Kind::Source, Past::New | Past::Read, StartAt::Offset(offset)) => offset.min(log.end).max(log.start),
        _ => log.start,
    };
    Start::At { offset, because: Because::New }
}

/// What one source partition holds for a group that never read it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backlog {
    /// How many records; the length of the log where they cannot be counted.
    pub records: u64,
    /// Timestamp of the oldest one, where it has one.
    pub oldest: Option<Timestamp>,
}

/// A new group would begin with old records, and nobody said that it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this group is new and would begin with about {records} records, the oldest of {oldest}; \
     say where to start with `start_at`: earliest, latest, or an offset"
)]
pub struct OldBacklog {
    /// Records in all partitions.
    pub records: u64,
    /// Timestamp of the oldest.
    pub oldest: Timestamp,
}

/// Checks that a truly new group (no offset and no marker in any partition) does not run through months of records
/// because nobody thought of it. Records without a timestamp are of unknown age and refuse nothing.
///
/// # Errors
/// [`OldBacklog`] when some record is older than [`OLD`] and the user has not said where to start.
pub fn refuse_old_backlog(
    partitions: impl IntoIterator<Item = Backlog>,
    start_at: StartAt,
    now: Timestamp,
) -> Result<(), OldBacklog> {
    if start_at != StartAt::Unset {
        return Ok(());
    }
    let (mut records, mut oldest) = (0u64, None::<Timestamp>);
    for backlog in partitions.into_iter().filter(|backlog| backlog.records > 0) {
        records = records.saturating_add(backlog.records);
        let dated = backlog.oldest.filter(|&time| time >= Timestamp::from_millis(0));
        oldest = [oldest, dated].into_iter().flatten().min();
    }
    match oldest.filter(|&time| now.since(time) > OLD) {
        Some(oldest) => Err(OldBacklog { records, oldest }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LOG: LogRange = LogRange { start: 700, end: 1150 };

    fn facts(committed: Option<i64>, past: Past) -> Facts {
        Facts { committed, log: Some(LOG), past }
    }

    fn new(offset: i64) -> Start {
        Start::At { offset, because: Because::New }
    }

    #[test]
    fn the_edges_of_the_log_are_inside() {
        for offset in [700, 1150] {
            let start = decide(Kind::Source, facts(Some(offset), Past::Read), StartAt::Latest);
            assert_eq!(start, Start::At { offset, because: Because::Committed });
        }
    }

    #[test]
    fn a_cut_log_begins_at_its_start_without_the_map_and_a_trimmed_one_with_it() {
        for kind in [Kind::Source, Kind::Tier] {
            let cut = decide(kind, facts(Some(1151), Past::Read), StartAt::Latest);
            assert_eq!(cut, Start::At { offset: 700, because: Because::Cut { committed: 1151, end: 1150 } });
            assert!(!cut.keeps_ledger());
            let gone = decide(kind, facts(Some(699), Past::Read), StartAt::Latest);
            assert_eq!(gone, Start::At { offset: 700, because: Because::Gone { from: 699, to: 700 } });
            assert!(gone.keeps_ledger());
        }
    }

    #[test]
    fn a_missing_offset_of_a_known_partition_is_held_whatever_the_configuration_says() {
        for start_at in [StartAt::Unset, StartAt::Earliest, StartAt::Latest, StartAt::Offset(800)] {
            let held = Start::Held(HoldReason::OffsetMissing);
            assert_eq!(decide(Kind::Source, facts(None, Past::Read), start_at), held);
            assert_eq!(decide(Kind::Source, facts(Some(-1001), Past::Read), start_at), held);
            let empty = Facts { committed: None, log: Some(LogRange { start: 0, end: 0 }), past: Past::Read };
            assert_eq!(decide(Kind::Source, empty, start_at), new(0));
        }
    }

    #[test]
    fn an_unknown_partition_begins_where_the_user_said_and_a_tier_at_its_start() {
        for (start_at, offset) in [
            (StartAt::Unset, 700),
            (StartAt::Earliest, 700),
            (StartAt::Latest, 1150),
            (StartAt::Offset(800), 800),
            (StartAt::Offset(3), 700),
            (StartAt::Offset(5000), 1150),
        ] {
            assert_eq!(decide(Kind::Source, facts(None, Past::New), start_at), new(offset));
            for past in [Past::New, Past::Added, Past::Read, Past::Another] {
                assert_eq!(decide(Kind::Tier, facts(None, past), start_at), new(700));
            }
        }
    }

    #[test]
    fn a_partition_that_was_added_or_made_anew_begins_at_its_start_whatever_the_user_said_of_new_groups() {
        for start_at in [StartAt::Unset, StartAt::Earliest, StartAt::Latest, StartAt::Offset(800)] {
            for past in [Past::Added, Past::Another] {
                assert_eq!(decide(Kind::Source, facts(None, past), start_at), new(700));
            }
        }
    }

    #[test]
    fn a_commit_of_another_topic_of_the_name_counts_for_nothing_wherever_it_points() {
        for (kind, was) in [(Kind::Source, 0), (Kind::Source, 900), (Kind::Tier, 1150), (Kind::Tier, 5000)] {
            let anew = decide(kind, facts(Some(was), Past::Another), StartAt::Latest);
            assert_eq!(anew, Start::At { offset: 700, because: Because::MadeAnew { was } });
            assert!(!anew.keeps_ledger());
        }
    }

    #[test]
    fn without_the_logs_range_an_offset_is_believed_and_its_absence_is_held() {
        let facts = |committed| Facts { committed, log: None, past: Past::New };
        let believed = Start::At { offset: 9, because: Because::Committed };
        assert_eq!(decide(Kind::Source, facts(Some(9)), StartAt::Unset), believed);
        assert_eq!(decide(Kind::Tier, facts(None), StartAt::Unset), Start::Held(HoldReason::OffsetMissing));
    }

    #[test]
    fn a_new_group_does_not_run_through_old_records_unasked() {
        let now = Timestamp::from_millis(1_795_342_860_007);
        let aged = |hours: i64| Some(now.shifted(-hours * 3_600_000));
        let backlog = |records, oldest| Backlog { records, oldest };
        let partitions = [backlog(10, aged(2)), backlog(0, aged(900)), backlog(5, aged(25)), backlog(7, None)];
        let refused = refuse_old_backlog(partitions, StartAt::Unset, now).unwrap_err();
        assert_eq!((refused.records, Some(refused.oldest)), (22, aged(25)));
        assert!(refused.to_string().contains("22 records") && refused.to_string().contains("2026-11-21T"), "{refused}");
        for start_at in [StartAt::Earliest, StartAt::Latest, StartAt::Offset(0)] {
            assert_eq!(refuse_old_backlog(partitions, start_at, now), Ok(()));
        }
        for young in [vec![], vec![backlog(10, aged(24))], vec![backlog(7, None)], vec![backlog(1, aged(-5))]] {
            assert_eq!(refuse_old_backlog(young, StartAt::Unset, now), Ok(()));
        }
    }

    proptest! {
        /// What a group has finished is what lies below its commit, in a log that was not cut.
        #[test]
        fn no_record_that_the_log_holds_is_passed_over_unasked(
            committed in proptest::option::of(0i64..60), start in 0i64..60, length in 0i64..60, read: bool, tier: bool,
        ) {
            let (log, kind) = (LogRange { start, end: start + length }, if tier { Kind::Tier } else { Kind::Source });
            let past = if read { Past::Read } else { Past::New };
            let decided = decide(kind, Facts { committed, log: Some(log), past }, StartAt::Unset);
            let finished_below = committed.filter(|&offset| offset <= log.end).unwrap_or(0);
            if let Start::At { offset, .. } = decided {
                prop_assert!(offset >= log.start && offset <= log.end);
                prop_assert!((log.start..offset).all(|passed| passed < finished_below));
            }
        }
    }
}
