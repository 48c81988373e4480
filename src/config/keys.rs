//! Every setting: its name, form, default and words.

use super::form::Form;
use std::time::Duration;

/// One setting of a service, or of a topic.
#[derive(Debug)]
pub(crate) struct Key {
    /// As in a file.
    pub(crate) name: &'static str,
    pub(crate) form: Form,
    /// What holds where nobody says anything, as it would be written.
    pub(crate) default: &'static str,
    #[cfg_attr(not(any(feature = "cli", test)), expect(dead_code, reason = "only the example file tells it"))]
    pub(crate) help: &'static str,
}

const MS: Duration = Duration::from_millis(1);
const S: Duration = Duration::from_secs(1);
const H: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// Settings of the whole connection. The command line reads the same ones.
pub(crate) const TOP: &[Key] = &[
    Key {
        name: "bootstrap-server",
        form: Form::Text,
        default: "",
        help: "Brokers to start from, separated by commas.",
    },
    Key {
        name: "group",
        form: Form::Text,
        default: "",
        help: "The consumer group, for the command line; that of a service is its code's, and must be the same.",
    },
    Key {
        name: "topic-prefix",
        form: Form::Text,
        default: "",
        help: "What the names of the group's own topics begin with, for the command line; that of a service is its code's.",
    },
];

/// Settings of a service.
pub(crate) const SERVICE: &[Key] = &[
    Key {
        name: "drain",
        form: Form::Time(Duration::ZERO, H),
        default: "25s",
        help: "How long running attempts may go on after a stop was asked for. Kubernetes kills at 30 s.",
    },
    Key {
        name: "revoke-drain",
        form: Form::Time(Duration::ZERO, Duration::from_secs(60)),
        default: "2s",
        help: "How long running attempts may go on when their partition is revoked. The group waits meanwhile.",
    },
    Key {
        name: "commit-interval",
        form: Form::Time(Duration::from_millis(20), Duration::from_secs(60)),
        default: "1s",
        help: "When finished work is committed at the latest.",
    },
    Key {
        name: "commit-early",
        form: Form::Count(1, 1_000_000),
        default: "500",
        help: "How many finished records make a commit due before that.",
    },
    Key {
        name: "commit-metadata-rate",
        form: Form::Bytes(1024),
        default: "64KiB",
        help: "Bytes of commit metadata a second: more are spaced out.",
    },
    Key {
        name: "memory",
        form: Form::Bytes(1 << 20),
        default: "64MiB",
        help: "Bytes of records held in memory; the client library fetches as much again ahead.",
    },
    Key {
        name: "concurrency",
        form: Form::Count(1, 1_000_000),
        default: "",
        help: "Attempts that may run at once, of all topics together. Not given: the topics' own limits together.",
    },
    Key { name: "blocking-threads", form: Form::Count(1, 4096), default: "32", help: "Threads for blocking handlers." },
    Key {
        name: "verify-every",
        form: Form::Time(S, DAY),
        default: "60s",
        help: "How often the group's topics are verified again.",
    },
    Key {
        name: "http",
        form: Form::Address,
        default: "",
        help: "Where health, metrics and status are served, as 9464 (of 127.0.0.1) or 0.0.0.0:9464. Not given: nowhere.",
    },
];

/// Settings of one topic.
pub(crate) const TOPIC: &[Key] = &[
    Key {
        name: "concurrency",
        form: Form::Count(1, 1_000_000),
        default: "100",
        help: "Attempts of this topic that may run at once in one process.",
    },
    Key {
        name: "timeout",
        form: Form::Limit(MS, Duration::from_secs(7 * 24 * 3600)),
        default: "60s",
        help: "How long an attempt may take.",
    },
    Key {
        name: "retry",
        form: Form::Waits,
        default: "5s, 1m, 10m, 1h, 6h x 11",
        help: "The waits between attempts; then the dead letters.",
    },
    Key {
        name: "in-place-tries",
        form: Form::Count(0, 100),
        default: "2",
        help: "How often a failed attempt is repeated at once, in the same process, before it counts as failed.",
    },
];
