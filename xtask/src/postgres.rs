//! A PostgreSQL to throw away: a folder of its own, a free port of this machine, gone with the chore.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::tools;
use crate::watch::Watch;

/// The user whom PostgreSQL runs as when the chore is root's: as root it refuses.
const ACCOUNT: &str = "postgres";

/// A running server.
pub struct Postgres {
    programs: PathBuf,
    port: u16,
}

impl Postgres {
    /// Starts a server; a missing PostgreSQL is installed where that is possible.
    pub fn start(watch: &mut Watch) -> anyhow::Result<Self> {
        let programs = match programs() {
            Some(found) => found,
            None => {
                tools::install("postgresql").context("PostgreSQL is missing")?;
                programs().context("PostgreSQL was installed and is not found")?
            }
        };
        let folder = watch.folder("postgres")?;
        let data = folder.join("data");
        let as_root = tools::is_root()?;
        if as_root {
            let owner = Command::new("chown").arg(ACCOUNT).arg(&folder).status()?;
            ensure!(owner.success(), "the folder cannot be given to the user {ACCOUNT}");
        }
        let mut initdb = program(&programs, "initdb", as_root);
        initdb.args(["--auth=trust", "--username=orquiva", "--encoding=UTF8", "--locale=C", "--pgdata"]);
        let made = initdb.arg(&data).stdout(Stdio::null()).current_dir(&folder).status()?;
        ensure!(made.success(), "initdb ended with {made}");

        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut server = program(&programs, "postgres", as_root);
        server.arg("-D").arg(&data).arg("-k").arg(&folder).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        let log = std::fs::File::create(folder.join("log"))?;
        let server = server.args(["-c", "max_connections=500"]).stderr(log.try_clone()?).stdout(log);
        let server = server.process_group(0).current_dir(&folder).spawn().context("postgres")?;
        watch.server(server)?;
        let started = Self { programs, port };
        started.wait_until_up(watch, &folder)?;
        Ok(started)
    }

    fn wait_until_up(&self, watch: &mut Watch, folder: &Path) -> anyhow::Result<()> {
        for _ in 0..300 {
            let ready = self.client("pg_isready").arg("--quiet").status()?;
            if ready.success() {
                return Ok(());
            }
            if watch.server_has_ended()? {
                break;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
        bail!("PostgreSQL did not come up: {log}")
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://orquiva@127.0.0.1:{}/{database}", self.port)
    }

    /// Makes an empty database and returns its address.
    pub fn fresh_database(&self, name: &str) -> anyhow::Result<String> {
        let made = self.client("createdb").arg(name).status()?;
        ensure!(made.success(), "createdb ended with {made}");
        Ok(self.url(name))
    }

    fn client(&self, name: &str) -> Command {
        let mut client = Command::new(self.programs.join(name));
        client.args(["-h", "127.0.0.1", "-U", "orquiva", "-p", &self.port.to_string()]);
        client
    }
}

/// The folder of PostgreSQL's programs: on the path, or where Debian keeps them, the newest version.
fn programs() -> Option<PathBuf> {
    let on_path = tools::find("initdb").and_then(|file| file.canonicalize().ok());
    let on_path = on_path.and_then(|file| file.parent().map(Path::to_owned));
    on_path.or_else(|| {
        let versions = std::fs::read_dir("/usr/lib/postgresql").ok()?;
        let number = |folder: &PathBuf| folder.file_name()?.to_str()?.parse::<u32>().ok();
        let versions = versions.filter_map(|entry| Some(entry.ok()?.path()));
        let newest = versions.filter(|folder| folder.join("bin/initdb").is_file()).max_by_key(number)?;
        Some(newest.join("bin"))
    })
}

/// One of the server's programs, run as [`ACCOUNT`] where this process is root's.
fn program(programs: &Path, name: &str, as_root: bool) -> Command {
    let file = programs.join(name);
    if !as_root {
        return Command::new(file);
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]).arg(file);
    command
}
