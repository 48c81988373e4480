//! After a process vanished, its successor shows before it starts, for a while.

use crate::stage::{DONE, Deed, Setup, Stage};
use retrial_core::event::CommitResult;

const PLACE: (&str, i32) = ("orders", 0);

fn after_a_death(records: i64) -> Stage {
    let mut stage = Stage::new(Setup { concurrency: 200, ..Setup::default() }, records);
    // Nothing was started yet when it vanished.
    stage.answers = false;
    stage.run(1, |_| Deed::Stays);
    stage.answer(&CommitResult::Accepted { refused: Vec::new() });
    stage.die();
    stage.answers = true;
    stage.began.clear();
    stage
}

/// The offsets that run must be below what an accepted commit has shown.
fn assert_shown(stage: &Stage) {
    let said = stage.said(PLACE);
    for work in &stage.running {
        assert!(work.record.0 < said.started_below, "{} started, and {} was shown", work.record.0, said.started_below);
    }
}

#[test]
fn rule_8_after_a_death_no_record_starts_that_was_not_shown_and_no_more_than_64_at_once() {
    let mut stage = after_a_death(3_000);
    let mut most = 0;
    while stage.began.len() < 900 {
        stage.turn(&mut |_| Deed::Stays);
        assert_shown(&stage);
        most = most.max(stage.running.len());
        // Half of them end.
        for index in (0..stage.running.len()).rev().step_by(2) {
            let work = stage.running.remove(index);
            stage.end(work, retrial_core::outcome::Outcome::Done);
        }
    }
    assert_eq!(most, 64);
}

#[test]
fn rule_8_what_was_not_shown_waits_while_commits_are_refused() {
    let mut stage = after_a_death(3_000);
    stage.run(1, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 64);
    stage.answers = false;
    stage.run(3, |_| DONE);
    stage.answer(&CommitResult::Failed("no".into()));
    stage.run(1, |_| DONE);
    assert_eq!(stage.began.len(), 64, "more has started than was shown");
    stage.answers = true;
    stage.run(3, |_| DONE);
    assert!(stage.began.len() > 128);
}

#[test]
fn rule_8_the_wary_stretch_ends() {
    let mut stage = after_a_death(3_000);
    stage.run(10, |_| DONE);
    assert_eq!(stage.done.len(), 3_000);
    stage.fill(PLACE, 500);
    stage.run(1, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 200, "as many as may run at once");

    // It also ends while 64 do not.
    let mut stage = after_a_death(3_000);
    stage.run(28, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 64);
    stage.run(4, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 200);
}

/// Each of them is a suspect if the process vanishes: all partitions together show as many as can run.
#[test]
fn rule_8_partitions_show_together_as_many_as_can_run() {
    let mut stage = Stage::empty(Setup { concurrency: 400, ..Setup::default() });
    let places: Vec<_> = (0..10).map(|partition| ("orders", partition)).collect();
    places.iter().for_each(|&place| stage.fill(place, 200));
    stage.begin();
    stage.answers = false;
    stage.run(1, |_| Deed::Stays);
    stage.answer(&CommitResult::Accepted { refused: Vec::new() });
    stage.die();
    stage.answers = true;
    stage.run(1, |_| Deed::Stays);
    let shown: Vec<i64> = places.iter().map(|&place| stage.said(place).started_below).collect();
    assert_eq!(shown, [40; 10]);
}

/// Suspicion takes room in the commit metadata, and admission knows.
#[test]
fn rule_8_the_map_of_what_is_finished_stays_whole_beside_suspicion() {
    let mut stage = Stage::new(Setup { concurrency: 300, ..Setup::default() }, 100);
    stage.run_to_death(40, |_| Deed::Kills);
    stage.fill(PLACE, 20_000);
    // Many marked ones go on, and beyond them every third record, as many as may run at once.
    stage.run(240, |work| match work.record.0 {
        0..60 => Deed::Stays,
        other if other > 100 && other % 3 == 0 => Deed::Stays,
        _ => DONE,
    });
    let said = stage.said(PLACE);
    assert!(said.suspicion.marks.len() > 10, "{}", said.suspicion.marks.len());
    let covered = |offset: i64| offset < 0 || said.finished.iter().any(|run| (run.from..run.to).contains(&offset));
    assert!(stage.done.len() > 500, "{}", stage.done.len());
    assert!(stage.done.iter().all(|&offset| covered(offset)), "{} are done", stage.done.len());
    assert!(stage.running.len() >= 290, "{}", stage.running.len());
}

/// What waits only for being shown does not wait for the next commit in turn; and nobody commits more for it else.
#[test]
fn rule_8_commits_are_hastened_while_something_waits_to_be_shown_and_only_then() {
    let mut stage = after_a_death(400);
    let began = stage.now;
    while stage.done.len() < 400 {
        stage.turn(&mut |_| DONE);
    }
    // Seven commits show them, 64 at a time.
    assert!(stage.now.since(began).as_millis() <= 1_000, "{:?}", stage.now.since(began));
    // Records that come one by one: each is shown, and that it is done is not urgent.
    let commits = stage.commits;
    for _ in 0..40 {
        stage.fill(PLACE, 1);
        for _ in 0..4 {
            stage.turn(&mut |_| DONE);
        }
    }
    assert_eq!(stage.commits - commits, 40);
}
