//! What a process has logged, kept in its memory so that its tests can look.

use std::{
    io,
    sync::{Arc, Mutex, PoisonError},
};

/// A log in memory; its clones write to the same.
///
/// ```
/// use std::io::Write;
///
/// let log = retrial_kafka_for_tests::Log::default();
/// writeln!(log.clone(), "WARN group=billing held").unwrap();
/// assert_eq!(log.lines(&["group=billing", "held"]), ["WARN group=billing held"]);
/// ```
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Lines so far that have all of these words, wherever they stand in them.
    #[must_use]
    pub fn lines(&self, words: &[&str]) -> Vec<String> {
        let bytes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let text = String::from_utf8_lossy(&bytes);
        let has_all = |line: &&str| words.iter().all(|word| line.contains(word));
        text.lines().filter(has_all).map(str::to_owned).collect()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
