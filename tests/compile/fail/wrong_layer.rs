//# error: function is expected to take 2 arguments, but it takes 1 argument
//# says: expected function that takes 2 arguments

use retrial::{Outcome, Record, handler};

async fn charge() {}

async fn layer(_: Record) -> Outcome {
    Outcome::Done
}

fn main() {
    let _ = handler(charge).layer(layer);
}
