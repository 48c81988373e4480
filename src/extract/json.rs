//! JSON.

use crate::extract::{Decode, Destination, Encode, EncodeError, Encoded, Raw, Rejection, body_extractor};
use serde::{Serialize, de::DeserializeOwned};

/// The body, read as JSON into `T`.
///
/// A body that is not JSON, or not a `T`, is undecodable: to the dead letters with the place of the fault, such as
/// `lines[2].price: invalid type: null, expected u64 at line 1 column 61`. For a topic with tombstones take
/// `Option<Json<T>>`: a null body is `None`.
///
/// ```
/// use retrial::Json;
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     id: u64,
/// }
///
/// async fn ship(Json(order): Json<Order>) {
///     println!("shipping {}", order.id);
/// }
/// # let _ = retrial::handler(ship);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Json<T>(pub T);

body_extractor!([T: DeserializeOwned] Json<T>, "Json<T>");

impl<S: Sync, T: DeserializeOwned> Decode<S> for Json<T> {
    async fn decode(raw: Raw<'_>, _: &S) -> Result<Self, Rejection> {
        read(raw.bytes()).map(Self)
    }
}

impl<S: Sync, T: Serialize + Sync> Encode<S> for Json<T> {
    async fn encode(&self, _: Destination<'_>, _: &S) -> Result<Encoded, EncodeError> {
        written(&self.0)
    }
}

/// The body, read as JSON into `T` without leftovers: a field that `T` does not know is a fault, too, at any depth,
/// and is named with its path.
///
/// For a topic whose producers must not write what nobody reads. Where they may add fields, take [`Json<T>`].
///
/// ```
/// use retrial::StrictJson;
///
/// #[derive(serde::Deserialize)]
/// struct Order {
///     id: u64,
/// }
///
/// async fn ship(StrictJson(order): StrictJson<Order>) {
///     println!("shipping {}", order.id);
/// }
/// # let _ = retrial::handler(ship);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StrictJson<T>(pub T);

body_extractor!([T: DeserializeOwned] StrictJson<T>, "StrictJson<T>");

impl<S: Sync, T: DeserializeOwned> Decode<S> for StrictJson<T> {
    async fn decode(raw: Raw<'_>, _: &S) -> Result<Self, Rejection> {
        let mut unknown = None;
        let mut reader = serde_json::Deserializer::from_slice(raw.bytes());
        let read = serde_ignored::deserialize(&mut reader, |path| {
            unknown.get_or_insert_with(|| path.to_string());
        });
        match (read.and_then(|value| reader.end().map(|()| value)), unknown) {
            (Ok(value), None) => Ok(Self(value)),
            (Ok(_), Some(path)) => Err(Rejection::undecodable_as("json", format!("{path}: unknown field"))),
            (Err(error), _) => Err(locate::<T>(raw.bytes(), error)),
        }
    }
}

impl<S: Sync, T: Serialize + Sync> Encode<S> for StrictJson<T> {
    async fn encode(&self, _: Destination<'_>, _: &S) -> Result<Encoded, EncodeError> {
        written(&self.0)
    }
}

fn written<T: Serialize>(value: &T) -> Result<Encoded, EncodeError> {
    serde_json::to_vec(value).map(Encoded::bytes).map_err(|error| EncodeError::value("JSON", error))
}

/// The path to a fault is looked for only once there is a fault: tracking it slows every decode down.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Rejection> {
    serde_json::from_slice(bytes).map_err(|error| locate::<T>(bytes, error))
}

#[cold]
fn locate<T: DeserializeOwned>(bytes: &[u8], error: serde_json::Error) -> Rejection {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(located) if located.path().iter().len() > 0 => Rejection::undecodable_as("json", located.to_string()),
        _ => Rejection::undecodable_as("json", error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::testing::{call, extract, rejected, with_body};
    use proptest::prelude::*;

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Line {
        price: u64,
    }

    #[derive(Debug, PartialEq, serde::Deserialize)]
    struct Order {
        lines: Vec<Line>,
    }

    #[test]
    fn a_body_is_read() {
        let call = with_body(Some(br#"{"lines":[{"price":3}]}"#));
        assert_eq!(extract::<Json<Order>>(&call).map(|order| order.0.lines[0].price), Ok(3));
    }

    #[test]
    fn a_fault_is_named_with_its_path_line_and_column() {
        let call = with_body(Some(b"{\"lines\":[{\"price\":3},\n{\"price\":\"x\"}]}"));
        let reason = rejected::<Json<Order>>(&call);
        assert_eq!(reason.kind(), "json");
        assert!(reason.message().starts_with("lines[1].price: invalid type: string"), "{reason}");
        assert!(reason.message().contains("line 2 column"), "{reason}");
    }

    #[test]
    fn a_fault_behind_the_value_is_named_with_its_column() {
        let reason = rejected::<Json<Order>>(&with_body(Some(b"{\"lines\":[]} x")));
        assert_eq!(reason.message(), "trailing characters at line 1 column 14");
    }

    #[test]
    fn a_null_body_is_none_and_json_null_is_not() {
        assert_eq!(extract::<Option<Json<Order>>>(&with_body(None)), Ok(None));
        assert_eq!(rejected::<Json<Order>>(&with_body(None)).kind(), "null");
        assert_eq!(rejected::<Option<Json<Order>>>(&with_body(Some(b"null"))).kind(), "json");
        assert_eq!(rejected::<Option<Json<Order>>>(&with_body(Some(b""))).kind(), "json");
    }

    #[test]
    fn strictness_names_what_nobody_knows() {
        let known = with_body(Some(br#"{"lines":[{"price":3}]}"#));
        assert_eq!(extract::<StrictJson<Order>>(&known).map(|order| order.0.lines.len()), Ok(1));
        let more = with_body(Some(br#"{"lines":[{"price":3},{"price":4,"colour":"red"}],"at":1}"#));
        assert_eq!(extract::<Json<Order>>(&more).map(|order| order.0.lines.len()), Ok(2));
        let reason = rejected::<StrictJson<Order>>(&more);
        assert_eq!((reason.kind(), reason.message()), ("json", "lines.1.colour: unknown field"));
        let behind = rejected::<StrictJson<Order>>(&with_body(Some(b"{\"lines\":[]} x")));
        assert_eq!(behind.message(), "trailing characters at line 1 column 14");
        let wrong = rejected::<StrictJson<Order>>(&with_body(Some(br#"{"at":1,"lines":[{"price":-1}]}"#)));
        assert!(wrong.message().starts_with("lines[0].price: invalid value"), "{wrong}");
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let body = "[".repeat(1_000_000);
        assert_eq!(rejected::<Json<serde_json::Value>>(&with_body(Some(body.as_bytes()))).kind(), "json");
    }

    proptest! {
        #[test]
        fn no_body_makes_the_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..200)) {
            let call = call(None, Some(&body), &[]);
            let _ = extract::<Json<Order>>(&call);
            let _ = extract::<String>(&call);
        }
    }
}
