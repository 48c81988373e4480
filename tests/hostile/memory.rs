//! Memory under a backlog that a slow handler cannot keep up with.

use crate::{
    raw::Raw,
    stage::{self, PATIENCE},
};
use retrial::{Bytes, handler};
use retrial_kafka_for_tests::{Kafka, RawRecord, available};
use std::{
    env, fs,
    io::{Read, Write},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;

/// What the worker is told that it may hold, in bytes; what the client fetches ahead has the same again.
const MEMORY: u64 = 32 * MIB;

/// Beside that: program, threads and allocator of an unoptimized test binary, a fetch under way for each partition, and
/// what an attempt under way costs.
const OVERHEAD: u64 = 32 * MIB;

const PARTITIONS: i32 = 4;
const BATCH: usize = 10_000;
const BATCHES: usize = 50;

/// How long the peak must stay as it is to count as flat.
const FLAT: Duration = Duration::from_secs(6);

const ORDERS: &str = "RETRIAL_HOSTILE_WORKER";

async fn slow(body: Bytes) {
    tokio::time::sleep(Duration::from_millis(20)).await;
    drop(body);
}

/// Ends when its standard input does: with the test, however that ends.
#[test]
#[ignore = "the worker process of the memory test, which starts it by name"]
fn worker() {
    let orders = env::var(ORDERS).expect("address, group and topic");
    let [address, group, topic] = orders.split(' ').collect::<Vec<_>>()[..] else { panic!("{orders}") };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    runtime.block_on(async {
        let app = stage::app(group, &[1]).topic(topic, handler(slow).concurrency(50)).build().expect("an app");
        let settings = stage::quick().memory(MEMORY as usize);
        let running = stage::run(app, retrial::Kafka::bootstrap(address), settings).await;
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        end.await.expect("a thread").expect("an input that ends");
        stage::stop(running).await;
    });
}

/// The worker's process, killed with the test.
struct Worker(Child);

impl Worker {
    fn start(kafka: &Kafka, group: &str, topic: &str) -> Self {
        let program = env::current_exe().expect("this test's program");
        let mut command = Command::new(program);
        command.args(["--exact", "memory::worker", "--ignored", "--nocapture", "--test-threads=1"]);
        command.env(ORDERS, format!("{} {group} {topic}", kafka.bootstrap()));
        Self(command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().expect("a process"))
    }

    /// A line of its `/proc/<pid>/status`, in bytes.
    fn status(&self, name: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0.id())).expect("a process that lives");
        let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {status}"));
        let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of KiB");
        kib * 1024
    }

    /// Ends its input, and waits for its end.
    fn end(&mut self) -> bool {
        drop(self.0.stdin.take());
        self.0.wait().is_ok_and(|status| status.success())
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // Either may find it gone.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backlog_of_two_million_records_costs_a_slow_service_no_more_memory_than_it_was_given() {
    let kafka = available!(Kafka::shared());
    let (group, topic) = (kafka.unique_group("memory"), kafka.unique_topic("memory"));
    kafka.create_topic(&topic, PARTITIONS, &[]);
    let record = |n| Raw::new(format!("body {n:012}")).key(format!("{n}")).native();
    let records: Vec<RawRecord> = (0..BATCH).map(record).collect();
    for partition in 0..PARTITIONS {
        kafka.produce_raw_again(&topic, partition, &records, BATCHES);
    }
    let backlog: i64 = kafka.offsets(&topic).values().map(|(_, end)| end).sum();
    assert_eq!(backlog, PARTITIONS as i64 * (BATCH * BATCHES) as i64);
    let mut worker = Worker::start(kafka, &group, &topic);
    let handled = || kafka.committed(&group, &topic).iter().map(|commit| commit.offset).sum::<i64>();
    stage::until_true("a thousand records are handled", || handled() > 1000).await;
    let peak = flat_peak(&worker).await;
    let (now, done) = (worker.status("VmRSS:"), handled());
    // Past the test runner's capture: the number is what this test is read for.
    let told = writeln!(
        std::io::stderr().lock(),
        "memory: peak {} MiB, now {} MiB; budget {} + {} MiB and {} MiB overhead; {done} of {backlog} handled",
        peak / MIB,
        now / MIB,
        MEMORY / MIB,
        MEMORY / MIB,
        OVERHEAD / MIB
    );
    told.expect("standard error");
    assert!(done < backlog / 2, "the handler is not slow: {done} of {backlog}");
    assert!(peak <= 2 * MEMORY + OVERHEAD, "{} MiB", peak / MIB);
    assert!(worker.end(), "the worker failed");
}

/// The most that the worker ever had, once that has not grown for a while.
async fn flat_peak(worker: &Worker) -> u64 {
    let (mut peak, mut since) = (worker.status("VmHWM:"), Instant::now());
    let limit = Instant::now() + PATIENCE;
    while since.elapsed() < FLAT {
        assert!(Instant::now() < limit, "the peak still grows after {PATIENCE:?}: {} MiB", peak / MIB);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = worker.status("VmHWM:");
        if now > peak + MIB / 2 {
            (peak, since) = (now, Instant::now());
        }
    }
    worker.status("VmHWM:")
}
