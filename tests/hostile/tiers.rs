//! Records of a tier that nobody handles, that were written twice, or that are old. Forged ones are in the table.

use crate::{
    forward::{forwarded, with},
    raw::{self, Raw},
    sights::{Sight, Sights, see},
    stage,
};
use retrial::{Failure, HandlerSet, Retry, SourceTime, State, Timestamp, handler, secs};
use retrial_kafka_for_tests::{Kafka, available};

fn see_all(group: &str, topic: &str, tiers: &[u64], sights: &Sights) -> HandlerSet {
    let handling = handler(see).retry(Retry::delays([secs(1)]).in_place(0));
    stage::app(group, tiers).state(sights.clone()).topic(topic, handling).build().expect("an app")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_tier_of_half_a_minute_it_rests_unfinished_and_others_of_its_tier_go_on() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("rests");
    let topic = stage::lasting_topic(kafka, "rests", 1, &[]);
    let tier = format!("{group}.retry.1s");
    let sights = Sights::default();
    let app = || see_all(&group, &topic, &[1], &sights);
    stage::make_topics(app(), stage::reach(kafka)).await;
    let mine = |n: i64| forwarded(&group, &format!("{topic}/0/{n}"), &format!("mine {n}"));
    raw::append(kafka, &tier, 0, &[mine(0), forwarded(&group, "of-another-build/3/99", "kept"), mine(1)]);
    for round in 1..=2 {
        let running = stage::run(app(), stage::reach(kafka), stage::quick()).await;
        stage::until_true("the others are handled", || sights.count() == 2).await;
        stage::until_committed(kafka, &group, &tier, 0, 1).await;
        stage::stop(running).await;
        assert_eq!(sights.texts(), ["mine 0", "mine 1"], "start {round}");
        assert_eq!(stage::committed(kafka, &group, &tier, 0), Some(1), "it is unfinished");
    }
    assert_eq!(raw::read(kafka, &tier).len(), 3, "it was not handed on");
    assert_eq!(raw::read(kafka, &format!("{group}.dlq")), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_forward_that_was_written_twice_runs_once_and_the_next_hop_of_it_runs_again() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("twice");
    let topic = stage::lasting_topic(kafka, "twice", 1, &[]);
    let tier = format!("{group}.retry.1s");
    let sights = Sights::default();
    let app = || see_all(&group, &topic, &[1], &sights);
    stage::make_topics(app(), stage::reach(kafka)).await;
    let first = forwarded(&group, &format!("{topic}/0/3"), "first");
    let other = forwarded(&group, &format!("{topic}/0/4"), "other");
    let next = with(&with(&first, "retrial-attempts", "2"), "retrial-step", "2");
    let next = Raw { body: Some(b"next".to_vec()), ..next };
    raw::append(kafka, &tier, 0, &[first.clone(), first.clone()]);
    raw::append(kafka, &tier, 0, &[other.clone(), next, first, other]);
    let running = stage::run(app(), stage::reach(kafka), stage::quick()).await;
    stage::until_committed(kafka, &group, &tier, 0, 6).await;
    stage::stop(running).await;
    assert_eq!(sights.texts(), ["first", "next", "other"]);
}

const DAY: i64 = 86_400_000;

/// Fails the first time.
async fn once(sight: Sight, State(sights): State<Sights>) -> Result<(), Failure> {
    let first = sight.attempt == 1;
    sights.see(sight);
    if first { Err(Failure::retry("the first time")) } else { Ok(()) }
}

/// Waits until the broker has looked for what is too old: until a record that is has gone.
async fn until_retention_was_checked(kafka: &Kafka) {
    let canary = kafka.unique_topic("canary");
    kafka.create_topic(&canary, 1, &[("retention.ms", &(14 * DAY).to_string())]);
    raw::append(kafka, &canary, 0, &[Raw::new("canary").at(raw::now() - 30 * DAY)]);
    stage::until_true("the old record is gone", || kafka.offsets(&canary)[&0].0 == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_stamped_thirty_days_ago_survives_retention_in_its_tier() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("retention");
    let topic = stage::lasting_topic(kafka, "retention", 1, &[]);
    let stamped = raw::now() - 30 * DAY;
    raw::append(kafka, &topic, 0, &[Raw::new("old").at(stamped), Raw::new("ahead").at(raw::now() + 2 * DAY / 24)]);
    let sights = Sights::default();
    let handling = handler(once).retry(Retry::delays([secs(4)]).in_place(0));
    let app = stage::app(&group, &[4]).state(sights.clone()).topic(&topic, handling).build().expect("an app");
    // Without trimming tiers forget by age, after their delay and 14 days.
    let reach = stage::reach(kafka).trim_tiers(false);
    let running = stage::run(app, reach, stage::quick().start_at(retrial::StartAt::Earliest)).await;
    let tier = format!("{group}.retry.4s");
    let waiting = stage::records_of(kafka, &tier, 2).await;
    let retention: i64 = kafka.topic_config(&tier)["retention.ms"].parse().expect("a number");
    assert_eq!(retention, 14 * DAY + 4000);
    assert!(waiting.iter().all(|record| (record.time - raw::now()).abs() < DAY), "{waiting:?}");
    // Twice: the first check may have been on its way past the tier already.
    until_retention_was_checked(kafka).await;
    until_retention_was_checked(kafka).await;
    assert_eq!(kafka.offsets(&tier)[&0], (0, 2));
    stage::until_committed(kafka, &group, &tier, 0, 2).await;
    stage::stop(running).await;
    let seen = sights.all();
    assert_eq!(seen.len(), 4);
    for sight in seen.iter().filter(|sight| sight.body.as_deref() == Some(b"old")) {
        assert_eq!(sight.time, SourceTime::Create(Timestamp::from_millis(stamped)), "attempt {}", sight.attempt);
    }
}
