//# error: the trait bound `Order: serde::Deserialize<'de>` is not satisfied
//# says: for local types consider adding `#[derive(serde::Deserialize)]` to your `Order` type

use retrial::{App, Json, handler};

struct Order;

async fn charge(_: Json<Order>) {}

fn main() {
    let _ = App::group("billing").topic("orders", handler(charge)).build();
}
