//# error: `fn(..., ..., ..., ..., ..., ..., ..., ..., ..., ..., ..., ..., ...) -> ... {charge}` is not a handler
//# says: this cannot be called with extractors
//# says: a handler is an `async fn` that takes 0 to 12 extractors by value, as in `async fn charge(Json(order): Json<Order>)`

use retrial::{Offset, handler};

#[rustfmt::skip]
async fn charge(
    _: Offset, _: Offset, _: Offset, _: Offset, _: Offset, _: Offset, _: Offset,
    _: Offset, _: Offset, _: Offset, _: Offset, _: Offset, _: Offset,
) {}

fn main() {
    let _ = handler(charge);
}
