//! Testing handlers: an hour of retries takes no time, and a crash comes at the worst moment, without a broker.
//!
//! In a crate of your own the functions below are tests: `#[test]` instead of a call in `main`.
//!
//! # Prints
//! ```text
//! 65 minutes of virtual time took … ms
//! orders/0/0, key alice, body {"cents":4200}
//!          0ms  sent
//! …ms  attempt 1, worker 1: failed, bank: the bank does not answer
//! …ms  waits in the tier of 5m until 5m00.…s
//! …s  attempt 2, worker 1: failed, bank: the bank does not answer (…ms late)
//! …s  waits in the tier of 1h until 1h05m00.…s
//! …s  attempt 3, worker 1: done (…ms late)
//! => done
//! orders/0/1, refused after 1 attempt: free: an order that costs nothing
//! every handler ran twice, and 3 orders were charged 3 times
//! ```

use retrial::{
    App, Attempt, Cause, Failure, HandlerSet, Json, Retry, State, handler, hours, mins,
    testkit::{Fault, Message, TestService},
};
use serde_json::json;
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Instant,
};

#[derive(serde::Deserialize)]
struct Order {
    cents: u64,
}

/// In the tests it stands for the real one, and remembers what it was asked.
#[derive(Clone, Default)]
struct Bank {
    down_for: u32,
    charges: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Bank {
    /// Charges once for each key, as payment services do.
    async fn charge(&self, cents: u64, key: &str, attempt: u32) -> Result<(), Failure> {
        if attempt <= self.down_for {
            return Err(Failure::retry("the bank does not answer").kind("bank"));
        }
        self.charges.lock().expect("nobody panics").insert(key.to_owned(), cents);
        Ok(())
    }
}

async fn charge(Json(order): Json<Order>, attempt: Attempt, State(bank): State<Bank>) -> Result<(), Failure> {
    if order.cents == 0 {
        return Err(Failure::dead("an order that costs nothing").kind("free"));
    }
    bank.charge(order.cents, attempt.idempotency_key(), attempt.number()).await
}

/// The app, as `main` of the service has it.
fn billing(bank: &Bank) -> HandlerSet {
    let orders = handler(charge).retry(Retry::delays([mins(5), hours(1)]).in_place(0));
    let app = App::group("billing").tiers([mins(5), hours(1)]).state(bank.clone()).topic("orders", orders);
    app.build().expect("these settings fit together")
}

fn an_order_is_charged_when_the_bank_is_back() {
    let bank = Bank { down_for: 2, ..Bank::default() };
    let mut service = TestService::new(billing(&bank));
    let order = service.send("orders", Message::json(&json!({ "cents": 4200 })).key("alice"));
    let began = Instant::now();
    let passed = service.run_until_idle();
    println!("{} minutes of virtual time took {} ms", passed.as_secs() / 60, began.elapsed().as_millis());
    service.story(&order).assert_done().assert_attempts(3).assert_waits([mins(5), hours(1)]);
    println!("{}", service.story(&order));

    let free = service.send("orders", Message::json(&json!({ "cents": 0 })));
    service.run_until_idle();
    service.story(&free).assert_dead(Cause::Refused).assert_failure("free");
    println!("{}", service.dead_letters()[0]);
}

fn nobody_is_charged_twice_when_workers_die() {
    let bank = Bank::default();
    let mut service = TestService::new(billing(&bank)).with_fault(Fault::CrashAfterHandler);
    for cents in [100, 200, 300] {
        service.send("orders", Message::json(&json!({ "cents": cents })));
    }
    service.run_until_idle();
    service.assert_all_done();
    assert!(service.stories().iter().all(|story| story.runs().count() > 1), "each handler ran again");
    let charges = bank.charges.lock().expect("nobody panics");
    assert_eq!(charges.values().sum::<u64>(), 600);
    println!("every handler ran twice, and 3 orders were charged {} times", charges.len());
}

fn main() {
    an_order_is_charged_when_the_bank_is_back();
    nobody_is_charged_twice_when_workers_die();
}
