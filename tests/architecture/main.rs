//! The architecture as tests: who imports whom, how large things are, where `unsafe` is, what names say.
//!
//! The design page draws the levels; `levels.rs` has them as data. A violation is printed as `file:line: why`.

mod levels;
mod masked;
mod rules;
mod simulator;
mod sins;
mod tree;
mod words;

use std::path::Path;

use rules::Violations;
use tree::File;

/// What the project is made of.
const SOURCES: &[&str] = &["src", "retry/src"];
/// The rest of its Rust, where `unsafe` and empty names are no better.
const OTHERS: &[&str] = &["retry/tests", "tests", "examples", "benches"];

fn files(folders: &[&str]) -> Vec<File> {
    tree::read(Path::new(env!("CARGO_MANIFEST_DIR")), folders)
}

fn assert_none(violations: &Violations) {
    let lines: Vec<&str> = violations.iter().map(String::as_str).collect();
    assert!(violations.is_empty(), "{} violations:\n{}", lines.len(), lines.join("\n"));
}

#[test]
fn a_module_imports_lower_levels_only() {
    assert_none(&rules::imports(&files(SOURCES)));
}

#[test]
fn only_the_adapter_names_the_client_library_and_decisions_are_pure() {
    assert_none(&rules::reserved(&files(SOURCES)));
}

#[test]
fn files_and_functions_are_small() {
    let files = files(SOURCES);
    assert!(files.len() > 20, "found {} files: is this the workspace?", files.len());
    assert_none(&rules::sizes(&files));
    assert_none(&rules::median(&files));
}

#[test]
fn unsafe_is_in_one_folder() {
    assert_none(&rules::unsafe_code(&files(&[SOURCES, OTHERS].concat())));
}

#[test]
fn names_say_what_is_inside() {
    assert_none(&rules::names(&files(&[SOURCES, OTHERS].concat())));
}

#[test]
fn the_simulator_runs_the_real_service_on_other_ports() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert_none(&simulator::differences(root, &files(SOURCES)));
    let parts = ["Engine", "Driver", "Crew"];
    for maker in ["src/service/assembly.rs", "src/testkit/member.rs"] {
        assert_eq!(simulator::makes_members_of(root, maker), parts, "{maker}");
    }
}
