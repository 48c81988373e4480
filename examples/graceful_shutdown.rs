//! A stop that loses nothing and repeats nothing that had time to end: what runs is finished, what has not begun is left
//! to the next process. `Service::run_until_signal` does the same at SIGTERM or Ctrl-C.
//!
//! # Prints
//! ```text
//! stopping with 4 jobs running
//! job 0 was told that time is short
//! the first process did 3 of 20 jobs
//! the next process did 17 of 20 jobs
//! each job was done once
//! ```

use rdkafka::{
    ClientConfig,
    error::KafkaError,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use retrial::{App, Cancellation, HandlerSet, Kafka, Retry, Service, Settings, State, handler, secs};
use std::{collections::BTreeMap, error::Error, sync::Arc};
use tokio::sync::watch;

const JOBS: usize = 20;
const AT_ONCE: usize = 4;

#[derive(Default)]
struct Work {
    running: watch::Sender<usize>,
    stopping: watch::Sender<bool>,
    done: watch::Sender<BTreeMap<String, usize>>,
}

impl Work {
    fn done(&self) -> usize {
        self.done.borrow().values().sum()
    }
}

/// In the first process, jobs end when the stop was asked for, and job 0 would never end.
async fn handle(job: String, time: Cancellation, State(work): State<Arc<Work>>) -> Result<(), String> {
    if !*work.stopping.borrow() {
        work.running.send_modify(|running| *running += 1);
        if job == "0" {
            time.cancelled().await;
            println!("job 0 was told that time is short");
            return Err("stopped half way".to_owned());
        }
        work.stopping.subscribe().wait_for(|&stopping| stopping).await.map_err(|error| error.to_string())?;
    }
    work.done.send_modify(|done| *done.entry(job).or_default() += 1);
    Ok(())
}

fn app(work: &Arc<Work>) -> Result<HandlerSet, retrial::BuildError> {
    let jobs = handler(handle).concurrency(AT_ONCE).retry(Retry::delays([secs(1)]).in_place(0));
    App::group("workers").tiers([secs(1)]).state(Arc::clone(work)).topic("jobs", jobs).build()
}

fn produce(kafka: &Kafka) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.address()).create()?;
    for job in 0..JOBS {
        producer.send(BaseRecord::<(), _>::to("jobs").payload(&job.to_string())).map_err(|(error, _)| error)?;
    }
    producer.flush(secs(10))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let kafka = Kafka::embedded()?;
    kafka.create_embedded_topic("jobs", 1)?;
    produce(&kafka)?;
    let work = Arc::new(Work::default());

    let settings = Settings::default().drain(secs(2));
    let mut running = Service::connect_with(app(&work)?, kafka.clone(), settings).await?.start()?;
    work.running.subscribe().wait_for(|&running| running == AT_ONCE).await?;
    running.stop();
    println!("stopping with {AT_ONCE} jobs running");
    work.stopping.send_replace(true);
    running.ended().await?;
    let first = work.done();
    println!("the first process did {first} of {JOBS} jobs");

    let mut done = work.done.subscribe();
    let all = async { drop(done.wait_for(|done| done.len() == JOBS).await) };
    Service::connect(app(&work)?, kafka).await?.run_until(all).await?;
    println!("the next process did {} of {JOBS} jobs", work.done() - first);
    if work.done() == JOBS {
        println!("each job was done once");
    }
    Ok(())
}
