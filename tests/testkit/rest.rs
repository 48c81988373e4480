//! Time: passing, coming to rest, and never coming to rest.

use crate::{panic_of, service, work};
use retrial::{
    App, Failure, Retry, handler, hours, mins, secs,
    testkit::{Message, State, TestService},
};

#[test]
fn a_service_without_records_is_idle() {
    let mut service = service();
    assert_eq!(service.now().to_string(), "2026-11-22T10:20:00.000Z");
    service.run_until_idle();
    service.assert_all_done();
    service.assert_ran([]);
}

#[test]
fn time_passes_as_far_as_it_is_told() {
    let mut service = service();
    let order = service.send("orders", "fail 1");
    let began = service.now();
    service.advance(secs(29));
    assert_eq!(service.now().since(began), secs(29));
    let story = service.story(&order);
    story.assert_waiting().assert_attempts(1);
    let State::Waiting { tier: Some(tier), until: Some(until) } = story.state() else { panic!("{story}") };
    assert_eq!(tier, secs(30));
    service.advance(until.since(service.now()) - secs(0));
    service.story(&order).assert_runs(1);
    service.advance(secs(1));
    service.story(&order).assert_done().assert_runs(2);
}

#[test]
fn records_may_be_sent_while_others_wait() {
    let mut service = service();
    let first = service.send("orders", "fail 1");
    service.advance(secs(10));
    let second = service.send("orders", "well");
    assert_eq!(service.story(&second).sent().since(service.story(&first).sent()), secs(10));
    service.run_until_idle();
    service.assert_ran([&first, &second, &first]);
}

#[test]
fn one_that_never_ends_is_named_with_its_place_and_time() {
    let app = App::group("billing").tiers([secs(30), mins(5)]).topic("orders", handler(work)).build().unwrap();
    let mut service = TestService::new(app).with_limit(hours(1));
    let order = service.send("orders", Message::new("snooze 300").key("alice"));
    let done = service.send("orders", "well");
    let error = service.try_run_until_idle().unwrap_err();
    assert_eq!(error.unsettled().len(), 1);
    assert_eq!(error.unsettled()[0].origin(), &order);
    let text = error.to_string();
    assert!(text.starts_with("not idle after 1h of virtual time: 1 record is not settled\n"), "{text}");
    assert!(text.contains("orders/0/0: waiting in the tier of 5m until 1h00m"), "{text}");
    assert!(text.contains("snoozed for 5m"), "{text}");
    service.story(&done).assert_done();
    assert_eq!(panic_of(|| service.run_until_idle()).lines().count(), 2);
}

#[test]
fn a_handler_that_asks_to_run_again_for_ever_is_stopped() {
    async fn never() -> Result<(), Failure> {
        Err(Failure::hold(secs(1), "the bank is away"))
    }
    let app = App::group("billing").topic("orders", handler(never)).build().unwrap();
    let mut service = TestService::new(app);
    service.send("orders", "well");
    let text = service.try_run_until_idle().unwrap_err().to_string();
    assert!(text.starts_with("not idle: the handler of one record ran more than 10000 times: 1 record is"), "{text}");
    assert!(text.contains("held its topic for 1s"), "{text}");
}

#[test]
fn a_thousand_records_at_once_are_all_done() {
    let mut service = service().with_partitions("orders", 6).with_workers(2);
    for number in 0..1_000 {
        service.send("orders", Message::new(format!("fail {}", number % 3)).key(format!("{}", number % 50)));
    }
    service.run_until_idle();
    service.assert_all_done();
    assert_eq!(service.runs().len(), 1_000 + 333 + 2 * 333);
}

#[test]
fn a_seed_is_a_run() {
    let run = |seed| {
        let mut service = service().with_seed(seed).with_partitions("orders", 3).with_workers(2);
        (0..50).for_each(|number| drop(service.send("orders", format!("fail {}", number % 3))));
        service.run_until_idle();
        service.stories().iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(run(7), run(7));
    assert_ne!(run(7), run(8));
}

#[test]
fn an_hour_of_waiting_takes_no_time() {
    let topic = handler(work).retry(Retry::delays([hours(1)]).in_place(0));
    let app = App::group("billing").tiers([hours(1)]).topic("orders", topic).build().unwrap();
    let mut service = TestService::new(app);
    let order = service.send("orders", "fail 1");
    service.run_until_idle();
    service.story(&order).assert_done().assert_waits([hours(1)]);
}
