//! A typical order, for serde and for prost.

use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
pub(crate) struct Order {
    id: u64,
    customer: Customer,
    lines: Vec<Line>,
    currency: String,
    cents: u64,
    paid: bool,
    placed_at: String,
}

#[derive(Deserialize, Serialize)]
struct Customer {
    id: u64,
    name: String,
    email: String,
}

#[derive(Deserialize, Serialize)]
struct Line {
    sku: String,
    quantity: u32,
    cents: u64,
}

pub(crate) fn order() -> Order {
    let line = |sku: &str, quantity, cents| Line { sku: sku.to_owned(), quantity, cents };
    Order {
        id: 184_467,
        customer: Customer { id: 42, name: "Ada Lovelace".to_owned(), email: "ada@example.com".to_owned() },
        lines: vec![line("KB-1047-DE", 1, 7_990), line("MX-3300", 2, 2_495), line("CABLE-USBC-2M", 3, 899)],
        currency: "EUR".to_owned(),
        cents: 15_677,
        paid: true,
        placed_at: "2026-11-22T10:21:04.117Z".to_owned(),
    }
}

/// The document of a CloudEvent, by hand.
#[derive(Deserialize)]
#[expect(dead_code, reason = "read by the decoder alone")]
pub(crate) struct Envelope {
    specversion: String,
    id: String,
    source: String,
    #[serde(rename = "type")]
    kind: String,
    data: Order,
}

#[derive(Clone, PartialEq, prost::Message)]
pub(crate) struct Message {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, optional, tag = "2")]
    customer: Option<Buyer>,
    #[prost(message, repeated, tag = "3")]
    lines: Vec<Item>,
    #[prost(string, tag = "4")]
    currency: String,
    #[prost(uint64, tag = "5")]
    cents: u64,
    #[prost(bool, tag = "6")]
    paid: bool,
    #[prost(string, tag = "7")]
    placed_at: String,
    #[prost(string, tag = "8")]
    note: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Buyer {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, tag = "3")]
    email: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Item {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(uint32, tag = "2")]
    quantity: u32,
    #[prost(uint64, tag = "3")]
    cents: u64,
}

/// The same order, with a note: without names of fields it would have half of the size.
pub(crate) fn message() -> Message {
    let Order { id, customer, lines, currency, cents, paid, placed_at } = order();
    let customer = Some(Buyer { id: customer.id, name: customer.name, email: customer.email });
    let lines = lines.into_iter().map(|line| Item { sku: line.sku, quantity: line.quantity, cents: line.cents });
    let note = "Please ring twice and leave the parcel with the neighbours on the second floor if nobody opens; \
                the bell at the front door is broken, the one at the back works."
        .to_owned();
    Message { id, customer, lines: lines.collect(), currency, cents, paid, placed_at, note }
}
