//! A group whose members come one after another, each finding what the last one committed.

use retrial_core::{
    engine::{CommitConfig, Engine, EngineConfig, TopicConfig},
    event::*,
    history::{History, SourceTime},
    id::*,
    ladder::Ladder,
    naming::GroupNames,
    order::{OnCrash, Order, RetryPolicy},
    outcome::Outcome,
    schedule::Schedule,
    snapshot::{self, Snapshot, Subject},
    start::StartAt,
    time::Timestamp,
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Rec(pub(crate) i64);

impl Payload for Rec {
    fn time(&self) -> SourceTime {
        SourceTime::None
    }
}

pub(crate) const TIER: Duration = Duration::from_secs(5);
const STEP: i64 = 25;

/// What a handler does with a record.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Deed {
    Ends(Outcome),
    /// It takes the process down.
    Kills,
    /// It goes on.
    Stays,
}

pub(crate) const DONE: Deed = Deed::Ends(Outcome::Done);

/// A record, its past, and when it was appended.
type Line = (Rec, Option<Arc<History>>, Timestamp);

/// A topic and a partition.
pub(crate) type Place = (&'static str, i32);

pub(crate) struct Setup {
    pub(crate) order: Order,
    pub(crate) on_crash: OnCrash,
    pub(crate) concurrency: usize,
}

impl Default for Setup {
    fn default() -> Self {
        Self { order: Order::Unordered, on_crash: OnCrash::Bury, concurrency: 100 }
    }
}

/// One process at a time, and everything outside it.
pub(crate) struct Stage {
    setup: Setup,
    pub(crate) now: Timestamp,
    pub(crate) engine: Engine<Rec>,
    pub(crate) out: Actions<Rec>,
    logs: BTreeMap<Place, Vec<Line>>,
    pub(crate) committed: BTreeMap<Place, Committed>,
    slots: BTreeMap<Slot, (Place, i64)>,
    generations: u32,
    /// Whether commits are answered.
    pub(crate) answers: bool,
    /// Whether forwards are refused.
    pub(crate) refuses: bool,
    unanswered: Vec<(CommitId, Vec<CommitEntry>)>,
    /// When the engine wants to be called next; after an event it is called at once.
    wakes: Option<Timestamp>,
    pub(crate) running: Vec<Work<Rec>>,
    /// Offsets in the order in which their attempts began.
    pub(crate) began: Vec<i64>,
    pub(crate) done: Vec<i64>,
    pub(crate) letters: Vec<History>,
    /// What went to a tier.
    pub(crate) forwarded: Vec<History>,
    pub(crate) notices: Vec<Notice>,
    /// Commits that were sent.
    pub(crate) commits: usize,
    pub(crate) deaths: u32,
    pub(crate) left: bool,
}

fn config(setup: &Setup) -> EngineConfig {
    let retry = RetryPolicy {
        schedule: Schedule::delays([TIER]),
        in_place: 1,
        on_crash: setup.on_crash,
        ..RetryPolicy::default()
    };
    let topic = |name: &str| TopicConfig {
        name: name.into(),
        concurrency: setup.concurrency,
        order: setup.order,
        retry: retry.clone(),
    };
    EngineConfig {
        group: "billing".into(),
        ladder: Ladder::new([TIER]).unwrap(),
        topics: vec![topic("orders"), topic("mails")],
        service_limit: 400,
        session_timeout: Duration::from_secs(10),
        commit: CommitConfig::default(),
        revoke_drain: Duration::from_secs(2),
        memory: 1 << 20,
        start_at: StartAt::Earliest,
        seed: 7,
    }
}

impl Stage {
    /// A group that has read so many records of `orders`, in one partition, and none of them yet.
    pub(crate) fn new(setup: Setup, records: i64) -> Self {
        let mut stage = Self::empty(setup);
        stage.fill(("orders", 0), records);
        stage.begin();
        stage
    }

    pub(crate) fn empty(setup: Setup) -> Self {
        let engine = Engine::new(config(&setup), GroupNames::new("billing", None).unwrap());
        Self {
            setup,
            now: Timestamp::from_millis(1_795_342_860_000),
            engine,
            out: Actions::default(),
            logs: BTreeMap::new(),
            committed: BTreeMap::new(),
            slots: BTreeMap::new(),
            generations: 0,
            answers: true,
            refuses: false,
            unanswered: Vec::new(),
            wakes: None,
            running: Vec::new(),
            began: Vec::new(),
            done: Vec::new(),
            letters: Vec::new(),
            forwarded: Vec::new(),
            notices: Vec::new(),
            commits: 0,
            deaths: 0,
            left: false,
        }
    }

    /// Adds records to a log; they are numbered on.
    pub(crate) fn fill(&mut self, place: Place, records: i64) {
        let log = self.logs.entry(place).or_default();
        let from = log.len() as i64;
        log.extend((from..from + records).map(|number| (Rec(number), None, Timestamp::default())));
    }

    /// Adds a record to a tier, appended long ago.
    pub(crate) fn retry(&mut self, place: Place, history: History) {
        let record = Rec(history.origin.offset);
        let appended = self.now.shifted(-60_000);
        self.logs.entry(place).or_default().push((record, Some(Arc::new(history)), appended));
    }

    /// A new process is given every partition.
    pub(crate) fn begin(&mut self) {
        self.engine = Engine::new(config(&self.setup), GroupNames::new("billing", None).unwrap());
        self.out = Actions::default();
        self.slots.clear();
        self.unanswered.clear();
        self.running.clear();
        self.left = false;
        let places: Vec<Place> = self.logs.keys().copied().collect();
        places.into_iter().for_each(|place| self.offer(place));
        // As the service does at its start.
        self.engine.observe_clock(self.now, self.now, self.now);
    }

    pub(crate) fn set_on_crash(&mut self, on_crash: OnCrash) {
        self.setup.on_crash = on_crash;
    }

    pub(crate) fn offer(&mut self, place: Place) {
        self.generations += 1;
        let slot = Slot { index: self.slots.len() as u32, generation: self.generations };
        let committed = self.committed.get(&place).cloned();
        let log = Some(LogRange { start: 0, end: self.logs[&place].len() as i64 });
        let past = if committed.is_some() { Past::Read } else { Past::New };
        self.slots.insert(slot, (place, -1));
        let (topic, partition) = (place.0.into(), place.1);
        self.handle(Event::Offered(vec![Offer { slot, topic, partition, topic_id: None, committed, log, past }]));
    }

    pub(crate) fn slot(&self, place: Place) -> Slot {
        *self.slots.iter().find(|(_, (at, _))| *at == place).unwrap().0
    }

    pub(crate) fn handle(&mut self, event: Event<Rec>) {
        self.engine.handle(self.now, event, &mut self.out);
        self.wakes = Some(self.now);
        self.act();
    }

    /// The process is gone, and another one begins.
    pub(crate) fn die(&mut self) {
        self.deaths += 1;
        self.now = self.now.shifted(1_000);
        self.begin();
    }

    /// The process says goodbye, and another one begins.
    pub(crate) fn restart(&mut self) {
        self.handle(Event::Stop(Duration::from_secs(1)));
        for _ in 0..400 {
            self.turn(&mut |_| Deed::Stays);
            if self.left {
                return self.begin();
            }
        }
        panic!("it does not leave");
    }

    fn act(&mut self) {
        let out = std::mem::take(&mut self.out);
        for forward in &out.forwards {
            let histories = if forward.target == Target::DeadLetters { &mut self.letters } else { &mut self.forwarded };
            histories.push((*forward.history).clone());
        }
        let now = self.now;
        let written = out.forwards.iter().map(|forward| Acknowledged {
            id: forward.id,
            result: match self.refuses {
                true => Err(ForwardError::Refused("no leader".into())),
                false => Ok(Appended { sent: now, acknowledged: now, appended: Some(now) }),
            },
        });
        let written: Vec<Acknowledged> = written.collect();
        for action in out.others {
            match action {
                Action::Start { slot, offset } => self.slots.get_mut(&slot).unwrap().1 = offset,
                Action::Commit(id, entries) => {
                    self.commits += 1;
                    self.unanswered.push((id, entries));
                }
                Action::Release(slots) => self.slots.retain(|slot, _| !slots.contains(slot)),
                Action::Abandon(slot) => self.abandon(slot),
                Action::Leave => self.left = true,
                Action::Notice(notice) => self.notices.push(notice),
                Action::Hurry(_) | Action::Trim(..) | Action::Purge => {}
            }
        }
        for work in out.work {
            self.began.push(work.record.0);
            self.running.push(work);
        }
        if !written.is_empty() {
            self.handle(Event::Acknowledged(written));
        }
    }

    fn abandon(&mut self, slot: Slot) {
        let gone = self.running.extract_if(.., |work| work.ticket.slot == slot);
        let gone = gone.map(|work| Finished::Abandoned { ticket: work.ticket, topic: work.topic, class: work.class });
        let gone = gone.collect();
        self.engine.handle(self.now, Event::Finished(gone), &mut self.out);
    }

    pub(crate) fn fetch(&mut self) {
        let by_partition = matches!(self.setup.order, Order::ByPartition(_));
        for slot in self.slots.keys().copied().collect::<Vec<_>>() {
            let (place, position) = self.slots[&slot];
            let room = self.engine.room(slot);
            let log = &self.logs[&place];
            if position < 0 || position as usize >= log.len() || room == 0 {
                continue;
            }
            let records = (position..).zip(&log[position as usize..]).take(room);
            let arrivals: Vec<Arrival<Rec>> = records
                .map(|(offset, (record, history, appended))| Arrival {
                    offset,
                    leader_epoch: 3,
                    appended: *appended,
                    lane: if by_partition { 0 } else { record.0 as u64 % 5 },
                    record: record.clone(),
                    lineage: history.clone().map(|history| Box::new(Lineage::Known(history))),
                })
                .collect();
            self.slots.get_mut(&slot).unwrap().1 = position + arrivals.len() as i64;
            self.handle(Event::Arrived(slot, arrivals));
        }
    }

    /// Answers the commits that are under way.
    pub(crate) fn answer(&mut self, result: &CommitResult) {
        for (id, entries) in std::mem::take(&mut self.unanswered) {
            if matches!(result, CommitResult::Accepted { .. }) {
                for entry in entries {
                    let Some((place, _)) = self.slots.get(&entry.slot) else { continue };
                    let (offset, leader_epoch) = (entry.offset, entry.leader_epoch);
                    let committed = Committed { offset, leader_epoch, metadata: entry.metadata.into_bytes() };
                    self.committed.insert(*place, committed);
                }
            }
            self.handle(Event::Committed(id, result.clone()));
        }
    }

    /// What the next owner of a partition would read.
    pub(crate) fn said(&self, place: Place) -> Snapshot {
        let committed = &self.committed[&place];
        let offset = committed.offset;
        let subject = Subject { group: "billing", topic: place.0, topic_id: None, partition: place.1, offset };
        snapshot::decode(&committed.metadata, &subject).unwrap().unwrap()
    }

    /// 25 ms in which handlers do what is said.
    pub(crate) fn turn(&mut self, handler: &mut dyn FnMut(&Work<Rec>) -> Deed) {
        self.now = self.now.shifted(STEP);
        self.wake();
        if self.answers {
            self.answer(&CommitResult::Accepted { refused: Vec::new() });
        }
        self.fetch();
        let _ = self.engine.advance(self.now, &mut self.out);
        self.act();
        let mut index = 0;
        while index < self.running.len() {
            match handler(&self.running[index]) {
                Deed::Stays => index += 1,
                Deed::Kills => return self.die(),
                Deed::Ends(outcome) => {
                    let work = self.running.remove(index);
                    self.end(work, outcome);
                }
            }
        }
        self.settle();
    }

    /// Nothing has happened but that time has passed: the engine does only what it had asked to be called for.
    fn wake(&mut self) {
        let asked = self.wakes.is_some_and(|at| at <= self.now);
        let wanted = self.engine.advance(self.now, &mut self.out);
        let idle = self.out.others.is_empty() && self.out.work.is_empty() && self.out.forwards.is_empty();
        assert!(asked || idle, "{:?} at {}, and it wanted to be called at {:?}", self.out.others, self.now, self.wakes);
        self.wakes = wanted;
        self.act();
    }

    /// Lets the engine do all that is possible now.
    pub(crate) fn settle(&mut self) {
        loop {
            self.wakes = self.engine.advance(self.now, &mut self.out);
            if self.out.others.is_empty() && self.out.work.is_empty() && self.out.forwards.is_empty() {
                break;
            }
            self.act();
        }
        assert!(self.wakes.is_none_or(|at| at > self.now), "it never rests at {}", self.now);
    }

    pub(crate) fn end(&mut self, work: Work<Rec>, outcome: Outcome) {
        let finished = if outcome == Outcome::Done {
            self.done.push(work.record.0);
            Finished::Done { ticket: work.ticket, topic: work.topic, class: work.class, lane: work.lane }
        } else {
            Finished::Other(Box::new((work, outcome)))
        };
        self.handle(Event::Finished(vec![finished]));
        let _ = self.engine.advance(self.now, &mut self.out);
        self.act();
    }

    pub(crate) fn run(&mut self, seconds: i64, mut handler: impl FnMut(&Work<Rec>) -> Deed) {
        let end = self.now.shifted(seconds * 1_000);
        while self.now < end {
            self.turn(&mut handler);
        }
    }

    /// Runs until so many have died.
    pub(crate) fn run_to_death(&mut self, deaths: u32, mut handler: impl FnMut(&Work<Rec>) -> Deed) {
        for _ in 0..40_000 {
            if self.deaths >= deaths {
                return;
            }
            self.turn(&mut handler);
        }
        panic!(
            "nobody dies: {:?} {:?}",
            self.committed.keys().map(|&place| self.said(place).suspicion).collect::<Vec<_>>(),
            self.running.len()
        );
    }

    /// How often a record was tested alone, and in company.
    pub(crate) fn tests(&self, record: i64) -> (usize, usize) {
        let tests = |wanted: bool| {
            self.notices
                .iter()
                .filter(|notice| {
                    matches!(notice, Notice::SuspectAnnounced { offset, alone, .. } if *offset == record && *alone == wanted)
                })
                .count()
        };
        (tests(true), tests(false))
    }

    pub(crate) fn is_all_done_but(&self, records: i64, but: &[i64]) -> bool {
        (0..records).all(|record| self.done.contains(&record) != but.contains(&record))
    }
}

/// What a record of a tier carries.
pub(crate) fn history(offset: i64, crashes: u32) -> History {
    let origin = Origin { topic: Arc::from("orders"), partition: 0, offset };
    History { attempts: 1, step: 1, hop: 1, crashes, ..History::new(origin, SourceTime::None) }
}
