//! `retrial dlq export`.

use super::picking::Picking;
use crate::{
    admin::visit_letters,
    cli::{
        connection::Connection,
        end::{End, Ended, Trouble},
        interrupt::Interrupt,
        letter_line::LetterLine,
        progress::Bar,
        screen::Screen,
        table::things,
    },
};
use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufWriter, Write},
    ops::ControlFlow,
    path::PathBuf,
};

const EXAMPLES: &str = "\
Each line is a JSON object. Bytes that are UTF-8 are a string in it, others {\"base64\": \"…\"}: nothing is lost. The lines
are the same with --output table and json.

Examples:
  retrial dlq export --group billing > letters.jsonl
  retrial dlq export --group billing --cause undecodable --to letters.jsonl";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    picking: Picking,
    /// Write to this new file instead of standard output.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Begin at this offset of a partition; may be repeated. An export that was stopped says how it goes on.
    #[arg(long, value_name = "PARTITION:OFFSET", value_parser = beginning)]
    from: Vec<(i32, i64)>,
}

fn beginning(text: &str) -> Result<(i32, i64), String> {
    let read = || {
        let (partition, offset) = text.split_once(':')?;
        let (partition, offset): (i32, i64) = (partition.parse().ok()?, offset.parse().ok()?);
        (partition >= 0 && offset >= 0).then_some((partition, offset))
    };
    read().ok_or_else(|| "give PARTITION:OFFSET, as in 0:184467".to_owned())
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let filter = arguments.picking.filter(screen.times())?;
    let mut out = open(arguments)?;
    let mut written = Ok(());
    let mut show = |letter: crate::admin::DeadLetter| {
        written = line(&mut out, &LetterLine::of(&letter));
        if written.is_ok() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let from: BTreeMap<i32, i64> = arguments.from.iter().copied().collect();
    let mut bar = Bar::new("dead letters", Interrupt::listen()?);
    let visited = visit_letters(&kafka, &names, &filter, &from, &mut bar, &mut show)?;
    drop(bar);
    written.and_then(|()| Ok(out.flush()?))?;
    if !visited.complete {
        let from: Vec<String> =
            visited.next.iter().map(|(partition, offset)| format!("--from {partition}:{offset}")).collect();
        let done = things(visited.matched, "dead letter was", "dead letters were");
        return Ok(End::Partly(format!("{done} exported; to go on, add {}", from.join(" "))));
    }
    if visited.matched == 0 {
        return Ok(End::NothingMatched(format!("no dead letter in {} is meant", names.dead_letters())));
    }
    Ok(End::Done)
}

fn open(arguments: &Arguments) -> Result<Box<dyn Write>, Trouble> {
    match &arguments.to {
        Some(path) => {
            let file =
                File::create_new(path).map_err(|error| Trouble::failed(format!("{}: {error}", path.display())))?;
            Ok(Box::new(BufWriter::new(file)))
        }
        None => Ok(Box::new(BufWriter::new(io::stdout().lock()))),
    }
}

fn line(out: &mut dyn Write, letter: &LetterLine<'_>) -> Result<(), Trouble> {
    serde_json::to_writer(&mut *out, letter)?;
    Ok(out.write_all(b"\n")?)
}
