//! Records in a group's own topics that retrial did not write, or wrote twice.

use crate::{
    raw::{self, Raw},
    stage::{self, Sights},
};
use retrial::{Attempt, Bytes, Failure, HandlerSet, Headers, Key, Retry, SourceTime, State, Timestamp, handler, secs};
use retrial_kafka_for_tests::{Kafka, available};

async fn see(
    body: Option<Bytes>,
    key: Option<Key>,
    headers: Headers,
    time: SourceTime,
    attempt: Attempt,
    State(sights): State<Sights>,
) {
    sights.see(&attempt, (body, key, headers, time));
}

fn see_all(group: &str, topic: &str, tiers: &[u64], sights: &Sights) -> HandlerSet {
    let handling = handler(see).retry(Retry::delays([secs(1)]).in_place(0));
    stage::app(group, tiers).state(sights.clone()).topic(topic, handling).build().expect("an app")
}

/// A record as a tier of this group holds it.
fn forwarded(group: &str, origin: &str, body: &str) -> Raw {
    [
        ("retrial-version", "1"),
        ("retrial-group", group),
        ("retrial-origin", origin),
        ("retrial-timestamp", "create 2026-11-22T10:00:00.000Z"),
        ("retrial-attempts", "1"),
        ("retrial-crashes", "0"),
        ("retrial-step", "1"),
        ("retrial-hop", "1"),
        ("retrial-redrives", "0"),
    ]
    .into_iter()
    .fold(Raw::new(body).key("key").header("user", "header"), |record, (name, value)| record.header(name, value))
}

/// The same with one of our headers changed; without it for `None`.
fn with(record: &Raw, name: &str, value: Option<&str>) -> Raw {
    let mut changed = record.clone();
    match value {
        Some(value) => {
            let found = changed.headers.iter_mut().find(|(own, _)| own == name.as_bytes());
            found.expect("the header").1 = Some(value.as_bytes().to_vec());
        }
        None => changed.headers.retain(|(own, _)| own != name.as_bytes()),
    }
    changed
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_in_a_tier_that_retrial_did_not_write_is_a_dead_letter_whole_and_with_its_headers() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("forged");
    let topic = stage::lasting_topic(kafka, "forged", 1, &[]);
    let tier = format!("{group}.retry.1s");
    let sights = Sights::default();
    stage::make_topics(see_all(&group, &topic, &[1], &sights), stage::reach(kafka)).await;
    let good = forwarded(&group, &format!("{topic}/0/7"), "good");
    let forged = [
        ("without our headers", Raw::new("a").key("key").header("user", "header"), "retrial-version"),
        ("of another group", with(&good, "retrial-group", Some("another")), "another group"),
        ("of a later version", with(&good, "retrial-version", Some("2")), "says 2"),
        ("without an origin", with(&good, "retrial-origin", None), "retrial-origin is missing"),
        ("with an origin that is none", with(&good, "retrial-origin", Some("orders/-1/x")), "retrial-origin"),
        ("with attempts that are no number", with(&good, "retrial-attempts", Some("-1")), "retrial-attempts"),
        ("with a header twice", good.clone().header("retrial-attempts", "0"), "retrial-attempts"),
        ("with a header of bytes", good.clone().header("retrial-due", [0xff, 0]), "retrial-due"),
        ("with a header null", good.clone().null_header("retrial-error"), "retrial-error"),
        ("with a header of 100 KiB", good.clone().header("retrial-error", vec![b'x'; 100 << 10]), "retrial-error"),
    ];
    for (_, record, _) in &forged {
        raw::append(kafka, &tier, 0, std::slice::from_ref(record));
    }
    raw::append(kafka, &tier, 0, &[good]);
    let running = stage::run(see_all(&group, &topic, &[1], &sights), stage::reach(kafka), stage::quick()).await;
    stage::until_committed(kafka, &group, &tier, 0, forged.len() as i64 + 1).await;
    let dead = stage::records_of(kafka, &format!("{group}.dlq"), forged.len()).await;
    stage::stop(running).await;
    assert_eq!(sights.texts(), ["good"]);
    for (offset, (name, record, error)) in forged.iter().enumerate() {
        let origin = Some(format!("{tier}/0/{offset}"));
        let letters: Vec<&Raw> = dead.iter().filter(|letter| letter.text("retrial-origin") == origin).collect();
        assert_eq!(letters.len(), 1, "{name}");
        let letter = letters[0];
        assert_eq!((&letter.key, &letter.body), (&record.key, &record.body), "{name}");
        assert_eq!(letter.headers[..record.headers.len()], record.headers, "{name}: headers are evidence");
        assert_eq!(letter.text("retrial-cause").as_deref(), Some("undecodable"), "{name}");
        assert!(letter.text("retrial-error").is_some_and(|text| text.contains(error)), "{name}: {letter:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn numbers_and_times_at_their_ends_in_a_forged_history_end_in_an_attempt_or_a_dead_letter() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("ends");
    let topic = stage::lasting_topic(kafka, "ends", 1, &[]);
    let tier = format!("{group}.retry.1s");
    let sights = Sights::default();
    stage::make_topics(see_all(&group, &topic, &[1], &sights), stage::reach(kafka)).await;
    const MOST: &str = "4294967295";
    let good = |offset: i64| forwarded(&group, &format!("{topic}/0/{offset}"), &format!("{offset}"));
    let last = with(&good(i64::MAX), "retrial-attempts", Some(MOST));
    let records = [
        with(&good(0), "retrial-attempts", Some(MOST)),
        with(&good(1), "retrial-step", Some(MOST)),
        with(&with(&good(2), "retrial-hop", Some(MOST)), "retrial-redrives", Some(MOST)),
        with(&good(3), "retrial-crashes", Some(MOST)),
        good(4).header("retrial-due", "1970-01-01T00:00:00.000Z"),
        good(5).header("retrial-due", "2126-11-22T10:00:00.000Z"),
        with(&good(6), "retrial-hop", Some(MOST)).header("retrial-due", "2126-11-22T10:00:00.000Z"),
        good(7).header("retrial-expires", "1970-01-01T00:00:00.000Z"),
        last,
    ];
    raw::append(kafka, &tier, 0, &records);
    let running = stage::run(see_all(&group, &topic, &[1], &sights), stage::reach(kafka), stage::quick()).await;
    // All but the two that are due in a hundred years, which hop on, and the one that has expired.
    stage::until_true("six attempts", || sights.count() >= 6).await;
    let dead = stage::records_of(kafka, &format!("{group}.dlq"), 1).await;
    assert_eq!(dead[0].text("retrial-cause").as_deref(), Some("expired"));
    stage::stop(running).await;
    assert_eq!(sights.texts(), ["0", "1", "2", "3", "4", "9223372036854775807"]);
    let waiting = raw::read(kafka, &tier);
    for body in ["5", "6"] {
        let later = waiting.iter().any(|record| record.body.as_deref() == Some(body.as_bytes()) && record.offset > 8);
        assert!(later, "{body} waits on: {:?}", waiting.iter().map(stage::shown).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tier_record_of_a_source_topic_that_nobody_handles_here_hops_to_a_tier_of_half_a_minute() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("unhandled");
    let topic = stage::lasting_topic(kafka, "unhandled", 1, &[]);
    let tier = format!("{group}.retry.1s");
    let sights = Sights::default();
    let app = || see_all(&group, &topic, &[1, 30], &sights);
    stage::make_topics(app(), stage::reach(kafka)).await;
    raw::append(
        kafka,
        &tier,
        0,
        &[forwarded(&group, "of-another-build/3/99", "kept"), forwarded(&group, &format!("{topic}/0/1"), "mine")],
    );
    let running = stage::run(app(), stage::reach(kafka), stage::quick()).await;
    stage::until_committed(kafka, &group, &tier, 0, 2).await;
    let hopped = stage::records_of(kafka, &format!("{group}.retry.30s"), 1).await;
    stage::stop(running).await;
    assert_eq!(sights.texts(), ["mine"]);
    let record = &hopped[0];
    assert_eq!((record.key.as_deref(), record.body.as_deref()), (Some(&b"key"[..]), Some(&b"kept"[..])));
    assert_eq!(record.text("retrial-origin").as_deref(), Some("of-another-build/3/99"));
    assert_eq!(record.text("retrial-attempts").as_deref(), Some("1"), "no attempt was made");
    assert_eq!(record.text("user").as_deref(), Some("header"));
    assert_eq!(raw::read(kafka, &format!("{group}.dlq")), []);
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
    let next = with(&with(&first, "retrial-attempts", Some("2")), "retrial-step", Some("2"));
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
async fn once(
    body: Option<Bytes>,
    key: Option<Key>,
    headers: Headers,
    time: SourceTime,
    attempt: Attempt,
    State(sights): State<Sights>,
) -> Result<(), Failure> {
    sights.see(&attempt, (body, key, headers, time));
    if attempt.number() == 1 { Err(Failure::retry("the first time")) } else { Ok(()) }
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
