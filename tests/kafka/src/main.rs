//! Starts a Kafka for tests and keeps it until standard input ends or Ctrl-C comes:
//! `cargo run -p retrial-kafka-for-tests -- [--brokers N]`.

use std::{
    env,
    io::{self, Read as _, Write as _},
    process::ExitCode,
};

use retrial_kafka_for_tests::{Kafka, Options};

fn main() -> ExitCode {
    let brokers = match brokers(env::args().skip(1)) {
        Ok(brokers) => brokers,
        Err(message) => {
            eprintln!("{message}");
            return ExitCode::from(2);
        }
    };
    match Kafka::start(Options::brokers(brokers)) {
        Ok(kafka) => {
            println!("RETRIAL_TEST_BOOTSTRAP={}", kafka.bootstrap());
            let _ = io::stdout().flush();
            // Ctrl-C ends this process at once, and the guard of the brokers does the rest.
            let _ = io::stdin().lock().read_to_end(&mut Vec::new());
            ExitCode::SUCCESS
        }
        Err(unavailable) => {
            eprintln!("{unavailable}");
            ExitCode::FAILURE
        }
    }
}

fn brokers(mut arguments: impl Iterator<Item = String>) -> Result<usize, String> {
    match (arguments.next().as_deref(), arguments.next(), arguments.next()) {
        (None, ..) => Ok(1),
        (Some("--brokers"), Some(number), None) if matches!(number.as_str(), "1" | "2" | "3") => {
            number.parse().map_err(|_| number)
        }
        _ => Err("usage: retrial-kafka-for-tests [--brokers 1|2|3]".to_owned()),
    }
}
