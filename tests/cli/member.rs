//! A member of a group, as any client makes one.

use rdkafka::consumer::{BaseConsumer, Consumer as _};
use retrial_kafka_for_tests::Kafka;
use std::{
    sync::mpsc,
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

/// Stays in its group until it is dropped.
#[derive(Debug)]
pub(crate) struct Member {
    leave: Option<mpsc::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Joins a group, and returns when the member has partitions.
pub(crate) fn join(kafka: &Kafka, group: &str, topic: &str) -> Member {
    let (member, has_joined) = start(kafka, group, topic);
    has_joined.recv_timeout(Duration::from_secs(60)).expect("an assignment");
    member
}

/// Joins a group in which there may be nothing left to be assigned.
pub(crate) fn join_without_waiting(kafka: &Kafka, group: &str, topic: &str) -> Member {
    start(kafka, group, topic).0
}

fn start(kafka: &Kafka, group: &str, topic: &str) -> (Member, mpsc::Receiver<()>) {
    let mut config = kafka.client_config();
    for (name, value) in [
        ("group.id", group),
        ("client.id", "a-member"),
        ("enable.auto.commit", "false"),
        ("session.timeout.ms", "6000"),
    ] {
        config.set(name, value);
    }
    let consumer: BaseConsumer = config.create().expect("a consumer");
    consumer.subscribe(&[topic]).expect("a subscription");
    let (leave, leaving) = mpsc::channel::<()>();
    let (joined, has_joined) = mpsc::channel();
    let thread = thread::spawn(move || {
        let began = Instant::now();
        loop {
            let _ = consumer.poll(Duration::from_millis(50));
            if consumer.assignment().is_ok_and(|assigned| assigned.count() > 0) {
                let _ = joined.send(());
            }
            let gone = leaving.try_recv() == Err(mpsc::TryRecvError::Disconnected);
            if gone || began.elapsed() > Duration::from_secs(120) {
                return;
            }
        }
    });
    (Member { leave: Some(leave), thread: Some(thread) }, has_joined)
}

impl Drop for Member {
    fn drop(&mut self) {
        drop(self.leave.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
