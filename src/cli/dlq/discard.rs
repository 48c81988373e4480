//! `retrial dlq discard`.

use super::{
    picking::Picking,
    settling::{Consent, Words, run as settle},
};
use crate::{
    admin::LettersRequest,
    cli::{connection::Connection, end::Ended, screen::Screen},
};

const EXAMPLES: &str = "\
Without --yes only the plan is shown. Nothing is deleted: the letters are marked as settled, with who and why, and are
neither listed as open nor redriven any more.

Examples:
  retrial dlq discard --group billing --kind card --until 30d --reason 'refunded by hand, ticket 4711'
  retrial dlq discard --group billing --source orders/3/184467 --reason 'a test order' --yes";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    picking: Picking,
    /// Why, for everybody who asks later.
    #[arg(long, value_name = "TEXT", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    reason: String,
    #[command(flatten)]
    consent: Consent,
}

const WORDS: Words =
    Words { schema: "retrial.dlq.discard/1", goes: ["is discarded", "are discarded"], question: "Discard them?" };

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let filter = arguments.picking.filter(screen.times())?;
    let request = LettersRequest { filter, discard: true, ..LettersRequest::default() };
    settle(&request, (&arguments.consent, Some(arguments.reason.clone())), &WORDS, connection, screen)
}
