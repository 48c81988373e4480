//! How far long work is, for whoever waits for it.

use std::ops::ControlFlow;

/// Hears how far long work is, some ten times a second, and may end it there.
pub trait Progress {
    /// So much is done of so much; the second number may grow. To break ends the work where its state is consistent.
    fn advanced(&mut self, done: u64, of: u64) -> ControlFlow<()>;

    /// It goes on later, for this reason; told again and again while it waits.
    fn waits(&mut self, _why: &str) {}
}

/// Nobody waits.
impl Progress for () {
    fn advanced(&mut self, _: u64, _: u64) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}
