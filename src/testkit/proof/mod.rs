//! Seeded schedules through the whole of retrial: what `tests/simulation` runs. Not for users, and not stable.
//!
//! A seed decides everything: the world, the records and what their handlers do, what goes wrong and when. The promises
//! are judged when a life is over, by one pass over everything that the simulated cluster and the handlers saw, event by
//! event in order; a violation names the first event that broke a promise.

mod deed;
mod draw;
mod ends;
mod life;
mod saboteur;
mod script;
mod service;
mod shortest;
mod tally;

pub use self::{
    life::{Broken, run},
    saboteur::Saboteur,
    script::{Script, Unreadable},
    shortest::shortest,
    tally::Tally,
};

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};

/// A fingerprint of everything that happens in a script's life: equal for equal lives.
#[must_use]
pub fn fingerprint(script: &Script) -> u64 {
    let mut hasher = DefaultHasher::new();
    if let Some(cluster) = life::live(script).cluster {
        for (now, event) in cluster.trace().entries() {
            (now.as_millis(), format!("{event:?}")).hash(&mut hasher);
        }
    }
    hasher.finish()
}
