//! Batch reads, and the messages they bring.

use super::{
    code::{Code, text},
    queue::Queue,
};
use rdkafka::bindings as rd;
use retrial_core::{history::SourceTime, time::Timestamp};
use std::{
    ffi::{CStr, c_char, c_void},
    marker::PhantomData,
    ops::ControlFlow,
    ptr, slice,
    sync::LazyLock,
};

/// Reads messages of one queue at a time into a place that is used again.
pub(in crate::broker::kafka) struct Reader {
    messages: Vec<*mut rd::rd_kafka_message_t>,
}

// SAFETY: between reads the places hold nothing; during one, `Messages` borrows the reader.
unsafe impl Send for Reader {}

impl Reader {
    /// A reader of batches up to this size.
    pub(in crate::broker::kafka) fn new(size: usize) -> Self {
        Self { messages: vec![ptr::null_mut(); size] }
    }

    /// Takes what is there, at most `limit`, without waiting. Fewer than `limit` means that the queue was read to its
    /// end, and will ring again.
    ///
    /// Only for queues of partitions: on the consumer's own queue the call would swallow rebalances.
    pub(in crate::broker::kafka) fn read(&mut self, queue: &Queue, limit: usize) -> Messages<'_> {
        let limit = limit.min(self.messages.len());
        // SAFETY: the queue is alive; the array has room for `limit` pointers; `&mut self` and the consumer's single
        // owner thread see to it that no two batch reads of one client run at once.
        let read = unsafe { rd::rd_kafka_consume_batch_queue(queue.as_ptr(), 0, self.messages.as_mut_ptr(), limit) };
        Messages { messages: &self.messages[..usize::try_from(read).unwrap_or(0)] }
    }
}

/// Messages that were read together. They are given back when this is dropped.
pub(in crate::broker::kafka) struct Messages<'r> {
    messages: &'r [*mut rd::rd_kafka_message_t],
}

impl Drop for Messages<'_> {
    fn drop(&mut self) {
        for &message in self.messages {
            // SAFETY: the read gave each of them to us; nothing borrows from them any more.
            unsafe { rd::rd_kafka_message_destroy(message) }
        }
    }
}

impl Messages<'_> {
    /// How many there are.
    pub(in crate::broker::kafka) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Shows the messages in order until `see` breaks, and gives each back right after. What a message's headers were
    /// parsed into is freed before the next one's are made: given back together, they outrun the allocator's caches, and
    /// that takes as long as the parsing.
    pub(in crate::broker::kafka) fn drain<B>(
        mut self,
        mut see: impl FnMut(Message<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        while let [message, rest @ ..] = self.messages {
            let shown = Messages { messages: slice::from_ref(message) };
            self.messages = rest;
            see(Message { message: *message, messages: PhantomData })?;
            drop(shown);
        }
        ControlFlow::Continue(())
    }

    /// The messages, in order.
    pub(in crate::broker::kafka) fn as_slice(&self) -> Slice<'_> {
        Slice { messages: self.messages }
    }
}

/// Some of the messages of a read.
#[derive(Clone, Copy)]
pub(in crate::broker::kafka) struct Slice<'m> {
    messages: &'m [*mut rd::rd_kafka_message_t],
}

impl<'m> Slice<'m> {
    /// Whether there are none.
    pub(in crate::broker::kafka) const fn is_empty(self) -> bool {
        self.messages.is_empty()
    }

    /// The messages, in order.
    pub(in crate::broker::kafka) fn iter(self) -> impl Iterator<Item = Message<'m>> {
        self.messages.iter().map(|&message| Message { message, messages: PhantomData })
    }

    /// Without the first ones.
    pub(in crate::broker::kafka) fn skip(self, count: usize) -> Self {
        Self { messages: self.messages.get(count..).unwrap_or_default() }
    }
}

/// A record, or an error of its partition.
#[derive(Clone, Copy)]
pub(in crate::broker::kafka) struct Message<'m> {
    message: *mut rd::rd_kafka_message_t,
    messages: PhantomData<&'m ()>,
}

impl<'m> Message<'m> {
    /// The error in place of a record, with its text.
    pub(in crate::broker::kafka) fn error(&self) -> Option<(Code, String)> {
        // SAFETY: the message is alive for 'm. The field is read as the number it is in C, since it may hold a code
        // that the bindings' enum does not have.
        let code = Code(unsafe { ptr::addr_of!((*self.message).err).cast::<i32>().read() });
        if code.is_ok() {
            return None;
        }
        // SAFETY: alive; an error message's payload is its text, as a C string.
        let why = text(unsafe { (*self.message).payload }.cast_const().cast());
        Some((code, why.unwrap_or_else(|| code.to_string())))
    }

    /// Its offset.
    pub(in crate::broker::kafka) fn offset(&self) -> i64 {
        // SAFETY: alive for 'm.
        unsafe { (*self.message).offset }
    }

    /// Bytes of key and body.
    pub(in crate::broker::kafka) fn size(&self) -> usize {
        // SAFETY: alive for 'm.
        unsafe { (*self.message).len + (*self.message).key_len }
    }

    /// The key; `None` for null.
    pub(in crate::broker::kafka) fn key(&self) -> Option<&'m [u8]> {
        // SAFETY: alive for 'm; pointer and length describe memory of the message.
        unsafe { bytes((*self.message).key.cast(), (*self.message).key_len) }
    }

    /// The body; `None` for null.
    pub(in crate::broker::kafka) fn body(&self) -> Option<&'m [u8]> {
        // SAFETY: alive for 'm; pointer and length describe memory of the message.
        unsafe { bytes((*self.message).payload.cast(), (*self.message).len) }
    }

    /// Leader epoch of its batch, or −1.
    pub(in crate::broker::kafka) fn leader_epoch(&self) -> i32 {
        // SAFETY: alive for 'm; the call reads only.
        unsafe { rd::rd_kafka_message_leader_epoch(self.message) }
    }

    /// Its timestamp and what it means.
    pub(in crate::broker::kafka) fn time(&self) -> SourceTime {
        let mut kind = rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE;
        // SAFETY: alive for 'm; the call reads the message and writes one of the enum's three values.
        let millis = unsafe { rd::rd_kafka_message_timestamp(self.message, &mut kind) };
        match kind {
            // Kafka's "no timestamp", which librdkafka hands on as a time of the producer.
            _ if millis == -1 => SourceTime::None,
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_CREATE_TIME => {
                SourceTime::Create(Timestamp::from_millis(millis))
            }
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_LOG_APPEND_TIME => {
                SourceTime::Append(Timestamp::from_millis(millis))
            }
            rd::rd_kafka_timestamp_type_t::RD_KAFKA_TIMESTAMP_NOT_AVAILABLE => SourceTime::None,
        }
    }

    /// The headers. The C interface hands names out as C strings; see [`name_of`] for those that have a NUL byte.
    pub(in crate::broker::kafka) fn headers(&self) -> Headers<'m> {
        let mut headers = ptr::null_mut();
        // SAFETY: alive for 'm. The call parses the headers on first use, keeps them in the message, and leaves the
        // pointer alone if there are none.
        let found = unsafe { rd::rd_kafka_message_headers(self.message, &mut headers) };
        let none = found != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR;
        Headers { headers: if none { ptr::null_mut() } else { headers }, next: 0, message: PhantomData }
    }
}

/// Names and values of a record's headers, in order.
pub(in crate::broker::kafka) struct Headers<'m> {
    headers: *mut rd::rd_kafka_headers_t,
    next: usize,
    message: PhantomData<&'m ()>,
}

impl<'m> Iterator for Headers<'m> {
    type Item = (&'m [u8], Option<&'m [u8]>);

    fn next(&mut self) -> Option<Self::Item> {
        if self.headers.is_null() {
            return None;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: the headers belong to the message, alive for 'm. Beyond the last one the call returns an error and
        // writes nothing; before it, a C string and a block (or null) that live as long as the message.
        unsafe {
            let found = rd::rd_kafka_header_get_all(self.headers, self.next, &mut name, &mut value, &mut size);
            if found != rd::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR {
                return None;
            }
            self.next += 1;
            Some((name_of(name, value), bytes(value.cast(), size)))
        }
    }
}

/// Whether librdkafka keeps a header's value right behind the NUL of its name, as its `rd_kafka_header_add` does. Asked
/// of the library that is linked, since no document says so.
static VALUES_FOLLOW_NAMES: LazyLock<bool> = LazyLock::new(|| {
    let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
    // SAFETY: a list of one header, whose parts are copied by their lengths. Both pointers are only compared.
    unsafe {
        let list = rd::rd_kafka_headers_new(1);
        rd::rd_kafka_header_add(list, b"a\0b".as_ptr().cast(), 3, c"v".as_ptr().cast(), 1);
        rd::rd_kafka_header_get_all(list, 0, &mut name, &mut value, &mut size);
        let follows = value.addr() == name.addr() + 4;
        rd::rd_kafka_headers_destroy(list);
        follows
    }
});

/// Whether librdkafka keeps the length of a header's name two words before the name, as its `rd_kafka_header_t` does.
/// Asked of the library that is linked, with a name that has a NUL byte.
static LENGTHS_PRECEDE_NAMES: LazyLock<bool> = LazyLock::new(|| {
    let is_there = |given: &[u8]| {
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        // SAFETY: a list of one header, whose name is copied by its length. Before the name of a header lie at least two
        // words of it, whatever they are: the list would have to be another structure altogether.
        unsafe {
            let list = rd::rd_kafka_headers_new(1);
            rd::rd_kafka_header_add(list, given.as_ptr().cast(), given.len().cast_signed(), ptr::null(), 0);
            rd::rd_kafka_header_get_all(list, 0, &mut name, &mut value, &mut size);
            let found = value.is_null() && length_before(name) == given.len();
            rd::rd_kafka_headers_destroy(list);
            found
        }
    };
    is_there(b"a\0b") && is_there(b"\0\0another")
});

/// # Safety
/// The name must come from a header that lives.
unsafe fn length_before(name: *const c_char) -> usize {
    // SAFETY: the caller vouches for a header, of which the name is the last part.
    unsafe { name.cast::<usize>().sub(2).read_unaligned() }
}

/// The name of a header, also if it has NUL bytes within: the distance to its value is its length, and a header without
/// a value still knows it.
///
/// # Safety
/// Name and value must come from one header that lives for `'m`; the value may be null.
unsafe fn name_of<'m>(name: *const c_char, value: *const c_void) -> &'m [u8] {
    let length = match value.is_null() {
        // SAFETY: the caller vouches for a header.
        true if *LENGTHS_PRECEDE_NAMES => unsafe { length_before(name) },
        false if *VALUES_FOLLOW_NAMES => value.addr() - name.addr() - 1,
        // SAFETY: the caller vouches for a C string.
        _ => return unsafe { CStr::from_ptr(name) }.to_bytes(),
    };
    // SAFETY: the name has this length, as was found by names of known lengths.
    unsafe { slice::from_raw_parts(name.cast(), length) }
}

/// # Safety
/// A pointer that is not null must be to `length` bytes that live for `'m`.
unsafe fn bytes<'m>(start: *const u8, length: usize) -> Option<&'m [u8]> {
    // SAFETY: the caller vouches for it.
    (!start.is_null()).then(|| unsafe { slice::from_raw_parts(start, length) })
}
