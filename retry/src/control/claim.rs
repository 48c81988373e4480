//! Who may write, and who asks them to stop (RULES 18).
//!
//! A transactional producer fences the *older* one of its id. So whoever wants to begin fences first, then reads control
//! to its end, and only then may claim: nothing can be written between that reading and the claim, except by somebody who
//! has fenced it in turn. Who was fenced reads again: if the claim is still theirs, they go on.

use super::{
    ControlError,
    text::{Lines, lines},
};
use crate::{outcome::plain, time::Timestamp};
use std::time::Duration;

/// A claim is held by somebody alive for so long after its last heartbeat, by the broker's clock. It is also the time limit of
/// transactions.
pub const FRESH: Duration = Duration::from_secs(15);

/// Longest name of an operator, in bytes.
const MAX_WHO: usize = 256;

/// Who carries out an operation now. Written again in each batch, and while there is nothing to write: a heartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The operation.
    pub operation: String,
    /// Whose process it is: a random number, drawn at its start.
    pub session: u64,
    /// The operator.
    pub who: String,
}

/// A claim in the control topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeenClaim {
    /// What it says.
    pub claim: Claim,
    /// When it was appended, by the broker's clock.
    pub at: Timestamp,
}

/// Somebody else holds the claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Occupied {
    /// The claim.
    pub claim: Claim,
    /// How long ago its last heartbeat was.
    pub silent: Duration,
}

impl Occupied {
    /// Whether its holder must be taken for alive.
    #[must_use]
    pub fn is_fresh(&self) -> bool {
        self.silent < FRESH
    }
}

impl SeenClaim {
    /// Whether a session may claim, over this claim, at this time of the broker: if it is its own, or if nobody answers for
    /// it any more and the operator wants to take over.
    ///
    /// # Errors
    /// Whose it is.
    ///
    /// ```
    /// use retrial_core::{control::{Claim, SeenClaim}, time::Timestamp};
    ///
    /// let claim = Claim { operation: "redrive-1".into(), session: 7, who: "alice".into() };
    /// let seen = SeenClaim { claim, at: Timestamp::from_millis(0) };
    /// let (soon, later) = (Timestamp::from_millis(14_999), Timestamp::from_millis(15_000));
    /// assert!(seen.yields_to(7, soon, false).is_ok());
    /// assert!(seen.yields_to(8, soon, true).is_err_and(|other| other.is_fresh()));
    /// assert!(seen.yields_to(8, later, false).is_err());
    /// assert!(seen.yields_to(8, later, true).is_ok());
    /// ```
    pub fn yields_to(&self, session: u64, now: Timestamp, take_over: bool) -> Result<(), Occupied> {
        let occupied = Occupied { claim: self.claim.clone(), silent: now.since(self.at) };
        if self.claim.session == session || (take_over && !occupied.is_fresh()) {
            return Ok(());
        }
        Err(occupied)
    }
}

impl Claim {
    /// As the control topic holds it.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut lines = Lines::new();
        lines.line("operation", &self.operation);
        lines.line("session", format_args!("{:016x}", self.session));
        lines.line("who", plain(&self.who, MAX_WHO));
        lines.end()
    }

    /// Reads what [`Claim::encode`] writes, and nothing else.
    ///
    /// # Errors
    /// It is of a later version, or something else.
    pub fn decode(value: &[u8]) -> Result<Self, ControlError> {
        let mut claim = Self { operation: String::new(), session: 0, who: String::new() };
        for (name, text) in lines(value)? {
            match name {
                "operation" => text.clone_into(&mut claim.operation),
                "session" => claim.session = u64::from_str_radix(text, 16).map_err(|_| ControlError::Damaged)?,
                "who" => text.clone_into(&mut claim.who),
                _ => return Err(ControlError::Damaged),
            }
        }
        if claim.encode().as_bytes() == value { Ok(claim) } else { Err(ControlError::Damaged) }
    }
}

/// Somebody asks for the end of an operation that goes on elsewhere.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StopRequest {
    /// Who asks.
    pub who: String,
    /// Since when, by their clock.
    pub at: Timestamp,
}

impl StopRequest {
    /// As the control topic holds it.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut lines = Lines::new();
        lines.line("who", plain(&self.who, MAX_WHO));
        lines.line("at", self.at);
        lines.end()
    }

    /// Reads what [`StopRequest::encode`] writes, and nothing else.
    ///
    /// # Errors
    /// It is of a later version, or something else.
    pub fn decode(value: &[u8]) -> Result<Self, ControlError> {
        let mut request = Self { who: String::new(), at: Timestamp::default() };
        for (name, text) in lines(value)? {
            match name {
                "who" => text.clone_into(&mut request.who),
                "at" => request.at = text.parse().map_err(|_| ControlError::Damaged)?,
                _ => return Err(ControlError::Damaged),
            }
        }
        if request.encode().as_bytes() == value { Ok(request) } else { Err(ControlError::Damaged) }
    }
}
