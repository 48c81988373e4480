//! Replies to requests, from a queue of one's own.

use super::{
    code::{Code, Refusal, event_error, text},
    offsets::listed,
    queue::Queue,
};
use rdkafka::bindings as rd;

/// A partition that a reply names with an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::kafka) struct Failed {
    pub(in crate::broker::kafka) topic: String,
    pub(in crate::broker::kafka) partition: i32,
    pub(in crate::broker::kafka) code: Code,
}

/// The end of a request. `key` is what the request was given.
#[derive(Debug)]
pub(in crate::broker::kafka) enum Reply {
    /// Of a commit: the partitions that were refused, or why none was asked for.
    Commit { key: usize, result: Result<Vec<Failed>, Refusal> },
    /// Of a deletion of records.
    Deletion { key: usize, result: Result<Vec<Failed>, Refusal> },
    /// Of something that was not asked for.
    Other,
}

impl Reply {
    /// Takes the next reply, without waiting.
    pub(in crate::broker::kafka) fn take(queue: &Queue) -> Option<Self> {
        // SAFETY: the queue is alive; the event is ours until it is destroyed below.
        let event = unsafe { rd::rd_kafka_queue_poll(queue.as_ptr(), 0) };
        if event.is_null() {
            return None;
        }
        // SAFETY: the event is alive, and everything taken from it is copied before it is destroyed.
        let reply = unsafe {
            let reply = Self::read(event);
            rd::rd_kafka_event_destroy(event);
            reply
        };
        Some(reply)
    }

    /// # Safety
    /// The event must be alive.
    unsafe fn read(event: *mut rd::rd_kafka_event_t) -> Self {
        // SAFETY: the caller vouches for the event. The accessors of a kind are used on events of that kind only; the
        // lists belong to the event.
        unsafe {
            let key = rd::rd_kafka_event_opaque(event).addr();
            match rd::rd_kafka_event_type(event) {
                rd::RD_KAFKA_EVENT_OFFSET_COMMIT => {
                    let list = rd::rd_kafka_event_topic_partition_list(event);
                    Self::Commit { key, result: outcome(event, list) }
                }
                rd::RD_KAFKA_EVENT_DELETERECORDS_RESULT => {
                    let result = rd::rd_kafka_event_DeleteRecords_result(event);
                    let list = if result.is_null() {
                        std::ptr::null()
                    } else {
                        rd::rd_kafka_DeleteRecords_result_offsets(result)
                    };
                    Self::Deletion { key, result: outcome(event, list) }
                }
                _ => Self::Other,
            }
        }
    }
}

/// # Safety
/// The event must be alive, and the list (or null) belong to it.
unsafe fn outcome(
    event: *mut rd::rd_kafka_event_t,
    list: *const rd::rd_kafka_topic_partition_list_t,
) -> Result<Vec<Failed>, Refusal> {
    // SAFETY: the caller vouches for both.
    let (code, list) = unsafe { (Code(event_error(event.cast())), listed(list)) };
    let failed = list.filter(|listed| !listed.error().is_ok());
    let failed: Vec<Failed> = failed
        .map(|listed| Failed { topic: listed.topic().to_owned(), partition: listed.partition(), code: listed.error() })
        .collect();
    // An answer that refuses some partitions has the error of the last of them as a whole, though the others were taken
    // (rd_kafka_handle_OffsetCommit of 2.12). One that never came has errors of no partition.
    if code.is_ok() || !failed.is_empty() {
        return Ok(failed);
    }
    // SAFETY: the event is alive.
    let why = text(unsafe { rd::rd_kafka_event_error_string(event) });
    Err(Refusal { code, text: why.unwrap_or_else(|| code.to_string()) })
}
