//! One question to the registry: HTTP, with a time limit, over the addresses in turn.
//!
//! An address that gives no usable answer is passed over, and the one that answered last is asked first the next
//! time. "There is no such schema" is believed when an address says so and none has it: replicas of a registry read
//! one log, and one may be behind.

use crate::registry::{
    RegistryError,
    answer::{self, Answer},
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::{Client, connect::HttpConnector};
use serde_json::Value;
use std::{
    error::Error,
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

/// Longest answer that is read, in bytes. Schemas are kilobytes.
const MAX_ANSWER_BYTES: usize = 8 << 20;

const MEDIA_TYPE: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json");
const ACCEPTED: HeaderValue = HeaderValue::from_static("application/vnd.schemaregistry.v1+json, application/json");

pub(super) type Connection = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

pub(super) struct Transport {
    /// Without a slash at the end.
    pub(super) urls: Vec<String>,
    pub(super) authorization: Option<HeaderValue>,
    pub(super) client: Connection,
    pub(super) timeout: Duration,
    /// The address that is asked first.
    pub(super) first: AtomicUsize,
}

/// What to ask: `path` begins with a slash and is escaped already.
pub(super) struct Question<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    /// For the texts of errors.
    pub(super) wanted: &'a str,
}

/// Why there is no answer.
pub(super) struct Failure {
    pub(super) error: RegistryError,
    /// Whether somebody answered, and knows no such path.
    pub(super) is_unknown_path: bool,
}

impl From<RegistryError> for Failure {
    fn from(error: RegistryError) -> Self {
        Self { error, is_unknown_path: false }
    }
}

impl From<Failure> for RegistryError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

impl Transport {
    /// # Errors
    /// The registry's own refusal, or that no address gave a usable answer.
    pub(super) async fn ask(&self, question: &Question<'_>) -> Result<Value, Failure> {
        let first = self.first.load(Ordering::Relaxed);
        let (mut silence, mut absence, mut is_unknown_path) = (Vec::new(), None, false);
        for turn in 0..self.urls.len() {
            let at = (first + turn) % self.urls.len();
            let url = &self.urls[at];
            match self.ask_one(url, question).await {
                Answer::Good(value) => {
                    self.first.store(at, Ordering::Relaxed);
                    return Ok(value);
                }
                Answer::Absent(code) => absence = absence.or(Some(code)),
                Answer::Refused { code, message } => {
                    return Err(RegistryError::Refused { wanted: question.wanted.to_owned(), code, message }.into());
                }
                Answer::UnknownPath => {
                    is_unknown_path = true;
                    silence.push(format!("{url}: 404: is the path right?"));
                }
                Answer::Silence(why) => silence.push(format!("{url}: {why}")),
            }
        }
        Err(match absence {
            Some(code) => RegistryError::NotFound { wanted: question.wanted.to_owned(), code }.into(),
            None => Failure { error: RegistryError::Away { why: silence.join("; ") }, is_unknown_path },
        })
    }

    async fn ask_one(&self, url: &str, question: &Question<'_>) -> Answer {
        match tokio::time::timeout(self.timeout, self.exchange(url, question)).await {
            Err(_) => Answer::Silence(format!("no answer within {:?}", self.timeout)),
            Ok(Err(why)) => Answer::Silence(why),
            Ok(Ok((status, body))) => answer::read(status, &body),
        }
    }

    async fn exchange(&self, url: &str, question: &Question<'_>) -> Result<(StatusCode, Bytes), String> {
        let mut request = Request::builder().method(&question.method).uri(format!("{url}{}", question.path));
        request = request.header(ACCEPT, ACCEPTED);
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let body = match question.body {
            Some(body) => {
                request = request.header(CONTENT_TYPE, MEDIA_TYPE);
                Full::from(body.to_string())
            }
            None => Full::default(),
        };
        let request = request.body(body).map_err(|error| error.to_string())?;
        let answer = self.client.request(request).await.map_err(|error| chain(&error))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MAX_ANSWER_BYTES).collect().await;
        Ok((status, body.map_err(|error| chain(&*error))?.to_bytes()))
    }
}

/// "client error (Connect)" alone says nothing; the cause is further down.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

/// One segment of a path. Subjects are named by users and hold slashes and spaces.
pub(super) fn escaped(segment: &str) -> String {
    let mut out = String::with_capacity(segment.len());
    for byte in segment.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            byte => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
