//! The view while it runs: redrawn in place on a terminal, a line now and then elsewhere.

use crate::{
    orders::ORDERS,
    progress::{Counts, Progress, Waiting},
};
use std::{
    io::{self, IsTerminal, Write},
    time::{Duration, Instant},
};

/// What takes longer does not end by itself; the account says what is missing.
const LIMIT: Duration = Duration::from_secs(45);
const FRAME: Duration = Duration::from_millis(100);
const LINE: Duration = Duration::from_millis(500);
const BAR: usize = 40;

/// Shows progress until every order is done or dead, Ctrl-C comes, or [`LIMIT`] is over.
pub(crate) async fn show(progress: Progress) {
    let drawing = draw(progress);
    tokio::select! {
        () = drawing => {}
        () = tokio::time::sleep(LIMIT) => println!("Some orders are neither done nor dead after {LIMIT:?}: stopping."),
        _ = tokio::signal::ctrl_c() => println!("Stopping."),
    }
}

async fn draw(progress: Progress) {
    let on_terminal = io::stdout().is_terminal() && !is(&std::env::var("TERM"), "dumb");
    let has_colours = on_terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let (mut drawn, mut said) = (0, String::new());
    loop {
        let counts = progress.counts().clone();
        let is_over = counts.done + counts.dead >= ORDERS;
        if on_terminal {
            let lines = frame(&counts, has_colours);
            let back = if drawn > 0 { format!("\x1b[{drawn}A") } else { String::new() };
            drawn = lines.len();
            print!("{back}{}", lines.iter().map(|line| format!("\x1b[2K{line}\n")).collect::<String>());
            // A terminal that went away is noticed at the next `println`.
            let _ = io::stdout().flush();
        } else if let line = line(&counts)
            && line != said
        {
            println!("{line}");
            said = line;
        }
        if is_over {
            return;
        }
        tokio::time::sleep(if on_terminal { FRAME } else { LINE }).await;
    }
}

fn is(variable: &Result<String, std::env::VarError>, value: &str) -> bool {
    variable.as_deref() == Ok(value)
}

fn frame(counts: &Counts, has_colours: bool) -> Vec<String> {
    let paint = |colour: &str, text: String| if has_colours { format!("\x1b[{colour}m{text}\x1b[0m") } else { text };
    let filled = BAR * usize::try_from(counts.done).unwrap_or(BAR) / usize::try_from(ORDERS).unwrap_or(1);
    let bar = paint("32", "█".repeat(filled)) + &paint("2", "░".repeat(BAR - filled));
    let mut lines = vec![format!("  done     {:>5}  {bar}", number(counts.done))];
    for tier in &counts.tiers {
        let waiting = format!("{:>5}", tier.due.len());
        let waiting = if tier.due.is_empty() { waiting } else { paint("33", waiting) };
        lines.push(format!("  waiting  {waiting}  {}", describe(tier)));
    }
    let dead = format!("{:>5}", counts.dead);
    lines.push(format!("  dead     {}", if counts.dead == 0 { dead } else { paint("31", dead) }));
    lines
}

fn line(counts: &Counts) -> String {
    let waiting = counts.tiers.iter().map(|tier| format!("{} {}", tier.due.len(), describe(tier)));
    let waiting = waiting.collect::<Vec<_>>().join(", ");
    format!("  {} done, {waiting}, {} dead", number(counts.done), counts.dead)
}

fn describe(tier: &Waiting) -> String {
    let delay = tier.delay.as_secs();
    match tier.due.front().map(|due| due.saturating_duration_since(Instant::now())) {
        None => format!("in the {delay} s tier"),
        Some(Duration::ZERO) => format!("in the {delay} s tier (due now)"),
        Some(left) => format!("in the {delay} s tier (next due in {:.1} s)", left.as_secs_f64()),
    }
}

/// With commas between thousands.
pub(crate) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
