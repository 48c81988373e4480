//! What a layer around the handler has seen so far: what the view shows. The account does not trust it.

use retrial::{Around, Next, Outcome, Record};
use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// A tier as seen from here: its delay, and when each order in it is due.
#[derive(Clone)]
pub(crate) struct Waiting {
    pub(crate) delay: Duration,
    pub(crate) due: VecDeque<Instant>,
}

#[derive(Clone)]
pub(crate) struct Counts {
    pub(crate) done: u64,
    pub(crate) dead: u64,
    pub(crate) tiers: Vec<Waiting>,
}

impl Counts {
    fn began(&mut self, attempt: usize) {
        if let Some(tier) = attempt.checked_sub(2).and_then(|tier| self.tiers.get_mut(tier)) {
            tier.due.pop_front();
        }
    }

    fn ended(&mut self, attempt: usize, outcome: &Outcome) {
        match (outcome, self.tiers.get_mut(attempt - 1)) {
            (Outcome::Done, _) => self.done += 1,
            (Outcome::Retry(_), Some(tier)) => tier.due.push_back(Instant::now() + tier.delay),
            // A retry that no delay is left for.
            _ => self.dead += 1,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Progress(Arc<Mutex<Counts>>);

impl Progress {
    /// Nothing seen yet; `delays` are those between attempts.
    pub(crate) fn new(delays: impl IntoIterator<Item = Duration>) -> Self {
        let tiers = delays.into_iter().map(|delay| Waiting { delay, due: VecDeque::new() }).collect();
        Self(Arc::new(Mutex::new(Counts { done: 0, dead: 0, tiers })))
    }

    /// Sees every attempt begin and end.
    pub(crate) fn layer(&self) -> impl Around + use<> {
        let progress = self.clone();
        move |record: Record, next: Next| {
            let progress = progress.clone();
            async move {
                let attempt = next.attempt().number() as usize;
                progress.counts().began(attempt);
                let outcome = next.run(record).await;
                progress.counts().ended(attempt, &outcome);
                outcome
            }
        }
    }

    pub(crate) fn counts(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
