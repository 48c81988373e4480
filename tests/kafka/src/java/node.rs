//! A new cluster of Java processes: ports, directories, properties.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    archive,
    jars::{CHECKPOINT, CLUSTER_ID, Distribution},
    process::JavaNode,
};
use crate::{
    broker::Action,
    guard::Guard,
    options::{Guests, Options},
    ports,
};

/// Renamed first: from then on no broker can write its pid file, so none that starts late is missed. A killed broker may
/// still finish a write, hence the repeats.
const CLEANUP: &str = r#"
mv "$1" "$1.gone" || exit
for file in "$1.gone"/*.pid; do [ -e "$file" ] && kill -KILL "$(cat "$file")"; done
for attempt in 1 2 3 4 5; do rm -rf "$1.gone" && exit; sleep 1; done
"#;

/// The same for a folder that stays: it keeps its name, and nothing that a late write could spoil is removed.
const CLEANUP_KEPT: &str = r#"
for attempt in 1 2; do
    for file in "$1"/*.pid; do [ -e "$file" ] && kill -KILL "$(cat "$file")" && rm -f "$file"; done
    sleep 1
done
"#;

/// The nodes of a cluster, not yet known to answer, with their addresses and what cleans up after them.
pub(crate) struct Started {
    pub(crate) nodes: Vec<(JavaNode, String)>,
    pub(crate) guard: Guard,
}

/// Starts the processes of a new cluster.
pub(crate) fn start(options: &Options) -> Result<Started, String> {
    let distribution = Distribution::prepare()?;
    let mut arguments = vec![if options.brokers == 1 { "-Xmx512m" } else { "-Xmx400m" }.to_owned()];
    if !options.optimized {
        arguments.push("-XX:TieredStopAtLevel=1".to_owned());
    }
    arguments.extend(archive::arguments(&distribution)?);
    launch(&distribution, options, &arguments)
}

/// Starts the processes with these arguments for their JVMs.
pub(super) fn launch(distribution: &Distribution, options: &Options, arguments: &[String]) -> Result<Started, String> {
    let ports = ports::free(3 * options.brokers).ok_or("no free ports")?;
    let (clients, ports) = ports.split_at(options.brokers);
    let (controllers, guests) = ports.split_at(options.brokers);
    let (directory, guard) =
        directory(options.kept.as_deref()).map_err(|error| format!("directory for brokers: {error}"))?;
    let mut nodes = Vec::new();
    for (index, port) in clients.iter().enumerate() {
        let id = index + 1;
        let mut properties = options.properties();
        properties.extend(addresses(id, *port, controllers));
        if let Some(settings) = &options.guests {
            add_guests(&mut properties, settings, guests[index]);
        }
        let folder = options.data.as_ref().unwrap_or(&directory);
        let written = lay_out(distribution, &directory, folder, id, properties);
        written.map_err(|error| format!("cannot write into {}: {error}", directory.display()))?;
        let mut node = JavaNode::new(distribution.clone(), directory.clone(), id, arguments.to_vec());
        if options.guests.is_some() {
            node.has_guests_at(guests[index]);
        }
        node.act(Action::Start).map_err(|error| format!("cannot start a broker: {error}"))?;
        nodes.push((node, format!("127.0.0.1:{port}")));
    }
    Ok(Started { nodes, guard })
}

fn directory(kept: Option<&Path>) -> io::Result<(PathBuf, Guard)> {
    if let Some(folder) = kept {
        fs::create_dir_all(folder.parent().unwrap_or(folder))?;
        fs::create_dir(folder)?;
        return Ok((folder.to_owned(), Guard::start(CLEANUP_KEPT, [folder])?));
    }
    let directory = tempfile::Builder::new().prefix("retrial-kafka-").tempdir()?;
    let guard = Guard::start(CLEANUP, [directory.path()])?;
    Ok((directory.keep(), guard))
}

fn addresses(id: usize, port: u16, controllers: &[u16]) -> BTreeMap<String, String> {
    let voters: Vec<String> =
        controllers.iter().enumerate().map(|(index, port)| format!("{}@127.0.0.1:{port}", index + 1)).collect();
    let client = format!("PLAINTEXT://127.0.0.1:{port}");
    let listeners = format!("{client},CONTROLLER://127.0.0.1:{}", controllers[id - 1]);
    let pairs = [
        ("process.roles", "broker,controller".to_owned()),
        ("node.id", id.to_string()),
        ("controller.quorum.voters", voters.join(",")),
        ("listeners", listeners),
        ("advertised.listeners", client),
        ("listener.security.protocol.map", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT".to_owned()),
        ("inter.broker.listener.name", "PLAINTEXT".to_owned()),
        ("controller.listener.names", "CONTROLLER".to_owned()),
    ];
    pairs.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

/// Adds the listener named GUESTS.
fn add_guests(properties: &mut BTreeMap<String, String>, guests: &Guests, port: u16) {
    let mut append = |name: &str, value: String| {
        let all = properties.entry(name.to_owned()).or_default();
        all.push_str(&value);
    };
    append("listeners", format!(",GUESTS://127.0.0.1:{port}"));
    append("advertised.listeners", format!(",GUESTS://127.0.0.1:{}", guests.port.unwrap_or(port)));
    let protocol = if guests.users.is_empty() { "PLAINTEXT" } else { "SASL_PLAINTEXT" };
    append("listener.security.protocol.map", format!(",GUESTS:{protocol}"));
    if !guests.users.is_empty() {
        let users: String =
            guests.users.iter().map(|(name, password)| format!(" user_{name}=\"{password}\"")).collect();
        let module = "org.apache.kafka.common.security.plain.PlainLoginModule required";
        append("listener.name.guests.sasl.enabled.mechanisms", "PLAIN".to_owned());
        append("listener.name.guests.plain.sasl.jaas.config", format!("{module}{users};"));
    }
}

/// Writes the properties of node `id`, and a formatted log directory into `folder`.
fn lay_out(
    distribution: &Distribution,
    directory: &Path,
    folder: &Path,
    id: usize,
    mut properties: BTreeMap<String, String>,
) -> io::Result<()> {
    let data = folder.join(format!("{id}.data"));
    let checkpoint = data.join(CHECKPOINT);
    fs::create_dir_all(checkpoint.parent().unwrap_or(&data))?;
    fs::copy(distribution.checkpoint(), &checkpoint)?;
    // A directory id is 16 bytes in base64, and must differ from node to node.
    let meta = format!("version=1\nnode.id={id}\ncluster.id={CLUSTER_ID}\ndirectory.id=retrialKafkaForTests{id}A\n");
    fs::write(data.join("meta.properties"), meta)?;
    properties.insert("log.dirs".to_owned(), data.display().to_string());
    let text = properties.iter().fold(String::new(), |mut text, (name, value)| {
        let _ = writeln!(text, "{name}={value}");
        text
    });
    fs::write(directory.join(format!("{id}.properties")), text)
}
