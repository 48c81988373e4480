//! Records of the control topic: any bytes are refused with a warning or read as exactly what would be written.
//!
//! The input is a key, which ends with the first NUL byte, and a value.

use retrial_core::{
    control::{Control, claim_key, operation_key, page_key, stop_key},
    time::Timestamp,
};

/// Panics if a record is read as something that is written otherwise, or is neither read nor told.
pub fn check(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (key, value) = (&bytes[..end], bytes.get(end + 1..).unwrap_or_default());
    let mut control = Control::default();
    control.take_in(key, Some(value), Timestamp::default());
    let mut written: Vec<(String, Vec<u8>)> = Vec::new();
    for (id, operation) in &control.operations {
        assert!(operation.offsets().0 <= operation.offsets().1);
        written.push((operation_key(id), operation.encode().into_bytes()));
    }
    written.extend(control.claim.iter().map(|seen| (claim_key().to_owned(), seen.claim.encode().into_bytes())));
    written.extend(control.stops.iter().map(|(id, request)| (stop_key(id), request.encode().into_bytes())));
    written.extend(page(&control, key));
    for (written_key, written_value) in &written {
        assert_eq!((written_key.as_bytes(), written_value.as_slice()), (key, value));
    }
    let is_ours = ["operation/", "stop/", "settled/"].iter().any(|room| key.starts_with(room.as_bytes()))
        || key == claim_key().as_bytes();
    let is_text = std::str::from_utf8(key).is_ok();
    assert_eq!(written.len() + control.warnings().count(), usize::from(is_ours && is_text), "read, or told");
    assert!(control.warnings().all(|warning| !warning.contains(char::is_control)));
    // A null value takes back whatever it was.
    control.take_in(key, None, Timestamp::default());
    assert!(control.operations.is_empty() && control.claim.is_none() && control.stops.is_empty());
    assert_eq!((page(&control, key), control.warnings().count()), (None, 0));
}

/// The page that this key names, if it was read.
fn page(control: &Control, key: &[u8]) -> Option<(String, Vec<u8>)> {
    let place = std::str::from_utf8(key).ok()?.strip_prefix("settled/")?;
    let mut parts = place.rsplitn(3, '/');
    let (page, partition, topic) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?);
    let found = control.settled.record(topic, partition, page)?;
    assert_eq!(found.0, page_key(topic, partition, page));
    Some(found)
}
