//! Odd records, through attempts, a tier and the dead letters: byte for byte.

use crate::{
    raw::{self, Raw},
    stage::{self, PATIENCE, Sight, Sights},
};
use retrial::{Attempt, Bytes, Failure, Headers, Json, Key, Retry, SourceTime, StartAt, State, handler, secs};
use retrial_kafka_for_tests::{Kafka, available};

const HOUR: i64 = 3_600_000;
const LIMIT: usize = 1_048_588;

/// Fails the first time, and for good the second: so each record is seen twice, and goes through a tier and the dead
/// letters.
async fn twice(
    body: Option<Bytes>,
    key: Option<Key>,
    headers: Headers,
    time: SourceTime,
    attempt: Attempt,
    State(sights): State<Sights>,
) -> Result<(), Failure> {
    sights.see(&attempt, (body, key, headers, time));
    if attempt.number() == 1 { Err(Failure::retry("the first time")) } else { Err(Failure::dead("the second time")) }
}

fn named_like_ours(group: &str) -> Raw {
    Raw::new("named like ours")
        .header("retrial-version", "7")
        .header("retrial-group", group)
        .header("retrial-attempts", "4294967295")
        .header("retrial-due", "tomorrow")
        .header("x", "between")
        .header("retrial-version", "1")
        .header("retrial-origin", "elsewhere/0/0")
        .header("retrial-reference", "elsewhere/0/0")
        .header("__dlq.errors.topic", "elsewhere")
        .header("y", "behind")
}

/// A record that is exactly as large as a topic takes by default, in its batch.
fn at_the_limit() -> Raw {
    let empty = Raw::new("").key("at the limit").header("h", "v");
    let frame = Raw { body: Some(vec![0; 900_000]), ..empty.clone() }.batch_bytes() - 900_000;
    let full = Raw { body: Some((0..LIMIT - frame).map(|byte| byte as u8).collect()), ..empty };
    assert_eq!(full.batch_bytes(), LIMIT);
    full
}

/// Every odd record, with its name for messages.
fn odd(group: &str) -> Vec<(&'static str, Raw)> {
    let plain = |body: &str| Raw::new(body).key("key");
    let many = (0..1000).fold(plain("many"), |record, n| record.header(format!("h{}", n % 700), format!("value {n}")));
    vec![
        ("header names that are no text", plain("a").header([0xff, 0xfe, 0], [0, 159]).header([0xc3, 0x28], "v")),
        ("header names with zero bytes and new lines", plain("b").header("a\0b", "c\0d").header("\r\n: x", "\r\n\r\n")),
        ("header values null", plain("c").null_header("null").header("empty", "").null_header("null")),
        ("empty header names", plain("d").header("", "x").null_header("").header("", "")),
        ("repeated headers", plain("e").header("a", "1").header("b", "2").header("a", "3").header("a", "1")),
        ("a thousand headers", many),
        ("a header of 200 KiB", plain("f").header("large", vec![0xa5; 200 << 10])),
        ("headers named like ours", named_like_ours(group)),
        ("a null key", Raw::new("g")),
        ("an empty key", Raw::new("h").key("")),
        ("a key that is no text", Raw::new("i").key([0xff, 0, 0xfe])),
        ("a null body", Raw { body: None, ..plain("") }),
        ("an empty body", plain("")),
        ("nothing at all", Raw { time: raw::now(), ..Raw::default() }),
        ("900 KiB", Raw::new((0..900 << 10).map(|byte: i32| byte as u8).collect::<Vec<_>>()).key("large")),
        ("as large as the topic takes", at_the_limit()),
        ("no time", plain("j").at(-1)),
        ("a time of zero", plain("k").at(0)),
        ("a time in 1970", plain("l").at(1)),
        ("a time one hour ahead", plain("m").at(raw::now() + HOUR)),
        ("a time in the year 10000", plain("n").at(253_402_300_800_000)),
        ("the last time there is", plain("o").at(i64::MAX)),
    ]
}

/// The user's headers of a forward, and ours: the last block that `retrial-version` opens.
fn split(record: &Raw) -> (raw::Headers, Vec<(String, String)>) {
    let opens = record.headers.iter().rposition(|(name, _)| name == b"retrial-version").expect("our block");
    let (users, ours) = record.headers.split_at(opens);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("our headers are text");
    (users.to_vec(), ours.iter().map(|(name, value)| (text(name), text(value.as_deref().expect("no null")))).collect())
}

/// That a forward carries its record, byte for byte, and ours behind it.
fn assert_carried(place: &str, name: &str, origin: &str, sent: &Raw, found: &Raw) {
    let (users, ours) = split(found);
    assert_eq!(users, sent.headers, "{name}: headers in {place}");
    assert!(found.key == sent.key, "{name}: key in {place}");
    assert!(found.body == sent.body, "{name}: body in {place}");
    assert_eq!(ours[2], ("retrial-origin".into(), origin.to_owned()), "{name}: in {place}");
    let own = ours.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    assert!(own <= 2048, "{name}: {own} bytes of our headers in {place}");
    assert!(ours.iter().all(|(name, _)| name.starts_with("retrial-") || name.starts_with("__dlq.errors.")));
}

/// Where each record of a topic was forwarded from.
fn by_origin<'r>(records: &'r [Raw], origin: &str) -> Vec<&'r Raw> {
    records.iter().filter(|record| record.text("retrial-origin").as_deref() == Some(origin)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_odd_record_passes_through_a_tier_and_the_dead_letters_byte_for_byte() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("odd");
    let topic = stage::lasting_topic(kafka, "odd", 1, &[]);
    let records = odd(&group);
    for (offset, (name, record)) in records.iter().enumerate() {
        let place = raw::append(kafka, &topic, 0, std::slice::from_ref(record));
        assert_eq!(place, offset as i64, "{name}");
    }
    let sights = Sights::default();
    let handling = handler(twice).retry(Retry::delays([secs(1)]).in_place(0));
    let app = stage::app(&group, &[1]).state(sights.clone()).topic(&topic, handling).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick().start_at(StartAt::Earliest)).await;
    let tier = stage::records_of(kafka, &format!("{group}.retry.1s"), records.len()).await;
    let dead = stage::records_of(kafka, &format!("{group}.dlq"), records.len()).await;
    stage::until_committed(kafka, &group, &topic, 0, records.len() as i64).await;
    stage::stop(running).await;
    let seen = sights.all();
    assert_eq!(seen.len(), 2 * records.len());
    for (offset, (name, sent)) in records.iter().enumerate() {
        let origin = format!("{topic}/0/{offset}");
        for (place, found) in [("the tier", &tier), ("the dead letters", &dead)] {
            let found = by_origin(found, &origin);
            assert_eq!(found.len(), 1, "{name}: {place}");
            assert_carried(place, name, &origin, sent, found[0]);
        }
        let letter = by_origin(&dead, &origin)[0];
        for (header, value) in [("retrial-cause", "refused"), ("retrial-attempts", "2"), ("__dlq.errors.topic", &topic)]
        {
            assert_eq!(letter.text(header).as_deref(), Some(value), "{name}: {header}");
        }
        assert_seen(name, sent, &seen, offset as i64);
    }
}

/// That both attempts saw the record as it was sent.
fn assert_seen(name: &str, sent: &Raw, seen: &[Sight], offset: i64) {
    let of_it: Vec<&Sight> = seen.iter().filter(|sight| sight.origin.offset == offset).collect();
    assert_eq!(of_it.iter().map(|sight| sight.attempt).collect::<Vec<_>>(), [1, 2], "{name}");
    for sight in of_it {
        assert!(sight.key == sent.key && sight.body == sent.body, "{name}: attempt {}", sight.attempt);
        assert_eq!(sight.headers, sent.headers, "{name}: attempt {}", sight.attempt);
        let time = sight.time.timestamp().map(|time| time.as_millis());
        assert_eq!(time, Some(sent.time).filter(|&time| time != -1), "{name}: attempt {}", sight.attempt);
    }
}

#[derive(serde::Deserialize)]
struct Order {
    #[expect(dead_code, reason = "only read by the decoder")]
    id: u64,
}

async fn ship(Json(_): Json<Order>) {}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_that_is_no_json_is_a_dead_letter_that_names_the_line_and_column() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("json");
    let topic = stage::lasting_topic(kafka, "json", 1, &[]);
    let bodies: [(&[u8], &str); 5] = [
        (b"{\"id\": 1}", ""),
        (b"{\n  \"id\": nine\n}", "line 2 column 10"),
        (b"{\"id\": \"9\"}", "line 1 column 10"),
        (b"", "line 1 column 0"),
        (b"{\"id\": 1\xff", "line 1 column 9"),
    ];
    let records: Vec<Raw> = bodies.iter().map(|(body, _)| Raw::new(*body)).collect();
    raw::append(kafka, &topic, 0, &records);
    raw::append(kafka, &topic, 0, &[Raw { body: None, ..Raw::new("") }]);
    let app = stage::app(&group, &[1]).topic(&topic, handler(ship)).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    let dead = stage::records_of(kafka, &format!("{group}.dlq"), 5).await;
    stage::until_committed(kafka, &group, &topic, 0, 6).await;
    stage::stop(running).await;
    for (offset, (_, place)) in bodies.iter().enumerate().skip(1) {
        let letter = by_origin(&dead, &format!("{topic}/0/{offset}"))[0];
        assert_eq!(letter.text("retrial-cause").as_deref(), Some("undecodable"));
        assert_eq!(letter.text("retrial-error-kind").as_deref(), Some("json"));
        let error = letter.text("retrial-error").expect("an error");
        assert!(error.contains(place), "{error}");
    }
    let null = by_origin(&dead, &format!("{topic}/0/5"))[0];
    assert_eq!(null.body, None);
    assert!(null.text("retrial-error").is_some_and(|error| error.contains("Option<Json<T>>")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_source_topic_with_the_brokers_time_keeps_it_through_a_retry() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("append");
    let topic = stage::lasting_topic(kafka, "append", 1, &[("message.timestamp.type", "LogAppendTime")]);
    raw::append(kafka, &topic, 0, &[Raw::new("old").at(1), Raw::new("new").at(raw::now() + HOUR)]);
    let appended = raw::read(kafka, &topic)[0].time;
    assert!((raw::now() - appended).abs() < PATIENCE.as_millis() as i64);
    let sights = Sights::default();
    let handling = handler(twice).retry(Retry::delays([secs(1)]).in_place(0));
    let app = stage::app(&group, &[1]).state(sights.clone()).topic(&topic, handling).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    let dead = stage::records_of(kafka, &format!("{group}.dlq"), 2).await;
    stage::stop(running).await;
    let time = SourceTime::Append(retrial::Timestamp::from_millis(appended));
    assert_eq!(sights.all().iter().map(|sight| sight.time).collect::<Vec<_>>(), [time; 4]);
    for letter in dead {
        assert_eq!(letter.text("retrial-timestamp"), Some(time.to_string()));
    }
}

/// An operator's own tier and dead letters that take less than the source does.
async fn with_small_topics(name: &str, tier: usize, dead: usize, records: &[Raw]) -> (Vec<Raw>, String, Sights) {
    let kafka = Kafka::shared().expect("the caller has it");
    let group = kafka.unique_group(name);
    let topic = stage::lasting_topic(kafka, name, 1, &[("max.message.bytes", "2000000")]);
    let append_time = ("message.timestamp.type", "LogAppendTime");
    for (own, limit) in [("retry.1s", tier), ("dlq", dead)] {
        let limit = limit.to_string();
        kafka.create_topic(&format!("{group}.{own}"), 1, &[append_time, ("max.message.bytes", &limit)]);
    }
    for record in records {
        raw::append(kafka, &topic, 0, std::slice::from_ref(record));
    }
    let sights = Sights::default();
    let handling = handler(twice).retry(Retry::delays([secs(1)]).in_place(0));
    let app = stage::app(&group, &[1]).state(sights.clone()).topic(&topic, handling).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    let letters = stage::records_of(kafka, &format!("{group}.dlq"), records.len()).await;
    stage::until_committed(kafka, &group, &topic, 0, records.len() as i64).await;
    stage::stop(running).await;
    (letters, topic, sights)
}

/// The text of a dead letter by reference, and what it shows of the body.
fn reference(letter: &Raw) -> (String, Vec<u8>) {
    let body = letter.body.clone().expect("a reference has a body");
    let end = body.windows(2).position(|pair| pair == b"\n\n").expect("an empty line") + 2;
    (String::from_utf8(body[..end].to_vec()).expect("text"), body[end..].to_vec())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_too_large_for_its_tier_is_a_dead_letter_by_reference_and_its_neighbours_go_on() {
    available!(Kafka::shared());
    let large = Raw::new(vec![b'x'; 150_000]).key("large").header("h", "v");
    let large_key = Raw::new("b").key(vec![b'k'; 150_000]).header("h", "v");
    let large_headers = Raw::new("c").key("headers").header("h", vec![b'h'; 150_000]);
    let records = [Raw::new("small").key("small"), large, large_key, large_headers];
    let (letters, topic, sights) = with_small_topics("reference", 100_000, 100_000, &records).await;
    assert_eq!(sights.offsets(0).len(), 5, "the small one is seen twice");
    for (offset, (key, users)) in
        [(1, (Some(b"large".to_vec()), 1)), (2, (None, 1)), (3, (Some(b"headers".to_vec()), 0))]
    {
        let origin = format!("{topic}/0/{offset}");
        let letter = by_origin(&letters, &origin)[0];
        assert_eq!(letter.text("retrial-reference"), Some(origin.clone()));
        assert_eq!(letter.text("retrial-error-kind").as_deref(), Some("too-large"));
        assert!(letter.text("retrial-error").is_some_and(|error| !error.is_empty()), "{:?}", stage::shown(letter));
        assert_eq!((&letter.key, split(letter).0.len()), (&key, users), "{offset}");
        let (text, head) = reference(letter);
        assert!(text.contains(&format!("record: {origin}\n")) && text.contains("kept-until: unlimited\n"), "{text}");
        let body = records[offset].body.as_deref().expect("a body");
        assert_eq!(head, body[..body.len().min(1024)]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_by_reference_names_the_source_topic_not_the_tier_that_is_trimmed() {
    available!(Kafka::shared());
    let records = [Raw::new(vec![b'x'; 150_000]).key("large")];
    let (letters, topic, sights) = with_small_topics("trimmed", 2_000_000, 100_000, &records).await;
    assert_eq!(sights.offsets(0), [0, 0], "it has been through the tier");
    let origin = format!("{topic}/0/0");
    assert_eq!(letters[0].text("retrial-reference"), Some(origin.clone()));
    assert_eq!(letters[0].text("retrial-error").as_deref(), Some("the second time"));
    assert_eq!(letters[0].text("retrial-cause").as_deref(), Some("refused"));
    let (text, _) = reference(&letters[0]);
    assert!(text.contains(&format!("record: {origin}\n")) && text.contains("kept-until: unlimited\n"), "{text}");
}
