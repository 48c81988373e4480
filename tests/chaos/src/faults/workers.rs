//! Faults of workers. Several may be under way at a time: one frozen, one just killed, one asked to leave.

use std::{
    collections::VecDeque,
    io, thread,
    time::{Duration, Instant},
};

use super::{Chronicle, Fault, Kind, Subject};
use crate::{
    clock::{self, Micros},
    crew::Crew,
    ledger::Worker,
};

const TICK: Duration = Duration::from_millis(20);

/// After this long a supervisor starts a worker again that ended by itself.
const SUPERVISOR: Duration = Duration::from_secs(1);

/// How many workers there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Size {
    pub(crate) least: usize,
    pub(crate) first: usize,
    pub(crate) most: usize,
}

/// One who freezes until then.
#[derive(Debug)]
struct Frozen {
    worker: Worker,
    kind: Kind,
    from: Micros,
    until: Instant,
}

/// Breaks workers, and hires others in their place.
#[derive(Debug)]
pub(crate) struct Foreman<'a> {
    crew: &'a mut Crew,
    chronicle: &'a Chronicle,
    random: fastrand::Rng,
    session: Duration,
    size: Size,
    wanted: usize,
    /// When vacancies may be filled.
    vacant_until: Instant,
    frozen: Vec<Frozen>,
    /// Those that are still to be replaced, one after the other, and the one that leaves.
    to_replace: VecDeque<Worker>,
    leaving: Option<(Worker, Micros, Kind)>,
    told: usize,
}

impl<'a> Foreman<'a> {
    pub(crate) fn new(crew: &'a mut Crew, chronicle: &'a Chronicle, seed: u64, session: Duration, size: Size) -> Self {
        let random = fastrand::Rng::with_seed(seed ^ 0x0f04_e3a1);
        let (wanted, vacant_until) = (size.first, Instant::now());
        let (frozen, to_replace) = (Vec::new(), VecDeque::new());
        Self {
            crew,
            chronicle,
            random,
            session,
            size,
            wanted,
            vacant_until,
            frozen,
            to_replace,
            leaving: None,
            told: 0,
        }
    }

    /// Breaks them until then, or until `is_over` says that there is no point in going on.
    ///
    /// # Errors
    /// A worker could not be started.
    pub(crate) fn inject(&mut self, until: Instant, is_over: impl Fn() -> bool) -> io::Result<()> {
        let mut next = Instant::now() + self.rest();
        while Instant::now() < until && !is_over() {
            self.tick()?;
            if Instant::now() >= next {
                self.fault();
                next = Instant::now() + self.rest();
            }
            thread::sleep(TICK);
        }
        Ok(())
    }

    /// Breaks nobody for as long, and hires others for those who end by themselves.
    ///
    /// # Errors
    /// A worker could not be started.
    pub(crate) fn look_on(&mut self, until: Instant, is_over: impl Fn() -> bool) -> io::Result<()> {
        while Instant::now() < until && !is_over() {
            self.tick()?;
            thread::sleep(TICK);
        }
        Ok(())
    }

    /// Wakes the frozen, lets those that leave leave, and fills every vacancy.
    ///
    /// # Errors
    /// A worker could not be started.
    pub(crate) fn calm(&mut self) -> io::Result<()> {
        self.to_replace.clear();
        self.frozen.iter_mut().for_each(|frozen| frozen.until = Instant::now());
        self.vacant_until = Instant::now();
        loop {
            self.tick()?;
            if self.leaving.is_none() && self.crew.members().len() >= self.wanted {
                return Ok(());
            }
            thread::sleep(TICK);
        }
    }

    /// Mostly long enough for the group to come to terms, which takes a session after each kill; now and then not.
    fn rest(&mut self) -> Duration {
        let hurries = self.random.u32(0..100) < 25;
        Duration::from_millis(if hurries { self.random.u64(300..4_000) } else { self.random.u64(9_000..22_000) })
    }

    /// What is due without any fault.
    fn tick(&mut self) -> io::Result<()> {
        self.thaw();
        for worker in self.crew.watch() {
            if let Some((_, from, kind)) = self.leaving.take_if(|(leaving, ..)| *leaving == worker) {
                self.note(kind, worker, from);
            }
        }
        for desertion in &self.crew.deserted()[self.told..] {
            self.chronicle.say(&format!("worker {}: {}", desertion.worker, desertion.what));
            self.vacant_until = self.vacant_until.max(Instant::now() + SUPERVISOR);
        }
        self.told = self.crew.deserted().len();
        if self.leaving.is_none()
            && let Some(worker) = self.to_replace.pop_front()
            && self.crew.awake().contains(&worker)
        {
            self.dismiss(worker, Kind::WorkerReplaced);
        }
        // A rolling restart starts the new one when the old one is gone.
        let leaving = usize::from(self.leaving.as_ref().is_some_and(|(.., kind)| *kind == Kind::WorkerReplaced));
        if Instant::now() >= self.vacant_until && self.crew.members().len() + leaving < self.wanted {
            let worker = self.crew.hire()?;
            self.chronicle.say(&format!("worker {worker}: hired"));
        }
        Ok(())
    }

    fn thaw(&mut self) {
        let now = Instant::now();
        for Frozen { worker, kind, from, .. } in self.frozen.extract_if(.., |frozen| frozen.until <= now) {
            self.crew.thaw(worker);
            self.chronicle.say(&format!("worker {worker}: SIGCONT"));
            self.chronicle.note(Fault { kind, subject: Subject::Worker(worker), from, to: clock::now() });
        }
    }

    fn fault(&mut self) {
        let (roll, awake) = (self.random.u32(0..100), self.crew.awake());
        match roll {
            0..30 => self.kill(&awake, 1),
            30..38 => self.kill(&awake, 2),
            38..58 => self.freeze(&awake, Kind::WorkerFrozen),
            58..70 => self.freeze(&awake, Kind::WorkerPaused),
            70..80 if self.to_replace.is_empty() && self.leaving.is_none() => {
                self.chronicle.say(&format!("workers {awake:?}: SIGTERM one after the other, and others hired"));
                self.to_replace = awake.into();
            }
            80.. => self.scale(&awake),
            _ => {}
        }
    }

    fn choose(&mut self, among: &[Worker]) -> Option<Worker> {
        // Drawn also where nobody is, so that the next draws are the same.
        let at = self.random.usize(0..1_000);
        (!among.is_empty()).then(|| among[at % among.len()])
    }

    fn kill(&mut self, awake: &[Worker], number: usize) {
        let mut left = awake.to_vec();
        let away = Duration::from_millis(self.random.u64(0..4_000));
        for _ in 0..number {
            let Some(worker) = self.choose(&left) else { continue };
            left.retain(|other| *other != worker);
            let text = format!("worker {worker}: SIGKILL, another one in {:.1} s", away.as_secs_f32());
            self.chronicle.say(&text);
            let from = clock::now();
            self.crew.kill(worker);
            self.note(Kind::WorkerKilled, worker, from);
        }
        self.vacant_until = self.vacant_until.max(Instant::now() + away);
    }

    fn freeze(&mut self, awake: &[Worker], kind: Kind) {
        let session = u64::try_from(self.session.as_millis()).unwrap_or(u64::MAX);
        let millis = match kind {
            Kind::WorkerFrozen => self.random.u64(session + 1_000..session + 8_000),
            _ => self.random.u64(200..session / 2),
        };
        let Some(worker) = self.choose(awake) else { return };
        let lasts = Duration::from_millis(millis);
        self.chronicle.say(&format!("worker {worker}: SIGSTOP for {:.1} s", lasts.as_secs_f32()));
        let from = clock::now();
        self.crew.freeze(worker);
        self.frozen.push(Frozen { worker, kind, from, until: Instant::now() + lasts });
    }

    fn scale(&mut self, awake: &[Worker]) {
        let up = self.random.bool();
        let worker = self.choose(awake);
        if up && self.wanted < self.size.most {
            self.wanted += 1;
            self.chronicle.say(&format!("scaled up to {} workers", self.wanted));
            let now = clock::now();
            self.chronicle.note(Fault { kind: Kind::ScaledUp, subject: Subject::Worker(0), from: now, to: now });
        } else if !up
            && self.wanted > self.size.least
            && self.leaving.is_none()
            && self.to_replace.is_empty()
            && let Some(worker) = worker
        {
            self.wanted -= 1;
            self.chronicle.say(&format!("scaled down to {} workers", self.wanted));
            // One whom a vacancy has made superfluous need not leave.
            if self.crew.members().len() > self.wanted {
                self.dismiss(worker, Kind::ScaledDown);
            }
        }
    }

    fn dismiss(&mut self, worker: Worker, kind: Kind) {
        self.chronicle.say(&format!("worker {worker}: SIGTERM"));
        self.leaving = Some((worker, clock::now(), kind));
        self.crew.ask_to_leave(worker);
    }

    fn note(&self, kind: Kind, worker: Worker, from: Micros) {
        self.chronicle.note(Fault { kind, subject: Subject::Worker(worker), from, to: clock::now() });
    }
}
