//! Protobuf, plain or in the wire format of Confluent's registry.

mod frame;

pub use self::frame::{FrameError, ProtobufFrame};
use crate::extract::{Decode, Destination, Encode, EncodeError, Encoded, Raw, Rejection, body_extractor};
use prost::Message;
use std::ops::{Deref, DerefMut};

/// The body, read as a Protobuf message: any type of [prost](https://docs.rs/prost) 0.14, generated or derived.
///
/// Both forms are read, record by record: plain bytes, and the wire format of Confluent's serializers, which puts a
/// schema id and message indexes before them. They cannot be confused: that format begins with a zero byte, and no
/// message does. The registry is not asked, since `T` says how to read; nor is it looked at which message of the schema
/// the indexes name. On a topic with several kinds of messages, choose by [`ProtobufFrame`].
///
/// A body that is no `T` is undecodable; the dead letter names the field. Fields that `T` does not know are passed over,
/// as Protobuf asks. An empty body is a `T` with every field at its default. Messages nest at most 100 deep.
///
/// It is written as plain bytes; for the other form see [`ProtobufFrame::encode`].
///
/// ```
/// use retrial::Protobuf;
///
/// #[derive(Clone, PartialEq, prost::Message)]
/// struct Order {
///     #[prost(uint64, tag = "1")]
///     id: u64,
/// }
///
/// async fn ship(Protobuf(order): Protobuf<Order>) {
///     println!("shipping {}", order.id);
/// }
/// # let _ = retrial::App::group("shop").topic("orders", retrial::handler(ship)).build();
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Protobuf<T>(pub T);

impl<T> Deref for Protobuf<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> DerefMut for Protobuf<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.0
    }
}

/// The failure kind of what cannot be read.
const KIND: &str = "protobuf";

body_extractor!([T: Message + Default] Protobuf<T>, "Protobuf<T>");

impl<S: Sync, T: Message + Default> Decode<S> for Protobuf<T> {
    async fn decode(raw: Raw<'_>, _: &S) -> Result<Self, Rejection> {
        let message = frame::skip(raw.bytes()).map_err(|error| Rejection::undecodable_as(KIND, error))?;
        T::decode(message).map(Self).map_err(|error| Rejection::undecodable_as(KIND, fault(&error)))
    }
}

/// Where the fault is and what it is. For a message nested too deep the path alone would be longer than what is kept of a
/// failure's text.
#[cold]
fn fault(error: &prost::DecodeError) -> String {
    const END: usize = 200;
    let text = error.to_string();
    let text = text.strip_prefix("failed to decode Protobuf message: ").unwrap_or(&text);
    if text.len() <= 2 * END {
        return text.to_owned();
    }
    let boundary = |from: usize| (from..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    format!("{}…{}", &text[..boundary(END)], &text[boundary(text.len() - END)..])
}

impl<S: Sync, T: Message> Encode<S> for Protobuf<T> {
    async fn encode(&self, _: Destination<'_>, _: &S) -> Result<Encoded, EncodeError> {
        Ok(Encoded::bytes(self.0.encode_to_vec()))
    }
}

#[cfg(test)]
mod tests;
