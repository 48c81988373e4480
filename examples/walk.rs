//! scratch
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use retrial::*;
use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

#[derive(Clone)]
struct Counts(Arc<[AtomicU64; 4]>);

async fn handle(body: String, attempt: Attempt, State(counts): State<Counts>) -> Result<(), Failure> {
    counts.0[0].fetch_add(1, Ordering::Relaxed);
    let n: u64 = body.parse().map_err(|_| Failure::dead("not a number"))?;
    if n % 10 == 3 && attempt.number() == 1 {
        return Err(Failure::retry("first time fails"));
    }
    if n == 77 {
        return Err(Failure::dead("refused"));
    }
    counts.0[1].fetch_add(1, Ordering::Relaxed);
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let kafka = match std::env::args().nth(1) {
        Some(b) => Kafka::bootstrap(b),
        None => Kafka::embedded()?,
    };
    let n: u64 = std::env::args().nth(2).map_or(1000, |n| n.parse().unwrap());
    let topic = std::env::args().nth(3).unwrap_or("orders".into());
    kafka.create_embedded_topic(&topic, 3)?;
    if std::env::args().nth(1).is_some() {
        let shared = retrial_kafka_for_tests::Kafka::shared().unwrap();
        shared.create_topic(&topic, 12, &[]);
    }
    let counts = Counts(Arc::default());
    let app = App::group("billing")
        .tiers([secs(1), secs(3)])
        .state(counts.clone())
        .topic(&topic, handler(handle).retry(Retry::delays([secs(1), secs(4)]).in_place(0)).concurrency(1000))
        .build()?;
    let producer: ThreadedProducer<DefaultProducerContext> =
        rdkafka::ClientConfig::new().set("bootstrap.servers", kafka.address()).create()?;
    for i in 0..n {
        producer.send(BaseRecord::to(&topic).key(&i.to_string()).payload(&i.to_string())).map_err(|e| e.0)?;
    }
    producer.flush(std::time::Duration::from_secs(10))?;
    let began = std::time::Instant::now();
    let service = Service::connect_with(app, kafka, Settings::default()).await?;
    for line in service.summary() {
        println!("{line}");
    }
    let watch = counts.clone();
    service
        .run_until(async move {
            while watch.0[1].load(Ordering::Relaxed) < n - 1 && began.elapsed().as_secs() < 20 {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
            println!("done {:?} after {:?}", watch.0, began.elapsed());
        })
        .await?;
    println!("ended {:?} {:?}", counts.0, began.elapsed());
    Ok(())
}
