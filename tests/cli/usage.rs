//! Wrong input, what every command has, and a Kafka that is not there.

use crate::command::{command, run, run_for};
use retrial_kafka_for_tests::{Kafka, available};
use std::fs;

#[test]
fn wrong_usage_is_code_2_and_says_what_to_do() {
    let connection = ["--bootstrap-server", "localhost:1"];
    for (arguments, told) in [
        (&["status"][..], "no Kafka is given: use --bootstrap-server"),
        (&["status", connection[0], connection[1]], "no group is given: use --group"),
        (&["status", connection[0], connection[1], "--group", "a/b"], "set `topic_prefix`"),
        (&["status", "-X", "novalue"], "a property is KEY=VALUE"),
        (
            &["status", "--group", "g", connection[0], connection[1], "-X", "no.such=1"],
            "there is no client property `no.such`",
        ),
        (&["status", "--watch", "soon"], "is no duration"),
        (
            &["status", "--group", "g", connection[0], connection[1], "--watch", "--output", "json"],
            "--watch is a screen",
        ),
        (
            &["dlq", "list", "--group", "g", connection[0], connection[1], "--since", "yesterday"],
            "--since: \"yesterday\" is no time",
        ),
        (&["dlq", "list", "--cause", "tired"], "is not a cause of death"),
        (&["dlq", "list", "--fingerprint", "xyz"], "eight hexadecimal digits"),
        (&["dlq", "list", "--header", "=x"], "a header is NAME or NAME=VALUE"),
        (&["dlq", "list", "--source", "a/b/c/d"], "TOPIC/PARTITION/OFFSET"),
        (&["dlq", "show", "orders"], "is not topic/partition/offset"),
        (&["dlq", "export", "--from", "x"], "PARTITION:OFFSET"),
        (&["status", "--config", "/no/such/file"], "/no/such/file: No such file"),
        (&["dev"], "<TOPIC[:PARTITIONS]>"),
        (&["dev", "orders:0"], "partitions are a number from 1 to 1000"),
        (&["dev", "orders", "a b"], "a topic's name has 1 to 249"),
        (&["dev", "orders:2", "orders"], "topic orders is given twice"),
        (&["dev", "orders", "--port", "70000"], "70000 is not in 0..=65535"),
        (&["no-such-command"], "unrecognized subcommand"),
        (&[], "Usage: retrial"),
    ] {
        let said = run(arguments).with_code(2);
        assert!(said.err.contains(told), "{arguments:?}: {}", said.err);
        assert_eq!(said.out, "", "{arguments:?}");
    }
}

#[test]
fn a_secret_is_never_printed() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("client.properties");
    fs::write(&file, "bootstrap.servers=localhost:1\nsasl.password=hunter2\nssl.key.pem=hunter2\nno.such=hunter2\n")
        .expect("a file");
    let mut status =
        command(&["status", "--group", "g", "--config", file.to_str().expect("a path"), "-X", "sasl.username=u"]);
    let output = status.env("RETRIAL_PROPERTY_SASL_PASSWORD", "hunter2").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let all = [output.stdout, output.stderr].concat();
    assert!(!String::from_utf8_lossy(&all).contains("hunter2"), "{}", String::from_utf8_lossy(&all));
}

#[test]
fn an_unreachable_broker_is_said_within_ten_seconds() {
    let commands: [&[&str]; 3] = [&["status"], &["topics", "plan", "--topic", "orders"], &["doctor"]];
    std::thread::scope(|scope| {
        for command in commands {
            scope.spawn(move || {
                let nobody = ["--bootstrap-server", "127.0.0.1:1", "--group", "g"];
                let said = run(&[command, &nobody].concat()).with_code(1);
                // What is left of the ten seconds is for starting and ending.
                assert!(said.err.contains("no answer from Kafka at 127.0.0.1:1 within 8s"), "{}", said.err);
                assert!(
                    said.err.contains("Connection refused") && said.err.contains("check the address"),
                    "{}",
                    said.err
                );
            });
        }
    });
}

#[test]
fn options_come_before_the_environment_and_that_before_the_file() {
    let kafka = available!(Kafka::shared());
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("retrial.toml");
    let text = format!(
        "bootstrap-server = \"{}\"\ngroup = \"of-file\"\n[properties]\n\"client.id\" = \"x\"\n",
        kafka.bootstrap()
    );
    fs::write(&file, text).expect("a file");
    let told = |arguments: &[&str], group: Option<&str>| {
        let mut command = command(&["status"]);
        command.args(arguments).env("RETRIAL_CONFIG", &file);
        if let Some(group) = group {
            command.env("RETRIAL_GROUP", group);
        }
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(3));
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert!(told(&[], None).starts_with("retrial: group of-file has committed nothing"));
    assert!(told(&[], Some("of-environment")).starts_with("retrial: group of-environment has"));
    assert!(told(&["--group", "of-option"], Some("of-environment")).starts_with("retrial: group of-option has"));
}

#[test]
fn a_group_without_dead_letters_is_told_by_their_topics_name() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("no-letters");
    let said = run_for(kafka, &group, &["dlq", "list"]).with_code(1);
    assert!(said.err.contains(&format!("topic {group}.dlq does not exist")), "{}", said.err);
}

#[test]
fn the_help_of_each_command_has_an_example() {
    let commands: &[&[&str]] = &[
        &["status"],
        &["topics", "plan"],
        &["topics", "apply"],
        &["doctor"],
        &["why"],
        &["replay"],
        &["dlq", "list"],
        &["dlq", "show"],
        &["dlq", "export"],
        &["dev"],
        &["completions"],
        &["man"],
    ];
    for command in commands {
        let help = run(&[*command, &["--help"]].concat()).with_code(0).out;
        assert!(help.contains(&format!("\n  retrial {}", command.join(" "))), "{help}");
    }
}

#[test]
fn completions_and_man_pages_are_generated() {
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        assert!(run(&["completions", shell]).with_code(0).out.contains("dlq"), "{shell}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    run(&["man", folder.path().join("man1").to_str().expect("a path")]).with_code(0);
    let page = fs::read_to_string(folder.path().join("man1/retrial-dlq-list.1")).expect("a page");
    assert!(page.contains("\\-\\-fingerprint"), "{page}");
}
