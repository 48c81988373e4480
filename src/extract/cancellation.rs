//! How an attempt learns that its time is short.

use crate::extract::{Call, FromRecord, Rejection};
use tokio_util::sync::CancellationToken;

/// Fires when the attempt should end: at the handler's timeout, when the partition is being taken away, and at the
/// end of the time that a stopping service gives.
///
/// An async handler need not ask for it: its future is dropped at its next await, at the timeout at once, and in the
/// other cases a little after this fires. A `blocking` handler cannot be dropped, so a long one should look at
/// [`is_cancelled`](Self::is_cancelled) between its steps.
///
/// ```
/// use retrial::Cancellation;
///
/// async fn export(cancellation: Cancellation) -> Result<(), String> {
///     tokio::select! {
///         () = cancellation.cancelled() => Err("stopped half way, nothing was written".to_owned()),
///         () = upload() => Ok(()),
///     }
/// }
/// # async fn upload() {}
/// # let _ = retrial::handler(export);
/// ```
#[derive(Clone, Debug)]
pub struct Cancellation(CancellationToken);

impl Cancellation {
    /// Whether the attempt should end.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.is_cancelled()
    }

    /// Waits until the attempt should end.
    pub async fn cancelled(&self) {
        self.0.cancelled().await;
    }
}

impl<S: Sync> FromRecord<S> for Cancellation {
    async fn from_record(call: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(Self(call.control.token().clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::{extract, with_body};
    use futures_util::FutureExt;
    use std::sync::Arc;

    #[test]
    fn it_fires_when_the_worker_fires_the_attempt() {
        let call = with_body(None);
        let worker = Arc::clone(&call.control);
        let cancellation = extract::<Cancellation>(&call).unwrap();
        let waiting = cancellation.clone();
        assert!(!cancellation.is_cancelled() && waiting.cancelled().now_or_never().is_none());
        worker.fire();
        assert!(cancellation.is_cancelled() && waiting.cancelled().now_or_never().is_some());
    }
}
