//! `retrial topics plan`.

use super::{Service, shown};
use crate::{
    admin::plan_topics,
    cli::{
        connection::Connection,
        end::{End, Ended},
        screen::Screen,
    },
};
use clap::Args;

const EXAMPLES: &str = "\
Before the first start of a service, its source topics and delays must be said; later, what exists tells them.

Examples:
  retrial topics plan --group billing --topic orders --topic refunds --delays 5s,1m,10m,1h,6h
  retrial topics plan --group billing
  retrial topics plan --group billing --output json | jq -r '.topics[] | select(.found == null) | .topic'";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    service: Service,
}

pub(super) fn run(arguments: &Arguments, connection: &Connection, screen: &Screen) -> Ended {
    let (kafka, names) = (connection.kafka()?, connection.names()?);
    let plan = plan_topics(&kafka, &names, &arguments.service.scope())?;
    shown::show(&plan, None, screen)?;
    Ok(if plan.is_empty() { End::NothingMatched(shown::nothing(&plan)) } else { End::Done })
}
