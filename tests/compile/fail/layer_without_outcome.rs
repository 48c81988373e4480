//# error: `fn(Record, Next) -> impl Future<Output = ()> {layer}` is not a layer
//# says: a layer looks like `async fn timed(record: Record, next: Next) -> Outcome { next.run(record).await }`

use retrial::{Next, Record, handler};

async fn charge() {}

async fn layer(record: Record, next: Next) {
    next.run(record).await;
}

fn main() {
    let _ = handler(charge).layer(layer);
}
