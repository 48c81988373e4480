//! Hand-made attempts for unit tests.

use crate::{
    extract::{Call, Control, FromRecord, Host, Job, Rejection, Threads},
    record::{BatchBuilder, Meter, Position},
};
use futures_util::FutureExt;
use retrial_core::{
    history::{History, SourceTime},
    id::Origin,
    outcome::{Cause, Outcome, Reason},
    time::Timestamp,
};
use std::sync::Arc;

/// Name and value of one header.
pub(crate) type Header<'a> = (&'a [u8], Option<&'a [u8]>);

/// Runs jobs at once, on the caller's thread.
pub(crate) struct Inline;

impl Threads for Inline {
    fn run(&self, job: Job) {
        job();
    }
}

pub(crate) fn host() -> Arc<Host> {
    Arc::new(Host { group: "billing".into(), threads: Arc::new(Inline) })
}

/// The first attempt of the record `orders/3/184467`, which was made at 1,000 ms.
pub(crate) fn call(key: Option<&[u8]>, body: Option<&[u8]>, headers: &[Header<'_>]) -> Call {
    made(SourceTime::Create(Timestamp::from_millis(1_000)), key, body, headers)
}

/// The same with a time of its own, and nothing in it.
pub(crate) fn timed(time: SourceTime) -> Call {
    made(time, None, None, &[])
}

fn made(time: SourceTime, key: Option<&[u8]>, body: Option<&[u8]>, headers: &[Header<'_>]) -> Call {
    let mut batch = BatchBuilder::new("orders".into(), 3, 1, Arc::new(Meter::default()));
    batch.push(Position { offset: 184_467, leader_epoch: 1, time }, key, body, headers.iter().copied());
    let record = batch.finish().records().next().expect("one record was pushed");
    Call { record, tries: 0, fence: 7, history: None, control: Control::new(host()) }
}

pub(crate) fn with_body(body: Option<&[u8]>) -> Call {
    call(None, body, &[])
}

/// The same call as a retry of `orders/5/42`, which failed `attempts` times.
pub(crate) fn retried(call: Call, attempts: u32) -> Call {
    let origin = Origin { topic: "orders".into(), partition: 5, offset: 42 };
    let history = History {
        attempts,
        crashes: 2,
        step: attempts,
        first_failed: Some(Timestamp::from_millis(600)),
        last_failed: Some(Timestamp::from_millis(700)),
        error_kind: Some("bank".to_owned()),
        error: Some("down".to_owned()),
        redrives: 1,
        replay: Some("june".to_owned()),
        ..History::new(origin, SourceTime::Create(Timestamp::from_millis(500)))
    };
    Call { history: Some(Arc::new(history)), ..call }
}

/// What an extractor without state makes of a call. It must be ready at once.
pub(crate) fn extract<T: FromRecord<()>>(call: &Call) -> Result<T, Rejection> {
    T::from_record(call, &()).now_or_never().expect("extractors of this crate are ready at once")
}

/// Why an extractor refuses a call as undecodable.
pub(crate) fn rejected<T: FromRecord<()>>(call: &Call) -> Reason {
    match extract::<T>(call).err().expect("the call is refused").into() {
        Outcome::Dead(Cause::Undecodable, reason) => reason,
        other => panic!("{other:?} is no undecodable record"),
    }
}
