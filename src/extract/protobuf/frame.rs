//! What Confluent's serializers put before a message: a zero byte, the id of a schema, and which of its messages.
//!
//! The indexes lead from the file to the message: `[1, 0]` is the first message inside the second one. They are
//! written as zig-zag varints behind their count; `[0]`, by far the most frequent, is the count 0 alone.

use crate::extract::{Encoded, Raw};
use prost::Message;

/// The first byte of the wire format.
const MAGIC: u8 = 0;

/// What stands before a message in the wire format of Confluent's registry: the id of its schema, and which message
/// of that schema it is.
///
/// For a topic with several kinds of messages, a format of one's own chooses by it:
///
/// ```
/// use retrial::{Decode, Protobuf, ProtobufFrame, Raw, Rejection};
/// # #[derive(Clone, PartialEq, prost::Message)] struct Placed {}
/// # #[derive(Clone, PartialEq, prost::Message)] struct Cancelled {}
///
/// enum Event {
///     Placed(Placed),
///     Cancelled(Cancelled),
/// }
///
/// impl<S: Sync> Decode<S> for Event {
///     async fn decode(raw: Raw<'_>, state: &S) -> Result<Self, Rejection> {
///         let frame = ProtobufFrame::of(&raw).map_err(Rejection::undecodable)?;
///         match frame.as_ref().map(|frame| &*frame.indexes) {
///             Some([0]) => Ok(Self::Placed(Protobuf::decode(raw, state).await?.0)),
///             Some([1]) => Ok(Self::Cancelled(Protobuf::decode(raw, state).await?.0)),
///             _ => Err(Rejection::undecodable("neither placed nor cancelled")),
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ProtobufFrame {
    /// The id that the registry gave to the schema.
    pub schema_id: u32,
    /// From the schema's file to the message: each is an index among the messages of what is before it.
    pub indexes: Vec<u32>,
}

/// Why bytes that begin like the wire format of Confluent's registry are not in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FrameError {
    /// They end within what stands before the message.
    #[error("ends within the schema id and the message indexes, after {0} bytes")]
    Truncated(usize),
    /// A count or an index below zero. Old serializers write them without zig-zag, in which a small number reads so.
    #[error("{0} as a count of message indexes or as one of them (were they written without zig-zag?)")]
    Negative(i32),
    /// More indexes than there are bytes.
    #[error("{count} message indexes, with {left} bytes left")]
    TooMany {
        /// The count.
        count: i32,
        /// Bytes behind it.
        left: usize,
    },
    /// A number that takes more than 32 bits.
    #[error("a message index of more than 32 bits")]
    TooLong,
}

impl ProtobufFrame {
    /// The frame of these bytes; `None` if they have none, and are a plain message.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn of(raw: &Raw<'_>) -> Result<Option<Self>, FrameError> {
        Ok(Self::split(raw.bytes())?.0)
    }

    /// The frame of these bytes if they have one, and the message behind it.
    ///
    /// # Errors
    /// See [`FrameError`].
    pub fn split(bytes: &[u8]) -> Result<(Option<Self>, &[u8]), FrameError> {
        let mut indexes = Vec::new();
        let (schema_id, message) = read(bytes, |index| indexes.push(index))?;
        Ok((schema_id.map(|schema_id| Self { schema_id, indexes }), message))
    }

    /// A message in this frame.
    #[must_use]
    pub fn encode<T: Message>(&self, message: &T) -> Encoded {
        let mut bytes = Vec::with_capacity(6 + self.indexes.len() + message.encoded_len());
        bytes.push(MAGIC);
        bytes.extend(self.schema_id.to_be_bytes());
        match &*self.indexes {
            [] | [0] => bytes.push(0),
            indexes => {
                write(&mut bytes, indexes.len() as u32);
                indexes.iter().for_each(|&index| write(&mut bytes, index));
            }
        }
        // A `Vec` grows: there is always room.
        message.encode_raw(&mut bytes);
        Encoded::bytes(bytes)
    }
}

/// The message behind a frame, if there is one.
pub(super) fn skip(bytes: &[u8]) -> Result<&[u8], FrameError> {
    read(bytes, |_| ()).map(|(_, message)| message)
}

/// Shows each index, and returns the schema id, if there is a frame, and the message.
fn read(bytes: &[u8], mut each: impl FnMut(u32)) -> Result<(Option<u32>, &[u8]), FrameError> {
    let Some((&MAGIC, framed)) = bytes.split_first() else { return Ok((None, bytes)) };
    let (id, mut rest) = framed.split_first_chunk().ok_or(FrameError::Truncated(bytes.len()))?;
    let mut number = || {
        let (number, behind) = zig_zag(rest).map_err(|fault| fault.unwrap_or(FrameError::Truncated(bytes.len())))?;
        rest = behind;
        Ok((number, behind.len()))
    };
    let (count, left) = number()?;
    match usize::try_from(count) {
        Err(_) => return Err(FrameError::Negative(count)),
        Ok(0) => each(0),
        // Each takes a byte at least.
        Ok(many) if many > left => return Err(FrameError::TooMany { count, left }),
        Ok(many) => {
            for _ in 0..many {
                let (index, _) = number()?;
                each(u32::try_from(index).map_err(|_| FrameError::Negative(index))?);
            }
        }
    }
    Ok((Some(u32::from_be_bytes(*id)), rest))
}

/// A number and what is behind it; `None` as the fault if the bytes end before it does.
fn zig_zag(bytes: &[u8]) -> Result<(i32, &[u8]), Option<FrameError>> {
    let mut value = 0u64;
    for (place, byte) in bytes.iter().enumerate().take(5) {
        value |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            let value = u32::try_from(value).map_err(|_| FrameError::TooLong)?;
            return Ok(((value >> 1) as i32 ^ -((value & 1) as i32), &bytes[place + 1..]));
        }
    }
    Err((bytes.len() >= 5).then_some(FrameError::TooLong))
}

/// A number that is not negative.
fn write(bytes: &mut Vec<u8>, number: u32) {
    let mut left = u64::from(number) << 1;
    while left >= 0x80 {
        bytes.push(left as u8 | 0x80);
        left >>= 7;
    }
    bytes.push(left as u8);
}
