//! A stretch of finished offsets.

/// Consecutive offsets of one partition of which every record that exists is finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinishedRun {
    /// The first offset.
    pub from: i64,
    /// One past the last offset.
    pub to: i64,
    /// The leader epoch its records had when they were finished, or −1 where the broker did not tell. A record of
    /// another epoch at one of these offsets is another record, and not finished (RULES 2).
    pub leader_epoch: i32,
}
