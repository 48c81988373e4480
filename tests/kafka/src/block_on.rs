//! Waiting for a future from any thread, also from one that already drives a runtime.

use std::{sync::LazyLock, thread};

use tokio::runtime::{Builder, Runtime};

/// One for the process: connections to the Docker engine belong to the runtime that made them.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime for the test Kafka")
});

/// The output of `future`. A thread of its own waits, since tokio refuses to block inside a runtime.
pub(crate) fn block_on<F>(future: F) -> F::Output
where
    F: Future + Send,
    F::Output: Send,
{
    thread::scope(|scope| match scope.spawn(|| RUNTIME.block_on(future)).join() {
        Ok(output) => output,
        Err(panic) => std::panic::resume_unwind(panic),
    })
}
