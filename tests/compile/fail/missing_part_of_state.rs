//# error: the app's state `Shop` does not hold `Bank`
//# says: a handler asks for `State<Bank>`, and the app's state is `Shop`
//# says: a part of the state needs `impl FromRef<Shop> for Bank`; the state as a whole needs `Clone`

use retrial::{App, State, handler};

#[derive(Clone)]
struct Bank;

struct Shop;

async fn charge(_: State<Bank>) {}

fn main() {
    let _ = App::group("billing").state(Shop).topic("orders", handler(charge)).build();
}
