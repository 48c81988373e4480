//! What only a terminal shows: questions, colours, the screen that stays. The terminal is a pseudo-terminal of `script`, of
//! util-linux, which every Linux has.

use crate::command::{Said, command};
use retrial_kafka_for_tests::{Commit, Kafka, available};
use std::{
    io::{Read as _, Write as _},
    process::{Child, Command, Stdio},
};

const BOLD: &str = "\u{1b}[1m";

/// The command for a group, on a terminal.
fn on_terminal(kafka: &Kafka, group: &str, arguments: &[&str], environment: &[(&str, &str)]) -> Command {
    let bootstrap = kafka.bootstrap();
    let plain = command(&[arguments, &["--utc", "--bootstrap-server", &bootstrap, "--group", group]].concat());
    let words = std::iter::once(plain.get_program()).chain(plain.get_args());
    let line: Vec<String> = words.map(|word| format!("'{}'", word.to_string_lossy())).collect();
    let mut script = Command::new("script");
    // In the shell's place: one that stays behind gets Ctrl-C too, and dash then ends by it whatever the command says.
    let line = format!("exec {}", line.join(" "));
    script.args(["--quiet", "--return", "--flush", "--command", &line, "/dev/null"]).env("SHELL", "/bin/sh");
    plain.get_envs().filter(|(_, value)| value.is_none()).for_each(|(name, _)| {
        script.env_remove(name);
    });
    script.env("TERM", "xterm").envs(environment.iter().copied());
    script.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    script
}

/// Reads what the terminal shows until it shows this.
fn await_text(child: &mut Child, text: &str) -> String {
    let out = child.stdout.as_mut().expect("a pipe");
    let (mut shown, mut some) = (Vec::new(), [0; 1024]);
    loop {
        let told = String::from_utf8_lossy(&shown).into_owned();
        if told.contains(text) {
            return told;
        }
        let count = out.read(&mut some).expect("a terminal can be read");
        assert!(count > 0, "it ended without {text:?}: {told}");
        shown.extend_from_slice(&some[..count]);
    }
}

/// Runs a command to its question, and gives this answer.
fn answered(mut script: Command, question: &str, answer: &str) -> (String, Said) {
    let mut child = script.spawn().expect("`script` of util-linux can be started");
    let shown = await_text(&mut child, question);
    child.stdin.as_mut().expect("a pipe").write_all(answer.as_bytes()).expect("somebody reads");
    (shown, Said::of(&child.wait_with_output().expect("a child can be waited for")))
}

#[test]
fn a_question_is_asked_after_the_plan_and_only_yes_is_yes() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("asked");
    let (orders, letters) = (kafka.unique_topic("orders"), format!("{group}.dlq"));
    kafka.create_topic(&orders, 1, &[]);
    let apply = ["topics", "apply", "--topic", &orders, "--delays", "5s"];
    let asked = |answer: &str| {
        answered(on_terminal(kafka, &group, &apply, &[]), "Make and change these topics? Type yes: ", answer)
    };
    for no in ["\n", "no\n", "\u{4}"] {
        let (shown, said) = asked(no);
        assert!(shown.find(&letters) < shown.find("Make and change"), "the plan comes first: {shown}");
        assert!(said.with_code(4).out.contains("nothing was changed"), "{no:?}");
    }
    assert_eq!(kafka.partitions(&letters), 0);
    assert!(asked("yes\n").1.with_code(0).out.contains("4 topics were made"));
    assert_eq!(kafka.partitions(&letters), 1);
}

#[test]
fn colours_are_for_terminals_that_show_them_and_for_people_who_want_them() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("colours");
    let orders = kafka.unique_topic("orders");
    kafka.create_topic(&orders, 1, &[]);
    let plan = |environment: &[(&str, &str)]| {
        let mut script = on_terminal(kafka, &group, &["topics", "plan", "--topic", &orders], environment);
        Said::of(&script.output().expect("`script` of util-linux can be started")).with_code(0).out
    };
    assert!(plan(&[]).contains(&format!("{BOLD}TOPIC")));
    for plainly in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        assert!(!plan(&[plainly]).contains('\u{1b}'), "{plainly:?}");
    }
}

#[test]
fn a_watched_status_has_a_screen_of_its_own_and_gives_the_first_one_back() {
    let kafka = available!(Kafka::shared());
    let group = kafka.unique_group("screen");
    let orders = kafka.unique_topic("orders");
    kafka.create_topic(&orders, 1, &[]);
    kafka.commit(&group, &orders, &Commit { partition: 0, offset: 0, metadata: String::new() });
    let mut script = on_terminal(kafka, &group, &["status", "--watch", "100ms"], &[]);
    let mut child = script.spawn().expect("`script` of util-linux can be started");
    let (enter, leave, home) = ("\u{1b}[?1049h\u{1b}[?25l", "\u{1b}[?25h\u{1b}[?1049l", "\u{1b}[H");
    let first = await_text(&mut child, &orders);
    assert!(first.contains(&format!("{enter}{home}")), "{first:?}");
    let again = await_text(&mut child, home);
    assert!(!again.contains(enter), "{again:?}");
    // As the terminal does it for Ctrl-C.
    child.stdin.as_mut().expect("a pipe").write_all(b"\x03").expect("somebody reads");
    let said = Said::of(&child.wait_with_output().expect("a child can be waited for")).with_code(0);
    assert!(said.out.trim_end().ends_with(leave), "{said:?}");
}
