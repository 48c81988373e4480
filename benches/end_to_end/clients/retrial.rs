//! retrial, as a user writes it: a handler for each kind of work.

use super::{LOOK, PROPERTIES};
use crate::{
    body::{self, Order as ShopOrder},
    child::Orders,
    desk::{Desk, Work},
};
use retrial::{
    App, Attempt, Bytes, Failure, Handler, HandlerSet, Json, Kafka, OnExhausted, Order, Record, Retry, Service,
    Settings, State, handler, secs,
};
use std::{
    future::pending,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

type Shared = State<&'static Desk>;

async fn at_once(body: Bytes, State(desk): Shared) {
    desk.handle(&body);
}

async fn sleeps(body: Bytes, State(desk): Shared) {
    if let Work::Sleeps(millis) = desk.work {
        tokio::time::sleep(Duration::from_millis(millis)).await;
    }
    desk.handle(&body);
}

async fn decodes(Json(order): Json<ShopOrder>, State(desk): Shared) {
    desk.take(&order);
}

async fn fails_once(body: Bytes, record: Record, attempt: Attempt, State(desk): Shared) -> Result<(), Failure> {
    let Work::FailsOnce(of_thousand) = desk.work else { return Ok(()) };
    let number = body::number(&body).unwrap_or_default();
    if attempt.number() == 1 && number != body::WARM_UP && number % 1000 < of_thousand {
        return Err(Failure::retry("told to fail once"));
    }
    if attempt.number() > 1 {
        // Where a retry was read, its time is the broker's: when the tier took it.
        let tier_has_it = record.time().timestamp().map_or(0, |time| time.as_millis());
        desk.retried(tier_has_it + 1000);
    }
    desk.handle(&body);
    Ok(())
}

async fn fails(body: Bytes, State(desk): Shared) -> Result<(), Failure> {
    desk.handle(&body);
    Err(Failure::retry("told to fail"))
}

async fn pends(body: Bytes, State(desk): Shared) {
    desk.handle(&body);
    if body::number(&body) != Some(body::WARM_UP) {
        pending::<()>().await;
    }
}

async fn journals(body: Bytes, State(desk): Shared) {
    if desk.is_stuck(&body) {
        pending::<()>().await;
    }
    desk.handle(&body);
}

fn settled<C>(handling: Handler<C>, orders: &Orders) -> Handler<C> {
    let order = if orders.by_key { Order::by_key(OnExhausted::Overtake) } else { Order::unordered() };
    let retry = Retry::delays(orders.tiers.iter().copied().map(secs)).in_place(0);
    handling.concurrency(orders.concurrency).order(order).retry(retry)
}

fn app(orders: &Orders, desk: &'static Desk) -> HandlerSet {
    let app = App::group(&orders.group).tiers(orders.tiers.iter().copied().map(secs)).state(desk);
    let app = match &orders.work {
        Work::Nothing | Work::Computes(_) | Work::Stamps => app.topic(&orders.topic, settled(handler(at_once), orders)),
        Work::Sleeps(_) => app.topic(&orders.topic, settled(handler(sleeps), orders)),
        Work::Decodes => app.topic(&orders.topic, settled(handler(decodes), orders)),
        Work::FailsOnce(_) => app.topic(&orders.topic, settled(handler(fails_once), orders)),
        Work::Fails => app.topic(&orders.topic, settled(handler(fails), orders)),
        Work::Pends => app.topic(&orders.topic, settled(handler(pends), orders).without_timeout()),
        Work::Journals { .. } => app.topic(&orders.topic, settled(handler(journals), orders).without_timeout()),
    };
    app.build().unwrap_or_else(|error| panic!("{error}"))
}

pub(super) async fn run(orders: &Orders, desk: &'static Desk, stop: &AtomicBool) {
    let kafka = Kafka::bootstrap(&orders.bootstrap);
    let kafka = PROPERTIES.iter().fold(kafka, |kafka, (name, value)| kafka.property(*name, *value));
    let settings = Settings::default();
    let settings = match orders.commit_millis {
        Some(millis) => settings.commit_interval(Duration::from_millis(millis)),
        None => settings,
    };
    let service = Service::connect_with(app(orders, desk), kafka, settings).await;
    let service = service.unwrap_or_else(|error| panic!("{error}"));
    let until_told = async {
        while !stop.load(Ordering::Relaxed) {
            tokio::time::sleep(LOOK).await;
        }
    };
    service.run_until(until_told).await.unwrap_or_else(|error| panic!("{error}"));
}
