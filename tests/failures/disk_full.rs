//! Row 1: the broker's disk is full.
//!
//! The broker gets a small file system of its own where this machine lets us make one (root may), and otherwise a limit on
//! how large any of its files may grow: it then meets "file too large" where it would meet "no space left", and does the
//! same.

use crate::{
    meters,
    row::{Row, Since},
    scene::{Scene, stop},
    wait::until_true,
};
use retrial_kafka_for_tests::{Broker, Kafka, Options, available};
use rustix::process::{Pid, Resource, Rlimit, prlimit};
use std::{
    fs::{self, File},
    io::Write as _,
    os::unix::process::CommandExt as _,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

const SIZE: &str = "size=64m";

/// A disk that can be full.
enum Disk {
    /// A file system of its own.
    Small { folder: TempDir, guard: Child },
    /// The machine's, with a limit on the broker.
    Limited,
}

impl Disk {
    fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("retrial-small-disk-").tempdir().expect("a folder");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", SIZE, "retrial-tests"]).arg(folder.path()).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            return Self::Limited;
        }
        // It holds on until this process is gone, however it went: no mount is left behind.
        let script = r#"trap '' INT TERM HUP; read -r end; umount -l "$1" && rmdir "$1""#;
        let mut guard = Command::new("sh");
        guard.args(["-c", script, "guard"]).arg(folder.path()).stdin(Stdio::piped()).process_group(0);
        Self::Small { guard: guard.spawn().expect("a shell"), folder }
    }

    fn options(&self) -> Options {
        match self {
            Self::Small { folder, .. } => Options::default().data(folder.path()),
            Self::Limited => Options::default(),
        }
    }

    /// Leaves no byte for the broker.
    fn fill(&self, broker: &Broker) {
        match self {
            Self::Small { folder, .. } => {
                let mut ballast = File::create(folder.path().join("ballast")).expect("a file");
                for size in [1 << 20, 4096, 1] {
                    while ballast.write_all(&vec![0; size]).is_ok() {}
                }
            }
            Self::Limited => {
                let pid = broker.pid().and_then(|pid| Pid::from_raw(pid.cast_signed())).expect("a process");
                let limit = Rlimit { current: Some(0), maximum: None };
                prlimit(Some(pid), Resource::Fsize, limit).expect("a limit for a child");
            }
        }
    }

    /// Makes room again. A limit ends with the broker's process.
    fn free(&self) {
        if let Self::Small { folder, .. } = self {
            fs::remove_file(folder.path().join("ballast")).expect("the ballast");
        }
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Small { .. } => "a file system of 64 MiB, full",
            Self::Limited => "no mount is permitted here: a limit on the size of files",
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Self::Small { guard, .. } = self {
            drop(guard.stdin.take());
            let _ = guard.wait();
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_broker_with_a_full_disk_has_not_acknowledged_is_not_done_and_is_done_when_there_is_room() {
    let disk = Disk::make();
    let kafka = available!(Kafka::start(disk.options()));
    let broker = kafka.broker(1);
    let scene = Scene::new(&kafka, "disk", 1);
    let running = scene.run().await;
    scene.produce(0, 0..10, "");
    scene.until_committed(0, 10).await;
    // To be forwarded when there is no room any more, and to be done then.
    scene.produce(0, 100..110, "late");
    scene.produce(0, 200..210, "wait");
    until_true("they run", || scene.desk.begun() == 30).await;

    disk.fill(broker);
    scene.desk.open();
    until_true("the broker gives up", || broker.has_ended()).await;
    assert_eq!(scene.desk.count(), 20, "what was to be retried was taken for done");
    scene.until_said(&["partitions lost"]).await;

    disk.free();
    broker.start();
    let since = Since::now();
    scene.until_done(30).await;
    scene.until_committed(0, 30).await;
    let recovery = since.passed();
    let again = scene.desk.again();
    assert!(again <= 10, "{again} were redone, and 10 were finished and not committed");
    stop(running).await;
    let lost = meters::counter("retrial_lost_partitions_total", &[("topic", &scene.topic)]);
    Row {
        number: 1,
        outcome: format!("({}) the broker ended; nothing lost, {again} redone", disk.name()),
        metric: "retrial_lost_partitions_total{topic}",
        value: lost.to_string(),
        recovery: Some(recovery),
    }
    .tell();
}
