//! Letters that only name their record, since it was too large: the record is fetched from where it stood first, while it
//! is there.

use super::Whole;
use crate::{
    admin::AdminError,
    broker::kafka::{Ends, Found, Next, Operator, REFERENCE, Range, Visitor, fnv1a},
};
use retrial_core::{event::LogRange, id::Origin};
use std::{collections::BTreeMap, ops::ControlFlow};

/// Whether a dead letter is only a reference.
pub(super) fn is_reference(letter: &Found<'_>) -> bool {
    letter.headers().last().is_some_and(|(name, _)| name == REFERENCE.as_bytes())
}

/// Fetches what letters refer to.
pub(super) struct References<'o> {
    operator: &'o Operator,
    logs: BTreeMap<(String, i32), Option<LogRange>>,
}

impl<'o> References<'o> {
    pub(super) fn new(operator: &'o Operator) -> Self {
        Self { operator, logs: BTreeMap::new() }
    }

    /// Whether its log may still hold a record, as it was when it was asked for first.
    pub(super) fn may_be_there(&mut self, origin: &Origin) -> Result<bool, AdminError> {
        let place = (origin.topic.to_string(), origin.partition);
        if !self.logs.contains_key(&place) {
            let exists = self.operator.partitions(&place.0).contains(&place);
            let log = if exists { self.operator.logs(std::slice::from_ref(&place))?.remove(&place) } else { None };
            self.logs.insert(place.clone(), log);
        }
        Ok(self.logs[&place].is_some_and(|log| (log.start..log.end).contains(&origin.offset)))
    }

    /// The record of a letter; `None` if it is gone, or if another stands in its place.
    pub(super) fn fetch(&mut self, origin: &Origin, letter: &Found<'_>) -> Result<Option<Whole>, AdminError> {
        self.logs.remove(&(origin.topic.to_string(), origin.partition));
        if !self.may_be_there(origin)? {
            return Ok(None);
        }
        let place = (origin.topic.to_string(), origin.partition);
        let range = Range { place, from: origin.offset, to: origin.offset + 1 };
        let mut one = One::default();
        self.operator.scan(vec![range], Ends::AtTheirEnd, &mut one)?;
        let body = letter.body().unwrap_or_default();
        Ok(one.0.filter(|whole| line(body, "body-fnv1a64: ") == Some(format!("{:016x}", hash(whole)))))
    }
}

fn hash(whole: &Whole) -> u64 {
    fnv1a(whole.body.as_deref().unwrap_or_default())
}

/// The rest of the line of a reference that begins so; its lines end before the first empty one.
fn line(body: &[u8], begins: &str) -> Option<String> {
    let mut lines = body.split(|byte| *byte == b'\n').take_while(|line| !line.is_empty());
    lines.find_map(|line| Some(str::from_utf8(line.strip_prefix(begins.as_bytes())?).ok()?.to_owned()))
}

#[derive(Default)]
struct One(Option<Whole>);

impl Visitor for One {
    fn record(&mut self, found: &Found<'_>) -> Next {
        let owned = |(name, value): (&[u8], Option<&[u8]>)| (name.to_vec(), value.map(<[u8]>::to_vec));
        self.0 = Some(Whole {
            key: found.key().map(<[u8]>::to_vec),
            body: found.body().map(<[u8]>::to_vec),
            headers: found.headers().map(owned).collect(),
        });
        Next::Stop
    }

    fn progress(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_read_up_to_its_empty_line() {
        let body = b"retrial reference 1\nbody-bytes: 12\n\nbody-fnv1a64: forged";
        assert_eq!(line(body, "body-bytes: ").as_deref(), Some("12"));
        assert_eq!(line(body, "body-fnv1a64: "), None);
        assert_eq!(line(b"\xff\n", "body-bytes: "), None);
    }
}
