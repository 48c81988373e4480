//! What may be readable: one bit per partition queue, one for events, one for a wake from outside.
//!
//! librdkafka calls back when a queue steps from empty to one entry, on its own threads and under that queue's lock.
//! So a [`Bell`] does one `fetch_or` and unparks the owner if the word was zero before. The owner takes the bits
//! with a swap: a bit that is set after the swap belongs to the next turn, and its unpark is never lost, because a
//! thread keeps the token of an unpark that comes before its park.
//!
//! A bit says "look here", not "there is something": barriers ring too. A queue stays silent until it was read
//! empty, so the owner keeps its own [`Marks`] of what it has not read to the end.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, Thread},
};

const EVENTS: u64 = 1;
const WOKEN: u64 = 2;
const WORD: usize = 64;

/// Rings for one queue. Cheap to clone; may be rung from any thread, also from within a callback of librdkafka.
#[derive(Clone, Debug)]
pub(super) struct Bell {
    word: Arc<AtomicU64>,
    bit: u64,
    owner: Arc<OnceLock<Thread>>,
}

impl Bell {
    /// Sets the bit, and wakes the owner if the word was zero.
    pub(super) fn ring(&self) {
        if self.word.fetch_or(self.bit, Ordering::AcqRel) == 0
            && let Some(owner) = self.owner.get()
        {
            owner.unpark();
        }
    }
}

/// The shared half: bits that callbacks set and the owner takes.
#[derive(Debug, Default)]
pub(super) struct Ready {
    words: Vec<Arc<AtomicU64>>,
    events: Arc<AtomicU64>,
    owner: Arc<OnceLock<Thread>>,
}

impl Ready {
    /// The bell of the partition queue in this place of the table.
    pub(super) fn bell(&mut self, index: u32) -> Bell {
        let (word, bit) = place(index);
        if self.words.len() <= word {
            self.words.resize_with(word + 1, Arc::default);
        }
        Bell { word: Arc::clone(&self.words[word]), bit, owner: Arc::clone(&self.owner) }
    }

    /// The bell of the queues that carry events and replies.
    pub(super) fn event_bell(&self) -> Bell {
        Bell { word: Arc::clone(&self.events), bit: EVENTS, owner: Arc::clone(&self.owner) }
    }

    /// The bell that only ends a wait.
    pub(super) fn wake_bell(&self) -> Bell {
        Bell { word: Arc::clone(&self.events), bit: WOKEN, owner: Arc::clone(&self.owner) }
    }

    /// Moves what was set into the owner's marks; returns whether events may wait.
    pub(super) fn take(&self, marks: &mut Marks) -> bool {
        for (word, taken) in self.words.iter().zip(marks.words_for(self.words.len())) {
            // A load first: most words are zero, and a swap would take the cache line from the callbacks.
            if word.load(Ordering::Relaxed) != 0 {
                *taken |= word.swap(0, Ordering::AcqRel);
            }
        }
        self.events.swap(0, Ordering::AcqRel) & EVENTS != 0
    }

    /// Whether a bell rang since the last [`Ready::take`].
    pub(super) fn rung(&self) -> bool {
        let set = |word: &AtomicU64| word.load(Ordering::Acquire) != 0;
        set(&self.events) || self.words.iter().any(|word| set(word))
    }

    /// Names the thread that bells wake: the one that calls this first. A source stays on one thread.
    pub(super) fn belong_to_this_thread(&self) {
        self.owner.get_or_init(thread::current);
    }
}

/// The owner's half: partition queues that were not read to their end since they last rang.
#[derive(Debug, Default)]
pub(super) struct Marks {
    words: Vec<u64>,
}

impl Marks {
    fn words_for(&mut self, words: usize) -> &mut [u64] {
        if self.words.len() < words {
            self.words.resize(words, 0);
        }
        &mut self.words
    }

    /// Marks a queue as worth a look.
    pub(super) fn set(&mut self, index: u32) {
        let (word, bit) = place(index);
        self.words_for(word + 1)[word] |= bit;
    }

    /// Forgets a mark.
    pub(super) fn clear(&mut self, index: u32) {
        let (word, bit) = place(index);
        if let Some(word) = self.words.get_mut(word) {
            *word &= !bit;
        }
    }

    /// The marked queues. Each call starts at another one, so that the first of the table are not served first.
    pub(super) fn list(&self, turn: u32, into: &mut Vec<u32>) {
        into.clear();
        for (word, &bits) in self.words.iter().enumerate() {
            let mut left = bits;
            while left != 0 {
                into.push((word * WORD) as u32 + left.trailing_zeros());
                left &= left - 1;
            }
        }
        if !into.is_empty() {
            let start = turn as usize % into.len();
            into.rotate_left(start);
        }
    }
}

const fn place(index: u32) -> (usize, u64) {
    (index as usize / WORD, 1 << (index as usize % WORD))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::{collections::BTreeSet, time::Duration};

    #[test]
    fn a_ring_before_the_park_ends_it_at_once() {
        let mut ready = Ready::default();
        ready.belong_to_this_thread();
        ready.bell(70).ring();
        assert!(ready.rung());
        let mut marks = Marks::default();
        assert!(!ready.take(&mut marks));
        assert!(!ready.rung());
        let mut list = Vec::new();
        marks.list(0, &mut list);
        assert_eq!(list, [70]);
    }

    #[test]
    fn events_and_wakes_are_told_apart() {
        let ready = Ready::default();
        let mut marks = Marks::default();
        ready.wake_bell().ring();
        assert!(ready.rung());
        assert!(!ready.take(&mut marks));
        ready.event_bell().ring();
        assert!(ready.take(&mut marks));
        assert!(!ready.take(&mut marks));
    }

    #[test]
    fn no_ring_of_many_threads_is_lost() {
        const RINGS: u32 = 20_000;
        let mut ready = Ready::default();
        let bells: Vec<Bell> = [1, 63, 64, 200].map(|index| ready.bell(index)).to_vec();
        ready.belong_to_this_thread();
        let counts: Vec<Arc<AtomicU64>> = bells.iter().map(|_| Arc::default()).collect();
        let threads: Vec<_> = bells
            .into_iter()
            .zip(&counts)
            .map(|(bell, count)| {
                let count = Arc::clone(count);
                thread::spawn(move || {
                    for _ in 0..RINGS {
                        // The count stands for the entry in the queue: it is there before the bell rings.
                        count.fetch_add(1, Ordering::Release);
                        bell.ring();
                    }
                })
            })
            .collect();
        let mut marks = Marks::default();
        let (mut seen, mut list) = ([0; 4], Vec::new());
        while seen.iter().any(|&seen| seen < u64::from(RINGS)) {
            if !ready.rung() {
                let parked = std::time::Instant::now();
                thread::park_timeout(Duration::from_secs(10));
                assert!(parked.elapsed() < Duration::from_secs(10), "a ring woke nobody: {seen:?}");
            }
            ready.take(&mut marks);
            marks.list(0, &mut list);
            for &index in &list {
                marks.clear(index);
                let which = [1, 63, 64, 200].iter().position(|&bell| bell == index).unwrap();
                seen[which] = counts[which].load(Ordering::Acquire);
            }
        }
        threads.into_iter().for_each(|thread| thread.join().unwrap());
    }

    proptest! {
        #[test]
        fn marks_are_a_set(operations in prop::collection::vec((0u32..300, any::<bool>()), 0..200), turn in any::<u32>()) {
            let (mut marks, mut model) = (Marks::default(), BTreeSet::new());
            for (index, set) in operations {
                if set {
                    marks.set(index);
                    model.insert(index);
                } else {
                    marks.clear(index);
                    model.remove(&index);
                }
            }
            let mut list = Vec::new();
            marks.list(turn, &mut list);
            if !list.is_empty() {
                prop_assert_eq!(list[0], *model.iter().nth(turn as usize % model.len()).unwrap());
            }
            prop_assert_eq!(list.into_iter().collect::<BTreeSet<_>>(), model);
        }
    }
}
