//! This program, run again as a child for one task.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Command, Stdio};

use anyhow::{Context as _, ensure};

use crate::machine::Process;

/// Starts the task and returns the line by which it says that it is up.
pub(crate) fn start(args: &[&str]) -> anyhow::Result<(Process, String)> {
    let mut command = Command::new(std::env::current_exe()?);
    let command = command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().context("a pipe")?;
    let process = Process::new(child, "TERM");
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    ensure!(!line.is_empty(), "{} did not start", args.join(" "));
    Ok((process, line.trim().to_owned()))
}

/// Says that the task is up. From now on it ends with its parent: then there is nothing more to read.
#[expect(clippy::print_stdout, reason = "how a child tells its parent where it listens")]
pub(crate) fn up(line: &str) {
    println!("{line}");
    std::thread::spawn(|| {
        drop(std::io::stdin().read(&mut [0]));
        std::process::exit(0);
    });
}
