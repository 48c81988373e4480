//! `retrial dlq redrive`.

use super::{
    picking::Picking,
    settling::{Consent, Words, run as settle},
};
use crate::{
    admin::LettersRequest,
    cli::{connection::Connection, end::Ended, screen::Screen},
};

const EXAMPLES: &str = "\
Without --yes only the plan is shown. What goes back is handled by this group alone, with attempts counted from the start.
A letter goes back once: a second redrive takes what has died since. Ctrl-C ends it after the batch under way, and says
how to go on.

Examples:
  retrial dlq redrive --group billing --kind timeout
  retrial dlq redrive --group billing --kind timeout --yes --rate 200
  retrial dlq redrive --group billing --fingerprint dee9dc34 --since 2h --yes";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    picking: Picking,
    /// Also letters whose record was redriven three times already, and died each time.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    consent: Consent,
}

const WORDS: Words = Words {
    schema: "retrial.dlq.redrive/1",
    goes: ["goes back to work", "go back to work"],
    question: "Send them back?",
};

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let filter = arguments.picking.filter(screen.times())?;
    let request = LettersRequest { filter, force: arguments.force, ..LettersRequest::default() };
    settle(&request, (&arguments.consent, None), &WORDS, connection, screen)
}
