//! State that handlers share, taken in parts, and an argument of one's own.
//!
//! # Prints
//! ```text
//! acme: 250 cents
//! globex: 200 cents
//! 3 orders booked, 1 without a tenant is in the dead letters
//! ```

use rdkafka::{
    ClientConfig,
    error::KafkaError,
    message::{Header, OwnedHeaders},
    producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer},
};
use retrial::{App, Call, Failure, FromRecord, FromRef, Headers, Kafka, Next, Outcome, Record, Rejection};
use retrial::{Service, State, handler, secs};
use std::{
    collections::BTreeMap,
    error::Error,
    sync::{Arc, Mutex, PoisonError},
};
use tokio::sync::watch;

/// What the app holds. A handler takes a part of it as `State<Part>`.
struct Shop {
    books: Books,
    counter: Counter,
}

/// Cents by tenant.
#[derive(Clone, Default)]
struct Books(Arc<Mutex<BTreeMap<String, i64>>>);

/// Orders booked so far.
#[derive(Clone, Default)]
struct Counter(watch::Sender<usize>);

impl FromRef<Shop> for Books {
    fn from_ref(shop: &Shop) -> Self {
        shop.books.clone()
    }
}

impl FromRef<Shop> for Counter {
    fn from_ref(shop: &Shop) -> Self {
        shop.counter.clone()
    }
}

/// An argument of our own: a header that every record must have. One without it goes to the dead letters.
struct Tenant(String);

impl<S: Sync> FromRecord<S> for Tenant {
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        let headers = Headers::from_record(call, state).await?;
        let name = headers.text("tenant").ok_or_else(|| Rejection::undecodable("no header `tenant`"))?;
        Ok(Self(name.to_owned()))
    }
}

async fn book(
    Tenant(tenant): Tenant,
    cents: String,
    State(Books(books)): State<Books>,
    State(Counter(counter)): State<Counter>,
) -> Result<(), Failure> {
    let cents: i64 = cents.parse()?;
    *books.lock().unwrap_or_else(PoisonError::into_inner).entry(tenant).or_default() += cents;
    counter.send_modify(|booked| *booked += 1);
    Ok(())
}

fn produce(kafka: &Kafka) -> Result<(), KafkaError> {
    let producer: ThreadedProducer<DefaultProducerContext> =
        ClientConfig::new().set("bootstrap.servers", kafka.address()).create()?;
    for (tenant, cents) in [(Some("acme"), "120"), (None, "1"), (Some("globex"), "200"), (Some("acme"), "130")] {
        let tenant = tenant.map(|tenant| Header { key: "tenant", value: Some(tenant) });
        let headers = tenant.into_iter().fold(OwnedHeaders::new(), OwnedHeaders::insert);
        let record = BaseRecord::<(), _>::to("orders").payload(cents).headers(headers);
        producer.send(record).map_err(|(error, _)| error)?;
    }
    producer.flush(secs(10))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let kafka = Kafka::embedded()?;
    kafka.create_embedded_topic("orders", 3)?;
    produce(&kafka)?;

    let (books, counter, dead) = (Books::default(), Counter::default(), Counter::default());
    let (mut booked, mut buried) = (counter.0.subscribe(), dead.0.subscribe());
    let count_dead = move |record: Record, next: Next| {
        let dead = dead.clone();
        async move {
            let outcome = next.run(record).await;
            dead.0.send_modify(|dead| *dead += usize::from(matches!(outcome, Outcome::Dead(..))));
            outcome
        }
    };
    let shop = Shop { books: books.clone(), counter };
    let app = App::group("shop").state(shop).topic("orders", handler(book).layer(count_dead)).build()?;
    let all = async {
        // Neither counter ends before this does.
        let _ =
            (booked.wait_for(|&count| count == 3).await.is_ok(), buried.wait_for(|&count| count == 1).await.is_ok());
    };
    Service::connect(app, kafka).await?.run_until(all).await?;

    let books = books.0.lock().unwrap_or_else(PoisonError::into_inner);
    books.iter().for_each(|(tenant, cents)| println!("{tenant}: {cents} cents"));
    let (booked, dead) = (*booked.borrow(), *buried.borrow());
    println!("{booked} orders booked, {dead} without a tenant is in the dead letters");
    Ok(())
}
