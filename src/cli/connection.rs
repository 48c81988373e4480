//! Which cluster and group. For each setting, the first that has it: an option, the environment, the file.

use super::{
    end::Trouble,
    settings::{Settings, property},
};
use crate::broker::kafka::Kafka;
use clap::Args;
use retrial_core::naming::GroupNames;
use std::{env, path::PathBuf};

/// What properties of the environment begin with.
const PROPERTY: &str = "RETRIAL_PROPERTY_";

/// The options that every command has.
#[derive(Args, Debug)]
#[command(next_help_heading = "Connection")]
pub(super) struct Connection {
    /// Brokers to start from, separated by commas.
    #[arg(long, short = 'b', env = "RETRIAL_BOOTSTRAP_SERVER", value_name = "HOST:PORT", global = true)]
    bootstrap_server: Option<String>,
    /// The consumer group.
    #[arg(long, short = 'g', env = "RETRIAL_GROUP", global = true)]
    group: Option<String>,
    /// What the names of the group's own topics begin with, if that is not the group.
    #[arg(long, env = "RETRIAL_TOPIC_PREFIX", value_name = "PREFIX", global = true)]
    topic_prefix: Option<String>,
    /// A client property of librdkafka; may be repeated. Values are never printed.
    #[arg(short = 'X', long = "property", value_name = "KEY=VALUE", value_parser = property, global = true)]
    properties: Vec<(String, String)>,
    /// A file with client properties (properties, or TOML if its name ends in .toml).
    #[arg(long, env = "RETRIAL_CONFIG", value_name = "FILE", global = true)]
    config: Option<PathBuf>,
}

impl Connection {
    fn file(&self) -> Result<Settings, Trouble> {
        self.config.as_deref().map_or_else(|| Ok(Settings::default()), Settings::read)
    }

    /// The cluster, with every property.
    pub(super) fn kafka(&self) -> Result<Kafka, Trouble> {
        let file = self.file()?;
        let brokers = self.bootstrap_server.clone().or(file.bootstrap_server).filter(|brokers| !brokers.is_empty());
        let brokers = brokers.ok_or_else(|| {
            Trouble::usage(
                "no Kafka is given: use --bootstrap-server HOST:PORT, RETRIAL_BOOTSTRAP_SERVER, or --config FILE",
            )
        })?;
        let environment = env::vars().filter_map(|(name, value)| Some((named(&name)?, value)));
        let all = file.properties.into_iter().chain(environment).chain(self.properties.iter().cloned());
        Ok(all.fold(Kafka::bootstrap(brokers), |kafka, (name, value)| kafka.property(name, value)))
    }

    /// Whether a group is given; for commands that need none.
    pub(super) fn has_group(&self) -> Result<bool, Trouble> {
        Ok(self.group.is_some() || self.file()?.group.is_some())
    }

    /// The group's names; for commands that need a group.
    pub(super) fn names(&self) -> Result<GroupNames, Trouble> {
        let file = self.file()?;
        let group = self.group.clone().or(file.group);
        let group = group.ok_or_else(|| {
            Trouble::usage("no group is given: use --group GROUP, RETRIAL_GROUP, or group in the file of --config")
        })?;
        let prefix = self.topic_prefix.clone().or(file.topic_prefix);
        GroupNames::new(&group, prefix.as_deref()).map_err(Trouble::usage)
    }
}

/// `RETRIAL_PROPERTY_SASL_PASSWORD` is `sasl.password`.
fn named(variable: &str) -> Option<String> {
    let name = variable.strip_prefix(PROPERTY)?;
    Some(name.to_ascii_lowercase().replace('_', "."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_name_properties() {
        assert_eq!(named("RETRIAL_PROPERTY_SASL_PASSWORD").as_deref(), Some("sasl.password"));
        assert_eq!(named("RETRIAL_GROUP"), None);
    }
}
