//! Lets time pass under somebody's eyes, who decides when it is enough.

use super::{SPINNING, START, Seat, Simulation, testify};
use crate::{broker::sim::Cluster, testkit::member::MakeThreads};
use retrial_core::time::Timestamp;
use std::{
    sync::mpsc::{Sender, channel},
    time::Duration,
};
use tokio::{
    sync::Notify,
    task::{spawn_blocking, yield_now},
    time::sleep_until,
};

/// Sees everything between two turns of the members, and may strike.
pub(crate) trait Watch {
    /// Called after handlers ran and before members turn. False ends the run.
    fn look(&mut self, cluster: &Cluster) -> bool;

    /// Real time that virtual time is to wait now for what may happen outside, if any.
    fn patience(&self) -> Option<Duration>;
}

impl Simulation {
    /// Lets time pass up to `end`, or until the watch has seen enough. `alarm` has it look at once.
    pub(crate) async fn run_watched(&mut self, end: Timestamp, alarm: &Notify, watch: &mut impl Watch) {
        let (mut turns, mut last) = (0, self.cluster.now());
        loop {
            // Handlers that are ready run now.
            yield_now().await;
            self.cluster.reach(self.now());
            testify(&self.notes, &self.cluster);
            self.cluster.advance(self.now());
            if !watch.look(&self.cluster) {
                return;
            }
            let (now, busy) = (self.cluster.now(), self.turn());
            turns = if now == last { turns + 1 } else { 0 };
            last = now;
            assert!(turns < SPINNING, "the members turn and turn at {now}: {:?}", self.dues());
            if busy {
                continue;
            }
            if now >= end {
                return;
            }
            let standstill = watch.patience().map(stand_still);
            let next = self.next().unwrap_or(end).min(end);
            let next = self.began + next.since(START);
            tokio::select! {
                biased;
                () = self.awake.notified() => {}
                () = alarm.notified() => {}
                () = sleep_until(next) => {}
            }
            drop(standstill);
        }
    }

    /// Says what its members are to have, before the first of them starts: how long each trusts an accepted commit, and
    /// what makes the threads for its blocking handlers.
    pub(crate) fn equip(&mut self, lease: Duration, threads: MakeThreads) {
        (self.setup.session, self.setup.threads) = (lease, threads);
    }

    /// How many members there are, or were: each has a seat.
    pub(crate) fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Asks the member of a seat to finish and leave; nobody starts there any more. False if nobody is, or was to be, there.
    pub(crate) fn dismiss(&mut self, seat: usize, drain: Duration) -> bool {
        match self.seats.get_mut(seat) {
            Some(Seat::Taken(_)) => self.stop(seat, drain),
            Some(empty @ Seat::Empty(_)) => *empty = Seat::Left,
            Some(Seat::Left) | None => return false,
        }
        true
    }

    /// Kills the process of a seat, as `kill -9` does; another one starts there. False if nobody is there.
    pub(crate) fn crash(&mut self, seat: usize) -> bool {
        match self.seats.get(seat) {
            Some(Seat::Taken(member)) => {
                self.cluster.kill(member.process);
                true
            }
            _ => false,
        }
    }
}

/// Virtual time does not go on by itself while tokio has a blocking task: here for so long, or until what is returned
/// is dropped.
fn stand_still(patience: Duration) -> Sender<()> {
    let (release, released) = channel();
    drop(spawn_blocking(move || released.recv_timeout(patience)));
    release
}
