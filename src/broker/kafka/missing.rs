//! Which property needs a part of librdkafka that may not be built in, and the feature that builds it.

use std::fmt;

/// A part of the client that is built on request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Feature {
    /// TLS.
    Tls,
    /// SASL mechanisms beyond PLAIN.
    Sasl,
    /// zstd.
    Zstd,
    /// Kerberos, which no feature of retrial brings.
    Kerberos,
}

impl fmt::Display for Feature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tls => "retrial's feature `tls`",
            Self::Sasl => "retrial's feature `sasl`",
            Self::Zstd => "retrial's feature `zstd`",
            Self::Kerberos => "rdkafka's feature `gssapi`",
        })
    }
}

/// What a property needs and this build lacks. librdkafka says so itself for most of them, but for some only when the
/// client is made, and never which feature of ours it is.
pub(super) fn feature(name: &str, value: &str) -> Option<Feature> {
    let value = value.to_ascii_uppercase();
    let needed = match name {
        "security.protocol" if value.ends_with("SSL") => Feature::Tls,
        "sasl.mechanism" | "sasl.mechanisms" if value.starts_with("SCRAM-") || value == "OAUTHBEARER" => Feature::Sasl,
        "compression.type" | "compression.codec" if value == "ZSTD" => Feature::Zstd,
        _ if name.starts_with("ssl.") && name != "ssl.endpoint.identification.algorithm" => Feature::Tls,
        _ => return None,
    };
    (!is_built(needed)).then_some(needed)
}

/// The feature behind librdkafka's "not supported in this build".
pub(super) fn built_without(reason: &str, name: &str) -> Option<Feature> {
    if !reason.contains("not supported in this build") && !reason.contains("not available at build time") {
        return None;
    }
    match name {
        _ if name.starts_with("sasl.kerberos") => Some(Feature::Kerberos),
        _ if name.starts_with("sasl.") => Some(Feature::Sasl),
        _ if reason.contains("OpenSSL") || name.starts_with("ssl.") => Some(Feature::Tls),
        _ => None,
    }
}

/// What to add to librdkafka's words when a batch cannot be decompressed.
pub(super) fn decompression_hint(text: &str) -> &'static str {
    let zstd = text.contains("codec 0x4") && !is_built(Feature::Zstd);
    if zstd { " (the topic holds zstd, and this build is without retrial's feature `zstd`)" } else { "" }
}

const fn is_built(feature: Feature) -> bool {
    match feature {
        Feature::Tls => cfg!(feature = "tls"),
        Feature::Sasl => cfg!(feature = "sasl"),
        Feature::Zstd => cfg!(feature = "zstd"),
        Feature::Kerberos => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_needs_nothing_passes() {
        for (name, value) in
            [("security.protocol", "sasl_plaintext"), ("sasl.mechanism", "PLAIN"), ("client.id", "ssl")]
        {
            assert_eq!(feature(name, value), None, "{name}");
        }
    }

    #[test]
    #[cfg(not(any(feature = "tls", feature = "sasl", feature = "zstd")))]
    fn what_is_missing_is_named() {
        for (name, value, needed) in [
            ("security.protocol", "SASL_SSL", Feature::Tls),
            ("ssl.ca.location", "/ca.pem", Feature::Tls),
            ("sasl.mechanisms", "SCRAM-SHA-512", Feature::Sasl),
            ("compression.type", "zstd", Feature::Zstd),
        ] {
            assert_eq!(feature(name, value), Some(needed), "{name}");
        }
    }

    #[test]
    #[cfg(not(feature = "zstd"))]
    fn a_topic_in_zstd_gets_a_hint() {
        assert!(decompression_hint("Decompression (codec 0x4) of message at 7 of 90 bytes failed").contains("zstd"));
        assert_eq!(decompression_hint("Decompression (codec 0x1) of message at 7 of 90 bytes failed"), "");
    }
}
