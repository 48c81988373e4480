//! The scenarios, by name.

use crate::{
    clients::Client,
    fill::{Cargo, Keys},
    options::Options,
    place::Place,
    report::Result,
    rounds,
};

/// Records of `noop-100` in a full run.
pub(crate) const FULL: u64 = 3_000_000;

/// A row of the table.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) what: &'static str,
    kind: Kind,
}

/// How a scenario is measured.
enum Kind {
    Throughput(Throughput),
}

/// Records per second beside references; the bar names the first of them.
pub(crate) struct Throughput {
    pub(crate) partitions: i32,
    pub(crate) cargo: Cargo,
    pub(crate) by_key: bool,
    pub(crate) concurrency: usize,
    pub(crate) references: &'static [Client],
}

/// No record is smaller than a window that can be measured.
const LEAST: u64 = 1_000;

impl Scenario {
    /// Runs it.
    pub(crate) fn run(&self, place: &Place, options: &Options) -> Result {
        match &self.kind {
            Kind::Throughput(throughput) => {
                let records = options.scaled(throughput.cargo.records, LEAST);
                let cargo = Cargo { records, ..throughput.cargo };
                rounds::throughput(self.name, place, options.rounds, throughput, cargo)
            }
        }
    }
}

const ALL: &[Client] = &[Client::Base, Client::Stream, Client::Spawned];

/// All scenarios.
pub(crate) const TABLE: &[Scenario] = &[
    Scenario {
        name: "noop-100",
        what: "a handler that does nothing, 100 B, unordered, 12 partitions",
        kind: Kind::Throughput(Throughput {
            partitions: 12,
            cargo: Cargo { records: FULL, bytes: 100, keys: Keys::None },
            by_key: false,
            concurrency: 10_000,
            references: ALL,
        }),
    },
    Scenario {
        name: "noop-key",
        what: "the same in order by key, a million keys",
        kind: Kind::Throughput(Throughput {
            partitions: 12,
            cargo: Cargo { records: FULL, bytes: 100, keys: Keys::Of(1_000_000) },
            by_key: true,
            concurrency: 10_000,
            references: ALL,
        }),
    },
    Scenario {
        name: "hot-key",
        what: "the same, where one key has half of all records",
        kind: Kind::Throughput(Throughput {
            partitions: 12,
            cargo: Cargo { records: FULL, bytes: 100, keys: Keys::Hot(1_000_000) },
            by_key: true,
            concurrency: 10_000,
            references: ALL,
        }),
    },
];
