//! One record never ends, others come at 20,000 a second and are committed every 500 ms; after five seconds the process
//! is killed. How much does the next one do again? The reference commits contiguously: nothing beyond what never ends.
//!
//! Handlers write each number into a journal, one write each, so the journal knows what was done before the kill.

use super::{LEAST, orders, wake};
use crate::{
    child::{Goal, Orders},
    clients::Client,
    desk::Work,
    fill::Writer,
    options::Options,
    parent::Process,
    place::{Place, Topic},
    report::{Line, Metric, Report},
};
use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

const PER_SECOND: u64 = 20_000;
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let records = options.scaled(120_000, 2 * LEAST);
    let clients = [Client::Retrial, Client::Base];
    let mut lines = [Line::new("retrial"), Line::new("contiguous commits")];
    lines.iter_mut().for_each(Line::may_repeat);
    for round in 0..options.rounds as usize {
        for turn in 0..clients.len() {
            let at = (round + turn) % clients.len();
            let story = Story::of(name, place, clients[at], records);
            lines[at].figure("redone", story.redone as f64);
            lines[at].figure("done_before_the_kill", story.before as f64);
            lines[at].add(crate::child::Outcome {
                missing: story.missing,
                repeated: story.redone,
                ..Default::default()
            });
        }
    }
    Report::new(name, Metric::Figure("redone"), lines.into())
}

struct Story {
    before: u64,
    redone: u64,
    missing: u64,
}

impl Story {
    fn of(name: &str, place: &Place, client: Client, records: u64) -> Self {
        let topic = place.topic(name, 1);
        let folder = tempfile::tempdir().expect("a folder for journals");
        let group = place.group(name);
        let [first, second] = ["first", "second"].map(|name| folder.path().join(name));
        let start = |file: &Path, stuck| {
            let usual = orders(client, place, &topic, records);
            let work = Work::Journals { file: file.to_owned(), stuck };
            let (group, commit_millis) = (group.clone(), Some(500));
            Process::start(Orders { group, work, commit_millis, goal: Goal::None, ..usual })
        };
        let process = start(&first, true);
        load(place, &topic, process, &first, records);
        let before = journal(&first);
        let heir = start(&second, false);
        let all = |now: &HashSet<u64>| before.union(now).filter(|number| **number < records).count() as u64;
        let began = Instant::now();
        let mut after = journal(&second);
        while all(&after) < records && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(50));
            after = journal(&second);
        }
        heir.kill();
        let counts = |number: &&u64| **number < records;
        let redone = before.intersection(&after).filter(counts).count() as u64;
        Self { before: before.iter().filter(counts).count() as u64, redone, missing: records - all(&after) }
    }
}

/// Writes at the pace; kills the process when five sixths are done, while the rest is written.
fn load(place: &Place, topic: &Topic<'_>, mut process: Process, file: &Path, records: u64) {
    let writer = Writer::new(&place.bootstrap(), topic, 0);
    wake(&mut process, &writer);
    thread::scope(|scope| {
        scope.spawn(|| writer.pace(0..records, PER_SECOND));
        let began = Instant::now();
        while journaled(file) < records * 5 / 6 && began.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(1));
        }
        process.kill();
    });
    writer.finish();
}

fn journaled(file: &Path) -> u64 {
    fs::metadata(file).map_or(0, |metadata| metadata.len() / 8)
}

fn journal(file: &PathBuf) -> HashSet<u64> {
    let bytes = fs::read(file).unwrap_or_default();
    let (numbers, _) = bytes.as_chunks();
    numbers.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect()
}
