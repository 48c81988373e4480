//! What became of a record, from all that is known of it.
//!
//! | known | means |
//! |---|---|
//! | it is in its source topic, and not finished there | that comes first: it runs (again), whatever copies there are |
//! | else: the newest record of the group's own | waits, is due, runs, or is dead; finished in a tier without a newer one: done |
//! | else: finished in its source topic | done |
//! | else | not written yet, gone, nothing there, or never seen |

use super::{Fate, Standing, Step, Stop};
use retrial_core::{control::Settlement, time::Timestamp};

/// The fate, and the step of the trail that decides it. The trail is in the order of writing.
pub(super) fn fate(offset: i64, source: &Standing, trail: &[Step], now: Timestamp) -> (Fate, Option<usize>) {
    if source.is_there && source.watermark.is_some() && !source.finished {
        return (unfinished(source), None);
    }
    match trail.last() {
        Some(step) => (of_step(step, now), Some(trail.len() - 1)),
        None => (of_log(offset, source), None),
    }
}

fn unfinished(source: &Standing) -> Fate {
    match source {
        Standing { suspect: Some(suspect), .. } if suspect.condemned => Fate::Held,
        Standing { started: true, .. } => Fate::Running,
        _ => Fate::Unfinished,
    }
}

fn of_step(step: &Step, now: Timestamp) -> Fate {
    match (step.stop, step.finished) {
        (Stop::DeadLetters, _) => match step.settled {
            // It was sent back in the same transaction, and tiers forget only what is finished.
            Some(Settlement::Redriven) => Fate::Done,
            Some(Settlement::Discarded) => Fate::Discarded,
            _ => Fate::Dead,
        },
        // What it had been forwarded to would be newer.
        (Stop::Tier, true) => Fate::Done,
        (Stop::Tier, false) if step.until.is_some_and(|until| until > now) => Fate::Waiting,
        (Stop::Tier, false) if step.started => Fate::Running,
        (Stop::Tier, false) => Fate::Due,
    }
}

fn of_log(offset: i64, source: &Standing) -> Fate {
    let (Some(start), Some(end)) = (source.log_start, source.log_end) else {
        return if source.finished { Fate::Done } else { Fate::NotWritten };
    };
    if offset >= end {
        return Fate::NotWritten;
    }
    if offset < start {
        return if source.finished { Fate::Done } else { Fate::Gone };
    }
    match (source.is_there, source.finished) {
        (false, _) => Fate::NoRecord,
        (true, true) => Fate::Done,
        (true, false) => Fate::NeverSeen,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Suspect, *};
    use crate::admin::Past;
    use retrial_core::history::{History, SourceTime};

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    /// A record that the group has handled.
    fn source() -> Standing {
        Standing {
            log_start: Some(0),
            log_end: Some(100),
            is_there: true,
            time: Some(SourceTime::None),
            watermark: Some(60),
            finished: true,
            ..Standing::default()
        }
    }

    fn step(stop: Stop, change: impl FnOnce(&mut Step)) -> Step {
        let past = Past::from(History::new("orders/3/50".parse().unwrap(), SourceTime::None));
        let (topic, partition, offset) = ("billing.own".to_owned(), 0, 7);
        let (written, until) = (Some(NOW), (stop == Stop::Tier).then_some(NOW));
        let (finished, started, operation, replay, settled) = (false, false, None, None, None);
        let mut step = Step {
            topic,
            partition,
            offset,
            stop,
            written,
            until,
            finished,
            started,
            settled,
            operation,
            replay,
            past,
        };
        change(&mut step);
        step
    }

    #[test]
    fn without_a_trail_the_source_topic_tells() {
        type Change = fn(&mut Standing);
        let table: [(Fate, &str, Change); 13] = [
            (Fate::Done, "finished, and there", |_| {}),
            (Fate::Done, "finished, and gone by retention since", |it| {
                (it.log_start, it.is_there, it.time) = (Some(55), false, None);
            }),
            (Fate::Gone, "not finished, and gone by retention", |it| {
                (it.log_start, it.watermark, it.finished, it.is_there) = (Some(55), Some(40), false, false);
            }),
            (Fate::Gone, "no commit, and gone", |it| {
                (it.log_start, it.watermark, it.finished, it.is_there) = (Some(55), None, false, false);
            }),
            (Fate::Unfinished, "not finished", |it| (it.watermark, it.finished) = (Some(50), false)),
            (Fate::Running, "started", |it| (it.watermark, it.finished, it.started) = (Some(50), false, true)),
            (Fate::Held, "condemned", |it| {
                (it.watermark, it.finished, it.started) = (Some(50), false, true);
                it.suspect = Some(Suspect { crashes: 3, condemned: true });
            }),
            (Fate::Running, "a suspect that runs", |it| {
                (it.watermark, it.finished, it.started) = (Some(50), false, true);
                it.suspect = Some(Suspect { crashes: 1, condemned: false });
            }),
            (Fate::NeverSeen, "no commit", |it| (it.watermark, it.finished) = (None, false)),
            (Fate::NotWritten, "beyond the end", |it| {
                (it.log_end, it.is_there, it.finished) = (Some(50), false, false);
            }),
            (Fate::NoRecord, "a hole above the watermark", |it| {
                (it.watermark, it.finished, it.is_there) = (Some(50), false, false);
            }),
            (Fate::NoRecord, "a hole below the watermark", |it| it.is_there = false),
            (Fate::NotWritten, "no such partition", |it| *it = Standing::default()),
        ];
        for (expected, what, change) in table {
            let mut source = source();
            change(&mut source);
            assert_eq!(fate(50, &source, &[], NOW), (expected, None), "{what}");
        }
    }

    #[test]
    fn the_newest_of_the_groups_own_records_tells_of_what_left_its_source_topic() {
        let later = NOW.shifted(1);
        let finished = step(Stop::Tier, |it| it.finished = true);
        let waiting = step(Stop::Tier, |it| it.until = Some(later));
        let due = step(Stop::Tier, |_| {});
        let running = step(Stop::Tier, |it| it.started = true);
        // What its owner has started before, and hops once more now.
        let again = step(Stop::Tier, |it| (it.started, it.until) = (true, Some(later)));
        let letter = step(Stop::DeadLetters, |_| {});
        let redriven = step(Stop::DeadLetters, |it| it.settled = Some(Settlement::Redriven));
        let discarded = step(Stop::DeadLetters, |it| it.settled = Some(Settlement::Discarded));
        let table: [(Fate, Vec<&Step>); 15] = [
            (Fate::Done, vec![&redriven]),
            (Fate::Waiting, vec![&redriven, &waiting]),
            (Fate::Dead, vec![&redriven, &letter]),
            (Fate::Discarded, vec![&discarded]),
            (Fate::Discarded, vec![&redriven, &discarded]),
            (Fate::Waiting, vec![&waiting]),
            (Fate::Waiting, vec![&again]),
            (Fate::Due, vec![&due]),
            (Fate::Running, vec![&running]),
            (Fate::Done, vec![&finished]),
            (Fate::Dead, vec![&letter]),
            (Fate::Dead, vec![&finished, &running, &letter]),
            (Fate::Waiting, vec![&letter, &waiting]),
            (Fate::Done, vec![&letter, &finished]),
            (Fate::Dead, vec![&letter, &finished, &letter]),
        ];
        for (expected, trail) in table {
            let trail: Vec<Step> = trail.into_iter().cloned().collect();
            let decided_by = Some(trail.len() - 1);
            assert_eq!(fate(50, &source(), &trail, NOW), (expected, decided_by), "{trail:?}");
            // A source topic that forgot the record, or is gone, changes nothing.
            assert_eq!(fate(50, &Standing::default(), &trail, NOW), (expected, decided_by), "{trail:?}");
            let gone = Standing { log_start: Some(70), is_there: false, ..source() };
            assert_eq!(fate(50, &gone, &trail, NOW), (expected, decided_by), "{trail:?}");
        }
    }

    #[test]
    fn what_is_unfinished_in_its_source_topic_runs_again_whatever_copies_there_are() {
        let trail = [step(Stop::Tier, |_| {}), step(Stop::DeadLetters, |_| {})];
        let mut source = source();
        (source.watermark, source.finished) = (Some(50), false);
        assert_eq!(fate(50, &source, &trail, NOW), (Fate::Unfinished, None));
        source.started = true;
        assert_eq!(fate(50, &source, &trail, NOW), (Fate::Running, None));
        // The group has no position there any more, and the copies are all that is known.
        source.watermark = None;
        assert_eq!(fate(50, &source, &trail, NOW), (Fate::Dead, Some(1)));
    }
}
