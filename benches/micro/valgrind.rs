//! Counts the instructions of this program, run again under valgrind.

use std::{env, process::Command};

/// Few and many records. Both are past the start, in which buffers grow.
const FEW: u64 = 20_000;
const MANY: u64 = 60_000;

/// Instructions for each record of a row.
pub(crate) fn per_record(row: &str) -> Result<f64, String> {
    let (few, many) = (count(row, FEW)?, count(row, MANY)?);
    Ok(many.saturating_sub(few) as f64 / (MANY - FEW) as f64)
}

fn count(row: &str, records: u64) -> Result<u64, String> {
    let program = env::current_exe().map_err(|error| error.to_string())?;
    let mut valgrind = Command::new("valgrind");
    valgrind.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(program);
    valgrind.args(["run", row, &records.to_string()]);
    let output = valgrind.output().map_err(|error| format!("valgrind cannot be started, is it installed? {error}"))?;
    let said = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() {
        return Err(format!("valgrind ended with {}:\n{said}", output.status));
    }
    let collected = said.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    collected.ok_or_else(|| format!("valgrind told no count:\n{said}"))
}

/// What the compiler says of itself.
pub(crate) fn compiler() -> Result<String, String> {
    let output = Command::new("rustc").arg("-vV").output().map_err(|error| format!("rustc: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or("?").trim().to_owned();
    Ok(format!("rustc {} {}", line("release:"), line("host:")))
}
