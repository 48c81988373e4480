//! What the tests of single records have shown.

use super::{ALONE, FOR_ALL, GATHERING, LONGEST_ALONE, LONGEST_PAUSE, QUIET, Suspects};
use crate::{
    snapshot::{Mark, Run, Stage},
    time::Timestamp,
};
use std::time::Duration;

impl Suspects {
    /// The test of a record is about to be announced.
    pub fn announce(&mut self, offset: i64, leader_epoch: i32, now: Timestamp, alone: bool) {
        let index = match self.place(offset) {
            Ok(index) => index,
            Err(index) => {
                let (stage, runs) = (Stage::Waits, Vec::new());
                let mark = Mark { offset, leader_epoch, stage, condemned: false, witnessed: false, runs };
                self.marks.insert(index, mark);
                index
            }
        };
        let mark = &mut self.marks[index];
        mark.stage = if alone { Stage::Alone } else { Stage::InCompany };
        if alone {
            let at = Timestamp::from_millis(now.as_millis().div_euclid(1000) * 1000);
            mark.runs.push(Run { at, lasted: false });
        }
    }

    /// The record runs alone for [`LASTING`](super::LASTING) already. True the first time.
    pub fn lasts(&mut self, offset: i64) -> bool {
        let mark = self.place(offset).ok().map(|index| &mut self.marks[index]);
        let run = mark.filter(|mark| mark.stage == Stage::Alone).and_then(|mark| mark.runs.last_mut());
        run.is_some_and(|run| !std::mem::replace(&mut run.lasted, true))
    }

    /// The test was not made after all: the record stays a suspect.
    pub fn call_off(&mut self, offset: i64) {
        let Ok(index) = self.place(offset) else { return };
        let mark = &mut self.marks[index];
        match std::mem::replace(&mut mark.stage, Stage::Waits) {
            Stage::Alone => drop(mark.runs.pop()),
            Stage::InCompany | Stage::First => mark.stage = Stage::First,
            Stage::Waits => {}
        }
        if mark.runs.is_empty() && mark.stage == Stage::Waits {
            self.marks.remove(index);
        }
    }

    /// The record has survived its test, or is not to be tested: it is a suspect no more. What is known of its crashes
    /// stays known until it is finished.
    pub fn acquit(&mut self, offset: i64) {
        if let Ok(place) = self.pending.binary_search(&offset) {
            self.pending.remove(place);
        }
        self.call_off(offset);
        if let Ok(index) = self.place(offset) {
            self.marks[index].stage = Stage::Waits;
            if self.marks[index].runs.is_empty() {
                self.marks.remove(index);
            }
        }
    }

    /// Another record of the same topic has survived alone, and this one has crashed before. True if that is news.
    pub fn witness(&mut self, offset: i64) -> bool {
        let Ok(index) = self.place(offset) else { return false };
        self.marks[index].witnessed = true;
        let news = !self.witnessed.contains(&offset);
        if news {
            self.witnessed.push(offset);
        }
        news
    }

    /// When a record that has crashed may run again; and, while its witness has not survived in this assignment, when it
    /// may without.
    #[must_use]
    pub fn again_at(&self, offset: i64) -> (Timestamp, Option<Timestamp>) {
        let quiet = self.since.after(QUIET);
        if self.witnessed.contains(&offset) {
            return (quiet, None);
        }
        let Ok(index) = self.place(offset) else { return (quiet, Some(quiet)) };
        let Mark { runs, witnessed, .. } = &self.marks[index];
        let pause = LONGEST_PAUSE.min(QUIET * (1 << runs.len().min(16)));
        (quiet, Some(if *witnessed { quiet } else { self.since.after(pause) }))
    }

    /// When the runs alone of a record began that took their process down.
    #[must_use]
    pub fn crashes(&self, offset: i64) -> Vec<Timestamp> {
        let runs = self.place(offset).ok().map(|index| &self.marks[index].runs[..]);
        runs.unwrap_or_default().iter().map(|run| run.at).collect()
    }

    /// How long a suspect may keep everything else waiting; also how long what runs already is waited for.
    #[must_use]
    pub fn time_alone(&self) -> Duration {
        (ALONE * (1 << self.unexplained.saturating_sub(3).min(4))).min(LONGEST_ALONE)
    }

    /// How long all suspects together may keep ordinary work waiting.
    #[must_use]
    pub fn time_for_all(&self) -> Duration {
        FOR_ALL * (1 << self.unexplained.saturating_sub(1).min(2))
    }

    /// Until when ordinary work waits for suspects that were not read yet, `next` being the next offset to be read.
    #[must_use]
    pub fn gathers_until(&self, next: i64) -> Option<Timestamp> {
        (next < self.below).then(|| self.since.after(GATHERING))
    }
}
