//! Kafka as containers, through testcontainers.
//!
//! A generic image with a port picked beforehand, not the Kafka module: the module moves its port at a restart and
//! injects a start script. Any `KAFKA_*` variable replaces the image's whole default configuration, so the full set is
//! given. Containers are removed when dropped, and by the guard when the test process ends another way: hence the
//! `docker` program is wanted beside the engine.

use std::{
    collections::BTreeMap,
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use testcontainers::{
    ContainerAsync, GenericImage, ImageExt as _, TestcontainersError,
    core::{IntoContainerPort as _, client::docker_client_instance},
    runners::AsyncRunner as _,
};
use tokio::time::timeout;

use crate::{VERSION, block_on::block_on, broker::Action, guard::Guard, options::Options, ports};

/// For the image's download, on a slow line.
const CREATE_LIMIT: Duration = Duration::from_secs(300);
const STOP_LIMIT_SECONDS: i32 = 30;

/// A network is removable once its containers are gone.
const CLEANUP: &str = r#"
network=$1; shift
docker rm --force --volumes "$@"
docker network rm "$network"
"#;

/// A broker in a container; dropped, it is removed.
#[derive(Debug)]
pub(crate) struct DockerNode {
    container: Option<Box<ContainerAsync<GenericImage>>>,
}

/// The containers of a cluster, not yet known to answer, with their addresses and what cleans up after them.
pub(crate) struct Started {
    pub(crate) nodes: Vec<(DockerNode, String)>,
    pub(crate) guard: Guard,
}

/// Whether there is an engine, and what it takes to clean up after it.
pub(crate) fn find() -> Result<(), String> {
    block_on(is_there())
}

/// Starts the containers of a new cluster.
pub(crate) fn start(options: &Options) -> Result<Started, String> {
    let ports = ports::free(options.brokers).ok_or("no free ports")?;
    static CLUSTERS: AtomicU32 = AtomicU32::new(0);
    let network = format!("retrial-{}-{}", std::process::id(), CLUSTERS.fetch_add(1, Ordering::Relaxed));
    let names: Vec<String> = (1..=options.brokers).map(|id| format!("{network}-{id}")).collect();
    let guard = Guard::start(CLEANUP, std::iter::once(&network).chain(&names));
    let guard = guard.map_err(|error| format!("cannot start a shell: {error}"))?;
    let mut nodes = Vec::new();
    for (index, port) in ports.iter().enumerate() {
        let environment = environment(options, &network, index + 1, *port);
        let created = container(&network, &names[index], *port, environment);
        // The time limit itself wants to be made inside the runtime.
        let container = block_on(async { timeout(CREATE_LIMIT, created).await });
        let container = container.map_err(|_| format!("no container after {CREATE_LIMIT:?}"))?;
        let container = container.map_err(|error| one_line(&error))?;
        nodes.push((DockerNode { container: Some(Box::new(container)) }, format!("127.0.0.1:{port}")));
    }
    Ok(Started { nodes, guard })
}

async fn is_there() -> Result<(), String> {
    let docker = docker_client_instance().await.map_err(|error| format!("no engine: {}", one_line(&error)))?;
    docker.ping().await.map_err(|error| format!("no engine: {}", one_line(&error)))?;
    let program = Command::new("docker").arg("--version").stdin(Stdio::null()).output();
    match program {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err("an engine, but no `docker` program to remove the containers of a killed test".to_owned()),
    }
}

async fn container(
    network: &str,
    name: &str,
    port: u16,
    environment: BTreeMap<String, String>,
) -> Result<ContainerAsync<GenericImage>, TestcontainersError> {
    // No wait condition: no node of three is ready before all are started.
    let request = GenericImage::new("apache/kafka", VERSION)
        .with_mapped_port(port, 9092.tcp())
        .with_network(network)
        .with_container_name(name);
    environment.into_iter().fold(request, |request, (name, value)| request.with_env_var(name, value)).start().await
}

fn environment(options: &Options, network: &str, id: usize, port: u16) -> BTreeMap<String, String> {
    let voters: Vec<String> = match options.brokers {
        // One needs no names of others.
        1 => vec!["1@localhost:9093".to_owned()],
        brokers => (1..=brokers).map(|id| format!("{id}@{network}-{id}:9093")).collect(),
    };
    let mut properties = options.properties();
    let addresses = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", id.to_string()),
        ("controller.quorum.voters", voters.join(",")),
        ("listeners", "HOST://:9092,CONTROLLER://:9093,INTERNAL://:9094".to_owned()),
        ("advertised.listeners", format!("HOST://127.0.0.1:{port},INTERNAL://{network}-{id}:9094")),
        ("listener.security.protocol.map", "HOST:PLAINTEXT,CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT".to_owned()),
        ("inter.broker.listener.name", "INTERNAL".to_owned()),
        ("controller.listener.names", "CONTROLLER".to_owned()),
    ];
    properties.extend(addresses.map(|(name, value)| (name.to_owned(), value)));
    let heap = ("KAFKA_HEAP_OPTS".to_owned(), "-Xms128m -Xmx512m".to_owned());
    properties.into_iter().map(|(name, value)| (variable(&name), value)).chain([heap]).collect()
}

/// The image's rule for names, backwards: `.` is `_`, `_` is `__`, `-` is `___`.
fn variable(property: &str) -> String {
    let name = property.replace('_', "__").replace('-', "___").replace('.', "_");
    format!("KAFKA_{}", name.to_uppercase())
}

fn one_line(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text.replace('\n', " ")
}

impl DockerNode {
    pub(crate) fn act(&self, action: Action) -> Result<(), String> {
        block_on(act(self.container()?, action)).map_err(|error| one_line(&error))
    }

    /// Why it ended, if it did.
    pub(crate) fn failure(&self) -> Option<String> {
        let container = match self.container() {
            Ok(container) => container,
            Err(reason) => return Some(reason),
        };
        match block_on(container.exit_code()) {
            Ok(None) => None,
            Ok(Some(code)) => {
                Some(format!("the container ended with {code}; its log:\n{}", last_words(container.id())))
            }
            Err(error) => Some(one_line(&error)),
        }
    }

    fn container(&self) -> Result<&ContainerAsync<GenericImage>, String> {
        self.container.as_deref().ok_or_else(|| "removed".to_owned())
    }
}

impl Drop for DockerNode {
    fn drop(&mut self) {
        if let Some(container) = self.container.take() {
            // What cannot be removed now is the guard's.
            let _ = block_on(container.rm());
        }
    }
}

/// The last lines of a container's log.
fn last_words(id: &str) -> String {
    let output = Command::new("docker").args(["logs", "--tail", "20", id]).stdin(Stdio::null()).output();
    output.map_or_else(
        |error| error.to_string(),
        |output| String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
    )
}

async fn act(container: &ContainerAsync<GenericImage>, action: Action) -> Result<(), TestcontainersError> {
    match action {
        Action::Start => container.start().await,
        Action::Stop => container.stop_with_timeout(Some(STOP_LIMIT_SECONDS)).await,
        Action::Pause => container.pause().await,
        Action::Resume => container.unpause().await,
        Action::Kill => {
            let docker = docker_client_instance().await.map_err(TestcontainersError::other)?;
            docker.kill_container(container.id(), None).await.map_err(TestcontainersError::other)
        }
    }
}
