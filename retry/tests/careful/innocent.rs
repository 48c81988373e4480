//! Nobody is buried who did not kill.

use crate::stage::{DONE, Deed, Rec, Setup, Stage};
use retrial_core::{
    event::{CommitResult, Event, Finished, Work},
    order::{OnExhausted, Order},
    outcome::Outcome,
    snapshot::{Departure, Stage as Told},
};
use std::time::Duration;

const PLACE: (&str, i32) = ("orders", 0);

fn stays(_: &Work<Rec>) -> Deed {
    Deed::Stays
}

fn done(_: &Work<Rec>) -> Deed {
    DONE
}

/// Lets time pass until one record runs alone, announced, and returns it.
fn run_until_tested(stage: &mut Stage) -> i64 {
    for _ in 0..4_000 {
        stage.turn(&mut |_| Deed::Stays);
        if let [work] = &stage.running[..]
            && stage.said(PLACE).suspicion.marks.iter().any(|mark| mark.stage == Told::Alone)
        {
            return work.record.0;
        }
    }
    panic!("nobody is tested");
}

/// A process with a suspect that runs alone.
fn testing(records: i64) -> (Stage, i64) {
    let mut stage = Stage::new(Setup { concurrency: 3, ..Setup::default() }, records);
    stage.run(5, stays);
    stage.die();
    let tested = run_until_tested(&mut stage);
    (stage, tested)
}

#[test]
fn rule_8_who_leaves_well_while_a_suspect_runs_alone_counts_no_crash() {
    let (mut stage, tested) = testing(10);
    stage.restart();
    let said = stage.said(PLACE);
    assert_eq!((said.departure, said.suspicion.marks.len()), (Departure::LeftWell, 0), "{said:?}");
    let before = stage.tests(tested);
    stage.run(5, done);
    assert!(stage.is_all_done_but(10, &[]));
    assert_eq!(stage.tests(tested), before, "it is no suspect any more");
}

#[test]
fn rule_8_a_revoked_partition_counts_no_crash() {
    let (mut stage, tested) = testing(10);
    let slots = vec![stage.slot(PLACE)];
    stage.handle(Event::Revoking { slots, lost: false });
    stage.run(3, stays);
    assert_eq!((stage.said(PLACE).departure, stage.said(PLACE).suspicion.marks.len()), (Departure::LeftWell, 0));
    stage.offer(PLACE);
    stage.run(5, done);
    assert!(stage.is_all_done_but(10, &[]) && stage.tests(tested) == (1, 0));
}

#[test]
fn rule_8_a_partition_that_is_revoked_before_its_suspect_starts_is_let_go() {
    let (mut stage, _) = testing(10);
    let work = stage.running.remove(0);
    stage.end(work, Outcome::Done);
    // The next one is chosen, and not announced yet.
    stage.answers = false;
    stage.run(1, stays);
    assert!(stage.running.is_empty());
    let slots = vec![stage.slot(PLACE)];
    stage.handle(Event::Revoking { slots, lost: false });
    stage.answers = true;
    stage.run(3, stays);
    assert!(stage.running.is_empty());
    assert_eq!((stage.said(PLACE).departure, stage.said(PLACE).suspicion.marks.len()), (Departure::LeftWell, 0));
    stage.offer(PLACE);
    stage.run(5, done);
    assert!(stage.is_all_done_but(10, &[]));
}

/// Without another record that could survive, the only one is tried again, more and more seldom, and never buried.
#[test]
fn rule_8_without_a_witness_nobody_is_buried() {
    let mut stage = Stage::new(Setup { order: Order::by_partition(OnExhausted::Dead), ..Setup::default() }, 5);
    let mut deaths = Vec::new();
    for death in 1..14 {
        stage.run_to_death(death, |work| if work.record.0 == 0 { Deed::Kills } else { DONE });
        deaths.push(stage.now.as_millis() / 1000);
    }
    assert!(stage.letters.is_empty());
    let pauses: Vec<i64> = deaths.windows(2).map(|pair| pair[1] - pair[0]).collect();
    assert!(
        pauses[2..]
            .iter()
            .zip([10, 20, 40, 80, 160, 320, 600, 600])
            .all(|(pause, least)| (least..least + 5).contains(pause)),
        "{pauses:?}"
    );
    // Once it is healed, all is done.
    stage.run(700, done);
    assert!(stage.letters.is_empty() && stage.is_all_done_but(5, &[]));
}

/// A handler that kills whatever it is given: it is not the records.
#[test]
fn rule_8_crashes_on_ever_different_records_blame_the_environment() {
    let mut stage = Stage::new(Setup::default(), 300);
    stage.run_to_death(60, |_| Deed::Kills);
    assert!(stage.letters.is_empty());
    let said = stage.said(PLACE).suspicion;
    assert!(said.marks.len() <= 64 && said.marks.iter().all(|mark| !mark.condemned && !mark.witnessed));
    stage.run(900, done);
    assert!(stage.letters.is_empty() && stage.is_all_done_but(300, &[]));
    assert!(stage.said(PLACE).suspicion.is_empty());
}

/// A handler of one topic that kills whatever it is given, and one of another topic that does not: no witness.
#[test]
fn rule_8_a_record_of_another_topic_is_no_witness() {
    let mut stage = Stage::empty(Setup::default());
    stage.fill(PLACE, 40);
    stage.fill(("mails", 0), 4_000);
    stage.begin();
    let handler = |work: &Work<Rec>| if work.topic.0 == 0 { Deed::Kills } else { DONE };
    stage.run_to_death(40, handler);
    assert!(stage.letters.is_empty());
    assert!(stage.said(PLACE).suspicion.marks.iter().all(|mark| !mark.witnessed));
}

/// An ordinary record is drafted if no suspect is left that could be a witness.
#[test]
fn rule_8_a_witness_is_drafted_from_ordinary_work() {
    let mut stage = Stage::empty(Setup { concurrency: 1, ..Setup::default() });
    stage.fill(PLACE, 1);
    stage.begin();
    stage.run_to_death(3, |_| Deed::Kills);
    // It has crashed once alone, and no other suspect is left.
    stage.run(8, |_| Deed::Stays);
    assert_eq!((stage.tests(0), stage.running.len()), ((1, 0), 0));
    stage.fill(PLACE, 20);
    let mut second = None;
    stage.run(3, |work| {
        second = second.or((work.record.0 != 0).then_some(work.record.0));
        if work.record.0 == 0 { Deed::Stays } else { DONE }
    });
    assert_eq!((stage.tests(0), stage.tests(second.unwrap())), ((2, 0), (1, 0)));
    let mark = &stage.said(PLACE).suspicion.marks[0];
    assert!(mark.offset == 0 && mark.witnessed, "{mark:?}");
}

/// A worker that did not start the suspect gives it back: it is tested again, and its crashes are counted once.
#[test]
fn rule_8_a_suspect_that_was_not_started_is_tested_again() {
    let mut stage = Stage::new(Setup { concurrency: 3, ..Setup::default() }, 200);
    stage.run_to_death(4, |work| if work.record.0 == 57 { Deed::Kills } else { DONE });
    assert_eq!(stage.tests(57), (2, 0));
    let mut given_back = false;
    for _ in 0..2_000 {
        stage.turn(&mut |work| if work.record.0 == 57 { Deed::Stays } else { DONE });
        let Some(index) = stage.running.iter().position(|work| work.record.0 == 57) else { continue };
        assert_eq!(stage.running[index].history.as_ref().unwrap().crashes, 2);
        if given_back {
            break;
        }
        let work = Box::new(stage.running.remove(index));
        stage.handle(Event::Finished(vec![Finished::Unstarted(work)]));
        given_back = true;
    }
    assert_eq!((given_back, stage.tests(57)), (true, (4, 0)));
}

/// Kills from outside, each time while some suspect runs alone: more crashes are asked for than three.
#[test]
fn rule_8_kills_from_outside_raise_what_is_asked_for() {
    let mut stage = Stage::new(Setup::default(), 200);
    // Killed three times while nothing is tested.
    for _ in 0..3 {
        stage.run(8, |work| if work.record.0 == 57 { Deed::Stays } else { DONE });
        stage.die();
    }
    assert!(stage.said(PLACE).suspicion.unexplained >= 2);
    let alone = |stage: &Stage| stage.tests(57).0;
    let mut killed = 0;
    while stage.letters.is_empty() && killed < 20 {
        let before = alone(&stage);
        stage.run_to_death(stage.deaths + 1, |work| if work.record.0 == 57 { Deed::Kills } else { DONE });
        killed += alone(&stage) - before;
        // Another one comes that can be its witness.
        stage.run(2, |work| if work.record.0 == 57 { Deed::Stays } else { DONE });
        stage.fill(PLACE, 10);
    }
    assert!((4..=6).contains(&killed), "{killed} {:?}", stage.said(PLACE).suspicion);
}

/// A commit that announces is refused: the suspect does not start before one was taken.
#[test]
fn rule_8_an_announcement_that_was_refused_is_made_again() {
    let (mut stage, _) = testing(10);
    let work = stage.running.remove(0);
    stage.end(work, Outcome::Done);
    stage.answers = false;
    for result in [CommitResult::Rebalancing, CommitResult::Failed("no".into())] {
        stage.run(2, stays);
        assert!(stage.running.is_empty(), "started unannounced");
        stage.answer(&result);
        assert!(stage.running.is_empty(), "started unannounced");
    }
    stage.run(2, stays);
    let refused = vec![(stage.slot(PLACE), "not you".into())];
    stage.answer(&CommitResult::Accepted { refused });
    assert!(stage.running.is_empty(), "started unannounced");
    stage.answers = true;
    stage.run(2, stays);
    assert_eq!(stage.running.len(), 1);
    assert!(stage.said(PLACE).suspicion.marks.iter().any(|mark| mark.stage == Told::Alone));
}

/// A stop while suspects wait: nothing of them starts, and the goodbye is said.
#[test]
fn rule_8_a_stop_does_not_wait_for_suspects() {
    let (mut stage, _) = testing(10);
    let began = stage.began.len();
    stage.handle(Event::Stop(Duration::from_secs(1)));
    stage.run(4, stays);
    assert!(stage.left && stage.began.len() == began);
}
