//! Reads ranges of partitions in batches, outside of any group's membership: nothing is committed, nothing is awaited
//! per record, and memory is what the client fetches ahead, however long the ranges are.
//!
//! # Invariants
//! 1. Of a partition, each record is shown once and in order.
//! 2. A range ends at its `to`, or where the log's stable part ends before that: markers of transactions and compacted
//!    records leave holes of any size, also at the end, so reaching an offset alone would never end some ranges.

use super::{
    context::{Client, Notes},
    ffi::{Message, Queue, Reader},
    operator::{Operator, OperatorError, Place},
    properties::PropertyError,
    ready::{Marks, Ready},
};
use rdkafka::{Offset, TopicPartitionList, consumer::Consumer, error::KafkaError, types::RDKafkaErrorCode};
use retrial_core::history::SourceTime;
use std::{
    ops::ControlFlow,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Records of one read. Small reads would show that a partition costs a look of its own; larger ones gain nothing more.
const READ: usize = 1024;

/// What is fetched ahead over all partitions, in bytes.
const AHEAD: usize = 64 << 20;

/// The same in records. librdkafka counts neither headers nor its own structures, and a dead letter is mostly those.
const AHEAD_RECORDS: usize = 20_000;

/// How long nothing at all may come while something is still to be read.
const STALLED: Duration = Duration::from_secs(30);

/// How often whoever waits is asked whether to go on.
const GLANCE: Duration = Duration::from_millis(100);

/// What is to be read of one partition: from an offset up to, and without, another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) place: Place,
    pub(crate) from: i64,
    pub(crate) to: i64,
}

/// A record under the eyes of a scan.
#[derive(Clone, Copy)]
pub(crate) struct Found<'m> {
    place: &'m Place,
    message: Message<'m>,
}

impl<'m> Found<'m> {
    pub(crate) fn place(&self) -> &'m Place {
        self.place
    }

    pub(crate) fn topic(&self) -> &'m str {
        &self.place.0
    }

    pub(crate) fn partition(&self) -> i32 {
        self.place.1
    }

    pub(crate) fn offset(&self) -> i64 {
        self.message.offset()
    }

    /// Leader epoch of its batch, or −1 where the broker does not tell.
    pub(crate) fn leader_epoch(&self) -> i32 {
        self.message.leader_epoch()
    }

    pub(crate) fn time(&self) -> SourceTime {
        self.message.time()
    }

    pub(crate) fn key(&self) -> Option<&'m [u8]> {
        self.message.key()
    }

    pub(crate) fn body(&self) -> Option<&'m [u8]> {
        self.message.body()
    }

    pub(crate) fn headers(&self) -> impl Iterator<Item = (&'m [u8], Option<&'m [u8]>)> + use<'m> {
        self.message.headers()
    }
}

/// What a scan does after a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Goes on.
    More,
    /// Reads nothing more of this partition.
    PartitionDone,
    /// Ends.
    Stop,
}

/// Whether ranges end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ends {
    /// Where they say, or where the log ends.
    AtTheirEnd,
    /// Only where they say: the log is followed as it grows.
    Never,
}

/// Who looks at a scan.
pub(crate) trait Visitor {
    /// Sees a record.
    fn record(&mut self, found: &Found<'_>) -> Next;
    /// Hears, some ten times a second, of how many offsets of all ranges are behind; may end the scan.
    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()>;
}

/// One partition of a scan.
struct Track {
    range: Range,
    queue: Queue,
    next: i64,
    is_done: bool,
}

impl Operator {
    /// Shows every record of the ranges to the visitor; returns whether all of them were read to their end.
    ///
    /// # Errors
    /// A partition cannot be read, or nothing came for half a minute.
    pub(crate) fn scan(
        &self,
        ranges: Vec<Range>,
        ends: Ends,
        visitor: &mut dyn Visitor,
    ) -> Result<bool, OperatorError> {
        let ranges: Vec<Range> = ranges.into_iter().filter(|range| range.from < range.to).collect();
        if ranges.is_empty() {
            return Ok(true);
        }
        let mut scan = Scan::begin(self, ranges, ends)?;
        scan.run(visitor)
    }

    fn scanner(&self, partitions: usize, ends: Ends) -> Result<Client, OperatorError> {
        let share = (AHEAD / partitions.max(1)).max(256 << 10);
        let mut config = self.kafka.reading(&self.group);
        config.set("fetch.queue.backoff.ms", "10");
        config.set("queued.max.messages.kbytes", (share >> 10).to_string());
        let records = (AHEAD_RECORDS / partitions.max(1)).clamp(1_000, 100_000);
        config.set("queued.min.messages", records.to_string());
        config.set("fetch.message.max.bytes", share.min(1 << 20).to_string());
        if ends == Ends::AtTheirEnd {
            // A request that asks only for partitions that are read to their end holds up those that come after it.
            config.set("fetch.wait.max.ms", "20");
        }
        Ok(config.create_with_context(Notes::default()).map_err(PropertyError::from)?)
    }
}

/// A scan under way. Queues go before the client they keep alive.
struct Scan {
    tracks: Vec<Track>,
    client: Arc<Client>,
    ready: Ready,
    ends: Ends,
    total: u64,
}

impl Scan {
    fn begin(operator: &Operator, ranges: Vec<Range>, ends: Ends) -> Result<Self, OperatorError> {
        let client = Arc::new(operator.scanner(ranges.len(), ends)?);
        let mut ready = Ready::default();
        ready.belong_to_this_thread();
        let mut assignment = TopicPartitionList::with_capacity(ranges.len());
        let mut tracks = Vec::with_capacity(ranges.len());
        let mut total = 0;
        for (index, range) in (0..).zip(ranges) {
            let Range { place: (topic, partition), from, to } = &range;
            // Before the assignment, or its first records go elsewhere.
            let queue = Queue::of_partition(&client, topic, *partition, ready.bell(index));
            let queue = queue.ok_or_else(|| unreadable(&range.place, "it has no queue"))?;
            let added = assignment.add_partition_offset(topic, *partition, Offset::Offset(*from));
            added.map_err(|error| unreadable(&range.place, &error.to_string()))?;
            total = to.saturating_sub(*from).unsigned_abs().saturating_add(total);
            tracks.push(Track { queue, next: *from, is_done: false, range });
        }
        let refused = |error: KafkaError| OperatorError::Refused {
            what: "partitions cannot be read".to_owned(),
            why: error.to_string(),
        };
        client.assign(&assignment).map_err(refused)?;
        Ok(Self { tracks, client, ready, ends, total })
    }

    fn run(&mut self, visitor: &mut dyn Visitor) -> Result<bool, OperatorError> {
        let (mut reader, mut marks, mut list) = (Reader::new(READ), Marks::default(), Vec::new());
        let (mut last_record, mut last_glance, mut turn) = (Instant::now(), Instant::now(), 0);
        loop {
            self.ready.take(&mut marks);
            marks.list(turn, &mut list);
            turn = turn.wrapping_add(1);
            for &index in &list {
                let Some(track) = self.tracks.get_mut(index as usize).filter(|track| !track.is_done) else {
                    // Left alone, its queue takes no more than its share.
                    marks.clear(index);
                    continue;
                };
                let (read, next) = track.read(&mut reader, self.ends, visitor)?;
                if read < READ {
                    marks.clear(index);
                }
                if read > 0 {
                    last_record = Instant::now();
                }
                if next == Next::Stop {
                    return Ok(false);
                }
                if track.is_done {
                    let place = track.range.place.clone();
                    self.leave(&place);
                }
            }
            if self.tracks.iter().all(|track| track.is_done) {
                return Ok(true);
            }
            if last_glance.elapsed() >= GLANCE {
                last_glance = Instant::now();
                self.check(last_record)?;
                if visitor.progress(self.done(), self.total).is_break() {
                    return Ok(false);
                }
            }
            if list.is_empty() && !self.ready.rung() {
                thread::park_timeout(GLANCE);
            }
        }
    }

    /// Fetches nothing more of a partition that is done: it would fill its queue, or wait at the log's end with the others
    /// behind it.
    fn leave(&self, (topic, partition): &Place) {
        let mut done = TopicPartitionList::new();
        done.add_partition(topic, *partition);
        // Without it, it only takes longer.
        if let Err(error) = self.client.pause(&done) {
            tracing::debug!(%error, topic, partition, "a partition that is done is still fetched");
        }
    }

    fn done(&self) -> u64 {
        let done = |track: &Track| match track.is_done {
            true => track.range.to.saturating_sub(track.range.from),
            false => track.next.min(track.range.to).saturating_sub(track.range.from),
        };
        self.tracks.iter().map(|track| done(track).max(0).unsigned_abs()).sum()
    }

    /// Serves the client, and finds out what keeps it from reading.
    fn check(&self, last_record: Instant) -> Result<(), OperatorError> {
        self.client.poll(Duration::ZERO);
        let faults = self.client.context().take_faults();
        let place = || self.tracks.iter().find(|track| !track.is_done).map(|track| &track.range.place);
        let Some(place) = place() else { return Ok(()) };
        if let Some(fault) = faults.iter().find(|fault| fault.code.is_some_and(is_final)) {
            return Err(unreadable(place, &fault.text));
        }
        if self.ends == Ends::AtTheirEnd && last_record.elapsed() > STALLED {
            let last = faults.last().map_or_else(String::new, |fault| format!(" ({})", fault.text));
            return Err(unreadable(place, &format!("nothing came for {STALLED:?}{last}")));
        }
        Ok(())
    }
}

impl Track {
    /// Reads what is there, at most [`READ`] records; returns how many entries there were.
    fn read(
        &mut self,
        reader: &mut Reader,
        ends: Ends,
        visitor: &mut dyn Visitor,
    ) -> Result<(usize, Next), OperatorError> {
        let messages = reader.read(&self.queue, READ);
        let read = messages.len();
        let seen = messages.drain(|message| match self.is_done {
            true => ControlFlow::Break(Ok(Next::More)),
            false => self.see(message, ends, visitor),
        });
        Ok((read, seen.break_value().transpose()?.unwrap_or(Next::More)))
    }

    /// Breaks where nothing more of what was read is to be shown.
    fn see(
        &mut self,
        message: Message<'_>,
        ends: Ends,
        visitor: &mut dyn Visitor,
    ) -> ControlFlow<Result<Next, OperatorError>> {
        if let Some((code, text)) = message.error() {
            match code.known() {
                Some(RDKafkaErrorCode::PartitionEOF) => self.is_done = ends == Ends::AtTheirEnd,
                Some(code) if is_final(code) => return ControlFlow::Break(Err(unreadable(&self.range.place, &text))),
                // The client tries again by itself.
                _ => tracing::debug!(text, "reading goes on"),
            }
            return ControlFlow::Continue(());
        }
        let offset = message.offset();
        if offset >= self.range.to {
            self.is_done = true;
            return ControlFlow::Continue(());
        }
        // librdkafka may deliver some twice around a change of the position.
        if offset < self.next {
            return ControlFlow::Continue(());
        }
        self.next = offset + 1;
        match visitor.record(&Found { place: &self.range.place, message }) {
            Next::More => self.is_done = self.next >= self.range.to,
            Next::PartitionDone => self.is_done = true,
            Next::Stop => return ControlFlow::Break(Ok(Next::Stop)),
        }
        ControlFlow::Continue(())
    }
}

fn unreadable((topic, partition): &Place, why: &str) -> OperatorError {
    OperatorError::Refused { what: format!("{topic}/{partition} cannot be read"), why: why.to_owned() }
}

fn is_final(code: RDKafkaErrorCode) -> bool {
    use RDKafkaErrorCode as Code;
    matches!(
        code,
        Code::TopicAuthorizationFailed
            | Code::GroupAuthorizationFailed
            | Code::UnknownTopic
            | Code::UnknownTopicOrPartition
            | Code::UnknownPartition
            | Code::Authentication
            | Code::SaslAuthenticationFailed
            | Code::Fatal
    )
}
