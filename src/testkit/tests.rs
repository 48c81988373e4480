//! The engine and the runtime in the simulated cluster: every promise, whatever goes wrong.

use super::{Simulation, Witness};
use crate::{
    App, Attempt, Failure, Order, OnExhausted, Outcome, Retry,
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

/// Faults of this seed that fit a runtime: the clocks of tokio, which the lease uses too, cannot stand still for one
/// process alone.
fn drawn(seed: u64, destructive: bool) -> Faults {
    Faults::drawn(&mut Random::new(seed), destructive).with(Fault::ClockStood, 0)
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
        let story = trace.story(first.at, 60, |event| !matches!(event, Event::Appended { .. } | Event::Delivered { .. }));
        panic!("seed {seed}: {first}\n{story}");
    }
    let left = unfinished(&trace, &terms);
    assert!(left.is_empty(), "seed {seed}: {} records are unfinished, the first is {}", left.len(), left[0]);
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
        lived_through(seed, drawn(seed, false), if seed % 2 == 0 { Order::unordered() } else { Order::by_key(OnExhausted::Dead) });
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
    let parsed = named.as_deref().and_then(|text| text.split_once("..")).and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    parsed.unwrap_or(usual)
}
