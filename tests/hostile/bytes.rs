//! Bodies that cannot be decoded, times of the broker, and references. What passes byte for byte is in the table.

use crate::{
    letters::{by_origin, reference},
    raw::{self, Raw},
    sights::{Sights, twice},
    stage::{self, PATIENCE},
};
use retrial::{Json, Retry, SourceTime, handler, secs};
use retrial_kafka_for_tests::{Kafka, available};

const HOUR: i64 = 3_600_000;

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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_by_reference_names_the_source_topic_not_the_tier_that_is_trimmed() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("trimmed");
    let topic = stage::lasting_topic(kafka, "trimmed", 1, &[("max.message.bytes", "2000000")]);
    stage::own_topic(kafka, &group, "retry.1s", 2_000_000);
    stage::own_topic(kafka, &group, "dlq", 100_000);
    raw::append(kafka, &topic, 0, &[Raw::new(vec![b'x'; 150_000]).key("large")]);
    let sights = Sights::default();
    let handling = handler(twice).retry(Retry::delays([secs(1)]).in_place(0));
    let app = stage::app(&group, &[1]).state(sights.clone()).topic(&topic, handling).build().expect("an app");
    let running = stage::run(app, stage::reach(kafka), stage::quick()).await;
    let letters = stage::records_of(kafka, &format!("{group}.dlq"), 1).await;
    stage::until_committed(kafka, &group, &topic, 0, 1).await;
    stage::stop(running).await;
    assert_eq!(sights.offsets(0), [0, 0], "it has been through the tier");
    let origin = format!("{topic}/0/0");
    assert_eq!(letters[0].text("retrial-reference"), Some(origin.clone()));
    assert_eq!(letters[0].text("retrial-error").as_deref(), Some("the second time"));
    assert_eq!(letters[0].text("retrial-cause").as_deref(), Some("refused"));
    let (text, _) = reference(&letters[0]);
    assert!(text.contains(&format!("record: {origin}\n")) && text.contains("kept-until: unlimited\n"), "{text}");
}
