//! The file of `--config`: any text, in both of its forms.
//!
//! The first byte chooses the form; the rest is the text.

#[path = "../../../src/cli/settings/forms.rs"]
mod forms;

use forms::{Settings, from_properties, from_toml, property};

/// Panics if a text is refused without saying where, or with what stands there; or is read as something else.
pub fn check(bytes: &[u8]) {
    let Some((&form, rest)) = bytes.split_first() else { return };
    let text = String::from_utf8_lossy(rest);
    if form % 2 == 0 {
        properties(&text);
    } else {
        toml(&text);
    }
}

fn properties(text: &str) {
    match from_properties(text) {
        Ok(settings) => same(&settings, &from_properties(&written(&settings)).expect("what was read can be written")),
        Err(why) => {
            let line = refused(text, &why);
            assert!(property(text.lines().nth(line - 1).unwrap_or_default().trim()).is_err(), "{why}: {text:?}");
        }
    }
}

/// A line for each that is set.
fn written(settings: &Settings) -> String {
    let named = [
        ("bootstrap.servers", &settings.bootstrap_server),
        ("group.id", &settings.group),
        ("retrial.topic.prefix", &settings.topic_prefix),
    ];
    let named = named.into_iter().filter_map(|(key, value)| Some((key, value.as_ref()?)));
    let others = settings.properties.iter().map(|(key, value)| (key.as_str(), value));
    named.chain(others).map(|(key, value)| format!("{key}={value}\n")).collect()
}

fn same(one: &Settings, other: &Settings) {
    assert!(one == other, "read, written and read again it is something else");
}

fn toml(text: &str) {
    if let Err(why) = from_toml(text) {
        refused(text, &why);
    }
}

/// The line that an error names; it is one of the text's, or the one behind its end.
fn refused(text: &str, why: &str) -> usize {
    let line = why.strip_prefix("line ").and_then(|rest| rest.split_once(':'));
    let line: usize = line.and_then(|(line, _)| line.parse().ok()).unwrap_or_else(|| panic!("no line: {why}"));
    assert!((1..=text.split('\n').count()).contains(&line), "{why}: {text:?}");
    line
}
