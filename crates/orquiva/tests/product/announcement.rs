//! The fixed facts of the public announcement, line by line: customers write code against them.

use axum::body::Body;
use http::{Method, Request};
use orquiva_core::webhook::signature::Signer;
use orquiva_core::{Plan, Scopes, Secret};
use serde_json::json;

use crate::harness::{Receiver, START, on_both};

#[tokio::test]
async fn a_form_with_id_and_secret_gives_a_token_of_exactly_one_hour() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let answer = orq.ask_token(&acme.form()).await;
        assert_eq!((answer.status, &answer.body["expires_in"]), (200, &json!(3600)));
        assert_eq!(answer.body["token_type"], "Bearer");
        assert_eq!((answer.header("cache-control"), answer.header("pragma")), ("no-store", "no-cache"));

        orq.clock.advance(3_599_000);
        assert_eq!(acme.get("/v1/employees").await.status, 200, "good for the whole hour");
        orq.clock.advance(1_000);
        assert_eq!(
            acme.get("/v1/employees").await.problem(),
            (401, "invalid_token"),
            "and not for a second more"
        );
    })
    .await;
}

#[tokio::test]
async fn a_hire_raises_employee_created_and_the_webhook_carries_it_signed() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        let ana = json!({ "fullName": "Ana Pérez", "email": "ana@acme.test", "department": "Ventas" });
        let hired = acme.post("/v1/employees", &ana).await;
        assert_eq!(hired.status, 201);
        orq.work().await;

        let got = receiver.got();
        assert_eq!(got.len(), 1);
        let (headers, raw) = &got[0];
        let event = &receiver.events()[0];
        assert_eq!(event["type"], "employee.created");
        assert!(event["id"].as_str().unwrap().starts_with("evt_"));
        assert_eq!(event["data"]["id"], hired.body["id"]);
        assert_eq!(event["data"]["fullName"], "Ana Pérez");
        assert_eq!(event["data"]["email"], "ana@acme.test");
        assert_eq!(event["data"]["department"], "Ventas", "a plain string");

        let signer = Signer::new(&Secret::new(webhook["secret"].as_str().unwrap()));
        let header = headers["x-orq-signature"].to_str().unwrap();
        assert!(signer.verifies(header, raw, START, 0), "{header}");
        assert!(!signer.verifies(header, b"{}", START, 0));
    })
    .await;
}

#[tokio::test]
async fn a_delivery_that_is_repeated_has_the_same_event_id() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(500, &[])]);
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        orq.clock.advance(6_000);
        orq.work().await;
        let events = receiver.events();
        assert_eq!(events.len(), 2);
        assert_eq!(events[0]["id"], events[1]["id"]);
    })
    .await;
}

#[tokio::test]
async fn the_write_back_of_the_published_recipe_works_letter_by_letter() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana", "email": "ana@acme.test", "external_refs": { "sap": "007" } });
        let hired = acme.post("/v1/employees", &ana).await;
        let path = format!("/employees/{}", hired.body["id"].as_str().unwrap());
        let body = r#"{"external_refs":{"stripe_id":"cus_1"}}"#;
        for kind in [Some("text/plain;charset=UTF-8"), None] {
            let answer = acme.raw(Method::PATCH, &path, kind, body).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(answer.body["external_refs"], json!({ "sap": "007", "stripe_id": "cus_1" }), "merged");
        }
        let found = acme.get("/v1/employees?externalRef=stripe_id:cus_1").await;
        assert_eq!(found.body["data"][0]["id"], hired.body["id"]);
    })
    .await;
}

#[tokio::test]
async fn the_plans_admit_100_1000_and_10000_a_minute_over_all_clients_of_a_company() {
    on_both(async |orq| {
        for (plan, quota) in [(Plan::Free, 100), (Plan::Pro, 1_000), (Plan::Enterprise, 10_000)] {
            let first = orq.company_on(plan.as_str(), plan, Scopes::all()).await;
            let second = orq.client_of(first.company, Scopes::all()).await;
            for count in 0..quota {
                let caller = if count % 2 == 0 { &first } else { &second };
                assert_eq!(
                    caller.get("/v1/webhooks/whk_none").await.status,
                    404,
                    "request {count} on {plan:?}"
                );
            }
            let refused = second.get("/v1/webhooks/whk_none").await;
            assert_eq!(refused.problem(), (429, "rate_limited"));
            assert!(!refused.header("retry-after").is_empty());
        }
    })
    .await;
}

#[tokio::test]
async fn json_is_camel_case_and_external_refs_stays_as_it_is_written() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = acme.hire("Ana Ruiz").await;
        let shown = acme.get(&format!("/v1/employees/{id}")).await;
        for name in shown.body.as_object().unwrap().keys() {
            assert!(name == "external_refs" || !name.contains('_'), "{name}");
        }
        assert!(shown.body.get("external_refs").is_some());
    })
    .await;
}

#[tokio::test]
async fn the_paths_without_version_serve_the_same_and_an_unknown_version_is_named() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = acme.hire("Ana Ruiz").await;
        let with = acme.get(&format!("/v1/employees/{id}")).await;
        let without = acme.get(&format!("/employees/{id}")).await;
        assert_eq!((without.status, &without.body), (200, &with.body));
        for version in ["v2", "v0", "v10", "v01", "v1.1", "v2beta", "v1-preview"] {
            let unknown = acme.get(&format!("/{version}/employees")).await;
            assert_eq!(unknown.problem(), (404, "unknown_version"), "{version}");
        }
        for nothing in ["/v1", "/v1/", "/vx/employees", "/V1/employees", "/v1/v1/employees", "/v1/employees/"]
        {
            assert_eq!(acme.get(nothing).await.problem(), (404, "not_found"), "{nothing}");
        }
        let nowhere = Request::get("/nowhere").body(Body::empty()).unwrap();
        assert_eq!(orq.send(nowhere).await.problem(), (404, "not_found"));
    })
    .await;
}
