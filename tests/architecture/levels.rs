//! Who may import whom: the design page's order of levels, as data.

/// One crate of the workspace: where its sources are, and its units from the lowest level up. A unit is a file or a
/// folder; it imports units of lower levels only.
pub(crate) struct Layout {
    pub(crate) root: &'static str,
    pub(crate) levels: &'static [&'static [&'static str]],
}

pub(crate) const LAYOUTS: &[Layout] = &[
    Layout {
        root: "retry/src",
        levels: &[
            &["id", "time", "naming", "outcome", "backoff", "schedule", "lane", "assignment", "saboteur"],
            &["history", "order", "ladder", "budget", "shares", "gate", "pace", "snapshot", "control"],
            &["event", "ledger", "suspects"],
            &["planner", "start", "replay", "redrive"],
            &["engine"],
        ],
    },
    Layout {
        root: "src",
        levels: &[
            &["avro", "clock", "error", "metrics", "reason", "registry", "retry"],
            &["record", "config"],
            &["broker", "extract"],
            &["broker::kafka", "broker::sim", "handler"],
            &["admin", "layer"],
            &["topic"],
            &["app"],
            &["runtime"],
            &["testkit", "service"],
            &["cli"],
            &["main"],
        ],
    },
];

/// Units that are folders within a folder.
pub(crate) const NESTED: &[&str] = &["broker::kafka", "broker::sim"];

/// Imports that the levels would allow and the design does not.
pub(crate) struct Ban {
    pub(crate) importer: &'static str,
    pub(crate) imported: &'static str,
    pub(crate) why: &'static str,
}

const PORTS_ONLY: &str = "the runtime sees the ports, and whoever starts it chooses the adapter";
const NO_BROKER: &str = "what users write handlers with does not know where records come from";

pub(crate) const BANS: &[Ban] = &[
    Ban { importer: "runtime", imported: "broker::kafka", why: PORTS_ONLY },
    Ban { importer: "runtime", imported: "broker::sim", why: PORTS_ONLY },
    Ban { importer: "extract", imported: "broker", why: NO_BROKER },
    Ban { importer: "handler", imported: "broker", why: NO_BROKER },
    Ban { importer: "layer", imported: "broker", why: NO_BROKER },
    Ban { importer: "app", imported: "broker", why: NO_BROKER },
];

/// A violation that is let through, with its reason. One that is gone must go from here too.
pub(crate) struct Known {
    pub(crate) file: &'static str,
    /// The unit or the reserved path.
    pub(crate) named: &'static str,
    pub(crate) why: &'static str,
}

pub(crate) const KNOWN_IMPORTS: &[Known] = &[Known {
    file: "src/extract/arguments.rs",
    named: "handler",
    why: "a macro that spells out tuples, for handlers and their arguments alike",
}];

pub(crate) const KNOWN_RESERVED: &[Known] = &[];

/// Paths outside the crate that only some files may name, and none of the others.
pub(crate) struct Reserved {
    pub(crate) path: &'static [&'static str],
    /// Everywhere in this folder the path is forbidden…
    pub(crate) within: &'static str,
    /// …except below this one.
    pub(crate) except: Option<&'static str>,
    pub(crate) why: &'static str,
}

const KAFKA: &str = "src/broker/kafka";
const ONE_ADAPTER: &str = "only the adapter speaks to the client library";
const PURE: &str = "decisions get time, chance and data as arguments, so that every bug replays";
const SEEDED: &str = "seeded anew in each process and slow: `hashbrown` with a fixed hasher, or a tree";

pub(crate) const RESERVED: &[Reserved] = &[
    Reserved { path: &["rdkafka"], within: "src", except: Some(KAFKA), why: ONE_ADAPTER },
    Reserved { path: &["rdkafka_sys"], within: "src", except: Some(KAFKA), why: ONE_ADAPTER },
    Reserved { path: &["std", "time", "Instant"], within: "retry/src", except: None, why: PURE },
    Reserved { path: &["std", "time", "SystemTime"], within: "retry/src", except: None, why: PURE },
    Reserved { path: &["std", "thread"], within: "retry/src", except: None, why: PURE },
    Reserved { path: &["std", "fs"], within: "retry/src", except: None, why: PURE },
    Reserved { path: &["std", "net"], within: "retry/src", except: None, why: PURE },
    Reserved { path: &["std", "env"], within: "retry/src", except: None, why: PURE },
    Reserved { path: &["std", "process"], within: "retry/src", except: None, why: PURE },
    Reserved { path: &["std", "collections", "HashMap"], within: "retry/src", except: None, why: SEEDED },
    Reserved { path: &["std", "collections", "HashSet"], within: "retry/src", except: None, why: SEEDED },
];

/// The one folder with `unsafe`.
pub(crate) const UNSAFE: &str = "src/broker/kafka/ffi";

/// Names that say nothing about what is inside.
pub(crate) const EMPTY_NAMES: &[&str] =
    &["util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "stuff"];

pub(crate) const MAX_FILE: usize = 400;
pub(crate) const MAX_FUNCTION: usize = 60;
pub(crate) const MAX_MEDIAN: usize = 200;
