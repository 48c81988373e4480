//! A topic as it grows.

use super::{AdminError, Past, Progress};
use crate::broker::kafka::{Ends, Found, Kafka, Next, Operator, Range, Visitor};
use retrial_core::{
    event::LogRange,
    history::{History, SourceTime, carried},
    naming::GroupNames,
    time::Timestamp,
};
use std::{collections::BTreeMap, ops::ControlFlow};

/// Where to begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Beginning {
    /// With what is written from now on.
    Now,
    /// With the first record that is still there.
    Earliest,
    /// So many offsets before the end of each partition.
    Last(u64),
    /// With the first record of this time or later.
    Since(Timestamp),
}

/// A record of some topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SeenRecord {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its time, and what that means.
    pub time: SourceTime,
    /// In one of the group's own topics, what it has been through, if that can be read.
    pub past: Option<Past>,
    /// Its key; `None` for null.
    pub key: Option<Vec<u8>>,
    /// Its body; `None` for null.
    pub body: Option<Vec<u8>>,
    /// Its headers in order, without those of retrial where the past is read; a value may be null.
    pub headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
}

/// Shows the records of a topic, in the order of each partition: up to what is there now, or, to `follow`, until `show`
/// or `progress` breaks. Partitions that are added meanwhile are not seen.
///
/// # Errors
/// The topic does not exist; or see [`AdminError`].
pub fn tail(
    kafka: &Kafka,
    names: &GroupNames,
    topic: &str,
    beginning: Beginning,
    follow: bool,
    progress: &mut dyn Progress,
    show: &mut dyn FnMut(SeenRecord) -> ControlFlow<()>,
) -> Result<(), AdminError> {
    let operator = Operator::connect(kafka, names.group())?;
    let places = operator.partitions(topic);
    if places.is_empty() {
        return Err(AdminError::NoTopic { topic: topic.to_owned(), address: kafka.address().to_owned() });
    }
    let logs = operator.logs(&places)?;
    let since = match beginning {
        Beginning::Since(time) => operator.first_since(&places, time)?,
        _ => BTreeMap::new(),
    };
    let range = |(place, log): (_, LogRange)| {
        let from = match beginning {
            Beginning::Now => log.end,
            Beginning::Earliest => log.start,
            Beginning::Last(count) => log.end.saturating_sub_unsigned(count).max(log.start),
            Beginning::Since(_) => since.get(&place).copied().unwrap_or(log.end),
        };
        Range { place, from, to: if follow { i64::MAX } else { log.end } }
    };
    let ranges = logs.into_iter().map(range).collect();
    let own = names.parse(topic).is_some().then(|| names.group());
    let mut watcher = Watcher { own, progress, show };
    operator.scan(ranges, if follow { Ends::Never } else { Ends::AtTheirEnd }, &mut watcher)?;
    Ok(())
}

struct Watcher<'a> {
    /// The group, if the topic is its own.
    own: Option<&'a str>,
    progress: &'a mut dyn Progress,
    show: &'a mut dyn FnMut(SeenRecord) -> ControlFlow<()>,
}

impl Visitor for Watcher<'_> {
    fn record(&mut self, found: &Found<'_>) -> Next {
        let history = self.own.and_then(|group| History::decode(group, found.headers()).ok().flatten());
        let owned = |(name, value): (&[u8], Option<&[u8]>)| (name.to_vec(), value.map(<[u8]>::to_vec));
        let record = SeenRecord {
            partition: found.partition(),
            offset: found.offset(),
            time: found.time(),
            headers: carried(found.headers(), history.is_some()).map(owned).collect(),
            past: history.map(Past::from),
            key: found.key().map(<[u8]>::to_vec),
            body: found.body().map(<[u8]>::to_vec),
        };
        match (self.show)(record) {
            ControlFlow::Continue(()) => Next::More,
            ControlFlow::Break(()) => Next::Stop,
        }
    }

    fn progress(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.progress.advanced(done, of)
    }
}
