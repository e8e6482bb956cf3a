//! How long the log is kept, and what a reader hears who was away for longer.

use orquiva_core::{Plan, Scopes};
use serde_json::json;

use crate::harness::{Caller, Orquiva, Receiver, on_both};

const DAY: i64 = 86_400_000;

/// Lets `days` pass, and whatever has had its time go.
async fn pass(orq: &Orquiva, caller: &mut Caller<'_>, days: i64) {
    orq.clock.advance(days * DAY);
    orq.tokens.follow().await.unwrap();
    caller.token = caller.fresh_token().await;
    orq.worker.sweep().await.unwrap();
}

async fn sequences(caller: &Caller<'_>, query: &str) -> Vec<i64> {
    let page = caller.get(&format!("/v1/events?{query}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.body["data"].as_array().unwrap().iter().map(|event| event["sequence"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn events_leave_the_log_when_their_plans_days_are_over() {
    on_both(async |orq| {
        for (plan, days) in [(Plan::Free, 30), (Plan::Pro, 90), (Plan::Enterprise, 400)] {
            let mut acme = orq.company_on("acme", plan, Scopes::all()).await;
            let old = acme.hire("Ana Ruiz").await;
            let event = acme.events().await[0]["id"].as_str().unwrap().to_owned();
            pass(&orq, &mut acme, days - 1).await;
            acme.hire("Luis Gil").await;
            orq.work().await;
            assert_eq!(sequences(&acme, "after=0").await, [1, 2], "{plan:?}: not yet");
            pass(&orq, &mut acme, 1).await;
            orq.clock.advance(1);
            orq.worker.sweep().await.unwrap();
            assert_eq!(
                sequences(&acme, "").await,
                [2],
                "{plan:?}: who does not say where begins at the oldest"
            );
            assert_eq!(sequences(&acme, "after=1").await, [2], "{plan:?}: this reader has missed nothing");
            assert_eq!(acme.get(&format!("/v1/events/{event}")).await.problem(), (404, "not_found"));
            assert_eq!(acme.get(&format!("/v1/employees/{old}")).await.status, 200, "the person stays");
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_is_too_old_is_told_where_the_log_begins() {
    on_both(async |orq| {
        let mut acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        for number in 0..5 {
            acme.hire(&format!("Person {number}")).await;
        }
        orq.work().await;
        pass(&orq, &mut acme, 31).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        for path in [
            "/v1/events?after=0",
            "/v1/events?after=4",
            "/v1/events?after=2&types=employee.deleted",
            "/v1/events/stream?after=4",
        ] {
            let refused = acme.get(path).await;
            assert_eq!(refused.problem(), (410, "cursor_expired"), "{path}");
            assert_eq!(refused.body["oldestSequence"], json!(6));
            assert!(refused.body["detail"].as_str().unwrap().contains('6'));
        }
        let request = acme.request(http::Method::GET, "/v1/events/stream").header("last-event-id", "1");
        let refused = orq.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!(refused.problem(), (410, "cursor_expired"));
        assert_eq!(sequences(&acme, "after=5").await, [6]);
        assert_eq!(sequences(&acme, "types=employee.created").await, [6]);

        pass(&orq, &mut acme, 31).await;
        let empty = acme.get("/v1/events").await;
        assert_eq!(
            (&empty.body["data"], &empty.body["nextAfter"]),
            (&json!([]), &json!(6)),
            "all has expired"
        );
        acme.hire("Luis Gil").await;
        orq.work().await;
        assert_eq!(sequences(&acme, "after=6").await, [7], "the count goes on");
    })
    .await;
}

#[tokio::test]
async fn an_event_that_waits_to_be_delivered_stays_and_goes_with_its_deliveries() {
    on_both(async |orq| {
        let mut acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let receiver = Receiver::start().await;
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        receiver.will_fail(1);
        acme.hire("Luis Gil").await;
        acme.hire("Eva Sanz").await;
        orq.work().await;
        pass(&orq, &mut acme, 31).await;
        assert_eq!(
            sequences(&acme, "").await,
            [2, 3],
            "the second was not delivered yet, and the third follows it"
        );
        let deliveries = acme.get("/v1/deliveries").await.body["data"].as_array().unwrap().len();
        assert_eq!(deliveries, 1, "what arrived, and the deliveries of what is gone, are gone");
        orq.work().await;
        assert_eq!(receiver.got().len(), 4);
        orq.worker.sweep().await.unwrap();
        assert!(sequences(&acme, "").await.is_empty());
        assert_eq!(acme.get("/v1/deliveries").await.body["data"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_long_log_goes_in_pieces_and_only_its_own_companys() {
    on_both(async |orq| {
        let mut acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let mut other = orq.company_on("other", Plan::Pro, Scopes::all()).await;
        let id = acme.hire("Ana Ruiz").await;
        let kept = other.hire("Ana Ruiz").await;
        for number in 0..450 {
            acme.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": format!("Cook {number}") }))
                .await;
            if number % 80 == 79 {
                orq.clock.advance(61_000); // the plan's rate
            }
        }
        orq.work().await;
        assert_eq!(other.get(&format!("/v1/employees/{kept}")).await.status, 200);
        pass(&orq, &mut acme, 31).await;
        other.token = other.fresh_token().await;
        assert!(sequences(&acme, "").await.is_empty());
        assert_eq!(acme.get("/v1/events").await.body["nextAfter"], json!(451));
        assert_eq!(sequences(&other, "after=0").await, [1]);
    })
    .await;
}

#[tokio::test]
async fn deliveries_that_arrived_leave_the_log_before_their_events_and_no_others() {
    on_both(async |orq| {
        let mut acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let receiver = Receiver::start().await;
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        receiver.will_fail(1);
        acme.hire("Luis Gil").await;
        orq.work().await;
        let gone = Receiver::start().await;
        gone.will_answer(&[(410, &[])]);
        acme.subscribe(&gone, &["employee.created"]).await;
        acme.hire("Eva Sanz").await;
        orq.work().await;
        let states = async |acme: &Caller<'_>| {
            let data = acme.get("/v1/deliveries").await.body["data"].as_array().unwrap().clone();
            let mut states: Vec<_> =
                data.iter().map(|one| one["state"].as_str().unwrap().to_owned()).collect();
            states.sort();
            states
        };
        let before = states(&acme).await;
        pass(&orq, &mut acme, 6).await;
        assert_eq!(states(&acme).await, before, "not yet");
        pass(&orq, &mut acme, 1).await;
        orq.clock.advance(1);
        orq.worker.sweep().await.unwrap();
        let kept: Vec<_> = before.into_iter().filter(|state| state != "delivered").collect();
        assert_eq!(kept, ["failed", "waiting"]);
        assert_eq!(states(&acme).await, kept, "what did not arrive stays as long as its event");
        assert_eq!(sequences(&acme, "").await, [1, 2, 3], "and the events stay");
    })
    .await;
}
