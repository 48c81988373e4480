//! Guides, by need.

/// What a handler takes, what it returns, and how it runs.
#[doc = include_str!("docs/handlers.md")]
pub mod handlers {}

/// How bytes become values: JSON, Avro, Protobuf, CloudEvents, a format of your own. Needs features `avro`,
/// `schema-registry`, `protobuf`, `cloudevents` and `testkit` for all that it shows.
#[cfg(all(
    feature = "avro",
    feature = "schema-registry",
    feature = "json",
    feature = "protobuf",
    feature = "cloudevents",
    feature = "testkit"
))]
#[doc = include_str!("docs/formats.md")]
pub mod formats {}

/// What happens to a record that fails, and to those behind it.
#[doc = include_str!("docs/retries_and_ordering.md")]
pub mod retries_and_ordering {}

/// What a record goes through, in virtual time and without a broker. Needs feature `testkit`.
#[cfg(feature = "testkit")]
#[doc = include_str!("docs/testing_handlers.md")]
pub mod testing_handlers {}

/// Running a service: its HTTP port, its configuration, and how it mends itself. Needs feature `service`.
#[cfg(feature = "service")]
#[doc = include_str!("docs/service.md")]
pub mod service {}

/// Every metric, with its type and labels.
#[doc = include_str!("docs/metrics.md")]
pub mod metrics {}

/// The `retrial` command: options, exit codes, forms of its JSON. Needs feature `cli`.
#[cfg(feature = "cli")]
#[doc = include_str!("docs/command_line.md")]
pub mod command_line {}

/// How it works, which holes are closed by which rule, and which tests show it.
#[doc = include_str!("docs/design.md")]
pub mod design {}

/// What is tried to break the promises, by which command, and what it found.
#[doc = include_str!("docs/testing.md")]
pub mod testing {}

/// How fast it is beside bare clients, how that is measured, and by which commands.
#[doc = include_str!("docs/benchmarks.md")]
pub mod benchmarks {}
