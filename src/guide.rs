//! Guides, by need.

/// What a handler takes, what it returns, and how it runs.
#[doc = include_str!("docs/handlers.md")]
pub mod handlers {}

/// What happens to a record that fails, and to those behind it.
#[doc = include_str!("docs/retries_and_ordering.md")]
pub mod retries_and_ordering {}

/// How it works, which holes are closed by which rule, and which tests show it.
#[doc = include_str!("docs/design.md")]
pub mod design {}
