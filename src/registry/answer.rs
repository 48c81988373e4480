//! What an answer of the registry means.
//!
//! The line that must not be crossed: only a registry that says so in its own words (an error code of the family
//! 404xx) has no such schema. A proxy's 404, a wrong path or a half-started server would otherwise send a topic to
//! the dead letters.

use hyper::StatusCode;
use serde_json::Value;

/// What one address said.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Good(Value),
    /// It does not exist, with the registry's code.
    Absent(u32),
    Refused {
        code: u32,
        message: String,
    },
    /// The registry's way, and that of others, to say that it has no such path.
    UnknownPath,
    /// Nothing that says anything about the question.
    Silence(String),
}

/// Longest part of a foreign text that is repeated in ours, in characters.
const QUOTED: usize = 200;

pub(super) fn read(status: StatusCode, body: &[u8]) -> Answer {
    let json = serde_json::from_slice::<Value>(body).ok();
    if status.is_success() {
        return json.map_or_else(|| Answer::Silence("its answer is no JSON".to_owned()), Answer::Good);
    }
    let code = json.as_ref().and_then(|json| json["error_code"].as_u64()).and_then(|code| u32::try_from(code).ok());
    let message = json.as_ref().and_then(|json| json["message"].as_str()).unwrap_or_default();
    let message: String = message.chars().take(QUOTED).collect();
    match (status.as_u16(), code) {
        (404, Some(code @ 40_400..=40_499)) => Answer::Absent(code),
        (404, Some(404)) => Answer::UnknownPath,
        (404, _) => Answer::Silence("404, and not in a schema registry's words: is the path right?".to_owned()),
        (401 | 403, _) => Answer::Silence(format!("the credentials are refused ({})", status.as_u16())),
        (409 | 422, code) => Answer::Refused { code: code.unwrap_or_else(|| status.as_u16().into()), message },
        (other, None) => Answer::Silence(format!("status {other}")),
        (other, Some(code)) => Answer::Silence(format!("status {other}, error code {code}: {message}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(status: u16, body: &str) -> Answer {
        read(StatusCode::from_u16(status).unwrap(), body.as_bytes())
    }

    #[test]
    fn only_the_registrys_own_words_make_a_schema_absent() {
        for code in [40401, 40402, 40403] {
            let body = format!(r#"{{"error_code":{code},"message":"Schema 7 not found"}}"#);
            assert_eq!(said(404, &body), Answer::Absent(code));
        }
        let foreign = [
            (404, r#"{"error_code":404,"message":"HTTP 404 Not Found"}"#),
            (404, "<html>nginx</html>"),
            (404, ""),
            (200, "<html>please log in</html>"),
            (301, ""),
            (401, r#"{"error_code":40101,"message":"Unauthorized"}"#),
            (403, r#"{"error_code":40301,"message":"Forbidden"}"#),
            (429, "slow down"),
            (500, r#"{"error_code":50001,"message":"Error in the backend data store"}"#),
            (503, r#"{"error_code":40403,"message":"of a confused proxy"}"#),
        ];
        for (status, body) in foreign {
            assert!(matches!(said(status, body), Answer::Silence(_) | Answer::UnknownPath), "{status} {body}");
        }
    }

    #[test]
    fn refusals_keep_the_registrys_code_and_words() {
        let answer = said(422, r#"{"error_code":42201,"message":"Invalid Avro schema"}"#);
        assert_eq!(answer, Answer::Refused { code: 42201, message: "Invalid Avro schema".to_owned() });
        assert_eq!(said(409, ""), Answer::Refused { code: 409, message: String::new() });
    }

    #[test]
    fn a_long_message_is_cut() {
        let body = format!(r#"{{"error_code":50001,"message":"{}"}}"#, "é".repeat(10_000));
        let Answer::Silence(why) = said(500, &body) else { panic!("an outage") };
        assert!(why.len() < 1_000, "{why}");
    }
}
