//! What the header of an example promises, and whether it was printed.

/// The lines that the header promises. `None`: it promises nothing.
pub(crate) fn promised(source: &str) -> Option<Vec<&str>> {
    let header =
        source.lines().map_while(|line| line.strip_prefix("//!")).map(|line| line.strip_prefix(' ').unwrap_or(line));
    let mut block = header.skip_while(|line| *line != "# Prints").skip_while(|line| *line != "```text").skip(1);
    let lines: Vec<&str> = block.by_ref().take_while(|line| *line != "```").collect();
    (!lines.is_empty()).then_some(lines)
}

/// The first promised line that was not printed behind the ones before it.
pub(crate) fn missing<'a>(promised: &[&'a str], printed: &str) -> Option<&'a str> {
    let mut printed = printed.lines();
    promised.iter().find(|line| !printed.any(|printed| matches(line, printed))).copied()
}

/// Whether a line is as promised, with anything for each `…`.
fn matches(promised: &str, line: &str) -> bool {
    match promised.split_once('…') {
        None => promised == line,
        Some((start, rest)) => line.strip_prefix(start).is_some_and(|tail| {
            tail.char_indices().map(|(at, _)| at).chain([tail.len()]).any(|at| matches(rest, &tail[at..]))
        }),
    }
}

#[test]
fn a_header_promises_lines() {
    let source = "//! Title.\n//!\n//! # Prints\n//! ```text\n//! one\n//!   two\n//! ```\n\nfn main() {}\n";
    assert_eq!(promised(source), Some(vec!["one", "  two"]));
    assert_eq!(promised("//! Title.\n//! ```text\n//! one\n//! ```\n"), None);
    assert_eq!(promised("//! # Prints\n//! ```text\n//! ```\n"), None);
}

#[test]
fn lines_are_found_in_their_order_with_others_between() {
    let printed = "a\nnoise\nb took 12 ms\nc\n";
    assert_eq!(missing(&["a", "b took … ms", "c"], printed), None);
    assert_eq!(missing(&["b took … ms", "a"], printed), Some("a"));
    assert_eq!(missing(&["a", "a"], printed), Some("a"));
    assert_eq!(missing(&["b took … s"], printed), Some("b took … s"));
    assert!(matches("…", "") && matches("x…y…z", "x1y2y3z") && !matches("x…y", "xyz"));
}
