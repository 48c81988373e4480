//! The account of every order, from what lies in the topics and what the group has committed.
//!
//! A finished order is a dead letter, or waits in a tier, or is done: then the bank must have booked it, and no other.

use crate::{
    orders::ORDERS,
    place::Place,
    reader::{Book, Entry, Reader},
    view::number,
};
use std::{collections::BTreeSet, error::Error};

pub(crate) struct Account {
    orders: Book,
    tiers: Vec<Book>,
    letters: Book,
    /// Orders that are finished, are no dead letters, and wait in no tier.
    done: BTreeSet<String>,
    waiting: BTreeSet<String>,
    unfinished: usize,
    /// What contradicts itself.
    faults: Vec<String>,
}

impl Account {
    /// Reads the topics, and compares them with the orders that the bank has booked.
    pub(crate) fn draw_up(place: &Place, booked: &BTreeSet<String>) -> Result<Self, Box<dyn Error + Send + Sync>> {
        let reader = Reader::new(place)?;
        let orders = reader.read(place.topic.clone())?;
        let tiers = ["retry.1s", "retry.2s"].map(|tier| reader.read(format!("{}.{tier}", place.group)));
        let tiers: Vec<Book> = tiers.into_iter().collect::<Result<_, _>>()?;
        let letters = reader.read(format!("{}.dlq", place.group))?;

        let origin = |entry: &Entry| entry.header("retrial-origin").to_owned();
        let dead: BTreeSet<String> = letters.entries.iter().map(origin).collect();
        let waiting = tiers.iter().flat_map(|tier| &tier.entries).filter(|entry| !entry.is_finished).map(origin);
        let waiting: BTreeSet<String> = waiting.collect();
        let unfinished = orders.entries.iter().filter(|order| !order.is_finished).count();
        let is_done =
            |order: &&Entry| order.is_finished && !dead.contains(&order.place) && !waiting.contains(&order.place);
        let done: BTreeSet<String> = orders.entries.iter().filter(is_done).map(|order| order.place.clone()).collect();

        let body = |origin: &str| orders.entries.iter().find(|order| order.place == origin).map(|order| &order.body);
        let is_false = |letter: &&Entry| body(letter.header("retrial-origin")) != Some(&letter.body);
        let false_letters = letters.entries.iter().filter(is_false).count() + letters.entries.len() - dead.len();
        let counts = [
            (orders.entries.len().abs_diff(ORDERS as usize), "orders too many or too few in the topic"),
            (false_letters, "dead letters that are no order's, or its second one"),
            (done.difference(booked).count(), "orders finished that the bank never booked"),
            (booked.difference(&done).count(), "orders booked that are not finished"),
        ];
        let faults = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
        Ok(Self { faults: faults.collect(), orders, tiers, letters, done, waiting, unfinished })
    }

    pub(crate) fn closes(&self) -> bool {
        self.faults.is_empty() && self.waiting.is_empty() && self.unfinished == 0
    }

    pub(crate) fn print(&self) {
        let Self { orders, tiers, letters, done, waiting, unfinished, faults } = self;
        println!("\nRead back from the topics by a second reader:");
        println!("  {:>5} orders in {}", number(orders.entries.len() as u64), orders.topic);
        println!("  {:>5} done: the bank has booked these and no others", number(done.len() as u64));
        println!("  {:>5} dead letters in {}, with body and reason", letters.entries.len(), letters.topic);
        for letter in &letters.entries {
            let [origin, cause, error] =
                ["retrial-origin", "retrial-cause", "retrial-error"].map(|name| letter.header(name));
            println!("          {origin} {cause}: {error}");
        }
        for tier in tiers {
            let left = tier.entries.iter().filter(|entry| !entry.is_finished).count();
            let left = if left == 0 { "all over".to_owned() } else { format!("{left} not over") };
            println!("  {:>5} waits in {}, {left}", tier.written, tier.topic);
        }
        faults.iter().for_each(|fault| println!("  WRONG: {fault}"));

        let mut sum = format!("{} done + {} dead letters", number(done.len() as u64), letters.entries.len());
        for (count, what) in [(waiting.len(), "waiting"), (*unfinished, "not begun")] {
            if count > 0 {
                sum += &format!(" + {count} {what}");
            }
        }
        let verdict = if self.closes() { "Nothing lost, nothing left over." } else { "The account does not close." };
        println!("\n{} orders = {sum}. {verdict}", number(ORDERS));
    }
}
