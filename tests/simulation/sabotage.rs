//! Whether the simulator would find it: deliberate faults, one at a time, in the decisions and in what carries them out.

use retrial::testkit::proof::{Broken, Saboteur, Script, run, shortest};
use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

/// Schedules that a saboteur may survive at most.
const MOST: u64 = 4_000;

/// How a saboteur was found.
struct Found {
    saboteur: Saboteur,
    /// The schedule that found it, counted from 1, and the promise that it saw broken.
    by: Option<(u64, Box<Broken>)>,
}

fn search(saboteur: Saboteur) -> Found {
    let _loose = saboteur.let_loose();
    let by = (0..MOST).find_map(|seed| run(&Script::drawn(seed)).err().map(|broken| (seed + 1, broken)));
    Found { saboteur, by }
}

fn search_all() -> Vec<Found> {
    let (all, next, found) = (Saboteur::all(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    thread::scope(|scope| {
        for _ in 0..thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(&saboteur) = all.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let result = search(saboteur);
                    found.lock().unwrap_or_else(PoisonError::into_inner).push(result);
                }
            });
        }
    });
    let mut found = found.into_inner().unwrap_or_else(PoisonError::into_inner);
    found.sort_by_key(|found| all.iter().position(|saboteur| *saboteur == found.saboteur));
    found
}

/// Prints the table that the guide on testing shows.
#[test]
fn every_saboteur_is_found() {
    let found = search_all();
    println!("| saboteur | in | found by schedule | which saw broken |\n|---|---|---|---|");
    for Found { saboteur, by } in &found {
        let (seed, promise) =
            by.as_ref().map_or(("none".to_owned(), "nothing"), |(seed, broken)| (seed.to_string(), broken.promise));
        println!("| {saboteur} | {} | {seed} | {promise} |", saboteur.place());
    }
    let survived: Vec<String> =
        found.iter().filter(|found| found.by.is_none()).map(|found| found.saboteur.to_string()).collect();
    assert!(survived.is_empty(), "not found in {MOST} schedules: {survived:?}");
}

/// What a failure prints is short, and fails again when it is read back.
#[test]
fn a_schedule_that_fails_is_cut_down_to_what_it_takes() {
    let saboteur = Saboteur::all()[0];
    let found = search(saboteur);
    let (number, broken) = found.by.expect("a saboteur that is found");
    let _loose = saboteur.let_loose();
    let whole = Script::drawn(number - 1);
    let (script, _) = shortest(&whole).expect("a script that fails");
    assert!(script.len() <= whole.len() && script.len() <= 6, "{} decisions: {script}", script.len());
    let again: Script = script.to_string().parse().expect("what was written can be read");
    let again = run(&again).expect_err("it fails again");
    assert_eq!(again.promise, broken.promise);
}
