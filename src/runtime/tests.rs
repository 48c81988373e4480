//! Workers by themselves: real handlers, virtual time, and every report looked at.

use super::{
    blocking::BlockingThreads,
    crew::{Command, Crew, Report, Workplace},
    driver::run,
    permit::Permits,
};
use crate::{
    App, Attempt, Cancellation, Outcome, Record, Settings,
    broker::Waker,
    handler,
    record::{BatchBuilder, Meter, Position},
    secs,
    topic::Registered,
};
use retrial_core::{
    event::{Finished, Work},
    history::SourceTime,
    id::{Slot, Ticket, TopicIndex},
    shares::Class,
};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc,
    },
    time::Duration,
};
use tokio::{runtime::Handle, sync::Notify, time::Instant};

const SLOT: Slot = Slot { index: 0, generation: 1 };

/// One crew and the driver's end of everything.
struct Bench {
    crew: Crew,
    reports: mpsc::Receiver<Report>,
    woken: Arc<Notify>,
    permits: Arc<Permits>,
}

impl Bench {
    fn new(app: App) -> Self {
        let handlers: Arc<[Registered]> = app.build().unwrap().topics.into();
        let permits = Arc::new(Permits::new());
        permits.extend_lease(Instant::now(), Duration::from_secs(100_000));
        permits.open(SLOT);
        let (reports, reported) = mpsc::channel();
        let woken = Arc::new(Notify::new());
        let wake = Arc::clone(&woken);
        let place = Workplace {
            handlers,
            group: "billing".into(),
            permits: Arc::clone(&permits),
            reports,
            waker: Waker::new(move || wake.notify_one()),
            threads: Arc::new(BlockingThreads::new(2)),
        };
        Self { crew: Crew::start(0, 1, &Handle::current(), &place), reports: reported, woken, permits }
    }

    fn give(&mut self, sequences: std::ops::Range<u64>) {
        self.crew.give(sequences.map(work).collect());
    }

    fn tell(&self, command: impl Fn() -> Command) {
        self.crew.tell_all(command);
    }

    /// The next so many attempts that ended.
    async fn finished(&self, count: usize) -> Vec<Finished<Record>> {
        let mut all = Vec::new();
        while all.len() < count {
            match self.reports.try_recv() {
                Ok(report) => all.extend(report.finished),
                Err(_) => self.woken.notified().await,
            }
        }
        assert_eq!(all.len(), count);
        all
    }
}

fn work(sequence: u64) -> Work<Record> {
    let mut batch = BatchBuilder::new("orders".into(), 0, 1, Arc::new(Meter::default()));
    let position = Position { offset: sequence as i64, leader_epoch: 0, time: SourceTime::None };
    batch.push(position, None, Some(sequence.to_string().as_bytes()), []);
    let record = batch.finish().records().next().unwrap();
    let ticket = Ticket { slot: SLOT, sequence };
    Work { ticket, topic: TopicIndex(0), class: Class::Fresh, tries: 0, lane: 0, record, history: None }
}

fn kind(finished: &Finished<Record>) -> (&'static str, Option<String>) {
    match finished {
        Finished::Done { .. } => ("done", None),
        Finished::Abandoned { .. } => ("abandoned", None),
        Finished::Unstarted(_) => ("unstarted", None),
        Finished::Other(report) => match &report.1 {
            Outcome::Retry(reason) => {
                assert!(reason.is_abrupt(), "a cut off attempt must not be tried in place");
                ("retry", Some(format!("{}: {}", reason.kind(), reason.message())))
            }
            other => panic!("{other:?}"),
        },
    }
}

fn app<F, A>(handle: crate::Handler<crate::Async<F, A>>) -> App
where
    crate::Async<F, A>: crate::Callable<()>,
{
    App::group("billing").topic("orders", handle)
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_a_failure_of_its_record_and_of_no_other() {
    async fn moody(body: String, attempt: Attempt) {
        assert_eq!(attempt.number(), 1);
        if body == "3" {
            tokio::task::yield_now().await;
        }
        assert!(body != "2" && body != "3", "not {body}");
    }
    let mut bench = Bench::new(app(handler(moody)));
    bench.give(0..6);
    let mut kinds: Vec<_> = bench.finished(6).await.iter().map(kind).collect();
    kinds.sort();
    assert_eq!(kinds.iter().filter(|(kind, _)| *kind == "done").count(), 4);
    assert_eq!(kinds[4..], [("retry", Some("panic: not 2".into())), ("retry", Some("panic: not 3".into()))]);
}

/// A frozen process finds timers of handlers and time limits over at once: what is ready then is not thrown away.
#[tokio::test(start_paused = true)]
async fn an_attempt_that_is_ready_when_its_time_is_over_counts() {
    async fn slow(body: String) {
        let seconds = if body == "0" { 1 } else { 1_000_000 };
        tokio::time::sleep(secs(seconds)).await;
    }
    let mut bench = Bench::new(app(handler(slow).timeout(secs(2))));
    bench.give(0..2);
    tokio::task::yield_now().await;
    tokio::time::advance(secs(60)).await;
    let mut kinds: Vec<_> = bench.finished(2).await.iter().map(|finished| kind(finished).0).collect();
    kinds.sort();
    assert_eq!(kinds, ["done", "retry"]);
}

/// What waits for its first turn when an assignment is given up does not begin, also if the partition goes on.
#[tokio::test(start_paused = true)]
async fn what_was_handed_over_before_an_assignment_was_given_up_does_not_begin_after_it() {
    let mut bench = Bench::new(app(handler(async || {})));
    bench.give(0..3);
    bench.tell(|| Command::Abandon(SLOT));
    bench.give(3..5);
    let mut kinds: Vec<_> = bench.finished(5).await.iter().map(|finished| kind(finished).0).collect();
    kinds.sort();
    assert_eq!(kinds, ["abandoned", "abandoned", "abandoned", "done", "done"]);
}

#[tokio::test(start_paused = true)]
async fn a_timeout_is_a_failure_of_its_record_and_fires_its_token() {
    static FIRED: AtomicU32 = AtomicU32::new(0);
    async fn endless(body: String, cancellation: Cancellation) {
        if body == "1" {
            tokio::spawn(async move {
                cancellation.cancelled().await;
                FIRED.fetch_add(1, Ordering::SeqCst);
            });
            std::future::pending::<()>().await;
        }
    }
    let mut bench = Bench::new(app(handler(endless).timeout(secs(20))));
    let began = Instant::now();
    bench.give(0..3);
    let first: Vec<_> = bench.finished(2).await.iter().map(kind).collect();
    assert_eq!(first, [("done", None), ("done", None)]);
    let late = bench.finished(1).await;
    assert_eq!(kind(&late[0]).1.unwrap(), "timeout: the handler did not end in time");
    assert_eq!(began.elapsed().as_secs(), 20);
    tokio::task::yield_now().await;
    assert_eq!(FIRED.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn many_that_end_behind_one_that_does_not_each_have_their_own_time() {
    async fn slow(body: String) {
        let sequence: u64 = body.parse().unwrap();
        tokio::time::sleep(Duration::from_millis(if sequence == 0 { 100_000_000 } else { 10 })).await;
    }
    let mut bench = Bench::new(app(handler(slow).timeout(secs(60)).concurrency(1000)));
    bench.give(0..1);
    for round in 0..50 {
        bench.give(1 + round * 200..1 + (round + 1) * 200);
        assert!(bench.finished(200).await.iter().all(|finished| kind(finished).0 == "done"));
    }
    assert_eq!(kind(&bench.finished(1).await[0]).0, "retry");
}

#[tokio::test(start_paused = true)]
async fn the_time_limit_of_one_that_ended_is_not_that_of_the_next_in_its_place() {
    async fn slow(body: String) {
        tokio::time::sleep(secs(if body == "0" { 19 } else { 1_000_000 })).await;
    }
    let mut bench = Bench::new(app(handler(slow).timeout(secs(20))));
    let began = Instant::now();
    bench.give(0..2);
    assert_eq!(kind(&bench.finished(1).await[0]).0, "done");
    bench.give(2..3);
    let mut times = Vec::new();
    for _ in 0..2 {
        let late = bench.finished(1).await;
        times.push((late[0].ticket().sequence, began.elapsed().as_secs()));
    }
    assert_eq!(times, [(1, 20), (2, 39)]);
}

/// Two workers that count references to one batch wait for each other.
#[test]
fn a_run_of_work_is_long_and_ends_where_a_partition_does() {
    let of = |slot, count| (0..count).map(move |sequence| Work { ticket: Ticket { slot, sequence }, ..work(sequence) });
    let other = Slot { index: 4, ..SLOT };
    let crew = |work: &Work<Record>| usize::from(work.topic.0);
    let mut all: Vec<_> = of(SLOT, 10).chain(of(other, 10)).collect();
    assert_eq!(run(&all, 8, crew), 8);
    assert_eq!(run(&all[4..], 8, crew), 6, "the rest of its partition");
    assert_eq!(run(&all[8..], 8, crew), 4, "a short one takes others along, up to half");
    all[9].topic = TopicIndex(1);
    assert_eq!(run(&all[4..], 8, crew), 5, "one crew");
    assert_eq!(run(&[], 8, crew), 0);
}

#[tokio::test(start_paused = true)]
async fn when_an_assignment_ends_tokens_fire_futures_are_dropped_and_nothing_of_it_begins() {
    static DROPPED: AtomicU32 = AtomicU32::new(0);
    struct Tell;
    impl Drop for Tell {
        fn drop(&mut self) {
            DROPPED.fetch_add(1, Ordering::SeqCst);
        }
    }
    async fn waits(body: String, cancellation: Cancellation) {
        let _tell = Tell;
        if body == "0" {
            return cancellation.cancelled().await;
        }
        std::future::pending().await
    }
    let mut bench = Bench::new(app(handler(waits).without_timeout()));
    bench.give(0..3);
    // The worker is a task of this thread: it begins them now.
    tokio::task::yield_now().await;
    bench.tell(|| Command::Hurry(SLOT));
    assert_eq!(kind(&bench.finished(1).await[0]).0, "done", "it saw its token");
    bench.permits.close(SLOT);
    bench.give(3..5);
    bench.tell(|| Command::Abandon(SLOT));
    let kinds: Vec<_> = bench.finished(4).await.iter().map(|finished| kind(finished).0).collect();
    assert!(kinds.iter().all(|kind| *kind == "abandoned"), "{kinds:?}");
    assert_eq!(DROPPED.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn without_a_lease_nothing_begins() {
    let mut bench = Bench::new(app(handler(|| async {})));
    bench.permits.end_lease();
    bench.give(0..2);
    assert!(bench.finished(2).await.iter().all(|finished| kind(finished).0 == "unstarted"));
    bench.permits.extend_lease(Instant::now(), Duration::from_secs(1));
    bench.give(2..3);
    assert_eq!(kind(&bench.finished(1).await[0]).0, "done");
}

/// In real time: the blocking function runs on a thread of its own.
#[tokio::test]
async fn a_blocking_function_that_runs_is_never_given_up() {
    let (entered, running) = mpsc::channel();
    let (release, gate) = mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let block = crate::blocking(move |cancellation: Cancellation| {
        entered.send(()).unwrap();
        gate.lock().unwrap().recv().unwrap();
        assert!(cancellation.is_cancelled(), "its token has fired at the timeout");
    });
    let app = App::group("billing").topic("orders", block.timeout(Duration::from_millis(20)));
    let mut bench = Bench::new(app);
    bench.give(0..1);
    tokio::task::spawn_blocking(move || running.recv().unwrap()).await.unwrap();
    // Far beyond its time limit it is neither reported nor dropped, since its work may still take effect.
    let early = tokio::time::timeout(Duration::from_millis(200), bench.finished(1)).await;
    assert!(early.is_err());
    release.send(()).unwrap();
    assert_eq!(kind(&bench.finished(1).await[0]).0, "done");
}

#[test]
fn a_service_that_is_told_nothing_drains_before_kubernetes_kills_it() {
    let settings = Settings::default();
    assert_eq!((settings.drain, settings.revoke_drain), (secs(25), secs(2)));
    assert_eq!((settings.commit.interval, settings.commit.early), (secs(1), 500));
}
