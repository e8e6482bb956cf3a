//! `orquiva listen` and `orquiva trigger`, as whoever builds a receiver uses them.

use std::io::{BufRead as _, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};

use orquiva_core::time::SystemClock;
use orquiva_core::webhook::signature::Signer;
use orquiva_core::{Clock as _, Secret};
use serde_json::{Value, json};

use crate::harness::Receiver;
use crate::process::{Installation, on_both_installed};

/// A developer: a client of a running server, named by variables.
struct Developer<'i> {
    installed: &'i Installation,
    server: String,
    id: String,
    secret: String,
}

impl Developer<'_> {
    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.installed.command(args);
        command.env("ORQUIVA_SERVER", &self.server).env("ORQUIVA_CLIENT_ID", &self.id);
        command.env("ORQUIVA_CLIENT_SECRET", &self.secret);
        command
    }

    /// Starts `orquiva listen` and reads its first line.
    fn listen(&self, args: &[&str]) -> (Listening, Value) {
        let mut command = self.command(&[&["listen", "--json"], args].concat());
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut listening = Listening { child, lines };
        let first = listening.next().unwrap();
        (listening, first)
    }

    /// What `orquiva trigger` does, line by line.
    fn trigger(&self, args: &[&str]) -> Vec<Value> {
        let output = self.command(&[&["trigger", "--json"], args].concat()).output().unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout.lines().map(|line| serde_json::from_str(&line.unwrap()).unwrap()).collect()
    }

    /// What a command says that has to fail.
    fn refusal(&self, args: &[&str]) -> String {
        let output = self.command(args).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

/// A running `orquiva listen`.
struct Listening {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Drop for Listening {
    fn drop(&mut self) {
        drop(self.child.kill()); // it may have ended already
        drop(self.child.wait());
    }
}

impl Listening {
    /// The next line; nothing once it has ended.
    fn next(&mut self) -> Option<Value> {
        self.lines.next().map(|line| serde_json::from_str(&line.unwrap()).unwrap())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_triggered_reaches_a_program_on_this_machine_signed_and_goes_again() {
    on_both_installed(async |installed| {
        let (id, secret) = installed.client();
        let server = installed.serve();
        let developer = Developer { installed: &installed, server: server.url.clone(), id, secret };
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(204, &[]), (418, &[])]);
        let (mut listening, first) =
            developer.listen(&["--forward-to", &receiver.url, "--events", "employee.*", "--count", "2"]);
        assert_eq!((&first["listening"], &first["forwardTo"]), (&json!(true), &json!(receiver.url)));

        let steps = developer.trigger(&["employee.created"]);
        let methods: Vec<_> = steps.iter().map(|step| step["method"].as_str().unwrap()).collect();
        assert_eq!(methods, ["POST", "DELETE"]);
        let shown: Vec<_> = std::iter::from_fn(|| listening.next()).collect();
        let told: Vec<_> = shown.iter().map(|line| (&line["type"], &line["answer"]["status"])).collect();
        let (created, deleted) = (json!("employee.created"), json!("employee.deleted"));
        assert_eq!(told, [(&created, &json!(204)), (&deleted, &json!(418))]);
        assert_eq!(shown[0]["event"]["data"]["fullName"], "Alex Prueba");
        assert!(listening.child.wait().unwrap().success(), "it ends when it has had what it was to have");

        let signer = Signer::new(&Secret::new(first["secret"].as_str().unwrap()));
        for ((headers, body), line) in receiver.got().iter().zip(&shown) {
            let signature = headers["x-orq-signature"].to_str().unwrap();
            assert!(signer.verifies(signature, body, SystemClock::default().now(), 60_000));
            assert_eq!(headers["webhook-id"], line["id"].as_str().unwrap());
            assert_eq!(headers["x-orq-event-type"], line["type"].as_str().unwrap());
            assert_eq!(serde_json::from_slice::<Value>(body).unwrap(), line["event"], "as the log tells it");
        }
        let (_, again) = developer.listen(&["--events", "employee.*"]);
        assert_eq!(again["secret"], first["secret"], "the receiver's settings need no change");

        for event in ["employee.updated", "employee.termination_scheduled", "employee.rehired"] {
            developer.trigger(&[event]);
        }
        // All of them in turn, however long the server takes to give them their places.
        let (mut all, _) = developer.listen(&["--after", "0", "--count", "12"]);
        let types: Vec<_> = std::iter::from_fn(|| all.next()).map(|line| line["type"].clone()).collect();
        for wanted in ["employee.updated", "employee.termination_scheduled", "employee.rehired"] {
            assert!(types.contains(&json!(wanted)), "{wanted} happened: {types:?}");
        }
        let token = server.token(&developer.id, &developer.secret).await.1["access_token"].clone();
        let people = server.call(token.as_str().unwrap(), http::Method::GET, "/v1/employees", &Value::Null);
        assert_eq!(people.await.unwrap().1["data"], json!([]), "nobody is left");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_comes_back_to_a_server_that_was_killed_and_misses_nothing() {
    on_both_installed(async |installed| {
        let (id, secret) = installed.client();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let at = format!("127.0.0.1:{port}");
        let serve = || {
            let mut command = installed.command(&["serve", "--listen", &at]);
            installed.start(command.stderr(Stdio::null()))
        };
        let mut server = serve();
        let developer = Developer { installed: &installed, server: server.url.clone(), id, secret };
        let receiver = Receiver::start().await;
        let (mut listening, _) = developer.listen(&["--forward-to", &receiver.url, "--count", "6"]);
        developer.trigger(&["department.created"]);
        assert_eq!(listening.next().unwrap()["sequence"], 1);
        server.kill();
        server = serve();
        developer.trigger(&["department.updated"]); // most likely before the listener is back
        developer.trigger(&["department.created", "--keep"]);
        let sequences: Vec<_> =
            std::iter::from_fn(|| listening.next()).map(|line| line["sequence"].as_i64().unwrap()).collect();
        assert_eq!(sequences, [2, 3, 4, 5, 6]);
        drop(server);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_done_is_said_at_once() {
    on_both_installed(async |installed| {
        let (id, secret) = installed.client();
        let server = installed.serve();
        let mut developer = Developer { installed: &installed, server: server.url.clone(), id, secret };
        for (args, said) in [
            (vec!["listen", "--events", "employe.created"], "employee.created"),
            (vec!["listen", "--client-secret", "orqs_wrong"], "401"),
            (vec!["listen", "--secret", "whsec_short"], "24 to 64 bytes"),
            (vec!["listen", "--after", "99"], "Last-Event-ID"),
            (vec!["trigger", "employee.created", "--client-secret", "orqs_wrong"], "401"),
            (vec!["trigger", "employee.started"], "there are: employee.created"),
        ] {
            let refusal = developer.refusal(&args);
            assert!(refusal.contains(said), "{args:?}: {refusal}");
        }
        developer.server = "https://api.example.com".to_owned();
        assert!(developer.refusal(&["trigger", "employee.created"]).contains("--real"));
        drop(server);
        developer.server = "http://127.0.0.1:1".to_owned();
        assert!(developer.refusal(&["listen"]).contains("does not answer"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_reads_along_sees_a_line_for_each_event() {
    on_both_installed(async |installed| {
        let (id, secret) = installed.client();
        let server = installed.serve();
        let developer = Developer { installed: &installed, server: server.url.clone(), id, secret };
        developer.trigger(&["department.created", "--keep"]);
        let receiver = Receiver::start().await;
        let args = ["listen", "--forward-to", &receiver.url, "--after", "0", "--count", "1"];
        let output = developer.command(&args).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let last = text.lines().last().unwrap();
        assert!(last.contains("#1  department.created  evt_") && last.contains("→ 204"), "{text}");
        assert!(
            text.contains("signed with whsec_") && !text.contains('\x1b'),
            "no colours in a file: {text}"
        );
    })
    .await;
}
