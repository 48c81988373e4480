//! The table of hostile things: what is written where, what comes of it, which counter moves.
//!
//! Each row stands between neighbours, in a partition that one service reads with all other rows of its place: so a row
//! that stops, loses or doubles anything fails the test. Counters are compared as sums over a topic's rows.

mod brought_back;
mod commits;
mod row;
mod rows;
mod scene;
mod source;
mod tier;

use crate::counters::{self, Name};
use retrial_kafka_for_tests::{Kafka, available};
use row::{Place, Row};
use scene::Scenes;
use std::{collections::BTreeMap, io::Write as _};

/// Rows of these places, in order.
fn of<'r>(rows: &'r [Row], places: &[Place]) -> Vec<&'r Row> {
    rows.iter().filter(|row| places.contains(&row.place)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_hostile_thing_has_its_outcome_and_its_counter_and_its_neighbours_are_handled_once() {
    let kafka = available!(Kafka::shared());
    counters::count();
    let scenes = Scenes::new(kafka);
    let rows = rows::all(&scenes);
    assert!(rows.len() >= 40, "{} rows", rows.len());
    let commits = of(&rows, &[Place::Commit]);
    let left = commits::leave(kafka, &scenes.commits, commits.len()).await;
    let before = Counts::of(&rows, &scenes);
    let brought_back = [Place::LetterIntoSource, Place::LetterIntoTier, Place::LetterIntoWayBack];
    let (odd, brought_back) = (of(&rows, &[Place::Source]), of(&rows, &brought_back));
    let (letters, large) = (of(&rows, &[Place::OthersLetters]), of(&rows, &[Place::LargeSource]));
    let (tiers, control) = (of(&rows, &[Place::Tier, Place::WayBack]), of(&rows, &[Place::Control]));
    let (odd, letters, large, tiers, (), control) = tokio::join!(
        source::run(kafka, &scenes.odd, &odd, &brought_back),
        source::run(kafka, &scenes.letters, &letters, &[]),
        source::run(kafka, &scenes.large, &large, &[]),
        tier::run(kafka, &scenes.tiers, &tiers),
        commits::run(kafka, &scenes.commits, &commits, &left),
        commits::run_control(kafka, &scenes.control, &control),
    );
    let mut expected = Counts::expected(&rows, &scenes);
    for (scene, handled) in [
        (&scenes.odd, odd),
        (&scenes.letters, letters),
        (&scenes.large, large),
        (&scenes.tiers, tiers),
        (&scenes.control, control),
    ] {
        expected.add(row::done(&scene.topic), handled as u64);
    }
    expected.assert_counted_since(&before);
    print(&rows, &scenes);
}

/// Counters, by name.
#[derive(Debug, Default)]
struct Counts(BTreeMap<Name, u64>);

impl Counts {
    fn add(&mut self, name: Name, by: u64) {
        *self.0.entry(name).or_default() += by;
    }

    /// What the rows must have counted, without their neighbours.
    fn expected(rows: &[Row], scenes: &Scenes) -> Self {
        let mut counts = Self::default();
        for (name, by) in rows.iter().flat_map(|row| row.counters(&scenes.of(row.place).topic)) {
            counts.add(name, by);
        }
        counts
    }

    /// What the same counters show now.
    fn of(rows: &[Row], scenes: &Scenes) -> Self {
        let names = Self::expected(rows, scenes).0.into_keys();
        Self(names.map(|name| (name.clone(), name.value())).collect())
    }

    /// Counters that other tests of this process move too may have counted more.
    fn assert_counted_since(&self, before: &Self) {
        for (name, expected) in &self.0 {
            let counted = name.value() - before.0.get(name).unwrap_or(&0);
            let right = if name.is_of_one_topic() { counted == *expected } else { counted >= *expected };
            assert!(right, "{name:?} counted {counted}, not {expected}");
        }
    }
}

/// Past the test runner's capture: the table is what this test is read for.
fn print(rows: &[Row], scenes: &Scenes) {
    let mut text = format!("hostile: {} rows, and what came of each\n", rows.len());
    for row in rows {
        let counters = row.counters(&scenes.of(row.place).topic);
        let counters: Vec<String> = counters.iter().map(|(name, by)| format!("{name} +{by}")).collect();
        let outcome = row.outcome.to_string();
        text += &format!("{:<15} | {:<48} | {outcome:<56} | {}\n", row.place, row.name, counters.join(", "));
    }
    std::io::stderr().lock().write_all(text.as_bytes()).expect("standard error");
}
