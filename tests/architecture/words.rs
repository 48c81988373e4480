//! What code names: paths with their lines, and functions with their lengths.

use crate::masked::{Masked, is_word};

/// A word or a punctuation mark, and where it begins.
#[derive(Clone, Copy)]
struct Token<'a> {
    text: &'a str,
    at: usize,
}

/// A path as it is written, from `crate`, `super` or the name of a crate on, with use-trees spelled out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) segments: Vec<String>,
    pub(crate) line: usize,
    /// Modules within the file that it is written in.
    pub(crate) inline_modules: usize,
}

/// A function and how many lines of code it has.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function {
    pub(crate) name: String,
    pub(crate) line: usize,
    pub(crate) code_lines: usize,
}

fn tokens(masked: &Masked) -> Vec<Token<'_>> {
    let text = str::from_utf8(masked.as_bytes()).expect("masking keeps text valid");
    let mut tokens = Vec::new();
    let mut at = 0;
    while at < text.len() {
        let rest = &text[at..];
        let length = match rest.bytes().take_while(|byte| is_word(*byte)).count() {
            0 if rest.starts_with("::") => 2,
            0 => 1,
            word => word,
        };
        if !rest[..length].trim().is_empty() {
            tokens.push(Token { text: &rest[..length], at });
        }
        at += length;
    }
    tokens
}

/// Every path that begins with one of `roots`.
pub(crate) fn paths(masked: &Masked, roots: &[&str]) -> Vec<Path> {
    let tokens = tokens(masked);
    let text = |index: usize| tokens.get(index).map_or("", |token| token.text);
    let mut found = Vec::new();
    let mut inline_modules = Vec::new();
    for (index, token) in tokens.iter().enumerate() {
        if token.text == "mod" && text(index + 2) == "{" {
            inline_modules.push(masked.closing_brace(tokens[index + 2].at));
        }
        let is_root = roots.contains(&token.text) && text(index + 1) == "::";
        // Behind `::` it is a part of a longer path; `pub(in crate::…)` imports nothing.
        let before = index.checked_sub(1).map_or("", text);
        if is_root && before != "::" && before != "in" {
            let mut trees = Vec::new();
            tree(&tokens, index, &mut Vec::new(), &mut trees);
            let inline_modules = inline_modules.iter().filter(|end| token.at < **end).count();
            let line = |at| masked.line(at);
            found.extend(trees.into_iter().map(|(segments, at)| Path { segments, line: line(at), inline_modules }));
        }
    }
    found
}

/// Reads the use-tree at `index`, and returns the index behind it.
fn tree(
    tokens: &[Token<'_>],
    mut index: usize,
    prefix: &mut Vec<String>,
    found: &mut Vec<(Vec<String>, usize)>,
) -> usize {
    let length = prefix.len();
    let at = tokens[index].at;
    while let Some(token) = tokens.get(index) {
        index += 1;
        if token.text == "{" {
            while tokens.get(index).is_some_and(|token| token.text != "}") {
                index = if tokens[index].text == "," { index + 1 } else { tree(tokens, index, prefix, found) };
            }
            prefix.truncate(length);
            return index + 1;
        }
        prefix.push(token.text.to_owned());
        match tokens.get(index) {
            Some(next) if next.text == "::" => index += 1,
            _ => break,
        }
    }
    found.push((prefix.clone(), at));
    prefix.truncate(length);
    // `as name`
    if tokens.get(index).is_some_and(|token| token.text == "as") { index + 2 } else { index }
}

/// Every function with a body.
pub(crate) fn functions(masked: &Masked) -> Vec<Function> {
    let tokens = tokens(masked);
    let mut found = Vec::new();
    for (index, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
        // A pointer's type, `fn(…)`, has no name.
        let Some(name) = tokens.get(index + 1).filter(|name| name.text.starts_with(|first| first != '(')) else {
            continue;
        };
        let Some(open) = body(&tokens[index..]) else { continue };
        let code_lines = masked.code_lines(token.at..masked.closing_brace(open));
        found.push(Function { name: name.text.to_owned(), line: masked.line(token.at), code_lines });
    }
    found
}

/// Where the body of the function at the front opens; `None` for a signature alone.
fn body(tokens: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0;
    for token in tokens {
        match token.text {
            "(" | "[" => depth += 1,
            ")" | "]" => depth -= 1,
            "{" if depth == 0 => return Some(token.at),
            ";" if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Where a word stands.
pub(crate) fn lines_of(masked: &Masked, word: &str) -> Vec<usize> {
    tokens(masked).iter().filter(|token| token.text == word).map(|token| masked.line(token.at)).collect()
}
