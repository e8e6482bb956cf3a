//! The place of an event: no gap, no repeat, in the order of the commits, however many write, route and read.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::harness::{Caller, Orquiva, on_both, two_nodes};

const WRITERS: usize = 6;
const WRITES: usize = 25;

/// What a writer knows of its write: when it began, and when it was acknowledged.
type Span = (i64, i64);

/// Hires people and changes them by turns; each write under the id of its employee and the type of its event.
async fn write(
    caller: &Caller<'_>,
    writer: usize,
    time: &AtomicI64,
    written: &Mutex<BTreeMap<(String, &'static str), Span>>,
) {
    let mut id = String::new();
    for number in 0..WRITES {
        let began = time.fetch_add(1, Ordering::SeqCst);
        let kind = match number % 2 {
            0 => {
                id = caller.hire(&format!("Person {writer} {number}")).await;
                "employee.created"
            }
            _ => {
                let patch = json!({ "jobTitle": format!("Cook {number}") });
                assert_eq!(caller.patch(&format!("/v1/employees/{id}"), &patch).await.status, 200);
                "employee.updated"
            }
        };
        let done = time.fetch_add(1, Ordering::SeqCst);
        written.lock().unwrap().insert((id.clone(), kind), (began, done));
    }
}

/// Pages through the log until `total` events were seen there, some at a time.
async fn read(caller: &Caller<'_>, query: &str, limit: usize, total: usize) -> Vec<Value> {
    let (mut after, mut seen) = (0, Vec::new());
    while seen.len() < total {
        let page = caller.get(&format!("/v1/events?after={after}&limit={limit}{query}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        let next = page.body["nextAfter"].as_i64().unwrap();
        assert!(next >= after, "a reader never goes back");
        after = next;
        let events = page.body["data"].as_array().unwrap();
        if events.is_empty() {
            tokio::time::sleep(Duration::from_millis(2)).await; // asking on and on spends the company's rate
        }
        seen.extend(events.iter().cloned());
        tokio::task::yield_now().await;
    }
    seen
}

async fn route(node: &Orquiva, working: &AtomicUsize) {
    while working.load(Ordering::SeqCst) > 0 || node.worker.route().await.unwrap() > 0 {
        node.worker.route().await.unwrap();
        tokio::task::yield_now().await;
    }
}

/// Several write through each of `nodes`, all of which route, while readers page.
async fn everyone_at_once(nodes: &[&Orquiva]) {
    let acme = nodes[0].company("acme").await;
    let mut callers = Vec::new();
    for node in nodes {
        node.tokens.follow().await.unwrap();
        callers.push(Caller {
            orq: node,
            company: acme.company,
            id: acme.id.clone(),
            secret: acme.secret.clone(),
            token: acme.token.clone(),
        });
    }
    let (time, written, working) = (AtomicI64::new(0), Mutex::default(), AtomicUsize::new(WRITERS));
    let writing = join_all((0..WRITERS).map(async |writer| {
        write(&callers[writer % callers.len()], writer, &time, &written).await;
        working.fetch_sub(1, Ordering::SeqCst);
    }));
    let total = WRITERS * WRITES;
    let created = WRITERS * WRITES.div_ceil(2);
    let (_, _, all, pages, hires) = tokio::join!(
        writing,
        join_all(nodes.iter().map(|node| route(node, &working))),
        read(&acme, "", 7, total),
        read(callers.last().unwrap(), "", 1, total),
        read(&acme, "&types=employee.created", 3, created),
    );

    let places =
        |events: &[Value]| events.iter().map(|event| event["sequence"].as_i64().unwrap()).collect::<Vec<_>>();
    assert_eq!(places(&all), (1..=total as i64).collect::<Vec<_>>(), "no gap, no repeat, nothing missed");
    assert_eq!(pages, all, "one log for all");
    let wanted: Vec<_> = all.iter().filter(|event| event["type"] == "employee.created").cloned().collect();
    assert_eq!(hires, wanted, "who asks for a type misses none of it");

    let written = written.into_inner().unwrap();
    let spans: Vec<Span> = all
        .iter()
        .map(|event| {
            let kind =
                if event["type"] == "employee.created" { "employee.created" } else { "employee.updated" };
            written[&(event["data"]["id"].as_str().unwrap().to_owned(), kind)]
        })
        .collect();
    let mut latest_start = 0;
    for (began, done) in spans {
        assert!(done > latest_start, "what was acknowledged before another began comes before it");
        latest_start = latest_start.max(began);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_make_one_log_without_gap_or_repeat() {
    on_both(async |orq| everyone_at_once(&[&orq]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_both_route_make_one_log_without_gap_or_repeat() {
    if let Some((first, second)) = two_nodes().await {
        everyone_at_once(&[&first, &second]).await;
    }
}
