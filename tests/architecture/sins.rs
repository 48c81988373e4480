//! Each rule finds what it forbids, and nothing else: these are its own tests.

use crate::{
    masked::Masked,
    rules::{self, Violations},
    tree::{File, from_sources},
    words::{Function, functions, paths},
};

fn tree(sources: &[(&str, &str)]) -> Vec<File> {
    from_sources(sources.iter().map(|(path, source)| ((*path).to_owned(), (*source).to_owned())).collect())
}

fn assert_found(violations: &Violations, starts: &[&str]) {
    let found: Vec<&str> = violations.iter().map(String::as_str).collect();
    let as_expected =
        found.len() == starts.len() && found.iter().zip(starts).all(|(one, start)| one.starts_with(start));
    assert!(as_expected, "expected {starts:?}, found {found:#?}");
}

#[test]
fn upward_sideways_and_unknown_imports_are_found() {
    let files = tree(&[
        ("src/lib.rs", "pub use app::App; use crate::anything::At;"),
        (
            "src/record.rs",
            "use crate::reason::Reason;\nuse crate::{\n    reason::{self as r, Other},\n    app::App,\n};",
        ),
        ("src/broker/mod.rs", "use crate::record::Record;\nfn f() -> super::app::App { todo() }"),
        ("src/broker/kafka/mod.rs", "use super::{Source, sim::Group};"),
        (
            "src/broker/kafka/ffi/mod.rs",
            "use super::super::{super::record::Batch, Waker}; use super::super::super::cli::Table;",
        ),
        ("src/runtime/driver.rs", "use crate::broker::{Source, kafka::Consumer};"),
        ("src/app.rs", "use crate::novelty::New;\nuse crate::Record;"),
    ]);
    assert_found(
        &rules::imports(&files),
        &[
            "src/app.rs:1: `novelty` has no level",
            "src/app.rs:2: names `crate::Record` of the crate's root",
            "src/broker/kafka/ffi/mod.rs:1: `broker::kafka` (level 3) imports `cli`",
            "src/broker/kafka/mod.rs:1: `broker::kafka` (level 3) imports `broker::sim` (level 3)",
            "src/broker/mod.rs:2: `broker` (level 2) imports `app`",
            "src/record.rs:4: `record` (level 1) imports `app` (level 6)",
            "src/runtime/driver.rs:1: `runtime` must not import `broker::kafka`",
        ],
    );
}

#[test]
fn imports_in_tests_comments_literals_and_visibilities_do_not_count() {
    let files = tree(&[
        ("src/record.rs", "// use crate::app::App;\n/* crate::app /* crate::cli */ */ const A: &str = \"crate::app\";"),
        (
            "src/error.rs",
            "#[cfg(test)]\nmod tests { use crate::app::App; fn f() { let _ = '}'; } }\n#[cfg(test)] mod testing;",
        ),
        ("src/error/testing.rs", "use crate::app::App;"),
        (
            "src/metrics.rs",
            "const B: &str = r#\"\" crate::app\"#; fn f<'a>(a: &'a str) { let _ = ('\"', b'\\'', \"\\\"crate::app\"); }",
        ),
        (
            "src/broker/kafka/mod.rs",
            "pub(in crate::broker) struct S; mod inner { use super::Sibling; use super::super::Waker; }",
        ),
    ]);
    assert_found(&rules::imports(&files), &[]);
}

#[test]
fn a_known_violation_is_let_through_until_it_is_gone() {
    let path = "src/extract/arguments.rs";
    assert_found(&rules::imports(&tree(&[(path, "crate::handler::for_each_arity!(arguments);")])), &[]);
    assert_found(&rules::imports(&tree(&[(path, "")])), &["src/extract/arguments.rs: no longer names `handler`"]);
}

#[test]
fn reserved_paths_are_found_outside_their_place() {
    let files = tree(&[
        ("src/broker/kafka/consumer.rs", "use rdkafka::ClientConfig; use rdkafka_sys as sys;"),
        ("src/service.rs", "fn f() { rdkafka::util::get(); }"),
        ("src/runtime.rs", "use std::time::Instant;"),
        ("retry/src/gate.rs", "use std::time::Duration;\nuse std::{collections::VecDeque, time::{Duration, Instant}};"),
        (
            "retry/src/pace.rs",
            "#[cfg(test)] mod tests { use std::time::Instant; }\nfn f() { std::thread::yield_now() }",
        ),
    ]);
    assert_found(
        &rules::reserved(&files),
        &[
            "retry/src/gate.rs:2: `std::time::Instant`",
            "retry/src/pace.rs:2: `std::thread`",
            "src/service.rs:1: `rdkafka`",
        ],
    );
}

#[test]
fn unsafe_is_found_outside_its_folder_also_in_tests() {
    let files = tree(&[
        ("src/broker/kafka/ffi/queue.rs", "unsafe impl Send for Queue {}"),
        (
            "src/broker/kafka/queue.rs",
            "#![forbid(unsafe_code)]\n// unsafe\n#[cfg(test)] mod tests { fn f() { unsafe { g() } } }",
        ),
    ]);
    assert_found(&rules::unsafe_code(&files), &["src/broker/kafka/queue.rs:3: `unsafe` outside"]);
}

#[test]
fn what_is_too_large_is_found() {
    let long = format!("fn long() {{\n{}}}\n", "    call();\n\n    // why\n".repeat(58));
    let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "fn f() {}\n".repeat(500));
    let good = format!("{long}{tests}");
    let bad = long.replace("fn long", "fn longer").replace("    call();", "    call(\n    );");
    let large = "fn f() {}\n".repeat(401);
    let files = tree(&[("src/a.rs", &good), ("src/b.rs", &bad), ("src/c.rs", &large)]);
    assert_found(
        &rules::sizes(&files),
        &["src/b.rs:1: `longer` has 118 lines of code, more than 60", "src/c.rs:1: 401 lines of code, more than 400"],
    );
    assert_found(&rules::median(&files), &[]);
    assert_found(&rules::median(&tree(&[("src/c.rs", &large)])), &["the median file has 401 lines"]);
}

#[test]
fn empty_names_are_found() {
    let files = tree(&[("src/utils.rs", ""), ("src/helpers/record.rs", ""), ("src/commons.rs", "")]);
    assert_found(&rules::names(&files), &["src/helpers/record.rs:1: the name", "src/utils.rs:1: the name"]);
}

#[test]
fn use_trees_are_spelled_out() {
    let masked = Masked::new("use crate::{a::{self, b::*}, c as d, e};\nfn f() { crate::g::H::<u8>::new(&crate::i) }");
    let found: Vec<_> =
        paths(&masked, &["crate"]).into_iter().map(|path| (path.segments.join("::"), path.line)).collect();
    let expected = [
        ("crate::a::self", 1),
        ("crate::a::b::*", 1),
        ("crate::c", 1),
        ("crate::e", 1),
        ("crate::g::H::<", 2),
        ("crate::i", 2),
    ];
    assert_eq!(found, expected.map(|(path, line)| (path.to_owned(), line)));
}

#[test]
fn functions_are_measured_from_signature_to_brace() {
    let masked =
        Masked::new("trait T { fn none(&self, f: fn(u8)); }\nfn two<F>(f: F) -> [u8; 2]\nwhere F: Fn() {\n\n}\n");
    let two = Function { name: "two".to_owned(), line: 2, code_lines: 3 };
    assert_eq!(functions(&masked), [two]);
}
