//! Deliberate faults, let loose one at a time, for the proof that the simulator finds them.
//!
//! `sabotaged` is the constant `false`, and nothing of it is left in the program, unless the feature `saboteurs` is
//! on **and** debug assertions are: in the tests of this repository, never in a release build. The places that ask are
//! all there is to a saboteur; what each does is said here, and how soon it is found in the guide on testing.

/// A deliberate fault in a decision.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saboteur {
    /// Commits the next offset to be read, instead of the lowest unfinished one.
    CommitsPastUnfinished,
    /// Counts a record as finished when its forward is sent, instead of when it is acknowledged.
    FinishesBeforeAcknowledged,
    /// Counts a forward that Kafka refused as written.
    TakesRefusalForSuccess,
    /// Takes the acknowledgement of one forward for that of the oldest.
    ConfusesAcknowledgements,
    /// Takes results of an assignment that ended for those of its successor.
    AcceptsOldGenerations,
    /// Leaves the completion map out of the last commit before a partition is given up.
    LosesMapAtRevocation,
    /// Begins at the committed offset, and does not read the map beside it.
    IgnoresMap,
    /// Believes a map for whatever record now has the offset, also after the log was cut (RULES 2).
    SkipsByOffsetAlone,
    /// Drops the part of a map that begins below the start of the log.
    ForgetsRunsAcrossStart,
    /// Opens a tier's gate after half of its delay.
    OpensGatesEarly,
    /// Does not write down when a retry is due.
    ForgetsDueTime,
    /// Lets the next record of a key start while the first waits for its try in place.
    OvertakesInPlace,
    /// Lets records of one key start as they come.
    KeepsNoLanes,
    /// Counts attempts from the start again when a record comes out of a tier.
    ForgetsAttempts,
    /// Drops what waits in all partitions when one of them is revoked.
    DropsBufferOnRebalance,
    /// Does not give back the slot of an attempt that failed.
    LeaksBudget,
    /// Gives partitions up without waiting for the result of the last commit.
    LeavesWithoutWaiting,
    /// Goes on without an accepted commit, however long (RULES 17).
    IgnoresLease,
    /// Sends a commit while another is under way.
    CommitsTwiceAtOnce,
    /// Runs a forward that was written twice, twice (RULES 16).
    RunsRepeats,
    /// Writes dead letters without cause and error.
    BuriesWithoutReason,
    /// Reads on however much memory is held.
    IgnoresMemory,
    /// Deletes records of a tier beyond its watermark.
    TrimsTooFar,
}

impl Saboteur {
    /// Every one.
    pub const ALL: [Self; 23] = [
        Self::CommitsPastUnfinished,
        Self::FinishesBeforeAcknowledged,
        Self::TakesRefusalForSuccess,
        Self::ConfusesAcknowledgements,
        Self::AcceptsOldGenerations,
        Self::LosesMapAtRevocation,
        Self::IgnoresMap,
        Self::SkipsByOffsetAlone,
        Self::ForgetsRunsAcrossStart,
        Self::OpensGatesEarly,
        Self::ForgetsDueTime,
        Self::OvertakesInPlace,
        Self::KeepsNoLanes,
        Self::ForgetsAttempts,
        Self::DropsBufferOnRebalance,
        Self::LeaksBudget,
        Self::LeavesWithoutWaiting,
        Self::IgnoresLease,
        Self::CommitsTwiceAtOnce,
        Self::RunsRepeats,
        Self::BuriesWithoutReason,
        Self::IgnoresMemory,
        Self::TrimsTooFar,
    ];
}

#[cfg(all(feature = "saboteurs", debug_assertions))]
std::thread_local! {
    /// Per thread, so that tests beside this one are left alone.
    static LOOSE: std::cell::Cell<Option<Saboteur>> = const { std::cell::Cell::new(None) };
}

/// Lets one loose on this thread, or catches it.
#[cfg(feature = "saboteurs")]
pub fn let_loose(saboteur: Option<Saboteur>) {
    #[cfg(debug_assertions)]
    LOOSE.set(saboteur);
    #[cfg(not(debug_assertions))]
    let _ = saboteur;
}

/// Whether this one is loose on this thread.
#[inline(always)]
pub(crate) fn sabotaged(saboteur: Saboteur) -> bool {
    #[cfg(all(feature = "saboteurs", debug_assertions))]
    return LOOSE.get() == Some(saboteur);
    #[cfg(not(all(feature = "saboteurs", debug_assertions)))]
    {
        let _ = saboteur;
        false
    }
}
