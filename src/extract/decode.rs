//! The seam of formats: from bytes to a value.

use crate::extract::{Call, Headers, Rejection};
use bytes::Bytes;
use retrial_core::id::Origin;
use std::{fmt, future::Future};

/// Makes a value from the bytes of a body or a key: a format.
///
/// A type that has it is taken as [`Body<T>`](crate::Body) or [`Key<T>`](crate::Key), as `Option` of one where the
/// body or the key may be null, and as [`Limited<T, N>`](crate::Limited). What a format needs beside the bytes (keys,
/// a schema registry) it takes from the app's state `S`, as other extractors do.
///
/// Its answer tells two things apart:
/// - bytes that are not this format will not be tomorrow: [`Rejection::undecodable`]. The record goes to the dead letters;
/// - something that it needs is away: [`Rejection::hold`]. The topic takes nothing new for so long, no attempt is
///   counted, nothing is buried. Whoever asks for longer each time has a back-off.
///
/// ```
/// use retrial::{Body, Decode, Key, Raw, Rejection};
///
/// /// Numbers with commas between them.
/// struct Numbers(Vec<u64>);
///
/// impl<S: Sync> Decode<S> for Numbers {
///     async fn decode(raw: Raw<'_>, _: &S) -> Result<Self, Rejection> {
///         let text = std::str::from_utf8(raw.bytes()).map_err(Rejection::undecodable)?;
///         let numbers: Result<Vec<u64>, _> = text.split(',').map(str::parse).collect();
///         Ok(Self(numbers.map_err(|error| Rejection::undecodable_as("numbers", error))?))
///     }
/// }
///
/// async fn add(Body(Numbers(numbers)): Body<Numbers>, key: Option<Key<Numbers>>) {
///     println!("{} with {} numbers in the key", numbers.iter().sum::<u64>(), key.map_or(0, |key| key.0.0.len()));
/// }
/// # let _ = retrial::App::group("sums").topic("numbers", retrial::handler(add)).build();
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a format",
    label = "the bytes of a record cannot be decoded into this in an app whose state is `{S}`",
    note = "formats are `Json<T>`, `String`, `Bytes` and others; a format of your own needs `impl Decode<S>`"
)]
pub trait Decode<S>: Sized {
    /// Makes the value, or says what becomes of the record instead. The bytes are there: a null never comes here.
    fn decode(raw: Raw<'_>, state: &S) -> impl Future<Output = Result<Self, Rejection>> + Send;

    /// What an absent value is, where one format holds another, such as the data of a CloudEvent: by default nothing,
    /// so that the record is undecodable. `Option<F>` has one.
    #[must_use]
    fn absent() -> Option<Self> {
        None
    }
}

impl<S: Sync, F: Decode<S>> Decode<S> for Option<F> {
    async fn decode(raw: Raw<'_>, state: &S) -> Result<Self, Rejection> {
        F::decode(raw, state).await.map(Some)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// Which part of a record bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Its key.
    Key,
    /// Its body: what Kafka calls the value.
    Body,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Key => "key",
            Self::Body => "body",
        })
    }
}

/// The bytes of one part of a record before they are decoded, and what stands beside them.
#[derive(Clone, Copy)]
pub struct Raw<'a> {
    call: &'a Call,
    part: Part,
    bytes: &'a [u8],
}

impl<'a> Raw<'a> {
    /// This part of the record, unless it is null.
    #[must_use]
    pub fn of(call: &'a Call, part: Part) -> Option<Self> {
        let bytes = match part {
            Part::Key => call.record.key(),
            Part::Body => call.record.body(),
        };
        bytes.map(|bytes| Self { call, part, bytes })
    }

    /// The bytes.
    #[must_use]
    pub const fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The same with other bytes: what is behind a frame, or inside an envelope, to be decoded by another format.
    ///
    /// ```
    /// use retrial::{Decode, Raw, Rejection};
    ///
    /// /// Another format behind one byte that says its version.
    /// struct Versioned<F>(F);
    ///
    /// impl<S: Sync, F: Decode<S>> Decode<S> for Versioned<F> {
    ///     async fn decode(raw: Raw<'_>, state: &S) -> Result<Self, Rejection> {
    ///         match raw.bytes() {
    ///             [1, rest @ ..] => F::decode(raw.with(rest), state).await.map(Self),
    ///             _ => Err(Rejection::undecodable("not of version 1")),
    ///         }
    ///     }
    /// }
    /// ```
    #[must_use]
    pub const fn with<'b>(&self, bytes: &'b [u8]) -> Raw<'b>
    where
        'a: 'b,
    {
        Raw { call: self.call, part: self.part, bytes }
    }

    /// The bytes, to be kept. Where they are the record's own it costs no copy, and while they live, the batch that the
    /// record was read in stays in memory.
    #[must_use]
    pub fn to_bytes(&self) -> Bytes {
        let shared = match self.part {
            Part::Key => self.call.record.key_bytes(),
            Part::Body => self.call.record.body_bytes(),
        };
        let within = |whole: &Bytes| {
            let (whole, part) = (whole.as_ptr_range(), self.bytes.as_ptr_range());
            whole.start <= part.start && part.end <= whole.end
        };
        match shared.filter(within) {
            Some(whole) => whole.slice_ref(self.bytes),
            None => Bytes::copy_from_slice(self.bytes),
        }
    }

    /// Whether they are the key or the body.
    #[must_use]
    pub const fn part(&self) -> Part {
        self.part
    }

    /// Where the record stood first: in a retry, too, the source topic and not the tier.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.call.origin()
    }

    /// The record's headers as its producer wrote them.
    #[must_use]
    pub fn headers(&self) -> Headers {
        Headers::of(self.call)
    }

    /// The attempt, from which other extractors are made.
    #[must_use]
    pub const fn call(&self) -> &'a Call {
        self.call
    }
}

/// How many bytes and never which.
impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Raw({}, {} bytes)", self.part, self.bytes.len())
    }
}

/// One part of the record, decoded; `None` if it is null.
pub(crate) async fn part<S: Sync, F: Decode<S>>(call: &Call, state: &S, part: Part) -> Result<Option<F>, Rejection> {
    match Raw::of(call, part) {
        Some(raw) => F::decode(raw, state).await.map(Some),
        None => Ok(None),
    }
}

/// Makes a format an extractor of the body, also as `Option`: `body_extractor!([T: DeserializeOwned] Json<T>, "Json<T>")`.
/// The text is what a handler that met a null should have asked for.
macro_rules! body_extractor {
    ([$($generics:tt)*] $format:ty, $name:literal $(, where $($bounds:tt)+)?) => {
        impl<S: Sync, $($generics)*> $crate::extract::FromRecord<S> for $format $(where $($bounds)+)? {
            async fn from_record(
                call: &$crate::extract::Call,
                state: &S,
            ) -> Result<Self, $crate::extract::Rejection> {
                match $crate::extract::Raw::of(call, $crate::extract::Part::Body) {
                    Some(raw) => <Self as $crate::extract::Decode<S>>::decode(raw, state).await,
                    None => Err($crate::extract::Rejection::null("body", $name)),
                }
            }
        }

        impl<S: Sync, $($generics)*> $crate::extract::OptionalFromRecord<S> for $format $(where $($bounds)+)? {
            async fn from_record_if_present(
                call: &$crate::extract::Call,
                state: &S,
            ) -> Result<Option<Self>, $crate::extract::Rejection> {
                $crate::extract::decode::part(call, state, $crate::extract::Part::Body).await
            }
        }
    };
}
pub(crate) use body_extractor;
