//! Commits: when, of what, and what their results mean. They are also the lease (RULES 17).
//!
//! # Invariants
//! 1. One commit is outstanding at a time; a repeated one is built anew from what is owned then.
//! 2. A partition that is clean is sent again only for the lease.
//! 3. Nothing starts before the group has accepted a commit, nor from a session timeout after the last accepted one was
//!    sent. Being given partitions proves nothing: a process that was frozen finds old assignments waiting for it.

use super::{
    CommitIds, Engine,
    config::EngineConfig,
    later,
    partition::{Partition, Phase},
};
use crate::{
    event::{Action, Actions, CommitEntry, CommitResult, HoldReason, Notice, Payload},
    id::{CommitId, Slot},
    pace::{self, Pace, PaceConfig, Unsaid},
    saboteur::{Saboteur, sabotaged},
    snapshot::{self, Departure, Subject, Suspicion},
    time::Timestamp,
};
use std::time::Duration;

/// How long a commit's result is awaited before it counts as failed. The client library retries meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// The pause before a last commit that was refused is tried again.
const AGAIN: Duration = Duration::from_millis(100);

/// A tier's log is trimmed when this much is finished below its watermark, or after a minute.
const TRIM_RECORDS: i64 = 10_000;
const TRIM_INTERVAL: Duration = Duration::from_secs(60);

/// The commit under way, and the lease.
#[derive(Debug, Default)]
pub(super) struct Committing {
    ids: CommitIds,
    under_way: Option<UnderWay>,
    /// No last commit goes before, since one was refused.
    again_at: Option<Timestamp>,
    /// When the last commit that was accepted had been sent: then, at the latest, the group counted us in.
    alive: Option<Timestamp>,
    /// Whether that was less than a session ago.
    valid: bool,
    /// Whether the end of the lease was told.
    told: bool,
}

#[derive(Debug)]
struct UnderWay {
    id: CommitId,
    sent: Timestamp,
    /// What it says, to know what was accepted.
    entries: Vec<(Slot, i64)>,
}

impl Committing {
    pub(super) fn lease_expired(&self) -> bool {
        !self.valid && !sabotaged(Saboteur::IgnoresLease)
    }
}

/// The pace for a configuration: the lease asks for a commit of everything each third of the session timeout.
pub(super) fn pace(config: &EngineConfig) -> Pace {
    Pace::new(PaceConfig {
        interval: config.commit.interval,
        early: config.commit.early,
        bytes_per_second: config.commit.metadata_per_second,
        // At 20,000 records a second, what a kill repeats must stay below a thousand: 20 ms and a round trip of it,
        // and what is in flight. Ten round trips, as first drawn, were twice that.
        floor: Duration::from_millis(20),
        round_trips: 4,
        ..PaceConfig::for_session(config.session_timeout)
    })
}

impl<R: Payload> Engine<R> {
    pub(super) fn check_lease(&mut self, now: Timestamp, out: &mut Actions<R>) {
        if self.commit.under_way.as_ref().is_some_and(|commit| later(commit.sent, PATIENCE) <= now) {
            let silent = self.commit.under_way.take();
            self.commit_again(now, &silent.map(|commit| commit.entries).unwrap_or_default());
        }
        if self.lease_ends().is_some_and(|end| end <= now) {
            self.commit.valid = false;
            // Without a partition there is nothing to commit, and no harm.
            if self.partitions.iter().any(Option::is_some) {
                self.commit.told = true;
                Self::notice(out, Notice::LeaseExpired);
            }
        }
    }

    /// When the lease ends if no commit is acknowledged before.
    pub(super) fn lease_ends(&self) -> Option<Timestamp> {
        let alive = self.commit.alive.filter(|_| self.commit.valid)?;
        Some(later(alive, self.config.session_timeout))
    }

    /// When the next commit is due, unless one is under way.
    pub(super) fn commit_due(&self, now: Timestamp) -> Option<Timestamp> {
        if let Some(commit) = &self.commit.under_way {
            return Some(later(commit.sent, PATIENCE));
        }
        let mut unsaid = Unsaid { finished: self.finished_since_commit, ..Unsaid::default() };
        for partition in self.partitions.iter().flatten().filter(|partition| commits(partition)) {
            unsaid.changed |= partition.dirty;
            unsaid.oldest = Some(unsaid.oldest.map_or(partition.said, |oldest| oldest.min(partition.said)));
        }
        // What finished in partitions that are gone is nobody's to say any more.
        unsaid.oldest?;
        self.pace.next(unsaid, now)
    }

    /// When the last commit of partitions that leave is due: at once, or a little after it was refused.
    pub(super) fn last_commit_due(&self, now: Timestamp) -> Option<Timestamp> {
        let waits = self.commit.under_way.is_none() && self.partitions.iter().flatten().any(needs_last_commit);
        waits.then(|| self.commit.again_at.map_or(now, |again| again.max(now)))
    }

    pub(super) fn send_commit(&mut self, now: Timestamp, out: &mut Actions<R>) {
        let twice = self.commit.under_way.is_some() && sabotaged(Saboteur::CommitsTwiceAtOnce);
        if self.commit.under_way.is_some() && !twice {
            return;
        }
        let leaving = twice || self.last_commit_due(now).is_some_and(|due| due <= now);
        if !leaving && self.commit_due(now).is_none_or(|due| due > now) {
            return;
        }
        self.tell_full_metadata(out);
        let id = self.commit.ids.next();
        let (entries, bytes) = self.entries(now, id);
        if entries.is_empty() {
            return;
        }
        self.pace.sent(now, bytes);
        self.finished_since_commit = 0;
        let said = entries.iter().map(|entry| (entry.slot, entry.offset)).collect();
        self.commit.under_way = Some(UnderWay { id, sent: now, entries: said });
        out.others.push(Action::Commit(id, entries));
    }

    /// The entries of one request, and the bytes of their metadata: who leaves, who changed, and whose lease is due, the longest unsaid
    /// first, up to the size of a request.
    fn entries(&mut self, now: Timestamp, id: CommitId) -> (Vec<CommitEntry>, usize) {
        let (elsewhere, window) = (self.careful.is_testing(), self.window());
        let (group, limit) = (self.config.group.as_str(), self.config.commit.metadata_limit);
        let lease = self.config.session_timeout / 6;
        let mut owned: Vec<_> = self.partitions.iter_mut().flatten().filter(|partition| commits(partition)).collect();
        owned
            .retain(|partition| partition.dirty || needs_last_commit(partition) || later(partition.said, lease) <= now);
        owned.sort_by_key(|partition| (!needs_last_commit(partition), partition.said));
        let (mut entries, mut bytes, mut metadata) = (Vec::new(), 0, 0);
        for partition in owned {
            let suspicion = suspicion(partition, elsewhere, window, now);
            let entry = entry(partition, &suspicion, group, limit);
            let size = pace::entry_bytes(group, &partition.topic, &entry.metadata);
            if bytes + size > pace::REQUEST_BYTES && !entries.is_empty() {
                break;
            }
            bytes += size;
            metadata += entry.metadata.len();
            partition.dirty = false;
            partition.said = now;
            if let Phase::Leaving { commit, .. } = &mut partition.phase {
                *commit = Some(id);
            }
            entries.push(entry);
        }
        self.careful.sent(|slot| entries.iter().any(|entry| entry.slot == slot));
        (entries, metadata)
    }

    /// Says which partitions have no room for more unfinished records in their commit metadata, and which have again.
    fn tell_full_metadata(&mut self, out: &mut Actions<R>) {
        let limit = self.config.commit.metadata_limit;
        let why = HoldReason::MetadataFull;
        for partition in self.partitions.iter_mut().flatten().filter(|partition| partition.phase == Phase::Owned) {
            let slot = partition.slot;
            let full = partition.ledger.has_room(1, partition.metadata_room(limit)) == 0;
            if std::mem::replace(&mut partition.metadata_full, full) != full {
                let detail = format!("{} records are unfinished between finished ones", partition.ledger.unfinished());
                let held = Notice::Held { slot, why, detail };
                Self::notice(out, if full { held } else { Notice::Resumed { slot, why } });
            }
        }
    }

    /// Takes the result of a commit.
    pub(super) fn committed(&mut self, now: Timestamp, id: CommitId, result: CommitResult, out: &mut Actions<R>) {
        let Some(under_way) = self.commit.under_way.take_if(|commit| commit.id == id) else { return };
        match result {
            CommitResult::Accepted { refused } => {
                self.pace.answered(now, true);
                self.renew_lease(under_way.sent, now, out);
                for (slot, offset) in under_way.entries {
                    match refused.iter().find(|(refused, _)| *refused == slot) {
                        Some((_, why)) => self.not_committed(slot, why, out),
                        None => self.accepted(now, slot, offset, out),
                    }
                }
            }
            CommitResult::Rebalancing => return self.commit_later(now, &under_way),
            CommitResult::Failed(why) => {
                Self::notice(out, Notice::CommitFailed(why));
                return self.commit_later(now, &under_way);
            }
            CommitResult::Expelled => {
                Self::notice(out, Notice::CommitFailed("the group has expelled this member".into()));
                self.commit_again(now, &under_way.entries);
                self.commit.valid = false;
                self.commit.alive = None;
            }
        }
        self.last_commit_ended(id);
    }

    /// The lease counts from when the accepted commit was sent.
    fn renew_lease(&mut self, sent: Timestamp, now: Timestamp, out: &mut Actions<R>) {
        let alive = self.commit.alive.map_or(sent, |alive| alive.max(sent));
        self.commit.alive = Some(alive);
        self.commit.valid = later(alive, self.config.session_timeout) > now;
        if self.commit.valid && std::mem::take(&mut self.commit.told) {
            Self::notice(out, Notice::LeaseRenewed);
        }
    }

    fn accepted(&mut self, now: Timestamp, slot: Slot, offset: i64, out: &mut Actions<R>) {
        self.careful.answered(slot, true);
        let Some(partition) = self.partition_mut(slot) else { return };
        let more = partition.suspects.as_mut().is_some_and(|suspects| suspects.shown());
        if more {
            self.unpark(slot);
        }
        let Some(partition) = self.partition_mut(slot) else { return };
        let watermark = partition.ledger.watermark();
        partition.suspects.take_if(|suspects| suspects.is_over(watermark, now));
        let (trimmed, at) = partition.trimmed;
        let overdue = now.since(at) >= TRIM_INTERVAL && offset > trimmed;
        let tier = matches!(partition.kind, super::partition::Kind::Tier(_));
        if tier && (overdue || offset - trimmed >= TRIM_RECORDS) {
            partition.trimmed = (offset, now);
            let beyond = if sabotaged(Saboteur::TrimsTooFar) { 1_000 } else { 0 };
            out.others.push(Action::Trim(slot, offset + beyond));
        }
    }

    fn not_committed(&mut self, slot: Slot, why: &str, out: &mut Actions<R>) {
        self.not_announced(slot);
        if let Some(partition) = self.partition_mut(slot) {
            partition.dirty = true;
            Self::notice(out, Notice::CommitFailed(why.to_owned()));
        }
    }

    /// A commit that was refused for now is no partition's last word.
    fn commit_later(&mut self, now: Timestamp, refused: &UnderWay) {
        self.commit_again(now, &refused.entries);
        self.commit.again_at = Some(later(now, AGAIN));
        self.last_commit_refused(refused.id);
    }

    fn commit_again(&mut self, now: Timestamp, entries: &[(Slot, i64)]) {
        self.pace.answered(now, false);
        entries.iter().for_each(|&(slot, _)| self.not_announced(slot));
    }

    /// What a commit was to say of a partition was not taken.
    fn not_announced(&mut self, slot: Slot) {
        self.careful.answered(slot, false);
        if let Some(partition) = self.partition_mut(slot) {
            partition.dirty = true;
            partition.suspects.iter_mut().for_each(|suspects| suspects.not_shown());
        }
    }
}

/// Whether a partition's progress may be committed by us.
fn commits<R>(partition: &Partition<R>) -> bool {
    matches!(partition.phase, Phase::Owned | Phase::Draining { .. }) || needs_last_commit(partition)
}

fn needs_last_commit<R>(partition: &Partition<R>) -> bool {
    matches!(partition.phase, Phase::Leaving { commit: None, .. })
}

fn departure<R>(partition: &Partition<R>) -> Departure {
    match partition.phase {
        Phase::Leaving { .. } => Departure::LeftWell,
        _ => Departure::StillHere,
    }
}

/// What is told of suspects, and shown as started.
fn suspicion<R>(partition: &mut Partition<R>, elsewhere: bool, window: usize, now: Timestamp) -> Suspicion {
    let departure = departure(partition);
    let Some(suspects) = &mut partition.suspects else { return Suspicion::default() };
    suspects.forget_finished(partition.ledger.watermark(), partition.ledger.finished_runs());
    if suspects.wary_until().is_some() {
        let (sequence, offset) = partition.ledger.beyond_unfinished(window);
        suspects.show(sequence, offset);
    }
    suspects.told(departure, elsewhere, now)
}

fn entry<R>(partition: &Partition<R>, suspicion: &Suspicion, group: &str, limit: usize) -> CommitEntry {
    let past = sabotaged(Saboteur::CommitsPastUnfinished);
    let offset = if past { partition.ledger.next() } else { partition.ledger.watermark() };
    let departure = departure(partition);
    let subject =
        Subject { group, topic: &partition.topic, topic_id: partition.topic_id, partition: partition.number, offset };
    let forgets = departure == Departure::LeftWell && sabotaged(Saboteur::LosesMapAtRevocation);
    let finished = partition.ledger.finished_runs().take_while(|_| !forgets);
    let below = partition.suspects.as_ref().map_or(i64::MIN, |suspects| suspects.below());
    let started_below = partition.started_below().max(below);
    let encoded = snapshot::encode_suspecting(suspicion, departure, started_below, finished, &subject, limit);
    let leader_epoch = partition.ledger.watermark_epoch();
    CommitEntry { slot: partition.slot, offset, leader_epoch, metadata: encoded.text }
}
