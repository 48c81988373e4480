//! The deliberate faults of both crates under one name.

use crate::runtime::saboteur as carried;
use retrial_core::saboteur as decided;
use std::fmt;

/// A deliberate fault in a decision, or in what carries decisions out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saboteur {
    /// In `retry/`.
    Decided(decided::Saboteur),
    /// In `src/runtime/`.
    Carried(carried::Saboteur),
}

impl Saboteur {
    /// Every one.
    #[must_use]
    pub fn all() -> Vec<Self> {
        let decided = decided::Saboteur::ALL.into_iter().map(Self::Decided);
        decided.chain(carried::Saboteur::ALL.into_iter().map(Self::Carried)).collect()
    }

    /// Lets this one loose on this thread, alone, until what is returned is dropped. In a release build nothing
    /// happens.
    #[must_use]
    pub fn let_loose(self) -> Loose {
        #[cfg(feature = "saboteurs")]
        match self {
            Self::Decided(saboteur) => decided::let_loose(Some(saboteur)),
            Self::Carried(saboteur) => carried::let_loose(Some(saboteur)),
        }
        Loose(())
    }

    /// Where it sits.
    #[must_use]
    pub const fn place(self) -> &'static str {
        match self {
            Self::Decided(_) => "retry",
            Self::Carried(_) => "src/runtime",
        }
    }
}

impl fmt::Display for Saboteur {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Decided(saboteur) => write!(f, "{saboteur:?}"),
            Self::Carried(saboteur) => write!(f, "{saboteur:?}"),
        }
    }
}

/// A saboteur is loose as long as this lives.
#[derive(Debug)]
pub struct Loose(());

impl Drop for Loose {
    fn drop(&mut self) {
        #[cfg(feature = "saboteurs")]
        {
            decided::let_loose(None);
            carried::let_loose(None);
        }
    }
}
