//! The engine's surroundings, as small as can be: what arrives is handled at once, what is written is acknowledged, what
//! is committed is accepted. The same calls in the same order each time, as the driver makes them.

use retrial_core::{
    engine::{CommitConfig, Engine, EngineConfig, TopicConfig},
    event::{
        Acknowledged, Action, Actions, Appended, Arrival, CommitResult, Event, Finished, LogRange, Offer, Past,
        Payload, Work,
    },
    history::SourceTime,
    id::Slot,
    ladder::Ladder,
    naming::GroupNames,
    order::{OnExhausted, Order, RetryPolicy},
    outcome::{Outcome, Reason},
    schedule::Schedule,
    start::StartAt,
    time::Timestamp,
};
use std::time::Duration;

const PARTITIONS: u32 = 12;

/// Records of a batch, and of a report.
const BATCH: u64 = 256;
const REPORT: usize = 128;

const HOUR: Duration = Duration::from_secs(3600);

/// As large as the runtime's: a pointer and a number.
#[derive(Clone, Debug)]
struct Record(#[expect(dead_code, reason = "it is carried, not read")] (u64, u32));

impl Payload for Record {
    fn time(&self) -> SourceTime {
        SourceTime::None
    }
}

/// See the module's header.
pub(crate) struct World {
    engine: Engine<Record>,
    out: Actions<Record>,
    now: Timestamp,
    next: Vec<i64>,
    /// Begun and not reported.
    running: Vec<Work<Record>>,
    /// Begun, and not reported before all others are.
    stuck: Vec<Work<Record>>,
    by_key: bool,
    first_is_stuck: bool,
    fails: bool,
    settled: u64,
}

impl World {
    /// The one of a row.
    pub(crate) fn of(row: &str) -> Self {
        let by_key = row == "by-key";
        let order = if by_key { Order::by_key(OnExhausted::Dead) } else { Order::unordered() };
        let engine = Engine::new(config(order), GroupNames::new("billing", None).expect("a group's name"));
        let mut world = Self {
            engine,
            out: Actions::default(),
            now: Timestamp::from_millis(1_000_000),
            next: vec![0; PARTITIONS as usize],
            running: Vec::new(),
            stuck: Vec::new(),
            by_key,
            first_is_stuck: row == "stuck",
            fails: row == "forwarded",
            settled: 0,
        };
        world.take_partitions();
        world
    }

    fn take_partitions(&mut self) {
        let offer = |index: u32| Offer {
            slot: slot(index),
            topic: "orders".into(),
            partition: index.cast_signed(),
            topic_id: None,
            committed: None,
            log: Some(LogRange { start: 0, end: i64::MAX / 2 }),
            past: Past::New,
        };
        self.handle(Event::Offered((0..PARTITIONS).map(offer).collect()));
        self.turn();
    }

    /// Carries so many records from their arrival to their commit.
    pub(crate) fn carry(&mut self, records: u64) {
        let mut read = 0;
        for turn in 0_u32.. {
            let slot = slot(turn % PARTITIONS);
            let room = self.engine.room(slot) as u64;
            if read < records {
                let batch = BATCH.min(room).min(records - read);
                self.arrive(slot, batch);
                read += batch;
            }
            self.turn();
            if self.settled + self.stuck.len() as u64 >= records {
                self.running.append(&mut self.stuck);
            }
            if self.settled >= records {
                return;
            }
            assert!(turn < 1_000_000, "{} of {records} records are settled", self.settled);
        }
    }

    fn arrive(&mut self, slot: Slot, number: u64) {
        let next = &mut self.next[slot.index as usize];
        let first = *next;
        *next += number.cast_signed();
        let by_key = self.by_key;
        let arrival = |offset: i64| Arrival {
            offset,
            leader_epoch: 0,
            appended: self.now,
            lane: if by_key { (offset.cast_unsigned() ^ u64::from(slot.index)).wrapping_mul(0x9e37_79b9) } else { 0 },
            record: Record((offset.cast_unsigned(), slot.index)),
            lineage: None,
        };
        let arrivals = (first..first + number.cast_signed()).map(arrival).collect();
        self.handle(Event::Arrived(slot, arrivals));
    }

    /// A millisecond later: reports, the engine's turn, and what it asks for.
    fn turn(&mut self) {
        self.now = self.now.shifted(1);
        let ended = std::mem::take(&mut self.running);
        let ripe = ended.len();
        let mut ended = ended.into_iter();
        while ended.len() > 0 {
            let report = ended.by_ref().take(REPORT).map(|work| finished(work, self.fails)).collect();
            self.engine.handle(self.now, Event::Finished(report), &mut self.out);
        }
        if !self.fails {
            self.settled += ripe as u64;
        }
        self.engine.advance(self.now, &mut self.out);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        for work in self.out.work.drain(..) {
            let is_stuck = self.first_is_stuck && work.ticket.sequence == 0;
            if is_stuck { &mut self.stuck } else { &mut self.running }.push(work);
        }
        let now = self.now;
        let written = Appended { sent: now, acknowledged: now, appended: Some(now) };
        let results: Vec<_> =
            self.out.forwards.drain(..).map(|forward| Acknowledged { id: forward.id, result: Ok(written) }).collect();
        if !results.is_empty() {
            self.settled += results.len() as u64;
            self.handle(Event::Acknowledged(results));
        }
        for action in std::mem::take(&mut self.out.others) {
            if let Action::Commit(id, _) = action {
                self.handle(Event::Committed(id, CommitResult::Accepted { refused: Vec::new() }));
            }
        }
    }

    fn handle(&mut self, event: Event<Record>) {
        self.engine.handle(self.now, event, &mut self.out);
    }
}

fn slot(index: u32) -> Slot {
    Slot { index, generation: index + 1 }
}

fn finished(work: Work<Record>, fails: bool) -> Finished<Record> {
    if fails {
        return Finished::Other(Box::new((work, Outcome::Retry(Reason::new("bank", "the bank does not answer")))));
    }
    Finished::Done { ticket: work.ticket, topic: work.topic, class: work.class, lane: work.lane }
}

fn config(order: Order) -> EngineConfig {
    let retry = RetryPolicy { schedule: Schedule::delays([HOUR]), in_place: 0, ..RetryPolicy::default() };
    EngineConfig {
        group: "billing".into(),
        ladder: Ladder::new([HOUR]).expect("one tier"),
        topics: vec![TopicConfig { name: "orders".into(), concurrency: 10_000, order, retry }],
        service_limit: 10_000,
        session_timeout: Duration::from_secs(10),
        commit: CommitConfig::default(),
        revoke_drain: Duration::from_secs(2),
        memory: 64 << 20,
        start_at: StartAt::Earliest,
        seed: 1,
    }
}
