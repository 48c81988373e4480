//! The file: TOML, with a place for each value.

use super::{
    error::ConfigMistake,
    keys::{SERVICE, TOP, TOPIC},
    layers::Config,
};
use toml::de::{DeTable, DeValue};

/// Takes in what a file says. What is wrong with it is told with its line.
pub(super) fn read(config: &mut Config, name: &str, text: &str, mistakes: &mut Vec<ConfigMistake>) {
    let line = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let table = match DeTable::parse(text) {
        Ok(table) => table,
        Err(error) => {
            let place = format!("{name}:{}", error.span().map_or(1, |span| line(span.start)));
            // The error's whole text shows the line, which may hold a secret.
            let why = error.message().to_owned();
            return mistakes.push(ConfigMistake { place, key: String::new(), value: None, why });
        }
    };
    let mut reader = Reader { config, mistakes, place: &|at| format!("{name}:{}", line(at)) };
    for (key, value) in table.get_ref() {
        let (at, name) = (key.span().start, &**key.get_ref());
        match (name, value.get_ref()) {
            ("properties", DeValue::Table(properties)) => reader.properties(properties),
            ("service", DeValue::Table(settings)) => reader.settings("service", settings),
            ("topics", DeValue::Table(topics)) => reader.topics(topics),
            ("properties" | "service" | "topics", _) => reader.wrong(at, name, "it is a table"),
            (_, value) => reader.one(at, name, value),
        }
    }
}

struct Reader<'r> {
    config: &'r mut Config,
    mistakes: &'r mut Vec<ConfigMistake>,
    place: &'r dyn Fn(usize) -> String,
}

impl Reader<'_> {
    fn properties(&mut self, properties: &DeTable<'_>) {
        for (key, value) in properties {
            let path = format!("properties.{}", key.get_ref());
            match text(value.get_ref()) {
                Some(text) => self.set(key.span().start, &path, &text),
                None => self.wrong(key.span().start, &path, "a client property is a text, a number, or true or false"),
            }
        }
    }

    fn topics(&mut self, topics: &DeTable<'_>) {
        for (topic, settings) in topics {
            let path = format!("topics.{}", topic.get_ref());
            match settings.get_ref() {
                DeValue::Table(settings) => self.settings(&path, settings),
                _ => self.wrong(topic.span().start, &path, "it is a table"),
            }
        }
    }

    fn settings(&mut self, table: &str, settings: &DeTable<'_>) {
        for (key, value) in settings {
            self.one(key.span().start, &format!("{table}.{}", key.get_ref()), value.get_ref());
        }
    }

    fn one(&mut self, at: usize, path: &str, value: &DeValue<'_>) {
        let listed = || match value {
            DeValue::Array(values) => {
                let texts: Option<Vec<String>> = values.iter().map(|value| text(value.get_ref())).collect();
                texts.map(|texts| texts.join(", "))
            }
            value => text(value),
        };
        match listed() {
            Some(text) => self.set(at, path, &text),
            None => self.wrong(at, path, "it is no table"),
        }
    }

    fn set(&mut self, at: usize, path: &str, text: &str) {
        let place = (self.place)(at);
        self.mistakes.extend(self.config.set(path, text, place).err());
    }

    fn wrong(&mut self, at: usize, path: &str, why: &str) {
        let known = TOP.iter().chain(SERVICE).chain(TOPIC).any(|key| path.rsplit('.').next() == Some(key.name));
        let place = (self.place)(at);
        if known || path.starts_with("properties") || path.starts_with("topics") || path == "service" {
            self.mistakes.push(ConfigMistake { place, key: path.to_owned(), value: None, why: why.to_owned() });
        } else {
            // Not known at all: the same words as for any other key.
            self.mistakes.extend(self.config.set(path, "", place).err());
        }
    }
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(is) => Some(is.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}
