//! On a real Kafka: what the embedded broker cannot show.
