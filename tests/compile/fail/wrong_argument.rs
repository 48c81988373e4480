//# error: a handler cannot take `Order`
//# says: this is not an extractor in an app whose state is `()`
//# says: the body is taken as `Json<T>`, `Bytes` or `String`, or as `Option` of one where it may be null

use retrial::{App, Attempt, handler};

struct Order;

async fn charge(_: Attempt, _: Order) {}

fn main() {
    let _ = App::group("billing").topic("orders", handler(charge)).build();
}
