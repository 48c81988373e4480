//! The record that kills is found after few crashes, wherever it stands.

use crate::stage::{DONE, Deed, Rec, Setup, Stage, TIER, history};
use retrial_core::{
    event::{HoldReason, Notice, Work},
    order::{OnCrash, OnExhausted, Order},
    outcome::{Cause, Outcome, Reason},
};

/// Takes its process down at once.
fn kills(killer: i64) -> impl Fn(&Work<Rec>) -> Deed {
    move |work| if work.record.0 == killer { Deed::Kills } else { DONE }
}

#[test]
fn rule_8_a_record_that_kills_is_buried_after_three_crashes_alone_and_nobody_else_is() {
    for order in [Order::Unordered, Order::by_key(OnExhausted::Hold), Order::by_key(OnExhausted::Dead)] {
        let mut stage = Stage::new(Setup { order, ..Setup::default() }, 600);
        stage.run(120, kills(57));
        // Unseen, then shown, then three times alone.
        assert_eq!((stage.deaths, stage.tests(57)), (5, (3, 0)), "{order:?}");
        let [letter] = &stage.letters[..] else { panic!("{:?}", stage.letters) };
        assert_eq!(
            (letter.origin.offset, letter.cause, letter.crashes, letter.attempts),
            (57, Some(Cause::Crashed), 3, 0)
        );
        assert_eq!(letter.error_kind.as_deref(), Some("crashed"));
        let text = letter.error.as_deref().unwrap();
        assert!(text.starts_with("crashed the worker 3 times"), "{text}");
        assert_eq!(text.matches("2026-11-22T").count(), 3, "{text}");
        assert!(letter.first_failed.is_some() && letter.last_failed.is_some());
        assert!(stage.is_all_done_but(600, &[57]));
        let committed = &stage.committed[&("orders", 0)];
        assert_eq!(committed.offset, 600);
        assert!(stage.said(("orders", 0)).suspicion.marks.is_empty());
    }
}

#[test]
fn rule_8_what_happens_is_told() {
    let mut stage = Stage::new(Setup::default(), 600);
    stage.run(120, kills(57));
    let told = |fits: &dyn Fn(&Notice) -> bool| stage.notices.iter().filter(|notice| fits(notice)).count();
    let began = told(&|notice| matches!(notice, Notice::CarefulBegan { suspects } if *suspects > 0));
    let ended = told(&|notice| matches!(notice, Notice::CarefulEnded));
    // Three processes died in careful mode.
    assert!(began >= 4 && began - ended == 3, "{began} {ended}");
    let survived =
        told(&|notice| matches!(notice, Notice::SuspectSurvived { offset, outlived: false, .. } if *offset != 57));
    assert!(survived > 3, "{survived}");
    let crashes = stage.notices.iter().filter_map(|notice| match notice {
        Notice::SuspectAnnounced { offset: 57, crashes, alone: true, .. } => Some(*crashes),
        _ => None,
    });
    assert_eq!(crashes.collect::<Vec<_>>(), [0, 1, 2]);
    let condemned =
        |notice: &Notice| matches!(notice, Notice::SuspectCondemned { offset: 57, crashes: 3, held: false, .. });
    assert_eq!(told(&condemned), 1);
    assert_eq!(told(&|notice| matches!(notice, Notice::Buried { cause: Cause::Crashed, .. })), 1);
}

#[test]
fn rule_8_a_record_far_beyond_the_last_commit_is_found() {
    let mut stage = Stage::new(Setup { concurrency: 20, ..Setup::default() }, 6_000);
    stage.run(200, kills(4_321));
    assert_eq!((stage.letters.len(), stage.letters[0].origin.offset), (1, 4_321));
    assert!(stage.deaths <= 7, "{}", stage.deaths);
    assert!(stage.is_all_done_but(6_000, &[4_321]));
}

#[test]
fn rule_8_several_records_that_kill_are_all_found() {
    let killers = [3, 4, 57, 300, 301];
    let mut stage = Stage::new(Setup::default(), 400);
    stage.run(400, |work| if killers.contains(&work.record.0) { Deed::Kills } else { DONE });
    let mut buried: Vec<i64> = stage.letters.iter().map(|letter| letter.origin.offset).collect();
    buried.sort_unstable();
    assert_eq!(buried, killers);
    assert!(stage.is_all_done_but(400, &killers));
}

/// It kills in a tier, where its attempts are counted, and what was known before is kept.
#[test]
fn rule_8_a_record_that_kills_in_a_tier_is_buried_with_its_past() {
    let mut stage = Stage::empty(Setup::default());
    for offset in 0..20 {
        stage.retry(("billing.retry.5s", 0), history(offset, if offset == 7 { 2 } else { 0 }));
    }
    stage.begin();
    stage.run(120, kills(7));
    let [letter] = &stage.letters[..] else { panic!("{:?}", stage.letters) };
    assert_eq!((letter.origin.offset, letter.crashes, letter.attempts), (7, 5, 1));
    assert!(stage.is_all_done_but(20, &[7]));
}

/// A crash is told to the handler and goes with the record into a tier, without counting as an attempt.
#[test]
fn rule_8_crashes_are_counted_apart_from_attempts_and_go_with_the_record() {
    let mut stage = Stage::new(Setup::default(), 200);
    let mut seen = Vec::new();
    // It kills twice alone and then fails.
    let mut handler = |work: &Work<Rec>| {
        let crashes = work.history.as_ref().map_or(0, |history| history.crashes);
        match work.record.0 {
            57 if crashes < 2 => {
                seen.push(crashes);
                Deed::Kills
            }
            57 => {
                assert_eq!((work.history.as_ref().unwrap().attempts, crashes), (0, 2));
                Deed::Ends(Outcome::RetryAfter(TIER, Reason::new("test", "it failed").abrupt()))
            }
            _ => DONE,
        }
    };
    stage.run(100, &mut handler);
    assert_eq!((seen, stage.deaths), (vec![0, 0, 0, 1], 4));
    assert!(stage.letters.is_empty() && stage.is_all_done_but(200, &[57]));
    assert_eq!(stage.forwarded.len(), 1);
    assert_eq!((stage.forwarded[0].attempts, stage.forwarded[0].crashes), (1, 2));
}

#[test]
fn rule_8_a_record_that_is_to_be_held_is_left_where_it_is_until_somebody_buries_it() {
    let order = Order::by_key(OnExhausted::Dead);
    let mut stage = Stage::new(Setup { order, on_crash: OnCrash::Hold, ..Setup::default() }, 300);
    stage.run(120, kills(57));
    assert_eq!((stage.deaths, stage.letters.len()), (5, 0));
    // Its key waits with it: of five keys, the others are done.
    let behind: Vec<i64> = (57..300).filter(|offset| offset % 5 == 57 % 5).collect();
    assert!(stage.is_all_done_but(300, &behind));
    let held = stage.notices.iter().filter(|notice| matches!(notice, Notice::Held { why: HoldReason::Crashed, .. }));
    assert_eq!(held.count(), 1);
    let condemned = |notice: &&Notice| matches!(notice, Notice::SuspectCondemned { offset: 57, held: true, .. });
    assert_eq!(stage.notices.iter().filter(condemned).count(), 1);
    // A restart changes nothing.
    stage.restart();
    stage.run(30, kills(57));
    assert_eq!((stage.deaths, stage.letters.len()), (5, 0));
    assert!(stage.is_all_done_but(300, &behind));
    stage.set_on_crash(OnCrash::Bury);
    stage.restart();
    stage.run(30, kills(57));
    assert_eq!((stage.deaths, stage.letters.len()), (5, 1));
    assert!(stage.is_all_done_but(300, &[57]));
}

/// Beside long attempts the culprit is found, though it is not alone at first.
#[test]
fn rule_8_long_attempts_do_not_hide_the_record_that_kills() {
    let mut stage = Stage::new(Setup::default(), 300);
    let long = |offset: i64| offset % 10 == 3 && offset < 200;
    let mut handler = |work: &Work<Rec>| match work.record.0 {
        57 => Deed::Kills,
        offset if long(offset) => Deed::Stays,
        _ => DONE,
    };
    stage.run(900, &mut handler);
    assert_eq!(stage.letters.iter().map(|letter| letter.origin.offset).collect::<Vec<_>>(), [57]);
    assert!(stage.deaths <= 16, "{}", stage.deaths);
    let left: Vec<i64> = (0..300).filter(|&offset| long(offset) || offset == 57).collect();
    assert!(stage.is_all_done_but(300, &left));
}
