//! A schema registry within the test process.
