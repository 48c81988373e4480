//! From a script that fails to the shortest one that still does.
//!
//! First every fault is written down by its number, which leaves the life as it was. Then delta debugging (Zeller and
//! Hildebrandt, 2002): ever smaller parts of all decisions are taken out as long as the same promise breaks; at last the
//! world is made plain.

use super::{
    deed::Deed,
    life::{Broken, Lived, explicit, live},
    script::{Ordering, Script},
};
use crate::broker::sim::faults::{Fault, Plan};

/// Lives that a search may cost.
const LIVES: usize = 3_000;

/// One decision that can be taken out.
#[derive(Clone, Copy)]
enum Decision {
    Fault(Fault, u64),
    Strike(usize),
    Task(usize),
}

struct Search {
    promise: &'static str,
    best: Script,
    broken: Box<Broken>,
    lives: usize,
}

/// The shortest script that breaks the promise which this one breaks, and how; `None` if it breaks none.
#[must_use]
pub fn shortest(script: &Script) -> Option<(Script, Box<Broken>)> {
    let Lived { cluster, broken } = live(script);
    let broken = Box::new(broken?);
    let mut search = Search { promise: broken.promise, best: script.clone(), broken, lives: 0 };
    if let Some(cluster) = cluster {
        search.accept(explicit(script, &cluster));
    }
    loop {
        let before = search.best.clone();
        search.cut();
        search.simplify();
        if search.best == before || search.lives >= LIVES {
            return Some((search.best, search.broken));
        }
    }
}

impl Search {
    /// Whether this one breaks the promise, too: then it is the best so far.
    fn accept(&mut self, script: Script) -> bool {
        if script == self.best || self.lives >= LIVES {
            return false;
        }
        self.lives += 1;
        match live(&script).broken {
            Some(broken) if broken.promise == self.promise => {
                (self.best, self.broken) = (script, Box::new(broken));
                true
            }
            _ => false,
        }
    }

    /// Takes out parts of the decisions, from halves to single ones.
    fn cut(&mut self) {
        let mut size = decisions(&self.best).len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            loop {
                let all = decisions(&self.best);
                if from >= all.len() {
                    break;
                }
                let to = (from + size).min(all.len());
                if !self.accept(without(&self.best, &all[from..to])) {
                    from = to;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
    }

    /// Makes the world plain, thing by thing.
    fn simplify(&mut self) {
        let plain: [fn(&mut Script); 8] = [
            |script| script.members = (script.members - 1).max(1),
            |script| script.partitions = 1,
            |script| script.bystander = false,
            |script| script.memory = 1 << 20,
            |script| script.slots = 20,
            |script| script.ordering = Ordering::None,
            |script| script.tiers.truncate(1),
            |script| script.until = last(script) + 1,
        ];
        for change in plain {
            let mut script = self.best.clone();
            change(&mut script);
            self.accept(script);
        }
        for index in 0..self.best.tasks.len() {
            let mut script = self.best.clone();
            script.tasks[index].key = 0;
            self.accept(script);
            let mut script = self.best.clone();
            script.tasks[index].deed = Deed::Well;
            self.accept(script);
        }
    }
}

/// When the last thing happens that the script says.
fn last(script: &Script) -> u64 {
    let tasks = script.tasks.iter().map(|task| task.at);
    tasks.chain(script.strikes.iter().map(|&(at, _)| at)).max().unwrap_or(0)
}

fn decisions(script: &Script) -> Vec<Decision> {
    let numbered = script.faults.iter().flat_map(|(fault, plan)| {
        let numbers = if let Plan::At(numbers) = plan { numbers.clone() } else { Vec::new() };
        numbers.into_iter().map(|number| Decision::Fault(*fault, number))
    });
    let strikes = (0..script.strikes.len()).map(Decision::Strike);
    let tasks = (0..script.tasks.len()).map(Decision::Task);
    numbered.chain(strikes).chain(tasks).collect()
}

fn without(script: &Script, cut: &[Decision]) -> Script {
    let mut script = script.clone();
    for decision in cut.iter().rev() {
        match *decision {
            Decision::Fault(fault, number) => {
                for (_, plan) in script.faults.iter_mut().filter(|(other, _)| *other == fault) {
                    if let Plan::At(numbers) = plan {
                        numbers.retain(|&other| other != number);
                    }
                }
            }
            Decision::Strike(index) => drop(script.strikes.remove(index)),
            Decision::Task(index) => drop(script.tasks.remove(index)),
        }
    }
    script.faults.retain(|(_, plan)| *plan != Plan::At(Vec::new()));
    script
}
