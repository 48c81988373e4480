//! The names of our headers, and which headers of a record are ours.

/// A header as it lies in a record: neither name nor value need be UTF-8, and the value may be null.
pub(super) type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// One of our headers. `__dlq.errors.*` is written beside them and never read: it says nothing that these do not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Field {
    Version,
    Group,
    Origin,
    Timestamp,
    Attempts,
    Crashes,
    Step,
    Hop,
    Due,
    FirstFailed,
    LastFailed,
    Expires,
    ErrorKind,
    Error,
    Cause,
    Redrives,
    Operation,
    Replay,
}

/// In the order of [`Field`]; frozen.
const NAMES: [&str; Field::COUNT] = [
    "retrial-version",
    "retrial-group",
    "retrial-origin",
    "retrial-timestamp",
    "retrial-attempts",
    "retrial-crashes",
    "retrial-step",
    "retrial-hop",
    "retrial-due",
    "retrial-first-failed",
    "retrial-last-failed",
    "retrial-expires",
    "retrial-error-kind",
    "retrial-error",
    "retrial-cause",
    "retrial-redrives",
    "retrial-operation",
    "retrial-replay",
];

impl Field {
    pub(super) const COUNT: usize = Self::Replay as usize + 1;

    pub(super) const fn name(self) -> &'static str {
        NAMES[self as usize]
    }
}

/// Position in [`NAMES`] of a header that this build knows.
fn position(name: &[u8]) -> Option<usize> {
    NAMES.iter().position(|known| known.as_bytes() == name)
}

fn opens_block(name: &[u8]) -> bool {
    name == Field::Version.name().as_bytes()
}

/// Whether a header after the opening one belongs to the block.
fn belongs_to_block(name: &[u8]) -> bool {
    name.starts_with(b"retrial-") || name.starts_with(b"__dlq.errors.")
}

/// Our headers in a record of one of the group's own topics.
pub(super) struct Block<'a> {
    values: [Option<Option<&'a [u8]>>; Field::COUNT],
    /// Position of the first that came twice.
    repeated: Option<usize>,
}

impl<'a> Block<'a> {
    /// Finds the block in one pass: each `retrial-version` opens it anew. `None` if there is none.
    pub(super) fn find(headers: impl Iterator<Item = Header<'a>>) -> Option<Self> {
        let mut found: Option<Self> = None;
        for (name, value) in headers {
            if opens_block(name) {
                found = Some(Self { values: [None; Field::COUNT], repeated: None });
            }
            if let (Some(block), Some(at)) = (&mut found, position(name))
                && block.values[at].replace(value).is_some()
            {
                block.repeated = block.repeated.or(Some(at));
            }
        }
        found
    }

    /// The value of a header, null if it is; `None` if there is no such header.
    pub(super) fn value(&self, field: Field) -> Option<Option<&'a [u8]>> {
        self.values[field as usize]
    }

    /// Name and second value of a header that came more than once.
    pub(super) fn repeated(&self) -> Option<(&'static str, Option<&'a [u8]>)> {
        self.repeated.map(|at| (NAMES[at], self.values[at].flatten()))
    }
}

/// The user's headers of a record, byte for byte and in order: what a handler is shown, and what a forward carries
/// before the block of [`History::encode`](super::History::encode).
///
/// `inside_own_topic` says where the record was read. Outside the group's own topics every header is the user's,
/// also one with a name of ours. A record of an own topic whose own headers do not decode is best forwarded as if it
/// came from outside: then the dead letter shows what was there.
///
/// ```
/// use retrial_core::history::carried;
///
/// let read = [("retrial-hop", "mine"), ("a", "b"), ("retrial-version", "1"), ("retrial-hop", "1"), ("trace", "c")];
/// let headers = || read.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
/// let names = |inside| carried(headers(), inside).map(|(name, _)| name).collect::<Vec<_>>();
/// assert_eq!(names(true), [&b"retrial-hop"[..], b"a", b"trace"]);
/// assert_eq!(names(false).len(), 5);
/// ```
pub fn carried<'a>(
    headers: impl Iterator<Item = (&'a [u8], Option<&'a [u8]>)>,
    inside_own_topic: bool,
) -> impl ExactSizeIterator<Item = (&'a [u8], Option<&'a [u8]>)> {
    let mut headers: Vec<Header<'a>> = headers.collect();
    let opening = headers.iter().rposition(|&(name, _)| opens_block(name));
    if let Some(opening) = opening.filter(|_| inside_own_topic) {
        let rest = headers.split_off(opening);
        headers.extend(rest.into_iter().filter(|&(name, _)| !belongs_to_block(name)));
    }
    headers.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_belongs_to_the_block() {
        assert!(NAMES.iter().all(|name| belongs_to_block(name.as_bytes())));
        assert_eq!(Field::Replay.name(), "retrial-replay");
        assert_eq!(Field::ErrorKind.name(), "retrial-error-kind");
    }

    #[test]
    fn the_last_version_opens_the_block() {
        let headers: [(&[u8], Option<&[u8]>); 6] = [
            (b"retrial-version", Some(b"7")),
            (b"retrial-hop", Some(b"7")),
            (b"retrial-version", Some(b"1")),
            (b"retrial-step", None),
            (b"retrial-later", Some(b"unknown")),
            (b"__dlq.errors.topic", Some(b"orders")),
        ];
        let block = Block::find(headers.into_iter()).unwrap();
        assert_eq!(block.value(Field::Version), Some(Some(&b"1"[..])));
        assert_eq!((block.value(Field::Hop), block.value(Field::Step)), (None, Some(None)));
        assert_eq!(block.repeated(), None);
        assert_eq!(carried(headers.into_iter(), true).collect::<Vec<_>>(), headers[..2]);
        assert_eq!(carried(headers.into_iter(), false).collect::<Vec<_>>(), headers);
        let unopened = headers[3..].iter().copied();
        assert_eq!(carried(unopened, true).collect::<Vec<_>>(), headers[3..], "a record that a user wrote there");
    }
}
