//! Guides, by need.

/// What a handler takes, what it returns, and how it runs.
#[doc = include_str!("docs/handlers.md")]
pub mod handlers {}
