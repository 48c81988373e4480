//! Testing handlers in virtual time, without a broker. Needs feature `testkit`.
//!
//! [`TestService`] runs an app on a simulated cluster; a [`Story`] tells what happened to a record; a [`Fault`] has something
//! go wrong. The guide is [`testing_handlers`](crate::guide::testing_handlers).
//!
//! ```
//! use retrial::{App, handler, testkit::TestService};
//! # async fn charge() {}
//!
//! let app = App::group("billing").topic("orders", handler(charge)).build()?;
//! let mut service = TestService::new(app);
//! let order = service.send("orders", "42");
//! service.run_until_idle();
//! service.story(&order).assert_done();
//! # Ok::<(), retrial::BuildError>(())
//! ```

// Engine, driver, crews and handlers are those of a service; only the ports, and the clock of tokio (paused, so it
// jumps to the next timer when all are idle), are simulated. Everything runs on one thread, so what handlers did is
// put in order with what the cluster saw.

mod bystander;
mod chronicle;
mod expect;
mod extraction;
mod fault;
mod idle;
mod journal;
mod letter;
mod member;
mod message;
mod observer;
#[doc(hidden)]
pub mod proof;
mod run;
mod service;
mod simulation;
mod span;
mod stage;
mod standstill;
mod story;
mod witness;
mod world;

#[cfg(test)]
mod crashes;
#[cfg(test)]
mod tests;

pub use self::{
    fault::Fault,
    idle::NotIdle,
    journal::crash_here,
    letter::DeadLetter,
    message::Message,
    run::{Ending, Run},
    service::TestService,
    story::{State, Story},
};
#[cfg(test)]
pub(crate) use self::{simulation::Simulation, witness::Witness};
