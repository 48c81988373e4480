//! The rules, each a function from the files to what breaks it.

use std::collections::BTreeSet;

use crate::{
    levels::{
        BANS, EMPTY_NAMES, KNOWN_IMPORTS, KNOWN_RESERVED, Known, LAYOUTS, Layout, MAX_FILE, MAX_FUNCTION, MAX_MEDIAN,
        NESTED, RESERVED, Reserved, UNSAFE,
    },
    tree::File,
    words::{Path, functions, lines_of, paths},
};

/// `file:line: why`.
pub(crate) type Violations = BTreeSet<String>;

fn at(file: &File, line: usize, why: &str) -> String {
    format!("{}:{line}: {why}", file.path)
}

/// What a file names and may not.
struct Found<'a> {
    file: &'a File,
    named: String,
    text: String,
}

/// Every import leads to a lower level.
pub(crate) fn imports(files: &[File]) -> Violations {
    let mut found = Vec::new();
    for file in files.iter().filter(|file| !file.is_test) {
        let Some((layout, module)) = layout_of(file) else { continue };
        let importer = unit(&module);
        for path in paths(&file.code, &["crate", "super"]) {
            let Some(named) = target(&module, &path) else { continue };
            if let Some(why) = refusal(layout, &importer, &named) {
                found.push(Found { file, named, text: at(file, path.line, &why) });
            }
        }
    }
    excuse(files, found, KNOWN_IMPORTS)
}

/// Lets known violations through, and finds the known ones that are gone.
fn excuse(files: &[File], found: Vec<Found<'_>>, known: &[Known]) -> Violations {
    let is = |known: &Known, found: &Found<'_>| known.file == found.file.path && known.named == found.named;
    let is_gone = |known: &&Known| {
        files.iter().any(|file| file.path == known.file) && !found.iter().any(|found| is(known, found))
    };
    let gone = known.iter().filter(is_gone);
    let gone = gone
        .map(|known| format!("{}: no longer names `{}`: not known any more ({})", known.file, known.named, known.why));
    let unknown = found.iter().filter(|found| !known.iter().any(|known| is(known, found)));
    unknown.map(|found| found.text.clone()).chain(gone).collect()
}

/// The layout that a file belongs to, and its module path there. A crate's root imports what it likes.
fn layout_of(file: &File) -> Option<(&'static Layout, Vec<String>)> {
    let layout = LAYOUTS.iter().find(|layout| file.is_below(layout.root))?;
    let inside = file.path.strip_prefix(layout.root)?.strip_suffix(".rs")?;
    let mut module: Vec<String> = inside.split('/').skip(1).map(str::to_owned).collect();
    module.pop_if(|last| last == "mod");
    (module != ["lib"]).then_some((layout, module))
}

/// The unit that a module path lies in.
fn unit(module: &[String]) -> String {
    let two = module.iter().take(2).cloned().collect::<Vec<_>>().join("::");
    if NESTED.contains(&two.as_str()) { two } else { module.first().cloned().unwrap_or_default() }
}

/// The unit that a path leads to from a module; `None` if it is the module's own.
fn target(module: &[String], path: &Path) -> Option<String> {
    let ups = path.segments.iter().take_while(|segment| *segment == "super").count();
    let names = path.segments.iter().skip(ups.max(1));
    let absolute: Vec<String> = if ups == 0 {
        names.cloned().collect()
    } else {
        let kept = module.len() + path.inline_modules;
        let base = module.iter().take(kept.saturating_sub(ups));
        base.chain(names).cloned().collect()
    };
    let (from, to) = (unit(module), unit(&absolute));
    (from != to).then_some(to)
}

/// Why `importer` may not import `imported`.
fn refusal(layout: &Layout, importer: &str, imported: &str) -> Option<String> {
    let level = |unit: &str| layout.levels.iter().position(|level| level.contains(&unit));
    if imported.is_empty() || imported.starts_with(char::is_uppercase) || imported == "*" {
        return Some(format!("names `crate::{imported}` of the crate's root: name the module it comes from"));
    }
    if let Some(ban) = BANS.iter().find(|ban| (ban.importer, ban.imported) == (importer, imported)) {
        return Some(format!("`{importer}` must not import `{imported}`: {}", ban.why));
    }
    match (level(importer), level(imported)) {
        (Some(from), Some(to)) if to < from => None,
        (Some(from), Some(to)) => {
            Some(format!("`{importer}` (level {from}) imports `{imported}` (level {to}): only lower levels"))
        }
        (None, _) => Some(format!("`{importer}` has no level: give it one in tests/architecture/levels.rs")),
        (_, None) => Some(format!("`{imported}` has no level: give it one in tests/architecture/levels.rs")),
    }
}

/// Reserved paths are named where they may be only.
pub(crate) fn reserved(files: &[File]) -> Violations {
    let mut found = Vec::new();
    let roots: BTreeSet<&str> = RESERVED.iter().map(|reserved| reserved.path[0]).collect();
    let roots: Vec<&str> = roots.into_iter().collect();
    for file in files.iter().filter(|file| !file.is_test) {
        for path in paths(&file.code, &roots) {
            if let Some(reserved) = RESERVED.iter().find(|reserved| covers(reserved, file, &path)) {
                let named = reserved.path.join("::");
                let text = at(file, path.line, &format!("`{named}`: {}", reserved.why));
                found.push(Found { file, named, text });
            }
        }
    }
    excuse(files, found, KNOWN_RESERVED)
}

fn covers(reserved: &Reserved, file: &File, path: &Path) -> bool {
    let is_forbidden_here =
        file.is_below(reserved.within) && !reserved.except.is_some_and(|folder| file.is_below(folder));
    let begins = path.segments.len() >= reserved.path.len()
        && path.segments.iter().zip(reserved.path).all(|(one, other)| one == other);
    is_forbidden_here && begins
}

/// `unsafe` is in one folder.
pub(crate) fn unsafe_code(files: &[File]) -> Violations {
    let elsewhere = files.iter().filter(|file| !file.is_below(UNSAFE));
    let found = elsewhere.flat_map(|file| lines_of(&file.all_code, "unsafe").into_iter().map(move |line| (file, line)));
    found.map(|(file, line)| at(file, line, &format!("`unsafe` outside {UNSAFE}"))).collect()
}

/// Files and functions are small, and files have names.
pub(crate) fn sizes(files: &[File]) -> Violations {
    let mut violations = Violations::new();
    for file in files.iter().filter(|file| !file.is_test) {
        let lines = file.code.all_code_lines();
        if lines > MAX_FILE {
            violations.insert(at(file, 1, &format!("{lines} lines of code, more than {MAX_FILE}")));
        }
        for function in functions(&file.code).into_iter().filter(|function| function.code_lines > MAX_FUNCTION) {
            let why =
                format!("`{}` has {} lines of code, more than {MAX_FUNCTION}", function.name, function.code_lines);
            violations.insert(at(file, function.line, &why));
        }
    }
    violations
}

/// The median file is small.
pub(crate) fn median(files: &[File]) -> Violations {
    let mut lines: Vec<usize> =
        files.iter().filter(|file| !file.is_test).map(|file| file.code.all_code_lines()).collect();
    lines.sort_unstable();
    let median = lines.get(lines.len() / 2).copied().unwrap_or(0);
    let violation = format!("the median file has {median} lines of code, more than {MAX_MEDIAN}");
    (median > MAX_MEDIAN).then_some(violation).into_iter().collect()
}

/// No file or folder has an empty name.
pub(crate) fn names(files: &[File]) -> Violations {
    let is_empty = |file: &&File| {
        let mut parts = file.path.trim_end_matches(".rs").split('/');
        parts.any(|part| EMPTY_NAMES.contains(&part))
    };
    files.iter().filter(is_empty).map(|file| at(file, 1, "the name says nothing about what is inside")).collect()
}
