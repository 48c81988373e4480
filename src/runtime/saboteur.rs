//! Deliberate faults in what carries the decisions out, as `retrial_core::saboteur` has them for the decisions.
//!
//! `sabotaged` is the constant `false`, and nothing of it is left in the program, unless the feature `saboteurs` is
//! on **and** debug assertions are.

#![allow(unreachable_pub, dead_code, reason = "only the proof, which is compiled with the test kit, names them all")]

/// A deliberate fault in driver, workers or permits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saboteur {
    /// A worker takes a handler that panicked for done.
    TakesPanicForDone,
    /// A worker never ends an attempt whose time is over.
    NeverTimesOut,
    /// A worker begins what lies in its inbox, whoever owns the partition by now.
    NeedsNoPermit,
    /// A worker goes on with attempts that it was told to drop.
    IgnoresAbandon,
    /// A worker reports only the first attempt of each batch.
    LosesReports,
    /// A worker hides from handlers what happened to the record before.
    HidesHistory,
    /// The driver counts the lease from the answer to a commit, instead of from when it was sent.
    CountsLeaseFromAnswer,
    /// The driver hands out the first run of work only.
    LosesWork,
    /// The driver takes records of one key for records of many.
    ScattersKeys,
    /// The driver tells the engine that refused forwards were written.
    HidesRefusals,
    /// The driver keeps what the engine wants deleted from the producer's queue.
    NeverPurges,
}

impl Saboteur {
    /// Every one.
    pub const ALL: [Self; 11] = [
        Self::TakesPanicForDone,
        Self::NeverTimesOut,
        Self::NeedsNoPermit,
        Self::IgnoresAbandon,
        Self::LosesReports,
        Self::HidesHistory,
        Self::CountsLeaseFromAnswer,
        Self::LosesWork,
        Self::ScattersKeys,
        Self::HidesRefusals,
        Self::NeverPurges,
    ];
}

#[cfg(all(feature = "saboteurs", debug_assertions))]
std::thread_local! {
    /// Per thread: in the simulator, all of a service runs on one.
    static LOOSE: std::cell::Cell<Option<Saboteur>> = const { std::cell::Cell::new(None) };
}

/// Lets one loose on this thread, or catches it.
#[cfg(feature = "saboteurs")]
pub(crate) fn let_loose(saboteur: Option<Saboteur>) {
    #[cfg(debug_assertions)]
    LOOSE.set(saboteur);
    #[cfg(not(debug_assertions))]
    let _ = saboteur;
}

/// Whether this one is loose on this thread.
#[inline(always)]
pub(super) fn sabotaged(saboteur: Saboteur) -> bool {
    #[cfg(all(feature = "saboteurs", debug_assertions))]
    return LOOSE.get() == Some(saboteur);
    #[cfg(not(all(feature = "saboteurs", debug_assertions)))]
    {
        let _ = saboteur;
        false
    }
}
