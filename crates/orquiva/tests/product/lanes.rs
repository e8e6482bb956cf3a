//! Lanes: each endpoint has its queue, which stands in one of a few states and never in the way of another.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::harness::{Caller, Orquiva, Receiver, START, on_both};

const HOUR: i64 = 3_600_000;

/// An endpoint for new employees that says more of itself than its address.
async fn endpoint(acme: &Caller<'_>, receiver: &Receiver, more: Value) -> String {
    let mut body = json!({ "url": receiver.url, "events": ["employee.created"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let created = acme.post("/v1/webhooks", &body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    created.body["id"].as_str().unwrap().to_owned()
}

async fn state(acme: &Caller<'_>, webhook: &str) -> String {
    let health = acme.get(&format!("/v1/webhooks/{webhook}/health")).await;
    assert_eq!(health.status, 200, "{}", health.body);
    health.body["state"].as_str().unwrap().to_owned()
}

async fn hire(acme: &Caller<'_>, people: std::ops::Range<usize>) {
    for number in people {
        acme.hire(&format!("Person {number}")).await;
    }
}

/// The attempts that the requests of a receiver were, as they said.
fn attempts(receiver: &Receiver) -> Vec<String> {
    let attempt = |(headers, _): &(http::HeaderMap, _)| headers["x-orq-attempt"].to_str().unwrap().to_owned();
    receiver.got().iter().map(attempt).collect()
}

/// The sequences that arrived, in the order of their arrival.
fn sequences(receiver: &Receiver) -> Vec<i64> {
    receiver.events().iter().map(|event| event["sequence"].as_i64().unwrap()).collect()
}

async fn pass(orq: &Orquiva, millis: i64) {
    orq.clock.advance(millis);
    orq.work().await;
}

#[tokio::test]
async fn an_endpoint_that_takes_nothing_is_asked_rarely_and_what_waits_keeps_its_tries() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_fail(7);
        let webhook = endpoint(&acme, &receiver, json!({ "maxConcurrency": 1 })).await;
        assert_eq!(state(&acme, &webhook).await, "idle");
        hire(&acme, 0..8).await;
        orq.work().await;
        assert_eq!((receiver.got().len(), state(&acme, &webhook).await.as_str()), (5, "open"));
        pass(&orq, 29_999).await;
        assert_eq!(receiver.got().len(), 5, "nothing is sent before the probe");
        pass(&orq, 1).await;
        assert_eq!(receiver.got().len(), 6, "a probe is one call");
        pass(&orq, 59_999).await;
        assert_eq!(receiver.got().len(), 6);
        pass(&orq, 1).await;
        assert_eq!(attempts(&receiver), ["1"; 7], "probes take what was never tried, each another one");
        let ids: std::collections::BTreeSet<_> =
            receiver.events().iter().map(|event| event["id"].to_string()).collect();
        assert_eq!(ids.len(), 7);
        pass(&orq, 120_000).await;
        let all = acme.get("/v1/deliveries?state=delivered").await.body;
        assert_eq!(all["data"].as_array().unwrap().len(), 8, "a success closes it, and the rest follows");
        assert_eq!((receiver.got().len(), state(&acme, &webhook).await.as_str()), (15, "idle"));
        let after_failure = attempts(&receiver)[7..].iter().filter(|attempt| *attempt == "2").count();
        assert_eq!(after_failure, 5, "the probes spent no attempt");
    })
    .await;
}

#[tokio::test]
async fn a_lane_stands_in_the_state_that_its_health_tells() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = endpoint(&acme, &receiver, json!({})).await;
        let path = format!("/v1/webhooks/{webhook}");
        assert_eq!(state(&acme, &webhook).await, "idle");
        acme.hire("Ana Ruiz").await;
        while orq.worker.route().await.unwrap() > 0 {}
        assert_eq!(state(&acme, &webhook).await, "delivering", "it is due");
        let (now, lease) = (orq.base.clock.now(), orq.base.mint.next());
        let claim = move |tx| async move {
            orquiva_store::lane::claim(&tx, lease, None, now, now.plus(10_000), 10).await
        };
        let claimed = orq.base.store.write::<_, orquiva_store::StoreError, _, _>(None, claim).await.unwrap();
        assert_eq!((claimed.len(), state(&acme, &webhook).await.as_str()), (1, "delivering"));
        receiver.will_answer(&[(503, &[("retry-after", "60")]), (500, &[])]);
        pass(&orq, 10_000).await;
        assert_eq!(state(&acme, &webhook).await, "backing_off", "as it asked");
        pass(&orq, 60_000).await;
        assert_eq!(state(&acme, &webhook).await, "backing_off", "until the next try");
        acme.patch(&path, &json!({ "status": "paused" })).await;
        pass(&orq, HOUR / 2).await;
        assert_eq!((receiver.got().len(), state(&acme, &webhook).await.as_str()), (2, "paused"));
        acme.patch(&path, &json!({ "status": "enabled" })).await;
        orq.work().await;
        assert_eq!((receiver.got().len(), state(&acme, &webhook).await.as_str()), (3, "idle"));
        receiver.will_answer(&[(410, &[])]);
        acme.hire("Luis Gil").await;
        orq.work().await;
        assert_eq!(state(&acme, &webhook).await, "disabled");
    })
    .await;
}

#[tokio::test]
async fn an_ordered_endpoint_gets_one_after_the_other_and_its_head_holds_up_the_rest() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (keeping, giving_up) = (Receiver::start().await, Receiver::start().await);
        keeping.will_fail(2);
        giving_up.will_fail(1);
        endpoint(&acme, &keeping, json!({ "ordered": true, "maxConcurrency": 8 })).await;
        endpoint(&acme, &giving_up, json!({ "ordered": true, "retrySchedule": [0] })).await;
        hire(&acme, 0..3).await;
        orq.work().await;
        assert_eq!(sequences(&keeping), [1], "the first failed, so nothing passes it");
        assert_eq!(sequences(&giving_up), [1, 2, 3], "one that failed for good is in nobody's way");
        pass(&orq, 6_000).await;
        assert_eq!(sequences(&keeping), [1, 1]);
        hire(&acme, 3..5).await;
        pass(&orq, 36_000).await;
        assert_eq!(sequences(&keeping), [1, 1, 1, 2, 3, 4, 5]);
    })
    .await;
}

#[tokio::test]
async fn an_endpoint_gets_no_more_a_second_than_it_says() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        endpoint(&acme, &receiver, json!({ "ratePerSecond": 2 })).await;
        hire(&acme, 0..4).await;
        orq.work().await;
        let mut counts = vec![receiver.got().len()];
        for _ in 0..3 {
            pass(&orq, 499).await;
            counts.push(receiver.got().len());
            pass(&orq, 1).await;
            counts.push(receiver.got().len());
        }
        assert_eq!(counts, [1, 1, 2, 2, 3, 3, 4], "half a second lies between two");
    })
    .await;
}

#[tokio::test]
async fn administrators_hear_of_an_endpoint_that_takes_nothing_after_an_hour_a_day_and_three() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let (dead, other) = (Receiver::start().await, Receiver::start().await);
        dead.will_fail(1_000);
        let webhook = endpoint(&acme, &dead, json!({ "description": "CRM" })).await;
        acme.subscribe(&other, &["webhook_endpoint.*"]).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let mut told = Vec::new();
        for hour in 1..=125 {
            orq.clock.advance(HOUR);
            acme.token = acme.fresh_token().await;
            if hour == 73 || hour == 121 {
                acme.hire(&format!("Person {hour}")).await;
            }
            orq.work().await;
            told.resize(other.got().len(), hour);
        }
        let types: Vec<_> = other.events().iter().map(|event| event["type"].clone()).collect();
        let failing = "webhook_endpoint.failing";
        assert_eq!(types, [failing, failing, failing, "webhook_endpoint.disabled"]);
        assert!(
            told[0] <= 3 && (24..=60).contains(&told[1]) && (73..=74).contains(&told[2]) && told[3] >= 120,
            "{told:?}"
        );
        let first = &other.events()[0]["data"];
        assert_eq!((&first["id"], &first["status"]), (&json!(webhook), &json!("enabled")));
        assert_eq!((&first["failingSince"], &first["waiting"]), (&json!(START), &json!(1)));

        let notices = acme.get("/v1/notices").await.body["data"].as_array().unwrap().clone();
        let kinds: Vec<_> = notices.iter().map(|notice| notice["kind"].clone()).collect();
        assert_eq!(kinds, ["webhook_endpoint.disabled", failing, failing, failing], "the newest first");
        assert_eq!(notices[0]["data"]["disabledReason"], "failing");
        assert_eq!(
            (&notices[3]["webhookId"], &notices[3]["data"]["description"]),
            (&json!(webhook), &json!("CRM"))
        );
        let read = format!("/v1/notices/{}/read", notices[0]["id"].as_str().unwrap());
        let at = acme.post(&read, &json!({})).await.body["readAt"].clone();
        orq.clock.advance(1_000);
        assert_eq!(acme.post(&read, &json!({})).await.body["readAt"], at, "the first time counts");
        let unread = acme.get("/v1/notices?unread=true").await.body;
        assert_eq!(unread["data"].as_array().unwrap().len(), 3);
        let wrong = acme.get("/v1/notices?unread=maybe").await;
        assert_eq!(wrong.faults(), [("unread".to_owned(), "not_allowed".to_owned())]);
        let failed = acme.get("/v1/deliveries?state=failed").await.body;
        assert_eq!(failed["data"].as_array().unwrap().len(), 3, "nothing was dropped");
    })
    .await;
}

#[tokio::test]
async fn a_company_whose_endpoints_all_hang_leaves_room_for_the_others() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let hanging = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", hanging.local_addr().unwrap());
        for _ in 0..20 {
            let hook = json!({ "url": url, "events": ["employee.created"], "maxConcurrency": 32 });
            assert_eq!(acme.post("/v1/webhooks", &hook).await.status, 201);
        }
        let well = Receiver::start().await;
        other.subscribe(&well, &["employee.created"]).await;
        hire(&acme, 0..32).await; // 640 calls that hang, of which the node makes 384 at once
        let (_stop, stopped) = watch::channel(false);
        let running = tokio::spawn(orq.worker.clone().run(stopped));
        tokio::time::timeout(Duration::from_secs(10), async {
            for number in 0..20 {
                other.hire(&format!("Person {number}")).await;
                well.has_got(number + 1).await;
            }
        })
        .await
        .expect("long before the hanging calls time out");
        running.abort();
    })
    .await;
}
