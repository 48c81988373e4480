//! Which Kafka is taken, and what a suite says when there is none. This binary runs itself with other surroundings.

use std::{
    env,
    process::{Command, Output},
};

use retrial_kafka_for_tests::{Kafka, Options, available};

/// What the others run, and by itself a test like those of a suite.
#[test]
fn suite() {
    let kafka = available!(Kafka::shared());
    assert_ne!(kafka.bootstrap(), "");
}

fn run_suite(surroundings: &[(&str, &str)]) -> (bool, String) {
    let mut command = Command::new(env::current_exe().expect("this binary"));
    command.args(["--exact", "suite"]);
    for name in ["RETRIAL_TEST_BOOTSTRAP", "RETRIAL_REQUIRE_KAFKA", "JAVA_HOME"] {
        command.env_remove(name);
    }
    let Output { status, stdout, stderr } =
        command.envs(surroundings.iter().copied()).output().expect("this binary runs");
    let text = [stdout, stderr].concat();
    (status.success(), String::from_utf8_lossy(&text).into_owned())
}

const NOTHING: [(&str, &str); 2] = [("PATH", "/nowhere"), ("DOCKER_HOST", "unix:///nowhere/docker.sock")];

#[test]
fn with_no_kafka_a_suite_says_loudly_that_it_did_not_run_and_why() {
    let (passed, text) = run_suite(&NOTHING);
    assert!(passed, "{text}");
    assert!(text.contains("NOT RUN: suite: there is no Kafka for tests"), "{text}");
    assert!(text.contains("- RETRIAL_TEST_BOOTSTRAP: not set"), "{text}");
    assert!(text.contains("- Docker: no engine"), "{text}");
    assert!(text.contains("- Java with Maven: cannot run java"), "{text}");
}

#[test]
fn where_kafka_is_required_a_suite_without_it_fails() {
    let [path, docker] = NOTHING;
    let (passed, text) = run_suite(&[path, docker, ("RETRIAL_REQUIRE_KAFKA", "1")]);
    assert!(!passed, "{text}");
    assert!(text.contains("RETRIAL_REQUIRE_KAFKA is set and there is no Kafka for tests"), "{text}");
}

#[test]
fn an_address_is_taken_first() {
    let kafka = available!(Kafka::start(Options::default()));
    let [path, docker] = NOTHING;
    let address = kafka.bootstrap();
    let (passed, text) = run_suite(&[path, docker, ("RETRIAL_TEST_BOOTSTRAP", &address)]);
    assert!(passed, "{text}");
    assert!(text.contains(&format!("Kafka for tests: an address at {address}")), "{text}");
}
