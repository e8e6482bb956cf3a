//! The product as it is shipped: its program in a process of its own, over a database of its own.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use futures_util::future::try_join_all;
use orquiva::operator::{create_client, create_company};
use orquiva::settings::Data;
use orquiva::wiring::Base;
use orquiva_core::{Plan, Scopes};
use rusqlite::OpenFlags;
use serde_json::json;
use tempfile::TempDir;
use url::Url;

use crate::bench::Place;
use crate::load::{Connection, request};
use crate::machine::{Process, now};
use crate::postgres;

/// A database that was made for the benchmark, and goes with it.
pub(crate) struct Database {
    folder: TempDir,
    url: Option<Url>,
}

impl Database {
    /// An empty one. Its folder has to be on a real disk: durability is what costs.
    pub(crate) async fn make(place: &Place) -> anyhow::Result<Self> {
        let folder = tempfile::Builder::new().prefix("bench-data-").tempdir_in(&place.target)?;
        let url = match &place.postgres {
            Some(postgres) => Some(postgres.fresh_database().await?),
            None => None,
        };
        Ok(Self { folder, url })
    }

    pub(crate) fn is_embedded(&self) -> bool {
        self.url.is_none()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The file of the embedded one.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder().join("orquiva.db")
    }

    /// The address of the other.
    pub(crate) fn url(&self) -> anyhow::Result<&Url> {
        self.url.as_ref().context("this database is embedded")
    }

    /// Opens it with the product's own library, which brings the schema up to date.
    pub(crate) async fn open(&self) -> anyhow::Result<Base> {
        let data = Data {
            data_dir: self.folder().to_owned(),
            database_url: self.url.as_ref().map(Url::to_string),
            database_writers: 4,
            database_readers: 4,
            master_key: None,
        };
        Base::open(&data).await
    }

    /// The one number that a statement answers.
    pub(crate) async fn count(&self, sql: &str) -> anyhow::Result<u64> {
        let count: i64 = match &self.url {
            Some(url) => postgres::client(url).await?.query_one(sql, &[]).await?.get(0),
            None => {
                let flags = OpenFlags::SQLITE_OPEN_READ_ONLY;
                let connection = rusqlite::Connection::open_with_flags(self.file(), flags)?;
                connection.busy_timeout(Duration::from_secs(10))?;
                connection.query_row(sql, [], |row| row.get(0))?
            }
        };
        Ok(u64::try_from(count)?)
    }

    /// Endpoint and event of every delivery that waits, as a server that was killed left them: what it leaves is looked at in
    /// a copy, so that the next server finds it as it was.
    pub(crate) async fn left_waiting(&self) -> anyhow::Result<Vec<(String, String)>> {
        let sql = "select webhook_id, event_id from delivery where state = 'waiting'";
        let Some(url) = &self.url else {
            let copy = self.folder().join("copy.db");
            for end in ["", "-wal"] {
                let [from, to] = [self.file(), copy.clone()].map(|file| format!("{}{end}", file.display()));
                std::fs::copy(from, to)?;
            }
            let connection = rusqlite::Connection::open(&copy)?;
            let mut statement = connection.prepare(sql)?;
            let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
            return Ok(rows.collect::<Result<_, _>>()?);
        };
        let client = postgres::client(url).await?;
        let others = "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
                         and backend_type = 'client backend'";
        // What it had sent is still carried out.
        while client.query_one(others, &[]).await?.get::<_, i64>(0) > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        Ok(client.query(sql, &[]).await?.iter().map(|row| (row.get(0), row.get(1))).collect())
    }

    /// Lets PostgreSQL clean up at once what it would clean up some time after much was written.
    pub(crate) async fn clean_up(&self) -> anyhow::Result<()> {
        if let Some(url) = &self.url {
            let client = postgres::client(url).await?;
            client.execute("vacuum analyze", &[]).await?;
            client.execute("checkpoint", &[]).await?;
        }
        Ok(())
    }

    /// Waits until no row of a table is left that is `so`: what the server still does in the background belongs
    /// to what was asked of it, and must not disturb what comes next.
    pub(crate) async fn settle(&self, table: &str, so: &str) -> anyhow::Result<()> {
        self.settle_within(table, so, Duration::from_secs(60)).await
    }

    /// The same for what takes longer.
    pub(crate) async fn settle_within(&self, table: &str, so: &str, time: Duration) -> anyhow::Result<()> {
        let any = format!("select count(*) from (select 1 from {table} where {so} limit 1) one");
        let start = now();
        loop {
            // Seldom: on PostgreSQL the question itself costs, as long as the rows that are done are not vacuumed.
            tokio::time::sleep(Duration::from_millis(100)).await;
            if self.count(&any).await? == 0 {
                return Ok(());
            }
            ensure!(start.elapsed() < time, "after {} s {table} still has rows: {so}", time.as_secs());
        }
    }
}

/// A running server.
pub(crate) struct Server {
    process: Process,
    log: PathBuf,
    pub(crate) at: SocketAddr,
    /// From the start of the process to the first answer.
    pub(crate) started_in: Duration,
}

impl Server {
    /// Starts one over `database` and waits for its first answer.
    pub(crate) async fn start(program: &Path, database: &Database) -> anyhow::Result<Self> {
        let log = database.folder().join("log");
        let mut command = Command::new(program);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("ORQUIVA_") {
                command.env_remove(name);
            }
        }
        command.args(["serve", "--listen", "127.0.0.1:0", "--allow-private-webhooks", "--data-dir"]);
        command.arg(database.folder()).env("NO_COLOR", "1");
        // The load comes from one address: it measures what a token costs, not how many one address may have.
        command.env("ORQUIVA_TOKENS_PER_CLIENT", "0").env("ORQUIVA_TOKENS_PER_ADDRESS", "0");
        if let Some(url) = &database.url {
            command.env("ORQUIVA_DATABASE_URL", url.as_str());
        }
        let output = File::options().create(true).append(true).open(&log)?;
        let start = now();
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output).spawn()?;
        let stdout = child.stdout.take();
        let process = Process::new(child, "TERM");
        let mut line = String::new();
        BufReader::new(stdout.context("a pipe")?).read_line(&mut line)?;
        let at = line.trim().rsplit_once("http://").and_then(|(_, at)| at.parse().ok());
        let said = || format!("the server did not start: {line}{}", log_of(&log));
        let at: SocketAddr = at.with_context(said)?;
        let keys = request("GET", "/.well-known/jwks.json", "", "", "");
        Connection::open(at).await?.call(&keys, 200).await?;
        Ok(Self { process, log, at, started_in: start.elapsed() })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.process.kill();
    }

    /// Asks it to end, and waits until it has.
    pub(crate) fn stop(&mut self) {
        self.process.stop();
    }

    /// Every line of its log that someone should look at.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let is_wrong = |line: &&str| line.contains("ERROR") || (line.contains("WARN") && !is_expected(line));
        log_of(&self.log).lines().filter(is_wrong).map(str::to_owned).collect()
    }
}

/// It warns of private addresses, which are asked for here.
fn is_expected(line: &str) -> bool {
    line.contains("private addresses")
}

fn log_of(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap_or_default()
}

/// A company with an API client that may do everything.
pub(crate) struct Account {
    client_id: String,
    secret: String,
    /// An access token, once it was fetched.
    pub(crate) token: String,
}

impl Account {
    /// The request for a token.
    pub(crate) fn token_request(&self) -> Vec<u8> {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={}",
            self.client_id, self.secret
        );
        request("POST", "/oauth/token", "", "application/x-www-form-urlencoded", &form)
    }

    /// Creates an endpoint that is told of hires; its id.
    pub(crate) async fn subscribe(&self, at: SocketAddr, url: &str) -> anyhow::Result<String> {
        let body = json!({ "url": url, "events": ["employee.created"] }).to_string();
        let create = request("POST", "/v1/webhooks", &self.token, "application/json", &body);
        let created = Connection::open(at).await?.call(&create, 201).await?;
        created["id"].as_str().map(str::to_owned).context("the endpoint has no id")
    }
}

/// Creates `count` companies of the largest plan, each with a client, before a server runs.
pub(crate) async fn create_accounts(base: &Base, count: usize) -> anyhow::Result<Vec<Account>> {
    let create = async |number: usize| {
        let company = create_company(base, &format!("Company {number}"), Plan::Enterprise).await?;
        let (id, secret) = create_client(base, company.id, "bench", Scopes::all()).await?;
        let secret = secret.expose().to_owned();
        anyhow::Ok(Account { client_id: id.to_string(), secret, token: String::new() })
    };
    try_join_all((0..count).map(create)).await
}

/// Fetches the token of each account.
pub(crate) async fn fetch_tokens(at: SocketAddr, accounts: &mut [Account]) -> anyhow::Result<()> {
    let mut connection = Connection::open(at).await?;
    for account in accounts {
        let answer = connection.call(&account.token_request(), 200).await?;
        answer["access_token"].as_str().context("no access token")?.clone_into(&mut account.token);
    }
    Ok(())
}
