//! How much of what was sent is not handled yet (RULES 5): a replay that is faster than the service would fill the way back
//! in, whose records nothing but the service takes away.

use crate::{
    admin::AdminError,
    broker::kafka::{Operator, Place},
};
use retrial_core::{event::LogRange, naming::GroupNames};
use std::time::{Duration, Instant};

/// Records that may wait in the way back in.
pub(super) const MAX_BACKLOG: u64 = 100_000;

/// How often it is looked at, and where the bound is near.
const EVERY: Duration = Duration::from_secs(1);
const SOON: Duration = Duration::from_millis(200);

/// Looks at the way back in, now and then.
pub(super) struct Backlog<'b> {
    operator: &'b Operator,
    topic: String,
    most: u64,
    looked: Option<Instant>,
    waiting: u64,
    /// What was sent since it was looked at.
    sent: u64,
}

impl<'b> Backlog<'b> {
    pub(super) fn new(operator: &'b Operator, names: &GroupNames, most: u64) -> Self {
        Self { operator, topic: names.way_back(), most, looked: None, waiting: 0, sent: 0 }
    }

    /// Why nothing more may be sent for now.
    pub(super) fn is_too_long(&mut self) -> Result<Option<String>, AdminError> {
        let is_near = self.waiting + self.sent >= self.most;
        if self.looked.is_none_or(|looked| looked.elapsed() >= if is_near { SOON } else { EVERY }) {
            (self.waiting, self.sent) = (self.look()?, 0);
            self.looked = Some(Instant::now());
        }
        let waiting = self.waiting + self.sent;
        let why = || format!("some {waiting} records wait in {}: it goes on as the service handles them", self.topic);
        Ok((waiting >= self.most).then(why))
    }

    /// Notes a record that goes there.
    pub(super) fn grows(&mut self) {
        self.sent += 1;
    }

    fn look(&self) -> Result<u64, AdminError> {
        let committed = self.operator.committed()?;
        let logs = self.operator.logs(&self.operator.partitions(&self.topic))?;
        let waits = |(place, log): (Place, LogRange)| {
            let from = committed.get(&place).map_or(log.start, |committed| committed.offset.max(log.start));
            log.end.saturating_sub(from).max(0).unsigned_abs()
        };
        Ok(logs.into_iter().map(waits).sum())
    }
}
