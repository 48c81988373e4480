//! One life of a group: a time in which things go wrong, a time of peace until everything is done, and the judgement.

use super::{
    ends,
    script::{Script, Strike},
    service::{GROUP, PANIC, TOPIC, app},
    tally::Tally,
};
use crate::{
    broker::sim::{
        Cluster, Timing,
        check::{Limits, Terms, Violation, judge, unfinished},
        faults::{Fault, Faults, Plan},
        log::Message,
        trace::{Event, Trace},
    },
    testkit::simulation::{Happening, START, Simulation, World},
};
use retrial_core::naming::GroupNames;
use std::{
    cell::{Cell, RefCell},
    fmt,
    panic::{self, AssertUnwindSafe},
    sync::{Arc, Once},
    time::Duration,
};

/// How long the peace may last until everything is done.
const PEACE: Duration = Duration::from_secs(900);

/// How often it is looked whether it is.
const LOOK: Duration = Duration::from_millis(500);

/// A promise that a life broke, and how.
#[derive(Clone, Debug)]
pub struct Broken {
    /// Which promise.
    pub promise: &'static str,
    /// What happened.
    pub what: String,
    /// What went before it.
    pub story: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}\n{}", self.promise, self.what, self.story)
    }
}

/// What a life came to.
pub(super) struct Lived {
    pub(super) cluster: Option<Cluster>,
    pub(super) broken: Option<Broken>,
}

thread_local! {
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static LIVING: Cell<bool> = const { Cell::new(false) };
}

/// Panics in a life are evidence: those of handlers are asked for, any other breaks a promise.
fn watch_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let payload = info.payload();
            let text = payload.downcast_ref::<&str>().copied().or(payload.downcast_ref::<String>().map(String::as_str));
            if !LIVING.get() {
                loud(info);
            } else if text != Some(PANIC) {
                let place = info.location().map(ToString::to_string).unwrap_or_default();
                LAST_PANIC.set(Some(format!("{} at {place}", text.unwrap_or("a panic"))));
            }
        }));
    });
}

/// Runs in a runtime whose time jumps to the next timer when nothing else is left to do.
pub(crate) fn virtual_time<F: Future>(run: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("this thread can be a runtime");
    runtime.block_on(run)
}

/// Lives through a script, and judges it.
pub(super) fn live(script: &Script) -> Lived {
    watch_panics();
    LIVING.set(true);
    LAST_PANIC.set(None);
    let mut cluster = None;
    let lived = panic::catch_unwind(AssertUnwindSafe(|| virtual_time(through(script, &mut cluster))));
    LIVING.set(false);
    let panicked = LAST_PANIC.take();
    let broken = match (lived, panicked, &cluster) {
        (Ok(names), None, Some(cluster)) => judged(script, &names, &cluster.trace()),
        (_, what, cluster) => {
            let what = what.unwrap_or_else(|| "a panic without words".into());
            let story = cluster.as_ref().map(|cluster| told(&cluster.trace(), usize::MAX)).unwrap_or_default();
            Some(Broken { promise: "nothing panics or spins", what, story })
        }
    };
    Lived { cluster, broken }
}

async fn through(script: &Script, handle: &mut Option<Cluster>) -> GroupNames {
    let timing = Timing { session: script.session(), ..Timing::default() };
    let world = World {
        seed: script.seed,
        members: script.members,
        sources: &[(TOPIC, script.partitions)],
        faults: planned(script),
        timing,
        memory: script.memory,
    };
    let mut simulation = Simulation::of(world, app(script));
    *handle = Some(simulation.cluster.clone());
    if script.bystander {
        simulation.watch(TOPIC);
    }
    let peace = START.after(Duration::from_millis(script.until));
    simulation.live(peace, happenings(script).into_iter()).await;
    simulation.cluster.calm();
    let (names, end) = (simulation.names.clone(), peace.after(PEACE));
    while simulation.cluster.now() < end {
        if simulation.is_deserted() {
            simulation.join();
        }
        let look = simulation.cluster.now().after(LOOK);
        simulation.live(look, std::iter::empty()).await;
        if simulation.cluster.is_settled(GROUP, |topic| topic == TOPIC || tier(&names, topic)) {
            break;
        }
    }
    names
}

fn tier(names: &GroupNames, topic: &str) -> bool {
    matches!(names.parse(topic), Some(retrial_core::naming::OwnTopic::Tier(_)))
}

fn planned(script: &Script) -> Faults {
    let mut faults = Faults::none();
    for (fault, plan) in &script.faults {
        faults = faults.planned(*fault, plan.clone());
    }
    let own = script.strikes.iter().filter_map(|&(at, strike)| match strike {
        Strike::Fault(fault) => Some((at, fault)),
        Strike::Join | Strike::Stop(_) => None,
    });
    faults.scheduled = own.collect();
    faults
}

fn happenings(script: &Script) -> Vec<(retrial_core::time::Timestamp, Happening)> {
    let topic: Arc<str> = TOPIC.into();
    let at = |millis: u64| START.after(Duration::from_millis(millis));
    let tasks = script.tasks.iter().map(|task| {
        let message = Message::new(format!("k{}", task.key), task.deed.body());
        (at(task.at), Happening::Arrives(Arc::clone(&topic), message))
    });
    let moves = script.strikes.iter().filter_map(|&(when, strike)| match strike {
        Strike::Join => Some((at(when), Happening::Joins)),
        Strike::Stop(seat) => Some((at(when), Happening::Stops(seat))),
        Strike::Fault(_) => None,
    });
    let mut all: Vec<_> = tasks.chain(moves).collect();
    all.sort_by_key(|&(at, _)| at);
    all
}

/// What the judges must know of the service.
fn terms(script: &Script, names: &GroupNames) -> Terms {
    let ordered = script.ordering != super::script::Ordering::None;
    let by_partition = script.ordering == super::script::Ordering::PartitionDead;
    let ordered: &[&str] = if ordered { &[TOPIC] } else { &[] };
    let limits = Limits { memory: script.memory, slots: script.slots };
    let holds = script.ordering == super::script::Ordering::KeyHold;
    Terms {
        by_partition,
        holds,
        limits: Some(limits),
        ..Terms::with_snapshots(names, &[TOPIC], ordered, script.session())
    }
}

/// The first promise that was broken, if one was.
fn judged(script: &Script, names: &GroupNames, trace: &Trace) -> Option<Broken> {
    let terms = terms(script, names);
    let first = judge(trace, &terms).into_iter().min_by_key(|violation| violation.at);
    if let Some(Violation { promise, at, what }) = first {
        return Some(Broken { promise, what: format!("event {at}: {what}"), story: told(trace, at) });
    }
    let left = unfinished(trace, &terms);
    if let Some(first) = left.first() {
        let what = format!("{} records were never finished, the first is {first}", left.len());
        return Some(Broken { promise: "a record blocks nobody", what, story: told(trace, usize::MAX) });
    }
    ends::judge(script, trace, &terms).map(|what| {
        let story = told(trace, usize::MAX);
        Broken { promise: "what cannot be handled reaches the dead letters", what, story }
    })
}

/// How much of a story is told: 60 lines, or as many as `RETRIAL_SIM_STORY` says.
fn story_lines() -> usize {
    std::env::var("RETRIAL_SIM_STORY").ok().and_then(|lines| lines.parse().ok()).unwrap_or(60)
}

/// What led to it. That the owner of a partition in which nothing happens is still there is not told.
fn told(trace: &Trace, at: usize) -> String {
    let last = at.min(trace.entries().len().saturating_sub(1));
    let tells = |event: &Event| match event {
        Event::CommitApplied { part, .. } => part.offset > 0,
        Event::Offered { committed, .. } => committed.as_ref().is_none_or(|committed| committed.offset > 0),
        Event::Delivered { .. } | Event::Started { .. } => false,
        _ => true,
    };
    trace.story(last, story_lines(), tells)
}

/// The same life with every fault by its number, as it fell.
pub(super) fn explicit(script: &Script, cluster: &Cluster) -> Script {
    let fell = |fault: Fault| (fault, Plan::At(cluster.fell(fault)));
    let faults = script.faults.iter().map(|&(fault, _)| fell(fault));
    let faults = faults.filter(|(_, plan)| *plan != Plan::At(Vec::new())).collect();
    Script { faults, ..script.clone() }
}

/// Lives through a script: what was counted in it, or which promise it broke first.
///
/// # Errors
/// When a promise was broken.
pub fn run(script: &Script) -> Result<Tally, Box<Broken>> {
    let Lived { cluster, broken } = live(script);
    match (broken, cluster) {
        (Some(broken), _) => Err(Box::new(broken)),
        (None, Some(cluster)) => Ok(Tally::of(&cluster)),
        (None, None) => Ok(Tally::default()),
    }
}
