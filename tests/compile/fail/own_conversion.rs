//# error: conflicting implementations of trait `From<BankError>` for type `Failure`

use retrial::Failure;

#[derive(Debug)]
struct BankError;

impl std::fmt::Display for BankError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("bank")
    }
}

impl std::error::Error for BankError {}

// `classify` is the way to say what becomes of an error.
impl From<BankError> for Failure {
    fn from(_: BankError) -> Self {
        Failure::dead("bank")
    }
}

fn main() {}
