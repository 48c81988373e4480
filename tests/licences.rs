//! All that is compiled into retrial may be used in closed products: every dependency, on every platform and with every
//! feature, offers a permissive licence. (librdkafka, inside rdkafka-sys, is BSD-2-Clause.)

use std::process::Command;

use serde_json::Value;

const PERMISSIVE: &[&str] = &[
    "0BSD",
    "Apache-2.0",
    "Apache-2.0 WITH LLVM-exception",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "ISC",
    "MIT",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Packages with another licence, looked at one by one: name and licence.
const OTHERS: &[(&str, &str)] = &[];

#[test]
fn every_dependency_is_permissive() {
    let packages = packages();
    assert!(packages.len() > 50, "{} packages: is this the workspace?", packages.len());
    let refused: Vec<String> = packages.iter().filter_map(refusal).collect();
    assert!(refused.is_empty(), "not permissive:\n{}", refused.join("\n"));
}

fn refusal(package: &Value) -> Option<String> {
    let name = package["name"].as_str().unwrap_or_default();
    let licence = package["license"].as_str().unwrap_or("no licence");
    let is_good = Expression::new(licence).permits() || OTHERS.contains(&(name, licence));
    (!is_good).then(|| format!("{name} {}: {licence}", package["version"].as_str().unwrap_or_default()))
}

/// The packages for all platforms; where they cannot be fetched, those for this one.
fn packages() -> Vec<Value> {
    let here = || metadata(&["--offline", "--filter-platform", &host()]);
    let packages = metadata(&[]).or_else(|reason| here().map_err(|again| format!("{reason}\n{again}")));
    packages.unwrap_or_else(|reason| panic!("{reason}"))
}

fn metadata(arguments: &[&str]) -> Result<Vec<Value>, String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--all-features", "--locked"]).args(arguments);
    let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let metadata: Value = serde_json::from_slice(&output.stdout).map_err(|error| error.to_string())?;
    metadata["packages"].as_array().cloned().ok_or_else(|| "no packages".to_owned())
}

fn host() -> String {
    let rustc = Command::new("rustc").arg("-vV").output().expect("a compiler");
    let text = String::from_utf8_lossy(&rustc.stdout);
    text.lines().find_map(|line| line.strip_prefix("host: ")).expect("a host").to_owned()
}

/// An SPDX expression, read left to right: `AND` binds closer than `OR`, and packages from before 2018 write `/` for `OR`.
struct Expression<'a> {
    words: Vec<&'a str>,
    at: usize,
}

impl<'a> Expression<'a> {
    fn new(text: &'a str) -> Self {
        let mut words = Vec::new();
        for mut word in text.split_whitespace() {
            while let Some(end) = word.find(['(', ')', '/']) {
                words.extend([&word[..end], &word[end..=end]]);
                word = &word[end + 1..];
            }
            words.push(word);
        }
        words.retain(|word| !word.is_empty());
        Self { words, at: 0 }
    }

    /// What is not an expression is not permissive.
    fn permits(mut self) -> bool {
        let is_permissive = self.any();
        is_permissive && self.at == self.words.len()
    }

    fn any(&mut self) -> bool {
        let mut is_permissive = self.all();
        while self.skip("OR") || self.skip("/") {
            is_permissive |= self.all();
        }
        is_permissive
    }

    fn all(&mut self) -> bool {
        let mut is_permissive = self.one();
        while self.skip("AND") {
            is_permissive &= self.one();
        }
        is_permissive
    }

    fn one(&mut self) -> bool {
        if self.skip("(") {
            let inner = self.any();
            return self.skip(")") && inner;
        }
        let Some(name) = self.words.get(self.at).copied() else { return false };
        self.at += 1;
        if self.skip("WITH") {
            let exception = self.words.get(self.at).copied().unwrap_or_default();
            self.at += 1;
            return PERMISSIVE.contains(&format!("{name} WITH {exception}").as_str());
        }
        PERMISSIVE.contains(&name)
    }

    fn skip(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at) == Some(&word);
        self.at += usize::from(is_next);
        is_next
    }
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let is_permissive = |text| Expression::new(text).permits();
    for good in [
        "MIT",
        "MIT/Apache-2.0",
        "Apache-2.0 / MIT",
        "(MIT OR Apache-2.0) AND Unicode-3.0",
        "Apache-2.0 WITH LLVM-exception OR GPL-2.0",
        "MIT OR Apache-2.0 OR LGPL-2.1-or-later",
        "GPL-3.0 AND MIT OR ISC",
    ] {
        assert!(is_permissive(good), "{good}");
    }
    for bad in [
        "",
        "no licence",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(MIT OR Apache-2.0) AND AGPL-3.0",
        "GPL-2.0 WITH LLVM-exception",
        "Apache-2.0 WITH Something",
        "(MIT",
        "MIT GPL-3.0",
        "MIT AND",
    ] {
        assert!(!is_permissive(bad), "{bad}");
    }
}
