//! The whole engine against a naive world: random records, outcomes, acknowledgements, failures, revocations and
//! crashes, in random order; the promises are checked from outside after every step.

#![allow(clippy::unwrap_used, reason = "what is not there fails the test")]

use proptest::prelude::*;
use retrial_core::{
    engine::{CommitConfig, Engine, EngineConfig, TopicConfig},
    event::*,
    history::{History, SourceTime},
    id::*,
    ladder::Ladder,
    naming::GroupNames,
    order::RetryPolicy,
    order::{OnExhausted, Order},
    outcome::{Cause, Outcome, Reason},
    schedule::Schedule,
    snapshot::{self, Subject},
    start::StartAt,
    time::Timestamp,
};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

/// A record of the world: what its source topic holds.
#[derive(Clone, Debug, PartialEq)]
struct Rec {
    offset: i64,
    key: u64,
}

impl Payload for Rec {
    fn time(&self) -> SourceTime {
        SourceTime::None
    }
}

const TIER: Duration = Duration::from_secs(5);

/// One topic partition's log: its records, by position.
#[derive(Default)]
struct Log {
    records: Vec<(i64, Rec, Option<Arc<History>>, Timestamp)>,
    next: i64,
}

/// Everything outside the engine.
struct World {
    now: Timestamp,
    engine: Engine<Rec>,
    out: Actions<Rec>,
    wake: Option<Timestamp>,
    order: Order,
    logs: BTreeMap<Arc<str>, Log>,
    committed: HashMap<Arc<str>, Committed>,
    reading: HashMap<Slot, (Arc<str>, i64)>,
    slots: u32,
    running: Vec<Work<Rec>>,
    writing: VecDeque<Forward<Rec>>,
    commits: VecDeque<(CommitId, Vec<CommitEntry>)>,
    /// Origins that were done, discarded or buried: what may be covered by a commit of the source.
    settled: HashSet<i64>,
    /// How often each origin's handler ended well.
    done: HashMap<i64, u32>,
    dead: HashMap<i64, History>,
    running_keys: HashSet<u64>,
    last_of_key: HashMap<u64, i64>,
    revoking: Vec<Slot>,
    crashes: u32,
    /// Takes the process down whenever its handler is to end.
    killer: Option<i64>,
    /// Attempts that were the only ones from their beginning to their end, or to the end of their process, in order.
    alone: Vec<(i64, Fate)>,
    /// Whether the first of `running` has been alone since it began.
    lonely: bool,
}

/// How an attempt that was alone ended.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Survived,
    Vanished,
}

fn config(order: Order) -> EngineConfig {
    let retry = RetryPolicy { schedule: Schedule::delays([TIER, TIER]), in_place: 1, ..RetryPolicy::default() };
    EngineConfig {
        group: "billing".into(),
        ladder: Ladder::new([TIER]).unwrap(),
        topics: vec![TopicConfig { name: "orders".into(), concurrency: 8, order, retry }],
        service_limit: 8,
        session_timeout: Duration::from_secs(10),
        commit: CommitConfig::default(),
        revoke_drain: Duration::from_secs(2),
        memory: 1 << 20,
        start_at: StartAt::Earliest,
        seed: 1,
    }
}

fn engine(order: Order) -> Engine<Rec> {
    Engine::new(config(order), GroupNames::new("billing", None).unwrap())
}

impl World {
    fn new(order: Order, records: i64, keys: u64, gap: i64) -> Self {
        let mut logs: BTreeMap<Arc<str>, Log> = BTreeMap::new();
        let mut log = Log::default();
        for i in 0..records {
            let offset = i * gap;
            log.records.push((offset, Rec { offset, key: i as u64 % keys }, None, Timestamp::default()));
            log.next = offset + 1;
        }
        logs.insert("orders".into(), log);
        logs.insert("billing.retry.5s".into(), Log::default());
        let mut world = Self {
            now: Timestamp::from_millis(1_000_000),
            engine: engine(order),
            out: Actions::default(),
            wake: None,
            order,
            logs,
            committed: HashMap::new(),
            reading: HashMap::new(),
            slots: 0,
            running: Vec::new(),
            writing: VecDeque::new(),
            commits: VecDeque::new(),
            settled: HashSet::new(),
            done: HashMap::new(),
            dead: HashMap::new(),
            running_keys: HashSet::new(),
            last_of_key: HashMap::new(),
            revoking: Vec::new(),
            crashes: 0,
            killer: None,
            alone: Vec::new(),
            lonely: false,
        };
        world.offer_all();
        world
    }

    fn offer_all(&mut self) {
        // What was not committed runs again, from its first record on.
        self.last_of_key.clear();
        let topics: Vec<Arc<str>> = self.logs.keys().cloned().collect();
        let offers = topics.into_iter().enumerate().map(|(index, topic)| {
            self.slots += 1;
            let committed = self.committed.get(&topic).cloned();
            let log = Some(LogRange { start: 0, end: self.logs[&topic].next });
            let slot = Slot { index: index as u32, generation: self.slots };
            let past = if committed.is_some() { Past::Read } else { Past::New };
            Offer { slot, topic, partition: 0, topic_id: None, committed, log, past }
        });
        let offers: Vec<Offer> = offers.collect();
        for offer in &offers {
            self.reading.insert(offer.slot, (offer.topic.clone(), -1));
        }
        self.handle(Event::Offered(offers));
    }

    fn handle(&mut self, event: Event<Rec>) {
        self.engine.handle(self.now, event, &mut self.out);
        self.carry_out();
    }

    fn advance(&mut self, millis: i64) {
        self.now = self.now.shifted(millis);
        for _ in 0..64 {
            self.wake = self.engine.advance(self.now, &mut self.out);
            self.carry_out();
            if self.wake.is_none_or(|wake| wake > self.now) {
                return;
            }
        }
        panic!("the engine wants to be called at once, again and again");
    }

    /// Goes on to the moment that the engine asked for: if it forgets one, all stands still.
    fn sleep(&mut self) {
        let wake = self.wake.expect("nothing is due, and something is left");
        self.advance(wake.as_millis() - self.now.as_millis());
    }

    fn carry_out(&mut self) {
        let out = std::mem::take(&mut self.out);
        for forward in out.forwards {
            self.writing.push_back(forward);
        }
        for action in out.others {
            match action {
                Action::Start { slot, offset } => self.reading.get_mut(&slot).unwrap().1 = offset,
                Action::Commit(id, entries) => {
                    entries.iter().for_each(|entry| self.check_commit(entry));
                    self.commits.push_back((id, entries));
                }
                Action::Release(slots) => {
                    for slot in slots {
                        self.reading.remove(&slot);
                        self.revoking.retain(|revoking| *revoking != slot);
                        self.forget_running(slot);
                    }
                    if self.reading.is_empty() {
                        self.offer_all();
                    }
                }
                Action::Abandon(slot) => {
                    let gone: Vec<_> = self.running.extract_if(.., |work| work.ticket.slot == slot).collect();
                    for work in &gone {
                        self.running_keys.remove(&self.lane(&work.record));
                    }
                    let finished = gone.iter().map(|work| Finished::Abandoned {
                        ticket: work.ticket,
                        topic: work.topic,
                        class: work.class,
                    });
                    let event = Event::Finished(finished.collect());
                    self.engine.handle(self.now, event, &mut self.out);
                }
                Action::Purge => {
                    let results = self
                        .writing
                        .drain(..)
                        .map(|forward| Acknowledged { id: forward.id, result: Err(ForwardError::Purged) });
                    let event = Event::Acknowledged(results.collect());
                    self.engine.handle(self.now, event, &mut self.out);
                }
                _ => {}
            }
        }
        for work in out.work {
            self.check_start(&work);
            self.lonely = self.running.is_empty();
            self.running.push(work);
        }
        if !self.out.is_empty() {
            self.carry_out();
        }
    }

    fn forget_running(&mut self, slot: Slot) {
        let gone: Vec<_> = self.running.extract_if(.., |work| work.ticket.slot == slot).collect();
        for work in gone {
            self.running_keys.remove(&self.lane(&work.record));
        }
    }

    /// What a record shares with those it must not overtake.
    fn lane(&self, record: &Rec) -> u64 {
        if matches!(self.order, Order::ByPartition(_)) { 0 } else { record.key }
    }

    /// Promises 4, 5 and 9.
    fn check_start(&mut self, work: &Work<Rec>) {
        assert!(self.reading.contains_key(&work.ticket.slot), "work of an assignment that ended");
        assert!(!self.revoking.contains(&work.ticket.slot), "work of an assignment that is revoked");
        if let Some(due) = work.history.as_ref().and_then(|history| history.due) {
            assert!(due <= self.now, "early: due {due}, now {}", self.now);
        }
        // RULES 8: nothing starts beside a record that is announced to run alone.
        let announced = self.announced();
        assert!(announced.is_none_or(|announced| announced == work.record.offset), "{announced:?} is to be alone");
        // What came back through a tier has given its order up (overtake).
        let returned = work.history.is_some() && !self.order.keeps_lane();
        if self.order != Order::Unordered && work.tries == 0 && !returned {
            assert!(self.running_keys.insert(self.lane(&work.record)), "two records of one key at once");
            let last = self.last_of_key.insert(self.lane(&work.record), work.record.offset);
            assert!(last.is_none_or(|last| last <= work.record.offset || self.crashes > 0), "key out of order");
        }
    }

    /// Promise 1, from the commit alone: every record that it covers was settled.
    fn check_commit(&self, entry: &CommitEntry) {
        let (topic, _) = &self.reading[&entry.slot];
        assert!(entry.metadata.len() <= snapshot::LIMIT);
        let subject = Subject { group: "billing", topic, topic_id: None, partition: 0, offset: entry.offset };
        let runs = snapshot::decode(entry.metadata.as_bytes(), &subject).unwrap().map(|snapshot| snapshot.finished);
        let runs = runs.unwrap_or_default();
        let covered =
            |offset: i64| offset < entry.offset || runs.iter().any(|run| (run.from..run.to).contains(&offset));
        for (offset, record, ..) in self.logs[topic].records.iter().filter(|(offset, ..)| covered(*offset)) {
            let settled = self.settled.contains(&record.offset);
            let forwarded = self.in_a_later_tier(topic, *offset, record.offset);
            // A repeat of a forward is finished at once while the first one still waits.
            let twin =
                self.logs[topic].records.iter().any(|(at, twin, ..)| twin.offset == record.offset && !covered(*at));
            assert!(settled || forwarded || twin, "{topic}/{offset} is covered by a commit and was not settled");
        }
    }

    fn in_a_later_tier(&self, topic: &Arc<str>, offset: i64, origin: i64) -> bool {
        let tier = &self.logs["billing.retry.5s"].records;
        let later = |at: i64| &**topic == "orders" || at > offset;
        tier.iter().any(|(at, record, ..)| record.offset == origin && later(*at))
    }

    fn fetch(&mut self, most: usize) {
        let mut slots: Vec<Slot> = self.reading.keys().copied().collect();
        slots.sort();
        for slot in slots {
            let (topic, position) = self.reading[&slot].clone();
            let room = self.engine.room(slot).min(most);
            if position < 0 || room == 0 {
                continue;
            }
            let records = self.logs[&topic].records.iter().filter(|(offset, ..)| *offset >= position).take(room);
            let arrivals: Vec<_> = records
                .map(|(offset, record, history, appended)| Arrival {
                    offset: *offset,
                    leader_epoch: 0,
                    appended: *appended,
                    lane: self.lane(record),
                    record: record.clone(),
                    lineage: history.clone().map(|history| Box::new(Lineage::Known(history))),
                })
                .collect();
            if let Some(last) = arrivals.last() {
                self.reading.get_mut(&slot).unwrap().1 = last.offset + 1;
                self.handle(Event::Arrived(slot, arrivals));
            }
        }
    }

    fn finish(&mut self, which: usize, outcome: Outcome) {
        if self.running.is_empty() {
            return;
        }
        let which = which % self.running.len();
        if self.killer == Some(self.running[which].record.offset) {
            return self.crash();
        }
        self.note_alone(Fate::Survived);
        let work = self.running.remove(which);
        let origin = work.record.offset;
        if self.order != Order::Unordered {
            self.running_keys.remove(&self.lane(&work.record));
        }
        let finished = match outcome {
            Outcome::Done => {
                *self.done.entry(origin).or_default() += 1;
                self.settled.insert(origin);
                Finished::Done { ticket: work.ticket, topic: work.topic, class: work.class, lane: work.lane }
            }
            Outcome::Discard(why) => {
                self.settled.insert(origin);
                Finished::Other(Box::new((work, Outcome::Discard(why))))
            }
            other => Finished::Other(Box::new((work, other))),
        };
        self.handle(Event::Finished(vec![finished]));
    }

    fn acknowledge(&mut self, kind: u8) {
        let Some(forward) = self.writing.pop_front() else { return };
        let result = match kind {
            0 => Err(ForwardError::Refused("no leader".into())),
            1 if forward.body == Body::Whole => Err(ForwardError::TooLarge),
            _ => {
                self.write(&forward);
                Ok(Appended { sent: self.now, acknowledged: self.now, appended: Some(self.now) })
            }
        };
        self.handle(Event::Acknowledged(vec![Acknowledged { id: forward.id, result }]));
    }

    fn write(&mut self, forward: &Forward<Rec>) {
        let origin = forward.history.origin.offset;
        assert_eq!(origin, forward.record.offset, "the origin changed on the way");
        match forward.target {
            Target::DeadLetters => {
                assert!(forward.history.cause.is_some());
                if forward.history.cause == Some(Cause::Crashed) {
                    self.check_condemned(origin, forward.history.crashes);
                }
                self.settled.insert(origin);
                self.dead.insert(origin, (*forward.history).clone());
            }
            Target::Tier(delay) => {
                assert_eq!(delay, TIER);
                assert!(self.order == Order::Unordered || matches!(self.order, Order::ByKey(OnExhausted::Overtake)));
                let log = self.logs.get_mut("billing.retry.5s").unwrap();
                let offset = log.next;
                log.next += 1;
                log.records.push((offset, forward.record.clone(), Some(forward.history.clone()), self.now));
            }
        }
    }

    fn answer_commit(&mut self, kind: u8) {
        let Some((id, entries)) = self.commits.pop_front() else { return };
        let result = match kind {
            0 => CommitResult::Rebalancing,
            1 => CommitResult::Failed("coordinator moved".into()),
            _ => {
                for entry in entries {
                    let Some((topic, _)) = self.reading.get(&entry.slot) else { continue };
                    let (offset, leader_epoch) = (entry.offset, entry.leader_epoch);
                    let metadata = entry.metadata.into_bytes();
                    self.committed.insert(topic.clone(), Committed { offset, leader_epoch, metadata });
                }
                CommitResult::Accepted { refused: Vec::new() }
            }
        };
        self.handle(Event::Committed(id, result));
    }

    fn revoke(&mut self, lost: bool) {
        let slots: Vec<Slot> = self.reading.keys().copied().collect();
        if !self.revoking.is_empty() {
            return;
        }
        self.crashes += u32::from(lost);
        if lost {
            self.vanish();
        }
        self.revoking = slots.clone();
        self.handle(Event::Revoking { slots, lost });
    }

    /// Whom the accepted commits announce as running alone.
    fn announced(&self) -> Option<i64> {
        self.committed.iter().find_map(|(topic, committed)| {
            let offset = committed.offset;
            let subject = Subject { group: "billing", topic, topic_id: None, partition: 0, offset };
            let marks = snapshot::decode(&committed.metadata, &subject).unwrap()?.suspicion.marks;
            let alone = marks.iter().find(|mark| mark.stage == snapshot::Stage::Alone)?.offset;
            self.logs[topic].records.iter().find(|(at, ..)| *at == alone).map(|(_, record, ..)| record.offset)
        })
    }

    /// To the next owner, this one is gone.
    fn vanish(&mut self) {
        match self.announced() {
            // It has not begun yet, or has ended just now: nobody can tell.
            Some(origin) if self.running.is_empty() => self.alone.push((origin, Fate::Vanished)),
            _ => self.note_alone(Fate::Vanished),
        }
    }

    /// The only attempt there is ends, or its process does.
    fn note_alone(&mut self, fate: Fate) {
        if let [work] = &self.running[..]
            && self.lonely
        {
            self.alone.push((work.record.offset, fate));
        }
    }

    /// RULES 8: three deaths alone at least, and another record that survived alone in between.
    fn check_condemned(&self, origin: i64, told: u32) {
        let died = |(at, fate): &(i64, Fate)| *at == origin && *fate == Fate::Vanished;
        let deaths = self.alone.iter().filter(|alone| died(alone)).count();
        assert!(deaths >= 3 && told as usize <= deaths, "{origin} was buried for {told} crashes: {:?}", self.alone);
        let (first, last) = (self.alone.iter().position(died), self.alone.iter().rposition(died));
        let between = &self.alone[first.unwrap()..last.unwrap()];
        assert!(between.iter().any(|&(at, fate)| at != origin && fate == Fate::Survived), "{:?}", self.alone);
    }

    fn crash(&mut self) {
        self.vanish();
        self.crashes += 1;
        self.engine = engine(self.order);
        self.out = Actions::default();
        self.running.clear();
        self.running_keys.clear();
        self.writing.clear();
        self.commits.clear();
        self.reading.clear();
        self.revoking.clear();
        self.offer_all();
    }

    /// What may be a witness: who kills alone in its topic is never buried.
    fn add_record(&mut self) {
        let log = self.logs.get_mut("orders").unwrap();
        let offset = log.next;
        log.records.push((offset, Rec { offset, key: offset as u64 % 5 }, None, Timestamp::default()));
        log.next += 1;
    }

    /// Whether all that is left is time.
    fn is_quiet(&mut self) -> bool {
        let unread = |(slot, (topic, position)): (&Slot, &(Arc<str>, i64))| {
            (*slot, self.logs[topic].records.iter().any(|(offset, ..)| *position >= 0 && offset >= position))
        };
        let unread: Vec<_> = self.reading.iter().map(unread).filter(|(_, unread)| *unread).collect();
        let readable = unread.into_iter().any(|(slot, _)| self.engine.room(slot) > 0);
        !readable && self.running.is_empty() && self.writing.is_empty() && self.commits.is_empty()
    }

    /// From here on all goes well: everything must end.
    fn run_out(&mut self) {
        for round in 0..20_000 {
            if round % 8 == 0 && self.killer.is_some_and(|killer| !self.settled.contains(&killer)) {
                self.add_record();
            }
            let total = self.logs["orders"].records.len();
            self.fetch(64);
            let crashes = self.crashes;
            while !self.running.is_empty() && self.crashes == crashes {
                self.finish(0, Outcome::Done);
            }
            while !self.writing.is_empty() {
                self.acknowledge(9);
            }
            while !self.commits.is_empty() {
                self.answer_commit(9);
            }
            self.advance(0);
            let source = self.committed.get("orders").map_or(0, |committed| committed.offset);
            let tier = self.committed.get("billing.retry.5s").map_or(0, |committed| committed.offset);
            let ended = source == self.logs["orders"].next && tier == self.logs["billing.retry.5s"].next;
            if ended && self.settled.len() == total {
                return;
            }
            if self.is_quiet() {
                self.sleep();
            }
        }
        let missing: BTreeSet<i64> = self.logs["orders"].records.iter().map(|(offset, ..)| *offset).collect();
        let missing: Vec<_> = missing.into_iter().filter(|offset| !self.settled.contains(offset)).collect();
        panic!("stuck: unsettled {missing:?}, committed {:?}", self.committed);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Fetch(usize),
    Finish(usize, u8),
    Acknowledge(u8),
    Commit(u8),
    Advance(i64),
    Revoke(bool),
    Crash,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => (1usize..40).prop_map(Step::Fetch),
        20 => (0usize..8, 0u8..12).prop_map(|(which, kind)| Step::Finish(which, kind)),
        8 => (0u8..12).prop_map(Step::Acknowledge),
        4 => (0u8..8).prop_map(Step::Commit),
        10 => prop_oneof![Just(1i64), Just(60), Just(1100), Just(6000)].prop_map(Step::Advance),
        1 => any::<bool>().prop_map(Step::Revoke),
        1 => Just(Step::Crash),
    ]
}

fn outcome(kind: u8) -> Outcome {
    let reason = Reason::new("test", "it failed");
    match kind {
        0 | 1 => Outcome::Retry(reason),
        2 => Outcome::RetryAfter(Duration::from_secs(7), reason),
        3 => Outcome::Dead(Cause::Refused, reason),
        4 => Outcome::Discard("not wanted".into()),
        5 => Outcome::Retry(reason.abrupt()),
        _ => Outcome::Done,
    }
}

fn run(order: Order, steps: &[Step], gap: i64) {
    live(order, steps, gap, None);
}

fn live(order: Order, steps: &[Step], gap: i64, killer: Option<i64>) -> World {
    let mut world = World::new(order, 60, 5, gap);
    world.killer = killer;
    for step in steps {
        match step {
            Step::Fetch(most) => world.fetch(*most),
            Step::Finish(which, kind) => world.finish(*which, outcome(*kind)),
            Step::Acknowledge(kind) => world.acknowledge(*kind),
            Step::Commit(kind) => world.answer_commit(*kind),
            Step::Advance(millis) => world.advance(*millis),
            Step::Revoke(lost) => world.revoke(*lost),
            Step::Crash => world.crash(),
        }
        world.advance(0);
    }
    let before = world.crashes;
    world.run_out();
    assert!(world.crashes - before <= 12, "{} crashes from then on", world.crashes - before);
    world
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn nothing_is_lost_unordered(steps in prop::collection::vec(step(), 0..400), gap in 1i64..4) {
        run(Order::Unordered, &steps, gap);
    }

    #[test]
    fn order_by_key_holds_with_dead(steps in prop::collection::vec(step(), 0..400)) {
        run(Order::ByKey(OnExhausted::Dead), &steps, 1);
    }

    #[test]
    fn order_by_key_holds_with_hold(steps in prop::collection::vec(step(), 0..400)) {
        run(Order::ByKey(OnExhausted::Hold), &steps, 1);
    }

    /// Whatever else goes wrong: it is found, and whoever is buried beside it had crashed alone as often.
    #[test]
    fn rule_8_a_record_that_kills_is_found_whatever_else_goes_wrong(
        steps in prop::collection::vec(step(), 0..300), killer in 0i64..30, by_key in any::<bool>(),
    ) {
        let order = if by_key { Order::ByKey(OnExhausted::Dead) } else { Order::Unordered };
        let world = live(order, &steps, 1, Some(killer));
        let settled_before = world.dead.get(&killer).map(|history| history.cause);
        prop_assert!(settled_before.is_some() || world.settled.contains(&killer));
    }

    #[test]
    fn order_by_partition_holds(steps in prop::collection::vec(step(), 0..400)) {
        run(Order::ByPartition(OnExhausted::Dead), &steps, 2);
    }

    #[test]
    fn nothing_is_lost_when_failures_overtake(steps in prop::collection::vec(step(), 0..400)) {
        run(Order::ByKey(OnExhausted::Overtake), &steps, 3);
    }
}
