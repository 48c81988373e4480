use super::*;
use proptest::prelude::*;

type Owned = (Vec<u8>, Option<Vec<u8>>);

fn borrowed(headers: &[Owned]) -> impl Iterator<Item = (&[u8], Option<&[u8]>)> {
    headers.iter().map(|(name, value)| (&name[..], value.as_deref()))
}

/// What a forward of a record with these headers writes.
fn forwarded(group: &str, history: &History, headers: &[Owned], inside_own_topic: bool) -> Vec<Owned> {
    let user = carried(borrowed(headers), inside_own_topic).map(|(name, value)| (name.into(), value.map(Into::into)));
    let own = history.encode(group).into_iter().map(|(name, value)| (name.into(), Some(value.into_bytes())));
    user.chain(own).collect()
}

fn own_bytes(headers: &[(&str, String)]) -> usize {
    headers.iter().map(|(name, value)| name.len() + value.len()).sum()
}

fn at(millis: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis(1_795_342_860_000 + millis))
}

fn dead_letter() -> History {
    let origin = Origin { topic: "orders".into(), partition: 3, offset: 184_467 };
    History {
        attempts: 2,
        crashes: 1,
        step: 4,
        hop: 9,
        due: at(1),
        first_failed: at(-70_000),
        last_failed: at(2),
        expires: at(3_600_000),
        error_kind: Some("timeout".into()),
        error: Some("bank: no answer\\n within 60 s – „später“".into()),
        cause: Some(Cause::Exhausted),
        redrives: 1,
        operation: Some("op-7".into()),
        replay: Some("2026-11-20".into()),
        ..History::new(origin, SourceTime::Create(Timestamp::from_millis(0)))
    }
}

/// Frozen: version 1 is read for as long as records of it may wait anywhere.
const DEAD_LETTER_V1: &[(&str, &str)] = &[
    ("retrial-version", "1"),
    ("retrial-group", "billing"),
    ("retrial-origin", "orders/3/184467"),
    ("retrial-timestamp", "create 1970-01-01T00:00:00.000Z"),
    ("retrial-attempts", "2"),
    ("retrial-crashes", "1"),
    ("retrial-step", "4"),
    ("retrial-hop", "9"),
    ("retrial-redrives", "1"),
    ("retrial-due", "2026-11-22T10:21:00.001Z"),
    ("retrial-first-failed", "2026-11-22T10:19:50.000Z"),
    ("retrial-last-failed", "2026-11-22T10:21:00.002Z"),
    ("retrial-expires", "2026-11-22T11:21:00.000Z"),
    ("retrial-operation", "op-7"),
    ("retrial-replay", "2026-11-20"),
    ("retrial-cause", "exhausted"),
    ("retrial-error-kind", "timeout"),
    ("__dlq.errors.topic", "orders"),
    ("__dlq.errors.partition", "3"),
    ("__dlq.errors.offset", "184467"),
    ("__dlq.errors.group", "billing"),
    ("__dlq.errors.delivery.count", "3"),
    ("retrial-error", "bank: no answer\\n within 60 s – „später“"),
    ("__dlq.errors.message", "bank: no answer\\n within 60 s – „später“"),
];

/// A retry as a later build of version 1 may write it: other order, names unknown to this build.
const RETRY_V1: &[(&str, &str)] = &[
    ("retrial-version", "1"),
    ("retrial-later", "anything"),
    ("retrial-later", "twice"),
    ("retrial-redrives", "0"),
    ("retrial-hop", "1"),
    ("retrial-step", "0"),
    ("retrial-crashes", "0"),
    ("retrial-attempts", "1"),
    ("retrial-timestamp", "none"),
    ("retrial-origin", "a.b_c-D/0/0"),
    ("retrial-group", "billing"),
];

fn read(headers: &[(&str, &str)]) -> Result<Option<History>, HistoryError> {
    History::decode("billing", headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))))
}

#[test]
fn golden_headers_of_version_1() {
    let written = dead_letter().encode("billing");
    let written: Vec<_> = written.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(written, DEAD_LETTER_V1);
    assert_eq!(read(DEAD_LETTER_V1), Ok(Some(dead_letter())));

    let origin = Origin { topic: "a.b_c-D".into(), partition: 0, offset: 0 };
    let retry = History { attempts: 1, hop: 1, ..History::new(origin, SourceTime::None) };
    assert_eq!(read(RETRY_V1), Ok(Some(retry)));
}

#[test]
fn headers_that_are_used_again_say_only_what_was_written_last() {
    let mut headers = OwnHeaders::default();
    let retry = History { cause: None, error: None, ..dead_letter() };
    for history in [dead_letter(), retry, dead_letter()] {
        history.encode_into("billing", &mut headers);
        let written: Vec<_> = headers.iter().map(|(name, value)| (name, value.to_owned())).collect();
        assert_eq!(written, history.encode("billing"));
        assert_eq!(headers.bytes(), own_bytes(&written));
    }
}

#[test]
fn a_retry_has_no_headers_of_a_dead_letter() {
    let retry = History { cause: None, ..dead_letter() };
    assert!(retry.encode("billing").iter().all(|(name, _)| !name.starts_with("__dlq") && *name != "retrial-cause"));
}

#[test]
fn a_dead_letter_without_an_error_says_its_cause() {
    let letter = History { error: None, attempts: 40_000, cause: Some(Cause::Expired), ..dead_letter() };
    let headers = letter.encode("billing");
    assert!(headers.contains(&("__dlq.errors.message", "expired".into())));
    assert!(headers.contains(&("__dlq.errors.delivery.count", "32767".into())), "Kafka reads a short");
    assert!(headers.iter().all(|(name, _)| *name != "retrial-error"));
}

#[test]
fn without_a_version_there_is_no_history() {
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&DEAD_LETTER_V1[1..]), Ok(None));
}

/// The headers of a dead letter with one of them changed: replaced, or taken out for `None`.
fn changed(name: &str, value: Option<&[u8]>) -> Result<Option<History>, HistoryError> {
    let headers = DEAD_LETTER_V1.iter().filter(|header| header.0 != name || value.is_some());
    let headers = headers.map(|(known, old)| {
        (known.as_bytes(), Some(if *known == name { value.unwrap_or(b"") } else { old.as_bytes() }))
    });
    History::decode("billing", headers)
}

#[test]
fn a_header_that_must_be_there_is_missed_by_name() {
    for name in ["group", "origin", "timestamp", "attempts", "crashes", "step", "hop", "redrives"] {
        let name = format!("retrial-{name}");
        let error = changed(&name, None).unwrap_err();
        assert!(matches!(error, HistoryError::Missing { name: missing } if missing == name), "{error}");
    }
}

#[test]
fn a_value_that_encode_does_not_write_is_refused_by_name() {
    let long = "é".repeat(513);
    for (name, values) in [
        ("version", &["", "0", "-1", "01", "one"][..]),
        (
            "origin",
            &[
                "",
                "orders",
                "orders/3",
                "orders/+3/4",
                "orders/03/4",
                "orders/3/-4",
                "orders/3/99999999999999999999",
                "a b/3/4",
                "../3/4",
                "a/b/3/4",
            ],
        ),
        (
            "timestamp",
            &[
                "",
                "2026-11-22T10:21:00.001Z",
                "create",
                "create 2026-11-22",
                "broker 2026-11-22T10:21:00.001Z",
                "none ",
            ],
        ),
        ("attempts", &["", "-1", "+1", "01", "4294967296", "1 ", "٣"]),
        ("due", &["", "now", "2026-02-30T00:00:00.000Z", "2026-11-22T10:21:00Z"]),
        ("cause", &["", "tired", "Exhausted"]),
        ("error", &["two\nlines", &long]),
        ("error-kind", &[&long[..130]]),
        ("operation", &[&long[..66], "\u{1b}[2J"]),
    ] {
        let name = format!("retrial-{name}");
        for value in values.iter().map(|value| value.as_bytes()).chain([&b"\xff\xfe"[..]]) {
            let error = changed(&name, Some(value)).unwrap_err();
            assert!(matches!(error, HistoryError::Invalid { name: found, .. } if found == name), "{error}");
            let message = error.to_string();
            assert!(message.contains(&name) && message.is_ascii() != message.contains('…'), "{message}");
        }
    }
}

#[test]
fn another_group_a_later_version_a_second_value_and_null_are_refused() {
    assert_eq!(
        changed("retrial-group", Some(b"Billing")),
        Err(HistoryError::OtherGroup { found: "\"Billing\"".into() })
    );
    assert_eq!(changed("retrial-version", Some(b"2")), Err(HistoryError::TooNew { version: 2 }));

    let twice = [DEAD_LETTER_V1, &[("retrial-hop", "7\n")]].concat();
    assert_eq!(
        read(&twice).unwrap_err().to_string(),
        "header retrial-hop is there more than once, the last time as \"7\\n\""
    );

    let null = DEAD_LETTER_V1
        .iter()
        .map(|(name, value)| (name.as_bytes(), (*name != "retrial-due").then_some(value.as_bytes())));
    assert_eq!(
        History::decode("billing", null).unwrap_err().to_string(),
        "header retrial-due is not a short UTF-8 text: null"
    );
}

#[test]
fn a_huge_value_is_shown_cut() {
    let error = changed("retrial-error", Some(&vec![0; 10_000_000])).unwrap_err().to_string();
    assert!(error.len() < 400 && error.ends_with("…\" (10000000 bytes)"), "{error}");
}

#[test]
fn the_largest_histories_fit() {
    let worst = |text: &str| History {
        origin: Origin { topic: "t".repeat(249).into(), partition: i32::MAX, offset: i64::MAX },
        time: SourceTime::Append(Timestamp::from_millis(i64::MIN)),
        attempts: u32::MAX,
        crashes: u32::MAX,
        step: u32::MAX,
        hop: u32::MAX,
        error_kind: Some(text.into()),
        error: Some(text.into()),
        cause: Some(Cause::Undecodable),
        redrives: u32::MAX,
        operation: Some(text.into()),
        replay: Some(text.into()),
        ..dead_letter()
    };
    let group = "g".repeat(crate::naming::MAX_GROUP_BYTES);
    for text in ["x", "é", "\u{10ffff}", "\0", "\u{85}"].map(|text| text.repeat(5000)) {
        let headers = worst(&text).encode(&group);
        assert!(own_bytes(&headers) <= MAX_OWN_BYTES, "{}", own_bytes(&headers));
        let value = |name| &headers.iter().find(|header| header.0 == name).unwrap().1;
        assert!(value("retrial-error").len() > 40 && value("__dlq.errors.message").len() > 40);
    }
}

#[test]
fn an_identity_is_the_same_for_ten_years() {
    assert_eq!(dead_letter().identity(), GOLDEN_IDENTITY);
    let replayed = History { operation: None, ..dead_letter() };
    assert_eq!(replayed.identity(), GOLDEN_IDENTITY_WITHOUT_OPERATION);
}

/// Computed from the words of [`History::identity`] by another program.
const GOLDEN_IDENTITY: u64 = 0xcd3c_1ad7_6847_17ea;
const GOLDEN_IDENTITY_WITHOUT_OPERATION: u64 = 0x7d7b_d50b_8865_7962;

#[test]
fn every_forward_of_a_record_has_its_own_identity() {
    let first = History::new(dead_letter().origin, SourceTime::None);
    let forwards = [
        first.clone(),
        History { origin: Origin { partition: 4, ..first.origin.clone() }, ..first.clone() },
        History { origin: Origin { offset: 4, ..first.origin.clone() }, ..first.clone() },
        History { origin: Origin { topic: "order".into(), ..first.origin.clone() }, ..first.clone() },
        History { time: SourceTime::Create(Timestamp::from_millis(0)), ..first.clone() },
        History { time: SourceTime::Append(Timestamp::from_millis(0)), ..first.clone() },
        History { time: SourceTime::Create(Timestamp::from_millis(1)), ..first.clone() },
        History { attempts: 1, ..first.clone() },
        History { crashes: 1, ..first.clone() },
        History { hop: 1, ..first.clone() },
        History { redrives: 1, ..first.clone() },
        History { operation: Some("a".into()), ..first.clone() },
        History { operation: Some(String::new()), ..first.clone() },
        History { replay: Some("a".into()), ..first.clone() },
        History { operation: Some("a".into()), replay: Some("a".into()), ..first.clone() },
    ];
    let identities: std::collections::HashSet<_> = forwards.iter().map(History::identity).collect();
    assert_eq!(identities.len(), forwards.len());

    let again = History { due: at(9), last_failed: at(8), error: Some("other".into()), step: 1, ..first.clone() };
    assert_eq!(again.identity(), first.identity(), "what differs between two runs of one attempt");
}

fn times() -> impl Strategy<Value = Option<Timestamp>> {
    let millis = prop_oneof![any::<i64>(), 0i64..4_000_000_000_000];
    prop::option::of(millis.prop_map(Timestamp::from_millis))
}

prop_compose! {
    fn origins()(topic in "[a-zA-Z0-9._-]{3,249}", partition in 0..=i32::MAX, offset in 0..=i64::MAX) -> Origin {
        Origin { topic: topic.into(), partition, offset }
    }
}

fn source_times() -> impl Strategy<Value = SourceTime> {
    (times(), any::<bool>()).prop_map(|(time, create)| match time {
        Some(time) if create => SourceTime::Create(time),
        Some(time) => SourceTime::Append(time),
        None => SourceTime::None,
    })
}

/// Any history, with texts of any length and content.
fn histories() -> impl Strategy<Value = History> {
    let text = || prop::option::of(prop_oneof!["[a-z0-9-]{0,64}", any::<String>(), "\\PC{0,400}", ".{0,3000}"]);
    let cause = prop::option::of(prop::sample::select(&Cause::ALL[..]));
    let counts = any::<[u32; 5]>();
    let (moments, texts) = ((times(), times(), times(), times()), (text(), text(), text(), text()));
    (origins(), source_times(), counts, moments, texts, cause).prop_map(
        |(origin, time, counts, moments, texts, cause)| {
            let [attempts, crashes, step, hop, redrives] = counts;
            let (due, first_failed, last_failed, expires) = moments;
            let (error_kind, error, operation, replay) = texts;
            History {
                origin,
                time,
                attempts,
                crashes,
                step,
                hop,
                due,
                first_failed,
                last_failed,
                expires,
                error_kind,
                error,
                cause,
                redrives,
                operation,
                replay,
            }
        },
    )
}

/// Any user's headers: text, binary, null, repeated, and with our names and values.
fn user_headers() -> impl Strategy<Value = Vec<Owned>> {
    let known: Vec<(&str, &str)> = [DEAD_LETTER_V1, RETRY_V1].concat();
    let names: Vec<Vec<u8>> = known.iter().map(|(name, _)| name.as_bytes().to_vec()).collect();
    let ours = prop::sample::select(known).prop_map(|(name, value)| (name.into(), Some(value.into())));
    let value = || prop::option::of(prop::collection::vec(any::<u8>(), 0..20));
    let forged = (prop::sample::select(names), value());
    let like_ours =
        ("(retrial-|__dlq\\.errors\\.)[a-z]{0,3}", value()).prop_map(|(name, value)| (name.into_bytes(), value));
    let foreign = (prop::collection::vec(any::<u8>(), 0..12), value());
    prop::collection::vec(prop_oneof![ours, forged, like_ours, foreign], 0..40)
}

/// Values that are wrong for every header, and values that are right for some.
fn values() -> impl Strategy<Value = Option<Vec<u8>>> {
    let written = prop::sample::select(DEAD_LETTER_V1).prop_map(|(_, value)| value.to_owned());
    let text =
        prop_oneof![written, "[+-]?[0-9]{1,11}", "[a-z]{1,6}(/[0-9]{1,3}){2}", "(create|append) [0-9]{1,3}", ".{0,40}"];
    let bytes = prop_oneof![4 => text.prop_map(String::into_bytes), 1 => prop::collection::vec(any::<u8>(), 0..40)];
    prop::option::weighted(0.9, bytes)
}

proptest! {
    #[test]
    fn source_times_read_back(time in source_times()) {
        prop_assert_eq!(time.to_string().parse(), Ok(time));
    }

    #[test]
    fn a_history_reads_back(history in histories(), group in "\\PC{1,80}") {
        let headers = history.encode(&group);
        prop_assert!(own_bytes(&headers) <= MAX_OWN_BYTES);
        let read = History::decode(&group, headers.iter().map(|(name, value)| (name.as_bytes(), Some(value.as_bytes()))));
        let read = read.unwrap().unwrap();
        prop_assert_eq!(read.identity(), history.identity());
        for (read, written, limit) in [
            (&read.error_kind, &history.error_kind, crate::outcome::MAX_KIND_BYTES),
            (&read.operation, &history.operation, MAX_ID_BYTES),
            (&read.replay, &history.replay, MAX_ID_BYTES),
        ] {
            prop_assert_eq!(read.clone(), written.as_deref().map(|text| crate::outcome::plain(text, limit)));
        }
        let whole = crate::outcome::plain(history.error.as_deref().unwrap_or_default(), usize::MAX);
        prop_assert_eq!(read.error.is_some(), history.error.is_some());
        prop_assert!(whole.starts_with(read.error.as_deref().unwrap_or_default()));
        let texts = |history: History| History { error_kind: None, error: None, operation: None, replay: None, ..history };
        prop_assert_eq!(texts(read.clone()), texts(history));
        // What was read is written the same again: nothing shrinks or grows from hop to hop.
        prop_assert_eq!(read.encode(&group), headers);
    }

    #[test]
    fn the_users_headers_survive_every_hop(user in user_headers(), hops in prop::collection::vec(histories(), 1..6)) {
        let mut record = user.clone();
        for (hop, history) in hops.iter().enumerate() {
            record = forwarded("billing", history, &record, hop > 0);
            let shown: Vec<_> = carried(borrowed(&record), true).collect();
            prop_assert_eq!(shown, borrowed(&user).collect::<Vec<_>>());
            let own = &record[user.len()..];
            prop_assert!(own.iter().map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len)).sum::<usize>() <= MAX_OWN_BYTES);
            let alone = History::decode("billing", borrowed(own));
            prop_assert_eq!(History::decode("billing", borrowed(&record)), alone);
        }
    }

    #[test]
    fn dead_letters_of_one_group_are_plain_records_to_the_next(user in user_headers(), first in histories(), second in histories()) {
        let letter = forwarded("billing", &first, &user, false);
        let retry = forwarded("audit", &second, &letter, false);
        prop_assert_eq!(carried(borrowed(&retry), true).collect::<Vec<_>>(), borrowed(&letter).collect::<Vec<_>>());
        prop_assert_eq!(History::decode("audit", borrowed(&retry)), History::decode("audit", borrowed(&retry[letter.len()..])));
        prop_assert!(History::decode("audit", borrowed(&retry)).is_ok());
    }

    #[test]
    fn headers_appended_by_others_are_the_users(user in user_headers(), history in histories(), trace in "[a-q]{0,9}") {
        let mut record = forwarded("billing", &history, &user, false);
        record.push((trace.clone().into_bytes(), None));
        let expected: Vec<_> = user.iter().cloned().chain([(trace.into_bytes(), None)]).collect();
        prop_assert_eq!(carried(borrowed(&record), true).collect::<Vec<_>>(), borrowed(&expected).collect::<Vec<_>>());
        prop_assert!(History::decode("billing", borrowed(&record)).is_ok_and(|read| read.is_some()));
    }

    #[test]
    fn a_value_changed_anyhow_is_refused_or_written_again_as_it_is(index in 0..DEAD_LETTER_V1.len(), value in values()) {
        let headers = || DEAD_LETTER_V1.iter().enumerate().map(|(at, (name, old))| {
            (name.as_bytes(), if at == index { value.as_deref() } else { Some(old.as_bytes()) })
        });
        if let Ok(Some(history)) = History::decode("billing", headers()) {
            let written = history.encode("billing");
            let name = DEAD_LETTER_V1[index].0;
            let again = written.iter().find(|header| header.0 == name).map(|header| header.1.as_bytes());
            prop_assert!(name.starts_with("__dlq") || again == value.as_deref());
        }
    }
}

#[test]
fn a_records_time_is_the_same_whoever_set_it() {
    let time = Timestamp::from_millis(7);
    let times = [SourceTime::None, SourceTime::Create(time), SourceTime::Append(time)];
    assert_eq!(times.map(SourceTime::timestamp), [None, Some(time), Some(time)]);
}
