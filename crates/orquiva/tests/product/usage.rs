//! What a company used, client by client and minute by minute.

use axum::body::Body;
use http::Request;
use orquiva_core::{Plan, Scopes};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, PUBLIC, on_both, send};

/// Minute, requests, refusals and errors of each entry.
fn rows(answer: &Answer) -> Vec<(String, i64, i64, i64)> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let row = |one: &Value| {
        let count = |name: &str| one[name].as_i64().unwrap();
        (
            one["minute"].as_str().unwrap()[11..16].to_owned(),
            count("requests"),
            count("refused"),
            count("errors"),
        )
    };
    answer.body["data"].as_array().unwrap().iter().map(row).collect()
}

fn row(minute: &str, requests: i64, refused: i64, errors: i64) -> (String, i64, i64, i64) {
    (minute.to_owned(), requests, refused, errors)
}

#[tokio::test]
async fn requests_refusals_and_errors_are_counted_by_client_and_minute() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let other = orq.client_of(acme.company, Scopes::parse("events:read").unwrap()).await;
        for _ in 0..99 {
            acme.get("/v1/me").await;
        }
        acme.get("/v1/employees/emp_none").await;
        for _ in 0..5 {
            assert_eq!(acme.get("/v1/me").await.status, 429);
        }
        orq.clock.advance(61_000);
        other.get("/v1/employees").await; // 403
        acme.get("/v1/me").await;
        orq.tokens.write_usage().await.unwrap();

        let all = acme.get("/v1/usage").await;
        assert_eq!(rows(&all), [row("00:01", 1, 0, 1), row("00:01", 1, 0, 0), row("00:00", 105, 5, 1)]);
        assert_eq!(all.body["data"][0]["clientId"], json!(other.id));
        let mine = other.get(&format!("/v1/usage?clientId={}", acme.id)).await;
        assert_eq!(rows(&mine), [row("00:01", 1, 0, 0), row("00:00", 105, 5, 1)], "no scope is needed");
        let early = acme.get("/v1/usage?from=2026-01-01T00:00:00Z&to=2026-01-01T00:01:00Z").await;
        assert_eq!(rows(&early), [row("00:00", 105, 5, 1)]);
        assert_eq!(
            orq.company("globex").await.get("/v1/usage").await.body["data"],
            json!([]),
            "its own only"
        );

        for _ in 0..2 {
            acme.get("/v1/me").await;
            orq.tokens.write_usage().await.unwrap();
        }
        let one = acme.get(&format!("/v1/usage?clientId={}&limit=1", acme.id)).await;
        assert_eq!(rows(&one), [row("00:01", 5, 0, 0)], "what is written twice is added up");
    })
    .await;
}

#[tokio::test]
async fn several_nodes_add_up() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let node = orq.base.node(PUBLIC.to_owned(), true).await.unwrap();
        let router = orquiva::wiring::open_router(node.app);
        for _ in 0..3 {
            let request = Request::get("/v1/me").header("authorization", format!("Bearer {}", acme.token));
            send(&router, request.body(Body::empty()).unwrap()).await;
            acme.get("/v1/me").await;
        }
        node.tokens.write_usage().await.unwrap();
        orq.tokens.write_usage().await.unwrap();
        assert_eq!(rows(&acme.get("/v1/usage").await), [row("00:00", 6, 0, 0)]);
    })
    .await;
}

#[tokio::test]
async fn the_list_pages_and_says_what_is_wrong_with_a_parameter() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.client_of(acme.company, Scopes::all()).await;
        for _ in 0..3 {
            acme.get("/v1/me").await;
            other.get("/v1/me").await;
            orq.clock.advance(60_000);
        }
        orq.tokens.write_usage().await.unwrap();
        let whole = acme.get("/v1/usage").await.body["data"].as_array().unwrap().clone();
        assert_eq!(whole.len(), 6);
        let (mut paged, mut cursor) = (Vec::new(), String::new());
        loop {
            let after = if paged.is_empty() { String::new() } else { format!("&cursor={cursor}") };
            let page = acme.get(&format!("/v1/usage?limit=4{after}")).await;
            paged.extend(page.body["data"].as_array().unwrap().clone());
            let Some(next) = page.body["nextCursor"].as_str() else { break };
            assert!(page.header("link").contains("rel=\"next\""));
            next.clone_into(&mut cursor);
        }
        assert_eq!(paged, whole, "nothing repeats and nothing is missing");
        for (query, fault) in [
            ("from=yesterday", ("from", "invalid_time")),
            ("to=2026-01-01", ("to", "invalid_time")),
            ("clientId=acme", ("clientId", "invalid_id")),
            ("limit=0", ("limit", "out_of_range")),
            ("client=x", ("client", "unknown_field")),
        ] {
            let refused = acme.get(&format!("/v1/usage?{query}")).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter"), "{query}");
            assert_eq!(refused.faults(), [(fault.0.to_owned(), fault.1.to_owned())]);
        }
        for path in ["/v1/usage?cursor=AAAA".to_owned(), format!("/v1/usage?limit=5&cursor={cursor}")] {
            let refused = acme.get(&path).await;
            assert_eq!(refused.status, if path.contains("AAAA") { 400 } else { 200 }, "{path}");
        }
        let moved = acme.get(&format!("/v1/usage?clientId={}&cursor={cursor}", acme.id)).await;
        assert_eq!(moved.problem(), (400, "invalid_cursor"), "a cursor belongs to its filters");
    })
    .await;
}

async fn kept(acme: &Caller<'_>) -> usize {
    acme.get("/v1/usage").await.body["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn counts_are_kept_for_thirty_days() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        acme.get("/v1/me").await;
        orq.clock.advance(30 * 86_400_000);
        acme.token = acme.fresh_token().await;
        acme.get("/v1/me").await;
        orq.tokens.write_usage().await.unwrap();
        orq.tokens.forget().await.unwrap();
        assert_eq!(kept(&acme).await, 2);
        orq.clock.advance(60_000);
        orq.tokens.forget().await.unwrap();
        assert_eq!(kept(&acme).await, 1);
    })
    .await;
}
