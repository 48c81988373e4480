//! A producer of records as bytes.
//!
//! The safe bindings take header names as UTF-8 text and choose a partition by key. Records travel byte for byte
//! here, so names go in with their length, and the partition comes from the [`Ticket`] of the forward: librdkafka asks
//! for it when it knows the topic, so nothing waits for metadata and no partition count is cached.
//!
//! # Invariants
//! 1. A ticket given to librdkafka comes back exactly once: as a [`Report`], or by an error of [`Producer::produce`].
//! 2. Topic handles and the queue's callback end before the client they belong to.

use crate::broker::Waker;
use rdkafka::{
    ClientConfig, ClientContext,
    config::{FromClientConfigAndContext, RDKafkaLogLevel},
    error::KafkaError,
    message::{DeliveryResult, Message},
    producer::{BaseProducer, Producer as _, ProducerContext},
    types::RDKafkaErrorCode,
};
use rdkafka_sys as sys;
use retrial_core::time::Timestamp;
use std::{
    ffi::{CString, c_char, c_void},
    ptr::{self, NonNull},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// What travels through librdkafka beside a record.
#[derive(Debug)]
pub(in crate::broker::kafka) struct Ticket {
    /// The record's name with whoever sent it.
    pub(in crate::broker::kafka) token: u64,
    /// Its partition is this modulo the partitions of the topic.
    pub(in crate::broker::kafka) spread: u64,
}

/// What became of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker::kafka) struct Report {
    /// The token of its ticket.
    pub(in crate::broker::kafka) token: u64,
    /// Written, with its timestamp; or why not.
    pub(in crate::broker::kafka) result: Result<rdkafka::Timestamp, RDKafkaErrorCode>,
}

/// Collects the delivery reports that one poll brings.
#[derive(Debug, Default)]
struct Reports(Mutex<Vec<Report>>);

impl Reports {
    fn take_into(&self, into: &mut Vec<Report>) {
        into.append(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, text: &str) {
        match level {
            RDKafkaLogLevel::Emerg | RDKafkaLogLevel::Alert | RDKafkaLogLevel::Critical | RDKafkaLogLevel::Error => {
                tracing::error!(target: "librdkafka", facility, "{text}");
            }
            RDKafkaLogLevel::Warning => tracing::warn!(target: "librdkafka", facility, "{text}"),
            RDKafkaLogLevel::Notice | RDKafkaLogLevel::Info => tracing::info!(target: "librdkafka", facility, "{text}"),
            RDKafkaLogLevel::Debug => tracing::debug!(target: "librdkafka", facility, "{text}"),
        }
    }

    fn error(&self, error: KafkaError, reason: &str) {
        tracing::warn!(target: "librdkafka", %error, "{reason}");
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Ticket>;

    fn delivery(&self, delivered: &DeliveryResult<'_>, ticket: Box<Ticket>) {
        let result = match delivered {
            Ok(message) => Ok(message.timestamp()),
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        let mut reports = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        reports.push(Report { token: ticket.token, result });
    }
}

/// One record on its way out.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker::kafka) struct Outgoing<'a> {
    /// The topic.
    pub(in crate::broker::kafka) topic: &'a str,
    /// The key; null is not empty.
    pub(in crate::broker::kafka) key: Option<&'a [u8]>,
    /// The body; null is not empty.
    pub(in crate::broker::kafka) body: Option<&'a [u8]>,
    /// When it is sent. A topic with LogAppendTime does not keep it.
    pub(in crate::broker::kafka) time: Timestamp,
}

/// A producer whose delivery reports are taken by [`Producer::poll`].
pub(in crate::broker::kafka) struct Producer {
    /// Few: a look through all is faster than a hash of the name.
    topics: Vec<(Box<str>, NonNull<sys::rd_kafka_topic_t>)>,
    events: NonNull<sys::rd_kafka_queue_t>,
    // Boxed: librdkafka keeps its address for the callback.
    waker: Box<Waker>,
    base: BaseProducer<Reports>,
}

// SAFETY: librdkafka's handles may be used from any thread (its INTRODUCTION.md, "Threads and callbacks"), and what
// the two pointers refer to is owned by this value alone.
unsafe impl Send for Producer {}

impl Producer {
    /// A producer that rings the waker when there is something to poll for. `config` decides about everything
    /// else, but must set `sticky.partitioning.linger.ms=0`, or records without a key bypass the partitioner.
    pub(in crate::broker::kafka) fn new(config: &ClientConfig, waker: Waker) -> Result<Self, KafkaError> {
        let base: BaseProducer<Reports> = BaseProducer::from_config_and_context(config, Reports::default())?;
        let waker = Box::new(waker);
        // SAFETY: the client lives; the queue is a counted reference, given back in `drop`. The callback's argument
        // outlives the callback, which is disarmed in `drop` before the box can go.
        let events = unsafe {
            let queue = sys::rd_kafka_queue_get_main(base.client().native_ptr());
            let argument: *const Waker = &raw const *waker;
            sys::rd_kafka_queue_cb_event_enable(queue, Some(ring), argument.cast_mut().cast());
            queue
        };
        let Some(events) = NonNull::new(events) else {
            return Err(KafkaError::ClientCreation("the client has no event queue".to_owned()));
        };
        // What came before the bell was hung is in the queue already, and only an empty queue rings.
        waker.wake();
        Ok(Self { topics: Vec::new(), events, waker, base })
    }

    /// Queues a record without waiting.
    ///
    /// # Errors
    /// librdkafka's reason for not taking it, such as a full queue; there will be no report then.
    pub(in crate::broker::kafka) fn produce<'h>(
        &mut self,
        record: Outgoing<'_>,
        headers: impl IntoIterator<Item = (&'h [u8], Option<&'h [u8]>)>,
        ticket: Ticket,
    ) -> Result<(), RDKafkaErrorCode> {
        let topic = self.topic(record.topic)?;
        let headers = NativeHeaders::new(headers);
        let ticket = Box::into_raw(Box::new(ticket));
        let (key, key_len) = parts(record.key);
        let (body, body_len) = parts(record.body);
        // SAFETY: the argument list has the types that rd_kafka_producev documents for each tag and ends with END.
        // Key, body (MSG_F_COPY) and topic are only read during the call.
        let code = unsafe {
            sys::rd_kafka_producev(
                self.base.client().native_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_RKT,
                topic.as_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_MSGFLAGS,
                sys::RD_KAFKA_MSG_F_COPY,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_KEY,
                key,
                key_len,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_VALUE,
                body,
                body_len,
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_TIMESTAMP,
                record.time.as_millis(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_OPAQUE,
                ticket.cast::<c_void>(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_HEADERS,
                headers.0.as_ptr(),
                sys::rd_kafka_vtype_t::RD_KAFKA_VTYPE_END,
            )
        };
        if code == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
            // librdkafka owns the headers now, and the ticket until its report.
            std::mem::forget(headers);
            return Ok(());
        }
        // SAFETY: a record that was not taken leaves ticket and headers with the caller.
        drop(unsafe { Box::from_raw(ticket) });
        Err(code.into())
    }

    /// The handle of a topic, with our partitioner. It must exist before librdkafka first hears the name, since a
    /// topic's settings are fixed then; nothing else of this client names a topic.
    fn topic(&mut self, name: &str) -> Result<NonNull<sys::rd_kafka_topic_t>, RDKafkaErrorCode> {
        if let Some((_, topic)) = self.topics.iter().find(|(known, _)| **known == *name) {
            return Ok(*topic);
        }
        let text = CString::new(name).map_err(|_| RDKafkaErrorCode::InvalidTopic)?;
        let client = self.base.client().native_ptr();
        // SAFETY: the client lives; rd_kafka_topic_new takes the settings over, also when it fails.
        let topic = unsafe {
            let settings = sys::rd_kafka_default_topic_conf_dup(client);
            sys::rd_kafka_topic_conf_set_partitioner_cb(settings, Some(partition_by_ticket));
            sys::rd_kafka_topic_new(client, text.as_ptr(), settings)
        };
        let topic = NonNull::new(topic).ok_or(RDKafkaErrorCode::InvalidTopic)?;
        self.topics.push((name.into(), topic));
        Ok(topic)
    }

    /// Serves what happened since the last call, without waiting, and hands over the reports.
    pub(in crate::broker::kafka) fn poll(&mut self, reports: &mut Vec<Report>) {
        // One poll serves one event. The bell rings only when the queue stops being empty, so it must be emptied.
        // SAFETY: the queue lives as long as `self`.
        while unsafe { sys::rd_kafka_queue_length(self.events.as_ptr()) } > 0 {
            self.base.poll(Duration::ZERO);
        }
        self.base.client().context().take_into(reports);
    }

    /// Waits until everything that was queued has its report, at most this long. The reports wait for `poll`.
    pub(in crate::broker::kafka) fn flush(&mut self, limit: Duration) {
        // The only error is "not all within the limit", which the caller sees by what is still unresolved.
        let _ = self.base.flush(limit);
    }

    /// Takes out what is queued and not sent; each comes back as a report with `PurgeQueue`. Does not wait for it.
    pub(in crate::broker::kafka) fn purge_queue(&mut self) {
        // Without NON_BLOCKING the call waits for every broker thread, and one may hang in a name look-up.
        // SAFETY: the client lives. With these flags the call cannot fail on a producer (rdkafka.c, rd_kafka_purge).
        unsafe {
            sys::rd_kafka_purge(
                self.base.client().native_ptr(),
                sys::RD_KAFKA_PURGE_F_QUEUE | sys::RD_KAFKA_PURGE_F_NON_BLOCKING,
            );
        }
    }

    /// Why this producer is broken for good, if it is.
    pub(in crate::broker::kafka) fn fatal(&self) -> Option<String> {
        self.base.client().fatal_error().map(|(_, reason)| reason)
    }

    /// Makes this the only producer with its `transactional.id`: an older one is fenced, and what it had open is aborted.
    pub(in crate::broker::kafka) fn init_transactions(&self, limit: Duration) -> Result<(), KafkaError> {
        self.base.init_transactions(limit)
    }

    /// Opens a transaction, for all that is produced until it is committed.
    pub(in crate::broker::kafka) fn begin_transaction(&self) -> Result<(), KafkaError> {
        self.base.begin_transaction()
    }

    /// Sends what is queued, waits for all of it, and commits. After an error nobody knows whether it was committed.
    pub(in crate::broker::kafka) fn commit_transaction(&self, limit: Duration) -> Result<(), KafkaError> {
        let deadline = Instant::now() + limit;
        // The bindings' own flush looks only every 100 ms (`BaseProducer::flush` of rdkafka 0.39).
        while self.base.in_flight_count() > 0 && Instant::now() < deadline {
            // Its error is "not yet"; it sends what lingers.
            let _ = self.base.flush(Duration::ZERO);
            self.base.poll(Duration::from_millis(1));
        }
        self.base.commit_transaction(deadline.saturating_duration_since(Instant::now()))
    }

    /// Breaks this producer as an unrecoverable error from a broker would.
    #[cfg(test)]
    pub(in crate::broker::kafka) fn break_for_good(&self) {
        // SAFETY: the client lives, and the text ends with NUL.
        unsafe {
            sys::rd_kafka_test_fatal_error(
                self.base.client().native_ptr(),
                sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER,
                c"broken by a test".as_ptr(),
            );
        }
    }
}

impl Drop for Producer {
    /// Ends the client. What is unresolved is thrown away. May take half a second, or longer with a broker that hangs.
    fn drop(&mut self) {
        // SAFETY: no callback runs after it is disarmed; each reference is given back once, before the client goes.
        unsafe {
            sys::rd_kafka_queue_cb_event_enable(self.events.as_ptr(), None, ptr::null_mut());
            sys::rd_kafka_queue_destroy(self.events.as_ptr());
            for (_, topic) in &self.topics {
                sys::rd_kafka_topic_destroy(topic.as_ptr());
            }
        }
    }
}

impl std::fmt::Debug for Producer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Producer").field("topics", &self.topics.len()).field("waker", &self.waker).finish()
    }
}

/// Headers on their way into librdkafka.
struct NativeHeaders(NonNull<sys::rd_kafka_headers_t>);

impl NativeHeaders {
    fn new<'h>(headers: impl IntoIterator<Item = (&'h [u8], Option<&'h [u8]>)>) -> Self {
        let headers = headers.into_iter();
        // SAFETY: a plain allocation; librdkafka ends the process when there is no memory.
        let list = unsafe { sys::rd_kafka_headers_new(headers.size_hint().0.max(16)) };
        let list = NonNull::new(list).expect("librdkafka never returns a null list: out of memory aborts");
        for (name, value) in headers {
            let (value, value_len) = parts(value);
            // SAFETY: both texts are copied during the call, by their lengths; a null value stays null.
            unsafe {
                sys::rd_kafka_header_add(
                    list.as_ptr(),
                    name.as_ptr().cast::<c_char>(),
                    name.len().cast_signed(),
                    value,
                    value_len.cast_signed(),
                );
            }
        }
        Self(list)
    }
}

impl Drop for NativeHeaders {
    fn drop(&mut self) {
        // SAFETY: still ours: a list that librdkafka took over is forgotten, not dropped.
        unsafe { sys::rd_kafka_headers_destroy(self.0.as_ptr()) };
    }
}

/// Null for `None`; an empty slice has a pointer that is not null, and that is how librdkafka tells them apart.
fn parts(bytes: Option<&[u8]>) -> (*mut c_void, usize) {
    bytes.map_or((ptr::null_mut(), 0), |bytes| (bytes.as_ptr().cast_mut().cast(), bytes.len()))
}

unsafe extern "C" fn ring(_client: *mut sys::rd_kafka_t, waker: *mut c_void) {
    // SAFETY: the argument is the boxed waker of a producer that has not been dropped.
    unsafe { &*waker.cast::<Waker>() }.wake();
}

unsafe extern "C" fn partition_by_ticket(
    _topic: *const sys::rd_kafka_topic_t,
    _key: *const c_void,
    _key_len: usize,
    partitions: i32,
    _topic_argument: *mut c_void,
    ticket: *mut c_void,
) -> i32 {
    // SAFETY: every record of this client is produced above, with a ticket that lives until its report.
    let spread = unsafe { &*ticket.cast::<Ticket>() }.spread;
    let partitions = u64::from(partitions.unsigned_abs()).max(1);
    i32::try_from(spread % partitions).unwrap_or(0)
}
