//! The command line, as a process, on a real Kafka.

mod bureau;
mod command;
mod dlq;
mod enqueue;
mod letters;
mod member;
mod offsets;
mod redrive;
mod replay;
mod service;
mod status;
mod tail;
mod usage;
mod why;
