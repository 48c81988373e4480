//! The client and its look-up thread, and their end within a time.
//!
//! Dropping a consumer of librdkafka may never return: with a commit under way and the broker gone it waits for the
//! broker. So the client is dropped on a thread that may be left behind, also when the source is dropped by a panic;
//! and with a commit unanswered not at all ([`Lasting::abandon`]): a client that is left behind costs its memory, one
//! that hangs costs the stop of the service.

use super::{
    asker::{Asker, TopicIds},
    context::Client,
    pasts::Pasts,
    ready::Bell,
};
use rdkafka::consumer::Consumer;
use std::{
    io,
    ops::Deref,
    sync::{Arc, mpsc},
    thread,
    time::Duration,
};

/// What a drop without a word may take.
const UNASKED: Duration = Duration::from_secs(1);

/// The client of a source. Every queue handle must go before it.
pub(super) struct Lasting {
    /// Taken out only by `end` and `abandon`.
    parts: Option<(Arc<Client>, Asker)>,
}

const WHOLE: &str = "taken out only when the connection itself is consumed or dropped";

impl Lasting {
    /// Puts a look-up thread beside the client.
    pub(super) fn new(client: Arc<Client>, bell: Bell, topic_ids: TopicIds, pasts: Pasts) -> io::Result<Self> {
        let asker = Asker::start(Arc::clone(&client), bell, topic_ids, pasts)?;
        Ok(Self { parts: Some((client, asker)) })
    }

    /// The client, shared: queues keep it alive.
    pub(super) fn shared(&self) -> &Arc<Client> {
        &self.parts.as_ref().expect(WHOLE).0
    }

    /// Asks what takes a round trip.
    pub(super) fn asker(&self) -> &Asker {
        &self.parts.as_ref().expect(WHOLE).1
    }

    /// Drops the client elsewhere, and returns when that is done or the limit is over.
    pub(super) fn end(mut self, limit: Duration) {
        self.finish(limit);
    }

    /// Leaves the client behind, as it is.
    pub(super) fn abandon(mut self) {
        if let Some((client, _)) = self.parts.take() {
            client.context().close();
            std::mem::forget(client);
        }
    }

    fn finish(&mut self, limit: Duration) {
        let Some((client, asker)) = self.parts.take() else { return };
        client.context().close();
        let asker = asker.end();
        let (hand_over, handed) = mpsc::channel();
        let (done, ended) = mpsc::channel();
        let end = move || {
            // Its client is the last but ours.
            if asker.join().is_err() {
                tracing::error!("the look-up thread had panicked");
            }
            drop::<Result<Arc<Client>, _>>(handed.recv());
            // Nobody listens after the limit.
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
        if ended.recv_timeout(limit).is_err() {
            tracing::warn!("the Kafka client did not end in time and is left behind");
        }
    }
}

impl Deref for Lasting {
    type Target = Client;

    fn deref(&self) -> &Client {
        self.shared()
    }
}

impl Drop for Lasting {
    fn drop(&mut self) {
        self.finish(UNASKED);
    }
}
