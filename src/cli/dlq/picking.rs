//! Which dead letters are meant, as options.

use crate::{
    admin::{Condition, Filter, Fingerprint, HeaderIs, Source},
    cli::{end::Trouble, times::Times, values::Values},
};
use retrial_core::outcome::Cause;

/// The options of every command that picks dead letters. Those that are given must all be met; of one that may be
/// repeated, one value must be met.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Which dead letters (all of these, if given)")]
pub(super) struct Picking {
    /// Buried since then: a time, a date, or how long ago (2h).
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Buried before then.
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
    /// Cause of death (exhausted, refused, undecodable, expired, crashed, unhandled); may be repeated.
    #[arg(long, value_name = "CAUSE")]
    cause: Vec<Cause>,
    /// Kind of the last failure, as it is listed; may be repeated.
    #[arg(long, value_name = "KIND")]
    kind: Vec<String>,
    /// Group of alike errors, as it is listed; may be repeated.
    #[arg(long, value_name = "ID")]
    fingerprint: Vec<Fingerprint>,
    /// Text of the last failure has this in it, in whatever case.
    #[arg(long, value_name = "TEXT")]
    text: Option<String>,
    /// Key of the record; may be repeated.
    #[arg(long, value_name = "KEY")]
    key: Vec<String>,
    /// Header of the record, with this value if one is given; may be repeated, and all must be there.
    #[arg(long, value_name = "NAME[=VALUE]")]
    header: Vec<HeaderIs>,
    /// At least so many attempts were made.
    #[arg(long, value_name = "N")]
    min_attempts: Option<u32>,
    /// At most so many attempts were made.
    #[arg(long, value_name = "N")]
    max_attempts: Option<u32>,
    /// Where the record stood first; may be repeated.
    #[arg(long, value_name = "TOPIC[/PARTITION[/OFFSET]]")]
    source: Vec<Source>,
    /// What the body says: '.customer.id == 42', '.lines[0].sku', '.at < "2026-11-01"'; may be repeated, and all must be met.
    #[arg(long = "where", value_name = "CONDITION")]
    conditions: Vec<Condition>,
    #[command(flatten)]
    values: Values,
}

impl Picking {
    pub(super) fn filter(&self, times: &Times) -> Result<Filter, Trouble> {
        let time = |name: &str, text: &Option<String>| {
            let read = text.as_ref().map(|text| times.read(text)).transpose();
            read.map_err(|why| Trouble::usage(format!("--{name}: {why}")))
        };
        Ok(Filter {
            since: time("since", &self.since)?,
            until: time("until", &self.until)?,
            causes: self.cause.clone(),
            kinds: self.kind.clone(),
            fingerprints: self.fingerprint.clone(),
            text: self.text.clone(),
            keys: self.key.clone(),
            headers: self.header.clone(),
            min_attempts: self.min_attempts,
            max_attempts: self.max_attempts,
            sources: self.source.clone(),
            conditions: self.conditions.clone(),
            body_format: self.values.format()?,
        })
    }
}
