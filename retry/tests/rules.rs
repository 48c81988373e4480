//! Rules of the design, each as the sequence of events that it closes, on the whole engine.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use retrial_core::{
    engine::{CommitConfig, Engine, EngineConfig, TopicConfig},
    event::*,
    history::{History, SourceTime},
    id::*,
    ladder::Ladder,
    naming::GroupNames,
    order::{OnExhausted, Order, RetryPolicy},
    outcome::{Cause, Outcome, Reason},
    pace,
    schedule::Schedule,
    snapshot::{self, Departure, FinishedRun, Subject},
    start::StartAt,
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

#[derive(Clone, Debug, PartialEq)]
struct Rec(i64);

impl Payload for Rec {
    fn time(&self) -> SourceTime {
        SourceTime::None
    }
}

const TIER: Duration = Duration::from_secs(5);
const SESSION: Duration = Duration::from_secs(10);

/// An engine at a time, and what it has decided.
struct Desk {
    engine: Engine<Rec>,
    now: Timestamp,
    out: Actions<Rec>,
}

fn slot(index: u32) -> Slot {
    Slot { index, generation: 1 + index }
}

fn reason() -> Reason {
    Reason::new("test", "it failed")
}

impl Desk {
    fn new(order: Order) -> Self {
        Self::with_tries(order, 0)
    }

    fn with_tries(order: Order, in_place: u16) -> Self {
        let retry = RetryPolicy { schedule: Schedule::delays([TIER]), in_place, ..RetryPolicy::default() };
        let config = EngineConfig {
            group: "billing".into(),
            ladder: Ladder::new([TIER]).unwrap(),
            topics: vec![TopicConfig { name: "orders".into(), concurrency: 100, order, retry }],
            service_limit: 100,
            session_timeout: SESSION,
            commit: CommitConfig::default(),
            revoke_drain: Duration::from_secs(2),
            memory: 1 << 20,
            start_at: StartAt::Earliest,
            seed: 7,
        };
        let engine = Engine::new(config, GroupNames::new("billing", None).unwrap());
        Self { engine, now: Timestamp::from_millis(1_000_000), out: Actions::default() }
    }

    /// Offers a partition of `orders`, or of a tier, that was never read, and reads `records` of it.
    fn own(&mut self, index: u32, topic: &str, records: i64) {
        let log = Some(LogRange { start: 0, end: records });
        let (slot, partition) = (slot(index), index as i32);
        let past = Past::New;
        let offer = Offer { slot, topic: topic.into(), partition, topic_id: None, committed: None, log, past };
        self.handle(Event::Offered(vec![offer]));
        self.accept_all();
        self.arrive(index, 0..records);
    }

    /// Accepts the commits that are under way; other decisions are kept.
    fn accept_all(&mut self) {
        for action in self.take_others() {
            match action {
                Action::Commit(id, _) => self.accept(id),
                other => self.out.others.push(other),
            }
        }
    }

    fn arrive(&mut self, index: u32, offsets: std::ops::Range<i64>) {
        self.arrive_at(index, offsets);
    }

    fn arrive_at(&mut self, index: u32, offsets: impl Iterator<Item = i64>) {
        let arrival = |offset| Arrival {
            offset,
            leader_epoch: 0,
            appended: self.now,
            lane: 0,
            record: Rec(offset),
            lineage: None,
        };
        let arrivals = offsets.map(arrival).collect();
        self.handle(Event::Arrived(slot(index), arrivals));
    }

    fn arrive_in_tier(&mut self, index: u32, offset: i64, history: History) {
        let (record, appended) = (Rec(history.origin.offset), self.now);
        let lineage = Some(Box::new(Lineage::Known(Arc::new(history))));
        let arrival = Arrival { offset, leader_epoch: 0, appended, lane: 0, record, lineage };
        self.handle(Event::Arrived(slot(index), vec![arrival]));
    }

    fn handle(&mut self, event: Event<Rec>) {
        self.engine.handle(self.now, event, &mut self.out);
        self.advance(0);
    }

    fn advance(&mut self, millis: i64) -> Option<Timestamp> {
        self.now = self.now.shifted(millis);
        self.engine.advance(self.now, &mut self.out)
    }

    /// Lets time pass in which every commit is accepted; other decisions are kept.
    fn pass(&mut self, seconds: i64) {
        let mut kept = Vec::new();
        for _ in 0..seconds * 10 {
            self.advance(100);
            for action in self.take_others() {
                match action {
                    Action::Commit(id, _) => self.accept(id),
                    other => kept.push(other),
                }
            }
        }
        kept.append(&mut self.out.others);
        self.out.others = kept;
    }

    fn take_work(&mut self) -> Vec<Work<Rec>> {
        std::mem::take(&mut self.out.work)
    }

    fn take_forwards(&mut self) -> Vec<Forward<Rec>> {
        std::mem::take(&mut self.out.forwards)
    }

    /// What was decided besides work and forwards.
    fn take_others(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.out.others)
    }

    fn take_commits(&mut self) -> Vec<(CommitId, Vec<CommitEntry>)> {
        let commits = |action| match action {
            Action::Commit(id, entries) => Some((id, entries)),
            _ => None,
        };
        self.take_others().into_iter().filter_map(commits).collect()
    }

    fn abandon(&mut self, work: Work<Rec>) {
        let Work { ticket, topic, class, .. } = work;
        self.handle(Event::Finished(vec![Finished::Abandoned { ticket, topic, class }]));
    }

    fn finish(&mut self, work: Work<Rec>, outcome: Outcome) {
        let finished = match outcome {
            Outcome::Done => {
                Finished::Done { ticket: work.ticket, topic: work.topic, class: work.class, lane: work.lane }
            }
            outcome => Finished::Other(Box::new((work, outcome))),
        };
        self.handle(Event::Finished(vec![finished]));
    }

    fn accept(&mut self, id: CommitId) {
        self.handle(Event::Committed(id, CommitResult::Accepted { refused: Vec::new() }));
    }

    fn answer(&mut self, forward: &Forward<Rec>, result: Result<(), ForwardError>) {
        let (sent, acknowledged) = (self.now, self.now);
        let result = result.map(|()| Appended { sent, acknowledged, appended: Some(self.now) });
        self.handle(Event::Acknowledged(vec![Acknowledged { id: forward.id, result }]));
    }
}

fn decoded(entry: &CommitEntry, topic: &str) -> snapshot::Snapshot {
    let partition = entry.slot.index as i32;
    let subject = Subject { group: "billing", topic, topic_id: None, partition, offset: entry.offset };
    snapshot::decode(entry.metadata.as_bytes(), &subject).unwrap().unwrap()
}

fn history(offset: i64) -> History {
    let origin = Origin { topic: Arc::from("orders"), partition: 0, offset };
    History { attempts: 1, step: 1, hop: 1, ..History::new(origin, SourceTime::None) }
}

#[test]
fn rule_2_a_log_that_was_cut_starts_over_and_old_results_finish_nothing_of_it() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 10);
    let old = desk.take_work();
    desk.handle(Event::OutOfRange(slot(0), LogRange { start: 0, end: 4 }));
    assert!(desk.take_others().contains(&Action::Start { slot: slot(0), offset: 0 }));
    desk.arrive(0, 0..4);
    for work in old {
        assert!(desk.take_work().is_empty(), "beside what is left over");
        desk.finish(work, Outcome::Done);
    }
    assert_eq!(desk.take_work().len(), 4);
    desk.advance(2_000);
    let covered: Vec<i64> =
        desk.take_commits().iter().flat_map(|(_, entries)| entries).map(|entry| entry.offset).collect();
    assert!(covered.iter().all(|&offset| offset == 0), "old results were counted: {covered:?}");
}

#[test]
fn rule_2_what_is_left_of_a_log_that_was_cut_does_not_run_beside_itself() {
    let mut desk = Desk::with_tries(Order::ByKey(OnExhausted::Dead), 1);
    desk.own(0, "orders", 1);
    let running = desk.take_work().remove(0);
    desk.take_others();
    desk.handle(Event::OutOfRange(slot(0), LogRange { start: 0, end: 1 }));
    let others = desk.take_others();
    let place = |wanted: &Action| others.iter().position(|action| action == wanted);
    let (given_up, started) = (Action::Abandon(slot(0)), Action::Start { slot: slot(0), offset: 0 });
    assert!(place(&given_up).is_some() && place(&given_up) < place(&started), "{others:?}");
    // Its worker has not dropped it yet.
    desk.arrive(0, 0..1);
    assert!(desk.take_work().is_empty(), "it ran beside itself");
    // A worker had not begun it when the log was cut: it comes back, and is no work any more.
    desk.handle(Event::Finished(vec![Finished::Unstarted(Box::new(running))]));
    let mut again = desk.take_work();
    assert_eq!(again.len(), 1, "it ran twice, or never");
    // What rests between two tries is no work either, once the log is cut.
    desk.finish(again.remove(0), Outcome::Retry(reason()));
    desk.handle(Event::OutOfRange(slot(0), LogRange { start: 0, end: 1 }));
    desk.arrive(0, 0..1);
    assert_eq!(desk.take_work().len(), 1);
    desk.pass(2);
    assert!(desk.take_work().is_empty(), "the try in place of the old log ran beside it");
}

/// What was taken out of the producer's queue when its partition was given up is the next owner's to forward.
#[test]
fn rule_16_a_forward_that_was_purged_for_a_revocation_is_not_sent_again() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    desk.own(1, "orders", 1);
    for work in desk.take_work() {
        desk.finish(work, Outcome::Retry(reason()));
    }
    let sent = desk.take_forwards();
    assert_eq!(sent.len(), 2);
    desk.handle(Event::Revoking { slots: vec![slot(0)], lost: false });
    desk.advance(2_100);
    assert!(desk.take_others().contains(&Action::Purge));
    sent.iter().for_each(|forward| desk.answer(forward, Err(ForwardError::Purged)));
    let again: Vec<Slot> = desk.take_forwards().iter().map(|forward| forward.slot).collect();
    assert_eq!(again, [slot(1)], "only what is still owned is sent again");
}

/// A process that stood still finds its own results before it finds out that its lease is over.
#[test]
fn rule_17_results_that_waited_while_the_process_stood_still_are_not_forwarded() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.now = desk.now.after(SESSION + Duration::from_secs(1));
    desk.finish(work, Outcome::Retry(reason()));
    assert!(desk.take_forwards().is_empty(), "forwarded without a lease");
    desk.pass(1);
    assert_eq!(desk.take_forwards().len(), 1, "it goes when the group has answered");
}

/// One that had only waited has no error of its own to show.
#[test]
fn rule_11_a_dead_letter_for_want_of_room_in_a_tier_says_so() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Snooze(TIER));
    let forward = desk.take_forwards().remove(0);
    desk.answer(&forward, Err(ForwardError::TooLarge));
    let letter = desk.take_forwards().remove(0);
    let History { cause, error_kind, error, .. } = Arc::unwrap_or_clone(letter.history);
    assert_eq!(
        (letter.target, cause, error_kind.as_deref()),
        (Target::DeadLetters, Some(Cause::Refused), Some("too-large"))
    );
    assert!(error.is_some_and(|error| error.contains("do not fit")));
}

#[test]
fn rule_2_a_tier_that_was_cut_forgets_which_forwards_it_saw_so_that_none_counts_as_repeated() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "billing.retry.5s", 0);
    desk.arrive_in_tier(0, 0, history(6));
    desk.arrive_in_tier(0, 1, history(7));
    desk.pass(6);
    let old = desk.take_work();
    assert_eq!(old.len(), 2);
    desk.handle(Event::OutOfRange(slot(0), LogRange { start: 0, end: 1 }));
    // The same forward stands in what is left of the log, and nobody has finished it.
    old.into_iter().for_each(|work| desk.abandon(work));
    desk.arrive_in_tier(0, 0, history(7));
    desk.pass(6);
    assert_eq!(desk.take_work().len(), 1, "the record was taken for a repeated one and lost");
}

#[test]
fn rule_2_a_log_that_was_cut_and_has_grown_past_us_starts_over_too() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 10);
    desk.handle(Event::OutOfRange(slot(0), LogRange { start: 3, end: 12 }));
    assert!(desk.take_others().contains(&Action::Start { slot: slot(0), offset: 3 }));
}

#[test]
fn rule_2_a_cut_whose_place_is_known_repeats_only_what_was_not_finished_and_skips_nothing_that_fills_the_gap() {
    // 20 records were read; a new leader's log ends at `end`. Everything but 3 and 12 was finished.
    for (end, start, redone, lost) in [(10, 3, vec![3], 1 + 5), (15, 3, vec![3, 12], 5), (2, 2, vec![], 2 + 5)] {
        let mut desk = Desk::new(Order::Unordered);
        desk.own(0, "orders", 20);
        let (running, done): (Vec<_>, Vec<_>) =
            desk.take_work().into_iter().partition(|work| matches!(work.record.0, 3 | 12));
        done.into_iter().for_each(|work| desk.finish(work, Outcome::Done));
        // Five more were fetched and had not come yet.
        let log = LogRange { start: 0, end: 30 };
        desk.handle(Event::Cut { slot: slot(0), position: 25, end, log });
        let others = desk.take_others();
        assert!(others.contains(&Action::Start { slot: slot(0), offset: start }), "{end}: {others:?}");
        let told = Notice::LogCut { slot: slot(0), committed: 25, end, lost };
        assert!(others.contains(&Action::Notice(told)), "{end}: {others:?}");
        running.into_iter().for_each(|work| desk.abandon(work));
        desk.arrive(0, start..end);
        let repeated: Vec<i64> = desk.take_work().iter().map(|work| work.record.0).collect();
        assert_eq!(repeated, redone, "{end}");
        let arrival = |offset| Arrival {
            offset,
            leader_epoch: 1,
            appended: desk.now,
            lane: 0,
            record: Rec(offset),
            lineage: None,
        };
        let new = (end..30).map(arrival).collect();
        desk.handle(Event::Arrived(slot(0), new));
        assert_eq!(desk.take_work().len() as i64, 30 - end, "{end}: what fills the gap was skipped");
    }
}

/// What this group commits at an offset, with record 104 finished beyond it, in the topic of this identity.
fn committed(topic_id: [u8; 16], offset: i64) -> Committed {
    let finished = [FinishedRun { from: 104, to: 105, leader_epoch: 0 }];
    let subject = Subject { group: "billing", topic: "orders", topic_id: Some(topic_id), partition: 0, offset };
    let metadata = snapshot::encode(Departure::StillHere, 105, finished, &subject, snapshot::LIMIT).text.into_bytes();
    Committed { offset, leader_epoch: 0, metadata }
}

#[test]
fn rule_2_a_commit_of_a_topic_that_was_made_anew_counts_only_if_it_is_bound_to_the_one_that_is_there() {
    const OLD: [u8; 16] = [1; 16];
    const NEW: [u8; 16] = [2; 16];
    let foreign = Committed { metadata: b"kafka-consumer-groups".to_vec(), ..committed(OLD, 100) };
    let empty = Committed { metadata: Vec::new(), ..committed(OLD, 100) };
    for (committed, start) in [
        (Some(committed(OLD, 100)), 7),
        (Some(committed(NEW, 100)), 100),
        (Some(foreign), 100),
        (Some(empty), 100),
        (None, 7),
    ] {
        let mut desk = Desk::new(Order::Unordered);
        let log = Some(LogRange { start: 7, end: 150 });
        let topic_id = Some(NEW);
        let (slot, past, told) = (slot(0), Past::Another, committed.is_some() && start == 7);
        desk.handle(Event::Offered(vec![Offer {
            slot,
            topic: "orders".into(),
            partition: 0,
            topic_id,
            committed,
            log,
            past,
        }]));
        let others = desk.take_others();
        assert!(others.contains(&Action::Start { slot, offset: start }), "{others:?}");
        assert_eq!(others.contains(&Action::Notice(Notice::MadeAnew { slot, was: 100 })), told, "{others:?}");
    }
}

#[test]
fn rule_2_a_topic_that_is_made_anew_while_it_is_read_starts_over_and_is_committed_under_its_own_identity() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 10);
    let old = desk.take_work();
    let (slot, topic_id) = (slot(0), [2; 16]);
    desk.handle(Event::MadeAnew { slot, topic_id, log: LogRange { start: 0, end: 40 } });
    let others = desk.take_others();
    assert!(others.contains(&Action::Start { slot, offset: 0 }), "{others:?}");
    assert!(others.contains(&Action::Notice(Notice::MadeAnew { slot, was: 0 })), "{others:?}");
    old.into_iter().for_each(|work| desk.finish(work, Outcome::Done));
    desk.arrive(0, 0..10);
    let new = desk.take_work();
    assert_eq!(new.len(), 10, "what stands where finished records stood");
    new.into_iter().take(5).for_each(|work| desk.finish(work, Outcome::Done));
    desk.advance(2_000);
    let entry = desk.take_commits().into_iter().flat_map(|(_, entries)| entries).next_back().unwrap();
    let subject =
        Subject { group: "billing", topic: "orders", topic_id: Some(topic_id), partition: 0, offset: entry.offset };
    assert_eq!(entry.offset, 5, "old results were counted");
    assert!(snapshot::decode(entry.metadata.as_bytes(), &subject).is_ok());
}

#[test]
fn rule_2_another_record_at_the_same_place_is_no_repeat_of_the_one_that_stood_there() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "billing.retry.5s", 0);
    let at = |millis| History { time: SourceTime::Create(Timestamp::from_millis(millis)), ..history(7) };
    for (offset, history) in [(0, at(1)), (1, at(1)), (2, at(2))] {
        desk.arrive_in_tier(0, offset, history);
    }
    desk.pass(6);
    assert_eq!(desk.take_work().len(), 2, "the record of the new log was taken for a repeated forward and lost");
}

#[test]
fn rule_4_a_tier_that_no_configuration_names_any_more_is_read_until_it_is_empty() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "billing.retry.30s", 0);
    desk.arrive_in_tier(0, 0, history(7));
    desk.pass(29);
    assert!(desk.take_work().is_empty(), "early");
    desk.pass(2);
    let work = desk.take_work().remove(0);
    // It goes on up the ladder that there is.
    desk.finish(work, Outcome::Snooze(TIER));
    assert_eq!(desk.take_forwards()[0].target, Target::Tier(TIER));
}

#[test]
fn rule_5_a_tier_is_trimmed_below_what_was_committed_and_never_beyond() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "billing.retry.5s", 0);
    for (id, _) in desk.take_commits() {
        desk.accept(id);
    }
    for offset in 0..3 {
        desk.arrive_in_tier(0, offset, history(offset));
    }
    desk.pass(40);
    let work = desk.take_work();
    assert_eq!(work.len(), 3);
    for work in work.into_iter().take(2) {
        desk.finish(work, Outcome::Done);
    }
    let mut trimmed = Vec::new();
    for _ in 0..90 {
        desk.advance(1_000);
        let others = desk.take_others();
        for action in others {
            match action {
                Action::Trim(_, before) => trimmed.push(before),
                Action::Commit(id, _) => desk.accept(id),
                _ => {}
            }
        }
    }
    assert_eq!(trimmed, [2], "once, up to the watermark");
}

#[test]
fn rule_9_a_commit_of_many_full_partitions_is_split() {
    const PARTITIONS: u32 = 80;
    let mut desk = Desk::new(Order::Unordered);
    (0..PARTITIONS).for_each(|index| desk.own(index, "orders", 0));
    // Every second record is finished, and they lie far apart: the map cannot be short.
    for index in 0..PARTITIONS {
        desk.arrive_at(index, (0..3_000).map(|place| 1_000 * place));
        loop {
            let works = desk.take_work();
            if works.is_empty() {
                break;
            }
            let report = |work: Work<Rec>| match (work.record.0 / 1_000) % 2 {
                1 => Finished::Done { ticket: work.ticket, topic: work.topic, class: work.class, lane: work.lane },
                _ => Finished::Abandoned { ticket: work.ticket, topic: work.topic, class: work.class },
            };
            desk.handle(Event::Finished(works.into_iter().map(report).collect()));
        }
    }
    // Somebody waits for the last one: it is said first.
    desk.accept_all();
    desk.handle(Event::Revoking { slots: vec![slot(PARTITIONS - 1)], lost: false });
    let (mut requests, mut told) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        for (id, entries) in desk.take_commits() {
            let full = entries.iter().filter(|entry| entry.metadata.len() > 4_000);
            told.extend(full.map(|entry| entry.slot.index));
            let bytes = entries.iter().map(|entry| pace::entry_bytes("billing", "orders", &entry.metadata));
            requests.push(bytes.sum::<usize>());
            desk.accept(id);
        }
        desk.advance(100);
    }
    assert_eq!(told[0], PARTITIONS - 1);
    told.sort_unstable();
    told.dedup();
    assert_eq!(told.len(), PARTITIONS as usize, "each map is told");
    let largest = requests.iter().copied().max().unwrap_or_default();
    let room = pace::REQUEST_BYTES - largest;
    assert!(room < pace::entry_bytes("billing", "orders", &"m".repeat(snapshot::LIMIT)), "{largest} of a request");
}

#[test]
fn rule_11_a_forward_that_is_too_large_becomes_a_dead_letter_by_reference() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Retry(reason()));
    let tier = desk.take_forwards().remove(0);
    assert_eq!((tier.target, tier.body), (Target::Tier(TIER), Body::Whole));
    desk.answer(&tier, Err(ForwardError::TooLarge));
    let letter = desk.take_forwards().remove(0);
    assert_eq!((letter.target, letter.body), (Target::DeadLetters, Body::Reference));
    assert!(letter.history.cause.is_some());
    // Not even that fits: the partition waits, and says so.
    desk.answer(&letter, Err(ForwardError::TooLarge));
    let held = |action: &Action| matches!(action, Action::Notice(Notice::Held { why: HoldReason::ForwardRefused, .. }));
    assert!(desk.take_others().iter().any(held));
    desk.arrive(0, 1..2);
    assert!(desk.take_work().is_empty(), "new work of a partition that cannot forward");
    // The next time, too, a reference is only what is left when the record itself does not fit.
    desk.advance(1_000);
    let whole = desk.take_forwards().remove(0);
    assert_eq!((whole.target, whole.body), (Target::DeadLetters, Body::Whole));
    desk.answer(&whole, Err(ForwardError::TooLarge));
    let again = desk.take_forwards().remove(0);
    assert_eq!(again.body, Body::Reference);
    desk.answer(&again, Ok(()));
    assert_eq!(desk.take_work().len(), 1, "the partition goes on by itself");
}

#[test]
fn rule_14_the_outage_of_one_forward_target_holds_only_its_own_partition() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 2);
    desk.own(1, "orders", 2);
    let failing = desk.take_work().into_iter().find(|work| work.ticket.slot == slot(0)).unwrap();
    desk.finish(failing, Outcome::Dead(Cause::Refused, reason()));
    let letter = desk.take_forwards().remove(0);
    desk.answer(&letter, Err(ForwardError::Refused("no leader".into())));
    assert_eq!(desk.engine.room(slot(0)), 0);
    assert!(desk.engine.room(slot(1)) > 0);
    desk.arrive(1, 2..4);
    assert_eq!(desk.take_work().len(), 2);
}

#[test]
fn rule_14_a_forward_that_nobody_answers_holds_its_own_partition_until_it_is_answered() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 2);
    desk.own(1, "orders", 2);
    let failing = desk.take_work().into_iter().find(|work| work.ticket.slot == slot(0)).unwrap();
    desk.finish(failing, Outcome::Dead(Cause::Refused, reason()));
    let letter = desk.take_forwards().remove(0);
    desk.pass(14);
    assert!(desk.engine.room(slot(0)) > 0, "a change of leaders takes as long");
    desk.pass(2);
    assert_eq!(desk.engine.room(slot(0)), 0);
    assert!(desk.engine.room(slot(1)) > 0);
    let told = |action: &Action| matches!(action, Action::Notice(Notice::Held { why: HoldReason::ForwardRefused, .. }));
    assert_eq!(desk.take_others().iter().filter(|action| told(action)).count(), 1);
    // Refused at last, and sent again: it is held once.
    desk.answer(&letter, Err(ForwardError::Refused("not enough replicas".into())));
    desk.pass(2);
    let again = desk.take_forwards().remove(0);
    assert_eq!(desk.take_others().iter().filter(|action| told(action)).count(), 0);
    desk.answer(&again, Ok(()));
    assert!(desk.engine.room(slot(0)) > 0);
    let why = HoldReason::ForwardRefused;
    assert!(desk.take_others().contains(&Action::Notice(Notice::Resumed { slot: slot(0), why })));
}

#[test]
fn rule_14_a_topic_that_is_held_takes_nothing_new_and_runs_the_record_again_without_counting_an_attempt() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Hold(Duration::from_secs(3)));
    assert!(desk.take_others().iter().any(|action| matches!(action, Action::Notice(Notice::TopicHeld { .. }))));
    desk.arrive(0, 1..3);
    desk.pass(2);
    assert!(desk.take_work().is_empty() && desk.take_forwards().is_empty(), "the service behind is down");
    desk.pass(1);
    let work = desk.take_work();
    assert_eq!(work.iter().map(|work| work.record.0).collect::<Vec<_>>(), [0, 1, 2], "what was held goes first");
    assert!(work[0].history.is_none() && work[0].tries == 0, "an attempt was counted");
}

#[test]
fn rule_16_a_repeated_forward_is_finished_without_a_second_run_and_a_snoozed_one_is_not_taken_for_it() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "billing.retry.5s", 0);
    desk.arrive_in_tier(0, 0, history(7));
    desk.arrive_in_tier(0, 1, history(7));
    desk.pass(40);
    let work = desk.take_work();
    assert_eq!(work.len(), 1, "a repeat ran");
    assert!(desk.take_others().contains(&Action::Notice(Notice::Repeated { slot: slot(0), count: 1 })));
    // Snoozed twice: no attempt is counted, and still each forward is one of its own.
    let mut work = work;
    for offset in 2..4 {
        desk.finish(work.remove(0), Outcome::Snooze(TIER));
        let forward = desk.take_forwards().remove(0);
        desk.answer(&forward, Ok(()));
        desk.arrive_in_tier(0, offset, Arc::unwrap_or_clone(forward.history));
        desk.pass(40);
        work = desk.take_work();
        assert_eq!(work.len(), 1, "a snoozed record was taken for a repeat: lost");
    }
}

#[test]
fn rule_16_at_the_deadline_what_was_not_sent_is_purged_and_never_sent_again() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Retry(reason()));
    let forward = desk.take_forwards().remove(0);
    desk.handle(Event::Revoking { slots: vec![slot(0)], lost: false });
    assert!(!desk.take_others().contains(&Action::Purge), "what is under way may still be acknowledged");
    desk.advance(2_000);
    assert!(desk.take_others().contains(&Action::Purge));
    desk.advance(2_000);
    assert!(desk.take_others().contains(&Action::Release(vec![slot(0)])));
    desk.answer(&forward, Err(ForwardError::Purged));
    desk.advance(60_000);
    assert!(desk.take_forwards().is_empty(), "the old owner forwarded after it had let go");
}

#[test]
fn rule_17_one_commit_is_outstanding_and_a_repeat_is_built_from_what_is_owned_then() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    desk.own(1, "orders", 1);
    desk.advance(2_000);
    let commits = desk.take_commits();
    assert_eq!(commits.len(), 1);
    for work in desk.take_work() {
        desk.finish(work, Outcome::Done);
    }
    desk.advance(5_000);
    assert!(desk.take_commits().is_empty(), "a second commit while one is outstanding");
    desk.handle(Event::Revoking { slots: vec![slot(1)], lost: true });
    desk.handle(Event::Committed(commits[0].0, CommitResult::Failed("coordinator moved".into())));
    desk.advance(5_000);
    let again = desk.take_commits();
    let slots: Vec<Slot> = again.iter().flat_map(|(_, entries)| entries).map(|entry| entry.slot).collect();
    assert_eq!(slots, [slot(0)]);
    assert_eq!(again[0].1[0].offset, 1, "with what was finished since");
}

#[test]
fn rule_17_without_an_acknowledged_commit_for_a_session_nothing_starts_and_nothing_is_forwarded() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 3);
    let mut work = desk.take_work();
    desk.advance(3_400);
    let (id, _) = desk.take_commits().remove(0);
    desk.advance(10_100);
    assert!(desk.take_others().contains(&Action::Notice(Notice::LeaseExpired)));
    desk.finish(work.remove(0), Outcome::Retry(reason()));
    assert!(desk.take_forwards().is_empty(), "forwarded without a lease");
    desk.arrive(0, 3..5);
    assert!(desk.take_work().is_empty(), "started without a lease");
    assert_eq!(desk.engine.room(slot(0)), 0);
    desk.accept(id);
    // That commit had been sent a session ago: it proves nothing any more. The next one does.
    assert!(desk.take_work().is_empty());
    desk.advance(1_000);
    let (id, _) = desk.take_commits().remove(0);
    desk.accept(id);
    assert_eq!((desk.take_work().len(), desk.take_forwards().len()), (2, 1));
}

#[test]
fn rule_17_every_partition_is_committed_each_third_of_the_session_also_when_nothing_happens() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 0);
    let (mut last, mut commits) = (desk.now, 0);
    for _ in 0..600 {
        desk.advance(100);
        for (id, entries) in desk.take_commits() {
            assert_eq!(entries.len(), 1);
            commits += 1;
            last = desk.now;
            desk.accept(id);
        }
        assert!(desk.now.since(last) <= SESSION / 3 + Duration::from_millis(200));
    }
    assert!((16..=40).contains(&commits), "{commits} in a minute");
}

#[test]
fn rule_22_tries_in_place_belong_to_one_attempt_and_happen_again_after_a_restart() {
    let mut desk = Desk::with_tries(Order::Unordered, 1);
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Retry(reason()));
    assert!(desk.take_forwards().is_empty());
    desk.pass(1);
    let again = desk.take_work().remove(0);
    assert_eq!((again.tries, again.history.is_none()), (1, true), "no attempt was counted");
    // The process dies in the middle of it; the next one begins the attempt anew, with all its tries.
    let mut next = Desk::with_tries(Order::Unordered, 1);
    next.own(0, "orders", 1);
    let work = next.take_work().remove(0);
    assert_eq!((work.tries, work.history.is_none()), (0, true));
    next.finish(work, Outcome::Retry(reason()));
    next.pass(1);
    let last = next.take_work().remove(0);
    next.finish(last, Outcome::Retry(reason()));
    assert_eq!(next.take_forwards()[0].history.attempts, 1, "both tries are one attempt");
}

#[test]
fn rule_23_a_failing_record_keeps_its_key_and_no_other_waits() {
    let mut desk = Desk::new(Order::ByKey(OnExhausted::Hold));
    desk.own(0, "orders", 0);
    let arrival = |offset, lane| Arrival {
        offset,
        leader_epoch: 0,
        appended: Timestamp::default(),
        lane,
        record: Rec(offset),
        lineage: None,
    };
    desk.handle(Event::Arrived(slot(0), vec![arrival(0, 1), arrival(1, 1), arrival(2, 2)]));
    let mut work = desk.take_work();
    assert_eq!(work.iter().map(|work| work.record.0).collect::<Vec<_>>(), [0, 2]);
    desk.finish(work.remove(0), Outcome::Retry(reason()));
    assert!(desk.take_work().is_empty(), "the next of the key overtook");
    desk.finish(work.remove(0), Outcome::Done);
    desk.take_others();
    desk.pass(6);
    let again = desk.take_work();
    assert_eq!(again.iter().map(|work| work.record.0).collect::<Vec<_>>(), [0]);
    desk.finish(again.into_iter().next().unwrap(), Outcome::Retry(reason()));
    let letter = desk.take_forwards().remove(0);
    assert_eq!((letter.target, letter.history.cause), (Target::DeadLetters, Some(Cause::Exhausted)));
    assert!(desk.take_work().is_empty(), "the next of the key ran before the letter was acknowledged");
    desk.answer(&letter, Ok(()));
    assert_eq!(desk.take_work()[0].record.0, 1);
}

#[test]
fn rule_25_a_record_of_an_unknown_topic_goes_round_or_rests_and_is_not_lost() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "billing.retry.5s", 0);
    let origin = Origin { topic: Arc::from("refunds"), partition: 0, offset: 3 };
    desk.arrive_in_tier(0, 0, History { attempts: 1, hop: 1, ..History::new(origin, SourceTime::None) });
    for _ in 0..1_000 {
        desk.advance(100);
        for (id, entries) in desk.take_commits() {
            assert_eq!(entries[0].offset, 0, "finished, and nobody has handled it");
            desk.accept(id);
        }
    }
    // The only tier is shorter than 30 s: it rests.
    assert!(desk.take_work().is_empty() && desk.take_forwards().is_empty());
}

#[test]
fn forwards_on_their_way_take_of_the_memory_and_give_it_back() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 600);
    let mut forwards = Vec::new();
    loop {
        let work = desk.take_work();
        if work.is_empty() {
            break;
        }
        work.into_iter().for_each(|work| desk.finish(work, Outcome::Retry(reason())));
        forwards.append(&mut desk.take_forwards());
    }
    assert_eq!(forwards.len(), 600);
    // The records themselves are told to be nothing here: what is full is 1 MiB by six hundred pasts.
    assert_eq!(desk.engine.room(slot(0)), 0);
    forwards.iter().for_each(|forward| desk.answer(forward, Ok(())));
    assert!(desk.engine.room(slot(0)) > 0);
}

#[test]
fn a_hop_that_no_attempt_asked_for_is_told_and_a_forward_after_an_attempt_is_none() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "billing.retry.5s", 0);
    let waiting = |offset, due| {
        let origin = Origin { topic: Arc::from("orders"), partition: 0, offset };
        History { attempts: 1, hop: 1, due, ..History::new(origin, SourceTime::None) }
    };
    desk.arrive_in_tier(0, 0, waiting(0, Some(Timestamp::MAX)));
    desk.pass(10);
    let told = |action: &Action| matches!(action, Action::Notice(Notice::Hopped { tier: TIER }));
    assert_eq!(desk.take_others().iter().filter(|action| told(action)).count(), 1);
    assert_eq!(desk.take_forwards().len(), 1);
    desk.arrive_in_tier(0, 1, waiting(1, None));
    desk.pass(10);
    let work = desk.take_work().remove(0);
    desk.finish(work, Outcome::Snooze(TIER));
    assert_eq!(desk.take_forwards().len(), 1);
    assert!(!desk.take_others().iter().any(told));
}

#[test]
fn rule_28_a_stop_drains_says_goodbye_and_leaves() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 3);
    let mut work = desk.take_work();
    desk.handle(Event::Stop(Duration::from_secs(25)));
    desk.arrive(0, 3..5);
    assert!(desk.take_work().is_empty(), "new work in a stop");
    desk.finish(work.remove(0), Outcome::Done);
    desk.finish(work.remove(0), Outcome::Retry(reason()));
    let forward = desk.take_forwards().remove(0);
    desk.answer(&forward, Ok(()));
    for (id, entries) in desk.take_commits() {
        assert_eq!(decoded(&entries[0], "orders").departure, Departure::StillHere);
        desk.accept(id);
    }
    desk.finish(work.remove(0), Outcome::Done);
    desk.advance(100);
    let (id, entries) = desk.take_commits().remove(0);
    assert_eq!((entries[0].offset, decoded(&entries[0], "orders").departure), (3, Departure::LeftWell));
    assert!(!desk.engine.has_left());
    desk.accept(id);
    assert!(desk.take_others().contains(&Action::Leave) && desk.engine.has_left());
}

#[test]
fn rule_28_a_last_commit_that_a_rebalance_refuses_is_tried_until_it_is_accepted() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    desk.pass(2);
    let work = desk.take_work().remove(0);
    desk.handle(Event::Stop(Duration::from_secs(25)));
    desk.finish(work, Outcome::Done);
    desk.advance(100);
    // Another member joins or leaves meanwhile: the coordinator refuses every commit until all have joined again.
    for _ in 0..30 {
        let (id, _) = desk.take_commits().remove(0);
        desk.handle(Event::Committed(id, CommitResult::Rebalancing));
        assert!(!desk.engine.has_left(), "left before the last commit was accepted");
        assert!(desk.take_commits().is_empty(), "a refused commit is not sent again at once");
        assert!(desk.advance(0).is_some_and(|wake| wake > desk.now && wake <= desk.now.shifted(100)));
        desk.advance(100);
    }
    let (id, entries) = desk.take_commits().remove(0);
    assert_eq!((entries[0].offset, decoded(&entries[0], "orders").departure), (1, Departure::LeftWell));
    desk.accept(id);
    assert!(desk.engine.has_left());
}

#[test]
fn rule_28_a_stop_does_not_wait_for_ever_for_its_last_commit_and_the_group_less_long() {
    for (revoked, limit) in [(false, 8_000), (true, 2_000)] {
        let mut desk = Desk::new(Order::Unordered);
        desk.own(0, "orders", 1);
        desk.pass(2);
        let work = desk.take_work().remove(0);
        desk.handle(Event::Stop(Duration::from_secs(25)));
        desk.finish(work, Outcome::Done);
        if revoked {
            desk.handle(Event::Revoking { slots: vec![slot(0)], lost: false });
        }
        let mut waited = 0;
        while !desk.engine.has_left() {
            for (id, _) in desk.take_commits() {
                desk.handle(Event::Committed(id, CommitResult::Failed("no coordinator".into())));
            }
            desk.advance(100);
            waited += 100;
            assert!(waited <= limit + 200, "not given up after {waited} ms");
        }
        assert!(waited >= limit - 200, "given up after {waited} ms");
    }
}

#[test]
fn rule_28_at_the_deadline_of_a_stop_tokens_fire_and_attempts_are_given_up() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 1);
    let work = desk.take_work().remove(0);
    desk.handle(Event::Stop(Duration::from_secs(3)));
    for (id, _) in desk.take_commits() {
        desk.accept(id);
    }
    desk.advance(2_900);
    assert!(!desk.take_others().contains(&Action::Hurry(slot(0))));
    desk.advance(100);
    assert!(desk.take_others().contains(&Action::Hurry(slot(0))));
    desk.advance(500);
    let others = desk.take_others();
    assert!(others.contains(&Action::Abandon(slot(0))));
    desk.finish(work, Outcome::Done);
    let goodbye = others
        .into_iter()
        .find_map(|action| if let Action::Commit(_, entries) = action { Some(entries) } else { None });
    assert_eq!(goodbye.unwrap()[0].offset, 0, "given up is not done");
}

#[test]
fn promise_9_results_of_a_lost_assignment_change_nothing() {
    let mut desk = Desk::new(Order::Unordered);
    desk.own(0, "orders", 2);
    let mut work = desk.take_work();
    desk.handle(Event::Revoking { slots: vec![slot(0)], lost: true });
    assert!(desk.take_others().contains(&Action::Release(vec![slot(0)])));
    desk.finish(work.remove(0), Outcome::Done);
    desk.finish(work.remove(0), Outcome::Retry(reason()));
    desk.advance(20_000);
    assert!(desk.take_forwards().is_empty() && desk.take_commits().is_empty());
    // The slots of those attempts are free again.
    let offer = Offer {
        slot: Slot { index: 0, generation: 99 },
        topic: "orders".into(),
        partition: 0,
        topic_id: None,
        committed: None,
        log: Some(LogRange { start: 0, end: 100 }),
        past: Past::New,
    };
    desk.handle(Event::Offered(vec![offer]));
    let arrival =
        |offset| Arrival { offset, leader_epoch: 0, appended: desk.now, lane: 0, record: Rec(offset), lineage: None };
    let arrivals = (0..100).map(arrival).collect();
    desk.handle(Event::Arrived(Slot { index: 0, generation: 99 }, arrivals));
    // Being given a partition proves nothing: a process that was frozen may find an old assignment waiting for it.
    assert!(desk.take_work().is_empty(), "started on the word of an assignment");
    desk.accept_all();
    assert_eq!(desk.take_work().len(), 100);
}
