//! Operations: what operators do to many records, exactly once, remembered, and able to go on after any interruption.
//!
//! | room | does |
//! |---|---|
//! | `session` | the fence, what control says, the claim (RULES 18) |
//! | `carrier` | reads what is meant and writes it in batches, each one transaction (RULES 19) |
//! | `run` | from claim to end, and again after whatever broke in between |
//! | `recall` | what was settled before, read again for those who must know |
//! | `pace` | so many records a second |
//! | `letters`, `reference` | redrive and discard; letters whose record is fetched from where it stood first |
//! | `audit` | which operations there are; the end of one that goes on elsewhere |
//!
//! # How an operation is carried out
//! A plan reads everything once and fixes the ends ([`Span::end`](retrial_core::control::Span)). Then, after the claim, the
//! same is read again, and each batch (at most [`carrier::BATCH`] records or a second) writes, in one transaction: the
//! records to the way back in, the marks of dead letters that are settled by them, the operation's progress, and the
//! claim's heartbeat. After a kill or a fence at any point, control says what was written, and a resume goes on from there.
//!
//! # Another kind of operation
//! Write a [`Work`]: what is to be done with a record that was read, from [`Verdict::Pass`] to [`Verdict::Send`]. Make an
//! [`Operation`](retrial_core::control::Operation) with the spans of what is read (any topics; `request` is yours, and a
//! resume gets it back) by `run::begun`, and give both to `run::Run`. A replay of source topics is a work that sends each
//! record that its filter admits, with `History::new(origin, time)` whose `replay` is the operation's id; it settles
//! nothing and need not look back: progress alone makes it exactly once. Then add it to `audit::resume`.

pub(super) mod audit;
pub(super) mod carrier;
pub(super) mod letters;
mod pace;
mod recall;
mod reference;
pub(super) mod run;
mod session;

use crate::broker::kafka::Found;
use retrial_core::{control::Settlement, history::History};

/// What an operation does with the records that it reads.
pub(super) trait Work {
    /// A reading begins for this operation, perhaps again, after what was read before came to nothing: what it remembers of
    /// that is void.
    fn begin(&mut self, operation: &str);

    /// Whether it wants to know what was settled, by whatever operation, before it judges the first record.
    fn looks_back(&self) -> bool {
        false
    }

    /// Sees a dead letter that is settled.
    fn remember(&mut self, _found: &Found<'_>) {}

    /// Why no more may be sent for now, asked between batches.
    fn waits_for(&mut self) -> Result<Option<String>, super::AdminError> {
        Ok(None)
    }

    /// Decides about a record. `settled`: how it was settled, for dead letters.
    fn judge(&mut self, found: &Found<'_>, settled: Option<Settlement>) -> Result<Verdict, super::AdminError>;

    /// What was to be sent was not: it is too large for where it was to go.
    fn not_sent(&mut self, _found: &Found<'_>) {}
}

/// What becomes of a record.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It is not meant.
    Pass,
    /// It is meant, and stays as it is.
    Leave,
    /// It is settled without work.
    Settle(Settlement),
    /// It goes to work.
    Send {
        /// What it carries of its past.
        past: Box<History>,
        /// What is sent in place of what was read.
        whole: Option<Whole>,
        /// Whether it is a dead letter that is settled by it.
        settles: bool,
    },
}

/// Name and value of a header.
pub(super) type OwnedHeader = (Vec<u8>, Option<Vec<u8>>);

/// A record of a user's topic, as it stands there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) key: Option<Vec<u8>>,
    pub(super) body: Option<Vec<u8>>,
    pub(super) headers: Vec<OwnedHeader>,
}
