//! Kafka for tests.
