//! Events that an endpoint gets again: all of them, once, however it is interrupted.

use orquiva_core::event::{EventType, NewEvent};
use orquiva_core::{Plan, Scopes};
use orquiva_store::{StoreError, event};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, PUBLIC, Receiver, on_both, two_nodes};

const FROM: &str = "2026-01-01T00:00:00Z";

async fn replay(acme: &Caller<'_>, webhook: &Value, query: &str, asked: &Value) -> Answer {
    acme.post(&format!("/v1/webhooks/{}/replay{query}", webhook["id"].as_str().unwrap()), asked).await
}

/// A replay as it stands.
async fn stand(acme: &Caller<'_>, replay: &Value) -> Value {
    acme.get(&format!("/v1/replays/{}", replay["id"].as_str().unwrap())).await.body
}

/// Writes `count` events into a company's log, as they are.
async fn fill(orq: &Orquiva, acme: &Caller<'_>, count: usize) {
    for start in (0..count).step_by(1_000) {
        let (mint, now, company) = (orq.base.mint.clone(), orq.base.clock.now(), acme.company);
        let write = move |tx| async move {
            for _ in start..count.min(start + 1_000) {
                let payload = json!({ "apiVersion": "v1", "data": { "id": "emp_1" } }).to_string();
                let (kind, subject) = (EventType::EmployeeUpdated, String::new());
                let new = NewEvent { id: mint.next(), kind, subject, at: now, payload, sensitive: None };
                event::announce(&tx, company, &new).await?;
            }
            Ok(())
        };
        orq.base.store.write::<_, StoreError, _, _>(company, write).await.unwrap();
    }
    orq.work().await;
}

/// Works until the replay is over, and returns it.
async fn to_the_end(orq: &Orquiva, acme: &Caller<'_>, started: &Value) -> Value {
    for _ in 0..200 {
        orq.work().await;
        let now = stand(acme, started).await;
        if now["status"] != "running" {
            return now;
        }
        orq.clock.advance(250);
    }
    panic!("it never ends: {}", stand(acme, started).await);
}

#[tokio::test]
async fn an_endpoint_that_came_later_gets_what_it_missed_under_the_same_ids() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let first = Receiver::start().await;
        acme.subscribe(&first, &["employee.*"]).await;
        for number in 0..5 {
            let id = acme.hire(&format!("Person {number}")).await;
            acme.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": "Cook" })).await;
        }
        orq.work().await;
        let late = Receiver::start().await;
        let webhook = acme.subscribe(&late, &["employee.created"]).await;
        let asked = json!({ "from": FROM });
        let dry = replay(&acme, &webhook, "?dryRun=true", &asked).await;
        assert_eq!((dry.status, &dry.body["total"]), (202, &json!(5)), "{}", dry.body);
        orq.work().await;
        assert_eq!((late.got().len(), acme.get("/v1/replays").await.body["data"].clone()), (0, json!([])));

        let started = replay(&acme, &webhook, "", &asked).await;
        assert_eq!((started.status, &started.body["total"]), (202, &json!(5)));
        let path = format!("/v1/replays/{}", started.body["id"].as_str().unwrap());
        assert_eq!(started.header("location"), path);
        let done = to_the_end(&orq, &acme, &started.body).await;
        let told = (&done["status"], &done["delivered"], &done["queued"], &done["waiting"]);
        assert_eq!(told, (&json!("completed"), &json!(5), &json!(5), &json!(0)));
        let was = |receiver: &Receiver| {
            let got = receiver.got().into_iter();
            let mut ids: Vec<_> = got
                .filter(|(headers, _)| headers["x-orq-event-type"] == "employee.created")
                .map(|(headers, body)| (headers["webhook-id"].to_str().unwrap().to_owned(), body))
                .collect();
            ids.sort();
            ids
        };
        assert_eq!(was(&late), was(&first), "the same ids, byte for byte");
        assert!(late.got().iter().all(|(headers, _)| headers["webhook-replay"] == "true"));
        assert!(first.got().iter().all(|(headers, _)| headers.get("webhook-replay").is_none()));
        let found = acme.get(&format!("/v1/deliveries?replayId={}", done["id"].as_str().unwrap())).await.body;
        assert_eq!(found["data"].as_array().unwrap().len(), 5);
        let again = replay(&acme, &webhook, "", &asked).await;
        assert_eq!(again.body["total"], 0, "nothing is missing any more");
        assert_eq!(to_the_end(&orq, &acme, &again.body).await["queued"], 0);
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_events_and_more_are_sent_again_and_each_once() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        fill(&orq, &acme, 10_250).await;
        let receiver = Receiver::start().await;
        let hook = json!({ "url": receiver.url, "events": ["employee.*"], "maxConcurrency": 32 });
        let webhook = acme.post("/v1/webhooks", &hook).await.body;
        let asked = json!({ "from": FROM, "state": "all" });
        let dry = replay(&acme, &webhook, "?dryRun=true", &asked).await;
        assert_eq!((&dry.body["total"], &dry.body["totalIsExact"]), (&json!(10_250), &json!(true)));
        let started = replay(&acme, &webhook, "", &asked).await.body;
        orq.worker.step().await.unwrap();
        let waits = acme.get("/v1/deliveries?state=waiting&limit=1").await.body["hasMore"].clone();
        assert_eq!(waits, false, "what is ahead was sent");
        let done = to_the_end(&orq, &acme, &started).await;
        assert_eq!((&done["status"], &done["delivered"]), (&json!("completed"), &json!(10_250)));
        let mut ids: Vec<_> =
            receiver.got().iter().map(|(headers, _)| headers["webhook-id"].clone()).collect();
        ids.sort_by(|left, right| left.as_bytes().cmp(right.as_bytes()));
        ids.dedup();
        assert_eq!((ids.len(), receiver.got().len()), (10_250, 10_250));
    })
    .await;
}

#[tokio::test]
async fn a_replay_goes_on_where_it_was_when_its_worker_is_gone() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        fill(&orq, &acme, 600).await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.*"]).await;
        let asked = json!({ "from": FROM, "ratePerSecond": 200 });
        let started = replay(&acme, &webhook, "", &asked).await.body;
        orq.work().await;
        orq.clock.advance(500);
        orq.work().await;
        let halfway = receiver.got().len();
        assert!((1..600).contains(&halfway), "{halfway}");
        assert_eq!(stand(&acme, &started).await["status"], "running");

        let another = orq.base.node(PUBLIC.to_owned(), true).await.unwrap().worker;
        for _ in 0..20 {
            orq.clock.advance(500);
            another.step().await.unwrap();
        }
        let done = stand(&acme, &started).await;
        assert_eq!((&done["status"], &done["delivered"]), (&json!("completed"), &json!(600)));
        assert_eq!(receiver.got().len(), 600, "nothing twice, and nothing left out");
    })
    .await;
}

#[tokio::test]
async fn a_replay_on_two_nodes_is_made_once() {
    let Some((one, other)) = two_nodes().await else { return };
    let acme = one.company("acme").await;
    fill(&one, &acme, 2_000).await;
    let receiver = Receiver::start().await;
    let hook = json!({ "url": receiver.url, "events": ["*"], "maxConcurrency": 32 });
    let webhook = acme.post("/v1/webhooks", &hook).await.body;
    let started = replay(&acme, &webhook, "", &json!({ "from": FROM })).await.body;
    for _ in 0..40 {
        let (left, right) = tokio::join!(one.worker.step(), other.worker.step());
        left.unwrap();
        right.unwrap();
        one.clock.advance(250);
        other.clock.advance(250);
    }
    let done = stand(&acme, &started).await;
    assert_eq!((&done["status"], &done["delivered"]), (&json!("completed"), &json!(2_000)), "{done}");
    assert_eq!(receiver.got().len(), 2_000);
}

#[tokio::test]
async fn a_rate_is_kept_and_what_happens_meanwhile_goes_first() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        fill(&orq, &acme, 20).await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.*"]).await;
        replay(&acme, &webhook, "", &json!({ "from": FROM, "ratePerSecond": 5 })).await;
        for passed in 1..=4 {
            orq.work().await;
            orq.clock.advance(999);
            orq.work().await;
            assert_eq!(receiver.got().len(), 5 * passed, "no more than five in a second");
            orq.clock.advance(1);
        }
        replay(&acme, &webhook, "", &json!({ "from": FROM, "state": "all" })).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let first = receiver.got()[20].0.clone();
        assert_eq!(first["x-orq-event-type"], "employee.created", "who was hired now is told first");
        assert_eq!(receiver.got().len(), 41);
    })
    .await;
}

#[tokio::test]
async fn what_failed_what_is_missing_and_what_is_named_are_chosen_apart() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        acme.hire("Before Anyone").await;
        orq.work().await;
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        receiver.will_fail(12);
        acme.hire("Luis Gil").await;
        loop {
            orq.work().await;
            acme.token = acme.fresh_token().await;
            let last = acme.get("/v1/deliveries?limit=1").await.body["data"][0].clone();
            let Some(next) = last["nextAttemptAt"].as_str() else { break };
            let next = orquiva_core::Timestamp::parse(next).unwrap();
            orq.clock.advance(next.since(orq.base.clock.now()));
        }
        receiver.will_fail(1);
        acme.hire("Eva Sanz").await;
        orq.work().await;
        let total = async |asked: Value| {
            replay(&acme, &webhook, "?dryRun=true", &asked).await.body["total"].as_i64().unwrap()
        };
        assert_eq!(total(json!({ "from": FROM, "state": "failed" })).await, 1);
        assert_eq!(total(json!({ "from": FROM, "state": "missed" })).await, 2, "and what it never got");
        assert_eq!(total(json!({ "from": FROM, "state": "all" })).await, 3, "what waits is sent anyway");
        assert_eq!(total(json!({ "from": FROM, "state": "all", "types": ["employee.updated"] })).await, 0);
        assert_eq!(total(json!({ "from": FROM, "to": "2026-01-01T00:00:00.001Z", "state": "all" })).await, 3);
        assert_eq!(total(json!({ "from": "2026-01-02T00:00:00Z", "state": "all" })).await, 0);
        let events = acme.events().await;
        let ids = json!([events[1]["id"], events[0]["id"], events[1]["id"]]);
        let named = replay(&acme, &webhook, "", &json!({ "eventIds": ids })).await;
        assert_eq!((&named.body["total"], &named.body["state"]), (&json!(2), &json!("all")));
        let before = receiver.got().len();
        to_the_end(&orq, &acme, &named.body).await;
        let got: Vec<_> = receiver.events()[before..].iter().map(|event| event["sequence"].clone()).collect();
        assert!(got.contains(&json!(1)) && got.contains(&json!(2)), "{got:?}");
    })
    .await;
}

#[tokio::test]
async fn a_replay_keeps_to_what_the_endpoint_filters() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for (name, department) in [("Ana", "Ventas"), ("Luis", "Compras"), ("Eva", "Ventas")] {
            let hire = json!({ "fullName": name, "email": format!("{name}@acme.test"), "department": department });
            assert_eq!(acme.post("/v1/employees", &hire).await.status, 201);
        }
        orq.work().await;
        let receiver = Receiver::start().await;
        let hook = json!({ "url": receiver.url, "events": ["employee.*"], "filter": { "data.department": ["Ventas"] } });
        let webhook = acme.post("/v1/webhooks", &hook).await.body;
        let started = replay(&acme, &webhook, "", &json!({ "from": FROM })).await.body;
        assert_eq!(started["total"], 2);
        assert_eq!(to_the_end(&orq, &acme, &started).await["delivered"], 2);
        let names: Vec<_> = receiver.events().iter().map(|event| event["data"]["fullName"].clone()).collect();
        assert!(names.contains(&json!("Ana")) && names.contains(&json!("Eva")), "{names:?}");
        let path = format!("/v1/webhooks/{}/health?to=2026-01-02T00:00:00Z", webhook["id"].as_str().unwrap());
        let report = acme.get(&path).await.body["report"].clone();
        assert_eq!((&report["events"], &report["confirmed"]), (&json!(2), &json!(2)));
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_replay_sends_no_more() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        fill(&orq, &acme, 100).await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["*"]).await;
        let started = replay(&acme, &webhook, "", &json!({ "from": FROM, "ratePerSecond": 10 })).await.body;
        orq.work().await;
        orq.clock.advance(1_000);
        orq.work().await;
        let sent = receiver.got().len();
        let path = format!("/v1/replays/{}/cancel", started["id"].as_str().unwrap());
        let cancelled = acme.post(&path, &Value::Null).await;
        assert_eq!((cancelled.status, &cancelled.body["status"]), (200, &json!("cancelled")));
        assert_eq!(cancelled.body["delivered"], json!(sent));
        assert_eq!(cancelled.body["waiting"], 0);
        for _ in 0..5 {
            orq.clock.advance(10_000);
            orq.work().await;
        }
        assert_eq!(receiver.got().len(), sent);
        assert_eq!(acme.post(&path, &Value::Null).await.status, 200, "once more changes nothing");
        let short =
            replay(&acme, &webhook, "", &json!({ "from": FROM, "types": ["employee.deleted"] })).await;
        orq.work().await;
        let path = format!("/v1/replays/{}/cancel", short.body["id"].as_str().unwrap());
        assert_eq!(acme.post(&path, &Value::Null).await.problem(), (409, "replay_completed"));
    })
    .await;
}

#[tokio::test]
async fn a_replay_ends_with_its_endpoint_and_says_why() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        fill(&orq, &acme, 50).await;
        let (gone, deleted) = (Receiver::start().await, Receiver::start().await);
        gone.will_answer(&[(410, &[])]);
        let first = acme.subscribe(&gone, &["employee.*"]).await;
        let second = acme.subscribe(&deleted, &["employee.*"]).await;
        let asked = json!({ "from": FROM, "ratePerSecond": 5 });
        let one = replay(&acme, &first, "", &asked).await.body;
        let two = replay(&acme, &second, "", &asked).await.body;
        orq.work().await;
        assert_eq!(
            acme.delete(&format!("/v1/webhooks/{}", second["id"].as_str().unwrap())).await.status,
            204
        );
        orq.clock.advance(2_000);
        orq.work().await;
        for (started, reason) in [(one, "webhook_disabled"), (two, "webhook_deleted")] {
            let now = stand(&acme, &started).await;
            assert_eq!((&now["status"], &now["reason"]), (&json!("cancelled"), &json!(reason)), "{now}");
        }
        assert_eq!((gone.got().len(), deleted.got().len()), (1, 1));
        let refused = replay(&acme, &first, "", &asked).await;
        assert_eq!(refused.problem().0, 409);
        assert_eq!(replay(&acme, &second, "", &asked).await.problem(), (404, "not_found"));
    })
    .await;
}

#[tokio::test]
async fn a_replay_that_means_nothing_is_refused_field_by_field() {
    on_both(async |orq| {
        let mut acme = orq.company_on("acme", Plan::Pro, Scopes::all()).await;
        let other = orq.company("other").await;
        other.hire("Ana Ruiz").await;
        let foreign = other.events().await[0]["id"].clone();
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["*"]).await;
        let unknown = "evt_01JQ8Z6X3V4M5N6P7R8S9T0A1B";
        orq.clock.advance(40 * 86_400_000);
        acme.token = acme.fresh_token().await;
        for (asked, pointer, code) in [
            (json!({}), "/from", "required"),
            (json!({ "from": "yesterday" }), "/from", "invalid_time"),
            (json!({ "from": 7 }), "/from", "wrong_type"),
            (json!({ "from": FROM, "to": FROM }), "/to", "empty_span"),
            (json!({ "from": FROM, "to": "2025-01-01T00:00:00Z" }), "/to", "empty_span"),
            (json!({ "from": FROM }), "/from", "before_delivery_log"),
            (json!({ "from": FROM, "state": "failed" }), "/from", "before_delivery_log"),
            (json!({ "from": FROM, "state": "lost" }), "/state", "not_allowed"),
            (json!({ "from": FROM, "types": "employee.created" }), "/types", "wrong_type"),
            (json!({ "from": FROM, "types": [] }), "/types", "empty"),
            (json!({ "from": FROM, "types": ["*", "employe.created"] }), "/types/1", "unknown_event"),
            (json!({ "from": FROM, "state": "all", "ratePerSecond": 0 }), "/ratePerSecond", "out_of_range"),
            (json!({ "from": FROM, "since": FROM }), "/since", "unknown_field"),
            (json!({ "eventIds": [] }), "/eventIds", "empty"),
            (json!({ "eventIds": vec![unknown; 1_001] }), "/eventIds", "too_many"),
            (json!({ "eventIds": ["x"] }), "/eventIds/0", "invalid_id"),
            (json!({ "eventIds": [unknown] }), "/eventIds/0", "unknown_event_id"),
            (json!({ "eventIds": [foreign] }), "/eventIds/0", "unknown_event_id"),
            (json!({ "eventIds": [unknown], "from": FROM }), "/from", "not_with_event_ids"),
            (json!({ "eventIds": [unknown], "types": ["*"] }), "/types", "not_with_event_ids"),
            (json!([]), "", "wrong_type"),
        ] {
            let refused = replay(&acme, &webhook, "", &asked).await;
            assert_eq!(refused.problem(), (422, "invalid_fields"), "{asked}");
            assert_eq!(refused.faults(), [(pointer.to_owned(), code.to_owned())], "{asked}");
        }
        assert_eq!(acme.get("/v1/replays").await.body["data"], json!([]));
        let all = json!({ "from": FROM, "state": "all", "ratePerSecond": 1 });
        for _ in 0..20 {
            assert_eq!(replay(&acme, &webhook, "", &all).await.status, 202, "whatever was kept can be sent");
        }
        assert_eq!(replay(&acme, &webhook, "", &all).await.problem(), (409, "limit_reached"));
        let page = acme.get("/v1/replays?limit=15").await.body;
        let next = format!("/v1/replays?limit=15&cursor={}", page["nextCursor"].as_str().unwrap());
        assert_eq!(acme.get(&next).await.body["data"].as_array().unwrap().len(), 5);
        let one = page["data"][0]["id"].as_str().unwrap();
        let mut other = other;
        other.token = other.fresh_token().await;
        assert_eq!(other.get(&format!("/v1/replays/{one}")).await.problem(), (404, "not_found"));
        let cancel = format!("/v1/replays/{one}/cancel");
        assert_eq!(other.post(&cancel, &Value::Null).await.problem(), (404, "not_found"));
        assert_eq!(replay(&other, &webhook, "", &all).await.problem(), (404, "not_found"));
    })
    .await;
}
