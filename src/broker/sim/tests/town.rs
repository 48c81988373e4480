//! Runs members on a cluster: turns those that are awake or due, starts again those that died.

use super::naive::{Flaw, Naive, SESSION, TIERS};
use crate::broker::sim::{
    Cluster, Timing, TopicSettings,
    check::{Caution, Terms, Violation, judge},
    faults::Faults,
    log::Message,
    random::Random,
    trace::Event,
};
use retrial_core::{naming::GroupNames, time::Timestamp};
use std::{rc::Rc, time::Duration};

pub(super) const START: Timestamp = Timestamp::from_millis(1_795_342_800_000);

enum Place {
    Lives(Box<Naive>, Option<Timestamp>),
    Empty(Timestamp),
}

pub(super) struct Town {
    pub(super) cluster: Cluster,
    pub(super) names: Rc<GroupNames>,
    members: Vec<Place>,
    random: Random,
    flaw: Flaw,
    turns: u64,
}

impl Town {
    /// A cluster with a topic `orders` of six partitions, the tiers and the dead letters of group `billing`.
    pub(super) fn new(seed: u64, members: usize, faults: Faults, flaw: Flaw) -> Self {
        let names = Rc::new(GroupNames::new("billing", None).unwrap());
        let cluster = Cluster::new(seed, START, Timing { session: SESSION, ..Timing::default() }, faults);
        cluster.create_topic("orders", TopicSettings::source(6));
        for delay in TIERS {
            cluster.create_topic(&names.tier(delay).unwrap(), TopicSettings::own(2));
        }
        cluster.create_topic(&names.dead_letters(), TopicSettings::own(1));
        let members = (0..members).map(|_| Place::Empty(START)).collect();
        Self { cluster, names, members, random: Random::new(!seed), flaw, turns: 0 }
    }

    pub(super) fn terms(&self) -> Terms {
        Terms {
            names: (*self.names).clone(),
            sources: ["orders".into()].into(),
            ordered: ["orders".into()].into(),
            lease: Some(SESSION),
            by_partition: false,
            holds: false,
            limits: None,
            runs: Rc::new(|_, _, _| Vec::new()),
            caution: Rc::new(|_, _, _| Caution::default()),
        }
    }

    pub(super) fn judged(&self) -> Vec<Violation> {
        judge(&self.cluster.trace(), &self.terms())
    }

    pub(super) fn join(&mut self) {
        self.members.push(Place::Empty(self.cluster.now()));
    }

    pub(super) fn member(&mut self, index: usize) -> &mut Naive {
        match &mut self.members[index] {
            Place::Lives(member, _) => member,
            Place::Empty(_) => panic!("nobody lives at {index}"),
        }
    }

    /// How many partitions each member has in the latest generation.
    pub(super) fn readers(&self) -> Vec<usize> {
        let trace = self.cluster.trace();
        let latest = trace.events().rev().find_map(|event| match event {
            Event::Generation { assigned, .. } => Some(assigned.iter().map(|(_, places)| places.len()).collect()),
            _ => None,
        });
        latest.unwrap_or_default()
    }

    /// Lets time pass, with this many records arriving in equal distances.
    pub(super) fn run(&mut self, time: Duration, records: u32) {
        let (begin, mut sent) = (self.cluster.now(), 0);
        let end = begin.after(time);
        loop {
            let due = (sent < records).then(|| begin.after(time * sent / records.max(1)));
            let next = self.next().into_iter().chain(due).min().unwrap_or(end).min(end);
            self.cluster.advance(next);
            if due.is_some_and(|due| due <= next) {
                self.produce();
                sent += 1;
            }
            self.turn();
            if next >= end && sent == records {
                return;
            }
        }
    }

    fn next(&self) -> Option<Timestamp> {
        let own = self.members.iter().filter_map(|place| match place {
            Place::Lives(member, due) if !member.over && !self.cluster.is_frozen(member.process) => *due,
            Place::Lives(..) => None,
            Place::Empty(until) => Some(*until),
        });
        own.chain(self.cluster.next_event()).min().map(|next| next.max(self.cluster.now()))
    }

    fn produce(&mut self) {
        let key = format!("key {}", self.random.below(20));
        let body = match self.random.below(10) {
            0 => "fail 1",
            1 => "fail 2",
            2 => "fail 9",
            _ => "well",
        };
        self.cluster.produce("orders", Message::new(key, body)).unwrap();
    }

    fn turn(&mut self) {
        let now = self.cluster.now();
        for index in 0..self.members.len() {
            self.turns += 1;
            let place = &mut self.members[index];
            match place {
                Place::Lives(member, _) if !self.cluster.is_alive(member.process) => {
                    *place = Place::Empty(now.after(self.random.millis(&(100..=3_000))));
                }
                Place::Lives(member, due) => {
                    let frozen = self.cluster.is_frozen(member.process) || member.over;
                    if !frozen && (self.cluster.wakes(member.process) || due.is_some_and(|due| due <= now)) {
                        *due = member.turn();
                    }
                }
                Place::Empty(until) if *until <= now => {
                    let member = Naive::start(&self.cluster, &self.names, self.flaw, self.random.fork());
                    *place = Place::Lives(Box::new(member), Some(now));
                }
                Place::Empty(_) => {}
            }
        }
    }
}
