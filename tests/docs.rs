//! What the guides and the README say of this repository is so.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn sources(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder of sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// The names of all tests: functions behind a test attribute, or within `proptest!`, where the attribute is, too.
fn tests() -> BTreeSet<String> {
    let mut files = Vec::new();
    for folder in ["src", "retry", "tests"] {
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut files);
    }
    files.iter().flat_map(|file| tests_in(&fs::read_to_string(file).expect("a source"))).collect()
}

fn tests_in(source: &str) -> Vec<String> {
    let (mut names, mut is_test) = (Vec::new(), false);
    for line in source.lines().map(str::trim) {
        let function = line.strip_prefix("async fn ").or_else(|| line.strip_prefix("fn "));
        match function.and_then(|rest| rest.split('(').next()) {
            Some(name) if std::mem::take(&mut is_test) => names.push(name.to_owned()),
            Some(_) => {}
            None => is_test |= line == "#[test]" || line.starts_with("#[tokio::test"),
        }
    }
    names
}

/// What a line of a table says in code.
fn code(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// Whether this is the name of a test, which is a sentence. A command has spaces.
fn is_sentence(code: &str) -> bool {
    code.matches('_').count() > 1 && !code.contains(' ')
}

#[test]
fn the_design_page_names_tests_that_exist() {
    let (page, tests) = (read("src/docs/design.md") + &read("src/docs/testing.md"), tests());
    assert!(tests.len() > 200, "{} tests: is this the repository?", tests.len());
    let named: BTreeSet<&str> = page.lines().flat_map(code).filter(|code| is_sentence(code)).collect();
    assert!(named.len() > 50, "{} tests are named", named.len());
    let missing: Vec<_> = named.iter().filter(|&&name| !tests.contains(name)).collect();
    assert!(missing.is_empty(), "there are no such tests: {missing:?}");
}

#[test]
fn every_promise_and_every_rule_has_its_tests_or_says_that_they_are_missing() {
    let page = read("src/docs/design.md");
    for (header, rows) in [("| promise | shown by |", 10), ("| n | the hole |", 29)] {
        let (_, table) = page.split_once(header).expect("the table");
        let table: Vec<&str> = table.lines().skip(2).take_while(|line| line.starts_with('|')).collect();
        assert_eq!(table.len(), rows, "{header}");
        for line in table {
            assert!(code(line).any(is_sentence) || line.contains("not yet"), "{line}");
        }
    }
}

#[test]
fn the_readme_names_examples_and_folders_that_exist() {
    let readme = read("README.md");
    let (_, table) = readme.split_once("| folder | holds |").expect("the table of folders");
    for line in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let mut named = code(line);
        let folder = named.next().expect("a folder");
        assert!(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).exists(), "{folder}");
        if folder == "examples/" {
            let given: BTreeSet<String> = named.map(str::to_owned).collect();
            let there = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).expect("examples").flatten();
            let there = there.filter_map(|entry| Some(entry.path().file_stem()?.to_str()?.to_owned()));
            assert_eq!(given, there.collect());
        }
    }
}

#[test]
fn a_test_is_a_function_behind_its_attribute() {
    let source = "#[test]\nfn one() {}\nfn two() {}\n#[tokio::test(start_paused = true)]\nasync fn three() {}\n\
                  proptest! {\n    #[test]\n    fn four(\n        x in 0..1) {}\n}\n#[test]\n#[cfg(unix)]\nfn five() {}\n";
    assert_eq!(tests_in(source), ["one", "three", "four", "five"]);
}
