//! Bytes and schemas of strangers: a clear error, in memory and time that the bytes bound.

use super::{Tree, read, schema};
use crate::avro::{Plan, from_bytes, to_bytes};
use proptest::prelude::*;
use serde::de::IgnoredAny;

const ORDER: &str = r#"{"type": "record", "name": "Order", "fields": [
    {"name": "id", "type": "long"},
    {"name": "paid", "type": "boolean"},
    {"name": "note", "type": ["null", "string"]},
    {"name": "weights", "type": {"type": "array", "items": "double"}},
    {"name": "labels", "type": {"type": "map", "values": "bytes"}},
    {"name": "state", "type": {"type": "enum", "name": "State", "symbols": ["NEW", "SENT"]}},
    {"name": "customer", "type": ["null", "string"]},
    {"name": "express", "type": "boolean"}
]}"#;

fn order() -> Vec<u8> {
    let mut bytes = vec![84, 1, 2, 6];
    bytes.extend(b"abc");
    bytes.push(4);
    bytes.extend([1.5_f64, 2.5].iter().flat_map(|weight| weight.to_le_bytes()));
    bytes.extend([0, 2, 2, b'k', 2, b'v', 0, 2, 2, 4, b'm', b'e', 1]);
    bytes
}

#[test]
fn bytes_that_were_cut_anywhere_or_go_on_are_refused() {
    let bytes = order();
    let whole = read::<Tree>(ORDER, ORDER, &bytes);
    assert!(whole.is_ok(), "{whole:?}");
    for end in 0..bytes.len() {
        let cut = &bytes[..end];
        assert!(read::<Tree>(ORDER, ORDER, cut).is_err(), "{end} of {}", bytes.len());
        assert!(read::<IgnoredAny>(ORDER, ORDER, cut).is_err(), "{end} of {}, passed over", bytes.len());
    }
    let more = [&bytes[..], &[0]].concat();
    assert_eq!(read::<Tree>(ORDER, ORDER, &more).unwrap_err().to_string(), "1 bytes behind the value");
}

#[test]
fn the_place_of_a_fault_is_told() {
    let cut = &order()[..14];
    assert_eq!(read::<Tree>(ORDER, ORDER, cut).unwrap_err().to_string(), "weights[0]: the bytes end too early");
}

const CHAIN: &str = r#"{"type": "record", "name": "Node", "fields": [{"name": "next", "type": ["null", "Node"]}]}"#;

#[test]
fn nesting_without_end_is_refused_on_a_small_stack() {
    let deep = vec![2; 1_000_000];
    let refused = std::thread::Builder::new().stack_size(2 << 20).spawn(move || {
        for error in [read::<Tree>(CHAIN, CHAIN, &deep).err(), read::<IgnoredAny>(CHAIN, CHAIN, &deep).err()] {
            assert!(error.is_some_and(|error| error.to_string().ends_with("nested deeper than 64")));
        }
    });
    refused.expect("a thread").join().expect("no overflow");
    let shallow = [vec![2; 60], vec![0]].concat();
    assert!(read::<Tree>(CHAIN, CHAIN, &shallow).is_ok());
}

fn long(value: i64) -> Vec<u8> {
    let mut bytes = Vec::new();
    to_bytes(&schema("\"long\""), &value, &mut bytes).expect("a long");
    bytes
}

#[test]
fn items_that_take_no_bytes_are_not_made_without_end() {
    for items in [r#""null""#, r#"{"type": "record", "name": "Empty", "fields": []}"#] {
        let array = format!(r#"{{"type": "array", "items": {items}}}"#);
        let mut bomb = long(1_000_000_000);
        bomb.push(0);
        let (made, allocated) = measured(|| read::<Tree>(&array, &array, &bomb));
        assert!(made.unwrap_err().to_string().contains("more items than bytes"));
        assert!(allocated < 2 << 20, "{allocated} bytes");
        assert!(read::<IgnoredAny>(&array, &array, &bomb).is_err());
        let few = [long(1000), vec![0]].concat();
        assert!(matches!(read(&array, &array, &few), Ok(Tree::List(list)) if list.len() == 1000));
    }
}

fn measured<T>(run: impl FnOnce() -> T) -> (T, u64) {
    let mut made = None;
    let info = allocation_counter::measure(|| made = Some(run()));
    (made.expect("it ran"), info.bytes_max)
}

#[test]
fn lengths_and_counts_that_the_bytes_cannot_hold_cost_nothing() {
    let array = r#"{"type": "array", "items": "long"}"#;
    let map = r#"{"type": "map", "values": "long"}"#;
    for (schema, head) in
        [("\"bytes\"", i64::MAX), ("\"string\"", 1 << 40), ("\"bytes\"", -1), (array, i64::MAX), (map, 1 << 60)]
    {
        let bytes = [long(head), vec![1; 8]].concat();
        let (made, allocated) = measured(|| read::<Vec<i64>>(schema, schema, &bytes).is_err());
        assert!(made && allocated < 1 << 20, "{schema} {head}: {allocated} bytes");
        assert!(read::<Tree>(schema, schema, &bytes).is_err());
        assert!(read::<IgnoredAny>(schema, schema, &bytes).is_err());
    }
}

#[test]
fn blocks_with_their_size_are_read_and_wrong_sizes_refused() {
    let array = r#"{"type": "array", "items": "long"}"#;
    let good = [long(-2), long(2), long(1), long(2), long(0)].concat();
    assert_eq!(read::<Vec<i64>>(array, array, &good), Ok(vec![1, 2]));
    assert!(read::<IgnoredAny>(array, array, &good).is_ok());
    for bad in
        [[long(-2), long(-2)].concat(), [long(-2), long(100), long(1)].concat(), [long(i64::MIN), long(0)].concat()]
    {
        assert!(read::<Vec<i64>>(array, array, &bad).is_err());
        assert!(read::<IgnoredAny>(array, array, &bad).is_err());
    }
}

#[test]
fn numbers_of_too_many_bits_and_what_is_no_boolean_text_branch_or_symbol_are_refused() {
    let too_long = [0xff; 11];
    assert!(read::<i64>("\"long\"", "\"long\"", &too_long).is_err());
    assert_eq!(read::<i64>("\"long\"", "\"long\"", &long(i64::MIN)), Ok(i64::MIN));
    assert!(read::<i32>("\"int\"", "\"int\"", &long(1 << 40)).is_err());
    assert!(read::<bool>("\"boolean\"", "\"boolean\"", &[2]).is_err());
    assert!(read::<String>("\"string\"", "\"string\"", &[2, 0xff]).is_err());
    for index in [-1, 2, i64::MAX] {
        assert!(read::<Tree>(r#"["null", "long"]"#, r#"["null", "long"]"#, &long(index)).is_err());
        let symbols = r#"{"type": "enum", "name": "E", "symbols": ["A", "B"]}"#;
        assert!(read::<Tree>(symbols, symbols, &long(index)).is_err());
    }
}

#[test]
fn a_schema_whose_values_double_and_take_no_bytes_ends() {
    let mut text = r#"{"type": "record", "name": "R0", "fields": []}"#.to_owned();
    for level in 1..35 {
        let before = level - 1;
        text = format!(
            r#"{{"type": "record", "name": "R{level}", "fields": [{{"name": "a", "type": {text}}}, {{"name": "b", "type": "R{before}"}}]}}"#
        );
    }
    assert!(read::<Tree>(&text, &text, &[]).is_err());
    assert!(read::<IgnoredAny>(&text, &text, &[]).is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        for text in [ORDER, CHAIN, r#"{"type": "array", "items": ["null", {"type": "map", "values": "float"}]}"#] {
            let schema = schema(text);
            let plan = Plan::new(&schema, &schema);
            let (made, passed) = (from_bytes::<Tree>(&plan, &bytes), from_bytes::<IgnoredAny>(&plan, &bytes));
            // Passing over looks at lengths, not at texts.
            prop_assert!(made.is_err() || passed.is_ok());
        }
    }
}
