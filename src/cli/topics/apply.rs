//! `retrial topics apply`.

use super::{Service, shown};
use crate::{
    admin::{apply_topics, plan_topics},
    cli::{
        connection::Connection,
        consent::asked,
        end::{End, Ended, Trouble},
        screen::Screen,
        table::things,
    },
};
use clap::Args;

const EXAMPLES: &str = "\
Nothing is deleted, no retention shrinks, and replicas and partitions stay as they are: what only that would mend is told
and left. It may be done as often as one likes: what is there already stays.

Examples:
  retrial topics apply --group billing --topic orders --delays 5s,1m,10m,1h,6h --yes
  retrial topics apply --group billing";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    service: Service,
    /// Do it without a question. Needed where there is no terminal.
    #[arg(long, help_heading = "Safety", conflicts_with = "dry_run")]
    yes: bool,
    /// Only show what would be done, as `topics plan` does.
    #[arg(long, help_heading = "Safety")]
    dry_run: bool,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let plan = plan_topics(&kafka, &names, &arguments.service.scope())?;
    let ends_here = plan.is_empty() || arguments.dry_run;
    // For programs there is one document, at the end.
    if ends_here || !screen.is_json() {
        shown::show(&plan, None, screen)?;
    }
    if plan.is_empty() {
        return Ok(End::NothingMatched(shown::nothing(&plan)));
    }
    if arguments.dry_run {
        return Ok(End::Done);
    }
    if !arguments.yes && !asked("\nMake and change these topics?", screen)? {
        return Err(Trouble::Refused("nothing was changed".to_owned()));
    }
    let applied = apply_topics(&kafka, &names, &plan)?;
    let (made, changed) = (applied.made.len() as u64, applied.changed.len() as u64);
    let done = format!(
        "{} made, {} changed",
        things(made, "topic was", "topics were"),
        things(changed, "topic was", "topics were")
    );
    if screen.is_json() {
        shown::show(&plan, Some(&applied), screen)?;
    } else {
        screen.write(&format!("\n{done}.\n"))?;
    }
    if applied.failed.is_empty() {
        return Ok(End::Done);
    }
    let failed = applied.failed.join("\n  ");
    if made + changed == 0 {
        return Err(Trouble::Failed(format!("nothing was done:\n  {failed}")));
    }
    Ok(End::Partly(format!(
        "{done}; the rest was not:\n  {failed}\nMend that and run it again: it does only what is left."
    )))
}
