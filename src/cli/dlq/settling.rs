//! A plan for dead letters: shown first, then carried out if that is wanted.

use crate::{
    admin::{LettersPlan, LettersRequest, carry_out_letters, plan_letters},
    cli::{
        connection::Connection,
        consent::asked,
        end::{End, Ended, Trouble},
        interrupt::Interrupt,
        operations::{OperationShown, Operator, came_to, ended},
        progress::Bar,
        screen::Screen,
        table::{count, things},
    },
};
use serde::Serialize;

/// Whether to do it.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Safety")]
pub(super) struct Consent {
    /// Do it. Without this only the plan is shown, and on a terminal it is asked for.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    operator: Operator,
}

/// How a command speaks of what it does.
pub(super) struct Words {
    pub(super) schema: &'static str,
    /// As in "10 dead letters go back".
    pub(super) goes: [&'static str; 2],
    pub(super) question: &'static str,
}

#[derive(Serialize)]
struct Shown<'a> {
    group: &'a str,
    plan: &'a LettersPlan,
    /// What came of it; null if it was only planned.
    operation: Option<OperationShown>,
}

/// Plans, shows the plan, and carries it out if that is wanted.
pub(super) fn run(
    request: &LettersRequest,
    (consent, reason): (&Consent, Option<String>),
    words: &Words,
    connection: &Connection,
    screen: &Screen,
) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let interrupt = Interrupt::listen()?;
    let mut bar = Bar::new("dead letters read", interrupt.clone());
    let plan = plan_letters(&kafka, &names, request, &mut bar)?;
    drop(bar);
    let tell = |operation| screen.json(words.schema, &Shown { group: names.group(), plan: &plan, operation });
    if !screen.is_json() {
        screen.write(&text(&plan, words))?;
    }
    let only_planned = || if screen.is_json() { tell(None) } else { Ok(()) };
    if !plan.complete {
        only_planned()?;
        return Ok(End::Partly("interrupted: nothing was changed".to_owned()));
    }
    if plan.to_do() == 0 {
        only_planned()?;
        return Ok(End::NothingMatched(format!("there is nothing to do in {}", plan.topic)));
    }
    let is_asked = |screen| asked(words.question, screen).unwrap_or(false);
    if consent.dry_run || (!consent.yes && !is_asked(screen)) {
        only_planned()?;
        if !screen.is_json() {
            screen.write("Nothing was changed; --yes does it.\n")?;
        }
        return Ok(End::Done);
    }
    let mut bar = Bar::new("dead letters", interrupt);
    let done = carry_out_letters(&kafka, &names, &plan, &consent.operator.by(), reason, &mut bar);
    drop(bar);
    let operation = done.map_err(Trouble::from)?;
    if screen.is_json() {
        tell(Some(OperationShown::of(&operation, None)))?;
    } else {
        screen.write(&format!("{}: {}\n", operation.id, came_to(&operation)))?;
    }
    ended(&operation)
}

fn text(plan: &LettersPlan, words: &Words) -> String {
    let [one, many] = words.goes;
    let mut text = format!(
        "{} of {} in {} {}\n",
        things(plan.goes, "dead letter", "dead letters"),
        count(plan.scanned),
        plan.topic,
        if plan.goes == 1 { one } else { many }
    );
    for (number, what) in [
        (plan.copies, "settled with them: further letters of a record that goes or went back"),
        (plan.too_often, "left: redriven three times and dead again each time (--force takes them, too)"),
        (plan.unreadable, "left: without a readable past"),
        (plan.gone, "left: too large for the dead letters, and gone from where they stood first"),
        (plan.settled, "settled before"),
    ] {
        if number > 0 {
            text.push_str(&format!("  {} {what}\n", count(number)));
        }
    }
    text
}
