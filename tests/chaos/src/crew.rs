//! The worker processes, in the hands of the run. All of them end with it.
//!
//! A crew stays on the thread that made it: the kernel ends a worker when the *thread* that started it ends.

use std::{
    env,
    fs::{self, File},
    io,
    marker::PhantomData,
    os::unix::process::{CommandExt as _, ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    EXIT_BROKEN_RIG,
    arguments::WORK,
    clock::{self, Micros},
    ledger::{self, Worker},
    service::{Terms, VARIABLE},
};

/// How long a worker may take to leave: its drain of 25 s, its last commit and its client's end.
const LEAVING: Duration = Duration::from_secs(45);

/// What a service says when a commit's map was of no use, and when a log does not hold what it should.
const COMPLAINTS: [&str; 3] =
    ["commit metadata is not used", "records are gone before they were handled", "the log was cut"];

/// What a crew's workers are told, but for the ledger.
#[derive(Clone, Debug)]
pub(crate) struct Contract {
    pub(crate) bootstrap: String,
    pub(crate) session: Duration,
    pub(crate) trim: bool,
    /// Where ledgers and logs go.
    pub(crate) folder: PathBuf,
}

/// A worker that ended though nobody had asked, or not as it was asked.
#[derive(Clone, Debug)]
pub(crate) struct Desertion {
    pub(crate) worker: Worker,
    pub(crate) at: Micros,
    /// Whether it ended in good order, with a reason: as one does that cannot connect.
    pub(crate) gave_up: bool,
    pub(crate) what: String,
}

/// A worker that runs, or is frozen.
#[derive(Debug)]
struct Hand {
    worker: Worker,
    child: Child,
    frozen: bool,
    leaving: Option<Instant>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Crew {
    contract: Contract,
    hands: Vec<Hand>,
    hired: Worker,
    deserted: Vec<Desertion>,
    stays_on_its_thread: PhantomData<*const ()>,
}

impl Crew {
    pub(crate) fn new(contract: Contract) -> Self {
        Self { contract, hands: Vec::new(), hired: 0, deserted: Vec::new(), stays_on_its_thread: PhantomData }
    }

    /// Starts a worker.
    pub(crate) fn hire(&mut self) -> io::Result<Worker> {
        self.hired += 1;
        let worker = self.hired;
        let Contract { bootstrap, session, trim, folder } = &self.contract;
        let ledger = ledger::path(folder, worker);
        let terms = Terms { bootstrap: bootstrap.clone(), ledger, session: *session, trim: *trim };
        let child = Command::new(env::current_exe()?)
            .arg(WORK)
            .env(VARIABLE, serde_json::to_string(&terms)?)
            // Some tasks panic on purpose.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(log(folder, worker))?)
            // Ctrl-C is for the run, which ends them.
            .process_group(0)
            .spawn()?;
        self.hands.push(Hand { worker, child, frozen: false, leaving: None });
        Ok(worker)
    }

    /// Those that run and were not asked to leave, frozen or not.
    pub(crate) fn members(&self) -> Vec<Worker> {
        self.hands.iter().filter(|hand| hand.leaving.is_none()).map(|hand| hand.worker).collect()
    }

    /// Those of them that are not frozen.
    pub(crate) fn awake(&self) -> Vec<Worker> {
        let awake = self.hands.iter().filter(|hand| hand.leaving.is_none() && !hand.frozen);
        awake.map(|hand| hand.worker).collect()
    }

    /// Whether nobody is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.hands.is_empty()
    }

    /// How many were ever hired; they are numbered from 1.
    pub(crate) fn hired(&self) -> Worker {
        self.hired
    }

    /// Whether a handler has begun anything yet.
    pub(crate) fn has_begun(&self) -> bool {
        let ledgers = (1..=self.hired).map(|worker| ledger::path(&self.contract.folder, worker));
        ledgers.into_iter().any(|ledger| fs::metadata(ledger).is_ok_and(|ledger| ledger.len() > 0))
    }

    pub(crate) fn deserted(&self) -> &[Desertion] {
        &self.deserted
    }

    /// What a worker has said of losses that nothing here should ever cause: the service's word against itself.
    pub(crate) fn complaints(&self, worker: Worker) -> Vec<String> {
        let log = fs::read(log(&self.contract.folder, worker)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let lines = log.lines().filter(|line| COMPLAINTS.iter().any(|complaint| line.contains(complaint)));
        lines.map(|line| format!("worker {worker}: {line}")).collect()
    }

    /// SIGKILL. It is gone when this returns.
    pub(crate) fn kill(&mut self, worker: Worker) {
        if let Some(at) = self.hands.iter().position(|hand| hand.worker == worker) {
            end(&mut self.hands.remove(at).child);
        }
    }

    pub(crate) fn freeze(&mut self, worker: Worker) {
        self.signal(worker, Signal::STOP);
    }

    pub(crate) fn thaw(&mut self, worker: Worker) {
        self.signal(worker, Signal::CONT);
    }

    /// SIGTERM. [`watch`](Self::watch) tells when it is gone.
    pub(crate) fn ask_to_leave(&mut self, worker: Worker) {
        self.signal(worker, Signal::TERM);
    }

    fn signal(&mut self, worker: Worker, signal: Signal) {
        let Some(hand) = self.hands.iter_mut().find(|hand| hand.worker == worker) else { return };
        match signal {
            Signal::STOP => hand.frozen = true,
            Signal::CONT => hand.frozen = false,
            _ => hand.leaving = Some(Instant::now()),
        }
        if let Some(pid) = i32::try_from(hand.child.id()).ok().and_then(Pid::from_raw) {
            // It may have ended by itself: whoever watches will see that.
            let _ = kill_process(pid, signal);
        }
    }

    /// Takes note of who has ended. Returns those that were asked to.
    pub(crate) fn watch(&mut self) -> Vec<Worker> {
        let (mut left, mut at) = (Vec::new(), 0);
        while at < self.hands.len() {
            let hand = &mut self.hands[at];
            let overdue = hand.leaving.is_some_and(|asked| asked.elapsed() > LEAVING);
            if overdue {
                end(&mut hand.child);
            }
            let Ok(Some(status)) = hand.child.try_wait() else {
                at += 1;
                continue;
            };
            let hand = self.hands.remove(at);
            let asked = hand.leaving.is_some();
            if asked {
                left.push(hand.worker);
            }
            // One that was asked before it had begun to listen ends as any process does.
            let unborn = asked && status.signal() == Some(Signal::TERM.as_raw()) && self.has_said_nothing(hand.worker);
            if overdue || !asked || !(status.success() || unborn) {
                self.deserted.push(self.desertion(hand.worker, overdue, status));
            }
        }
        left
    }

    fn has_said_nothing(&self, worker: Worker) -> bool {
        fs::metadata(log(&self.contract.folder, worker)).is_ok_and(|log| log.len() == 0)
    }

    fn desertion(&self, worker: Worker, overdue: bool, status: ExitStatus) -> Desertion {
        let log = fs::read_to_string(log(&self.contract.folder, worker)).unwrap_or_default();
        let last = log.lines().last().unwrap_or("nothing").to_owned();
        let what = if overdue {
            format!("was asked to leave and had not after {LEAVING:?}; its last words: {last}")
        } else {
            format!("ended with {status}; its last words: {last}")
        };
        Desertion { worker, at: clock::now(), gave_up: !overdue && status.code() == Some(EXIT_BROKEN_RIG), what }
    }
}

impl Drop for Crew {
    fn drop(&mut self) {
        self.hands.iter_mut().for_each(|hand| end(&mut hand.child));
    }
}

/// SIGKILL reaches a frozen process too.
fn end(child: &mut Child) {
    let _ = child.kill();
    let _ = child.wait();
}

fn log(folder: &Path, worker: Worker) -> PathBuf {
    folder.join(format!("worker-{worker}.log"))
}
