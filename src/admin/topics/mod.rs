//! The group's own topics as they are and as they should be: shown, and mended where that is safe.
//!
//! What they should be, and which difference matters, is decided by the same code that a service runs at its start.
//!
//! # Invariants
//! 1. Nothing is deleted, no retention shrinks, no replica and no partition is added or taken away: what only that would
//!    mend is left, and said.
//! 2. [`apply_topics`] does what its plan shows, or nothing: it refuses if the topics have changed since.

mod apply;
mod mend;
mod plan;

pub use apply::{TopicsApplied, apply_topics};
pub use plan::{
    LadderFrom, LeftAlone, OwnRole, SettingChange, SourceSeen, TopicPlan, TopicShape, TopicsPlan, TopicsScope,
    plan_topics,
};
pub(super) use plan::{matters, sources};
