//! What operators ask and do, without a terminal: for the command line, and for programs of the user's own.
//!
//! Every function here blocks its thread while brokers answer, ten seconds at most for one question, and for as long as
//! there is something to read. None joins the group: a service goes on undisturbed beside it.
//!
//! ```no_run
//! use retrial::{GroupNames, Kafka, admin::{Filter, list_letters}};
//!
//! let mut timeouts = Filter::default();
//! timeouts.kinds = vec!["timeout".to_owned()];
//! let names = GroupNames::new("billing", None)?;
//! let listing = list_letters(&Kafka::bootstrap("localhost:9092"), &names, &timeouts, &mut ())?;
//! for group in listing.groups {
//!     println!("{} times {}, last {:?}", group.count, group.error, group.last);
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod as_text;
mod body;
mod doctor;
mod enqueue;
mod error;
mod filter;
mod fingerprint;
mod letters;
mod offsets;
mod operation;
mod progress;
mod replay;
mod sift;
mod status;
mod tail;
mod topics;
mod why;

#[cfg(feature = "cli")]
pub use body::ProtobufSchema;
pub use body::{BodyFormat, Condition};
pub use doctor::{Diagnosis, DoctorScope, Finding, Severity, Unchecked, diagnose};
pub use enqueue::{Enqueued, Enqueuer, NewHeader, NewRecord};
pub use error::AdminError;
pub use filter::{Filter, HeaderIs, Source};
pub use fingerprint::Fingerprint;
pub use letters::{
    DeadLetter, Group, Listing, MAX_GROUPS, Past, Sample, Visited, find_letters, list_letters, visit_letters,
};
pub use offsets::{Change, Plan, Position, Scope, Target, Waiting, apply, plan, positions};
pub use operation::{
    audit::{Operations, operations, resume, stop},
    letters::{LettersPlan, LettersRequest, carry_out_letters, plan_letters},
    run::By,
};
pub use progress::Progress;
pub use replay::{Begun, FieldIs, ReplayPart, ReplayPlan, ReplayRequest, carry_out_replay, plan_replay};
pub use retrial_core::control::{Counts, Kind, Operation, Settlement, Span, State};
pub use status::{DeadLettersStatus, MemberStatus, PartitionStatus, Role, Status, TierStatus, status};
pub use tail::{Beginning, SeenRecord, tail};
pub use topics::{
    LadderFrom, LeftAlone, OwnRole, SettingChange, SourceSeen, TopicPlan, TopicShape, TopicsApplied, TopicsPlan,
    TopicsScope, apply_topics, plan_topics,
};
pub use why::{Fate, KeySearch, Standing, Step, Stop, Stories, Story, Suspect, why, why_key};
