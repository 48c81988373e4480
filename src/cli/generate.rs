//! Completions and man pages, from the same description as `--help`.

use super::{
    Arguments,
    end::{End, Ended, Trouble},
};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::{fs, io::Write, path::PathBuf};

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  retrial completions bash > /etc/bash_completion.d/retrial")]
pub(super) struct Completions {
    /// The shell.
    shell: Shell,
}

#[derive(Args, Debug)]
#[command(after_help = "Example:\n  retrial man /usr/local/share/man/man1")]
pub(super) struct Man {
    /// The folder to write them to; it is made if it is missing.
    folder: PathBuf,
}

pub(super) fn completions(arguments: &Completions) -> Ended {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Arguments::command(), "retrial", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(End::Done)
}

pub(super) fn man(arguments: &Man) -> Ended {
    let folder = &arguments.folder;
    let unwritable = |error: std::io::Error| Trouble::failed(format!("{}: {error}", folder.display()));
    fs::create_dir_all(folder).map_err(unwritable)?;
    clap_mangen::generate_to(Arguments::command(), folder).map_err(unwritable)?;
    Ok(End::Done)
}
