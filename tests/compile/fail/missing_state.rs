//# error: the app's state `()` does not hold `Bank`
//# says: a handler asks for `State<Bank>`, and the app's state is `()`
//# says: give the state with `.state(…)`, before the topics whose handlers use it

use retrial::{App, State, handler};

#[derive(Clone)]
struct Bank;

async fn charge(_: State<Bank>) {}

fn main() {
    let _ = App::group("billing").topic("orders", handler(charge)).build();
}
