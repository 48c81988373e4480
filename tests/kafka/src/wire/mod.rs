//! Kafka's own protocol, as far as needed for what a client library does not let through: header names are bytes in it, and
//! text in every client; and librdkafka's safe interface has no call that changes one setting alone.
//!
//! One request at a time on a connection of its own; versions that brokers from 2.3 to 4.x understand; nothing compressed.

mod acls;
mod batch;
mod cells;
mod crc;
mod groups;
mod leaders;
mod quorum;

pub use acls::Right;

use std::{
    io::{self, Read as _, Write as _},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use cells::{Cells, Reader, length};

use crate::{Broker, Kafka, Position};

const LIMIT: Duration = Duration::from_secs(30);
const PRODUCE: (i16, i16) = (0, 3);
const FETCH: (i16, i16) = (1, 4);
const ALTER: (i16, i16) = (44, 0);
/// Unknown topic or partition, leader not available, not the leader; coordinator loading, not available, not this one.
const NOT_YET: [i16; 6] = [3, 5, 6, 14, 15, 16];
const PAUSE: Duration = Duration::from_millis(20);
const FETCH_BYTES: i32 = 16 << 20;

/// A record of which every part is bytes, as it lies in the log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawRecord {
    /// Milliseconds since 1970, by whoever the topic's settings let decide.
    pub timestamp: i64,
    /// The key.
    pub key: Option<Vec<u8>>,
    /// The body.
    pub value: Option<Vec<u8>>,
    /// Headers in their order; names need not be text.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

impl RawRecord {
    /// Bytes of a batch of these records: what a topic's `max.message.bytes` is compared with.
    pub fn batch_bytes(records: &[Self]) -> usize {
        batch::encode(records).len()
    }
}

impl Kafka {
    /// Appends records to one partition as they are, in one batch.
    pub fn produce_raw(&self, topic: &str, partition: i32, records: &[RawRecord]) -> Vec<Position> {
        let base = self.produce_raw_again(topic, partition, records, 1);
        (base..).zip(records).map(|(offset, _)| Position { partition, offset }).collect()
    }

    /// Appends the same batch of records to one partition so many times over, which costs next to nothing beside the
    /// broker's work. Returns the offset of the last batch.
    pub fn produce_raw_again(&self, topic: &str, partition: i32, records: &[RawRecord], times: usize) -> i64 {
        let mut body = Cells::default();
        // No transaction, acknowledged by all replicas in sync, within the limit.
        body.string(None).i16(-1).i32(30_000);
        body.i32(1).string(Some(topic)).i32(1).i32(partition).bytes(&batch::encode(records));
        let produce = || self.ask(topic, partition, PRODUCE, &body, |answer| produced(&mut Reader::new(answer)));
        (0..times).fold(-1, |_, _| produce())
    }

    /// Everything in one partition, to its end at the time of the call, with the offsets. Also records of aborted
    /// transactions, but not their markers.
    ///
    /// # Panics
    /// If a batch is compressed.
    pub fn read_raw(&self, topic: &str, partition: i32) -> Vec<(Position, RawRecord)> {
        let (mut next, end) = self.offsets(topic)[&partition];
        let mut records = Vec::new();
        while next < end {
            let mut body = Cells::default();
            // As a consumer; at least a byte, within a second; uncommitted records too.
            body.i32(-1).i32(1000).i32(1).i32(FETCH_BYTES).i8(0);
            body.i32(1).string(Some(topic)).i32(1).i32(partition).i64(next).i32(FETCH_BYTES);
            let batches = self.ask(topic, partition, FETCH, &body, |answer| {
                fetched(&mut Reader::new(answer)).and_then(|bytes| Ok(batch::decode(bytes)?))
            });
            let from = next;
            next = batches.iter().map(|batch| batch.next).max().unwrap_or(next);
            assert!(next > from, "{topic}/{partition} ends at {end} and gives nothing at {from}");
            let fetched = batches.into_iter().flat_map(|batch| batch.records);
            // A batch is sent whole, also if it is read from the middle on.
            let fetched = fetched.filter(|(offset, _)| *offset >= from);
            records.extend(fetched.map(|(offset, record)| (Position { partition, offset }, record)));
        }
        records
    }

    /// Sets some settings of a topic and keeps its others.
    pub(crate) fn alter_topic(&self, topic: &str, configs: &[(&str, &str)]) {
        const TOPIC: i8 = 2;
        const SET: i8 = 0;
        let mut body = Cells::default();
        body.i32(1).i8(TOPIC).string(Some(topic)).i32(length(configs));
        for (name, value) in configs {
            body.string(Some(name)).i8(SET).string(Some(value));
        }
        // Not only validated.
        body.i8(0);
        let altered = ask(|| self.any(), ALTER, &body, |answer| altered(&mut Reader::new(answer)));
        altered.unwrap_or_else(|refusal| panic!("cannot alter topic {topic}: {refusal}"));
    }

    /// The address of a broker that listens.
    fn any(&self) -> String {
        let address = self.brokers().iter().map(Broker::address).find(|address| TcpStream::connect(address).is_ok());
        address.unwrap_or_else(|| panic!("no broker answers")).to_owned()
    }

    /// What the leader of a partition answers.
    fn ask<T>(
        &self,
        topic: &str,
        partition: i32,
        api: (i16, i16),
        body: &Cells,
        read: impl Fn(&[u8]) -> Result<T, Refusal>,
    ) -> T {
        let leader = || {
            let leader = self.leader(topic, partition).unwrap_or_else(|| panic!("{topic}/{partition} has no leader"));
            self.broker(leader).address().to_owned()
        };
        ask(leader, api, body, read).unwrap_or_else(|refusal| panic!("{topic}/{partition}: {refusal}"))
    }
}

/// What the broker at an address answers. One that does not know yet what it leads or coordinates, as shortly after a
/// topic was made, is asked again.
fn ask<T>(
    address: impl Fn() -> String,
    api: (i16, i16),
    body: &Cells,
    read: impl Fn(&[u8]) -> Result<T, Refusal>,
) -> Result<T, Refusal> {
    let limit = Instant::now() + LIMIT;
    loop {
        let address = address();
        let answer = exchange(&address, api, body);
        let answer = answer.unwrap_or_else(|error| panic!("no answer of the broker at {address}: {error}"));
        match read(&answer) {
            Err(Refusal::Code(code)) if NOT_YET.contains(&code) && Instant::now() < limit => thread::sleep(PAUSE),
            answer => return answer,
        }
    }
}

/// Why a request failed.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("the broker answers with error code {0}")]
    Code(i16),
    #[error("an answer that cannot be read: {0}")]
    Unreadable(String),
}

impl From<String> for Refusal {
    fn from(reason: String) -> Self {
        Self::Unreadable(reason)
    }
}

fn exchange(address: &str, api: (i16, i16), body: &Cells) -> io::Result<Vec<u8>> {
    exchange_within(LIMIT, address, api, body)
}

/// One answer, which no read waits for longer than `patience`.
fn exchange_within(patience: Duration, address: &str, (api, version): (i16, i16), body: &Cells) -> io::Result<Vec<u8>> {
    const CORRELATION: i32 = 1;
    let mut head = Cells::default();
    head.i16(api).i16(version).i32(CORRELATION).string(Some("retrial-tests"));
    let request = [head.as_slice(), body.as_slice()].concat();
    let mut framed = Cells::default();
    framed.bytes(&request);
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.write_all(framed.as_slice())?;
    let mut size = [0; 4];
    stream.read_exact(&mut size)?;
    let mut answer = vec![0; usize::try_from(i32::from_be_bytes(size)).map_err(io::Error::other)?];
    stream.read_exact(&mut answer)?;
    // The correlation comes first.
    Ok(answer.split_off(4))
}

/// Whether the one resource was altered.
fn altered(answer: &mut Reader<'_>) -> Result<(), Refusal> {
    let (_throttled, _resources) = (answer.i32()?, answer.i32()?);
    code(answer)
}

/// The offset that the batch begins at.
fn produced(answer: &mut Reader<'_>) -> Result<i64, Refusal> {
    to_partition(answer)?;
    Ok(answer.i64()?)
}

/// The batches that were fetched.
fn fetched<'a>(answer: &mut Reader<'a>) -> Result<&'a [u8], Refusal> {
    let _throttled = answer.i32()?;
    to_partition(answer)?;
    let (_high_watermark, _last_stable) = (answer.i64()?, answer.i64()?);
    for _ in 0..answer.i32()?.max(0) {
        let _aborted = (answer.i64()?, answer.i64()?);
    }
    Ok(answer.bytes()?)
}

/// Skips to what is said of the one partition asked for: past arrays of one topic and of one partition, its number, and
/// its error code.
fn to_partition(answer: &mut Reader<'_>) -> Result<(), Refusal> {
    let topics = answer.i32()?;
    answer.string()?;
    let partitions = answer.i32()?;
    answer.i32()?;
    if (topics, partitions) != (1, 1) {
        return Err(Refusal::Unreadable(format!("{topics} topics, {partitions} partitions")));
    }
    code(answer)
}

fn code(answer: &mut Reader<'_>) -> Result<(), Refusal> {
    match answer.i16()? {
        0 => Ok(()),
        code => Err(Refusal::Code(code)),
    }
}
