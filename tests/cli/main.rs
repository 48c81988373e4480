//! The command line, as a process, on a real Kafka.

#[cfg(unix)]
mod bureau;
mod command;
#[cfg(unix)]
mod compaction;
#[cfg(unix)]
mod dev;
mod dlq;
mod doctor;
#[cfg(unix)]
mod doubt;
mod enqueue;
mod letters;
mod member;
#[cfg(target_os = "linux")]
mod memory;
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
mod session;
#[cfg(unix)]
mod settled;
#[cfg(unix)]
mod shop;
#[cfg(unix)]
mod speed;
mod status;
mod tail;
#[cfg(target_os = "linux")]
mod terminal;
mod topics;
mod usage;
mod why;
