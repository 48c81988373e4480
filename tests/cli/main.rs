//! The command line, as a process, on a real Kafka.

#[cfg(unix)]
mod bureau;
mod command;
mod dlq;
mod doctor;
mod enqueue;
mod letters;
mod member;
mod offsets;
#[cfg(unix)]
mod operations;
#[cfg(unix)]
mod operators;
#[cfg(unix)]
mod redrive;
#[cfg(unix)]
mod replay;
#[cfg(unix)]
mod service;
mod serving;
#[cfg(unix)]
mod settled;
mod status;
mod tail;
mod topics;
mod usage;
mod why;
