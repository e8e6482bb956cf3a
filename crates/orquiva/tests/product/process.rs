//! The real program as a process: what the other tests, in process, cannot show.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::fresh_postgres;

/// An installation: a data folder, and a PostgreSQL schema or none.
pub(crate) struct Installation {
    pub(crate) folder: TempDir,
    pub(crate) database_url: Option<String>,
}

/// Runs `test` on a fresh installation of each engine.
pub(crate) async fn on_both_installed(test: impl AsyncFn(Installation)) {
    test(Installation { folder: tempfile::tempdir().unwrap(), database_url: None }).await;
    if let Some(url) = fresh_postgres().await {
        test(Installation { folder: tempfile::tempdir().unwrap(), database_url: Some(url) }).await;
    }
}

impl Installation {
    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The program with these arguments.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_orquiva"));
        command.args(args).env("ORQUIVA_DATA_DIR", self.data_dir()).current_dir(self.folder.path());
        match &self.database_url {
            Some(url) => command.env("ORQUIVA_DATABASE_URL", url),
            None => command.env_remove("ORQUIVA_DATABASE_URL"),
        };
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// Runs a command that has to succeed, and reads what it prints as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--json"]].concat());
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that has to fail, and returns what it says.
    pub(crate) fn refusal(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }

    /// A company on Enterprise, and the id and secret of its client.
    pub(crate) fn client(&self) -> (String, String) {
        let company = self.json(&["company", "create", "--name", "Acme", "--plan", "enterprise"]);
        let client =
            self.json(&["client", "create", "--company", company["id"].as_str().unwrap(), "--name", "test"]);
        let text = |name: &str| client[name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    /// Starts the server and waits until it says where it listens.
    pub(crate) fn serve(&self) -> Server {
        let mut command = self.command(&["serve", "--listen", "127.0.0.1:0", "--allow-private-webhooks"]);
        self.start(command.stderr(Stdio::null()))
    }

    /// Starts a server by this command and waits until it says where it listens.
    pub(crate) fn start(&self, command: &mut Command) -> Server {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("Orquiva listens on ").expect("the server came up").to_owned();
        Server { child, url, http: Client::builder(TokioExecutor::new()).build_http() }
    }
}

/// A running server. It is killed when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    http: Client<HttpConnector, Full<Bytes>>,
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Server {
    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        drop(self.child.kill()); // it may be dead already
        drop(self.child.wait());
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> String {
        self.child.id().to_string()
    }

    /// Asks it to stop and waits until it has; its exit status.
    pub(crate) async fn stop(&mut self) -> Option<i32> {
        assert!(Command::new("kill").arg(self.pid()).status().unwrap().success());
        for _ in 0..200 {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the server did not stop");
    }

    /// A token.
    pub(crate) async fn token(&self, id: &str, secret: &str) -> (u16, Value) {
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={secret}");
        let request = Request::post(format!("{}/oauth/token", self.url))
            .header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Full::from(form)).unwrap()).await.unwrap()
    }

    /// Status and body of a call; nothing if the server broke off.
    pub(crate) async fn call(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Option<(u16, Value)> {
        let body = if *body == json!(null) { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("authorization", format!("Bearer {token}"));
        self.send(request.body(Full::from(body)).unwrap()).await
    }

    /// Hires someone under a key; status, `Retry-After` and body, and nothing if the server broke off.
    pub(crate) async fn hire(
        &self,
        token: &str,
        key: &str,
        body: &Value,
    ) -> Option<(u16, Option<String>, Value)> {
        let request = Request::post(format!("{}/v1/employees", self.url))
            .header("authorization", format!("Bearer {token}"))
            .header("idempotency-key", key);
        let response = self.http.request(request.body(Full::from(body.to_string())).unwrap()).await.ok()?;
        let (status, after) = (response.status().as_u16(), response.headers().get("retry-after").cloned());
        let body = response.into_body().collect().await.ok()?.to_bytes();
        let after = after.map(|after| after.to_str().unwrap().to_owned());
        Some((status, after, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Option<(u16, Value)> {
        let response = self.http.request(request).await.ok()?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await.ok()?.to_bytes();
        Some((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    }
}
