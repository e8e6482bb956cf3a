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
async fn what_a_killed_server_held_is_not_waited_for_by_the_next_one() {
    on_both_installed(async |installation| {
        let (id, secret) = installation.client();
        let receiver = Receiver::start().await;
        let subscription = json!({ "url": receiver.url, "events": ["employee.created"] });
        for life in 1..=3 {
            let mut server = installation.serve();
            let token = server.token(&id, &secret).await.1["access_token"].as_str().unwrap().to_owned();
            if life == 1 {
                let made = server.call(&token, Method::POST, "/v1/webhooks", &subscription).await;
                assert_eq!(made.unwrap().0, 201);
            }
            hire(&server, &token, &AtomicUsize::new(life), life + 1, &Mutex::default()).await;
            // Much less than a lease lasts. The lane is held for what may come when the server is killed.
            let soon = tokio::time::timeout(Duration::from_secs(5), receiver.has_got(life));
            soon.await.expect("the lane was taken back");
            server.kill();
        }
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

#[tokio::test(flavor = "multi_thread")]
async fn a_server_killed_inside_a_batch_leaves_all_of_it_or_nothing() {
    const BATCH: usize = 300;
    on_both_installed(async |installation| {
        let (id, secret) = installation.client();
        let mut acknowledged = 0;
        for round in 0..4 {
            let mut server = installation.serve();
            let token = server.token(&id, &secret).await.1["access_token"].as_str().unwrap().to_owned();
            let known = all(&server, &token, "/v1/employees", "cursor").await.len();
            assert!(known % BATCH == 0 && known >= acknowledged * BATCH, "{known} in round {round}");
            acknowledged = known / BATCH;
            let pid = server.pid();
            let sending = async {
                let hire = |batch: usize, number: usize| {
                    let email = format!("p{round}-{batch}-{number}@acme.test");
                    json!({ "data": { "fullName": "Ana Ruiz", "email": email, "department": format!("D{round}") } })
                };
                for batch in 0.. {
                    let items: Vec<_> = (0..BATCH).map(|number| hire(batch, number)).collect();
                    let body = json!({ "items": items, "atomic": batch % 2 == 0 });
                    let Some((status, answer)) =
                        server.call(&token, Method::POST, "/v1/employees/batch", &body).await
                    else {
                        return batch;
                    };
                    assert_eq!((status, &answer["failed"]), (200, &json!(0)));
                }
                unreachable!("it is killed before")
            };
            let killing = async {
                tokio::time::sleep(Duration::from_millis(200 + 170 * round)).await;
                assert!(std::process::Command::new("kill").args(["-9", &pid]).status().unwrap().success());
            };
            let (batches, ()) = tokio::join!(sending, killing);
            acknowledged += batches;
            server.kill();
        }
        let server = installation.serve();
        let token = server.token(&id, &secret).await.1["access_token"].as_str().unwrap().to_owned();
        let employees = all(&server, &token, "/v1/employees", "cursor").await;
        assert!(employees.len() % BATCH == 0 && employees.len() >= acknowledged * BATCH, "{}", employees.len());
        let departments: BTreeSet<_> = employees.iter().map(|one| one["departmentId"].to_string()).collect();
        let owed = employees.len() + departments.len();
        let patience = Duration::from_secs(60);
        let routed = tokio::time::timeout(patience, async {
            while all(&server, &token, "/v1/events", "after").await.len() < owed {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        });
        routed.await.expect("every event gets its place");
        assert_eq!(all(&server, &token, "/v1/events", "after").await.len(), owed, "and nothing else is told");
    })
    .await;
}
