//! A PostgreSQL to throw away: a folder of its own, a free port of this machine, gone with whoever started it.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};

use crate::tools;
use crate::watch::Watch;

/// The user whom PostgreSQL runs as when the chore is root's: as root it refuses.
const ACCOUNT: &str = "postgres";

/// A server's folder, and what it takes to run a server over it.
pub struct Cluster {
    programs: PathBuf,
    folder: PathBuf,
    port: u16,
    as_root: bool,
}

impl Cluster {
    /// Makes one in an empty folder; nothing if PostgreSQL is not installed.
    pub fn make(folder: &Path) -> anyhow::Result<Option<Self>> {
        let Some(programs) = programs() else { return Ok(None) };
        let as_root = tools::is_root()?;
        if as_root {
            let owner = Command::new("chown").arg(ACCOUNT).arg(folder).status()?;
            ensure!(owner.success(), "the folder cannot be given to the user {ACCOUNT}");
        }
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let made = Self { programs, folder: folder.to_owned(), port, as_root };
        let mut initdb = made.program("initdb");
        initdb.args(["--auth=trust", "--username=orquiva", "--encoding=UTF8", "--locale=C", "--pgdata"]);
        let status = initdb.arg(folder.join("data")).stdout(Stdio::null()).current_dir(folder).status()?;
        ensure!(status.success(), "initdb ended with {status}");
        Ok(Some(made))
    }

    /// Starts a server with these settings. It ends in good order on SIGINT, at once on SIGQUIT; afterwards another one can
    /// be started.
    pub fn start(&self, settings: &[&str]) -> anyhow::Result<Child> {
        let mut server = self.program("postgres");
        server.arg("-D").arg(self.folder.join("data")).args([
            "-h",
            "127.0.0.1",
            "-p",
            &self.port.to_string(),
        ]);
        for setting in ["unix_socket_directories="].iter().chain(settings) {
            server.args(["-c", setting]);
        }
        let log = std::fs::File::options().create(true).append(true).open(self.log())?;
        let server = server.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log);
        let server = server.process_group(0).current_dir(&self.folder).spawn();
        server.context("postgres cannot be started")
    }

    /// Waits until a server answers, if it has not ended before.
    pub fn wait_until_up(&self, mut has_ended: impl FnMut() -> anyhow::Result<bool>) -> anyhow::Result<()> {
        for _ in 0..600 {
            if self.client("pg_isready").arg("--quiet").status()?.success() {
                return Ok(());
            }
            if has_ended()? {
                break;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        bail!("PostgreSQL did not come up: {}", std::fs::read_to_string(self.log()).unwrap_or_default())
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

    fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// A program that speaks to the server.
    fn client(&self, name: &str) -> Command {
        let mut client = Command::new(self.programs.join(name));
        client.args(["-h", "127.0.0.1", "-U", "orquiva", "-p", &self.port.to_string()]);
        client
    }

    /// One of the server's programs, run as [`ACCOUNT`] where this process is root's.
    fn program(&self, name: &str) -> Command {
        let file = self.programs.join(name);
        if !self.as_root {
            return Command::new(file);
        }
        let mut command = Command::new("setpriv");
        command.args(["--reuid", ACCOUNT, "--regid", ACCOUNT, "--clear-groups"]).arg(file);
        command
    }
}

/// A running server, which goes with the chore.
pub struct Postgres(Cluster);

impl Postgres {
    /// Starts a server; a missing PostgreSQL is installed where that is possible.
    pub fn start(watch: &mut Watch) -> anyhow::Result<Self> {
        if programs().is_none() {
            tools::install("postgresql").context("PostgreSQL is missing")?;
        }
        let folder = watch.folder("postgres")?;
        let cluster = Cluster::make(&folder)?.context("PostgreSQL was installed and is not found")?;
        watch.server(cluster.start(&["max_connections=500"])?)?;
        cluster.wait_until_up(|| watch.server_has_ended())?;
        Ok(Self(cluster))
    }

    /// The address of a database.
    pub fn url(&self, database: &str) -> String {
        self.0.url(database)
    }

    /// Makes an empty database and returns its address.
    pub fn fresh_database(&self, name: &str) -> anyhow::Result<String> {
        self.0.fresh_database(name)
    }
}

/// The folder of PostgreSQL's programs: on the path, or where Debian keeps them, the newest version.
pub fn programs() -> Option<PathBuf> {
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
