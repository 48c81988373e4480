//! A loop that stands still. What stands in its way here is real: a log that is not taken, as by a pipe that is full.

use crate::scene::{Scene, until};
use retrial_kafka_for_tests::{Kafka, TestRecord};
use std::sync::{Condvar, Mutex};
use tracing_subscriber::{Layer, layer::Context, prelude::*};

/// Whether lines of the loop's thread are held up, and how many are.
static PIPE: (Mutex<(bool, usize)>, Condvar) = (Mutex::new((false, 0)), Condvar::new());

struct Pipe;

/// Whether a line is of this test's group; other tests of this process log, too.
struct OfGroup(bool);

impl tracing::field::Visit for OfGroup {
    fn record_debug(&mut self, field: &tracing::field::Field, value: &dyn std::fmt::Debug) {
        self.0 |= field.name() == "group" && format!("{value:?}") == "\"wedged\"";
    }
}

impl<S: tracing::Subscriber> Layer<S> for Pipe {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        let mut of_group = OfGroup(false);
        event.record(&mut of_group);
        if std::thread::current().name() != Some("retrial-driver") || !of_group.0 {
            return;
        }
        let mut full = PIPE.0.lock().expect("a lock");
        if !std::mem::replace(&mut full.0, false) {
            return;
        }
        full.1 += 1;
        while full.1 > 0 {
            full = PIPE.1.wait(full).expect("a lock");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_loop_that_stands_still_is_begun_anew_and_the_old_one_does_no_harm() {
    tracing_subscriber::registry().with(Pipe.with_filter(tracing_subscriber::filter::LevelFilter::WARN)).init();
    let connection = retrial::Kafka::embedded().expect("an embedded broker");
    connection.create_embedded_topic("letters", 1).expect("a topic");
    let kafka = Kafka::at(connection.address()).expect("an answer");
    let send = |body: &str| drop(kafka.produce("letters", [TestRecord::new(body)]));
    let scene = Scene::start_on(connection, "wedged".into(), "letters".into()).await;
    scene.until("/readyz", 200).await;
    PIPE.0.lock().expect("a lock").0 = true;
    // Dead letters are told.
    send("die");
    until("the loop stands still", async || (PIPE.0.lock().expect("a lock").1 == 1).then_some(())).await;
    send("one");
    scene.until_done(1).await;
    scene.until("/readyz", 200).await;
    assert_eq!(scene.get("/livez").await.status, 200);
    assert_eq!(scene.status().await["client_restarts"], 1);
    assert_eq!(scene.scrape().await.value("retrial_client_restarts_total", &[]), Some(1.0));

    // The old loop goes on, finds that it is not the one any more, and takes nothing with it.
    PIPE.0.lock().expect("a lock").1 = 0;
    PIPE.1.notify_all();
    send("two");
    scene.until_done(2).await;
    assert_eq!(scene.desk.done(), 2);
    scene.stop().await;
}
