//! The file of `--config`, in one of two [forms].

mod forms;

use super::end::Trouble;
pub(super) use forms::{Settings, property};
use std::{fs, path::Path};

impl Settings {
    /// Reads a file. What is said against it never shows a value: it may be a secret.
    pub(super) fn read(path: &Path) -> Result<Self, Trouble> {
        let named = |why: String| Trouble::usage(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        // As editors on Windows write it.
        let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
        let is_toml = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("toml"));
        let settings = if is_toml { forms::from_toml(text) } else { forms::from_properties(text) };
        settings.map_err(named)
    }
}
