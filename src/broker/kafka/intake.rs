//! From a partition's queue into batches of records.

use super::{
    ffi::{Code, Message, Reader, Slice},
    slots::Held,
};
use crate::record::{BATCH_BYTES, Batch, BatchBuilder, Meter, Position};
use std::sync::Arc;

/// How many records one read takes from a queue at most.
pub(super) const READ: usize = 256;

/// What a read left behind.
#[derive(Debug)]
pub(super) enum After {
    /// The queue was read to its end, and will ring again.
    End,
    /// There may be more.
    More,
    /// An error stood in place of records. What came after it in the same read was dropped: librdkafka's position may
    /// have moved past records that never came, so it must be set back.
    Error(Code, String),
}

/// Reads queues, one at a time.
pub(super) struct Intake {
    reader: Reader,
    meter: Arc<Meter>,
}

impl Intake {
    /// Charges its batches to this meter.
    pub(super) fn new(meter: Arc<Meter>) -> Self {
        Self { reader: Reader::new(READ), meter }
    }

    /// Reads at most `limit` records of a partition, without waiting, into batches.
    pub(super) fn read(&mut self, held: &mut Held, limit: usize, mut batch_made: impl FnMut(Arc<Batch>)) -> After {
        let limit = limit.clamp(1, READ);
        let messages = self.reader.read(&held.queue, limit);
        let after = if messages.len() == limit { After::More } else { After::End };
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
            let (count, bytes) = fitting(rest);
            let topic = Arc::clone(&held.partition.topic);
            let mut batch = BatchBuilder::new(topic, held.partition.number, count, Arc::clone(&self.meter));
            batch.reserve(bytes);
            let (taken, error) = fill(&mut batch, rest.iter().take(count), &mut held.next);
            if batch.len() > 0 {
                held.errors = 0;
                batch_made(batch.finish());
            }
            if let Some((code, text)) = error {
                return After::Error(code, text);
            }
            rest = rest.skip(taken);
        }
        after
    }
}

/// How many messages make up the next batch at most, and the bytes of their keys and bodies. Headers are not counted:
/// to know their size is to parse them, so a batch with many of them grows, and is closed earlier.
fn fitting(messages: Slice<'_>) -> (usize, usize) {
    let (mut count, mut bytes) = (0, 0);
    for message in messages.iter() {
        count += 1;
        bytes += message.size();
        if bytes >= BATCH_BYTES {
            break;
        }
    }
    (count, bytes)
}

/// Appends records until the batch is full or an error comes; returns how many messages that took. A record below the
/// next expected offset came already: librdkafka can set the position between two records while it pauses, and then
/// delivers some twice.
fn fill<'m>(
    batch: &mut BatchBuilder,
    messages: impl Iterator<Item = Message<'m>>,
    next: &mut i64,
) -> (usize, Option<(Code, String)>) {
    let mut taken = 0;
    for message in messages {
        if let Some(error) = message.error() {
            return (taken, Some(error));
        }
        taken += 1;
        let offset = message.offset();
        if offset >= *next {
            let position = Position { offset, leader_epoch: message.leader_epoch(), time: message.time() };
            batch.push(position, message.key(), message.body(), message.headers());
            *next = offset + 1;
            if batch.is_full() {
                break;
            }
        }
    }
    (taken, None)
}
