//! Headers of a record as bytes, for tests: the safe bindings panic on names that are not UTF-8.

use rdkafka::message::BorrowedMessage;
use rdkafka_sys as sys;
use std::{ffi::CStr, ptr};

/// A header as it stands in the topic.
pub(in crate::broker::kafka) type RawHeader = (Vec<u8>, Option<Vec<u8>>);

/// Name and value of every header.
pub(in crate::broker::kafka) fn raw_headers(message: &BorrowedMessage<'_>) -> Vec<RawHeader> {
    let mut headers = Vec::new();
    let mut list = ptr::null_mut();
    // SAFETY: the message lives for the call and owns the list and what is in it.
    unsafe {
        if sys::rd_kafka_message_headers(message.ptr(), &raw mut list)
            != sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            return headers;
        }
        let (mut name, mut value, mut size) = (ptr::null(), ptr::null(), 0);
        while sys::rd_kafka_header_get_all(list, headers.len(), &raw mut name, &raw mut value, &raw mut size)
            == sys::rd_kafka_resp_err_t::RD_KAFKA_RESP_ERR_NO_ERROR
        {
            let value = (!value.is_null()).then(|| std::slice::from_raw_parts(value.cast::<u8>(), size).to_vec());
            headers.push((CStr::from_ptr(name).to_bytes().to_vec(), value));
        }
    }
    headers
}
