//! `kill -9` in the middle of the work: nothing that was acknowledged is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::Receiver;
use crate::process::{Server, on_both_installed};

const HIRES: usize = 2_000;
const CLIENTS: usize = 16;

/// Hires the numbers from `next` on until all are hired or the server is gone; keeps each acknowledged id.
async fn hire(
    server: &Server,
    token: &str,
    next: &AtomicUsize,
    until: usize,
    hired: &Mutex<BTreeMap<usize, String>>,
) {
    loop {
        let number = next.fetch_add(1, Ordering::SeqCst);
        if number >= until {
            return;
        }
        let body = json!({ "fullName": format!("Person {number}"), "email": format!("p{number}@acme.test") });
        let Some((status, answer)) = server.call(token, Method::POST, "/v1/employees", &body).await else {
            return;
        };
        assert_eq!(status, 201, "{answer}");
        hired.lock().unwrap().insert(number, answer["id"].as_str().unwrap().to_owned());
    }
}

/// Every row of a list.
async fn all(server: &Server, token: &str, path: &str, next: &str) -> Vec<Value> {
    let mut rows = Vec::new();
    let mut on = String::new();
    loop {
        let (status, page) =
            server.call(token, Method::GET, &format!("{path}?limit=200{on}"), &Value::Null).await.unwrap();
        assert_eq!(status, 200, "{page}");
        rows.extend(page["data"].as_array().unwrap().iter().cloned());
        if page["hasMore"] == false {
            return rows;
        }
        let place = &page[if next == "after" { "nextAfter" } else { "nextCursor" }];
        on = format!("&{next}={}", place.as_str().map_or_else(|| place.to_string(), str::to_owned));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_in_the_middle_of_2000_hires_loses_nothing() {
    on_both_installed(async |installation| {
        let (id, secret) = installation.client();
        let receiver = Receiver::start().await;
        let mut server = installation.serve();
        let token = server.token(&id, &secret).await.1["access_token"].as_str().unwrap().to_owned();
        let subscription = json!({ "url": receiver.url, "events": ["employee.created"] });
        assert_eq!(server.call(&token, Method::POST, "/v1/webhooks", &subscription).await.unwrap().0, 201);

        let (next, hired) = (AtomicUsize::new(0), Mutex::default());
        let hiring = join_all((0..CLIENTS).map(|_| hire(&server, &token, &next, HIRES, &hired)));
        let pid = server.pid();
        let killing = async {
            while next.load(Ordering::SeqCst) < HIRES / 2 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
        };
        tokio::join!(hiring, killing);
        let before = hired.lock().unwrap().len();
        assert!(
            (HIRES / 4..HIRES).contains(&before),
            "it was killed in the middle: {before} were acknowledged"
        );
        server.kill();

        let server = installation.serve();
        let token = server.token(&id, &secret).await.1["access_token"].as_str().unwrap().to_owned();
        join_all((0..CLIENTS).map(|_| hire(&server, &token, &next, HIRES, &hired))).await;
        let employees = all(&server, &token, "/v1/employees", "cursor").await;
        let stored: BTreeSet<_> =
            employees.iter().map(|one| one["id"].as_str().unwrap().to_owned()).collect();
        for id in hired.lock().unwrap().values() {
            assert!(stored.contains(id), "{id} was acknowledged and is gone");
        }

        // One event for each employee that is there, also for those whose acknowledgement got lost; each arrives.
        let patience = Duration::from_secs(60);
        let arrived = tokio::time::timeout(patience, async {
            loop {
                let subjects: BTreeSet<_> = receiver
                    .events()
                    .iter()
                    .map(|event| event["data"]["id"].as_str().unwrap().to_owned())
                    .collect();
                if subjects == stored {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        arrived.await.expect("every hire's event arrives");
        let mut events: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in receiver.events() {
            let own = |value: &Value| value.as_str().unwrap().to_owned();
            events.entry(own(&event["data"]["id"])).or_default().insert(own(&event["id"]));
        }
        assert!(events.values().all(|ids| ids.len() == 1), "a duplicate carries the same event.id");
        let log = all(&server, &token, "/v1/events", "after").await;
        let sequences: Vec<_> = log.iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
        assert_eq!(sequences, (1..=stored.len() as i64).collect::<Vec<_>>(), "the log has no gap");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_asked_to_stop_finishes_what_runs() {
    on_both_installed(async |installation| {
        let (id, secret) = installation.client();
        let receiver = Receiver::start().await;
        let mut server = installation.serve();
        let token = server.token(&id, &secret).await.1["access_token"].as_str().unwrap().to_owned();
        let subscription = json!({ "url": receiver.url, "events": ["employee.created"] });
        assert_eq!(server.call(&token, Method::POST, "/v1/webhooks", &subscription).await.unwrap().0, 201);
        let (next, hired) = (AtomicUsize::new(0), Mutex::default());
        hire(&server, &token, &next, 20, &hired).await;
        assert_eq!(server.stop().await, Some(0));
        let server = installation.serve();
        let (status, again) = server.token(&id, &secret).await;
        assert_eq!(status, 200);
        let token = again["access_token"].as_str().unwrap();
        assert_eq!(all(&server, token, "/v1/employees", "cursor").await.len(), 20);
        let all = receiver.has_got(20);
        tokio::time::timeout(Duration::from_secs(20), all)
            .await
            .expect("what was not sent before the stop is sent after it");
    })
    .await;
}
