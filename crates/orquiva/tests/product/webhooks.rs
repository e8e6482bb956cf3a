//! An endpoint's own life: changed, paused, enabled again, tested, and given new secrets.

use http::Method;
use orquiva_core::webhook::signature::Signer;
use orquiva_core::{Plan, Scope, Scopes, Secret, Timestamp};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Receiver, START, on_both};

const NONE: Value = Value::Null;

fn path(webhook: &Value) -> String {
    format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())
}

/// The states of all deliveries, the oldest first.
async fn states(acme: &Caller<'_>) -> Vec<String> {
    let data = acme.get("/v1/deliveries?limit=200").await.body["data"].as_array().unwrap().clone();
    data.iter().rev().map(|one| one["state"].as_str().unwrap().to_owned()).collect()
}

fn signer(secret: &Value) -> Signer {
    Signer::new(&Secret::new(secret.as_str().unwrap()))
}

/// Whether the last request that arrived is signed with each of these secrets.
fn signed_with(receiver: &Receiver, secrets: &[&Value], now: Timestamp) -> Vec<bool> {
    let (headers, body) = receiver.got().pop().unwrap();
    let orq = headers["x-orq-signature"].to_str().unwrap().to_owned();
    let standard = headers["webhook-signature"].to_str().unwrap().to_owned();
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let check = |secret: &&Value| {
        let by_hand = signer(secret).sign(&id, now, &body).standard;
        let holds = signer(secret).verifies(&orq, &body, now, 1000);
        assert_eq!(holds, standard.split(' ').any(|one| one == by_hand), "both families agree");
        holds
    };
    secrets.iter().map(check).collect()
}

#[tokio::test]
async fn an_endpoint_shows_all_that_it_was_told_and_is_changed_by_a_merge_patch() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let whole = json!({
            "url": "https://a.acme.com/hook", "events": ["employee.*", "department.created"], "description": "HR",
            "filter": { "data.department": ["Ventas", null], "data.version": [1] }, "payload": "thin",
            "format": "cloudevents", "headers": { "Authorization": "Bearer t0ken", "X-Team": "people" },
            "ordered": true, "maxConcurrency": 8, "ratePerSecond": 20, "retrySchedule": [0, 60, 3600],
            "sensitive": true, "ed25519": false, "status": "paused",
        });
        let created = acme.post("/v1/webhooks", &whole).await;
        assert_eq!((created.status, created.header("etag")), (201, "\"1\""), "{}", created.body);
        let mut expected = whole.clone();
        expected["headers"] = json!({ "authorization": "***", "x-team": "***" });
        for (name, value) in expected.as_object().unwrap() {
            assert_eq!(&created.body[name], value, "{name}");
        }
        assert!(created.body["secret"].as_str().unwrap().starts_with("whsec_"));
        let path = path(&created.body);
        let shown = acme.get(&path).await;
        let mut without = created.body.clone();
        without.as_object_mut().unwrap().remove("secret");
        assert_eq!((shown.header("etag"), &shown.body), ("\"1\"", &without), "the secret is shown once");
        assert!(!String::from_utf8_lossy(&shown.raw).contains("t0ken"));

        orq.clock.advance(1000);
        let patch = json!({
            "description": null, "filter": { "data.version": null }, "payload": null, "ratePerSecond": null,
            "headers": { "x-team": null, "X-More": "1" }, "retrySchedule": null, "status": "enabled",
        });
        let changed = acme.patch(&path, &patch).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{}", changed.body);
        for (name, value) in [
            ("description", NONE),
            ("filter", json!({ "data.department": ["Ventas", null] })),
            ("payload", json!("full")),
            ("ratePerSecond", NONE),
            ("headers", json!({ "authorization": "***", "x-more": "***" })),
            ("retrySchedule", NONE),
            ("status", json!("enabled")),
            ("ordered", json!(true)),
            ("version", json!(2)),
            ("updatedAt", json!("2026-01-01T00:00:01.000Z")),
            ("createdAt", json!("2026-01-01T00:00:00.000Z")),
        ] {
            assert_eq!(changed.body[name], value, "{name}");
        }
        assert_eq!(acme.get(&path).await.body, changed.body);
        let same = acme.patch(&path, &json!({ "headers": { "authorization": "***" }, "ordered": true })).await;
        assert_eq!((same.header("etag"), &same.body), ("\"2\"", &changed.body), "nothing changed");

        let stale =
            acme.write(Method::PATCH, &path, &[("if-match", "\"1\"")], &json!({ "ordered": false })).await;
        assert_eq!(stale.problem(), (412, "precondition_failed"));
        let unknown = "/v1/webhooks/whk_01JQ8Z6X3V4M5N6P7R8S9T0A1B";
        assert_eq!(acme.patch(unknown, &json!({})).await.problem(), (404, "not_found"));
    })
    .await;
}

#[tokio::test]
async fn every_wrong_field_of_an_endpoint_has_its_code_and_nothing_is_stored() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.*"]).await;
        let before = acme.get(&path(&webhook)).await.body;
        for (name, value, pointer, code) in [
            ("filter", json!({ "data.deparment": ["x"] }), "/filter/data.deparment", "unknown_path"),
            ("filter", json!({ "data.birthDate": ["x"] }), "/filter/data.birthDate", "sensitive_path"),
            ("filter", json!({ "data.status": "active" }), "/filter/data.status", "wrong_type"),
            ("filter", json!({ "data.status": [[]] }), "/filter/data.status/0", "wrong_type"),
            ("headers", json!({ "Host": "x" }), "/headers/Host", "forbidden_header"),
            ("headers", json!({ "X Y": "x" }), "/headers/X Y", "invalid_header_name"),
            ("headers", json!({ "X-Y": "a\r\nb" }), "/headers/X-Y", "invalid_header_value"),
            ("headers", json!({ "X-Y": "***" }), "/headers/X-Y", "hidden_value"),
            ("headers", json!({ "X-Y": "x".repeat(4096) }), "/headers", "headers_too_long"),
            ("retrySchedule", json!([0, 0]), "/retrySchedule/1", "out_of_range"),
            ("retrySchedule", json!(vec![86_400; 6]), "/retrySchedule", "schedule_too_long"),
            ("payload", json!("tiny"), "/payload", "not_allowed"),
            ("format", json!("xml"), "/format", "not_allowed"),
            ("ratePerSecond", json!(0), "/ratePerSecond", "out_of_range"),
            ("status", json!("disabled"), "/status", "not_allowed"),
            ("url", json!("http://[::1"), "/url", "invalid_url"),
            ("events", json!(["employee.hired"]), "/events/0", "unknown_event"),
        ] {
            let wrong = json!({ name: value });
            let mut whole = json!({ "url": "https://a.acme.com/", "events": ["*"] });
            whole[name] = wrong[name].clone();
            for answer in [acme.patch(&path(&webhook), &wrong).await, acme.post("/v1/webhooks", &whole).await]
            {
                assert_eq!(answer.problem(), (422, "invalid_fields"), "{wrong}");
                assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{wrong}");
            }
        }
        for (patch, pointer, code) in [
            (json!({ "secret": "whsec_x" }), "/secret", "read_only"),
            (json!({ "publicKey": NONE }), "/publicKey", "read_only"),
            (json!({ "uri": "https://a.acme.com/" }), "/uri", "unknown_field"),
            (json!({ "url": NONE }), "/url", "required"),
            (json!([]), "", "wrong_type"),
        ] {
            let answer = acme.patch(&path(&webhook), &patch).await;
            assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{patch}");
        }
        assert_eq!(acme.get(&path(&webhook)).await.body, before);
        assert_eq!(acme.get("/v1/webhooks").await.body["data"].as_array().unwrap().len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_an_endpoint_that_sees_sensitive_fields_does_is_changed_only_by_who_sees_them() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let body = json!({ "url": receiver.url, "events": ["*"], "sensitive": true });
        let webhook = acme.post("/v1/webhooks", &body).await.body;
        let own: Scopes = [Scope::WebhooksManage].into_iter().collect();
        let plain = orq.client_of(acme.company, own).await;
        for patch in [json!({ "url": "https://evil.acme.com/" }), json!({ "headers": { "X-A": "b" } })] {
            let refused = plain.patch(&path(&webhook), &patch).await;
            assert_eq!(refused.problem(), (403, "insufficient_scope"));
        }
        let open = plain.post("/v1/webhooks", &json!({ "url": receiver.url, "events": ["*"] })).await.body;
        let granted = plain.patch(&path(&open), &json!({ "sensitive": true })).await;
        assert_eq!(granted.problem(), (403, "insufficient_scope"));
        let given_up =
            plain.patch(&path(&webhook), &json!({ "sensitive": false, "url": receiver.url })).await;
        assert_eq!((given_up.status, &given_up.body["sensitive"]), (200, &json!(false)));
    })
    .await;
}

#[tokio::test]
async fn a_paused_endpoint_keeps_what_is_for_it_until_it_goes_on() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (receiver, other) = (Receiver::start().await, Receiver::start().await);
        receiver.will_fail(1);
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        acme.subscribe(&other, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let paused = acme.patch(&path(&webhook), &json!({ "status": "paused" })).await;
        assert_eq!(paused.body["status"], "paused");
        acme.hire("Luis Gil").await;
        orq.clock.advance(3_600_000 - 1000);
        orq.work().await;
        assert_eq!((receiver.got().len(), other.got().len()), (1, 2), "nothing more is sent there");
        assert_eq!(states(&acme).await, ["waiting", "delivered", "waiting", "delivered"]);
        let enabled = acme.patch(&path(&webhook), &json!({ "status": "enabled" })).await;
        assert_eq!(
            (&enabled.body["status"], enabled.body.get("failedDeliveries")),
            (&json!("enabled"), None)
        );
        orq.work().await;
        assert_eq!(receiver.got().len(), 3, "what waited is sent at once");
        assert!(states(&acme).await.iter().all(|state| state == "delivered"));

        let body = json!({ "url": receiver.url, "events": ["employee.created"], "status": "paused" });
        let late = acme.post("/v1/webhooks", &body).await.body;
        acme.hire("Eva Sanz").await;
        orq.work().await;
        assert_eq!(receiver.got().len(), 4, "created as paused it waits from the start");
        acme.patch(&path(&late), &json!({ "status": "enabled" })).await;
        orq.work().await;
        assert_eq!(receiver.got().len(), 5);
    })
    .await;
}

#[tokio::test]
async fn a_disabled_endpoint_is_enabled_again_and_told_what_failed() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(500, &[]), (500, &[]), (410, &[])]);
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        acme.hire("Luis Gil").await;
        orq.work().await;
        acme.hire("Eva Sanz").await;
        orq.work().await;
        let disabled = acme.get(&path(&webhook)).await;
        let told = |answer: &Answer| {
            ["status", "disabledReason", "disabledAt", "version"].map(|name| answer.body[name].clone())
        };
        let since = json!("2026-01-01T00:00:00.000Z");
        assert_eq!(told(&disabled), [json!("disabled"), json!("gone"), since, json!(2)]);
        let refused = acme.post(&format!("{}/test", path(&webhook)), &json!({})).await;
        assert_eq!(refused.problem(), (409, "webhook_disabled"));
        let described = acme.patch(&path(&webhook), &json!({ "description": "still off" })).await;
        assert_eq!(described.body["status"], "disabled", "another change leaves it as it is");

        let enabled = acme.patch(&path(&webhook), &json!({ "status": "enabled" })).await;
        assert_eq!(told(&enabled), [json!("enabled"), NONE, NONE, json!(4)]);
        assert_eq!(enabled.body["failedDeliveries"], 3, "which can be sent again");
        acme.hire("Pau Mas").await;
        orq.work().await;
        assert_eq!(states(&acme).await, ["failed", "failed", "failed", "delivered"], "nothing is lost");
    })
    .await;
}

#[tokio::test]
async fn a_rotated_secret_signs_beside_the_old_one_until_the_overlap_is_over() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Pro, Scopes::all()).await;
        let receiver = Receiver::start().await;
        let first = acme.subscribe(&receiver, &["employee.created"]).await;
        let rotate = format!("{}/rotate-secret", path(&first));
        let second = acme.post(&rotate, &json!({ "overlapHours": 1 })).await;
        assert_eq!((second.status, second.header("etag")), (200, "\"2\""));
        let until = Timestamp::parse(second.body["previousSecretUntil"].as_str().unwrap()).unwrap();
        assert_eq!(until, START.plus(3_600_000));
        let (old, new) = (&first["secret"], &second.body["secret"]);
        assert_ne!(old, new);
        assert_eq!(acme.get(&path(&first)).await.body.get("secret"), None, "shown once");
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!(signed_with(&receiver, &[old, new], START), [true, true]);
        orq.clock.advance(3_600_000 - 1000);
        let third = acme.raw(Method::POST, &rotate, None, "").await;
        let newest = &third.body["secret"];
        acme.hire("Luis Gil").await;
        orq.work().await;
        let now = START.plus(3_599_000);
        assert_eq!(signed_with(&receiver, &[old, new, newest], now), [false, true, true], "two at most");
        let mut acme = acme;
        orq.clock.advance(86_400_000);
        acme.token = acme.fresh_token().await;
        acme.hire("Eva Sanz").await;
        orq.work().await;
        let now = now.plus(86_400_000);
        assert_eq!(signed_with(&receiver, &[new, newest], now), [false, true], "a day if it is not said");

        let leaked = acme.post(&rotate, &json!({ "overlapHours": 0 })).await;
        acme.hire("Pau Mas").await;
        orq.work().await;
        assert_eq!(signed_with(&receiver, &[newest, &leaked.body["secret"]], now), [false, true], "at once");
        for (body, pointer, code) in [
            (json!({ "overlapHours": 169 }), "/overlapHours", "out_of_range"),
            (json!({ "overlap": 1 }), "/overlap", "unknown_field"),
        ] {
            assert_eq!(acme.post(&rotate, &body).await.faults(), [(pointer.to_owned(), code.to_owned())]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_test_goes_to_one_endpoint_only_whatever_it_is_subscribed_to() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (receiver, other) = (Receiver::start().await, Receiver::start().await);
        let webhook = acme.subscribe(&receiver, &["department.created"]).await;
        acme.patch(&path(&webhook), &json!({ "filter": { "data.name": ["Ventas"] } })).await;
        acme.subscribe(&other, &["*", "webhook.test"]).await;
        let test = format!("{}/test", path(&webhook));
        let told = acme.raw(Method::POST, &test, None, "").await;
        assert_eq!(told.status, 202, "without a body: {}", told.body);
        orq.work().await;
        assert_eq!((receiver.got().len(), other.got().len()), (1, 0));
        let event = &receiver.events()[0];
        assert_eq!((&event["type"], &event["id"]), (&json!("webhook.test"), &told.body["eventId"]));
        assert_eq!(event["data"]["id"], webhook["id"]);
        let delivery = &acme.get("/v1/deliveries").await.body["data"][0];
        assert_eq!((&delivery["id"], &delivery["state"]), (&told.body["deliveryId"], &json!("delivered")));
        let log = acme.events().await;
        assert_eq!((log.len(), &log[0]), (1, event), "it has its place in the log");
        let refused = acme.post(&test, &json!({ "type": "employee.created" })).await;
        assert_eq!(refused.faults(), [("/type".to_owned(), "unknown_field".to_owned())]);
        let unknown = "/v1/webhooks/whk_01JQ8Z6X3V4M5N6P7R8S9T0A1B/test";
        assert_eq!(acme.post(unknown, &json!({})).await.problem(), (404, "not_found"));
    })
    .await;
}
