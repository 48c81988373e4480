//! Why a test service did not come to rest.

use super::{
    span::Span,
    story::{Story, Told},
};
use std::{fmt, time::Duration};

/// How many records an error names.
const NAMED: usize = 10;

/// A test service did not come to rest: what is still waiting, where, and until when.
///
/// ```
/// use retrial::{App, Failure, handler, hours, mins, testkit::TestService};
///
/// async fn charge() -> Result<(), Failure> {
///     Err(Failure::snooze(mins(10), "not yet"))
/// }
///
/// let app = App::group("billing").topic("orders", handler(charge)).build()?;
/// let mut service = TestService::new(app).with_limit(hours(2));
/// let order = service.send("orders", "42");
/// let error = service.try_run_until_idle().unwrap_err();
/// assert_eq!(error.unsettled()[0].origin(), &order);
/// assert!(error.to_string().starts_with("not idle after 2h of virtual time: 1 record is not settled"));
/// # Ok::<(), retrial::BuildError>(())
/// ```
#[derive(Debug)]
pub struct NotIdle {
    pub(super) why: Why,
    pub(super) unsettled: Vec<Story>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// So much virtual time was not enough.
    Time(Duration),
    /// The handler of one record ran more often than this.
    Runs(usize),
    /// A blocking function took longer than this of real time.
    Stuck(Duration),
    /// No worker is left.
    Deserted,
}

impl NotIdle {
    /// The stories of the records that have not come to an end, in the order of sending.
    #[must_use]
    pub fn unsettled(&self) -> &[Story] {
        &self.unsettled
    }
}

impl std::error::Error for NotIdle {}

impl fmt::Display for NotIdle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Time(limit) => write!(f, "not idle after {} of virtual time", Span(limit))?,
            Why::Runs(limit) => write!(f, "not idle: the handler of one record ran more than {limit} times")?,
            Why::Stuck(limit) => write!(
                f,
                "a blocking handler has not returned for {} of real time; virtual time stands still until it does",
                Span(limit)
            )?,
            Why::Deserted => f.write_str("not idle, and every worker was stopped")?,
        }
        if self.unsettled.is_empty() {
            return f.write_str(": every record is settled, but not all of it is committed");
        }
        let count = self.unsettled.len();
        write!(f, ": {count} record{} not settled", if count == 1 { " is" } else { "s are" })?;
        for story in self.unsettled.iter().take(NAMED) {
            write!(f, "\n  {}: {}", story.origin(), Told { state: &story.state(), story })?;
            if let Some(last) = story.runs().next_back() {
                write!(f, "; {last}")?;
            }
        }
        if count > NAMED {
            write!(f, "\n  and {} more", count - NAMED)?;
        }
        Ok(())
    }
}
