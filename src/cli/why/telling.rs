//! Stories in words, for people.

use crate::{
    admin::{Fate, Step, Stop, Stories, Story},
    cli::{
        screen::Screen,
        table::{Table, count, cut, plain, things},
        times::duration,
    },
};
use retrial_core::time::Timestamp;
use std::collections::BTreeMap;

/// The widest that an error is shown in a table.
const ERROR_COLUMNS: usize = 60;

/// One line for each record, and how many there are of each fate.
pub(super) fn overview(told: &Stories, now: Timestamp, screen: &Screen) -> String {
    let mut table = Table::new(["RECORD", "WRITTEN", "FATE", "ATTEMPTS", "LAST ERROR"]);
    let mut fates: BTreeMap<Fate, u64> = BTreeMap::new();
    for story in &told.stories {
        *fates.entry(story.fate).or_default() += 1;
        let past = story.trail.last().map(|step| &step.past);
        let time = story.source.time.or(past.map(|past| past.source_time)).and_then(|time| time.timestamp());
        table.row([
            story.record.to_string(),
            screen.times().maybe(time),
            brief(story, now),
            past.map_or_else(|| "-".to_owned(), |past| past.attempts.to_string()),
            past.and_then(|past| past.error.as_deref()).map_or_else(|| "-".to_owned(), |it| cut(it, ERROR_COLUMNS)),
        ]);
    }
    let mut text = table.text(screen);
    if !text.is_empty() {
        text.push('\n');
    }
    let fates: Vec<String> = fates.iter().map(|(fate, number)| format!("{} {}", count(*number), word(*fate))).collect();
    let told_of = told.stories.len() as u64;
    text.push_str(&things(told_of.max(told.matched), "record", "records"));
    if told_of < told.matched {
        text.push_str(&format!(", of which the {} youngest", count(told_of)));
    }
    if !fates.is_empty() {
        text.push_str(&format!(": {}", fates.join(", ")));
    }
    text.push('\n');
    text
}

const fn word(fate: Fate) -> &'static str {
    match fate {
        Fate::Done => "done",
        Fate::Unfinished => "unfinished",
        Fate::Running => "running",
        Fate::Held => "held",
        Fate::Waiting => "waiting",
        Fate::Due => "due",
        Fate::Dead => "dead",
        Fate::Discarded => "discarded",
        Fate::NeverSeen => "never seen",
        Fate::NotWritten => "not written",
        Fate::NoRecord => "no record",
        Fate::Gone => "gone",
    }
}

/// The fate in a table.
fn brief(story: &Story, now: Timestamp) -> String {
    let until = story.step().and_then(|step| step.until);
    match (story.fate, until) {
        (Fate::Waiting, Some(until)) => format!("waiting, due in {}", duration(until.since(now))),
        (Fate::Due, Some(until)) => format!("due, {} late", duration(now.since(until))),
        (fate, _) => word(fate).to_owned(),
    }
}

/// One story in full.
pub(super) fn text(story: &Story, now: Timestamp, screen: &Screen) -> String {
    let head = format!("{}: {}", story.record, sentence(story, now, screen));
    let head = match story.fate {
        Fate::Dead | Fate::Gone | Fate::Held => screen.alarming(&plain(&head)),
        _ => screen.heading(&plain(&head)),
    };
    let mut table = Table::new(["WRITTEN", "WHERE", "ATTEMPTS", "WHAT"]);
    if story.source.is_there {
        let time = story.source.time.and_then(|time| time.timestamp());
        table.row([screen.times().maybe(time), story.record.to_string(), "0".to_owned(), in_source(story)]);
    }
    for step in &story.trail {
        table.row([
            screen.times().maybe(step.written),
            format!("{}/{}/{}", step.topic, step.partition, step.offset),
            step.past.attempts.to_string(),
            in_own_topic(step, screen),
        ]);
    }
    let mut parts = vec![format!("{head}\n"), table.text(screen), remarks(story)];
    parts.retain(|part| !part.is_empty());
    parts.join("\n")
}

fn sentence(story: &Story, now: Timestamp, screen: &Screen) -> String {
    let (source, place) = (&story.source, format!("{}/{}", story.record.topic, story.record.partition));
    let (log_start, log_end) = (source.log_start.unwrap_or(0), source.log_end.unwrap_or(0));
    let step = story.step();
    let topic = step.map_or("", |step| step.topic.as_str());
    let until = step.and_then(|step| step.until);
    let again = if story.trail.is_empty() { "" } else { " again, whatever is told below" };
    match story.fate {
        Fate::Done if step.is_some_and(|step| step.settled.is_some()) => {
            "done: it was dead, an operator sent it back, and it is finished since".to_owned()
        }
        Fate::Done if step.is_some() => format!("done: finished in {topic}, and nothing of it was written since"),
        Fate::Done => "done: handled, or discarded by its handler".to_owned(),
        Fate::Unfinished => format!("unfinished: it was not started by the last commit, and runs{again}"),
        Fate::Running if step.is_some() => format!("running, as known from the last commit, from {topic}"),
        Fate::Running => {
            let again = if story.trail.is_empty() { "" } else { " again" };
            format!("running{again}, as known from the last commit; or its owner vanished, and it runs anew")
        }
        Fate::Held => "held: it takes its process down, and stays where it is until somebody buries it".to_owned(),
        Fate::Waiting => {
            let ahead = until.map_or_else(String::new, |until| format!(" (in {})", duration(until.since(now))));
            format!("waiting in {topic} until {}{ahead}", screen.times().maybe(until))
        }
        Fate::Due => {
            let late = until.map_or_else(String::new, |until| format!(", {} late", duration(now.since(until))));
            format!("due since {} in {topic}{late}: it was not started by the last commit", screen.times().maybe(until))
        }
        Fate::Dead => dead(step, screen),
        Fate::Discarded => "discarded: it was dead, and an operator settled it without work".to_owned(),
        Fate::NeverSeen => format!("never seen: the group has no position in {place}"),
        Fate::NotWritten if source.log_end.is_none() => format!("never written: there is no {place}"),
        Fate::NotWritten => format!("never written: {place} ends before offset {log_end}"),
        Fate::NoRecord => {
            "no record: a marker, of an aborted transaction, or removed by compaction; nothing else tells of it"
                .to_owned()
        }
        Fate::Gone => {
            format!("gone: {place} begins at offset {log_start} by now, and the group had not finished it")
        }
    }
}

fn dead(step: Option<&Step>, screen: &Screen) -> String {
    let Some(step) = step else { return "dead".to_owned() };
    let past = &step.past;
    let cause = past.cause.map_or("for an unknown cause", |cause| cause.as_str());
    let attempts = things(past.attempts.into(), "attempt", "attempts");
    format!(
        "dead since {}: {cause} after {attempts}{}; letter {}/{}/{}",
        screen.times().maybe(step.written),
        failure(step),
        step.topic,
        step.partition,
        step.offset
    )
}

/// Kind and text of the last failure.
fn failure(step: &Step) -> String {
    let kind = step.past.kind.as_ref().map_or_else(String::new, |kind| format!(", {kind}"));
    let error = step.past.error.as_ref().map_or_else(String::new, |error| format!(": {error}"));
    format!("{kind}{error}")
}

fn in_source(story: &Story) -> String {
    let source = &story.source;
    let position = match (source.finished, source.watermark) {
        (_, None) => "never read".to_owned(),
        (true, Some(watermark)) if story.record.offset < watermark => {
            format!("finished here, below watermark {watermark}")
        }
        (true, Some(watermark)) => format!("finished here, beyond watermark {watermark}"),
        (false, Some(watermark)) if source.started => format!("started, watermark {watermark}"),
        (false, Some(watermark)) => format!("not finished, watermark {watermark}"),
    };
    match source.suspect {
        Some(suspect) => {
            let crashes = things(suspect.crashes as u64, "process", "processes");
            format!("{position}; {crashes} vanished while it ran alone")
        }
        None => position,
    }
}

fn in_own_topic(step: &Step, screen: &Screen) -> String {
    let mut what = match (step.stop, step.finished) {
        (Stop::DeadLetters, _) => {
            format!("dead, {}", step.past.cause.map_or("for an unknown cause", |cause| cause.as_str()))
        }
        (Stop::Tier, true) => "finished here".to_owned(),
        (Stop::Tier, false) => format!("until {}", screen.times().maybe(step.until)),
    };
    what.push_str(&failure(step));
    if let Some(settled) = step.settled {
        what.push_str(&format!("; {settled}"));
    }
    if step.past.redrives > 0 {
        what.push_str(&format!("; redriven {}", things(step.past.redrives.into(), "time", "times")));
    }
    for (name, id) in [("replay", &step.replay), ("operation", &step.operation)] {
        if let Some(id) = id {
            what.push_str(&format!("; {name} {id}"));
        }
    }
    what
}

/// What weakens the story.
fn remarks(story: &Story) -> String {
    let mut remarks = String::new();
    if let Some(why) = &story.source.metadata_ignored {
        remarks.push_str(&format!("What is finished beyond the watermark is not known: {why}.\n"));
    }
    if story.fate == Fate::Done && story.trail.is_empty() && story.letters_forgotten {
        remarks.push_str("Dead letters were deleted since the first one: a letter of it may have been among them.\n");
    }
    remarks
}
