//! The export: everyone at one moment, and with the events after it an exact copy.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;

use futures_util::future::{join, join_all};
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, on_both, send};

/// The lines of an export, by id.
fn lines(export: &Answer) -> BTreeMap<String, Value> {
    assert_eq!((export.status, export.header("content-type")), (200, "application/x-ndjson"));
    let text = std::str::from_utf8(&export.raw).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    text.lines().map(|line| by_id(serde_json::from_str(line).unwrap())).collect()
}

fn by_id(employee: Value) -> (String, Value) {
    (employee["id"].as_str().unwrap().to_owned(), employee)
}

/// Every row of a list that is paged by `next`.
async fn all(acme: &Caller<'_>, path: &str, next: &str, mut from: String) -> Vec<Value> {
    let mut rows = Vec::new();
    loop {
        let on = if from.is_empty() { String::new() } else { format!("&{next}={from}") };
        let page = acme.get(&format!("{path}?limit=200{on}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        rows.extend(page.body["data"].as_array().unwrap().iter().cloned());
        if page.body["hasMore"] == false {
            return rows;
        }
        let place = &page.body[if next == "after" { "nextAfter" } else { "nextCursor" }];
        from = place.as_str().map_or_else(|| place.to_string(), str::to_owned);
    }
}

/// Hires `count` people at once.
async fn staff(acme: &Caller<'_>, count: usize) {
    let hire = |number| {
        json!({ "data": {
            "fullName": format!("Person {number}"), "email": format!("p{number}@acme.test"), "department": "Ventas",
        } })
    };
    let items: Vec<_> = (0..count).map(hire).collect();
    let hired = acme.post("/v1/employees/batch", &json!({ "items": items })).await;
    assert_eq!((hired.status, &hired.body["failed"]), (200, &json!(0)));
}

#[tokio::test]
async fn an_export_is_what_the_api_shows_and_tells_the_last_event() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let none = acme.get("/v1/employees/export").await;
        assert_eq!((lines(&none).len(), none.header("x-orq-sequence")), (0, "0"));
        staff(&acme, 450).await;
        other.hire("Somebody Else").await;

        let before = acme.get("/v1/employees/export").await;
        assert_eq!(before.header("x-orq-sequence"), "0", "no event has its place yet");
        while orq.worker.route().await.unwrap() > 0 {}
        let export = acme.get("/v1/employees/export").await;
        assert_eq!(export.header("x-orq-sequence"), "451", "450 hires and a department");
        assert_eq!(lines(&export), lines(&before));
        let listed: BTreeMap<_, _> =
            all(&acme, "/v1/employees", "cursor", String::new()).await.into_iter().map(by_id).collect();
        assert_eq!(lines(&export), listed);
        let head = acme.write(Method::HEAD, "/v1/employees/export", &[], &Value::Null).await;
        assert_eq!((head.status, head.raw.len()), (200, 0));
    })
    .await;
}

#[tokio::test]
async fn an_export_and_the_events_after_it_are_an_exact_copy_while_others_write() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other_node = orq.another_node().await;
        staff(&acme, 300).await;
        let people = RefCell::new(lines(&acme.get("/v1/employees/export").await));
        let writing = Cell::new(6);
        let write = async |writer: usize| {
            let node = if writer.is_multiple_of(2) { &orq.router } else { &other_node };
            for round in 0..25 {
                let one = format!("{writer}-{round}");
                let hire = json!({ "fullName": one, "email": format!("w{one}@acme.test"), "external_refs": { "sap": one } });
                let request = acme.written(Method::POST, "/v1/employees", &[], &hire);
                let hired = send(node, request).await;
                assert_eq!(hired.status, 201, "{}", hired.body);
                let victims: Vec<_> = people.borrow().keys().skip(writer * 40).take(3).cloned().collect();
                for (at, id) in victims.iter().enumerate() {
                    let path = format!("/v1/employees/{id}");
                    let patch = json!({ "jobTitle": one, "department": format!("D{}", round % 3), "fullName": format!("Renamed {one}"), "gender": (if round % 2 == 0 { "female" } else { "male" }) });
                    let request = match at {
                        0 if round % 3 == 0 => acme.written(Method::DELETE, &path, &[], &Value::Null),
                        _ => acme.written(Method::PATCH, &path, &[], &patch),
                    };
                    let status = send(node, request).await.status;
                    // Two who change the same person at once: one of them may be told to look again.
                    assert!(matches!(status, 200 | 204 | 404 | 412), "{status}");
                    if status == 204 {
                        people.borrow_mut().remove(id);
                    }
                }
            }
            writing.set(writing.get() - 1);
        };
        let exports = RefCell::new(Vec::new());
        let export = async {
            while writing.get() > 0 {
                let export = acme.get("/v1/employees/export").await;
                exports.borrow_mut().push(export);
                orq.worker.route().await.unwrap();
            }
        };
        join(join_all((0..6).map(write)), export).await;
        while orq.worker.route().await.unwrap() > 0 {}

        let stands: BTreeMap<_, _> =
            all(&acme, "/v1/employees", "cursor", String::new()).await.into_iter().map(by_id).collect();
        let exports = exports.into_inner();
        assert!(exports.len() > 3, "only {} exports were made while others wrote", exports.len());
        for export in &exports {
            let mut copy = lines(export);
            let from = export.header("x-orq-sequence").to_owned();
            for event in all(&acme, "/v1/events", "after", from).await {
                apply(&mut copy, &event);
            }
            assert!(copy == stands, "a copy from sequence {} differs", export.header("x-orq-sequence"));
        }
    })
    .await;
}

/// What the documentation tells a client to do with an event.
fn apply(copy: &mut BTreeMap<String, Value>, event: &Value) {
    let kind = event["type"].as_str().unwrap();
    let (id, data) = by_id(event["data"].clone());
    if kind == "employee.deleted" {
        copy.remove(&id);
    } else if kind.starts_with("employee.")
        && copy.get(&id).is_none_or(|known| known["version"].as_i64() < data["version"].as_i64())
    {
        copy.insert(id, data);
    }
}

#[tokio::test]
async fn a_company_makes_one_export_at_a_time() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        staff(&acme, 450).await;
        let path = "/v1/employees/export";
        let request = acme.request(Method::GET, path).body(axum::body::Body::empty()).unwrap();
        let unread = tower::ServiceExt::oneshot(orq.router.clone(), request).await.unwrap();
        assert_eq!(unread.status(), 200);
        assert_eq!(acme.get(path).await.problem(), (409, "export_in_progress"));
        assert_eq!(other.get(path).await.status, 200, "another company's is its own affair");
        acme.hire("Ana Ruiz").await; // a writer does not wait for a reader
        drop(unread);
        while acme.get(path).await.status == 409 {
            tokio::task::yield_now().await;
        }
    })
    .await;
}
