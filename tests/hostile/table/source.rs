//! Rows of source topics: written, handled, and compared with what tier and dead letters hold.

use super::{
    row::{Outcome, Row, Written},
    scene::{Neighbours, Scene, between_neighbours},
};
use crate::{
    letters::{by_origin, reference, split},
    raw::Raw,
    sights::{Sight, Sights, twice},
    stage,
};
use retrial::{HandlerSet, Retry, StartAt, handler, secs};
use retrial_kafka_for_tests::Kafka;

/// What one service left behind.
pub(super) struct Found {
    pub(super) tier: Vec<Raw>,
    pub(super) dead: Vec<Raw>,
    pub(super) seen: Vec<Sight>,
}

fn app(scene: &Scene, sights: &Sights) -> HandlerSet {
    let handling = handler(twice).retry(Retry::delays([secs(1)]).in_place(0));
    stage::app(&scene.group, &[1]).state(sights.clone()).topic(&scene.topic, handling).build().expect("an app")
}

/// What a row writes.
pub(super) fn record(row: &Row) -> &Raw {
    let Written::Record(record) = &row.written else { panic!("{} is no record", row.name) };
    record
}

/// Writes, runs and checks the rows of one source topic, and then those that bring its dead letters back. Returns how
/// many neighbours were handled.
pub(super) async fn run(kafka: &Kafka, scene: &Scene, rows: &[&Row], brought_back: &[&Row]) -> usize {
    let records: Vec<(&Raw, usize)> = rows.iter().map(|row| (record(row), 1)).collect();
    let mut neighbours = Neighbours::default();
    let offsets = between_neighbours(kafka, &scene.topic, &records, || neighbours.of_source());
    let sights = Sights::default();
    let settings = stage::quick().start_at(StartAt::Earliest);
    let running = stage::run(app(scene, &sights), stage::reach(kafka), settings).await;
    let dead = stage::records_of(kafka, &scene.own("dlq"), rows.len()).await;
    stage::until_committed(kafka, &scene.group, &scene.topic, 0, 2 * rows.len() as i64 + 1).await;
    let carried = rows.iter().filter(|row| row.outcome == Outcome::Carried).count();
    let tier = stage::records_of(kafka, &scene.own("retry.1s"), carried).await;
    let found = Found { tier, dead, seen: sights.all() };
    let origins: Vec<String> = offsets.iter().map(|offset| format!("{}/0/{offset}", scene.topic)).collect();
    for (row, origin) in rows.iter().zip(&origins) {
        check(&row.name, record(row), &row.outcome, origin, &found);
    }
    if !brought_back.is_empty() {
        let letter = |name: &str| {
            let at = rows.iter().position(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"));
            by_origin(&found.dead, &origins[at])[0]
        };
        super::brought_back::run(kafka, scene, brought_back, letter, &sights, &mut neighbours).await;
    }
    stage::stop(running).await;
    neighbours.assert_handled(&sights.all());
    neighbours.count()
}

/// That a record of the source had its outcome.
pub(super) fn check(name: &str, sent: &Raw, outcome: &Outcome, origin: &str, found: &Found) {
    let letters = by_origin(&found.dead, origin);
    assert_eq!(letters.len(), 1, "{name}: dead letters");
    match outcome {
        Outcome::Carried => {
            let forwards = by_origin(&found.tier, origin);
            assert_eq!(forwards.len(), 1, "{name}: forwards");
            assert_carried("the tier", name, origin, sent, forwards[0]);
            assert_carried("the dead letters", name, origin, sent, letters[0]);
            assert_seen(name, sent, &found.seen, origin, &[1, 2]);
            for (header, value) in [("retrial-cause", "refused"), ("retrial-attempts", "2")] {
                assert_eq!(letters[0].text(header).as_deref(), Some(value), "{name}: {header}");
            }
            assert_eq!(letters[0].text("__dlq.errors.topic").as_deref(), origin.split('/').next(), "{name}");
        }
        &Outcome::ByReference { key, headers } => {
            assert_reference(name, sent, key, headers, letters[0], origin);
            assert_seen(name, sent, &found.seen, origin, &[1]);
        }
        other => panic!("{name}: {other:?} is no outcome of a source record"),
    }
}

/// That a forward carries its record, byte for byte, and ours behind it.
fn assert_carried(place: &str, name: &str, origin: &str, sent: &Raw, found: &Raw) {
    let (users, ours) = split(found);
    assert!(users == sent.headers, "{name}: headers in {place}: {:?}", stage::shown(found));
    assert!(found.key == sent.key, "{name}: key in {place}");
    assert!(found.body == sent.body, "{name}: body in {place}");
    assert_eq!(ours[2], ("retrial-origin".into(), origin.to_owned()), "{name}: in {place}");
    let own = ours.iter().map(|(name, value)| name.len() + value.len()).sum::<usize>();
    assert!(own <= 2048, "{name}: {own} bytes of our headers in {place}");
    assert!(ours.iter().all(|(name, _)| name.starts_with("retrial-") || name.starts_with("__dlq.errors.")));
}

/// That these attempts, and no others, saw the record as it was sent.
fn assert_seen(name: &str, sent: &Raw, seen: &[Sight], origin: &str, attempts: &[u32]) {
    let of_it: Vec<&Sight> = seen.iter().filter(|sight| sight.origin.to_string() == origin).collect();
    assert_eq!(of_it.iter().map(|sight| sight.attempt).collect::<Vec<_>>(), attempts, "{name}");
    for sight in of_it {
        assert!(sight.key == sent.key && sight.body == sent.body, "{name}: attempt {}", sight.attempt);
        assert!(sight.headers == sent.headers, "{name}: attempt {}", sight.attempt);
        let time = sight.time.timestamp().map(|time| time.as_millis());
        assert_eq!(time, Some(sent.time).filter(|&time| time != -1), "{name}: attempt {}", sight.attempt);
    }
}

/// That a dead letter tells where its record is, and shows what it can of it.
fn assert_reference(name: &str, sent: &Raw, key: bool, headers: bool, letter: &Raw, origin: &str) {
    assert_eq!(letter.text("retrial-reference").as_deref(), Some(origin), "{name}");
    assert_eq!(letter.text("retrial-cause").as_deref(), Some("refused"), "{name}");
    assert_eq!(letter.text("retrial-error-kind").as_deref(), Some("too-large"), "{name}");
    assert!(letter.text("retrial-error").is_some_and(|error| !error.is_empty()), "{name}: {:?}", stage::shown(letter));
    let expected_key = sent.key.clone().filter(|_| key);
    let expected_headers = if headers { sent.headers.clone() } else { Vec::new() };
    assert!(letter.key == expected_key, "{name}: the key");
    assert!(split(letter).0 == expected_headers, "{name}: the headers");
    let (text, head) = reference(letter);
    assert!(
        text.contains(&format!("record: {origin}\n")) && text.contains("kept-until: unlimited\n"),
        "{name}: {text}"
    );
    let body = sent.body.as_deref().expect("a body");
    assert!(head == body[..body.len().min(1024)], "{name}: how the body begins");
}
