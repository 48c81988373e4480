//! The committed figures, and how they are compared.

use std::{fs, path::PathBuf};

/// How much a figure may grow, as a part of the committed one.
pub(crate) const LIMIT: f64 = 0.05;

/// The same where the figure is of another compiler.
pub(crate) const LIMIT_ELSEWHERE: f64 = 0.15;

/// Instructions per record, by row, and whose they are.
pub(crate) struct Figures {
    pub(crate) compiler: String,
    pub(crate) rows: Vec<(String, f64)>,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../benches/micro/figures.txt")
}

impl Figures {
    /// Those that are committed: a line for the compiler, then one for each row.
    pub(crate) fn read() -> Result<Self, String> {
        let text = fs::read_to_string(file()).map_err(|error| format!("{}: {error}", file().display()))?;
        let mut lines = text.lines();
        let compiler = lines.next().ok_or("figures.txt is empty")?.to_owned();
        let row = |line: &str| {
            let (row, figure) = line.split_once(' ').ok_or_else(|| format!("figures.txt: {line:?}"))?;
            let figure = figure.trim().parse().map_err(|error| format!("figures.txt: {line:?}: {error}"))?;
            Ok((row.to_owned(), figure))
        };
        Ok(Self { compiler, rows: lines.map(row).collect::<Result<_, String>>()? })
    }

    /// Puts these in place of the committed ones.
    pub(crate) fn write(&self) -> Result<(), String> {
        let rows: String = self.rows.iter().map(|(row, figure)| format!("{row} {figure:.1}\n")).collect();
        let text = format!("{}\n{rows}", self.compiler);
        print!("{text}");
        fs::write(file(), text).map_err(|error| format!("{}: {error}", file().display()))
    }

    /// Prints both beside each other. An error names the rows that have grown too much.
    pub(crate) fn compare(&self, committed: &Self) -> Result<(), String> {
        let is_same = self.compiler == committed.compiler;
        let limit = if is_same { LIMIT } else { LIMIT_ELSEWHERE };
        println!("instructions per record, by {}; at most {:.0} % more than committed", self.compiler, limit * 100.0);
        if !is_same {
            println!("the committed figures are of {}: renew them with -- --renew", committed.compiler);
        }
        let mut grown = Vec::new();
        for (row, now) in &self.rows {
            let before = committed.rows.iter().find(|(known, _)| known == row);
            let (_, before) = before.ok_or_else(|| format!("{row} has no committed figure: -- --renew"))?;
            let change = now / before - 1.0;
            println!("{row:<17} {now:>9.1}  committed {before:>9.1}  {:>+6.1} %", change * 100.0);
            if change > limit {
                grown.push(row.as_str());
            }
        }
        if grown.is_empty() { Ok(()) } else { Err(format!("more instructions per record: {}", grown.join(", "))) }
    }
}
