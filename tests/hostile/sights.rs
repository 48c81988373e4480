//! What handlers saw.

use retrial::{Attempt, Bytes, Call, Failure, FromRecord, Headers, Key, Origin, Rejection, SourceTime, State};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One attempt as the handler saw it: take it as an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) origin: Origin,
    pub(crate) attempt: u32,
    pub(crate) key: Option<Vec<u8>>,
    pub(crate) body: Option<Vec<u8>>,
    pub(crate) headers: Vec<(Vec<u8>, Option<Vec<u8>>)>,
    pub(crate) time: SourceTime,
}

impl<S: Sync> FromRecord<S> for Sight {
    async fn from_record(call: &Call, state: &S) -> Result<Self, Rejection> {
        let attempt = Attempt::from_record(call, state).await?;
        let headers = Headers::from_record(call, state).await?;
        let key = Option::<Key>::from_record(call, state).await?;
        let body = Option::<Bytes>::from_record(call, state).await?;
        Ok(Self {
            origin: attempt.origin(),
            attempt: attempt.number(),
            key: key.map(|key| key.to_vec()),
            body: body.map(|body| body.to_vec()),
            headers: headers.iter().map(|(name, value)| (name.to_vec(), value.map(<[u8]>::to_vec))).collect(),
            time: SourceTime::from_record(call, state).await?,
        })
    }
}

/// What handlers of one test saw, in the order of their beginning.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sights(Arc<Mutex<Vec<Sight>>>);

impl Sights {
    pub(crate) fn see(&self, sight: Sight) {
        self.lock().push(sight);
    }

    pub(crate) fn all(&self) -> Vec<Sight> {
        self.lock().clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Offsets seen of a partition, in the order of their beginning.
    pub(crate) fn offsets(&self, partition: i32) -> Vec<i64> {
        let all = self.lock();
        all.iter().filter(|sight| sight.origin.partition == partition).map(|sight| sight.origin.offset).collect()
    }

    /// Bodies seen, as text, sorted.
    pub(crate) fn texts(&self) -> Vec<String> {
        let text = |sight: &Sight| String::from_utf8_lossy(sight.body.as_deref().unwrap_or_default()).into_owned();
        let mut texts: Vec<String> = self.lock().iter().map(text).collect();
        texts.sort();
        texts
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Sight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The handler that sees everything and minds nothing.
pub(crate) async fn see(sight: Sight, State(sights): State<Sights>) {
    sights.see(sight);
}

/// What the body of a record begins with that stands beside a hostile one and is to be handled once.
pub(crate) const NEIGHBOUR: &[u8] = b"neighbour";

/// Fails the first time, and for good later: so each record is seen twice, and goes through a tier and the dead letters.
/// Neighbours succeed.
pub(crate) async fn twice(sight: Sight, State(sights): State<Sights>) -> Result<(), Failure> {
    let (attempt, is_neighbour) =
        (sight.attempt, sight.body.as_deref().is_some_and(|body| body.starts_with(NEIGHBOUR)));
    sights.see(sight);
    match attempt {
        _ if is_neighbour => Ok(()),
        1 => Err(Failure::retry("the first time")),
        _ => Err(Failure::dead("the second time")),
    }
}
