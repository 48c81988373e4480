//! The quickstart beyond its header: on a real Kafka, interrupted, and with nobody to connect to.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Command, Stdio},
};

use retrial_kafka_for_tests::{Kafka, available};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    broken,
    program::{Example, LIMIT, run},
};

fn quickstart() -> Command {
    let found = Example::all().into_iter().find(|example| example.name == "quickstart").expect("the quickstart");
    found.program().unwrap_or_else(|reason| panic!("{reason}"))
}

#[test]
fn it_accounts_for_every_order_on_a_real_kafka() {
    let kafka = available!(Kafka::shared());
    let promised = [
        "1,000 orders wait in topic quickstart-…-orders of the Kafka at …",
        "    998 done: the bank has booked these and no others",
        "     50 waits in quickstart-….retry.1s, all over",
        "     10 waits in quickstart-….retry.2s, all over",
        "1,000 orders = 998 done + 2 dead letters. Nothing lost, nothing left over.",
    ];
    let broken = broken(&promised, quickstart().args(["--bootstrap-server", &kafka.bootstrap()]));
    assert_eq!(broken, None, "{}", broken.as_deref().unwrap_or_default());
}

#[test]
fn interrupted_it_accounts_for_what_is_open_and_fails() {
    let mut child = quickstart().stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a program that was built");
    let mut printed = BufReader::new(child.stdout.take().expect("its output"));
    let mut line = String::new();
    // The second line of the view: some orders are done, and 2,000 ms of waiting lie ahead.
    for _ in 0..3 {
        line.clear();
        printed.read_line(&mut line).expect("lines");
    }
    assert!(line.contains(" done, "), "{line}");
    kill_process(Pid::from_child(&child), Signal::INT).expect("it runs");
    let mut rest = String::new();
    printed.read_to_string(&mut rest).expect("lines");
    let status = child.wait().expect("it ends");
    assert_eq!(status.code(), Some(1), "{rest}");
    let account = rest.lines().find(|line| line.starts_with("1,000 orders = ")).unwrap_or_else(|| panic!("{rest}"));
    assert!(account.ends_with("The account does not close.") && !rest.contains("WRONG"), "{rest}");
    let numbers = account.split(" = ").nth(1).expect("a sum").split(" + ").filter_map(|part| part.split(' ').next());
    let sum: u32 = numbers.map(|number| number.replace(',', "").parse::<u32>().expect("a number")).sum();
    assert_eq!(sum, 1_000, "{rest}");
}

#[test]
fn what_it_does_not_understand_is_refused_with_its_usage() {
    let output = run(quickstart().arg("--fast"), LIMIT).expect("it ends");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(output.stderr, b"usage: quickstart [--bootstrap-server HOST:PORT]\n");
}
