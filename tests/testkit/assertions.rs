//! Each assertion as it fails: with what was expected, what is there, and the whole story.

use crate::{panic_of, service};
use retrial::{Cause, mins, secs, testkit::Message};

const DEAD: &str = "\
orders/0/0, key alice, body dead
";

#[test]
fn assertions_on_a_record_show_its_story() {
    let mut service = service();
    let dead = service.send("orders", Message::new("dead").key("alice"));
    let discarded = service.send("orders", "discard");
    let waiting = service.send("orders", "fail 1");
    let done = service.send("orders", "well");
    service.advance(secs(10));
    let (dead, discarded) = (service.story(&dead), service.story(&discarded));
    let (waiting, done) = (service.story(&waiting), service.story(&done));
    let failures = [
        (panic_of(|| drop(dead.assert_done().clone())), "expected of orders/0/0: done; found: dead, refused"),
        (
            panic_of(|| drop(done.assert_dead(Cause::Refused).clone())),
            "expected of orders/0/3: dead, refused; found: done",
        ),
        (
            panic_of(|| drop(dead.assert_dead(Cause::Exhausted).clone())),
            "expected of orders/0/0: dead, exhausted; found: dead, refused",
        ),
        (
            panic_of(|| drop(discarded.assert_discarded("unpaid").clone())),
            "expected of orders/0/1: discarded, with \"unpaid\" in the reason; found: discarded, paid already",
        ),
        (panic_of(|| drop(done.assert_waiting().clone())), "expected of orders/0/3: waiting; found: done"),
        (panic_of(|| drop(done.assert_attempts(2).clone())), "expected of orders/0/3: 2 attempts; found: 1"),
        (panic_of(|| drop(done.assert_runs(2).clone())), "expected of orders/0/3: 2 runs of its handler; found: 1"),
        (
            panic_of(|| drop(dead.assert_failure("bank").clone())),
            "expected of orders/0/0: a last failure with \"bank\"; found: card: the card was refused",
        ),
        (
            panic_of(|| drop(done.assert_failure("bank").clone())),
            "expected of orders/0/3: a last failure with \"bank\"; found: no failure",
        ),
        (panic_of(|| drop(done.assert_waits([mins(5)]).clone())), "expected of orders/0/3: waits of [5m]; found: []"),
    ];
    for (message, first) in failures {
        let (line, story) = message.split_once('\n').unwrap();
        assert_eq!(line, first);
        assert!(story.starts_with("orders/0/") && story.contains("\n=> "), "{story}");
    }
    let message = panic_of(|| drop(waiting.assert_done().clone()));
    assert!(message.contains("found: waiting in the tier of 30s until 30.0"), "{message}");
    assert!(dead.to_string().starts_with(DEAD), "{dead}");
}

#[test]
fn assertions_on_a_service_show_the_stories_of_those_that_break_them() {
    let mut service = service();
    let dead = service.send("orders", Message::new("dead").key("alice"));
    let done = service.send("orders", "well");
    service.run_until_idle();
    let all = panic_of(|| service.assert_all_done());
    assert!(all.starts_with("1 of 2 records are not done:\norders/0/0, key alice, body dead\n"), "{all}");
    assert!(all.ends_with("=> dead, refused") && !all.contains("orders/0/1"), "{all}");
    let none = panic_of(|| service.assert_no_dead_letters());
    assert!(none.starts_with("expected 0 dead letters; found 1\norders/0/0, key alice"), "{none}");
    let two = panic_of(|| service.assert_dead_letters(2));
    assert!(two.starts_with("expected 2 dead letters; found 1\norders/0/0, key alice"), "{two}");
    service.assert_dead_letters(1);
    service.assert_ran([&dead, &done]);
    let order = panic_of(|| service.assert_ran([&done, &dead]));
    assert_eq!(
        order,
        "handlers did not run in this order, but for:\n  orders/0/0: attempt 1, worker 1: dead (refused), card: the card \
         was refused\n  orders/0/1: attempt 1, worker 1: done"
    );
}

#[test]
fn what_cannot_be_meant_is_refused_in_words() {
    let mut first = service();
    let unknown = panic_of(|| first.send("mails", "well"));
    assert_eq!(unknown, "the app of group \"billing\" has no topic \"mails\", but [\"orders\"]");
    let partition = panic_of(|| first.send("orders", Message::new("well").partition(1)));
    assert_eq!(partition, "topic \"orders\" has no such partition: see TestService::with_partitions");
    assert!(panic_of(|| service().with_partitions("mails", 2)).contains("has no topic"));
    assert_eq!(panic_of(|| service().with_partitions("orders", 0)), "a topic has 1 to 100 partitions here, not 0");
    let order = first.send("orders", "well");
    let late = panic_of(|| first.with_seed(1));
    assert_eq!(late, "the test service runs already: set it up before the first record");
    assert_eq!(panic_of(|| service().story(&order)), "orders/0/0 was not sent to this service");
}
