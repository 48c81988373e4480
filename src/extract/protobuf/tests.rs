use super::*;
use crate::extract::{
    Key,
    testing::{call, extract, rejected, with_body},
};
use proptest::prelude::*;

#[derive(Clone, PartialEq, prost::Message)]
struct Line {
    #[prost(string, tag = "1")]
    sku: String,
    #[prost(message, repeated, tag = "2")]
    parts: Vec<Line>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Order {
    #[prost(uint64, tag = "1")]
    id: u64,
    #[prost(message, repeated, tag = "2")]
    lines: Vec<Line>,
    #[prost(sint64, repeated, tag = "3")]
    notes: Vec<i64>,
}

fn order() -> Order {
    let lines = vec![Line { sku: "a-1".to_owned(), parts: vec![Line::default()] }];
    Order { id: 7, lines, notes: vec![-1, 300] }
}

fn read(bytes: &[u8]) -> Result<Order, Rejection> {
    extract::<Protobuf<Order>>(&with_body(Some(bytes))).map(|order| order.0)
}

fn fault(bytes: &[u8]) -> String {
    let reason = rejected::<Protobuf<Order>>(&with_body(Some(bytes)));
    assert_eq!(reason.kind(), "protobuf");
    reason.message().to_owned()
}

/// As Confluent's serializers write it: `[0]` as one zero byte, others as zig-zag varints behind their count.
#[test]
fn both_forms_are_read() {
    let plain = order().encode_to_vec();
    assert_eq!(read(&plain), Ok(order()));
    for frame in [&[0, 0, 0, 1, 2, 0][..], &[0, 0, 0, 1, 2, 4, 2, 0], &[0, 0, 0, 1, 2, 2, 0x80, 1]] {
        assert_eq!(read(&[frame, &plain].concat()), Ok(order()), "{frame:?}");
    }
    assert_eq!(read(b""), Ok(Order::default()));
    let key = call(Some(&plain), None, &[]);
    assert_eq!(extract::<Key<Protobuf<Order>>>(&key).unwrap().0.0, order());
    assert!(extract::<Option<Protobuf<Order>>>(&with_body(None)).unwrap().is_none());
    assert_eq!(rejected::<Protobuf<Order>>(&with_body(None)).kind(), "null");
}

#[test]
fn a_frame_is_written_as_it_is_read() {
    for (indexes, written) in [(vec![0], &[0][..]), (vec![1, 0], &[4, 2, 0]), (vec![64], &[2, 0x80, 1])] {
        let frame = ProtobufFrame { schema_id: 258, indexes };
        let bytes = frame.encode(&order()).bytes.unwrap();
        assert_eq!(bytes[..5], [0, 0, 0, 1, 2]);
        assert_eq!(&bytes[5..5 + written.len()], written);
        let (found, message) = ProtobufFrame::split(&bytes).unwrap();
        assert_eq!((found, message), (Some(frame), &*order().encode_to_vec()));
    }
    assert_eq!(ProtobufFrame::split(&[8, 7]).unwrap(), (None, &[8, 7][..]));
}

#[test]
fn a_fault_is_named_with_its_field() {
    assert!(
        fault(&[0x12, 3, 0x0a, 1, 0xff]).contains("Order.lines: invalid string value"),
        "{}",
        fault(&[0x12, 3, 0x0a, 1, 0xff])
    );
    assert_eq!(fault(&[0, 0, 0, 1]), "ends within the schema id and the message indexes, after 4 bytes");
    assert_eq!(fault(&[0, 0, 0, 0, 1]), "ends within the schema id and the message indexes, after 5 bytes");
    assert_eq!(fault(&[0, 0, 0, 0, 1, 0xff]), "ends within the schema id and the message indexes, after 6 bytes");
    // An old client's `[0]` of count 1, without zig-zag.
    assert!(fault(&[0, 0, 0, 0, 1, 1, 0]).starts_with("-1 as a count"));
    assert_eq!(fault(&[0, 0, 0, 0, 1, 6, 0, 0]), "3 message indexes, with 2 bytes left");
    assert_eq!(fault(&[0, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0xff, 0]), "a message index of more than 32 bits");
    assert_eq!(fault(&[0, 0, 0, 0, 1, 0xfe, 0xff, 0xff, 0xff, 0x0f]), "2147483647 message indexes, with 0 bytes left");
}

#[test]
fn nesting_without_end_is_refused() {
    let mut nested = Vec::new();
    for _ in 0..10_000 {
        let mut outer = vec![0x12];
        prost::encoding::encode_varint(nested.len() as u64, &mut outer);
        outer.append(&mut nested);
        nested = outer;
    }
    assert!(fault(&nested).contains("recursion limit"), "{}", fault(&nested));
}

/// A length of what is not there is told from what is there, and reserves nothing.
#[test]
fn a_length_beyond_the_bytes_takes_no_memory() {
    for field in [0x12, 0x1a] {
        let mut bytes = vec![field];
        prost::encoding::encode_varint(u64::from(u32::MAX), &mut bytes);
        let call = with_body(Some(&bytes));
        let used = allocation_counter::measure(|| drop(extract::<Protobuf<Order>>(&call)));
        assert!(used.bytes_max < 10_000, "{used:?}");
        assert!(fault(&bytes).contains("buffer underflow"), "{}", fault(&bytes));
    }
}

#[test]
fn what_is_cut_anywhere_is_refused_or_another_message() {
    let whole = ProtobufFrame { schema_id: 1, indexes: vec![1, 0] }.encode(&order()).bytes.unwrap();
    for end in 0..whole.len() {
        if let Ok(other) = read(&whole[..end]) {
            assert_ne!(other, order(), "cut at {end}");
        }
    }
}

proptest! {
    #[test]
    fn no_body_makes_the_decoder_panic(mut body in prop::collection::vec(any::<u8>(), 0..200), framed in any::<bool>()) {
        if framed {
            body.splice(0..0, [0, 0, 0, 0, 9]);
        }
        let _ = read(&body);
        if let Ok((Some(frame), message)) = ProtobufFrame::split(&body) {
            let again = frame.encode(&Order::default()).bytes.unwrap();
            prop_assert_eq!(ProtobufFrame::split(&again).unwrap(), (Some(frame), &[][..]));
            prop_assert!(message.len() + 6 <= body.len());
        }
    }
}
