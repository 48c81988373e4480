//! The threads that run `blocking` handlers.
//!
//! There are at most as many as the service was told, each made when a job finds none idle, and idle ones wait for
//! the next job. Jobs queue in order; the queue needs no bound of its own, since every job belongs to an attempt and
//! attempts are bounded by the topics' concurrency.

use crate::extract::{Job, Threads};
use std::{
    collections::VecDeque,
    fmt, io, panic,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Threads by default.
pub(crate) const DEFAULT_THREADS: usize = 32;

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    threads: usize,
    idle: usize,
    closed: bool,
}

struct Queue {
    state: Mutex<State>,
    ready: Condvar,
}

impl Queue {
    /// No job runs under the lock, so a poisoned one is whole.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; `None` when the pool is closed and every job was taken.
    fn next(&self) -> Option<Job> {
        let mut state = self.lock();
        loop {
            if let Some(job) = state.jobs.pop_front() {
                return Some(job);
            }
            if state.closed {
                state.threads -= 1;
                return None;
            }
            state.idle += 1;
            state = self.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
            state.idle -= 1;
        }
    }

    fn work(&self) {
        while let Some(job) = self.next() {
            // Jobs report panics themselves; this one is of a job's own drop, and must not take the thread down.
            let _ = panic::catch_unwind(panic::AssertUnwindSafe(job));
        }
    }
}

/// A bounded number of threads that may block.
///
/// When it is dropped the threads finish what is queued and end; nobody waits for them, because a function that
/// hangs must not keep the process.
pub(crate) struct BlockingThreads {
    queue: Arc<Queue>,
    limit: usize,
}

impl BlockingThreads {
    /// At most this many threads, at least one. None is made before a job needs it.
    pub(crate) fn new(limit: usize) -> Self {
        let queue = Queue { state: Mutex::default(), ready: Condvar::new() };
        Self { queue: Arc::new(queue), limit: limit.max(1) }
    }

    /// Jobs that no thread has taken yet.
    pub(crate) fn waiting(&self) -> usize {
        self.queue.lock().jobs.len()
    }

    fn add_thread(&self) -> io::Result<()> {
        let queue = Arc::clone(&self.queue);
        thread::Builder::new().name("retrial-blocking".to_owned()).spawn(move || queue.work()).map(drop)
    }
}

impl Threads for BlockingThreads {
    /// If the system refuses a thread, the job waits for one that exists; it is refused only while there is none at all,
    /// and then the attempt fails as stopped, because the job is dropped.
    fn run(&self, job: Job) {
        let mut state = self.queue.lock();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() || state.threads >= self.limit {
            self.queue.ready.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        if self.add_thread().is_err() {
            let mut state = self.queue.lock();
            state.threads -= 1;
            let refused = if state.threads == 0 { std::mem::take(&mut state.jobs) } else { VecDeque::new() };
            drop(state);
            drop(refused);
        }
    }
}

impl Drop for BlockingThreads {
    fn drop(&mut self) {
        self.queue.lock().closed = true;
        self.queue.ready.notify_all();
    }
}

impl fmt::Debug for BlockingThreads {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlockingThreads(at most {}, {} waiting)", self.limit, self.waiting())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    };

    #[test]
    fn as_many_jobs_run_at_once_as_there_are_threads() {
        let threads = BlockingThreads::new(4);
        let together = Arc::new(Barrier::new(4));
        let (done, ended) = mpsc::channel();
        for _ in 0..4 {
            let (together, done) = (Arc::clone(&together), done.clone());
            threads.run(Box::new(move || {
                together.wait();
                done.send(()).unwrap();
            }));
        }
        (0..4).for_each(|_| ended.recv().unwrap());
    }

    #[test]
    fn never_more_jobs_run_than_there_are_threads_and_none_is_lost() {
        let threads = BlockingThreads::new(3);
        let (running, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let (done, ended) = mpsc::channel();
        for _ in 0..200 {
            let (running, most, done) = (Arc::clone(&running), Arc::clone(&most), done.clone());
            threads.run(Box::new(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                running.fetch_sub(1, Ordering::SeqCst);
                done.send(()).unwrap();
            }));
        }
        drop(done);
        assert_eq!(ended.iter().count(), 200);
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
    }

    #[test]
    fn a_job_that_panics_takes_no_thread_down() {
        let threads = BlockingThreads::new(1);
        let (done, ended) = mpsc::channel();
        threads.run(Box::new(|| panic!("as intended")));
        threads.run(Box::new(move || done.send(thread::current().name().map(str::to_owned)).unwrap()));
        assert_eq!(ended.recv().unwrap().as_deref(), Some("retrial-blocking"));
    }

    #[test]
    fn what_is_queued_when_the_pool_is_dropped_still_runs() {
        let threads = BlockingThreads::new(1);
        let (go, wait) = mpsc::channel::<()>();
        let (done, ended) = mpsc::channel();
        threads.run(Box::new(move || wait.recv().unwrap()));
        for number in 0..3 {
            let done = done.clone();
            threads.run(Box::new(move || done.send(number).unwrap()));
        }
        drop((threads, done));
        go.send(()).unwrap();
        assert_eq!(ended.iter().collect::<Vec<_>>(), [0, 1, 2]);
    }
}
