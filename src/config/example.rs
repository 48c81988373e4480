//! The example file, made of the list of settings.

use super::{
    form::Form,
    keys::{Key, SERVICE, TOP, TOPIC},
};

/// A file with every setting and its default, for people to begin with.
pub(crate) fn example() -> String {
    let mut file = String::from(
        "# Every setting of a service that an operator may change, with its default. A line without the `#` before it holds.\n\
         # The environment wins over this file: RETRIAL_DRAIN=10s, RETRIAL_TOPIC_ORDERS_TIMEOUT=20s,\n\
         # RETRIAL_PROPERTY_SASL_PASSWORD=… Check a file with `retrial config check FILE`.\n\n",
    );
    let section = |file: &mut String, keys: &[Key]| {
        for Key { name, form, default, help } in keys {
            let value = if default.is_empty() { sample(name).to_owned() } else { written(*form, default) };
            *file += &format!("# {help}\n# Allowed: {form}.\n# {name} = {value}\n\n");
        }
    };
    section(&mut file, TOP);
    file += "# Properties of librdkafka, by its names. Give secrets by the environment, or guard this file.\n[properties]\n\
             # \"client.id\" = \"billing\"\n\n[service]\n";
    section(&mut file, SERVICE);
    file += "# A table for each topic that differs from what its code says.\n[topics.orders]\n";
    section(&mut file, TOPIC);
    file.trim_end().to_owned() + "\n"
}

/// A value for a setting that has no default.
fn sample(name: &str) -> &'static str {
    match name {
        "bootstrap-server" => "\"localhost:9092\"",
        "group" | "topic-prefix" => "\"billing\"",
        "http" => "\"127.0.0.1:9464\"",
        _ => "1000",
    }
}

fn written(form: Form, default: &str) -> String {
    match form {
        Form::Count(..) => default.to_owned(),
        Form::Waits => {
            let waits: Vec<String> = default.split(", ").map(|wait| format!("\"{wait}\"")).collect();
            format!("[{}]", waits.join(", "))
        }
        _ => format!("\"{default}\""),
    }
}
