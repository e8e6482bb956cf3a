//! The log of deliveries: what was sent and what came back, found again, and asked for again.

use http::Method;
use orquiva_core::{Plan, Scopes};
use serde_json::{Value, json};

use crate::harness::{Caller, Orquiva, Receiver, on_both};

/// A list of deliveries.
async fn listed(acme: &Caller<'_>, query: &str) -> Vec<Value> {
    let page = acme.get(&format!("/v1/deliveries{query}")).await;
    assert_eq!(page.status, 200, "{}", page.body);
    page.body["data"].as_array().unwrap().clone()
}

/// One delivery, whole.
async fn whole(acme: &Caller<'_>, delivery: &Value) -> Value {
    let one = acme.get(&format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap())).await;
    assert_eq!(one.status, 200, "{}", one.body);
    one.body
}

async fn retry(acme: &Caller<'_>, delivery: &Value) -> crate::harness::Answer {
    acme.post(&format!("/v1/deliveries/{}/retry", delivery["id"].as_str().unwrap()), &Value::Null).await
}

#[tokio::test]
async fn a_delivery_tells_the_request_as_it_was_sent_and_what_came_back() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_fail(1);
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        orq.clock.advance(60_000);
        orq.work().await;

        let short = &listed(&acme, "").await[0];
        assert_eq!(short["attempts"].as_array().unwrap().len(), 2);
        assert!(short["attempts"][0].get("request").is_none(), "a list is short");
        let one = whole(&acme, short).await;
        assert_eq!((&one["state"], one["attempts"].as_array().unwrap().len()), (&json!("delivered"), 2));
        for (attempt, (headers, body)) in one["attempts"].as_array().unwrap().iter().zip(receiver.got()) {
            let request = &attempt["request"];
            assert_eq!((&request["method"], &request["url"]), (&json!("POST"), &json!(receiver.url)));
            assert_eq!(request["body"], json!(std::str::from_utf8(&body).unwrap()), "byte for byte");
            let told = request["headers"].as_object().unwrap();
            for (name, value) in told {
                assert_eq!(json!(headers[name].to_str().unwrap()), *value, "{name}");
            }
            let carried = ["host", "content-length", "accept"]; // those of the connection
            let sent: Vec<_> = headers.keys().map(http::HeaderName::as_str).collect();
            for name in sent.iter().filter(|name| !carried.contains(name)) {
                assert!(told.contains_key(*name), "{name} is told");
            }
        }
        let (first, second) = (&one["attempts"][0], &one["attempts"][1]);
        assert!(receiver.url.contains(first["address"].as_str().unwrap()));
        assert_eq!(
            first["response"]["headers"]["content-length"], "9",
            "of what went wrong, the headers too"
        );
        assert_eq!((&first["status"], &first["response"]["body"]), (&json!(500), &json!("thank you")));
        assert_eq!((&second["number"], &second["status"]), (&json!(2), &json!(204)));
    })
    .await;
}

#[tokio::test]
async fn what_a_caller_may_not_see_is_hidden_in_the_request_and_in_its_echo() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(200, &[])]);
        let hook = json!({ "url": receiver.url, "events": ["employee.*"], "sensitive": true });
        assert_eq!(acme.post("/v1/webhooks", &hook).await.status, 201);
        let ana = json!({ "fullName": "Ana", "email": "ana@acme.test", "birthDate": "1990-02-28" });
        assert_eq!(acme.post("/v1/employees", &ana).await.status, 201);
        orq.work().await;
        let delivery = &listed(&acme, "").await[0];
        let all = whole(&acme, delivery).await;
        let body = |shown: &Value| shown["attempts"][0]["request"]["body"].as_str().unwrap().to_owned();
        assert!(body(&all).contains("1990-02-28") && all.get("_meta").is_none());
        assert_eq!(all["attempts"][0]["response"]["body"], "thank you");

        let some = orq.client_of(acme.company, Scopes::parse("webhooks:manage").unwrap()).await;
        let less = whole(&some, delivery).await;
        assert!(!less.to_string().contains("1990-02-28"));
        assert!(body(&less).contains("ana@acme.test"), "the rest is shown");
        assert_eq!(less["attempts"][0]["response"]["body"], Value::Null, "it may repeat what was sent");
        assert_eq!(less["_meta"]["redacted"][0]["field"], "attempts.request.body");
    })
    .await;
}

#[tokio::test]
async fn whatever_form_an_endpoint_wants_the_log_shows_what_it_got() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let forms = [("full", "json"), ("thin", "json"), ("full", "cloudevents"), ("thin", "cloudevents")];
        let mut receivers = Vec::new();
        for (payload, format) in forms {
            let receiver = Receiver::start().await;
            let hook = json!({ "url": receiver.url, "events": ["*"], "payload": payload, "format": format,
                               "headers": { "Authorization": "Bearer t0ken" } });
            let id = acme.post("/v1/webhooks", &hook).await.body["id"].as_str().unwrap().to_owned();
            receivers.push((id, receiver));
        }
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        for (id, receiver) in receivers {
            let one = whole(&acme, &listed(&acme, &format!("?webhookId={id}")).await[0]).await;
            let request = &one["attempts"][0]["request"];
            let (headers, body) = receiver.got().remove(0);
            assert_eq!(request["body"], json!(std::str::from_utf8(&body).unwrap()));
            let kind = headers["content-type"].to_str().unwrap();
            assert_eq!(request["headers"]["content-type"], json!(kind));
            assert_eq!(headers["authorization"], "Bearer t0ken");
            assert_eq!(request["headers"]["authorization"], "***", "it was sent, and is a secret");
            assert!(!one.to_string().contains("t0ken"));
        }
    })
    .await;
}

#[tokio::test]
async fn a_retry_waits_for_the_end_of_a_pause_that_the_company_made() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
        assert_eq!(acme.patch(&path, &json!({ "status": "paused" })).await.status, 200);
        let arrived = listed(&acme, "").await.remove(0);
        assert_eq!(retry(&acme, &arrived).await.status, 202);
        orq.clock.advance(60_000);
        orq.work().await;
        assert_eq!(receiver.got().len(), 1);
        assert_eq!(acme.get(&format!("{path}/health")).await.body["state"], "paused");
        assert_eq!(acme.patch(&path, &json!({ "status": "enabled" })).await.status, 200);
        orq.work().await;
        assert_eq!(receiver.got().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn deliveries_are_found_by_type_time_and_state_page_by_page() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (good, bad) = (Receiver::start().await, Receiver::start().await);
        bad.will_fail(100);
        acme.subscribe(&good, &["*"]).await;
        let bad_id = acme.subscribe(&bad, &["employee.created"]).await["id"].as_str().unwrap().to_owned();
        let id = acme.hire("Ana Ruiz").await;
        orq.work().await;
        orq.clock.advance(1_000);
        acme.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": "Jefa" })).await;
        orq.work().await;
        orq.clock.advance(1_000);
        for number in 0..3 {
            acme.hire(&format!("Person {number}")).await;
        }
        orq.work().await;
        for (query, count) in [
            ("?eventType=employee.updated".to_owned(), 1),
            ("?eventType=employee.created".to_owned(), 8),
            (format!("?eventType=employee.created&webhookId={bad_id}"), 4),
            ("?eventType=employee.deleted".to_owned(), 0),
            ("?state=waiting".to_owned(), 4),
            (format!("?state=waiting&webhookId={bad_id}&eventType=employee.created"), 4),
            ("?state=delivered&eventType=employee.created".to_owned(), 4),
            ("?state=cancelled".to_owned(), 0),
            ("?from=2026-01-01T00:00:01Z".to_owned(), 7),
            ("?from=2026-01-01T00:00:01Z&to=2026-01-01T00:00:02Z".to_owned(), 1),
            ("?to=2026-01-01T00:00:01Z".to_owned(), 2),
            (format!("?to=2026-01-01T00:00:01Z&state=waiting&webhookId={bad_id}"), 1),
            ("?replayId=rpl_01JQ8Z6X3V4M5N6P7R8S9T0A1B".to_owned(), 0),
        ] {
            let found = listed(&acme, &query).await;
            assert_eq!(found.len(), count, "{query}");
            let limited = format!("{query}&limit=1");
            let mut paged = Vec::new();
            let mut next = String::new();
            loop {
                let page = acme.get(&format!("/v1/deliveries{limited}{next}")).await.body;
                paged.extend(page["data"].as_array().unwrap().clone());
                match page["nextCursor"].as_str() {
                    Some(cursor) => next = format!("&cursor={cursor}"),
                    None => break,
                }
            }
            assert_eq!(paged, found, "{query}, one by one");
        }
    })
    .await;
}

#[tokio::test]
async fn a_search_in_the_log_that_means_nothing_is_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for (query, pointer, code) in [
            ("state=lost", "state", "not_allowed"),
            ("eventType=employe.created", "eventType", "unknown_event"),
            ("eventType=employee.*", "eventType", "unknown_event"),
            ("webhookId=dlv_01JQ8Z6X3V4M5N6P7R8S9T0A1B", "webhookId", "invalid_id"),
            ("eventId=x", "eventId", "invalid_id"),
            ("replayId=x", "replayId", "invalid_id"),
            ("from=yesterday", "from", "invalid_time"),
            ("to=2026-01-01", "to", "invalid_time"),
            ("since=2026-01-01T00:00:00Z", "since", "unknown_field"),
        ] {
            let refused = acme.get(&format!("/v1/deliveries?{query}")).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter"), "{query}");
            assert_eq!(refused.faults(), [(pointer.to_owned(), code.to_owned())], "{query}");
        }
    })
    .await;
}

/// Lets an endpoint fail until its one delivery is out of tries.
async fn exhaust(orq: &Orquiva, acme: &mut Caller<'_>) -> Value {
    loop {
        orq.work().await;
        acme.token = acme.fresh_token().await;
        let delivery = listed(acme, "").await.remove(0);
        if delivery["state"] != "waiting" {
            return delivery;
        }
        let next = orquiva_core::Timestamp::parse(delivery["nextAttemptAt"].as_str().unwrap()).unwrap();
        orq.clock.advance(next.since(orq.base.clock.now()));
    }
}

#[tokio::test]
async fn a_delivery_that_ran_out_of_tries_is_sent_again_with_all_of_them_before_it() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_fail(13);
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        let failed = exhaust(&orq, &mut acme).await;
        assert_eq!((&failed["state"], receiver.got().len()), (&json!("failed"), 12));
        orq.clock.advance(1);
        let dry = format!("/v1/deliveries/{}/retry?dryRun=true", failed["id"].as_str().unwrap());
        assert_eq!(acme.post(&dry, &Value::Null).await.status, 202);
        assert_eq!(listed(&acme, "").await[0], failed);

        let again = retry(&acme, &failed).await;
        assert_eq!((again.status, &again.body["state"]), (202, &json!("waiting")), "{}", again.body);
        orq.work().await;
        let attempts: Vec<_> =
            receiver.got().iter().map(|(headers, _)| headers["x-orq-attempt"].clone()).collect();
        assert_eq!(
            (attempts.len(), attempts[12].to_str().unwrap()),
            (13, "1"),
            "at once, and from the first"
        );
        let (first, last) = (receiver.got()[0].clone(), receiver.got()[12].clone());
        assert_eq!((&first.0["webhook-id"], &first.1), (&last.0["webhook-id"], &last.1), "the same event");
        let waits = listed(&acme, "").await.remove(0);
        assert_eq!((&waits["state"], &waits["doneAt"]), (&json!("waiting"), &Value::Null));

        let now = retry(&acme, &waits).await;
        assert_eq!((now.status, &now.body["nextAttemptAt"]), (202, &json!(orq.base.clock.now())));
        orq.work().await;
        let last = receiver.got()[13].0["x-orq-attempt"].clone();
        assert_eq!(last, "2", "one that waits is tried now, and its tries count on");
        assert_eq!(listed(&acme, "").await[0]["state"], "delivered");
        orq.clock.advance(1);
        assert_eq!(retry(&acme, &waits).await.status, 202, "one that arrived too");
        orq.work().await;
        let one = whole(&acme, &waits).await;
        assert_eq!((receiver.got().len(), one["attempts"].as_array().unwrap().len()), (15, 15));
    })
    .await;
}

#[tokio::test]
async fn a_retry_does_not_wait_for_a_pause_that_the_endpoint_asked_for() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(503, &[("retry-after", "3600")])]);
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let waits = listed(&acme, "?state=waiting").await.remove(0);
        orq.clock.advance(1);
        orq.work().await;
        assert_eq!(receiver.got().len(), 1);
        assert_eq!(retry(&acme, &waits).await.status, 202);
        orq.work().await;
        assert_eq!(receiver.got().len(), 2);
    })
    .await;
}

#[tokio::test]
async fn nothing_is_sent_again_to_an_endpoint_that_is_disabled_or_gone() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (gone, deleted) = (Receiver::start().await, Receiver::start().await);
        gone.will_answer(&[(410, &[])]);
        acme.subscribe(&gone, &["employee.created"]).await;
        let id = acme.subscribe(&deleted, &["employee.created"]).await["id"].as_str().unwrap().to_owned();
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!(acme.delete(&format!("/v1/webhooks/{id}")).await.status, 204);
        let failed = listed(&acme, "?state=failed").await.remove(0);
        assert_eq!(retry(&acme, &failed).await.problem(), (409, "webhook_disabled"));
        let arrived = listed(&acme, "?state=delivered").await.remove(0);
        assert_eq!(retry(&acme, &arrived).await.problem(), (409, "webhook_deleted"));
        orq.work().await;
        assert_eq!((gone.got().len(), deleted.got().len()), (1, 1));
    })
    .await;
}

#[tokio::test]
async fn another_companys_deliveries_are_not_there() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let receiver = Receiver::start().await;
        acme.subscribe(&receiver, &["*"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let delivery = listed(&acme, "").await.remove(0);
        let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
        assert_eq!(other.get(&path).await.problem(), (404, "not_found"));
        assert_eq!(retry(&other, &delivery).await.problem(), (404, "not_found"));
        assert_eq!(listed(&other, "").await, Vec::<Value>::new());
        for path in ["/v1/deliveries/x", "/v1/deliveries/emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B"] {
            assert_eq!(acme.get(path).await.problem(), (404, "not_found"));
            assert_eq!(acme.post(&format!("{path}/retry"), &Value::Null).await.problem(), (404, "not_found"));
        }
        let reads = orq.company_on("third", Plan::Pro, Scopes::parse("events:read").unwrap()).await;
        assert_eq!(reads.get(&path).await.problem(), (403, "insufficient_scope"));
        let refused = reads.write(Method::POST, &format!("{path}/retry"), &[], &Value::Null).await;
        assert_eq!(refused.problem(), (403, "insufficient_scope"));
    })
    .await;
}
