//! When a broker answers.

use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use rdkafka::{
    ClientConfig,
    consumer::{BaseConsumer, Consumer as _},
};

use crate::broker::Broker;

/// Three nodes on a busy machine of two cores.
const LIMIT: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(25);

/// Waits until `broker` itself lists a cluster that `is_complete`.
pub(crate) fn wait(broker: &Broker, is_complete: impl Fn(&[i32]) -> bool) -> Result<(), String> {
    let limit = Instant::now() + LIMIT;
    let mut seen = Vec::new();
    while Instant::now() < limit {
        if let Some(failure) = broker.failure() {
            return Err(failure);
        }
        if is_open(broker.address()) {
            // A client that met a closed port waits longer and longer before it tries again: each round has a new one.
            seen = members(broker.address(), Duration::from_secs(2))
                .unwrap_or_default()
                .into_iter()
                .map(|(id, _)| id)
                .collect();
            if is_complete(&seen) {
                return Ok(());
            }
        }
        thread::sleep(PAUSE);
    }
    Err(format!("{} does not answer as it should after {LIMIT:?}; it lists the brokers {seen:?}", broker.address()))
}

/// The brokers that `address` lists, with their ids and addresses.
pub(crate) fn members(address: &str, within: Duration) -> Result<Vec<(i32, String)>, String> {
    let consumer: BaseConsumer =
        ClientConfig::new().set("bootstrap.servers", address).create().map_err(|error| error.to_string())?;
    let metadata = consumer.fetch_metadata(None, within).map_err(|error| error.to_string())?;
    let brokers = metadata.brokers().iter();
    Ok(brokers.map(|broker| (broker.id(), format!("{}:{}", broker.host(), broker.port()))).collect())
}

fn is_open(address: &str) -> bool {
    let address: Option<SocketAddr> = address.parse().ok();
    address.is_none_or(|address| TcpStream::connect_timeout(&address, Duration::from_millis(500)).is_ok())
}
