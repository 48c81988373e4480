//! Where the record stood first.

use crate::extract::{Call, FromRecord, Rejection};
use retrial_core::id::Origin;
use std::sync::Arc;

/// The source topic of the record: also in a retry, which is read from a tier.
///
/// What was read, tier and all, is told by the extractor [`Record`](crate::Record).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Topic(pub Arc<str>);

/// The partition of the source topic that the record stood in: also in a retry, which is read from a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Partition(pub i32);

/// The record's offset in its source topic: also in a retry, which is read from a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Offset(pub i64);

impl<S: Sync> FromRecord<S> for Topic {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(Self(call.origin().topic))
    }
}

impl<S: Sync> FromRecord<S> for Partition {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(Self(call.origin().partition))
    }
}

impl<S: Sync> FromRecord<S> for Offset {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(Self(call.origin().offset))
    }
}

/// Source topic, partition and offset together: what the idempotency key is made of.
impl<S: Sync> FromRecord<S> for Origin {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(call.origin())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        extract::testing::{extract, retried, with_body},
        record::Record,
    };

    fn place(call: &Call) -> String {
        let (topic, partition, offset) = (extract::<Topic>(call), extract::<Partition>(call), extract::<Offset>(call));
        let together = format!("{}/{}/{}", topic.unwrap().0, partition.unwrap().0, offset.unwrap().0);
        assert_eq!(extract::<Origin>(call).unwrap().to_string(), together);
        together
    }

    #[test]
    fn a_retry_tells_where_the_record_stood_first() {
        assert_eq!(place(&with_body(None)), "orders/3/184467");
        let retry = retried(with_body(None), 1);
        assert_eq!(place(&retry), "orders/5/42");
        let read = extract::<Record>(&retry).unwrap();
        assert_eq!((read.partition(), read.offset()), (3, 184_467));
    }
}
