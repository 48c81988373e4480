//! Showing before starting: what may start while every record that does must have been shown by an accepted commit.

use super::Suspects;
use crate::time::Timestamp;
use std::time::Duration;

/// Records after which it is over.
const RECORDS: u64 = 1024;

/// What an accepted commit has shown as started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Wary {
    /// Places in the order of arrival below this one may start.
    shown: u64,
    /// What the commit under way shows.
    showing: u64,
    until: Timestamp,
}

impl Wary {
    /// The more owners vanished, the longer.
    pub(super) fn new(now: Timestamp, vanished: u32) -> Self {
        let time = Duration::from_secs(30 << vanished.saturating_sub(1).min(4));
        Self { shown: 0, showing: 0, until: now.after(time) }
    }
}

impl Suspects {
    /// Whether the record with this place in the order of arrival may start, as far as that was shown.
    #[must_use]
    pub fn may_start(&self, sequence: u64) -> bool {
        self.wary.is_none_or(|wary| sequence < wary.shown)
    }

    /// Until when records are shown before they start at the longest, if they are.
    #[must_use]
    pub fn wary_until(&self) -> Option<Timestamp> {
        self.wary.map(|wary| wary.until)
    }

    /// Ends that once it is long enough. True if it ended now.
    pub fn relax(&mut self, now: Timestamp) -> bool {
        self.wary.take_if(|wary| wary.shown >= RECORDS || wary.until <= now).is_some()
    }

    /// The commit under way shows everything below this place in the order of arrival, and this offset, as started.
    pub fn show(&mut self, sequence: u64, offset: i64) {
        if let Some(wary) = &mut self.wary {
            wary.showing = sequence;
            self.below = self.below.max(offset);
        }
    }

    /// It was accepted. True if more may start now.
    pub fn shown(&mut self) -> bool {
        let Some(wary) = &mut self.wary else { return false };
        let more = wary.showing > wary.shown;
        wary.shown = wary.shown.max(wary.showing);
        more
    }

    /// It was refused.
    pub fn not_shown(&mut self) {
        if let Some(wary) = &mut self.wary {
            wary.showing = 0;
        }
    }
}
