//! The service under proof: its handler does what the record says.

use super::{deed::Deed, script::Script};
use crate::{
    app::App,
    extract::Attempt,
    handler::Failure,
    retry::{Retry, secs},
    testkit::simulation::MakeApp,
    topic::handler,
};
use retrial_core::outcome::Outcome;
use std::{
    collections::BTreeSet,
    rc::Rc,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

pub(super) const TOPIC: &str = "orders";
pub(super) const GROUP: &str = "billing";

/// What handlers panic with.
pub(super) const PANIC: &str = "as asked";

/// What the world outside remembers of the records it saw, whoever handled them.
type Seen = Arc<Mutex<BTreeSet<(i32, i64)>>>;

/// Whether the world sees the record for the first time.
fn is_new(seen: &Seen, attempt: &Attempt) -> bool {
    let origin = attempt.origin();
    seen.lock().unwrap_or_else(PoisonError::into_inner).insert((origin.partition, origin.offset))
}

async fn work(body: String, attempt: Attempt, seen: Seen) -> Result<Outcome, Failure> {
    let Some(deed) = Deed::of_body(body.as_bytes()) else { return Err(Failure::dead("no deed")) };
    match deed {
        Deed::Slow(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        Deed::Fail(times) if attempt.number() <= times => return Err(Failure::retry("not yet")),
        Deed::Hang(times) if attempt.number() <= times => std::future::pending().await,
        Deed::Panic(times) if attempt.number() <= times => panic!("{}", PANIC),
        Deed::Dead => return Err(Failure::dead("no use")),
        Deed::Discard => return Ok(Outcome::Discard("not for us".into())),
        Deed::After(millis) if attempt.number() == 1 => {
            return Err(Failure::after(Duration::from_millis(millis), "in a while"));
        }
        Deed::Snooze(millis) if is_new(&seen, &attempt) => return Ok(Outcome::Snooze(Duration::from_millis(millis))),
        Deed::Hold(millis) if is_new(&seen, &attempt) => return Ok(Outcome::Hold(Duration::from_millis(millis))),
        _ => {}
    }
    Ok(Outcome::Done)
}

/// One topic, as the script has it.
pub(super) fn app(script: &Script) -> MakeApp {
    let (tiers, order, slots) = (script.tiers(), script.ordering.order(), script.slots);
    let timeout = secs(script.timeout);
    let seen = Seen::default();
    Rc::new(move |witness| {
        let seen = Arc::clone(&seen);
        let does = move |body: String, attempt: Attempt| work(body, attempt, Arc::clone(&seen));
        let retry = Retry::delays(tiers.clone()).in_place(1);
        let orders = handler(does).retry(retry).order(order).concurrency(slots).timeout(timeout);
        let app = App::group(GROUP).tiers(tiers.clone()).layer(witness.layer());
        app.topic(TOPIC, orders).build().expect("these settings fit together")
    })
}
