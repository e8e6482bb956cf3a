//! Endpoints that end, or rest, while much waits for them: it ends in pieces, and can be seen.

use orquiva_core::id::{Id, WebhookId};
use orquiva_core::{Plan, Scopes};
use orquiva_store::delivery::{self, log};
use orquiva_store::lane::{self, Lane};
use orquiva_store::{StoreError, Tx};
use serde_json::{Value, json};

use crate::harness::{Caller, Orquiva, Receiver, on_both};

const DAY: i64 = 86_400_000;

/// More than one piece, and no whole number of them.
const MANY: usize = 2_500;

/// A paused endpoint for which [`MANY`] deliveries wait.
async fn crowded(acme: &Caller<'_>, receiver: &Receiver) -> Lane {
    let hook = json!({
        "url": receiver.url, "events": ["employee.created"], "maxConcurrency": 1, "status": "paused",
    });
    let webhook = acme.post("/v1/webhooks", &hook).await.body;
    for batch in 0..MANY / 500 {
        let hire = |number: usize| json!({ "data": { "fullName": "Ana Ruiz", "email": format!("p{batch}-{number}@acme.test") } });
        let items: Vec<_> = (0..500).map(hire).collect();
        let done = acme.post("/v1/employees/batch", &json!({ "items": items })).await;
        assert_eq!((done.status, &done.body["failed"]), (200, &json!(0)));
    }
    while acme.orq.worker.route().await.unwrap() > 0 {}
    let id: WebhookId = Id::parse(webhook["id"].as_str().unwrap()).unwrap();
    let lane = Lane { company: acme.company, webhook: id };
    assert_eq!(waiting(acme.orq, lane).await, MANY as i64);
    lane
}

async fn waiting(orq: &Orquiva, lane: Lane) -> i64 {
    let tx = orq.base.store.read().await.unwrap();
    log::waiting(&tx, lane.company, Some(lane.webhook), 10_000).await.unwrap()
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_is_disabled_fails_however_much_it_is() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(410, &[])]);
        let lane = crowded(&acme, &receiver).await;
        let path = format!("/v1/webhooks/{}", lane.webhook);
        acme.patch(&path, &json!({ "status": "enabled" })).await;
        orq.worker.step().await.unwrap();
        assert_eq!((receiver.got().len(), waiting(&orq, lane).await), (1, 0));
        let again = acme.patch(&path, &json!({ "status": "enabled" })).await.body;
        assert_eq!(again["failedDeliveries"], json!(MANY), "each can be sent again");
        let stand = lane::stand(&orq.base.store.read().await.unwrap(), lane).await.unwrap();
        assert!(!stand.is_leased, "the lane was given back");
    })
    .await;
}

#[tokio::test]
async fn what_is_left_of_an_end_that_was_broken_off_is_ended_by_whoever_takes_the_lane() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let lane = crowded(&acme, &receiver).await;
        let (now, lease) = (orq.base.clock.now(), orq.base.mint.next());
        let break_off = move |tx: Tx| async move {
            lane::resume(&tx, lane, now).await?;
            lane::claim(&tx, lease, None, now, now.plus(10_000), 1).await?;
            orquiva_store::webhook::disable(&tx, lane.company, lane.webhook, "gone", now).await?;
            delivery::end_some(&tx, lane, "failed", now).await
        };
        let ended = orq.base.store.write::<_, StoreError, _, _>(None, break_off).await.unwrap();
        assert_eq!((ended, waiting(&orq, lane).await), (delivery::PIECE, MANY as i64 - 1_000));
        orq.worker.step().await.unwrap();
        assert_eq!(waiting(&orq, lane).await, MANY as i64 - 1_000, "as long as the lease lasts");
        orq.clock.advance(10_000);
        orq.worker.step().await.unwrap();
        assert_eq!((waiting(&orq, lane).await, receiver.got().len()), (0, 0));
    })
    .await;
}

#[tokio::test]
async fn what_waits_for_an_endpoint_that_is_deleted_is_cancelled_in_pieces() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let lane = crowded(&acme, &receiver).await;
        assert_eq!(acme.delete(&format!("/v1/webhooks/{}", lane.webhook)).await.status, 204);
        assert_eq!(waiting(&orq, lane).await, MANY as i64 - 1_000, "nobody waits for all of it");
        orq.worker.step().await.unwrap();
        assert_eq!((waiting(&orq, lane).await, receiver.got().len()), (0, 0));
        let cancelled = acme.get("/v1/deliveries?state=cancelled&limit=200").await.body;
        assert_eq!(cancelled["data"].as_array().unwrap().len(), 200);
        let gone = lane::stand(&orq.base.store.read().await.unwrap(), lane).await;
        assert!(matches!(gone, Err(StoreError::NotFound)), "its lane goes with the last of it");
        assert_eq!(acme.delete(&format!("/v1/webhooks/{}", lane.webhook)).await.status, 404);
    })
    .await;
}

async fn pass(orq: &Orquiva, caller: &mut Caller<'_>, days: i64) {
    orq.clock.advance(days * DAY);
    orq.tokens.follow().await.unwrap();
    caller.token = caller.fresh_token().await;
    orq.worker.sweep().await.unwrap();
}

async fn events(acme: &Caller<'_>) -> usize {
    acme.get("/v1/events").await.body["data"].as_array().unwrap().len()
}

async fn deliveries(acme: &Caller<'_>) -> Vec<Value> {
    acme.get("/v1/deliveries").await.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn an_endpoint_that_is_paused_for_ever_does_not_keep_the_log_for_ever() {
    on_both(async |orq| {
        let mut acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let receiver = Receiver::start().await;
        let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
        let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
        acme.patch(&path, &json!({ "status": "paused" })).await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        pass(&orq, &mut acme, 29).await;
        acme.hire("Luis Gil").await;
        orq.work().await;
        let states = async |acme: &Caller<'_>| -> Vec<(Value, Value)> {
            let all = deliveries(acme).await;
            all.iter().map(|one| (one["state"].clone(), one["expired"].clone())).collect()
        };
        let waits = (json!("waiting"), json!(false));
        assert_eq!(states(&acme).await, [waits.clone(), waits.clone()], "not yet");
        pass(&orq, &mut acme, 2).await;
        assert_eq!(states(&acme).await, [waits.clone(), (json!("failed"), json!(true))]);
        assert_eq!(events(&acme).await, 2, "what expired can be seen, and sent again");
        orq.worker.sweep().await.unwrap();
        let notices = acme.get("/v1/notices").await.body["data"].as_array().unwrap().clone();
        assert_eq!(notices.len(), 1, "it is told once");
        let (kind, data) = (&notices[0]["kind"], &notices[0]["data"]);
        assert_eq!((kind, &data["waiting"]), (&json!("webhook_endpoint.expiring"), &json!(1)));
        assert_eq!((&notices[0]["webhookId"], &data["url"]), (&webhook["id"], &webhook["url"]));

        pass(&orq, &mut acme, 8).await;
        assert_eq!((states(&acme).await, events(&acme).await), (vec![waits], 1), "it had its time");
        pass(&orq, &mut acme, 22).await;
        let expired = deliveries(&acme).await[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(states(&acme).await, [(json!("failed"), json!(true))]);
        assert_eq!(acme.get("/v1/notices").await.body["data"].as_array().unwrap().len(), 2, "on another day");
        acme.patch(&path, &json!({ "status": "enabled" })).await;
        assert_eq!(acme.post(&format!("/v1/deliveries/{expired}/retry"), &json!({})).await.status, 202);
        orq.work().await;
        assert_eq!(receiver.got().len(), 1, "somebody saw it in time");
        assert_eq!(states(&acme).await, [(json!("delivered"), json!(false))]);
    })
    .await;
}
