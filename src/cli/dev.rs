//! `retrial dev`: an embedded broker on a port, for a handler at hand and no Kafka.

use super::{
    end::{End, Ended, Trouble},
    interrupt::Interrupt,
    screen::Screen,
    table::things,
};
use crate::{
    broker::kafka::{DevBroker, DevError, EMBEDDED_LIMITS},
    error::TopicMistake,
};
use retrial_core::naming::is_topic_name;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    io::{self, Write},
    str::FromStr,
};

const EXAMPLES: &str = "\
It speaks Kafka's protocol on 127.0.0.1, for clients of any language. A service of retrial connects to it as to any Kafka,
sees by itself what it is, and makes its group's own topics there.

Examples:
  retrial dev orders:12 payments
  retrial dev --port 9093 --output json orders";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The topics, each with its number of partitions if that is not 3.
    #[arg(required = true, value_name = "TOPIC[:PARTITIONS]")]
    topics: Vec<Topic>,
    /// The port of 127.0.0.1 to listen on; 0 for any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 9092)]
    port: u16,
}

const SCHEMA: &str = "retrial.dev/1";

/// What follows for the commands.
const NO_COMMANDS: &str = "retrial status, doctor, topics, offsets, replay, dlq redrive and dlq discard need a Kafka";

const DEFAULT_PARTITIONS: i32 = 3;

/// Each costs the broker memory at once.
const MAX_PARTITIONS: i32 = 1000;

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
struct Topic {
    name: String,
    partitions: i32,
}

impl FromStr for Topic {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, partitions) = match text.split_once(':') {
            None => (text, DEFAULT_PARTITIONS),
            Some((name, number)) => {
                let number = number.parse().ok().filter(|number| (1..=MAX_PARTITIONS).contains(number));
                (name, number.ok_or_else(|| format!("partitions are a number from 1 to {MAX_PARTITIONS}"))?)
            }
        };
        if !is_topic_name(name) {
            return Err(TopicMistake::Name.to_string());
        }
        Ok(Self { name: name.to_owned(), partitions })
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    bootstrap_server: &'a str,
    topics: &'a [Topic],
    limits: Vec<&'a str>,
}

pub(super) fn run(arguments: &Arguments, screen: &Screen) -> Ended {
    let mut seen = BTreeSet::new();
    if let Some(twice) = arguments.topics.iter().find(|topic| !seen.insert(&topic.name)) {
        return Err(Trouble::Usage(format!("topic {} is given twice", twice.name)));
    }
    let mut interrupt = Interrupt::listen()?;
    let topics: Vec<_> = arguments.topics.iter().map(|topic| (topic.name.clone(), topic.partitions)).collect();
    let broker = DevBroker::start(arguments.port, &topics).map_err(|error| match error {
        DevError::Port { .. } => Trouble::Failed(format!("{error}; choose another with --port, or 0 for any")),
        DevError::Broker(_) => Trouble::failed(error),
    })?;
    let address = broker.address();
    let limits: Vec<&str> = EMBEDDED_LIMITS.into_iter().chain([NO_COMMANDS]).collect();
    if screen.is_json() {
        screen.json(SCHEMA, &Shown { bootstrap_server: &address, topics: &arguments.topics, limits })?;
    } else {
        screen.write(&text(&address, &arguments.topics))?;
        let limits: String = limits.iter().map(|limit| format!("- {limit}\n")).collect();
        // With nobody at the other end of standard error there is still the broker.
        let _ = write!(io::stderr().lock(), "This is no Kafka:\n{limits}");
    }
    interrupt.wait_for_one();
    Ok(End::Done)
}

fn text(address: &str, topics: &[Topic]) -> String {
    let counted = |topic: &Topic| {
        let partitions = usize::try_from(topic.partitions).unwrap_or_default();
        format!("{} ({})", topic.name, things(partitions as u64, "partition", "partitions"))
    };
    let list = topics.iter().map(counted).collect::<Vec<_>>().join(", ");
    let first = topics.first().map_or("", |topic| &topic.name);
    format!(
        "A broker listens at {address}, with {list}\n\n\
         a service:  Kafka::bootstrap(\"{address}\")\n\
         records:    retrial enqueue {first} --body '{{}}' --bootstrap-server {address}\n\
         \x20           retrial tail {first} --from-beginning --bootstrap-server {address}\n\n\
         Ctrl-C ends it.\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_have_partitions_or_three() {
        let read = |text: &str| text.parse().map(|Topic { name, partitions }| (name, partitions));
        assert_eq!(read("orders:12"), Ok(("orders".to_owned(), 12)));
        assert_eq!(read("a.b_c-D9"), Ok(("a.b_c-D9".to_owned(), 3)));
        for wrong in ["orders:0", "orders:-1", "orders:1001", "orders:", "orders:x", "a:1:2"] {
            assert!(read(wrong).unwrap_err().contains("from 1 to 1000"), "{wrong}");
        }
        for wrong in ["", ":3", ".", "..", "a b", "ü", &"x".repeat(250)] {
            assert!(read(wrong).unwrap_err().contains("1 to 249"), "{wrong}");
        }
    }
}
