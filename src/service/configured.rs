//! What an operator said, applied over what the code says.

use super::Settings;
use crate::{
    app::HandlerSet,
    broker::kafka::{Kafka, is_secret},
    config::{
        Config, ConfigError, ConfigMistake, Setting, Value,
        keys::{SERVICE, TOP, TOPIC},
    },
    topic,
};
use retrial_core::schedule::Schedule;

impl Config {
    /// Applies what was said over what the code says of an app, a connection and a service.
    ///
    /// # Errors
    /// Topics that the app has not, a group that is not the app's, and client properties that cannot be.
    pub fn apply(
        &self,
        mut app: HandlerSet,
        mut kafka: Kafka,
        mut settings: Settings,
    ) -> Result<(HandlerSet, Kafka, Settings), ConfigError> {
        let mut mistakes = Vec::new();
        for (path, setting) in self.settings() {
            let why = if let Some(name) = path.strip_prefix("properties.") {
                kafka = kafka.property(name, setting.text.clone());
                None
            } else if let Some(name) = path.strip_prefix("service.") {
                service(&mut settings, name, &setting.value);
                None
            } else if let Some((topic, name)) = path.strip_prefix("topics.").and_then(|rest| rest.rsplit_once('.')) {
                of_topic(&mut app, topic, name, &setting.value).err()
            } else if path == "bootstrap-server" {
                kafka = kafka.property("bootstrap.servers", setting.text.clone());
                None
            } else {
                not_the_codes(&app, path, &setting.text).err()
            };
            mistakes.extend(why.map(|why| mistake(path, setting, why)));
        }
        let checked = kafka.properties.consumer(app.names.group(), 1, settings.memory);
        if let Err(error) = checked {
            let (place, key) = ("client properties".to_owned(), String::new());
            mistakes.push(ConfigMistake { place, key, value: None, why: error.to_string() });
        }
        if mistakes.is_empty() { Ok((app, kafka, settings)) } else { Err(ConfigError(mistakes)) }
    }

    /// What was said, with who said it. Secrets are masked.
    #[must_use]
    pub fn said(&self) -> String {
        self.settings().into_iter().map(|(path, setting)| line(path, &shown(path, setting), &setting.place)).collect()
    }

    /// Every setting as it holds: what was said, with who said it, and the defaults of all else. Secrets are masked.
    ///
    /// What a program's own code says instead of a default is not known here.
    #[must_use]
    pub fn effective(&self) -> String {
        let said = self.settings();
        let of = |path: &str| said.iter().rev().find(|(is, _)| *is == path).map(|(_, setting)| *setting);
        let mut lines: Vec<(String, String, &str)> = Vec::new();
        let top = TOP.iter().map(|key| (key.name.to_owned(), key));
        for (path, key) in top.chain(SERVICE.iter().map(|key| (format!("service.{}", key.name), key))) {
            let setting = of(&path);
            let value = setting.map_or(key.default, |setting| &setting.text);
            if !value.is_empty() {
                let place = setting.map_or("default", |setting| &setting.place);
                lines.push((path, value.to_owned(), place));
            }
        }
        for (path, setting) in
            said.iter().filter(|(path, _)| path.starts_with("topics.") || path.starts_with("properties."))
        {
            lines.push(((*path).to_owned(), shown(path, setting), &setting.place));
        }
        for key in TOPIC {
            lines.push((format!("topics.*.{}", key.name), key.default.to_owned(), "default"));
        }
        lines.into_iter().map(|(path, value, place)| line(&path, &value, place)).collect()
    }
}

fn line(path: &str, value: &str, place: &str) -> String {
    format!("{path} = {value:?}  # {place}\n")
}

fn shown(path: &str, setting: &Setting) -> String {
    let secret = path.strip_prefix("properties.").is_some_and(is_secret);
    if secret { "***".to_owned() } else { setting.text.clone() }
}

fn mistake(path: &str, setting: &Setting, why: String) -> ConfigMistake {
    let Setting { text, place, .. } = setting;
    ConfigMistake { place: place.clone(), key: path.to_owned(), value: Some(text.clone()), why }
}

/// A group's names are made by its code: a file that says something else was written for another service.
fn not_the_codes(app: &HandlerSet, path: &str, text: &str) -> Result<(), String> {
    let names = &app.names;
    let codes = if path == "group" { names.group() } else { names.stem() };
    if codes == text { Ok(()) } else { Err(format!("this service's code says {codes:?}")) }
}

fn service(settings: &mut Settings, name: &str, value: &Value) {
    match (name, value) {
        ("drain", Value::Time(time)) => settings.drain = *time,
        ("revoke-drain", Value::Time(time)) => settings.revoke_drain = *time,
        ("commit-interval", Value::Time(time)) => settings.commit.interval = *time,
        ("commit-early", Value::Count(records)) => settings.commit.early = *records,
        ("commit-metadata-rate", Value::Count(bytes)) => settings.commit.metadata_per_second = *bytes,
        ("memory", Value::Count(bytes)) => settings.memory = *bytes,
        ("concurrency", Value::Count(attempts)) => settings.concurrency = Some(*attempts),
        ("blocking-threads", Value::Count(threads)) => settings.blocking_threads = *threads,
        ("verify-every", Value::Time(time)) => settings.verify_every = *time,
        #[cfg(feature = "service")]
        ("http", Value::Address(address)) => settings.http = Some(*address),
        _ => {}
    }
}

fn of_topic(app: &mut HandlerSet, topic: &str, name: &str, value: &Value) -> Result<(), String> {
    let meant = |registered: &crate::topic::Registered| match topic.strip_prefix('$') {
        Some(variable) => as_variable(&registered.topic) == variable,
        None => &*registered.topic == topic,
    };
    let mut found = app.topics.iter_mut().filter(|registered| meant(registered));
    let Some(registered) = found.next() else {
        let topics: Vec<&str> = app.topics().collect();
        let nearest =
            topics.iter().max_by(|a, b| strsim::jaro_winkler(a, topic).total_cmp(&strsim::jaro_winkler(b, topic)));
        return Err(format!("this service has no such topic; the nearest is {}", nearest.unwrap_or(&"none")));
    };
    set(&mut registered.settings, name, value);
    match found.next() {
        Some(another) => Err(format!("it names both {} and {}: use a file", registered.topic, another.topic)),
        None => Ok(()),
    }
}

/// How a variable names a topic.
fn as_variable(topic: &str) -> String {
    topic.chars().map(|char| if char.is_ascii_alphanumeric() { char.to_ascii_uppercase() } else { '_' }).collect()
}

fn set(settings: &mut topic::Settings, name: &str, value: &Value) {
    match (name, value) {
        ("concurrency", Value::Count(attempts)) => settings.concurrency = *attempts,
        ("timeout", Value::Time(time)) => settings.timeout = Some(*time),
        ("timeout", Value::Unlimited) => settings.timeout = None,
        ("in-place-tries", Value::Count(tries)) => settings.retry.in_place = u16::try_from(*tries).unwrap_or(u16::MAX),
        ("retry", Value::Waits(waits)) => {
            let none = Schedule::delays([]);
            settings.retry.schedule = waits.iter().fold(none, |schedule, (wait, times)| schedule.then(*wait, *times));
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{App, handler};
    use std::time::Duration;

    fn app() -> HandlerSet {
        async fn handle() {}
        let app = App::group("billing").topic("orders.v1", handler(handle)).topic("mails", handler(handle));
        app.build().unwrap()
    }

    fn config(variables: &[(&str, &str)]) -> Config {
        let owned = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        Config::new().variables(owned).unwrap()
    }

    fn applied(config: &Config) -> Result<(HandlerSet, Kafka, Settings), String> {
        let applied = config.apply(app(), Kafka::bootstrap("a:1"), Settings::default());
        applied.map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_changes_something() {
        let values = [
            ("drain", "1s"),
            ("revoke-drain", "1s"),
            ("commit-interval", "2s"),
            ("commit-early", "7"),
            ("commit-metadata-rate", "1MiB"),
            ("memory", "128MiB"),
            ("concurrency", "7"),
            ("blocking-threads", "7"),
            ("verify-every", "7s"),
            ("http", "1"),
        ];
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        assert_eq!(names.len(), SERVICE.len());
        for (name, value) in values {
            let variable = format!("RETRIAL_{}", name.to_uppercase().replace('-', "_"));
            let (.., settings) = applied(&config(&[(&variable, value)])).unwrap();
            assert_ne!(format!("{settings:?}"), format!("{:?}", Settings::default()), "{name}");
        }
        let topic = |app: &HandlerSet, index: usize| format!("{:?}", app.topics[index].settings);
        let values = [("concurrency", "7"), ("timeout", "none"), ("retry", "1s, 2s x 3"), ("in-place-tries", "0")];
        assert_eq!(values.len(), TOPIC.len());
        for (name, value) in values {
            let variable = format!("RETRIAL_TOPIC_ORDERS_V1_{}", name.to_uppercase().replace('-', "_"));
            let (changed, ..) = applied(&config(&[(&variable, value)])).unwrap();
            assert_ne!(topic(&changed, 0), topic(&app(), 0), "{name}");
            assert_eq!(topic(&changed, 1), topic(&app(), 1), "{name}: the other topic is as it was");
        }
    }

    /// The defaults that the example file shows are those of the code.
    #[test]
    fn defaults_that_are_written_out_change_nothing() {
        let mut all = Vec::new();
        let given = |prefix: &str, keys: &'static [crate::config::keys::Key]| -> Vec<(String, String)> {
            let given = keys.iter().filter(|key| !key.default.is_empty());
            let name =
                |key: &crate::config::keys::Key| format!("{prefix}{}", key.name.to_uppercase().replace('-', "_"));
            given.map(|key| (name(key), key.default.to_owned())).collect()
        };
        all.extend(given("RETRIAL_", SERVICE));
        all.extend(given("RETRIAL_TOPIC_MAILS_", TOPIC));
        let config = Config::new().variables(all).unwrap();
        let (changed, _, settings) = applied(&config).unwrap();
        assert_eq!(format!("{settings:?}"), format!("{:?}", Settings::default()));
        assert_eq!(format!("{:?}", changed.topics[1].settings), format!("{:?}", app().topics[1].settings));
    }

    #[test]
    fn arguments_win_over_variables_also_where_the_two_name_a_topic_differently() {
        let config = config(&[("RETRIAL_TOPIC_ORDERS_V1_TIMEOUT", "5s")]);
        let (config, _) = config.arguments(["--retrial.topics.orders.v1.timeout=7s".to_owned()]).unwrap();
        assert_eq!(applied(&config).unwrap().0.topics[0].settings.timeout, Some(Duration::from_secs(7)));
    }

    #[test]
    fn what_the_code_has_not_is_a_mistake() {
        let said = |variables: &[(&str, &str)]| applied(&config(variables)).map(drop).unwrap_err();
        let (config, _) = Config::new().arguments(["--retrial.topics.order.timeout=7s".to_owned()]).unwrap();
        let told = applied(&config).map(drop).unwrap_err();
        assert!(told.ends_with("this service has no such topic; the nearest is orders.v1"), "{told}");
        assert_eq!(
            said(&[("RETRIAL_GROUP", "mailing")]),
            "RETRIAL_GROUP: group = \"mailing\": this service's code says \"billing\""
        );
        assert!(said(&[("RETRIAL_PROPERTY_NO_SUCH", "1")]).contains("no.such"));
    }

    #[test]
    fn what_holds_is_shown_with_who_said_it_and_without_secrets() {
        let shown = config(&[("RETRIAL_DRAIN", "3s"), ("RETRIAL_PROPERTY_SASL_PASSWORD", "hunter2")]).effective();
        assert!(shown.contains("service.drain = \"3s\"  # RETRIAL_DRAIN\n"), "{shown}");
        assert!(shown.contains("service.memory = \"64MiB\"  # default\n"), "{shown}");
        assert!(shown.contains("properties.sasl.password = \"***\"") && !shown.contains("hunter2"), "{shown}");
    }
}
