//! What a handler can ask for: its arguments.
//!
//! Every argument is an extractor: it is made from the record and its past, on its own, so their order means
//! nothing and a body can be taken twice. Extractors are asynchronous, because some must ask a schema registry;
//! those of this crate are ready at once and cost what they read.

mod arguments;
mod attempt;
#[cfg(feature = "avro")]
mod avro;
mod body;
mod bytes;
mod call;
mod cancellation;
#[cfg(feature = "cloudevents")]
mod cloud_event;
mod control;
mod decode;
mod encode;
mod headers;
#[cfg(feature = "json")]
mod json;
mod key;
mod limited;
mod place;
#[cfg(feature = "protobuf")]
mod protobuf;
mod rejection;
mod state;
#[cfg(feature = "schema-registry")]
mod subject;
mod text;
mod timestamp;
mod whole;

#[cfg(test)]
pub(crate) mod testing;

#[cfg(feature = "avro")]
pub use self::avro::{Avro, AvroSchemaError, AvroSchemas, AvroType};
#[cfg(feature = "cloudevents")]
pub use self::cloud_event::CloudEvent;
#[cfg(feature = "json")]
pub use self::json::{Json, StrictJson};
#[cfg(feature = "protobuf")]
pub use self::protobuf::{FrameError, Protobuf, ProtobufFrame};
#[cfg(feature = "schema-registry")]
pub use self::subject::SubjectNames;
pub use self::{
    arguments::Arguments,
    attempt::Attempt,
    body::Body,
    call::Call,
    cancellation::Cancellation,
    decode::{Decode, Part, Raw},
    encode::{Destination, Encode, EncodeError, Encoded},
    headers::Headers,
    key::Key,
    limited::Limited,
    place::{Offset, Partition, Topic},
    rejection::Rejection,
    state::{FromRef, State},
};
pub(crate) use self::{
    control::{Control, Host, Job, Threads},
    decode::body_extractor,
};

use std::future::Future;

/// Makes one argument of a handler.
///
/// Implement it for a type of your own to take it as an argument. Extractors call one another freely:
///
/// ```
/// use retrial::{Call, FromRecord, Headers, Rejection};
///
/// struct Tenant(String);
///
/// impl<S: Sync> FromRecord<S> for Tenant {
///     async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
///         let headers = Headers::from_record(call, state).await?;
///         let name = headers.text("tenant").ok_or_else(|| Rejection::undecodable("no header `tenant`"))?;
///         Ok(Self(name.to_owned()))
///     }
/// }
///
/// async fn invoice(tenant: Tenant) {
///     println!("for {}", tenant.0);
/// }
/// # let _ = retrial::handler(invoice);
/// ```
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `{Self}`",
    label = "this is not an extractor in an app whose state is `{S}`",
    note = "the body is taken as `Json<T>`, `Bytes` or `String`, or as `Option` of one where it may be null",
    note = "what the app holds is taken as `State<T>`; a type of your own needs `impl FromRecord<S>`"
)]
pub trait FromRecord<S>: Sized {
    /// Makes the value, or says what becomes of the record instead.
    fn from_record(call: &Call, state: &S) -> impl Future<Output = Result<Self, Rejection>> + Send;
}

/// Makes an argument that may be absent: `Option<Self>` is an extractor then.
///
/// `None` means absent (a null body, no key), never unreadable: an unreadable value is a rejection here, too.
#[diagnostic::on_unimplemented(
    message = "a handler cannot take `Option<{Self}>`",
    label = "`{Self}` is never absent, or is not an extractor in an app whose state is `{S}`",
    note = "a type of your own needs `impl OptionalFromRecord<S>`"
)]
pub trait OptionalFromRecord<S>: Sized {
    /// Makes the value if there is one.
    fn from_record_if_present(call: &Call, state: &S) -> impl Future<Output = Result<Option<Self>, Rejection>> + Send;
}

impl<S: Sync, T: OptionalFromRecord<S>> FromRecord<S> for Option<T> {
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        T::from_record_if_present(call, state).await
    }
}

/// Leaves the rejection to the handler.
impl<S: Sync, T: FromRecord<S>> FromRecord<S> for Result<T, Rejection> {
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        Ok(T::from_record(call, state).await)
    }
}
