//! What groups have committed, written and taken away by the protocol itself: metadata is bytes there.

use super::{
    Refusal, ask,
    cells::{Cells, Reader},
    code, to_partition,
};
use crate::Kafka;

const OFFSET_COMMIT: (i16, i16) = (8, 2);
const FIND_COORDINATOR: (i16, i16) = (10, 0);
const OFFSET_DELETE: (i16, i16) = (47, 0);

impl Kafka {
    /// Commits for `group` as any tool may, with metadata that need not be text. (A broker keeps it as text, with what is
    /// none replaced.) The broker refuses while the group has members.
    pub fn commit_raw(&self, group: &str, topic: &str, partition: i32, offset: i64, metadata: &[u8]) {
        let mut body = Cells::default();
        // No generation and no member; kept for as long as usual.
        body.string(Some(group)).i32(-1).string(Some("")).i64(-1);
        body.i32(1).string(Some(topic)).i32(1).i32(partition).i64(offset).text(metadata);
        let coordinator = || self.coordinator(group);
        let done = ask(coordinator, OFFSET_COMMIT, &body, |answer| to_partition(&mut Reader::new(answer)));
        done.unwrap_or_else(|error| panic!("{group} cannot commit {offset} for {topic}/{partition}: {error}"));
    }

    /// Takes away what `group` has committed for one partition. The broker refuses while members read the topic.
    pub fn forget_commit(&self, group: &str, topic: &str, partition: i32) {
        let mut body = Cells::default();
        body.string(Some(group)).i32(1).string(Some(topic)).i32(1).i32(partition);
        let coordinator = || self.coordinator(group);
        let done = ask(coordinator, OFFSET_DELETE, &body, |answer| forgotten(&mut Reader::new(answer)));
        done.unwrap_or_else(|error| panic!("{group} cannot forget its commit for {topic}/{partition}: {error}"));
    }

    /// The address of the broker that keeps a group's commits. It takes a moment until a new cluster has one.
    fn coordinator(&self, group: &str) -> String {
        let mut body = Cells::default();
        body.string(Some(group));
        let any = || self.brokers()[0].address().to_owned();
        let found = ask(any, FIND_COORDINATOR, &body, |answer| coordinator(&mut Reader::new(answer)));
        found.unwrap_or_else(|refusal| panic!("no coordinator of {group}: {refusal}"))
    }
}

fn coordinator(answer: &mut Reader<'_>) -> Result<String, Refusal> {
    code(answer)?;
    let _node = answer.i32()?;
    let host = String::from_utf8_lossy(answer.string()?).into_owned();
    Ok(format!("{host}:{}", answer.i32()?))
}

fn forgotten(answer: &mut Reader<'_>) -> Result<(), Refusal> {
    code(answer)?;
    let _throttled = answer.i32()?;
    to_partition(answer)
}
