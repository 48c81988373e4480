//! Error codes as numbers.
//!
//! A broker newer than the bindings sends codes that the bindings' enum does not have, and an enum must never hold
//! such a value. So codes stay numbers until they are known to be in it, and functions that return one are declared
//! here a second time with the type they have in C.

use rdkafka::{bindings, error::RDKafkaErrorCode, types::RDKafkaRespErr};
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    fmt,
};

/// An error code of Kafka (positive) or of librdkafka (negative); zero is success.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub(in crate::broker::kafka) struct Code(pub(super) i32);

impl Code {
    /// Whether it stands for success.
    pub(in crate::broker::kafka) const fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// The code by name, if the bindings know it.
    pub(in crate::broker::kafka) fn known(self) -> Option<RDKafkaErrorCode> {
        RDKafkaRespErr::try_from(self.0).ok().map(Into::into)
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match RDKafkaRespErr::try_from(self.0) {
            // SAFETY: takes a number, returns a string that lives for ever.
            Ok(known) => f.write_str(&text(unsafe { bindings::rd_kafka_err2str(known) }).unwrap_or_default()),
            Err(_) => write!(f, "Kafka error {}", self.0),
        }
    }
}

/// Why a call was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::broker::kafka) struct Refusal {
    pub(in crate::broker::kafka) code: Code,
    pub(in crate::broker::kafka) text: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Code> for Refusal {
    fn from(code: Code) -> Self {
        Self { code, text: code.to_string() }
    }
}

/// Success, or the code as a refusal.
pub(super) fn checked(code: i32) -> Result<(), Refusal> {
    if code == 0 { Ok(()) } else { Err(Code(code).into()) }
}

/// Success, or what the error object says; it is destroyed.
pub(super) fn accepted(error: *mut bindings::rd_kafka_error_t) -> Result<(), Refusal> {
    if error.is_null() {
        return Ok(());
    }
    // SAFETY: librdkafka gave this object to us; it is read, then destroyed, and not used again.
    unsafe {
        let code = Code(error_code(error.cast()));
        let refusal = Refusal { code, text: text(bindings::rd_kafka_error_string(error)).unwrap_or_default() };
        bindings::rd_kafka_error_destroy(error);
        Err(refusal)
    }
}

/// A copy of a C string, or nothing for a null pointer.
pub(super) fn text(string: *const c_char) -> Option<String> {
    // SAFETY: librdkafka's strings end with a NUL; the copy is made before anything can free the original.
    (!string.is_null()).then(|| unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned())
}

unsafe extern "C" {
    #[link_name = "rd_kafka_error_code"]
    pub(super) fn error_code(error: *const c_void) -> c_int;
    #[link_name = "rd_kafka_event_error"]
    pub(super) fn event_error(event: *mut c_void) -> c_int;
    #[link_name = "rd_kafka_committed"]
    pub(super) fn kafka_committed(client: *mut c_void, offsets: *mut c_void, timeout_ms: c_int) -> c_int;
    #[link_name = "rd_kafka_offsets_for_times"]
    pub(super) fn kafka_offsets_for_times(client: *mut c_void, offsets: *mut c_void, timeout_ms: c_int) -> c_int;
}

/// A code by its number.
#[cfg(test)]
pub(in crate::broker::kafka) fn code_for_tests(number: i32) -> Code {
    Code(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_from_the_future_is_only_a_number() {
        assert_eq!(Code(30_000).known(), None);
        assert_eq!(Code(30_000).to_string(), "Kafka error 30000");
        assert_eq!(Code(25).known(), Some(RDKafkaErrorCode::UnknownMemberId));
    }
}
