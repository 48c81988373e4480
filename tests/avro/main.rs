//! Avro with a schema registry: the client against a registry in this process, and services on a real Kafka whose
//! registry goes away and comes back.

mod client;
mod evolution;
mod outage;
mod shop;
