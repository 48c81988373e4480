//! Suspects of several partitions in one process: what becomes of one partition is nothing to the others.

use crate::stage::{DONE, Deed, Place, Rec, Setup, Stage};
use retrial_core::{
    event::{Action, CommitResult, Event, LogRange, Notice, Work},
    outcome::Outcome,
    snapshot::Stage as Told,
};

const ORDERS: Place = ("orders", 0);
const MAILS: Place = ("mails", 0);

fn stays(_: &Work<Rec>) -> Deed {
    Deed::Stays
}

fn done(_: &Work<Rec>) -> Deed {
    DONE
}

fn place(work: &Work<Rec>) -> Place {
    if work.topic.0 == 0 { ORDERS } else { MAILS }
}

fn revoke(stage: &mut Stage, place: Place, lost: bool) {
    let slots = vec![stage.slot(place)];
    stage.handle(Event::Revoking { slots, lost });
}

/// A process that begins after one that vanished with three records of each of two topics running.
fn after_a_death() -> Stage {
    dead_with([3, 3])
}

fn dead_with([orders, mails]: [i64; 2]) -> Stage {
    let mut stage = Stage::empty(Setup { concurrency: orders.max(mails) as usize, ..Setup::default() });
    stage.fill(ORDERS, orders);
    stage.fill(MAILS, mails);
    stage.begin();
    stage.run(5, stays);
    assert_eq!(stage.running.len() as i64, orders + mails);
    stage.die();
    stage
}

/// The same, when its first suspect runs.
fn testing() -> (Stage, Place) {
    when_tested(after_a_death())
}

fn when_tested(mut stage: Stage) -> (Stage, Place) {
    stage.run(2, stays);
    let [work] = &stage.running[..] else { panic!("{:?}", stage.running) };
    let tested = place(work);
    (stage, tested)
}

fn other(place: Place) -> Place {
    if place == ORDERS { MAILS } else { ORDERS }
}

#[test]
fn rule_8_the_suspects_of_one_partition_are_tested_although_another_is_revoked() {
    for revokes_tested in [false, true] {
        let (mut stage, tested) = testing();
        let (gone, kept) = if revokes_tested { (tested, other(tested)) } else { (other(tested), tested) };
        revoke(&mut stage, gone, false);
        let mut kept_done = 0;
        stage.run(5, |work| {
            kept_done += i32::from(place(work) == kept);
            DONE
        });
        assert_eq!(kept_done, 3, "{gone:?} was revoked while one of {tested:?} was tested");
    }
}

#[test]
fn rule_8_nothing_runs_beside_a_suspect_whose_partition_is_given_up() {
    let (mut stage, tested) = testing();
    revoke(&mut stage, tested, false);
    // Two seconds are what attempts have to end in.
    for _ in 0..79 {
        stage.turn(&mut stays);
        assert_eq!(stage.running.len(), 1, "{:?}", stage.running);
        // If the process vanishes now, it was this one.
        assert!(stage.said(tested).suspicion.marks.iter().any(|mark| mark.stage == Told::Alone));
    }
    stage.run(5, |work| if place(work) == tested { Deed::Stays } else { DONE });
    assert_eq!(stage.done.len(), 3);
}

#[test]
fn rule_8_a_suspect_that_is_about_to_be_announced_is_tested_although_another_partition_is_revoked() {
    let mut stage = after_a_death();
    let announced = loop {
        let told = stage.notices.iter().find_map(|notice| match notice {
            Notice::SuspectAnnounced { slot, .. } => Some(*slot),
            _ => None,
        });
        if let Some(slot) = told {
            break slot;
        }
        stage.turn(&mut stays);
    };
    assert!(stage.running.is_empty());
    let kept = if stage.slot(ORDERS) == announced { ORDERS } else { MAILS };
    revoke(&mut stage, other(kept), false);
    stage.run(5, done);
    assert_eq!(stage.done.len(), 3, "{:?}", stage.done);
}

#[test]
fn rule_8_a_record_that_waits_aside_runs_again_although_another_partition_is_revoked() {
    let mut stage = after_a_death();
    stage.run_to_death(2, |work| if place(work) == ORDERS { Deed::Kills } else { DONE });
    stage.done.clear();
    stage.run(1, stays);
    revoke(&mut stage, MAILS, false);
    stage.run(30, done);
    assert!(stage.is_all_done_but(3, &[]), "{:?}", stage.done);
}

/// What was read is told together with the end of another partition: nothing was done with it yet.
#[test]
fn rule_8_a_condemned_record_is_buried_although_another_partition_is_revoked() {
    let mut stage = after_a_death();
    let kills = |work: &Work<Rec>| if place(work) == ORDERS && work.record.0 == 1 { Deed::Kills } else { DONE };
    let crashes = |stage: &Stage| stage.said(ORDERS).suspicion.marks.iter().map(|mark| mark.runs.len()).max();
    while crashes(&stage) < Some(3) {
        // Others can be its witness.
        stage.fill(ORDERS, 3);
        stage.run_to_death(stage.deaths + 1, kills);
    }
    assert!(stage.letters.is_empty());
    stage.settle();
    stage.answer(&CommitResult::Accepted { refused: Vec::new() });
    stage.fetch();
    revoke(&mut stage, MAILS, false);
    stage.run(1, done);
    assert_eq!(stage.letters.len(), 1);
}

#[test]
fn rule_8_suspects_of_a_lost_partition_are_forgotten() {
    let mut stage = Stage::new(Setup { concurrency: 3, ..Setup::default() }, 3);
    stage.run_to_death(3, |work| if work.record.0 == 1 { Deed::Kills } else { Deed::Stays });
    let began = |stage: &mut Stage| {
        stage.notices.clear();
        stage.run(4, stays);
        let began = |notice: Notice| if let Notice::CarefulBegan { suspects } = notice { Some(suspects) } else { None };
        stage.notices.drain(..).filter_map(began).collect::<Vec<_>>()
    };
    let at_first = began(&mut stage);
    assert_eq!(at_first, [3], "one of them has crashed alone and is put aside");
    revoke(&mut stage, ORDERS, true);
    stage.run(1, stays);
    stage.offer(ORDERS);
    assert_eq!(began(&mut stage), at_first);
}

#[test]
fn rule_8_the_first_announcement_that_was_refused_starts_nobody() {
    let mut stage = after_a_death();
    while !stage.notices.iter().any(|notice| matches!(notice, Notice::SuspectAnnounced { .. })) {
        stage.turn(&mut stays);
    }
    stage.answers = false;
    stage.run(1, stays);
    stage.answer(&CommitResult::Failed("no".into()));
    stage.run(1, stays);
    assert!(stage.running.is_empty(), "started unannounced");
    stage.answers = true;
    stage.run(1, stays);
    assert_eq!(stage.running.len(), 1);
}

/// An announcement is taken back by a commit that was accepted for its partition, and by no other.
#[test]
fn rule_8_nobody_starts_while_an_announcement_is_not_taken_back() {
    let (mut stage, tested) = when_tested(dead_with([1, 1]));
    stage.answers = false;
    let work = stage.running.remove(0);
    stage.end(work, Outcome::Done);
    for _ in 0..4 {
        stage.run(1, stays);
        let refused = vec![(stage.slot(tested), "not you".into())];
        stage.answer(&CommitResult::Accepted { refused });
    }
    stage.answer(&CommitResult::Rebalancing);
    stage.run(1, stays);
    assert!(stage.running.is_empty(), "the group may have the announcement still");
    stage.answers = true;
    stage.run(1, stays);
    assert_eq!(stage.running.iter().map(place).collect::<Vec<_>>(), [other(tested)]);
}

/// A partition's suspects are waited for until they are read, and no longer than that or two seconds.
#[test]
fn rule_8_ordinary_work_waits_for_suspects_that_were_not_read_yet() {
    let mut dead = after_a_death();
    dead.turn(&mut stays);
    let said = dead.committed.remove(&ORDERS).unwrap();
    for arrives in [false, true] {
        let mut stage = Stage::empty(Setup { concurrency: 3, ..Setup::default() });
        stage.committed.insert(ORDERS, said.clone());
        stage.fill(ORDERS, 0);
        stage.fill(MAILS, 3);
        stage.begin();
        let began = stage.now;
        stage.run(1, stays);
        assert!(stage.running.is_empty(), "{:?}", stage.running);
        if arrives {
            stage.fill(ORDERS, 3);
            stage.run(1, stays);
            assert_eq!(stage.running.iter().map(place).collect::<Vec<_>>(), [ORDERS], "a suspect, alone");
        } else {
            while stage.running.is_empty() {
                stage.turn(&mut stays);
            }
            assert_eq!(stage.now.since(began).as_millis(), 2_000);
            assert_eq!(stage.running.len(), 3);
        }
    }
}

/// What runs of it is abandoned; until it has ended, it still runs alone.
#[test]
fn rule_8_nothing_starts_beside_the_suspect_of_a_log_that_was_cut() {
    let (mut stage, _) = when_tested(dead_with([1, 0]));
    stage.fill(MAILS, 3);
    stage.run(1, stays);
    assert_eq!(stage.running.len(), 1);
    let cut = Event::OutOfRange(stage.slot(ORDERS), LogRange { start: 0, end: 1 });
    stage.engine.handle(stage.now, cut, &mut stage.out);
    for _ in 0..2 {
        let _ = stage.engine.advance(stage.now, &mut stage.out);
        assert!(stage.out.work.is_empty(), "{:?}", stage.out.work);
    }
    stage.settle();
    stage.run(5, done);
    assert_eq!(stage.done.len(), 4, "{:?}", stage.done);
}

fn the_only_suspect_runs() -> Stage {
    let mut dead = dead_with([1, 0]);
    let mut stage = Stage::empty(Setup { concurrency: 3, ..Setup::default() });
    stage.committed.insert(ORDERS, dead.committed.remove(&ORDERS).unwrap());
    stage.fill(ORDERS, 1);
    stage.fill(MAILS, 3);
    stage.begin();
    stage.run(1, stays);
    assert_eq!(stage.running.iter().map(place).collect::<Vec<_>>(), [ORDERS], "it runs alone");
    stage
}

/// Nothing else is under suspicion then, so only the test itself can say that ordinary work is to wait.
#[test]
fn rule_8_nothing_starts_beside_the_only_suspect_when_its_log_was_cut() {
    let mut stage = the_only_suspect_runs();
    let cut = Event::OutOfRange(stage.slot(ORDERS), LogRange { start: 0, end: 1 });
    stage.engine.handle(stage.now, cut, &mut stage.out);
    // Its attempt is told to end and does not.
    stage.out.others.retain(|action| !matches!(action, Action::Abandon(_)));
    stage.settle();
    let survived = |notice: &Notice| matches!(notice, Notice::SuspectSurvived { .. });
    for _ in 0..100 {
        stage.turn(&mut stays);
        assert_eq!(stage.running.len(), 1, "{:?}", stage.running);
    }
    assert!(!stage.notices.iter().any(survived), "its test goes on: {:?}", stage.notices);
    // Its time alone is over, as that of any suspect.
    stage.run(4, stays);
    assert!(stage.notices.iter().any(survived));
    assert_eq!(stage.running.len(), 4, "{:?}", stage.running);
}

/// The group still has what was announced of a log that was cut: no other record is to be taken for it.
#[test]
fn rule_8_nothing_starts_before_the_announcement_in_a_log_that_was_cut_is_taken_back() {
    let mut stage = the_only_suspect_runs();
    stage.answers = false;
    stage.handle(Event::OutOfRange(stage.slot(ORDERS), LogRange { start: 0, end: 1 }));
    stage.run(1, stays);
    assert!(stage.running.is_empty(), "{:?}", stage.running);
    stage.answers = true;
    stage.run(1, stays);
    assert!(stage.said(ORDERS).suspicion.marks.is_empty());
    assert_eq!(stage.running.len(), 4, "{:?}", stage.running);
}

/// The old log's record was announced, and the new log has another one there.
#[test]
fn rule_8_what_was_announced_does_not_start_in_a_log_that_was_cut() {
    let mut stage = dead_with([1, 0]);
    while !stage.notices.iter().any(|notice| matches!(notice, Notice::SuspectAnnounced { .. })) {
        stage.turn(&mut stays);
    }
    assert!(stage.running.is_empty());
    stage.began.clear();
    stage.handle(Event::OutOfRange(stage.slot(ORDERS), LogRange { start: 0, end: 1 }));
    stage.run(3, done);
    assert_eq!((&stage.began[..], &stage.done[..]), (&[0][..], &[0][..]));
}

/// They come while ordinary work has its time, and nothing else happens when that is over.
#[test]
fn rule_8_suspects_of_a_partition_that_comes_later_are_tested_after_ordinary_work_had_its_time() {
    let mut dead = dead_with([50, 3]);
    dead.turn(&mut stays);
    let mut stage = Stage::empty(Setup { concurrency: 60, ..Setup::default() });
    stage.committed.insert(ORDERS, dead.committed.remove(&ORDERS).unwrap());
    stage.fill(ORDERS, 50);
    stage.begin();
    while !stage.notices.iter().any(|notice| matches!(notice, Notice::CarefulEnded)) {
        stage.turn(&mut stays);
    }
    stage.notices.clear();
    // Later, so that the time in which its starts are shown first ends later, too, and is no reason to be called.
    stage.run(1, stays);
    stage.committed.insert(MAILS, dead.committed.remove(&MAILS).unwrap());
    stage.fill(MAILS, 3);
    stage.offer(MAILS);
    stage.run(20, stays);
    assert_eq!(stage.notices, [], "not yet");
    stage.run(60, stays);
    let told = |slot| {
        stage.notices.iter().any(|notice| matches!(notice, Notice::SuspectAnnounced { slot: of, .. } if *of == slot))
    };
    assert!(told(stage.slot(MAILS)), "{:?}", stage.notices);
}
