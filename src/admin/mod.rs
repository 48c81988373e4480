//! What operators ask and do, without a terminal: for the command line, and for programs of the user's own.

mod status;

pub use status::{PartitionStatus, Role, status};
