//! Runs handlers: the driver turns engine and ports, crews of workers make the attempts.
//!
//! ```text
//!  source ─batch▶ driver ─work▶ workers ─▶ handlers
//!     ▲             │  ▲                      │ outcome
//!     └──commits────┤  └───────reports────────┘
//!                   └─forwards▶ sink ─acknowledgements▶ driver
//! ```
//!
//! The driver has a thread of its own and never waits for a handler; a worker is a task of the user's tokio runtime
//! (or of the topic's own threads) and never waits for the broker. It sees only the ports.

pub(crate) mod blocking;
#[cfg_attr(not(feature = "service"), expect(dead_code, reason = "the HTTP port shows it"))]
pub(crate) mod board;
pub(crate) mod crew;
pub(crate) mod driver;
mod gauges;
mod notices;
pub(crate) mod permit;
mod running;
pub(crate) mod saboteur;
#[cfg(test)]
mod tests;
mod timing;
pub(crate) mod turning;
mod worker;

pub(crate) use blocking::DEFAULT_THREADS as DEFAULT_BLOCKING_THREADS;
pub(crate) use notices::Notices;
pub(crate) use permit::Permits;
