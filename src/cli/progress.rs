//! How far long work is: a bar on standard error, if that is a terminal; and whether to go on.

use super::interrupt::Interrupt;
use crate::admin::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{self, IsTerminal, Write},
    ops::ControlFlow,
};

/// A bar, and an ear for Ctrl-C.
#[derive(Debug)]
pub(super) struct Bar {
    bar: ProgressBar,
    interrupt: Interrupt,
    has_told: bool,
}

impl Bar {
    /// For work that is counted in these.
    pub(super) fn new(what: &'static str, interrupt: Interrupt) -> Self {
        let target = match io::stderr().is_terminal() {
            true => ProgressDrawTarget::stderr_with_hz(5),
            false => ProgressDrawTarget::hidden(),
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{bar:30} {human_pos} of {human_len} {msg}, {per_sec}, {eta} to go");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what);
        Self { bar, interrupt, has_told: false }
    }
}

impl Progress for Bar {
    fn advanced(&mut self, done: u64, of: u64) -> ControlFlow<()> {
        self.bar.set_length(of);
        self.bar.set_position(done);
        if self.interrupt.is_noted() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn waits(&mut self, why: &str) {
        if self.bar.is_hidden() && !self.has_told {
            // With nobody at the other end of standard error it waits all the same.
            let _ = writeln!(io::stderr(), "retrial: {why}");
        } else {
            self.bar.set_message(why.to_owned());
        }
        self.has_told = true;
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
