//! Many lives on all cores, counted.

use retrial::testkit::proof::{Broken, Script, Tally, run};
use std::{
    fmt::Write,
    io::IsTerminal,
    ops::Range,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often a long run says how far it is.
const WORD: Duration = Duration::from_secs(10);

/// What a run came to.
pub(crate) struct Run {
    pub(crate) tally: Tally,
    /// The first seed that broke a promise, as far as the run came.
    pub(crate) broken: Option<(u64, Box<Broken>)>,
    time: Duration,
    threads: usize,
}

impl Run {
    /// Lives through the schedules of these seeds. A life is one thread's; each core has one at a time.
    pub(crate) fn over(seeds: Range<u64>) -> Self {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let (next, stop, began) = (AtomicU64::new(seeds.start), AtomicBool::new(false), Instant::now());
        let sum = Mutex::new((Tally::default(), None::<(u64, Box<Broken>)>));
        let worker = || {
            let mut own = Tally::default();
            while !stop.load(Ordering::Relaxed) {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= seeds.end {
                    break;
                }
                match run(&Script::drawn(seed)) {
                    Ok(tally) => own.add(&tally),
                    Err(broken) => {
                        stop.store(true, Ordering::Relaxed);
                        let mut sum = sum.lock().unwrap_or_else(PoisonError::into_inner);
                        if sum.1.as_ref().is_none_or(|(other, _)| seed < *other) {
                            sum.1 = Some((seed, broken));
                        }
                    }
                }
            }
            sum.lock().unwrap_or_else(PoisonError::into_inner).0.add(&own);
        };
        thread::scope(|scope| {
            let workers: Vec<_> = (0..threads).map(|_| scope.spawn(worker)).collect();
            tell(&seeds, &next, began, || workers.iter().all(thread::ScopedJoinHandle::is_finished));
        });
        let (tally, broken) = sum.into_inner().unwrap_or_else(PoisonError::into_inner);
        Self { tally, broken, time: began.elapsed(), threads }
    }

    /// What was lived through, and what went wrong in it.
    pub(crate) fn report(&self) -> String {
        let Tally { lives, seconds, attempts, .. } = self.tally;
        let rate = lives as f64 / self.time.as_secs_f64().max(0.001);
        let mut report = format!(
            "{lives} schedules in {:.1} s on {} cores: {rate:.0} a second; {} hours of virtual time, {attempts} attempts\n",
            self.time.as_secs_f64(),
            self.threads,
            seconds / 3600,
        );
        let _ = writeln!(report, "{:>12}  what went wrong, counted where it changed what happened", "times");
        for (name, count) in self.tally.rows() {
            let _ = writeln!(report, "{count:>12}  {name}");
        }
        report
    }
}

/// Says on standard error how far a long run is, until it is over.
fn tell(seeds: &Range<u64>, next: &AtomicU64, began: Instant, is_over: impl Fn() -> bool) {
    let (all, mut told) = (seeds.end - seeds.start, Instant::now());
    while !is_over() {
        thread::sleep(Duration::from_millis(20));
        if told.elapsed() < WORD {
            continue;
        }
        told = Instant::now();
        let done = (next.load(Ordering::Relaxed).min(seeds.end) - seeds.start).max(1);
        let rate = done as f64 / began.elapsed().as_secs_f64();
        let left = (all - done) as f64 / rate / 60.0;
        let end = if std::io::stderr().is_terminal() { "\r" } else { "\n" };
        eprint!("{done} of {all} schedules, {rate:.0} a second, {left:.1} minutes left{end}");
    }
}

/// How to see this seed again.
pub(crate) fn command(seed: u64) -> String {
    format!("RETRIAL_SIM_FROM={seed} RETRIAL_SIM_SEEDS=1 cargo test --test simulation -- every_schedule")
}

/// How to see this script again.
pub(crate) fn script(script: &Script) -> String {
    format!("RETRIAL_SIM_SCRIPT='{script}' cargo test --test simulation -- the_script")
}
