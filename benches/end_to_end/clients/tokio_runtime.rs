//! What `rdkafka::util::TokioRuntime` is, which its feature `tokio` would bring into every test build.

use rdkafka::{
    consumer::{DefaultConsumerContext, StreamConsumer},
    util::AsyncRuntime,
};
use std::{future::Future, time::Duration};
use tokio::time::{Sleep, sleep};

/// A stream of records on tokio.
pub(super) type Stream = StreamConsumer<DefaultConsumerContext, Tokio>;

/// See the module's header.
pub(super) struct Tokio;

impl AsyncRuntime for Tokio {
    type Delay = Sleep;

    fn spawn<T: Future<Output = ()> + Send + 'static>(task: T) {
        tokio::spawn(task);
    }

    fn delay_for(duration: Duration) -> Sleep {
        sleep(duration)
    }
}
