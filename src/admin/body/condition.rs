//! A condition on a value.

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
use serde_json::Value;
use std::{cmp::Ordering, fmt, str::FromStr};

/// A condition on what a body says, as `jq` would write it: a path, and a comparison or none.
///
/// Paths: `.customer.id`, `.lines[0].sku`, `.["odd name"]`, and `.` for the whole. Comparisons: `==` `!=` `<` `<=` `>` `>=`
/// with a JSON value (`42`, `"ann"`, `true`, `null`); any other word is a string. Without a comparison the field must
/// be there and not null. A field that is not there is null.
///
/// Numbers are compared by value and strings letter by letter, so times in one form compare as times. What is
/// neither, or of two kinds, is equal or not, and never less or greater.
///
/// ```
/// use retrial::admin::Condition;
///
/// let body = serde_json::json!({"customer": {"id": 42, "name": "Ada"}, "lines": [{"cents": 1.5}], "at": "2026-11-22"});
/// let met = |text: &str| text.parse::<Condition>().unwrap().is_met_by(&body);
/// assert!(met(".customer.id == 42") && met(".customer.id>=4.2e1") && met(".customer.name == Ada") && met(".lines[0].cents<2"));
/// assert!(met(".refund == null") && met(".at >= \"2026-11-01\"") && met(".customer") && !met(".refund"));
/// assert!(!met(".customer.id == \"42\"") && !met(".customer.name < 7") && !met(".customer.id != 42"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition {
    text: String,
    path: Vec<Step>,
    test: Option<(Comparison, Value)>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Step {
    Name(String),
    Index(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    Greater,
    AtLeast,
}

/// Longer ones before those that they begin with.
const COMPARISONS: [(&str, Comparison); 6] = [
    ("==", Comparison::Equal),
    ("!=", Comparison::NotEqual),
    ("<=", Comparison::AtMost),
    (">=", Comparison::AtLeast),
    ("<", Comparison::Less),
    (">", Comparison::Greater),
];

impl Condition {
    /// Whether a value meets it.
    #[must_use]
    pub fn is_met_by(&self, value: &Value) -> bool {
        let found = self.path.iter().try_fold(value, |value, step| match step {
            Step::Name(name) => value.get(name),
            Step::Index(index) => value.get(index),
        });
        let found = found.unwrap_or(&Value::Null);
        let Some((comparison, wanted)) = &self.test else { return !found.is_null() };
        let order = order(found, wanted);
        match comparison {
            Comparison::Equal => order == Some(Ordering::Equal),
            Comparison::NotEqual => order != Some(Ordering::Equal),
            _ if !matches!(found, Value::Number(_) | Value::String(_)) => false,
            Comparison::Less => order == Some(Ordering::Less),
            Comparison::AtMost => order.is_some_and(Ordering::is_le),
            Comparison::Greater => order == Some(Ordering::Greater),
            Comparison::AtLeast => order.is_some_and(Ordering::is_ge),
        }
    }
}

/// How two values stand to each other; `None` if they are different and in no order.
fn order(one: &Value, other: &Value) -> Option<Ordering> {
    let whole = |value: &Value| value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from));
    match (one, other) {
        (Value::String(one), Value::String(other)) => Some(one.cmp(other)),
        (Value::Number(_), Value::Number(_)) => match (whole(one), whole(other)) {
            (Some(one), Some(other)) => Some(one.cmp(&other)),
            _ => one.as_f64()?.partial_cmp(&other.as_f64()?),
        },
        _ => (one == other).then_some(Ordering::Equal),
    }
}

const GRAMMAR: &str = "a condition is a path with a comparison or without, as in '.customer.id == 42'";

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = |why: &str| format!("{why} in {text:?}: {GRAMMAR}");
        let (path, rest) = path(text.trim()).map_err(|why| wrong(&why))?;
        let rest = rest.trim();
        let test = match COMPARISONS.iter().find_map(|(sign, comparison)| Some((comparison, rest.strip_prefix(sign)?)))
        {
            None if rest.is_empty() => None,
            None => return Err(wrong("no comparison behind the path")),
            Some((_, value)) if value.trim().is_empty() => return Err(wrong("nothing to compare with")),
            Some((comparison, value)) => Some((*comparison, literal(value.trim()).map_err(|why| wrong(&why))?)),
        };
        Ok(Self { text: text.to_owned(), path, test })
    }
}

/// A JSON value, or a word.
fn literal(text: &str) -> Result<Value, String> {
    match serde_json::from_str(text) {
        Ok(value) => Ok(value),
        Err(error) if text.starts_with(['"', '[', '{']) => Err(format!("{error} of the value")),
        Err(_) => Ok(Value::from(text)),
    }
}

/// The steps of a path, and what is behind it.
fn path(text: &str) -> Result<(Vec<Step>, &str), String> {
    let Some(mut rest) = text.strip_prefix('.') else { return Err("no '.' at the start".to_owned()) };
    let mut steps = Vec::new();
    let mut may_be_name = true;
    loop {
        let name = rest.find(|letter: char| " .[=!<>\t".contains(letter)).unwrap_or(rest.len());
        if may_be_name && name > 0 {
            steps.push(Step::Name(rest[..name].to_owned()));
            rest = &rest[name..];
        } else if let Some(inside) = rest.strip_prefix('[') {
            let (step, behind) = bracket(inside)?;
            steps.push(step);
            rest = behind;
        } else {
            let ends_in_a_name = !may_be_name || steps.is_empty();
            return if ends_in_a_name { Ok((steps, rest)) } else { Err("a '.' without a name".to_owned()) };
        }
        may_be_name = rest.starts_with('.');
        rest = rest.strip_prefix('.').unwrap_or(rest);
    }
}

/// `0]` or `"a name"]`.
fn bracket(inside: &str) -> Result<(Step, &str), String> {
    let wrong = || "no [number] or [\"name\"]".to_owned();
    let mut texts = serde_json::Deserializer::from_str(inside).into_iter::<Value>();
    let step = match texts.next() {
        Some(Ok(Value::String(name))) => Step::Name(name),
        Some(Ok(number)) => Step::Index(number.as_u64().and_then(|index| index.try_into().ok()).ok_or_else(wrong)?),
        _ => return Err(wrong()),
    };
    let behind = inside[texts.byte_offset()..].strip_prefix(']').ok_or_else(wrong)?;
    Ok((step, behind))
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for Condition {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn met(text: &str, value: &Value) -> bool {
        let condition: Condition = text.parse().unwrap_or_else(|why| panic!("{why}"));
        let written = serde_json::to_string(&condition).unwrap();
        assert_eq!(serde_json::from_str::<Condition>(&written).unwrap(), condition);
        condition.is_met_by(value)
    }

    #[test]
    fn every_comparison_is_met_and_not() {
        let value =
            json!({"n": 42, "big": u64::MAX, "small": i64::MIN, "f": 1.5, "s": "b", "t": true, "o": {}, "null": null});
        for (text, is) in [
            (".n==42", true),
            (".n == 42.0", true),
            (".n != 42", false),
            (".n < 42", false),
            (".n <= 42", true),
            (".n > 41.9", true),
            (".n >= 43", false),
            (".big == 18446744073709551615", true),
            (".big > 18446744073709551614", true),
            (".small < -9223372036854775807", true),
            (".f < 2", true),
            (".s == b", true),
            (".s == \"b\"", true),
            (".s > a", true),
            (".s == 1", false),
            (".s < 1", false),
            (".t == true", true),
            (".t >= true", false),
            (".o == {}", true),
            (".null == null", true),
            (".null", false),
            (".o", true),
            (".absent != 1", true),
            (".n.deeper == null", true),
            (". == 1", false),
        ] {
            assert_eq!(met(text, &value), is, "{text}");
        }
    }

    #[test]
    fn paths_lead_through_objects_and_arrays() {
        let value = json!({"a": [{"b c": {"d": 1}}, 2], "e.f": 3, "": 4});
        for text in [".a[0][\"b c\"].d == 1", ".a[1] == 2", ".[\"e.f\"] == 3", ".[\"\"] == 4", ".a[2] == null"] {
            assert!(met(text, &value), "{text}");
        }
        assert!(met(".[1]==2", &json!([1, 2])));
    }

    #[test]
    fn what_is_no_condition_is_told_why() {
        for (text, why) in [
            ("", "no '.' at the start"),
            ("a == 1", "no '.' at the start"),
            (".a = 1", "no comparison"),
            (".a ==", "nothing to compare with"),
            (".a == \"b", "EOF while parsing a string"),
            (".a. == 1", "a '.' without a name"),
            (".a[x]", "no [number]"),
            (".a[-1]", "no [number]"),
            (".a[0", "no [number]"),
        ] {
            let told = text.parse::<Condition>().unwrap_err();
            assert!(told.starts_with(why) && told.ends_with(GRAMMAR), "{text}: {told}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in "[.\\[\\]\"a0 =<>!é]{0,20}") {
            if let Ok(condition) = text.parse::<Condition>() {
                let _ = condition.is_met_by(&json!({"a": [0, {"a": 0}]}));
            }
        }
    }
}
