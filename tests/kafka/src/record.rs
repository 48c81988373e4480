//! Records as tests write and read them: everything in bytes.

/// Where a record lies in its topic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position {
    /// The partition.
    pub partition: i32,
    /// The offset in the partition.
    pub offset: i64,
}

/// A record to produce, or one that was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TestRecord {
    /// Where it was read. Ignored when producing: see [`to_partition`](Self::to_partition).
    pub position: Option<Position>,
    /// The partition to produce to. `None`: by the key, or any. Always `None` when read.
    pub partition: Option<i32>,
    /// Milliseconds since 1970: the topic's kind of time when read; `None` when produced means now.
    pub timestamp: Option<i64>,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The body. `None` is Kafka's null, a tombstone in a compacted topic.
    pub value: Option<Vec<u8>>,
    /// Headers in their order; a name may occur again, a value may be null.
    pub headers: Vec<(String, Option<Vec<u8>>)>,
}

impl TestRecord {
    /// A record without a key.
    pub fn new(value: impl Into<Vec<u8>>) -> Self {
        Self { value: Some(value.into()), ..Self::default() }
    }

    /// A record with a null body.
    pub fn tombstone(key: impl Into<Vec<u8>>) -> Self {
        Self { key: Some(key.into()), ..Self::default() }
    }

    /// Sets the key.
    pub fn key(mut self, key: impl Into<Vec<u8>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// Appends a header.
    pub fn header(mut self, name: &str, value: impl Into<Vec<u8>>) -> Self {
        self.headers.push((name.to_owned(), Some(value.into())));
        self
    }

    /// Appends a header with a null value.
    pub fn null_header(mut self, name: &str) -> Self {
        self.headers.push((name.to_owned(), None));
        self
    }

    /// Sets the partition to produce to.
    pub fn to_partition(mut self, partition: i32) -> Self {
        self.partition = Some(partition);
        self
    }

    /// Sets the time, in milliseconds since 1970. What is older than its topic's `retention.ms` (7 days by default) is
    /// deleted within a second here.
    pub fn at(mut self, timestamp: i64) -> Self {
        self.timestamp = Some(timestamp);
        self
    }

    /// Where a record that was read lies.
    ///
    /// # Panics
    /// If it was not read from a topic.
    pub fn position(&self) -> Position {
        self.position.expect("a record that was read from a topic")
    }

    /// The value of the last header of this name; `None` if there is none or it is null.
    pub fn header_value(&self, name: &str) -> Option<&[u8]> {
        self.headers.iter().rev().find(|(own, _)| own == name).and_then(|(_, value)| value.as_deref())
    }

    /// The body as text, with what is not UTF-8 replaced. Empty for a null body.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(self.value.as_deref().unwrap_or_default()).into_owned()
    }
}

impl From<&str> for TestRecord {
    fn from(value: &str) -> Self {
        Self::new(value)
    }
}

impl From<String> for TestRecord {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}
