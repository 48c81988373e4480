//! The engine, driven by arbitrary scripts.
//!
//! A script is a list of steps of a small world: topics with their logs, a group, handlers, a clock. Most of what it
//! does is what happens to a healthy group; the rest is what happens to a sick one: answers that are late, repeated, or
//! about things that never were, partitions taken away at any moment, crashes, logs that are cut, metadata of somebody
//! else, headers written by hand. After each step the promises are checked from outside (`view.rs`, `checks.rs`); at
//! the end all goes well again, and everything must end and be given back (`ending.rs`).

mod broker;
mod carrying;
mod checks;
mod ending;
mod script;
mod steps;
mod view;
mod world;

/// Panics if the engine breaks a promise in this script.
pub fn check(bytes: &[u8]) {
    let Ok(script) = script::Script::read(bytes) else { return };
    // What a script says, for one that failed.
    if std::env::var_os("RETRIAL_FUZZ_TELL").is_some() {
        eprintln!("{script:#?}");
    }
    let mut world = world::World::new(&script.setup);
    for step in &script.steps {
        world.step(step);
    }
    world.end(script.has_wild_pasts());
}
