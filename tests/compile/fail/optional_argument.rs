//# error: a handler cannot take `Option<Headers>`
//# says: a type of your own needs `impl OptionalFromRecord<S>`

use retrial::{App, Headers, handler};

async fn charge(_: Option<Headers>) {}

fn main() {
    let _ = App::group("billing").topic("orders", handler(charge)).build();
}
