//! Positions written down: one JSON document, as `offsets export` writes it and `offsets import` reads it.

use crate::{
    admin::Position,
    cli::{end::Trouble, lines::Bytes},
};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File},
    io::Write,
    path::Path,
};

pub(super) const SCHEMA: &str = "retrial.offsets/1";

/// What a file holds.
#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Written {
    schema: String,
    pub(super) group: String,
    /// When it was written, RFC 3339 in UTC.
    written: String,
    positions: Vec<Line>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, Serialize)]
#[serde(deny_unknown_fields)]
struct Line {
    topic: String,
    partition: i32,
    offset: i64,
    leader_epoch: i32,
    metadata: Bytes,
}

impl Written {
    pub(super) fn new(group: &str, written: String, positions: &[Position]) -> Self {
        let line = |position: &Position| Line {
            topic: position.topic.clone(),
            partition: position.partition,
            offset: position.offset,
            leader_epoch: position.leader_epoch,
            metadata: Bytes(position.metadata.clone()),
        };
        Self {
            schema: SCHEMA.to_owned(),
            group: group.to_owned(),
            written,
            positions: positions.iter().map(line).collect(),
        }
    }

    /// Writes a new file, and returns when it is on the disk.
    pub(super) fn save(&self, path: &Path) -> Result<(), Trouble> {
        let save = || {
            let mut file = File::create_new(path)?;
            serde_json::to_writer_pretty(&mut file, self)?;
            file.write_all(b"\n")?;
            file.sync_all()
        };
        save().map_err(|error: std::io::Error| Trouble::failed(format!("{}: {error}", path.display())))
    }

    /// Reads a file.
    pub(super) fn read(path: &Path) -> Result<Self, Trouble> {
        let named = |why: String| Trouble::usage(format!("{}: {why}", path.display()));
        let text = fs::read_to_string(path).map_err(|error| named(error.to_string()))?;
        let written: Self = serde_json::from_str(&text).map_err(|error| named(error.to_string()))?;
        if written.schema != SCHEMA {
            return Err(named(format!("its schema is {:?}, and this build reads {SCHEMA}", written.schema)));
        }
        if let Some(line) = written.positions.iter().find(|line| line.offset < 0 || line.partition < 0) {
            return Err(named(format!("{}/{} has offset {}", line.topic, line.partition, line.offset)));
        }
        Ok(written)
    }

    pub(super) fn positions(self) -> Vec<Position> {
        let position =
            |line: Line| Position::new(&line.topic, line.partition, line.offset, line.leader_epoch, line.metadata.0);
        self.positions.into_iter().map(position).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_read_back_with_any_metadata() {
        let positions =
            [Position::new("orders", 3, 42, 7, b"r1n".to_vec()), Position::new("orders", 4, 0, -1, vec![0xff, 0])];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("offsets.json");
        Written::new("billing", "2026-11-22T10:21:00.000Z".to_owned(), &positions).save(&path).unwrap();
        let read = Written::read(&path).unwrap();
        assert_eq!((read.group.clone(), read.positions()), ("billing".to_owned(), positions.to_vec()));
        assert!(Written::new("billing", String::new(), &[]).save(&path).is_err(), "no file is overwritten");
    }
}
