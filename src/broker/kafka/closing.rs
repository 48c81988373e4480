//! The end of the client, within a time.
//!
//! Dropping a consumer of librdkafka may never return: with a commit under way and the broker gone it waits for the
//! broker. So it is dropped on a thread that may be left behind, and with a commit unanswered not at all: a client that
//! is forgotten costs its memory, one that hangs costs the stop of the service.

use super::{consumer::KafkaSource, context::Client, ffi::Reply};
use rdkafka::consumer::Consumer;
use std::{
    sync::{Arc, mpsc},
    thread,
    time::{Duration, Instant},
};

/// Ends the client; returns within the limit.
pub(super) fn close(mut source: KafkaSource, limit: Duration) {
    let deadline = Instant::now() + limit;
    source.client.context().close();
    await_commits(&mut source, deadline);
    let KafkaSource { client, asker, slots, consumer_queue, replies, commits, .. } = source;
    // Every queue handle goes before the client.
    drop((slots, consumer_queue, replies));
    if !commits.is_empty() {
        tracing::warn!("the Kafka client is left behind: a commit was not answered");
        std::mem::forget(client);
        return;
    }
    let asker = asker.end();
    drop_client(client, asker, deadline);
}

/// The last commits may still be answered; nobody hears of it any more, but the client can then be dropped.
fn await_commits(source: &mut KafkaSource, deadline: Instant) {
    while !source.commits.is_empty() {
        while let Some(reply) = Reply::take(&source.replies) {
            if let Reply::Commit { key, .. } = reply {
                source.commits.answered(key);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if !source.commits.is_empty() {
            // The bell of the replies ends it; the rest guards against a thread that is not the owner.
            thread::park_timeout(left.min(Duration::from_millis(20)));
        }
    }
}

fn drop_client(client: Arc<Client>, asker: thread::JoinHandle<()>, deadline: Instant) {
    let (hand_over, handed) = mpsc::channel();
    let (done, ended) = mpsc::channel();
    let end = move || {
        // Its client is the last but ours.
        if asker.join().is_err() {
            tracing::error!("the look-up thread had panicked");
        }
        drop(handed.recv());
        // Nobody listens after the deadline.
        let _ = done.send(());
    };
    // The client is handed over only to a thread that exists, so that it is never dropped on this one.
    if let Err(error) = thread::Builder::new().name("retrial-close".into()).spawn(end) {
        tracing::warn!(%error, "the Kafka client is left behind");
        std::mem::forget(client);
        return;
    }
    if let Err(mpsc::SendError(client)) = hand_over.send(client) {
        std::mem::forget(client);
    }
    if ended.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_err() {
        tracing::warn!("the Kafka client did not end in time and is left behind");
    }
}
