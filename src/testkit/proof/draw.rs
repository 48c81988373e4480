//! The schedule of a seed: its size, its mixture of faults, and what its records do.
//!
//! Most lives are short: what breaks a promise is mostly a few decisions close together, and a short life costs a
//! hundredth of a long one. One in fifty is long, for what only builds up.

use super::{
    deed::Deed,
    script::{Ordering, Script, Strike, Task},
};
use crate::broker::sim::{
    faults::{Fault, Plan},
    random::Random,
};

/// How much of everything.
struct Size {
    records: (u64, u64),
    seconds: (u64, u64),
    members: (u64, u64),
    partitions: (u64, u64),
}

const SHORT: Size = Size { records: (4, 30), seconds: (2, 12), members: (1, 3), partitions: (1, 3) };
const MEDIUM: Size = Size { records: (30, 100), seconds: (10, 50), members: (1, 4), partitions: (2, 6) };
const LONG: Size = Size { records: (200, 500), seconds: (60, 150), members: (2, 4), partitions: (3, 8) };

/// Kinds that are left out. When a topic is made anew, the last commit of its predecessor may be stored after it, by
/// name: once the new log has grown past that offset nobody can tell (see `retrial_core::start`).
const LEFT_OUT: [Fault; 1] = [Fault::TopicRecreated];

impl Script {
    /// The schedule of this seed.
    #[must_use]
    pub fn drawn(seed: u64) -> Self {
        let mut random = Random::new(seed);
        let size = match random.below(100) {
            0..2 => LONG,
            2..14 => MEDIUM,
            _ => SHORT,
        };
        let random = &mut random;
        let until = between(random, size.seconds) * 1_000;
        let members = between(random, size.members) as usize;
        let ordering = match random.below(10) {
            0..5 => Ordering::None,
            5..8 => Ordering::KeyDead,
            8 => Ordering::KeyHold,
            _ => Ordering::PartitionDead,
        };
        let mut tiers = one::<&[u64]>(random, &[&[1], &[1, 3], &[1, 3], &[1, 5], &[2, 30]]).to_vec();
        // Records that wait one behind the other for half a minute each make a life of nothing else.
        if ordering == Ordering::KeyHold {
            tiers = vec![1];
        }
        let bystander = random.below(4) == 0;
        let destructive = random.below(4) == 0;
        let mut faults = faults(random, destructive);
        // Only a long life trims its tiers.
        if until > 60_000 && faults.iter().all(|(fault, _)| *fault != Fault::TrimFailed) && random.below(2) == 0 {
            faults.push((Fault::TrimFailed, Plan::Chance(5_000)));
        }
        let strikes = strikes(random, until, members, destructive);
        let most = if ordering == Ordering::None || ordering == Ordering::KeyDead { u64::MAX } else { 80 };
        let records = between(random, size.records).min(most);
        let tasks = tasks(random, records, until, &strikes);
        let longest = tiers.last().copied().unwrap_or(1);
        let mut script = Self {
            seed,
            members,
            partitions: between(random, size.partitions) as i32,
            ordering,
            tiers,
            slots: one(random, &[20, 20, 5, 2]),
            // Otherwise a life of slow records in a row lasts for minutes of nothing.
            timeout: one(random, &[2, 3, 5]),
            session: one(random, &[2, 3, 6]),
            memory: one(random, &[1 << 20, 1 << 20, 16 << 10, 4 << 10]),
            bystander,
            until: if longest > 5 { until.max(20_000) } else { until },
            faults,
            strikes,
            tasks,
        };
        if destructive && random.below(3) == 0 {
            change_of_owner(random, &mut script);
        }
        script
    }
}

/// Whether lives have this kind of fault.
pub(super) fn is_drawn(fault: Fault) -> bool {
    !LEFT_OUT.contains(&fault)
}

fn between(random: &mut Random, (least, most): (u64, u64)) -> u64 {
    random.between(&(least..=most))
}

fn one<T: Copy>(random: &mut Random, from: &[T]) -> T {
    from[random.below(from.len() as u64) as usize]
}

fn may_be(fault: Fault, destructive: bool) -> bool {
    (destructive || !fault.destroys()) && !LEFT_OUT.contains(&fault)
}

/// Few kinds, or a third of them, each as often as the seed says.
fn faults(random: &mut Random, destructive: bool) -> Vec<(Fault, Plan)> {
    let share = one(random, &[800, 2_000, 3_333]);
    let mut faults = Vec::new();
    for fault in Fault::ALL.into_iter().filter(|&fault| may_be(fault, destructive) && !Fault::TIMED.contains(&fault)) {
        if random.happens(share) {
            faults.push((fault, Plan::Chance(random.between(&fault.usual()) as u32)));
        }
    }
    faults
}

/// What comes by itself; every second one brings another within a drain's time.
fn strikes(random: &mut Random, until: u64, members: usize, destructive: bool) -> Vec<(u64, Strike)> {
    let mut strikes = Vec::new();
    let kinds: Vec<Fault> = Fault::TIMED.into_iter().filter(|&fault| may_be(fault, destructive)).collect();
    for _ in 0..random.below(2 + until / 4_000) {
        let mut at = random.below(until);
        loop {
            strikes.push((at, strike(random, &kinds, members)));
            if random.below(2) == 0 {
                break;
            }
            at = (at + random.below(2_500)).min(until);
        }
    }
    strikes.sort_by_key(|&(at, _)| at);
    strikes
}

/// A log loses records just before or after its owner dies, so that what the next one reads in the commit is not what
/// it finds in the log: finished records behind one that is not, and new ones in their place.
fn change_of_owner(random: &mut Random, script: &mut Script) {
    let at = 2_000 + random.below(script.until);
    let destroys = one(random, &[Fault::Retention, Fault::UncleanElection]);
    let after = random.below(100);
    let (death, loss) = if random.below(2) == 0 { (0, after) } else { (after, 0) };
    script.strikes.push((at + death, Strike::Fault(Fault::Crash)));
    script.strikes.push((at + loss, Strike::Fault(destroys)));
    script.strikes.sort_by_key(|&(at, _)| at);
    let before = at - 1_500;
    let mut task = |at, deed| script.tasks.push(Task { at, key: random.below(30) as u8, deed });
    task(before, Deed::Hang(1));
    (0..6).for_each(|_| task(before + 1, Deed::Well));
    (0..3).for_each(|_| task(at + 100, Deed::Well));
    script.tasks.sort_by_key(|task| task.at);
    (script.partitions, script.timeout, script.until) = (1, 5, script.until.max(at + 500));
}

fn strike(random: &mut Random, kinds: &[Fault], members: usize) -> Strike {
    match random.below(8) {
        0 => Strike::Join,
        1 => Strike::Stop(random.below(members as u64) as usize),
        2 => Strike::Fault(Fault::Crash),
        _ => Strike::Fault(one(random, kinds)),
    }
}

fn tasks(random: &mut Random, records: u64, until: u64, strikes: &[(u64, Strike)]) -> Vec<Task> {
    let keys = one(random, &[2, 5, 30]);
    let mut tasks = Vec::new();
    let mut at = 0;
    while (tasks.len() as u64) < records {
        // In bursts, some of them when something happens: what waits, and what runs side by side, is what faults meet.
        at = match (random.below(6), strikes.is_empty()) {
            (0, _) | (1, true) => random.below(until),
            (1, false) => (one(random, strikes).0 + random.below(800)).saturating_sub(400),
            _ => at,
        };
        tasks.push(Task { at, key: random.below(keys) as u8, deed: deed(random) });
    }
    tasks.sort_by_key(|task| task.at);
    tasks
}

fn deed(random: &mut Random) -> Deed {
    match random.below(32) {
        0..3 => Deed::Fail(1),
        3 => Deed::Fail(2),
        4..6 => Deed::Fail(9),
        6 => Deed::Hang(1 + random.below(2) as u32),
        7..9 => Deed::Panic(1 + random.below(2) as u32),
        9 => Deed::Dead,
        10 => Deed::Discard,
        11..13 => Deed::After(random.below(6_000)),
        13 => Deed::Snooze(random.below(4_000)),
        14 => Deed::Hold(random.below(1_500)),
        15 => Deed::Garbage,
        16 => Deed::Large(random.below(1_000)),
        17..23 => Deed::Slow(random.below(2_000)),
        _ => Deed::Well,
    }
}
