//# error: a handler cannot return `u32`
//# says: this says nothing of what becomes of the record

use retrial::handler;

async fn charge() -> u32 {
    3
}

fn main() {
    let _ = handler(charge);
}
