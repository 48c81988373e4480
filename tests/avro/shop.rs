//! A shop whose orders are Avro: the schemas of three years, and its service.

use retrial::{
    App, Avro, AvroSchemas, AvroType, FromRef, Next, Outcome, Record, Running, SchemaRegistry, Service, Settings,
    State, handler,
};
use retrial_kafka_for_tests::{Kafka, TestRecord};
use retrial_registry_for_tests::Registry;
use serde::{Deserialize, de::DeserializeOwned};
use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

pub(crate) const V1: &str = r#"{"type":"record","name":"Order","namespace":"com.shop","fields":[
    {"name":"id","type":"int"},{"name":"customer","type":"string"}]}"#;
pub(crate) const V2: &str = r#"{"type":"record","name":"Order","namespace":"com.shop","fields":[
    {"name":"id","type":"long"},{"name":"buyer","type":"string","aliases":["customer"]},
    {"name":"currency","type":"string","default":"EUR"}]}"#;
pub(crate) const V3: &str = r#"{"type":"record","name":"Order","namespace":"com.shop","fields":[
    {"name":"note","type":["null","string"],"default":null},
    {"name":"id","type":"long"},{"name":"buyer","type":"string"},{"name":"currency","type":"string","default":"EUR"}]}"#;

#[derive(Debug, Deserialize)]
pub(crate) struct OrderV1 {
    pub(crate) id: i64,
    pub(crate) customer: String,
}

impl AvroType for OrderV1 {
    const SCHEMA: &'static str = V1;
}

#[derive(Debug, Deserialize)]
pub(crate) struct OrderV2 {
    pub(crate) id: i64,
    pub(crate) buyer: String,
    pub(crate) currency: String,
}

impl AvroType for OrderV2 {
    const SCHEMA: &'static str = V2;
}

/// Orders as each writer writes them: small numbers and short texts, so that a byte is enough for each.
pub(crate) fn v1(id: u8, customer: &str) -> Vec<u8> {
    [&[id * 2], &text(customer)[..]].concat()
}

pub(crate) fn v2(id: u8, buyer: &str, currency: &str) -> Vec<u8> {
    [&[id * 2], &text(buyer)[..], &text(currency)].concat()
}

pub(crate) fn v3(id: u8, buyer: &str, currency: &str) -> Vec<u8> {
    [&[0], &v2(id, buyer, currency)[..]].concat()
}

fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8 * 2], text.as_bytes()].concat()
}

/// The registry's form: a zero byte and the id.
pub(crate) fn framed(id: u32, value: &[u8]) -> TestRecord {
    TestRecord::new([&[0][..], &id.to_be_bytes(), value].concat()).to_partition(0)
}

/// What a handler did, and how often a topic was held.
#[derive(Clone)]
pub(crate) struct Shop {
    pub(crate) schemas: AvroSchemas,
    pub(crate) seen: Arc<Mutex<Vec<String>>>,
    pub(crate) held: Arc<AtomicUsize>,
}

impl FromRef<Shop> for AvroSchemas {
    fn from_ref(shop: &Shop) -> Self {
        shop.schemas.clone()
    }
}

impl Shop {
    pub(crate) fn new(registry: &Registry) -> Self {
        let client = SchemaRegistry::builder([registry.url()]).timeout(Duration::from_secs(20)).build();
        let schemas = AvroSchemas::registry(client.expect("a client"));
        Self { schemas, seen: Arc::default(), held: Arc::default() }
    }

    pub(crate) fn seen(&self) -> Vec<String> {
        let mut seen = self.seen.lock().expect("no panic").clone();
        seen.sort();
        seen
    }
}

/// Ships what it can read by the schema of today.
pub(crate) async fn ship(Avro(order): Avro<OrderV2>, State(shop): State<Shop>) {
    let OrderV2 { id, buyer, currency } = order;
    shop.seen.lock().expect("no panic").push(format!("{id} {buyer} {currency}"));
}

/// A service of this handler; the layer counts what its extractors came to.
pub(crate) async fn run<T: DeserializeOwned + AvroType + Send + 'static, F, R>(
    kafka: &Kafka,
    group: &str,
    topic: &str,
    shop: &Shop,
    handle: F,
) -> Running
where
    F: Fn(Avro<T>, State<Shop>) -> R + Clone + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    let held = Arc::clone(&shop.held);
    let count = move |record: Record, next: Next| {
        let held = Arc::clone(&held);
        async move {
            let outcome = next.run(record).await;
            if matches!(outcome, Outcome::Hold(_)) {
                held.fetch_add(1, Ordering::Relaxed);
            }
            outcome
        }
    };
    let retry = retrial::Retry::delays([retrial::secs(1); 3]).in_place(0);
    let app = App::group(group).tiers([retrial::secs(1)]).state(shop.clone()).layer(count);
    let app = app.topic(topic, handler(handle).retry(retry)).build().expect("an app");
    let settings = Settings::default().commit_interval(Duration::from_millis(100)).drain(Duration::from_secs(2));
    let service = Service::connect_with(app, retrial::Kafka::bootstrap(kafka.bootstrap()), settings).await;
    service.unwrap_or_else(|error| panic!("{error}")).start().unwrap_or_else(|error| panic!("{error}"))
}

pub(crate) async fn stop(mut running: Running) {
    running.stop();
    tokio::time::timeout(PATIENCE, running.ended()).await.expect("an end").unwrap_or_else(|error| panic!("{error}"));
}

/// What must come comes within this time, also on a busy machine.
const PATIENCE: Duration = Duration::from_secs(180);

pub(crate) async fn until_true(what: &str, is_so: impl Fn() -> bool) {
    let limit = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < limit, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
