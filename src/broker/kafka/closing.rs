//! The end of a source.

use super::{consumer::KafkaSource, ffi::Reply};
use std::{
    thread,
    time::{Duration, Instant},
};

/// How long a park may last that the bell of the replies should end.
const PARK: Duration = Duration::from_millis(20);

/// Ends the client; returns within the limit.
pub(super) fn close(mut source: KafkaSource, limit: Duration) {
    let deadline = Instant::now() + limit;
    await_commits(&mut source, deadline);
    let KafkaSource { client, slots, consumer_queue, replies, commits, .. } = source;
    // Every queue handle goes before the client.
    drop((slots, consumer_queue, replies));
    if commits.is_empty() {
        client.end(deadline.saturating_duration_since(Instant::now()));
    } else {
        tracing::warn!("the Kafka client is left behind: a commit was not answered");
        client.abandon();
    }
}

/// The last commits may still be answered; nobody hears of it any more, but the client can then be dropped.
fn await_commits(source: &mut KafkaSource, deadline: Instant) {
    loop {
        while let Some(reply) = Reply::take(&source.replies) {
            if let Reply::Commit { key, .. } = reply {
                source.commits.forget(key);
            }
        }
        let left = deadline.saturating_duration_since(Instant::now());
        if source.commits.is_empty() || left.is_zero() {
            return;
        }
        thread::park_timeout(left.min(PARK));
    }
}
