//! A Kafka inside this process, for the first minutes and for tests: librdkafka's mock cluster.
//!
//! It speaks the real protocol on a port of 127.0.0.1, so other programs may use it as well. It ends with the
//! last clone of the [`Kafka`](super::connect::Kafka) that made it, and forgets everything then.
//!
//! Invariant: the cluster and the client that owns it live on one thread; commands reach them through a queue.

use super::ffi::mock;
use rdkafka::{
    ClientConfig, ClientContext,
    config::FromClientConfigAndContext,
    message::DeliveryResult,
    producer::{BaseProducer, Producer, ProducerContext},
};
use std::{
    collections::BTreeMap,
    sync::mpsc,
    thread::{self, JoinHandle},
};

/// What the embedded broker cannot do, one sentence each, for people.
pub const EMBEDDED_LIMITS: [&str; 5] = [
    "it forgets everything when the process ends",
    "it keeps at most 5 MiB or 100,000 batches of each partition and drops the oldest without a word",
    "it knows no topic settings: no retention, no compaction, no size limits",
    "it has no transactions, and no look-up of offsets by time",
    "it deletes neither topics nor records",
];

/// What clients of the embedded broker must set to be quick: it never wakes a waiting fetch, and it settles a
/// group within the session timeout less a second.
pub(crate) const EMBEDDED_CLIENT: [(&str, &str); 4] = [
    ("group.protocol", "classic"),
    ("session.timeout.ms", "3000"),
    ("heartbeat.interval.ms", "500"),
    ("fetch.wait.max.ms", "10"),
];

/// Why the embedded broker did not do something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EmbeddedError {
    /// It did not start.
    #[error("the embedded broker did not start: {0}")]
    Start(String),
    /// It did not make a topic.
    #[error("the embedded broker did not make topic {topic}: {reason}")]
    Topic {
        /// The topic.
        topic: String,
        /// In librdkafka's words.
        reason: String,
    },
    /// Its thread is gone.
    #[error("the embedded broker has ended")]
    Ended,
}

enum Command {
    CreateTopic {
        topic: String,
        partitions: i32,
        done: mpsc::Sender<Result<(), EmbeddedError>>,
    },
    ListTopics {
        done: mpsc::Sender<BTreeMap<String, i32>>,
    },
    #[cfg(feature = "cli")]
    Advertise {
        port: u16,
        done: mpsc::Sender<()>,
    },
    #[cfg(test)]
    Reachable {
        reachable: bool,
        done: mpsc::Sender<()>,
    },
}

/// A running embedded broker. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct EmbeddedBroker {
    address: String,
    // Taken in `drop`: the thread ends when the queue closes.
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
}

/// The client that owns the mock cluster; it is never connected to anything else.
struct Owner;
impl ClientContext for Owner {}
impl ProducerContext for Owner {
    type DeliveryOpaque = ();
    fn delivery(&self, _: &DeliveryResult<'_>, (): ()) {}
}

impl EmbeddedBroker {
    /// Starts a broker of one node on a free port. Takes some milliseconds.
    pub(crate) fn start() -> Result<Self, EmbeddedError> {
        let (commands, queue) = mpsc::channel();
        let (started, starting) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("retrial-embedded".to_owned())
            .spawn(move || serve(&queue, &started))
            .map_err(|error| EmbeddedError::Start(error.to_string()))?;
        let address = starting.recv().map_err(|_| EmbeddedError::Ended)??;
        Ok(Self { address, commands: Some(commands), thread: Some(thread) })
    }

    /// Host and port, for `bootstrap.servers`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Makes a topic, unless it exists.
    pub(crate) fn create_topic(&self, topic: &str, partitions: i32) -> Result<(), EmbeddedError> {
        self.ask(|done| Command::CreateTopic { topic: topic.to_owned(), partitions, done })?
    }

    /// The topics made by [`Self::create_topic`], with their partitions.
    pub(crate) fn topics(&self) -> Result<BTreeMap<String, i32>, EmbeddedError> {
        self.ask(|done| Command::ListTopics { done })
    }

    /// Tells clients from now on to come to this port of 127.0.0.1; somebody must carry them from there to
    /// [`Self::address`].
    #[cfg(feature = "cli")]
    pub(crate) fn advertise(&self, port: u16) -> Result<(), EmbeddedError> {
        self.ask(|done| Command::Advertise { port, done })
    }

    /// Lets the broker vanish from the network, and come back.
    #[cfg(test)]
    pub(crate) fn set_reachable(&self, reachable: bool) {
        self.ask(|done| Command::Reachable { reachable, done }).unwrap();
    }

    fn ask<T>(&self, command: impl FnOnce(mpsc::Sender<T>) -> Command) -> Result<T, EmbeddedError> {
        let (done, answer) = mpsc::channel();
        let commands = self.commands.as_ref().ok_or(EmbeddedError::Ended)?;
        commands.send(command(done)).map_err(|_| EmbeddedError::Ended)?;
        answer.recv().map_err(|_| EmbeddedError::Ended)
    }
}

impl Drop for EmbeddedBroker {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // It ends in any case; a panic in it was printed already.
            let _ = thread.join();
        }
    }
}

fn serve(commands: &mpsc::Receiver<Command>, started: &mpsc::Sender<Result<String, EmbeddedError>>) {
    let mut settings = ClientConfig::new();
    settings.set("test.mock.num.brokers", "1");
    // It warns that bootstrap.servers is replaced and, at the end, that the connection was lost.
    settings.set_log_level(rdkafka::config::RDKafkaLogLevel::Emerg);
    let owner: BaseProducer<Owner> = match BaseProducer::from_config_and_context(&settings, Owner) {
        Ok(owner) => owner,
        Err(error) => return drop(started.send(Err(EmbeddedError::Start(error.to_string())))),
    };
    let Some(cluster) = owner.client().mock_cluster().filter(|_| mock::join_at_once(owner.client())) else {
        return drop(started.send(Err(EmbeddedError::Start("librdkafka made no mock cluster".to_owned()))));
    };
    if started.send(Ok(cluster.bootstrap_servers())).is_err() {
        return;
    }
    let mut topics = BTreeMap::new();
    // An asker that went away needs no answer, so failed sends are passed over.
    for command in commands {
        match command {
            Command::CreateTopic { topic, done, .. } if topics.contains_key(&topic) => drop(done.send(Ok(()))),
            Command::CreateTopic { topic, partitions, done } => {
                let made = cluster
                    .create_topic(&topic, partitions, 1)
                    .map_err(|error| EmbeddedError::Topic { topic: topic.clone(), reason: error.to_string() });
                if made.is_ok() {
                    topics.insert(topic, partitions);
                }
                drop(done.send(made));
            }
            Command::ListTopics { done } => drop(done.send(topics.clone())),
            #[cfg(feature = "cli")]
            Command::Advertise { port, done } => {
                mock::advertise(owner.client(), port);
                let _ = done.send(());
            }
            #[cfg(test)]
            Command::Reachable { reachable, done } => {
                let turn = if reachable { cluster.broker_up(-1) } else { cluster.broker_down(-1) };
                turn.unwrap();
                let _ = done.send(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_starts_makes_topics_once_and_ends() {
        let broker = EmbeddedBroker::start().unwrap();
        assert!(broker.address().starts_with("127.0.0.1:"), "{}", broker.address());
        broker.create_topic("orders", 3).unwrap();
        broker.create_topic("orders", 5).unwrap();
        assert_eq!(broker.topics().unwrap(), BTreeMap::from([("orders".to_owned(), 3)]));
        let port = broker.address().to_owned();
        drop(broker);
        assert!(std::net::TcpStream::connect(port).is_err());
    }

    #[test]
    fn a_name_that_is_no_topic_is_refused_with_the_name() {
        let broker = EmbeddedBroker::start().unwrap();
        let error = broker.create_topic("a\0b", 1).unwrap_err();
        assert!(matches!(&error, EmbeddedError::Topic { topic, .. } if topic == "a\0b"), "{error}");
    }
}
