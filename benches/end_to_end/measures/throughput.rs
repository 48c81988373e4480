//! Records per second, in turns with references that read the same topic.

use super::{LEAST, orders};
use crate::{
    child::{Goal, Orders},
    clients::Client,
    desk::Work,
    fill::{self, Cargo},
    options::Options,
    parent,
    place::Place,
    report::{Line, Metric, Report},
};

/// A row of the table.
pub(crate) struct Throughput {
    pub(crate) partitions: i32,
    pub(crate) cargo: Cargo,
    pub(crate) by_key: bool,
    pub(crate) concurrency: usize,
    pub(crate) work: Work,
    /// The bar names the first of them. retrial as its own reference does nothing.
    pub(crate) references: &'static [Client],
}

impl Throughput {
    /// Fills a topic; then everybody reads it from the start, round after round, each first in some round.
    pub(crate) fn run(&self, name: &str, place: &Place, options: &Options) -> Report {
        let records = options.scaled(self.cargo.records, LEAST);
        let topic = place.topic(name, self.partitions);
        let written = fill::fill(&place.bootstrap(), &topic, Cargo { records, ..self.cargo });
        let order = |client, work: &Work| Orders {
            concurrency: self.concurrency,
            by_key: self.by_key,
            work: work.clone(),
            goal: Goal::Count { first: records / 10, last: self.last(records) },
            ..orders(client, place, &topic, records)
        };
        let mut turns = vec![(Client::Retrial, &self.work)];
        turns.extend(self.references.iter().map(|client| match client {
            Client::Retrial => (Client::Retrial, &Work::Nothing),
            other => (*other, &self.work),
        }));
        let label = |place: usize, client: Client| match (place, client) {
            (1.., Client::Retrial) => "retrial, no failure",
            _ => client.name(),
        };
        let mut lines: Vec<Line> = (0..).zip(&turns).map(|(place, turn)| Line::new(label(place, turn.0))).collect();
        for round in 0..options.rounds as usize {
            for turn in 0..turns.len() {
                let place = (round + turn) % turns.len();
                let (client, work) = turns[place];
                lines[place].add_checked(parent::run(order(client, work)), written);
            }
        }
        Report::new(name, Metric::Rate, lines)
    }

    /// Where the clock stops. What failed in the last second waits for its tier: that is waiting, not work, so as many
    /// records as fail are not waited for; nor are they in the run without failures.
    fn last(&self, records: u64) -> u64 {
        match self.work {
            Work::FailsOnce(of_thousand) => records - records * of_thousand / 1000,
            _ => records,
        }
    }
}
