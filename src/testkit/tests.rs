//! The engine and the runtime in the simulated cluster: every promise, whatever goes wrong.

use super::{Simulation, Witness};
use crate::{
    App, Attempt, Failure, OnExhausted, Order, Outcome, Retry,
    broker::sim::{
        check::{Terms, judge, latest, redone, unfinished},
        faults::{Fault, Faults},
        log::Message,
        random::Random,
        trace::Event,
    },
    handler, secs,
};
use std::{rc::Rc, sync::Once, time::Duration};

const MINUTE: Duration = Duration::from_secs(60);

/// Does what the body says, such as `fail 2` or `slow 300`.
async fn work(body: String, attempt: Attempt) -> Result<Outcome, Failure> {
    let (word, number) = body.split_once(' ').unwrap_or((&body, "0"));
    let number: u64 = number.parse().unwrap_or(0);
    match word {
        "slow" => tokio::time::sleep(Duration::from_millis(number)).await,
        "fail" if u64::from(attempt.number()) <= number => return Err(Failure::retry("not yet")),
        "panic" if u64::from(attempt.number()) <= number => panic!("as asked"),
        "dead" => return Err(Failure::dead("no use")),
        "discard" => return Ok(Outcome::Discard("not for us".into())),
        "after" if attempt.number() == 1 => return Err(Failure::after(Duration::from_millis(number), "in a while")),
        _ => {}
    }
    Ok(Outcome::Done)
}

fn app(order: Order) -> Rc<dyn Fn(&Witness) -> crate::HandlerSet> {
    Rc::new(move |witness| {
        let retry = Retry::delays([secs(5), secs(30)]).in_place(1);
        let orders = handler(work).retry(retry).order(order).concurrency(20).timeout(secs(20));
        let app = App::group("billing").tiers([secs(5), secs(30)]).layer(witness.layer());
        app.topic("orders", orders).build().unwrap()
    })
}

fn messages(seed: u64, count: usize) -> Vec<Message> {
    let mut random = Random::new(seed ^ 0x5EED);
    let mut message = || {
        let body = match random.below(20) {
            0 => "fail 1".to_owned(),
            1 => "fail 2".to_owned(),
            2 => "fail 9".to_owned(),
            3 => "panic 1".to_owned(),
            4 => "dead".to_owned(),
            5 => "discard".to_owned(),
            6 => format!("after {}", random.below(20_000)),
            7..12 => format!("slow {}", random.below(2_000)),
            _ => "well".to_owned(),
        };
        Message::new(format!("key {}", random.below(30)), body)
    };
    (0..count).map(|_| message()).collect()
}

fn terms(simulation: &Simulation, ordered: bool) -> Terms {
    let ordered: &[&str] = if ordered { &["orders"] } else { &[] };
    Terms::with_snapshots(&simulation.names, &["orders"], ordered, simulation.session())
}

fn virtual_time<F: Future>(run: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run)
}

/// Panics of handlers are caught; their messages would bury everything else.
fn keep_quiet_of_handlers() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            if panic.payload().downcast_ref() != Some(&"as asked") {
                loud(panic);
            }
        }));
    });
}

/// Faults of this seed that fit. The clocks of tokio, which the lease uses too, cannot stand still for one process
/// alone. And when a topic is made anew, the last commit of its predecessor may be stored after it, by name: once the
/// new log has grown past that offset nobody can tell (see `retrial_core::start`).
fn drawn(seed: u64, destructive: bool) -> Faults {
    let faults = Faults::drawn(&mut Random::new(seed), destructive);
    faults.with(Fault::ClockStood, 0).with(Fault::TopicRecreated, 0)
}

/// A run with faults, then time to finish in peace.
fn lived_through(seed: u64, faults: Faults, order: Order) -> Simulation {
    keep_quiet_of_handlers();
    let simulation = virtual_time(async {
        let mut simulation = Simulation::new(seed, 3, &[("orders", 6)], faults, app(order));
        simulation.run(2 * MINUTE, "orders", messages(seed, 400)).await;
        simulation.cluster.calm();
        simulation.run(4 * MINUTE, "orders", Vec::new()).await;
        simulation
    });
    let terms = terms(&simulation, order != Order::unordered());
    let trace = simulation.cluster.trace();
    if let Some(first) = judge(&trace, &terms).first() {
        let story =
            trace.story(first.at, 60, |event| !matches!(event, Event::Appended { .. } | Event::Delivered { .. }));
        panic!("seed {seed}: {first}\n{story}");
    }
    let left = unfinished(&trace, &terms);
    if let Some(first) = left.first() {
        let place = format!("{:?}", first.place);
        let about = |event: &Event| format!("{event:?}").contains(&place) && !matches!(event, Event::CommitSent { .. });
        let story = trace.story(trace.entries().len() - 1, 40, about);
        panic!("seed {seed}: {} records are unfinished, the first is {first}\n{story}", left.len());
    }
    drop(trace);
    simulation
}

#[test]
fn in_peace_everything_is_done_once_and_in_time() {
    let simulation = lived_through(1, Faults::none(), Order::unordered());
    let (trace, terms) = (simulation.cluster.trace(), terms(&simulation, false));
    assert_eq!(redone(&trace, &terms).records, 0);
    assert!(latest(&trace, &terms) < Duration::from_millis(500), "{:?}", latest(&trace, &terms));
}

#[test]
fn whatever_goes_wrong_the_promises_hold() {
    for seed in seeds(0..30) {
        lived_through(
            seed,
            drawn(seed, false),
            if seed % 2 == 0 { Order::unordered() } else { Order::by_key(OnExhausted::Dead) },
        );
    }
}

#[test]
fn what_is_destroyed_is_not_called_lost() {
    for seed in seeds(0..15) {
        lived_through(seed, drawn(seed, true), Order::unordered());
    }
}

/// These seeds, or those that `RETRIAL_SEEDS` names, as in `100..2000`.
fn seeds(usual: std::ops::Range<u64>) -> std::ops::Range<u64> {
    let named = std::env::var("RETRIAL_SEEDS").ok();
    let parsed = named
        .as_deref()
        .and_then(|text| text.split_once(".."))
        .and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    parsed.unwrap_or(usual)
}

#[test]
fn one_seed_is_one_trace() {
    for seed in [3, 4] {
        let (one, other) = (
            lived_through(seed, drawn(seed, false), Order::unordered()),
            lived_through(seed, drawn(seed, false), Order::unordered()),
        );
        assert!(*one.cluster.trace() == *other.cluster.trace(), "seed {seed}");
    }
}

#[test]
fn a_crash_repeats_little_and_loses_nothing() {
    let faults = Faults::none().with(Fault::Crash, 20);
    let simulation = lived_through(5, faults, Order::unordered());
    let (trace, terms) = (simulation.cluster.trace(), terms(&simulation, false));
    let redone = redone(&trace, &terms);
    assert!(simulation.cluster.counted(Fault::Crash) > 3 && redone.records > 0, "{redone:?}");
    // A second of work, and what was in flight.
    assert!(redone.uncovered_at_death < 40, "{redone:?}");
}

/// Members come and go: nothing is run twice, since everyone leaves well.
#[test]
fn who_leaves_well_leaves_nothing_to_repeat() {
    let simulation = virtual_time(async {
        let mut simulation = Simulation::new(6, 2, &[("orders", 6)], Faults::none(), app(Order::unordered()));
        let mut work = messages(6, 300);
        simulation.run(MINUTE, "orders", work.split_off(200)).await;
        simulation.join();
        simulation.run(MINUTE, "orders", work.split_off(100)).await;
        simulation.stop(0, secs(25));
        simulation.run(MINUTE, "orders", work).await;
        simulation.run(3 * MINUTE, "orders", Vec::new()).await;
        simulation
    });
    let (trace, terms) = (simulation.cluster.trace(), terms(&simulation, false));
    assert_eq!(judge(&trace, &terms), []);
    assert_eq!(unfinished(&trace, &terms), []);
    assert_eq!(redone(&trace, &terms).records, 0);
    let left = trace.events().filter(|event| matches!(event, Event::Left { .. })).count();
    assert_eq!(left, 1);
}

/// Every cause for which a record is buried, and the records that others sent: each ends where it must.
#[test]
fn every_record_ends_where_its_handler_said() {
    let simulation = lived_through(7, Faults::none(), Order::unordered());
    let trace = simulation.cluster.trace();
    let landed = |topic: &str| {
        let in_topic = |event: &&Event| matches!(event, Event::Appended { place, .. } if *place.topic == *topic);
        trace.events().filter(in_topic).count()
    };
    let asked =
        |word: &str| messages(7, 400).iter().filter(|message| message.body.as_deref() == Some(word.as_bytes())).count();
    assert!(asked("fail 9") > 0 && asked("dead") > 0);
    assert_eq!(landed("billing.dlq"), asked("fail 9") + asked("dead"));
    assert!(landed("billing.retry.5s") >= asked("fail 9") + asked("panic 1"));
}

/// Writes that land twice: the producer breaks between a write and its acknowledgement, or the process does.
#[test]
fn a_repeated_forward_runs_once() {
    for seed in seeds(20..26) {
        let simulation = lived_through(seed, Faults::none().with(Fault::ProducerReplaced, 2_000), Order::unordered());
        assert!(simulation.cluster.counted(Fault::ProducerReplaced) > 0);
    }
}

/// A run of finished offsets that reaches across the start that retention gave the log was once forgotten.
#[test]
fn a_log_that_begins_later_than_the_commit_keeps_what_is_finished() {
    for seed in [1045, 1061, 1093] {
        lived_through(seed, drawn(seed, true).with(Fault::Retention, 5_000), Order::unordered());
    }
}
