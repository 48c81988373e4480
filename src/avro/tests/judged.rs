//! apache-avro as a judge: on generated schemas and values, and on schemas that went on from there, both read the same.

use super::{Tree, read};
use apache_avro::{Schema, reader::datum::GenericDatumReader, types::Value, writer::datum::GenericDatumWriter};
use proptest::prelude::*;
use serde_json::{Value as Json, json};

/// A type without names; they are given when it is written down.
#[derive(Clone, Debug)]
enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    Text,
    Date,
    Millis,
    Symbols(usize),
    Fixed(usize),
    Array(Box<Kind>),
    Map(Box<Kind>),
    Optional(Box<Kind>),
    Record(Vec<Kind>),
}

fn kind() -> impl Strategy<Value = Kind> {
    let leaf = prop_oneof![
        Just(Kind::Null),
        Just(Kind::Boolean),
        Just(Kind::Int),
        Just(Kind::Long),
        Just(Kind::Float),
        Just(Kind::Double),
        Just(Kind::Bytes),
        Just(Kind::Text),
        Just(Kind::Date),
        Just(Kind::Millis),
        (1..5_usize).prop_map(Kind::Symbols),
        (1..5_usize).prop_map(Kind::Fixed),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|items| Kind::Array(Box::new(items))),
            inner.clone().prop_map(|values| Kind::Map(Box::new(values))),
            inner.clone().prop_map(|some| match some {
                Kind::Null | Kind::Optional(_) => some,
                some => Kind::Optional(Box::new(some)),
            }),
            prop::collection::vec(inner, 0..5).prop_map(Kind::Record),
        ]
    })
}

/// Chance that replays.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// The schema of the writer, and one that went on from it.
struct Pen {
    names: usize,
    dice: Dice,
}

impl Pen {
    fn name(&mut self) -> String {
        self.names += 1;
        format!("N{}", self.names)
    }

    /// Writer's and reader's schema.
    fn write(&mut self, kind: &Kind) -> (Json, Json) {
        let same = |schema: Json| (schema.clone(), schema);
        let number = |from: &str, to: &[&str], dice: &mut Dice| {
            let at = dice.roll(to.len() as u64 + 2) as usize;
            (json!(from), json!(to.get(at).copied().unwrap_or(from)))
        };
        match kind {
            Kind::Null => same(json!("null")),
            Kind::Boolean => same(json!("boolean")),
            Kind::Int => number("int", &["long", "float", "double"], &mut self.dice),
            Kind::Long => number("long", &["float", "double"], &mut self.dice),
            Kind::Float => number("float", &["double"], &mut self.dice),
            Kind::Double => same(json!("double")),
            Kind::Bytes => same(json!("bytes")),
            Kind::Text => number("string", &["bytes"], &mut self.dice),
            Kind::Date => same(json!({"type": "int", "logicalType": "date"})),
            Kind::Millis => same(json!({"type": "long", "logicalType": "timestamp-millis"})),
            Kind::Symbols(count) => {
                let symbols: Vec<String> = (0..*count).map(|at| format!("S{at}")).collect();
                let name = self.name();
                let more = [&symbols[..], &["MORE".to_owned()]].concat();
                let reader = json!({"type": "enum", "name": name, "symbols": more});
                (json!({"type": "enum", "name": name, "symbols": symbols}), reader)
            }
            Kind::Fixed(size) => same(json!({"type": "fixed", "name": self.name(), "size": size})),
            Kind::Array(items) => {
                let (wrote, reads) = self.write(items);
                (json!({"type": "array", "items": wrote}), json!({"type": "array", "items": reads}))
            }
            Kind::Map(values) => {
                let (wrote, reads) = self.write(values);
                (json!({"type": "map", "values": wrote}), json!({"type": "map", "values": reads}))
            }
            Kind::Optional(some) => {
                let (wrote, reads) = self.write(some);
                (json!(["null", wrote]), json!(["null", reads]))
            }
            Kind::Record(fields) => self.record(fields),
        }
    }

    fn record(&mut self, kinds: &[Kind]) -> (Json, Json) {
        let name = self.name();
        let (mut wrote, mut reads) = (Vec::new(), Vec::new());
        for (at, kind) in kinds.iter().enumerate() {
            let (writer, reader) = self.write(kind);
            wrote.push(json!({"name": format!("f{at}"), "type": writer}));
            if self.dice.roll(5) > 0 {
                reads.push(json!({"name": format!("f{at}"), "type": reader}));
            }
        }
        match self.dice.roll(4) {
            0 => reads.insert(0, json!({"name": "count", "type": "int", "default": 7})),
            1 => reads.push(json!({"name": "note", "type": ["null", "string"], "default": null})),
            2 => {
                reads.push(json!({"name": "tags", "type": {"type": "array", "items": "string"}, "default": ["a", "b"]}))
            }
            _ => {}
        }
        if self.dice.roll(2) == 0 {
            reads.reverse();
        }
        let record = |fields: Vec<Json>| json!({"type": "record", "name": name, "fields": fields});
        (record(wrote), record(reads))
    }
}

fn value(kind: &Kind, dice: &mut Dice) -> Value {
    let whole = |dice: &mut Dice| dice.roll(1 << 31) as i64 - (1 << 30);
    match kind {
        Kind::Null => Value::Null,
        Kind::Boolean => Value::Boolean(dice.roll(2) == 1),
        Kind::Int => Value::Int(whole(dice) as i32),
        Kind::Date => Value::Date(whole(dice) as i32),
        Kind::Long => Value::Long(whole(dice) * whole(dice)),
        Kind::Millis => Value::TimestampMillis(whole(dice)),
        Kind::Float => Value::Float(whole(dice) as f32 / 8.0),
        Kind::Double => Value::Double(whole(dice) as f64 / 8.0),
        Kind::Bytes => Value::Bytes((0..dice.roll(5)).map(|_| dice.roll(256) as u8).collect()),
        Kind::Text => Value::String((0..dice.roll(5)).map(|_| ['a', 'é', '日'][dice.roll(3) as usize]).collect()),
        Kind::Symbols(count) => {
            let at = dice.roll(*count as u64) as u32;
            Value::Enum(at, format!("S{at}"))
        }
        Kind::Fixed(size) => Value::Fixed(*size, (0..*size).map(|_| dice.roll(256) as u8).collect()),
        Kind::Array(items) => Value::Array((0..dice.roll(4)).map(|_| value(items, dice)).collect()),
        Kind::Map(values) => Value::Map((0..dice.roll(4)).map(|at| (format!("k{at}"), value(values, dice))).collect()),
        Kind::Optional(some) => match dice.roll(2) {
            0 => Value::Union(0, Box::new(Value::Null)),
            _ => Value::Union(1, Box::new(value(some, dice))),
        },
        Kind::Record(fields) => {
            Value::Record(fields.iter().enumerate().map(|(at, field)| (format!("f{at}"), value(field, dice))).collect())
        }
    }
}

fn tree(value: Value) -> Tree {
    match value {
        Value::Null => Tree::Nothing,
        Value::Boolean(value) => Tree::Bool(value),
        Value::Int(value) | Value::Date(value) => Tree::Whole(value.into()),
        Value::Long(value) | Value::TimestampMillis(value) => Tree::Whole(value),
        Value::Float(value) => Tree::Real(value.into()),
        Value::Double(value) => Tree::Real(value),
        Value::Bytes(bytes) | Value::Fixed(_, bytes) => Tree::Bytes(bytes),
        Value::String(text) | Value::Enum(_, text) => Tree::Text(text),
        Value::Union(_, inner) => tree(*inner),
        Value::Array(items) => Tree::List(items.into_iter().map(tree).collect()),
        Value::Map(entries) => Tree::Named(entries.into_iter().map(|(name, value)| (name, tree(value))).collect()),
        Value::Record(fields) => Tree::Named(fields.into_iter().map(|(name, value)| (name, tree(value))).collect()),
        other => panic!("{other:?} is not generated"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn what_apache_avro_reads_is_read_as_the_same(kind in kind(), seed in any::<u64>()) {
        let (wrote, reads) = Pen { names: 0, dice: Dice(seed) }.write(&kind);
        let (writer, reader) = (Schema::parse(&wrote).unwrap(), Schema::parse(&reads).unwrap());
        let value = value(&kind, &mut Dice(seed ^ 1));
        let bytes = GenericDatumWriter::builder(&writer).build().unwrap().write_value_to_vec(value.clone()).unwrap();
        let (wrote, reads) = (wrote.to_string(), reads.to_string());
        prop_assert_eq!(read::<Tree>(&wrote, &wrote, &bytes), Ok(tree(value)));
        let judge = GenericDatumReader::builder(&writer).reader_schema(&reader).build().unwrap();
        let judged = judge.read_value(&mut &bytes[..]).unwrap();
        prop_assert_eq!(read::<Tree>(&wrote, &reads, &bytes), Ok(tree(judged)), "{} as {}", wrote, reads);
    }
}
