//! Which node leads the quorum of controllers, asked in the protocol itself: clients are told any broker's id instead.

use std::time::Duration;

use super::{
    Refusal,
    cells::{Cells, Reader},
    code, exchange_within,
};
use crate::{Broker, Kafka};

const DESCRIBE_QUORUM: (i16, i16) = (55, 0);
const PATIENCE: Duration = Duration::from_secs(5);
const METADATA: &str = "__cluster_metadata";

impl Kafka {
    /// The node id of the active controller, `None` while no broker can tell.
    pub fn controller(&self) -> Option<i32> {
        let body = question();
        let answers = self.brokers().iter().map(Broker::address).map(|address| {
            let answer = exchange_within(PATIENCE, address, DESCRIBE_QUORUM, &body).ok()?;
            leader(&mut Reader::new(&answer)).ok().filter(|leader| *leader >= 0)
        });
        answers.flatten().next()
    }
}

/// A flexible version: lengths are one more than they are, and every structure ends with its tagged fields, here none. The
/// head of the request has tagged fields too, and they come last.
fn question() -> Cells {
    let mut body = Cells::default();
    let name = METADATA.as_bytes();
    let compact = |length: usize| i8::try_from(length + 1).expect("a short array");
    body.i8(0);
    body.i8(compact(1)).i8(compact(name.len())).raw(name);
    body.i8(compact(1)).i32(0).i8(0);
    body.i8(0).i8(0);
    body
}

fn leader(answer: &mut Reader<'_>) -> Result<i32, Refusal> {
    let _tags = answer.i8()?;
    code(answer)?;
    let _topics = answer.i8()?;
    let name = answer.i8()?;
    answer.take(usize::try_from(name).unwrap_or(1).saturating_sub(1))?;
    let (_partitions, _partition) = (answer.i8()?, answer.i32()?);
    code(answer)?;
    Ok(answer.i32()?)
}
