//! Runs members in virtual time: turns those that are awake or due, starts again those that died.

mod watched;

pub(crate) use self::watched::Watch;

use super::{
    bystander::Bystander,
    member::{Member, Setup},
    witness::{Notes, Witness, testify},
};
use crate::{
    app::HandlerSet,
    broker::{
        Waker,
        sim::{Cluster, Timing, TopicSettings, faults::Faults, log::Message, random::Random},
    },
};
use retrial_core::{naming::GroupNames, time::Timestamp};
use std::{rc::Rc, sync::Arc, time::Duration};
use tokio::{
    sync::Notify,
    time::{Instant, sleep_until},
};

/// When simulated time begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_795_342_800_000);

/// A member that turns so often without time going by spins.
const SPINNING: u32 = 20_000;

/// How long a member that is stopped may finish what runs.
const DRAIN: Duration = Duration::from_secs(10);

/// Makes a member's handlers; the witness's layer is to be around all of them.
pub(crate) type MakeApp = Rc<dyn Fn(&Witness) -> HandlerSet>;

/// What a simulation is made of, besides its handlers.
pub(crate) struct World<'a> {
    pub(crate) seed: u64,
    pub(crate) members: usize,
    /// Source topics and their partitions.
    pub(crate) sources: &'a [(&'a str, i32)],
    pub(crate) faults: Faults,
    pub(crate) timing: Timing,
    /// Bytes of records that a member may hold.
    pub(crate) memory: usize,
}

/// Something that is to happen at a certain time.
pub(crate) enum Happening {
    /// A message arrives in a topic.
    Arrives(Arc<str>, Message),
    /// One more member.
    Joins,
    /// This member finishes and leaves.
    Stops(usize),
}

enum Seat {
    Taken(Box<Member>),
    /// Its process died, or was never started; the next one starts then.
    Empty(Timestamp),
    /// Its process left the group.
    Left,
}

/// A cluster and the members that run in it.
pub(crate) struct Simulation {
    pub(crate) cluster: Cluster,
    pub(crate) names: GroupNames,
    app: MakeApp,
    setup: Setup,
    seats: Vec<Seat>,
    bystander: Option<Bystander>,
    notes: Arc<Notes>,
    began: Instant,
    awake: Arc<Notify>,
    random: Random,
}

impl Simulation {
    /// A cluster with these source topics (and partitions), the group's own topics, and as many members. Must be
    /// called within a current-thread runtime whose time is paused.
    #[cfg(test)]
    pub(crate) fn new(seed: u64, members: usize, sources: &[(&str, i32)], faults: Faults, app: MakeApp) -> Self {
        Self::of(
            World { seed, members, sources, faults, timing: Timing::default(), memory: super::member::MEMORY },
            app,
        )
    }

    /// As [`Simulation::new`], with everything said.
    pub(crate) fn of(world: World<'_>, app: MakeApp) -> Self {
        let World { seed, members, sources, faults, timing, memory } = world;
        let setup = Setup { memory, ..Setup::new(timing.session) };
        let cluster = Cluster::new(seed, START, timing, faults);
        let (awake, notes) = (Arc::new(Notify::new()), Arc::new(Notes::default()));
        let alarm = Arc::clone(&awake);
        cluster.on_wake(Waker::new(move || alarm.notify_one()));
        for &(source, partitions) in sources {
            cluster.create_topic(source, TopicSettings::source(partitions));
        }
        // Only to learn the names; nobody runs these handlers.
        let HandlerSet { names, ladder, .. } = app(&Witness::new(cluster.start_process("nobody"), &notes));
        let tiers = ladder.delays().iter().filter_map(|&delay| names.tier(delay).ok());
        for tier in tiers.chain([names.way_back()]) {
            cluster.create_topic(&tier, TopicSettings::own(2));
        }
        cluster.create_topic(&names.dead_letters(), TopicSettings::own(2));
        let seats = (0..members).map(|_| Seat::Empty(START)).collect();
        let (began, random) = (Instant::now(), Random::new(!seed));
        Self { cluster, names, app, setup, seats, bystander: None, notes, began, awake, random }
    }

    fn now(&self) -> Timestamp {
        START.after(Duration::from_millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)))
    }

    /// How long a member may go without a sign of life.
    #[cfg(test)]
    pub(crate) fn session(&self) -> Duration {
        self.setup.session
    }

    /// One more member.
    pub(crate) fn join(&mut self) {
        self.seats.push(Seat::Empty(self.cluster.now()));
    }

    /// Asks a member to finish and leave.
    pub(crate) fn stop(&mut self, seat: usize, drain: Duration) {
        if let Some(Seat::Taken(member)) = self.seats.get_mut(seat) {
            self.cluster.stopping(member.process);
            member.driver.stop(self.cluster.local(member.process), drain);
            member.due = Some(self.cluster.now());
        }
    }

    /// Whether nobody is left, and nobody will come.
    pub(crate) fn is_deserted(&self) -> bool {
        self.seats.iter().all(|seat| matches!(seat, Seat::Left))
    }

    /// A consumer of another group joins, for which nothing goes wrong.
    pub(crate) fn watch(&mut self, topic: &'static str) {
        self.bystander = Some(Bystander::join(&self.cluster, topic));
    }

    /// Lets time pass, with these messages for a topic arriving in equal distances.
    #[cfg(test)]
    pub(crate) async fn run(&mut self, time: Duration, topic: &str, messages: Vec<Message>) {
        let (begin, count) = (self.cluster.now(), u32::try_from(messages.len()).unwrap_or(u32::MAX));
        let topic: Arc<str> = topic.into();
        let due = |index: u32| begin.after(time * index / count.max(1));
        let arrives = |(index, message)| (due(index), Happening::Arrives(Arc::clone(&topic), message));
        self.live(begin.after(time), (0..).zip(messages).map(arrives)).await;
    }

    /// Lets time pass until then, with what happens meanwhile in the order of time.
    pub(crate) async fn live(&mut self, end: Timestamp, happenings: impl Iterator<Item = (Timestamp, Happening)>) {
        let mut happenings = happenings.peekable();
        let (mut turns, mut last) = (0, self.cluster.now());
        loop {
            // Handlers that are ready run now.
            tokio::task::yield_now().await;
            self.cluster.reach(self.now());
            testify(&self.notes, &self.cluster);
            self.cluster.advance(self.now());
            let now = self.cluster.now();
            while let Some((_, happening)) = happenings.next_if(|(at, _)| *at <= now) {
                self.happen(happening);
            }
            let busy = self.turn();
            turns = if now == last { turns + 1 } else { 0 };
            last = now;
            assert!(turns < SPINNING, "the members turn and turn at {now}: {:?}", self.dues());
            if busy {
                continue;
            }
            if now >= end {
                return;
            }
            let next = self.next().into_iter().chain(happenings.peek().map(|(at, _)| *at)).min();
            let next = self.began + next.unwrap_or(end).min(end).since(START);
            tokio::select! {
                biased;
                () = self.awake.notified() => {}
                () = sleep_until(next) => {}
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Arrives(topic, message) => drop(self.cluster.produce(&topic, message)),
            Happening::Joins => self.join(),
            Happening::Stops(seat) => self.stop(seat, DRAIN),
        }
    }

    /// Who wants to turn when.
    fn dues(&self) -> Vec<Option<Timestamp>> {
        let due = |seat: &Seat| if let Seat::Taken(member) = seat { member.due } else { None };
        self.seats.iter().map(due).collect()
    }

    /// When something happens without anybody's doing.
    fn next(&self) -> Option<Timestamp> {
        let own = self.seats.iter().filter_map(|seat| match seat {
            Seat::Taken(member) if !self.cluster.is_frozen(member.process) => member.due,
            Seat::Empty(until) => Some(*until),
            Seat::Taken(_) | Seat::Left => None,
        });
        own.chain(self.cluster.next_event()).min()
    }

    /// Turns every member that has reason to; whether one of them had anything to do.
    fn turn(&mut self) -> bool {
        let (now, mut busy) = (self.cluster.now(), false);
        self.bystander.iter_mut().for_each(Bystander::turn);
        for index in 0..self.seats.len() {
            match &mut self.seats[index] {
                Seat::Taken(member) if !self.cluster.is_alive(member.process) => {
                    let until = now.after(self.random.millis(&(100..=3_000)));
                    if let Seat::Taken(member) = std::mem::replace(&mut self.seats[index], Seat::Empty(until)) {
                        member.vanish();
                    }
                }
                Seat::Taken(member) if self.cluster.is_frozen(member.process) => {}
                Seat::Taken(member) => {
                    let awake = self.cluster.wakes(member.process);
                    if awake || member.due.is_some_and(|due| due <= now) {
                        busy |= member.turn(&self.cluster);
                        self.look_after(index);
                    }
                }
                Seat::Empty(until) if *until <= now => {
                    let process = self.cluster.start_process(self.names.group());
                    let app = (self.app)(&Witness::new(process, &self.notes));
                    let member = Member::start(&self.cluster, process, app, &self.setup, self.random.number());
                    self.seats[index] = Seat::Taken(Box::new(member));
                    busy = true;
                }
                Seat::Empty(_) | Seat::Left => {}
            }
        }
        busy
    }

    /// A member that left is done; one whose client is broken for good ends its process.
    fn look_after(&mut self, index: usize) {
        let Seat::Taken(member) = &self.seats[index] else { return };
        if member.driver.has_left() {
            self.cluster.kill(member.process);
            if let Seat::Taken(member) = std::mem::replace(&mut self.seats[index], Seat::Left) {
                member.vanish();
            }
        } else if member.driver.fatal().is_some() {
            self.cluster.kill(member.process);
        }
    }
}
