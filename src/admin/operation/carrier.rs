//! Carries records from where they are read to the way back in, batch by batch.
//!
//! # Invariants
//! 1. A batch is one transaction: its records, the marks of what it settles, the progress, the heartbeat (RULES 19).
//! 2. What was judged since the last commit counts for nothing until the next one: after a broken batch all of it is
//!    read again, from the progress that control tells.

use super::{
    Verdict, Work,
    pace::Pace,
    session::{Interrupted, Session},
};
use crate::{
    admin::Progress,
    broker::kafka::{Found, Next, OutRecord, Visitor, spread},
    clock,
};
use retrial_core::{
    control::{Claim, Operation, Settlement, Span},
    history::{History, OwnHeaders, carried},
    naming::GroupNames,
};
use std::{
    collections::{BTreeSet, HashMap},
    ops::ControlFlow,
    thread,
    time::{Duration, Instant},
};

/// Records of a batch, at most. A transaction costs the same round trips whatever is in it, and nothing is written meanwhile;
/// with a thousand records each that alone keeps a redrive far below half of what a producer writes. What readers may be held
/// up by is bounded by time.
pub(in crate::admin) const BATCH: usize = 50_000;

/// Bytes of a batch, at most, but for a single larger record.
const BATCH_BYTES: usize = 16 << 20;

/// How long a batch may be open: for so long readers of the way back in wait at most, and the commit.
const BATCH_TIME: Duration = Duration::from_secs(1);

/// How often the claim is written where nothing else is; a third of the time after which it is taken for dead.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// How often whoever waits is asked whether to go on.
const GLANCE: Duration = Duration::from_millis(100);

/// What Kafka's format adds to a record and to each of its headers, at most.
const RECORD_FRAME: usize = 100;
const HEADER_FRAME: usize = 10;

/// Why a reading was ended before its end.
#[derive(Debug)]
pub(super) enum Stopped {
    /// Whoever waits wants no more.
    Here,
    /// Somebody else asked for it.
    By(String),
    /// It cannot go on.
    Trouble(Interrupted),
}

/// Where records go.
pub(super) struct Goal<'g> {
    pub(super) names: &'g GroupNames,
    pub(super) topic: String,
    /// The largest record that the topic takes, in bytes; `None` where nobody may know.
    pub(super) largest: Option<usize>,
}

/// Sees the records of an operation. See the [module](self).
pub(super) struct Carrier<'c> {
    goal: &'c Goal<'c>,
    session: &'c mut Session,
    operation: &'c mut Operation,
    claim: &'c Claim,
    work: &'c mut dyn Work,
    progress: &'c mut dyn Progress,
    pace: &'c mut Pace,
    spans: HashMap<(String, i32), usize>,
    /// What the record under way carries of ours; its memory is used again.
    own: OwnHeaders,
    /// Pages that this batch has marked: of which span, and which page.
    marked: BTreeSet<(usize, i64)>,
    records: usize,
    bytes: usize,
    began: Instant,
    committed: Instant,
    pub(super) stopped: Option<Stopped>,
}

impl<'c> Carrier<'c> {
    pub(super) fn new(
        goal: &'c Goal<'c>,
        session: &'c mut Session,
        operation: &'c mut Operation,
        claim: &'c Claim,
        work: &'c mut dyn Work,
        (pace, progress): (&'c mut Pace, &'c mut dyn Progress),
    ) -> Self {
        let place = |(index, span): (usize, &Span)| ((span.topic.clone(), span.partition), index);
        let spans = operation.spans.iter().enumerate().map(place).collect();
        let now = Instant::now();
        Self {
            goal,
            session,
            operation,
            claim,
            work,
            progress,
            pace,
            spans,
            own: OwnHeaders::default(),
            marked: BTreeSet::new(),
            records: 0,
            bytes: 0,
            began: now,
            committed: now,
            stopped: None,
        }
    }

    fn take(&mut self, found: &Found<'_>) -> Result<(), Interrupted> {
        // The scan shows what is in the spans only.
        let Some(&index) = self.spans.get(found.place()) else { return Ok(()) };
        let span = &self.operation.spans[index];
        let settled = self.session.control.settled.get(&span.topic, span.topic_id, span.partition, found.offset());
        match self.work.judge(found, settled)? {
            Verdict::Pass => {}
            Verdict::Leave => self.operation.counts.left += 1,
            Verdict::Settle(settlement) => self.settle(index, found.offset(), settlement),
            Verdict::Send { past, whole, settles } => {
                let sent = match &whole {
                    None => {
                        let inside = self.goal.names.parse(found.topic()).is_some();
                        self.send(found.key(), found.body(), carried(found.headers(), inside), &past)?
                    }
                    Some(whole) => {
                        let headers = whole.headers.iter().map(|(name, value)| (&name[..], value.as_deref()));
                        self.send(whole.key.as_deref(), whole.body.as_deref(), headers, &past)?
                    }
                };
                match sent {
                    false => {
                        self.work.not_sent(found);
                        self.operation.counts.left += 1;
                    }
                    true if settles => self.settle(index, found.offset(), Settlement::Redriven),
                    true => {}
                }
            }
        }
        self.operation.spans[index].next = found.offset() + 1;
        Ok(())
    }

    fn settle(&mut self, span: usize, offset: i64, settlement: Settlement) {
        let of = &self.operation.spans[span];
        let page = self.session.control.settled.settle(&of.topic, of.topic_id, of.partition, offset, settlement);
        self.marked.insert((span, page));
        self.operation.counts.settled += 1;
        self.open();
        self.records += 1;
    }

    /// Writes a record to the way back in; false if the topic does not take one so large.
    fn send<'h>(
        &mut self,
        key: Option<&[u8]>,
        body: Option<&[u8]>,
        users: impl Iterator<Item = (&'h [u8], Option<&'h [u8]>)>,
        past: &History,
    ) -> Result<bool, Interrupted> {
        past.encode_into(self.goal.names.group(), &mut self.own);
        let mut headers: Vec<(&[u8], Option<&[u8]>)> = Vec::with_capacity(32);
        users.for_each(|header| headers.push(header));
        headers.extend(self.own.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))));
        let length = |part: Option<&[u8]>| part.map_or(0, <[u8]>::len);
        let of_headers = |sum, &(name, value): &(&[u8], Option<&[u8]>)| sum + name.len() + length(value) + HEADER_FRAME;
        let size = headers.iter().fold(RECORD_FRAME + length(key) + length(body), of_headers);
        if self.goal.largest.is_some_and(|largest| size > largest) {
            return Ok(false);
        }
        if self.records == 0 {
            self.began = Instant::now();
        }
        let record = OutRecord { topic: &self.goal.topic, key, body, spread: spread(&past.origin) };
        self.session.send(record, headers.iter().copied())?;
        self.operation.counts.sent += 1;
        self.records += 1;
        self.bytes += size;
        Ok(true)
    }

    fn open(&mut self) {
        if self.records == 0 {
            self.began = Instant::now();
        }
    }

    fn is_full(&self) -> bool {
        self.records >= self.pace.batch(BATCH)
            || self.bytes >= BATCH_BYTES
            || (self.records > 0 && self.began.elapsed() >= BATCH_TIME)
    }

    /// Leaves what was judged since the last commit in the transaction that is open; the caller commits it.
    pub(super) fn leave(mut self) -> Result<(), Interrupted> {
        self.note_marks()?;
        self.operation.batches += 1;
        Ok(())
    }

    fn note_marks(&mut self) -> Result<(), Interrupted> {
        for (span, page) in std::mem::take(&mut self.marked) {
            let of = &self.operation.spans[span];
            if let Some((key, value)) = self.session.control.settled.record(&of.topic, of.partition, page) {
                self.session.note(&key, Some(&value))?;
            }
        }
        Ok(())
    }

    /// Writes what was judged since the last commit, as one.
    fn commit(&mut self) -> Result<(), Interrupted> {
        self.note_marks()?;
        self.operation.batches += 1;
        self.operation.changed = clock::now();
        self.session.note_operation(self.operation, Some(self.claim))?;
        self.session.commit()?;
        self.committed = Instant::now();
        let wait = self.pace.sent(self.records, self.committed);
        (self.records, self.bytes) = (0, 0);
        self.wait(self.committed + wait)
    }

    /// Between two transactions: none is open.
    fn wait(&mut self, until: Instant) -> Result<(), Interrupted> {
        while self.stopped.is_none() && (Instant::now() < until || self.must_wait()?) {
            let left = until.saturating_duration_since(Instant::now());
            thread::sleep(if left.is_zero() { GLANCE } else { GLANCE.min(left) });
            self.glance();
            if self.committed.elapsed() >= HEARTBEAT {
                self.session.note_operation(self.operation, Some(self.claim))?;
                self.session.commit()?;
                self.committed = Instant::now();
            }
        }
        Ok(())
    }

    fn must_wait(&mut self) -> Result<bool, Interrupted> {
        let why = self.work.waits_for()?;
        if let Some(why) = &why {
            self.progress.waits(why);
        }
        Ok(why.is_some())
    }

    /// Asks whether to go on.
    fn glance(&mut self) {
        let counts = self.operation.counts;
        let done = counts.sent.max(counts.settled) + counts.left;
        if self.progress.advanced(done, self.operation.planned.max(done)).is_break() {
            self.stopped.get_or_insert(Stopped::Here);
        }
        if let Some(who) = self.session.stop_requested(&self.operation.id) {
            self.stopped.get_or_insert(Stopped::By(who));
        }
    }

    fn noted(&mut self, done: Result<(), Interrupted>) {
        if let Err(trouble) = done {
            self.stopped = Some(Stopped::Trouble(trouble));
        }
    }
}

impl Visitor for Carrier<'_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        let done = self.take(found);
        self.noted(done);
        if self.stopped.is_none() && self.is_full() {
            self.glance();
            let done = self.commit();
            self.noted(done);
        }
        if self.stopped.is_some() { Next::Stop } else { Next::More }
    }

    fn progress(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        self.glance();
        if self.stopped.is_none() && (self.is_full() || self.committed.elapsed() >= HEARTBEAT) {
            let done = self.commit();
            self.noted(done);
        }
        if self.stopped.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}
