//! `retrial dlq list`.

use super::picking::Picking;
use crate::{
    admin::{Group, Listing, list_letters},
    cli::{
        connection::Connection,
        end::{End, Ended},
        interrupt::Interrupt,
        progress::Bar,
        screen::Screen,
        table::{Table, count, cut, things},
    },
};

const EXAMPLES: &str = "\
Examples:
  retrial dlq list --group billing
  retrial dlq list --group billing --since 2h --kind timeout
  retrial dlq list --group billing --where '.customer.id == 42'
  retrial dlq list --group billing --output json | jq '.groups[0].fingerprint'";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    picking: Picking,
}

const SCHEMA: &str = "retrial.dlq.list/1";

/// The widest that an error is shown in a table.
const ERROR_COLUMNS: usize = 60;

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let filter = arguments.picking.filter(screen.times())?;
    let mut bar = Bar::new("dead letters", Interrupt::listen()?);
    let listing = list_letters(&kafka, &names, &filter, &mut bar)?;
    drop(bar);
    if screen.is_json() {
        screen.json(SCHEMA, &listing)?;
    } else {
        screen.write(&text(&listing, screen))?;
    }
    if !listing.complete {
        let text = format!("stopped after {}: the counts are of these alone", letters(listing.scanned));
        return Ok(End::Partly(text));
    }
    if listing.matched == 0 {
        let text = match listing.settled {
            0 => format!("no dead letter of {} in {} is meant", count(listing.scanned), listing.topic),
            settled => format!("no open dead letter in {} is meant: {} settled", listing.topic, count(settled)),
        };
        return Ok(End::NothingMatched(text));
    }
    Ok(End::Done)
}

fn letters(number: u64) -> String {
    things(number, "dead letter", "dead letters")
}

fn text(listing: &Listing, screen: &Screen) -> String {
    let mut table = Table::new(["COUNT", "CAUSE", "KIND", "ERROR", "FIRST", "LAST", "FINGERPRINT", "SAMPLE"]);
    for group in &listing.groups {
        let Group { fingerprint, cause, kind, error, count: number, first, last, sample, .. } = group;
        table.row([
            count(*number),
            cause.map_or("-", |cause| cause.as_str()).to_owned(),
            kind.clone().unwrap_or_else(|| "-".to_owned()),
            cut(error, ERROR_COLUMNS),
            screen.times().maybe(*first),
            screen.times().maybe(*last),
            fingerprint.to_string(),
            sample.letter.clone(),
        ]);
    }
    let mut text = table.text(screen);
    if !text.is_empty() {
        text.push('\n');
    }
    text.push_str(&format!("{} of {} in {}", letters(listing.matched), count(listing.scanned), listing.topic));
    for (number, what) in [
        (listing.unreadable, "without a readable past"),
        (listing.not_grouped, "of further groups"),
        (listing.settled, "settled"),
    ] {
        if number > 0 {
            text.push_str(&format!(", {} {what}", count(number)));
        }
    }
    text.push('\n');
    text
}
