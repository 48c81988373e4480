//! A schema, parsed, and by which names it is known.

use apache_avro::Schema as Parsed;
use std::sync::Arc;

/// A schema and those that it refers to.
#[derive(Clone, Debug)]
pub(crate) struct Schema(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    root: Parsed,
    others: Vec<Parsed>,
    fingerprint: [u8; 8],
}

/// Why a text is no Avro schema.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Avro schema: {0}")]
pub(crate) struct SchemaError(String);

impl Schema {
    /// A schema that names types of the others, each of which stands behind what it names itself.
    pub(crate) fn parse(text: &str, others: &[impl AsRef<str>]) -> Result<Self, SchemaError> {
        let wrong = |error: apache_avro::Error| SchemaError(error.to_string());
        let (root, others) = Parsed::parse_str_with_list(text, others).map_err(wrong)?;
        let canonical = root.independent_canonical_form(&others).map_err(wrong)?;
        let fingerprint = fingerprint64(canonical.as_bytes()).to_le_bytes();
        Ok(Self(Arc::new(Parts { root, others, fingerprint })))
    }

    pub(super) fn root(&self) -> &Parsed {
        &self.0.root
    }

    pub(super) fn others(&self) -> &[Parsed] {
        &self.0.others
    }

    /// By which single-object encoding names it: the Rabin fingerprint of its canonical form, lowest byte first.
    pub(crate) fn fingerprint(&self) -> [u8; 8] {
        self.0.fingerprint
    }

    /// The full name of its outermost type, if that has one.
    pub(crate) fn name(&self) -> Option<String> {
        self.root().name().map(|name| name.fullname(None))
    }
}

/// CRC-64-AVRO of the specification.
fn fingerprint64(bytes: &[u8]) -> u64 {
    const EMPTY: u64 = 0xc15d_213a_a4d7_a795;
    let mut print = EMPTY;
    for byte in bytes {
        let mut low = (print ^ u64::from(*byte)) & 0xff;
        for _ in 0..8 {
            low = (low >> 1) ^ (EMPTY & (low & 1).wrapping_neg());
        }
        print = (print >> 8) ^ low;
    }
    print
}
