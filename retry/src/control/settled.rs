//! Which dead letters are settled, over all pages.

use super::{ControlError, PAGE, Page, Settlement, TopicId, page_key};
use std::collections::BTreeMap;

/// A page by partition and number.
type Place = (i32, i64);

/// Settled dead letters. Marks of another topic of the same name count for nothing (RULES 20).
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled(BTreeMap<String, BTreeMap<Place, Page>>);

impl Settled {
    /// Takes in a record whose key, without its beginning, is this.
    pub(super) fn take_in(&mut self, place: &str, value: Option<&[u8]>) -> Result<(), ControlError> {
        let (topic, place) = read_place(place).ok_or(ControlError::Damaged)?;
        if let Some(pages) = self.0.get_mut(topic) {
            pages.remove(&place);
            if pages.is_empty() {
                self.0.remove(topic);
            }
        }
        if let Some(value) = value {
            let page = Page::decode(value)?;
            self.0.entry(topic.to_owned()).or_default().insert(place, page);
        }
        Ok(())
    }

    /// How a dead letter was settled, in this topic of its name.
    #[must_use]
    pub fn get(&self, topic: &str, topic_id: TopicId, partition: i32, offset: i64) -> Option<Settlement> {
        let (number, within) = split(offset)?;
        let page = self.0.get(topic)?.get(&(partition, number))?;
        if is_same(page.topic_id, topic_id) { page.settlement(within) } else { None }
    }

    /// Marks a dead letter, and returns the number of its page. A page of another topic of this name begins anew.
    pub fn settle(&mut self, topic: &str, topic_id: TopicId, partition: i32, offset: i64, as_: Settlement) -> i64 {
        let Some((number, within)) = split(offset) else { return 0 };
        if !self.0.contains_key(topic) {
            self.0.insert(topic.to_owned(), BTreeMap::new());
        }
        let Some(pages) = self.0.get_mut(topic) else { return number };
        let page = pages.entry((partition, number)).or_insert_with(|| Page::new(topic_id));
        if !is_same(page.topic_id, topic_id) {
            *page = Page::new(topic_id);
        }
        page.settle(within, as_);
        number
    }

    /// Key and value of a page's record.
    #[must_use]
    pub fn record(&self, topic: &str, partition: i32, page: i64) -> Option<(String, Vec<u8>)> {
        let found = self.0.get(topic)?.get(&(partition, page))?;
        Some((page_key(topic, partition, page), found.encode()))
    }

    /// How many letters of a range are settled.
    #[must_use]
    pub fn count(&self, topic: &str, topic_id: TopicId, partition: i32, from: i64, to: i64) -> u64 {
        self.offsets(topic, topic_id, partition, from, to).count() as u64
    }

    /// The first offset of a range that is not settled; its end if all are.
    #[must_use]
    pub fn first_open(&self, topic: &str, topic_id: TopicId, partition: i32, from: i64, to: i64) -> i64 {
        let settled = self.offsets(topic, topic_id, partition, from, to);
        let run = settled.zip(from..).take_while(|(settled, offset)| settled == offset).count();
        from.saturating_add(run as i64).min(to.max(from))
    }

    fn offsets(
        &self,
        topic: &str,
        topic_id: TopicId,
        partition: i32,
        from: i64,
        to: i64,
    ) -> impl Iterator<Item = i64> + '_ {
        let (first, last) = (from.max(0) / PAGE, to.max(0) / PAGE);
        let range = (partition, first)..=(partition, last.max(first));
        let pages = self.0.get(topic).into_iter().flat_map(move |pages| pages.range(range.clone()));
        let pages = pages.filter(move |(_, page)| is_same(page.topic_id, topic_id));
        let of_page = |((_, number), page): (&'_ Place, &'_ Page)| {
            let start = number * PAGE;
            let places = (0..=u16::MAX).filter(|within| page.settlement(*within).is_some());
            places.map(move |within| start + i64::from(within)).collect::<Vec<_>>()
        };
        pages.flat_map(of_page).filter(move |offset| (from..to).contains(offset))
    }

    /// Keys of pages of a topic that nothing can ask for any more: of another topic of its name, or below the start of its
    /// partition's log. Where the topic's identity is unknown, or a partition's start, its pages stay.
    #[must_use]
    pub fn obsolete(&self, topic: &str, topic_id: TopicId, starts: &BTreeMap<i32, i64>) -> Vec<String> {
        let is_gone = |((partition, number), page): &(&Place, &Page)| {
            let below = starts.get(partition).is_some_and(|start| (number + 1) * PAGE <= *start);
            topic_id.is_some() && (below || !is_same(page.topic_id, topic_id))
        };
        let key = |((partition, number), _): (&Place, &Page)| page_key(topic, *partition, *number);
        self.0.get(topic).into_iter().flatten().filter(is_gone).map(key).collect()
    }
}

/// Two identities of which one is unknown are taken for the same: what was settled is not brought back by doubt.
fn is_same(marked: TopicId, now: TopicId) -> bool {
    marked.zip(now).is_none_or(|(marked, now)| marked == now)
}

fn split(offset: i64) -> Option<(i64, u16)> {
    (offset >= 0).then_some((offset / PAGE, (offset % PAGE) as u16))
}

fn read_place(text: &str) -> Option<(&str, Place)> {
    let mut parts = text.rsplitn(3, '/');
    let number = |part: &str| part.parse::<i64>().ok().filter(|number| *number >= 0 && number.to_string() == part);
    let page = number(parts.next()?).filter(|page| *page < i64::MAX / PAGE)?;
    let partition = i32::try_from(number(parts.next()?)?).ok()?;
    let topic = parts.next().filter(|topic| !topic.is_empty())?;
    Some((topic, (partition, page)))
}
