//! PostgreSQL: the server that `ORQUIVA_BENCH_POSTGRES` names, or one to throw away, as durable as it is by default.

use std::cell::Cell;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use url::Url;

use crate::machine::{self, Process};

/// The user whom PostgreSQL runs as when this program is root's: as root it refuses.
const ACCOUNT: &str = "postgres";

/// A PostgreSQL server.
pub(crate) struct Postgres {
    url: Url,
    programs: Option<PathBuf>,
    databases: Cell<u32>,
    /// The process that all others of the server descend from, if it runs on this machine.
    pub(crate) postmaster: Option<u32>,
    pub(crate) version: String,
    // In this order: the server ends before its folder goes.
    _server: Option<Process>,
    _folder: Option<TempDir>,
}

impl Postgres {
    /// Finds the server, or starts one below `target`; nothing if PostgreSQL is not installed.
    /// With `counting` it counts its statements, which costs something.
    pub(crate) async fn open(target: &Path, counting: bool) -> anyhow::Result<Option<Self>> {
        let programs = programs();
        if let Ok(named) = std::env::var("ORQUIVA_BENCH_POSTGRES") {
            let url = named.parse().context("ORQUIVA_BENCH_POSTGRES is no URL")?;
            return Self::connect(url, programs, None, None).await.map(Some);
        }
        let Some(found) = &programs else { return Ok(None) };
        let folder = tempfile::Builder::new().prefix("bench-postgres-").tempdir_in(target)?;
        let (server, url) = start(found, folder.path(), counting)?;
        let mut server = Process::new(server, "INT");
        for _ in 0..300 {
            if tokio_postgres::connect(url.as_str(), NoTls).await.is_ok() {
                return Self::connect(url, programs, Some(server), Some(folder)).await.map(Some);
            }
            if server.has_ended()?.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let log = std::fs::read_to_string(folder.path().join("log")).unwrap_or_default();
        bail!("PostgreSQL did not come up: {log}")
    }

    async fn connect(
        url: Url,
        programs: Option<PathBuf>,
        server: Option<Process>,
        folder: Option<TempDir>,
    ) -> anyhow::Result<Self> {
        let client = client(&url).await?;
        let row = client.query_one("select pg_backend_pid(), current_setting('server_version')", &[]).await?;
        let backend = u32::try_from(row.get::<_, i32>(0))?;
        let is_here = std::fs::read_to_string(format!("/proc/{backend}/comm"));
        let is_here = is_here.is_ok_and(|name| name.starts_with("postgres"));
        let postmaster = is_here.then(|| machine::parent(backend)).flatten();
        if postmaster.is_none() {
            eprintln!("PostgreSQL runs elsewhere: its CPU time is not counted");
        }
        let version: String = row.get(1);
        let version = version.split(' ').next().unwrap_or_default().to_owned();
        let databases = Cell::new(0);
        Ok(Self { url, programs, databases, postmaster, version, _server: server, _folder: folder })
    }

    /// Makes an empty database and returns its address.
    pub(crate) async fn fresh_database(&self) -> anyhow::Result<Url> {
        self.databases.set(self.databases.get() + 1);
        let name = format!("orquiva_bench_{}_{}", std::process::id(), self.databases.get());
        client(&self.url).await?.batch_execute(&format!("create database {name}")).await?;
        let mut url = self.url.clone();
        url.set_path(&name);
        Ok(url)
    }

    /// Removes the databases that were made, for a server that stays.
    pub(crate) async fn clean(&self) -> anyhow::Result<()> {
        let client = client(&self.url).await?;
        for number in 1..=self.databases.get() {
            let name = format!("orquiva_bench_{}_{number}", std::process::id());
            client.batch_execute(&format!("drop database if exists {name} with (force)")).await?;
        }
        Ok(())
    }

    /// Runs a script with pgbench over 64 prepared connections; returns transactions and their rate.
    /// `base` is where the script's numbers begin.
    pub(crate) fn pgbench(
        &self,
        url: &Url,
        script: &Path,
        base: u64,
        seconds: u64,
    ) -> anyhow::Result<(u64, f64)> {
        let beside = self.programs.as_ref().map(|folder| folder.join("pgbench"));
        let pgbench = beside.filter(|file| file.is_file()).unwrap_or_else(|| "pgbench".into());
        let mut command = Command::new(pgbench);
        command.args(["-n", "-c", "64", "-j", "2", "-M", "prepared", "-T", &seconds.to_string()]);
        command.args(["-D", &format!("base={base}"), "-D", "turn=0", "-f"]).arg(script).arg(url.as_str());
        let output = command.output().context("pgbench cannot be run")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "pgbench ended with {}: {complaint}", output.status);
        let number = |before: &str| -> Option<f64> {
            let (_, rest) = text.split_once(before)?;
            rest.split_whitespace().next()?.parse().ok()
        };
        let transactions = number("number of transactions actually processed: ");
        let (Some(transactions), Some(rate)) = (transactions, number("tps = ")) else {
            bail!("pgbench said something else than usual: {text}{complaint}")
        };
        Ok((transactions as u64, rate))
    }
}

/// A connection of our own, for looking into a database.
pub(crate) async fn client(url: &Url) -> anyhow::Result<tokio_postgres::Client> {
    let connected = tokio_postgres::connect(url.as_str(), NoTls).await;
    let (client, driver) = connected.context("PostgreSQL cannot be reached")?;
    tokio::spawn(async move { drop(driver.await) });
    Ok(client)
}

/// Starts a server on a free port of this machine.
fn start(programs: &Path, folder: &Path, counting: bool) -> anyhow::Result<(std::process::Child, Url)> {
    let id = Command::new("id").arg("-u").output().context("id cannot be run")?;
    let as_root = id.stdout.trim_ascii() == b"0";
    if as_root {
        let owner = Command::new("chown").arg(ACCOUNT).arg(folder).status()?;
        ensure!(owner.success(), "the folder cannot be given to the user {ACCOUNT}");
    }
    let data = folder.join("data");
    let mut initdb = program(programs, "initdb", as_root);
    initdb.args(["--auth=trust", "--username=orquiva", "--encoding=UTF8", "--locale=C", "--pgdata"]);
    let made = initdb.arg(&data).stdout(Stdio::null()).current_dir(folder).status()?;
    ensure!(made.success(), "initdb ended with {made}");
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port().to_string();
    let mut server = program(programs, "postgres", as_root);
    server.arg("-D").arg(&data).args(["-h", "127.0.0.1", "-p", &port]);
    for setting in ["unix_socket_directories=", "shared_buffers=512MB", "max_connections=200"] {
        server.args(["-c", setting]);
    }
    if counting {
        server.args([
            "-c",
            "shared_preload_libraries=pg_stat_statements",
            "-c",
            "pg_stat_statements.max=10000",
        ]);
    }
    let log = std::fs::File::create(folder.join("log"))?;
    let server = server.stdin(Stdio::null()).stderr(log.try_clone()?).stdout(log).current_dir(folder);
    let server = server.spawn().context("postgres cannot be started")?;
    Ok((server, format!("postgres://orquiva@127.0.0.1:{port}/postgres").parse()?))
}

/// The folder of PostgreSQL's programs: on the path, or where Debian keeps them, the newest version.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let mut on_path = std::env::split_paths(&path).map(|folder| folder.join("initdb"));
    let on_path = on_path.find(|file| file.is_file()).and_then(|file| file.canonicalize().ok());
    on_path.and_then(|file| file.parent().map(Path::to_owned)).or_else(|| {
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
