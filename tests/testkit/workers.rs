//! Workers that crash, come and go.

use crate::{orders, panic_of, service, work};
use retrial::{
    App, Attempt, State, handler, mins, secs,
    testkit::{Ending, State as Became, TestService, crash_here},
};
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex},
};

#[test]
fn a_crash_before_the_commit_repeats_the_work_under_the_same_key() {
    type Keys = Arc<Mutex<Vec<(String, u32)>>>;
    async fn slow(State(keys): State<Keys>, attempt: Attempt) {
        keys.lock().unwrap().push((attempt.idempotency_key().to_owned(), attempt.number()));
        tokio::time::sleep(secs(30)).await;
    }
    let keys = Keys::default();
    let app = App::group("billing").state(Arc::clone(&keys)).topic("orders", handler(slow)).build().unwrap();
    let mut service = TestService::new(app);
    let order = service.send("orders", "42");
    service.advance(secs(20));
    service.crash();
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_attempts(1).assert_runs(2);
    let workers: Vec<_> = story.runs().map(|run| (run.worker(), run.ending().cloned())).collect();
    assert_eq!(workers[0], (1, Some(Ending::Crashed)));
    assert_eq!(workers[1].0, 2);
    let key = ("billing/orders/0/0".to_owned(), 1);
    assert_eq!(*keys.lock().unwrap(), [key.clone(), key]);
}

#[test]
fn attempts_survive_a_crash() {
    let mut service = service();
    let order = service.send("orders", "fail 2");
    service.advance(secs(10));
    service.crash();
    service.run_until_idle();
    service.story(&order).assert_done().assert_attempts(3).assert_runs(3);
}

#[test]
fn after_idle_a_crash_repeats_nothing() {
    let mut service = service();
    let order = service.send("orders", "well");
    service.run_until_idle();
    service.crash();
    service.advance(mins(1));
    service.story(&order).assert_runs(1);
}

#[test]
fn a_handler_can_die_where_it_likes() {
    async fn charge(attempt: Attempt, State(steps): State<Arc<Mutex<Vec<u64>>>>) {
        steps.lock().unwrap().push(attempt.fence());
        if steps.lock().unwrap().len() < 3 {
            crash_here().await;
        }
        steps.lock().unwrap().push(0);
    }
    let steps = Arc::<Mutex<Vec<u64>>>::default();
    let app = App::group("billing").state(Arc::clone(&steps)).topic("orders", handler(charge)).build().unwrap();
    let mut service = TestService::new(app);
    let order = service.send("orders", "42");
    service.run_until_idle();
    service.story(&order).assert_done().assert_attempts(1).assert_runs(3);
    assert_eq!(steps.lock().unwrap().iter().filter(|&&fence| fence == 0).count(), 1, "the rest ran once");
    assert!(panic_of(crash_here).contains("which is not running an async handler of a TestService"));
}

#[test]
fn partitions_move_to_a_worker_that_joins_and_back_from_one_that_stops() {
    let mut service = service().with_partitions("orders", 20);
    let send = |service: &mut TestService| (0..40).for_each(|_| drop(service.send("orders", "well")));
    let seen = |service: &TestService, from: usize| -> BTreeSet<u32> {
        service.runs()[from..].iter().map(retrial::testkit::Run::worker).collect()
    };
    send(&mut service);
    service.run_until_idle();
    assert_eq!(seen(&service, 0), [1].into());
    assert_eq!(service.add_worker(), 1);
    service.advance(secs(30));
    send(&mut service);
    service.run_until_idle();
    assert_eq!(seen(&service, 40), [1, 2].into());
    assert!(service.stop_worker(0) && !service.stop_worker(9));
    service.advance(secs(30));
    send(&mut service);
    service.run_until_idle();
    assert_eq!(seen(&service, 80), [2].into());
    assert_eq!(service.runs().len(), 120, "everybody leaves well, and nothing runs twice");
    assert!(!service.crash_worker(0) && service.crash_worker(1));
}

#[test]
fn a_stop_drops_what_does_not_end_in_time_and_its_record_runs_elsewhere() {
    let mut service = orders(handler(work).timeout(mins(10))).with_workers(2);
    let order = service.send("orders", "slow 300");
    service.advance(secs(60));
    let worker = service.story(&order).runs().next().unwrap().worker() as usize - 1;
    service.stop_worker(worker);
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_attempts(1).assert_runs(2);
    assert_eq!(story.runs().next().unwrap().ending(), Some(&Ending::Cancelled));
}

#[test]
fn without_a_worker_nothing_is_idle() {
    let mut service = service();
    service.stop_worker(0);
    service.advance(mins(1));
    let order = service.send("orders", "well");
    let text = service.try_run_until_idle().unwrap_err().to_string();
    assert!(text.starts_with("not idle, and every worker was stopped: 1 record is not settled\n"), "{text}");
    assert_eq!(service.story(&order).state(), Became::Queued);
    service.add_worker();
    service.run_until_idle();
    service.assert_all_done();
}
