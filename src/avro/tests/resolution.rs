//! Reader and writer differ.

use super::{Tree, read, schema};
use crate::avro::to_bytes;
use serde::{Deserialize, Serialize};

fn bytes<T: Serialize>(writer: &str, value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    to_bytes(&schema(writer), value, &mut bytes).unwrap_or_else(|error| panic!("{error}"));
    bytes
}

#[derive(Debug, Deserialize, PartialEq, Serialize)]
struct OrderV1 {
    id: i32,
    customer: String,
    legacy: Vec<String>,
}

const V1: &str = r#"{"type": "record", "name": "Order", "namespace": "com.shop", "fields": [
    {"name": "id", "type": "int"},
    {"name": "legacy", "type": {"type": "array", "items": "string"}},
    {"name": "customer", "type": "string"}
]}"#;

const V2: &str = r#"{"type": "record", "name": "Order", "namespace": "com.shop", "fields": [
    {"name": "buyer", "type": "string", "aliases": ["customer"]},
    {"name": "id", "type": "long"},
    {"name": "currency", "type": "string", "default": "EUR"},
    {"name": "note", "type": ["null", "string"], "default": null},
    {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
        {"name": "sku", "type": "string"}, {"name": "quantity", "type": "int", "default": 1}
    ]}}, "default": [{"sku": "none"}]}
]}"#;

#[derive(Debug, Deserialize, PartialEq)]
struct Line {
    sku: String,
    quantity: u32,
}

#[derive(Debug, Deserialize, PartialEq)]
struct OrderV2 {
    id: u64,
    buyer: String,
    currency: String,
    note: Option<String>,
    lines: Vec<Line>,
}

#[test]
fn fields_are_reordered_renamed_widened_dropped_and_defaulted() {
    let old = OrderV1 { id: 7, customer: "Ada".to_owned(), legacy: vec!["x".to_owned()] };
    let read = read::<OrderV2>(V1, V2, &bytes(V1, &old)).unwrap();
    let lines = vec![Line { sku: "none".to_owned(), quantity: 1 }];
    let wanted = OrderV2 { id: 7, buyer: "Ada".to_owned(), currency: "EUR".to_owned(), note: None, lines };
    assert_eq!(read, wanted);
}

#[test]
fn a_field_without_default_that_was_not_written_is_told() {
    let reader = V1.replace("customer", "client");
    let old = OrderV1 { id: 7, customer: "Ada".to_owned(), legacy: Vec::new() };
    let error = read::<Tree>(V1, &reader, &bytes(V1, &old)).unwrap_err();
    assert_eq!(error.to_string(), "field `client` is not in the writer's schema and has no default");
}

#[test]
fn numbers_and_texts_are_promoted_and_never_narrowed() {
    let int = bytes("\"int\"", &-3);
    for reader in ["\"long\"", "\"float\"", "\"double\""] {
        assert_eq!(read::<f64>("\"int\"", reader, &int), Ok(-3.0), "{reader}");
    }
    assert_eq!(read::<f64>("\"float\"", "\"double\"", &bytes("\"float\"", &1.5_f32)), Ok(1.5));
    assert_eq!(read::<String>("\"bytes\"", "\"string\"", &[4, b'o', b'k']), Ok("ok".to_owned()));
    assert_eq!(read::<Vec<u8>>("\"string\"", "\"bytes\"", &[4, b'o', b'k']), Ok(b"ok".to_vec()));
    for (writer, reader) in
        [("\"long\"", "\"int\""), ("\"double\"", "\"float\""), ("\"double\"", "\"long\""), ("\"boolean\"", "\"int\"")]
    {
        let error = read::<Tree>(writer, reader, &[0; 8]).unwrap_err().to_string();
        assert!(error.contains("was written, and"), "{error}");
    }
}

#[test]
fn a_symbol_that_the_reader_has_not_is_its_default_or_told() {
    let writer = r#"{"type": "enum", "name": "State", "symbols": ["NEW", "SENT", "LOST"]}"#;
    let with_default =
        r#"{"type": "enum", "name": "State", "symbols": ["UNKNOWN", "SENT", "NEW"], "default": "UNKNOWN"}"#;
    let without = r#"{"type": "enum", "name": "State", "symbols": ["SENT", "NEW"]}"#;
    #[derive(Debug, Deserialize, PartialEq)]
    #[serde(rename_all = "UPPERCASE")]
    enum State {
        New,
        Sent,
        Unknown,
    }
    assert_eq!(read(writer, with_default, &[0]), Ok(State::New));
    assert_eq!(read(writer, with_default, &[2]), Ok(State::Sent));
    assert_eq!(read(writer, with_default, &[4]), Ok(State::Unknown));
    assert_eq!(read(writer, without, &[2]), Ok(State::Sent));
    assert!(read::<State>(writer, without, &[4]).unwrap_err().to_string().contains("a symbol"));
}

#[test]
fn unions_grow_shrink_come_and_go() {
    let (long, option) = ("\"long\"", r#"["null", "long"]"#);
    assert_eq!(read(long, option, &[6]), Ok(Some(3_i64)));
    assert_eq!(read(option, long, &[2, 6]), Ok(3_i64));
    assert!(read::<i64>(option, long, &[0]).unwrap_err().to_string().contains("null was written"));
    let more = r#"["string", "long", "null"]"#;
    assert_eq!(read(option, more, &[0]), Ok(None::<i64>));
    assert_eq!(read(option, more, &[2, 6]), Ok(Some(3_i64)));
    assert_eq!(read(r#"["null", "int"]"#, r#"["null", "double"]"#, &[2, 6]), Ok(Some(3.0_f64)));
    assert!(read::<Tree>(more, option, &[0, 2, b'a']).unwrap_err().to_string().contains("no branch"));
}

#[derive(Debug, Deserialize, PartialEq)]
struct Card {
    number: String,
}

#[derive(Debug, Deserialize, PartialEq)]
enum Payment {
    Card(Card),
    Transfer {
        iban: String,
    },
    #[serde(rename = "long")]
    Cents(i64),
}

const PAYMENT: &str = r#"["null",
    {"type": "record", "name": "com.pay.Card", "fields": [{"name": "number", "type": "string"}]},
    {"type": "record", "name": "com.pay.Transfer", "fields": [{"name": "iban", "type": "string"}]},
    "long"
]"#;

#[test]
fn branches_of_a_union_are_variants_by_name() {
    let card = Payment::Card(Card { number: "1".to_owned() });
    assert_eq!(read(PAYMENT, PAYMENT, &[2, 2, b'1']), Ok(Some(card)));
    assert_eq!(read(PAYMENT, PAYMENT, &[4, 2, b'D']), Ok(Some(Payment::Transfer { iban: "D".to_owned() })));
    assert_eq!(read(PAYMENT, PAYMENT, &[6, 10]), Ok(Some(Payment::Cents(5))));
    assert_eq!(read(PAYMENT, PAYMENT, &[0]), Ok(None::<Payment>));
}

#[test]
fn a_type_that_was_renamed_is_found_by_its_alias() {
    let renamed = PAYMENT.replace(r#""name": "com.pay.Card""#, r#""name": "com.pay.Plastic", "aliases": ["Card"]"#);
    #[derive(Debug, Deserialize, PartialEq)]
    enum Renamed {
        Plastic(Card),
    }
    let plastic = Renamed::Plastic(Card { number: "1".to_owned() });
    assert_eq!(read(PAYMENT, &renamed, &[2, 2, b'1']), Ok(Some(plastic)));
}

#[test]
fn a_type_that_holds_itself_is_read_and_passed_over() {
    let list = r#"{"type": "record", "name": "List", "fields": [
        {"name": "head", "type": "int"}, {"name": "tail", "type": ["null", "List"]}
    ]}"#;
    #[derive(Debug, Deserialize, PartialEq)]
    struct List {
        head: i64,
        tail: Option<Box<List>>,
    }
    let two = List { head: 1, tail: Some(Box::new(List { head: 2, tail: None })) };
    assert_eq!(read(list, &list.replace("int", "long"), &[2, 2, 4, 0]), Ok(two));
    let without = r#"{"type": "record", "name": "List", "fields": []}"#;
    assert_eq!(read::<Tree>(list, without, &[2, 2, 4, 0]), Ok(Tree::Named(Default::default())));
}

#[test]
fn logical_types_are_what_they_mean() {
    let record = r#"{"type": "record", "name": "R", "fields": [
        {"name": "price", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}},
        {"name": "rate", "type": {"type": "fixed", "name": "F", "size": 4, "logicalType": "decimal", "precision": 9, "scale": 4}},
        {"name": "id", "type": {"type": "string", "logicalType": "uuid"}},
        {"name": "key", "type": {"type": "fixed", "name": "U", "size": 16, "logicalType": "uuid"}},
        {"name": "day", "type": {"type": "int", "logicalType": "date"}},
        {"name": "millis", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "micros", "type": {"type": "long", "logicalType": "timestamp-micros"}}
    ]}"#;
    #[derive(Debug, Deserialize, PartialEq)]
    struct Row {
        price: String,
        rate: String,
        id: String,
        key: apache_avro::Uuid,
        day: i32,
        millis: i64,
        micros: i64,
    }
    let text = "89791762-2336-4186-9674-299b90a802e2";
    let mut bytes = vec![4, 0xff, 0x85, 0, 0, 0x30, 0x39, 72];
    bytes.extend(text.as_bytes());
    bytes.extend(0x89791762_2336_4186_9674_299b90a802e2_u128.to_be_bytes());
    bytes.extend([2, 4, 6]);
    let row = read::<Row>(record, record, &bytes).unwrap();
    assert_eq!((&*row.price, &*row.rate, &*row.id, &*row.key.to_string()), ("-1.23", "1.2345", text, text));
    assert_eq!((row.day, row.millis, row.micros), (1, 2, 3));
}

#[test]
fn another_unit_or_scale_is_refused_and_the_plain_number_is_not() {
    let unit = |unit: &str| format!(r#"{{"type": "long", "logicalType": "timestamp-{unit}"}}"#);
    assert!(read::<i64>(&unit("millis"), &unit("micros"), &[2]).is_err());
    assert_eq!(read::<i64>(&unit("millis"), "\"long\"", &[2]), Ok(1));
    assert_eq!(read::<i64>("\"long\"", &unit("micros"), &[2]), Ok(1));
    let scale =
        |scale: u8| format!(r#"{{"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": {scale}}}"#);
    assert!(read::<String>(&scale(2), &scale(3), &[2, 1]).is_err());
    assert_eq!(read::<String>("\"bytes\"", &scale(3), &[2, 1]), Ok("0.001".to_owned()));
}

#[test]
fn the_fingerprint_is_that_of_the_specification() {
    use apache_avro::rabin::Rabin;
    for text in [V1, V2, PAYMENT, "\"int\""] {
        let judge = apache_avro::Schema::parse_str(text).unwrap().fingerprint::<Rabin>();
        assert_eq!(schema(text).fingerprint()[..], judge.bytes[..], "{text}");
    }
}

#[test]
fn types_of_other_schemas_are_found() {
    let line = r#"{"type": "record", "name": "com.shop.Line", "fields": [{"name": "sku", "type": "string"}]}"#;
    let order =
        r#"{"type": "record", "name": "Order", "namespace": "com.shop", "fields": [{"name": "line", "type": "Line"}]}"#;
    let order = crate::avro::Schema::parse(order, &[line]).unwrap();
    let plan = crate::avro::Plan::new(&order, &order);
    let tree: Tree = crate::avro::from_bytes(&plan, &[2, b'a']).unwrap();
    assert!(format!("{tree:?}").contains(r#""sku": Text("a")"#), "{tree:?}");
}
