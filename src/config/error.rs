//! What is wrong with a configuration.

use std::fmt;

/// One thing that is wrong. It shows no value of a client property: that may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigMistake {
    /// Where: `retrial.toml:7`, the variable, or the argument.
    pub place: String,
    /// Which key, as in a file: `service.drain`.
    pub key: String,
    /// The value that was given, where it can be shown.
    pub value: Option<String>,
    /// What is wrong, and what is allowed.
    pub why: String,
}

impl fmt::Display for ConfigMistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, key, value, why } = self;
        match value {
            _ if key.is_empty() => write!(f, "{place}: {why}"),
            Some(value) => write!(f, "{place}: {key} = {value:?}: {why}"),
            None => write!(f, "{place}: {key}: {why}"),
        }
    }
}

/// Everything that is wrong with a configuration, a line each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub(crate) Vec<ConfigMistake>);

impl ConfigError {
    /// The mistakes, in the order in which they were found; at least one.
    #[must_use]
    pub fn mistakes(&self) -> &[ConfigMistake] {
        &self.0
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            mistake.fmt(f)?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}
