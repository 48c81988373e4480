//! Faults: handlers run again, and nothing is lost.

use crate::{service, work};
use retrial::{
    App, Attempt, Cause, Retry, State, handler, secs,
    testkit::{Fault, Message, TestService},
};
use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

/// Who was charged how often, by the idempotency key.
type Ledger = Arc<Mutex<BTreeMap<String, u32>>>;

async fn charge(State(ledger): State<Ledger>, attempt: Attempt) {
    *ledger.lock().expect("nobody panics").entry(attempt.idempotency_key().to_owned()).or_default() += 1;
}

fn charging(ledger: &Ledger) -> TestService {
    let app = App::group("billing").state(Arc::clone(ledger)).topic("orders", handler(charge)).build();
    TestService::new(app.expect("these settings fit together"))
}

#[test]
fn after_each_handler_a_crash_has_each_record_run_twice() {
    let ledger = Ledger::default();
    let mut service = charging(&ledger).with_fault(Fault::CrashAfterHandler);
    (0..5).for_each(|_| drop(service.send("orders", "42")));
    service.run_until_idle();
    service.assert_all_done();
    let ledger = ledger.lock().unwrap();
    assert_eq!(ledger.len(), 5);
    assert!(ledger.values().all(|&times| times >= 2), "{ledger:?}");
}

#[test]
fn after_each_failed_attempt_a_crash_repeats_it_under_its_number() {
    let mut service = service().with_fault(Fault::CrashAfterHandler);
    let order = service.send("orders", "fail 1");
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_attempts(2).assert_runs(4);
    assert_eq!(story.runs().map(retrial::testkit::Run::attempt).collect::<Vec<_>>(), [1, 1, 2, 2]);
}

#[test]
fn within_each_handler_a_crash_leaves_half_of_it_done() {
    type Steps = Arc<Mutex<Vec<&'static str>>>;
    async fn transfer(State(steps): State<Steps>) {
        steps.lock().unwrap().push("debit");
        tokio::time::sleep(secs(1)).await;
        steps.lock().unwrap().push("credit");
    }
    let steps = Steps::default();
    let app = App::group("billing").state(Arc::clone(&steps)).topic("orders", handler(transfer)).build().unwrap();
    let mut service = TestService::new(app).with_fault(Fault::CrashInHandler);
    let order = service.send("orders", "42");
    service.run_until_idle();
    service.story(&order).assert_done().assert_runs(2).assert_attempts(1);
    assert_eq!(*steps.lock().unwrap(), ["debit", "debit", "credit"]);
}

#[test]
fn when_all_is_calm_nothing_goes_wrong_any_more() {
    let ledger = Ledger::default();
    let mut service = charging(&ledger).with_fault(Fault::CrashAfterHandler);
    service.send("orders", "42");
    service.run_until_idle();
    service.calm();
    let order = service.send("orders", "42");
    service.run_until_idle();
    service.story(&order).assert_runs(1);
}

#[test]
fn whatever_goes_wrong_every_record_ends_where_its_handler_said() {
    let bodies = ["well", "fail 1", "fail 9", "dead", "slow 2", "panic 1", "discard"];
    for seed in 0..20 {
        let topic = handler(work).retry(Retry::delays([secs(5), secs(30)]).in_place(1)).timeout(secs(20));
        let app = App::group("billing").tiers([secs(5), secs(30)]).topic("orders", topic).build().unwrap();
        let faults = Fault::ALL.into_iter().filter(|fault| seed % 2 == 0 || *fault != Fault::CrashInHandler);
        let service = TestService::new(app).with_partitions("orders", 3).with_workers(2);
        let mut service = service.with_seed(seed).with_faults(faults);
        let sent: Vec<_> =
            bodies.iter().map(|&body| (body, service.send("orders", Message::new(body).key(body)))).collect();
        service.run_until_idle();
        for (body, order) in &sent {
            let story = service.story(order);
            match *body {
                "fail 9" => story.assert_dead(Cause::Exhausted).assert_attempts(3),
                "dead" => story.assert_dead(Cause::Refused).assert_attempts(1),
                "discard" => story.assert_discarded("paid already"),
                "fail 1" | "panic 1" => story.assert_done().assert_attempts(2),
                _ => story.assert_done().assert_attempts(1),
            };
        }
    }
}

#[test]
fn every_fault_alone_has_some_record_run_again_or_wait_longer() {
    let runs = |fault: Option<Fault>| {
        let mut service = service().with_workers(2).with_partitions("orders", 3).with_faults(fault);
        for number in 0..200 {
            service.send("orders", format!("fail {}", number % 3));
            service.advance(secs(2));
        }
        service.run_until_idle();
        service.assert_all_done();
        service.stories().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let peace = runs(None);
    for fault in Fault::ALL.into_iter().filter(|&fault| fault != Fault::CrashInHandler) {
        assert_ne!(runs(Some(fault)), peace, "{fault:?} changed nothing");
    }
}
