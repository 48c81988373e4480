//! Odd records of a source topic: all of them are records like any other.

use super::{LIMIT, OWN, filled, record, soup};
use crate::{
    raw::{self, Raw},
    table::row::{Outcome, Place, Row},
};

const HOUR: i64 = 3_600_000;

pub(super) fn rows(group: &str) -> Vec<Row> {
    let parts = [headers(), named_like_ours(group), keys_and_bodies(), times()];
    parts.into_iter().flatten().map(|(name, odd)| record(Place::Source, name, odd, Outcome::Carried)).collect()
}

type Odd = (&'static str, Raw);

fn plain(body: &str) -> Raw {
    Raw::new(body).key("key")
}

fn headers() -> Vec<Odd> {
    let thousand =
        (0..1000).fold(plain("many"), |record, n| record.header(format!("h{}", n % 700), format!("value {n}")));
    vec![
        ("header names that are no text", plain("a").header([0xff, 0xfe, 0], [0, 159]).header([0xc3, 0x28], "v")),
        ("header names with zero bytes and new lines", plain("b").header("a\0b", "c\0d").header("\r\n: x", "\r\n\r\n")),
        ("header names with zero bytes and null values", plain("z").null_header("a\0b").null_header([0, 0, 0xff])),
        ("header values null", plain("c").null_header("null").header("empty", "").null_header("null")),
        ("empty header names", plain("d").header("", "x").null_header("").header("", "")),
        ("repeated headers", plain("e").header("a", "1").header("b", "2").header("a", "3").header("a", "1")),
        ("a thousand headers", thousand),
        ("a header of 200 KiB", plain("f").header("large", soup(200 << 10))),
        ("a header of 900 KiB", plain("g").header("large", soup(900 << 10))),
        ("a header name of 30 KiB of byte soup", plain("h").header(soup(30 << 10), "v")),
        ("a header value of byte soup", plain("i").header("soup", soup(4096))),
    ]
}

fn named_like_ours(group: &str) -> Vec<Odd> {
    let block = plain("named like ours")
        .header("retrial-version", "7")
        .header("retrial-group", group)
        .header("retrial-attempts", "4294967295")
        .header("retrial-due", "tomorrow")
        .header("x", "between")
        .header("retrial-version", "1")
        .header("retrial-origin", "elsewhere/0/0")
        .header("retrial-reference", "elsewhere/0/0")
        .header("__dlq.errors.topic", "elsewhere")
        .header("y", "behind");
    let soups = OWN.iter().fold(plain("soup"), |record, own| record.header(format!("retrial-{own}"), soup(40)));
    vec![("headers named like ours", block), ("byte soup in headers named like ours", soups)]
}

fn keys_and_bodies() -> Vec<Odd> {
    let at_the_limit = filled(Raw::new("").key("at the limit").header("h", "v"), LIMIT);
    vec![
        ("a null key", Raw::new("no key")),
        ("an empty key", Raw::new("empty key").key("")),
        ("a key of byte soup", Raw::new("soup").key(soup(100))),
        ("a key of 200 KiB", Raw::new("large key").key(soup(200 << 10))),
        ("a tombstone", Raw { body: None, ..plain("") }),
        ("an empty body", plain("")),
        ("nothing at all", Raw { time: raw::now(), ..Raw::default() }),
        ("a body of byte soup", Raw::new(soup(64 << 10)).key("soup")),
        ("a body like a reference", plain("retrial reference 1\nrecord: elsewhere/0/0\nkept-until: unlimited\n\n")),
        ("a body of 900 KiB", Raw::new(soup(900 << 10)).key("large")),
        ("as large as the topic takes, without our headers", at_the_limit),
    ]
}

fn times() -> Vec<Odd> {
    vec![
        ("no time", plain("j").at(-1)),
        ("a time of zero", plain("k").at(0)),
        ("a time in 1970", plain("l").at(1)),
        ("a time one hour ahead", plain("m").at(raw::now() + HOUR)),
        ("a time in the year 10000", plain("n").at(253_402_300_800_000)),
        ("the last time there is", plain("o").at(i64::MAX)),
    ]
}
