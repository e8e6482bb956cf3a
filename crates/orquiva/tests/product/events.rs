//! The log: in order, without gaps, with who did what.

use axum::body::Body;
use http::Request;
use serde_json::json;

use crate::harness::{Receiver, on_both};

#[tokio::test]
async fn the_log_is_gap_free_in_commit_order_and_pages_by_sequence() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.company("other").await;
        for number in 0..5 {
            acme.hire(&format!("Person {number}")).await;
            other.hire(&format!("Person {number}")).await;
        }
        orq.work().await;
        let first = acme.get("/v1/events?limit=2").await;
        assert_eq!((&first.body["hasMore"], &first.body["nextAfter"]), (&json!(true), &json!(2)));
        assert_eq!(
            first.header("link"),
            "<https://api.orquiva.test/v1/events?limit=2&after=2>; rel=\"next\""
        );
        let rest = acme.get("/v1/events?after=2").await;
        let sequences: Vec<_> = rest.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["sequence"].as_i64().unwrap())
            .collect();
        assert_eq!(sequences, [3, 4, 5], "each company counts for itself");
        assert_eq!((&rest.body["hasMore"], &rest.body["nextAfter"]), (&json!(false), &json!(5)));
        let none = acme.get("/v1/events?after=5").await;
        assert_eq!((&none.body["data"], &none.body["nextAfter"]), (&json!([]), &json!(5)));
    })
    .await;
}

#[tokio::test]
async fn an_event_says_who_did_it_and_is_the_same_bytes_everywhere() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        acme.subscribe(&receiver, &["employee.*"]).await;
        acme.hire("Ana Ruiz").await;
        let event = acme.events().await[0].clone();
        assert_eq!(
            event["actor"],
            json!({ "type": "client", "id": acme.id }),
            "so that a client skips its own writes"
        );
        assert_eq!((&event["apiVersion"], &event["companyId"]), (&json!("v1"), &json!(acme.company)));
        assert_eq!(
            (&event["timestamp"], &event["sequence"]),
            (&json!("2026-01-01T00:00:00.000Z"), &json!(1))
        );
        let (_, sent) = &receiver.got()[0];
        let got = acme.get(&format!("/v1/events/{}", event["id"].as_str().unwrap())).await;
        assert_eq!(&got.raw, sent, "webhook, list and reading are views of one log");
        let listed = acme.get("/v1/events").await;
        let listed = std::str::from_utf8(&listed.raw).unwrap().to_owned();
        assert!(listed.contains(std::str::from_utf8(sent).unwrap()));
    })
    .await;
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_keeps_a_sane_one() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let own = acme.request(http::Method::GET, "/v1/events").header("x-request-id", "my-id.1");
        assert_eq!(orq.send(own.body(Body::empty()).unwrap()).await.header("x-request-id"), "my-id.1");
        let insane = Request::get("/v1/events").header("x-request-id", "<script>");
        let answer = orq.send(insane.body(Body::empty()).unwrap()).await;
        assert!(answer.header("x-request-id").starts_with("req_"));
        assert_eq!(answer.body["requestId"], json!(answer.header("x-request-id")));
    })
    .await;
}
