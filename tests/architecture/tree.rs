//! The workspace's Rust files.

use std::{fs, path::Path};

use crate::masked::Masked;

/// One file.
pub(crate) struct File {
    /// From the workspace's root, with slashes.
    pub(crate) path: String,
    /// Without comments and literals.
    pub(crate) all_code: Masked,
    /// Without tests, too.
    pub(crate) code: Masked,
    /// Compiled for tests only.
    pub(crate) is_test: bool,
}

impl File {
    pub(crate) fn is_below(&self, folder: &str) -> bool {
        self.path.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'))
    }
}

/// All Rust files in `folders` of the workspace.
pub(crate) fn read(root: &Path, folders: &[&str]) -> Vec<File> {
    let mut sources = Vec::new();
    for folder in folders {
        collect(root, folder, &mut sources);
    }
    from_sources(sources)
}

pub(crate) fn from_sources(sources: Vec<(String, String)>) -> Vec<File> {
    let file = |(path, source): (String, String)| File {
        path,
        all_code: Masked::new(&source),
        code: Masked::new(&source).without_tests(),
        is_test: false,
    };
    let mut files: Vec<File> = sources.into_iter().map(file).collect();
    let tests: Vec<String> = files.iter().flat_map(test_files).collect();
    for file in &mut files {
        file.is_test = tests.iter().any(|test| file.path == format!("{test}.rs") || file.is_below(test));
    }
    files
}

/// Where the modules of a file lie that only tests compile, without `.rs`.
fn test_files(file: &File) -> Vec<String> {
    let module = file.path.trim_end_matches(".rs");
    let folder = ["/mod", "/lib", "/main"].iter().find_map(|root| module.strip_suffix(root)).unwrap_or(module);
    file.all_code.test_modules().into_iter().map(|name| format!("{folder}/{name}")).collect()
}

fn collect(root: &Path, folder: &str, sources: &mut Vec<(String, String)>) {
    // Some folders come later in the project's life.
    let Ok(entries) = fs::read_dir(root.join(folder)) else { return };
    let mut names: Vec<_> = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok()).collect();
    names.sort();
    for name in names {
        let path = format!("{folder}/{name}");
        if root.join(&path).is_dir() {
            collect(root, &path, sources);
        } else if name.ends_with(".rs") {
            let source = fs::read_to_string(root.join(&path)).unwrap_or_else(|error| panic!("{path}: {error}"));
            sources.push((path, source));
        }
    }
}
