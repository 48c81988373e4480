//! `retrial dev`: the broker is one process, the service another, the commands are others again. No Kafka is needed.

use crate::{
    bureau::{end_of, signal},
    command::{Said, command, run},
    shop::{end, until},
};
use retrial::{App, Attempt, Failure, Kafka, Retry, Service, handler, secs};
use rustix::process::Signal;
use serde_json::{Value, json};
use std::{
    net::TcpListener,
    process::{Child, Stdio},
    sync::{Arc, Mutex},
};

/// A running `retrial dev`, and what it said at the start.
struct Dev {
    child: Child,
    said: Value,
    address: String,
}

impl Dev {
    fn start(topics: &[&str]) -> Self {
        let mut command = command(&[&["dev", "--port", "0", "--output", "json"], topics].concat());
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command can be started");
        let out = child.stdout.as_mut().expect("a pipe");
        let mut said = serde_json::Deserializer::from_reader(out).into_iter::<Value>();
        let said = said.next().expect("it says where it is").expect("JSON");
        let address = said["bootstrap_server"].as_str().expect("an address").to_owned();
        Self { child, said, address }
    }

    fn run(&self, arguments: &[&str]) -> Said {
        run(&[arguments, &["--utc", "--bootstrap-server", &self.address]].concat())
    }

    /// Key-less bodies of all records of a topic, in order.
    fn bodies(&self, topic: &str) -> Vec<String> {
        let all = ["tail", topic, "--from-beginning", "--no-follow", "--output", "json", "--group", "billing"];
        let said = self.run(&all).with_code(0);
        let body = |line: &str| {
            let record: Value = serde_json::from_str(line).expect("a line of JSON");
            record["body"].as_str().expect("a body").to_owned()
        };
        let mut bodies: Vec<String> = said.out.lines().map(body).collect();
        bodies.sort_unstable();
        bodies
    }

    fn end(self, by: Signal) {
        signal(&self.child, by);
        let (code, out, err) = end_of(self.child);
        assert_eq!((code, out.trim(), &*err), (Some(0), "", ""));
        std::net::TcpStream::connect(&self.address).expect_err("nobody listens any more");
    }
}

type Seen = Arc<Mutex<Vec<(String, u32)>>>;

/// `shy` is done at the second attempt, `bad` never, all else at once.
fn app(seen: &Seen) -> App {
    let seen = Arc::clone(seen);
    let handle = move |attempt: Attempt, body: String| {
        let number = attempt.number();
        seen.lock().expect("a lock").push((body.clone(), number));
        async move {
            match (&*body, number) {
                ("bad", _) => Err(Failure::dead("the card was refused")),
                ("shy", 1) => Err(Failure::retry("the bank is closed")),
                _ => Ok(()),
            }
        }
    };
    let retry = Retry::delays([secs(1)]).in_place(0);
    App::group("billing").tiers([secs(1)]).topic("orders", handler(handle).retry(retry))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_of_another_process_handles_retries_and_buries() {
    let dev = Dev::start(&["orders:5", "payments"]);
    assert_eq!(dev.said["schema"], "retrial.dev/1");
    let topics = json!([{"name": "orders", "partitions": 5}, {"name": "payments", "partitions": 3}]);
    assert_eq!(dev.said["topics"], topics);
    let sent = tokio::task::block_in_place(|| {
        dev.run(&["enqueue", "orders", "--body", "good", "--body", "shy", "--body", "bad"]).with_code(0)
    });
    assert_eq!(sent.out, "3 records written to orders\n");
    let seen = Seen::default();
    let app = app(&seen).build().expect("an app");
    let service = Service::connect(app, Kafka::bootstrap(&dev.address)).await.expect("a service");
    assert!(service.summary().any(|line| line.starts_with("topic orders: 5 partitions")));
    let running = service.start().expect("it starts");
    until("all are done or dead", || seen.lock().expect("a lock").len() == 4).await;
    end(running).await;
    tokio::task::block_in_place(|| {
        assert_eq!(dev.bodies("orders"), ["bad", "good", "shy"]);
        assert_eq!(dev.bodies("billing.retry.1s"), ["shy"]);
        assert_eq!(dev.bodies("billing.dlq"), ["bad"]);
        let letters = dev.run(&["dlq", "list", "--group", "billing"]).with_code(0);
        assert!(letters.out.contains("the card was refused"), "{}", letters.out);
        let exported = dev.run(&["dlq", "export", "--group", "billing"]).with_code(0);
        let letter: Value = serde_json::from_str(&exported.out).expect("one line of JSON");
        assert_eq!((&letter["body"], &letter["past"]["attempts"]), (&json!("bad"), &json!(1)));
        let place = format!("billing.dlq/{}/{}", letter["partition"], letter["offset"]);
        let shown = dev.run(&["dlq", "show", &place, "--group", "billing"]).with_code(0);
        assert!(shown.out.contains("the card was refused") && shown.out.contains("bad"), "{}", shown.out);
        let redrive = dev.run(&["dlq", "redrive", "--yes", "--group", "billing"]).with_code(1);
        assert!(redrive.err.contains("transactions cannot be had from"), "{}", redrive.err);
    });
    let mut seen = std::mem::take(&mut *seen.lock().expect("a lock"));
    seen.sort_unstable();
    let attempt = |body: &str, number| (body.to_owned(), number);
    assert_eq!(seen, [attempt("bad", 1), attempt("good", 1), attempt("shy", 1), attempt("shy", 2)]);
    dev.end(Signal::INT);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_service_goes_on_where_it_was_and_a_topic_that_is_not_there_is_named() {
    let dev = Dev::start(&["orders:1"]);
    for (round, body) in ["first", "second"].into_iter().enumerate() {
        tokio::task::block_in_place(|| dev.run(&["enqueue", "orders", "--body", body]).with_code(0));
        let seen = Seen::default();
        let app = app(&seen).build().expect("an app");
        let service = Service::connect(app, Kafka::bootstrap(&dev.address)).await.expect("a service");
        let running = service.start().expect("it starts");
        until("the record is handled", || !seen.lock().expect("a lock").is_empty()).await;
        end(running).await;
        assert_eq!(*seen.lock().expect("a lock"), [(body.to_owned(), 1)], "round {round}");
    }
    let app = App::group("billing").topic("oders", handler(async |_: String| {})).build().expect("an app");
    let error = Service::connect(app, Kafka::bootstrap(&dev.address)).await.expect_err("there is no such topic");
    assert!(error.to_string().starts_with("source topic oders does not exist"), "{error}");
    dev.end(Signal::TERM);
}

#[test]
fn commands_that_need_a_kafka_say_so() {
    let dev = Dev::start(&["orders"]);
    let limits: Vec<&str> = dev.said["limits"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
    assert!(retrial::EMBEDDED_LIMITS.iter().all(|limit| limits.contains(limit)), "{limits:?}");
    dev.run(&["enqueue", "orders", "--body", "x"]).with_code(0);
    for (arguments, needed) in [
        (&["status"][..], "members of groups"),
        (&["offsets", "show"], "members of groups"),
        (&["topics", "plan", "--topic", "orders"], "settings of topics"),
        (&["doctor"], "settings of topics"),
    ] {
        let said = dev.run(&[arguments, &["--group", "billing"]].concat()).with_code(1);
        let told = format!("{needed} cannot be had from {}: it is an embedded broker (retrial dev)", dev.address);
        assert!(said.err.contains(&told), "{arguments:?}: {}", said.err);
    }
    dev.end(Signal::INT);
}

#[test]
fn it_says_how_to_connect_and_what_it_cannot_do() {
    let mut child = command(&["dev", "--port", "0", "orders:1"]);
    let mut child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the command can be started");
    // It says on standard error last.
    let said = std::io::BufRead::lines(std::io::BufReader::new(child.stderr.take().expect("a pipe")));
    let said: Vec<String> = said.map_while(Result::ok).take(1 + retrial::EMBEDDED_LIMITS.len() + 1).collect();
    signal(&child, Signal::INT);
    let (code, out, _) = end_of(child);
    assert_eq!(code, Some(0));
    assert_eq!(said[0], "This is no Kafka:");
    for (line, limit) in said[1..].iter().zip(retrial::EMBEDDED_LIMITS) {
        assert_eq!(line, &format!("- {limit}"));
    }
    assert!(out.starts_with("A broker listens at 127.0.0.1:"), "{out}");
    assert!(out.contains("with orders (1 partition)\n") && out.contains("Kafka::bootstrap(\"127.0.0.1:"), "{out}");
}

#[test]
fn a_port_in_use_is_told_with_its_number() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = taken.local_addr().expect("an address").port().to_string();
    let said = run(&["dev", "orders", "--port", &port]).with_code(1);
    assert!(said.err.contains(&format!("port {port} of 127.0.0.1")) && said.err.contains("--port"), "{}", said.err);
    assert_eq!(said.out, "");
}
