//! The whole builder, with a state that is not `Clone` behind an `Arc`, and handlers that are kept in variables.

use retrial::{
    App, Failure, Json, Next, OnExhausted, Order as Lanes, Outcome, Record, Retry, State, Verdict, handler, hours, mins,
    secs,
};
use std::{sync::Arc, time::Duration};

#[derive(serde::Deserialize)]
struct Order;

struct Bank;

#[derive(Debug)]
enum BankError {
    Refused,
    Limited(Duration),
}

impl std::fmt::Display for BankError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bank")
    }
}

impl std::error::Error for BankError {}

async fn charge(Json(_): Json<Order>, State(_): State<Arc<Bank>>) -> Result<(), Failure> {
    Err(BankError::Refused)?
}

async fn timed(record: Record, next: Next) -> Outcome {
    next.run(record).await
}

fn main() -> Result<(), retrial::BuildError> {
    let orders = handler(charge)
        .retry(Retry::delays([secs(30), mins(5)]).then(hours(1), 3).in_place(2))
        .concurrency(2_000)
        .order(Lanes::by_key(OnExhausted::Hold))
        .timeout(secs(20))
        .classify(|error: &BankError| match error {
            BankError::Refused => Verdict::dead().kind("refused"),
            BankError::Limited(delay) => Verdict::after(*delay),
        })
        .layer(timed)
        .layer(async |record: Record, next: Next| next.run(record).await);
    App::group("billing")
        .tiers([secs(30), mins(5), hours(1)])
        .state(Arc::new(Bank))
        .topic("orders", orders)
        .layer(timed)
        .build()
        .map(drop)
}
