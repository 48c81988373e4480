//# error: the trait bound `NoError: std::error::Error` is not satisfied
//# says: required for `Result<(), NoError>` to implement `IntoOutcome`

use retrial::handler;

struct NoError;

async fn charge() -> Result<(), NoError> {
    Err(NoError)
}

fn main() {
    let _ = handler(charge);
}
