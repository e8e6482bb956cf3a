//! The token endpoint's neighbours, its metadata and its own limit.

use axum::body::Body;
use http::Request;
use orquiva::operator;
use orquiva_core::{Plan, Scopes};
use orquiva_web::Peer;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, PUBLIC, on_both, send};

impl Orquiva {
    /// Sends a form to an endpoint of OAuth.
    pub(crate) async fn post_form(&self, path: &str, form: &str) -> Answer {
        self.post_form_from(None, path, form).await
    }

    /// Sends it from an address.
    pub(crate) async fn post_form_from(&self, from: Option<&str>, path: &str, form: &str) -> Answer {
        let mut request = Request::post(path).header("content-type", "application/x-www-form-urlencoded");
        if let Some(from) = from {
            request = request.extension(Peer(from.parse().unwrap()));
        }
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }
}

impl Caller<'_> {
    async fn about(&self, path: &str, token: &str) -> Answer {
        let credentials = format!("client_id={}&client_secret={}", self.id, self.secret.expose());
        self.orq.post_form(path, &format!("{credentials}&token={token}")).await
    }
}

fn is_error(answer: &Answer, status: u16, error: &str) {
    assert_eq!((answer.status, &answer.body["error"]), (status, &json!(error)), "{}", answer.body);
    assert_eq!(answer.header("content-type"), "application/json", "never problem+json");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert!(answer.body["error_description"].as_str().unwrap().is_ascii());
}

#[tokio::test]
async fn a_revoked_token_ends_at_once_here_and_on_other_nodes_when_they_look() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let kept = acme.fresh_token().await;
        let node = orq.base.node(PUBLIC.to_owned(), true).await.unwrap();
        let other = orquiva::wiring::open_router(node.app);
        let elsewhere = async |token: &str| {
            let request = Request::get("/v1/me").header("authorization", format!("Bearer {token}"));
            send(&other, request.body(Body::empty()).unwrap()).await.status
        };
        assert_eq!((acme.get("/v1/me").await.status, elsewhere(&acme.token).await), (200, 200));

        let revoked = acme.about("/oauth/revoke", &acme.token).await;
        assert_eq!((revoked.status, revoked.raw.len()), (200, 0));
        assert_eq!(acme.get("/v1/me").await.problem(), (401, "invalid_token"));
        node.tokens.follow().await.unwrap(); // a node looks four times a second
        assert_eq!(elsewhere(&acme.token).await, 401);
        assert_eq!(elsewhere(&kept).await, 200, "the client's other token goes on");

        assert_eq!(acme.about("/oauth/revoke", &acme.token).await.status, 200, "twice is once");
        let started = orq.base.node(PUBLIC.to_owned(), true).await.unwrap();
        let request = Request::get("/v1/me").header("authorization", format!("Bearer {}", acme.token));
        let answer =
            send(&orquiva::wiring::open_router(started.app), request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.status, 401, "a node that starts later knows it too");
    })
    .await;
}

#[tokio::test]
async fn only_its_own_client_revokes_a_token_and_nonsense_is_as_good_as_revoked() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let colleague = orq.client_of(acme.company, Scopes::all()).await;
        for token in ["nonsense", "a.b.c", "%00"] {
            assert_eq!(acme.about("/oauth/revoke", token).await.status, 200, "{token}");
        }
        is_error(&colleague.about("/oauth/revoke", &acme.token).await, 400, "unauthorized_client");
        assert_eq!(acme.get("/v1/me").await.status, 200);
        is_error(&acme.about("/oauth/revoke", "").await, 400, "invalid_request");
        is_error(
            &orq.post_form("/oauth/revoke", &format!("token={}", acme.token)).await,
            401,
            "invalid_client",
        );
        let wrong = format!("client_id={}&client_secret=orqs_no&token={}", acme.id, acme.token);
        is_error(&orq.post_form("/oauth/revoke", &wrong).await, 401, "invalid_client");
        assert_eq!(acme.get("/v1/me").await.status, 200);
        orq.clock.advance(3_600_000);
        assert_eq!(acme.about("/oauth/revoke", &acme.token).await.status, 200, "it has ended anyway");
    })
    .await;
}

#[tokio::test]
async fn who_does_not_authenticate_at_all_is_no_client() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let named = format!("grant_type=client_credentials&client_id={}", acme.id);
        let form = ["grant_type=client_credentials", "", &named, &format!("{named}&client_secret=")];
        for path in ["/oauth/token", "/oauth/revoke", "/oauth/introspect"] {
            for form in form {
                let refused = orq.post_form(path, form).await;
                is_error(&refused, 401, "invalid_client");
                assert_eq!(refused.header("www-authenticate"), "Basic realm=\"orquiva\"", "{path} {form}");
            }
        }
        let half = "grant_type=client_credentials&client_secret=orqs_x";
        is_error(&orq.post_form("/oauth/token", half).await, 400, "invalid_request");
    })
    .await;
}

#[tokio::test]
async fn revoked_tokens_are_forgotten_when_they_would_have_ended() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        acme.about("/oauth/revoke", &acme.token).await;
        let kept = async || {
            let tx = orq.base.store.read().await.unwrap();
            orquiva_store::token::revoked(&tx, crate::harness::START).await.unwrap().len()
        };
        orq.tokens.forget().await.unwrap();
        assert_eq!(kept().await, 1);
        orq.clock.advance(3_700_000);
        orq.tokens.forget().await.unwrap();
        assert_eq!(kept().await, 0);
    })
    .await;
}

#[tokio::test]
async fn introspection_tells_of_live_tokens_of_the_own_company_only() {
    on_both(async |orq| {
        let acme =
            orq.company_on("acme", Plan::Pro, Scopes::parse("employees:read events:read").unwrap()).await;
        let colleague = orq.client_of(acme.company, Scopes::all()).await;
        let stranger = orq.company("globex").await;

        let told = colleague.about("/oauth/introspect", &acme.token).await;
        assert_eq!((told.status, told.header("cache-control")), (200, "no-store"));
        for (name, value) in [
            ("active", json!(true)),
            ("scope", json!("employees:read events:read")),
            ("client_id", json!(acme.id)),
            ("sub", json!(acme.id)),
            ("company", json!(acme.company)),
            ("token_type", json!("Bearer")),
            ("iss", json!(PUBLIC)),
            ("aud", json!(PUBLIC)),
        ] {
            assert_eq!(told.body[name], value, "{name}");
        }
        assert_eq!(told.body["exp"].as_i64().unwrap() - told.body["iat"].as_i64().unwrap(), 3600);
        assert!(told.body["jti"].as_str().unwrap().starts_with("tok_"));

        let nothing = json!({ "active": false });
        assert_eq!(stranger.about("/oauth/introspect", &acme.token).await.body, nothing);
        assert_eq!(colleague.about("/oauth/introspect", "nonsense").await.body, nothing);
        is_error(
            &orq.post_form("/oauth/introspect", &format!("token={}", acme.token)).await,
            401,
            "invalid_client",
        );
        is_error(&colleague.about("/oauth/introspect", "").await, 400, "invalid_request");
        acme.about("/oauth/revoke", &acme.token).await;
        assert_eq!(colleague.about("/oauth/introspect", &acme.token).await.body, nothing, "revoked");
        let late = colleague.token.clone();
        orq.clock.advance(3_600_000);
        assert_eq!(colleague.about("/oauth/introspect", &late).await.body, nothing, "ended");
    })
    .await;
}

#[tokio::test]
async fn clients_find_the_endpoints_by_themselves() {
    on_both(async |orq| {
        let get = async |path: &str| {
            let answer = orq.send(Request::get(path).body(Body::empty()).unwrap()).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"), "{path}");
            answer.body
        };
        let server = get("/.well-known/oauth-authorization-server").await;
        assert_eq!(
            (&server["issuer"], &server["response_types_supported"]),
            (&json!(PUBLIC), &json!(["none"]))
        );
        assert_eq!(server["grant_types_supported"], json!(["client_credentials"]));
        for (name, path) in [
            ("token_endpoint", "/oauth/token"),
            ("revocation_endpoint", "/oauth/revoke"),
            ("introspection_endpoint", "/oauth/introspect"),
        ] {
            let path_told = server[name].as_str().unwrap().strip_prefix(PUBLIC).unwrap();
            assert_eq!(path_told, path);
            is_error(&orq.post_form(path, "").await, 401, "invalid_client");
        }
        get(server["jwks_uri"].as_str().unwrap().strip_prefix(PUBLIC).unwrap()).await;
        let lists = ["token_endpoint_auth_signing_alg_values_supported", "dpop_signing_alg_values_supported"];
        for name in lists {
            assert_eq!(server[name], json!(["EdDSA", "Ed25519", "ES256", "RS256"]), "{name}");
        }
        let resource = get("/.well-known/oauth-protected-resource").await;
        assert_eq!(
            (&resource["resource"], &resource["authorization_servers"]),
            (&json!(PUBLIC), &json!([PUBLIC]))
        );
        assert_eq!(resource["bearer_methods_supported"], json!(["header"]));
        assert_eq!(resource["scopes_supported"], server["scopes_supported"]);
        let empty = |value: &Value| value.as_array().is_some_and(Vec::is_empty);
        for document in [&server, &resource] {
            assert!(!document.as_object().unwrap().values().any(empty), "empty lists are left out");
        }
    })
    .await;
}

#[tokio::test]
async fn the_token_endpoint_has_a_limit_of_its_own_for_a_client_and_for_an_address() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let globex = orq.company("globex").await;
        let from = async |from: &str, form: &str| orq.post_form_from(Some(from), "/oauth/token", form).await;
        let wrong = acme.form().replace("orqs_", "orqs_0");
        for attempt in 0..60 {
            let answer = match attempt % 2 {
                0 => from("203.0.113.7", &acme.form()).await,
                _ => from("203.0.113.7", &wrong).await,
            };
            assert_eq!(answer.status, if attempt % 2 == 0 { 200 } else { 401 }, "{attempt}");
        }
        let over = from("203.0.113.7", &acme.form()).await;
        is_error(&over, 429, "slow_down");
        let seconds: i64 = over.header("retry-after").parse().unwrap();
        assert_eq!(
            from("203.0.113.8", &acme.form()).await.status,
            200,
            "nobody locks a client out from elsewhere"
        );
        assert_eq!(from("203.0.113.7", &globex.form()).await.status, 200);
        for _ in 62..120 {
            from("203.0.113.7", "").await;
        }
        is_error(&from("203.0.113.7", &globex.form()).await, 429, "slow_down");
        assert_eq!(
            acme.get("/v1/me").await.header("x-ratelimit-remaining"),
            "9999",
            "the API's budget is another"
        );
        orq.clock.advance(seconds * 1000);
        assert_eq!(from("203.0.113.7", &acme.form()).await.status, 200, "Retry-After is true");

        for subscriber in 0..120 {
            from(&format!("2001:db8::{subscriber:x}"), "").await;
        }
        assert_eq!(
            from("2001:db8::ffff", "").await.status,
            429,
            "a subscriber of IPv6 has 64 bits of addresses"
        );
        assert_eq!(from("2001:db8:0:1::1", "").await.status, 401);
    })
    .await;
}

#[tokio::test]
async fn a_suspended_company_is_out_and_its_data_stays() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.company("globex").await;
        let ana = acme.hire("Ana Ruiz").await;
        operator::suspend_company(&orq.base, acme.company, true).await.unwrap();
        orq.tokens.follow().await.unwrap(); // a node looks four times a second
        assert_eq!(acme.get("/v1/employees").await.problem(), (401, "invalid_token"));
        is_error(&orq.ask_token(&acme.form()).await, 401, "invalid_client");
        assert_eq!(other.get("/v1/employees").await.status, 200);
        operator::suspend_company(&orq.base, acme.company, false).await.unwrap();
        orq.tokens.follow().await.unwrap();
        assert_eq!(
            acme.get(&format!("/v1/employees/{ana}")).await.status,
            200,
            "the token has not ended yet"
        );
        assert_eq!(orq.ask_token(&acme.form()).await.status, 200);
    })
    .await;
}
