//! How results are written: as tables for people, or as one JSON document for programs.

use super::{end::Trouble, times::Times};
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::{
    env,
    io::{self, IsTerminal, Write},
};

/// The options that every command has.
#[derive(Args, Debug)]
#[command(next_help_heading = "Output")]
pub(super) struct Options {
    /// How to write results.
    #[arg(long, short = 'o', value_enum, default_value_t = Output::Table, env = "RETRIAL_OUTPUT", global = true)]
    output: Output,
    /// Show times in UTC instead of this machine's zone.
    #[arg(long, global = true)]
    utc: bool,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// For people.
    Table,
    /// For programs: one JSON document, in the form that guide `command_line` describes.
    Json,
}

/// Where results go, and in which form.
#[derive(Debug)]
pub(super) struct Screen {
    output: Output,
    colours: bool,
    times: Times,
}

impl Screen {
    pub(super) fn new(options: &Options) -> Result<Self, Trouble> {
        let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
        let plain = is_set("NO_COLOR") || env::var_os("TERM").is_some_and(|term| term == "dumb");
        let colours = io::stdout().is_terminal() && !plain;
        Ok(Self { output: options.output, colours, times: Times::new(options.utc) })
    }

    pub(super) fn is_json(&self) -> bool {
        self.output == Output::Json
    }

    pub(super) fn times(&self) -> &Times {
        &self.times
    }

    /// Marks a heading, on a terminal that shows colours.
    pub(super) fn heading(&self, text: &str) -> String {
        self.styled("1", text)
    }

    /// Marks what needs attention.
    pub(super) fn alarming(&self, text: &str) -> String {
        self.styled("31", text)
    }

    fn styled(&self, code: &str, text: &str) -> String {
        if self.colours { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// Writes a document, with the name of its form first.
    pub(super) fn json(&self, schema: &str, document: &impl Serialize) -> Result<(), Trouble> {
        #[derive(Serialize)]
        struct Named<'a, T> {
            schema: &'a str,
            #[serde(flatten)]
            document: &'a T,
        }
        let mut out = io::stdout().lock();
        serde_json::to_writer_pretty(&mut out, &Named { schema, document })?;
        Ok(writeln!(out)?)
    }

    /// Writes text for people.
    pub(super) fn write(&self, text: &str) -> Result<(), Trouble> {
        let mut out = io::stdout().lock();
        out.write_all(text.as_bytes())?;
        Ok(out.flush()?)
    }
}
