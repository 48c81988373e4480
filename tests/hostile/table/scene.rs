//! Where the rows are written: groups with their topics, each read by one service.

use super::row::Place;
use crate::{
    forward::forwarded,
    raw::{self, Raw},
    sights::{NEIGHBOUR, Sight},
    stage,
};
use retrial_kafka_for_tests::Kafka;

/// What the group's own topics take where an operator made them small, in bytes.
pub(crate) const SMALL: usize = 100_000;

/// A group and its one source topic.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) group: String,
    pub(crate) topic: String,
}

impl Scene {
    fn new(kafka: &Kafka, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Self {
        Self { group: kafka.unique_group(name), topic: stage::lasting_topic(kafka, name, partitions, configs) }
    }

    /// One of the group's own topics.
    pub(crate) fn own(&self, rest: &str) -> String {
        format!("{}.{rest}", self.group)
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Scenes {
    pub(crate) odd: Scene,
    pub(crate) letters: Scene,
    pub(crate) large: Scene,
    pub(crate) tiers: Scene,
    pub(crate) commits: Scene,
    pub(crate) control: Scene,
}

impl Scenes {
    /// Where the rows of a place are written.
    pub(crate) const fn of(&self, place: Place) -> &Scene {
        match place {
            Place::Source | Place::LetterIntoSource | Place::LetterIntoTier | Place::LetterIntoWayBack => &self.odd,
            Place::OthersLetters => &self.letters,
            Place::LargeSource => &self.large,
            Place::Tier | Place::WayBack => &self.tiers,
            Place::Commit => &self.commits,
            Place::Control => &self.control,
        }
    }

    /// Makes the source topics, and those of the group that an operator made.
    pub(crate) fn new(kafka: &Kafka) -> Self {
        let large = Scene::new(kafka, "large", 1, &[("max.message.bytes", "2000000")]);
        for own in ["retry.1s", "dlq"] {
            stage::own_topic(kafka, &large.group, own, SMALL);
        }
        Self {
            odd: Scene::new(kafka, "odd", 1, &[]),
            letters: Scene::new(kafka, "another.dlq", 1, &[]),
            large,
            tiers: Scene::new(kafka, "tiers", 1, &[]),
            commits: Scene::new(kafka, "commits", 18, &[]),
            control: Scene::new(kafka, "control", 1, &[]),
        }
    }
}

/// Neighbours that were written, by number: the attempt at which each is to be handled.
#[derive(Debug, Default)]
pub(crate) struct Neighbours(Vec<u32>);

impl Neighbours {
    /// A record of a source topic.
    pub(crate) fn of_source(&mut self) -> Raw {
        let body = [NEIGHBOUR, format!(" {}", self.0.len()).as_bytes()].concat();
        self.0.push(1);
        Raw::new(body).key("neighbour")
    }

    /// A record as a tier of this group holds it after one attempt.
    pub(crate) fn of_tier(&mut self, scene: &Scene) -> Raw {
        let origin = format!("{}/0/{}", scene.topic, 1_000_000 + self.0.len());
        let body = self.of_source().body;
        self.0.pop();
        self.0.push(2);
        Raw { body, ..forwarded(&scene.group, &origin, "") }
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// That each was handled exactly once, at its attempt.
    pub(crate) fn assert_handled(&self, seen: &[Sight]) {
        let mut attempts: Vec<Vec<u32>> = vec![Vec::new(); self.0.len()];
        for sight in seen {
            let number = sight.body.as_deref().and_then(|body| body.strip_prefix(NEIGHBOUR));
            let number =
                number.map(|number| String::from_utf8_lossy(number).trim().parse::<usize>().expect("a number"));
            if let Some(number) = number {
                attempts[number].push(sight.attempt);
            }
        }
        for (number, (attempts, &expected)) in attempts.iter().zip(&self.0).enumerate() {
            assert_eq!(attempts[..], [expected], "attempts of neighbour {number}");
        }
    }
}

/// Writes hostile records, each so many times, with a neighbour before and after each. Returns the first offset of each
/// hostile one.
pub(crate) fn between_neighbours(
    kafka: &Kafka,
    topic: &str,
    hostile: &[(&Raw, usize)],
    mut neighbour: impl FnMut() -> Raw,
) -> Vec<i64> {
    raw::append(kafka, topic, 0, &[neighbour()]);
    let write = |&(record, times): &(&Raw, usize)| {
        let offsets: Vec<i64> = (0..times)
            .map(|_| {
                // Alone in its batch: one may be as large as a batch can be.
                let offset = raw::append(kafka, topic, 0, std::slice::from_ref(record));
                raw::append(kafka, topic, 0, &[neighbour()]);
                offset
            })
            .collect();
        offsets[0]
    };
    hostile.iter().map(write).collect()
}
