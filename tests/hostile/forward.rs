//! Records as a tier holds them, written by hand.

use crate::raw::Raw;

/// A record as a tier of this group holds it.
pub(crate) fn forwarded(group: &str, origin: &str, body: &str) -> Raw {
    [
        ("retrial-version", "1"),
        ("retrial-group", group),
        ("retrial-origin", origin),
        ("retrial-timestamp", "create 2026-11-22T10:00:00.000Z"),
        ("retrial-attempts", "1"),
        ("retrial-crashes", "0"),
        ("retrial-step", "1"),
        ("retrial-hop", "1"),
        ("retrial-redrives", "0"),
    ]
    .into_iter()
    .fold(Raw::new(body).key("key").header("user", "header"), |record, (name, value)| record.header(name, value))
}

/// The same with one header set to another value, or added at the end.
pub(crate) fn with(record: &Raw, name: &str, value: impl Into<Vec<u8>>) -> Raw {
    let (mut changed, value) = (record.clone(), Some(value.into()));
    match changed.headers.iter_mut().find(|(own, _)| own == name.as_bytes()) {
        Some(found) => found.1 = value,
        None => changed.headers.push((name.into(), value)),
    }
    changed
}

/// The same without one header.
pub(crate) fn without(record: &Raw, name: &str) -> Raw {
    let mut changed = record.clone();
    changed.headers.retain(|(own, _)| own != name.as_bytes());
    changed
}
