//! On a real Kafka: what the embedded broker cannot show.

use super::*;
use rdkafka::Timestamp as Stamp;
use retrial_core::event::ForwardError;
use retrial_kafka_for_tests::{Kafka, available};

const APPEND: (&str, &str) = ("message.timestamp.type", "LogAppendTime");

/// A group of its own, with one tier and dead letters.
fn bench(kafka: &Kafka, settings: &[(&str, &str)]) -> (Bench, String) {
    let names = GroupNames::new(&kafka.unique_group("sink"), None).unwrap();
    let tier = names.tier(Duration::from_secs(5)).unwrap();
    let settings: Vec<_> = settings.iter().copied().chain([APPEND]).collect();
    kafka.create_topic(&tier, 3, &settings);
    kafka.create_topic(&names.dead_letters(), 1, &settings);
    (Bench::new(&kafka.bootstrap(), names, true), tier)
}

#[test]
fn every_record_travels_byte_for_byte_and_the_broker_tells_when_it_was_appended() {
    let kafka = available!(Kafka::shared());
    let (mut bench, tier) = bench(kafka, &[]);
    let given = awkward();
    for (id, given) in given.iter().enumerate() {
        bench.sink.send(forward(id as u64, TIER, given));
    }
    let answers = bench.answers(given.len());
    let mut found = read(&kafka.bootstrap(), &tier, 3, given.len());
    found.sort_by_key(|found| found.header("retrial-origin"));
    assert_eq!(found.iter().map(Found::given).collect::<Vec<_>>(), given);
    for (answer, found) in answers.iter().zip(&found) {
        let appended = answer.result.as_ref().unwrap().appended.unwrap();
        assert_eq!(found.time, Stamp::LogAppendTime(appended.as_millis()));
    }
}

#[test]
fn a_topic_with_the_producers_time_tells_no_append_time() {
    let kafka = available!(Kafka::shared());
    let (mut bench, tier) = bench(kafka, &[]);
    kafka.alter_topic_config(&tier, &[("message.timestamp.type", "CreateTime")]);
    // The controller answers before the brokers have it.
    while kafka.topic_config(&tier)["message.timestamp.type"] != "CreateTime" {
        std::thread::yield_now();
    }
    let appended = bench.answer(forward(1, TIER, &Given::default())).result.unwrap();
    assert_eq!(appended.appended, None);
}

#[test]
fn what_the_topic_does_not_take_is_too_large_and_fits_by_reference() {
    let kafka = available!(Kafka::shared());
    let (mut bench, tier) = bench(kafka, &[("max.message.bytes", "100000")]);
    let large = Given { body: Some(vec![5; 150_000]), ..Given::default() };
    let middling = Given { body: Some(vec![5; 90_000]), ..Given::default() };
    for (id, given) in [(0, &middling), (1, &large), (2, &middling), (3, &large), (4, &middling)] {
        bench.sink.send(forward(id, TIER, given));
    }
    let answers = bench.answers(5);
    let too_large: Vec<_> = answers.iter().map(|answer| answer.result == Err(ForwardError::TooLarge)).collect();
    assert_eq!(too_large, [false, true, false, true, false], "{answers:?}");
    assert!(answers.iter().step_by(2).all(|answer| answer.result.is_ok()), "{answers:?}");
    assert_eq!(read(&kafka.bootstrap(), &tier, 3, 3).len(), 3);
    let reference = Forward { body: Body::Reference, ..forward(1, Target::DeadLetters, &large) };
    assert!(bench.answer(reference).result.is_ok());
}

/// Kafka compares the topic's limit with the batch, so small records must not suffer for the company they keep.
#[test]
fn small_records_are_never_too_large_together() {
    let kafka = available!(Kafka::shared());
    let (mut bench, tier) = bench(kafka, &[("max.message.bytes", "3000")]);
    let small = Given { body: Some(vec![5; 1000]), ..Given::default() };
    for id in 0..100 {
        bench.sink.send(forward(id, TIER, &small));
    }
    let answers = bench.answers(100);
    assert!(answers.iter().all(|answer| answer.result.is_ok()), "{answers:?}");
    assert_eq!(read(&kafka.bootstrap(), &tier, 3, 100).len(), 100);
    // Alone it does not fit either.
    let large = Given { body: Some(vec![5; 3000]), ..Given::default() };
    assert_eq!(bench.answer(forward(100, TIER, &large)).result, Err(ForwardError::TooLarge));
}

#[test]
fn a_topic_that_was_deleted_refuses_with_its_name_and_takes_records_again_when_it_is_back() {
    let kafka = available!(Kafka::shared());
    let (mut bench, tier) = bench(kafka, &[]);
    assert!(bench.answer(forward(0, TIER, &Given::default())).result.is_ok());
    kafka.delete_topic(&tier);
    let refused = bench.answer(forward(1, TIER, &Given::default())).result.unwrap_err();
    assert!(matches!(&refused, ForwardError::Refused(why) if why.contains(&tier)), "{refused:?}");
    kafka.create_topic(&tier, 3, &[APPEND]);
    let start = Instant::now();
    let mut id = 2;
    while bench.answer(forward(id, TIER, &Given::default())).result.is_err() {
        assert!(start.elapsed() < PATIENCE);
        id += 1;
        // Nothing announces when the client looks for the topic again.
        std::thread::sleep(Duration::from_millis(500));
    }
    assert_eq!(read(&kafka.bootstrap(), &tier, 3, 1)[0].header("retrial-origin").unwrap(), format!("orders/3/{id}"));
}

/// A purge leaves a gap in an idempotent producer's numbers; what follows must not be refused for it.
#[test]
fn a_purge_spares_what_is_sent_before_and_after() {
    let kafka = available!(Kafka::shared());
    let names = GroupNames::new(&kafka.unique_group("purge"), None).unwrap();
    let tier = names.tier(Duration::from_secs(5)).unwrap();
    kafka.create_topic(&tier, 1, &[APPEND]);
    // Records stay in the queue until they are flushed or purged.
    let mut bench = Bench::with(&kafka.bootstrap(), names, true, &[("linger.ms", "120000")]);
    let mut sent = 0..;
    let mut send = |bench: &mut Bench| {
        for id in sent.by_ref().take(5) {
            bench.sink.send(forward(id, TIER, &Given::default()));
        }
    };
    let mut all_written = |bench: &mut Bench| {
        send(bench);
        let mut answers = Vec::new();
        let start = Instant::now();
        // More than once, because the purge before may have caught some, which then stand in the queue again.
        while answers.len() < 5 {
            assert!(start.elapsed() < PATIENCE, "{answers:?}");
            bench.sink.flush();
            bench.sink.poll(&mut answers);
        }
        assert!(answers.iter().all(|answer| answer.result.is_ok()), "{answers:?}");
    };
    all_written(&mut bench);
    for round in 0..3 {
        for id in 0..5 {
            bench.sink.send(forward(1000 + 5 * round + id, TIER, &Given::default()));
        }
        bench.sink.purge();
        let purged = bench.answers(5);
        assert!(purged.iter().all(|answer| answer.result == Err(ForwardError::Purged)), "{purged:?}");
        all_written(&mut bench);
    }
    assert_eq!(bench.sink.replaced(), 0);
    let found = read(&kafka.bootstrap(), &tier, 1, 20);
    let origins: Vec<_> = found.iter().map(|found| found.header("retrial-origin").unwrap()).collect();
    assert_eq!(origins, (0..20).map(|id| format!("orders/3/{id}")).collect::<Vec<_>>());
}

#[test]
fn a_broken_producer_is_replaced_and_nothing_is_lost() {
    let kafka = available!(Kafka::shared());
    let (mut bench, tier) = bench(kafka, &[]);
    for id in 0..500 {
        if id == 250 {
            bench.sink.break_for_good();
        }
        bench.sink.send(forward(id, TIER, &Given::default()));
    }
    let answers = bench.answers(500);
    assert!(answers.iter().all(|answer| answer.result.is_ok()), "{answers:?}");
    assert_eq!(bench.sink.replaced(), 1);
    let mut origins = std::collections::BTreeSet::new();
    let total: i64 = kafka.offsets(&tier).values().map(|(start, end)| end - start).sum();
    for found in read(&kafka.bootstrap(), &tier, 3, usize::try_from(total).unwrap()) {
        origins.insert(found.header("retrial-origin").unwrap());
    }
    assert_eq!(origins.len(), 500);
}
