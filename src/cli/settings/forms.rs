//! The two forms of the file of `--config`. The fuzzer reads this file, too: it needs nothing else of the command.
//!
//! Properties, as Kafka's own tools take them: a `key=value` on each line, `#` or `!` before a comment. `bootstrap.servers`
//! and `group.id` say which cluster and group, `retrial.topic.prefix` what own topics begin with; all other keys are
//! client properties.
//!
//! TOML, if the name ends in `.toml`: `bootstrap-server`, `group`, `topic-prefix`, and a table `properties`. Those of a service, `service` and
//! `topics`, may stand beside them: one file for both.

use serde::{Deserialize, Deserializer, de::IgnoredAny};
use std::collections::BTreeMap;

/// What a file says.
#[derive(Default, Deserialize, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    pub(crate) bootstrap_server: Option<String>,
    pub(crate) group: Option<String>,
    pub(crate) topic_prefix: Option<String>,
    pub(crate) properties: BTreeMap<String, String>,
    service: Services,
    topics: Services,
}

/// What the same file says to a service, which is none of the command's business: `retrial config check` reads it.
#[derive(Default, PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
struct Services;

impl<'de> Deserialize<'de> for Services {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        IgnoredAny::deserialize(deserializer).map(|_| Self)
    }
}

/// Reads TOML. Like all that is said here, the error shows no value: it may be a secret.
pub(super) fn from_toml(text: &str) -> Result<Settings, String> {
    toml::from_str(text).map_err(|error| {
        // The error's own text shows the line that it is about.
        let line =
            error.span().map_or(1, |span| 1 + text.bytes().take(span.start).filter(|byte| *byte == b'\n').count());
        format!("line {line}: {}", error.message())
    })
}

/// Reads properties.
pub(super) fn from_properties(text: &str) -> Result<Settings, String> {
    let mut settings = Settings::default();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let (key, value) = property(line).map_err(|why| format!("line {number}: {why}"))?;
        match key.as_str() {
            "bootstrap.servers" | "metadata.broker.list" => settings.bootstrap_server = Some(value),
            "group.id" => settings.group = Some(value),
            "retrial.topic.prefix" => settings.topic_prefix = Some(value),
            _ => drop(settings.properties.insert(key, value)),
        }
    }
    Ok(settings)
}

/// Reads `KEY=VALUE`; spaces around both go.
pub(crate) fn property(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("a property is KEY=VALUE")?;
    let key = key.trim();
    if key.is_empty() || key.contains(char::is_whitespace) {
        return Err("a property is KEY=VALUE".to_owned());
    }
    Ok((key.to_owned(), value.trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let properties = "# ours\nbootstrap.servers = a:1,b:2\ngroup.id=billing\nretrial.topic.prefix=bill\n\n\
                          sasl.password=x=y\n!end";
        let toml = "bootstrap-server = \"a:1,b:2\"\ngroup = \"billing\"\ntopic-prefix = \"bill\"\n[properties]\n\
                    \"sasl.password\" = \"x=y\"\n[service]\ndrain = \"25s\"\n[topics.orders]\nconcurrency = 5\n";
        let read = from_properties(properties).unwrap();
        assert_eq!((read.bootstrap_server.as_deref(), read.group.as_deref()), (Some("a:1,b:2"), Some("billing")));
        assert_eq!(read.properties.get("sasl.password").map(String::as_str), Some("x=y"));
        assert_eq!(from_toml(toml).unwrap(), read);
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_without_its_value() {
        for (told, expected) in [
            (from_properties("a=1\nhunter2"), "line 2: a property is KEY=VALUE"),
            (from_toml("group = \"g\"\ncolour = \"hunter2\""), "line 2: unknown field `colour`"),
        ] {
            let Err(told) = told else { panic!("accepted") };
            assert!(told.starts_with(expected) && !told.contains("hunter2"), "{told}");
        }
        let Err(told) = from_toml("[properties]\n\"sasl.password\" = hunter2") else { panic!("accepted") };
        assert!(told.starts_with("line 2") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn a_property_has_a_key() {
        assert_eq!(property("a.b = c "), Ok(("a.b".to_owned(), "c".to_owned())));
        assert!(property("=c").is_err() && property("a b=c").is_err() && property("a").is_err());
    }
}
