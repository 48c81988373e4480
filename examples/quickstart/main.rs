//! A thousand orders, of which some fail at first and two for good; then an account of every one of them.
//!
//! `cargo run --example quickstart` brings its own broker, inside the process. On a Kafka of yours:
//! `cargo run --example quickstart -- --bootstrap-server localhost:9092`. There it makes topics of its own, and leaves
//! them. It fails if the account does not close.
//!
//! # Prints
//! ```text
//! 1,000 orders wait in topic orders of the Kafka in this process, …
//!   998 done, 0 in the 1 s tier, 0 in the 2 s tier, 2 dead
//! Read back from the topics by a second reader:
//!   1,000 orders in orders
//!     998 done: the bank has booked these and no others
//!       2 dead letters in quickstart.dlq, with body and reason
//!      50 waits in quickstart.retry.1s, all over
//!      10 waits in quickstart.retry.2s, all over
//! 1,000 orders = 998 done + 2 dead letters. Nothing lost, nothing left over.
//! ```

mod account;
mod bank;
mod orders;
mod place;
mod progress;
mod reader;
mod view;

use account::Account;
use bank::{Bank, BankError};
use orders::{ORDERS, Order};
use place::Place;
use progress::Progress;
use retrial::{App, Attempt, Json, Retry, Service, State, Verdict, handler, secs};
use std::{error::Error, process::ExitCode, time::Instant};
use view::number;

/// A bank that is down may be up in a second, or two seconds after that. A refused card stays refused.
async fn charge(Json(order): Json<Order>, attempt: Attempt, State(bank): State<Bank>) -> Result<(), BankError> {
    bank.charge(&order, attempt.number(), attempt.idempotency_key()).await
}

async fn run(place: Place) -> Result<bool, Box<dyn Error>> {
    let began = Instant::now();
    orders::produce(&place)?;
    println!("{} orders wait in topic {} of {}", number(ORDERS), place.topic, place.description());

    let (bank, progress) = (Bank::default(), Progress::new([secs(1), secs(2)]));
    let app = App::group(&place.group)
        .tiers([secs(1), secs(2)])
        .state(bank.clone())
        .topic(
            &place.topic,
            handler(charge)
                .classify(|error: &BankError| match error {
                    BankError::Refused => Verdict::dead().kind("card"),
                    BankError::Down => Verdict::retry().kind("bank"),
                })
                .retry(Retry::delays([secs(1), secs(2)]).in_place(0))
                .concurrency(20),
        )
        .layer(progress.layer())
        .build()?;
    let service = Service::connect(app, place.kafka.clone()).await?;
    service.run_until(view::show(progress)).await?;

    let reading = place.clone();
    let account = tokio::task::spawn_blocking(move || Account::draw_up(&reading, &bank.booked())).await?;
    let account = account.map_err(|error| error as Box<dyn Error>)?;
    account.print();
    println!("{:.1} s in all.", began.elapsed().as_secs_f64());
    place.say_goodbye();
    Ok(account.closes())
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let place = match &*arguments.iter().map(String::as_str).collect::<Vec<_>>() {
        [] => Place::embedded(),
        ["--bootstrap-server", server] => Place::real(server).await,
        _ => {
            eprintln!("usage: quickstart [--bootstrap-server HOST:PORT]");
            return ExitCode::from(2);
        }
    };
    let done = match place {
        Ok(place) => run(place).await,
        Err(error) => Err(error),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("the quickstart ended early: {error}");
            ExitCode::FAILURE
        }
    }
}
