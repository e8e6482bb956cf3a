//! The tools that the machine has to have, and where they come from if it has not.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};

/// The full path of a program.
pub fn find(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|folder| folder.join(name)).find(|file| file.is_file())
}

/// Makes sure that a program is there; a missing one is installed from its Debian package where that is possible.
pub fn need(name: &str, package: &str) -> anyhow::Result<()> {
    match find(name) {
        Some(_) => Ok(()),
        None => install(package).with_context(|| format!("{name} is missing")),
    }
}

/// Installs a Debian package.
pub fn install(package: &str) -> anyhow::Result<()> {
    if find("apt-get").is_none() || !is_root()? {
        bail!(
            "install {package} (on Debian, as root: apt-get install {package}), or choose steps with --only"
        );
    }
    for args in [&["update"][..], &["install", "--yes", "--no-install-recommends", package]] {
        let mut apt = Command::new("apt-get");
        let status = apt.arg("--quiet").args(args).env("DEBIAN_FRONTEND", "noninteractive").status()?;
        if !status.success() {
            bail!("apt-get {} ended with {status}: install {package} by hand", args[0]);
        }
    }
    Ok(())
}

/// Whether this process is root's.
pub fn is_root() -> anyhow::Result<bool> {
    let id = Command::new("id").arg("-u").stderr(Stdio::inherit()).output().context("id cannot be run")?;
    Ok(id.stdout.trim_ascii() == b"0")
}
