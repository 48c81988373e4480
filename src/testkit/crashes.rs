//! Records that take their process down, and processes that die of something else (RULES 8).

use super::{Simulation, Witness};
use crate::{
    App, Attempt, OnCrash, OnExhausted, Order, Outcome, Retry,
    broker::sim::{
        check::{Terms, buried_for_crashes, judge, unfinished},
        faults::{Fault, Faults},
        log::Message,
        random::Random,
        trace::{Event, Place},
    },
    handler,
    layer::Next,
    record::Record,
    secs,
};
use retrial_core::id::Origin;
use std::{
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

const MINUTE: Duration = Duration::from_secs(60);

/// How the group is set up.
#[derive(Clone)]
struct Plan {
    order: Order,
    on_crash: OnCrash,
    /// While it is set, every record kills.
    all_kill: Arc<AtomicBool>,
}

impl Plan {
    fn new() -> Self {
        Self { order: Order::unordered(), on_crash: OnCrash::Bury, all_kill: Arc::default() }
    }

    /// Does what the body says: `kill 300` takes the process down after 300 ms.
    fn app(self) -> Rc<dyn Fn(&Witness) -> crate::HandlerSet> {
        Rc::new(move |witness| {
            let (all_kill, killer) = (Arc::clone(&self.all_kill), witness.clone());
            let kills = move |record: Record, next: Next| {
                let (all_kill, killer) = (Arc::clone(&all_kill), killer.clone());
                async move {
                    let body = String::from_utf8_lossy(record.body().unwrap_or_default()).into_owned();
                    let after = body.strip_prefix("kill ").and_then(|millis| millis.parse().ok());
                    let after = if all_kill.load(Ordering::Relaxed) { Some(0) } else { after };
                    if let Some(after) = after {
                        if after > 0 {
                            tokio::time::sleep(Duration::from_millis(after)).await;
                        }
                        killer.kill(&record);
                        std::future::pending::<()>().await;
                    }
                    next.run(record).await
                }
            };
            let retry = Retry::delays([secs(5), secs(30)]).in_place(1);
            let orders = handler(work).retry(retry).order(self.order).concurrency(20).timeout(secs(20));
            let app = App::group("billing").tiers([secs(5), secs(30)]).layer(witness.layer()).layer(kills);
            app.topic("orders", orders.on_crash(self.on_crash)).build().unwrap()
        })
    }
}

async fn work(body: String, attempt: Attempt) -> Outcome {
    let (word, number) = body.split_once(' ').unwrap_or((&body, "0"));
    let number: u64 = number.parse().unwrap_or(0);
    match word {
        "slow" => tokio::time::sleep(Duration::from_millis(number)).await,
        "fail" if u64::from(attempt.number()) <= number => return Outcome::retry("not yet"),
        _ => {}
    }
    Outcome::Done
}

/// Ordinary work, some of it slow or failing, with these bodies among its first third.
fn messages(seed: u64, count: usize, among: &[&str]) -> Vec<Message> {
    let mut random = Random::new(seed ^ 0x5EED);
    let mut bodies: Vec<String> = (0..count)
        .map(|_| match random.below(20) {
            0 => "fail 1".to_owned(),
            1..7 => format!("slow {}", random.below(2_000)),
            _ => "well".to_owned(),
        })
        .collect();
    for &body in among {
        let place = random.below(bodies.len() as u64 / 3) as usize;
        bodies.insert(place, body.to_owned());
    }
    // Nobody waits behind a record that kills: its key is its own.
    let key = |body: &str, number| if among.contains(&body) { format!("of {body}") } else { format!("key {number}") };
    bodies.into_iter().map(|body| Message::new(key(&body, random.below(30)), body)).collect()
}

fn virtual_time<F: Future>(run: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(run)
}

fn simulation(seed: u64, faults: Faults, plan: Plan) -> Simulation {
    Simulation::new(seed, 3, &[("orders", 6)], faults, plan.app())
}

/// Where the records stand that have such a body.
fn origins(simulation: &Simulation, begins: &str) -> Vec<Origin> {
    let trace = simulation.cluster.trace();
    let origin = |place: &Place, offset| Origin { topic: place.topic.clone(), partition: place.partition, offset };
    let fits = |body: &[u8]| body.starts_with(begins.as_bytes());
    let mut origins: Vec<Origin> = trace
        .events()
        .filter_map(|event| match event {
            Event::Appended { place, record, by: None } => {
                fits(record.message.body.as_deref()?).then(|| origin(place, record.offset))
            }
            _ => None,
        })
        .collect();
    origins.sort_by_key(|origin| (origin.partition, origin.offset));
    origins
}

fn deaths(simulation: &Simulation) -> usize {
    simulation.cluster.trace().events().filter(|event| matches!(event, Event::Died { .. })).count()
}

fn terms(simulation: &Simulation, order: Order) -> Terms {
    let ordered: &[&str] = if order == Order::unordered() { &[] } else { &["orders"] };
    Terms::with_snapshots(&simulation.names, &["orders"], ordered, simulation.session())
}

/// Every promise holds, and nothing is left but these.
fn assert_kept(seed: u64, simulation: &Simulation, order: Order, left: &[Origin]) {
    let (trace, terms) = (simulation.cluster.trace(), terms(simulation, order));
    if let Some(first) = judge(&trace, &terms).first() {
        let quiet = |event: &Event| !matches!(event, Event::Appended { .. } | Event::Delivered { .. });
        panic!("seed {seed}: {first}\n{}", trace.story(first.at, 60, quiet));
    }
    let unfinished = unfinished(&trace, &terms);
    let more = unfinished.iter().find(|spot| {
        !left.iter().any(|origin| origin.partition == spot.place.partition && origin.offset == spot.offset)
    });
    if let Some(more) = more {
        let place = format!("{:?}", more.place);
        let about = |event: &Event| format!("{event:?}").contains(&place) && !matches!(event, Event::CommitSent { .. });
        let story = trace.story(trace.entries().len() - 1, 60, about);
        panic!("seed {seed}: {} records are unfinished, one is {more}\n{story}", unfinished.len());
    }
}

/// Kills a random process every now and then, from outside, as long as there are messages.
async fn storm(simulation: &mut Simulation, seed: u64, mean: u64, mut messages: Vec<Message>, minutes: u32) {
    let mut random = Random::new(seed ^ 0xDEAD);
    let (end, mut slices) = (simulation.cluster.now().after(MINUTE * minutes), 4 * minutes as usize);
    while simulation.cluster.now() < end {
        let rest = messages.split_off(messages.len() / slices.max(1));
        slices = slices.saturating_sub(1);
        simulation.run(random.millis(&(1..=2 * mean)), "orders", messages).await;
        messages = rest;
        simulation.cluster.inject(Fault::Crash);
    }
    simulation.run(MINUTE, "orders", messages).await;
}

/// A life under a plan: messages for some minutes, and time to finish in peace.
fn lived_through(seed: u64, faults: Faults, plan: &Plan, among: &[&str]) -> Simulation {
    virtual_time(async {
        let mut simulation = simulation(seed, faults, plan.clone());
        simulation.run(4 * MINUTE, "orders", messages(seed, 400, among)).await;
        simulation.cluster.calm();
        simulation.run(3 * MINUTE, "orders", Vec::new()).await;
        simulation
    })
}

fn ordered(seed: u64) -> Plan {
    let order = if seed.is_multiple_of(2) { Order::unordered() } else { Order::by_key(OnExhausted::Dead) };
    Plan { order, ..Plan::new() }
}

#[test]
fn a_record_that_kills_its_process_is_buried_after_few_crashes_and_nobody_else_is() {
    for seed in seeds(0..30) {
        let (killer, plan) = (["kill 0", "kill 100", "kill 700"][seed as usize % 3], ordered(seed));
        let simulation = lived_through(seed, Faults::none(), &plan, &[killer]);
        assert_kept(seed, &simulation, plan.order, &[]);
        assert_eq!(buried_for_crashes(&simulation.cluster.trace()), origins(&simulation, "kill"), "seed {seed}");
        let most = if killer == "kill 700" { 9 } else { 6 };
        assert!(deaths(&simulation) <= most, "seed {seed}: {} deaths", deaths(&simulation));
    }
}

#[test]
fn several_records_that_kill_are_all_found() {
    for seed in seeds(100..115) {
        let plan = ordered(seed);
        let simulation = lived_through(seed, Faults::none(), &plan, &["kill 0", "kill 0", "kill 50"]);
        assert_kept(seed, &simulation, plan.order, &[]);
        assert_eq!(buried_for_crashes(&simulation.cluster.trace()), origins(&simulation, "kill"), "seed {seed}");
    }
}

/// Whatever else goes wrong: the record that kills is found, unless it is alone at the end, and nobody else is buried.
#[test]
fn faults_of_every_kind_bury_nobody_but_the_record_that_kills() {
    for seed in seeds(200..240) {
        let faults = Faults::drawn(&mut Random::new(seed), false).with(Fault::ClockStood, 0);
        let (plan, killers): (_, &[&str]) = (ordered(seed), if seed % 3 == 0 { &[] } else { &["kill 0"] });
        let simulation = lived_through(seed, faults, &plan, killers);
        let left = origins(&simulation, "kill");
        assert_kept(seed, &simulation, plan.order, &left);
        let buried = buried_for_crashes(&simulation.cluster.trace());
        assert!(buried.iter().all(|origin| left.contains(origin)), "seed {seed}: {buried:?} and not {left:?}");
    }
}

/// Processes are killed from outside under load, every few seconds, some of them while a suspect runs alone.
#[test]
fn storms_of_kills_bury_nobody() {
    let mut killed = 0;
    for seed in seeds(300..380) {
        let plan = ordered(seed);
        let simulation = virtual_time(async {
            let mut simulation = simulation(seed, Faults::none(), plan.clone());
            let mean = [700, 2_000, 6_000, 15_000][seed as usize / 2 % 4];
            storm(&mut simulation, seed, mean, messages(seed, 200, &[]), 2).await;
            simulation.run(2 * MINUTE, "orders", Vec::new()).await;
            simulation
        });
        assert_kept(seed, &simulation, plan.order, &[]);
        assert_eq!(buried_for_crashes(&simulation.cluster.trace()), [], "seed {seed}");
        killed += deaths(&simulation);
    }
    assert!(killed > 0);
}

#[test]
fn a_record_that_kills_is_held_where_that_was_asked_for() {
    for seed in seeds(500..510) {
        let plan = Plan { on_crash: OnCrash::Hold, ..ordered(seed) };
        let simulation = lived_through(seed, Faults::none(), &plan, &["kill 0"]);
        let killer = origins(&simulation, "kill");
        assert_kept(seed, &simulation, plan.order, &killer);
        assert_eq!(buried_for_crashes(&simulation.cluster.trace()), [], "seed {seed}");
        assert!(deaths(&simulation) <= 6, "seed {seed}: {} deaths", deaths(&simulation));
        let offset = simulation.cluster.committed("billing", "orders", killer[0].partition).map(|kept| kept.offset);
        assert_eq!(offset, Some(killer[0].offset), "seed {seed}");
    }
}

/// A deploy that kills with every record: nobody is to blame, and when it is mended everything is done.
#[test]
fn a_handler_that_always_kills_buries_nobody() {
    for seed in seeds(600..610) {
        let plan = ordered(seed);
        let simulation = virtual_time(async {
            let mut simulation = simulation(seed, Faults::none(), plan.clone());
            let mut work = messages(seed, 300, &[]);
            simulation.run(MINUTE, "orders", work.split_off(200)).await;
            plan.all_kill.store(true, Ordering::Relaxed);
            simulation.run(3 * MINUTE, "orders", work.split_off(100)).await;
            plan.all_kill.store(false, Ordering::Relaxed);
            simulation.run(MINUTE, "orders", work).await;
            simulation.run(10 * MINUTE, "orders", Vec::new()).await;
            simulation
        });
        assert_kept(seed, &simulation, plan.order, &[]);
        assert_eq!(buried_for_crashes(&simulation.cluster.trace()), [], "seed {seed}");
        assert!(deaths(&simulation) > 10);
    }
}

/// Members come and go in good order while a record kills: what is known of it goes from owner to owner.
#[test]
fn restarts_in_good_order_bury_nobody_and_forget_nothing() {
    for seed in seeds(700..715) {
        let plan = ordered(seed);
        let simulation = virtual_time(async {
            let mut simulation = simulation(seed, Faults::none(), plan.clone());
            let (mut work, mut random) = (messages(seed, 400, &["kill 0"]), Random::new(seed));
            for round in 0..10 {
                let rest = work.split_off(work.len() / (12 - round));
                simulation.run(random.millis(&(5_000..=40_000)), "orders", work).await;
                work = rest;
                simulation.stop(round, secs(5));
                simulation.join();
            }
            simulation.run(3 * MINUTE, "orders", work).await;
            simulation.run(MINUTE, "orders", Vec::new()).await;
            simulation
        });
        assert_kept(seed, &simulation, plan.order, &[]);
        assert_eq!(buried_for_crashes(&simulation.cluster.trace()), origins(&simulation, "kill"), "seed {seed}");
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
