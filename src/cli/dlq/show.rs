//! `retrial dlq show`.

use crate::{
    admin::{DeadLetter, Past, find_letters},
    cli::{
        connection::Connection,
        end::{End, Ended, Trouble},
        interrupt::Interrupt,
        letter_line::LetterLine,
        payload::Payload,
        progress::Bar,
        screen::Screen,
        table::{plain, things},
        values::Values,
    },
};
use retrial_core::id::Origin;
use serde::Serialize;
use std::fmt::Write;

const EXAMPLES: &str = "\
The place is that of the letter in the dead-letter topic, as dlq list shows it, or the one where the record stood first;
for the latter, the whole dead-letter topic is read.

Examples:
  retrial dlq show billing.dlq/0/17 --group billing
  retrial dlq show orders/3/184467 --group billing --value-format hex
  retrial dlq show orders/3/184467 --group billing --value-format protobuf --descriptor-set shop.binpb --message shop.Order";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    /// Which letter.
    #[arg(value_name = "TOPIC/PARTITION/OFFSET")]
    place: Origin,
    #[command(flatten)]
    values: Values,
}

const SCHEMA: &str = "retrial.dlq.show/1";

#[derive(Serialize)]
struct Shown<'a> {
    letters: Vec<LetterLine<'a>>,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names, payload) = (connection.kafka()?, connection.names()?, arguments.values.payload()?);
    let mut bar = Bar::new("dead letters", Interrupt::listen()?);
    let letters = find_letters(&kafka, &names, &arguments.place, &mut bar)?;
    drop(bar);
    if screen.is_json() {
        screen.json(SCHEMA, &Shown { letters: letters.iter().map(LetterLine::of).collect() })?;
    } else {
        let shown = letters.iter().map(|letter| text(letter, &payload, screen)).collect::<Result<Vec<_>, _>>()?;
        screen.write(&shown.join("\n"))?;
    }
    if letters.is_empty() {
        let text =
            format!("{} is no dead letter, and no record whose letter is in {}", arguments.place, names.dead_letters());
        return Ok(End::NothingMatched(text));
    }
    Ok(End::Done)
}

fn text(letter: &DeadLetter, payload: &Payload, screen: &Screen) -> Result<String, Trouble> {
    let mut text = String::new();
    let wrong = |_| Trouble::failed("a text was not written");
    let mut line = |name: &str, value: &str| {
        writeln!(text, "{:<15}{}", screen.heading(&format!("{name:<15}")).trim_end(), plain(value)).map_err(wrong)
    };
    line("letter", &format!("{}/{}/{}", letter.topic, letter.partition, letter.offset))?;
    line("buried", &screen.times().maybe(letter.buried))?;
    if let Some(settlement) = letter.settled {
        line("settled", settlement.as_str())?;
    }
    match &letter.past {
        Ok(past) => {
            for (name, value) in past_lines(past, screen) {
                line(name, &value)?;
            }
        }
        Err(why) => line("past", &format!("not readable: {why}"))?,
    }
    line(
        "key",
        &letter.key.as_deref().map_or_else(|| "null".to_owned(), |key| payload.of_keys().on_one_line(Some(key))),
    )?;
    for (name, value) in &letter.headers {
        let name = String::from_utf8_lossy(name);
        line("header", &format!("{name} = {}", Payload::Auto.on_one_line(value.as_deref())))?;
    }
    if letter.is_reference {
        line(
            "reference",
            "the record was too large for a dead letter; the body below names it and shows its first KiB",
        )?;
    }
    let (form, shown) = payload.show(letter.body.as_deref());
    let bytes = letter
        .body
        .as_ref()
        .map_or_else(String::new, |body| format!(", {}", things(body.len() as u64, "byte", "bytes")));
    line("body", &format!("{form}{bytes}"))?;
    if !shown.is_empty() {
        text.push('\n');
        text.push_str(&shown);
        text.push('\n');
    }
    Ok(text)
}

fn past_lines(past: &Past, screen: &Screen) -> Vec<(&'static str, String)> {
    let unknown = || "-".to_owned();
    let mut lines = vec![
        ("origin", past.origin.to_string()),
        ("written", past.source_time.timestamp().map_or_else(unknown, |time| screen.times().show(time))),
        ("cause", past.cause.map_or_else(unknown, |cause| cause.to_string())),
        ("kind", past.kind.clone().unwrap_or_else(unknown)),
        ("error", past.error.clone().unwrap_or_else(unknown)),
        ("fingerprint", past.fingerprint.to_string()),
        ("attempts", past.attempts.to_string()),
    ];
    if past.crashes > 0 {
        lines.push(("crashes", past.crashes.to_string()));
    }
    lines.push(("first failed", screen.times().maybe(past.first_failed)));
    lines.push(("last failed", screen.times().maybe(past.last_failed)));
    if past.redrives > 0 {
        lines.push(("redriven", things(past.redrives.into(), "time", "times")));
    }
    lines
}
