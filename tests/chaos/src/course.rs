//! The course of a run: a cluster, a load, workers, faults; then rest, and judgement.

use std::{
    path::Path,
    sync::mpsc::{Sender, channel},
    thread,
    time::{Duration, Instant},
};

use retrial_kafka_for_tests::{Kafka, Options};

use crate::{
    arguments::Arguments,
    clock::{MILLI, Micros},
    crew::{Contract, Crew},
    faults::{
        Chronicle, Fault, Kind, Subject, brokers,
        workers::{Foreman, Size},
    },
    judge::{Evidence, judge},
    ledger,
    load::{Load, Loaded},
    place::Source,
    quiet,
    report::Report,
    witness,
};

/// The group's session timeout: as short as brokers take by default, since a group stands still for as long after a kill.
const SESSION: Duration = Duration::from_secs(6);
/// After this long a broker that says nothing loses its leaderships: Kafka's own default. The tests' Kafka is quicker, and
/// takes a busy machine's broker for dead.
const BROKER_SESSION: Duration = Duration::from_secs(9);
/// How long the first record may take to be begun.
const FIRST: Duration = Duration::from_secs(120);
/// What leaving takes of workers that are not disturbed.
const LEAVING: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);

/// Makes a run. Returns whether every promise held.
///
/// # Errors
/// The run could not be made.
pub(crate) fn run(arguments: &Arguments) -> Result<bool, String> {
    let chronicle = Chronicle::begin();
    let prefix = format!("retrial-chaos-{}-", arguments.seed);
    let folder = tempfile::Builder::new().prefix(&prefix).tempdir().map_err(|error| error.to_string())?;
    let kafka = start(arguments, folder.path())?;
    let files = folder.path().to_owned();
    let contract =
        Contract { bootstrap: kafka.bootstrap(), session: SESSION, trim: arguments.trim, folder: files.clone() };
    let mut crew = Crew::new(contract);
    let outcome = disturb(arguments, &kafka, &mut crew, &chronicle);
    let evidence = outcome.and_then(|stage| gather(arguments, &kafka, &crew, &chronicle, &files, stage));
    let held = evidence.map(|(evidence, quiet_after)| {
        let verdict = judge(&evidence);
        let quiet_after_ms = u64::try_from(quiet_after.as_millis()).unwrap_or(u64::MAX);
        let (faults, workers) = (&evidence.faults, crew.hired());
        let began = chronicle.began();
        let report = Report { arguments, verdict: &verdict, faults, workers, began, quiet_after_ms };
        println!("{}", report.table());
        (verdict.holds(), report.json())
    });
    if arguments.keep || !matches!(held, Ok((true, _))) {
        println!("kept: {}", folder.keep().display());
    }
    let (holds, json) = held?;
    println!("{json}");
    Ok(holds)
}

fn start(arguments: &Arguments, folder: &Path) -> Result<Kafka, String> {
    let session = BROKER_SESSION.as_millis();
    let options = Options::brokers(usize::from(arguments.brokers)).property("broker.session.timeout.ms", session);
    let options = if arguments.keep { options.kept_in(folder.join("brokers")) } else { options };
    let kafka = Kafka::start(options).map_err(|error| error.to_string())?;
    let in_sync = if arguments.brokers > 1 { "2" } else { "1" };
    for source in Source::ALL {
        // By the broker's time, so that it is known since when a record could be read.
        let settings = [("min.insync.replicas", in_sync), ("message.timestamp.type", "LogAppendTime")];
        kafka.create_topic(source.topic(), source.partitions(), &settings);
    }
    Ok(kafka)
}

/// What a run has come to when it is at rest.
struct Stage {
    loaded: Loaded,
    restless: Option<String>,
    quiet_after: Duration,
}

/// Load, workers and faults, until all is at rest and the workers have left.
fn disturb(arguments: &Arguments, kafka: &Kafka, crew: &mut Crew, chronicle: &Chronicle) -> Result<Stage, String> {
    for _ in 0..arguments.workers {
        crew.hire().map_err(|error| format!("cannot start a worker: {error}"))?;
    }
    let load = Load::begin(kafka, arguments.seed, arguments.rate)?;
    chronicle.say(&format!(
        "{} workers, {} records a second, faults for {} s from seed {}",
        arguments.workers, arguments.rate, arguments.seconds, arguments.seed
    ));
    let limit = Instant::now() + FIRST;
    while !crew.has_begun() {
        if Instant::now() > limit {
            return Err(format!("no record was begun within {FIRST:?}"));
        }
        thread::sleep(TICK);
    }
    inject(arguments, kafka, crew, chronicle)?;
    let over = Instant::now();
    chronicle.say("no more faults");
    let loaded = load.end()?;
    note_starvation(&loaded, chronicle);
    chronicle.say(&format!("{} records sent, {} acknowledged", loaded.sent, loaded.acknowledged.len()));
    let restless = quiet::wait(kafka, Duration::from_secs(arguments.quiet_within), || {
        crew.watch();
    });
    let (restless, quiet_after) = (restless.err(), over.elapsed());
    chronicle.say(restless.as_deref().unwrap_or("all quiet"));
    leave(crew);
    Ok(Stage { loaded, restless, quiet_after })
}

/// Breaks brokers on a thread of their own and workers on this one, for the time given.
fn inject(arguments: &Arguments, kafka: &Kafka, crew: &mut Crew, chronicle: &Chronicle) -> Result<(), String> {
    let until = Instant::now() + arguments.lasts();
    let first = usize::from(arguments.workers);
    let size = Size { least: (first - 1).max(1), first, most: first + 1 };
    thread::scope(|scope| {
        let (end, ended) = channel::<()>();
        let targets = arguments.faults;
        let breaker =
            targets.brokers().then(|| scope.spawn(move || brokers::inject(kafka, arguments.seed, chronicle, &ended)));
        let is_over = || breaker.as_ref().is_some_and(thread::ScopedJoinHandle::is_finished);
        let mut foreman = Foreman::new(crew, chronicle, arguments.seed, SESSION, size);
        let workers = if targets.workers() { foreman.inject(until, is_over) } else { foreman.look_on(until, is_over) };
        let workers = workers.and_then(|()| foreman.calm()).map_err(|error| format!("cannot start a worker: {error}"));
        tell(end);
        let brokers = breaker.map(|breaker| breaker.join());
        let brokers = brokers.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err("a broker failed: see above".to_owned()));
        workers.and(brokers)
    })
}

/// Slow times that no fault of a broker explains.
fn note_starvation(loaded: &Loaded, chronicle: &Chronicle) {
    let faults = chronicle.faults();
    let felt = Micros::try_from((BROKER_SESSION + SESSION).as_micros()).unwrap_or(Micros::MAX);
    for &(from, to) in &loaded.slow {
        let mut of_brokers = faults.iter().filter(|fault| fault.kind.is_of_a_broker());
        if !of_brokers.any(|fault| fault.from <= to && from <= fault.to + felt) {
            let millis = (to - from) / MILLI;
            chronicle.say(&format!("the machine was too busy for {millis} ms: acknowledgements took over a second"));
            chronicle.note(Fault { kind: Kind::Starved, subject: Subject::Machine, from, to });
        }
    }
}

fn tell(end: Sender<()>) {
    // It may have failed and not listen any more.
    let _ = end.send(());
}

/// Asks all workers to leave, and waits until they are gone.
fn leave(crew: &mut Crew) {
    for worker in crew.members() {
        crew.ask_to_leave(worker);
    }
    let limit = Instant::now() + LEAVING;
    while !crew.is_empty() && Instant::now() < limit {
        crew.watch();
        thread::sleep(TICK);
    }
}

/// Everything that judges need.
fn gather(
    arguments: &Arguments,
    kafka: &Kafka,
    crew: &Crew,
    chronicle: &Chronicle,
    files: &Path,
    stage: Stage,
) -> Result<(Evidence, Duration), String> {
    chronicle.say("reading topics and ledgers");
    let produced = witness::produced(kafka, arguments.seed)?;
    let forwards = witness::forwards(kafka, &produced)?;
    let (mut entries, mut complaints) = (Vec::new(), Vec::new());
    for worker in 1..=crew.hired() {
        entries.extend(ledger::read(&ledger::path(files, worker), worker)?);
        complaints.extend(crew.complaints(worker));
    }
    let evidence = Evidence {
        session: Micros::try_from(SESSION.as_micros()).unwrap_or(Micros::MAX),
        produced,
        acknowledged: stage.loaded.acknowledged,
        forwards,
        entries,
        faults: chronicle.faults(),
        desertions: crew.deserted().to_vec(),
        complaints,
        restless: stage.restless,
    };
    Ok((evidence, stage.quiet_after))
}
