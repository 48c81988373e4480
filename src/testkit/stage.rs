//! The thread on which a world lives.
//!
//! A world has a runtime of its own, and no runtime can be entered from within another one. On a thread of its own it
//! serves tests with and without a runtime alike.

use super::world::{Plan, World};
use std::{
    panic::resume_unwind,
    sync::{
        Mutex, PoisonError,
        mpsc::{Sender, channel},
    },
    thread::{self, JoinHandle},
};

type Task = Box<dyn FnOnce(&mut World) + Send>;

pub(super) struct Stage {
    /// `None` once the thread has ended.
    tasks: Option<Sender<Task>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Stage {
    pub(super) fn open(plan: Plan) -> Self {
        let (tasks, given) = channel::<Task>();
        // What a test gathers of logs is bound to its thread, and so is the name that panics show.
        let dispatch = tracing::dispatcher::get_default(Clone::clone);
        let name = thread::current().name().unwrap_or("testkit").to_owned();
        let play = move || {
            tracing::dispatcher::with_default(&dispatch, || {
                let mut world = World::new(plan);
                given.into_iter().for_each(|task| task(&mut world));
                world.end();
            });
        };
        let thread = thread::Builder::new().name(name).spawn(play).expect("the system has a thread for a test");
        Self { tasks: Some(tasks), thread: Mutex::new(Some(thread)) }
    }

    /// Has the world do something. If it panics, so does this.
    pub(super) fn call<R: Send + 'static>(&self, task: impl FnOnce(&mut World) -> R + Send + 'static) -> R {
        let (answer, answered) = channel();
        let task: Task = Box::new(move |world| drop(answer.send(task(world))));
        let given = self.tasks.as_ref().is_some_and(|tasks| tasks.send(task).is_ok());
        match answered.recv() {
            Ok(result) if given => result,
            _ => self.fall(),
        }
    }

    /// Goes on with the panic that ended the thread.
    fn fall(&self) -> ! {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        match thread.map(JoinHandle::join) {
            Some(Err(panic)) => resume_unwind(panic),
            _ => panic!("this test service has panicked before"),
        }
    }
}

impl Drop for Stage {
    /// What handlers hold of the test's is given back before the test ends.
    fn drop(&mut self) {
        self.tasks = None;
        let thread = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            // Its panic, if there was one, was told or will be: a drop must not panic.
            let _ = thread.join();
        }
    }
}
