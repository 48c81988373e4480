//! Client of a schema registry: the Confluent Schema Registry's HTTP interface, which Redpanda, Karapace and Apicurio
//! speak, too.
//!
//! Model: a question is answered, refused, or not answered. Answers are kept (see `cache`); refusals that are true of a
//! schema make the record that names it undecodable; no answer makes nothing undecodable, and whoever waits for the
//! registry holds its topic for [`SchemaRegistry::hold_for`].
//!
//! Our own client: `schema_registry_converter` 6.0.0 brings some 130 packages (reqwest). hyper with rustls (ring) is 39,
//! some of which are here already; licences MIT, Apache-2.0 and ISC.

mod answer;
mod cache;
mod credentials;
mod error;
mod read;
mod schema;
mod settings;
mod transport;

pub use self::{
    error::{RegistryError, RegistrySettingsError},
    schema::{Compatibility, NewSchema, RegisteredSchema, SchemaKind, SchemaReference, SubjectVersion, Version},
    settings::SchemaRegistryBuilder,
};

use self::{
    cache::Cache,
    transport::{Failure, Question, Transport, escaped},
};
use futures_util::FutureExt;
use hyper::Method;
use serde_json::Value;
use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// How long a topic is held at least and at most while the registry is away.
const HOLD: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// A client of a schema registry. Cheap to clone; clones share connections and what is known.
///
/// ```
/// use retrial::SchemaRegistry;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let registry = SchemaRegistry::builder(["https://registry-a:8081", "https://registry-b:8081"])
///     .basic_auth("billing", std::env::var("REGISTRY_PASSWORD").unwrap_or_default())
///     .build()?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct SchemaRegistry(Arc<Inner>);

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Key {
    Id(u32),
    Guid([u8; 16]),
}

struct Inner {
    transport: Transport,
    schemas: Cache<Key, Arc<RegisteredSchema>>,
    versions: Cache<(String, u32), Arc<SubjectVersion>>,
    /// By path: a schema that was looked up in vain may be registered right after.
    known: Cache<(String, NewSchema), u32>,
    may_register: bool,
    away_since: Mutex<Option<Instant>>,
}

impl SchemaRegistry {
    /// How to reach a registry: one URL, or several of the same registry, which are tried in turn.
    pub fn builder(urls: impl IntoIterator<Item = impl Into<String>>) -> SchemaRegistryBuilder {
        SchemaRegistryBuilder::new(urls.into_iter().map(Into::into).collect())
    }

    fn of(transport: Transport, absent_for: Duration, may_register: bool) -> Self {
        Self(Arc::new(Inner {
            transport,
            schemas: Cache::new(absent_for),
            versions: Cache::new(absent_for),
            known: Cache::new(absent_for),
            may_register,
            away_since: Mutex::new(None),
        }))
    }

    /// The schema with this id, which it keeps for ever.
    ///
    /// # Errors
    /// If there is none, it refers to what there is not, or the registry is away.
    pub async fn schema_by_id(&self, id: u32) -> Result<Arc<RegisteredSchema>, RegistryError> {
        self.schema(Key::Id(id), format!("schema with id {id}"), format!("/schemas/ids/{id}")).await
    }

    /// The schema with this GUID, the name that records carry in a header. Asks for what registries from 2025 on answer.
    ///
    /// # Errors
    /// If there is none, it refers to what there is not, the registry knows no GUIDs, or is away.
    pub async fn schema_by_guid(&self, guid: [u8; 16]) -> Result<Arc<RegisteredSchema>, RegistryError> {
        let text = read::guid_text(guid);
        self.schema(Key::Guid(guid), format!("schema with GUID {text}"), format!("/schemas/guids/{text}")).await
    }

    async fn schema(&self, key: Key, wanted: String, path: String) -> Result<Arc<RegisteredSchema>, RegistryError> {
        let this = self.clone();
        let is_by_guid = matches!(key, Key::Guid(_));
        let ask = async move {
            let question = Question { method: Method::GET, path: &path, body: None, wanted: &wanted };
            let answer = match this.ask(&question).await {
                Err(failure) if is_by_guid && failure.is_unknown_path => this.unsupported_or(failure, &wanted).await,
                answer => answer,
            };
            read::schema(&this, &answer?, &wanted).await.map(Arc::new)
        };
        self.0.schemas.get(key, || ask.boxed()).await
    }

    /// A registry that does not know the path at all says 404 like one whose address is wrong; whether it is a
    /// registry is seen by what each of them knows.
    async fn unsupported_or(&self, failure: Failure, wanted: &str) -> Result<Value, Failure> {
        let kinds = Question { method: Method::GET, path: "/schemas/types", body: None, wanted: "list of kinds" };
        match self.ask(&kinds).await {
            Ok(Value::Array(_)) => Err(RegistryError::Unsupported { wanted: wanted.to_owned() }.into()),
            _ => Err(failure),
        }
    }

    /// One version of a subject. A version with a number is kept for ever; the latest is asked for each time.
    ///
    /// # Errors
    /// If there is no such subject or version, it refers to what there is not, or the registry is away.
    pub async fn version(&self, subject: &str, version: Version) -> Result<Arc<SubjectVersion>, RegistryError> {
        let (this, name) = (self.clone(), subject.to_owned());
        let ask = async move {
            let wanted = format!("version {version} of subject {name:?}");
            let path = format!("/subjects/{}/versions/{version}", escaped(&name));
            let question = Question { method: Method::GET, path: &path, body: None, wanted: &wanted };
            read::version(&this, &this.ask(&question).await?, &wanted).await.map(Arc::new)
        };
        match version {
            Version::Latest => ask.await,
            Version::Number(number) => self.0.versions.get((subject.to_owned(), number), || ask.boxed()).await,
        }
    }

    /// The id of this schema under a subject, if it is there.
    ///
    /// # Errors
    /// If the subject or the schema in it is not there, or the registry is away.
    pub async fn lookup(&self, subject: &str, schema: &NewSchema) -> Result<u32, RegistryError> {
        let path = format!("/subjects/{}", escaped(subject));
        self.posted(schema, path, format!("such schema under subject {subject:?}")).await
    }

    /// Registers this schema under a subject, if it is not there already, and returns its id.
    ///
    /// # Errors
    /// If registering was not allowed by the builder, the registry refuses the schema as incompatible or invalid, or
    /// it is away.
    pub async fn register(&self, subject: &str, schema: &NewSchema) -> Result<u32, RegistryError> {
        if !self.0.may_register {
            return Err(RegistryError::ReadOnly);
        }
        let path = format!("/subjects/{}/versions", escaped(subject));
        self.posted(schema, path, format!("registration under subject {subject:?}")).await
    }

    async fn posted(&self, schema: &NewSchema, path: String, wanted: String) -> Result<u32, RegistryError> {
        let (this, body) = (self.clone(), schema.to_json());
        let key = (path.clone(), schema.clone());
        let ask = async move {
            let question = Question { method: Method::POST, path: &path, body: Some(&body), wanted: &wanted };
            read::id(&this.ask(&question).await?)
        };
        self.0.known.get(key, || ask.boxed()).await
    }

    /// Whether this schema is compatible with a version of a subject, by the rule that the registry holds for it.
    ///
    /// # Errors
    /// If there is no such subject or version, the schema is invalid, or the registry is away.
    pub async fn check_compatibility(
        &self,
        subject: &str,
        version: Version,
        schema: &NewSchema,
    ) -> Result<Compatibility, RegistryError> {
        let path = format!("/compatibility/subjects/{}/versions/{version}?verbose=true", escaped(subject));
        let wanted = format!("version {version} of subject {subject:?}");
        let body = schema.to_json();
        let question = Question { method: Method::POST, path: &path, body: Some(&body), wanted: &wanted };
        read::compatibility(&self.ask(&question).await?)
    }

    /// How long whoever needs the registry should wait before the next question: half of the time that it has been
    /// away, at least a second and at most 30 s.
    #[must_use]
    pub fn hold_for(&self) -> Duration {
        let away = self.away_since().map_or(Duration::ZERO, |since| since.elapsed());
        (away / 2).clamp(HOLD.0, HOLD.1)
    }

    fn away_since(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.away_since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn ask(&self, question: &Question<'_>) -> Result<Value, Failure> {
        let answer = self.0.transport.ask(question).await;
        let mut since = self.away_since();
        match &answer {
            Err(Failure { error, .. }) if error.is_outage() => {
                if since.is_none() {
                    *since = Some(Instant::now());
                    tracing::warn!(%error, "what needs the schema registry waits until it is back");
                }
            }
            _ => {
                if let Some(since) = since.take() {
                    tracing::info!(away = ?since.elapsed(), "the schema registry is back");
                }
            }
        }
        drop(since);
        answer
    }
}

/// The addresses, and nothing of the credentials.
impl fmt::Debug for SchemaRegistry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SchemaRegistry({:?})", self.0.transport.urls)
    }
}
