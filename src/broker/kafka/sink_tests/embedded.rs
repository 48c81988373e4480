//! On the embedded broker: what travels, and what becomes of forwards when the broker or the producer breaks.

use super::*;
use crate::broker::kafka::embedded::EmbeddedBroker;
use retrial_core::event::ForwardError;

fn names() -> GroupNames {
    GroupNames::new("billing", None).unwrap()
}

fn broker(tier_partitions: i32) -> EmbeddedBroker {
    let broker = EmbeddedBroker::start().unwrap();
    broker.create_topic(&names().tier(Duration::from_secs(5)).unwrap(), tier_partitions).unwrap();
    broker.create_topic(&names().dead_letters(), 1).unwrap();
    broker
}

fn bench(broker: &EmbeddedBroker) -> Bench {
    Bench::new(broker.address(), names(), false)
}

fn read_tier(broker: &EmbeddedBroker, partitions: i32, count: usize) -> Vec<Found> {
    read(broker.address(), &names().tier(Duration::from_secs(5)).unwrap(), partitions, count)
}

#[test]
fn every_record_travels_byte_for_byte_with_its_history_behind() {
    let broker = broker(1);
    let mut bench = bench(&broker);
    let given = awkward();
    for (id, given) in given.iter().enumerate() {
        bench.sink.send(forward(id as u64, TIER, given));
    }
    let answers = bench.answers(given.len());
    assert!(answers.iter().all(|answer| answer.result.is_ok()), "{answers:?}");
    let mut found = read_tier(&broker, 1, given.len());
    found.sort_by_key(|found| found.header("retrial-origin"));
    assert_eq!(found.iter().map(Found::given).collect::<Vec<_>>(), given);
    assert_eq!(found[2].header("retrial-origin").unwrap(), "orders/3/2");
    let decoded =
        History::decode("billing", found[3].headers.iter().map(|(name, value)| (name.as_slice(), value.as_deref())));
    assert_eq!(decoded.unwrap(), Some(history(3)));
}

#[test]
fn an_acknowledgement_says_when_it_was_sent_and_that_time_serves_as_append_time() {
    let broker = broker(1);
    let mut bench = bench(&broker);
    let appended = bench.answer(forward(1, TIER, &Given::default())).result.unwrap();
    assert!(appended.sent <= appended.acknowledged);
    // The embedded broker claims an append time of its own, always 1234.
    assert_eq!(appended.appended, Some(appended.sent));
    assert_eq!(read_tier(&broker, 1, 1)[0].time, rdkafka::Timestamp::CreateTime(appended.sent.as_millis()));
}

#[test]
fn a_repeated_forward_lands_in_the_same_partition_whatever_its_key() {
    let broker = broker(5);
    let mut first = bench(&broker);
    let mut second = bench(&broker);
    for id in 0..40 {
        let key = Some(vec![id as u8]).filter(|_| id % 2 == 0);
        first.sink.send(forward(id, TIER, &Given { key: key.clone(), ..Given::default() }));
        second.sink.send(forward(id, TIER, &Given { key, ..Given::default() }));
    }
    first.answers(40);
    second.answers(40);
    let mut places = HashMap::<String, Vec<i32>>::new();
    for found in read_tier(&broker, 5, 80) {
        places.entry(found.header("retrial-origin").unwrap()).or_default().push(found.partition);
    }
    assert_eq!(places.len(), 40);
    assert!(places.values().all(|place| place.len() == 2 && place[0] == place[1]), "{places:?}");
    let used: std::collections::BTreeSet<_> = places.values().map(|place| place[0]).collect();
    assert_eq!(used.len(), 5, "{used:?}");
}

#[test]
fn a_broken_producer_is_replaced_and_nothing_is_lost() {
    let broker = broker(2);
    let mut bench = bench(&broker);
    bench.answer(forward(0, TIER, &Given::default()));
    broker.set_reachable(false);
    for id in 1..=20 {
        bench.sink.send(forward(id, TIER, &Given::default()));
    }
    bench.sink.break_for_good();
    // Sent to a producer that is broken already.
    bench.sink.send(forward(21, TIER, &Given::default()));
    let mut results = Vec::new();
    bench.sink.poll(&mut results);
    broker.set_reachable(true);
    results.extend(bench.answers(21 - results.len()));
    results.sort_by_key(|result| result.id);
    let ids: Vec<_> = results.iter().map(|result| result.id.0).collect();
    assert_eq!(ids, (1..=21).collect::<Vec<_>>());
    assert!(results.iter().all(|result| result.result.is_ok()), "{results:?}");
    assert_eq!(bench.sink.replaced(), 1);
    let origins: std::collections::BTreeSet<_> =
        read_tier(&broker, 2, 22).iter().map(|found| found.header("retrial-origin").unwrap()).collect();
    assert_eq!(origins.len(), 22);
}

#[test]
fn what_is_queued_and_unsent_is_taken_out_by_a_purge_and_the_sink_goes_on() {
    let broker = broker(1);
    let mut bench = bench(&broker);
    bench.answer(forward(0, TIER, &Given::default()));
    broker.set_reachable(false);
    for id in 1..=50 {
        bench.sink.send(forward(id, TIER, &Given::default()));
    }
    bench.sink.purge();
    let answers = bench.answers(50);
    assert!(answers.iter().all(|answer| answer.result == Err(ForwardError::Purged)), "{answers:?}");
    broker.set_reachable(true);
    assert!(bench.answer(forward(51, TIER, &Given::default())).result.is_ok());
    assert_eq!(read_tier(&broker, 1, 2)[1].header("retrial-origin").unwrap(), "orders/3/51");
}

#[test]
fn closing_waits_for_what_is_under_way_but_no_longer_than_told() {
    let broker = broker(1);
    let mut under_way = bench(&broker);
    for id in 0..100 {
        under_way.sink.send(forward(id, TIER, &Given::default()));
    }
    under_way.sink.close(PATIENCE);
    assert_eq!(read_tier(&broker, 1, 100).len(), 100);

    let mut stuck = bench(&broker);
    stuck.answer(forward(100, TIER, &Given::default()));
    broker.set_reachable(false);
    stuck.sink.send(forward(101, TIER, &Given::default()));
    let start = Instant::now();
    stuck.sink.close(Duration::from_millis(300));
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
}

#[test]
fn more_than_librdkafka_is_given_at_a_time_stands_in_line_and_goes_out() {
    let broker = broker(1);
    let mut bench = bench(&broker);
    broker.set_reachable(false);
    let large = Given { body: Some(vec![1; 900 * 1024]), ..Given::default() };
    for id in 0..60 {
        bench.sink.send(forward(id, Target::DeadLetters, &large));
    }
    assert!(bench.sink.in_line() > 0);
    broker.set_reachable(true);
    let answers = bench.answers(60);
    assert!(answers.iter().all(|answer| answer.result.is_ok()), "{answers:?}");
}

#[test]
fn a_line_that_is_full_refuses_and_answers_at_once() {
    let broker = broker(1);
    let mut bench = bench(&broker);
    bench.sink.fill_line(forward(0, TIER, &Given::default()));
    bench.sink.send(forward(7, TIER, &Given::default()));
    bench.bell.recv_timeout(PATIENCE).unwrap();
    let mut results = Vec::new();
    bench.sink.poll(&mut results);
    let refused = results.iter().find(|result| result.id == ForwardId(7)).unwrap();
    assert!(matches!(&refused.result, Err(ForwardError::Refused(why)) if why.contains("waiting for Kafka")));
}

#[test]
fn a_record_too_large_is_written_by_reference() {
    let broker = broker(1);
    let mut bench = bench(&broker);
    let given = Given {
        key: Some(vec![9; 5000]),
        body: Some((0..10_000u32).map(|i| (i % 251) as u8).collect()),
        headers: vec![(b"trace".to_vec(), Some(b"abc".to_vec()))],
    };
    let reference = Forward { body: Body::Reference, ..forward(12, Target::DeadLetters, &given) };
    bench.answer(reference).result.unwrap();
    let found = read(broker.address(), &names().dead_letters(), 1, 1).remove(0);
    assert_eq!(found.key, None);
    assert_eq!(found.header("trace").unwrap(), "abc");
    assert_eq!(found.header("retrial-reference").unwrap(), "orders/3/12");
    let body = found.body.unwrap();
    let end = body.windows(2).position(|pair| pair == b"\n\n").unwrap();
    let head = String::from_utf8(body[..end].to_vec()).unwrap();
    assert_eq!(
        head,
        format!(
            "retrial reference 1\nrecord: orders/3/12\nkept-until: unknown\nkey-bytes: 5000\nbody-bytes: 10000\n\
             body-fnv1a64: {:016x}\nhead-bytes: 1024",
            crate::broker::kafka::fingerprint::fnv1a(given.body.as_ref().unwrap())
        )
    );
    assert_eq!(body[end + 2..], given.body.unwrap()[..1024]);
}
