//! Record batches of format 2, the only one that brokers still write.

use super::{
    RawRecord,
    cells::{Cells, Reader, length},
    crc::crc32c,
};

const MAGIC: i8 = 2;
const COMPRESSION: i16 = 0b111;
const CONTROL: i16 = 0b10_0000;
const APPEND_TIME: i16 = 0b1000;

/// A batch that was read. A marker of a transaction has no records.
#[derive(Debug)]
pub(super) struct Batch {
    /// One past its last offset.
    pub(super) next: i64,
    pub(super) records: Vec<(i64, RawRecord)>,
}

/// One batch, without a producer's identity.
pub(super) fn encode(records: &[RawRecord]) -> Vec<u8> {
    let first = records.first().map_or(0, |record| record.timestamp);
    let latest = records.iter().map(|record| record.timestamp).max().unwrap_or(0);
    let mut guarded = Cells::default();
    guarded.i16(0).i32(length(records) - 1).i64(first).i64(latest);
    guarded.i64(-1).i16(-1).i32(-1).i32(length(records));
    for (offset, record) in (0..).zip(records) {
        let body = encode_record(record, first, offset);
        guarded.varbytes(Some(body.as_slice()));
    }
    let mut batch = Cells::default();
    batch.i32(-1).i8(MAGIC).u32(crc32c(guarded.as_slice())).raw(guarded.as_slice());
    let mut whole = Cells::default();
    whole.i64(0).bytes(batch.as_slice());
    whole.as_slice().to_vec()
}

fn encode_record(record: &RawRecord, first: i64, offset: i64) -> Cells {
    let mut cells = Cells::default();
    cells.i8(0).varint(record.timestamp - first).varint(offset);
    cells.varbytes(record.key.as_deref()).varbytes(record.value.as_deref());
    cells.varint(length(&record.headers).into());
    for (name, value) in &record.headers {
        cells.varbytes(Some(name)).varbytes(value.as_deref());
    }
    cells
}

/// All whole batches; the broker may cut the last one off.
pub(super) fn decode(bytes: &[u8]) -> Result<Vec<Batch>, String> {
    let mut reader = Reader::new(bytes);
    let mut batches = Vec::new();
    while reader.left() > 0 {
        let Ok(base) = reader.i64() else { break };
        let Ok(batch) = reader.bytes() else { break };
        batches.push(decode_batch(base, &mut Reader::new(batch))?);
    }
    Ok(batches)
}

fn decode_batch(base: i64, reader: &mut Reader<'_>) -> Result<Batch, String> {
    let (_leader_epoch, magic, crc) = (reader.i32()?, reader.i8()?, reader.u32()?);
    if magic != MAGIC {
        return Err(format!("a batch of format {magic}"));
    }
    let guarded = reader.take(reader.left())?;
    if crc != crc32c(guarded) {
        return Err("a damaged batch".to_owned());
    }
    let mut reader = Reader::new(guarded);
    let (attributes, last, first, latest) = (reader.i16()?, reader.i32()?, reader.i64()?, reader.i64()?);
    let _producer = (reader.i64()?, reader.i16()?, reader.i32()?);
    let mut batch = Batch { next: base + i64::from(last) + 1, records: Vec::new() };
    if attributes & CONTROL != 0 {
        return Ok(batch);
    }
    if attributes & COMPRESSION != 0 {
        return Err("a compressed batch".to_owned());
    }
    for _ in 0..reader.i32()? {
        let body = reader.varbytes()?.unwrap_or_default();
        let (offset, mut record) = decode_record(&mut Reader::new(body), first)?;
        if attributes & APPEND_TIME != 0 {
            record.timestamp = latest;
        }
        batch.records.push((base + offset, record));
    }
    Ok(batch)
}

fn decode_record(reader: &mut Reader<'_>, first: i64) -> Result<(i64, RawRecord), String> {
    let _attributes = reader.i8()?;
    let timestamp = first + reader.varint()?;
    let offset = reader.varint()?;
    let key = reader.varbytes()?.map(<[u8]>::to_vec);
    let value = reader.varbytes()?.map(<[u8]>::to_vec);
    let mut headers = Vec::new();
    for _ in 0..reader.varint()? {
        let name = reader.varbytes()?.unwrap_or_default().to_vec();
        headers.push((name, reader.varbytes()?.map(<[u8]>::to_vec)));
    }
    Ok((offset, RawRecord { timestamp, key, value, headers }))
}
