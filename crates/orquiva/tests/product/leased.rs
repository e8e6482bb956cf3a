//! What happens to a lane while someone works it: a call of it hangs, and the world goes on.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::routing::any;
use bytes::Bytes;
use http::StatusCode;
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::harness::{Caller, Orquiva, on_both};

/// How long anything may take that is to happen at once.
const PATIENCE: Duration = Duration::from_secs(20);

/// A receiver that keeps the event of the slow person until it is told what to answer.
struct Holding {
    url: String,
    got: Arc<Mutex<usize>>,
    others: Arc<Mutex<u16>>,
    slow: watch::Sender<Option<u16>>,
}

impl Holding {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let (got, others) = (Arc::new(Mutex::new(0)), Arc::new(Mutex::new(500)));
        let (slow, told) = watch::channel(None);
        let take = |State((got, others, mut told)): State<Shared>, raw: Bytes| async move {
            *got.lock().unwrap() += 1;
            let status = match String::from_utf8_lossy(&raw).contains("Slow Person") {
                true => told.wait_for(Option::is_some).await.unwrap().unwrap(),
                false => *others.lock().unwrap(),
            };
            StatusCode::from_u16(status).unwrap()
        };
        let router = Router::new().fallback(any(take)).with_state((got.clone(), others.clone(), told));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, got, others, slow }
    }

    fn got(&self) -> usize {
        *self.got.lock().unwrap()
    }
}

type Shared = (Arc<Mutex<usize>>, Arc<Mutex<u16>>, watch::Receiver<Option<u16>>);

async fn state(acme: &Caller<'_>, webhook: &str) -> String {
    let health = acme.get(&format!("/v1/webhooks/{webhook}/health")).await;
    health.body["state"].as_str().unwrap().to_owned()
}

/// Lets five of six calls fail, which opens the breaker, while the sixth hangs: the lane is still held.
async fn open(orq: &Orquiva, acme: &Caller<'_>, receiver: &Holding) -> (String, JoinHandle<()>) {
    let hook = json!({ "url": receiver.url, "events": ["employee.created"], "maxConcurrency": 8 });
    let webhook = acme.post("/v1/webhooks", &hook).await.body["id"].as_str().unwrap().to_owned();
    acme.hire("Slow Person").await;
    for number in 0..5 {
        acme.hire(&format!("Person {number}")).await;
    }
    let worker = orq.worker.clone();
    let working = tokio::spawn(async move { worker.step().await.unwrap() });
    let opened = async {
        while state(acme, &webhook).await != "open" {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, opened).await.expect("five in a row open it");
    assert_eq!(receiver.got(), 6);
    (webhook, working)
}

#[tokio::test]
async fn a_call_that_arrives_after_the_breaker_opened_ends_its_pause() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Holding::start().await;
        let (webhook, working) = open(&orq, &acme, &receiver).await;
        *receiver.others.lock().unwrap() = 204;
        receiver.slow.send_replace(Some(204));
        working.await.unwrap();
        assert_ne!(state(&acme, &webhook).await, "open");
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!(receiver.got(), 7, "it takes something, so it gets the next at once");
    })
    .await;
}

#[tokio::test]
async fn what_a_worker_knew_before_an_endpoint_was_resumed_does_not_hold_it_up() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Holding::start().await;
        let (webhook, working) = open(&orq, &acme, &receiver).await;
        for status in ["paused", "enabled"] {
            let patched = acme.patch(&format!("/v1/webhooks/{webhook}"), &json!({ "status": status })).await;
            assert_eq!(patched.status, 200);
        }
        *receiver.others.lock().unwrap() = 204;
        receiver.slow.send_replace(Some(500));
        working.await.unwrap();
        assert_eq!(state(&acme, &webhook).await, "backing_off", "what failed waits for its next try");
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!(receiver.got(), 7, "whoever resumes it wants it to go on");
        receiver.slow.send_replace(Some(204));
        orq.clock.advance(7_000);
        orq.work().await;
        assert_eq!((receiver.got(), state(&acme, &webhook).await.as_str()), (13, "idle"));
    })
    .await;
}

#[tokio::test]
async fn a_pause_that_begins_while_a_call_hangs_stays_when_it_is_over() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Holding::start().await;
        let (webhook, working) = open(&orq, &acme, &receiver).await;
        acme.patch(&format!("/v1/webhooks/{webhook}"), &json!({ "status": "paused" })).await;
        receiver.slow.send_replace(Some(204));
        working.await.unwrap();
        orq.clock.advance(1_800_000);
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!((receiver.got(), state(&acme, &webhook).await.as_str()), (6, "paused"));
    })
    .await;
}
