//! How an endpoint stands, and which events it has not confirmed.

use orquiva_core::{Plan, Scopes};
use serde_json::{Value, json};

use crate::harness::{Caller, Receiver, on_both};

async fn health(acme: &Caller<'_>, webhook: &Value, query: &str) -> Value {
    let path = format!("/v1/webhooks/{}/health{query}", webhook["id"].as_str().unwrap());
    let answer = acme.get(&path).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.body
}

#[tokio::test]
async fn an_endpoint_tells_how_it_stands() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        let new = health(&acme, &webhook, "").await;
        assert_eq!((&new["state"], &new["lastSuccessAt"]), (&json!("idle"), &Value::Null));
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let well = health(&acme, &webhook, "").await;
        assert_eq!(
            (&well["state"], &well["lastSuccessAt"]),
            (&json!("idle"), &json!("2026-01-01T00:00:00.000Z"))
        );
        assert_eq!((&well["failingSince"], &well["waiting"]), (&Value::Null, &json!(0)));

        orq.clock.advance(1_000);
        receiver.will_fail(1);
        acme.hire("Luis Gil").await;
        orq.work().await;
        let failing = health(&acme, &webhook, "").await;
        assert_eq!((&failing["state"], &failing["waiting"]), (&json!("backing_off"), &json!(1)));
        assert_eq!(failing["failingSince"], json!("2026-01-01T00:00:01.000Z"));
        assert!(failing["nextAttemptAt"].as_str().unwrap() > "2026-01-01T00:00:04", "{failing}");

        receiver.will_answer(&[(410, &[])]);
        orq.clock.advance(10_000);
        orq.work().await;
        assert_eq!(health(&acme, &webhook, "").await["state"], "disabled");
    })
    .await;
}

#[tokio::test]
async fn the_report_names_what_was_not_confirmed() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        acme.hire("Before Anyone").await;
        orq.work().await;
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        let id = acme.hire("Ana Ruiz").await;
        acme.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": "Jefa" })).await;
        orq.work().await;
        orq.clock.advance(60_000);
        receiver.will_fail(1);
        acme.hire("Luis Gil").await;
        orq.work().await;
        let report =
            health(&acme, &webhook, "?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z").await["report"]
                .clone();
        assert_eq!((&report["events"], &report["confirmed"]), (&json!(3), &json!(1)), "{report}");
        assert_eq!(
            (&report["isComplete"], &report["checkedTo"]),
            (&json!(true), &json!("2026-01-02T00:00:00.000Z"))
        );
        let missing: Vec<_> =
            report["missing"].as_array().unwrap().iter().map(|one| one["state"].as_str().unwrap()).collect();
        assert_eq!(missing, ["never_sent", "waiting"]);
        let events = acme.get("/v1/events").await.body["data"].clone();
        assert_eq!(report["missing"][0]["eventId"], events[0]["id"]);
        let later = health(&acme, &webhook, "?from=2026-01-01T00:01:00Z&to=2026-01-02T00:00:00Z").await;
        assert_eq!((&later["report"]["events"], &later["report"]["confirmed"]), (&json!(1), &json!(0)));
        let none = health(&acme, &webhook, "?to=2026-01-01T00:00:00Z").await;
        assert_eq!(none["report"]["events"], json!(0));
    })
    .await;
}

#[tokio::test]
async fn a_report_that_cannot_be_made_is_refused() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let other = orq.company("other").await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["*"]).await;
        let path = format!("/v1/webhooks/{}/health", webhook["id"].as_str().unwrap());
        for (query, pointer, code) in [
            ("from=yesterday", "from", "invalid_time"),
            ("to=2026-01-01", "to", "invalid_time"),
            ("from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z", "to", "empty_span"),
            ("from=2025-12-24T23:59:59Z", "from", "before_delivery_log"),
            ("since=2026-01-01T00:00:00Z", "since", "unknown_field"),
        ] {
            let refused = acme.get(&format!("{path}?{query}")).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter"), "{query}");
            assert_eq!(refused.faults(), [(pointer.to_owned(), code.to_owned())], "{query}");
        }
        assert_eq!(other.get(&path).await.problem(), (404, "not_found"));
        assert_eq!(acme.get("/v1/webhooks/x/health").await.problem(), (404, "not_found"));
    })
    .await;
}
