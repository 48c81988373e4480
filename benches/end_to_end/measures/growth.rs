//! Records per second by what may grow: partitions, the backlog, what waits in tiers. The first line is the plain run.
//!
//! Of a backlog of ten thousand nothing could be measured but the start, so it is compared from 100,000 on.

use super::{LEAST, orders};
use crate::{
    child::{Goal, Orders},
    clients::Client,
    desk::Work,
    fill::{self, Body, Cargo, Keys},
    options::Options,
    parent,
    place::{Place, Topic},
    report::{Line, Metric, Report},
    scenario::FULL,
};

/// What grew.
struct Course<'a> {
    label: &'static str,
    topic: Topic<'a>,
    records: u64,
    written: u64,
    /// So many wait in a tier first.
    waiting: u64,
}

pub(crate) fn run(name: &str, place: &Place, options: &Options) -> Report {
    let full = options.scaled(FULL, LEAST);
    let course = |label, partitions, records, waiting| {
        let topic = place.topic(name, partitions);
        let cargo = Cargo { records, body: Body::Bytes(100), keys: Keys::None };
        let written = fill::fill(&place.bootstrap(), &topic, cargo);
        Course { label, topic, records, written, waiting }
    };
    let courses = [
        course("12 partitions", 12, full, 0),
        course("1 partition", 1, full, 0),
        course("200 partitions", 200, full, 0),
        course("100,000 behind", 12, options.scaled(100_000, LEAST), 0),
        course("10 million behind", 12, options.scaled(10_000_000, LEAST), 0),
        course("1 in a tier", 12, full, 1),
        course("100,000 in a tier", 12, full, options.scaled(100_000, LEAST)),
    ];
    let mut lines: Vec<Line> = courses.iter().map(|course| Line::new(course.label)).collect();
    for round in 0..options.rounds as usize {
        for turn in 0..courses.len() {
            let at = (round + turn) % courses.len();
            lines[at].add_checked(courses[at].run(place), courses[at].written);
        }
    }
    Report::new(name, Metric::Rate, lines)
}

impl Course<'_> {
    fn run(&self, place: &Place) -> crate::child::Outcome {
        let usual = orders(Client::Retrial, place, &self.topic, self.records);
        let told = Orders { tiers: vec![3600], ..usual };
        if self.waiting > 0 {
            self.fill_tier(place, &told);
        }
        parent::run(told)
    }

    /// The same group lets records of another topic fail first: they wait in its tier for an hour.
    fn fill_tier(&self, place: &Place, told: &Orders) {
        let failing = place.topic("failing", 12);
        let cargo = Cargo { records: self.waiting, body: Body::Bytes(100), keys: Keys::None };
        fill::fill(&place.bootstrap(), &failing, cargo);
        let outcome = parent::run(Orders {
            topic: failing.name.clone(),
            records: self.waiting,
            work: Work::Fails,
            target: Some(format!("{}.retry.1h", told.group)),
            goal: Goal::Count { first: self.waiting, last: self.waiting },
            ..told.clone()
        });
        assert_eq!(outcome.missing, 0, "records of the tier are missing");
    }
}
