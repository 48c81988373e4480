//! An archive of the broker's classes, which a JVM maps instead of loading them: start-up takes 1.2 s instead of 2.2 and
//! 1.6 s of CPU instead of 2.7 (4.5 with the full compiler), on two idle cores. One broker is started to make it.

use std::{
    fs,
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use super::{jars::Distribution, node};
use crate::{broker::Action, options::Options, unavailable::say};

const LIMIT: Duration = Duration::from_secs(60);

/// What makes a JVM use the archive; made if it is not there.
pub(super) fn arguments(distribution: &Distribution) -> Result<Vec<String>, String> {
    let archive = distribution.archive();
    distribution.alone(|| {
        if !archive.exists()
            && let Err(reason) = make(distribution)
        {
            say(&format!("Kafka for tests: no archive of classes, brokers start more slowly: {reason}"));
            // Empty: not tried again.
            fs::write(&archive, "").map_err(|error| format!("cannot write {}: {error}", archive.display()))?;
        }
        Ok(())
    })?;
    if fs::metadata(&archive).is_ok_and(|archive| archive.len() > 0) {
        // An archive that does not fit after all is ignored, without a word in the broker's log.
        Ok(vec![format!("-XX:SharedArchiveFile={}", archive.display()), "-Xlog:cds=off".to_owned()])
    } else {
        Ok(Vec::new())
    }
}

fn make(distribution: &Distribution) -> Result<(), String> {
    say("Kafka for tests: preparing a quick start");
    let archive = distribution.archive();
    let partial = archive.with_extension("partial");
    let record = format!("-XX:ArchiveClassesAtExit={}", partial.display());
    let mut started = node::launch(distribution, &Options::default(), &[record])?;
    for (node, address) in &mut started.nodes {
        let limit = Instant::now() + LIMIT;
        while TcpStream::connect(&*address).is_err() {
            if let Some(failure) = node.failure() {
                return Err(failure);
            }
            if Instant::now() > limit {
                return Err(format!("a broker does not answer after {LIMIT:?}"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        node.act(Action::Stop)?;
    }
    fs::rename(&partial, &archive).map_err(|error| format!("the JVM wrote none: {error}"))
}
