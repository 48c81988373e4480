//! Who we are to the registry. Secrets are in no text that this makes but the header itself.

use crate::registry::RegistrySettingsError;
use base64::{Engine, prelude::BASE64_STANDARD};
use hyper::header::HeaderValue;
use std::fmt;

#[derive(Clone)]
pub(super) enum Credentials {
    Basic { user: String, password: String },
    Bearer(String),
}

impl Credentials {
    /// The header `Authorization`, marked as sensitive so that no layer below prints it either.
    pub(super) fn header(&self) -> Result<HeaderValue, RegistrySettingsError> {
        let text = match self {
            Self::Basic { user, .. } if user.contains(':') => return Err(RegistrySettingsError::Credentials),
            Self::Basic { user, password } => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))),
            Self::Bearer(token) => format!("Bearer {token}"),
        };
        let mut header = HeaderValue::from_str(&text).map_err(|_| RegistrySettingsError::Credentials)?;
        header.set_sensitive(true);
        Ok(header)
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Basic { user, .. } => write!(f, "Basic({user:?}, …)"),
            Self::Bearer(_) => f.write_str("Bearer(…)"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_any_text() {
        let basic = Credentials::Basic { user: "ann".to_owned(), password: "hunter2".to_owned() };
        let bearer = Credentials::Bearer("hunter2".to_owned());
        for credentials in [&basic, &bearer] {
            assert!(!format!("{credentials:?}").contains("hunter2"));
            let header = credentials.header().unwrap();
            assert!(!format!("{header:?}").contains("hunter2"));
        }
        assert_eq!(basic.header().unwrap(), "Basic YW5uOmh1bnRlcjI=");
    }

    #[test]
    fn what_a_header_cannot_carry_is_told_without_it() {
        let line_break = Credentials::Bearer("hun\nter2".to_owned());
        assert_eq!(line_break.header(), Err(RegistrySettingsError::Credentials));
        let colon = Credentials::Basic { user: "a:b".to_owned(), password: String::new() };
        assert_eq!(colon.header(), Err(RegistrySettingsError::Credentials));
    }
}
