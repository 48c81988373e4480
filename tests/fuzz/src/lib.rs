//! What must hold for any bytes whatever: one module for each target, each with a `check` that panics if it does not.
//!
//! The fuzzer calls the checks from `targets/`, and the test beside this folder over the committed corpora.

#![allow(unreachable_pub, reason = "the root's test includes this file as a module")]

pub mod avro;
pub mod config;
pub mod control;
pub mod delays;
pub mod engine;
pub mod formats;
pub mod history;
pub mod names;
mod seal;
pub mod snapshot;

/// A target: its name, which is also that of its folder in `corpus/`, and its check.
pub type Target = (&'static str, fn(&[u8]));

/// Every target.
pub const TARGETS: &[Target] = &[
    ("avro", avro::check),
    ("config", config::check),
    ("control", control::check),
    ("delays", delays::check),
    ("engine", engine::check),
    ("formats", formats::check),
    ("history", history::check),
    ("names", names::check),
    ("snapshot", snapshot::check),
];
