//! What compiles and what does not. A wrong handler must be told by its message, so every file in `compile/fail` is one
//! mistake and says in its first lines what the compiler answers:
//!
//! - `//# error:` every error, in order, and there are no others;
//! - `//# says:` a label, note or help of them, among others.
//!
//! The files in `compile/pass` compile without a word. This is not `trybuild`, because that builds all dependencies
//! twice more, a C library among them, and pins whole messages, which differ from compiler to compiler.

#![allow(clippy::unwrap_used, reason = "a test may panic, also in what is around it")]

use serde_json::Value;
use std::{
    env, fs,
    path::{Path, PathBuf},
    process::Command,
};

/// What the compiler says of one file.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    errors: Vec<String>,
    remarks: Vec<String>,
}

/// The compiler with the crates that this test was built with, as `cargo` names them.
struct Compiler {
    externs: Vec<String>,
    dependencies: PathBuf,
    out: PathBuf,
}

impl Compiler {
    fn new() -> Self {
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["test", "--no-run", "--quiet", "--message-format=json", "--test=compile", "--package=retrial"]);
        let output = cargo.current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines = std::str::from_utf8(&output.stdout).unwrap().lines();
        let externs: Vec<String> = lines.filter_map(library).collect();
        let dependencies = env::current_exe().unwrap().parent().unwrap().to_owned();
        Self { externs, dependencies, out: PathBuf::from(env!("CARGO_TARGET_TMPDIR")) }
    }

    fn compile(&self, file: &Path) -> Answer {
        let mut rustc = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.args(["--edition=2024", "--crate-type=bin", "--emit=metadata", "--error-format=json", "-Adead_code"]);
        rustc.arg("-L").arg(format!("dependency={}", self.dependencies.display()));
        rustc.arg("--out-dir").arg(&self.out).arg(file);
        rustc.args(self.externs.iter().flat_map(|library| ["--extern", library]));
        let output = rustc.output().unwrap();
        let mut answer = Answer::default();
        for line in String::from_utf8(output.stderr).unwrap().lines() {
            answer.add(&serde_json::from_str(line).unwrap_or_else(|_| panic!("the compiler said {line}")));
        }
        assert_eq!(output.status.success(), answer.errors.is_empty(), "{}: {answer:?}", file.display());
        answer
    }
}

/// `name=path` of a library that the examples use, from one message of `cargo`.
fn library(message: &str) -> Option<String> {
    let message: Value = serde_json::from_str(message).ok()?;
    let name = message["target"]["name"].as_str()?;
    let used = matches!(name, "retrial" | "bytes" | "serde" | "anyhow");
    let is_library = message["target"]["kind"].as_array()?.iter().any(|kind| kind == "lib");
    let built =
        message["filenames"].as_array()?.iter().filter_map(Value::as_str).find(|file| file.ends_with(".rlib"))?;
    (used && is_library && message["profile"]["test"] == false).then(|| format!("{name}={built}"))
}

impl Answer {
    fn add(&mut self, message: &Value) {
        let text = plain(message["message"].as_str().unwrap_or_default());
        if message["level"] == "error" && !text.starts_with("aborting due to") {
            self.errors.push(text);
        } else if message["level"] == "warning" {
            self.errors.push(format!("warning: {text}"));
        }
        let list = |key: &str| message[key].as_array().cloned().unwrap_or_default();
        let labels = list("spans").into_iter().map(|span| span["label"].clone());
        let children = list("children").into_iter().map(|child| child["message"].clone());
        self.remarks.extend(labels.chain(children).filter_map(|text| text.as_str().map(plain)));
    }

    /// What a file says that the compiler will say.
    fn expected(source: &str) -> Self {
        let lines = |kind: &str| source.lines().filter_map(|line| line.strip_prefix(kind)).map(str::to_owned).collect();
        Self { errors: lines("//# error: "), remarks: lines("//# says: ") }
    }
}

/// The compiler writes `retrial::Record` in full as soon as any crate that is loaded has another public `Record`.
fn plain(text: &str) -> String {
    text.replace("retrial::", "")
}

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/compile").join(folder);
    let mut files: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn right_handlers_compile_and_wrong_ones_are_told_by_their_message() {
    let compiler = Compiler::new();
    assert_eq!(compiler.externs.len(), 4, "{:?}", compiler.externs);
    let mut wrong = Vec::new();
    for file in files("pass").into_iter().chain(files("fail")) {
        let expected = Answer::expected(&fs::read_to_string(&file).unwrap());
        assert_eq!(expected.errors.is_empty(), file.parent().unwrap().ends_with("pass"), "{}", file.display());
        let answer = compiler.compile(&file);
        let missing: Vec<_> = expected.remarks.iter().filter(|remark| !answer.remarks.contains(remark)).collect();
        if answer.errors != expected.errors || !missing.is_empty() {
            wrong.push(format!("{}: {answer:#?}\nexpected {expected:#?}", file.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
