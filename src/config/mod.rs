//! What an operator may change of a service without a build: read from a file, the environment and arguments.
//!
//! [`keys`] is the one list of settings: how each is written, its bounds and its words. Files, variables, arguments, the
//! example file and what is shown of a configuration are made of it. Nothing is applied here, and an unknown key or an
//! impossible value is an error that names its place, what is allowed, and the nearest known key.

mod error;
#[cfg(any(feature = "cli", test))]
pub(crate) mod example;
mod file;
mod form;
pub(crate) mod keys;
mod layers;

pub use error::{ConfigError, ConfigMistake};
pub(crate) use form::Value;
pub use layers::Config;
pub(crate) use layers::Setting;
