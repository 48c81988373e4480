//! Row 10: two processes with one `group.instance.id` (RULES 15).
//!
//! What the two services of one process see of each other is in `tests/hostile/fenced.rs`.

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, quick},
    wait::until_true,
};
use retrial_kafka_for_tests::{Kafka, available};
use std::{
    env,
    fs::{self, File},
    io::Read as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const ORDERS: &str = "RETRIAL_FAILURES_MEMBER";
const RESTARTS: &str = "client restarts:";

/// Not a test: a program with a service, as a user writes it. It ends with its standard input.
#[test]
#[ignore = "a worker process: the tests of this file's suite start it by name, with orders"]
fn member() -> Result<(), Box<dyn std::error::Error>> {
    let Ok(orders) = env::var(ORDERS) else {
        eprintln!("one_instance_id::member is no test: it is what the tests start, and has no orders");
        return Ok(());
    };
    let [address, group, topic] = orders.split(' ').collect::<Vec<_>>()[..] else { panic!("{orders}") };
    meters::listen();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let ended = runtime.block_on(async {
        let app = retrial::App::group(group).tiers([retrial::secs(1)]);
        let app = app.topic(topic, retrial::handler(async |_: String| {})).build()?;
        let kafka = retrial::Kafka::bootstrap(address).property("group.instance.id", "worker-1");
        let service = retrial::Service::connect_with(app, kafka, quick()).await?;
        let end = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new()));
        Ok(service.run_until(async { drop(end.await) }).await?)
    });
    eprintln!("{RESTARTS} {}", meters::counter("retrial_client_restarts_total", &[]));
    // A thread still waits for the end of the input.
    runtime.shutdown_background();
    ended
}

/// Such a program. Dropped, it is killed.
struct Program {
    child: Child,
    log: PathBuf,
}

impl Program {
    fn start(folder: &TempDir, name: &str, scene: &Scene<'_>) -> Self {
        let log = folder.path().join(name);
        let child = Command::new(env::current_exe().expect("this test's program"))
            .args(["--exact", "one_instance_id::member", "--ignored", "--nocapture", "--test-threads=1"])
            .env(ORDERS, format!("{} {} {}", scene.kafka.bootstrap(), scene.group, scene.topic))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log).expect("a log"))
            .spawn()
            .expect("a process");
        Self { child, log }
    }

    async fn end(&mut self) -> bool {
        let mut status = None;
        until_true("the program ends", || {
            status = self.child.try_wait().expect("a child can be asked");
            status.is_some()
        })
        .await;
        status.is_some_and(|status| status.success())
    }

    fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_with_one_instance_id_the_older_ends_with_a_clear_message_and_never_rebuilds() {
    let kafka = available!(Kafka::shared());
    let scene = Scene::new(kafka, "twins", 2);
    let folder = TempDir::new().expect("a folder");
    scene.produce(0, 0..10, "");
    let mut older = Program::start(&folder, "older", &scene);
    scene.until_committed(0, 10).await;
    let mut newer = Program::start(&folder, "newer", &scene);
    let since = Since::now();
    assert!(!older.end().await, "a fenced program must not end as if all were well");
    let said = older.said();
    for word in ["group.instance.id", "worker-1", "give each process an id of its own", "client restarts: 0"] {
        assert!(said.contains(word), "{word:?} is missing in what it said:\n{said}");
    }
    scene.produce(0, 10..20, "");
    scene.produce(1, 20..30, "");
    scene.until_committed(0, 20).await;
    scene.until_committed(1, 10).await;
    let recovery = since.passed();
    assert!(newer.child.try_wait().is_ok_and(|ended| ended.is_none()), "{}", newer.said());
    drop(newer.child.stdin.take());
    assert!(newer.end().await, "{}", newer.said());
    Row {
        number: 10,
        outcome: "the older one ended with exit status 1 or more and words; the newer one did all the rest".to_owned(),
        metric: "retrial_client_restarts_total",
        value: "0".to_owned(),
        recovery: Some(recovery),
    }
    .tell();
}
