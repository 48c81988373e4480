//! Who carries an operation out, and how.

use crate::admin::By;
use std::{env, fs};

/// The options of every command that carries out an operation.
#[derive(clap::Args, Debug)]
#[command(next_help_heading = "Operator")]
pub(in crate::cli) struct Operator {
    /// Who does it, for the others to see. Default: this user and machine.
    #[arg(long, env = "RETRIAL_OPERATOR", value_name = "NAME")]
    operator: Option<String>,
    /// Go on in the place of an operator whose process gives no sign any more.
    #[arg(long)]
    take_over: bool,
    /// At most so many records a second.
    #[arg(long, value_name = "RECORDS", value_parser = clap::value_parser!(u32).range(1..))]
    rate: Option<u32>,
}

impl Operator {
    pub(in crate::cli) fn by(&self) -> By {
        let mut by = By::new(name(self.operator.as_deref()));
        (by.take_over, by.rate) = (self.take_over, self.rate);
        by
    }
}

/// The name that was given, or user and machine.
pub(super) fn name(given: Option<&str>) -> String {
    let set = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
    let user = || ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(set).unwrap_or_else(|| "somebody".to_owned());
    let file = |path| fs::read_to_string(path).ok().map(|text| text.trim().to_owned()).filter(|text| !text.is_empty());
    let machine = || {
        let named = ["HOSTNAME", "COMPUTERNAME"].into_iter().find_map(set);
        named.or_else(|| file("/proc/sys/kernel/hostname")).or_else(|| file("/etc/hostname"))
    };
    given.map_or_else(|| machine().map_or_else(user, |machine| format!("{}@{machine}", user())), str::to_owned)
}
