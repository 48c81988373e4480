//! What librdkafka keeps of a message it fetched, as far as it tells at a glance that there are no headers.
//!
//! Asked for the headers of a record that has none, librdkafka makes a buffer, reads a zero from it and throws it away:
//! a tenth of what it costs to read a small record. How many bytes the headers take it knows from the fetch.
//!
//! # Invariant
//! The layout is that of one version, and is looked at only where that very version is linked. A record of which
//! nothing is known is asked for its headers.

use rdkafka::bindings as rd;
use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::LazyLock,
};

/// The version whose layout this is: 2.12.1.
const VERSION: c_int = 0x020c_01ff;

/// `rd_kafka_msg_t` (rdkafka_msg.h), up to the headers as they came. It has no conditional parts.
#[repr(C)]
struct Kept {
    message: rd::rd_kafka_message_t,
    link: [*mut c_void; 2],
    flags: c_int,
    time_kind: c_int,
    time: i64,
    parsed_headers: *mut c_void,
    status: c_int,
    broker: i32,
    /// Bytes of the headers with their number before them; of what was made by a producer, something else.
    header_bytes: i32,
}

/// Whether that layout is the one of the library that is linked.
static KNOWN: LazyLock<bool> = LazyLock::new(|| {
    // SAFETY: the call reads a constant.
    unsafe { rd::rd_kafka_version() == VERSION }
});

/// Whether it is certain that the record has no headers.
///
/// # Safety
/// The message must be alive, come from a read of a consumer, and stand for a record.
pub(super) unsafe fn has_no_headers(message: *mut rd::rd_kafka_message_t) -> bool {
    if !*KNOWN {
        return false;
    }
    let kept = message.cast::<Kept>();
    // SAFETY: the caller vouches for a message of a fetch, and those are the first part of an `rd_kafka_msg_t` in this
    // version (`rd_kafka_message_get`). Both fields were written before the message was handed out.
    unsafe {
        let parsed = ptr::addr_of!((*kept).parsed_headers).read();
        // One header takes three bytes at least: their number, and two lengths.
        parsed.is_null() && (0..=1).contains(&ptr::addr_of!((*kept).header_bytes).read())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whoever takes another version of librdkafka in looks at its `rd_kafka_msg_t`, and says so here.
    #[test]
    fn the_layout_is_that_of_the_library_that_is_linked() {
        assert!(*KNOWN);
        // SAFETY: the call reads a constant.
        assert_eq!(unsafe { rd::rd_kafka_version() }, rd::RD_KAFKA_VERSION);
    }
}
