//! A handler per format: what is good is handled, what cannot be decoded is a dead letter that says why, and a null is a
//! tombstone, each between neighbours whom it does not harm.

use crate::{
    letters::by_origin,
    raw::{self, Raw},
    stage,
};
use prost::Message;
use retrial::{
    App, Body, Bytes, CloudEvent, Decode, HandlerSet, Json, Key, Limited, Protobuf, ProtobufFrame, Rejection, State,
    StrictJson, handler,
};
use retrial_kafka_for_tests::{Kafka, available};
use std::sync::{Arc, Mutex};

#[derive(Clone, PartialEq, prost::Message, serde::Deserialize)]
struct Order {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    note: String,
}

/// A format of one's own: `id:note`.
struct Plain(u64);

impl<S: Sync> Decode<S> for Plain {
    async fn decode(raw: retrial::Raw<'_>, _: &S) -> Result<Self, Rejection> {
        let text = std::str::from_utf8(raw.bytes()).map_err(Rejection::undecodable)?;
        let (id, _) = text.split_once(':').ok_or_else(|| Rejection::undecodable_as("plain", "no colon"))?;
        id.parse().map(Self).map_err(|error| Rejection::undecodable_as("plain", error))
    }
}

/// What handlers were given: ids of orders, or `None` for a tombstone.
type Seen = Arc<Mutex<Vec<Option<u64>>>>;

fn see(seen: &Seen, id: Option<u64>) {
    seen.lock().expect("nobody panics").push(id);
}

async fn json(order: Option<Limited<Json<Order>, 1_000>>, State(seen): State<Seen>) {
    see(&seen, order.map(|order| order.0.0.id));
}

async fn strict(order: Option<StrictJson<Order>>, State(seen): State<Seen>) {
    see(&seen, order.map(|order| order.0.id));
}

async fn protobuf(order: Option<Protobuf<Order>>, State(seen): State<Seen>) {
    see(&seen, order.map(|order| order.0.id));
}

async fn event(event: Option<CloudEvent<Json<Order>>>, State(seen): State<Seen>) {
    see(&seen, event.map(|event| event.data.0.id));
}

async fn plain(order: Option<Body<Plain>>, State(seen): State<Seen>) {
    see(&seen, order.map(|order| order.0.0));
}

async fn keyed(Key(Protobuf(order)): Key<Protobuf<Order>>, _: Option<Bytes>, State(seen): State<Seen>) {
    see(&seen, Some(order.id));
}

/// A bad record, with kind and text of its dead letter.
type Bad = (Raw, &'static str, &'static str);

/// A service of one topic reads good records around each bad one and a tombstone between them.
async fn each_has_its_end(name: &str, app: impl FnOnce(App<Seen>, &str) -> HandlerSet, good: Vec<Raw>, bad: Vec<Bad>) {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group(name);
    let topic = stage::lasting_topic(kafka, name, 1, &[]);
    let tombstone = Raw { body: None, key: good[0].key.clone(), ..Raw::new("") };
    let mut records = good.clone();
    records.extend(bad.iter().flat_map(|(record, ..)| [record.clone(), good[0].clone(), tombstone.clone()]));
    raw::append(kafka, &topic, 0, &records);
    let seen = Seen::default();
    let running =
        stage::run(app(stage::app(&group, &[1]).state(Arc::clone(&seen)), &topic), stage::reach(kafka), stage::quick())
            .await;
    let dead = stage::records_of(kafka, &format!("{group}.dlq"), bad.len()).await;
    stage::until_committed(kafka, &group, &topic, 0, records.len() as i64).await;
    stage::stop(running).await;
    for (index, (record, kind, text)) in bad.iter().enumerate() {
        let letter = by_origin(&dead, &format!("{topic}/0/{}", good.len() + 3 * index))[0];
        assert_eq!(letter.text("retrial-cause").as_deref(), Some("undecodable"));
        assert_eq!(letter.text("retrial-error-kind").as_deref(), Some(*kind));
        let error = letter.text("retrial-error").expect("an error");
        assert!(error.contains(text), "{error}");
        assert_eq!(letter.body, record.body);
    }
    let seen = seen.lock().expect("nobody panics");
    let good_seen = seen.iter().filter(|id| **id == Some(7)).count();
    let keyed = tombstone.key.is_some();
    let tombstones = if keyed { 0 } else { bad.len() };
    assert_eq!(good_seen, good.len() + 2 * bad.len() - tombstones, "{seen:?}");
    assert_eq!(seen.iter().filter(|id| id.is_none()).count(), tombstones, "{seen:?}");
}

fn order() -> Vec<u8> {
    Order { id: 7, note: "x".to_owned() }.encode_to_vec()
}

fn headed(body: &str, headers: &[(&str, &str)]) -> Raw {
    headers.iter().fold(Raw::new(body), |record, (name, value)| record.header(*name, *value))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_no_json_or_too_large_harms_no_other() {
    let good = vec![Raw::new(r#"{"id":7,"note":"","more":1}"#)];
    let bad = vec![
        (
            Raw::new("{\"id\":7,\n\"note\":8}"),
            "json",
            "note: invalid type: integer `8`, expected a string at line 2 column 8",
        ),
        (Raw::new("[".repeat(900)), "json", "recursion limit exceeded"),
        (Raw::new("[".repeat(1_001)), "too large", "the body has 1001 bytes, more than the 1000"),
    ];
    each_has_its_end("json", |app, topic| app.topic(topic, handler(json)).build().expect("an app"), good, bad).await;
    let good = vec![Raw::new(r#"{"id":7,"note":""}"#)];
    let bad = vec![(Raw::new(r#"{"id":7,"note":"","more":1}"#), "json", "more: unknown field")];
    each_has_its_end("strict", |app, topic| app.topic(topic, handler(strict)).build().expect("an app"), good, bad)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_no_protobuf_harms_no_other() {
    let framed = ProtobufFrame { schema_id: 3, indexes: vec![0] }.encode(&Order { id: 7, note: String::new() });
    let good = vec![Raw::new(order()), Raw::new(framed.bytes.expect("bytes").to_vec())];
    let bad = vec![
        (Raw::new(&order()[..3]), "protobuf", "Order.note: "),
        (Raw::new([0, 0, 0]), "protobuf", "ends within the schema id"),
        (Raw::new([0x12, 0xff, 0xff, 0xff, 0xff, 7]), "protobuf", "buffer underflow"),
    ];
    each_has_its_end("protobuf", |app, topic| app.topic(topic, handler(protobuf)).build().expect("an app"), good, bad)
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_is_no_cloud_event_harms_no_other() {
    let attributes = [("ce_specversion", "1.0"), ("ce_id", "1"), ("ce_source", "s"), ("ce_type", "t")];
    let data = r#"{"id":7,"note":""}"#;
    let document = format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t","data":{data}}}"#);
    let structured = [("content-type", "application/cloudevents+json")];
    let good = vec![headed(data, &attributes), headed(&document, &structured)];
    let bad = vec![
        (headed(data, &attributes[1..]), "cloudevents", "no attribute `specversion`"),
        (headed("{", &structured), "cloudevents", "EOF while parsing"),
        (headed("{}", &attributes), "json", "missing field `id`"),
    ];
    each_has_its_end("event", |app, topic| app.topic(topic, handler(event)).build().expect("an app"), good, bad).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_record_that_a_users_own_format_refuses_harms_no_other() {
    let bad = vec![(Raw::new("7"), "plain", "no colon"), (Raw::new("x:"), "plain", "invalid digit")];
    let good = vec![Raw::new("7:")];
    each_has_its_end("plain", |app, topic| app.topic(topic, handler(plain)).build().expect("an app"), good, bad).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_cannot_be_decoded_harms_no_other() {
    let good = vec![Raw::new("body").key(order())];
    let bad = vec![
        (Raw::new("body").key([0x12, 9]), "protobuf", "buffer underflow"),
        (Raw::new("body"), "null", "the key is null"),
    ];
    each_has_its_end("keyed", |app, topic| app.topic(topic, handler(keyed)).build().expect("an app"), good, bad).await;
}
