//! Puts a service together: from an app, a connection and settings to a driver with its crews.

use super::{
    ServiceError, Settings,
    health::Health,
    observer::{self, Observed, Observer},
    watch::{self, Watch, Watched},
};
use crate::{
    app::HandlerSet,
    broker::{
        ClockSample, Source, Waker,
        kafka::{self, Cluster, Kafka, KafkaSink, KafkaSource, Marker, Marks, Pasts, SinkSetup, SourceSetup},
    },
    clock, metrics,
    record::Meter,
    runtime::{
        Notices, Permits,
        blocking::BlockingThreads,
        board::Board,
        crew::{Crew, Workplace},
        driver::{Driver, Parts, TopicPlan},
    },
    topic::Registered,
};
use retrial_core::{
    engine::{Engine, EngineConfig, TopicConfig},
    ladder::Ladder,
    naming::GroupNames,
    start::{self, StartAt},
};
use std::{
    sync::{Arc, mpsc},
    time::Duration,
};
use tokio::runtime::{Builder, Handle, Runtime};

/// Said where the user asks for KIP-848: librdkafka mended rejoining after a long pause in 2.15 (its issues 5541, 5488).
const EXPERIMENTAL: &str = "group.protocol=consumer is experimental with the bundled librdkafka 2.12.1; 2.15 mends it";

/// How long the control topic is read at the start.
const READ_CONTROL: Duration = Duration::from_secs(30);

/// What was checked and found before anything is read.
pub(super) struct Prepared {
    names: GroupNames,
    ladder: Ladder,
    topics: Arc<[Registered]>,
    pub(super) settings: Settings,
    kafka: Kafka,
    cluster: Arc<Cluster>,
    found: kafka::Prepared,
    marks: Marks,
    pub(super) summary: Vec<String>,
}

/// Reaches the brokers, checks everything, and makes what is missing. Waits: for a thread that may.
pub(super) fn prepare(app: HandlerSet, kafka: Kafka, settings: Settings) -> Result<Prepared, ServiceError> {
    let HandlerSet { names, ladder, topics } = app;
    // The first look at the properties, before anything waits for a broker.
    let _checked = kafka.properties.consumer(names.group(), 1, settings.memory)?;
    let (kafka, cluster) = kafka.reach::<ServiceError>()?;
    let sources: Vec<&str> = topics.iter().map(|topic| &*topic.topic).collect();
    let order = kafka::TopicsOrder {
        names: &names,
        sources: &sources,
        delays: ladder.delays(),
        create: kafka.create_topics,
        may_trim: kafka.trim_tiers,
    };
    let found = kafka::prepare(&cluster, &order)?;
    let marks = kafka::read_marks(&kafka.reading(names.group()), &names.control(), READ_CONTROL)?;
    if marks.is_empty() && cluster.has_settings() {
        refuse_old_backlog(&kafka, names.group(), &found, settings.start_at)?;
    }
    metrics::control_skipped().increment(marks.warnings().count() as u64);
    let mut summary = summary(&names, &topics, &found, &marks, &ladder);
    if kafka.properties.new_protocol() {
        summary.push(EXPERIMENTAL.into());
    }
    summary.iter().for_each(|line| tracing::info!(group = names.group(), "{line}"));
    found.warnings.iter().for_each(|warning| tracing::warn!(group = names.group(), "{warning}"));
    Ok(Prepared {
        names,
        ladder,
        topics: topics.into(),
        settings,
        kafka,
        cluster: Arc::new(cluster),
        found,
        marks,
        summary,
    })
}

/// A group that has read nothing must not run through months of records because nobody thought of it (RULES 6).
/// One that another tool has committed for is not new: it goes on where that was.
fn refuse_old_backlog(
    kafka: &Kafka,
    group: &str,
    found: &kafka::Prepared,
    start_at: StartAt,
) -> Result<(), ServiceError> {
    if start_at != StartAt::Unset {
        return Ok(());
    }
    let now = clock::now();
    let young = now.shifted(-i64::try_from(start::OLD.as_millis()).unwrap_or(i64::MAX));
    let connection = kafka.reading(group);
    let mut backlogs = Vec::new();
    for source in &found.sources {
        for partition in 0..source.partitions {
            let limit = Duration::from_secs(10);
            let backlog = kafka::backlog(&connection, &source.name, partition, young, limit)?;
            backlogs.push(start::Backlog { records: backlog.older.unsigned_abs(), oldest: backlog.oldest });
        }
    }
    let Err(refusal) = start::refuse_old_backlog(backlogs, start_at, now) else { return Ok(()) };
    let sources = found.sources.iter();
    let partitions: Vec<(String, i32)> =
        sources.flat_map(|source| (0..source.partitions).map(|partition| (source.name.clone(), partition))).collect();
    if kafka::has_committed(kafka, group, &partitions)? { Ok(()) } else { Err(refusal.into()) }
}

/// What a person wants to know at the start, a line each.
fn summary(
    names: &GroupNames,
    topics: &[Registered],
    found: &kafka::Prepared,
    marks: &Marks,
    ladder: &Ladder,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (topic, source) in topics.iter().zip(&found.sources) {
        let settings = &topic.settings;
        let timeout =
            settings.timeout.map_or("no time limit".into(), |timeout| format!("{timeout:?} for each attempt"));
        lines.push(format!(
            "topic {}: {} partitions, {:?}, {} attempts at once, {timeout}",
            source.name, source.partitions, settings.order, settings.concurrency
        ));
    }
    let tiers: Vec<&str> = found.tiers.iter().map(|tier| tier.name.as_str()).collect();
    lines.push(format!("tiers: {}; dead letters: {}", tiers.join(", "), names.dead_letters()));
    if !found.made.is_empty() {
        lines.push(format!("made: {}", found.made.join(", ")));
    }
    for tier in found.tiers.iter().filter(|tier| !tier.configured && !tier.delay.is_zero()) {
        lines.push(format!("tier {} is in no configuration any more; it is read until it is empty", tier.name));
    }
    lines.extend(ladder.warnings().iter().map(ToString::to_string));
    lines.extend(marks.warnings().map(str::to_owned));
    lines
}

/// A driver that is ready to turn, and what must live as long as it does.
pub(super) struct Assembled {
    pub(super) driver: Driver<KafkaSource, KafkaSink>,
    pub(super) runtimes: Vec<Runtime>,
    pub(super) marker: Option<Marker>,
    pub(super) watch: Option<Watch>,
    pub(super) observer: Observer,
    pub(super) permits: Arc<Permits>,
    pub(super) cluster: Arc<Cluster>,
}

/// What stays the same when a client is made anew.
pub(super) struct Surroundings {
    /// The runtime that handlers run on.
    pub(super) ambient: Handle,
    pub(super) board: Arc<Board>,
    pub(super) health: Arc<Health>,
    /// Told when fetching has stopped.
    pub(super) stalled: Arc<dyn Fn(&str) + Send + Sync>,
}

fn observe(prepared: &Prepared, around: &Surroundings) -> Result<Observer, ServiceError> {
    let stalled = Arc::clone(&around.stalled);
    let observed = Observed {
        cluster: Arc::clone(&prepared.cluster),
        topic: prepared.topics.first().map(|topic| topic.topic.to_string()).unwrap_or_default(),
        board: Arc::clone(&around.board),
        health: Arc::clone(&around.health),
        stalled: Box::new(move |why| stalled(why)),
    };
    observer::start(observed).map_err(ServiceError::Thread)
}

/// Makes clients, crews and the driver.
pub(super) fn assemble(prepared: Prepared, around: &Surroundings) -> Result<Assembled, ServiceError> {
    let Surroundings { ambient, board, health, .. } = around;
    let session_timeout = prepared.kafka.properties.session_timeout()?;
    let meter = Arc::new(Meter::default());
    let source = source(&prepared, Arc::clone(&meter))?;
    let sink = sink(&prepared, source.waker())?;
    let (samples, sampled) = mpsc::channel();
    let marker = marker(&prepared, samples)?;
    let (alarms, alarmed) = mpsc::channel();
    let watch = watch(&prepared, alarms, source.waker(), health)?;
    let observer = observe(&prepared, around)?;
    let cluster = Arc::clone(&prepared.cluster);
    let engine = Engine::new(engine_config(&prepared, session_timeout), prepared.names.clone());
    let group: Arc<str> = prepared.names.group().into();
    let limits = prepared.topics.iter().map(|topic| (topic.topic.clone(), topic.settings.concurrency));
    let notices = Notices::new(Arc::clone(&group), limits.collect::<Vec<_>>());
    let permits = Arc::new(Permits::new());
    let (reports, reported) = mpsc::channel();
    let handlers = prepared.topics;
    let place = Workplace {
        handlers: Arc::clone(&handlers),
        group: Arc::clone(&group),
        permits: Arc::clone(&permits),
        reports,
        waker: source.waker(),
        threads: Arc::new(BlockingThreads::new(prepared.settings.blocking_threads)),
    };
    let (crews, topics, runtimes) = crews(&handlers, ambient, &place)?;
    let mark = marker.as_ref().map(Marker::handle);
    let parts = Parts {
        engine,
        source,
        sink,
        crews,
        topics,
        reports: reported,
        samples: sampled,
        alarms: alarmed,
        permits: Arc::clone(&permits),
        meter,
        memory: prepared.settings.memory,
        notices,
        board: Arc::clone(board),
        group,
        session_timeout,
        mark: Box::new(move |topic, partition, id| {
            if let Some(mark) = &mark {
                mark.mark(topic, partition, id);
            }
        }),
    };
    Ok(Assembled { driver: Driver::new(parts), runtimes, marker, watch, observer, permits, cluster })
}

fn source(prepared: &Prepared, meter: Arc<Meter>) -> Result<KafkaSource, ServiceError> {
    let Prepared { names, found, settings, kafka, cluster, marks, .. } = prepared;
    let partitions: i32 = found.sources.iter().map(|topic| topic.partitions).sum::<i32>()
        + found.tiers.iter().map(|tier| tier.partitions).sum::<i32>();
    let config = kafka.properties.consumer(names.group(), usize::try_from(partitions).unwrap_or(1), settings.memory)?;
    let sources = found.sources.iter().map(|topic| topic.name.clone());
    let topics = sources.chain([any_tier(names)]).collect();
    let ids = Arc::clone(cluster);
    let topic_ids = move |topics: &[&str]| ids.topic_ids(topics).map_err(|error| error.to_string());
    let mut pasts = Pasts::new(marks.clone());
    found.sources.iter().for_each(|topic| pasts.found(&topic.name, topic.id, topic.partitions));
    found.tiers.iter().for_each(|topic| pasts.found(&topic.name, topic.id, topic.partitions));
    let setup = SourceSetup { config, topics, meter, topic_ids: Arc::new(topic_ids), pasts };
    Ok(KafkaSource::new(setup)?)
}

/// Subscribes to every tier that exists or comes to exist, configured or not (RULES 4): another build of this service
/// may make one, and be gone before it is empty. A pattern in librdkafka's and the broker's syntax; what it matches and
/// the engine does not know is offered and never read.
fn any_tier(names: &GroupNames) -> String {
    format!(r"^{}\.retry\.[0-9]+[smh]$", names.stem().replace('.', r"\."))
}

fn sink(prepared: &Prepared, waker: Waker) -> Result<KafkaSink, ServiceError> {
    let known = prepared.found.sources.iter().filter_map(|topic| Some((topic.name.clone(), topic.retention?)));
    let setup = SinkSetup {
        connection: prepared.kafka.connection(),
        names: prepared.names.clone(),
        broker_stamps: prepared.cluster.has_settings(),
        queue: prepared.settings.memory / 2,
        retention: known.collect(),
    };
    KafkaSink::new(setup, waker).map_err(|error| ServiceError::Sink(error.to_string()))
}

/// Marks are written only where all of control could be read (RULES 29).
fn marker(prepared: &Prepared, samples: mpsc::Sender<ClockSample>) -> Result<Option<Marker>, ServiceError> {
    if !prepared.marks.writable() {
        return Ok(None);
    }
    let group = prepared.names.group().to_owned();
    let tell = move |why: String| tracing::warn!(group, "{why}");
    // The driver has ended where nobody takes a sample any more.
    let sampled = move |sample| {
        let _ = samples.send(sample);
    };
    let (connection, control) = (prepared.kafka.connection(), prepared.names.control());
    let marker = Marker::start(&connection, control, prepared.cluster.has_settings(), tell, sampled);
    Ok(Some(marker.map_err(ServiceError::Thread)?))
}

/// The embedded broker has no settings to verify.
fn watch(
    prepared: &Prepared,
    alarms: mpsc::Sender<String>,
    waker: Waker,
    health: &Arc<Health>,
) -> Result<Option<Watch>, ServiceError> {
    if !prepared.cluster.has_settings() {
        return Ok(None);
    }
    let watched = Watched {
        cluster: Arc::clone(&prepared.cluster),
        names: prepared.names.clone(),
        sources: prepared.topics.iter().map(|topic| topic.topic.to_string()).collect(),
        delays: prepared.ladder.delays().to_vec(),
        may_trim: prepared.kafka.trim_tiers,
        kafka: prepared.kafka.clone(),
        said: prepared.found.warnings.clone(),
        health: Arc::clone(health),
    };
    let watch = watch::start(watched, prepared.settings.verify_every, alarms, waker);
    Ok(Some(watch.map_err(ServiceError::Thread)?))
}

fn engine_config(prepared: &Prepared, session_timeout: Duration) -> EngineConfig {
    let topic = |topic: &Registered| TopicConfig {
        name: topic.topic.clone(),
        concurrency: topic.settings.concurrency,
        order: topic.settings.order,
        retry: topic.settings.retry.clone(),
    };
    let topics: Vec<TopicConfig> = prepared.topics.iter().map(topic).collect();
    let together = topics.iter().map(|topic| topic.concurrency).sum();
    EngineConfig {
        group: prepared.names.group().to_owned(),
        ladder: prepared.ladder.clone(),
        topics,
        service_limit: prepared.settings.concurrency.unwrap_or(together),
        session_timeout,
        commit: prepared.settings.commit,
        revoke_drain: prepared.settings.revoke_drain,
        memory: prepared.settings.memory,
        start_at: prepared.settings.start_at,
        // Only spreads the pauses of in-place tries; no secret.
        seed: u64::from(std::process::id()) ^ clock::now().as_millis().unsigned_abs(),
    }
}

type Crews = (Vec<Crew>, Vec<TopicPlan>, Vec<Runtime>);

/// One crew on the user's runtime, and one for each topic that has threads of its own.
fn crews(handlers: &[Registered], ambient: &Handle, place: &Workplace) -> Result<Crews, ServiceError> {
    let mut crews = vec![Crew::start(0, ambient.metrics().num_workers(), ambient, place)];
    let (mut topics, mut runtimes) = (Vec::new(), Vec::new());
    for registered in handlers {
        let mut crew = 0;
        if let Some(threads) = registered.settings.threads {
            let name = format!("retrial-{}", registered.topic);
            let runtime = Builder::new_multi_thread().worker_threads(threads).thread_name(name).enable_all().build();
            let runtime = runtime.map_err(ServiceError::Thread)?;
            crew = crews.len();
            // What blocks this topic's threads must not use up those of the others either.
            let own = Workplace { threads: Arc::new(BlockingThreads::new(threads)), ..place.clone() };
            crews.push(Crew::start(crew, threads, runtime.handle(), &own));
            runtimes.push(runtime);
        }
        topics.push(TopicPlan { name: registered.topic.clone(), order: registered.settings.order, crew });
    }
    Ok((crews, topics, runtimes))
}
