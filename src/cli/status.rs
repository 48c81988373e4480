//! `retrial status`: once, or as a screen that stays.

use super::{
    connection::Connection,
    end::{End, Ended, Trouble},
    interrupt::Interrupt,
    screen::Screen,
    table::{Table, count, things},
    times::{duration, read_duration},
};
use crate::admin::{PartitionStatus, Role, Status, status};
use retrial_core::time::Timestamp;
use std::{
    io::{self, IsTerminal, Write},
    time::Duration,
};

const EXAMPLES: &str = "\
Examples:
  retrial status --bootstrap-server localhost:9092 --group billing
  retrial status --group billing --watch 5s
  retrial status --group billing --output json | jq '.partitions[] | select(.unfinished > 0)'";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// Show it again and again, every 2 s or as often as said, until Ctrl-C.
    #[arg(long, short = 'w', value_name = "EVERY", num_args = 0..=1, default_missing_value = "2s", value_parser = read_duration)]
    watch: Option<Duration>,
}

const SCHEMA: &str = "retrial.status/1";

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    if let Some(every) = arguments.watch {
        if screen.is_json() {
            return Err(Trouble::usage(
                "--watch is a screen for people: leave it out for --output json, or leave that out",
            ));
        }
        return watch(every, screen, || Ok(status(&kafka, &names)?));
    }
    let found = status(&kafka, &names)?;
    if screen.is_json() {
        screen.json(SCHEMA, &found)?;
    } else {
        screen.write(&text(&found, screen))?;
    }
    if found.partitions.is_empty() {
        let text = format!("group {} has committed nothing on {}", names.group(), kafka.address());
        return Ok(End::NothingMatched(text));
    }
    Ok(End::Done)
}

/// Where there is no terminal, each reading follows the one before.
fn watch(every: Duration, screen: &Screen, mut read: impl FnMut() -> Result<Status, Trouble>) -> Ended {
    let mut interrupt = Interrupt::listen()?;
    let on_terminal = io::stdout().is_terminal();
    let mut last = None;
    let alternate = AlternateScreen::enter(on_terminal)?;
    loop {
        let now = screen.times().now();
        let text = match read() {
            Ok(found) => {
                let text = text(&found, screen);
                last = Some((found, now));
                text
            }
            // A broker that restarts is no reason to leave; the first reading must succeed.
            Err(error) => match &last {
                None => return Err(error),
                Some((found, at)) => stale(found, *at, &error, screen),
            },
        };
        let title = format!("{}, every {}; Ctrl-C ends\n\n", screen.times().show(now), duration(every));
        alternate.show(&format!("{title}{text}"))?;
        if interrupt.wait(every) {
            return Ok(End::Done);
        }
    }
}

fn stale(found: &Status, at: Timestamp, error: &Trouble, screen: &Screen) -> String {
    let why = match error {
        Trouble::Failed(text) | Trouble::Usage(text) | Trouble::Refused(text) => text.as_str(),
        Trouble::NobodyListens => "",
    };
    let told = format!("as of {}: {why}", screen.times().show(at));
    format!("{}\n\n{}", screen.alarming(&told), text(found, screen))
}

/// Shows the cursor, and goes back to the first screen.
const RESTORE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// The terminal's second screen, which leaves the first as it was.
struct AlternateScreen {
    is_on: bool,
}

impl AlternateScreen {
    fn enter(is_on: bool) -> io::Result<Self> {
        if is_on {
            Interrupt::restore_by(RESTORE);
            // Without the cursor.
            io::stdout().write_all(b"\x1b[?1049h\x1b[?25l")?;
        }
        Ok(Self { is_on })
    }

    fn show(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        if self.is_on {
            // From the upper left corner on; each line ends by clearing what was there before, and so does the last.
            let text = text.replace('\n', "\x1b[K\r\n");
            write!(out, "\x1b[H{text}\x1b[J")?;
        } else {
            writeln!(out, "{text}")?;
        }
        out.flush()
    }
}

impl Drop for AlternateScreen {
    fn drop(&mut self) {
        if self.is_on {
            let _ = io::stdout().write_all(RESTORE).and_then(|()| io::stdout().flush());
        }
    }
}

fn text(found: &Status, screen: &Screen) -> String {
    let times = screen.times();
    let state = format!(
        "Group {}: {}, {}\n",
        found.group,
        found.state.to_lowercase(),
        things(found.members.len() as u64, "member", "members")
    );
    let mut parts = vec![state, partitions(found, screen)];
    let mut tiers = Table::new(["TIER", "WAITING", "NEXT DUE"]);
    for tier in &found.tiers {
        tiers.row([tier.topic.clone(), count(tier.waiting), times.due(tier.next_due)]);
    }
    parts.push(tiers.text(screen));
    if let Some(letters) = &found.dead_letters {
        let settled = match letters.settled {
            0 => String::new(),
            settled => format!(", {} settled", count(settled)),
        };
        let text = match letters.count.saturating_sub(letters.settled) {
            0 => format!("No open dead letters in {}{settled}\n", letters.topic),
            number => format!(
                "{} in {}, the oldest of {}, the newest of {}{settled}\n",
                screen.alarming(&things(number, "dead letter", "dead letters")),
                letters.topic,
                times.maybe(letters.oldest),
                times.maybe(letters.newest)
            ),
        };
        parts.push(text);
    }
    let mut members = Table::new(["MEMBER", "HOST", "PARTITIONS"]);
    for member in &found.members {
        let name = member.instance.as_ref().unwrap_or(&member.id);
        members.row([name.clone(), member.host.clone(), count(member.partitions as u64)]);
    }
    parts.push(members.text(screen));
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn partitions(found: &Status, screen: &Screen) -> String {
    let headings =
        ["TOPIC", "PARTITION", "WATERMARK", "BEYOND", "IN FLIGHT", "UNFINISHED", "LOG END", "OLDEST", "LAST OWNER"];
    let mut table = Table::new(headings);
    for one in found.partitions.iter().filter(|one| one.role == Role::Source || one.unfinished > 0) {
        table.row([
            one.topic.clone(),
            one.partition.to_string(),
            one.watermark.to_string(),
            count(one.finished_beyond),
            count(one.in_flight),
            count(one.unfinished),
            one.log_end.to_string(),
            screen.times().age(one.oldest),
            owner(one),
        ]);
    }
    table.text(screen)
}

fn owner(one: &PartitionStatus) -> String {
    match (&one.metadata_ignored, one.left_well) {
        (Some(why), _) => format!("metadata ignored: {why}"),
        (None, Some(true)) => "left well".to_owned(),
        (None, Some(false)) => "running, or gone without a goodbye".to_owned(),
        (None, None) => "-".to_owned(),
    }
}
