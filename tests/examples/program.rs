//! Examples: their sources, the programs built of them, and running those.

use std::{
    env, fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::mpsc::channel,
    thread,
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};

/// How long an example may run.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);

/// One example: a file, or a folder with `main.rs`.
pub(crate) struct Example {
    pub(crate) name: String,
    pub(crate) main: PathBuf,
    pub(crate) sources: Vec<PathBuf>,
}

impl Example {
    /// All there are, by name.
    pub(crate) fn all() -> Vec<Self> {
        let mut examples: Vec<Self> =
            entries(&Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).filter_map(Self::at).collect();
        examples.sort_by(|one, other| one.name.cmp(&other.name));
        examples
    }

    fn at(path: PathBuf) -> Option<Self> {
        let name = path.file_stem()?.to_str()?.to_owned();
        if !path.is_dir() {
            return is_source(&path).then(|| Self { name, main: path.clone(), sources: vec![path] });
        }
        let main = path.join("main.rs");
        main.exists().then(|| Self { name, main, sources: entries(&path).filter(|path| is_source(path)).collect() })
    }

    /// `cargo test` builds the examples beside the tests.
    pub(crate) fn program(&self) -> Result<Command, String> {
        let test = env::current_exe().expect("this test's own program");
        let profile = test.parent().and_then(Path::parent).expect("the folder of a profile");
        let program = profile.join("examples").join(&self.name);
        let modified = |path: &PathBuf| fs::metadata(path).and_then(|file| file.modified()).ok();
        let built = modified(&program);
        if built.is_some() && self.sources.iter().all(|source| modified(source) <= built) {
            return Ok(Command::new(program));
        }
        Err("not built as it is now: run `cargo build --examples`, or `cargo test` without naming a test".to_owned())
    }
}

fn entries(folder: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path())
}

fn is_source(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "rs")
}

/// `None` if it did not end in time. Then it is killed.
pub(crate) fn run(command: &mut Command, limit: Duration) -> Option<Output> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let child = command.spawn().expect("a program that was built");
    let id = Pid::from_child(&child);
    let (ended, wait) = channel();
    let waiting = thread::spawn(move || ended.send(child.wait_with_output()));
    let output = wait.recv_timeout(limit);
    if output.is_err() {
        let _ = kill_process(id, Signal::KILL);
    }
    let _ = waiting.join();
    output.ok().map(|output| output.expect("its output"))
}

#[test]
fn a_program_that_does_not_end_is_killed() {
    let ended = run(Command::new("echo").arg("a line"), LIMIT).expect("it ends");
    assert!(ended.status.success() && ended.stdout == b"a line\n");
    assert!(run(Command::new("sleep").arg("1000"), Duration::from_millis(100)).is_none());
}
