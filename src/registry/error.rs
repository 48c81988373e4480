//! What the registry did not do, and whose fault that is.

use std::time::Duration;

/// Why a schema registry did not give what it was asked for.
///
/// The one question that matters to a record is [`RegistryError::is_outage`]: an answer (there is no such schema) is
/// true of the record for good, and silence says nothing about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistryError {
    /// The registry answered that it has no such schema, subject or version.
    #[error("the schema registry has no {wanted} (error code {code})")]
    NotFound {
        /// What was asked for, such as `schema with id 7`.
        wanted: String,
        /// The registry's own error code: 40401 subject, 40402 version, 40403 schema.
        code: u32,
    },
    /// The registry answered that it will not: an incompatible (409) or invalid (422) schema, an invalid version.
    #[error("the schema registry refused the {wanted}: {message} (error code {code})")]
    Refused {
        /// What was asked for.
        wanted: String,
        /// The registry's own error code, or the HTTP status where it gave none.
        code: u32,
        /// The registry's own words.
        message: String,
    },
    /// The registry does not do this at all: an older one is asked for a schema by its GUID.
    #[error("this schema registry does not look up any {wanted}")]
    Unsupported {
        /// What was asked for.
        wanted: String,
    },
    /// What the registry holds cannot be used: references in a circle or too many of them.
    #[error("the {wanted} cannot be used: {why}")]
    Unusable {
        /// What was asked for.
        wanted: String,
        /// What is wrong with it.
        why: String,
    },
    /// Registering was asked for and was not allowed by the settings of this client.
    #[error("this client may not register schemas (`allow_registration` was not called)")]
    ReadOnly,
    /// No usable answer came from any address: no connection, no answer in time, a server's error, refused
    /// credentials, or something that is no schema registry. It says nothing about what was asked for.
    #[error("the schema registry is away: {why}")]
    Away {
        /// What each address did.
        why: String,
    },
}

impl RegistryError {
    /// Whether nothing is known about what was asked for, and the same question may be answered later.
    #[must_use]
    pub const fn is_outage(&self) -> bool {
        matches!(self, Self::Away { .. })
    }
}

/// What is wrong with how a client of a schema registry was set up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RegistrySettingsError {
    /// No address was given.
    #[error("a schema registry needs at least one URL")]
    NoUrl,
    /// An address is not one. The text is not repeated, since it may hold a password.
    #[error("URL {number} of the schema registry: {why}")]
    Url {
        /// Which one, from 1.
        number: usize,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A credential holds a character that HTTP headers cannot carry.
    #[error("the credentials for the schema registry hold a character that a header cannot carry")]
    Credentials,
    /// The time limit or an expiry is outside its bounds.
    #[error("{setting}: {given:?} is not between {least:?} and {most:?}")]
    Time {
        /// Which setting.
        setting: &'static str,
        /// What was given.
        given: Duration,
        /// The least.
        least: Duration,
        /// The most.
        most: Duration,
    },
    /// The certificates cannot be read.
    #[error("certificates for the schema registry: {0}")]
    Certificates(String),
}
