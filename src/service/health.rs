//! Whether a service lives and is ready, from what its threads have found.
//!
//! Alive is what a restart would not mend: a loop that turns. Ready is what the operator should know of: brokers that do
//! not answer, topics that are wrong, a group that was not joined. A broker's death is no reason to restart a service.

use crate::runtime::board::Board;
use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// A loop that has not turned for this long stands still, and is begun anew by another thread.
pub(super) const WEDGED: Duration = Duration::from_secs(30);

/// And if it stands still for so much longer, that has not helped.
const GRACE: Duration = Duration::from_secs(5);

/// What was found.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    /// Why the brokers do not answer, if they do not.
    pub(super) unreachable: Option<String>,
    /// What is wrong with the topics.
    pub(super) topics: Option<String>,
    /// The service has ended, and this is why.
    pub(super) ended: Option<String>,
    /// A client is being made anew.
    pub(super) rebuilding: bool,
    /// How often one was.
    pub(super) rebuilt: u32,
}

/// What was found, shared.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Facts>);

impl Health {
    pub(super) fn found(&self, note: impl FnOnce(&mut Facts)) {
        note(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn facts(&self) -> Facts {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Why it does not live.
pub(super) fn lifeless(facts: &Facts, since_turn: Option<Duration>) -> Option<String> {
    if let Some(why) = &facts.ended {
        return Some(format!("the service has ended: {why}"));
    }
    // Who makes a client anew waits for brokers.
    let still = since_turn.filter(|still| *still >= WEDGED + GRACE && !facts.rebuilding)?;
    Some(format!("the loop that serves the group has not turned for {} s", still.as_secs()))
}

/// Why it is not ready, each reason a line.
pub(super) fn unready(facts: &Facts, board: &Board) -> Vec<String> {
    let shown = board.shown();
    let mut why: Vec<String> = lifeless(facts, board.since_turn()).into_iter().collect();
    why.extend(facts.unreachable.iter().map(|error| format!("the brokers do not answer: {error}")));
    why.extend(facts.topics.clone());
    if facts.rebuilding {
        why.push("the Kafka client is being made anew".into());
    }
    if shown.stopping {
        why.push("the service is stopping".into());
    }
    if !shown.joined {
        why.push("the group has not been joined".into());
    } else if !shown.partitions.is_empty() && !shown.leased {
        why.push("no commit was acknowledged for a session: nothing starts".into());
    }
    why
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lives_is_told_from_what_is_ready() {
        let (mut facts, still) = (Facts::default(), |seconds| Some(Duration::from_secs(seconds)));
        assert_eq!(lifeless(&facts, None), None, "it begins");
        assert_eq!(lifeless(&facts, still(34)), None, "another thread is about to take over");
        assert!(lifeless(&facts, still(35)).is_some_and(|why| why.contains("35 s")));
        let board = Board::default();
        assert_eq!(unready(&facts, &board), ["the group has not been joined"]);
        facts.unreachable = Some("refused".into());
        assert_eq!(lifeless(&facts, still(1)), None, "a broker's death is no reason to restart");
        assert!(unready(&facts, &board)[0].contains("refused"));
        facts.rebuilding = true;
        assert_eq!(lifeless(&facts, still(60)), None, "it waits for brokers");
        facts.ended = Some("fenced".into());
        assert!(lifeless(&facts, still(0)).is_some_and(|why| why.contains("fenced")));
    }
}
