//! `retrial replay`: past records of a source topic go to work again, for this group only.

use super::{
    connection::Connection,
    consent::asked,
    end::{End, Ended, Trouble},
    interrupt::Interrupt,
    operations::{OperationShown, Operator, came_to, ended},
    progress::Bar,
    screen::Screen,
    table::{Table, count, things},
    values::Values,
};
use crate::admin::{Begun, Condition, FieldIs, HeaderIs, ReplayPlan, ReplayRequest, carry_out_replay, plan_replay};
use serde::Serialize;
use std::io::{self, Write};

const EXAMPLES: &str = "\
Without --yes only the plan is shown. The service may run meanwhile: the records come to it through the group's own way back
in, so no other group sees them, and their order by key is not kept. Handlers see the id in Attempt::replay(), and the same
idempotency key as before. It stops at the group's watermark: what is not finished yet is about to be handled anyway. Ctrl-C
ends it after the batch under way, and says how to go on. The same id twice does nothing twice.

Examples:
  retrial replay orders --group billing --last 2h
  retrial replay orders --group billing --from-time 2026-11-22T08:00:00Z --to-time 2026-11-22T10:21:00Z --yes --rate 200
  retrial replay orders --group billing --all --where '.customer.id == 7' --id customer-7-again --yes
  retrial replay orders --group billing --partition 3 --from-offset 184467 --to-offset 184468 --yes";

#[derive(clap::Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(super) struct Arguments {
    /// The source topic.
    topic: String,
    #[command(flatten)]
    range: Range,
    #[command(flatten)]
    picking: Picking,
    #[command(flatten)]
    consent: Consent,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Which stretch (at least one of these)")]
struct Range {
    /// All that the topic holds and the group has finished.
    #[arg(long, conflicts_with_all = ["from_offset", "to_offset", "from_time", "to_time", "last"])]
    all: bool,
    /// Of this partition; may be repeated.
    #[arg(long, value_name = "PARTITION", value_parser = clap::value_parser!(i32).range(0..))]
    partition: Vec<i32>,
    /// From this offset on, in each partition that is meant.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    from_offset: Option<i64>,
    /// Up to, and without, this offset.
    #[arg(long, value_name = "OFFSET", value_parser = clap::value_parser!(i64).range(0..))]
    to_offset: Option<i64>,
    /// Of this time or later: a time, a date, or how long ago.
    #[arg(long, value_name = "TIME")]
    from_time: Option<String>,
    /// Before this time.
    #[arg(long, value_name = "TIME")]
    to_time: Option<String>,
    /// Of the time since so long ago (2h).
    #[arg(long, value_name = "HOW LONG", conflicts_with = "from_time")]
    last: Option<String>,
    /// Also what the group has not finished yet: it is handled once by itself, and once more as a replay.
    #[arg(long)]
    past_watermark: bool,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Which records of it (all of these, if given)")]
struct Picking {
    /// With this key; may be repeated, and one must be it.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// With this header, and this value if one is given; may be repeated, and all must be there.
    #[arg(long, value_name = "NAME[=VALUE]")]
    header: Vec<HeaderIs>,
    /// With this field in a JSON body (customer.id=7, items.0.sku, or a JSON pointer); may be repeated, and all must be there.
    #[arg(long, value_name = "PATH[=VALUE]")]
    field: Vec<FieldIs>,
    /// What the body says: '.customer.id == 42', '.lines[0].sku', '.at < "2026-11-01"'; may be repeated, and all must be met.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    #[command(flatten)]
    values: Values,
}

#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Safety")]
struct Consent {
    /// What to call it. Default: a name made of the time.
    #[arg(long)]
    id: Option<String>,
    /// Do it. Without this only the plan is shown, and on a terminal it is asked for.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Wait while so many records that came back are not handled yet.
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u64).range(1..))]
    max_backlog: Option<u64>,
    #[command(flatten)]
    operator: Operator,
}

const SCHEMA: &str = "retrial.replay/1";

#[derive(Serialize)]
struct Shown<'a> {
    group: &'a str,
    plan: &'a ReplayPlan,
    /// What came of it; null if it was only planned.
    operation: Option<OperationShown>,
}

impl Arguments {
    fn request(&self, screen: &Screen) -> Result<ReplayRequest, Trouble> {
        let Range { all, partition, from_offset, to_offset, from_time, to_time, last, past_watermark } = &self.range;
        let time = |name: &str, text: &Option<String>| {
            let read = text.as_ref().map(|text| screen.times().read(text)).transpose();
            read.map_err(|why| Trouble::usage(format!("--{name}: {why}")))
        };
        let mut request = ReplayRequest::of(&self.topic);
        request.partitions.clone_from(partition);
        (request.from_offset, request.to_offset) = (*from_offset, *to_offset);
        request.since = time("last", last)?.or(time("from-time", from_time)?);
        request.until = time("to-time", to_time)?;
        let is_bounded =
            from_offset.is_some() || to_offset.is_some() || request.since.is_some() || request.until.is_some();
        if !all && !is_bounded {
            let text = "say which stretch: --last, --from-time, --to-time, --from-offset, --to-offset, or --all";
            return Err(Trouble::usage(text));
        }
        request.keys.clone_from(&self.picking.key);
        request.headers.clone_from(&self.picking.header);
        request.fields.clone_from(&self.picking.field);
        request.conditions.clone_from(&self.picking.conditions);
        request.body_format = self.picking.values.format()?;
        request.past_watermark = *past_watermark;
        Ok(request)
    }
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names, request) = (connection.kafka()?, connection.names()?, arguments.request(screen)?);
    let (consent, by) = (&arguments.consent, arguments.consent.operator.by());
    let interrupt = Interrupt::listen()?;
    let mut bar = Bar::new("records read", interrupt.clone());
    let mut plan = plan_replay(&kafka, &names, &request, (consent.id.as_deref(), &by), &mut bar)?;
    drop(bar);
    plan.max_backlog = consent.max_backlog.unwrap_or(plan.max_backlog);
    let tell = |operation| screen.json(SCHEMA, &Shown { group: names.group(), plan: &plan, operation });
    if !screen.is_json() {
        screen.write(&text(&plan, screen))?;
    }
    let only_planned = || if screen.is_json() { tell(None) } else { Ok(()) };
    if !plan.complete {
        only_planned()?;
        return Ok(End::Partly("interrupted: nothing was changed".to_owned()));
    }
    if let Some(end) = nothing_to_do(&plan) {
        only_planned()?;
        return Ok(end);
    }
    if consent.dry_run || (!consent.yes && !asked("Replay them?", screen).unwrap_or(false)) {
        only_planned()?;
        if !screen.is_json() {
            screen.write("Nothing was changed; --yes does it.\n")?;
        }
        return Ok(End::Done);
    }
    // Before the first record goes, so that whoever is killed can go on with it.
    writeln!(io::stderr(), "retrial: replay {} begins", plan.id)?;
    let mut bar = Bar::new("records", interrupt);
    let done = carry_out_replay(&kafka, &names, &plan, &by, &mut bar);
    drop(bar);
    let operation = done.map_err(Trouble::from)?;
    if screen.is_json() {
        tell(Some(OperationShown::of(&operation, None)))?;
    } else {
        screen.write(&format!("{}: {}\n", operation.id, came_to(&operation)))?;
    }
    ended(&operation)
}

fn nothing_to_do(plan: &ReplayPlan) -> Option<End> {
    if let Some(Begun { done: true, sent, .. }) = plan.begun {
        let sent = things(sent, "record", "records");
        return Some(End::NothingMatched(format!("replay {} is done: it sent {sent}, and sends none again", plan.id)));
    }
    // What was begun has something to end at least.
    if plan.goes > 0 || plan.begun.is_some() {
        return None;
    }
    let more = match plan.left {
        0 => String::new(),
        left => format!(", but for {} past the group's watermark", things(left, "offset", "offsets")),
    };
    Some(End::NothingMatched(format!("no record of {} is meant{more}", plan.topic)))
}

fn text(plan: &ReplayPlan, screen: &Screen) -> String {
    if let Some(Begun { planned, sent, .. }) = plan.begun {
        return format!(
            "Replay {} of {} was begun before: {} of {} sent\n",
            plan.id,
            plan.topic,
            count(sent),
            count(planned)
        );
    }
    let mut text = format!(
        "{} of {} in {} {} to work again, as replay {}\n\n",
        things(plan.goes, "record", "records"),
        count(plan.scanned),
        plan.topic,
        if plan.goes == 1 { "goes" } else { "go" },
        plan.id
    );
    let mut table = Table::new(["PARTITION", "FROM", "END", "WATERMARK", "RECORDS", "LEFT"]);
    for part in plan.partitions.iter().filter(|part| part.goes > 0 || part.left > 0) {
        table.row([
            part.partition.to_string(),
            part.from.to_string(),
            part.end.to_string(),
            part.watermark.map_or_else(|| "-".to_owned(), |watermark| watermark.to_string()),
            count(part.goes),
            count(part.left),
        ]);
    }
    text.push_str(&table.text(screen));
    if plan.left > 0 {
        let left = things(plan.left, "offset is left", "offsets are left");
        text.push_str(&format!(
            "{left}: past the watermark, where the group has not finished (--past-watermark takes them, too)\n"
        ));
    }
    text
}
