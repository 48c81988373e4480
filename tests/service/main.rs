//! A service that runs, as those see it who run it: by its HTTP port.

mod configuration;
mod health;
mod http;
mod metrics;
mod page;
mod scene;
mod status;
mod wedged;
