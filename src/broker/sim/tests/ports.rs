//! Single behaviours of the cluster, seen through the ports of one or two members that are driven by hand.

use crate::{
    broker::{
        Sink, Source, SourceEvent,
        sim::{
            Cluster, SimSink, SimSource, Timing, TopicSettings,
            faults::{Fault, Faults},
            log::Message,
            trace::{Event, ProcessId},
        },
    },
    record::{Meter, Record},
};
use retrial_core::{
    event::{Acknowledged, Body, CommitEntry, CommitResult, Forward, ForwardError, LogRange, Offer, Target},
    history::{History, SourceTime},
    id::{CommitId, ForwardId, Origin, Slot},
    naming::GroupNames,
};
use std::{rc::Rc, sync::Arc, time::Duration};

const SECOND: Duration = Duration::from_secs(1);

struct Hand {
    cluster: Cluster,
    process: ProcessId,
    source: SimSource,
    sink: SimSink,
}

fn cluster(faults: Faults) -> Cluster {
    let cluster = Cluster::new(9, super::town::START, Timing::default(), faults);
    cluster.create_topic("orders", TopicSettings::source(1));
    cluster.create_topic("billing.retry.5s", TopicSettings::own(2));
    cluster
}

impl Hand {
    fn join(cluster: &Cluster) -> Self {
        let process = cluster.start_process("billing");
        let source =
            SimSource::join(cluster, process, "billing", |topic| topic == "orders", Arc::new(Meter::default()));
        let sink = SimSink::open(cluster, process, Rc::new(GroupNames::new("billing", None).unwrap()));
        Self { cluster: cluster.clone(), process, source, sink }
    }

    /// Lets time pass and takes what came, polling often enough to stay alive.
    fn wait(&mut self, time: Duration) -> Vec<SourceEvent> {
        let mut events = Vec::new();
        for _ in 0..10 {
            self.cluster.advance(self.cluster.now().after(time / 10));
            self.source.poll(&mut |_| 100, &mut events);
        }
        events
    }

    fn offered(&mut self) -> Offer {
        let events = self.wait(SECOND);
        let offers = events
            .into_iter()
            .find_map(|event| if let SourceEvent::Offered(offers) = event { Some(offers) } else { None });
        offers.expect("an offer").remove(0)
    }

    fn commit(&mut self, slot: Slot, offset: i64, metadata: &str) -> CommitResult {
        self.source.commit(CommitId(1), vec![CommitEntry { slot, offset, leader_epoch: 0, metadata: metadata.into() }]);
        let events = self.wait(8 * SECOND);
        let result = events
            .into_iter()
            .find_map(|event| if let SourceEvent::Committed(_, result) = event { Some(result) } else { None });
        result.expect("every commit is answered")
    }

    fn misused(&self) -> bool {
        self.cluster.trace().events().any(|event| matches!(event, Event::Misuse { .. }))
    }
}

fn records(events: &[SourceEvent]) -> Vec<Record> {
    let batches =
        events.iter().filter_map(|event| if let SourceEvent::Records(_, batch) = event { Some(batch) } else { None });
    batches.flat_map(|batch| batch.records().collect::<Vec<_>>()).collect()
}

fn produce(cluster: &Cluster, count: usize) {
    (0..count).for_each(|_| drop(cluster.produce("orders", Message::new("key", "body")).unwrap()));
}

#[test]
fn metadata_above_the_limit_breaks_the_commit_and_stores_nothing() {
    let mut hand = Hand::join(&cluster(Faults::none()));
    let slot = hand.offered().slot;
    hand.source.start(slot, 0);
    assert_eq!(hand.commit(slot, 0, &"x".repeat(4096)), CommitResult::Accepted { refused: vec![] });
    assert!(matches!(hand.commit(slot, 1, &"x".repeat(4097)), CommitResult::Failed(_)));
    assert_eq!(hand.cluster.counted(Fault::CommitTooLarge), 1);
    assert_eq!(hand.cluster.committed("billing", "orders", 0).unwrap().offset, 0);
}

#[test]
fn a_silent_member_is_expelled_and_learns_it_late_while_its_writes_still_land() {
    let cluster = cluster(Faults::none());
    let mut zombie = Hand::join(&cluster);
    produce(&cluster, 1);
    let slot = zombie.offered().slot;
    zombie.source.start(slot, 0);
    let record = records(&zombie.wait(SECOND)).remove(0);
    let mut heir = Hand::join(&cluster);
    cluster.state().hold(zombie.process, 10 * SECOND, Duration::ZERO);
    let mut taken = None;
    for _ in 0..80 {
        if let Some(SourceEvent::Offered(mut offers)) = heir.wait(SECOND / 10).pop() {
            taken = offers.pop();
        }
    }
    assert_eq!(taken.map(|offer| offer.partition), Some(0), "its partition went to the other member");
    let history = Arc::new(History::new(Origin { topic: "orders".into(), partition: 0, offset: 0 }, SourceTime::None));
    let (id, target, body) = (ForwardId(1), Target::Tier(5 * SECOND), Body::Whole);
    zombie.sink.send(Forward { id, slot, target, body, record, history });
    assert_eq!(zombie.commit(slot, 1, ""), CommitResult::Expelled);
    let landed = |event: &Event| matches!(event, Event::Appended { place, .. } if &*place.topic == "billing.retry.5s");
    assert!(cluster.trace().events().any(landed));
    assert!(!zombie.misused());
}

#[test]
fn a_parked_commit_may_land_after_the_next_owners_and_rewinds_it() {
    let cluster = cluster(Faults::none().with(Fault::CommitParked, 10_000));
    let mut owner = Hand::join(&cluster);
    let slot = owner.offered().slot;
    owner.source.start(slot, 0);
    owner.source.commit(CommitId(7), vec![CommitEntry { slot, offset: 3, leader_epoch: 0, metadata: "old".into() }]);
    cluster.calm();
    // The owner gives the partition up without waiting for the answer, and stays a member.
    owner.source.commit(CommitId(8), vec![CommitEntry { slot, offset: 5, leader_epoch: 0, metadata: "new".into() }]);
    owner.wait(Duration::from_millis(20));
    assert_eq!(cluster.committed("billing", "orders", 0).unwrap().offset, 5);
    owner.wait(14 * SECOND);
    assert_eq!(cluster.committed("billing", "orders", 0).unwrap().offset, 3);
    assert_eq!(cluster.counted(Fault::CommitParked), 1);
}

#[test]
fn a_write_whose_acknowledgement_is_lost_lands_once_in_its_session_and_again_in_the_next() {
    for (fault, copies) in [(Fault::ProduceUnanswered, 1), (Fault::ProducerReplaced, 2)] {
        let cluster = cluster(Faults::none().with(fault, 10_000));
        let mut hand = Hand::join(&cluster);
        produce(&cluster, 1);
        let slot = hand.offered().slot;
        hand.source.start(slot, 0);
        let record = records(&hand.wait(SECOND)).remove(0);
        let history =
            Arc::new(History::new(Origin { topic: "orders".into(), partition: 0, offset: 0 }, SourceTime::None));
        let (id, target, body) = (ForwardId(1), Target::Tier(5 * SECOND), Body::Whole);
        hand.sink.send(Forward { id, slot, target, body, record, history });
        hand.wait(Duration::from_millis(50));
        assert_eq!(cluster.counted(fault), 1);
        cluster.calm();
        hand.wait(10 * SECOND);
        let mut results = Vec::new();
        hand.sink.poll(&mut results);
        assert!(matches!(results[..], [Acknowledged { id: ForwardId(1), result: Ok(_) }]), "{results:?}");
        let landed =
            |event: &&Event| matches!(event, Event::Appended { place, .. } if &*place.topic == "billing.retry.5s");
        assert_eq!(cluster.trace().events().filter(landed).count(), copies, "{fault:?}");
    }
}

#[test]
fn what_is_queued_and_unsent_can_be_purged_and_what_is_too_large_is_refused() {
    let cluster = cluster(Faults::none());
    cluster.create_topic("billing.dlq", TopicSettings { max_bytes: 10, ..TopicSettings::own(1) });
    let mut hand = Hand::join(&cluster);
    produce(&cluster, 1);
    let slot = hand.offered().slot;
    hand.source.start(slot, 0);
    let record = records(&hand.wait(SECOND)).remove(0);
    let history = Arc::new(History::new(Origin { topic: "orders".into(), partition: 0, offset: 0 }, SourceTime::None));
    let mut send = |id, target| {
        let (record, history) = (record.clone(), history.clone());
        hand.sink.send(Forward { id: ForwardId(id), slot, target, body: Body::Whole, record, history });
    };
    send(1, Target::Tier(5 * SECOND));
    send(2, Target::DeadLetters);
    send(3, Target::Tier(7 * SECOND));
    hand.sink.purge();
    let mut results = Vec::new();
    hand.sink.poll(&mut results);
    results.sort_by_key(|result| result.id);
    let errors: Vec<ForwardError> = results.into_iter().filter_map(|result| result.result.err()).collect();
    assert!(
        matches!(errors[..], [ForwardError::Purged, ForwardError::TooLarge, ForwardError::Refused(_)]),
        "{errors:?}"
    );
    assert_eq!(cluster.counted(Fault::TooLarge), 1);
}

#[test]
fn a_reader_beyond_a_cut_is_told_where_the_logs_part_after_what_it_fetched() {
    let cluster = cluster(Faults::none());
    let mut hand = Hand::join(&cluster);
    produce(&cluster, 10);
    let slot = hand.offered().slot;
    hand.source.start(slot, 0);
    assert_eq!(records(&hand.wait(SECOND)).len(), 10);
    assert!(cluster.inject(Fault::UncleanElection));
    produce(&cluster, 20);
    let events = hand.wait(SECOND);
    let [SourceEvent::OutOfRange(told, LogRange { start: 0, end })] = events[..] else { panic!("{events:?}") };
    assert!(told == slot && end < 10);
    hand.source.start(slot, end);
    let read = records(&hand.wait(SECOND));
    assert_eq!((read[0].offset(), read[0].leader_epoch(), read.len()), (end, 1, 20));
}

#[test]
fn calls_out_of_order_are_written_down() {
    let cluster = cluster(Faults::none());
    let mut hand = Hand::join(&cluster);
    let slot = hand.offered().slot;
    hand.source.start(slot, 0);
    assert!(!hand.misused());
    hand.source.release(&[slot]);
    assert!(hand.misused(), "nobody asked for it back");
}

#[test]
fn a_dead_process_reaches_nobody() {
    let cluster = cluster(Faults::none());
    let mut hand = Hand::join(&cluster);
    let slot = hand.offered().slot;
    hand.source.start(slot, 0);
    cluster.kill(hand.process);
    hand.source.commit(CommitId(1), vec![CommitEntry { slot, offset: 9, leader_epoch: 0, metadata: String::new() }]);
    assert!(hand.wait(10 * SECOND).is_empty());
    assert_eq!(cluster.committed("billing", "orders", 0), None);
}
