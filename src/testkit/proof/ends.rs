//! Promise 7: where each record must end, by what its handler does, and where it did.
//!
//! Judged when everything is done: a record that cannot be handled has a dead letter with its cause, and no other
//! record has one. A record that somebody destroyed, or that was too large to be written with its past, is let off.

use super::{
    deed::{Deed, End},
    script::{Ordering, Script},
};
use crate::broker::sim::{
    check::Terms,
    trace::{Event, Removal, Trace},
};
use retrial_core::{history::History, naming::OwnTopic, outcome::Cause};
use std::collections::{BTreeMap, BTreeSet};

/// Where a record of the one source topic stood first.
type Origin = (i32, i64);

/// Kind of a dead letter that stands for a record which did not fit into its tier.
const TOO_LARGE: &str = "too-large";

pub(super) fn judge(script: &Script, trace: &Trace, terms: &Terms) -> Option<String> {
    let attempts = match script.ordering {
        Ordering::None | Ordering::KeyHold => 1 + script.tiers.len() as u32,
        Ordering::KeyDead | Ordering::PartitionDead => 1,
    };
    let mut expected: BTreeMap<Origin, End> = BTreeMap::new();
    let mut buried: BTreeMap<Origin, History> = BTreeMap::new();
    let mut let_off: BTreeSet<Origin> = BTreeSet::new();
    for event in trace.events() {
        match event {
            Event::Appended { place, record, by: None } => {
                let deed = record.message.body.as_deref().and_then(Deed::of_body)?;
                let origin = (place.partition, record.offset);
                // After an unclean election another record has the place; then neither can be told by it.
                if expected.insert(origin, deed.end(attempts)).is_some() {
                    let_off.insert(origin);
                }
            }
            Event::Appended { place, record, by: Some(_) } if is_dead_letters(terms, &place.topic) => {
                if let Some(history) = terms.history(&place.topic, record) {
                    buried.insert((history.origin.partition, history.origin.offset), history);
                }
            }
            Event::Removed { place, records, why } if *why != Removal::Trimmed => {
                let_off.extend(records.iter().map(|record| (place.partition, record.offset)));
            }
            _ => {}
        }
    }
    expected.iter().filter(|(origin, _)| !let_off.contains(origin)).find_map(|(origin, end)| {
        let letter = buried.get(origin);
        let is_right = match (end, letter) {
            (_, Some(letter)) if letter.error_kind.as_deref() == Some(TOO_LARGE) => true,
            (End::Buried(cause), Some(letter)) => letter.cause == Some(*cause) && made_its_attempts(letter, attempts),
            (End::Buried(_), None) | (_, Some(_)) => false,
            (_, None) => true,
        };
        (!is_right).then(|| format!("{origin:?} must end as {end:?}, and its dead letter is {letter:?}"))
    })
}

/// Who is buried for want of attempts has made them all.
fn made_its_attempts(letter: &History, attempts: u32) -> bool {
    letter.cause != Some(Cause::Exhausted) || letter.attempts == attempts
}

fn is_dead_letters(terms: &Terms, topic: &str) -> bool {
    terms.names.parse(topic) == Some(OwnTopic::DeadLetters)
}
