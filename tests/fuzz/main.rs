//! Every committed input of the fuzzer's corpora holds what its target checks. The checks are the fuzzer's own.

#[path = "src/lib.rs"]
mod checks;

use std::{
    fs, panic,
    path::{Path, PathBuf},
};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus")
}

#[test]
fn every_corpus_has_its_target_and_every_target_its_corpus() {
    let folders: Vec<PathBuf> = files(&corpus());
    let names: Vec<_> = folders.iter().filter_map(|folder| folder.file_name()?.to_str()).collect();
    let targets: Vec<_> = checks::TARGETS.iter().map(|(name, _)| *name).collect();
    assert_eq!(names, targets);
    for folder in folders {
        let inputs = files(&folder).len();
        assert!(inputs >= 20, "{}: {inputs} inputs", folder.display());
    }
}

#[test]
fn every_input_of_the_corpora_holds() {
    let mut failed = Vec::new();
    for (target, check) in checks::TARGETS {
        for file in files(&corpus().join(target)) {
            let bytes = fs::read(&file).expect("an input");
            if panic::catch_unwind(|| check(&bytes)).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "these inputs break their check, as told above: {failed:#?}");
}

#[test]
fn an_empty_input_holds_everywhere() {
    checks::TARGETS.iter().for_each(|(_, check)| check(&[]));
}
