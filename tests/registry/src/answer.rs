//! Answers, and the registry's error codes.

use serde_json::{Value, json};

/// A status and a body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn ok(body: Value) -> Self {
        Self { status: 200, body }
    }

    /// The HTTP status is what the error code begins with.
    pub(crate) fn error(code: u32, message: impl Into<String>) -> Self {
        let status = if code > 999 { code / 100 } else { code };
        Self { status: status as u16, body: json!({"error_code": code, "message": message.into()}) }
    }

    pub(crate) fn no_subject(subject: &str) -> Self {
        Self::error(40401, format!("Subject '{subject}' not found."))
    }

    pub(crate) fn no_version(version: &str) -> Self {
        Self::error(40402, format!("Version {version} not found."))
    }

    pub(crate) fn no_schema() -> Self {
        Self::error(40403, "Schema not found")
    }

    pub(crate) fn invalid_schema(why: &str) -> Self {
        Self::error(42201, format!("Invalid schema: {why}"))
    }

    pub(crate) fn invalid_version(version: &str) -> Self {
        Self::error(
            42202,
            format!(
                "The specified version '{version}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
            ),
        )
    }

    pub(crate) fn incompatible() -> Self {
        Self::error(409, "Schema being registered is incompatible with an earlier schema")
    }

    pub(crate) fn no_path() -> Self {
        Self::error(404, "HTTP 404 Not Found")
    }
}
