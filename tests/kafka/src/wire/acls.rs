//! Rights of users, given and taken. The broker must run an authorizer, and the clients of this crate (nobody, on the first
//! listener) must be among its `super.users`.

use super::{
    Refusal, ask,
    cells::{Cells, Reader},
};
use crate::Kafka;

const CREATE_ACLS: (i16, i16) = (30, 1);
const DELETE_ACLS: (i16, i16) = (31, 1);
const LITERAL: i8 = 3;
const ALLOW: i8 = 3;

/// Something that a user may do, as `kafka-acls` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right<'a> {
    /// READ on a topic.
    ReadTopic(&'a str),
    /// WRITE on a topic.
    WriteTopic(&'a str),
    /// DELETE on a topic, which deleting its records takes.
    DeleteTopic(&'a str),
    /// DESCRIBE on a topic.
    DescribeTopic(&'a str),
    /// DESCRIBE_CONFIGS on a topic.
    DescribeTopicConfigs(&'a str),
    /// READ on a group.
    ReadGroup(&'a str),
    /// CREATE on the cluster: topics of any name.
    CreateTopics,
}

impl Right<'_> {
    /// Kind of resource, its name, and the operation, as the protocol numbers them.
    fn parts(&self) -> (i8, &str, i8) {
        const TOPIC: i8 = 2;
        const GROUP: i8 = 3;
        const CLUSTER: i8 = 4;
        match *self {
            Self::ReadTopic(topic) => (TOPIC, topic, 3),
            Self::WriteTopic(topic) => (TOPIC, topic, 4),
            Self::DeleteTopic(topic) => (TOPIC, topic, 6),
            Self::DescribeTopic(topic) => (TOPIC, topic, 8),
            Self::DescribeTopicConfigs(topic) => (TOPIC, topic, 10),
            Self::ReadGroup(group) => (GROUP, group, 3),
            Self::CreateTopics => (CLUSTER, "kafka-cluster", 5),
        }
    }

    fn write(&self, user: &str, body: &mut Cells) {
        let (kind, name, operation) = self.parts();
        let user = format!("User:{user}");
        body.i32(1)
            .i8(kind)
            .string(Some(name))
            .i8(LITERAL)
            .string(Some(&user))
            .string(Some("*"))
            .i8(operation)
            .i8(ALLOW);
    }
}

impl Kafka {
    /// Gives a user a right.
    pub fn give(&self, user: &str, right: Right<'_>) {
        let mut body = Cells::default();
        right.write(user, &mut body);
        let given = ask(|| self.any(), CREATE_ACLS, &body, |answer| first_result(&mut Reader::new(answer)));
        given.unwrap_or_else(|refusal| panic!("{user} cannot be given {right:?}: {refusal}"));
    }

    /// Takes a right away from a user.
    pub fn take_away(&self, user: &str, right: Right<'_>) {
        let mut body = Cells::default();
        right.write(user, &mut body);
        let taken = ask(|| self.any(), DELETE_ACLS, &body, |answer| first_result(&mut Reader::new(answer)));
        taken.unwrap_or_else(|refusal| panic!("{right:?} cannot be taken from {user}: {refusal}"));
    }
}

fn first_result(answer: &mut Reader<'_>) -> Result<(), Refusal> {
    let (_throttled, _results) = (answer.i32()?, answer.i32()?);
    super::code(answer)
}
