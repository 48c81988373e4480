//! Rows of a group's own tiers, written there by hand.

use super::{
    row::{Outcome, Place, Row},
    scene::{Neighbours, Scene, between_neighbours},
    source::record,
};
use crate::{
    letters::by_origin,
    raw::Raw,
    sights::{Sight, Sights},
    stage,
};
use retrial::{Failure, HandlerSet, Retry, State, handler, secs};
use retrial_kafka_for_tests::Kafka;

/// Minds only what says that it fails.
async fn see_or_fail(sight: Sight, State(sights): State<Sights>) -> Result<(), Failure> {
    let fails = sight.body.as_deref() == Some(b"fails");
    sights.see(sight);
    if fails { Err(Failure::retry("it fails")) } else { Ok(()) }
}

fn app(scene: &Scene, sights: &Sights) -> HandlerSet {
    let handling = handler(see_or_fail).retry(Retry::delays([secs(1)]).in_place(0));
    stage::app(&scene.group, &[1, 30]).state(sights.clone()).topic(&scene.topic, handling).build().expect("an app")
}

/// What one service left behind.
struct Found {
    dead: Vec<Raw>,
    waiting: Vec<Raw>,
    seen: Vec<Sight>,
}

/// Writes, runs and checks. Returns how many neighbours were handled.
pub(super) async fn run(kafka: &Kafka, scene: &Scene, rows: &[&Row]) -> usize {
    let sights = Sights::default();
    stage::make_topics(app(scene, &sights), stage::reach(kafka)).await;
    let mut neighbours = Neighbours::default();
    let mut written: Vec<(&Row, String)> = Vec::new();
    for (place, own) in [(Place::Tier, "retry.1s"), (Place::WayBack, "retry.0s")] {
        let topic = scene.own(own);
        let here: Vec<&Row> = rows.iter().filter(|row| row.place == place).copied().collect();
        let records: Vec<(&Raw, usize)> = here.iter().map(|row| (record(row), row.outcome.times())).collect();
        let offsets = between_neighbours(kafka, &topic, &records, || neighbours.of_tier(scene));
        written.extend(here.into_iter().zip(offsets.into_iter().map(|offset| format!("{topic}/0/{offset}"))));
    }
    let running = stage::run(app(scene, &sights), stage::reach(kafka), stage::quick()).await;
    for own in ["retry.1s", "retry.0s"] {
        let topic = scene.own(own);
        let end = kafka.offsets(&topic)[&0].1;
        stage::until_committed(kafka, &scene.group, &topic, 0, end).await;
    }
    stage::stop(running).await;
    let dead = rows.iter().filter(|row| matches!(row.outcome, Outcome::Undecodable(_) | Outcome::Dead(..))).count();
    let hops = rows.iter().filter(|row| row.outcome == Outcome::Hops).count();
    let found = Found {
        dead: stage::records_of(kafka, &scene.own("dlq"), dead).await,
        waiting: stage::records_of(kafka, &scene.own("retry.30s"), hops).await,
        seen: sights.all(),
    };
    written.iter().for_each(|(row, place)| check(row, place, &found));
    neighbours.assert_handled(&found.seen);
    neighbours.count()
}

fn check(row: &Row, place: &str, found: &Found) {
    let (name, sent) = (format!("{} in {place}", row.name), record(row));
    let origin = sent.text("retrial-origin").unwrap_or_default();
    let attempts: Vec<u32> =
        found.seen.iter().filter(|sight| sight.origin.to_string() == origin).map(|sight| sight.attempt).collect();
    let expected = match row.outcome {
        Outcome::Handled(attempt) | Outcome::HandledOnce(attempt) => vec![attempt],
        Outcome::Dead("exhausted", attempts) => vec![attempts],
        _ => Vec::new(),
    };
    assert_eq!(attempts, expected, "{name}");
    match row.outcome {
        Outcome::Handled(_) | Outcome::HandledOnce(_) => {
            let sight = found.seen.iter().find(|sight| sight.origin.to_string() == origin).expect("it was seen");
            assert!((&sight.key, &sight.body) == (&sent.key, &sent.body), "{name}");
        }
        Outcome::Undecodable(error) => undecodable(&name, sent, place, error, &found.dead),
        Outcome::Dead(cause, attempts) => {
            let letters = by_origin(&found.dead, &origin);
            assert_eq!(letters.len(), 1, "{name}");
            assert_eq!(letters[0].text("retrial-cause").as_deref(), Some(cause), "{name}");
            assert_eq!(letters[0].text("retrial-attempts"), Some(attempts.to_string()), "{name}");
            assert!((&letters[0].key, &letters[0].body) == (&sent.key, &sent.body), "{name}");
        }
        Outcome::Hops => {
            let waiting = by_origin(&found.waiting, &origin);
            assert_eq!(waiting.len(), 1, "{name}");
            assert!((&waiting[0].key, &waiting[0].body) == (&sent.key, &sent.body), "{name}");
            assert_eq!(waiting[0].text("user").as_deref(), Some("header"), "{name}");
            assert_eq!(waiting[0].text("retrial-attempts").as_deref(), Some("1"), "{name}: no attempt was made");
        }
        ref other => panic!("{name}: {other:?} is no outcome in a tier"),
    }
}

/// A record that we did not write is evidence: it is a dead letter whole and with its headers.
fn undecodable(name: &str, sent: &Raw, place: &str, error: &str, dead: &[Raw]) {
    let letters = by_origin(dead, place);
    assert_eq!(letters.len(), 1, "{name}");
    let letter = letters[0];
    assert!((&letter.key, &letter.body) == (&sent.key, &sent.body), "{name}");
    assert!(letter.headers[..sent.headers.len()] == sent.headers, "{name}: headers are evidence");
    assert_eq!(letter.text("retrial-cause").as_deref(), Some("undecodable"), "{name}");
    let text = letter.text("retrial-error").unwrap_or_default();
    assert!(text.contains(error), "{name}: {text}");
}
