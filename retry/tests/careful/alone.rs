//! A suspect runs alone, announced, and everything else waits for a bounded time.

use crate::stage::{DONE, Deed, Rec, Setup, Stage};
use retrial_core::{
    event::{Notice, Work},
    outcome::Outcome,
    snapshot::Stage as Told,
};

const PLACE: (&str, i32) = ("orders", 0);
const OTHER: (&str, i32) = ("orders", 1);

/// A process that begins after one that vanished with all it could run.
fn after_a_death(records: i64) -> Stage {
    let mut stage = Stage::empty(Setup { concurrency: 4, ..Setup::default() });
    stage.fill(PLACE, records);
    stage.fill(OTHER, records);
    stage.begin();
    stage.run(5, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 4);
    stage.die();
    stage.began.clear();
    stage
}

#[test]
fn rule_8_suspects_run_one_at_a_time_and_only_after_a_commit_has_announced_them() {
    let mut stage = after_a_death(50);
    let mut tested = 0;
    while tested < 4 {
        stage.turn(&mut |_| Deed::Stays);
        let Some(work) = stage.running.first().cloned() else { continue };
        let said = [stage.said(PLACE).suspicion, stage.said(OTHER).suspicion];
        let alone = said.iter().flat_map(|said| &said.marks).filter(|mark| mark.stage == Told::Alone).count();
        assert_eq!((alone, stage.running.len()), (1, 1), "{:?}", stage.running);
        // The other partition says for whom its owner would vanish.
        assert!(said[0].elsewhere && said[1].elsewhere);
        stage.running.clear();
        stage.end(work, Outcome::Done);
        tested += 1;
    }
    assert!(stage.notices.contains(&Notice::CarefulBegan { suspects: 4 }), "{:?}", stage.notices);
    stage.run(3, |_| DONE);
    assert_eq!(stage.done.len(), 100);
    assert!(!stage.said(PLACE).suspicion.elsewhere && !stage.said(OTHER).suspicion.elsewhere);
}

#[test]
fn rule_8_a_suspect_that_outlives_its_time_goes_on_beside_the_others() {
    let mut stage = after_a_death(50);
    let mut longest = 0;
    stage.run(4, |_| Deed::Stays);
    let first = stage.running[0].record.0;
    assert_eq!(stage.running.len(), 1);
    let handler = |work: &Work<Rec>| if work.record.0 == first { Deed::Stays } else { DONE };
    let (mut since, mut done) = (stage.now, stage.done.len());
    while stage.done.len() < 98 {
        stage.turn(&mut { handler });
        if stage.done.len() != done {
            (since, done) = (stage.now, stage.done.len());
        }
        longest = longest.max(stage.now.as_millis() - since.as_millis());
    }
    assert!(longest < 7_000, "{longest} ms");
    let outlived = |notice: &&Notice| matches!(notice, Notice::SuspectSurvived { outlived: true, .. });
    assert!(stage.notices.iter().filter(outlived).count() >= 1);
    // Those that follow are tested in company.
    assert!((0..50).any(|record| stage.tests(record).1 > 0));
}

#[test]
fn rule_8_a_suspect_that_lasts_is_told_to() {
    let mut stage = after_a_death(50);
    stage.run(4, |_| Deed::Stays);
    let marks = |stage: &Stage| [stage.said(PLACE).suspicion.marks, stage.said(OTHER).suspicion.marks].concat();
    let [mark] = &marks(&stage)[..] else { panic!("{:?}", marks(&stage)) };
    assert!(mark.stage == Told::Alone && mark.runs[0].lasted, "{mark:?}");
}

#[test]
fn rule_8_a_suspect_lasts_from_a_quarter_of_a_second_on() {
    let mut stage = after_a_death(50);
    while stage.running.is_empty() {
        stage.turn(&mut |_| Deed::Stays);
    }
    let (began, slot) = (stage.now, stage.running[0].ticket.slot);
    let place = if stage.slot(PLACE) == slot { PLACE } else { OTHER };
    let mut told = None;
    while stage.now.since(began).as_millis() < 1_000 {
        stage.turn(&mut |_| Deed::Stays);
        let lasted = stage.said(place).suspicion.marks.iter().any(|mark| mark.runs.iter().any(|run| run.lasted));
        told = told.or(lasted.then_some(stage.now.since(began).as_millis()));
    }
    assert!(matches!(told, Some(250..=400)), "{told:?}");
}

/// Long suspects of many: after half a minute ordinary work goes on.
#[test]
fn rule_8_ordinary_work_waits_for_all_suspects_together_no_longer_than_half_a_minute() {
    let mut stage = Stage::new(Setup::default(), 300);
    stage.run(5, |_| Deed::Stays);
    stage.die();
    stage.fill(PLACE, 700);
    let began = stage.now;
    while stage.done.is_empty() && stage.now.as_millis() - began.as_millis() < 100_000 {
        stage.turn(&mut |work| if work.record.0 < 64 { Deed::Stays } else { DONE });
    }
    let waited = (stage.now.as_millis() - began.as_millis()) / 1_000;
    assert!((30..=33).contains(&waited), "{waited} s");
    let told = |fits: fn(&&Notice) -> bool| stage.notices.iter().filter(fits).count();
    assert_eq!(told(|notice| matches!(notice, Notice::CarefulEnded)), 1);
    let survived = told(|notice| matches!(notice, Notice::SuspectSurvived { outlived: true, .. }));
    assert_eq!(survived, told(|notice| matches!(notice, Notice::SuspectAnnounced { .. })), "the last one, too");
}

/// Suspects that take their time, one after the other: who runs when ordinary work goes on has survived.
#[test]
fn rule_8_who_runs_alone_when_ordinary_work_goes_on_is_no_suspect_any_more() {
    let mut stage = Stage::new(Setup::default(), 64);
    stage.run(5, |_| Deed::Stays);
    stage.die();
    stage.fill(PLACE, 10);
    let mut turns = [0; 64];
    while !stage.notices.iter().any(|notice| matches!(notice, Notice::CarefulEnded)) {
        stage.turn(&mut |work| match turns.get_mut(work.record.0 as usize) {
            Some(turns) if *turns < 36 => {
                *turns += 1;
                Deed::Stays
            }
            _ => DONE,
        });
    }
    let told = |fits: fn(&&Notice) -> bool| stage.notices.iter().filter(fits).count();
    let announced = told(|notice| matches!(notice, Notice::SuspectAnnounced { .. }));
    assert!((20..40).contains(&announced), "{announced}");
    assert_eq!(told(|notice| matches!(notice, Notice::SuspectSurvived { .. })), announced);
}

/// A forward of the same partition is refused between the announcement of a suspect and its acceptance.
#[test]
fn rule_8_a_suspect_of_a_blocked_partition_waits_although_it_was_announced() {
    let mut stage = Stage::new(Setup { concurrency: 4, ..Setup::default() }, 4);
    stage.run(5, |_| Deed::Stays);
    stage.die();
    // The first one outlives its time, and the second one is announced.
    let announced =
        |stage: &Stage| stage.notices.iter().filter(|notice| matches!(notice, Notice::SuspectAnnounced { .. })).count();
    while announced(&stage) < 2 {
        stage.answers = !stage.notices.iter().any(|notice| matches!(notice, Notice::SuspectSurvived { .. }));
        stage.turn(&mut |_| Deed::Stays);
    }
    stage.refuses = true;
    let first = stage.running.remove(0);
    stage.end(first, Outcome::dead("no"));
    stage.answers = true;
    stage.run(3, |_| Deed::Stays);
    assert!(stage.running.is_empty(), "{:?}", stage.running);
    stage.refuses = false;
    stage.run(60, |_| DONE);
    assert_eq!(stage.done.len(), 3);
}

/// An outage of the coordinator while a suspect is about to be announced.
#[test]
fn rule_8_a_suspect_that_could_not_be_announced_for_half_a_minute_runs_as_ordinary_work() {
    let mut stage = after_a_death(50);
    while !stage.notices.iter().any(|notice| matches!(notice, Notice::SuspectAnnounced { .. })) {
        stage.turn(&mut |_| Deed::Stays);
    }
    stage.answers = false;
    stage.run(35, |_| Deed::Stays);
    assert!(stage.running.is_empty(), "started unannounced");
    stage.answers = true;
    stage.run(5, |_| DONE);
    assert_eq!(stage.done.len(), 100);
}

/// Long attempts run when suspects come: they are waited for, and then not any longer; the crash that follows proves
/// nothing, and the next owner begins with that record.
#[test]
fn rule_8_a_crash_in_company_counts_for_nobody_and_its_record_is_first_at_the_next_owner() {
    let mut stage = Stage::empty(Setup { concurrency: 4, ..Setup::default() });
    stage.fill(PLACE, 8);
    stage.begin();
    stage.run(5, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 4);
    stage.die();
    // The next process runs long attempts of another partition already.
    let said = stage.committed.clone();
    let mut stage = Stage::empty(Setup { concurrency: 4, ..Setup::default() });
    stage.fill(OTHER, 2);
    stage.begin();
    stage.run(5, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 2);
    stage.committed.insert(PLACE, said[&PLACE].clone());
    stage.fill(PLACE, 8);
    stage.offer(PLACE);
    stage.run(2, |_| Deed::Stays);
    assert_eq!(stage.running.len(), 2, "what runs is waited for");
    stage.run(6, |_| Deed::Stays);
    let marks = stage.said(PLACE).suspicion.marks;
    assert!(marks.len() == 1 && marks[0].stage == Told::InCompany && marks[0].runs.is_empty(), "{marks:?}");
    let tested = marks[0].offset;
    stage.die();
    stage.began.clear();
    stage.run(4, |_| Deed::Stays);
    let marks = stage.said(PLACE).suspicion.marks;
    assert!(marks.len() == 1 && marks[0].offset == tested && marks[0].stage == Told::Alone, "{marks:?}");
    assert_eq!(stage.began[..], [tested]);
    assert_eq!(marks[0].runs.len(), 1);
}

/// A topic that is held takes no suspect either, and others go on.
#[test]
fn rule_8_a_topic_that_is_held_tests_nobody() {
    let mut stage = Stage::empty(Setup { concurrency: 4, ..Setup::default() });
    stage.fill(PLACE, 10);
    stage.fill(("mails", 0), 10);
    stage.begin();
    stage.run(5, |_| Deed::Stays);
    stage.die();
    let hold = Outcome::Hold(std::time::Duration::from_secs(20));
    let mut held = false;
    stage.began.clear();
    stage.run(12, |work| match work.topic.0 {
        0 if !std::mem::replace(&mut held, true) => Deed::Ends(hold.clone()),
        _ => DONE,
    });
    assert!(held);
    assert_eq!(stage.done.len(), 10, "the mails: {:?}", stage.done);
    stage.run(20, |_| DONE);
    assert_eq!(stage.done.len(), 20);
}
