//! The test kit, as its users see it: everything here goes through `retrial::testkit`.

mod assertions;
mod faults;
mod outcomes;
mod rest;
mod threads;
mod workers;

use retrial::{App, Attempt, Failure, Handler, Outcome, Retry, handler, mins, secs, testkit::TestService};
use std::time::Duration;

/// Does what the body says, such as `fail 2`: fail at the first two attempts.
async fn work(body: String, attempt: Attempt) -> Result<Outcome, Failure> {
    let (word, number) = body.split_once(' ').unwrap_or((&body, "0"));
    let number: u64 = number.parse().unwrap_or(0);
    let early = u64::from(attempt.number()) <= number;
    match word {
        "fail" if early => return Err(Failure::retry("the bank does not answer").kind("bank")),
        "panic" if early => panic!("at attempt {}", attempt.number()),
        "hang" if early => std::future::pending().await,
        "slow" => tokio::time::sleep(Duration::from_secs(number)).await,
        "dead" => return Err(Failure::dead("the card was refused").kind("card")),
        "discard" => return Ok(Outcome::discard("paid already")),
        "after" if attempt.number() == 1 => return Err(Failure::after(secs(number), "too many requests")),
        "snooze" => return Err(Failure::snooze(secs(number), "not yet")),
        _ => {}
    }
    Ok(Outcome::Done)
}

/// A topic `orders` that is tried again after 30 s and after 5 min, and not in place.
fn orders<C: retrial::Callable<()>>(orders: Handler<C>) -> TestService {
    let orders = orders.retry(Retry::delays([secs(30), mins(5)]).in_place(0));
    let app = App::group("billing").tiers([secs(30), mins(5)]).topic("orders", orders);
    TestService::new(app.build().expect("these settings fit together"))
}

fn service() -> TestService {
    orders(handler(work))
}

/// The message of a panic.
fn panic_of<R>(run: impl FnOnce() -> R) -> String {
    let panic = std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).err().expect("a panic");
    let text = panic.downcast_ref::<&str>().map(|&text| text.to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).expect("a text")
}
