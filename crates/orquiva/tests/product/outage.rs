//! The database goes away, or is full, while people are hired and events are delivered: nothing that was acknowledged is
//! lost, and all goes on by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use orquiva_core::Clock as _;
use orquiva_core::time::SystemClock;
use serde_json::{Value, json};
use xtask::Cluster;

use crate::harness::Receiver;
use crate::process::{Installation, Server};

const CLIENTS: usize = 16;

/// Calls of the endpoint at once: so many may be under way when the database goes.
const AT_ONCE: usize = 4;

/// Clients that hire under keys and insist: a hire is sent again until it is acknowledged.
#[derive(Default)]
struct Hiring {
    next: AtomicUsize,
    enough: AtomicBool,
    /// The id of each that was acknowledged.
    hired: Mutex<BTreeMap<usize, String>>,
    /// Answers that said that the database is not there.
    refused: AtomicUsize,
}

impl Hiring {
    async fn run(&self, server: &Server, token: &str) {
        join_all((0..CLIENTS).map(|_| self.client(server, token))).await;
    }

    async fn client(&self, server: &Server, token: &str) {
        while !self.enough.load(Ordering::SeqCst) {
            let number = self.next.fetch_add(1, Ordering::SeqCst);
            let body =
                json!({ "fullName": format!("Person {number}"), "email": format!("p{number}@acme.test") });
            loop {
                let answer = server.hire(token, &format!("hire-{number}"), &body).await;
                let (status, after, answer) = answer.expect("the server stays up");
                if status == 201 {
                    let id = answer["id"].as_str().unwrap().to_owned();
                    self.hired.lock().unwrap().insert(number, id);
                    break;
                }
                assert_eq!((status, &answer["code"]), (503, &json!("unavailable")), "{answer}");
                assert!(
                    after.is_some_and(|after| after.parse::<u32>().is_ok()),
                    "it says when to come again"
                );
                self.refused.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }

    fn acknowledged(&self) -> BTreeSet<String> {
        self.hired.lock().unwrap().values().cloned().collect()
    }

    /// Waits until `so` holds of the number of those that were acknowledged.
    async fn until(&self, what: &str, so: impl Fn(usize) -> bool) {
        let waiting = async {
            while !so(self.hired.lock().unwrap().len()) {
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), waiting).await.expect(what);
    }
}

/// Whom the events that arrived tell of.
fn arrived(receiver: &Receiver) -> BTreeSet<String> {
    receiver.events().iter().map(|event| event["data"]["id"].as_str().unwrap().to_owned()).collect()
}

/// Waits until all of `owed` have arrived; how long that took.
async fn all_arrive(receiver: &Receiver, owed: &BTreeSet<String>) -> Duration {
    let clock = SystemClock::default();
    let waiting = async {
        while !owed.is_subset(&arrived(receiver)) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting).await.expect("all that is owed arrives");
    Duration::from_millis(clock.elapsed().try_into().unwrap())
}

/// Everyone who was acknowledged is there and was announced, and nothing was sent again but what was under way.
async fn nothing_is_lost(server: &Server, token: &str, receiver: &Receiver, hiring: &Hiring) {
    let acknowledged = hiring.acknowledged();
    all_arrive(receiver, &acknowledged).await;
    let mut stored = BTreeSet::new();
    let mut next = "/v1/employees?limit=200".to_owned();
    loop {
        let (status, page) = server.call(token, Method::GET, &next, &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{page}");
        stored.extend(
            page["data"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap().to_owned()),
        );
        match page["nextCursor"].as_str() {
            Some(cursor) => next = format!("/v1/employees?limit=200&cursor={cursor}"),
            None => break,
        }
    }
    assert_eq!(stored, acknowledged, "a hire that was sent again under its key is one hire");
    let events = receiver.events();
    let different: BTreeSet<_> = events.iter().map(|event| event["id"].to_string()).collect();
    assert_eq!(different.len(), acknowledged.len(), "one event for each");
    let repeated = events.len() - different.len();
    eprintln!(
        "{} hires, {} answers of 503, {repeated} sent again",
        stored.len(),
        hiring.refused.load(Ordering::SeqCst)
    );
    assert!(repeated <= AT_ONCE, "{repeated} were sent again");
}

/// A server with an endpoint, and a token.
async fn serve(installation: &Installation, server: Server) -> (Server, String, Receiver) {
    let (id, secret) = installation.client();
    let receiver = Receiver::start().await;
    let token = server.token(&id, &secret).await.1["access_token"].as_str().unwrap().to_owned();
    let hook = json!({ "url": receiver.url, "events": ["employee.created"], "maxConcurrency": AT_ONCE });
    assert_eq!(server.call(&token, Method::POST, "/v1/webhooks", &hook).await.unwrap().0, 201);
    (server, token, receiver)
}

/// A PostgreSQL of this test's own, which ends with it.
struct Postgres {
    cluster: Cluster,
    server: Child,
    _folder: tempfile::TempDir,
}

impl Postgres {
    /// Starts one, if PostgreSQL is tested here.
    fn start() -> Option<Self> {
        std::env::var_os("ORQUIVA_TEST_POSTGRES")?;
        let folder = tempfile::tempdir().unwrap();
        let cluster = Cluster::make(folder.path()).unwrap()?;
        let server = up(&cluster);
        Some(Self { cluster, server, _folder: folder })
    }

    /// Ends it at once: what it had not committed is gone, and every connection breaks.
    fn stop(&mut self) {
        let pid = self.server.id().to_string();
        drop(Command::new("kill").args(["-QUIT", &pid]).status()); // it may have ended
        drop(self.server.wait());
    }

    fn start_again(&mut self) {
        self.server = up(&self.cluster);
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.stop();
    }
}

fn up(cluster: &Cluster) -> Child {
    let mut server = cluster.start(&[]).unwrap();
    cluster.wait_until_up(|| Ok(server.try_wait()?.is_some())).unwrap();
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_is_restarted_under_load_loses_nothing_and_holds_up_nobody() {
    let Some(mut postgres) = Postgres::start() else { return };
    let database_url = Some(postgres.cluster.url("postgres"));
    let installation = Installation { folder: tempfile::tempdir().unwrap(), database_url };
    let (server, token, receiver) = serve(&installation, installation.serve()).await;
    let hiring = Hiring::default();
    let disturbing = async {
        for round in 1..=3 {
            hiring.until("people are hired", |hired| hired >= round * 150).await;
            tokio::task::block_in_place(|| postgres.stop());
            let owed = hiring.acknowledged();
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            tokio::task::block_in_place(|| postgres.start_again());
            let took = all_arrive(&receiver, &owed).await;
            eprintln!("{} were owed and arrived {took:?} after the return", owed.len());
            assert!(took < Duration::from_secs(5), "no lease has to run out: {took:?}");
        }
        hiring.until("it goes on", |hired| hired >= 600).await;
        hiring.enough.store(true, Ordering::SeqCst);
    };
    tokio::join!(hiring.run(&server, &token), disturbing);
    assert!(hiring.refused.load(Ordering::SeqCst) > 0);
    nothing_is_lost(&server, &token, &receiver, &hiring).await;
}

/// Runs the program it is given under a limit of the size of each file; a write beyond it fails.
const LIMITED: &str = r#"trap "" XFSZ; ulimit -S -f "$1"; shift; exec "$@""#;

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_refuses_writes_loses_nothing_and_is_got_over_without_a_restart() {
    let installation = Installation { folder: tempfile::tempdir().unwrap(), database_url: None };
    installation.client(); // the schema is there
    let served = installation.command(&["serve", "--listen", "127.0.0.1:0", "--allow-private-webhooks"]);
    let mut limited = Command::new("sh");
    limited.args(["-c", LIMITED, "sh", "8192"]).arg(served.get_program()).args(served.get_args()); // 4 MiB
    limited.env("ORQUIVA_DATA_DIR", installation.data_dir()).env_remove("ORQUIVA_DATABASE_URL");
    let server = installation.start(limited.stderr(Stdio::null()));
    let (server, token, receiver) = serve(&installation, server).await;
    let hiring = Hiring::default();
    let disturbing = async {
        let full = async {
            while hiring.refused.load(Ordering::SeqCst) < 2 * CLIENTS {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(60), full).await.expect("the disk fills up");
        let owed = hiring.acknowledged();
        let (status, _) = server.call(&token, Method::GET, "/v1/employees", &Value::Null).await.unwrap();
        assert_eq!(status, 200, "it can be read meanwhile");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let raised = Command::new("prlimit").args(["--fsize=unlimited", "--pid", &server.pid()]).status();
        assert!(raised.unwrap().success());
        let took = all_arrive(&receiver, &owed).await;
        eprintln!("{} were owed and arrived {took:?} after there was room", owed.len());
        assert!(took < Duration::from_secs(5), "no lease has to run out: {took:?}");
        let before = hiring.acknowledged().len();
        hiring.until("it goes on", |hired| hired >= before + 100).await;
        hiring.enough.store(true, Ordering::SeqCst);
    };
    tokio::join!(hiring.run(&server, &token), disturbing);
    nothing_is_lost(&server, &token, &receiver, &hiring).await;
}
