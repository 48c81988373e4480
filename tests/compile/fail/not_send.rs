//# error: future cannot be sent between threads safely

use retrial::handler;
use std::rc::Rc;

async fn charge() {
    let counted = Rc::new(3);
    std::future::ready(()).await;
    drop(counted);
}

fn main() {
    let _ = handler(charge);
}
