//! How an error becomes the short, plain [`Reason`] that headers, logs and the command line show.

use retrial_core::outcome::{MAX_MESSAGE_BYTES, Reason};
use std::error::Error;

/// Any error, as handlers and extractors hand it in.
pub(crate) type BoxError = Box<dyn Error + Send + Sync + 'static>;

/// The kind of a failure whose type says nothing.
pub(crate) const KIND_ERROR: &str = "error";

/// Most links of a chain of causes that are followed, so that one that runs in a circle ends.
const MAX_CAUSES: usize = 32;

/// An error and what caused it, outermost first.
pub(crate) fn links<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |&error| error.source()).take(MAX_CAUSES)
}

/// The texts of an error and its causes: `charge failed: bank is down: connection refused`.
///
/// A cause whose text its parent repeats already is not written twice.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = String::new();
    for link in links(error) {
        let words = link.to_string();
        if text.is_empty() {
            text = words;
        } else if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        if text.len() > MAX_MESSAGE_BYTES {
            break;
        }
    }
    text
}

/// A reason of the given kind, with the text of an error and its causes.
pub(crate) fn reason(kind: &str, error: &(dyn Error + 'static)) -> Reason {
    Reason::new(kind, &chain(error))
}

/// The kind of failures of one Rust type: crate and type, as in `billing::BankError`. Types that carry any error
/// (`String`, `Box<dyn Error>`, `anyhow::Error`) say nothing and are all [`KIND_ERROR`].
pub(crate) fn kind_of<E: ?Sized>() -> String {
    let name = std::any::type_name::<E>();
    let path = name.split('<').next().unwrap_or(name);
    let (package, last) = (path.split("::").next().unwrap_or(path), path.rsplit("::").next().unwrap_or(path));
    match (package, last) {
        ("alloc", "String" | "Box") | ("anyhow", _) => KIND_ERROR.to_owned(),
        ("alloc" | "core", _) => format!("std::{last}"),
        _ if package == last => KIND_ERROR.to_owned(),
        _ => format!("{package}::{last}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn causes_follow_in_order() {
        let error = Link("charge failed", Some(Box::new(Link("bank is down", Some(Box::new(Link("refused", None)))))));
        assert_eq!(chain(&error), "charge failed: bank is down: refused");
    }

    #[test]
    fn a_cause_that_the_text_repeats_is_written_once() {
        let error = Link("charge failed: bank is down", Some(Box::new(Link("bank is down", None))));
        assert_eq!(chain(&error), "charge failed: bank is down");
    }

    /// An error that is its own cause, as a careless `source()` makes it.
    #[derive(Debug)]
    struct Circle(&'static str);

    impl std::fmt::Display for Circle {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Circle {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(self)
        }
    }

    #[test]
    fn a_circle_of_causes_ends() {
        for text in ["x", ""] {
            assert_eq!(chain(&Circle(text)), text);
        }
    }

    #[test]
    fn kinds_name_crate_and_type() {
        assert_eq!(kind_of::<Link>(), "retrial::Link");
        assert_eq!(kind_of::<std::num::ParseIntError>(), "std::ParseIntError");
        for kind in [kind_of::<String>(), kind_of::<&str>(), kind_of::<BoxError>(), kind_of::<anyhow::Error>()] {
            assert_eq!(kind, KIND_ERROR);
        }
    }
}
