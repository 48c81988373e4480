//! What becomes of a record that is condemned.

use crate::{
    engine::Engine,
    event::{Actions, HoldReason, Notice, Payload},
    history::History,
    order::OnCrash,
    outcome::{Cause, Reason},
    planner,
    time::Timestamp,
};

impl<R: Payload> Engine<R> {
    /// Buries or holds what is condemned.
    pub(super) fn execute(&mut self, now: Timestamp, out: &mut Actions<R>) {
        for work in std::mem::take(&mut self.careful.condemned) {
            let slot = work.ticket.slot;
            let Some((offset, suspects)) = self.suspected(work.ticket) else { continue };
            let times = suspects.crashes(offset);
            let crashes = u32::try_from(times.len()).unwrap_or(u32::MAX);
            let reason = crashed(&times);
            let on_crash = self.topics.get(work.topic.0 as usize).map_or(OnCrash::Bury, |topic| topic.retry.on_crash);
            let held = on_crash == OnCrash::Hold;
            Self::notice(out, Notice::SuspectCondemned { slot, offset, crashes, held });
            if held {
                let detail = format!("the record at offset {offset}: {}", reason.message());
                Self::notice(out, Notice::Held { slot, why: HoldReason::Crashed, detail });
                continue;
            }
            let Some(origin) = self.origin(&work) else { continue };
            let history = work.history.as_deref().cloned();
            let history = history.unwrap_or_else(|| History::new(origin, work.record.time()));
            let plan = planner::bury(history, Cause::Crashed, reason, self.clock.broker_about(now));
            self.carry_out(now, work, plan, out);
        }
    }
}

/// Why a record is condemned, in words.
fn crashed(times: &[Timestamp]) -> Reason {
    let list: Vec<String> = times.iter().map(Timestamp::to_string).collect();
    let text =
        format!("crashed the worker {} times while nothing else ran in it: begun at {}", times.len(), list.join(", "));
    Reason::new("crashed", &text).abrupt()
}
