//! A plan for positions: shown first, then carried out if that is wanted.

use super::file::Written;
use crate::{
    admin::{Plan, apply, positions},
    broker::kafka::Kafka,
    cli::{
        consent::asked,
        end::{End, Ended, Trouble},
        screen::Screen,
        table::{Table, count, things},
    },
};
use retrial_core::naming::GroupNames;
use serde::Serialize;
use std::path::PathBuf;

/// Whether to do it.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Safety")]
pub(super) struct Consent {
    /// Do it without a question. Needed where there is no terminal.
    #[arg(long, conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would change.
    #[arg(long)]
    dry_run: bool,
    /// Where to write the positions as they are, for `offsets import`.
    /// Default: retrial-undo-GROUP-TIME.json in this folder.
    #[arg(long, value_name = "FILE")]
    undo: Option<PathBuf>,
}

const SCHEMA: &str = "retrial.offsets.plan/1";

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    plan: &'a Plan,
    /// Whether it was carried out.
    applied: bool,
    /// The file that undoes it.
    undo: Option<String>,
}

impl Consent {
    /// Shows a plan and, if that is wanted, carries it out.
    pub(super) fn carry_out(&self, plan: &Plan, kafka: &Kafka, names: &GroupNames, screen: &Screen) -> Ended {
        if !screen.is_json() {
            screen.write(&text(plan, screen))?;
        }
        if plan.changes.is_empty() {
            self.tell(plan, None, screen)?;
            let all = things(plan.unchanged, "partition is", "partitions are");
            return match plan.unchanged {
                0 => Ok(End::NothingMatched(format!("group {} has no partition that is meant", names.group()))),
                _ => Ok(End::NothingMatched(format!("{all} there already: nothing to change"))),
            };
        }
        if self.dry_run {
            self.tell(plan, None, screen)?;
            return Ok(End::Done);
        }
        if !self.yes && !asked("Set these positions?", screen)? {
            return Err(Trouble::Refused("nothing was changed".to_owned()));
        }
        let undo = self.undo_file(names, screen);
        Written::new(names.group(), screen.times().now().to_string(), &positions(kafka, names)?).save(&undo)?;
        apply(kafka, names, plan).map_err(|error| match error {
            crate::admin::AdminError::Partly { .. } => {
                Trouble::Failed(format!("{error}; what was before is in {}", undo.display()))
            }
            other => {
                // Nothing was written: there is nothing to undo.
                let _ = std::fs::remove_file(&undo);
                other.into()
            }
        })?;
        self.tell(plan, Some(undo.display().to_string()), screen)?;
        Ok(End::Done)
    }

    fn undo_file(&self, names: &GroupNames, screen: &Screen) -> PathBuf {
        let time = screen.times().now().to_string().replace([':', '.'], "");
        let group = names.group().replace(|letter: char| !letter.is_ascii_alphanumeric(), "-");
        self.undo.clone().unwrap_or_else(|| PathBuf::from(format!("retrial-undo-{group}-{time}.json")))
    }

    fn tell(&self, plan: &Plan, undo: Option<String>, screen: &Screen) -> Result<(), Trouble> {
        if screen.is_json() {
            return screen.json(SCHEMA, &Shown { plan, applied: undo.is_some(), undo });
        }
        match undo {
            Some(undo) => {
                let set = things(plan.changes.len() as u64, "partition was", "partitions were");
                screen.write(&format!("{set} set. To undo: retrial offsets import {undo} --group {}\n", plan.group))
            }
            None if self.dry_run => screen.write("Nothing was changed (--dry-run).\n"),
            None => Ok(()),
        }
    }
}

fn text(plan: &Plan, screen: &Screen) -> String {
    let mut table = Table::new(["TOPIC", "PARTITION", "FROM", "TO", "HANDLED AGAIN", "NEVER HANDLED"]);
    for change in &plan.changes {
        table.row([
            change.topic.clone(),
            change.partition.to_string(),
            change.from.map_or_else(|| "-".to_owned(), |from| from.to_string()),
            change.to.to_string(),
            count(change.again),
            count(change.skipped),
        ]);
    }
    let mut text = table.text(screen);
    let (again, skipped) =
        plan.changes.iter().fold((0, 0), |(again, skipped), change| (again + change.again, skipped + change.skipped));
    if !plan.changes.is_empty() {
        let records = |number| things(number, "record", "records");
        text.push_str(&format!("\n{} would be handled again, {} never", records(again), records(skipped)));
        text.push_str(" (gaps in a log count as well).\n");
    }
    for tier in &plan.waiting {
        let waiting = things(tier.count, "record waits", "records wait");
        text.push_str(&format!(
            "{waiting} in {}, and will be handled when due, wherever the group begins.\n",
            tier.topic
        ));
    }
    text
}
