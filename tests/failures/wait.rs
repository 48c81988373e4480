//! Waiting for what must come.

use std::time::{Duration, Instant};

/// What must come comes within this time, also on a busy machine. It says nothing of how quick anything is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until a question has an answer, and fails with its name if it never has.
pub(crate) async fn until<T>(what: &str, mut question: impl FnMut() -> Option<T>) -> T {
    let limit = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = question() {
            return answer;
        }
        assert!(Instant::now() < limit, "not within {PATIENCE:?}: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until something is so.
pub(crate) async fn until_true(what: &str, mut is_so: impl FnMut() -> bool) {
    until(what, || is_so().then_some(())).await;
}
