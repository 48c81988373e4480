//# error: no method named `state` found for struct `App<u8>` in the current scope

use retrial::App;

fn main() {
    let _ = App::group("billing").state(1u8).state(2u8);
}
