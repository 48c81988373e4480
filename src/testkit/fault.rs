//! What a test may have go wrong.

use crate::broker::sim::faults::{self, Faults};

/// Something that goes wrong in a [`TestService`](super::TestService), as it does on a real Kafka.
///
/// The first two strike at every chance and at each record. The others strike now and then; the
/// [seed](super::TestService::with_seed) decides when.
///
/// Kafka work is at least once. With any of these, handlers may run again for a record that they had done, with
/// the same idempotency key: a test with faults asserts on what the handlers left behind, not on how often they ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fault {
    /// The worker dies right after a handler has ended and before anybody was told: once for each attempt of each record. So
    /// every handler runs twice.
    CrashAfterHandler,
    /// The worker dies while a handler waits for something: once for each attempt of each record, at the first `await`
    /// that does not continue at once. Handlers without one are left alone, and a `blocking` one, which nothing can
    /// stop, runs to its end although its worker is gone.
    CrashInHandler,
    /// A worker dies at any moment.
    Crash,
    /// A worker stands still for up to two session timeouts, so that the group may have given its partitions away when
    /// it goes on. Handlers that have begun go on meanwhile.
    Freeze,
    /// The partitions are given out anew.
    Rebalance,
    /// A commit is lost.
    CommitLost,
    /// A write to a tier or to the dead letters is refused; the service tries again.
    WriteRefused,
    /// A write to a tier or to the dead letters lands twice.
    WriteRepeated,
}

impl Fault {
    /// Every one.
    ///
    /// ```
    /// use retrial::{App, handler, testkit::{Fault, TestService}};
    /// # async fn charge() {}
    ///
    /// for seed in 0..5 {
    ///     let app = App::group("billing").topic("orders", handler(charge)).build()?;
    ///     let mut service = TestService::new(app).with_seed(seed).with_faults(Fault::ALL);
    ///     service.send("orders", "42");
    ///     service.run_until_idle();
    ///     service.assert_all_done();
    /// }
    /// # Ok::<(), retrial::BuildError>(())
    /// ```
    pub const ALL: [Self; 8] = [
        Self::CrashAfterHandler,
        Self::CrashInHandler,
        Self::Crash,
        Self::Freeze,
        Self::Rebalance,
        Self::CommitLost,
        Self::WriteRefused,
        Self::WriteRepeated,
    ];

    /// How the simulated cluster calls it, and in how many of 10,000 cases it strikes; `None` for what is not left to
    /// chance.
    fn by_chance(self) -> Option<(faults::Fault, u32)> {
        match self {
            Self::CrashAfterHandler | Self::CrashInHandler => None,
            // At every call of a port, of which there are some dozen for each record.
            Self::Crash => Some((faults::Fault::Crash, 20)),
            Self::Freeze => Some((faults::Fault::Freeze, 1_000)),
            Self::Rebalance => Some((faults::Fault::Rebalance, 1_000)),
            Self::CommitLost => Some((faults::Fault::CommitLost, 1_000)),
            Self::WriteRefused => Some((faults::Fault::ProduceRefused, 1_000)),
            Self::WriteRepeated => Some((faults::Fault::ProducerReplaced, 1_000)),
        }
    }
}

/// The plan of a cluster in which these go wrong.
pub(super) fn plan(faults: &[Fault]) -> Faults {
    let by_chance = faults.iter().filter_map(|fault| fault.by_chance());
    let mut plan = by_chance.fold(Faults::none(), |plan, (fault, chance)| plan.with(fault, chance));
    // A test must come to an end: time enough for a round of the group, and for work, between two of them.
    if plan.every.is_some() {
        plan.every = Some(5_000..=120_000);
    }
    plan
}
