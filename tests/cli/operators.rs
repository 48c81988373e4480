//! Operators that are interrupted, killed, stopped, and that meet each other (RULES 18).

use crate::{
    bureau::{each_went_back_once, end_of, has_sent, once_not_refused, operations, signal, with_letters},
    command::{run_for, start_for},
};
use retrial_kafka_for_tests::{Kafka, available};
use rustix::process::Signal;

/// Slow enough to be met in the middle.
const SLOWLY: [&str; 7] = ["dlq", "redrive", "--yes", "--rate", "100", "--operator", "alice"];

#[test]
fn interrupted_a_redrive_ends_well_and_says_how_to_go_on() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-interrupt", 3000);
    let child = start_for(kafka, &group, &SLOWLY);
    let id = has_sent(kafka, &group, 20);
    signal(&child, Signal::INT);
    let (code, _, err) = end_of(child);
    assert_eq!(code, Some(5), "{err}");
    let how = format!("to go on: retrial operations resume {id}\n");
    assert!(err.starts_with("retrial: interrupted: ") && err.ends_with(&how), "{err}");
    let stopped = &operations(kafka, &group)[0];
    assert_eq!((stopped["state"].as_str(), stopped["note"].as_str()), (Some("stopped"), Some("interrupted")));
    // Nobody's place is to be taken: it left well.
    let said = run_for(kafka, &group, &["operations", "resume", &id]).with_code(0);
    assert_eq!(said.out, format!("{id}: 3,000 dead letters sent back\n"));
    each_went_back_once(kafka, &group, 0..3000);
    let done = run_for(kafka, &group, &["operations", "resume", &id]).with_code(3);
    assert!(done.err.contains("is done"), "{}", done.err);
}

#[test]
fn rule_18_of_two_operators_the_second_is_refused_with_the_name_of_the_first_who_goes_on() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-two", 1500);
    let first = start_for(kafka, &group, &SLOWLY);
    let id = has_sent(kafka, &group, 20);
    for again in
        [&["dlq", "redrive", "--yes"][..], &["operations", "resume", &id], &["dlq", "redrive", "--yes", "--take-over"]]
    {
        let second = run_for(kafka, &group, &[again, &["--operator", "bob"]].concat()).with_code(4);
        assert!(second.err.contains(&format!("{id} of alice is at work")), "{}", second.err);
    }
    let (code, out, err) = end_of(first);
    assert_eq!((code, out.contains("1,500 dead letters sent back")), (Some(0), true), "{out}{err}");
    each_went_back_once(kafka, &group, 0..1500);
    assert_eq!(operations(kafka, &group).len(), 1);
}

#[test]
fn rule_18_who_takes_over_from_a_frozen_operator_fences_it() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "redrive-frozen", 4000);
    let first = start_for(kafka, &group, &SLOWLY);
    let id = has_sent(kafka, &group, 20);
    signal(&first, Signal::STOP);
    let resume = ["operations", "resume", &id, "--operator", "bob"];
    let early = run_for(kafka, &group, &resume);
    // A busy machine may have been slower than the 15 s.
    assert!(early.code == Some(0) || early.err.contains("of alice is at work"), "{early:#?}");
    let said = once_not_refused(kafka, &group, &resume).with_code(if early.code == Some(0) { 3 } else { 0 });
    assert!(early.code == Some(0) || said.out.contains("4,000 dead letters sent back"), "{said:#?}");
    signal(&first, Signal::CONT);
    let (code, _, err) = end_of(first);
    assert_eq!(code, Some(4), "{err}");
    assert!(err.contains(&format!("{id} was taken over by another operator, who has ended it")), "{err}");
    each_went_back_once(kafka, &group, 0..4000);
}

#[test]
fn an_operation_is_stopped_from_elsewhere_and_listed_and_shown() {
    let kafka = available!(Kafka::shared());
    let group = with_letters(kafka, "operations-stop", 3000);
    let child = start_for(kafka, &group, &SLOWLY);
    let id = has_sent(kafka, &group, 20);
    assert_eq!(operations(kafka, &group)[0]["state"], "running");
    let said = run_for(kafka, &group, &["operations", "stop", &id, "--operator", "bob"]).with_code(0);
    assert!(said.out.starts_with(&format!("{id} is stopped: ")), "{}", said.out);
    let (code, _, err) = end_of(child);
    assert!(code == Some(5) && err.starts_with("retrial: stopped by bob: "), "{code:?} {err}");
    run_for(kafka, &group, &["operations", "stop", &id]).with_code(3);
    run_for(kafka, &group, &["operations", "resume", &id]).with_code(0);
    each_went_back_once(kafka, &group, 0..3000);

    let listed = run_for(kafka, &group, &["operations", "list"]).with_code(0).steady(&group).replace(&id, "ID");
    assert_eq!(listed, "OPERATION  STATE  WHO  BEGAN  CAME TO\nID  done  alice  TIME  3,000 dead letters sent back\n");
    let shown = run_for(kafka, &group, &["operations", "show", &id]).with_code(0).steady(&group).replace(&id, "ID");
    assert_eq!(
        shown,
        "operation  ID\nstate  done\nwho  alice\nbegan  TIME\nchanged  TIME\nplanned  3,000\n\
         came to  3,000 dead letters sent back\nrequest  {\"filter\":{}}\n\n\
         TOPIC  PARTITION  FROM  NEXT  END\nbilling.dlq  0  0  1500  1500\nbilling.dlq  1  0  1500  1500\n"
    );
    let unknown = run_for(kafka, &group, &["operations", "show", "redrive-2"]).with_code(3);
    assert!(unknown.err.contains("no operation redrive-2 is known"), "{}", unknown.err);
}
