//# error: a handler cannot take `&Attempt`
//# says: this is not an extractor in an app whose state is `()`

use retrial::{App, Attempt, handler};

async fn charge(_: &Attempt) {}

fn main() {
    let _ = App::group("billing").topic("orders", handler(charge)).build();
}
