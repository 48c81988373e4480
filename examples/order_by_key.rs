//! Order by key: the records of one account run one after another, also when one of them has to wait for its retry.
//! Other accounts go on meanwhile.
//!
//! # Prints
//! ```text
//! ann: 1, 2 failed, 2, 3, 4, 5
//! bob: 1, 2, 3, 4, 5
//! eve: 1, 2, 3, 4, 5
//! bob and eve were through while ann waited
//! ```

use rdkafka::{
    ClientConfig,
    error::KafkaError,
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use retrial::{App, Attempt, Kafka, Key, OnExhausted, Order, Retry, Service, State, handler, secs};
use std::{collections::BTreeMap, error::Error, time::Duration};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const ACCOUNTS: [&str; 3] = ["ann", "bob", "eve"];
const RECORDS: usize = 5;

/// What happened to a record: account, and what to print.
type Events = UnboundedSender<(String, String)>;

async fn book(key: Key, number: String, attempt: Attempt, State(events): State<Events>) -> Result<(), String> {
    let account = String::from_utf8_lossy(&key).into_owned();
    tokio::time::sleep(Duration::from_millis(20)).await;
    let fails = account == "ann" && number == "2" && attempt.number() == 1;
    let event = if fails { format!("{number} failed") } else { number };
    events.send((account, event)).map_err(|_| "nobody listens")?;
    if fails { Err("the account is locked".to_owned()) } else { Ok(()) }
}

fn produce(kafka: &Kafka) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.address()).create()?;
    for number in 1..=RECORDS {
        for account in ACCOUNTS {
            let body = number.to_string();
            producer.send(BaseRecord::to("bookings").key(account).payload(&body)).map_err(|(error, _)| error)?;
        }
    }
    producer.flush(secs(10))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let kafka = Kafka::embedded()?;
    // One partition for all accounts: what waits holds up its key, not its partition.
    kafka.create_embedded_topic("bookings", 1)?;
    produce(&kafka)?;

    let (events, mut happened) = unbounded_channel();
    // `Hold`: an account waits with its failed record. `Dead` would go on at once, and `Overtake` in any order.
    let booking =
        handler(book).order(Order::by_key(OnExhausted::Hold)).retry(Retry::delays([secs(1), secs(1)]).in_place(0));
    let app = App::group("bank").state(events).topic("bookings", booking).build()?;
    let service = Service::connect(app, kafka).await?;

    let mut accounts = BTreeMap::<String, Vec<String>>::new();
    let mut last = Vec::new();
    service
        .run_until(async {
            while accounts.values().flatten().count() < ACCOUNTS.len() * RECORDS + 1 {
                let Some((account, event)) = happened.recv().await else { return };
                if event == RECORDS.to_string() {
                    last.push(account.clone());
                }
                accounts.entry(account).or_default().push(event);
            }
        })
        .await?;

    for (account, events) in accounts {
        println!("{account}: {}", events.join(", "));
    }
    if last.last().is_some_and(|account| account == "ann") {
        println!("bob and eve were through while ann waited");
    }
    Ok(())
}
