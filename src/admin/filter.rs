//! Which dead letters are meant: a plain value that can be written down, shared by all that looks at dead letters and by
//! operations that change them.

use super::{BodyFormat, Condition, as_text, fingerprint::Fingerprint};
use retrial_core::{
    history::History,
    id::{Origin, OriginError},
    outcome::Cause,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// Which dead letters are meant: those that meet every condition. A condition with several values is met by one of
/// them. The default has no condition, and means all.
///
/// A letter whose own headers cannot be read meets conditions on key and headers only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Filter {
    /// Buried at this time or later, by the broker's clock.
    #[serde(with = "as_text::maybe", skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Buried before this time.
    #[serde(with = "as_text::maybe", skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// Dead for one of these causes.
    #[serde(with = "as_text::list", skip_serializing_if = "Vec::is_empty")]
    pub causes: Vec<Cause>,
    /// Whose last failure was of one of these kinds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub kinds: Vec<String>,
    /// Of one of these groups of alike errors.
    #[serde(with = "as_text::list", skip_serializing_if = "Vec::is_empty")]
    pub fingerprints: Vec<Fingerprint>,
    /// Whose last failure's text has this in it, in whatever case.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// With one of these keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// With all of these headers of the user's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub headers: Vec<HeaderIs>,
    /// After at least so many attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_attempts: Option<u32>,
    /// After at most so many attempts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_attempts: Option<u32>,
    /// From one of these places.
    #[serde(with = "as_text::list", skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Source>,
    /// With a body that meets all of these. That of a letter by reference only names the record, and meets none of them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub conditions: Vec<Condition>,
    /// How bodies are read for them.
    #[serde(skip_serializing_if = "BodyFormat::is_json")]
    pub body_format: BodyFormat,
}

/// A header that a record has: with this value, or, without one, whatever its value. Written `name=value` or `name`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderIs {
    /// Its name.
    pub name: String,
    /// Its value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

impl FromStr for HeaderIs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = match text.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (text, None),
        };
        if name.is_empty() {
            return Err("a header is NAME or NAME=VALUE".to_owned());
        }
        Ok(Self { name: name.to_owned(), value })
    }
}

/// A place that records come from: a topic, one of its partitions, or one record of it. Written `orders`, `orders/3` or
/// `orders/3/184467`.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Source {
    /// All of a topic.
    Topic(String),
    /// One partition.
    Partition(String, i32),
    /// One record.
    Record(Origin),
}

impl Source {
    /// Whether a record that stood there first is meant.
    #[must_use]
    pub fn holds(&self, origin: &Origin) -> bool {
        match self {
            Self::Topic(topic) => **topic == *origin.topic,
            Self::Partition(topic, partition) => **topic == *origin.topic && *partition == origin.partition,
            Self::Record(record) => record == origin,
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Topic(topic) => f.write_str(topic),
            Self::Partition(topic, partition) => write!(f, "{topic}/{partition}"),
            Self::Record(origin) => origin.fmt(f),
        }
    }
}

impl FromStr for Source {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no place: give TOPIC, TOPIC/PARTITION or TOPIC/PARTITION/OFFSET");
        // Topics have no slash in their names.
        match text.split('/').collect::<Vec<_>>()[..] {
            [topic] if !topic.is_empty() => Ok(Self::Topic(topic.to_owned())),
            [topic, partition] if !topic.is_empty() => {
                let partition = partition.parse().ok().filter(|&partition: &i32| partition >= 0).ok_or_else(wrong)?;
                Ok(Self::Partition(topic.to_owned(), partition))
            }
            [_, _, _] => text.parse().map(Self::Record).map_err(|_: OriginError| wrong()),
            _ => Err(wrong()),
        }
    }
}

/// A header of a record: its value may be null.
pub(crate) type HeaderOf<'a> = (&'a [u8], Option<&'a [u8]>);

/// What a filter looks at, beside headers.
pub(crate) struct Candidate<'a> {
    /// When it was buried.
    pub(crate) buried: Option<Timestamp>,
    /// What it has been through; `None` if that cannot be read.
    pub(crate) history: Option<&'a History>,
    pub(crate) key: Option<&'a [u8]>,
    pub(crate) body: Option<&'a [u8]>,
}

impl Filter {
    /// Whether a letter is meant. Its user's headers are asked for only if a condition is about headers.
    pub(crate) fn admits<'h>(&self, letter: &Candidate<'_>, headers: impl FnOnce() -> Vec<HeaderOf<'h>>) -> bool {
        self.admits_time(letter.buried)
            && self.admits_history(letter.history)
            && any_or_none(&self.keys, |key| letter.key == Some(key.as_bytes()))
            && (self.headers.is_empty() || self.admits_headers(&headers()))
            && self.body_format.meets(&self.conditions, letter.body)
    }

    /// Whether a letter with these headers, ours among them, is certainly not meant. It costs little beside reading its past,
    /// which is most of a scan's work, and of most scans few letters are meant.
    pub(crate) fn rules_out<'h>(&self, headers: impl Iterator<Item = HeaderOf<'h>>) -> bool {
        if self.text.is_none() && self.kinds.is_empty() && self.causes.is_empty() {
            return false;
        }
        // Ours are behind the user's: if there is one of a name, the last of that name is it. If there is none,
        // the past lacks the value as well, or cannot be read.
        let (mut error, mut kind, mut cause) = (None, None, None);
        for (name, value) in headers {
            match name {
                b"retrial-error" => error = value,
                b"retrial-error-kind" => kind = value,
                b"retrial-cause" => cause = value,
                _ => {}
            }
        }
        let has_text =
            |text: &String| str::from_utf8(error.unwrap_or_default()).is_ok_and(|error| contains(error, text));
        !(self.text.as_ref().is_none_or(has_text)
            && any_or_none(&self.kinds, |wanted| kind == Some(wanted.as_bytes()))
            && any_or_none(&self.causes, |wanted| cause == Some(wanted.as_str().as_bytes())))
    }

    fn admits_headers(&self, headers: &[HeaderOf<'_>]) -> bool {
        self.headers.iter().all(|wanted| headers.iter().any(|&header| wanted.is(header)))
    }

    fn admits_time(&self, buried: Option<Timestamp>) -> bool {
        let since = self.since.is_none_or(|since| buried.is_some_and(|time| time >= since));
        since && self.until.is_none_or(|until| buried.is_some_and(|time| time < until))
    }

    fn admits_history(&self, history: Option<&History>) -> bool {
        let Some(history) = history else { return !self.asks_of_history() };
        any_or_none(&self.causes, |cause| history.cause == Some(*cause))
            && any_or_none(&self.kinds, |kind| history.error_kind.as_deref() == Some(kind))
            && any_or_none(&self.sources, |source| source.holds(&history.origin))
            && self.min_attempts.is_none_or(|least| history.attempts >= least)
            && self.max_attempts.is_none_or(|most| history.attempts <= most)
            && self.text.as_deref().is_none_or(|text| contains(history.error.as_deref().unwrap_or_default(), text))
            && any_or_none(&self.fingerprints, |fingerprint| *fingerprint == Fingerprint::of(history))
    }

    fn asks_of_history(&self) -> bool {
        !(self.causes.is_empty() && self.kinds.is_empty() && self.fingerprints.is_empty() && self.sources.is_empty())
            || self.text.is_some()
            || self.min_attempts.is_some()
            || self.max_attempts.is_some()
    }
}

impl HeaderIs {
    pub(super) fn is(&self, (name, value): HeaderOf<'_>) -> bool {
        name == self.name.as_bytes() && self.value.as_ref().is_none_or(|wanted| value == Some(wanted.as_bytes()))
    }
}

fn any_or_none<T>(wanted: &[T], is: impl FnMut(&T) -> bool) -> bool {
    wanted.is_empty() || wanted.iter().any(is)
}

fn contains(text: &str, part: &str) -> bool {
    text.contains(part) || text.to_lowercase().contains(&part.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use retrial_core::history::SourceTime;

    const HEADERS: [HeaderOf<'static>; 2] = [(b"tenant", Some(b"blue")), (b"flag", None)];

    fn history() -> History {
        let origin = "orders/3/184467".parse().unwrap();
        let mut history = History::new(origin, SourceTime::None);
        history.attempts = 4;
        history.cause = Some(Cause::Exhausted);
        history.error_kind = Some("timeout".to_owned());
        history.error = Some("Bank 17 does not answer".to_owned());
        history
    }

    fn admits(filter: &Filter, history: Option<&History>) -> bool {
        let buried = Some(Timestamp::from_millis(1000));
        filter.admits(&Candidate { buried, history, key: Some(b"alice"), body: Some(br#"{"cents":7}"#) }, || {
            HEADERS.to_vec()
        })
    }

    fn filter(change: impl FnOnce(&mut Filter)) -> Filter {
        let mut filter = Filter::default();
        change(&mut filter);
        filter
    }

    #[test]
    fn a_filter_without_conditions_means_all() {
        assert!(admits(&Filter::default(), Some(&history())) && admits(&Filter::default(), None));
    }

    #[test]
    fn each_condition_admits_and_refuses() {
        type Change = fn(&mut Filter, bool);
        let conditions: [(Change, bool); 13] = [
            (|filter, good| filter.since = Some(Timestamp::from_millis(if good { 1000 } else { 1001 })), false),
            (|filter, good| filter.until = Some(Timestamp::from_millis(if good { 1001 } else { 1000 })), false),
            (|filter, good| filter.causes = vec![if good { Cause::Exhausted } else { Cause::Refused }], true),
            (|filter, good| filter.kinds = vec!["x".into(), if good { "timeout" } else { "y" }.into()], true),
            (|filter, good| filter.text = Some(if good { "bank 17" } else { "bank 18" }.into()), true),
            (|filter, good| filter.keys = vec![if good { "alice" } else { "bob" }.into()], false),
            (
                |filter, good| filter.headers = vec![if good { "tenant=blue" } else { "tenant=red" }.parse().unwrap()],
                false,
            ),
            (|filter, good| filter.headers = vec![if good { "flag" } else { "flag=" }.parse().unwrap()], false),
            (
                |filter, good| {
                    filter.conditions = vec![if good { ".cents == 7" } else { ".cents < 7" }.parse().unwrap()]
                },
                false,
            ),
            (
                |filter, good| {
                    filter.body_format = BodyFormat::String;
                    filter.conditions = vec![if good { ".a == null" } else { ".cents == 7" }.parse().unwrap()];
                },
                false,
            ),
            (|filter, good| filter.min_attempts = Some(if good { 4 } else { 5 }), true),
            (|filter, good| filter.max_attempts = Some(if good { 4 } else { 3 }), true),
            (|filter, good| filter.sources = vec![if good { "orders/3" } else { "orders/4" }.parse().unwrap()], true),
        ];
        for (index, (change, needs_history)) in conditions.into_iter().enumerate() {
            for good in [true, false] {
                let filter = filter(|filter| change(filter, good));
                assert_eq!(admits(&filter, Some(&history())), good, "{index}: {filter:?}");
                assert_eq!(admits(&filter, None), good && !needs_history, "{index}: {filter:?}");
            }
        }
    }

    #[test]
    fn what_is_ruled_out_by_raw_headers_is_what_its_past_does_not_admit() {
        let letter = history().encode("billing");
        // A user may have headers of our names; ours are behind them.
        let users = [("retrial-error", "bank 18".to_owned()), ("retrial-error-kind", "y".to_owned())];
        let headers = || users.iter().chain(&letter).map(|(name, value)| (name.as_bytes(), Some(value.as_bytes())));
        assert!(!Filter::default().rules_out(headers()));
        for good in [true, false] {
            for filter in [
                filter(|filter| filter.text = Some(if good { "bank 17" } else { "bank 18" }.into())),
                filter(|filter| filter.kinds = vec!["x".into(), if good { "timeout" } else { "y" }.into()]),
                filter(|filter| filter.causes = vec![if good { Cause::Exhausted } else { Cause::Refused }]),
            ] {
                assert_eq!(filter.rules_out(headers()), !good, "{filter:?}");
                assert_eq!(admits(&filter, Some(&history())), good, "{filter:?}");
                assert!(filter.rules_out(HEADERS.into_iter()), "somebody else's: {filter:?}");
            }
        }
        // What has no error has no text, and an empty text is in it.
        assert!(!filter(|filter| filter.text = Some(String::new())).rules_out(HEADERS.into_iter()));
    }

    #[test]
    fn alike_errors_share_a_fingerprint() {
        let mut other = history();
        other.error = Some("Bank 4 does not answer".to_owned());
        let filter = filter(|filter| filter.fingerprints = vec![Fingerprint::of(&history())]);
        assert!(admits(&filter, Some(&other)));
        other.error = Some("Bank 4 answers no".to_owned());
        assert!(!admits(&filter, Some(&other)));
    }

    #[test]
    fn a_filter_reads_back_and_refuses_what_it_does_not_know() {
        let filter = filter(|filter| {
            filter.since = Some(Timestamp::from_millis(1000));
            filter.causes = vec![Cause::Crashed];
            filter.sources = vec!["orders/3/7".parse().unwrap(), "orders".parse().unwrap()];
            filter.headers = vec!["a=b".parse().unwrap()];
            filter.conditions = vec![".customer.id == 42".parse().unwrap()];
            filter.body_format = BodyFormat::Hex;
            filter.fingerprints = vec![Fingerprint::of(&history())];
        });
        let text = serde_json::to_string(&filter).unwrap();
        assert_eq!(serde_json::from_str::<Filter>(&text).unwrap(), filter, "{text}");
        assert_eq!(serde_json::to_string(&Filter::default()).unwrap(), "{}");
        assert!(serde_json::from_str::<Filter>("{\"colour\": 1}").is_err());
    }

    #[test]
    fn places_are_topic_partition_or_record() {
        for text in ["orders", "orders/3", "orders/3/184467"] {
            let source: Source = text.parse().unwrap();
            assert_eq!(source.to_string(), text);
            assert!(source.holds(&history().origin));
        }
        for text in ["", "/3", "orders/x", "orders/-1", "orders/3/x", "a/b/c/d", "orders/"] {
            assert!(text.parse::<Source>().is_err(), "{text}");
        }
    }
}
