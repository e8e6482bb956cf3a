//! The rate limit, as a client meets it. Its exactness over any span is a property test beside the code.

use axum::body::Body;
use http::{Method, Request};
use orquiva_core::{Plan, Scopes};

use crate::harness::on_both;

#[tokio::test]
async fn every_answer_tells_the_rate() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Pro, Scopes::all()).await;
        for (path, left) in
            [("/v1/employees", 999), ("/v1/employees/emp_none", 998), ("/v1/employees?limit=0", 997)]
        {
            let answer = acme.get(path).await;
            assert_eq!(answer.header("ratelimit-policy"), "\"pro\";q=1000;w=60", "{path}");
            assert_eq!(answer.header("ratelimit"), format!("\"pro\";r={left};t=61"), "{path}");
            assert_eq!(answer.header("x-ratelimit-limit"), "1000");
            assert_eq!(answer.header("x-ratelimit-remaining"), left.to_string());
            assert_eq!(answer.header("x-ratelimit-reset"), "61");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_free_is_told_as_free() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Pro, Scopes::all()).await;
        let first = acme.get("/v1/employees").await;
        for _ in 0..3 {
            let known = [("if-none-match", first.header("etag"))];
            let again = acme.write(Method::GET, "/v1/employees", &known, &serde_json::Value::Null).await;
            let left = (again.header("x-ratelimit-remaining"), again.header("ratelimit"));
            assert_eq!((again.status, left), (304, ("999", "\"pro\";r=999;t=61")));
        }
        assert_eq!(acme.get("/v1/employees").await.header("x-ratelimit-remaining"), "998");
    })
    .await;
}

#[tokio::test]
async fn who_waits_as_retry_after_says_is_let_in() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        for request in 0..100 {
            assert_eq!(acme.get("/v1/webhooks/whk_none").await.status, 404, "request {request}");
            orq.clock.advance(10);
        }
        let refused = acme.get("/v1/webhooks/whk_none").await;
        assert_eq!(refused.problem(), (429, "rate_limited"));
        assert_eq!(refused.header("ratelimit"), format!("\"free\";r=0;t={}", refused.header("retry-after")));
        let seconds: i64 = refused.header("retry-after").parse().unwrap();
        assert!((59..=61).contains(&seconds), "{seconds}");
        orq.clock.advance((seconds - 2) * 1000);
        assert_eq!(acme.get("/v1/webhooks/whk_none").await.status, 429, "and not much earlier");
        orq.clock.advance(2_000);
        assert_eq!(acme.get("/v1/webhooks/whk_none").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn one_company_at_its_limit_leaves_the_others_alone() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let other = orq.company_on("other", Plan::Free, Scopes::all()).await;
        for _ in 0..101 {
            acme.get("/v1/webhooks/whk_none").await;
        }
        assert_eq!(acme.get("/v1/webhooks/whk_none").await.status, 429);
        assert_eq!(other.get("/v1/webhooks/whk_none").await.status, 404);
        assert_eq!(orq.ask_token(&acme.form()).await.status, 200, "tokens are not of this budget");
    })
    .await;
}

#[tokio::test]
async fn a_request_without_a_good_token_spends_nothing() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        for _ in 0..200 {
            let bad = Request::get("/v1/employees").header("authorization", "Bearer nonsense");
            assert_eq!(orq.send(bad.body(Body::empty()).unwrap()).await.status, 401);
        }
        let good = acme.request(Method::GET, "/v1/employees").body(Body::empty()).unwrap();
        assert_eq!(orq.send(good).await.header("x-ratelimit-remaining"), "99");
    })
    .await;
}
