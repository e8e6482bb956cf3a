//! Safe writes: once under a key, also over several nodes; only on the version that is meant; and as a rehearsal.

use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Receiver, on_both, send};

const NONE: Value = Value::Null;

/// Everything that a company has, as the API shows it.
async fn all(acme: &Caller<'_>) -> Vec<Value> {
    acme.orq.work().await;
    let mut all = Vec::new();
    let lists = [
        "employees",
        "departments",
        "custom-fields",
        "webhooks",
        "events?limit=200",
        "deliveries",
        "replays",
    ];
    for path in lists.map(|list| format!("/v1/{list}")) {
        all.push(acme.get(&path).await.body);
    }
    all
}

/// A delivery that waits for its second attempt, of an endpoint that is well again, and a replay to it that goes on as
/// soon as the time does.
async fn one_waiting(acme: &Caller<'_>, receiver: &Receiver) -> (String, String) {
    receiver.will_fail(2);
    let webhook = acme.subscribe(receiver, &["employee.created"]).await;
    acme.hire("Eva Mora").await;
    acme.orq.work().await;
    let delivery = acme.get("/v1/deliveries?limit=1").await.body["data"][0]["id"].clone();
    acme.hire("Sara Mora").await;
    acme.hire("Rosa Mora").await;
    acme.orq.work().await;
    let path = format!("/v1/webhooks/{}/replay", webhook["id"].as_str().unwrap());
    let asked = json!({ "from": "2026-01-01T00:00:00Z", "state": "all", "ratePerSecond": 1 });
    let replay = acme.post(&path, &asked).await.body["id"].clone();
    (delivery.as_str().unwrap().to_owned(), replay.as_str().unwrap().to_owned())
}

/// An employee's id, and an endpoint's.
async fn one_of_each(acme: &Caller<'_>) -> (String, String) {
    let receiver = Receiver::start().await;
    let webhook = acme.subscribe(&receiver, &["webhook_endpoint.*"]).await;
    (acme.hire("Ana Ruiz").await, webhook["id"].as_str().unwrap().to_owned())
}

/// Every write, in an order in which each is accepted: method, path, body, and the status of its answer.
fn writes(
    employee: &str,
    department: &str,
    webhook: &str,
    delivery: &str,
    replay: &str,
) -> Vec<(Method, String, Value, u16)> {
    let (post, put, patch, delete) = (Method::POST, Method::PUT, Method::PATCH, Method::DELETE);
    let eva = json!({ "fullName": "Eva Gil", "email": "eva@acme.test", "department": "Ventas" });
    let item = json!({ "fullName": "Luis Rey", "email": "luis@acme.test" });
    let hook = json!({ "url": "https://acme.test/hook", "events": ["webhook_endpoint.*"] });
    let end = json!({ "effectiveDate": "2026-03-01", "reason": "moved away" });
    let [person, department, webhook] =
        [format!("employees/{employee}"), format!("departments/{department}"), format!("webhooks/{webhook}")];
    let retry = format!("deliveries/{delivery}/retry");
    let (again, cancel) = (format!("{webhook}/replay"), format!("replays/{replay}/cancel"));
    let end_path = format!("{person}/terminate");
    let return_path = format!("{person}/rehire");
    let by_ref = "employees/by-ref/sap/7";
    let pia = json!({ "fullName": "Pía Sol", "email": "pia@acme.test" });
    let field = json!({ "slug": "badge", "label": "Tarjeta", "type": "text" });
    let (rotation, trial) = (format!("{webhook}/rotate-secret"), format!("{webhook}/test"));
    [
        (&post, "employees", eva, 201),
        (&post, "employees/batch", json!({ "items": [{ "data": item }] }), 200),
        (&patch, person.as_str(), json!({ "jobTitle": "Jefa" }), 200),
        (&post, end_path.as_str(), end, 200),
        (&delete, end_path.as_str(), NONE, 200),
        (&post, end_path.as_str(), json!({}), 200),
        (&post, return_path.as_str(), json!({ "startDate": "2026-02-01" }), 200),
        (&delete, return_path.as_str(), NONE, 200),
        (&delete, person.as_str(), NONE, 204),
        (&put, by_ref, pia, 201),
        (&put, by_ref, json!({ "jobTitle": "Cocinera" }), 200),
        (&post, "custom-fields", field, 201),
        (&patch, "custom-fields/badge", json!({ "label": "Pase" }), 200),
        (&delete, "custom-fields/badge", NONE, 204),
        (&post, "departments", json!({ "name": "Compras" }), 201),
        (&patch, department.as_str(), json!({ "code": "OPS" }), 200),
        (&delete, department.as_str(), NONE, 204),
        (&post, "webhooks", hook, 201),
        (&post, retry.as_str(), NONE, 202),
        (&post, again.as_str(), json!({ "from": "2026-01-01T00:00:00Z", "state": "all" }), 202),
        (&post, cancel.as_str(), NONE, 200),
        (&patch, webhook.as_str(), json!({ "status": "paused", "ordered": true, "ed25519": true }), 200),
        (&post, rotation.as_str(), json!({ "overlapHours": 2 }), 200),
        (&post, trial.as_str(), json!({}), 202),
        (&delete, webhook.as_str(), NONE, 204),
    ]
    .map(|(method, path, body, status)| (method.clone(), format!("/v1/{path}"), body, status))
    .to_vec()
}

#[tokio::test]
async fn a_dry_run_answers_what_would_be_and_changes_nothing() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (employee, webhook) = one_of_each(&acme).await;
        let ops = acme.post("/v1/departments", &json!({ "name": "Operaciones" })).await;
        let ops = ops.body["id"].as_str().unwrap();
        let receiver = Receiver::start().await;
        let (delivery, replay) = one_waiting(&acme, &receiver).await;
        for (method, path, body, status) in writes(&employee, ops, &webhook, &delivery, &replay) {
            let before = all(&acme).await;
            let dry = acme.write(method.clone(), &format!("{path}?dryRun=true"), &[], &body).await;
            assert_eq!((dry.status, dry.header("dry-run")), (status, "true"), "{method} {path} {}", dry.body);
            assert_eq!(all(&acme).await, before, "{method} {path}");

            let real = acme.write(method.clone(), &format!("{path}?dryRun=false"), &[], &body).await;
            assert_eq!((real.status, real.header("dry-run")), (status, ""), "{method} {path} {}", real.body);
            assert_eq!(shape(&dry.body), shape(&real.body), "{method} {path}");
            assert_ne!(all(&acme).await, before, "{method} {path}");
        }
    })
    .await;
}

/// A body without what is new each time.
fn shape(body: &Value) -> Value {
    match body {
        Value::Object(fields) => {
            let new = ["id", "departmentId", "secret", "publicKey", "eventId", "deliveryId"];
            let shaped = |(name, value): (&String, &Value)| match new.contains(&name.as_str()) {
                true => (name.clone(), json!("…")),
                false => (name.clone(), shape(value)),
            };
            Value::Object(fields.iter().map(shaped).collect())
        }
        Value::Array(values) => values.iter().map(shape).collect(),
        value => value.clone(),
    }
}

#[tokio::test]
async fn a_dry_run_is_refused_for_the_same_reasons() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (employee, _) = one_of_each(&acme).await;
        let ana = json!({ "fullName": "Ana Ruiz", "email": "ANA.RUIZ@acme.test" });
        let taken = acme.post("/v1/employees?dryRun=true", &ana).await;
        assert_eq!(taken.problem(), (409, "conflict"));
        let invalid = acme.post("/v1/employees?dryRun=true", &json!({ "fullName": "Ana" })).await;
        assert_eq!(invalid.faults(), [("/email".to_owned(), "required".to_owned())]);
        let path = format!("/v1/employees/{employee}?dryRun=true");
        let stale = acme.write(Method::DELETE, &path, &[("if-match", "\"7\"")], &NONE).await;
        assert_eq!(stale.problem(), (412, "precondition_failed"));
        for wrong in ["dryRun=yes", "dryRun=1", "dryRun=TRUE", "dryRun=true&dryRun=false"] {
            let refused = acme.delete(&format!("/v1/employees/{employee}?{wrong}")).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter"), "{wrong}");
            assert_eq!(refused.faults()[0].0, "dryRun");
        }
        let read = acme.get(&format!("/v1/employees/{employee}?dryRun=true")).await;
        assert_eq!(read.problem(), (400, "invalid_parameter"), "a read is always dry");
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_neither_uses_a_key_nor_keeps_it() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test" });
        let eva = json!({ "fullName": "Eva Gil", "email": "eva@acme.test" });
        let key = [("idempotency-key", "k")];
        let hire = async |query: &str, body| {
            acme.write(Method::POST, &format!("/v1/employees{query}"), &key, body).await
        };
        assert_eq!(hire("?dryRun=true", &eva).await.status, 201);
        let real = hire("", &ana).await;
        assert_eq!((real.status, real.header("idempotent-replayed")), (201, ""), "the key was free");
        let dry = hire("?dryRun=true", &eva).await;
        assert_eq!((dry.status, &dry.body["fullName"]), (201, &json!("Eva Gil")), "nor is it read");
        assert_eq!(hire("", &ana).await.header("idempotent-replayed"), "true");
        assert_eq!(acme.event_types().await, ["employee.created"]);
    })
    .await;
}

#[tokio::test]
async fn of_the_same_write_on_two_nodes_at_once_one_is_carried_out() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.another_node().await;
        let (employee, _) = one_of_each(&acme).await;
        let mut expected = acme.event_types().await.len();
        for round in 0..20 {
            let person = json!({ "fullName": "Eva", "email": format!("eva{round}@acme.test"), "department": format!("D{round}") });
            let endpoint = json!({ "url": format!("https://acme.test/{round}"), "events": ["webhook_endpoint.*"] });
            let title = json!({ "jobTitle": format!("Title {round}") });
            let path = format!("/v1/employees/{employee}");
            for (at, (method, path, body, events)) in [
                (Method::POST, "/v1/employees", &person, 2),
                (Method::POST, "/v1/webhooks", &endpoint, 0),
                (Method::PATCH, path.as_str(), &title, 1),
            ]
            .into_iter()
            .enumerate()
            {
                let key = format!("{round}-{at}");
                let request = || acme.written(method.clone(), path, &[("idempotency-key", &key)], body);
                let sent = [&orq.router, &other, &orq.router, &other].map(|node| send(node, request()));
                only_one_was_carried_out(&join_all(sent).await);
                let again = send(&other, request()).await;
                assert_eq!(again.header("idempotent-replayed"), "true", "{method} {path}");
                expected += events;
            }
        }
        let listed = async |path: &str| acme.get(path).await.body["data"].as_array().unwrap().len();
        assert_eq!(listed("/v1/employees?limit=200").await, 21);
        assert_eq!(listed("/v1/webhooks?limit=200").await, 21);
        assert_eq!(acme.event_types().await.len(), expected, "each effect was announced once");
    })
    .await;
}

/// Those that were not carried out got the answer of the one that was, or heard that it runs.
fn only_one_was_carried_out(answers: &[Answer]) {
    let carried_out: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status < 300 && answer.header("idempotent-replayed").is_empty())
        .collect();
    let told: Vec<_> = answers.iter().map(|answer| (answer.status, answer.body.to_string())).collect();
    assert_eq!(carried_out.len(), 1, "{told:?}");
    for answer in answers.iter().filter(|answer| answer.status >= 300) {
        assert_eq!(answer.problem(), (409, "idempotency_in_progress"), "{}", answer.body);
    }
    for answer in answers.iter().filter(|answer| !answer.header("idempotent-replayed").is_empty()) {
        assert_eq!(answer.raw, carried_out[0].raw);
    }
}

#[tokio::test]
async fn a_removal_is_repeated_under_its_key_and_answered_the_same() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (employee, webhook) = one_of_each(&acme).await;
        for path in [format!("/v1/employees/{employee}"), format!("/v1/webhooks/{webhook}")] {
            let key = [("idempotency-key", path.as_str())];
            let removed = acme.write(Method::DELETE, &path, &key, &NONE).await;
            assert_eq!((removed.status, removed.header("idempotent-replayed")), (204, ""));
            let again = acme.write(Method::DELETE, &path, &key, &NONE).await;
            assert_eq!((again.status, again.header("idempotent-replayed")), (204, "true"));
            assert_eq!(acme.delete(&path).await.status, 404, "without the key it is gone");
        }
        let elsewhere = format!("/v1/employees/{}", acme.hire("Eva Gil").await);
        let key = [("idempotency-key", format!("/v1/employees/{employee}"))];
        let mismatch = acme.write(Method::DELETE, &elsewhere, &[(key[0].0, &key[0].1)], &NONE).await;
        assert_eq!(mismatch.problem(), (422, "idempotency_mismatch"));
    })
    .await;
}

#[tokio::test]
async fn every_read_has_an_etag_by_which_it_is_free_while_nothing_changed() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (employee, webhook) = one_of_each(&acme).await;
        let event = acme.events().await[0]["id"].as_str().unwrap().to_owned();
        let ops = acme.post("/v1/departments", &json!({ "name": "Operaciones" })).await;
        orq.work().await;
        for path in [
            ops.header("location").to_owned(),
            "/v1/departments".to_owned(),
            format!("/v1/employees/{employee}"),
            format!("/v1/webhooks/{webhook}"),
            format!("/v1/events/{event}"),
            "/v1/employees?limit=1".to_owned(),
            "/v1/webhooks".to_owned(),
            "/v1/events".to_owned(),
            "/v1/deliveries".to_owned(),
        ] {
            let read = acme.get(&path).await;
            let etag = read.header("etag").to_owned();
            assert!(read.status == 200 && etag.starts_with('"') && etag.ends_with('"'), "{path}: {etag}");
            let head = acme.write(Method::HEAD, &path, &[], &NONE).await;
            assert_eq!((head.status, head.raw.len(), head.header("etag")), (200, 0, etag.as_str()), "{path}");
            assert_eq!(head.header("content-length"), read.raw.len().to_string(), "{path}");

            let left: u32 = head.header("x-ratelimit-remaining").parse().unwrap();
            for tags in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".to_owned()] {
                for method in [Method::GET, Method::HEAD] {
                    let same = acme.write(method, &path, &[("if-none-match", &tags)], &NONE).await;
                    assert_eq!((same.status, same.raw.len()), (304, 0), "{path} {tags}");
                    assert_eq!(same.header("etag"), etag);
                }
            }
            let other = acme.write(Method::GET, &path, &[("if-none-match", "\"x\"")], &NONE).await;
            assert_eq!((other.status, &other.raw), (200, &read.raw));
            let after: u32 = other.header("x-ratelimit-remaining").parse().unwrap();
            assert_eq!(after, left - 1, "{path}: a 304 costs nothing");
        }
        let list = acme.get("/v1/employees").await.header("etag").to_owned();
        acme.hire("Eva Gil").await;
        let changed = acme.write(Method::GET, "/v1/employees", &[("if-none-match", &list)], &NONE).await;
        assert_eq!(changed.status, 200, "a list that has changed is sent");
    })
    .await;
}

#[tokio::test]
async fn a_write_that_is_not_meant_for_what_is_there_is_kept_out() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let person = format!("/v1/employees/{}", acme.hire("Ana Ruiz").await);
        let department = acme.post("/v1/departments", &json!({ "name": "Ventas" })).await;
        for path in [&person, department.header("location")] {
            for (tags, status) in [
                ("*", 412),
                ("\"1\"", 412),
                ("W/\"1\"", 412),
                ("\"7\", \"1\"", 412),
                ("\"7\"", 200),
                ("", 200),
            ] {
                let unless = [("if-none-match", tags)];
                let dry = format!("{path}?dryRun=true");
                let patched = acme.write(Method::PATCH, &dry, &unless, &json!({})).await;
                assert_eq!(patched.status, status, "{path} {tags}");
                let removed = acme.write(Method::DELETE, &dry, &unless, &Value::Null).await;
                assert_eq!(removed.status == 412, status == 412, "{path} {tags}");
            }
            let both = [("if-match", "\"1\""), ("if-none-match", "\"1\"")];
            assert_eq!(acme.write(Method::PATCH, path, &both, &json!({})).await.status, 412);
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_changed_meanwhile_is_not_removed() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (_, webhook) = one_of_each(&acme).await;
        let path = format!("/v1/webhooks/{webhook}");
        let etag = acme.get(&path).await.header("etag").to_owned();
        let stale = acme.write(Method::DELETE, &path, &[("if-match", "\"0\"")], &NONE).await;
        assert_eq!(stale.problem(), (412, "precondition_failed"));
        let removed = acme.write(Method::DELETE, &path, &[("if-match", &etag)], &NONE).await;
        assert_eq!(removed.status, 204);
    })
    .await;
}

#[tokio::test]
async fn changes_of_two_nodes_at_once_are_all_carried_out_unless_they_name_a_version() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.another_node().await;
        let path = format!("/v1/employees/{}", acme.hire("Ana Ruiz").await);
        let mut before = 1;
        let fields = ["jobTitle", "location", "preferredName", "firstName", "lastName", "department"];
        for round in 0..10 {
            let value = format!("v{round}");
            let change = |node, field: &str| {
                send(node, acme.written(Method::PATCH, &path, &[], &json!({ field: value })))
            };
            let nodes = [&orq.router, &other].into_iter().cycle();
            let answers = join_all(nodes.zip(fields).map(|(node, field)| change(node, field))).await;
            for answer in &answers {
                assert_eq!(answer.status, 200, "{}", answer.body);
            }
            let ana = acme.get(&path).await;
            assert!(fields.iter().all(|field| ana.body[*field] == json!(value)), "{}", ana.body);
            let version = ana.body["version"].as_u64().unwrap();
            assert_eq!(version, before + fields.len() as u64, "each is a version");

            let tag = [("if-match", ana.header("etag"))];
            let meant = [&orq.router, &other].map(|node| {
                send(
                    node,
                    acme.written(Method::PATCH, &path, &tag, &json!({ "jobTitle": value.clone() + "!" })),
                )
            });
            let answers = join_all(meant).await;
            let mut statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 412]);
            before = version + 1;
        }
    })
    .await;
}
