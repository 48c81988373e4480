//! `retrial enqueue`: records from arguments, a file or standard input.

use super::{
    connection::Connection,
    end::{End, Ended, Trouble},
    interrupt::Interrupt,
    new_record,
    progress::Bar,
    screen::Screen,
    table::things,
};
use crate::admin::{Enqueued, Enqueuer, HeaderIs, NewRecord, Progress};
use serde::Serialize;
use std::{
    fs::File,
    io::{self, BufRead, BufReader},
    path::{Path, PathBuf},
    sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender},
    thread,
    time::Duration,
};

const EXAMPLES: &str = "\
A line is a JSON object: {\"key\": \"customer-7\", \"body\": {\"order\": 7}, \"headers\": {\"tenant\": \"blue\"}}. A body that is a
string is taken as text, {\"base64\": \"…\"} as bytes, null as null, other JSON as JSON. \"to_partition\" chooses the partition.
Lines of dlq export are taken, too. Every group that reads the topic sees the records.

Examples:
  retrial enqueue orders --body '{\"order\": 7}' --key customer-7 --header tenant=blue
  retrial enqueue orders --file orders.jsonl
  generate-orders | retrial enqueue orders --file -";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The topic; it must exist.
    topic: String,
    #[command(flatten)]
    from: From,
    /// Key of each record that brings none of its own.
    #[arg(long, value_name = "KEY")]
    key: Option<String>,
    /// Header of each record, before its own; may be repeated.
    #[arg(long, value_name = "NAME=VALUE")]
    header: Vec<HeaderIs>,
    /// Partition of each record that says none of its own. Default: by key, as Java's clients do it, or any.
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Option<i32>,
    /// Pass over so many lines of the file: what an earlier command has written.
    #[arg(long, value_name = "NUMBER", default_value_t = 0, requires = "file")]
    skip_lines: u64,
}

#[derive(clap::Args, Debug)]
#[group(required = true, multiple = false)]
struct From {
    /// Body of one record; may be repeated for several.
    #[arg(long, value_name = "TEXT")]
    body: Vec<String>,
    /// A file of JSON lines; - for standard input.
    #[arg(long, short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
}

const SCHEMA: &str = "retrial.enqueue/1";

/// Lines that are read ahead.
const AHEAD: usize = 256;

/// How often is looked for an interrupt while no line comes.
const GLANCE: Duration = Duration::from_millis(100);

#[derive(Serialize)]
struct Shown<'a> {
    topic: &'a str,
    written: u64,
    failed: u64,
}

/// Where reading ended.
enum Stop {
    AtTheEnd,
    Interrupted { lines: u64 },
    Wrong { lines: u64, why: String },
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let kafka = connection.kafka()?;
    let template = template(arguments)?;
    // Before the cluster is asked: a wrong name is told at once.
    let input = arguments.from.file.as_deref().map(open).transpose()?;
    let mut bar = Bar::new("records", Interrupt::listen()?);
    let enqueuer = Enqueuer::connect(&kafka, &arguments.topic)?;
    let stop = match &input {
        Some(input) => put_lines(arguments, input, &template, &enqueuer, &mut bar)?,
        None => {
            for body in &arguments.from.body {
                enqueuer.put(&NewRecord { body: Some(body.clone().into_bytes()), ..template.clone() })?;
            }
            Stop::AtTheEnd
        }
    };
    let done = enqueuer.finish()?;
    drop(bar);
    end(&arguments.topic, &done, stop, screen)
}

fn end(topic: &str, done: &Enqueued, stop: Stop, screen: &Screen) -> Ended {
    let records = things(done.written, "record", "records");
    if screen.is_json() {
        screen.json(SCHEMA, &Shown { topic, written: done.written, failed: done.failed })?;
    } else {
        screen.write(&format!("{records} written to {topic}\n"))?;
    }
    if let Some(why) = &done.first_failure {
        let failed = things(
            done.failed,
            "record was not acknowledged, and may or may not be there",
            "records were not acknowledged, and may or may not be there",
        );
        return if done.written == 0 {
            Err(Trouble::Failed(format!("{failed}: {why}")))
        } else {
            Ok(End::Partly(format!("{failed}: {why}")))
        };
    }
    match stop {
        Stop::AtTheEnd if done.written == 0 => Ok(End::NothingMatched("there was no record to write".to_owned())),
        Stop::AtTheEnd => Ok(End::Done),
        Stop::Interrupted { lines } => Ok(End::Partly(format!("interrupted; to go on, add --skip-lines {lines}"))),
        Stop::Wrong { why, .. } if done.written == 0 => Err(Trouble::Usage(why)),
        Stop::Wrong { lines, why } => {
            Ok(End::Partly(format!("{why}; mend that line, and to go on, add --skip-lines {lines}")))
        }
    }
}

fn template(arguments: &Arguments) -> Result<NewRecord, Trouble> {
    let header = |header: &HeaderIs| {
        let value = header.value.clone().ok_or_else(|| Trouble::usage("--header: give NAME=VALUE"))?;
        Ok((header.name.clone(), Some(value.into_bytes())))
    };
    Ok(NewRecord {
        key: arguments.key.clone().map(String::into_bytes),
        body: None,
        headers: arguments.header.iter().map(header).collect::<Result<_, Trouble>>()?,
        partition: arguments.partition,
    })
}

fn open(path: &Path) -> Result<Receiver<io::Result<Vec<u8>>>, Trouble> {
    let input: Box<dyn BufRead + Send> = if path.as_os_str() == "-" {
        Box::new(BufReader::new(io::stdin()))
    } else {
        let file = File::open(path).map_err(|error| Trouble::usage(format!("{}: {error}", path.display())))?;
        Box::new(BufReader::new(file))
    };
    // On a thread of its own: a read of standard input waits for as long as nothing comes, and an interrupt does not.
    let (lines, read) = mpsc::sync_channel(AHEAD);
    let cannot = |error: io::Error| Trouble::failed(format!("no thread to read on: {error}"));
    thread::Builder::new().name("retrial-input".to_owned()).spawn(move || send_lines(input, &lines)).map_err(cannot)?;
    Ok(read)
}

/// Line by line, so that an endless input takes no more memory than a short one.
fn send_lines(mut input: Box<dyn BufRead + Send>, lines: &SyncSender<io::Result<Vec<u8>>>) {
    loop {
        let mut line = Vec::new();
        let read = match input.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => Ok(line),
            Err(error) => Err(error),
        };
        let is_last = read.is_err();
        // Whoever reads may have ended.
        if lines.send(read).is_err() || is_last {
            return;
        }
    }
}

fn put_lines(
    arguments: &Arguments,
    input: &Receiver<io::Result<Vec<u8>>>,
    template: &NewRecord,
    enqueuer: &Enqueuer,
    bar: &mut Bar,
) -> Result<Stop, Trouble> {
    let mut lines = 0u64;
    loop {
        let put = lines.saturating_sub(arguments.skip_lines);
        if bar.advanced(enqueuer.so_far().written, put).is_break() {
            return Ok(Stop::Interrupted { lines });
        }
        let line = match input.recv_timeout(GLANCE) {
            Ok(Ok(line)) => line,
            Ok(Err(error)) => return Ok(Stop::Wrong { lines, why: format!("after line {lines}: {error}") }),
            Err(RecvTimeoutError::Timeout) => continue,
            Err(RecvTimeoutError::Disconnected) => return Ok(Stop::AtTheEnd),
        };
        if lines >= arguments.skip_lines && !line.trim_ascii().is_empty() {
            let record = new_record::read(&line, template);
            let put = record.and_then(|record| enqueuer.put(&record).map_err(|error| error.to_string()));
            if let Err(why) = put {
                return Ok(Stop::Wrong { lines, why: format!("line {}: {why}", lines + 1) });
            }
        }
        lines += 1;
    }
}
