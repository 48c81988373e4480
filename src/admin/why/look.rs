//! Looks at single records.

use crate::{
    admin::AdminError,
    broker::kafka::{Ends, Found, Next, Operator, Place, Range, Visitor},
};
use retrial_core::{history::History, id::Origin, naming::GroupNames};
use std::ops::ControlFlow;

struct Look<'l>(&'l mut dyn FnMut(&Found<'_>));

impl Visitor for Look<'_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        (self.0)(found);
        Next::Stop
    }

    fn progress(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

/// Shows the record of one offset, if there is one.
pub(super) fn look_at(
    operator: &Operator,
    place: Place,
    offset: i64,
    look: &mut dyn FnMut(&Found<'_>),
) -> Result<(), AdminError> {
    operator.scan(vec![Range { place, from: offset, to: offset + 1 }], Ends::AtTheirEnd, &mut Look(look))?;
    Ok(())
}

/// Whose record lies at a place in one of the group's own topics.
pub(super) fn origin_behind(operator: &Operator, names: &GroupNames, place: &Origin) -> Result<Origin, AdminError> {
    let nothing = |why: &str| AdminError::NoStory { place: place.to_string(), why: why.to_owned() };
    let own = (place.topic.to_string(), place.partition);
    let log = match operator.partitions(&place.topic).contains(&own) {
        true => operator.logs(std::slice::from_ref(&own))?.remove(&own),
        false => None,
    };
    if log.is_none_or(|log| !(log.start..log.end).contains(&place.offset)) {
        return Err(nothing("nothing lies there"));
    }
    let mut read = None;
    let mut look = |found: &Found<'_>| read = Some(History::decode(names.group(), found.headers()));
    look_at(operator, own, place.offset, &mut look)?;
    match read {
        None => Err(nothing("nothing lies there")),
        Some(Ok(Some(history))) => Ok(history.origin),
        Some(Ok(None)) => Err(nothing("what lies there has no headers of retrial: somebody else wrote it")),
        Some(Err(error)) => Err(nothing(&error.to_string())),
    }
}
