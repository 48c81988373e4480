//! Requests of a consumer.
//!
//! Calls without a time limit are answered by librdkafka's own main thread and take microseconds.

use super::{
    code::{Refusal, accepted, checked, kafka_committed, kafka_offsets_for_times},
    offsets::OffsetList,
    queue::Queue,
};
use crate::broker::kafka::context::Client;
use rdkafka::{ClientContext, bindings as rd, client::Client as NativeClient, consumer::Consumer};
use std::{ffi::c_int, ptr, time::Duration};

fn native(client: &Client) -> *mut rd::rd_kafka_t {
    client.client().native_ptr()
}

fn millis(limit: Duration) -> c_int {
    c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX).max(1)
}

/// Adds partitions to the assignment, each at its offset. Also the answer to an assignment event.
pub(in crate::broker::kafka) fn assign(client: &Client, list: &OffsetList) -> Result<(), Refusal> {
    // SAFETY: both are alive; the list is copied by the call.
    accepted(unsafe { rd::rd_kafka_incremental_assign(native(client), list.as_ptr()) })
}

/// Takes partitions out of the assignment. Also the answer to a revocation.
pub(in crate::broker::kafka) fn unassign(client: &Client, list: &OffsetList) -> Result<(), Refusal> {
    // SAFETY: both are alive; the list is copied by the call.
    accepted(unsafe { rd::rd_kafka_incremental_unassign(native(client), list.as_ptr()) })
}

/// Moves assigned partitions to their offsets; what was fetched before is never delivered. Each partition of the list
/// has its own error afterwards.
pub(in crate::broker::kafka) fn seek(client: &Client, list: &mut OffsetList, limit: Duration) -> Result<(), Refusal> {
    // SAFETY: both are alive; the call writes errors into the list, which is borrowed for that.
    accepted(unsafe { rd::rd_kafka_seek_partitions(native(client), list.as_ptr(), millis(limit)) })
}

/// Reads what the group has committed, into the list. Blocks up to the limit.
pub(in crate::broker::kafka) fn committed(
    client: &Client,
    list: &mut OffsetList,
    limit: Duration,
) -> Result<(), Refusal> {
    // SAFETY: both are alive; the declaration has the C function's types, with its enum as the number it is.
    checked(unsafe { kafka_committed(native(client).cast(), list.as_ptr().cast(), millis(limit)) })
}

/// Replaces −2 by the first offset of the log, and −1 by the next one to be written (for a reader of committed
/// records: by the end of what is stable). Blocks up to the limit.
pub(in crate::broker::kafka) fn log_offsets(
    client: &Client,
    list: &mut OffsetList,
    limit: Duration,
) -> Result<(), Refusal> {
    // SAFETY: both are alive; the declaration has the C function's types, with its enum as the number it is.
    checked(unsafe { kafka_offsets_for_times(native(client).cast(), list.as_ptr().cast(), millis(limit)) })
}

/// Replaces −1 by the next offset to be written, with any client. Blocks up to the limit.
pub(in crate::broker::kafka) fn log_ends<C: ClientContext>(
    client: &NativeClient<C>,
    list: &mut OffsetList,
    limit: Duration,
) -> Result<(), Refusal> {
    // SAFETY: as in `log_offsets`; it needs no consumer.
    checked(unsafe { kafka_offsets_for_times(client.native_ptr().cast(), list.as_ptr().cast(), millis(limit)) })
}

/// Commits, in one request; the result comes to the queue with this key.
pub(in crate::broker::kafka) fn commit(
    client: &Client,
    list: &OffsetList,
    replies: &Queue,
    key: usize,
) -> Result<(), Refusal> {
    let opaque = ptr::without_provenance_mut(key);
    // SAFETY: client, list and queue are alive; the list is copied. Without a callback the result is an event that
    // carries the opaque, which nobody dereferences. The call's own errors are all of librdkafka's.
    let code = unsafe { rd::rd_kafka_commit_queue(native(client), list.as_ptr(), replies.as_ptr(), None, opaque) };
    checked(code as c_int)
}

/// Deletes the records below the offsets, in the background; the result comes to the queue with this key.
pub(in crate::broker::kafka) fn delete_records(client: &Client, list: &OffsetList, replies: &Queue, key: usize) {
    let rk = native(client);
    // SAFETY: client, list and queue are alive. Both objects are created here, read by the call, which copies them,
    // and destroyed once. The opaque is a number.
    unsafe {
        let mut request = rd::rd_kafka_DeleteRecords_new(list.as_ptr());
        let options = rd::rd_kafka_AdminOptions_new(rk, rd::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_DELETERECORDS);
        rd::rd_kafka_AdminOptions_set_opaque(options, ptr::without_provenance_mut(key));
        rd::rd_kafka_DeleteRecords(rk, &mut request, 1, options, replies.as_ptr());
        rd::rd_kafka_AdminOptions_destroy(options);
        rd::rd_kafka_DeleteRecords_destroy(request);
    }
}
