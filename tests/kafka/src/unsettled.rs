//! Answers of a cluster that has just started, or lost a broker: who leads and who coordinates is not settled yet.

use std::{
    thread,
    time::{Duration, Instant},
};

use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

const LIMIT: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(50);

/// Asks again while the answer is that nobody knows yet.
pub(crate) fn until_settled<T>(ask: impl Fn() -> Result<T, KafkaError>) -> Result<T, KafkaError> {
    let limit = Instant::now() + LIMIT;
    loop {
        match ask() {
            Err(error) if is_unsettled(&error) && Instant::now() < limit => thread::sleep(PAUSE),
            answer => return answer,
        }
    }
}

fn is_unsettled(error: &KafkaError) -> bool {
    matches!(
        error.rdkafka_error_code(),
        Some(
            Code::NotCoordinator
                | Code::CoordinatorLoadInProgress
                | Code::CoordinatorNotAvailable
                | Code::NotLeaderForPartition
                | Code::LeaderNotAvailable
                | Code::UnknownPartition
                | Code::UnknownTopicOrPartition
        )
    )
}
