use super::*;
use proptest::prelude::*;
use std::collections::BTreeSet;

const ID: [u8; 16] = [0xab; 16];

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn operation() -> Operation {
    let span =
        |partition| Span { topic: "billing.dlq".into(), topic_id: Some(ID), partition, from: 0, next: 7, end: 40 };
    Operation {
        id: "redrive-1".into(),
        kind: Kind::Redrive,
        who: "alice@ops".into(),
        began: at(1_795_342_860_000),
        changed: at(1_795_342_861_000),
        state: State::Running,
        planned: 50,
        counts: Counts { sent: 7, settled: 8, left: 1 },
        batches: 3,
        reason: None,
        note: Some("interrupted".into()),
        request: "{\"filter\":{}}".into(),
        spans: vec![span(0), span(1)],
    }
}

#[test]
fn each_record_has_a_frozen_spelling() {
    let text = "1\nkind redrive\nwho alice@ops\nbegan 2026-11-22T10:21:00.000Z\nchanged 2026-11-22T10:21:01.000Z\n\
                state running\nplanned 50\nsent 7\nsettled 8\nleft 1\nbatches 3\nnote interrupted\n\
                request {\"filter\":{}}\nspan abababababababababababababababab 0 0 7 40 billing.dlq\n\
                span abababababababababababababababab 1 0 7 40 billing.dlq";
    assert_eq!(operation().encode(), text);
    let claim = Claim { operation: "redrive-1".into(), session: 0xfeed, who: "alice".into() };
    assert_eq!(claim.encode(), "1\noperation redrive-1\nsession 000000000000feed\nwho alice");
    let request = StopRequest { who: "bob".into(), at: at(1_795_342_860_000) };
    assert_eq!(request.encode(), "1\nwho bob\nat 2026-11-22T10:21:00.000Z");
    let mut page = Page::new(Some(ID));
    [3, 4, 5, 300].into_iter().for_each(|place| page.settle(place, Settlement::Redriven));
    page.settle(1, Settlement::Discarded);
    let expected = [&[1, 1][..], &ID, &[1, 2, 3, 3, 0xa6, 2, 1], &[1, 1, 1, 1]].concat();
    assert_eq!(page.encode(), expected);
    assert_eq!(page_key("billing.dlq", 3, 17), "settled/billing.dlq/3/17");
    assert_eq!((operation_key("x"), claim_key(), stop_key("x")), ("operation/x".into(), "claim", "stop/x".into()));
}

#[test]
fn of_each_key_the_last_record_counts_and_null_takes_it_back() {
    let mut control = Control::default();
    let key = operation_key("redrive-1");
    control.take_in(key.as_bytes(), Some(b"rubbish"), at(0));
    assert_eq!((control.warnings().count(), control.operations.len()), (1, 0));
    control.take_in(key.as_bytes(), Some(operation().encode().as_bytes()), at(0));
    assert_eq!((control.warnings().count(), control.operations.get("redrive-1")), (0, Some(&operation())));
    control.take_in(key.as_bytes(), None, at(0));
    let claim = Claim { operation: "redrive-1".into(), session: 1, who: "alice".into() };
    control.take_in(b"claim", Some(claim.encode().as_bytes()), at(17));
    assert_eq!(control.claim, Some(SeenClaim { claim, at: at(17) }));
    control.take_in(b"claim", None, at(18));
    let mut settled = Settled::default();
    let page = settled.settle("billing.dlq", Some(ID), 3, 70_000, Settlement::Redriven);
    let (key, value) = settled.record("billing.dlq", 3, page).unwrap();
    control.take_in(key.as_bytes(), Some(&value), at(0));
    assert_eq!(control.settled, settled);
    control.take_in(key.as_bytes(), None, at(0));
    assert_eq!(control, Control::default());
}

#[test]
fn rule_29_what_is_newer_or_damaged_is_told_and_other_rooms_are_left_alone() {
    let good = operation().encode();
    let twice = format!("{good}\nplanned 50");
    let spelt = good.replace("planned 50", "planned 050");
    let backwards = good.replace(" 0 0 7 40", " 0 8 7 40");
    let later = good.replacen('1', "2", 1);
    for (key, value) in [
        ("operation/redrive-1", later.as_bytes()),
        ("operation/redrive-1", twice.as_bytes()),
        ("operation/redrive-1", spelt.as_bytes()),
        ("operation/redrive-1", backwards.as_bytes()),
        ("operation/redrive-1", b"".as_slice()),
        ("claim", b"1\noperation x"),
        ("stop/x", b"1\nwho x\nat soon"),
        ("settled/billing.dlq/3", b"\x01\x00\x01\x00\x01\x00"),
        ("settled/billing.dlq/03/1", b"\x01\x00\x01\x00\x01\x00"),
        ("settled/billing.dlq/3/-1", b"\x01\x00\x01\x00\x01\x00"),
        ("settled/billing.dlq/3/9223372036854775807", b"\x01\x00\x01\x00\x01\x00"),
        ("settled/billing.dlq/3/1", b"\x02\x00\x01\x00\x01\x00"),
        ("settled/billing.dlq/3/1", b"\x01\x00\x01\x01\x00\x00\x01\x00"),
        ("settled/billing.dlq/3/1", b"\x01\x00\x01\x01\x00\x01\x01\x01\x00\x01"),
    ] {
        let mut control = Control::default();
        control.take_in(key.as_bytes(), Some(value), at(0));
        let warnings: Vec<&str> = control.warnings().collect();
        assert!(warnings.len() == 1 && warnings[0].starts_with("control record "), "{key}: {warnings:?}");
        assert_eq!(Control { unread: BTreeMap::new(), ..control.clone() }, Control::default());
        control.take_in(key.as_bytes(), None, at(0));
        assert_eq!(control, Control::default(), "{key} was taken back");
    }
    let mut control = Control::default();
    for key in ["partition/orders/3", "clock", "whatever", ""] {
        control.take_in(key.as_bytes(), Some(b"anything"), at(0));
    }
    control.take_in(b"\xff", Some(b"anything"), at(0));
    assert_eq!(control, Control::default());
}

#[test]
fn rule_20_marks_of_a_topic_that_was_made_anew_settle_nothing_in_the_new_one() {
    let mut settled = Settled::default();
    for offset in 0..10 {
        assert_eq!(settled.settle("billing.dlq", Some(ID), 0, offset, Settlement::Redriven), 0, "the page");
    }
    assert_eq!(settled.get("billing.dlq", Some(ID), 0, 3), Some(Settlement::Redriven));
    let anew = Some([1; 16]);
    assert_eq!(settled.get("billing.dlq", anew, 0, 3), None);
    assert_eq!(
        (settled.count("billing.dlq", anew, 0, 0, 10), settled.first_open("billing.dlq", anew, 0, 0, 10)),
        (0, 0)
    );
    settled.settle("billing.dlq", anew, 0, 4, Settlement::Discarded);
    assert_eq!(
        (settled.get("billing.dlq", anew, 0, 4), settled.get("billing.dlq", anew, 0, 3)),
        (Some(Settlement::Discarded), None)
    );
}

#[test]
fn only_pages_that_nothing_can_ask_for_are_obsolete() {
    let mut settled = Settled::default();
    for (id, partition, offset) in [(ID, 0, 5), (ID, 0, PAGE), (ID, 1, 5), ([1; 16], 2, 5), (ID, 7, 5)] {
        settled.settle("billing.dlq", Some(id), partition, offset, Settlement::Redriven);
    }
    settled.settle("other.dlq", Some([1; 16]), 0, 5, Settlement::Redriven);
    let starts = BTreeMap::from([(0, PAGE), (1, PAGE - 1), (2, 0)]);
    assert_eq!(
        settled.obsolete("billing.dlq", Some(ID), &starts),
        ["settled/billing.dlq/0/0", "settled/billing.dlq/2/0"]
    );
    assert!(settled.obsolete("billing.dlq", None, &starts).is_empty(), "nobody knows which topic it is");
}

/// Who holds the claim, in a world where anybody may try anything at any time, and pages of control are what decides.
#[test]
fn rule_18_a_fresh_claim_of_another_is_refused_with_its_name_and_a_silent_one_yields_to_who_insists() {
    let claim = Claim { operation: "redrive-1".into(), session: 7, who: "alice".into() };
    let seen = SeenClaim { claim: claim.clone(), at: at(1_000_000) };
    let after = |millis| at(1_000_000 + millis);
    let fresh = FRESH.as_millis() as i64;
    for (session, now, take_over, yields) in [
        (7, after(0), false, true),
        (7, after(fresh * 10), false, true),
        (8, after(fresh - 1), true, false),
        (8, after(fresh - 1), false, false),
        (8, after(fresh), false, false),
        (8, after(fresh), true, true),
        // A broker's clock that goes back makes nothing stale.
        (8, after(-1), true, false),
    ] {
        let answer = seen.yields_to(session, now, take_over);
        assert_eq!(answer.is_ok(), yields, "{session} {now} {take_over}");
        assert!(answer.is_ok() || answer.is_err_and(|other| other.claim == claim));
    }
}

#[test]
fn versions_are_told_apart_from_damage() {
    let told = |value: &[u8]| (Claim::decode(value).err(), StopRequest::decode(value).err());
    let too_new = Some(ControlError::TooNew(2));
    assert_eq!(told(b"2\nwho alice"), (too_new, too_new));
    for value in [&b"01\nwho alice"[..], b"0\nwho alice", b"-1", b"x", b""] {
        assert_eq!(told(value), (Some(ControlError::Damaged), Some(ControlError::Damaged)), "{value:?}");
    }
    let page = |version: u8| {
        let mut value = Page::new(None).encode();
        value[0] = version;
        Page::decode(&value)
    };
    assert_eq!(page(0), Err(ControlError::Damaged));
    assert_eq!(page(1), Ok(Page::new(None)));
    assert_eq!(page(2), Err(ControlError::TooNew(2)));
}

#[test]
fn settled_letters_of_many_pages_are_counted() {
    let mut settled = Settled::default();
    let last = i64::MAX / PAGE - 1;
    for page in [0, 1, 2, 70_000, last] {
        settled.settle("billing.dlq", None, 0, page * PAGE + 10, Settlement::Redriven);
    }
    let count = |from, to| settled.count("billing.dlq", Some(ID), 0, from, to);
    assert_eq!((count(0, 3 * PAGE), count(0, i64::MAX), count(PAGE, 2 * PAGE), count(11, PAGE)), (3, 5, 1, 0));
    let (key, value) = settled.record("billing.dlq", 0, last).unwrap();
    assert_eq!(Settled::default().take_in(key.strip_prefix(SETTLED).unwrap(), Some(&value)), Ok(()));
    // Its offsets would pass the highest number.
    let beyond = format!("billing.dlq/0/{}", last + 1);
    assert_eq!(Settled::default().take_in(&beyond, Some(&value)), Err(ControlError::Damaged));
}

#[test]
fn what_is_listed_of_operations() {
    let mut control = Control::default();
    for (id, began) in [("replay-b", 1), ("redrive-a", 3), ("replay-c", 1), ("discard-d", 2)] {
        control.operations.insert(id.into(), Operation { id: id.into(), began: at(began), ..operation() });
    }
    let ids: Vec<&str> = control.newest_first().iter().map(|operation| operation.id.as_str()).collect();
    assert_eq!(ids, ["redrive-a", "discard-d", "replay-c", "replay-b"]);
    let span = |from, next, end| Span { from, next, end, ..operation().spans[0].clone() };
    let spans = vec![span(10, 15, 40), span(0, 7, 9)];
    assert_eq!(Operation { spans, ..operation() }.offsets(), (12, 39));
    assert_eq!([Settlement::Redriven, Settlement::Discarded].map(|how| how.to_string()), ["redriven", "discarded"]);
}

fn words() -> impl Strategy<Value = String> {
    "[ -~äß漢]{0,40}"
}

fn span() -> impl Strategy<Value = Span> {
    (prop::option::of(any::<[u8; 16]>()), 0..=i32::MAX, prop::array::uniform3(0..=i64::MAX), "[a-z.]{1,20}").prop_map(
        |(topic_id, partition, mut offsets, topic)| {
            offsets.sort_unstable();
            let [from, next, end] = offsets;
            Span { topic, topic_id, partition, from, next, end }
        },
    )
}

prop_compose! {
    fn any_operation()(
        kind in prop::sample::select(vec![Kind::Redrive, Kind::Discard, Kind::Replay]),
        state in prop::sample::select(vec![State::Running, State::Stopped, State::Done]),
        who in words(), request in words(),
        reason in prop::option::of(words()), note in prop::option::of(words()),
        numbers in any::<[u64; 5]>(), times in any::<[i64; 2]>(),
        spans in prop::collection::vec(span(), 0..6),
    ) -> Operation {
        let [planned, sent, settled, left, batches] = numbers;
        let counts = Counts { sent, settled, left };
        let [began, changed] = times.map(at);
        Operation { id: "x".into(), kind, who, began, changed, state, planned, counts, batches, reason, note, request, spans }
    }
}

proptest! {
    #[test]
    fn every_operation_reads_back(operation in any_operation()) {
        prop_assert_eq!(Operation::decode("x", operation.encode().as_bytes()), Ok(operation));
    }

    #[test]
    fn every_claim_and_every_request_reads_back(who in words(), id in "[a-z0-9-]{0,60}", session in any::<u64>(), when in any::<i64>()) {
        let claim = Claim { operation: id, session, who: who.clone() };
        prop_assert_eq!(Claim::decode(claim.encode().as_bytes()), Ok(claim));
        let request = StopRequest { who, at: at(when) };
        prop_assert_eq!(StopRequest::decode(request.encode().as_bytes()), Ok(request));
    }

    #[test]
    fn a_text_forges_no_line(who in "[a-z\n\r]{0,30}", request in "[a-z \n\r]{0,30}") {
        let written = Operation { who, request, ..operation() };
        let read = Operation::decode("redrive-1", written.encode().as_bytes()).unwrap();
        prop_assert_eq!((read.kind, read.planned, read.spans), (Kind::Redrive, 50, operation().spans));
    }

    #[test]
    fn no_bytes_make_it_panic(
        key in prop::sample::select(vec!["operation/x", "claim", "stop/x", "settled/t/0/0", "settled/"]),
        value in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..200),
            prop::collection::vec(any::<u8>(), 0..40).prop_map(|rest| [&[1, 0, 1][..], &rest].concat()),
            "1\n(kind|span|who|session|at) [ -~]{0,40}".prop_map(String::into_bytes),
        ],
    ) {
        let mut control = Control::default();
        control.take_in(key.as_bytes(), Some(&value), at(0));
        // What was read is what would be written.
        if let Some(read) = control.operations.get("x") {
            prop_assert_eq!(read.encode().into_bytes(), value);
        } else if let Some((_, record)) = control.settled.record("t", 0, 0) {
            prop_assert_eq!(record, value);
        }
    }

    #[test]
    fn settled_letters_are_those_that_were_marked(
        marks in prop::collection::vec((0i64..3 * PAGE, any::<bool>()), 0..300),
        run in (0i64..2 * PAGE, 0i64..1000),
        range in (0i64..3 * PAGE, 0i64..3 * PAGE),
    ) {
        let (mut settled, mut model) = (Settled::default(), BTreeMap::new());
        let as_ = |redriven| if redriven { Settlement::Redriven } else { Settlement::Discarded };
        let run = (run.0..run.0 + run.1).map(|offset| (offset, true));
        for (offset, redriven) in marks.into_iter().chain(run) {
            settled.settle("t", Some(ID), 1, offset, as_(redriven));
            model.entry(offset).or_insert(as_(redriven));
        }
        let mut read = Control::default();
        for page in 0..4 {
            if let Some((key, value)) = settled.record("t", 1, page) {
                prop_assert!(value.len() <= 2 * 8192 + 30);
                read.take_in(key.as_bytes(), Some(&value), at(0));
            }
        }
        prop_assert_eq!((&read.settled, read.warnings().count()), (&settled, 0));
        for offset in model.keys().copied().chain([0, PAGE - 1, PAGE, 3 * PAGE]).collect::<BTreeSet<i64>>() {
            prop_assert_eq!(read.settled.get("t", Some(ID), 1, offset), model.get(&offset).copied());
        }
        let (from, to) = (range.0.min(range.1), range.0.max(range.1));
        prop_assert_eq!(settled.count("t", Some(ID), 1, from, to), model.range(from..to).count() as u64);
        let open = (from..to).find(|offset| !model.contains_key(offset)).unwrap_or(to);
        prop_assert_eq!(settled.first_open("t", Some(ID), 1, from, to), open);
        prop_assert_eq!(settled.get("t", Some(ID), 2, 0), None);
    }
}
