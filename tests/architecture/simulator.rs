//! What runs in the simulator is what runs on Kafka: only the ports differ.

use crate::{rules::Violations, tree::File};
use std::{fs, path::Path};

/// Where the program may know that there is a simulator: its modules are declared there, and nothing else.
const DECLARES: &[&str] = &["src/lib.rs", "src/broker/mod.rs", "src/guide.rs"];

/// The simulator itself, and what lets members live in it.
const SIMULATOR: &[&str] = &["src/broker/sim", "src/testkit"];

/// Where the deliberate faults are switched.
const SABOTEURS: &[&str] = &["retry/src/saboteur.rs", "src/runtime/saboteur.rs"];

/// What a service is made of, and where it is defined, once.
const PARTS: &[(&str, &str)] = &[
    ("Engine", "retry/src/engine/mod.rs"),
    ("Ledger", "retry/src/ledger/mod.rs"),
    ("Driver", "src/runtime/driver.rs"),
    ("Crew", "src/runtime/crew.rs"),
    ("Worker", "src/runtime/worker.rs"),
    ("Permits", "src/runtime/permit.rs"),
];

/// Whether a line compiles something for this feature only.
fn depends_on(line: &str, feature: &str) -> bool {
    line.contains("cfg") && line.contains(&format!("feature = \"{feature}\""))
}

/// Code that would be another in the simulator than on Kafka, and copies of what must be the real thing.
pub(crate) fn differences(root: &Path, files: &[File]) -> Violations {
    let mut violations = Violations::new();
    for file in files {
        let source = fs::read_to_string(root.join(&file.path)).unwrap_or_default();
        let is_simulator = SIMULATOR.iter().any(|folder| file.is_below(folder));
        for (number, line) in (1..).zip(source.lines()) {
            let mut refuse = |why: &str| {
                violations.insert(format!("{}:{number}: {why}", file.path));
            };
            if depends_on(line, "testkit") && !is_simulator && !DECLARES.contains(&&*file.path) {
                refuse("is compiled differently for the simulator");
            }
            if depends_on(line, "saboteurs") && !is_simulator && !SABOTEURS.contains(&&*file.path) {
                refuse("depends on saboteurs without asking `sabotaged`");
            }
            for (part, home) in PARTS {
                if defines(line, part) && file.path != *home {
                    refuse(&format!("another `{part}` than the one in {home}"));
                }
            }
        }
    }
    violations
}

/// Whether a line begins the definition of a type of this name.
fn defines(line: &str, name: &str) -> bool {
    let Some((_, rest)) = line.split_once("struct ") else { return false };
    rest.strip_prefix(name).is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric() || next == '_'))
}

/// The parts that a file makes a member of.
pub(crate) fn makes_members_of(root: &Path, path: &str) -> Vec<&'static str> {
    let source = fs::read_to_string(root.join(path)).unwrap_or_default();
    let made = |part: &&str| source.contains(&format!("{part}::new(")) || source.contains(&format!("{part}::start("));
    ["Engine", "Driver", "Crew"].into_iter().filter(made).collect()
}

#[test]
fn a_copy_is_told_from_a_use() {
    assert!(defines("pub(crate) struct Driver<S, K> {", "Driver") && defines("struct Crew;", "Crew"));
    assert!(!defines("struct DriverOptions {", "Driver") && !defines("let driver = Driver::new(parts);", "Driver"));
    assert!(depends_on("#[cfg(feature = \"testkit\")]", "testkit"));
    assert!(!depends_on("//! needs the feature = \"testkit\"", "testkit"));
}
