//! Which question is answered how.

use crate::{
    answer::Answer,
    store::{Held, Options, Store, guid},
};
use apache_avro::{Schema, Uuid};
use serde_json::{Value, json};

pub(crate) fn answer(store: &mut Store, options: &Options, method: &str, path: &str, body: &[u8]) -> Answer {
    let (path, _query) = path.split_once('?').unwrap_or((path, ""));
    let Some(path) = path.strip_prefix(&options.prefix) else { return Answer::no_path() };
    let segments: Vec<String> = path.split('/').skip(1).map(unescaped).collect();
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    match (method, &segments[..]) {
        ("GET", ["schemas", "types"]) => Answer::ok(json!(["JSON", "PROTOBUF", "AVRO"])),
        ("GET", ["schemas", "ids", id]) => {
            let id = id.parse().ok();
            id.and_then(|id| store.described(id)).map_or_else(Answer::no_schema, Answer::ok)
        }
        ("GET", ["schemas", "guids", text]) if !options.old => {
            let wanted = Uuid::parse_str(text).map(Uuid::into_bytes).ok();
            let id = store.schemas.keys().copied().find(|id| Some(guid(*id)) == wanted);
            id.and_then(|id| store.described(id)).map_or_else(Answer::no_schema, Answer::ok)
        }
        ("GET", ["subjects", subject, "versions", version]) => match place(store, subject, version) {
            Ok(at) => store.version(subject, at).map_or_else(Answer::no_schema, Answer::ok),
            Err(answer) => answer,
        },
        ("POST", ["subjects", subject]) => with_schema(body, |held| lookup(store, subject, held)),
        ("POST", ["subjects", subject, "versions"]) => with_schema(body, |held| register(store, subject, held)),
        ("POST", ["compatibility", "subjects", subject, "versions", version]) => {
            with_schema(body, |held| compare(store, subject, version, held))
        }
        _ => Answer::no_path(),
    }
}

fn unescaped(segment: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match (first, tail) {
            (b'%', [high, low, tail @ ..]) => {
                let digits = [*high, *low];
                let text = std::str::from_utf8(&digits).unwrap_or("00");
                bytes.push(u8::from_str_radix(text, 16).unwrap_or(b'?'));
                rest = tail;
            }
            _ => bytes.push(*first),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn place(store: &Store, subject: &str, version: &str) -> Result<usize, Answer> {
    let versions = store.subjects.get(subject).ok_or_else(|| Answer::no_subject(subject))?;
    if version == "latest" {
        return Ok(versions.len() - 1);
    }
    let number: usize =
        version.parse().ok().filter(|number| *number > 0).ok_or_else(|| Answer::invalid_version(version))?;
    if number > versions.len() { Err(Answer::no_version(version)) } else { Ok(number - 1) }
}

fn with_schema(body: &[u8], then: impl FnOnce(Held) -> Answer) -> Answer {
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return Answer::error(422, "Unrecognized body") };
    let Some(schema) = body["schema"].as_str() else { return Answer::invalid_schema("there is none") };
    let kind = body["schemaType"].as_str().unwrap_or("AVRO").to_owned();
    let references = body["references"].as_array().cloned().unwrap_or_default();
    if kind == "AVRO"
        && references.is_empty()
        && let Err(error) = Schema::parse_str(schema)
    {
        return Answer::invalid_schema(&error.to_string());
    }
    then(Held { schema: schema.to_owned(), kind, references: references.into() })
}

fn lookup(store: &Store, subject: &str, held: Held) -> Answer {
    let Some(versions) = store.subjects.get(subject) else { return Answer::no_subject(subject) };
    let at = store.id_of(&held).and_then(|id| versions.iter().position(|version| *version == id));
    at.and_then(|at| store.version(subject, at)).map_or_else(Answer::no_schema, Answer::ok)
}

fn register(store: &mut Store, subject: &str, held: Held) -> Answer {
    let newest = store.subjects.get(subject).and_then(|versions| versions.last());
    if let Some(older) = newest.and_then(|id| store.schemas.get(id))
        && !store.is_compatible(&held.schema, &older.schema)
    {
        return Answer::incompatible();
    }
    Answer::ok(json!({"id": store.put(subject, held)}))
}

fn compare(store: &Store, subject: &str, version: &str, held: Held) -> Answer {
    let at = match place(store, subject, version) {
        Ok(at) => at,
        Err(answer) => return answer,
    };
    let older = &store.schemas[&store.subjects[subject][at]];
    let is_compatible = store.is_compatible(&held.schema, &older.schema);
    let messages = if is_compatible { json!([]) } else { json!(["READER_FIELD_MISSING_DEFAULT_VALUE"]) };
    Answer::ok(json!({"is_compatible": is_compatible, "messages": messages}))
}
