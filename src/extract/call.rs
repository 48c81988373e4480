//! One attempt about to be made: what extractors read.

use crate::{extract::Control, record::Record};
use retrial_core::{
    history::{History, SourceTime},
    id::Origin,
};
use std::{fmt, sync::Arc};

/// One attempt about to be made: its record, and what is known of the record's past.
///
/// Extractors are made from it; see [`FromRecord`](crate::FromRecord).
pub struct Call {
    pub(crate) record: Record,
    pub(crate) tries: u16,
    pub(crate) fence: u64,
    pub(crate) history: Option<Arc<History>>,
    pub(crate) control: Arc<Control>,
}

impl Call {
    /// The record as it was read: for a retry, its topic, partition and offset are those of the tier.
    #[must_use]
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// The consumer group that makes the attempt.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.control.host().group
    }

    /// Whether the record was read from one of the group's own topics, where headers of ours are not the user's.
    pub(crate) fn is_from_own_topic(&self) -> bool {
        // A record that is where it stood first may have a past, too: it waited in memory, or its process vanished.
        let stands_at = |origin: &Origin| {
            (&*origin.topic, origin.partition, origin.offset)
                == (self.record.topic(), self.record.partition(), self.record.offset())
        };
        self.history.as_ref().is_some_and(|history| !stands_at(&history.origin))
    }

    /// Where the record stood first.
    pub(crate) fn origin(&self) -> Origin {
        match &self.history {
            Some(history) => history.origin.clone(),
            None => Origin {
                topic: Arc::clone(self.record.topic_shared()),
                partition: self.record.partition(),
                offset: self.record.offset(),
            },
        }
    }

    /// The timestamp that the record had there.
    pub(crate) fn source_time(&self) -> SourceTime {
        self.history.as_ref().map_or_else(|| self.record.time(), |history| history.time)
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Call({:?})", self.record)
    }
}
