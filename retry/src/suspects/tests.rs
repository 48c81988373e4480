use super::*;
use crate::snapshot::Run;

const NOW: i64 = 1_795_342_860_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW + seconds * 1000)
}

fn run(seconds: i64, lasted: bool) -> Run {
    Run { at: at(seconds), lasted }
}

fn mark(offset: i64, stage: Stage, runs: &[Run]) -> Mark {
    Mark { offset, leader_epoch: 7, stage, condemned: false, witnessed: true, runs: runs.to_vec() }
}

fn suspicion(unexplained: u32, marks: Vec<Mark>) -> Suspicion {
    Suspicion { unexplained, vanished_at: at(-100), elsewhere: false, marks }
}

fn said(departure: Departure, started_below: i64, suspicion: Suspicion) -> Snapshot {
    Snapshot { departure, started_below, finished: Vec::new(), suspicion }
}

/// What the next owner makes of an owner that vanished.
fn vanished(started_below: i64, suspicion: Suspicion) -> Suspects {
    Suspects::inherit(&said(Departure::StillHere, started_below, suspicion), 100, at(0)).unwrap()
}

fn told(suspects: &Suspects) -> Suspicion {
    suspects.told(Departure::StillHere, false, at(0))
}

fn received(mut suspects: Suspects, offsets: std::ops::Range<i64>) -> Suspects {
    offsets.for_each(|offset| suspects.receive(offset, 7));
    suspects
}

#[test]
fn who_leaves_well_leaves_no_suspect_and_no_reason_to_be_wary() {
    assert_eq!(Suspects::inherit(&said(Departure::LeftWell, 500, Suspicion::default()), 100, at(0)), None);
    // That owners vanished before is remembered for a while.
    let remembered = Suspects::inherit(&said(Departure::LeftWell, 500, suspicion(2, Vec::new())), 100, at(0)).unwrap();
    assert_eq!((told(&remembered).unexplained, remembered.wary_until()), (2, None));
    assert_eq!(received(remembered, 100..102).standing(100), Standing::Clear);
    // So is what is known of single records.
    let known = suspicion(0, vec![mark(104, Stage::Waits, &[run(-50, false)])]);
    let known = Suspects::inherit(&said(Departure::LeftWell, 500, known), 100, at(0)).unwrap();
    let known = received(known, 100..110);
    assert_eq!((known.standing(103), known.standing(104)), (Standing::Clear, Standing::Aside(1)));
}

#[test]
fn unfinished_records_below_what_was_shown_as_started_are_suspects() {
    let suspects = received(vanished(103, Suspicion::default()), 100..110);
    let standings: Vec<Standing> = (100..105).map(|offset| suspects.standing(offset)).collect();
    use Standing::{Clear, Suspect};
    assert_eq!(standings, [Suspect, Suspect, Suspect, Clear, Clear]);
    assert_eq!((told(&suspects).unexplained, told(&suspects).vanished_at), (1, at(0)));
    assert_eq!(suspects.below(), 103);
}

#[test]
fn there_are_no_more_than_64_suspects_and_they_are_the_lowest() {
    let suspects = received(vanished(1_000, Suspicion::default()), 100..300);
    assert_eq!((suspects.standing(163), suspects.standing(164)), (Standing::Suspect, Standing::Clear));
    // A record with a mark is looked at all the same.
    let marked = vanished(1_000, suspicion(0, vec![mark(250, Stage::Waits, &[run(-50, false)])]));
    assert_eq!(received(marked, 100..300).standing(250), Standing::Aside(1));
}

#[test]
fn offsets_that_come_again_or_are_finished_are_no_suspects() {
    let mut suspects = vanished(103, Suspicion::default());
    suspects.receive(101, 7);
    suspects.receive(101, 7);
    suspects.receive(100, 7);
    suspects.acquit(101);
    assert_eq!((suspects.standing(101), suspects.standing(100)), (Standing::Clear, Standing::Clear));
}

#[test]
fn an_owner_that_vanished_is_unexplained_unless_a_record_was_tested() {
    let unexplained = |suspicion| told(&vanished(200, suspicion)).unexplained;
    assert_eq!(unexplained(suspicion(1, Vec::new())), 2);
    assert_eq!(unexplained(suspicion(1, vec![mark(150, Stage::Waits, &[run(-50, false)])])), 2);
    assert_eq!(unexplained(suspicion(1, vec![mark(150, Stage::First, &[])])), 2);
    assert_eq!(unexplained(suspicion(1, vec![mark(150, Stage::Alone, &[run(-50, false)])])), 1);
    assert_eq!(unexplained(suspicion(1, vec![mark(150, Stage::InCompany, &[])])), 1);
    assert_eq!(unexplained(Suspicion { elsewhere: true, ..suspicion(1, Vec::new()) }), 1);
    assert_eq!(unexplained(suspicion(u32::MAX, Vec::new())), u32::MAX);
}

#[test]
fn owners_that_vanished_long_ago_are_forgotten() {
    let calm = CALM.as_secs() as i64;
    for (ago, left) in [(calm - 1, 4), (calm, 1)] {
        let old = Suspicion { vanished_at: at(-ago), ..suspicion(3, Vec::new()) };
        assert_eq!(told(&vanished(200, old)).unexplained, left, "{ago} s");
    }
    let suspects = vanished(200, suspicion(3, Vec::new()));
    let later = |seconds| suspects.told(Departure::StillHere, false, at(seconds));
    assert_eq!((later(calm - 1).unexplained, later(calm - 1).vanished_at), (4, at(0)));
    assert_eq!(later(calm), Suspicion::default());
}

/// At once, in all, owners that vanished unexplained, whether a witness survived.
#[test]
fn crashes_condemn_when_they_are_enough() {
    for (at_once, lasted, unexplained, witnessed, condemned) in [
        (2, 0, 0, true, false),
        (3, 0, 0, true, true),
        (3, 0, 0, false, false),
        (6, 0, 0, false, false),
        (3, 0, 2, true, true),
        (3, 0, 3, true, false),
        (4, 0, 3, true, true),
        (5, 0, 5, true, false),
        (6, 0, 5, true, true),
        (6, 0, 99, true, true),
        (0, 5, 2, true, false),
        (0, 6, 2, true, true),
        (2, 3, 0, true, false),
        (2, 4, 0, true, true),
        (1, 6, 4, true, false),
        (1, 7, 4, true, true),
    ] {
        let runs: Vec<Run> = (0..at_once + lasted).map(|index| run(i64::from(index) - 90, index >= at_once)).collect();
        let marked = Mark { witnessed, ..mark(150, Stage::Alone, &runs) };
        let suspects = received(vanished(200, suspicion(unexplained, vec![marked])), 100..200);
        let crashes = (at_once + lasted) as u32;
        let expected = if condemned { Standing::Condemned(crashes) } else { Standing::Aside(crashes) };
        let case = format!("{at_once} {lasted} {unexplained} {witnessed}");
        assert_eq!(suspects.standing(150), expected, "{case}");
        // Who is condemned stays so, whoever owns the partition.
        let mark = &told(&suspects).marks[0];
        assert_eq!((mark.condemned, mark.stage, mark.runs.len()), (condemned, Stage::Waits, runs.len()), "{case}");
        let next = vanished(200, told(&suspects));
        assert_eq!(received(next, 100..200).standing(150), expected, "{case}");
    }
}

/// Only the announced record pays.
#[test]
fn a_crash_is_counted_for_the_record_that_ran_alone_and_for_no_other() {
    let others = |offset, stage| mark(offset, stage, &[run(-90, false), run(-80, false), run(-70, false)]);
    let marks = vec![others(120, Stage::Waits), others(130, Stage::First), others(150, Stage::Alone)];
    let suspects = vanished(200, suspicion(0, marks));
    let condemned: Vec<bool> = told(&suspects).marks.iter().map(|mark| mark.condemned).collect();
    assert_eq!(condemned, [false, false, true]);
}

#[test]
fn the_same_commit_read_twice_counts_once() {
    let last_word = said(Departure::StillHere, 200, suspicion(2, vec![mark(150, Stage::Alone, &[run(-50, false)])]));
    let first = Suspects::inherit(&last_word, 100, at(0)).unwrap();
    assert_eq!(Suspects::inherit(&last_word, 100, at(0)).unwrap(), first);
    assert_eq!(told(&first).marks, [mark(150, Stage::Waits, &[run(-50, false)])]);
}

#[test]
fn a_mark_below_the_position_or_of_another_record_is_dropped() {
    let runs = [run(-50, false)];
    let marks = vec![mark(99, Stage::Waits, &runs), mark(100, Stage::Waits, &runs), mark(150, Stage::Waits, &runs)];
    let mut suspects = vanished(0, suspicion(0, marks));
    suspects.receive(100, 7);
    suspects.receive(150, 8);
    assert_eq!((suspects.standing(100), suspects.standing(150)), (Standing::Aside(1), Standing::Clear));
    assert_eq!(told(&suspects).marks.len(), 1);
}

#[test]
fn a_test_in_company_proves_nothing_and_puts_its_record_first() {
    let suspects = received(vanished(200, suspicion(0, vec![mark(150, Stage::InCompany, &[])])), 100..200);
    assert_eq!(suspects.standing(150), Standing::First);
    assert_eq!(told(&suspects).marks, [mark(150, Stage::First, &[])]);
    // Also in the hands of the one after the next.
    let next = received(vanished(200, told(&suspects)), 100..200);
    assert_eq!(next.standing(150), Standing::First);
    let left = suspects.told(Departure::LeftWell, false, at(0));
    assert_eq!(left.marks, [mark(150, Stage::First, &[])]);
    // With a crash of its own it is first, too, and what it has done is known.
    let crashed = vanished(200, suspicion(0, vec![mark(150, Stage::InCompany, &[run(-50, false)])]));
    let crashed = received(crashed, 100..200);
    assert_eq!((crashed.standing(150), crashed.crashes(150)), (Standing::First, vec![at(-50)]));
}

#[test]
fn a_test_is_announced_lasts_and_ends() {
    let mut suspects = received(vanished(200, Suspicion::default()), 100..200);
    let announced = Timestamp::from_millis(NOW + 20_999);
    suspects.announce(150, 7, announced, true);
    suspects.announce(120, 7, announced, false);
    let first = Mark { witnessed: false, ..mark(120, Stage::InCompany, &[]) };
    let second = Mark { witnessed: false, ..mark(150, Stage::Alone, &[run(20, false)]) };
    assert_eq!(told(&suspects).marks, [first, second]);
    assert!(!suspects.lasts(120) && !suspects.lasts(130), "only who runs alone lasts");
    assert!(suspects.lasts(150) && !suspects.lasts(150), "once");
    assert_eq!(told(&suspects).marks[1].runs, [run(20, true)]);
    assert_eq!(suspects.standing(150), Standing::Aside(1));
    suspects.acquit(150);
    suspects.acquit(120);
    assert_eq!((suspects.standing(150), suspects.standing(120)), (Standing::Clear, Standing::Clear));
    assert_eq!(told(&suspects).marks, []);
}

#[test]
fn a_record_that_survives_after_crashes_keeps_them_and_is_no_suspect_any_more() {
    let known = suspicion(0, vec![mark(150, Stage::Waits, &[run(-50, false)])]);
    let mut suspects = received(vanished(200, known), 100..200);
    suspects.announce(150, 7, at(20), true);
    assert_eq!(suspects.crashes(150), [at(-50), at(20)]);
    suspects.acquit(150);
    assert_eq!((suspects.standing(150), suspects.crashes(150)), (Standing::Clear, vec![at(-50)]));
    assert_eq!(told(&suspects).marks, [mark(150, Stage::Waits, &[run(-50, false)])]);
    let mut first = received(vanished(200, suspicion(0, vec![mark(150, Stage::InCompany, &[])])), 100..200);
    first.acquit(150);
    assert_eq!(told(&first).marks, []);
    let crashed = suspicion(0, vec![mark(150, Stage::InCompany, &[run(-50, false)])]);
    let mut crashed = received(vanished(200, crashed), 100..200);
    crashed.acquit(150);
    assert_eq!(told(&crashed).marks, [mark(150, Stage::Waits, &[run(-50, false)])]);
}

#[test]
fn a_test_that_is_called_off_leaves_a_suspect_and_no_trace() {
    let mut suspects = received(vanished(200, Suspicion::default()), 100..200);
    suspects.announce(150, 7, at(20), true);
    suspects.call_off(150);
    assert_eq!((suspects.standing(150), told(&suspects).marks), (Standing::Suspect, Vec::new()));
    suspects.announce(150, 7, at(20), false);
    suspects.call_off(150);
    assert_eq!(suspects.standing(150), Standing::First);
    suspects.call_off(150);
    assert_eq!(suspects.standing(150), Standing::First);
    suspects.call_off(151);
    assert_eq!(suspects.standing(151), Standing::Suspect);
    let known = suspicion(0, vec![mark(150, Stage::Waits, &[run(-50, false)])]);
    let mut known = received(vanished(200, known), 100..200);
    known.call_off(150);
    assert_eq!(known.crashes(150), [at(-50)], "it was not announced");
}

#[test]
fn an_owner_that_leaves_well_takes_its_announcement_back() {
    let known = suspicion(0, vec![mark(150, Stage::Waits, &[run(-50, false)])]);
    let mut suspects = received(vanished(200, known), 100..200);
    suspects.announce(120, 7, at(20), true);
    suspects.announce(150, 7, at(20), true);
    suspects.announce(160, 7, at(20), false);
    let left = suspects.told(Departure::LeftWell, true, at(20));
    assert_eq!((left.marks, left.elsewhere), (vec![mark(150, Stage::Waits, &[run(-50, false)])], false));
    let here = suspects.told(Departure::StillHere, true, at(20));
    assert_eq!((here.marks.len(), here.elsewhere), (3, true));
    assert_eq!(Suspicion { elsewhere: true, ..here }, suspects.all());
}

#[test]
fn a_witness_is_news_once_and_shortens_the_pause() {
    let quiet = QUIET.as_secs() as i64;
    let runs: Vec<Run> = (0..16).map(|index| run(index - 90, false)).collect();
    for (crashes, pause) in [(1, 2 * quiet), (2, 4 * quiet), (6, 64 * quiet), (7, 600), (16, 600)] {
        let marked = Mark { witnessed: false, ..mark(150, Stage::Waits, &runs[..crashes]) };
        let mut suspects = received(vanished(200, suspicion(0, vec![marked])), 100..200);
        assert_eq!(suspects.again_at(150), (at(quiet), Some(at(pause))), "{crashes}");
        assert!(suspects.witness(150) && !suspects.witness(150));
        assert_eq!(suspects.again_at(150), (at(quiet), None), "{crashes}");
        assert!(told(&suspects).marks[0].witnessed);
        assert!(!suspects.witness(151), "nothing is known against it");
        // A witness in the hands of a former owner is not asked for again if there is nobody.
        let next = received(vanished(200, told(&suspects)), 100..200);
        assert_eq!(next.again_at(150), (at(quiet), Some(at(quiet))));
        assert_eq!(next.again_at(151), (at(quiet), Some(at(quiet))));
    }
}

#[test]
fn a_witness_may_be_drafted_while_there_is_room() {
    let mut suspects = Suspects::drafting(at(0));
    assert!((0..64).rev().all(|offset| suspects.draft(offset)));
    assert!(!suspects.draft(64));
    assert_eq!((suspects.standing(0), suspects.standing(64)), (Standing::Suspect, Standing::Clear));
    suspects.acquit(7);
    assert!(!suspects.draft(8) && suspects.draft(64));
    assert_eq!((suspects.wary_until(), told(&suspects)), (None, Suspicion::default()));
}

#[test]
fn the_more_owners_vanish_the_longer_others_wait() {
    for (before, alone, for_all, wary) in [
        (0, 5, 30, 30),
        (1, 5, 60, 60),
        (2, 5, 120, 120),
        (3, 10, 120, 240),
        (4, 20, 120, 480),
        (6, 60, 120, 480),
        (1_000, 60, 120, 480),
    ] {
        let suspects = vanished(200, suspicion(before, Vec::new()));
        let times = (suspects.time_alone().as_secs(), suspects.time_for_all().as_secs(), suspects.wary_until());
        assert_eq!(times, (alone, for_all, Some(at(wary))), "{before}");
    }
    let nobody = Suspects::drafting(at(0));
    assert_eq!((nobody.time_alone().as_secs(), nobody.time_for_all().as_secs()), (5, 30));
}

#[test]
fn suspects_are_gathered_until_all_are_read() {
    let suspects = vanished(200, Suspicion::default());
    assert_eq!(suspects.gathers_until(199), Some(at(0).after(GATHERING)));
    assert_eq!(suspects.gathers_until(200), None);
}

#[test]
fn what_was_not_shown_does_not_start() {
    let mut suspects = vanished(200, Suspicion::default());
    assert!(!suspects.may_start(0));
    assert!(!suspects.shown(), "nothing was under way");
    suspects.show(10, 190);
    assert!(!suspects.may_start(0), "not accepted yet");
    assert!(suspects.shown() && !suspects.shown());
    assert!(suspects.may_start(9) && !suspects.may_start(10));
    assert_eq!(suspects.below(), 200, "it was told to have been started before");
    suspects.show(20, 210);
    suspects.not_shown();
    assert!(!suspects.shown() && !suspects.may_start(10));
    suspects.show(5, 0);
    assert!(!suspects.shown() && suspects.may_start(9), "what was shown was shown");
    assert_eq!(suspects.below(), 210);
}

#[test]
fn an_owner_is_wary_for_a_stretch_or_a_while() {
    let mut suspects = vanished(200, Suspicion::default());
    assert!(!suspects.relax(at(29)));
    let mut long_enough = suspects.clone();
    assert!(suspects.relax(at(30)) && !suspects.relax(at(31)));
    assert!(suspects.may_start(u64::MAX) && suspects.wary_until().is_none());
    suspects.show(7, 999);
    suspects.not_shown();
    assert!(!suspects.shown());
    assert_eq!(suspects.below(), 200);

    long_enough.show(1023, 1_300);
    assert!(long_enough.shown() && !long_enough.relax(at(1)));
    long_enough.show(1024, 1_300);
    assert!(long_enough.shown() && long_enough.relax(at(1)));
}

#[test]
fn what_is_finished_is_forgotten() {
    let marks: Vec<Mark> =
        [110, 120, 121, 130, 140].map(|offset| mark(offset, Stage::Waits, &[run(-50, false)])).to_vec();
    let mut suspects = received(vanished(125, suspicion(0, marks)), 100..150);
    let finished = |from, to| FinishedRun { from, to, leader_epoch: 7 };
    suspects.forget_finished(111, [finished(112, 119), finished(120, 121), finished(130, 140)].into_iter());
    let left: Vec<i64> = told(&suspects).marks.iter().map(|mark| mark.offset).collect();
    assert_eq!(left, [121, 140]);
    let pending: Vec<i64> = (100..150).filter(|&offset| suspects.standing(offset) != Standing::Clear).collect();
    assert_eq!(pending, [111, 119, 121, 122, 123, 124, 140]);
}

#[test]
fn it_is_over_when_nothing_is_left_to_be_careful_about() {
    let mut suspects = received(vanished(102, Suspicion::default()), 100..102);
    let calm = at(CALM.as_secs() as i64);
    assert!(suspects.relax(calm));
    assert!(!suspects.is_over(102, calm), "two are pending");
    suspects.acquit(100);
    suspects.acquit(101);
    assert!(!suspects.is_over(101, calm), "one of them runs still");
    assert!(suspects.is_over(102, calm) && !suspects.is_over(102, at(0)), "an owner has vanished just now");
    suspects.announce(101, 7, at(0), true);
    assert!(!suspects.is_over(102, calm), "something is known of a record");
    let wary = vanished(0, Suspicion::default());
    assert!(!wary.is_over(102, calm));
    assert!(Suspects::drafting(at(0)).is_over(0, at(0)));
    let mut explained = vanished(0, Suspicion { elsewhere: true, ..Suspicion::default() });
    assert!(explained.relax(calm) && explained.is_over(0, at(0)));
}
