//! Layers: what is said later wins, and where it was said is remembered.

use super::{
    error::{ConfigError, ConfigMistake},
    file,
    form::Value,
    keys::{Key, SERVICE, TOP, TOPIC},
};
use std::{collections::BTreeMap, fmt, fs, path::Path};

/// What variables begin with.
const PREFIX: &str = "RETRIAL_";

/// What arguments begin with.
const FLAG: &str = "--retrial.";

/// Variables of the command line and of the test suites, which are no settings of a service.
const OTHERS: &[&str] = &["CONFIG", "OUTPUT", "REQUIRE_KAFKA", "TEST_", "WRITE_"];

/// What an operator says of a service: a file, then the environment, then the arguments that a program opts in to.
///
/// Applied by [`Config::apply`] over what the code says.
///
/// ```no_run
/// use retrial::{App, Config, Kafka, Service, Settings, handler};
///
/// # async fn greet() {}
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let app = App::group("greeters").topic("names", handler(greet)).build()?;
/// let config = Config::new().file("retrial.toml")?.environment()?;
/// let (app, kafka, settings) = config.apply(app, Kafka::bootstrap("localhost:9092"), Settings::default())?;
/// Service::connect_with(app, kafka, settings).await?.run_until_signal().await?;
/// # Ok(()) }
/// ```
#[derive(Clone, Default)]
pub struct Config {
    settings: BTreeMap<String, Setting>,
    layers: usize,
}

/// One value, and who said it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Setting {
    pub(crate) value: Value,
    pub(crate) text: String,
    pub(crate) place: String,
    layer: usize,
}

impl Config {
    /// Nothing is said.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a TOML file over what was said before.
    ///
    /// # Errors
    /// A file that cannot be read, and everything that is wrong in it.
    pub fn file(mut self, path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let place = path.as_ref().display().to_string();
        let text = fs::read_to_string(path).map_err(|error| {
            let why = format!("it cannot be read: {error}");
            ConfigError(vec![ConfigMistake { place: place.clone(), key: String::new(), value: None, why }])
        })?;
        self.layers += 1;
        let mut mistakes = Vec::new();
        // As editors on Windows write it.
        file::read(&mut self, &place, text.strip_prefix('\u{feff}').unwrap_or(&text), &mut mistakes);
        self.if_right(mistakes)
    }

    /// Reads this process's variables `RETRIAL_…` over what was said before: `RETRIAL_DRAIN`,
    /// `RETRIAL_TOPIC_ORDERS_TIMEOUT` (the topic in capitals, all else than letters and digits as `_`),
    /// `RETRIAL_PROPERTY_SASL_PASSWORD` for the client property `sasl.password`.
    ///
    /// # Errors
    /// Every variable `RETRIAL_…` that is none of these, or has an impossible value.
    pub fn environment(self) -> Result<Self, ConfigError> {
        self.variables(std::env::vars())
    }

    /// As [`Config::environment`], with these variables.
    ///
    /// # Errors
    /// As [`Config::environment`].
    pub fn variables(mut self, variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, ConfigError> {
        self.layers += 1;
        let mut mistakes = Vec::new();
        for (name, value) in variables {
            let Some(rest) =
                name.strip_prefix(PREFIX).filter(|rest| !OTHERS.iter().any(|other| rest.starts_with(other)))
            else {
                continue;
            };
            mistakes.extend(self.set(&path_of(rest), &value, name.clone()).err());
        }
        self.if_right(mistakes)
    }

    /// Takes arguments of the form `--retrial.service.drain=10s` over what was said before, and gives the others back.
    ///
    /// # Errors
    /// Every such argument that is no setting, or has an impossible value.
    pub fn arguments(
        mut self,
        arguments: impl IntoIterator<Item = String>,
    ) -> Result<(Self, Vec<String>), ConfigError> {
        self.layers += 1;
        let (mut mistakes, mut others) = (Vec::new(), Vec::new());
        for argument in arguments {
            match argument.strip_prefix(FLAG).and_then(|rest| rest.split_once('=')) {
                Some((path, value)) => {
                    mistakes.extend(self.set(path, value, format!("{FLAG}{path}")).err());
                }
                None => others.push(argument),
            }
        }
        Ok((self.if_right(mistakes)?, others))
    }

    fn if_right(self, mistakes: Vec<ConfigMistake>) -> Result<Self, ConfigError> {
        if mistakes.is_empty() { Ok(self) } else { Err(ConfigError(mistakes)) }
    }

    /// Takes one value in.
    pub(super) fn set(&mut self, path: &str, text: &str, place: String) -> Result<(), ConfigMistake> {
        if path.strip_prefix("properties.").is_some_and(|name| !name.is_empty()) {
            self.put(path, Value::Text(text.to_owned()), text, place);
            return Ok(());
        }
        let mistake = |place, why| ConfigMistake { place, key: path.to_owned(), value: Some(text.to_owned()), why };
        let Some(key) = known(path) else {
            let nearest = nearest(path).map_or_else(String::new, |near| format!("; the nearest is {near}"));
            return Err(mistake(place, format!("there is no such setting{nearest}")));
        };
        let Some(value) = key.form.read(text) else { return Err(mistake(place, format!("allowed is {}", key.form))) };
        self.put(path, value, text, place);
        Ok(())
    }

    fn put(&mut self, path: &str, value: Value, text: &str, place: String) {
        let setting = Setting { value, text: text.to_owned(), place, layer: self.layers };
        self.settings.insert(path.to_owned(), setting);
    }

    /// What was said, in the order in which it is to be applied.
    pub(crate) fn settings(&self) -> Vec<(&str, &Setting)> {
        let mut settings: Vec<_> = self.settings.iter().map(|(path, setting)| (&**path, setting)).collect();
        settings.sort_by_key(|(_, setting)| setting.layer);
        settings
    }
}

/// Values of client properties may be secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = |(path, setting): (&String, &Setting)| {
            let text = if path.starts_with("properties.") { "…" } else { &setting.text };
            format!("{path} = {text} ({})", setting.place)
        };
        f.debug_set().entries(self.settings.iter().map(shown)).finish()
    }
}

/// The setting of a path such as `service.drain` or `topics.orders.timeout`.
fn known(path: &str) -> Option<&'static Key> {
    let (keys, name) = match path.split_once('.') {
        None => (TOP, path),
        Some(("service", name)) => (SERVICE, name),
        // Names of topics may have dots.
        Some(("topics", rest)) => (TOPIC, rest.rsplit_once('.').filter(|(topic, _)| !topic.is_empty())?.1),
        Some(_) => return None,
    };
    keys.iter().find(|key| key.name == name)
}

/// The known path that is most like this one.
fn nearest(path: &str) -> Option<String> {
    let of_topics = path.strip_prefix("topics.").and_then(|rest| rest.rsplit_once('.'));
    let tables = ["properties", "service", "topics"].map(str::to_owned).into_iter();
    let top = TOP.iter().map(|key| key.name.to_owned());
    let service = SERVICE.iter().map(|key| format!("service.{}", key.name));
    let topics = TOPIC.iter().filter_map(|key| of_topics.map(|(topic, _)| format!("topics.{topic}.{}", key.name)));
    let like = |known: &String| strsim::jaro_winkler(path, known);
    let all = tables.chain(top).chain(service).chain(topics);
    all.max_by(|a, b| like(a).total_cmp(&like(b)))
}

/// The path of a variable, without what all begin with.
fn path_of(variable: &str) -> String {
    let plain = |text: &str| text.to_ascii_lowercase().replace('_', "-");
    if let Some(property) = variable.strip_prefix("PROPERTY_") {
        return format!("properties.{}", property.to_ascii_lowercase().replace('_', "."));
    }
    if let Some(rest) = variable.strip_prefix("TOPIC_").filter(|rest| *rest != "PREFIX") {
        let ends = |key: &&Key| rest.strip_suffix(&key.name.to_ascii_uppercase().replace('-', "_"));
        let split = TOPIC.iter().find_map(|key| Some((ends(&key)?.strip_suffix('_')?, key.name)));
        // Which topic is meant is known where the code's topics are.
        return split.map_or_else(|| format!("topics.{rest}"), |(topic, name)| format!("topics.${topic}.{name}"));
    }
    let name = plain(variable);
    if TOP.iter().any(|key| key.name == name) { name } else { format!("service.{name}") }
}

#[cfg(test)]
mod tests {
    use super::{super::example::example, *};

    fn read(text: &str) -> Result<Config, String> {
        let (mut config, mut mistakes) = (Config::new(), Vec::new());
        file::read(&mut config, "retrial.toml", text, &mut mistakes);
        config.if_right(mistakes).map_err(|error| error.to_string())
    }

    fn variable(name: &str, value: &str) -> [(String, String); 1] {
        [(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn the_example_file_is_made_of_the_settings_and_every_line_of_it_holds() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/docs/retrial.toml");
        if std::env::var_os("RETRIAL_WRITE_REFERENCE").is_some() {
            std::fs::write(path, example()).unwrap();
        }
        let written = std::fs::read_to_string(path).unwrap_or_default();
        assert!(
            written == example(),
            "src/docs/retrial.toml: RETRIAL_WRITE_REFERENCE=1 cargo test --lib the_example_file"
        );
        assert_eq!(read(&written).map(|config| config.settings.len()), Ok(0));
        let is_setting = |line: &str| line.starts_with("# ") && line.contains(" = ");
        let lines = written.lines().map(|line| if is_setting(line) { &line[2..] } else { line });
        let all = read(&lines.collect::<Vec<_>>().join("\n")).unwrap();
        assert_eq!(all.settings.len(), TOP.len() + SERVICE.len() + TOPIC.len() + 1, "{all:?}");
    }

    #[test]
    fn a_mistake_names_its_place_its_key_its_value_what_is_allowed_and_the_nearest_key() {
        let text = "bootstrap-servers = \"a:1\"\n[service]\ndrian = \"25s\"\ndrain = \"soon\"\n[topics.orders]\nconcurency = 5\n\
                    concurrency = 0\n";
        let said = read(text).unwrap_err();
        let expected = [
            "retrial.toml:1: bootstrap-servers = \"a:1\": there is no such setting; the nearest is bootstrap-server",
            "retrial.toml:3: service.drian = \"25s\": there is no such setting; the nearest is service.drain",
            "retrial.toml:4: service.drain = \"soon\": allowed is a time such as 500ms, 25s, 10m or 6h, from 0ns to 3600s",
            "retrial.toml:6: topics.orders.concurency = \"5\": there is no such setting; the nearest is topics.orders.concurrency",
            "retrial.toml:7: topics.orders.concurrency = \"0\": allowed is a number from 1 to 1000000",
        ];
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        assert_eq!(lines, expected);
        assert_eq!(read("service = 1").unwrap_err(), "retrial.toml:1: service: it is a table");
        assert!(read("[properties]\n\"sasl.password\" = hunter2").is_err_and(|said| !said.contains("hunter2")));
    }

    #[test]
    fn later_layers_win_and_it_is_remembered_who_said_it() {
        let file = read(
            "bootstrap-server = \"a:1\"\n[service]\ndrain = \"25s\"\n[topics.\"orders.v1\"]\nretry = [\"5s\", \"1h x 3\"]",
        );
        let config = file.unwrap().variables(variable("RETRIAL_DRAIN", "10s")).unwrap();
        let config = config.variables(variable("RETRIAL_PROPERTY_SASL_PASSWORD", "hunter2")).unwrap();
        let given = ["--retrial.service.memory=1GiB", "--verbose"].map(str::to_owned);
        let (config, others) = config.arguments(given).unwrap();
        assert_eq!(others, ["--verbose"]);
        let said = |path: &str| config.settings.get(path).map(|setting| (&*setting.text, &*setting.place));
        assert_eq!(said("bootstrap-server"), Some(("a:1", "retrial.toml:1")));
        assert_eq!(said("service.drain"), Some(("10s", "RETRIAL_DRAIN")));
        assert_eq!(said("service.memory"), Some(("1GiB", "--retrial.service.memory")));
        assert_eq!(said("topics.orders.v1.retry"), Some(("5s, 1h x 3", "retrial.toml:5")));
        assert!(!format!("{config:?}").contains("hunter2"));
    }

    #[test]
    fn unknown_variables_and_arguments_are_mistakes() {
        let said = Config::new().variables(variable("RETRIAL_DRIAN", "1s")).unwrap_err().to_string();
        assert_eq!(
            said,
            "RETRIAL_DRIAN: service.drian = \"1s\": there is no such setting; the nearest is service.drain"
        );
        assert!(Config::new().variables(variable("RETRIAL_CONFIG", "a")).unwrap().settings.is_empty());
        assert!(Config::new().arguments(["--retrial.service.drain=x".to_owned()]).is_err());
        let topic = Config::new().variables(variable("RETRIAL_TOPIC_ORDERS_V1_IN_PLACE_TRIES", "3")).unwrap();
        assert!(topic.settings.contains_key("topics.$ORDERS_V1.in-place-tries"));
    }
}
