//! The jars of Kafka, fetched once by Maven into `target/kafka/<version>`, and the Java that runs them.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use rustix::fs::{FlockOperation, flock};

use crate::VERSION;

const OLDEST_JAVA: u32 = 17;
/// Fixed: a cluster id of its own would cost one more start of a JVM, and no two clusters here ever meet.
pub(super) const CLUSTER_ID: &str = "5L6g3nShT-eMCtK--X86sw";
pub(super) const CHECKPOINT: &str = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";

/// What it takes to run a broker.
#[derive(Clone, Debug)]
pub(crate) struct Distribution {
    /// The `java` program.
    pub(super) java: PathBuf,
    /// As it tells it itself, for example `17.0.15`.
    java_version: String,
    root: PathBuf,
}

impl Distribution {
    /// Finds Java, and fetches the jars if they are not there yet.
    pub(super) fn prepare() -> Result<Self, String> {
        let (java, java_version) = find_java()?;
        let root = target_directory().join("kafka").join(VERSION);
        fs::create_dir_all(&root).map_err(|error| format!("cannot make {}: {error}", root.display()))?;
        let distribution = Self { java, java_version, root };
        distribution.alone(|| distribution.fetch_jars().and_then(|()| distribution.format_storage()))?;
        Ok(distribution)
    }

    /// Does `work` while no other test process does any: processes that start together wait for the first one's download.
    pub(super) fn alone<T>(&self, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
        let lock = fs::File::create(self.root.join("lock")).map_err(|error| format!("lock file: {error}"))?;
        flock(&lock, FlockOperation::LockExclusive).map_err(|error| format!("lock: {error}"))?;
        work()
    }

    /// Where the classes of a running broker are kept, ready to be mapped. It fits this version of Java only.
    pub(super) fn archive(&self) -> PathBuf {
        self.root.join(format!("classes-{}.jsa", self.java_version))
    }

    pub(super) fn class_path(&self) -> String {
        format!("{}/*", self.root.join("libs").display())
    }

    /// The first snapshot of the metadata log (feature levels), the same for every node of a new cluster.
    pub(super) fn checkpoint(&self) -> PathBuf {
        self.root.join("formatted").join(CHECKPOINT)
    }

    pub(super) fn log_configuration(&self) -> PathBuf {
        self.root.join("log4j2.xml")
    }

    fn fetch_jars(&self) -> Result<(), String> {
        let libs = self.root.join("libs");
        if libs.is_dir() {
            return Ok(());
        }
        let partial = self.root.join("libs.partial");
        let pom = self.root.join("pom.xml");
        let written = fs::write(&pom, POM).and_then(|()| fs::write(self.log_configuration(), LOG4J2));
        written.map_err(|error| format!("cannot write {}: {error}", pom.display()))?;
        let mut maven = Command::new("mvn");
        maven
            .args(["--quiet", "--batch-mode", "--file"])
            .arg(&pom)
            .arg(COPY_DEPENDENCIES)
            .arg(format!("-Dkafka={VERSION}"))
            .arg(format!("-DoutputDirectory={}", partial.display()));
        crate::unavailable::say(&format!("Kafka for tests: fetching the jars of {VERSION} with Maven"));
        let output = maven.stdin(Stdio::null()).output().map_err(|error| format!("cannot run mvn: {error}"))?;
        succeeded("mvn", &output)?;
        fs::rename(&partial, &libs).map_err(|error| format!("cannot make {}: {error}", libs.display()))
    }

    /// Formats a log directory once; every node copies from it what does not name the node, and saves a JVM.
    fn format_storage(&self) -> Result<(), String> {
        let formatted = self.root.join("formatted");
        if formatted.is_dir() {
            return Ok(());
        }
        let partial = self.root.join("formatted.partial");
        let _ = fs::remove_dir_all(&partial);
        let properties = self.root.join("format.properties");
        let written = fs::write(&properties, FORMAT.replace("{directory}", &partial.display().to_string()));
        written.map_err(|error| format!("cannot write {}: {error}", properties.display()))?;
        let mut tool = Command::new(&self.java);
        tool.args(["-XX:TieredStopAtLevel=1", "-cp", &self.class_path(), "kafka.tools.StorageTool"])
            .args(["format", "-t", CLUSTER_ID, "-c"])
            .arg(&properties);
        let output = tool.stdin(Stdio::null()).output().map_err(|error| format!("cannot run java: {error}"))?;
        succeeded("kafka.tools.StorageTool", &output)?;
        if !partial.join(CHECKPOINT).is_file() {
            return Err(format!("kafka.tools.StorageTool left no {CHECKPOINT}"));
        }
        fs::rename(&partial, &formatted).map_err(|error| format!("cannot make {}: {error}", formatted.display()))
    }
}

/// The workspace's own `target`, unless cargo was told another place.
fn target_directory() -> PathBuf {
    match env::var_os("CARGO_TARGET_DIR") {
        Some(directory) => directory.into(),
        None => Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or(Path::new(".")).join("target"),
    }
}

fn find_java() -> Result<(PathBuf, String), String> {
    let home = env::var_os("JAVA_HOME").map(|home| Path::new(&home).join("bin/java"));
    let java = home.filter(|java| java.is_file()).unwrap_or_else(|| "java".into());
    let output = Command::new(&java).arg("-version").stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("cannot run {}: {error}", java.display()))?;
    let text = String::from_utf8_lossy(&output.stderr);
    let version = text.split('"').nth(1).unwrap_or_default();
    match major_version(version) {
        Some(major) if major >= OLDEST_JAVA => Ok((java, version.to_owned())),
        Some(_) => Err(format!("{} is version {version}, needed is {OLDEST_JAVA} or later", java.display())),
        None => Err(format!("{} did not tell its version: {}", java.display(), text.trim())),
    }
}

/// `17.0.15` is 17, `1.8.0_392` is 8.
fn major_version(version: &str) -> Option<u32> {
    let mut parts = version.split(['.', '-', '+', '_']).map(|part| part.parse::<u32>());
    match parts.next()?.ok()? {
        1 => parts.next()?.ok(),
        version => Some(version),
    }
}

fn succeeded(program: &str, output: &Output) -> Result<(), String> {
    if output.status.success() {
        return Ok(());
    }
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(8).collect();
    Err(format!("{program} failed ({}): {}", output.status, lines.join(" | ")))
}

/// Pinned: what Maven takes by itself depends on its own version.
const COPY_DEPENDENCIES: &str = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy-dependencies";

const POM: &str = r#"<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>retrial</groupId><artifactId>kafka-for-tests</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${kafka}</version>
      <exclusions><exclusion><groupId>org.apache.kafka</groupId><artifactId>kafka-tools-api</artifactId></exclusion></exclusions>
    </dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-core</artifactId><version>2.25.1</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.25.1</version></dependency>
  </dependencies>
</project>
"#;

const LOG4J2: &str = r#"<Configuration status="WARN">
  <Appenders><Console name="out"><PatternLayout pattern="[%d] %p %m (%c)%n"/></Console></Appenders>
  <Loggers><Root level="WARN"><AppenderRef ref="out"/></Root></Loggers>
</Configuration>
"#;

const FORMAT: &str = "process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=PLAINTEXT://127.0.0.1:9092,CONTROLLER://127.0.0.1:9093
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
log.dirs={directory}
";

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn java_versions_are_read_in_the_old_and_the_new_form() {
        assert_eq!(major_version("17.0.15"), Some(17));
        assert_eq!(major_version("21"), Some(21));
        assert_eq!(major_version("22-ea"), Some(22));
        assert_eq!(major_version("1.8.0_392"), Some(8));
        assert_eq!(major_version(""), None);
    }
}
