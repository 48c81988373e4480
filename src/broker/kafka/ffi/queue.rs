//! Queues of librdkafka, with a bell each.

use crate::broker::kafka::{context::Client, ready::Bell};
use rdkafka::{bindings as rd, consumer::Consumer};
use std::{
    ffi::{CString, c_void},
    fmt,
    ptr::{self, NonNull},
    sync::Arc,
};

/// A queue of the client that rings a bell when it steps from empty to one entry.
pub(in crate::broker::kafka) struct Queue {
    handle: NonNull<rd::rd_kafka_queue_t>,
    /// Boxed: librdkafka holds its address until the callback is taken off.
    _bell: Box<Bell>,
    /// Keeps the client alive beyond the handle. Fields are dropped after `drop` has run.
    _client: Arc<Client>,
}

// SAFETY: librdkafka's queues may be used from any thread.
unsafe impl Send for Queue {}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Queue({} entries)", self.len())
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        // SAFETY: the handle is ours and used here for the last time. Taking the callback off happens under the
        // queue's lock, under which it also runs: afterwards none runs, and the bell may go.
        unsafe {
            rd::rd_kafka_queue_cb_event_enable(self.handle.as_ptr(), None, ptr::null_mut());
            rd::rd_kafka_queue_destroy(self.handle.as_ptr());
        }
    }
}

impl Queue {
    /// The queue of a partition, taken off the consumer's queue. Before the partition is assigned, or its first
    /// records go to the consumer's queue.
    pub(in crate::broker::kafka) fn of_partition(
        client: &Arc<Client>,
        topic: &str,
        partition: i32,
        bell: Bell,
    ) -> Option<Self> {
        let topic = CString::new(topic).ok()?;
        // SAFETY: the client is alive, the name is copied. Forwarding to null ends the forwarding to the consumer's
        // queue; the setting stays with the partition for its life, also over assignments.
        let handle = unsafe {
            let handle = rd::rd_kafka_queue_get_partition(client.client().native_ptr(), topic.as_ptr(), partition);
            if !handle.is_null() {
                rd::rd_kafka_queue_forward(handle, ptr::null_mut());
            }
            handle
        };
        Self::with_bell(client, handle, bell)
    }

    /// The queue that carries rebalances, errors and logs.
    pub(in crate::broker::kafka) fn of_consumer(client: &Arc<Client>, bell: Bell) -> Option<Self> {
        // SAFETY: the client is alive.
        let handle = unsafe { rd::rd_kafka_queue_get_consumer(client.client().native_ptr()) };
        Self::with_bell(client, handle, bell)
    }

    /// A new queue, for replies.
    pub(in crate::broker::kafka) fn new(client: &Arc<Client>, bell: Bell) -> Option<Self> {
        // SAFETY: the client is alive.
        let handle = unsafe { rd::rd_kafka_queue_new(client.client().native_ptr()) };
        Self::with_bell(client, handle, bell)
    }

    fn with_bell(client: &Arc<Client>, handle: *mut rd::rd_kafka_queue_t, bell: Bell) -> Option<Self> {
        let handle = NonNull::new(handle)?;
        let bell = Box::new(bell);
        // SAFETY: the bell's address is stable while the box lives, and `drop` takes the callback off before that.
        // `rang` has the type that is asked for, and reads its opaque as the `Bell` that is given here.
        unsafe {
            let opaque = ptr::from_ref::<Bell>(&bell).cast_mut().cast();
            rd::rd_kafka_queue_cb_event_enable(handle.as_ptr(), Some(rang), opaque);
        }
        Some(Self { handle, _bell: bell, _client: Arc::clone(client) })
    }

    pub(super) fn as_ptr(&self) -> *mut rd::rd_kafka_queue_t {
        self.handle.as_ptr()
    }

    /// How many entries wait.
    pub(in crate::broker::kafka) fn len(&self) -> usize {
        // SAFETY: the handle is alive.
        unsafe { rd::rd_kafka_queue_length(self.as_ptr()) }
    }
}

/// Runs under the queue's lock on a thread of librdkafka: it may not block, allocate for long, or panic.
unsafe extern "C" fn rang(_client: *mut rd::rd_kafka_t, bell: *mut c_void) {
    // SAFETY: the opaque is the bell of the queue, which is alive while the callback is enabled; only shared
    // references to it exist.
    unsafe { &*bell.cast::<Bell>() }.ring();
}
