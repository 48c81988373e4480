//! Everything a handler may take, as many as twelve, functions and closures.

use bytes::Bytes;
use retrial::{
    App, Attempt, Call, Cancellation, FromRecord, FromRef, Headers, Json, Key, Offset, Origin, Partition, Record,
    Rejection, SourceTime, State, Timestamp, Topic, blocking, handler,
};
use std::sync::Arc;

#[derive(serde::Deserialize)]
struct Order;

#[derive(Clone)]
struct Bank;

struct Shop {
    bank: Bank,
}

impl FromRef<Shop> for Bank {
    fn from_ref(shop: &Shop) -> Self {
        shop.bank.clone()
    }
}

struct Tenant;

impl<S: Sync> FromRecord<S> for Tenant {
    async fn from_record(_: &Call, _: &S) -> Result<Self, Rejection> {
        Ok(Self)
    }
}

/// One that asks the state, and borrows nothing of it.
struct Priced(Bank);

impl<S: Sync> FromRecord<S> for Priced
where
    Bank: FromRef<S>,
{
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        let State(bank) = State::<Bank>::from_record(call, state).await?;
        Ok(Self(bank))
    }
}

async fn twelve(
    _: Json<Order>,
    _: Bytes,
    _: String,
    _: Key,
    _: Headers,
    _: Attempt,
    _: Timestamp,
    _: Topic,
    _: Partition,
    _: Offset,
    _: Cancellation,
    _: State<Bank>,
) {
}

async fn absent(_: Option<Json<Order>>, _: Option<Bytes>, _: Option<String>, _: Option<Key>, _: Option<Timestamp>) {}

async fn others(_: Record, _: Origin, _: SourceTime, _: Result<Json<Order>, Rejection>, _: Tenant, _: Priced) {}

fn blocks(_: Json<Order>, _: State<Bank>) {}

fn main() {
    let shared = Arc::new(3);
    let app = App::group("billing")
        .topic("first", handler(async |_: Bytes| ()))
        .state(Shop { bank: Bank })
        .topic("a", handler(twelve))
        .topic("b", handler(absent))
        .topic("c", handler(others))
        .topic("d", blocking(blocks))
        .topic(
            "e",
            handler(move |_: Attempt| {
                let shared = Arc::clone(&shared);
                async move { drop(shared) }
            }),
        );
    assert_eq!(app.build().unwrap().topics().count(), 6);
}
