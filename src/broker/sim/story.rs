//! Events in words, one line each, for people who read why a schedule failed.

use super::trace::{Event, Part, Place, Spot};
use retrial_core::history::History;
use std::fmt;

/// Names of places as short as they can be told apart.
struct Short<'a>(&'a Place);

impl fmt::Display for Short<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.0.topic, self.0.partition)
    }
}

struct At<'a>(&'a Spot);

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Short(&self.0.place), self.0.offset)?;
        if self.0.epoch == 0 { Ok(()) } else { write!(f, "@{}", self.0.epoch) }
    }
}

struct Parts<'a>(&'a [Part]);

impl fmt::Display for Parts<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Of partitions without records there is nothing to tell.
        self.0.iter().filter(|part| part.offset > 0).try_for_each(|part| write!(f, " {}", Said(part)))
    }
}

struct Said<'a>(&'a Part);

impl fmt::Display for Said<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Part { place, offset, metadata, .. } = self.0;
        write!(f, "{}={offset}", Short(place))?;
        // A snapshot of nothing beyond the watermark has about 15 characters.
        if metadata.len() > 16 { f.write_str("+map") } else { Ok(()) }
    }
}

fn text(bytes: Option<&[u8]>) -> String {
    let bytes = bytes.unwrap_or_default();
    String::from_utf8_lossy(&bytes[..bytes.len().min(20)]).into_owned()
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Appended { place, record, by } => {
                let (key, body) = (text(record.message.key.as_deref()), text(record.message.body.as_deref()));
                write!(f, "{}/{} holds {key}:{body}", Short(place), record.offset)?;
                by.as_ref().map_or(Ok(()), |(writer, id)| write!(f, ", by {} ({})", writer.0, id.0))
            }
            Self::Removed { place, records, why } => {
                let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
                write!(f, "{} loses {offsets:?}: {why:?}", Short(place))
            }
            Self::Generation { group, generation, assigned } => {
                write!(f, "generation {generation} of {group}:")?;
                assigned.iter().try_for_each(|(process, places)| write!(f, " {} gets {}", process.0, places.len()))
            }
            Self::Born { process, group } => write!(f, "{} is started in {group}", process.0),
            Self::Died { process } => write!(f, "{} dies", process.0),
            Self::Stopping { process } => write!(f, "{} is asked to stop", process.0),
            Self::Frozen { process, until } => write!(f, "{} stands still until {until}", process.0),
            Self::ClockStood { process, stood } => write!(f, "the clock of {} stood still for {stood:?}", process.0),
            Self::Expelled { process } => write!(f, "{} is no member any more", process.0),
            Self::Offered { process, slot, place, committed, .. } => {
                let from = committed.as_ref().map_or(-1, |committed| committed.offset);
                write!(f, "{} is offered {} from {from} as {}", process.0, Short(place), slot.generation)
            }
            Self::Started { process, slot, offset } => {
                write!(f, "{} starts {} at {offset}", process.0, slot.generation)
            }
            Self::Delivered { process, slot, first, last, .. } => {
                write!(f, "{} is handed {first} to {last} of {}", process.0, slot.generation)
            }
            Self::OutOfRange { process, slot, log } => {
                write!(f, "{} hears that {} has {} to {}", process.0, slot.generation, log.start, log.end)
            }
            Self::Revoking { process, slots, lost } => {
                let names: Vec<u32> = slots.iter().map(|slot| slot.generation).collect();
                write!(f, "{} {} {names:?}", process.0, if *lost { "has lost" } else { "is to give up" })
            }
            Self::Released { process, slot } => write!(f, "{} gives up {}", process.0, slot.generation),
            Self::Left { process } => write!(f, "{} has left", process.0),
            Self::Fault(fault) => write!(f, "*** {}", fault.name()),
            Self::Misuse { process, what } => write!(f, "{}: {what}", process.0),
            work => work.tell_work(f),
        }
    }
}

impl Event {
    /// What was committed, forwarded and run.
    fn tell_work(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommitSent { process, id, parts } => write!(f, "{} commits ({}){}", process.0, id.0, Parts(parts)),
            Self::CommitApplied { process, id, part, .. } => {
                write!(f, "stored of {} ({}): {}", process.0, id.0, Said(part))
            }
            Self::CommitAnswered { process, id, result } => {
                write!(f, "{} hears of commit {}: {result:?}", process.0, id.0)
            }
            Self::Forwarded { process, id, from, target, history, .. } => {
                let History { attempts, hop, .. } = **history;
                write!(f, "{} forwards {} to {target:?} ({}), attempts {attempts} hop {hop}", process.0, At(from), id.0)
            }
            Self::Acknowledged { process, id, result } => {
                write!(f, "{} hears of forward {}: {result:?}", process.0, id.0)
            }
            Self::Began { process, spot, attempt, .. } => {
                write!(f, "{} runs {}, attempt {attempt}", process.0, At(spot))
            }
            Self::Concluded { process, spot, ended, asked } => {
                write!(f, "{} ended {}: {ended:?}", process.0, At(spot))?;
                asked.map_or(Ok(()), |delay| write!(f, ", again after {delay:?}"))
            }
            _ => Ok(()),
        }
    }
}
