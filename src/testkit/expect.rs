//! What a test says of records. An assertion that fails shows the whole story.

use super::{
    run::Run,
    service::TestService,
    span::Span,
    story::{State, Story, Told},
};
use retrial_core::{id::Origin, outcome::Cause};
use std::{fmt, time::Duration};

/// How much longer than asked for a wait may be in [`Story::assert_waits`]: the network of the test service takes some
/// milliseconds each way.
const SLACK: Duration = Duration::from_secs(1);

impl Story {
    #[track_caller]
    fn fail(&self, expected: impl fmt::Display, found: impl fmt::Display) -> ! {
        panic!("expected of {}: {expected}; found: {found}\n{self}", self.origin())
    }

    #[track_caller]
    fn expect_state(&self, expected: &str, fits: impl FnOnce(&State) -> bool) -> &Self {
        let state = self.state();
        if !fits(&state) {
            self.fail(expected, Told { state: &state, story: self });
        }
        self
    }

    /// Its handler finished.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_done(&self) -> &Self {
        self.expect_state("done", |state| *state == State::Done)
    }

    /// Its handler discarded it, for a reason that contains this text.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_discarded(&self, reason: &str) -> &Self {
        let fits = |state: &State| matches!(state, State::Discarded(why) if why.contains(reason));
        self.expect_state(&format!("discarded, with {reason:?} in the reason"), fits)
    }

    /// It is in the dead letters, for this cause.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_dead(&self, cause: Cause) -> &Self {
        self.expect_state(&format!("dead, {cause}"), |state| *state == State::Dead(cause))
    }

    /// It waits to run again, in a tier or in memory.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_waiting(&self) -> &Self {
        self.expect_state("waiting", |state| matches!(state, State::Waiting { .. }))
    }

    /// So many attempts were begun. Tries in place belong to one attempt.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_attempts(&self, attempts: u32) -> &Self {
        if self.attempts() != attempts {
            self.fail(format_args!("{attempts} attempts"), self.attempts());
        }
        self
    }

    /// Its handler ran so often: attempts, tries in place, and runs again after a crash.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_runs(&self, runs: usize) -> &Self {
        let found = self.runs().count();
        if found != runs {
            self.fail(format_args!("{runs} runs of its handler"), found);
        }
        self
    }

    /// Its last failure has this text in `kind: message`, as its dead letter has it.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_failure(&self, text: &str) -> &Self {
        let last = self.runs().rev().find_map(Run::failure);
        match last {
            Some(failure) if failure.to_string().contains(text) => self,
            Some(failure) => self.fail(format_args!("a last failure with {text:?}"), failure),
            None => self.fail(format_args!("a last failure with {text:?}"), "no failure"),
        }
    }

    /// Between its attempts it waited for these times: none shorter, and none more than a second longer.
    ///
    /// A delay for which the group has no tier may be rounded up by more than a second; then this fails and shows by how much.
    ///
    /// # Panics
    /// With the whole story, if not.
    #[track_caller]
    pub fn assert_waits(&self, waits: impl IntoIterator<Item = Duration>) -> &Self {
        let expected: Vec<Duration> = waits.into_iter().collect();
        let found = self.waits();
        let fits = |(asked, found): (&Duration, &Duration)| asked <= found && *found <= *asked + SLACK;
        if expected.len() != found.len() || !expected.iter().zip(&found).all(fits) {
            self.fail(format_args!("waits of {}", Spans(&expected)), Spans(&found));
        }
        self
    }
}

impl TestService {
    /// Every record that was sent is done.
    ///
    /// # Panics
    /// With the whole story of each that is not.
    #[track_caller]
    pub fn assert_all_done(&self) {
        let stories = self.stories();
        let open: Vec<&Story> = stories.iter().filter(|story| story.state() != State::Done).collect();
        assert!(open.is_empty(), "{} of {} records are not done:\n{}", open.len(), stories.len(), list(&open));
    }

    /// No record that was sent is dead.
    ///
    /// # Panics
    /// With the whole story of each that is.
    #[track_caller]
    pub fn assert_no_dead_letters(&self) {
        self.assert_dead_letters(0);
    }

    /// So many records are dead.
    ///
    /// # Panics
    /// With the whole story of each that is, if it is another number.
    #[track_caller]
    pub fn assert_dead_letters(&self, letters: usize) {
        let stories = self.stories();
        let dead: Vec<&Story> = stories.iter().filter(|story| story.dead_letter().is_some()).collect();
        assert!(dead.len() == letters, "expected {letters} dead letters; found {}\n{}", dead.len(), list(&dead));
    }

    /// Handlers ran for these records and no others, in this order; a record that ran twice is named twice.
    ///
    /// # Panics
    /// With all runs, if not.
    #[track_caller]
    pub fn assert_ran<'a>(&self, records: impl IntoIterator<Item = &'a Origin>) {
        let runs = self.runs();
        if !records.into_iter().eq(runs.iter().map(Run::origin)) {
            let lines: Vec<String> = runs.iter().map(|run| format!("  {}: {run}", run.origin())).collect();
            panic!("handlers did not run in this order, but for:\n{}", lines.join("\n"));
        }
    }
}

fn list(stories: &[&Story]) -> String {
    stories.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

struct Spans<'a>(&'a [Duration]);

impl fmt::Display for Spans<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let spans: Vec<String> = self.0.iter().map(|&span| Span(span).to_string()).collect();
        write!(f, "[{}]", spans.join(", "))
    }
}
