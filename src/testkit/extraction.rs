//! Extractors and formats by themselves.

use crate::{
    extract::{Call, Control, Host, Job, Threads},
    record::{BatchBuilder, Meter, Position},
    testkit::Message,
};
use retrial_core::{history::SourceTime, time::Timestamp};
use std::sync::Arc;

/// Runs what blocks at once, on the caller's thread.
struct AtOnce;

impl Threads for AtOnce {
    fn run(&self, job: Job) {
        job();
    }
}

impl Message {
    /// The first attempt of the group `test` at this record, as the only one in partition 0 of a topic: what an extractor or a
    /// format of one's own is tested with.
    ///
    /// ```
    /// use retrial::{FromRecord, testkit::Message};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() {
    /// let call = Message::new("42").first_attempt("orders");
    /// assert_eq!(String::from_record(&call, &()).await.unwrap(), "42");
    /// assert!(String::from_record(&Message::new(vec![0xff]).first_attempt("orders"), &()).await.is_err());
    /// # }
    /// ```
    #[must_use]
    pub fn first_attempt(&self, topic: &str) -> Call {
        let (_, timestamp, content) = self.clone().into_parts();
        let time = SourceTime::Create(timestamp.unwrap_or(Timestamp::from_millis(0)));
        let mut batch = BatchBuilder::new(topic.into(), 0, 1, Arc::new(Meter::default()));
        let headers = content.headers.iter().map(|(name, value)| (&**name, value.as_deref()));
        let position = Position { offset: 0, leader_epoch: 0, time };
        batch.push(position, content.key.as_deref(), content.body.as_deref(), headers);
        let record = batch.finish().records().next().expect("one record was pushed");
        let host = Host { group: "test".into(), threads: Arc::new(AtOnce) };
        Call { record, tries: 0, fence: 0, history: None, control: Control::new(Arc::new(host)) }
    }
}
