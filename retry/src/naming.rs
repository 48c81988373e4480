//! Names of a group's own topics, and the one spelling of a delay.
//!
//! `<stem>.retry.<delay>`, `<stem>.dlq`, `<stem>.control`, where the stem is the group id, or the `topic_prefix` in its
//! place. No two stems share a name: the last part tells what a topic is, and what is before it is the stem. A stem
//! that Kafka would not take is refused, never rewritten, since two rewritten groups could meet in one topic.
//!
//! One trap is not visible from here: brokers refuse a topic whose name differs from an existing one only in `.` and
//! `_` (their metrics cannot tell the two apart), so groups `a.b` and `a_b` cannot both have topics.

use std::{fmt, time::Duration};

/// Longest name of a Kafka topic, in bytes.
pub const MAX_TOPIC_BYTES: usize = 249;

/// Longest group id, in bytes. Kafka would take more; retries carry it in their headers, whose size is bounded.
pub const MAX_GROUP_BYTES: usize = 249;

/// Longest delay of one tier. Longer waits are served by several hops.
pub const MAX_TIER_DELAY: Duration = Duration::from_secs(365 * 24 * 3600);

const RETRY: &str = ".retry.";
const DEAD_LETTERS: &str = ".dlq";
const CONTROL: &str = ".control";

/// The most letters that [`spell_delay`] writes are those of a second less than [`MAX_TIER_DELAY`].
const LONGEST_SUFFIX: usize = ".retry.31535999s".len();

/// Longest group id that topics can be named after, and longest `topic_prefix`, in bytes.
pub const MAX_STEM_BYTES: usize = MAX_TOPIC_BYTES - LONGEST_SUFFIX;

/// What one of a group's own topics is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OwnTopic {
    /// A tier with this delay; zero is the way back in.
    Tier(Duration),
    /// The dead letters.
    DeadLetters,
    /// What operators did.
    Control,
}

/// Why a group's topics cannot be named.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// There is no group id.
    #[error("the group id is empty")]
    NoGroup,
    /// The group id does not fit the headers of retries.
    #[error("a group id of {bytes} bytes is too long: at most {MAX_GROUP_BYTES} fit into the headers of a retry")]
    GroupTooLong {
        /// Its length.
        bytes: usize,
    },
    /// The group id has control characters, which headers and terminals must not carry.
    #[error("group id {group:?} has control characters")]
    GroupUnprintable {
        /// The group id.
        group: String,
    },
    /// Kafka takes the group id, but no topic of that name.
    #[error(
        "no topics can be named after group id {group:?}: {why}; set `topic_prefix` to what their names begin with"
    )]
    GroupUnfit {
        /// The group id.
        group: String,
        /// What is wrong with it.
        why: Unfit,
    },
    /// The `topic_prefix` does not make names of topics.
    #[error("no topics can be named after `topic_prefix` {prefix:?}: {why}")]
    PrefixUnfit {
        /// The prefix.
        prefix: String,
        /// What is wrong with it.
        why: Unfit,
    },
}

/// What keeps a text from being the beginning of a topic's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unfit {
    /// It is empty.
    #[error("it is empty")]
    Empty,
    /// Kafka keeps `.` and `..` for itself.
    #[error("a name of dots alone is none")]
    Dots,
    /// It has a character that topic names do not have.
    #[error("{0:?} is not one of A-Z a-z 0-9 . _ -")]
    Character(char),
    /// With the longest suffix it would be longer than a topic's name may be.
    #[error("it has {0} bytes, and at most {MAX_STEM_BYTES} leave room for what follows")]
    TooLong(usize),
}

/// Why a duration cannot be the delay of a tier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DelayError {
    /// It has a fraction of a second.
    #[error("a tier's delay is a whole number of seconds, not {0:?}")]
    Fraction(Duration),
    /// It is longer than [`MAX_TIER_DELAY`].
    #[error("a tier's delay is at most 365 days, not {0:?}")]
    TooLong(Duration),
}

/// The names of one group's own topics.
///
/// ```
/// use retrial_core::naming::{GroupNames, OwnTopic};
/// use std::time::Duration;
///
/// let names = GroupNames::new("billing", None)?;
/// assert_eq!(names.tier(Duration::from_secs(600))?, "billing.retry.10m");
/// assert_eq!(names.way_back(), "billing.retry.0s");
/// assert_eq!(names.dead_letters(), "billing.dlq");
/// assert_eq!(names.parse("billing.retry.10m"), Some(OwnTopic::Tier(Duration::from_secs(600))));
/// assert_eq!(names.parse("billing.retry.600s"), None); // ten minutes have one spelling
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GroupNames {
    group: String,
    prefix: Option<String>,
}

impl GroupNames {
    /// The names of a group's topics, which begin with the group id, or with `prefix` in its place.
    ///
    /// # Errors
    /// The group id, or the prefix if there is one, does not make names that Kafka takes.
    pub fn new(group: &str, prefix: Option<&str>) -> Result<Self, NameError> {
        if group.is_empty() {
            return Err(NameError::NoGroup);
        }
        if group.len() > MAX_GROUP_BYTES {
            return Err(NameError::GroupTooLong { bytes: group.len() });
        }
        let (group, prefix) = (group.to_owned(), prefix.map(str::to_owned));
        if group.contains(char::is_control) {
            return Err(NameError::GroupUnprintable { group });
        }
        match (fit(prefix.as_deref().unwrap_or(&group)), prefix) {
            (Ok(()), prefix) => Ok(Self { group, prefix }),
            (Err(why), Some(prefix)) => Err(NameError::PrefixUnfit { prefix, why }),
            (Err(why), None) => Err(NameError::GroupUnfit { group, why }),
        }
    }

    /// The group id.
    #[must_use]
    pub fn group(&self) -> &str {
        &self.group
    }

    /// What the names begin with: the `topic_prefix` if there is one, else the group id.
    #[must_use]
    pub fn stem(&self) -> &str {
        self.prefix.as_deref().unwrap_or(&self.group)
    }

    /// The tier with this delay; with a delay of zero, [`GroupNames::way_back`].
    ///
    /// # Errors
    /// The delay is not one a tier can have.
    pub fn tier(&self, delay: Duration) -> Result<String, DelayError> {
        Ok(format!("{}{RETRY}{}", self.stem(), spell_delay(delay)?))
    }

    /// The tier without delay, through which redrive and replay come back.
    #[must_use]
    pub fn way_back(&self) -> String {
        format!("{}{RETRY}0s", self.stem())
    }

    /// The dead letters.
    #[must_use]
    pub fn dead_letters(&self) -> String {
        format!("{}{DEAD_LETTERS}", self.stem())
    }

    /// What operators did.
    #[must_use]
    pub fn control(&self) -> String {
        format!("{}{CONTROL}", self.stem())
    }

    /// What a topic is to this group; `None` for a topic that is not its own. Accepts exactly the names written here.
    #[must_use]
    pub fn parse(&self, topic: &str) -> Option<OwnTopic> {
        match topic.strip_prefix(self.stem())? {
            DEAD_LETTERS => Some(OwnTopic::DeadLetters),
            CONTROL => Some(OwnTopic::Control),
            suffix => suffix.strip_prefix(RETRY).and_then(parse_delay).map(OwnTopic::Tier),
        }
    }
}

fn fit(stem: &str) -> Result<(), Unfit> {
    let foreign = |&letter: &char| !letter.is_ascii() || !is_topic_letter(letter as u8);
    match stem {
        "" => Err(Unfit::Empty),
        "." | ".." => Err(Unfit::Dots),
        _ => match stem.chars().find(foreign) {
            Some(letter) => Err(Unfit::Character(letter)),
            None if stem.len() > MAX_STEM_BYTES => Err(Unfit::TooLong(stem.len())),
            None => Ok(()),
        },
    }
}

fn is_topic_letter(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// Whether Kafka takes this as the name of a topic.
#[must_use]
pub fn is_topic_name(name: &str) -> bool {
    let size = (1..=MAX_TOPIC_BYTES).contains(&name.len());
    size && !matches!(name, "." | "..") && name.bytes().all(is_topic_letter)
}

struct Spelled(u64);

impl fmt::Display for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("0s"),
            seconds if seconds % 3600 == 0 => write!(f, "{}h", seconds / 3600),
            seconds if seconds % 60 == 0 => write!(f, "{}m", seconds / 60),
            seconds => write!(f, "{seconds}s"),
        }
    }
}

/// The one spelling of a delay: a whole number of the largest unit that is exact, as in `0s`, `90s`, `10m`, `36h`.
///
/// # Errors
/// The delay has a fraction of a second or is longer than [`MAX_TIER_DELAY`].
pub fn spell_delay(delay: Duration) -> Result<String, DelayError> {
    if delay.subsec_nanos() != 0 {
        return Err(DelayError::Fraction(delay));
    }
    if delay > MAX_TIER_DELAY {
        return Err(DelayError::TooLong(delay));
    }
    Ok(Spelled(delay.as_secs()).to_string())
}

/// Reads what [`spell_delay`] writes, and nothing else: `60s`, `05s` and `+5s` are no spellings.
#[must_use]
pub fn parse_delay(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => return None,
    };
    let delay = Duration::from_secs(number.parse::<u64>().ok()?.checked_mul(seconds)?);
    (spell_delay(delay).as_deref() == Ok(text)).then_some(delay)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_frozen_names() {
        let names = GroupNames::new("billing", None).unwrap();
        for (seconds, name) in [
            (0, "billing.retry.0s"),
            (5, "billing.retry.5s"),
            (60, "billing.retry.1m"),
            (90, "billing.retry.90s"),
            (3600, "billing.retry.1h"),
            (129_600, "billing.retry.36h"),
        ] {
            assert_eq!(names.tier(Duration::from_secs(seconds)).as_deref(), Ok(name));
        }
        assert_eq!(names.dead_letters(), "billing.dlq");
        assert_eq!(names.control(), "billing.control");
        assert_eq!(names.way_back(), names.tier(Duration::ZERO).unwrap());
    }

    #[test]
    fn a_prefix_takes_the_place_of_the_group() {
        let names = GroupNames::new("Abrechnung/Köln", Some("billing-cologne")).unwrap();
        assert_eq!(names.group(), "Abrechnung/Köln");
        assert_eq!(names.dead_letters(), "billing-cologne.dlq");
        assert_eq!(names.parse("billing-cologne.control"), Some(OwnTopic::Control));
    }

    #[test]
    fn a_group_that_names_no_topics_is_refused_with_the_remedy() {
        let long = "g".repeat(MAX_STEM_BYTES + 1);
        for group in ["a/b", "köln", "a b", ".", "..", &long] {
            let error = GroupNames::new(group, None).unwrap_err().to_string();
            assert!(error.contains("`topic_prefix`"), "{error}");
            assert!(GroupNames::new(group, Some("fine")).is_ok(), "{group}");
        }
        for (group, prefix) in [("", None), ("a\nb", Some("fine")), (&*"g".repeat(250), Some("fine"))] {
            assert!(GroupNames::new(group, prefix).is_err(), "{group}");
        }
        for prefix in ["", "..", "a/b", &long] {
            assert!(GroupNames::new("billing", Some(prefix)).is_err(), "{prefix}");
        }
    }

    #[test]
    fn the_longest_name_fits() {
        let names = GroupNames::new(&"g".repeat(MAX_STEM_BYTES), None).unwrap();
        let longest = names.tier(MAX_TIER_DELAY - Duration::from_secs(1)).unwrap();
        assert_eq!(longest.len(), MAX_TOPIC_BYTES);
        assert!(is_topic_name(&longest) && is_topic_name(&names.control()));
        assert!(names.tier(MAX_TIER_DELAY + Duration::from_secs(1)).is_err());
        assert!(names.tier(Duration::from_millis(1500)).is_err());
    }

    #[test]
    fn a_delay_has_one_spelling() {
        for text in [
            "", "s", "0", "0m", "0h", "00s", "05s", "+5s", "-5s", "60s", "3600s", "60m", "5S", "5 s", "5é", "1d",
            "1.5h",
        ] {
            assert_eq!(parse_delay(text), None, "{text}");
        }
        assert_eq!(parse_delay(&format!("{}h", u64::MAX)), None);
    }

    #[test]
    fn a_delay_is_spelt_in_its_largest_exact_unit() {
        for (seconds, text) in [(1, "1s"), (59, "59s"), (60, "1m"), (61, "61s"), (600, "10m"), (7200, "2h")] {
            let delay = Duration::from_secs(seconds);
            assert_eq!((spell_delay(delay).as_deref(), parse_delay(text)), (Ok(text), Some(delay)));
        }
        assert_eq!(spell_delay(MAX_TIER_DELAY).as_deref(), Ok("8760h"));
    }

    #[test]
    fn kafka_takes_letters_digits_and_three_signs_up_to_a_length() {
        let names = ["a", "Z9._-", "...", ".a", &"n".repeat(MAX_TOPIC_BYTES)];
        assert!(names.iter().all(|name| is_topic_name(name)));
        let others = ["", ".", "..", "a b", "a/b", "é", &"n".repeat(MAX_TOPIC_BYTES + 1)];
        assert!(!others.iter().any(|name| is_topic_name(name)));
    }

    fn stem() -> impl Strategy<Value = String> {
        const PARTS: &[&str] = &["a", ".", "retry", ".retry.", ".dlq", ".control", "5s", "0s"];
        prop::collection::vec(prop::sample::select(PARTS), 1..5)
            .prop_map(|parts| parts.concat())
            .prop_filter("fit", |stem| fit(stem).is_ok())
    }

    fn names_of(stem: &str) -> Vec<(String, OwnTopic)> {
        let names = GroupNames::new(stem, None).unwrap();
        let tier = |seconds| {
            let delay = Duration::from_secs(seconds);
            (names.tier(delay).unwrap(), OwnTopic::Tier(delay))
        };
        let others = [(names.dead_letters(), OwnTopic::DeadLetters), (names.control(), OwnTopic::Control)];
        [0, 5, 90, 600, 21_600].into_iter().map(tier).chain(others).collect()
    }

    proptest! {
        #[test]
        fn every_delay_reads_back(seconds in 0..=MAX_TIER_DELAY.as_secs()) {
            let delay = Duration::from_secs(seconds);
            prop_assert_eq!(parse_delay(&spell_delay(delay).unwrap()), Some(delay));
        }

        #[test]
        fn what_reads_as_a_delay_is_spelled_the_same(text in "[0-9+]{0,11}[smhd]?") {
            if let Some(delay) = parse_delay(&text) {
                prop_assert_eq!(spell_delay(delay).unwrap(), text);
            }
        }

        #[test]
        fn no_two_groups_share_a_topic(one in stem(), other in stem()) {
            for (topic, own) in names_of(&one) {
                let read = GroupNames::new(&other, None).unwrap().parse(&topic);
                prop_assert_eq!(read, (one == other).then_some(own), "{} {}", one, topic);
            }
        }
    }
}
