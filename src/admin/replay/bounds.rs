//! Which offsets of a partition are replayed (RULES 21).
//!
//! # Invariants
//! 1. Without `past_watermark`, nothing at or above the watermark is replayed: the group is about to handle it, or does,
//!    and it would run twice. What is finished beyond the watermark stays out as well.
//! 2. Who names such offsets is refused; who names a time, or nothing, gets what is below the watermark, and is told of
//!    the rest.

use retrial_core::event::LogRange;

/// What is asked of a partition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Asked {
    /// From this offset on.
    pub(super) from_offset: Option<i64>,
    /// Up to, and without, this offset.
    pub(super) to_offset: Option<i64>,
    /// The first offset of the time that is asked for; the log's end if there is none.
    pub(super) since: Option<i64>,
    /// Whether what the group has not finished is meant, too.
    pub(super) past_watermark: bool,
}

/// What is replayed of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    /// From this offset on.
    pub(super) from: i64,
    /// Up to, and without, this one.
    pub(super) end: i64,
    /// Offsets behind it that were meant, and that the group has not finished.
    pub(super) left: u64,
}

/// Somebody named offsets that the group has not finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PastWatermark;

/// Bounds what is asked for by what the log holds, and by the watermark; `None` for a group without a position, which has
/// finished nothing there.
pub(super) fn part(asked: Asked, log: LogRange, watermark: Option<i64>) -> Result<Part, PastWatermark> {
    let named = [asked.from_offset, asked.since].into_iter().flatten().max();
    let from = named.unwrap_or(log.start).clamp(log.start, log.end);
    let end = asked.to_offset.unwrap_or(log.end).clamp(from, log.end);
    if asked.past_watermark {
        return Ok(Part { from, end, left: 0 });
    }
    let limit = watermark.unwrap_or(log.start).clamp(log.start, log.end);
    let names_unfinished = (asked.to_offset.is_some() && end > limit)
        || (asked.from_offset.is_some() && asked.from_offset >= asked.since && from >= limit);
    if names_unfinished && from < end {
        return Err(PastWatermark);
    }
    let left = end.saturating_sub(from.max(limit)).max(0).unsigned_abs();
    Ok(Part { from, end: end.min(limit).max(from), left })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOG: LogRange = LogRange { start: 100, end: 200 };

    #[test]
    fn a_replay_stops_at_the_watermark_unless_told_otherwise() {
        let all = Asked::default();
        let from = |offset| Asked { from_offset: Some(offset), ..all };
        let to = |offset| Asked { to_offset: Some(offset), ..all };
        let since = |offset| Asked { since: Some(offset), ..all };
        let both = |from_offset, to_offset| Asked { from_offset: Some(from_offset), to_offset: Some(to_offset), ..all };
        let part = |from, end, left| Ok(Part { from, end, left });
        let table = [
            (all, Some(150), part(100, 150, 50)),
            (all, Some(200), part(100, 200, 0)),
            (all, Some(80), part(100, 100, 100)),
            (all, Some(900), part(100, 200, 0)),
            (all, None, part(100, 100, 100)),
            (from(120), Some(150), part(120, 150, 50)),
            (from(7), Some(150), part(100, 150, 50)),
            (from(150), Some(150), Err(PastWatermark)),
            (from(199), Some(150), Err(PastWatermark)),
            (from(200), Some(150), part(200, 200, 0)),
            (from(999), Some(150), part(200, 200, 0)),
            (from(120), None, Err(PastWatermark)),
            (to(150), Some(150), part(100, 150, 0)),
            (to(151), Some(150), Err(PastWatermark)),
            (to(999), Some(150), Err(PastWatermark)),
            (to(999), Some(200), part(100, 200, 0)),
            (to(100), Some(80), part(100, 100, 0)),
            (both(120, 130), Some(150), part(120, 130, 0)),
            (both(130, 120), Some(150), part(130, 130, 0)),
            (since(120), Some(150), part(120, 150, 50)),
            (since(170), Some(150), part(170, 170, 30)),
            (since(200), Some(150), part(200, 200, 0)),
        ];
        for (asked, watermark, expected) in table {
            assert_eq!(super::part(asked, LOG, watermark), expected, "{asked:?} {watermark:?}");
            let told = Asked { past_watermark: true, ..asked };
            let whole = super::part(told, LOG, watermark).unwrap();
            assert_eq!(whole.left, 0);
            // What is replayed below the watermark is the same, whatever is told.
            if let Ok(part) = expected {
                let skips = part.end == part.from;
                assert_eq!(
                    (whole.from, whole.end),
                    (part.from, part.end + part.left as i64 * i64::from(!skips || part.left > 0))
                );
            }
        }
    }
}
