//! Which replica leads.

use super::{
    Refusal, ask,
    cells::{Cells, Reader},
    code,
};
use crate::Kafka;

const ELECT_LEADERS: (i16, i16) = (43, 1);
const PREFERRED: i8 = 0;
/// The preferred one leads already.
const ELECTION_NOT_NEEDED: i16 = 84;

impl Kafka {
    /// Gives the lead of a partition back to the first of its replicas.
    pub fn elect_preferred(&self, topic: &str, partition: i32) {
        let mut body = Cells::default();
        body.i8(PREFERRED).i32(1).string(Some(topic)).i32(1).i32(partition).i32(30_000);
        match ask(|| self.any(), ELECT_LEADERS, &body, |answer| elected(&mut Reader::new(answer))) {
            Ok(()) | Err(Refusal::Code(ELECTION_NOT_NEEDED)) => {}
            Err(refusal) => panic!("no election for {topic}/{partition}: {refusal}"),
        }
    }
}

fn elected(answer: &mut Reader<'_>) -> Result<(), Refusal> {
    let _throttled = answer.i32()?;
    code(answer)?;
    // A partition that needs no election is left out.
    for _ in 0..answer.i32()? {
        answer.string()?;
        for _ in 0..answer.i32()? {
            answer.i32()?;
            code(answer)?;
            answer.string()?;
        }
    }
    Ok(())
}
