//! A format of one's own: `Decode` says how bytes become a value, and bodies, keys and tombstones come with it.
//!
//! # Prints
//! ```text
//! 7 is an order of 4200 EUR
//! 8 is an order of 100 USD
//! 7 is deleted
//! orders/0/2, undecodable after …: order: "9;many;EUR": invalid digit found in string
//! ```

use retrial::{
    App, Body, Cause, Decode, Destination, Encode, EncodeError, Encoded, Key, Raw, Rejection, handler,
    testkit::{Message, TestService},
};

/// `7;4200;EUR`, as an old system writes it.
#[derive(Debug, PartialEq)]
struct Order {
    id: u64,
    cents: u64,
    currency: String,
}

impl Order {
    fn parse(text: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut fields = text.split(';');
        let mut next = || fields.next().ok_or("three fields are expected");
        Ok(Self { id: next()?.parse()?, cents: next()?.parse()?, currency: next()?.to_owned() })
    }
}

/// The format, for reading: what is no order is a dead letter with this reason.
impl<S: Sync> Decode<S> for Order {
    async fn decode(raw: Raw<'_>, _: &S) -> Result<Self, Rejection> {
        let text = String::from_utf8_lossy(raw.bytes());
        Self::parse(&text).map_err(|why| Rejection::undecodable_as("order", format!("{text:?}: {why}")))
    }
}

/// And for writing.
impl<S: Sync> Encode<S> for Order {
    async fn encode(&self, _: Destination<'_>, _: &S) -> Result<Encoded, EncodeError> {
        Ok(Encoded::bytes(format!("{};{};{}", self.id, self.cents, self.currency)))
    }
}

/// The key in another format, and `None` for a tombstone.
async fn store(Key(key): Key<String>, order: Option<Body<Order>>) {
    match order {
        Some(Body(Order { id, cents, currency })) => println!("{id} is an order of {cents} {currency}"),
        None => println!("{key} is deleted"),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let first = Order { id: 7, cents: 4200, currency: "EUR".to_owned() };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let written = runtime.block_on(first.encode(Destination::body("orders"), &()))?;

    let mut service = TestService::new(App::group("orders-table").topic("orders", handler(store)).build()?);
    service.send("orders", Message::from(written).key("7"));
    service.send("orders", Message::new("8;100;USD").key("8"));
    let wrong = service.send("orders", Message::new("9;many;EUR").key("9"));
    service.send("orders", Message::tombstone().key("7"));
    service.run_until_idle();
    service.story(&wrong).assert_dead(Cause::Undecodable);
    println!("{}", service.dead_letters()[0]);
    Ok(())
}
