use super::*;
use crate::extract::testing::{Header, call, extract, rejected, with_body};
use futures_util::FutureExt;
use proptest::prelude::*;

const REQUIRED: [Header<'static>; 4] = [
    (b"ce_specversion", Some(b"1.0")),
    (b"ce_id", Some(b"17")),
    (b"ce_source", Some(b"/shop")),
    (b"ce_type", Some(b"placed")),
];

const JSON: Header<'static> = (b"content-type", Some(b"Application/CloudEvents+JSON; charset=UTF-8"));

fn binary(body: Option<&[u8]>, more: &[Header<'_>]) -> Call {
    call(None, body, &[&REQUIRED[..], more].concat())
}

fn structured(document: &str) -> Call {
    call(None, Some(document.as_bytes()), &[JSON])
}

fn fault<F: Decode<()> + Send>(call: &Call) -> String {
    let reason = rejected::<CloudEvent<F>>(call);
    assert_eq!(reason.kind(), "cloudevents", "{reason}");
    reason.message().to_owned()
}

#[test]
fn an_event_is_read_from_headers() {
    let more: [Header<'_>; 4] = [
        (b"ce_time", Some(b"2026-11-22T10:00:00Z")),
        (b"ce_partitionkey", Some(b"ann")),
        (b"content-type", Some(b"application/json")),
        (b"\xff", Some(b"\xff")),
    ];
    let event = extract::<CloudEvent<String>>(&binary(Some(b"{}"), &more)).unwrap();
    assert_eq!((&*event.id, &*event.source, &*event.event_type, &*event.data), ("17", "/shop", "placed", "{}"));
    assert_eq!(event.time.as_deref(), Some("2026-11-22T10:00:00Z"));
    assert_eq!(event.data_content_type.as_deref(), Some("application/json"));
    assert_eq!(event.extensions, BTreeMap::from([("partitionkey".to_owned(), "ann".to_owned())]));
}

#[test]
fn what_lacks_an_attribute_is_no_event() {
    for missing in 0..REQUIRED.len() {
        let mut headers = REQUIRED.to_vec();
        let (name, _) = headers.remove(missing);
        let name = std::str::from_utf8(name).unwrap().trim_start_matches("ce_");
        assert_eq!(fault::<Bytes>(&call(None, Some(b""), &headers)), format!("no attribute `{name}`"));
    }
    assert_eq!(fault::<Bytes>(&with_body(Some(b"{}"))), "no attribute `specversion`");
    assert_eq!(fault::<Bytes>(&binary(Some(b""), &[(b"ce_id", Some(b""))])), "no attribute `id`");
    assert_eq!(fault::<Bytes>(&binary(Some(b""), &[(b"ce_x", Some(b"\xff"))])), "attribute `x` is not UTF-8");
    let old = fault::<Bytes>(&binary(Some(b""), &[(b"ce_specversion", Some(b"0.3"))]));
    assert_eq!(old, "version \"0.3\" of CloudEvents; 1.0 is read here");
    let avro = fault::<Bytes>(&binary(Some(b""), &[(b"content-type", Some(b"application/cloudevents+avro"))]));
    assert!(avro.starts_with("an event in the form \"application/cloudevents+avro\""), "{avro}");
}

#[test]
fn an_event_is_read_from_a_document() {
    let document = r#"{"specversion":"1.0","id":"17","source":"/shop","type":"placed","subject":null,"sequence":3,
        "sampled":true,"data":{"cents":[1, 2]}}"#;
    let event = extract::<CloudEvent<String>>(&structured(document)).unwrap();
    assert_eq!((&*event.id, &*event.data, event.subject), ("17", r#"{"cents":[1, 2]}"#, None));
    assert_eq!((&*event.extensions["sequence"], &*event.extensions["sampled"]), ("3", "true"));
}

#[test]
fn data_of_a_document_has_three_forms() {
    let read = |more: &str| {
        let document = format!(r#"{{"specversion":"1.0","id":"1","source":"s","type":"t",{more}}}"#);
        extract::<CloudEvent<Option<Bytes>>>(&structured(&document)).map(|event| event.data)
    };
    for (more, data) in [
        (r#""data":"a\"b""#, &b"\"a\\\"b\""[..]),
        (r#""data":"a\"b","datacontenttype":"application/problem+JSON""#, b"\"a\\\"b\""),
        (r#""datacontenttype":"text/xml","data":"<a b=\"c\"/>""#, b"<a b=\"c\"/>"),
        (r#""data":"a","datacontenttype":"text/plain""#, b"a"),
        (r#""data_base64":"/wA=""#, b"\xff\x00"),
    ] {
        assert_eq!(read(more).unwrap().as_deref(), Some(data), "{more}");
    }
    assert_eq!(read(r#""data":null"#), Ok(None));
    for (more, why) in [
        (r#""data":1,"data_base64":"/wA=""#, "data twice at line 1"),
        (r#""data_base64":"?""#, "data_base64: Invalid symbol 63, offset 0."),
        (r#""data":1,"x":{}"#, "invalid type: map, expected an attribute"),
        (r#""data":1} x{"#, "trailing characters"),
    ] {
        let reason = read(more).unwrap_err().to_string();
        assert!(reason.starts_with(&format!("cloudevents: {why}")), "{reason}");
    }
}

#[test]
fn an_event_without_data_is_told_from_a_tombstone() {
    let event = extract::<Option<CloudEvent<Option<Bytes>>>>(&binary(None, &[])).unwrap().unwrap();
    assert_eq!((&*event.id, event.data), ("17", None));
    assert_eq!(extract::<Option<CloudEvent<Option<Bytes>>>>(&with_body(None)), Ok(None));
    assert_eq!(rejected::<CloudEvent<Option<Bytes>>>(&with_body(None)).kind(), "null");
    assert!(fault::<Bytes>(&binary(None, &[])).starts_with("the event has no data"));
    assert!(rejected::<Option<CloudEvent<Bytes>>>(&binary(None, &[])).message().starts_with("the event has no data"));
}

#[test]
fn what_is_written_in_either_mode_reads_back() {
    let extensions = BTreeMap::from([("partitionkey".to_owned(), "a\"nn".to_owned())]);
    let event = CloudEvent {
        id: "17".to_owned(),
        source: "/shop".to_owned(),
        event_type: "placed".to_owned(),
        subject: Some("order 7".to_owned()),
        extensions,
        data: Some(Bytes::from_static(b"{\"cents\": 1}")),
        ..CloudEvent::default()
    };
    let binary_data = CloudEvent {
        data: Some(Bytes::from_static(b"\xff")),
        data_content_type: Some("image/png".to_owned()),
        ..event.clone()
    };
    for event in [binary_data, CloudEvent { data: None, ..event.clone() }, event] {
        let to = Destination::body("events");
        let binary = event.encode(to, &()).now_or_never().unwrap().unwrap();
        let document = event.to_structured(to, &()).now_or_never().unwrap().unwrap();
        for encoded in [binary, document] {
            let headers: Vec<Header<'_>> =
                encoded.headers.iter().map(|(name, value)| (name.as_bytes(), Some(&**value))).collect();
            let read = extract::<CloudEvent<Option<Bytes>>>(&call(None, encoded.bytes.as_deref(), &headers));
            assert_eq!(read.as_ref(), Ok(&event));
        }
    }
    let event = CloudEvent {
        data_content_type: Some("application/cloudevents+json".to_owned()),
        ..CloudEvent::<Bytes>::default()
    };
    assert!(
        event.encode(Destination::body("events"), &()).now_or_never().unwrap().is_err(),
        "it would be read as another"
    );
    let wrong = CloudEvent { data: Bytes::from_static(b"\xff"), ..CloudEvent::default() };
    let refused = wrong.to_structured(Destination::body("events"), &()).now_or_never().unwrap();
    assert!(matches!(refused, Err(EncodeError::Value { .. })), "{refused:?}");
}

#[test]
fn a_document_that_is_cut_anywhere_or_nests_without_end_is_refused() {
    let whole = r#"{"specversion":"1.0","id":"1","source":"s","type":"t","data":{"a":"\u00e9"}}"#;
    assert!(extract::<CloudEvent>(&structured(whole)).is_ok());
    (0..whole.len()).for_each(|end| drop(fault::<Bytes>(&structured(&whole[..end]))));
    for part in ["{\"data\":", "[", "{\"x\":"] {
        drop(fault::<Bytes>(&structured(&part.repeat(100_000))));
    }
}

proptest! {
    #[test]
    fn no_record_makes_the_decoder_panic(
        body in prop::option::of(prop::collection::vec(any::<u8>(), 0..100)),
        headers in prop::collection::vec(("(ce_(id|type|source|specversion|x)|content-type)", prop::option::of("1.0|[a-z]{0,3}|application/cloudevents(\\+json)?")), 0..8),
    ) {
        let headers: Vec<Header<'_>> =
            headers.iter().map(|(name, value)| (name.as_bytes(), value.as_ref().map(|value| value.as_bytes()))).collect();
        let _ = extract::<Option<CloudEvent<Option<Bytes>>>>(&call(None, body.as_deref(), &headers));
    }
}
