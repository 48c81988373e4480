//! `retrial config`, as a process.

use std::{fs, path::Path, process::Command};

/// Exit code, standard output, standard error.
fn retrial(arguments: &[&str], folder: &Path, variables: &[(&str, &str)]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_retrial"));
    std::env::vars().filter(|(name, _)| name.starts_with("RETRIAL_")).for_each(|(name, _)| {
        command.env_remove(name);
    });
    let output =
        command.args(arguments).current_dir(folder).envs(variables.iter().copied()).output().expect("a process");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn a_file_is_checked_before_it_is_rolled_out() {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |text: &str| fs::write(folder.path().join("retrial.toml"), text).expect("a file");
    write("[service]\ndrain = \"10s\"\n[properties]\n\"sasl.password\" = \"hunter2\"\n");
    let (code, said, _) = retrial(&["config", "check", "retrial.toml"], folder.path(), &[]);
    assert_eq!((code, &*said), (0, "retrial.toml: 2 settings, all understood\n"));

    write("[service]\ndrian = \"10s\"\nmemory = \"much\"\n");
    let (code, _, said) = retrial(&["config", "check", "retrial.toml"], folder.path(), &[]);
    assert_eq!(code, 2);
    assert!(
        said.contains(
            "retrial.toml:2: service.drian = \"10s\": there is no such setting; the nearest is service.drain"
        ),
        "{said}"
    );
    assert!(said.contains("retrial.toml:3: service.memory = \"much\": allowed is a number of bytes"), "{said}");

    write("[properties]\n\"no.such.property\" = \"hunter2\"\n");
    let (code, _, said) = retrial(&["config", "check", "retrial.toml"], folder.path(), &[]);
    assert!(code == 2 && said.contains("no.such.property") && !said.contains("hunter2"), "{said}");
}

#[test]
fn what_holds_is_printed_with_who_said_it_and_the_example_holds_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    let (code, example, _) = retrial(&["config", "example"], folder.path(), &[]);
    assert_eq!(code, 0);
    let file = "retrial.toml";
    fs::write(folder.path().join(file), &example).expect("a file");
    assert_eq!(retrial(&["config", "check", file], folder.path(), &[]).0, 0);
    fs::write(folder.path().join(file), "[service]\ndrain = \"10s\"\nmemory = \"1GiB\"\n").expect("a file");
    let variables = [("RETRIAL_DRAIN", "3s"), ("RETRIAL_PROPERTY_SASL_PASSWORD", "hunter2")];
    let (code, shown, _) = retrial(&["config", "print", "--effective", file], folder.path(), &variables);
    assert_eq!(code, 0);
    for line in [
        "service.drain = \"3s\"  # RETRIAL_DRAIN",
        "service.memory = \"1GiB\"  # retrial.toml:3",
        "service.commit-early = \"500\"  # default",
        "properties.sasl.password = \"***\"  # RETRIAL_PROPERTY_SASL_PASSWORD",
    ] {
        assert!(shown.lines().any(|is| is == line), "{line} in {shown}");
    }
}
