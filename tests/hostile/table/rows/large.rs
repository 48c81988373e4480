//! Records of a topic that are larger than the group's own topics take, since an operator made those.

use super::{filled, record, soup};
use crate::{
    raw::Raw,
    table::{
        row::{Outcome, Place, Row},
        scene::SMALL,
    },
};

pub(super) fn rows() -> Vec<Row> {
    let (both, no_key, no_headers) = ((true, true), (false, true), (true, false));
    let thousand = (0..1000).fold(Raw::new("d").key("headers"), |record, n| record.header(format!("h{n}"), soup(150)));
    // Its own topics would take it but for our headers.
    let just = filled(Raw::new("").key("just").header("h", "v"), SMALL);
    [
        ("a body too large for the tier", Raw::new(soup(150_000)).key("large").header("h", "v"), both),
        ("a key too large for the tier", Raw::new("a").key(soup(150_000)).header("h", "v"), no_key),
        ("headers too large for the tier", Raw::new("b").key("headers").header("h", soup(150_000)), no_headers),
        ("a header of 900 KiB", Raw::new("c").key("headers").header("h", soup(900 << 10)), no_headers),
        ("a thousand headers", thousand, no_headers),
        ("too large only by our headers", just, both),
        ("a large body without a key", Raw::new(soup(1_500_000)).header("h", "v"), both),
    ]
    .into_iter()
    .map(|(name, large, (key, headers))| record(Place::LargeSource, name, large, Outcome::ByReference { key, headers }))
    .collect()
}
