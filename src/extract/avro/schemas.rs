//! Where the schemas come from that records were written with, and the plans made of them.

use crate::{
    avro::{Plan, Schema},
    extract::{
        Destination, EncodeError, Raw, Rejection,
        avro::{
            AvroType, NAME,
            framing::{self, Writer},
            schema, undecodable,
        },
    },
};
#[cfg(feature = "schema-registry")]
use crate::{
    extract::SubjectNames,
    registry::{NewSchema, RegisteredSchema, RegistryError, SchemaKind, SchemaRegistry},
};
use foldhash::fast::RandomState;
use std::{
    any::TypeId,
    collections::HashMap,
    fmt,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

/// Plans that are kept. Each is for a type of the program and a schema that exists.
const MAX_PLANS: usize = 10_000;

/// How long a topic is held whose handler's own schema is none.
const MISTAKE: Duration = Duration::from_secs(30);

/// Where [`Avro`](crate::Avro) finds the schemas that records were written with. The app's state is one, or holds one
/// (see [`FromRef`](crate::FromRef)).
///
/// Cheap to clone; clones share what is known.
#[derive(Clone)]
pub struct AvroSchemas(Arc<Inner>);

struct Inner {
    source: Source,
    plans: RwLock<HashMap<(Writer, TypeId), Arc<Plan>, RandomState>>,
}

enum Source {
    Fixed(Schema),
    SingleObject(HashMap<[u8; 8], Schema>),
    #[cfg(feature = "schema-registry")]
    Registry(SchemaRegistry, SubjectNames),
}

/// A text that is no Avro schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct AvroSchemaError(String);

impl AvroSchemas {
    fn of(source: Source) -> Self {
        Self(Arc::new(Inner { source, plans: RwLock::default() }))
    }

    /// Records name their schema by the id or GUID that a schema registry gave it: in five bytes before the value, or
    /// in the header `__value_schema_id` or `__key_schema_id`. Subjects are named after the topic.
    #[cfg(feature = "schema-registry")]
    #[must_use]
    pub fn registry(registry: SchemaRegistry) -> Self {
        Self::registry_with(registry, SubjectNames::default())
    }

    /// The same, with other names of subjects. They matter to what is encoded; what is read names its schema itself.
    #[cfg(feature = "schema-registry")]
    #[must_use]
    pub fn registry_with(registry: SchemaRegistry, names: SubjectNames) -> Self {
        Self::of(Source::Registry(registry, names))
    }

    /// Records are in single-object encoding, which names their schema by a fingerprint: that of the handler's own
    /// type.
    #[must_use]
    pub fn single_object() -> Self {
        Self::of(Source::SingleObject(HashMap::new()))
    }

    /// The same, where these schemas wrote records, too: older and newer ones.
    ///
    /// # Errors
    /// If one is no Avro schema.
    pub fn single_object_with(writers: impl IntoIterator<Item = impl AsRef<str>>) -> Result<Self, AvroSchemaError> {
        let parse = |text: &str| parsed(text).map(|schema| (schema.fingerprint(), schema));
        let known: Result<_, _> = writers.into_iter().map(|text| parse(text.as_ref())).collect();
        Ok(Self::of(Source::SingleObject(known?)))
    }

    /// All records were written with this schema, and name none.
    ///
    /// # Errors
    /// If it is no Avro schema.
    pub fn fixed(writer: &str) -> Result<Self, AvroSchemaError> {
        Ok(Self::of(Source::Fixed(parsed(writer)?)))
    }

    /// Which schema wrote the bytes, and the bytes of the value.
    pub(super) fn written_by<'a>(&self, raw: &Raw<'a>) -> Result<(Writer, &'a [u8]), Rejection> {
        match &self.0.source {
            Source::Fixed(_) => Ok((Writer::Fixed, raw.bytes())),
            Source::SingleObject(_) => framing::single_object(raw),
            #[cfg(feature = "schema-registry")]
            Source::Registry(..) => framing::registry(raw),
        }
    }

    /// How a `T` is read out of what this schema wrote, if one was read before.
    pub(super) fn plan<T: 'static>(&self, writer: Writer) -> Option<Arc<Plan>> {
        let plans = self.0.plans.read().unwrap_or_else(PoisonError::into_inner);
        plans.get(&(writer, TypeId::of::<T>())).cloned()
    }

    /// The same for the first time.
    pub(super) async fn new_plan<T: AvroType + 'static>(&self, writer: Writer) -> Result<Arc<Plan>, Rejection> {
        // The program's own mistake, which no record has to answer for.
        let reader = schema::<T>().map_err(|error| {
            tracing::error!(%error, "the schema of {} cannot be used; its topic is held", std::any::type_name::<T>());
            Rejection::hold(MISTAKE)
        })?;
        let wrote = self.writer(writer, &reader).await?;
        let plan = Arc::new(Plan::new(&wrote, &reader));
        let mut plans = self.0.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.len() >= MAX_PLANS
            && let Some(any) = plans.keys().next().copied()
        {
            plans.remove(&any);
        }
        plans.insert((writer, TypeId::of::<T>()), Arc::clone(&plan));
        Ok(plan)
    }

    async fn writer(&self, writer: Writer, reader: &Schema) -> Result<Schema, Rejection> {
        match (&self.0.source, writer) {
            (Source::Fixed(schema), _) => Ok(schema.clone()),
            (_, Writer::Fingerprint(print)) if print == reader.fingerprint() => Ok(reader.clone()),
            (Source::SingleObject(known), Writer::Fingerprint(print)) => known.get(&print).cloned().ok_or_else(|| {
                undecodable(format!("nobody knows the schema with fingerprint {:016x}", u64::from_le_bytes(print)))
            }),
            #[cfg(feature = "schema-registry")]
            (Source::Registry(registry, _), Writer::Id(id)) => registered(registry, registry.schema_by_id(id).await),
            #[cfg(feature = "schema-registry")]
            (Source::Registry(registry, _), Writer::Guid(guid)) => {
                registered(registry, registry.schema_by_guid(guid).await)
            }
            _ => Err(undecodable("its schema is named in another way than by the app's other records")),
        }
    }

    /// What stands before a value of this schema, which is to be sent there.
    #[cfg_attr(
        not(feature = "schema-registry"),
        expect(unused_variables, clippy::extra_unused_type_parameters, reason = "only subjects go by topic and type")
    )]
    pub(super) async fn frame<T: AvroType>(
        &self,
        schema: &Schema,
        to: Destination<'_>,
    ) -> Result<Vec<u8>, EncodeError> {
        match &self.0.source {
            Source::Fixed(fixed) if fixed.fingerprint() != schema.fingerprint() => {
                Err(EncodeError::value(NAME, "the type's schema is not the one that all records are written with"))
            }
            Source::Fixed(_) => Ok(Vec::new()),
            Source::SingleObject(_) => Ok(framing::single_object_head(schema.fingerprint())),
            #[cfg(feature = "schema-registry")]
            Source::Registry(registry, names) => {
                let subject = names.subject(to.topic, to.part, schema.name().as_deref());
                let subject =
                    subject.ok_or_else(|| EncodeError::value(NAME, "the schema has no name for a subject"))?;
                let id = id_of::<T>(registry, &subject).await.map_err(|error| {
                    if error.is_outage() { EncodeError::outage(NAME, error) } else { EncodeError::value(NAME, error) }
                })?;
                Ok(framing::registry_head(id))
            }
        }
    }
}

fn parsed(text: &str) -> Result<Schema, AvroSchemaError> {
    Schema::parse(text, &[] as &[&str]).map_err(|error| AvroSchemaError(error.to_string()))
}

/// Registers the schema if the client may; else it must be there.
#[cfg(feature = "schema-registry")]
async fn id_of<T: AvroType>(registry: &SchemaRegistry, subject: &str) -> Result<u32, RegistryError> {
    let schema = NewSchema::avro(T::SCHEMA);
    match registry.register(subject, &schema).await {
        Err(RegistryError::ReadOnly) => registry.lookup(subject, &schema).await,
        answer => answer,
    }
}

/// The line between a poison record and an outage.
#[cfg(feature = "schema-registry")]
fn registered(
    registry: &SchemaRegistry,
    answer: Result<Arc<RegisteredSchema>, RegistryError>,
) -> Result<Schema, Rejection> {
    match answer {
        Ok(schema) if schema.kind != SchemaKind::Avro => {
            Err(undecodable(format!("its schema is not Avro but {}", schema.kind)))
        }
        Ok(schema) => Schema::parse(&schema.text, &schema.references).map_err(undecodable),
        Err(error) if error.is_outage() => Err(Rejection::hold(registry.hold_for())),
        Err(error) => Err(undecodable(error)),
    }
}

impl fmt::Debug for AvroSchemas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0.source {
            Source::Fixed(schema) => write!(f, "AvroSchemas(fixed {:?})", schema.name()),
            Source::SingleObject(known) => write!(f, "AvroSchemas(single object, {} schemas)", known.len()),
            #[cfg(feature = "schema-registry")]
            Source::Registry(registry, names) => write!(f, "AvroSchemas({registry:?}, {names:?})"),
        }
    }
}
