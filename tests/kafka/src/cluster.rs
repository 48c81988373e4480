//! A running Kafka, whoever runs it.

use std::{
    env, fmt,
    sync::{
        OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant, SystemTime},
};

use rdkafka::{ClientConfig, admin::AdminClient, client::DefaultClientContext};

use crate::{
    broker::{Broker, Node},
    docker,
    guard::Guard,
    java,
    options::Options,
    produce::Producer,
    ready,
    unavailable::{Unavailable, say},
};

const ADDRESS: &str = "RETRIAL_TEST_BOOTSTRAP";

/// A cluster for tests. Dropped, it is gone, with its data.
pub struct Kafka {
    // Clients before brokers: they end more quickly while somebody answers.
    pub(crate) admin: OnceLock<AdminClient<DefaultClientContext>>,
    pub(crate) producer: OnceLock<Producer>,
    way: &'static str,
    brokers: Vec<Broker>,
    _guard: Option<Guard>,
}

impl fmt::Debug for Kafka {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kafka").field("way", &self.way).field("brokers", &self.brokers).finish_non_exhaustive()
    }
}

impl Kafka {
    /// One broker for all tests of this process: the one at `RETRIAL_TEST_BOOTSTRAP`, or else started at the first call.
    /// Use names of your own in it ([`unique_topic`](Self::unique_topic)), and leave its brokers alone.
    pub fn shared() -> Result<&'static Self, &'static Unavailable> {
        static SHARED: OnceLock<Result<Kafka, Unavailable>> = OnceLock::new();
        SHARED.get_or_init(Self::find_or_start).as_ref()
    }

    /// A cluster of one's own, which may be broken.
    pub fn start(options: Options) -> Result<Self, Unavailable> {
        Self::start_after(Unavailable::new(), &options)
    }

    fn find_or_start() -> Result<Self, Unavailable> {
        let mut unavailable = Unavailable::new();
        match env::var(ADDRESS) {
            Ok(address) if !address.is_empty() => match Self::at(&address) {
                Ok(kafka) => return Ok(kafka),
                Err(reason) => unavailable.add(ADDRESS, reason),
            },
            _ => unavailable.add(ADDRESS, "not set"),
        }
        Self::start_after(unavailable, &Options::default())
    }

    /// Somebody's cluster, whose brokers are to be left alone.
    pub fn at(address: &str) -> Result<Self, String> {
        let members = ready::members(address, Duration::from_secs(10))?;
        let brokers = members.into_iter().map(|(id, address)| Broker::foreign(id, address)).collect();
        Ok(Self::new("an address", brokers, None).announced(Instant::now()))
    }

    fn start_after(mut unavailable: Unavailable, options: &Options) -> Result<Self, Unavailable> {
        assert!((1..=3).contains(&options.brokers), "a cluster has 1 to 3 brokers, not {}", options.brokers);
        match Self::in_docker(options) {
            Ok(kafka) => return Ok(kafka),
            Err(reason) => unavailable.add("Docker", &reason),
        }
        match Self::in_java(options) {
            Ok(kafka) => Ok(kafka),
            Err(reason) => {
                unavailable.add("Java with Maven", reason);
                Err(unavailable)
            }
        }
    }

    /// An engine that cannot run a broker is not asked twice: it may take minutes to find out.
    fn in_docker(options: &Options) -> Result<Self, String> {
        if options.needs_processes() {
            return Err("second listeners and folders for data are for processes of this machine".to_owned());
        }
        static FAILED: OnceLock<String> = OnceLock::new();
        if let Some(reason) = FAILED.get() {
            return Err(reason.clone());
        }
        docker::find()?;
        Self::in_containers(options).inspect_err(|reason| {
            say(&format!("Kafka for tests: not by Docker: {reason}"));
            let _ = FAILED.set(reason.clone());
        })
    }

    fn in_containers(options: &Options) -> Result<Self, String> {
        let began = Instant::now();
        let started = docker::start(options)?;
        let nodes = started.nodes.into_iter().map(|(node, address)| (Node::Docker(node), address));
        let kafka = Self::new("Docker", own(nodes), Some(started.guard));
        kafka.wait_for_all()?;
        Ok(kafka.announced(began))
    }

    fn in_java(options: &Options) -> Result<Self, String> {
        let began = Instant::now();
        let mut tries = 0;
        loop {
            let started = java::start(options)?;
            let nodes = started.nodes.into_iter().map(|(node, address)| (Node::Java(node), address));
            let kafka = Self::new("Java", own(nodes), Some(started.guard));
            match kafka.wait_for_all() {
                Ok(()) => return Ok(kafka.announced(began)),
                // Another process was quicker with one of the ports.
                Err(reason) if reason.contains("Address already in use") && tries < 3 => tries += 1,
                Err(reason) => return Err(reason),
            }
        }
    }

    fn new(way: &'static str, brokers: Vec<Broker>, guard: Option<Guard>) -> Self {
        Self { admin: OnceLock::new(), producer: OnceLock::new(), way, brokers, _guard: guard }
    }

    fn wait_for_all(&self) -> Result<(), String> {
        self.brokers.iter().try_for_each(|broker| ready::wait(broker, |seen| seen.len() == self.brokers.len()))
    }

    fn announced(self, began: Instant) -> Self {
        say(&format!("Kafka for tests: {} at {} ({:.1} s)", self.way, self.bootstrap(), began.elapsed().as_secs_f32()));
        self
    }

    /// The addresses of all brokers, for `bootstrap.servers`.
    pub fn bootstrap(&self) -> String {
        self.brokers.iter().map(Broker::address).collect::<Vec<_>>().join(",")
    }

    /// The broker with this node id (from 1).
    ///
    /// # Panics
    /// If there is none.
    pub fn broker(&self, id: i32) -> &Broker {
        let broker = self.brokers.iter().find(|broker| broker.id() == id);
        broker.unwrap_or_else(|| panic!("no broker {id} in {:?}", self.brokers))
    }

    /// All brokers.
    pub fn brokers(&self) -> &[Broker] {
        &self.brokers
    }

    /// A configuration for a client of one's own.
    pub fn client_config(&self) -> ClientConfig {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.bootstrap());
        config
    }

    /// For the clients of this crate: a frozen broker is given up after 4 s, not after a minute.
    pub(crate) fn own_client_config(&self) -> ClientConfig {
        let mut config = self.client_config();
        config.set("socket.timeout.ms", "4000");
        config
    }

    /// A name that no other test has, for a topic. It is not made: see [`create_topic`](Self::create_topic).
    pub fn unique_topic(&self, prefix: &str) -> String {
        unique(prefix)
    }

    /// A name that no other test has, for a group.
    pub fn unique_group(&self, prefix: &str) -> String {
        unique(prefix)
    }
}

fn own(nodes: impl Iterator<Item = (Node, String)>) -> Vec<Broker> {
    (1..).zip(nodes).map(|(id, (node, address))| Broker::own(id, address, node)).collect()
}

fn unique(prefix: &str) -> String {
    static NAMES: AtomicU32 = AtomicU32::new(0);
    let now = SystemTime::UNIX_EPOCH.elapsed().map_or(0, |now| now.as_micros());
    format!("{prefix}-{now:x}-{:x}-{}", std::process::id(), NAMES.fetch_add(1, Ordering::Relaxed))
}
