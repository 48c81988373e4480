//! How far a log was cut.
//!
//! librdkafka asks the new leader where the epoch of the last record read ends (KIP-320), and with `auto.offset.reset=error`
//! tells the answer in the text of its error only (`rd_kafka_offset_validate`, 2.12.1). The text is read here; where it
//! says something else, nothing is known of the cut but that there is one.

/// A log that ends an epoch earlier than it was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Truncation {
    /// The next offset that would have been fetched.
    pub(super) position: i64,
    /// Up to here it is the log that was read.
    pub(super) end: i64,
}

impl Truncation {
    /// What the error's text says. Nothing where the new leader does not know the epoch that was read: what it has below
    /// the end of an earlier epoch may differ from what was read, too.
    pub(super) fn read(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("Partition log truncation detected at offset ")?;
        let (position, rest) = rest.split_once(" (leader epoch ")?;
        let (epoch, rest) = rest.split_once("): broker end offset is ")?;
        let (end, rest) = rest.split_once(" (offset leader epoch ")?;
        let (end_epoch, _) = rest.split_once(')')?;
        let (position, end): (i64, i64) = (position.parse().ok()?, end.parse().ok()?);
        (epoch == end_epoch && 0 <= end && end < position).then_some(Self { position, end })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(position: &str, epoch: i32, end: i64, end_epoch: i32) -> String {
        format!(
            "Partition log truncation detected at offset {position} (leader epoch {epoch}): broker end offset is {end} \
             (offset leader epoch {end_epoch}). Reset to INVALID.: Local: Partition log truncation detected (broker 2)"
        )
    }

    #[test]
    fn a_cut_within_the_epoch_that_was_read_is_exact() {
        assert_eq!(Truncation::read(&text("150", 3, 100, 3)), Some(Truncation { position: 150, end: 100 }));
    }

    #[test]
    fn an_epoch_that_the_leader_does_not_know_and_other_texts_tell_nothing() {
        for text in [
            text("150", 3, 100, 2),
            text("100", 3, 100, 3),
            text("150", 3, -1, 3),
            text("BEGINNING", 3, 100, 3),
            "Broker: Offset out of range (broker 1)".to_owned(),
            "Partition log truncation detected at offset 150 (leader epoch 3".to_owned(),
            String::new(),
        ] {
            assert_eq!(Truncation::read(&text), None, "{text}");
        }
    }
}
