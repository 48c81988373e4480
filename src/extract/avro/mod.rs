//! The body as Avro.

mod framing;
mod schemas;

pub use self::schemas::{AvroSchemaError, AvroSchemas};

use crate::{
    avro::{self, Schema, SchemaError},
    extract::{Decode, Destination, Encode, EncodeError, Encoded, FromRef, Raw, Rejection, body_extractor},
};
use serde::{Serialize, de::DeserializeOwned};

/// A type that is read and written as Avro: its schema.
///
/// The schema is the reader's. What was written by an older or newer one is resolved to it as the specification says:
/// fields that are new take their default, fields that are gone are passed over, fields and types that were renamed
/// are found by their aliases, numbers are widened, symbols and branches are matched by name.
pub trait AvroType {
    /// The schema in Avro's JSON, as in `include_str!("order.avsc")`. Its fields carry the names that serde has for
    /// them.
    const SCHEMA: &'static str;

    /// Schemas of the types that [`SCHEMA`](Self::SCHEMA) names and does not define, each behind those that it names
    /// itself.
    const NAMED: &'static [&'static str] = &[];
}

/// The body, read as Avro into `T`. Where the schemas are that bodies were written with, [`AvroSchemas`] says, which
/// the app's state holds.
///
/// A body that cannot be read is undecodable, with the place of the fault, such as `lines[2].price: the bytes end too
/// early`; so is one whose schema nobody has, or whose schema cannot be resolved to that of `T`. While the schema
/// registry is away, the topic is held and nothing is buried. For a topic with tombstones take `Option<Avro<T>>`.
///
/// How types of Avro are read by serde: a union with null as an `Option`; another union as an `enum` whose variants
/// are called like its branches (the type's last name, or `string`, `long`, …) or as one that is `#[serde(untagged)]`;
/// an enum as an `enum`; `decimal` as text (`"12.34"`, at most 38 digits) or as its bytes; `uuid` as text or as its
/// bytes; `date`, times and timestamps as the number that stands there. A timestamp of another unit and a decimal of
/// another scale than the reader's are refused.
///
/// ```
/// use retrial::{Avro, AvroSchemas, AvroType};
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     id: i64,
///     note: Option<String>,
/// }
///
/// impl AvroType for Order {
///     const SCHEMA: &'static str = r#"{
///         "type": "record", "name": "Order", "namespace": "com.shop",
///         "fields": [
///             {"name": "id", "type": "long"},
///             {"name": "note", "type": ["null", "string"], "default": null}
///         ]
///     }"#;
/// }
///
/// async fn ship(Avro(order): Avro<Order>) {
///     println!("shipping {} {:?}", order.id, order.note);
/// }
/// # let app = retrial::App::group("shop").state(AvroSchemas::single_object()).topic("orders", retrial::handler(ship));
/// # let _ = app.build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Avro<T>(pub T);

body_extractor!(
    [T: AvroType + DeserializeOwned + 'static] Avro<T>, "Avro<T>", where AvroSchemas: FromRef<S>
);

impl<S: Sync, T: AvroType + DeserializeOwned + 'static> Decode<S> for Avro<T>
where
    AvroSchemas: FromRef<S>,
{
    async fn decode(raw: Raw<'_>, state: &S) -> Result<Self, Rejection> {
        let schemas = AvroSchemas::from_ref(state);
        let (writer, bytes) = schemas.written_by(&raw)?;
        let plan = match schemas.plan::<T>(writer) {
            Some(plan) => plan,
            None => schemas.new_plan::<T>(writer).await?,
        };
        avro::from_bytes(&plan, bytes).map(Self).map_err(undecodable)
    }
}

impl<S: Sync, T: AvroType + Serialize + Sync> Encode<S> for Avro<T>
where
    AvroSchemas: FromRef<S>,
{
    async fn encode(&self, to: Destination<'_>, state: &S) -> Result<Encoded, EncodeError> {
        let schema = schema::<T>().map_err(|error| EncodeError::value(NAME, error))?;
        let mut bytes = AvroSchemas::from_ref(state).frame::<T>(&schema, to).await?;
        avro::to_bytes(&schema, &self.0, &mut bytes).map_err(|error| EncodeError::value(NAME, error))?;
        Ok(Encoded::bytes(bytes))
    }
}

/// As messages call the format.
const NAME: &str = "Avro";

fn undecodable(error: impl Into<crate::reason::BoxError>) -> Rejection {
    Rejection::undecodable_as("avro", error)
}

fn schema<T: AvroType>() -> Result<Schema, SchemaError> {
    Schema::parse(T::SCHEMA, T::NAMED)
}

#[cfg(test)]
mod tests;
