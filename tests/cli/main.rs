//! The command line, as a process, on a real Kafka.

mod command;
mod dlq;
mod doctor;
mod enqueue;
mod letters;
mod member;
mod offsets;
mod status;
mod tail;
mod topics;
mod usage;
