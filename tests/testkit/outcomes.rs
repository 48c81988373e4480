//! What becomes of records, and what their stories tell of it.

use crate::{orders, service, work};
use retrial::{
    App, Attempt, Cause, Failure, FromRef, Headers, Key, Next, OnExhausted, Order, Outcome, Record, Retry, State,
    Timestamp, Verdict, handler, hours, mins, secs,
    testkit::{Ending, Message, State as Became, TestService},
};
use std::{sync::Arc, sync::Mutex, time::Duration};

#[test]
fn a_record_that_succeeds_is_done_at_once() {
    let mut service = service();
    let order = service.send("orders", "well");
    service.story(&order).assert_runs(0);
    assert_eq!(service.story(&order).state(), Became::Queued);
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_attempts(1).assert_runs(1).assert_waits([]);
    assert_eq!(story.idempotency_key(), "billing/orders/0/0");
    service.assert_all_done();
    service.assert_no_dead_letters();
}

#[test]
fn a_record_that_fails_climbs_the_ladder_and_is_never_early() {
    let mut service = service();
    let order = service.send("orders", "fail 2");
    let took = service.run_until_idle();
    assert!((secs(330)..secs(335)).contains(&took), "{took:?}");
    let story = service.story(&order);
    story.assert_done().assert_attempts(3).assert_runs(3).assert_waits([secs(30), mins(5)]);
    assert_eq!(story.tiers(), [secs(30), mins(5)]);
    let runs: Vec<_> = story.runs().collect();
    assert_eq!(runs.iter().map(|run| run.tier()).collect::<Vec<_>>(), [None, Some(secs(30)), Some(mins(5))]);
    assert_eq!(runs[0].failure().unwrap().to_string(), "bank: the bank does not answer");
    assert!(runs[0].lateness().is_none() && runs[1].lateness().is_some_and(|late| late < secs(1)));
    assert_eq!((runs[2].failure(), runs[2].ending()), (None, Some(&Ending::Answered(Outcome::Done))));
}

#[test]
fn the_default_schedule_of_three_days_ends_in_the_dead_letters() {
    let app = App::group("billing").topic("orders", handler(work)).build().unwrap();
    let mut service = TestService::new(app);
    let message = Message::new("fail 99").key("alice").header("tenant", "blue").header("tenant", "red");
    let order = service.send("orders", message);
    let took = service.run_until_idle();
    let schedule = [secs(5), mins(1), mins(10), hours(1)].into_iter().chain([hours(6); 11]);
    assert!(took >= schedule.clone().sum(), "{took:?}");
    let story = service.story(&order);
    story.assert_dead(Cause::Exhausted).assert_attempts(16).assert_waits(schedule.map(|delay| delay + secs(0)));
    let letters = service.dead_letters();
    let letter = &letters[0];
    assert_eq!((letters.len(), letter.origin(), letter.attempts()), (1, &order, 16));
    assert_eq!(letter.reason().to_string(), "bank: the bank does not answer");
    assert_eq!((letter.key(), &*letter.text()), (Some(&b"alice"[..]), "fail 99"));
    assert_eq!((letter.headers().count(), letter.header("tenant")), (2, Some(&b"red"[..])));
    assert_eq!(letter.buried(), service.story(&order).dead_letter().unwrap().buried());
}

#[test]
fn tries_in_place_are_part_of_an_attempt() {
    let failing = handler(work).retry(Retry::delays([secs(30)]).in_place(2));
    let app = App::group("billing").tiers([secs(30)]).topic("orders", failing).build().unwrap();
    let mut service = TestService::new(app);
    let order = service.send("orders", "fail 1");
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_attempts(2).assert_runs(4).assert_waits([secs(30)]);
    assert_eq!(
        story.runs().map(|run| (run.attempt(), run.tries())).collect::<Vec<_>>(),
        [(1, 0), (1, 1), (1, 2), (2, 0)]
    );
}

#[test]
fn what_a_handler_says_in_words_happens() {
    let mut service = service();
    let dead = service.send("orders", "dead");
    let discarded = service.send("orders", "discard");
    let after = service.send("orders", "after 300");
    service.run_until_idle();
    service.story(&dead).assert_dead(Cause::Refused).assert_failure("card: the card was refused").assert_runs(1);
    service.story(&discarded).assert_discarded("paid").assert_runs(1);
    assert_eq!(service.story(&discarded).state(), Became::Discarded("paid already".to_owned()));
    service.story(&after).assert_done().assert_waits([mins(5)]);
    service.assert_dead_letters(1);
}

#[test]
fn a_handler_that_never_returns_times_out_in_virtual_time() {
    let mut service = orders(handler(work).timeout(secs(20)));
    let order = service.send("orders", "hang 1");
    service.advance(secs(10));
    assert_eq!(service.story(&order).state(), Became::Running);
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_attempts(2).assert_failure("timeout");
    let first = story.runs().next().unwrap();
    assert_eq!(first.ending(), Some(&Ending::TimedOut));
    assert_eq!(first.ended().unwrap().since(first.began()), secs(20));
}

#[test]
fn a_panic_is_a_failed_attempt_with_its_message() {
    let mut service = service();
    let order = service.send("orders", "panic 9");
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_dead(Cause::Exhausted).assert_failure("panic: at attempt 3").assert_runs(3);
    let endings: Vec<_> = story.runs().filter_map(|run| run.ending().cloned()).collect();
    assert_eq!(endings[0], Ending::Panicked("at attempt 1".to_owned()));
    assert_eq!(story.dead_letter().unwrap().reason().to_string(), "panic: at attempt 3");
}

#[test]
fn what_cannot_be_decoded_is_dead_with_the_place_of_the_fault() {
    #[derive(serde::Deserialize)]
    struct Charge {
        #[allow(dead_code)]
        cents: u64,
    }
    async fn charge(_: retrial::Json<Charge>) {}
    let mut service = orders(handler(charge));
    let well = service.send("orders", Message::json(&serde_json::json!({ "cents": 3 })));
    let order = service.send("orders", Message::json(&serde_json::json!({ "cents": "many" })));
    let deletion = service.send("orders", Message::tombstone().key("alice"));
    service.run_until_idle();
    service.story(&well).assert_done();
    service.story(&order).assert_dead(Cause::Undecodable).assert_failure("cents: invalid type").assert_attempts(1);
    service.story(&deletion).assert_dead(Cause::Undecodable);
}

#[test]
fn a_handler_sees_what_was_sent() {
    type Seen = Arc<Mutex<Vec<(String, usize, Timestamp, u32)>>>;
    async fn see(
        State(seen): State<Seen>,
        key: Key,
        headers: Headers,
        time: Timestamp,
        attempt: Attempt,
    ) -> Result<(), String> {
        let key = String::from_utf8_lossy(&key).into_owned();
        seen.lock().unwrap().push((key, headers.iter().count(), time, attempt.number()));
        if attempt.number() == 1 { Err("once more".to_owned()) } else { Ok(()) }
    }
    let seen = Seen::default();
    let topic = handler(see).retry(Retry::delays([secs(30)]).in_place(0));
    let app = App::group("billing").tiers([secs(30)]).state(Arc::clone(&seen)).topic("orders", topic).build().unwrap();
    let mut service = TestService::new(app);
    let long_ago = Timestamp::from_millis(978_307_200_000);
    let order = service.send("orders", Message::new("").key("alice").header("a", "b").timestamp(long_ago));
    service.run_until_idle();
    service.story(&order).assert_done();
    let told = |attempt| ("alice".to_owned(), 1, long_ago, attempt);
    assert_eq!(*seen.lock().unwrap(), [told(1), told(2)]);
}

#[test]
fn state_layers_and_classes_work_as_in_a_service() {
    #[derive(Debug, thiserror::Error)]
    #[error("the card was refused")]
    struct Refused;
    #[derive(Clone)]
    struct Bank;
    #[derive(Clone)]
    struct Shop {
        bank: Bank,
        log: Arc<Mutex<Vec<String>>>,
    }
    impl FromRef<Shop> for Bank {
        fn from_ref(shop: &Shop) -> Self {
            shop.bank.clone()
        }
    }
    async fn charge(State(_): State<Bank>) -> Result<(), Refused> {
        Err(Refused)
    }
    let shop = Shop { bank: Bank, log: Arc::default() };
    let log = Arc::clone(&shop.log);
    let noted = move |record: Record, next: Next| {
        let log = Arc::clone(&log);
        async move {
            let outcome = next.run(record).await;
            log.lock().unwrap().push(format!("{outcome:?}"));
            outcome
        }
    };
    let charge = handler(charge).classify(|_: &Refused| Verdict::dead().kind("card"));
    let app = App::group("billing").state(shop.clone()).topic("orders", charge).layer(noted).build().unwrap();
    let mut service = TestService::new(app);
    let order = service.send("orders", "42");
    service.run_until_idle();
    service.story(&order).assert_dead(Cause::Refused).assert_failure("card: the card was refused");
    assert_eq!(shop.log.lock().unwrap().len(), 1);
    assert!(shop.log.lock().unwrap()[0].contains("Refused"));
}

#[test]
fn records_of_a_key_run_in_order_and_wait_for_one_that_fails() {
    let topic = handler(work).order(Order::by_key(OnExhausted::Hold)).retry(Retry::delays([secs(30)]).in_place(0));
    let app = App::group("billing").tiers([secs(30)]).topic("orders", topic).build().unwrap();
    let mut service = TestService::new(app).with_partitions("orders", 3);
    let failing = service.send("orders", Message::new("fail 1").key("alice"));
    let behind = service.send("orders", Message::new("well").key("alice"));
    let other = service.send("orders", Message::new("well").key("bob").partition(failing.partition));
    service.advance(secs(10));
    service.story(&failing).assert_waiting();
    assert_eq!(service.story(&behind).state(), Became::Queued);
    service.story(&other).assert_done();
    service.run_until_idle();
    service.assert_ran([&failing, &other, &failing, &behind]);
    assert_eq!(service.story(&failing).tiers(), Vec::<Duration>::new());
}

#[test]
fn several_topics_have_their_own_handlers() {
    async fn refuse() -> Failure {
        Failure::dead("no mails")
    }
    async fn mail() -> Result<(), Failure> {
        Err(refuse().await)
    }
    let app = App::group("billing").topic("orders", handler(work)).topic("mails", handler(mail)).build().unwrap();
    let mut service = TestService::new(app);
    let (order, mail) = (service.send("orders", "well"), service.send("mails", "well"));
    service.run_until_idle();
    service.story(&order).assert_done();
    service.story(&mail).assert_dead(Cause::Refused);
}
