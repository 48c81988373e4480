//! What was asked before, and what is being asked.
//!
//! Invariants: of one key at most one question is on its way, whoever asks (single flight); it goes on with any of
//! those who wait, so it survives that some of them give up. What exists is kept, since a schema's id never means
//! another schema. "There is none" is kept until it expires, since somebody may register it. An outage is not kept:
//! it is no answer. Both kinds are bounded, because keys come out of records, which anybody may have written.

use crate::registry::RegistryError;
use foldhash::fast::RandomState;
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use tokio::time::Instant;

/// Schemas that are kept; a group that reads more than this many would ask again for some.
const MAX_PRESENT: usize = 10_000;

/// "There is none" that are kept.
const MAX_ABSENT: usize = 1_000;

type Answer<V> = Result<V, RegistryError>;

struct Flight<V: Clone> {
    ticket: u64,
    answer: Shared<BoxFuture<'static, Answer<V>>>,
}

struct Table<K, V: Clone> {
    present: HashMap<K, V, RandomState>,
    absent: HashMap<K, (RegistryError, Instant), RandomState>,
    flights: HashMap<K, Flight<V>, RandomState>,
    tickets: u64,
}

pub(super) struct Cache<K, V: Clone> {
    table: Mutex<Table<K, V>>,
    absent_for: Duration,
}

impl<K: Hash + Eq + Clone, V: Clone> Cache<K, V> {
    /// A cache in which "there is none" holds for `absent_for`.
    pub(super) fn new(absent_for: Duration) -> Self {
        let table =
            Table { present: HashMap::default(), absent: HashMap::default(), flights: HashMap::default(), tickets: 0 };
        Self { table: Mutex::new(table), absent_for }
    }

    /// Each change of the table is one assignment, so that a panic elsewhere leaves it whole.
    fn table(&self) -> MutexGuard<'_, Table<K, V>> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is kept of the key, or what `ask` says of it.
    pub(super) async fn get(&self, key: K, ask: impl FnOnce() -> BoxFuture<'static, Answer<V>>) -> Answer<V> {
        let (ticket, flight) = {
            let table = &mut *self.table();
            if let Some(known) = table.known(&key) {
                return known;
            }
            let flight = table.flights.entry(key.clone()).or_insert_with(|| {
                table.tickets += 1;
                Flight { ticket: table.tickets, answer: ask().shared() }
            });
            (flight.ticket, flight.answer.clone())
        };
        let answer = flight.await;
        self.table().land(key, ticket, &answer, self.absent_for);
        answer
    }
}

impl<K: Hash + Eq + Clone, V: Clone> Table<K, V> {
    fn known(&mut self, key: &K) -> Option<Answer<V>> {
        if let Some(value) = self.present.get(key) {
            return Some(Ok(value.clone()));
        }
        match self.absent.get(key) {
            Some((error, until)) if *until > Instant::now() => Some(Err(error.clone())),
            _ => None,
        }
    }

    /// The first of those who waited keeps the answer; a later flight for the same key is another's.
    fn land(&mut self, key: K, ticket: u64, answer: &Answer<V>, absent_for: Duration) {
        if self.flights.get(&key).is_none_or(|flight| flight.ticket != ticket) {
            return;
        }
        self.flights.remove(&key);
        match answer {
            Ok(value) => {
                if self.present.len() >= MAX_PRESENT
                    && let Some(any) = self.present.keys().next().cloned()
                {
                    self.present.remove(&any);
                }
                self.absent.remove(&key);
                self.present.insert(key, value.clone());
            }
            Err(error) if error.is_outage() => {}
            Err(error) => {
                if self.absent.len() >= MAX_ABSENT {
                    self.absent.clear();
                }
                self.absent.insert(key, (error.clone(), Instant::now() + absent_for));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    };
    use tokio::sync::Notify;

    const EXPIRY: Duration = Duration::from_secs(10);

    fn none() -> RegistryError {
        RegistryError::NotFound { wanted: "schema".to_owned(), code: 40403 }
    }

    fn away() -> RegistryError {
        RegistryError::Away { why: "nobody".to_owned() }
    }

    /// Counts how often it is asked.
    #[derive(Clone, Default)]
    struct Desk(Arc<AtomicU32>);

    impl Desk {
        async fn ask(&self, cache: &Cache<u32, u32>, key: u32, answer: Answer<u32>) -> Answer<u32> {
            let asked = Arc::clone(&self.0);
            cache
                .get(key, || {
                    asked.fetch_add(1, Ordering::Relaxed);
                    async move { answer }.boxed()
                })
                .await
        }

        fn asked(&self) -> u32 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_exists_is_kept_and_what_does_not_until_it_expires() {
        let (cache, desk) = (Cache::new(EXPIRY), Desk::default());
        assert_eq!(desk.ask(&cache, 1, Ok(5)).await, Ok(5));
        assert_eq!(desk.ask(&cache, 1, Ok(6)).await, Ok(5));
        assert_eq!(desk.asked(), 1);
        assert_eq!(desk.ask(&cache, 2, Err(none())).await, Err(none()));
        assert_eq!(desk.ask(&cache, 2, Ok(7)).await, Err(none()));
        assert_eq!(desk.asked(), 2);
        tokio::time::advance(EXPIRY).await;
        assert_eq!(desk.ask(&cache, 2, Ok(7)).await, Ok(7));
        assert_eq!(desk.asked(), 3);
    }

    #[tokio::test]
    async fn an_outage_is_not_kept() {
        let (cache, desk) = (Cache::new(EXPIRY), Desk::default());
        assert_eq!(desk.ask(&cache, 1, Err(away())).await, Err(away()));
        assert_eq!(desk.ask(&cache, 1, Ok(5)).await, Ok(5));
        assert_eq!(desk.asked(), 2);
    }

    #[tokio::test]
    async fn many_who_ask_at_once_ask_once_also_if_the_first_of_them_gives_up() {
        let cache = Arc::new(Cache::<u32, u32>::new(EXPIRY));
        let (desk, gate) = (Desk::default(), Arc::new(Notify::new()));
        let mut askers: Vec<_> = (0..50)
            .map(|_| {
                let (cache, desk, gate) = (Arc::clone(&cache), desk.clone(), Arc::clone(&gate));
                tokio::spawn(async move {
                    let ask = || {
                        desk.0.fetch_add(1, Ordering::Relaxed);
                        async move {
                            gate.notified().await;
                            Ok(5)
                        }
                        .boxed()
                    };
                    cache.get(1, ask).await
                })
            })
            .collect();
        while desk.asked() == 0 {
            tokio::task::yield_now().await;
        }
        askers.remove(0).abort();
        gate.notify_one();
        for asker in askers {
            assert_eq!(asker.await.unwrap(), Ok(5));
        }
        assert_eq!(desk.asked(), 1);
    }

    #[tokio::test]
    async fn both_kinds_are_bounded() {
        let (cache, desk) = (Cache::new(EXPIRY), Desk::default());
        for key in 0..(MAX_PRESENT as u32 + 10) {
            let _ = desk.ask(&cache, key, if key % 2 == 0 { Ok(key) } else { Err(none()) }).await;
        }
        for key in 100_000..(100_000 + MAX_PRESENT as u32) {
            let _ = desk.ask(&cache, key, Ok(key)).await;
        }
        let table = cache.table();
        assert_eq!(table.present.len(), MAX_PRESENT);
        assert!(table.absent.len() <= MAX_ABSENT);
        assert!(table.flights.is_empty());
    }
}
