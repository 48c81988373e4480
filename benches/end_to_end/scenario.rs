//! The scenarios, by name.

use crate::{
    clients::Client,
    desk::Work,
    fill::{Body, Cargo, Keys},
    measures::{self, throughput::Throughput},
    options::Options,
    place::Place,
    report::Report,
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
    Own(fn(&str, &Place, &Options) -> Report),
}

impl Scenario {
    /// Runs it.
    pub(crate) fn run(&self, place: &Place, options: &Options) -> Report {
        match &self.kind {
            Kind::Throughput(row) => row.run(self.name, place, options),
            Kind::Own(run) => run(self.name, place, options),
        }
    }

    const fn of(name: &'static str, what: &'static str, row: Throughput) -> Self {
        Self { name, what, kind: Kind::Throughput(row) }
    }

    const fn own(name: &'static str, what: &'static str, run: fn(&str, &Place, &Options) -> Report) -> Self {
        Self { name, what, kind: Kind::Own(run) }
    }
}

/// The plain one: 100 B without keys over 12 partitions, nothing to do.
const NOOP: Throughput = Throughput {
    partitions: 12,
    cargo: Cargo { records: FULL, body: Body::Bytes(100), keys: Keys::None },
    by_key: false,
    concurrency: 10_000,
    work: Work::Nothing,
    references: &[Client::Base, Client::Stream, Client::Spawned],
};

const fn by_key(keys: Keys) -> Throughput {
    Throughput { by_key: true, cargo: Cargo { keys, ..NOOP.cargo }, ..NOOP }
}

const fn partitions(partitions: i32) -> Throughput {
    Throughput { partitions, ..NOOP }
}

/// What so many sleepers at once can do in about ten seconds.
const fn sleeps(millis: u64, concurrency: usize) -> Throughput {
    let records = concurrency as u64 * 10_000 / millis;
    let cargo = Cargo { records: if records > 5_000_000 { 5_000_000 } else { records }, ..NOOP.cargo };
    let references = &[Client::Futures, Client::Spawned];
    Throughput { cargo, concurrency, work: Work::Sleeps(millis), references, ..NOOP }
}

/// The reference is retrial itself, where nothing fails.
const fn fails_once(of_thousand: u64) -> Throughput {
    Throughput { work: Work::FailsOnce(of_thousand), references: &[Client::Retrial], ..NOOP }
}

const COMPUTES: Throughput =
    Throughput { work: Work::Computes(5), cargo: Cargo { records: FULL / 3, ..NOOP.cargo }, ..NOOP };

const ORDERS: Throughput = Throughput {
    work: Work::Decodes,
    cargo: Cargo { records: FULL / 3, body: Body::Orders, keys: Keys::None },
    ..NOOP
};

const KIB: Throughput =
    Throughput { cargo: Cargo { records: FULL / 3, body: Body::Bytes(1024), keys: Keys::None }, ..NOOP };

/// All scenarios.
pub(crate) const TABLE: &[Scenario] = &[
    Scenario::of("noop-100", "a handler that does nothing, 100 B, unordered, 12 partitions", NOOP),
    Scenario::of("noop-key", "the same in order by key, a million keys", by_key(Keys::Of(1_000_000))),
    Scenario::of("noop-1k", "a handler that does nothing, 1 KiB", KIB),
    Scenario::of("key-10", "order by key, 10 keys", by_key(Keys::Of(10))),
    Scenario::of("key-1000", "order by key, 1,000 keys", by_key(Keys::Of(1_000))),
    Scenario::of("hot-key", "order by key, one key has half of all records", by_key(Keys::Hot(1_000_000))),
    Scenario::of("cpu-5us", "a handler that computes for 5 µs", COMPUTES),
    Scenario::of("json-300", "a handler that takes a JSON order of some 300 B", ORDERS),
    Scenario::of("sleep-1ms-100", "a handler that sleeps 1 ms, 100 at once", sleeps(1, 100)),
    Scenario::of("sleep-1ms-1000", "a handler that sleeps 1 ms, 1,000 at once", sleeps(1, 1_000)),
    Scenario::of("sleep-10ms-1000", "a handler that sleeps 10 ms, 1,000 at once", sleeps(10, 1_000)),
    Scenario::of("sleep-10ms-5000", "a handler that sleeps 10 ms, 5,000 at once", sleeps(10, 5_000)),
    Scenario::of("sleep-100ms-5000", "a handler that sleeps 100 ms, 5,000 at once", sleeps(100, 5_000)),
    Scenario::of("sleep-100ms-20000", "a handler that sleeps 100 ms, 20,000 at once", sleeps(100, 20_000)),
    Scenario::of("retry-1pct", "1 % fail once and come back through a tier of 1 s", fails_once(10)),
    Scenario::of("retry-10pct", "10 % fail once and come back through a tier of 1 s", fails_once(100)),
    Scenario::of("partitions-1", "noop-100 on 1 partition", partitions(1)),
    Scenario::of("partitions-12", "noop-100 on 12 partitions", partitions(12)),
    Scenario::of("partitions-200", "noop-100 on 200 partitions", partitions(200)),
    Scenario::own(
        "lateness",
        "how late retries of a tier of 1 s are, unloaded and under full load",
        measures::lateness::run,
    ),
    Scenario::own(
        "latency",
        "from producing to the handler's start, at 1,000 records a second",
        measures::latency::run,
    ),
    Scenario::own("start", "from the start of the process to its first record", measures::start::run),
    Scenario::own("stuck", "one record never ends, the process is killed: what runs again", measures::stuck::run),
    Scenario::own("forward", "every record fails and is forwarded, until acknowledged", measures::forward::run),
    Scenario::own("memory", "of a record in flight, of a long run, of 200 idle partitions", measures::memory::run),
    Scenario::own("idle", "processor time with nothing to do, 12 partitions", measures::idle::run),
    Scenario::own("growth", "noop by partitions, by backlog, and with tiers full", measures::growth::run),
];
