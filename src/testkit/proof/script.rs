//! A schedule as data: everything that is decided before a life begins, in a form that can be read, cut and repeated.
//!
//! ```text
//! seed=7 members=2 partitions=3 order=none tiers=1s,5s slots=20 timeout=3s session=6s memory=65536 bystander=no until=20000
//! | commit-lost=~300 crash=12,88 | 1500:freeze 3200:join 9000:stop-0 | 0:k3:slow-300 120:k1:fail-2
//! ```
//!
//! Four parts: the world; faults with their chance (of 10,000) or the numbers of the occasions that go wrong; what
//! comes by itself, with milliseconds from the start; records with the millisecond, the key and what their handler
//! does. Latencies, and how a fault turns out, are thrown by the seed.

use super::deed::Deed;
use crate::broker::sim::faults::{Fault, Plan};
use retrial_core::order::{OnExhausted, Order};
use std::{fmt, str::FromStr, time::Duration};

/// Which records run in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ordering {
    None,
    KeyDead,
    KeyHold,
    PartitionDead,
}

impl Ordering {
    const ALL: [(Self, &'static str); 4] = [
        (Self::None, "none"),
        (Self::KeyDead, "key-dead"),
        (Self::KeyHold, "key-hold"),
        (Self::PartitionDead, "partition-dead"),
    ];

    /// As the app is told.
    pub(crate) const fn order(self) -> Order {
        match self {
            Self::None => Order::unordered(),
            Self::KeyDead => Order::by_key(OnExhausted::Dead),
            Self::KeyHold => Order::by_key(OnExhausted::Hold),
            Self::PartitionDead => Order::by_partition(OnExhausted::Dead),
        }
    }
}

/// Something that comes by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Strike {
    Fault(Fault),
    Join,
    Stop(usize),
}

/// A record and what its handler does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Task {
    pub(crate) at: u64,
    pub(crate) key: u8,
    pub(crate) deed: Deed,
}

/// One schedule. See the module's header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    pub(crate) seed: u64,
    pub(crate) members: usize,
    pub(crate) partitions: i32,
    pub(crate) ordering: Ordering,
    /// Seconds.
    pub(crate) tiers: Vec<u64>,
    pub(crate) slots: usize,
    /// Of a handler, in seconds.
    pub(crate) timeout: u64,
    /// In seconds.
    pub(crate) session: u64,
    /// Bytes of records that a member may hold.
    pub(crate) memory: usize,
    /// Whether another group reads the same topic.
    pub(crate) bystander: bool,
    /// Milliseconds after which nothing goes wrong any more.
    pub(crate) until: u64,
    pub(crate) faults: Vec<(Fault, Plan)>,
    pub(crate) strikes: Vec<(u64, Strike)>,
    pub(crate) tasks: Vec<Task>,
}

impl Script {
    pub(crate) fn session(&self) -> Duration {
        Duration::from_secs(self.session)
    }

    pub(crate) fn tiers(&self) -> Vec<Duration> {
        self.tiers.iter().copied().map(Duration::from_secs).collect()
    }

    /// How many decisions it is made of: what there is to cut.
    #[must_use]
    pub fn len(&self) -> usize {
        let planned = |(_, plan): &(Fault, Plan)| if let Plan::At(numbers) = plan { numbers.len() } else { 1 };
        self.faults.iter().map(planned).sum::<usize>() + self.strikes.len() + self.tasks.len() + self.members
    }

    /// Whether nothing happens in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, members, partitions, slots, timeout, session, memory, until, .. } = self;
        let order =
            Ordering::ALL.into_iter().find(|(ordering, _)| *ordering == self.ordering).map_or("", |(_, name)| name);
        let tiers = joined(self.tiers.iter().map(|tier| format!("{tier}s")), ",");
        let bystander = if self.bystander { "yes" } else { "no" };
        let faults = self.faults.iter().map(|(fault, plan)| format!("{}={}", fault.name(), Planned(plan)));
        let strikes = self.strikes.iter().map(|(at, strike)| format!("{at}:{strike}"));
        let tasks = self.tasks.iter().map(|Task { at, key, deed }| format!("{at}:k{key}:{deed}"));
        write!(f, "seed={seed} members={members} partitions={partitions} order={order} tiers={tiers} slots={slots} ")?;
        write!(f, "timeout={timeout}s session={session}s memory={memory} bystander={bystander} until={until} | ")?;
        write!(f, "{} | {} | {}", joined(faults, " "), joined(strikes, " "), joined(tasks, " "))
    }
}

fn joined(parts: impl Iterator<Item = String>, between: &str) -> String {
    parts.collect::<Vec<_>>().join(between)
}

struct Planned<'a>(&'a Plan);

impl fmt::Display for Planned<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Plan::Never => f.write_str("never"),
            Plan::Chance(chance) => write!(f, "~{chance}"),
            Plan::At(numbers) => f.write_str(&joined(numbers.iter().map(u64::to_string), ",")),
        }
    }
}

impl fmt::Display for Strike {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fault(fault) => f.write_str(&fault.name()),
            Self::Join => f.write_str("join"),
            Self::Stop(seat) => write!(f, "stop-{seat}"),
        }
    }
}

/// A text that is no script, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no script: `{0}`")]
pub struct Unreadable(String);

fn read<T: FromStr>(text: &str) -> Result<T, Unreadable> {
    text.parse().map_err(|_| Unreadable(text.to_owned()))
}

fn numbers<T: FromStr>(text: &str) -> Result<Vec<T>, Unreadable> {
    text.split(',').map(|number| read(number.trim_end_matches('s'))).collect()
}

fn pair(text: &str, between: char) -> Result<(&str, &str), Unreadable> {
    text.split_once(between).ok_or_else(|| Unreadable(text.to_owned()))
}

fn world(text: &str) -> Result<Script, Unreadable> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let value = |name: &str| {
        let found = words.iter().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| Unreadable(format!("nothing says {name}")))
    };
    let ordering = value("order")?;
    let ordering = Ordering::ALL.into_iter().find(|(_, name)| *name == ordering);
    Ok(Script {
        seed: read(value("seed")?)?,
        members: read(value("members")?)?,
        partitions: read(value("partitions")?)?,
        ordering: ordering.ok_or_else(|| Unreadable("order".into()))?.0,
        tiers: numbers(value("tiers")?)?,
        slots: read(value("slots")?)?,
        timeout: read(value("timeout")?.trim_end_matches('s'))?,
        session: read(value("session")?.trim_end_matches('s'))?,
        memory: read(value("memory")?)?,
        bystander: value("bystander")? == "yes",
        until: read(value("until")?)?,
        faults: Vec::new(),
        strikes: Vec::new(),
        tasks: Vec::new(),
    })
}

fn fault(text: &str) -> Result<(Fault, Plan), Unreadable> {
    let (name, plan) = pair(text, '=')?;
    let fault = Fault::named(name).ok_or_else(|| Unreadable(text.to_owned()))?;
    let plan = match plan.strip_prefix('~') {
        Some(chance) => Plan::Chance(read(chance)?),
        None => Plan::At(numbers(plan)?),
    };
    Ok((fault, plan))
}

fn strike(text: &str) -> Result<(u64, Strike), Unreadable> {
    let (at, what) = pair(text, ':')?;
    let strike = match (what, what.strip_prefix("stop-")) {
        ("join", _) => Strike::Join,
        (_, Some(seat)) => Strike::Stop(read(seat)?),
        (name, None) => Strike::Fault(Fault::named(name).ok_or_else(|| Unreadable(text.to_owned()))?),
    };
    Ok((read(at)?, strike))
}

fn task(text: &str) -> Result<Task, Unreadable> {
    let (at, rest) = pair(text, ':')?;
    let (key, deed) = pair(rest, ':')?;
    let deed = deed.parse().map_err(|()| Unreadable(text.to_owned()))?;
    Ok(Task { at: read(at)?, key: read(key.trim_start_matches('k'))?, deed })
}

impl FromStr for Script {
    type Err = Unreadable;

    fn from_str(text: &str) -> Result<Self, Unreadable> {
        let mut parts = text.split('|');
        let mut script = world(parts.next().unwrap_or_default())?;
        let mut part = || parts.next().unwrap_or_default().split_whitespace();
        script.faults = part().map(fault).collect::<Result<_, _>>()?;
        script.strikes = part().map(strike).collect::<Result<_, _>>()?;
        script.tasks = part().map(task).collect::<Result<_, _>>()?;
        Ok(script)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_read_back_as_it_was_written() {
        for seed in 0..500 {
            let mut script = Script::drawn(seed);
            assert_eq!(script.to_string().parse(), Ok(script.clone()));
            script.faults.iter_mut().for_each(|(_, plan)| *plan = Plan::At(vec![1, 17]));
            assert_eq!(script.to_string().parse(), Ok(script));
        }
    }

    #[test]
    fn what_is_no_script_is_refused() {
        let good = Script::drawn(1).to_string();
        assert!("".parse::<Script>().is_err());
        assert!(good.replace("members=", "member=").parse::<Script>().is_err());
        assert!(format!("{good} 12:k1:juggle").parse::<Script>().is_err());
    }
}
