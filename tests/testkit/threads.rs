//! Blocking handlers, other runtimes, and the world outside.

use crate::{orders, panic_of, service};
use retrial::{
    App, Attempt, State, blocking, handler, secs,
    testkit::{Ending, TestService},
};
use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Barrier, Mutex, mpsc},
    thread,
    time::{Duration, Instant},
};

#[test]
fn virtual_time_stands_still_while_a_handler_blocks() {
    fn charge(attempt: Attempt) -> Result<(), String> {
        // The time limit is 60 s, which would be over in no time if virtual time went on.
        thread::sleep(Duration::from_millis(50));
        if attempt.number() == 1 { Err("once more".to_owned()) } else { Ok(()) }
    }
    let mut service = orders(blocking(charge));
    let order = service.send("orders", "42");
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_attempts(2).assert_waits([secs(30)]);
    for run in story.runs() {
        assert_eq!(run.ended(), Some(run.began()), "{run}");
    }
}

#[test]
fn blocking_handlers_run_at_once_and_may_wait_for_each_other() {
    let together = Arc::new(Barrier::new(4));
    let meet = move || {
        together.wait();
    };
    let mut service = orders(blocking(meet));
    (0..4).for_each(|_| drop(service.send("orders", "42")));
    service.run_until_idle();
    service.assert_all_done();
}

#[test]
fn a_blocking_handler_that_panics_has_failed() {
    fn charge(attempt: Attempt) {
        assert!(attempt.number() > 1, "at attempt {}", attempt.number());
    }
    let mut service = orders(blocking(charge));
    let order = service.send("orders", "42");
    service.run_until_idle();
    let story = service.story(&order);
    story.assert_done().assert_failure("panic: at attempt 1");
    assert_eq!(story.runs().next().unwrap().ending(), Some(&Ending::Panicked("at attempt 1".to_owned())));
}

#[test]
fn a_blocking_handler_that_never_returns_fails_the_test() {
    let (go, wait) = mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let hang = move || drop(wait.lock().map(|wait| wait.recv()));
    let mut service = orders(blocking(hang)).with_blocking_limit(Duration::from_millis(50));
    service.send("orders", "42");
    let text = service.try_run_until_idle().unwrap_err().to_string();
    let first = "a blocking handler has not returned for 50ms of real time; virtual time stands still until it does: 1 \
                 record is not settled\n  orders/0/0: running; attempt 1, worker 1: still runs";
    assert_eq!(text, first);
    drop(go);
    service.run_until_idle();
    service.assert_all_done();
}

#[tokio::test]
async fn a_test_may_have_a_runtime_of_its_own() {
    let mut service = service();
    let order = service.send("orders", "fail 1");
    service.run_until_idle();
    service.story(&order).assert_done().assert_waits([secs(30)]);
}

#[tokio::test(start_paused = true)]
async fn the_time_of_a_paused_test_is_another_one() {
    let began = tokio::time::Instant::now();
    let mut service = service();
    service.send("orders", "fail 1");
    assert!(service.run_until_idle() > secs(30));
    assert_eq!(began.elapsed(), secs(0));
}

#[test]
fn what_handlers_hold_is_given_back_when_the_service_goes() {
    async fn hang(State(_held): State<Arc<Mutex<()>>>) {
        std::future::pending::<()>().await;
    }
    let held = Arc::<Mutex<()>>::default();
    let app = App::group("billing").state(Arc::clone(&held)).topic("orders", handler(hang)).build().unwrap();
    let mut service = TestService::new(app);
    service.send("orders", "42");
    service.advance(secs(10));
    assert!(Arc::strong_count(&held) > 1);
    drop(service);
    assert_eq!(Arc::strong_count(&held), 1);
}

/// Answers one byte to each connection after 20 ms of real time.
fn slow_server() -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("its address");
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream: TcpStream = stream;
            let mut asked = [0];
            stream.read_exact(&mut asked).expect("a question");
            thread::sleep(Duration::from_millis(20));
            stream.write_all(b"y").expect("somebody to answer");
        }
    });
    address
}

async fn ask(State(server): State<std::net::SocketAddr>) -> std::io::Result<()> {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let mut stream = tokio::net::TcpStream::connect(server).await?;
    stream.write_all(b"x").await?;
    stream.read_u8().await.map(drop)
}

fn asking() -> TestService {
    let app = App::group("billing").state(slow_server()).topic("orders", handler(ask)).build();
    TestService::new(app.expect("these settings fit together"))
}

#[test]
fn with_patience_handlers_may_ask_a_server() {
    let mut service = asking().with_patience(secs(10));
    let order = service.send("orders", "42");
    service.run_until_idle();
    service.story(&order).assert_done().assert_runs(1);
}

#[test]
fn without_patience_a_socket_is_refused_in_words() {
    let mut service = asking();
    let order = service.send("orders", "42");
    service.advance(secs(1));
    service.story(&order).assert_failure("IO is disabled");
}

#[test]
fn with_patience_an_answer_from_another_thread_comes_in_time() {
    type Questions = mpsc::Sender<tokio::sync::oneshot::Sender<()>>;
    async fn ask(State(questions): State<Questions>) -> Result<(), tokio::sync::oneshot::error::RecvError> {
        let (answer, answered) = tokio::sync::oneshot::channel();
        questions.send(answer).unwrap();
        answered.await
    }
    let (questions, asked) = mpsc::channel::<tokio::sync::oneshot::Sender<()>>();
    thread::spawn(move || {
        for answer in asked {
            thread::sleep(Duration::from_millis(20));
            answer.send(()).unwrap();
        }
    });
    let app = App::group("billing").state(questions).topic("orders", handler(ask)).build().unwrap();
    let mut service = TestService::new(app).with_patience(secs(10));
    let order = service.send("orders", "42");
    let began = Instant::now();
    service.run_until_idle();
    assert!(began.elapsed() < secs(10), "patience ends when something moves");
    service.story(&order).assert_done().assert_runs(1);
}

#[test]
fn a_panic_of_the_kit_itself_reaches_the_test() {
    let app = move || -> retrial::HandlerSet { panic!("no app") };
    assert_eq!(panic_of(|| TestService::from_fn(app)), "no app");
}
