//! Metrics of a running service against the reference page.

use crate::{
    page::{Described, reference},
    scene::{Scene, until},
};
use retrial_kafka_for_tests::{Kafka, TestRecord, available};
use std::collections::BTreeSet;

/// What appears with the first hop, or after ten looks at the dead letters.
const RARE: &[&str] = &["retrial_hops_total", "retrial_dead_letters_vanish_timestamp_seconds"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scrape_of_a_running_service_matches_the_reference_page() {
    let kafka = available!(Kafka::shared());
    let scene = Scene::start(kafka, "scrape", 2).await;
    kafka.produce(&scene.topic, (0..100).map(|number| TestRecord::new(number.to_string())));
    kafka.produce(&scene.topic, ["retry", "retry", "die", "wait"].map(TestRecord::new));
    scene.until_done(102).await;

    let reference = reference();
    let expected: BTreeSet<&str> = reference.keys().map(String::as_str).filter(|name| !RARE.contains(name)).collect();
    let topic = &*scene.topic;
    let scrape = until("everything that is not rare is scraped", async || {
        let scrape = scene.scrape().await;
        let there: BTreeSet<&str> = scrape.samples.iter().map(|sample| scrape.family(sample)).collect();
        let lag: f64 = (0..2)
            .filter_map(|n| scrape.value("retrial_lag_records", &[("topic", topic), ("partition", &n.to_string())]))
            .sum();
        let settled = lag > 0.0 && scrape.value("retrial_retry_lateness_seconds_count", &[("tier", "1s")]) >= Some(2.0);
        // The next due time is there only while a retry waits, which the others have seen.
        let missing = expected.difference(&there).any(|name| *name != "retrial_next_due_timestamp_seconds");
        (settled && !missing).then_some(scrape)
    })
    .await;

    for sample in &scrape.samples {
        let family = scrape.family(sample);
        let Some(Described { kind, labels }) = reference.get(family) else { panic!("{family} is not on the page") };
        assert_eq!(scrape.types.get(family), Some(kind), "{family}");
        assert!(scrape.help.contains_key(family), "{family}");
        let there: BTreeSet<String> = sample.labels.keys().filter(|label| *label != "le").cloned().collect();
        assert_eq!(there, *labels, "{family}");
    }

    let records = |outcome| scrape.value("retrial_records_total", &[("topic", topic), ("outcome", outcome)]);
    assert_eq!((records("done"), records("dead"), records("discarded")), (Some(102.0), Some(1.0), Some(0.0)));
    let attempts = |result| scrape.value("retrial_attempts_total", &[("topic", topic), ("result", result)]);
    assert_eq!((attempts("done"), attempts("retry"), attempts("dead")), (Some(102.0), Some(2.0), Some(1.0)));
    let failed = |kind| scrape.value("retrial_failed_attempts_total", &[("topic", topic), ("kind", kind)]);
    assert_eq!((failed("not-yet"), failed("die"), failed("other")), (Some(2.0), Some(1.0), Some(0.0)));
    assert_eq!(scrape.value("retrial_dead_letters_total", &[("topic", topic), ("cause", "refused")]), Some(1.0));
    assert_eq!(scrape.value("retrial_in_flight_records", &[("topic", topic)]), Some(1.0));
    assert_eq!(scrape.value("retrial_in_flight_limit_records", &[("topic", topic)]), Some(100.0));
    assert_eq!(scrape.value("retrial_attempt_duration_seconds_count", &[("topic", topic)]), Some(105.0));
    assert_eq!(scrape.value("retrial_residence_seconds_count", &[("topic", topic)]), Some(102.0));
    assert_eq!(scrape.value("retrial_residence_seconds_bucket", &[("topic", topic), ("le", "+Inf")]), Some(102.0));
    scene.desk.gate.add_permits(1);
    scene.stop().await;
}

/// Labels come from topics, tiers and the words of retrial. What a record or a handler says makes no series but those of
/// the first kinds of failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_thousand_hostile_kinds_and_header_names_make_no_series() {
    let kafka = available!(Kafka::shared());
    let scene = Scene::start(kafka, "hostile", 1).await;
    let hostile = |number: u64| {
        TestRecord::new(format!("die \"}}\n{number}")).header(&format!("x-{number}\"{{"), number.to_string())
    };
    let dead = async |count: u64| {
        until(&format!("{count} records are dead"), async || {
            let scrape = scene.scrape().await;
            let dead = scrape.value("retrial_records_total", &[("topic", &scene.topic), ("outcome", "dead")]);
            (dead >= Some(count as f64)).then_some(scrape)
        })
        .await
    };
    let own = |scrape: &crate::page::Scrape| -> BTreeSet<String> {
        scrape.series().into_iter().filter(|series| series.contains(&scene.topic)).collect()
    };
    kafka.produce(&scene.topic, (0..100).map(hostile));
    dead(100).await;
    let topic = &*scene.topic;
    let before = until("all levels are set", async || {
        let scrape = scene.scrape().await;
        scrape.value("retrial_lag_records", &[("topic", topic)])?;
        scrape.value("retrial_assigned_partitions", &[("topic", topic)])?;
        Some(own(&scrape))
    })
    .await;
    assert_eq!(before.iter().filter(|series| series.starts_with("retrial_failed_attempts_total")).count(), 33);
    let hostile = (100..100_100).map(hostile).collect::<Vec<_>>();
    for records in hostile.chunks(10_000) {
        kafka.produce(&scene.topic, records.iter().cloned());
    }
    let scrape = dead(100_100).await;
    let other = scrape.value("retrial_failed_attempts_total", &[("topic", topic), ("kind", "other")]);
    assert!(other >= Some(100_068.0), "{other:?}");
    let more: Vec<String> = own(&scrape).difference(&before).cloned().collect();
    assert!(more.is_empty(), "{more:?}");
    scene.stop().await;
}
