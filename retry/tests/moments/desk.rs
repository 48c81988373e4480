//! An engine, its clock, and what it has decided and nobody has carried out yet.

use retrial_core::{
    backoff::Backoff,
    engine::{CommitConfig, Engine, EngineConfig, TopicConfig},
    event::*,
    history::{History, SourceTime},
    id::*,
    ladder::Ladder,
    naming::GroupNames,
    order::{OnCrash, OnExhausted, Order, RetryPolicy},
    outcome::Outcome,
    schedule::Schedule,
    start::StartAt,
    time::Timestamp,
};
use std::{ops::Range, rc::Rc, sync::Arc, time::Duration};

pub(crate) const TIER: Duration = Duration::from_secs(5);
pub(crate) const SESSION: Duration = Duration::from_secs(10);

/// How often the engine is called before something is taken to happen never.
const PATIENCE: usize = 1_000;

/// A record: its offset, and a share in the count of all that are held.
#[derive(Clone, Debug)]
pub(crate) struct Rec {
    pub(crate) offset: i64,
    _held: Rc<()>,
}

impl Payload for Rec {
    fn time(&self) -> SourceTime {
        SourceTime::None
    }
}

pub(crate) struct Desk {
    pub(crate) engine: Engine<Rec>,
    pub(crate) now: Timestamp,
    pub(crate) out: Actions<Rec>,
    held: Rc<()>,
}

pub(crate) fn slot(index: u32) -> Slot {
    Slot { index, generation: 1 + index }
}

/// One topic without order, one tier, no tries in place, and a session of ten seconds.
pub(crate) fn settings() -> EngineConfig {
    let retry = RetryPolicy {
        schedule: Schedule::delays([TIER]),
        in_place: 0,
        backoff: Backoff::default(),
        on_crash: OnCrash::default(),
    };
    EngineConfig {
        group: "billing".into(),
        ladder: Ladder::new([TIER]).unwrap(),
        topics: vec![TopicConfig { name: "orders".into(), concurrency: 100, order: Order::Unordered, retry }],
        service_limit: 100,
        session_timeout: SESSION,
        commit: CommitConfig::default(),
        revoke_drain: Duration::from_secs(2),
        memory: 1 << 20,
        start_at: StartAt::Earliest,
        seed: 7,
    }
}

/// With order by key; what failed waits in memory, with its key.
pub(crate) fn holding() -> EngineConfig {
    let mut settings = settings();
    settings.topics[0].order = Order::ByKey(OnExhausted::Hold);
    settings
}

impl Desk {
    pub(crate) fn new(settings: EngineConfig) -> Self {
        let names = GroupNames::new(&settings.group, None).unwrap();
        let (now, out) = (Timestamp::from_millis(1_000_000), Actions::default());
        Self { engine: Engine::new(settings, names), now, out, held: Rc::new(()) }
    }

    /// How many records somebody holds.
    pub(crate) fn held(&self) -> usize {
        Rc::strong_count(&self.held) - 1
    }

    pub(crate) fn offer(
        &mut self,
        index: u32,
        topic: &str,
        log: Range<i64>,
        committed: Option<Committed>,
        known: bool,
    ) {
        let (log, partition) = (Some(LogRange { start: log.start, end: log.end }), index as i32);
        let past = if known { Past::Read } else { Past::New };
        let offer = Offer { slot: slot(index), topic: topic.into(), partition, topic_id: None, committed, log, past };
        self.handle(Event::Offered(vec![offer]));
    }

    /// A partition that was never read, with all of its records; its first commit is accepted.
    pub(crate) fn own(&mut self, index: u32, topic: &str, records: i64) {
        self.offer(index, topic, 0..records, None, false);
        self.accept_all();
        self.arrive(index, 0..records);
    }

    /// Each record has a key of its own.
    pub(crate) fn arrive(&mut self, index: u32, offsets: Range<i64>) {
        let arrivals = offsets.map(|offset| self.arrival(offset, None)).collect();
        self.handle(Event::Arrived(slot(index), arrivals));
    }

    pub(crate) fn arrive_in_tier(&mut self, index: u32, offset: i64, history: History) {
        let arrival = self.arrival(offset, Some(Box::new(Lineage::Known(Arc::new(history)))));
        self.handle(Event::Arrived(slot(index), vec![arrival]));
    }

    /// A record of a tier whose headers are as given.
    pub(crate) fn arrive_with(&mut self, index: u32, offset: i64, lineage: Option<Lineage>) {
        let arrival = self.arrival(offset, lineage.map(Box::new));
        self.handle(Event::Arrived(slot(index), vec![arrival]));
    }

    fn arrival(&self, offset: i64, lineage: Option<Box<Lineage>>) -> Arrival<Rec> {
        let record = Rec { offset, _held: self.held.clone() };
        Arrival { offset, leader_epoch: 0, appended: self.now, lane: offset as u64, record, lineage }
    }

    pub(crate) fn handle(&mut self, event: Event<Rec>) {
        self.engine.handle(self.now, event, &mut self.out);
        self.wait(0);
    }

    /// Lets time pass; says when the engine wants to be called next.
    pub(crate) fn wait(&mut self, millis: i64) -> Option<Timestamp> {
        self.now = self.now.shifted(millis);
        self.engine.advance(self.now, &mut self.out)
    }

    /// Goes on to when the engine wants to be called.
    pub(crate) fn wake(&mut self) {
        let next = self.wait(0).expect("something is to be done");
        assert!(next > self.now, "to be called at {next}, and it is {}", self.now);
        self.now = next;
        self.wait(0);
    }

    pub(crate) fn take_work(&mut self) -> Vec<Work<Rec>> {
        std::mem::take(&mut self.out.work)
    }

    pub(crate) fn take_forwards(&mut self) -> Vec<Forward<Rec>> {
        std::mem::take(&mut self.out.forwards)
    }

    /// What was decided besides work and forwards.
    pub(crate) fn take_others(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.out.others)
    }

    pub(crate) fn take_notices(&mut self) -> Vec<Notice> {
        let mut notices = Vec::new();
        for action in self.take_others() {
            match action {
                Action::Notice(notice) => notices.push(notice),
                other => self.out.others.push(other),
            }
        }
        notices
    }

    /// The commit that was sent last, if one was; all else that was decided is dropped.
    pub(crate) fn take_commit(&mut self) -> Option<(CommitId, Vec<CommitEntry>)> {
        let commits = |action| if let Action::Commit(id, entries) = action { Some((id, entries)) } else { None };
        self.take_others().into_iter().filter_map(commits).next_back()
    }

    /// The next commit, when the engine sends it; nothing else is carried out.
    pub(crate) fn next_commit(&mut self) -> (CommitId, Vec<CommitEntry>) {
        for _ in 0..PATIENCE {
            if let Some(commit) = self.take_commit() {
                return commit;
            }
            self.wake();
        }
        panic!("it commits no more");
    }

    /// Goes on from one call that the engine asked for to the next, and accepts its commits, until something is so.
    pub(crate) fn wake_until(&mut self, mut is_so: impl FnMut(&mut Self) -> bool) {
        for _ in 0..PATIENCE {
            if is_so(self) {
                return;
            }
            self.wake();
            self.accept_all();
        }
        panic!("it never comes");
    }

    pub(crate) fn accept(&mut self, id: CommitId) {
        self.handle(Event::Committed(id, CommitResult::Accepted { refused: Vec::new() }));
    }

    /// Accepts what was committed; other decisions are kept.
    pub(crate) fn accept_all(&mut self) {
        let mut kept = Vec::new();
        for _ in 0..PATIENCE {
            if self.out.others.is_empty() {
                break;
            }
            for action in self.take_others() {
                match action {
                    Action::Commit(id, _) => self.accept(id),
                    other => kept.push(other),
                }
            }
        }
        self.out.others = kept;
    }

    /// Lets time pass in which every commit is accepted at once; other decisions are kept.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now.after(time);
        for _ in 0..PATIENCE {
            if self.now == end {
                return;
            }
            let next = self.wait(0).filter(|&next| next > self.now).unwrap_or(end).min(end);
            self.now = next;
            self.wait(0);
            self.accept_all();
        }
        panic!("it is called too often");
    }

    pub(crate) fn finish(&mut self, work: Work<Rec>, outcome: Outcome) {
        let (ticket, topic, class, lane) = (work.ticket, work.topic, work.class, work.lane);
        let finished = match outcome {
            Outcome::Done => Finished::Done { ticket, topic, class, lane },
            outcome => Finished::Other(Box::new((work, outcome))),
        };
        self.handle(Event::Finished(vec![finished]));
    }

    pub(crate) fn answer(&mut self, forward: &Forward<Rec>, result: Result<(), ForwardError>) {
        let appended = Appended { sent: self.now, acknowledged: self.now, appended: Some(self.now) };
        let result = result.map(|()| appended);
        self.handle(Event::Acknowledged(vec![Acknowledged { id: forward.id, result }]));
    }

    pub(crate) fn offsets(works: &[Work<Rec>]) -> Vec<i64> {
        works.iter().map(|work| work.record.offset).collect()
    }
}

/// What an owner wrote that forwarded a record of `orders` for the first time.
pub(crate) fn history(offset: i64) -> History {
    let origin = Origin { topic: "orders".into(), partition: 0, offset };
    History { attempts: 1, step: 1, hop: 1, ..History::new(origin, SourceTime::None) }
}
