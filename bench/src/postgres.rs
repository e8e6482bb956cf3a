//! PostgreSQL: the server that `ORQUIVA_BENCH_POSTGRES` names, or one to throw away, as durable as it is by default.

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, bail, ensure};
use tempfile::TempDir;
use tokio_postgres::NoTls;
use url::Url;
use xtask::{Cluster, programs};

use crate::machine::{self, Process};

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
        let folder = tempfile::Builder::new().prefix("bench-postgres-").tempdir_in(target)?;
        let Some(cluster) = Cluster::make(folder.path())? else { return Ok(None) };
        let mut settings = vec!["shared_buffers=512MB", "max_connections=200"];
        if counting {
            settings.extend(["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.max=10000"]);
        }
        let mut server = Process::new(cluster.start(&settings)?, "INT");
        cluster.wait_until_up(|| Ok(server.has_ended()?.is_some()))?;
        let url = cluster.url("postgres").parse()?;
        Self::connect(url, programs, Some(server), Some(folder)).await.map(Some)
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
