//! What becomes of an event on its way to an endpoint.

use std::time::Duration;

use axum::body::Body;
use axum::routing::post;
use orquiva_core::webhook::outcome::SCHEDULE;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::{Caller, Orquiva, PUBLIC, Receiver, on_both};

/// The deliveries of the company, the oldest first.
async fn deliveries(acme: &Caller<'_>) -> Vec<Value> {
    let caller =
        Caller { token: acme.fresh_token().await, secret: acme.secret.clone(), id: acme.id.clone(), ..*acme };
    let answer = caller.get("/v1/deliveries").await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let mut data = answer.body["data"].as_array().unwrap().clone();
    data.reverse();
    data
}

/// Moves the clock to when the delivery is tried next, and works; returns the wait in milliseconds.
async fn work_when_due(orq: &Orquiva, delivery: &Value) -> i64 {
    let next = orquiva_core::Timestamp::parse(delivery["nextAttemptAt"].as_str().unwrap()).unwrap();
    let wait = next.since(orq.base.clock.now());
    orq.clock.advance(wait - 1);
    orq.work().await;
    orq.clock.advance(1);
    orq.work().await;
    wait
}

#[tokio::test]
async fn an_endpoint_that_fails_is_tried_twelve_times_over_three_days() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_fail(20);
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        for (attempt, seconds) in SCHEDULE.iter().enumerate().skip(1) {
            let delivery = &deliveries(&acme).await[0];
            assert_eq!((receiver.got().len(), &delivery["state"]), (attempt, &json!("waiting")));
            let wait = work_when_due(&orq, delivery).await;
            let (least, most) = (seconds * 800, seconds * 1200);
            assert!((least..=most).contains(&wait), "attempt {} after {wait} ms", attempt + 1);
            assert_eq!(receiver.got().len(), attempt + 1, "not a moment before, and then at once");
        }
        let delivery = &deliveries(&acme).await[0];
        assert_eq!(
            (&delivery["state"], &delivery["nextAttemptAt"]),
            (&json!("failed"), &Value::Null),
            "it stays visible"
        );
        let attempts = delivery["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 12);
        let numbers: Vec<_> = receiver
            .got()
            .iter()
            .map(|(headers, _)| headers["x-orq-attempt"].to_str().unwrap().parse::<i64>().unwrap())
            .collect();
        assert_eq!(numbers, (1..=12).collect::<Vec<_>>());
        assert!(attempts.iter().all(|attempt| attempt["status"] == 500));
        let bodies: Vec<_> = receiver.got().into_iter().map(|(_, body)| body).collect();
        assert!(bodies.windows(2).all(|pair| pair[0] == pair[1]), "the same bytes each time");
    })
    .await;
}

#[tokio::test]
async fn a_delivery_carries_both_families_of_headers() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let delivery = &deliveries(&acme).await[0];
        let (headers, body) = &receiver.got()[0];
        let header = |name: &str| headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("webhook-id"), receiver.events()[0]["id"].as_str().unwrap());
        assert_eq!(header("webhook-timestamp"), "1767225600");
        assert!(
            header("webhook-signature").starts_with("v1,")
                && header("x-orq-signature").starts_with("t=1767225600,v1=")
        );
        assert_eq!(
            (header("x-orq-event-type"), header("x-orq-attempt")),
            ("employee.created".to_owned(), "1".to_owned())
        );
        assert_eq!(
            (json!(header("x-orq-delivery")), header("user-agent")),
            (delivery["id"].clone(), "Orquiva-Webhooks/1".to_owned())
        );
        assert_eq!(
            (header("content-type"), header("content-length")),
            ("application/json".to_owned(), body.len().to_string())
        );
        assert_eq!((&delivery["state"], &delivery["webhookId"]), (&json!("delivered"), &webhook["id"]));
        assert!(webhook["secret"].as_str().unwrap().starts_with("whsec_"));
        let again = acme.get(&format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())).await;
        assert_eq!(again.body.get("secret"), None, "a secret is shown once");
    })
    .await;
}

#[tokio::test]
async fn retry_after_pauses_the_endpoint_and_spends_no_attempt() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(503, &[("retry-after", "120")])]);
        acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        acme.hire("Luis Gil").await;
        orq.work().await;
        assert_eq!(receiver.got().len(), 1, "the whole endpoint waits");
        orq.clock.advance(119_999);
        orq.work().await;
        assert_eq!(receiver.got().len(), 1);
        orq.clock.advance(1);
        orq.work().await;
        let attempts: Vec<_> =
            receiver.got().iter().map(|(headers, _)| headers["x-orq-attempt"].clone()).collect();
        assert_eq!(attempts, ["1", "1", "1"], "the one that was put off counts once");
        assert!(deliveries(&acme).await.iter().all(|delivery| delivery["state"] == "delivered"));
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_says_gone_is_disabled_and_the_others_hear_of_it() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (gone, other) = (Receiver::start().await, Receiver::start().await);
        gone.will_answer(&[(410, &[])]);
        let webhook = acme.subscribe(&gone, &["employee.*"]).await;
        acme.subscribe(&other, &["*"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
        let now = acme.get(&path).await.body;
        assert_eq!((&now["status"], &now["disabledReason"]), (&json!("disabled"), &json!("gone")));
        acme.hire("Luis Gil").await;
        orq.work().await;
        assert_eq!(gone.got().len(), 1, "nothing more is sent there");
        let types: Vec<_> = other.events().iter().map(|event| event["type"].clone()).collect();
        assert_eq!(types, ["employee.created", "webhook_endpoint.disabled", "employee.created"]);
        let event = &other.events()[1];
        assert_eq!((&event["data"]["id"], &event["actor"]), (&webhook["id"], &json!({ "type": "system" })));
        assert_eq!(event["data"].get("secret"), None);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_without_a_success_for_five_days_is_disabled() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_fail(20);
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        orq.clock.advance(5 * 86_400_000 - 1);
        orq.work().await;
        let mut acme = acme;
        acme.token = acme.fresh_token().await;
        let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
        assert_eq!(acme.get(&path).await.body["status"], "enabled");
        acme.hire("Luis Gil").await;
        orq.clock.advance(1);
        orq.work().await;
        let now = acme.get(&path).await.body;
        assert_eq!((&now["status"], &now["disabledReason"]), (&json!("disabled"), &json!("failing")));
        assert!(
            deliveries(&acme).await.iter().all(|delivery| delivery["state"] == "failed"),
            "failed, and not lost"
        );
        assert_eq!(acme.event_types().await.last().unwrap(), "webhook_endpoint.disabled");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_endpoint_gets_nothing_more_and_its_deliveries_stay_in_the_log() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(500, &[])]);
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!(
            acme.delete(&format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap())).await.status,
            204
        );
        acme.hire("Luis Gil").await;
        orq.clock.advance(60_000);
        orq.work().await;
        assert_eq!(receiver.got().len(), 1);
        let left = deliveries(&acme).await;
        assert_eq!((left.len(), &left[0]["state"]), (1, &json!("cancelled")));
    })
    .await;
}

#[tokio::test]
async fn patterns_choose_what_an_endpoint_gets() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (all, employees, updates) =
            (Receiver::start().await, Receiver::start().await, Receiver::start().await);
        acme.subscribe(&all, &["*"]).await;
        acme.subscribe(&employees, &["employee.*"]).await;
        acme.subscribe(&updates, &["employee.updated", "employee.updated"]).await;
        let ana = json!({ "fullName": "Ana", "email": "ana@acme.test", "department": "Ventas" });
        let id = acme.post("/v1/employees", &ana).await.body["id"].as_str().unwrap().to_owned();
        acme.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": "Jefa" })).await;
        orq.work().await;
        let types = |receiver: &Receiver| {
            let mut types: Vec<_> =
                receiver.events().iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect();
            types.sort();
            types
        };
        assert_eq!(types(&all), ["department.created", "employee.created", "employee.updated"]);
        assert_eq!(types(&employees), ["employee.created", "employee.updated"]);
        assert_eq!(types(&updates), ["employee.updated"], "once, though it is named twice");
    })
    .await;
}

#[tokio::test]
async fn deliveries_are_found_by_endpoint_event_and_state() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (good, bad) = (Receiver::start().await, Receiver::start().await);
        bad.will_fail(20);
        let good_id = acme.subscribe(&good, &["*"]).await["id"].clone();
        let bad_id = acme.subscribe(&bad, &["*"]).await["id"].clone();
        acme.hire("Ana Ruiz").await;
        acme.hire("Luis Gil").await;
        orq.work().await;
        let event = good.events()[0]["id"].as_str().unwrap().to_owned();
        for (query, count) in [
            (String::new(), 4),
            (format!("?webhookId={}", good_id.as_str().unwrap()), 2),
            (format!("?eventId={event}"), 2),
            (format!("?eventId={event}&webhookId={}", bad_id.as_str().unwrap()), 1),
            ("?state=waiting".to_owned(), 2),
            ("?state=delivered".to_owned(), 2),
            ("?state=failed".to_owned(), 0),
        ] {
            let found = acme.get(&format!("/v1/deliveries{query}")).await;
            assert_eq!(found.body["data"].as_array().unwrap().len(), count, "{query}");
        }
        let page = acme.get("/v1/deliveries?limit=3").await.body;
        let rest = acme
            .get(&format!("/v1/deliveries?limit=3&cursor={}", page["nextCursor"].as_str().unwrap()))
            .await
            .body;
        assert_eq!((page["data"].as_array().unwrap().len(), rest["data"].as_array().unwrap().len()), (3, 1));
        assert_eq!(rest["nextCursor"], Value::Null);
    })
    .await;
}

#[tokio::test]
async fn redirects_are_not_followed_and_long_answers_not_read_to_the_end() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let target = Receiver::start().await;
        let redirecting = Receiver::start().await;
        redirecting.will_answer(&[(307, &[("location", &target.url)])]);
        acme.subscribe(&redirecting, &["*"]).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let long = post(|| async { Body::from("a\0".repeat(1024 * 1024)) });
        tokio::spawn(
            async move { axum::serve(listener, axum::Router::new().route("/", long)).await.unwrap() },
        );
        let created = acme.post("/v1/webhooks", &json!({ "url": url, "events": ["*"] })).await.body;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!((redirecting.got().len(), target.got().len()), (1, 0));
        for delivery in deliveries(&acme).await {
            let path = format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap());
            let attempt = &acme.get(&path).await.body["attempts"][0];
            if delivery["webhookId"] == created["id"] {
                let kept = attempt["response"]["body"].as_str().unwrap();
                assert_eq!((&delivery["state"], kept.chars().count()), (&json!("delivered"), 8192));
            } else {
                assert_eq!((&delivery["state"], &attempt["status"]), (&json!("waiting"), &json!(307)));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_cannot_be_reached_says_why() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap(); // and closed again
        let plain = Receiver::start().await;
        for (url, error) in [
            (format!("http://{closed}/"), "connect"),
            ("http://nobody.invalid/".to_owned(), "dns"),
            (plain.url.replace("http://", "https://"), "tls"),
        ] {
            let created = acme
                .post("/v1/webhooks", &json!({ "url": url, "events": ["*"], "description": error }))
                .await;
            assert_eq!(created.status, 201, "{}", created.body);
        }
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let names = acme.get("/v1/webhooks").await.body;
        for delivery in deliveries(&acme).await {
            let webhook = names["data"]
                .as_array()
                .unwrap()
                .iter()
                .find(|one| one["id"] == delivery["webhookId"])
                .unwrap();
            assert_eq!(
                (&delivery["attempts"][0]["error"], &delivery["state"]),
                (&webhook["description"], &json!("waiting"))
            );
        }
    })
    .await;
}

#[tokio::test]
async fn private_addresses_are_refused_when_an_endpoint_is_created() {
    let orq = Orquiva::strict().await;
    let acme = orq.company("acme").await;
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "localhost",
        "LOCALHOST.",
        "10.0.0.1",
        "192.168.1.1",
        "172.16.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "0.0.0.0",
        "[::1]",
        "[::ffff:10.0.0.1]",
        "[64:ff9b::a00:1]",
        "[fd00::1]",
        "metadata.google.internal",
        "printer.local",
        "intranet",
    ] {
        let answer = acme
            .post("/v1/webhooks", &json!({ "url": format!("https://{host}/hook"), "events": ["*"] }))
            .await;
        assert_eq!(answer.problem(), (422, "invalid_fields"), "{host}");
        assert_eq!(answer.faults(), [("/url".to_owned(), "private_address".to_owned())], "{host}");
    }
    let plain = acme.post("/v1/webhooks", &json!({ "url": "http://example.com/", "events": ["*"] })).await;
    assert_eq!(plain.faults(), [("/url".to_owned(), "invalid_url".to_owned())], "not without TLS");
    let good = acme.post("/v1/webhooks", &json!({ "url": "https://example.com/", "events": ["*"] })).await;
    assert_eq!(good.status, 201);
}

#[tokio::test]
async fn private_addresses_are_refused_again_when_the_connection_is_made() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let by_name = receiver.url.replace("127.0.0.1", "localhost");
        for url in [&receiver.url, &by_name] {
            assert_eq!(acme.post("/v1/webhooks", &json!({ "url": url, "events": ["*"] })).await.status, 201);
        }
        acme.hire("Ana Ruiz").await;
        let strict = orq.base.node(PUBLIC.to_owned(), false).await.unwrap();
        strict.worker.step().await.unwrap();
        assert_eq!(receiver.got().len(), 0);
        for delivery in deliveries(&acme).await {
            assert_eq!(
                delivery["attempts"][0]["error"], "private_address",
                "the resolved address counts, not the name"
            );
        }
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_that_hangs_delays_nobody_else() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", hanging.local_addr().unwrap());
        let created =
            acme.post("/v1/webhooks", &json!({ "url": url, "events": ["*"], "maxConcurrency": 32 })).await;
        assert_eq!(created.status, 201);
        let (mine, foreign) = (Receiver::start().await, Receiver::start().await);
        acme.subscribe(&mine, &["*"]).await;
        other.subscribe(&foreign, &["*"]).await;
        let (_stop, stopped) = watch::channel(false);
        let running = tokio::spawn(orq.worker.clone().run(stopped));
        for number in 0..40 {
            acme.hire(&format!("Person {number}")).await;
            other.hire(&format!("Person {number}")).await;
        }
        let all = async { tokio::join!(mine.has_got(40), foreign.has_got(40)) };
        tokio::time::timeout(Duration::from_secs(10), all)
            .await
            .expect("long before the hanging calls time out");
        running.abort();
    })
    .await;
}

#[tokio::test]
async fn a_worker_that_died_loses_nothing_and_its_late_results_change_nothing() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        acme.subscribe(&receiver, &["*"]).await;
        acme.hire("Ana Ruiz").await;
        while orq.worker.route().await.unwrap() > 0 {}
        let now = orq.base.clock.now();
        let lease = orq.base.mint.next();
        let claim = async |lease, now: orquiva_core::Timestamp| {
            let write = move |tx| async move {
                orquiva_store::lane::claim(&tx, lease, None, now, now.plus(10_000), 10).await
            };
            orq.base.store.write::<_, orquiva_store::StoreError, _, _>(None, write).await.unwrap()
        };
        let claimed = claim(lease, now).await;
        assert_eq!(claimed.len(), 1);
        assert!(claim(orq.base.mint.next(), now).await.is_empty(), "a leased lane belongs to one worker");
        orq.clock.advance(9_999);
        orq.work().await;
        assert_eq!(receiver.got().len(), 0, "the dead worker's lease still runs");
        orq.clock.advance(1);
        orq.work().await;
        assert_eq!(receiver.got().len(), 1, "then another takes over");
        let lane = claimed[0].lane;
        let hold = move |tx| async move { orquiva_store::lane::hold(&tx, lane, lease, now).await };
        let held = orq.base.store.write::<_, orquiva_store::StoreError, _, _>(None, hold).await.unwrap();
        assert!(!held, "the old lease writes no more");
    })
    .await;
}
