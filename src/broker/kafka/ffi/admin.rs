//! Admin requests that are answered, or given up, within a time limit.
//!
//! The safe admin client drops what people need: the broker's sentence about a topic it did not make, and which topic
//! it may not describe. Each request here has a queue of its own and is awaited on the calling thread.
//!
//! librdkafka's mock cluster supports none of these: there each costs its whole time limit.

use rdkafka::{
    client::{Client, ClientContext},
    types::RDKafkaErrorCode,
};
use rdkafka_sys as sys;
use std::{
    ffi::{CStr, c_char},
    ptr::{self, NonNull},
    time::Duration,
};

/// What the broker, or the client for it, says against a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub(in crate::broker::kafka) struct Fault {
    /// The kind of error.
    pub(in crate::broker::kafka) code: RDKafkaErrorCode,
    /// In words; the broker's own where it has some.
    pub(in crate::broker::kafka) text: String,
}

impl Fault {
    /// The fault that a code means, or none. `text` may be null.
    ///
    /// # Safety
    /// `text` is null or a text that ends with NUL and lives for the call.
    pub(super) unsafe fn from_code(code: sys::rd_kafka_resp_err_t, text: *const c_char) -> Result<(), Self> {
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            return Ok(());
        }
        let code = RDKafkaErrorCode::from(code);
        // SAFETY: as promised by the caller.
        let text = if text.is_null() { code.to_string() } else { unsafe { owned(text) } };
        Err(Self { code, text })
    }

    pub(super) fn client(text: impl Into<String>) -> Self {
        Self { code: RDKafkaErrorCode::InvalidArgument, text: text.into() }
    }

    /// Whether nobody has answered.
    pub(in crate::broker::kafka) fn is_silence(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::OperationTimedOut
                | RDKafkaErrorCode::BrokerTransportFailure
                | RDKafkaErrorCode::BrokerDestroy
        )
    }

    /// Whether the broker refused for want of a right.
    pub(in crate::broker::kafka) fn is_forbidden(&self) -> bool {
        matches!(
            self.code,
            RDKafkaErrorCode::TopicAuthorizationFailed
                | RDKafkaErrorCode::ClusterAuthorizationFailed
                | RDKafkaErrorCode::GroupAuthorizationFailed
        )
    }
}

/// Copies a C text.
///
/// # Safety
/// `text` ends with NUL and lives for the call.
pub(super) unsafe fn owned(text: *const c_char) -> String {
    // SAFETY: as promised by the caller.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

/// The answer to one request.
pub(super) struct Answer(NonNull<sys::rd_kafka_event_t>);

impl Answer {
    pub(super) fn as_ptr(&self) -> *mut sys::rd_kafka_event_t {
        self.0.as_ptr()
    }
}

impl Drop for Answer {
    fn drop(&mut self) {
        // SAFETY: an event that was polled is destroyed once by its receiver.
        unsafe { sys::rd_kafka_event_destroy(self.0.as_ptr()) };
    }
}

/// Sends a request with `send` and waits for its answer, little longer than `limit`.
pub(super) fn ask<C: ClientContext>(
    client: &Client<C>,
    kind: sys::rd_kafka_admin_op_t,
    limit: Duration,
    send: impl FnOnce(*mut sys::rd_kafka_t, *const sys::rd_kafka_AdminOptions_t, *mut sys::rd_kafka_queue_t),
) -> Result<Answer, Fault> {
    let millis = i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).clamp(1, 3_600_000);
    let handle = client.native_ptr();
    // SAFETY: client, options and queue live until the answer is there; librdkafka copies the options and counts its
    // own reference to the queue, so both may go before a late answer. An error text is not asked for (null, 0).
    let answer = unsafe {
        let options = sys::rd_kafka_AdminOptions_new(handle, kind);
        let queue = sys::rd_kafka_queue_new(handle);
        sys::rd_kafka_AdminOptions_set_request_timeout(options, millis, ptr::null_mut(), 0);
        if kind == sys::rd_kafka_admin_op_t::RD_KAFKA_ADMIN_OP_CREATETOPICS {
            // Else the broker answers before the topics are there.
            sys::rd_kafka_AdminOptions_set_operation_timeout(options, millis, ptr::null_mut(), 0);
        }
        send(handle, options, queue);
        let answer = sys::rd_kafka_queue_poll(queue, millis + 1000);
        sys::rd_kafka_queue_destroy(queue);
        sys::rd_kafka_AdminOptions_destroy(options);
        answer
    };
    let timed_out = Fault { code: RDKafkaErrorCode::OperationTimedOut, text: format!("no answer within {limit:?}") };
    let answer = Answer(NonNull::new(answer).ok_or(timed_out)?);
    // SAFETY: the event lives, and owns its text.
    unsafe {
        Fault::from_code(
            sys::rd_kafka_event_error(answer.as_ptr()),
            sys::rd_kafka_event_error_string(answer.as_ptr()),
        )?;
    }
    Ok(answer)
}
