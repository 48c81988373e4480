//! A question before anything is changed.

use super::{end::Trouble, screen::Screen};
use std::io::{self, BufRead, IsTerminal, Write};

/// Asks on a terminal; without one it is refused.
pub(super) fn asked(question: &str, screen: &Screen) -> Result<bool, Trouble> {
    if !io::stdin().is_terminal() || screen.is_json() {
        let text = "without a terminal this needs --yes; --dry-run shows what would change".to_owned();
        return Err(Trouble::Refused(text));
    }
    let mut err = io::stderr().lock();
    write!(err, "{question} Type yes: ")?;
    err.flush()?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("yes"))
}
