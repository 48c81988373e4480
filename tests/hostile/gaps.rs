//! Source topics whose offsets have holes: compacted ones, and those of transactions.

use crate::{
    raw::{self, Raw},
    sights::{Sights, see},
    stage::{self, PATIENCE},
};
use rdkafka::{
    ClientConfig,
    producer::{BaseProducer, BaseRecord, Producer},
};
use retrial::{Running, handler};
use retrial_kafka_for_tests::{Kafka, available};

async fn run(kafka: &Kafka, group: &str, topic: &str, sights: &Sights) -> Running {
    let app = stage::app(group, &[1]).state(sights.clone()).topic(topic, handler(see)).build().expect("an app");
    stage::run(app, stage::reach(kafka), stage::quick()).await
}

/// The offsets that a topic holds, and the one past its end.
fn held(kafka: &Kafka, topic: &str) -> (Vec<i64>, i64) {
    let offsets = raw::read(kafka, topic).iter().map(|record| record.offset).collect();
    (offsets, kafka.offsets(topic)[&0].1)
}

/// Offsets with a hole of at least two between the first and the last.
fn have_a_hole(offsets: &[i64]) -> bool {
    offsets.windows(2).any(|pair| pair[1] - pair[0] > 2)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_compacted_topic_is_handled_once_to_its_end_also_across_a_restart() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("compacted"), kafka.unique_topic("compacted"));
    let compact = [("cleanup.policy", "compact"), ("min.cleanable.dirty.ratio", "0.001"), ("segment.ms", "1000")];
    kafka.create_topic(&topic, 1, &compact);
    for round in 0..5 {
        let records: Vec<Raw> =
            (0..40).map(|n| Raw::new(format!("{round}")).key(format!("{}", n * (round + 1)))).collect();
        raw::append(kafka, &topic, 0, &records);
    }
    // A segment is cleaned once a later one is begun, which takes a later record.
    let cleaned = stage::until("the topic is compacted", || {
        raw::append(kafka, &topic, 0, &[Raw::new("roll").key("roll")]);
        std::thread::sleep(std::time::Duration::from_millis(200));
        let (offsets, _) = held(kafka, &topic);
        have_a_hole(&offsets).then_some(offsets)
    });
    cleaned.await;
    let sights = Sights::default();
    let running = run(kafka, &group, &topic, &sights).await;
    let (_, end) = held(kafka, &topic);
    stage::until_committed(kafka, &group, &topic, 0, end).await;
    let sorted = |mut offsets: Vec<i64>| {
        offsets.sort_unstable();
        offsets
    };
    let before = sorted(sights.offsets(0));
    assert!(before.is_sorted_by(|a, b| a < b) && have_a_hole(&before), "{before:?}");
    stage::stop(running).await;
    raw::append(kafka, &topic, 0, &(0..20).map(|n| Raw::new("after").key(format!("{n}"))).collect::<Vec<_>>());
    let running = run(kafka, &group, &topic, &sights).await;
    stage::until_committed(kafka, &group, &topic, 0, end + 20).await;
    stage::stop(running).await;
    let all = sorted(sights.offsets(0));
    assert_eq!(all[..before.len()], before, "nothing was redone");
    assert_eq!(all[before.len()..], (end..end + 20).collect::<Vec<_>>(), "nothing was left out");
    let (last, _) = held(kafka, &topic);
    assert!(last.iter().all(|offset| all.contains(offset)), "everything that exists was handled");
}

/// Writes records in transactions, some of them aborted.
struct Transactions(BaseProducer);

impl Transactions {
    fn new(kafka: &Kafka, name: &str) -> Self {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", kafka.bootstrap()).set("transactional.id", name);
        let producer: BaseProducer = config.create().expect("a producer");
        producer.init_transactions(PATIENCE).expect("a transaction coordinator");
        Self(producer)
    }

    fn write(&self, topic: &str, bodies: &[String], commit: bool) {
        self.0.begin_transaction().expect("no open transaction");
        for body in bodies {
            self.0
                .send(BaseRecord::<(), str>::to(topic).partition(0).payload(body))
                .map_err(|(error, _)| error)
                .expect("room");
        }
        self.0.flush(PATIENCE).expect("acknowledgements");
        let ended = if commit { self.0.commit_transaction(PATIENCE) } else { self.0.abort_transaction(PATIENCE) };
        ended.expect("an end of the transaction");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn records_of_aborted_transactions_never_run_and_the_others_run_once_to_the_end() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("transactions"), kafka.unique_topic("transactions"));
    kafka.create_topic(&topic, 1, &[]);
    let transactions = Transactions::new(kafka, &topic);
    let write = |round: i32| {
        let bodies = |word: &str| (0..7).map(|n| format!("{word} {round} {n}")).collect::<Vec<_>>();
        transactions.write(&topic, &bodies("kept"), true);
        transactions.write(&topic, &bodies("aborted"), false);
        transactions.write(&topic, &bodies("aborted too"), false);
    };
    let kept = |rounds: i32| {
        let mut kept: Vec<String> =
            (0..rounds).flat_map(|round| (0..7).map(move |n| format!("kept {round} {n}"))).collect();
        kept.extend((0..rounds).map(|round| format!("plain {round}")));
        kept.sort();
        kept
    };
    let sights = Sights::default();
    for round in 0..3 {
        write(round);
        // The coordinator writes markers after it has answered.
        let marked = i64::from(round) * 25 + 3 * 8;
        stage::until_true("the markers are written", || kafka.offsets(&topic)[&0].1 == marked).await;
        // A topic that ends with a marker has a watermark below its end: no client is shown what lies between.
        raw::append(kafka, &topic, 0, &[Raw::new(format!("plain {round}"))]);
        let running = run(kafka, &group, &topic, &sights).await;
        let end = kafka.offsets(&topic)[&0].1;
        stage::until_committed(kafka, &group, &topic, 0, end).await;
        stage::stop(running).await;
        assert_eq!(sights.texts(), kept(round + 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_lies_behind_an_open_transaction_waits_and_runs_when_it_is_aborted() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("open"), kafka.unique_topic("open"));
    kafka.create_topic(&topic, 1, &[]);
    let transactions = Transactions::new(kafka, &topic);
    raw::append(kafka, &topic, 0, &[Raw::new("before")]);
    let open = &transactions.0;
    open.begin_transaction().expect("no open transaction");
    open.send(BaseRecord::<(), str>::to(&topic).partition(0).payload("open"))
        .map_err(|(error, _)| error)
        .expect("room");
    open.flush(PATIENCE).expect("acknowledgements");
    let behind = raw::append(kafka, &topic, 0, &[Raw::new("behind")]);
    let sights = Sights::default();
    let running = run(kafka, &group, &topic, &sights).await;
    stage::until_committed(kafka, &group, &topic, 0, 1).await;
    assert_eq!(sights.texts(), ["before"]);
    open.abort_transaction(PATIENCE).expect("an abort");
    stage::until_committed(kafka, &group, &topic, 0, behind + 1).await;
    assert_eq!(sights.texts(), ["before", "behind"]);
    stage::stop(running).await;
}
