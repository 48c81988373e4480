//! Seeded schedules of the whole service on a simulated cluster: the promises, whatever goes wrong.
//!
//! - `RETRIAL_SIM_SEEDS=1000000 cargo test --release --test simulation` lives through so many schedules, from
//!   `RETRIAL_SIM_FROM` on.
//! - `RETRIAL_SIM_SCRIPT='…' cargo test --test simulation -- the_script` lives through one that a failure printed;
//!   `RETRIAL_SIM_STORY=500` tells more lines of how it failed.

mod run;
#[cfg(debug_assertions)]
mod sabotage;

use retrial::testkit::proof::{Script, fingerprint, run as live, shortest};
use run::{Run, command};

/// How many schedules the usual run has.
const USUAL: u64 = 3_000;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

#[test]
fn every_schedule_keeps_the_promises() {
    let (from, seeds) = (number("RETRIAL_SIM_FROM").unwrap_or(0), number("RETRIAL_SIM_SEEDS").unwrap_or(USUAL));
    let run = Run::over(from..from + seeds);
    println!("{}", run.report());
    if let Some((seed, broken)) = run.broken {
        let shortest = shortest(&Script::drawn(seed));
        let (script, broken) = shortest.unwrap_or_else(|| (Script::drawn(seed), broken));
        panic!(
            "seed {seed} breaks a promise: {broken}\n\nagain: {}\nthe shortest that breaks it:\n{}",
            command(seed),
            run::script(&script)
        );
    }
    // Of a million lives each kind of fault must have changed a thousand; of few, one at least.
    let least = if seeds >= 1_000_000 { 1_000 } else { u64::from(seeds >= USUAL) };
    let rare: Vec<_> = run.tally.rows().into_iter().filter(|(_, count)| *count < least).collect();
    assert!(rare.is_empty(), "these changed fewer than {least} lives: {rare:?}");
}

/// The script in `RETRIAL_SIM_SCRIPT`; without one, a script that was written down is the life of its seed.
#[test]
fn the_script_that_was_given_keeps_the_promises() {
    match std::env::var("RETRIAL_SIM_SCRIPT") {
        Ok(text) => {
            let script: Script = text.parse().unwrap_or_else(|error| panic!("{error}"));
            if let Err(broken) = live(&script) {
                panic!("{broken}");
            }
        }
        Err(_) => {
            let script = Script::drawn(5);
            assert_eq!(script.to_string().parse(), Ok(script.clone()));
            live(&script).unwrap_or_else(|broken| panic!("{broken}"));
        }
    }
}

#[test]
fn one_script_is_one_life() {
    for seed in 0..40 {
        let script = Script::drawn(seed);
        assert_eq!(fingerprint(&script), fingerprint(&script), "seed {seed}");
    }
    assert_ne!(fingerprint(&Script::drawn(1)), fingerprint(&Script::drawn(2)));
}
