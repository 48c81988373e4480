//! What a command came to: its exit code, and what is said on standard error.

use crate::admin::AdminError;
use std::{fmt::Display, io, process::ExitCode};

/// How a command ended that did not fail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All was done, or there was nothing to do.
    Done,
    /// Nothing is there that was asked for; the text says what was looked for.
    NothingMatched(String),
    /// A part was done; the text says how to go on.
    Partly(String),
    /// All was looked at, and something needs attention; the text says how much.
    Attention(String),
}

/// Why a command did nothing, or not what it should.
#[derive(Debug)]
pub(super) enum Trouble {
    /// Something is wrong outside.
    Failed(String),
    /// Something is wrong with the arguments.
    Usage(String),
    /// It would not be safe.
    Refused(String),
    /// Whoever read the output reads no more: nothing to say to anybody.
    NobodyListens,
}

pub(super) type Ended = Result<End, Trouble>;

impl Trouble {
    /// Wrong usage, in words.
    pub(super) fn usage(error: impl Display) -> Self {
        Self::Usage(error.to_string())
    }

    /// A failure, in words.
    pub(super) fn failed(error: impl Display) -> Self {
        Self::Failed(error.to_string())
    }
}

impl From<AdminError> for Trouble {
    fn from(error: AdminError) -> Self {
        match error {
            AdminError::Name(_)
            | AdminError::Property(_)
            | AdminError::NoSource { .. }
            | AdminError::Ladder(_)
            | AdminError::OwnTopic { .. }
            | AdminError::WrongId { .. } => Self::Usage(error.to_string()),
            AdminError::Alive { .. }
            | AdminError::Moved { .. }
            | AdminError::TopicsMoved { .. }
            | AdminError::Occupied { .. }
            | AdminError::TakenOver { .. }
            | AdminError::Unreadable { .. }
            | AdminError::MadeAnew { .. }
            | AdminError::PastWatermark { .. }
            | AdminError::NotRead { .. }
            | AdminError::IdTaken { .. } => Self::Refused(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}

/// Of writing results: a file that cannot be read is told with its name where it is opened.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::NobodyListens;
        }
        Self::Failed(format!("the output cannot be written: {error}"))
    }
}

impl From<serde_json::Error> for Trouble {
    fn from(error: serde_json::Error) -> Self {
        io::Error::from(error).into()
    }
}

/// Says on standard error what is to be said, and gives the exit code.
pub(super) fn code(ended: Ended) -> ExitCode {
    let (code, text) = match ended {
        Ok(End::Done) | Err(Trouble::NobodyListens) => return ExitCode::SUCCESS,
        Err(Trouble::Failed(text)) => (1, text),
        Err(Trouble::Usage(text)) => (2, text),
        Ok(End::NothingMatched(text)) => (3, text),
        Err(Trouble::Refused(text)) => (4, text),
        Ok(End::Partly(text)) => (5, text),
        Ok(End::Attention(text)) => (6, text),
    };
    // With nobody at the other end of standard error there is still the code.
    let _ = io::Write::write_fmt(&mut io::stderr().lock(), format_args!("retrial: {text}\n"));
    ExitCode::from(code)
}
