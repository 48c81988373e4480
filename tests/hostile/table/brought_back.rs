//! Rows that bring a dead letter back by hand, while its group runs.

use super::{
    row::{Outcome, Place, Row, Written},
    scene::{Neighbours, Scene, between_neighbours},
    source::{Found, check},
};
use crate::{letters::by_origin, raw, raw::Raw, sights::Sights, stage};
use retrial_kafka_for_tests::Kafka;

/// Writes the letters, and checks what comes of them. All of them end as dead letters once more.
pub(super) async fn run<'l>(
    kafka: &Kafka,
    scene: &Scene,
    rows: &[&Row],
    letter: impl Fn(&str) -> &'l Raw,
    sights: &Sights,
    neighbours: &mut Neighbours,
) {
    let before = raw::read(kafka, &scene.own("dlq"));
    let written: Vec<(&Row, &Raw, i64)> =
        rows.iter().map(|row| write(kafka, scene, row, &letter, neighbours)).collect();
    let dead = stage::records_of(kafka, &scene.own("dlq"), before.len() + rows.len()).await;
    until_all_is_committed(kafka, scene).await;
    let tier = raw::read(kafka, &scene.own("retry.1s"));
    let dead: Vec<Raw> = dead.into_iter().filter(|letter| !before.contains(letter)).collect();
    let found = Found { tier, dead, seen: sights.all() };
    for (row, letter, offset) in written {
        match row.outcome {
            Outcome::RefusedAgain(attempt) | Outcome::RefusedOnce(attempt) => refused(row, letter, attempt, &found),
            _ => check(&row.name, letter, &row.outcome, &format!("{}/0/{offset}", scene.topic), &found),
        }
    }
}

fn write<'r, 'l>(
    kafka: &Kafka,
    scene: &Scene,
    row: &'r Row,
    letter: &impl Fn(&str) -> &'l Raw,
    neighbours: &mut Neighbours,
) -> (&'r Row, &'l Raw, i64) {
    let Written::LetterOf(name) = row.written else { panic!("{} brings nothing back", row.name) };
    let letter = letter(name);
    let topic = match row.place {
        Place::LetterIntoTier => scene.own("retry.1s"),
        Place::LetterIntoWayBack => scene.own("retry.0s"),
        _ => scene.topic.clone(),
    };
    let into_source = topic == scene.topic;
    let neighbour = || if into_source { neighbours.of_source() } else { neighbours.of_tier(scene) };
    let offsets = between_neighbours(kafka, &topic, &[(letter, row.outcome.times())], neighbour);
    (row, letter, offsets[0])
}

/// Waits until nothing of the group is unfinished.
async fn until_all_is_committed(kafka: &Kafka, scene: &Scene) {
    for topic in [scene.topic.clone(), scene.own("retry.1s"), scene.own("retry.0s")] {
        let end = kafka.offsets(&topic)[&0].1;
        stage::until_committed(kafka, &scene.group, &topic, 0, end).await;
    }
}

/// That one more attempt was made, and that its dead letter says nothing else of the record.
fn refused(row: &Row, letter: &Raw, attempt: u32, found: &Found) {
    let name = &row.name;
    let origin = letter.text("retrial-origin").expect("a letter has an origin");
    let attempts: Vec<u32> =
        found.seen.iter().filter(|sight| sight.origin.to_string() == origin).map(|sight| sight.attempt).collect();
    assert_eq!(attempts, (1..=attempt).collect::<Vec<_>>(), "{name}");
    let again = by_origin(&found.dead, &origin);
    assert_eq!(again.len(), 1, "{name}");
    assert_eq!((&again[0].key, &again[0].body), (&letter.key, &letter.body), "{name}");
    let cleared = |record: &Raw| crate::letters::split(record).0;
    assert_eq!(cleared(again[0]), cleared(letter), "{name}: the user's headers");
    assert_eq!(again[0].text("retrial-attempts"), Some(attempt.to_string()), "{name}");
    assert_eq!(again[0].text("retrial-timestamp"), letter.text("retrial-timestamp"), "{name}");
}
