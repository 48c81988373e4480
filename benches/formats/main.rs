//! Each format through its extractor beside the bare crate, in turns in one run: `cargo bench --bench formats`.
//!
//! The record is an order of some 300 bytes. `ratio` is the bare decoder's time by the extractor's: the median of the
//! rounds, each of which has both in a row, so that a busy machine slows both. The goal is 0.9.
//!
//! What the bare side of CloudEvents does: it looks its attributes up among the headers, or reads the document into a
//! struct whose data is an order, which is less than the extractor does: that keeps extensions, too, and tells what is missing.

mod avro;
mod orders;

use apache_avro::reader::datum::GenericDatumReader;
use avro::AvroOrder;
use bytes::Bytes;
use futures_util::FutureExt;
use orders::{Envelope, Message as Encoded, Order, message, order};
use prost::Message as _;
use retrial::{
    Avro, AvroSchemas, AvroType, Call, CloudEvent, Destination, Encode, FromRecord, Headers, Json, Protobuf,
    StrictJson, testkit::Message,
};
use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Turns of each side, and decodes of a turn.
const ROUNDS: usize = 41;
const DECODES: u32 = 10_000;

/// What the extractor makes of the record, as a handler is given it.
fn extracted<T: FromRecord<()>>(call: &Call) -> T {
    extracted_with(call, &())
}

fn extracted_with<S, T: FromRecord<S>>(call: &Call, state: &S) -> T {
    let ready = T::from_record(call, state).now_or_never();
    ready.expect("these are ready at once").unwrap_or_else(|rejection| panic!("{rejection}"))
}

fn time<T>(decode: &impl Fn() -> T) -> Duration {
    let began = Instant::now();
    for _ in 0..DECODES {
        black_box(decode());
    }
    began.elapsed()
}

/// Prints a row.
fn compare<A, B>(name: &str, bytes: usize, extractor: impl Fn() -> A, bare: impl Fn() -> B) {
    let mut rounds: Vec<(f64, Duration, Duration)> = (0..ROUNDS)
        .map(|round| {
            // Who is first changes, too.
            let (ours, theirs) = if round % 2 == 0 {
                let ours = time(&extractor);
                (ours, time(&bare))
            } else {
                let theirs = time(&bare);
                (time(&extractor), theirs)
            };
            (theirs.as_secs_f64() / ours.as_secs_f64(), ours, theirs)
        })
        .collect();
    rounds.sort_by(|one, other| one.0.total_cmp(&other.0));
    let (ratio, ours, theirs) = rounds[ROUNDS / 2];
    let each = |time: Duration| time.as_nanos() / u128::from(DECODES);
    println!("{name:<24} {bytes:>5} {:>12} {:>9} {ratio:>6.2}", each(ours), each(theirs));
}

fn json() {
    let body = Bytes::from(serde_json::to_vec(&order()).expect("an order"));
    let call = Message::new(body.clone()).first_attempt("orders");
    let bare = || serde_json::from_slice::<Order>(black_box(&body)).expect("an order");
    compare("Json", body.len(), || extracted::<Json<Order>>(&call), bare);
    compare("StrictJson", body.len(), || extracted::<StrictJson<Order>>(&call), bare);
}

fn protobuf() {
    let body = Bytes::from(message().encode_to_vec());
    let call = Message::new(body.clone()).first_attempt("orders");
    let bare = || Encoded::decode(&*black_box(&body).clone()).expect("an order");
    compare("Protobuf", body.len(), || extracted::<Protobuf<Encoded>>(&call), bare);
    let framed = Bytes::from([&[0, 0, 0, 0, 7, 0], &*body].concat());
    let call = Message::new(framed.clone()).first_attempt("orders");
    compare("Protobuf, Confluent", framed.len(), || extracted::<Protobuf<Encoded>>(&call), bare);
}

fn avro() {
    let schema = avro::schema();
    let body = avro::encoded(&schema);
    let reader = GenericDatumReader::builder(&schema).build().expect("a reader");
    let bare = || avro::bare(&reader, &body);
    let fixed = AvroSchemas::fixed(AvroOrder::SCHEMA).expect("a schema");
    let call = Message::new(body.clone()).first_attempt("orders");
    compare("Avro", body.len(), || extracted_with::<_, Avro<AvroOrder>>(&call, &fixed), bare);
    let named = AvroSchemas::single_object();
    let encoded = Avro(bare()).encode(Destination::body("orders"), &named).now_or_never();
    let encoded = encoded.expect("ready at once").expect("an order").bytes.expect("bytes");
    let call = Message::new(encoded.clone()).first_attempt("orders");
    compare("Avro, single object", encoded.len(), || extracted_with::<_, Avro<AvroOrder>>(&call, &named), bare);
}

const ATTRIBUTES: [(&str, &str); 5] = [
    ("ce_specversion", "1.0"),
    ("ce_id", "5d7a0b6e-5f2c-4d3c-9b1e-3f1f6f0a7c11"),
    ("ce_source", "/shop/checkout"),
    ("ce_type", "com.example.order.placed"),
    ("content-type", "application/json"),
];

fn cloud_events() {
    let body = Bytes::from(serde_json::to_vec(&order()).expect("an order"));
    let message =
        ATTRIBUTES.iter().fold(Message::new(body.clone()), |message, (name, value)| message.header(*name, *value));
    let call = message.first_attempt("orders");
    let bare = || {
        let headers = extracted::<Headers>(&call);
        let found = ["ce_id", "ce_source", "ce_type"].map(|name| headers.text(name).map(str::to_owned));
        (found, serde_json::from_slice::<Order>(black_box(&body)).expect("an order"))
    };
    compare("CloudEvent, binary", body.len(), || extracted::<CloudEvent<Json<Order>>>(&call), bare);

    let [(_, version), (_, id), (_, source), (_, kind), _] = ATTRIBUTES;
    let document =
        serde_json::json!({"specversion": version, "id": id, "source": source, "type": kind, "data": order()});
    let document = Bytes::from(document.to_string());
    let call =
        Message::new(document.clone()).header("content-type", "application/cloudevents+json").first_attempt("orders");
    let bare = || serde_json::from_slice::<Envelope>(black_box(&document)).expect("an event");
    compare("CloudEvent, structured", document.len(), || extracted::<CloudEvent<Json<Order>>>(&call), bare);
}

fn main() {
    println!("{:<24} {:>5} {:>12} {:>9} {:>6}", "format", "bytes", "extractor ns", "bare ns", "ratio");
    json();
    protobuf();
    avro();
    cloud_events();
}
