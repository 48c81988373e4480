//! The registry's JSON, read; and what a schema refers to, fetched.

use crate::registry::{
    Compatibility, RegisteredSchema, RegistryError, SchemaKind, SchemaReference, SchemaRegistry, SubjectVersion,
    Version,
    transport::{Question, escaped},
};
use hyper::Method;
use serde_json::Value;
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

/// Most schemas that one may refer to, directly or not.
const MAX_REFERENCES: usize = 256;

/// A registry that answers with something else is none, as far as this question goes.
fn odd(what: &str) -> RegistryError {
    RegistryError::Away { why: format!("its answer has no {what}") }
}

fn text(answer: &Value, name: &'static str) -> Result<String, RegistryError> {
    answer[name].as_str().map(str::to_owned).ok_or_else(|| odd(name))
}

fn number(answer: &Value, name: &'static str) -> Result<u32, RegistryError> {
    answer[name].as_u64().and_then(|number| u32::try_from(number).ok()).ok_or_else(|| odd(name))
}

fn references(answer: &Value) -> Result<Vec<SchemaReference>, RegistryError> {
    let read = |one: &Value| {
        let (name, subject) = (text(one, "name")?, text(one, "subject")?);
        Ok(SchemaReference { name, subject, version: number(one, "version")? })
    };
    answer["references"].as_array().into_iter().flatten().map(read).collect()
}

pub(super) fn id(answer: &Value) -> Result<u32, RegistryError> {
    number(answer, "id")
}

pub(super) fn compatibility(answer: &Value) -> Result<Compatibility, RegistryError> {
    let is_compatible = answer["is_compatible"].as_bool().ok_or_else(|| odd("is_compatible"))?;
    let messages = answer["messages"].as_array().into_iter().flatten();
    Ok(Compatibility { is_compatible, messages: messages.filter_map(Value::as_str).map(str::to_owned).collect() })
}

pub(super) async fn version(
    registry: &SchemaRegistry,
    answer: &Value,
    wanted: &str,
) -> Result<SubjectVersion, RegistryError> {
    Ok(SubjectVersion {
        subject: text(answer, "subject")?,
        version: number(answer, "version")?,
        id: number(answer, "id")?,
        schema: Arc::new(schema(registry, answer, wanted).await?),
    })
}

pub(super) async fn schema(
    registry: &SchemaRegistry,
    answer: &Value,
    wanted: &str,
) -> Result<RegisteredSchema, RegistryError> {
    let references = Gathered::from(registry, references(answer)?, wanted).await?.in_order(wanted)?;
    Ok(RegisteredSchema {
        kind: SchemaKind::of(answer["schemaType"].as_str()),
        text: text(answer, "schema")?,
        references,
    })
}

type Place = (String, u32);

/// All that a schema refers to, each once.
struct Gathered {
    first: Vec<Place>,
    found: HashMap<Place, (Arc<str>, Vec<Place>)>,
}

fn places(references: Vec<SchemaReference>) -> Vec<Place> {
    references.into_iter().map(|reference| (reference.subject, reference.version)).collect()
}

impl Gathered {
    async fn from(
        registry: &SchemaRegistry,
        references: Vec<SchemaReference>,
        wanted: &str,
    ) -> Result<Self, RegistryError> {
        let first = places(references);
        let (mut open, mut found) = (first.clone(), HashMap::new());
        while let Some(place) = open.pop() {
            if found.contains_key(&place) {
                continue;
            }
            if found.len() == MAX_REFERENCES {
                let why = format!("it refers to more than {MAX_REFERENCES} others");
                return Err(RegistryError::Unusable { wanted: wanted.to_owned(), why });
            }
            let (text, next) = Self::fetch(registry, &place).await?;
            open.extend(next.iter().cloned());
            found.insert(place, (text, next));
        }
        Ok(Self { first, found })
    }

    async fn fetch(registry: &SchemaRegistry, place: &Place) -> Result<(Arc<str>, Vec<Place>), RegistryError> {
        let (subject, version) = (&place.0, Version::Number(place.1));
        let wanted = format!("version {version} of subject {subject:?}, which another schema refers to");
        let path = format!("/subjects/{}/versions/{version}", escaped(subject));
        let question = Question { method: Method::GET, path: &path, body: None, wanted: &wanted };
        let answer = registry.ask(&question).await?;
        Ok((text(&answer, "schema")?.into(), places(references(&answer)?)))
    }

    /// Each behind what it refers to itself.
    fn in_order(self, wanted: &str) -> Result<Vec<Arc<str>>, RegistryError> {
        let (mut done, mut under_way, mut ordered) = (HashSet::new(), HashSet::new(), Vec::new());
        // A place is met twice: before what it refers to, and after.
        let mut stack: Vec<(&Place, bool)> = self.first.iter().rev().map(|place| (place, false)).collect();
        while let Some((place, is_after)) = stack.pop() {
            let Some((text, next)) = self.found.get(place).filter(|_| !done.contains(place)) else { continue };
            if is_after {
                done.insert(place);
                ordered.push(Arc::clone(text));
            } else if under_way.insert(place) {
                stack.push((place, true));
                stack.extend(next.iter().rev().map(|place| (place, false)));
            } else {
                let why = "what it refers to refers back to itself".to_owned();
                return Err(RegistryError::Unusable { wanted: wanted.to_owned(), why });
            }
        }
        Ok(ordered)
    }
}

/// As 8-4-4-4-12 hexadecimal digits.
pub(super) fn guid_text(guid: [u8; 16]) -> String {
    let mut text = String::with_capacity(36);
    for (at, byte) in guid.iter().enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        text.push_str(&format!("{byte:02x}"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_is_written_as_everywhere() {
        let guid = 0x89791762_2336_4186_9674_299b90a802e2_u128.to_be_bytes();
        assert_eq!(guid_text(guid), "89791762-2336-4186-9674-299b90a802e2");
    }

    fn gathered(first: &[u32], found: &[(u32, &[u32])]) -> Gathered {
        let place = |number: &u32| ("s".to_owned(), *number);
        let all = |numbers: &[u32]| numbers.iter().map(place).collect::<Vec<_>>();
        let found = found.iter().map(|(number, next)| (place(number), (number.to_string().into(), all(next))));
        Gathered { first: all(first), found: found.collect() }
    }

    #[test]
    fn references_stand_behind_their_own_and_circles_are_refused() {
        let shared = gathered(&[1, 2], &[(1, &[3]), (2, &[3, 4]), (3, &[4]), (4, &[])]);
        let order: Vec<_> = shared.in_order("schema").unwrap().iter().map(|text| text.to_string()).collect();
        assert_eq!(order, ["4", "3", "1", "2"]);
        let circle = gathered(&[1], &[(1, &[2]), (2, &[1])]);
        assert!(matches!(circle.in_order("schema"), Err(RegistryError::Unusable { .. })));
    }
}
