//! What names a partition, an assignment of it, a record in flight, a forward and a commit.
//!
//! A [`Slot`] is one assignment of one partition to this process. Its generation is never used twice,
//! so a result that arrives after the partition was lost is told apart from one of its next assignment.

use std::{fmt, str::FromStr, sync::Arc};

/// One assignment of a partition to this process.
///
/// `index` is small and used again after the partition left; `generation` never is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Slot {
    /// Position in the table of assigned partitions.
    pub index: u32,
    /// Number of the assignment, unique in the life of the process.
    pub generation: u32,
}

/// A record that the engine has admitted: its assignment, and its place in that assignment's ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket {
    /// The assignment that brought the record.
    pub slot: Slot,
    /// Position in the ledger, counted from the first record of the assignment.
    pub sequence: u64,
}

/// Names one write to a tier or to the dead letters until it is acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ForwardId(pub u64);

/// Names one offset commit until its result is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommitId(pub u64);

/// Position of a source topic in the list the engine was built with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TopicIndex(pub u16);

/// The place in a source topic where a record stood first: it is what an idempotency key is made of.
///
/// Written `topic/partition/offset`, as in `orders/3/184467`.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Origin {
    /// The source topic.
    pub topic: Arc<str>,
    /// Its partition.
    pub partition: i32,
    /// The offset in that partition.
    pub offset: i64,
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut partition, mut offset) = (itoa::Buffer::new(), itoa::Buffer::new());
        for part in [&self.topic, "/", partition.format(self.partition), "/", offset.format(self.offset)] {
            f.write_str(part)?;
        }
        Ok(())
    }
}

/// Why a text is not an [`Origin`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not topic/partition/offset, as in orders/3/184467")]
pub struct OriginError {
    text: String,
}

impl FromStr for Origin {
    type Err = OriginError;

    fn from_str(text: &str) -> Result<Self, OriginError> {
        let parse = || {
            let mut parts = text.rsplitn(3, '/');
            let offset = parts.next()?.parse().ok().filter(|&offset: &i64| offset >= 0)?;
            let partition = parts.next()?.parse().ok().filter(|&partition: &i32| partition >= 0)?;
            let topic = parts.next().filter(|topic| !topic.is_empty())?;
            Some(Origin { topic: topic.into(), partition, offset })
        };
        parse().ok_or_else(|| OriginError { text: text.chars().take(300).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_reads_back_what_it_wrote() {
        let origin = Origin { topic: "orders".into(), partition: 3, offset: 184_467 };
        assert_eq!(origin.to_string(), "orders/3/184467");
        assert_eq!("orders/3/184467".parse(), Ok(origin));
    }

    #[test]
    fn what_is_no_place_in_a_topic_is_refused() {
        for text in [
            "",
            "orders",
            "orders/3",
            "/3/4",
            "orders/-1/4",
            "orders/3/-4",
            "orders/x/4",
            "orders/3/99999999999999999999",
        ] {
            assert!(text.parse::<Origin>().is_err(), "{text}");
        }
    }
}
