//# error: a handler must be an `async fn`
//# says: this function returns `Result<(), Failure>` at once
//# says: write `async fn`; for code that blocks its thread write `blocking(…)` in place of `handler(…)`

use retrial::{Failure, handler};

fn charge() -> Result<(), Failure> {
    Ok(())
}

fn main() {
    let _ = handler(charge);
}
