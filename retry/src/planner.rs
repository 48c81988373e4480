//! What becomes of a record after an attempt, after a tier's gate, and when nobody handles it.
//!
//! # Invariants
//! 1. Every record ends: an attempt that counts takes one step of the schedule, and the schedule has an end. Only a
//!    handler that snoozes or holds for ever keeps one.
//! 2. `attempts` never decreases, and no two forwards of a record carry the same `attempts` and `hop`: owners of tiers
//!    drop what repeats these (RULES 16), so a snooze, which counts no attempt, must go on counting hops.
//! 3. A record that came through a tier runs no sooner than its due time.
//! 4. Where order is kept ([`Order::keeps_lane`]) nothing goes to a tier.
//!
//! Hops are counted in blocks of [`MAX_HOPS`], a new wait beginning a new block: the place in the block is the number
//! of hops that this wait has made, which is what [`Ladder::route`] asks for.

use crate::{
    event::Target,
    history::{History, SourceTime},
    id::Origin,
    ladder::{Ladder, MAX_HOPS},
    order::{OnExhausted, Order, RetryPolicy},
    outcome::{Cause, Outcome, Reason},
    saboteur::{Saboteur, sabotaged},
    time::Timestamp,
};
use std::{sync::Arc, time::Duration};

/// A wait of less than this (and of less than the shortest tier) after a gate is rested in memory: a hop would make it
/// longer. Also what differing clocks leave over.
const SHORT_REST: Duration = Duration::from_secs(5);

/// Shortest tier through which records go round that nobody handles (RULES 25).
const UNHANDLED_WAIT: Duration = Duration::from_secs(30);

/// How long they go round.
const UNHANDLED_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Failure kind of records that nobody handles. It also marks that `due` says since when.
const UNHANDLED: &str = "unhandled";

/// An attempt that ended, or a try in place of one.
#[derive(Clone, Debug)]
pub struct Attempted<'a> {
    /// The record's past; `None` at the first attempt of a record of a source topic.
    pub history: Option<&'a History>,
    /// Where the record stood first. Used where there is no history yet.
    pub origin: Origin,
    /// Its timestamp there. Used where there is no history yet.
    pub time: SourceTime,
    /// Tries in place made before this one, within this attempt.
    pub tries: u16,
    /// The broker's time.
    pub now: Timestamp,
    /// False while so many attempts fail that further tries only add load.
    pub in_place_allowed: bool,
    /// A random number, evenly spread.
    pub random: u64,
}

/// What to do with a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Plan {
    /// It is finished.
    Done,
    /// It is finished without work, for this reason.
    Discard(String),
    /// Another try within this attempt after this pause. It keeps its lane and holds no slot.
    InPlace(Duration),
    /// It runs again after this delay, with this history, from memory. It keeps its lane and holds no slot.
    Rest {
        /// From now.
        delay: Duration,
        /// Its past from now on.
        history: Arc<History>,
    },
    /// Its topic takes nothing new for this long, and it runs again then, with the history it had.
    HoldTopic {
        /// From now.
        delay: Duration,
    },
    /// It is written there with this history; finished when that is acknowledged.
    Forward {
        /// Where to.
        target: Target,
        /// Its past from now on.
        history: Arc<History>,
    },
}

/// Plans what follows an attempt.
///
/// ```
/// use retrial_core::{event::Target, history::SourceTime, ladder::Ladder, order::{Order, RetryPolicy}};
/// use retrial_core::{outcome::{Outcome, Reason}, planner::{Attempted, Plan, plan}, time::Timestamp};
/// use std::time::Duration;
///
/// let attempted = Attempted {
///     history: None,
///     origin: "orders/3/184467".parse()?,
///     time: SourceTime::None,
///     tries: 2, // both tries in place are used up
///     now: Timestamp::from_millis(0),
///     in_place_allowed: true,
///     random: 0,
/// };
/// let failed = Outcome::Retry(Reason::new("bank", "connection refused"));
/// let plan = plan(attempted, failed, &RetryPolicy::default(), Order::unordered(), &Ladder::default());
/// let Plan::Forward { target, history } = plan else { panic!() };
/// assert_eq!(target, Target::Tier(Duration::from_secs(5)));
/// assert_eq!((history.attempts, history.step, history.due), (1, 1, Some(Timestamp::from_millis(5_000))));
/// # Ok::<(), retrial_core::id::OriginError>(())
/// ```
#[must_use]
pub fn plan(attempted: Attempted<'_>, outcome: Outcome, policy: &RetryPolicy, order: Order, ladder: &Ladder) -> Plan {
    match outcome {
        Outcome::Done => Plan::Done,
        Outcome::Discard(why) => Plan::Discard(why),
        Outcome::Hold(delay) => Plan::HoldTopic { delay },
        Outcome::Snooze(delay) => {
            let (now, history) = (attempted.now, attempted.into_history());
            wait(history, delay, now, order, ladder)
        }
        Outcome::Dead(cause @ (Cause::Exhausted | Cause::Refused | Cause::Undecodable), reason) => {
            let now = attempted.now;
            bury(counted(attempted.into_history()), cause, reason, now)
        }
        Outcome::Dead(cause, reason) => {
            let now = attempted.now;
            bury(attempted.into_history(), cause, reason, now)
        }
        Outcome::Retry(reason) => retry(attempted, reason, None, policy, order, ladder),
        Outcome::RetryAfter(delay, reason) => retry(attempted, reason, Some(delay), policy, order, ladder),
    }
}

/// To the dead letters, without counting an attempt: for records that no handler saw, and for those that took their
/// worker down. [`plan`] does the same for what a handler answered, and counts.
#[must_use]
pub fn bury(history: History, cause: Cause, reason: Reason, now: Timestamp) -> Plan {
    Plan::Forward { target: Target::DeadLetters, history: dead(history, cause, reason, now) }
}

impl Attempted<'_> {
    fn into_history(self) -> History {
        self.history.cloned().unwrap_or_else(|| History::new(self.origin, self.time))
    }

    /// The pause before another try within this attempt, if there is to be one.
    fn pause(&self, abrupt: bool, own: Option<Duration>, policy: &RetryPolicy, last_chance: bool) -> Option<Duration> {
        if abrupt || self.tries >= policy.in_place {
            return None;
        }
        match own {
            // Where the dead letters are what follows, tries in place are all there is: they are not left out to
            // save load, and they wait as long as the handler asked.
            Some(delay) => last_chance.then_some(delay),
            None if last_chance || self.in_place_allowed => {
                Some(policy.backoff.delay(u32::from(self.tries), self.random))
            }
            None => None,
        }
    }
}

fn retry(
    attempted: Attempted<'_>,
    reason: Reason,
    own: Option<Duration>,
    policy: &RetryPolicy,
    order: Order,
    ladder: &Ladder,
) -> Plan {
    let last_chance = order.on_exhausted() == Some(OnExhausted::Dead);
    if let Some(pause) = attempted.pause(reason.is_abrupt(), own, policy, last_chance) {
        return Plan::InPlace(pause);
    }
    let now = attempted.now;
    let mut history = counted(attempted.into_history());
    let scheduled = if last_chance { None } else { policy.schedule.delay(history.step) };
    let Some(scheduled) = scheduled else { return bury(history, Cause::Exhausted, reason, now) };
    history.step = history.step.saturating_add(1);
    fail(&mut history, reason, now);
    wait(history, own.unwrap_or(scheduled), now, order, ladder)
}

/// A new wait: in memory where the lane is kept, else up the ladder.
fn wait(mut history: History, delay: Duration, now: Timestamp, order: Order, ladder: &Ladder) -> Plan {
    history.due = Some(now.after(delay));
    revive(&mut history);
    if order.keeps_lane() {
        return Plan::Rest { delay, history: Arc::new(history) };
    }
    if sabotaged(Saboteur::ForgetsDueTime) {
        history.due = None;
    }
    begin_hops(&mut history);
    Plan::Forward { target: Target::Tier(ladder.route(delay, 0)), history: Arc::new(history) }
}

/// A dead letter that somebody brought back into a tier by hand is none any more once it waits again.
fn revive(history: &mut History) {
    history.cause = None;
}

/// The history of a dead letter.
fn dead(mut history: History, cause: Cause, reason: Reason, now: Timestamp) -> Arc<History> {
    match cause {
        Cause::Expired | Cause::Unhandled => describe(&mut history, reason),
        _ => fail(&mut history, reason, now),
    }
    history.cause = Some(cause);
    if sabotaged(Saboteur::BuriesWithoutReason) {
        (history.cause, history.error_kind, history.error) = (None, None, None);
    }
    history.due = None;
    history.hop = history.hop.wrapping_add(1);
    Arc::new(history)
}

/// Counts an attempt that ended.
fn counted(mut history: History) -> History {
    history.attempts = history.attempts.saturating_add(1);
    history.hop = 0;
    history
}

/// The first hop of a new wait. Wrapping round is harmless: what had the same number is long forgotten.
fn begin_hops(history: &mut History) {
    history.hop = history.hop.checked_next_multiple_of(MAX_HOPS).unwrap_or(0).wrapping_add(1);
}

fn fail(history: &mut History, reason: Reason, now: Timestamp) {
    history.first_failed.get_or_insert(now);
    history.last_failed = Some(now);
    describe(history, reason);
}

fn describe(history: &mut History, reason: Reason) {
    let (kind, message) = reason.into_texts();
    (history.error_kind, history.error) = (Some(kind), Some(message));
}

/// What to do with a record whose tier's gate has opened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Arrive {
    /// Its turn has come.
    Run,
    /// Its turn comes so soon that it waits in memory, this long.
    Rest(Duration),
    /// Another hop, or to the dead letters because it expired.
    Forward {
        /// Where to.
        target: Target,
        /// Its past from now on.
        history: Arc<History>,
    },
}

/// Plans what follows the opening of a tier's gate, and the end of a rest after it. `now` is the broker's time.
#[must_use]
pub fn arrival(history: &History, now: Timestamp, ladder: &Ladder) -> Arrive {
    if let Some(expires) = history.expires.filter(|&expires| expires <= now) {
        return Arrive::Forward { target: Target::DeadLetters, history: expired(history.clone(), expires, now) };
    }
    let remaining = history.due.map_or(Duration::ZERO, |due| due.since(now));
    if remaining.is_zero() {
        return Arrive::Run;
    }
    if remaining < ladder.delays().first().map_or(SHORT_REST, |&shortest| shortest.min(SHORT_REST)) {
        return Arrive::Rest(remaining);
    }
    let target = Target::Tier(ladder.route(remaining, history.hop));
    let mut history = History { hop: history.hop.wrapping_add(1), ..history.clone() };
    revive(&mut history);
    Arrive::Forward { target, history: Arc::new(history) }
}

/// The last failure, if there was one, says more than the expiry, which the cause tells anyhow.
fn expired(mut history: History, expires: Timestamp, now: Timestamp) -> Arc<History> {
    let kind = history.error_kind.take().unwrap_or_else(|| Cause::Expired.as_str().to_owned());
    let message = history.error.take().unwrap_or_else(|| format!("not worth doing any more since {expires}"));
    dead(history, Cause::Expired, Reason::new(&kind, &message), now)
}

/// Plans what becomes of a record, its turn come, whose source topic this build does not handle: another process of
/// the group may, as in the middle of a deploy. It goes round for a day from the first time, in longer and longer
/// rounds, through tiers of 30 seconds to a day; where there is none it rests in memory. `now` is the broker's time.
#[must_use]
pub fn unhandled(history: &History, now: Timestamp, ladder: &Ladder) -> Plan {
    let mut history = history.clone();
    let marked = history.error_kind.as_deref() == Some(UNHANDLED);
    let since = history.due.filter(|_| marked).unwrap_or(now);
    let reason = Reason::new(UNHANDLED, &format!("nobody handles {} here, since {since}", history.origin.topic));
    let elapsed = now.since(since);
    if elapsed >= UNHANDLED_LIMIT {
        return bury(history, Cause::Unhandled, reason, now);
    }
    describe(&mut history, reason);
    revive(&mut history);
    history.due = Some(since);
    // A quarter of the time gone makes 80 rounds of a day, where the shortest tier would make 1,440.
    let round = (elapsed / 4).clamp(UNHANDLED_WAIT, UNHANDLED_LIMIT - elapsed + UNHANDLED_WAIT);
    let mut long_enough =
        ladder.delays().iter().copied().filter(|delay| (UNHANDLED_WAIT..=UNHANDLED_LIMIT).contains(delay)).peekable();
    let shortest = long_enough.peek().copied();
    match long_enough.take_while(|&delay| delay <= round).last().or(shortest) {
        Some(tier) => {
            begin_hops(&mut history);
            Plan::Forward { target: Target::Tier(tier), history: Arc::new(history) }
        }
        None => Plan::Rest { delay: UNHANDLED_WAIT, history: Arc::new(history) },
    }
}

#[cfg(test)]
mod tests;
