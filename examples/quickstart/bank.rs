//! A bank that is down now and then, refuses a card, and keeps its book by idempotency key.

use crate::orders::{FAILS_ONCE, FAILS_TWICE, Order, REFUSED};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

#[derive(Debug, thiserror::Error)]
pub(crate) enum BankError {
    #[error("the card was refused")]
    Refused,
    #[error("the bank does not answer")]
    Down,
}

#[derive(Clone, Default)]
pub(crate) struct Bank {
    book: Arc<Mutex<BTreeMap<String, u64>>>,
}

impl Bank {
    /// Takes some time, as banks do. A second request with the same key changes nothing.
    pub(crate) async fn charge(&self, order: &Order, attempt: u32, key: &str) -> Result<(), BankError> {
        tokio::time::sleep(Duration::from_millis(30)).await;
        let fails = match order.id {
            REFUSED => return Err(BankError::Refused),
            id if id.is_multiple_of(FAILS_TWICE) => 2,
            id if id.is_multiple_of(FAILS_ONCE) => 1,
            _ => 0,
        };
        if attempt <= fails {
            return Err(BankError::Down);
        }
        let mut book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.entry(key.to_owned()).or_insert(order.cents);
        Ok(())
    }

    /// Where the orders stand that were charged: what follows the group in their keys, `topic/partition/offset`.
    pub(crate) fn booked(&self) -> BTreeSet<String> {
        let book = self.book.lock().unwrap_or_else(PoisonError::into_inner);
        book.keys().filter_map(|key| Some(key.split_once('/')?.1.to_owned())).collect()
    }
}
