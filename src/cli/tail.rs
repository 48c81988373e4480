//! `retrial tail`: a topic as it grows, with decoded values.

use super::{
    connection::Connection,
    end::{End, Ended, Trouble},
    interrupt::Interrupt,
    lines::{Bytes, Header, headers},
    payload::Payload,
    screen::Screen,
    table::plain,
    values::Values,
};
use crate::admin::{Beginning, Past, Progress, SeenRecord, tail};
use clap::Args;
use retrial_core::naming::GroupNames;
use serde::Serialize;
use std::{
    io::{self, Write},
    ops::ControlFlow,
};

const EXAMPLES: &str = "\
With --output json each record is a line in the form of dlq export. In the group's own topics, what a record has been
through is decoded.

Examples:
  retrial tail orders
  retrial tail billing.dlq --group billing --last 10 --no-follow
  retrial tail orders --value-format protobuf --descriptor-set shop.binpb --message shop.Order
  retrial tail billing.retry.5m --group billing --since 1h --output json";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The topic.
    topic: String,
    #[command(flatten)]
    from: From,
    /// End with what is there now, instead of waiting for more.
    #[arg(long)]
    no_follow: bool,
    /// End after so many records.
    #[arg(long, short = 'n', value_name = "NUMBER", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    #[command(flatten)]
    values: Values,
}

#[derive(Args, Debug)]
#[group(multiple = false)]
struct From {
    /// Begin with the first record that is still there. Default: with what is written from now on.
    #[arg(long)]
    from_beginning: bool,
    /// Begin so many offsets before the end of each partition.
    #[arg(long, value_name = "NUMBER")]
    last: Option<u64>,
    /// Begin with this time: a time, a date, or how long ago (2h).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
}

impl From {
    fn beginning(&self, screen: &Screen) -> Result<Beginning, Trouble> {
        match (self.from_beginning, self.last, &self.since) {
            (true, ..) => Ok(Beginning::Earliest),
            (_, Some(count), _) => Ok(Beginning::Last(count)),
            (.., Some(time)) => {
                let time = screen.times().read(time).map_err(|why| Trouble::usage(format!("--since: {why}")))?;
                Ok(Beginning::Since(time))
            }
            _ => Ok(Beginning::Now),
        }
    }
}

/// A record as a line of JSON.
#[derive(Serialize)]
struct Line<'a> {
    topic: &'a str,
    partition: i32,
    offset: i64,
    time: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    past: Option<&'a Past>,
    key: Option<Bytes>,
    headers: Vec<Header>,
    body: Option<Bytes>,
}

/// Ends with an interrupt.
struct Ear(Interrupt);

impl Progress for Ear {
    fn advanced(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        if self.0.is_noted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let beginning = arguments.from.beginning(screen)?;
    let (kafka, payload) = (connection.kafka()?, arguments.values.payload()?);
    // A topic that is nobody's needs no group; the client library wants a name all the same.
    let names = if connection.has_group()? {
        connection.names()?
    } else {
        GroupNames::new("retrial", None).map_err(Trouble::usage)?
    };
    let (mut shown, mut written) = (0, Ok(()));
    let mut show = |record: SeenRecord| {
        written = write((arguments, &payload), &record, screen);
        shown += 1;
        let goes_on = written.is_ok() && arguments.limit.is_none_or(|limit| shown < limit);
        if goes_on { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    };
    let mut ear = Ear(Interrupt::listen()?);
    tail(&kafka, &names, &arguments.topic, beginning, !arguments.no_follow, &mut ear, &mut show)?;
    written?;
    match shown {
        0 => Ok(End::NothingMatched(format!("no record of {} was seen", arguments.topic))),
        _ => Ok(End::Done),
    }
}

fn write((arguments, payload): (&Arguments, &Payload), record: &SeenRecord, screen: &Screen) -> Result<(), Trouble> {
    let mut out = io::stdout().lock();
    if screen.is_json() {
        let line = Line {
            topic: &arguments.topic,
            partition: record.partition,
            offset: record.offset,
            time: record.time.to_string(),
            past: record.past.as_ref(),
            key: record.key.clone().map(Bytes),
            headers: headers(&record.headers),
            body: record.body.clone().map(Bytes),
        };
        serde_json::to_writer(&mut out, &line)?;
    } else {
        out.write_all(text(payload, record, screen).as_bytes())?;
    }
    out.write_all(b"\n")?;
    Ok(out.flush()?)
}

fn text(payload: &Payload, record: &SeenRecord, screen: &Screen) -> String {
    let place = screen.heading(&format!("{}/{}", record.partition, record.offset));
    let mut text = format!("{place}  {}", screen.times().maybe(record.time.timestamp()));
    if let Some(key) = &record.key {
        text.push_str(&format!("  key={}", payload.of_keys().on_one_line(Some(key))));
    }
    for (name, value) in &record.headers {
        let value = Payload::Auto.on_one_line(value.as_deref());
        text.push_str(&format!("  {}={value}", plain(&String::from_utf8_lossy(name))));
    }
    if let Some(past) = &record.past {
        let why = past.cause.map_or_else(|| "to run again".to_owned(), |cause| cause.to_string());
        let kind = past.kind.as_ref().map_or_else(String::new, |kind| format!(", {kind}"));
        let error = past.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
        text.push_str(&format!("  [{}, {why} after {} attempts{kind}{error}]", past.origin, past.attempts));
    }
    text.push_str("  ");
    text.push_str(&payload.on_one_line(record.body.as_deref()));
    text
}
