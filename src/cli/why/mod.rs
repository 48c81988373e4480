//! `retrial why`: one record's story, or those of a key.

mod telling;

use super::{
    connection::Connection,
    end::{End, Ended, Trouble},
    interrupt::Interrupt,
    progress::Bar,
    screen::Screen,
};
use crate::admin::{AdminError, Fate, KeySearch, Stories, why, why_key};
use retrial_core::id::Origin;
use serde::Serialize;
use std::num::NonZeroUsize;

const EXAMPLES: &str = "\
A place in one of the group's own topics, as dlq list shows it, is taken for the record that lies there. All is told as
of the last commits: what a service did since then is not known to anybody else. All tiers and all dead letters are read.

Examples:
  retrial why orders/3/184467 --group billing
  retrial why billing.dlq/0/17 --group billing
  retrial why --key customer-7 --group billing --last 2h";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Which record.
    #[arg(value_name = "TOPIC/PARTITION/OFFSET", required_unless_present = "key", conflicts_with = "key")]
    place: Option<Origin>,
    /// Instead: the records with this key, the oldest first.
    #[arg(long)]
    key: Option<String>,
    #[command(flatten)]
    bounds: Bounds,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Which records of the key")]
struct Bounds {
    /// In this source topic; may be repeated. Default: those that the group has committed.
    #[arg(long, value_name = "TOPIC", conflicts_with = "place")]
    topic: Vec<String>,
    /// Of this time or later: a time, a date, or how long ago.
    #[arg(long, value_name = "TIME", conflicts_with = "place")]
    from_time: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME", conflicts_with = "place")]
    to_time: Option<String>,
    /// Of the time since so long ago (2h).
    #[arg(long, value_name = "HOW LONG", conflicts_with_all = ["place", "from_time"])]
    last: Option<String>,
    /// The youngest so many.
    #[arg(long, short = 'n', value_name = "NUMBER", default_value = "100", conflicts_with = "place")]
    limit: NonZeroUsize,
}

const SCHEMA: &str = "retrial.why/1";

/// What one story and those of a key have in common.
#[derive(Serialize)]
struct Document<'a> {
    group: &'a str,
    as_of: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(flatten)]
    told: &'a Stories,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let ended = match (&arguments.place, &arguments.key) {
        (_, Some(key)) => of_key(key, &arguments.bounds, connection, screen),
        (Some(place), None) => of_place(place, connection, screen),
        (None, None) => return Err(Trouble::usage("give TOPIC/PARTITION/OFFSET, or --key KEY")),
    };
    match ended {
        Ok(end) => Ok(end),
        Err(Failed::Admin(error @ AdminError::NoStory { .. })) => Ok(End::NothingMatched(error.to_string())),
        Err(Failed::Admin(error @ AdminError::Stopped)) => Ok(End::Partly(error.to_string())),
        Err(Failed::Admin(error)) => Err(error.into()),
        Err(Failed::Said(trouble)) => Err(trouble),
    }
}

/// Keeps apart what the brokers answer: some of it is an answer to the question.
enum Failed {
    Admin(AdminError),
    Said(Trouble),
}

impl From<AdminError> for Failed {
    fn from(error: AdminError) -> Self {
        Self::Admin(error)
    }
}

impl From<Trouble> for Failed {
    fn from(trouble: Trouble) -> Self {
        Self::Said(trouble)
    }
}

fn of_place(place: &Origin, connection: &Connection, screen: &Screen) -> Result<End, Failed> {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let mut bar = Bar::new("records", Interrupt::listen()?);
    let now = screen.times().now();
    let story = why(&kafka, &names, place, now, &mut bar)?;
    drop(bar);
    if screen.is_json() {
        let told = Stories::of(story.clone());
        let document = Document { group: names.group(), as_of: now.to_string(), key: None, told: &told };
        screen.json(SCHEMA, &document)?;
    } else {
        screen.write(&telling::text(&story, now, screen))?;
    }
    Ok(match story.fate {
        Fate::NotWritten | Fate::NoRecord => End::NothingMatched(format!("{place} is no record")),
        _ => End::Done,
    })
}

fn of_key(key: &str, bounds: &Bounds, connection: &Connection, screen: &Screen) -> Result<End, Failed> {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let time = |name: &str, text: &Option<String>| {
        let read = text.as_ref().map(|text| screen.times().read(text)).transpose();
        read.map_err(|why| Trouble::usage(format!("--{name}: {why}")))
    };
    let mut search = KeySearch::of(key);
    search.topics.clone_from(&bounds.topic);
    search.since = time("last", &bounds.last)?.or(time("from-time", &bounds.from_time)?);
    search.until = time("to-time", &bounds.to_time)?;
    search.limit = bounds.limit.get();
    let mut bar = Bar::new("records", Interrupt::listen()?);
    let now = screen.times().now();
    let told = why_key(&kafka, &names, &search, now, &mut bar)?;
    drop(bar);
    if screen.is_json() {
        let document = Document { group: names.group(), as_of: now.to_string(), key: Some(key), told: &told };
        screen.json(SCHEMA, &document)?;
    } else {
        screen.write(&telling::overview(&told, now, screen))?;
    }
    if !told.complete {
        return Ok(End::Partly("stopped before all was read; nothing was changed: run it again".to_owned()));
    }
    match told.stories.is_empty() {
        true => Ok(End::NothingMatched(format!("no record of {} with key {key} is meant", told.topics.join(", ")))),
        false => Ok(End::Done),
    }
}
