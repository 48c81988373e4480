//! The record as it was read.

use crate::{
    extract::{Call, FromRecord, Rejection},
    record::Record,
};

/// The record as it was read: in a retry, topic, partition, offset and timestamp are those of the tier, and the
/// headers include retrial's own.
impl<S: Sync> FromRecord<S> for Record {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(call.record.clone())
    }
}
