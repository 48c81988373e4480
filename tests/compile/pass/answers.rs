//! Everything a handler may return.

use retrial::{App, Failure, IntoOutcome, Outcome, blocking, handler};

async fn nothing() {}

async fn outcome() -> Outcome {
    Outcome::Done
}

async fn failure() -> Result<(), Failure> {
    let _: u8 = "3".parse()?;
    std::fs::metadata("/")?;
    anyhow::Ok(())?;
    Err("text".to_owned())?;
    Err(Failure::dead("no"))
}

async fn own_error() -> Result<(), std::io::Error> {
    Ok(())
}

async fn any_error() -> anyhow::Result<()> {
    Ok(())
}

async fn boxed_error() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
    Ok(())
}

async fn text() -> Result<(), String> {
    Ok(())
}

async fn outcome_or_error() -> Result<Outcome, Failure> {
    Ok(Outcome::Discard("twice".to_owned()))
}

/// An answer of the user's own.
struct Settled;

impl IntoOutcome for Settled {
    fn into_outcome(self) -> Result<Outcome, Failure> {
        Ok(Outcome::Done)
    }
}

async fn own_answer() -> Result<Settled, Failure> {
    Ok(Settled)
}

async fn mapped() -> Result<(), Failure> {
    std::fs::metadata("/").map(|_| ()).map_err(Failure::retry)
}

fn main() {
    let app = App::group("billing")
        .topic("a", handler(nothing))
        .topic("b", handler(outcome))
        .topic("c", handler(failure))
        .topic("d", handler(own_error))
        .topic("e", handler(any_error))
        .topic("f", handler(boxed_error))
        .topic("g", handler(text))
        .topic("h", handler(outcome_or_error))
        .topic("i", handler(own_answer))
        .topic("j", handler(mapped))
        .topic("k", blocking(|| -> Result<(), std::io::Error> { Ok(()) }))
        .build();
    assert_eq!(app.unwrap().topics().count(), 11);
}
