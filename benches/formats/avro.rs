//! A typical order as Avro, and how both sides read it.

use apache_avro::{Schema, reader::datum::GenericDatumReader, writer::datum::GenericDatumWriter};
use bytes::Bytes;
use retrial::AvroType;
use serde::{Deserialize, Serialize};
use std::hint::black_box;

#[derive(Deserialize, Serialize)]
#[serde(rename = "Order")]
pub(crate) struct AvroOrder {
    id: i64,
    customer: Customer,
    lines: Vec<Line>,
    currency: String,
    cents: i64,
    paid: bool,
    placed_at: i64,
    note: Option<String>,
}

#[derive(Deserialize, Serialize)]
struct Customer {
    id: i64,
    name: String,
    email: String,
}

#[derive(Deserialize, Serialize)]
struct Line {
    sku: String,
    quantity: i32,
    cents: i64,
}

impl AvroType for AvroOrder {
    const SCHEMA: &'static str = r#"{"type": "record", "name": "Order", "namespace": "com.shop", "fields": [
        {"name": "id", "type": "long"},
        {"name": "customer", "type": {"type": "record", "name": "Customer", "fields": [
            {"name": "id", "type": "long"}, {"name": "name", "type": "string"}, {"name": "email", "type": "string"}]}},
        {"name": "lines", "type": {"type": "array", "items": {"type": "record", "name": "Line", "fields": [
            {"name": "sku", "type": "string"}, {"name": "quantity", "type": "int"}, {"name": "cents", "type": "long"}]}}},
        {"name": "currency", "type": "string"},
        {"name": "cents", "type": "long"},
        {"name": "paid", "type": "boolean"},
        {"name": "placed_at", "type": {"type": "long", "logicalType": "timestamp-millis"}},
        {"name": "note", "type": ["null", "string"], "default": null}
    ]}"#;
}

pub(crate) fn schema() -> Schema {
    Schema::parse_str(AvroOrder::SCHEMA).expect("a schema")
}

/// With a note: without names of fields it would have half of the size.
pub(crate) fn encoded(schema: &Schema) -> Bytes {
    let line = |sku: &str, quantity, cents| Line { sku: sku.to_owned(), quantity, cents };
    let note = "Please ring twice and leave the parcel with the neighbours on the second floor if nobody opens; \
                the bell at the front door is broken, the one at the back works.";
    let order = AvroOrder {
        id: 184_467,
        customer: Customer { id: 42, name: "Ada Lovelace".to_owned(), email: "ada@example.com".to_owned() },
        lines: vec![line("KB-1047-DE", 1, 7_990), line("MX-3300", 2, 2_495), line("CABLE-USBC-2M", 3, 899)],
        currency: "EUR".to_owned(),
        cents: 15_677,
        paid: true,
        placed_at: 1_795_342_864_117,
        note: Some(note.to_owned()),
    };
    let writer = GenericDatumWriter::builder(schema).build().expect("a writer");
    writer.write_ser_to_vec(&order).expect("an order").into()
}

/// apache-avro's own, with its reader made once.
pub(crate) fn bare(reader: &GenericDatumReader<'_>, bytes: &[u8]) -> AvroOrder {
    reader.read_deser(&mut black_box(bytes)).expect("an order")
}
