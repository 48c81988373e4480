use super::*;
use crate::schedule::Schedule;
use OnExhausted::{Dead, Hold, Overtake};
use proptest::prelude::*;
use std::{collections::HashSet, sync::Arc};

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

fn origin() -> Origin {
    Origin { topic: "orders".into(), partition: 3, offset: 184_467 }
}

fn blank() -> History {
    History::new(origin(), SourceTime::Create(at(-7)))
}

fn attempted(history: Option<&History>, tries: u16, now: Timestamp) -> Attempted<'_> {
    let time = SourceTime::Create(at(-7));
    Attempted { history, origin: origin(), time, tries, now, in_place_allowed: true, random: u64::MAX }
}

fn failed() -> Outcome {
    Outcome::Retry(Reason::new("bank", "connection refused"))
}

fn timed_out() -> Outcome {
    Outcome::Retry(Reason::new("timeout", "60 s").abrupt())
}

fn after(wait: u64) -> Outcome {
    Outcome::RetryAfter(seconds(wait), Reason::new("limit", "429"))
}

/// With the defaults, by the broker's clock at second 100.
fn planned(history: Option<&History>, tries: u16, outcome: Outcome, order: Order) -> Plan {
    plan(attempted(history, tries, at(100)), outcome, &RetryPolicy::default(), order, &Ladder::default())
}

fn forwarded(plan: Plan) -> (Target, History) {
    let Plan::Forward { target, history } = plan else { panic!("not a forward: {plan:?}") };
    (target, Arc::unwrap_or_clone(history))
}

fn rested(plan: Plan) -> (Duration, History) {
    let Plan::Rest { delay, history } = plan else { panic!("no rest: {plan:?}") };
    (delay, Arc::unwrap_or_clone(history))
}

const ORDERS: [Order; 7] = [
    Order::Unordered,
    Order::ByKey(Dead),
    Order::ByKey(Hold),
    Order::ByKey(Overtake),
    Order::ByPartition(Dead),
    Order::ByPartition(Hold),
    Order::ByPartition(Overtake),
];

#[test]
fn what_ends_well_ends_whatever_the_order() {
    for order in ORDERS {
        assert_eq!(planned(None, 0, Outcome::Done, order), Plan::Done);
        assert_eq!(planned(None, 0, Outcome::Discard("old".into()), order), Plan::Discard("old".into()));
        let pause = Plan::HoldTopic { delay: seconds(30) };
        assert_eq!(planned(Some(&blank()), 2, Outcome::Hold(seconds(30)), order), pause);
    }
}

#[test]
fn a_failing_record_climbs_the_whole_schedule_and_is_then_buried() {
    let (mut history, mut now, mut tiers) = (None::<History>, at(0), Vec::new());
    let last = loop {
        let attempted = attempted(history.as_ref(), 2, now);
        let plan = plan(attempted, failed(), &RetryPolicy::default(), Order::unordered(), &Ladder::default());
        let (target, next) = forwarded(plan);
        assert_eq!(next.first_failed, Some(at(0)));
        assert_eq!(next.last_failed, Some(now));
        let Target::Tier(delay) = target else { break next };
        assert_eq!((next.due, next.hop, next.cause), (Some(now.after(delay)), 1, None));
        tiers.push(delay.as_secs());
        assert_eq!((next.attempts as usize, next.step as usize), (tiers.len(), tiers.len()));
        (now, history) = (now.after(delay), Some(next));
    };
    assert_eq!(tiers[..5], [5, 60, 600, 3600, 21_600]);
    assert_eq!((tiers.len(), last.attempts, last.step), (15, 16, 15));
    assert_eq!((last.cause, last.due), (Some(Cause::Exhausted), None));
    assert_eq!((last.error_kind.as_deref(), last.error.as_deref()), (Some("bank"), Some("connection refused")));
    assert_eq!((last.origin, last.time), (origin(), SourceTime::Create(at(-7))));
}

#[test]
fn tries_in_place_come_first_unless_the_attempt_was_cut_off_or_most_attempts_fail() {
    for order in ORDERS {
        for (tries, pause) in [(0, 50), (1, 100)] {
            let plan = planned(None, tries, failed(), order);
            assert_eq!(plan, Plan::InPlace(Duration::from_millis(pause)), "{order:?}");
        }
        for (tries, outcome) in [(2, failed()), (7, failed()), (0, timed_out()), (1, timed_out())] {
            assert!(!matches!(planned(None, tries, outcome, order), Plan::InPlace(_)), "{order:?} {tries}");
        }
        let allowed = Attempted { in_place_allowed: false, ..attempted(None, 0, at(100)) };
        let plan = plan(allowed, failed(), &RetryPolicy::default(), order, &Ladder::default());
        // With the dead letters behind them, tries in place are never spared.
        assert_eq!(matches!(plan, Plan::InPlace(_)), order.on_exhausted() == Some(Dead), "{order:?}");
    }
}

#[test]
fn where_order_ends_in_the_dead_letters_nothing_climbs_or_waits_for_the_schedule() {
    for order in [Order::ByKey(Dead), Order::ByPartition(Dead)] {
        for outcome in [failed(), timed_out(), after(9)] {
            let (target, history) = forwarded(planned(None, 2, outcome, order));
            let expected = (Target::DeadLetters, Some(Cause::Exhausted), 1, 0);
            assert_eq!((target, history.cause, history.attempts, history.step), expected);
        }
        assert_eq!(planned(None, 1, after(9), order), Plan::InPlace(seconds(9)));
        let (delay, history) = rested(planned(None, 0, Outcome::Snooze(seconds(9)), order));
        assert_eq!((delay, history.attempts, history.due), (seconds(9), 0, Some(at(109))));
    }
}

#[test]
fn a_held_key_rests_through_the_schedule_and_is_then_buried() {
    for order in [Order::ByKey(Hold), Order::ByPartition(Hold)] {
        let (delay, history) = rested(planned(None, 2, failed(), order));
        assert_eq!((delay, history.attempts, history.step, history.due), (seconds(5), 1, 1, Some(at(105))));
        let (delay, history) = rested(planned(Some(&history), 0, after(7), order));
        assert_eq!((delay, history.attempts, history.step), (seconds(7), 2, 2));
        let (target, history) = forwarded(planned(Some(&History { step: 15, ..history }), 2, failed(), order));
        assert_eq!((target, history.cause), (Target::DeadLetters, Some(Cause::Exhausted)));
    }
}

#[test]
fn a_delay_of_its_own_replaces_the_schedules_and_takes_a_step_of_it() {
    for order in [Order::Unordered, Order::ByKey(Overtake)] {
        let (target, history) = forwarded(planned(None, 0, after(3600), order));
        assert_eq!(target, Target::Tier(seconds(3600)));
        assert_eq!((history.attempts, history.step, history.due), (1, 1, Some(at(3700))));
        let (target, _) = forwarded(planned(Some(&History { step: 15, ..history }), 0, after(3600), order));
        assert_eq!(target, Target::DeadLetters);
    }
}

#[test]
fn a_snooze_counts_no_attempt_but_no_two_forwards_look_the_same() {
    let past = History { attempts: 3, step: 3, hop: 2, last_failed: Some(at(1)), ..blank() };
    let (target, first) = forwarded(planned(Some(&past), 0, Outcome::Snooze(seconds(70)), Order::Unordered));
    assert_eq!((target, first.hop), (Target::Tier(seconds(60)), 9));
    let (target, second) = forwarded(planned(Some(&first), 0, Outcome::Snooze(seconds(70)), Order::Unordered));
    assert_eq!((target, second.hop), (Target::Tier(seconds(60)), 17), "each wait has all its hops");
    assert_eq!((second.attempts, second.step, second.last_failed), (3, 3, Some(at(1))));
    let (_, third) = forwarded(planned(Some(&second), 2, failed(), Order::Unordered));
    assert_eq!((third.attempts, third.hop), (4, 1));
    let worn = History { hop: u32::MAX, ..blank() };
    let (_, wrapped) = forwarded(planned(Some(&worn), 0, Outcome::Snooze(seconds(70)), Order::Unordered));
    assert_eq!(wrapped.hop, 1);
}

#[test]
fn a_dead_letter_says_why() {
    for cause in Cause::ALL {
        let outcome = Outcome::Dead(cause, Reason::new("kind", &"long ".repeat(10_000)));
        let past = History { attempts: 2, step: 2, hop: 3, due: Some(at(99)), ..blank() };
        let (target, history) = forwarded(planned(Some(&past), 0, outcome, Order::by_key(Hold)));
        assert_eq!((target, history.cause, history.due), (Target::DeadLetters, Some(cause), None));
        let answered = matches!(cause, Cause::Exhausted | Cause::Refused | Cause::Undecodable);
        let (attempts, hop) = if answered { (3, 1) } else { (2, 4) };
        assert_eq!((history.attempts, history.hop), (attempts, hop), "{cause}");
        let no_failure = matches!(cause, Cause::Expired | Cause::Unhandled);
        assert_eq!((history.first_failed, history.last_failed).0.is_none(), no_failure, "{cause}");
        assert_eq!(history.error_kind.as_deref(), Some("kind"));
        assert_eq!(history.error.map(|text| text.len()), Some(crate::outcome::MAX_MESSAGE_BYTES));
    }
}

#[test]
fn a_dead_letter_that_was_brought_back_says_nothing_of_its_death_while_it_waits() {
    let letter = History { cause: Some(Cause::Refused), attempts: 2, hop: 1, ..blank() };
    let (_, retried) = forwarded(planned(Some(&letter), 2, failed(), Order::Unordered));
    let (_, snoozed) = forwarded(planned(Some(&letter), 2, Outcome::Snooze(seconds(60)), Order::Unordered));
    let (_, unhandled) = forwarded(unhandled(&letter, at(100), &Ladder::default()));
    let due = History { due: Some(at(9_000)), ..letter };
    let Arrive::Forward { history: hopped, .. } = arrival(&due, at(100), &Ladder::default()) else { panic!() };
    for history in [retried, snoozed, unhandled, Arc::unwrap_or_clone(hopped)] {
        assert_eq!(history.cause, None, "{history:?}");
    }
    let (_, buried) =
        forwarded(planned(Some(&due), 2, Outcome::Dead(Cause::Refused, Reason::new("no", "no")), Order::Unordered));
    assert_eq!(buried.cause, Some(Cause::Refused));
}

#[test]
fn after_the_gate_a_record_runs_rests_or_hops() {
    let ladder = Ladder::default();
    let waiting = |due: Option<Timestamp>| History { due, hop: 1, attempts: 1, ..blank() };
    assert_eq!(arrival(&waiting(None), at(100), &ladder), Arrive::Run);
    assert_eq!(arrival(&waiting(Some(at(100))), at(100), &ladder), Arrive::Run);
    assert_eq!(arrival(&waiting(Some(at(104))), at(100), &ladder), Arrive::Rest(seconds(4)));
    let Arrive::Forward { target, history } = arrival(&waiting(Some(at(170))), at(100), &ladder) else { panic!() };
    assert_eq!((target, history.hop, history.attempts), (Target::Tier(seconds(60)), 2, 1));
    assert_eq!(history.due, Some(at(170)));
    // The eighth hop must be the last; the ninth is the first but one of a second wait.
    for (hop, tier) in [(6, 60), (7, 600), (8, 60), (9, 60), (15, 600)] {
        let history = History { hop, ..waiting(Some(at(170))) };
        let Arrive::Forward { target, .. } = arrival(&history, at(100), &ladder) else { panic!() };
        assert_eq!(target, Target::Tier(seconds(tier)), "hop {hop}");
    }
    let slow = Ladder::new([seconds(2), seconds(60)]).unwrap();
    assert!(matches!(arrival(&waiting(Some(at(103))), at(100), &slow), Arrive::Forward { .. }));
}

#[test]
fn what_expired_is_buried_with_its_last_failure() {
    let late = History { expires: Some(at(100)), due: Some(at(500)), ..blank() };
    let told = History { error_kind: Some("bank".into()), error: Some("down".into()), ..late.clone() };
    for (history, kind, error) in
        [(&late, "expired", "not worth doing any more since 1970-01-01T00:01:40.000Z"), (&told, "bank", "down")]
    {
        let Arrive::Forward { target, history } = arrival(history, at(100), &Ladder::default()) else { panic!() };
        assert_eq!((target, history.cause), (Target::DeadLetters, Some(Cause::Expired)));
        assert_eq!((history.error_kind.as_deref(), history.error.as_deref()), (Some(kind), Some(error)));
        assert_eq!((history.attempts, history.last_failed), (0, None));
    }
    assert_ne!(arrival(&late, at(99), &Ladder::default()), Arrive::Run);
    assert_eq!(arrival(&History { due: None, ..late }, at(99), &Ladder::default()), Arrive::Run);
}

#[test]
fn a_record_that_nobody_handles_goes_round_for_a_day_in_few_rounds() {
    let ladder = Ladder::default();
    // It failed once, and the whole group was away for two days after that.
    let mut history = History { attempts: 1, step: 1, hop: 1, due: Some(at(5)), ..blank() };
    history.error_kind = Some("bank".into());
    let begin = at(2 * 86_400);
    let (mut now, mut rounds, mut hops) = (begin, Vec::new(), HashSet::new());
    let buried = loop {
        assert_eq!(arrival(&history, now, &ladder), Arrive::Run);
        let (target, next) = forwarded(unhandled(&history, now, &ladder));
        assert!(hops.insert(next.hop), "two forwards with hop {}", next.hop);
        assert_eq!((next.attempts, next.step), (1, 1));
        let Target::Tier(delay) = target else { break next };
        assert!(delay >= seconds(30));
        assert_eq!(next.due, Some(begin));
        rounds.push(delay.as_secs());
        (history, now) = (next, now.after(delay));
    };
    assert_eq!(buried.cause, Some(Cause::Unhandled));
    assert_eq!(buried.error.as_deref(), Some("nobody handles orders here, since 1970-01-03T00:00:00.000Z"));
    assert!((86_400..86_400 + 60).contains(&now.since(begin).as_secs()), "{:?}", now.since(begin));
    assert!(rounds[..3] == [60, 60, 60] && rounds.len() < 120, "{} rounds: {rounds:?}", rounds.len());
}

#[test]
fn the_rounds_of_what_nobody_handles_are_a_quarter_of_the_time_gone_and_end_with_the_day() {
    let ladder = Ladder::new([5, 30, 300, 3_600, 21_600].map(seconds)).unwrap();
    let history = History { error_kind: Some(UNHANDLED.into()), due: Some(at(0)), ..blank() };
    for (elapsed, tier) in [
        (0, 30),
        (1_199, 30),
        (1_200, 300),
        (14_399, 300),
        (14_400, 3_600),
        (64_829, 3_600),
        // The rest of the day, and half a minute, is shorter than six hours from here on.
        (82_830, 3_600),
        (82_831, 300),
        (86_399, 30),
    ] {
        let (target, _) = forwarded(unhandled(&history, at(elapsed), &ladder));
        assert_eq!(target, Target::Tier(seconds(tier)), "after {elapsed} s");
    }
}

#[test]
fn what_is_due_within_the_shortest_tier_rests_and_what_is_due_in_just_as_long_hops() {
    let ladder = Ladder::default();
    let due = |due| History { due: Some(due), hop: 3, ..blank() };
    assert_eq!(arrival(&due(at(105).shifted(-1)), at(100), &ladder), Arrive::Rest(Duration::from_millis(4_999)));
    let Arrive::Forward { target, history } = arrival(&due(at(105)), at(100), &ladder) else { panic!("no hop") };
    assert_eq!((target, history.hop), (Target::Tier(seconds(5)), 4));
    // The last hop of a wait goes up, whatever number it has.
    for hop in [7, 15] {
        let history = History { hop, ..due(at(120)) };
        let Arrive::Forward { target, .. } = arrival(&history, at(100), &ladder) else { panic!("no hop") };
        assert_eq!(target, Target::Tier(seconds(60)));
    }
}

#[test]
fn without_a_tier_to_go_round_in_it_rests() {
    for tiers in [&[5, 29][..], &[5, 86_401]] {
        let ladder = Ladder::new(tiers.iter().map(|&tier| seconds(tier))).unwrap();
        let (delay, history) = rested(unhandled(&blank(), at(100), &ladder));
        assert_eq!((delay, history.due), (seconds(30), Some(at(100))));
        assert_eq!(forwarded(unhandled(&history, at(100 + 86_400), &ladder)).0, Target::DeadLetters);
    }
}

#[derive(Clone, Debug)]
enum Answer {
    Failed,
    TimedOut,
    After(u64),
    Snooze(u64),
    HoldTopic(u64),
    Done,
    Discard,
    Refused,
}

impl Answer {
    fn outcome(&self, number: usize) -> Outcome {
        let reason = Reason::new("kind", &format!("failure {number}"));
        match *self {
            Self::Failed => Outcome::Retry(reason),
            Self::TimedOut => Outcome::Retry(reason.abrupt()),
            Self::After(wait) => Outcome::RetryAfter(seconds(wait), reason),
            Self::Snooze(wait) => Outcome::Snooze(seconds(wait)),
            Self::HoldTopic(wait) => Outcome::Hold(seconds(wait)),
            Self::Done => Outcome::Done,
            Self::Discard => Outcome::Discard("no".into()),
            Self::Refused => Outcome::Dead(Cause::Refused, reason),
        }
    }
}

fn answer() -> impl Strategy<Value = Answer> {
    let wait = || prop_oneof![Just(0u64), 0u64..100, 0u64..20_000];
    prop_oneof![
        12 => Just(Answer::Failed),
        4 => Just(Answer::TimedOut),
        6 => wait().prop_map(Answer::After),
        6 => wait().prop_map(Answer::Snooze),
        2 => wait().prop_map(Answer::HoldTopic),
        1 => Just(Answer::Done),
        1 => Just(Answer::Discard),
        1 => Just(Answer::Refused),
    ]
}

/// One record's life: what its handler answers, and how late each hop is in ms. Once the answers are used up it fails
/// for ever.
#[derive(Clone, Debug)]
struct Life {
    answers: Vec<Answer>,
    late: Vec<u64>,
    policy: RetryPolicy,
    ladder: Ladder,
    order: Order,
}

fn life() -> impl Strategy<Value = Life> {
    let schedule = proptest::collection::vec(prop_oneof![0u64..100, 0u64..20_000], 0..6);
    let tiers = proptest::collection::btree_set(1u64..2_000, 0..4);
    let late = proptest::collection::vec(0u64..3_000, 1..10);
    let order = proptest::sample::select(&ORDERS[..]);
    (proptest::collection::vec(answer(), 0..12), late, schedule, tiers, 2_000u64..9_000, 0u16..3, order).prop_map(
        |(answers, late, schedule, tiers, longest, in_place, order)| {
            let schedule = Schedule::delays(schedule.into_iter().map(seconds));
            let policy = RetryPolicy { schedule, in_place, ..RetryPolicy::default() };
            let ladder = Ladder::new(tiers.into_iter().chain([longest]).map(seconds)).unwrap();
            Life { answers, late, policy, ladder, order }
        },
    )
}

/// What must hold of each history that follows another.
fn check_step(before: Option<&History>, after: &History, counted: u32) -> Result<(), TestCaseError> {
    prop_assert_eq!(after.attempts, counted);
    prop_assert!(before.is_none_or(|before| before.attempts <= after.attempts && before.step <= after.step));
    let first = before.and_then(|before| before.first_failed);
    prop_assert!(first.is_none() || first == after.first_failed, "the first failure is told once");
    prop_assert!(after.error.as_ref().is_none_or(|error| error.len() <= crate::outcome::MAX_MESSAGE_BYTES));
    Ok(())
}

/// Takes a record that was written to a tier through its gates, up to the moment at which it runs.
fn climb(
    life: &Life,
    mut target: Target,
    history: &mut History,
    now: &mut Timestamp,
    seen: &mut HashSet<(u32, u32)>,
) -> Result<(), TestCaseError> {
    let (begin, due) = (*now, history.due.unwrap());
    let (wait, mut hops, mut lateness) = (due.since(begin), 0u32, Duration::ZERO);
    loop {
        prop_assert!(seen.insert((history.attempts, history.hop)), "a forward looks like one before it: {history:?}");
        let Target::Tier(delay) = target else { panic!("a wait ended in {target:?}") };
        prop_assert!(!life.order.keeps_lane() && life.ladder.delays().contains(&delay));
        hops += 1;
        let late = Duration::from_millis(life.late[hops as usize % life.late.len()]);
        lateness += late;
        *now = now.after(delay).after(late);
        match arrival(history, *now, &life.ladder) {
            Arrive::Run => break,
            Arrive::Rest(rest) => {
                prop_assert!(rest < life.ladder.delays()[0].min(seconds(5)));
                *now = now.after(rest);
                prop_assert_eq!(arrival(history, *now, &life.ladder), Arrive::Run);
                break;
            }
            Arrive::Forward { target: next, history: hopped } => {
                prop_assert_eq!((hopped.attempts, hopped.due), (history.attempts, history.due));
                (target, *history) = (next, Arc::unwrap_or_clone(hopped));
            }
        }
    }
    let longest = *life.ladder.delays().last().unwrap();
    let rounds = (wait.as_secs() / longest.as_secs()) as u32;
    prop_assert!(hops <= MAX_HOPS + rounds, "{hops} hops for {wait:?}");
    if rounds == 0 {
        let most = life.ladder.rounded_up(wait) + lateness;
        prop_assert!(now.since(begin) <= most, "{wait:?} took {:?}, of {most:?}", now.since(begin));
    }
    prop_assert!(*now >= due, "early");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]
    #[test]
    fn every_record_ends_never_early_and_with_a_true_history(life in life()) {
        let (mut history, mut now, mut tries, mut counted) = (None::<History>, at(1_000_000), 0u16, 0u32);
        let (mut seen, mut last_failure) = (HashSet::new(), None);
        // Each answer is used once; then every attempt takes a step of the schedule.
        let tries_each = usize::from(life.policy.in_place) + 1;
        let most = life.answers.len() + (life.policy.schedule.steps() as usize + 1) * tries_each;
        for run in 0.. {
            prop_assert!(run <= most, "no end after {run} runs");
            let answer = life.answers.get(run).cloned().unwrap_or(Answer::Failed);
            let outcome = answer.outcome(run);
            if let Outcome::Retry(reason) | Outcome::RetryAfter(_, reason) | Outcome::Dead(_, reason) = &outcome {
                last_failure = Some(reason.message().to_owned());
            }
            let in_place_allowed = run % 5 != 4;
            let random = (run as u64 * 7) << 59;
            let attempt = Attempted { in_place_allowed, random, ..attempted(history.as_ref(), tries, now) };
            let counts = matches!(outcome, Outcome::Retry(_) | Outcome::RetryAfter(..) | Outcome::Dead(..));
            match plan(attempt, outcome, &life.policy, life.order, &life.ladder) {
                Plan::Done => { prop_assert!(matches!(answer, Answer::Done)); break }
                Plan::Discard(_) => { prop_assert!(matches!(answer, Answer::Discard)); break }
                Plan::InPlace(pause) => {
                    prop_assert!(matches!(answer, Answer::Failed | Answer::After(_)) && tries < life.policy.in_place);
                    tries += 1;
                    now = now.after(pause);
                }
                Plan::HoldTopic { delay } => {
                    prop_assert!(matches!(answer, Answer::HoldTopic(_)));
                    now = now.after(delay);
                }
                Plan::Rest { delay, history: next } => {
                    prop_assert!(life.order.keeps_lane());
                    counted += u32::from(counts);
                    check_step(history.as_ref(), &next, counted)?;
                    prop_assert_eq!(next.due, Some(now.after(delay)));
                    (now, tries) = (now.after(delay), 0);
                    history = Some(Arc::unwrap_or_clone(next));
                }
                Plan::Forward { target: Target::DeadLetters, history: dead } => {
                    check_step(history.as_ref(), &dead, counted + 1)?;
                    prop_assert!(seen.insert((dead.attempts, dead.hop)));
                    let refused = matches!(answer, Answer::Refused);
                    prop_assert_eq!(dead.cause, Some(if refused { Cause::Refused } else { Cause::Exhausted }));
                    let over = dead.step == life.policy.schedule.steps();
                    prop_assert!(refused || over || life.order.on_exhausted() == Some(Dead), "buried too soon");
                    prop_assert_eq!((dead.error.clone(), dead.last_failed), (last_failure.clone(), Some(now)));
                    break;
                }
                Plan::Forward { target, history: next } => {
                    counted += u32::from(counts);
                    check_step(history.as_ref(), &next, counted)?;
                    tries = 0;
                    let mut next = Arc::unwrap_or_clone(next);
                    climb(&life, target, &mut next, &mut now, &mut seen)?;
                    history = Some(next);
                }
            }
        }
    }

    #[test]
    fn nothing_overflows(
        attempts: u32, step: u32, hop: u32, tries: u16,
        due: Option<i64>, expires: Option<i64>, now: i64, random: u64, wait: u64,
    ) {
        let time = |millis: Option<i64>| millis.map(Timestamp::from_millis);
        let history = History { attempts, step, hop, due: time(due), expires: time(expires), ..blank() };
        let (now, ladder, wait) = (Timestamp::from_millis(now), Ladder::default(), Duration::from_millis(wait));
        for outcome in [failed(), Outcome::Snooze(wait), Outcome::RetryAfter(wait, Reason::new("", ""))] {
            for order in ORDERS {
                let attempt = Attempted { random, ..attempted(Some(&history), tries, now) };
                let _ = plan(attempt, outcome.clone(), &RetryPolicy::default(), order, &ladder);
            }
        }
        let _ = (arrival(&history, now, &ladder), unhandled(&history, now, &ladder));
    }
}
