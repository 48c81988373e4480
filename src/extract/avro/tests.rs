use super::*;
use crate::{extract::Key, testkit::Message};
use futures_util::FutureExt;
use serde::Deserialize;
use std::fmt::Debug;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Order {
    id: i64,
    note: Option<String>,
}

impl AvroType for Order {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Order", "namespace": "com.shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "note", "type": ["null", "string"], "default": null}
    ]}"#;
}

const OLD: &str =
    r#"{"type": "record", "name": "Order", "namespace": "com.shop", "fields": [{"name": "id", "type": "int"}]}"#;

fn from<T: crate::FromRecord<AvroSchemas> + Debug>(message: Message, schemas: &AvroSchemas) -> Result<T, String> {
    let call = message.first_attempt("orders");
    let read = T::from_record(&call, schemas).now_or_never().expect("no registry is asked");
    read.map_err(|rejection| rejection.to_string())
}

fn encoded(schemas: &AvroSchemas, order: &Order) -> Vec<u8> {
    let to = Destination::body("orders");
    let encoded = Avro(order.clone()).encode(to, schemas).now_or_never().expect("no registry is asked");
    encoded.unwrap_or_else(|error| panic!("{error}")).bytes.expect("bytes").to_vec()
}

#[test]
fn single_objects_are_written_and_read_by_their_fingerprint() {
    let schemas = AvroSchemas::single_object();
    let order = Order { id: 7, note: Some("ring".to_owned()) };
    let bytes = encoded(&schemas, &order);
    assert_eq!((&bytes[..2], &bytes[10..]), (&[0xc3, 1][..], &[14, 2, 8, b'r', b'i', b'n', b'g'][..]));
    assert_eq!(from(Message::new(bytes.clone()), &schemas), Ok(Avro(order.clone())));
    assert_eq!(from(Message::tombstone().key(bytes), &schemas).map(|key: Key<Avro<Order>>| key.0.0), Ok(order));
}

#[test]
fn an_older_schema_is_known_by_its_fingerprint_if_it_was_given() {
    let print = Schema::parse(OLD, &[] as &[&str]).unwrap().fingerprint();
    let message = || Message::new([&[0xc3, 1][..], &print, &[14]].concat());
    let known = AvroSchemas::single_object_with([OLD]).unwrap();
    assert_eq!(from(message(), &known), Ok(Avro(Order { id: 7, note: None })));
    let refused = from::<Avro<Order>>(message(), &AvroSchemas::single_object()).unwrap_err();
    assert!(refused.starts_with("avro: nobody knows the schema with fingerprint "), "{refused}");
    for bad in [&b""[..], b"{}", &[0xc3, 1, 0]] {
        assert!(from::<Avro<Order>>(Message::new(bad.to_vec()), &known).unwrap_err().contains("no single-object"));
    }
}

#[test]
fn a_fixed_writer_has_no_frame() {
    let schemas = AvroSchemas::fixed(OLD).unwrap();
    assert_eq!(from(Message::new(vec![14]), &schemas), Ok(Avro(Order { id: 7, note: None })));
    assert_eq!(from::<Option<Avro<Order>>>(Message::tombstone(), &schemas), Ok(None));
    let refused = from::<Avro<Order>>(Message::new(vec![14, 0]), &schemas);
    assert_eq!(refused.unwrap_err(), "avro: 1 bytes behind the value");
    let mine = AvroSchemas::fixed(Order::SCHEMA).unwrap();
    assert_eq!(encoded(&mine, &Order { id: 7, note: None }), [14, 0]);
    let other = Avro(Order { id: 7, note: None }).encode(Destination::body("o"), &schemas).now_or_never();
    assert!(matches!(other, Some(Err(EncodeError::Value { .. }))));
    assert!(AvroSchemas::fixed("{").is_err());
}

#[derive(Debug, Deserialize)]
struct Broken;

impl AvroType for Broken {
    const SCHEMA: &'static str = "{";
}

#[test]
fn a_mistake_of_the_program_buries_nothing() {
    let call = Message::new(vec![14]).first_attempt("orders");
    let schemas = AvroSchemas::fixed(OLD).unwrap();
    let refused = <Avro<Broken> as crate::FromRecord<_>>::from_record(&call, &schemas).now_or_never().expect("ready");
    assert!(matches!(refused.unwrap_err().outcome(), crate::Outcome::Hold(_)));
}
