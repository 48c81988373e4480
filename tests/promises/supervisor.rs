//! Starts workers again that died, as whatever runs services does.

use std::time::{Duration, Instant};

use crate::{
    journal::{Entry, What},
    orders::Orders,
    process::Worker,
    scene::Scene,
};

/// Some workers of one group, each in its place.
pub(crate) struct Supervisor<'a> {
    scene: &'a Scene,
    orders: Orders,
    places: Vec<Worker>,
    dead: Vec<Worker>,
    /// When each of the dead was found.
    pub(crate) deaths: Vec<Instant>,
}

impl<'a> Supervisor<'a> {
    pub(crate) fn start(scene: &'a Scene, orders: &Orders, workers: usize) -> Self {
        let hire = |number| scene.hire(&format!("worker-{number}"), orders);
        let places = (0..workers).map(hire).collect();
        Self { scene, orders: orders.clone(), places, dead: Vec::new(), deaths: Vec::new() }
    }

    /// Starts those again that have ended.
    pub(crate) fn look_after(&mut self) {
        let lives = self.places.len() + self.dead.len();
        for (next, worker) in (lives..).zip(&mut self.places) {
            if worker.has_ended() {
                let successor = self.scene.hire(&format!("worker-{next}"), &self.orders);
                self.dead.push(std::mem::replace(worker, successor));
                self.deaths.push(Instant::now());
            }
        }
    }

    /// Kills one of them.
    pub(crate) fn kill(&mut self, place: usize) {
        self.places[place].kill();
    }

    fn everybody(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.places.iter_mut().chain(&mut self.dead)
    }

    pub(crate) fn count(&mut self, what: What) -> usize {
        self.everybody().map(|worker| worker.count(what)).sum()
    }

    pub(crate) fn entries(&mut self) -> Vec<Entry> {
        self.everybody().flat_map(|worker| worker.entries().to_vec()).collect()
    }

    /// How often any of them has said this.
    pub(crate) fn said(&mut self, words: &str) -> usize {
        self.everybody().map(|worker| worker.log().matches(words).count()).sum()
    }

    /// Asks all of them to stop, and waits.
    pub(crate) fn stop(&mut self) {
        self.places.iter_mut().for_each(Worker::stop);
    }

    /// Keeps them alive until something is so; whether it was in time.
    pub(crate) fn keep_until(&mut self, limit: Duration, mut is_so: impl FnMut(&mut Self) -> bool) -> bool {
        let limit = Instant::now() + limit;
        while Instant::now() < limit {
            self.look_after();
            if is_so(self) {
                return true;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        false
    }
}
