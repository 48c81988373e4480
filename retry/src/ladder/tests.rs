use super::*;
use proptest::prelude::*;

const MONTH_MILLIS: u64 = 30 * 24 * 3600 * 1000;

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn ladder(delays: &[u64]) -> Ladder {
    Ladder::new(delays.iter().copied().map(seconds)).unwrap()
}

#[test]
fn what_makes_no_ladder_is_refused() {
    assert_eq!(Ladder::new([]), Err(LadderError::Empty));
    assert_eq!(Ladder::new([Duration::ZERO, seconds(5)]), Err(LadderError::Zero));
    for delays in [&[seconds(5), seconds(5)][..], &[seconds(60), seconds(5)], &[seconds(5), Duration::ZERO]] {
        let error = Ladder::new(delays.iter().copied()).unwrap_err();
        assert!(matches!(error, LadderError::NotIncreasing { tier: 2, .. }), "{error}");
    }
    for delay in [Duration::from_millis(1500), seconds(366 * 24 * 3600)] {
        assert!(matches!(Ladder::new([delay]), Err(LadderError::Delay(_))));
    }
}

#[test]
fn the_default_ladder_checks_itself() {
    let ladder = Ladder::default();
    assert_eq!(Ladder::new(ladder.delays().iter().copied()), Ok(ladder.clone()));
    assert_eq!(ladder.warnings(), []);
}

#[test]
fn the_default_schedule_takes_one_hop_per_wait() {
    let (ladder, schedule) = (Ladder::default(), crate::schedule::Schedule::default());
    for delay in (0..).map_while(|step| schedule.delay(step)) {
        assert_eq!((ladder.hops(delay), ladder.rounded_up(delay)), (1, delay));
    }
}

#[test]
fn a_wait_goes_down_the_ladder_and_is_rounded_up() {
    let default = Ladder::default();
    for (wait, hops, rounded_up) in [
        (0, 1, 5),
        (1, 1, 5),
        (5, 1, 5),
        (30, 6, 30),
        (41, 1, 60),
        (90, 7, 90),
        (59 * 60, 1, 3600),
        (7200, 2, 7200),
        (48 * 3600, 8, 48 * 3600),
        (60 * 3600 + 1, 11, 60 * 3600 + 5),
        (62 * 3600 + 61, 14, 62 * 3600 + 65),
        (30 * 24 * 3600, 120, 30 * 24 * 3600),
    ] {
        assert_eq!(default.hops(seconds(wait)), hops, "{wait}");
        assert_eq!(default.rounded_up(seconds(wait)), seconds(rounded_up), "{wait}");
    }
    assert_eq!(ladder(&[5, 3600]).hops(seconds(59 * 60)), 1);
    assert_eq!(ladder(&[1]).hops(Duration::MAX), u32::MAX);
}

#[test]
fn a_gap_is_told_with_what_fills_it() {
    let gaps = ladder(&[5, 3600]).warnings();
    assert_eq!(gaps[0].offered, [seconds(60), seconds(600)]);
    assert_eq!(gaps[0].to_string(), "tiers 5s and 1h are far apart, and waits between them will be late; add 1m 10m");
    assert_eq!(ladder(&[5, 60, 720]).warnings(), []);
}

fn ladders() -> impl Strategy<Value = Ladder> {
    // Spread evenly over magnitudes, from a second to a year.
    let delay = (0u32..25, any::<u32>())
        .prop_map(|(bits, low)| ((1u64 << bits) + u64::from(low) % (1 << bits)).min(31_536_000));
    prop::collection::btree_set(delay, 1..12).prop_map(|delays| Ladder::new(delays.into_iter().map(seconds)).unwrap())
}

/// Spread evenly over magnitudes, from nothing to 30 days.
fn waits() -> impl Strategy<Value = Duration> {
    (0u32..32, any::<u64>()).prop_map(|(bits, low)| Duration::from_millis(low % (1u64 << bits).min(MONTH_MILLIS + 1)))
}

/// The bound that the module's second invariant states.
fn most_hops(ladder: &Ladder, wait: Duration) -> u32 {
    let rounds = wait.as_nanos().div_ceil(ladder.longest.as_nanos()) as u32;
    if rounds <= MAX_HOPS { MAX_HOPS } else { rounds - 1 + MAX_HOPS }
}

/// Serves a wait; each hop comes late as told. Returns the hops made, the time they took, and all lateness.
fn serve(ladder: &Ladder, wait: Duration, late: &[Duration]) -> (u32, Duration, Duration) {
    let (mut hop, mut elapsed, mut lateness) = (0u32, Duration::ZERO, Duration::ZERO);
    while hop == 0 || elapsed < wait {
        let late = if late.is_empty() { Duration::ZERO } else { late[hop as usize % late.len()] };
        elapsed += ladder.route(wait.saturating_sub(elapsed), hop) + late;
        lateness += late;
        hop += 1;
    }
    (hop, elapsed, lateness)
}

/// The bound that the module's third invariant states.
fn rounding_bound(ladder: &Ladder, wait: Duration) -> Duration {
    let ratio = |pair: &[Duration]| pair[1].as_secs_f64() / pair[0].as_secs_f64();
    let widest = ladder.delays().windows(2).map(ratio).fold(1.0, f64::max);
    ladder.delays()[0].max(wait / 2).max(wait.mul_f64(((widest - 8.0) / 8.0).max(0.0)))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn a_wait_is_served_in_few_hops_and_never_early(ladder in ladders(), wait in waits()) {
        prop_assume!(most_hops(&ladder, wait) < 10_000);
        let (hops, elapsed, _) = serve(&ladder, wait, &[]);
        prop_assert!(elapsed >= wait);
        prop_assert!(hops <= most_hops(&ladder, wait), "{} hops", hops);
        prop_assert_eq!(hops, ladder.hops(wait));
        prop_assert_eq!(elapsed, ladder.rounded_up(wait));
    }

    #[test]
    fn rounding_up_is_bounded(ladder in ladders(), wait in waits()) {
        let late = ladder.rounded_up(wait) - wait;
        let bound = rounding_bound(&ladder, wait);
        prop_assert!(late <= bound, "{:?} late, bound {:?}", late, bound);
        if wait > Duration::ZERO && ladder.warnings().is_empty() && wait >= ladder.delays()[0] {
            prop_assert!(ladder.rounded_up(wait) < 2 * wait);
        }
    }

    #[test]
    fn hops_that_come_late_add_no_hop_and_only_their_own_lateness(
        ladder in ladders(), wait in waits(), late in prop::collection::vec(waits(), 1..9),
    ) {
        prop_assume!(most_hops(&ladder, wait) < 10_000);
        let (hops, elapsed, lateness) = serve(&ladder, wait, &late);
        prop_assert!(elapsed >= wait);
        prop_assert!(hops <= most_hops(&ladder, wait), "{} hops", hops);
        prop_assert!(elapsed <= ladder.rounded_up(wait) + lateness);
    }

    #[test]
    fn a_longer_wait_never_ends_sooner(ladder in ladders(), one in waits(), other in waits()) {
        let (short, long) = (one.min(other), one.max(other));
        prop_assert!(ladder.rounded_up(short) <= ladder.rounded_up(long));
    }

    #[test]
    fn a_route_is_always_a_tier(ladder in ladders(), wait in any::<Duration>(), hop in any::<u32>()) {
        prop_assert!(ladder.delays().contains(&ladder.route(wait, hop)));
    }

    #[test]
    fn what_is_offered_leaves_no_gap(ladder in ladders()) {
        let offered = ladder.warnings().into_iter().flat_map(|gap| gap.offered);
        let mut delays: Vec<_> = ladder.delays().iter().copied().chain(offered).collect();
        delays.sort();
        let mended = Ladder::new(delays);
        prop_assert!(mended.is_ok_and(|mended| mended.warnings().is_empty()));
    }
}

#[test]
fn the_next_wait_begins_a_block_of_hops_and_the_last_number_stays() {
    let begins = [0, 1, MAX_HOPS - 1, MAX_HOPS, MAX_HOPS + 1, u32::MAX].map(new_wait);
    assert_eq!(begins, [0, MAX_HOPS, MAX_HOPS, MAX_HOPS, 2 * MAX_HOPS, u32::MAX]);
}

#[test]
fn no_tier_is_offered_that_is_there() {
    let seconds = Duration::from_secs;
    // From 10 s on, the 120 s of the next tier are just within the ratio.
    let warnings = Ladder::new([1, 120].map(seconds)).unwrap().warnings();
    assert_eq!(warnings, [Gap { below: seconds(1), above: seconds(120), offered: vec![seconds(10)] }]);
}
