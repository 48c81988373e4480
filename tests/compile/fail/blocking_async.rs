//# error: a handler cannot return `impl Future<Output = ()>`
//# says: an `async fn` belongs into `handler(…)`; what is given to `blocking(…)` returns one of these itself

use retrial::blocking;

async fn charge() {}

fn main() {
    let _ = blocking(charge);
}
