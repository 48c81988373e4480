//# error: the trait bound `Failure: std::error::Error` is not satisfied

use retrial::Failure;

fn error(_: impl std::error::Error) {}

fn main() {
    error(Failure::dead("no"));
}
