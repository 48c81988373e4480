//! An embedded broker on a port of the user's choice, for programs beside this one (`retrial dev`).
//!
//! librdkafka's mock cluster listens on a port of its own choice, and no setting changes that. So a listener on the chosen
//! port carries bytes to it and back, and the mock names that port as its own: clients never learn of the other.

use super::embedded::{EmbeddedBroker, EmbeddedError};
use std::{
    io,
    net::{Ipv4Addr, Shutdown, SocketAddrV4, TcpListener, TcpStream},
    thread,
};

/// Why there is no broker on a port.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevError {
    /// The port is taken, or forbidden.
    #[error("port {port} of 127.0.0.1 cannot be listened on: {error}")]
    Port {
        /// The port.
        port: u16,
        /// In the system's words.
        error: io::Error,
    },
    /// The broker did not start, or not make a topic.
    #[error(transparent)]
    Broker(#[from] EmbeddedError),
}

/// A running broker. It ends with this value; its listener, with the process.
#[derive(Debug)]
pub(crate) struct DevBroker {
    port: u16,
    _broker: EmbeddedBroker,
}

impl DevBroker {
    /// Starts it on a port of 127.0.0.1 (0: any that is free), with topics by name and partitions.
    ///
    /// # Errors
    /// See [`DevError`].
    pub(crate) fn start(port: u16, topics: &[(String, i32)]) -> Result<Self, DevError> {
        let refused = |error| DevError::Port { port, error };
        let listener = TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).map_err(refused)?;
        let port = listener.local_addr().map_err(refused)?.port();
        let broker = EmbeddedBroker::start()?;
        broker.advertise(port)?;
        for (topic, partitions) in topics {
            broker.create_topic(topic, *partitions)?;
        }
        let inner = broker.address().to_owned();
        let listen = move || listener.incoming().flatten().for_each(|client| carry(client, &inner));
        thread::Builder::new().name("retrial-dev".to_owned()).spawn(listen).map_err(refused)?;
        Ok(Self { port, _broker: broker })
    }

    /// Host and port, for `bootstrap.servers`.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }
}

/// Carries bytes both ways until either side ends. A client that cannot be served sees its connection end.
fn carry(client: TcpStream, broker: &str) {
    let both = || {
        let broker = TcpStream::connect(broker)?;
        client.set_nodelay(true)?;
        broker.set_nodelay(true)?;
        let (client_again, broker_again) = (client.try_clone()?, broker.try_clone()?);
        let one = |from, to| {
            let name = "retrial-dev-carry".to_owned();
            thread::Builder::new().name(name).spawn(move || one_way(from, to)).map(drop)
        };
        one(client_again, broker)?;
        one(broker_again, client)
    };
    let both: io::Result<()> = both();
    if let Err(error) = both {
        tracing::debug!(%error, "a client of the embedded broker was not served");
    }
}

fn one_way(mut from: TcpStream, mut to: TcpStream) {
    // However it ended, the other side is told, and there is nobody else to tell.
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::broker::kafka::{Cluster, Kafka, Unreachable, properties::PropertyError};

    #[derive(Debug)]
    struct NotReached;
    impl From<PropertyError> for NotReached {
        fn from(_: PropertyError) -> Self {
            Self
        }
    }
    impl From<Unreachable> for NotReached {
        fn from(_: Unreachable) -> Self {
            Self
        }
    }

    #[test]
    fn who_connects_learns_that_it_is_embedded_and_what_it_holds() {
        let broker = DevBroker::start(0, &[("orders".to_owned(), 12)]).unwrap();
        let given = Kafka::bootstrap(broker.address()).property("fetch.wait.max.ms", "7");
        let (kafka, cluster) = given.reach::<NotReached>().unwrap();
        assert!(matches!(cluster, Cluster::Dev(_)) && !cluster.has_settings());
        let property = |name| kafka.properties.get(name).unwrap();
        assert_eq!((property("session.timeout.ms"), property("fetch.wait.max.ms")), ("3000", "7"));
        let topics = cluster.survey().unwrap().topics;
        assert_eq!(
            topics.iter().map(|(name, topic)| (&**name, topic.partitions)).collect::<Vec<_>>(),
            [("orders", 12)]
        );
    }

    #[test]
    fn a_port_in_use_is_told_by_its_number() {
        let broker = DevBroker::start(0, &[]).unwrap();
        let error = DevBroker::start(broker.port, &[]).unwrap_err().to_string();
        assert!(error.starts_with(&format!("port {} of 127.0.0.1 cannot be listened on: ", broker.port)), "{error}");
    }
}
