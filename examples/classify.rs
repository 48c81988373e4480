//! Errors that mean something: what becomes of a record is said once per type of error, not in the handler.
//!
//! # Prints
//! ```text
//! order 1, attempt 1: done
//! order 2, attempt 1: dead (card: order 2 was not charged: the card was refused)
//! order 3, attempt 1: again after 2s (bank: order 3 was not charged: too many requests)
//! order 3, attempt 2: done
//! order 4, attempt 1: again as the schedule says (bank: order 4 was not charged: the bank does not answer)
//! order 4, attempt 2: done
//! order 5, attempt 1: discarded (card: order 5 was not charged: it is paid already)
//! ```

use anyhow::Context;
use rdkafka::{
    ClientConfig,
    error::KafkaError,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use retrial::{App, Attempt, Kafka, Next, Outcome, Record, Retry, Service, Verdict, handler, secs};
use std::{error::Error, time::Duration};
use tokio::sync::mpsc::unbounded_channel;

const ORDERS: usize = 5;

#[derive(Debug, thiserror::Error)]
enum BankError {
    #[error("the card was refused")]
    Refused,
    #[error("it is paid already")]
    Paid,
    #[error("too many requests")]
    RateLimited(Duration),
    #[error("the bank does not answer")]
    Down,
}

async fn charge_card(order: &str, attempt: u32) -> Result<(), BankError> {
    match (order, attempt) {
        ("2", _) => Err(BankError::Refused),
        ("3", 1) => Err(BankError::RateLimited(secs(2))),
        ("4", 1) => Err(BankError::Down),
        ("5", _) => Err(BankError::Paid),
        _ => Ok(()),
    }
}

/// Knows nothing of retries. The class is found inside `anyhow`, whatever context is around it.
async fn charge(order: String, attempt: Attempt) -> anyhow::Result<()> {
    charge_card(&order, attempt.number()).await.with_context(|| format!("order {order} was not charged"))
}

fn judge(error: &BankError) -> Verdict {
    match error {
        BankError::Refused => Verdict::dead().kind("card"),
        BankError::Paid => Verdict::discard().kind("card"),
        BankError::RateLimited(delay) => Verdict::after(*delay).kind("bank"),
        BankError::Down => Verdict::retry().kind("bank"),
    }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Retry(reason) => format!("again as the schedule says ({reason})"),
        Outcome::RetryAfter(delay, reason) => format!("again after {delay:?} ({reason})"),
        Outcome::Discard(reason) => format!("discarded ({reason})"),
        Outcome::Dead(_, reason) => format!("dead ({reason})"),
        other => format!("{other:?}").to_lowercase(),
    }
}

fn produce(kafka: &Kafka) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.address()).create()?;
    for order in 1..=ORDERS {
        let body = order.to_string();
        producer.send(BaseRecord::<(), _>::to("orders").payload(&body)).map_err(|(error, _)| error)?;
    }
    producer.flush(secs(10))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let kafka = Kafka::embedded()?;
    kafka.create_embedded_topic("orders", 3)?;
    produce(&kafka)?;

    let (outcomes, mut ended) = unbounded_channel();
    let watch = move |record: Record, next: Next| {
        let outcomes = outcomes.clone();
        async move {
            let order = String::from_utf8_lossy(record.body().unwrap_or_default()).into_owned();
            let attempt = next.attempt().number();
            let outcome = next.run(record).await;
            drop(outcomes.send((order, attempt, outcome.clone())));
            outcome
        }
    };
    let app = App::group("billing")
        .tiers([secs(1), secs(2)])
        .topic("orders", handler(charge).classify(judge).retry(Retry::delays([secs(1)]).in_place(0)))
        .layer(watch)
        .build()?;

    let mut lines = Vec::new();
    let service = Service::connect(app, kafka).await?;
    service
        .run_until(async {
            let mut open = ORDERS;
            while open > 0 {
                let Some((order, attempt, outcome)) = ended.recv().await else { return };
                open -= usize::from(!matches!(outcome, Outcome::Retry(_) | Outcome::RetryAfter(..)));
                lines.push(format!("order {order}, attempt {attempt}: {}", describe(&outcome)));
            }
        })
        .await?;
    lines.sort();
    lines.iter().for_each(|line| println!("{line}"));
    Ok(())
}
