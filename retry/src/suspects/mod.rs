//! Suspects: which records of a partition may have taken a process down, and what is known of each (RULES 8).
//!
//! A handler can take its whole process down: it aborts, overflows its stack, or has the system kill it for its memory.
//! Such a record must not loop the group for ever, and nobody else may be buried for it. But a process that is gone does
//! not say why, and most are killed from outside. All that the next owner has is what the last commit said.
//!
//! # Model
//! - **Vanished.** The last word of the owner was "still here": it left without a goodbye. Every unfinished offset
//!   below `started below` may have been running, and is a *suspect* (at most 64 at once, the lowest first).
//! - **Alone.** A suspect runs while nothing else runs in the process, announced by an acknowledged commit. If the next
//!   owner finds the announcement, it counts a *crash* of this record. Who ends, however it ends, or outlives its time
//!   alone, has survived, and is a suspect no more.
//! - **Aside.** A record with a crash is put aside while ordinary work goes on, and runs again only after [`QUIET`], and
//!   after another record of the same topic has survived alone since: its *witness*. If no suspect is left that could
//!   be, an ordinary record is drafted; if there is none either, the record runs again without. If it never had one,
//!   that is after longer and longer pauses ([`LONGEST_PAUSE`]).
//! - **Condemned** is a record with three crashes at once (within [`LASTING`] of its announcement), or six in all; and
//!   one more for each owner, after two, that vanished of late ([`CALM`]) while no record ran alone: those were killed
//!   from outside. Never without a witness in between: where every record crashes it is the environment, or the
//!   handler as a whole. It is buried or held, as the topic says.
//! - **Wary.** A record that kills at once was never shown as started. So, after an owner vanished, the next one shows
//!   before it starts: for a stretch, no record starts that an accepted commit has not shown, and no more unfinished
//!   ones are shown than can run at once, and 64 of a partition at most.
//! - **In company.** What runs already when a suspect is to be tested (long attempts, suspects that outlived their time
//!   alone) is waited for, and after a while not any longer. A crash in company proves nothing; but the record is first
//!   at the next owner, whose process is empty.
//!
//! # What cannot be told apart
//! A record that takes its process down, and a long one whose process is killed from outside each time it runs alone:
//! after six such kills, with other records surviving in between and nothing else killed, it is condemned. A record
//! that takes longer to kill than the longest time alone ([`Suspects::time_alone`]) is not found.
//!
//! # Invariants
//! 1. Without an owner that vanished, nothing is a suspect, and no method of this module is called for any record.
//! 2. A crash is counted for a record only if the last commit announced it as running alone. Reading the same commit
//!    twice counts it once: what a crash means is decided by whoever reads, and written by its first commit.
//! 3. An owner that leaves well counts no crash, and what is known of its records goes on to the next.

mod evidence;
#[cfg(test)]
mod tests;
mod wary;

use crate::{
    snapshot::{Departure, FinishedRun, MAX_MARKS, Mark, Snapshot, Stage, Suspicion},
    time::Timestamp,
};
use std::time::Duration;
use wary::Wary;

/// How long a record that has crashed is put aside in a process before it runs again.
pub const QUIET: Duration = Duration::from_secs(5);

/// The longest that a record without a witness is put aside.
pub const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// A process that vanished later than this after the announcement was not taken down at once.
pub const LASTING: Duration = Duration::from_millis(250);

/// After this long without one that vanished, owners that did are forgotten.
pub const CALM: Duration = Duration::from_secs(600);

/// How long a suspect runs alone, where owners do not vanish one after the other; and where they do.
pub(crate) const ALONE: Duration = Duration::from_secs(5);
const LONGEST_ALONE: Duration = Duration::from_secs(60);

/// How long all suspects together keep ordinary work waiting, where owners do not vanish one after the other.
pub(crate) const FOR_ALL: Duration = Duration::from_secs(30);

/// How long ordinary work waits for the suspects of a new partition to be read.
pub const GATHERING: Duration = Duration::from_secs(2);

/// Crashes at once that condemn a record, and crashes in all.
const CRASHES_AT_ONCE: usize = 3;
const CRASHES: usize = 6;

/// Owners may vanish unexplained so often before more crashes are asked for: the first time the record had not been
/// shown as started, and the second time it had not run alone.
const EXPECTED: u32 = 2;

/// The most crashes that are asked for because of those that vanished.
const DOUBTS: u32 = 3;

/// What is known in one partition during one assignment. See the [module](self).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspects {
    /// Unfinished offsets below this one may have been running when the owner vanished.
    below: i64,
    /// When this assignment began.
    since: Timestamp,
    unexplained: u32,
    vanished_at: Timestamp,
    /// By offset.
    marks: Vec<Mark>,
    /// Offsets of suspects that were read and not tested yet, in order.
    pending: Vec<i64>,
    /// How many were ever in `pending`.
    met: usize,
    /// Marks whose witness survived during this assignment.
    witnessed: Vec<i64>,
    wary: Option<Wary>,
}

/// What is to be done with a record whose turn has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nothing is known against it.
    Clear,
    /// It is to be tested.
    Suspect,
    /// It is to be tested before the others.
    First,
    /// It has crashed so often and waits for quiet and a witness.
    Aside(u32),
    /// It is not to run any more.
    Condemned(u32),
}

impl Suspects {
    /// What a new owner makes of the last commit; `None` where there is nothing to be careful about. `position` is the
    /// first offset that it reads.
    #[must_use]
    pub fn inherit(snapshot: &Snapshot, position: i64, now: Timestamp) -> Option<Self> {
        let told = &snapshot.suspicion;
        let mut suspects = Self {
            marks: told.marks.iter().filter(|mark| mark.offset >= position).cloned().collect(),
            unexplained: told.unexplained,
            vanished_at: told.vanished_at,
            ..Self::drafting(now)
        };
        if suspects.is_calm(now) {
            suspects.unexplained = 0;
        }
        if snapshot.departure == Departure::StillHere {
            suspects.vanished(snapshot, now);
        }
        for mark in &mut suspects.marks {
            if mark.stage != Stage::First {
                mark.stage = Stage::Waits;
            }
        }
        suspects.marks.retain(|mark| mark.stage == Stage::First || !mark.runs.is_empty());
        let nothing = suspects.marks.is_empty() && suspects.unexplained == 0 && suspects.wary.is_none();
        (!nothing).then_some(suspects)
    }

    /// A partition under no suspicion, of which a witness is drafted.
    #[must_use]
    pub fn drafting(now: Timestamp) -> Self {
        Self {
            below: 0,
            since: now,
            unexplained: 0,
            vanished_at: Timestamp::default(),
            marks: Vec::new(),
            pending: Vec::new(),
            met: 0,
            witnessed: Vec::new(),
            wary: None,
        }
    }

    /// Counts what the owner that vanished leaves behind.
    fn vanished(&mut self, snapshot: &Snapshot, now: Timestamp) {
        self.below = snapshot.started_below;
        self.vanished_at = now;
        let explains = |mark: &Mark| matches!(mark.stage, Stage::Alone | Stage::InCompany);
        if !snapshot.suspicion.elsewhere && !snapshot.suspicion.marks.iter().any(explains) {
            self.unexplained = self.unexplained.saturating_add(1);
        }
        self.wary = Some(Wary::new(now, self.unexplained));
        let doubts = self.doubts();
        for mark in &mut self.marks {
            match mark.stage {
                Stage::Alone => {
                    let at_once = mark.runs.iter().filter(|run| !run.lasted).count();
                    let enough = at_once >= CRASHES_AT_ONCE + doubts || mark.runs.len() >= CRASHES + doubts;
                    mark.condemned |= enough && mark.witnessed;
                }
                Stage::InCompany => mark.stage = Stage::First,
                Stage::Waits | Stage::First => {}
            }
        }
    }

    fn doubts(&self) -> usize {
        self.unexplained.saturating_sub(EXPECTED).min(DOUBTS) as usize
    }

    fn is_calm(&self, now: Timestamp) -> bool {
        now.since(self.vanished_at) >= CALM
    }

    /// A record arrived that nobody has finished.
    pub fn receive(&mut self, offset: i64, leader_epoch: i32) {
        if let Ok(index) = self.place(offset)
            && self.marks[index].leader_epoch != leader_epoch
        {
            // Another record stands where the marked one stood.
            self.marks.remove(index);
        }
        let suspected = self.place(offset).is_ok() || (offset < self.below && self.met < MAX_MARKS);
        if suspected && self.pending.last().is_none_or(|&last| last < offset) {
            self.pending.push(offset);
            self.met += 1;
        }
    }

    /// What is to be done with a record whose turn has come.
    #[must_use]
    pub fn standing(&self, offset: i64) -> Standing {
        if self.pending.binary_search(&offset).is_err() {
            return Standing::Clear;
        }
        let Ok(index) = self.place(offset) else { return Standing::Suspect };
        let mark = &self.marks[index];
        match u32::try_from(mark.runs.len()).unwrap_or(u32::MAX) {
            crashes if mark.condemned => Standing::Condemned(crashes),
            _ if mark.stage == Stage::First => Standing::First,
            0 => Standing::Suspect,
            crashes => Standing::Aside(crashes),
        }
    }

    /// An ordinary record is to be tested, as a witness; false if there are too many suspects.
    pub fn draft(&mut self, offset: i64) -> bool {
        match self.pending.binary_search(&offset) {
            Err(place) if self.pending.len() < MAX_MARKS => {
                self.pending.insert(place, offset);
                true
            }
            _ => false,
        }
    }

    /// Offsets below this one are said to have been started, for the sake of those that were not tested yet.
    #[must_use]
    pub fn below(&self) -> i64 {
        self.below
    }

    /// Forgets records that are finished: all below the watermark, and those in these runs, which are in order.
    pub fn forget_finished(&mut self, watermark: i64, finished: impl Iterator<Item = FinishedRun>) {
        let mut finished = finished.peekable();
        let mut is_finished = |offset: i64| {
            while finished.next_if(|run| run.to <= offset).is_some() {}
            offset < watermark || finished.peek().is_some_and(|run| run.from <= offset)
        };
        let mut gone = Vec::new();
        let marked = self.marks.iter().map(|mark| mark.offset);
        let mut all: Vec<i64> = marked.chain(self.pending.iter().copied()).collect();
        all.sort_unstable();
        gone.extend(all.into_iter().filter(|&offset| is_finished(offset)));
        self.marks.retain(|mark| gone.binary_search(&mark.offset).is_err());
        self.pending.retain(|offset| gone.binary_search(offset).is_err());
    }

    /// What a commit says. `elsewhere`: a record of another partition is being tested.
    #[must_use]
    pub fn told(&self, departure: Departure, elsewhere: bool, now: Timestamp) -> Suspicion {
        let mut marks = self.marks.clone();
        if departure == Departure::LeftWell {
            // What runs still is given up, and its process is alive.
            for mark in &mut marks {
                match std::mem::replace(&mut mark.stage, Stage::Waits) {
                    Stage::Alone => drop(mark.runs.pop()),
                    Stage::First => mark.stage = Stage::First,
                    Stage::InCompany | Stage::Waits => {}
                }
            }
            marks.retain(|mark| mark.stage == Stage::First || !mark.runs.is_empty());
        }
        let recent = !self.is_calm(now);
        let unexplained = if recent { self.unexplained } else { 0 };
        let vanished_at = if recent { self.vanished_at } else { Timestamp::default() };
        let elsewhere = elsewhere && departure == Departure::StillHere;
        Suspicion { unexplained, vanished_at, elsewhere, marks }
    }

    /// All that a commit may have to say now.
    #[must_use]
    pub fn all(&self) -> Suspicion {
        let (unexplained, vanished_at) = (self.unexplained, self.vanished_at);
        Suspicion { unexplained, vanished_at, elsewhere: true, marks: self.marks.clone() }
    }

    /// Whether there is nothing left to be careful about, `watermark` being the lowest unfinished offset.
    #[must_use]
    pub fn is_over(&self, watermark: i64, now: Timestamp) -> bool {
        let tested = self.marks.is_empty() && self.pending.is_empty() && self.below <= watermark;
        tested && self.wary.is_none() && (self.unexplained == 0 || self.is_calm(now))
    }

    fn place(&self, offset: i64) -> Result<usize, usize> {
        self.marks.binary_search_by_key(&offset, |mark| mark.offset)
    }
}
