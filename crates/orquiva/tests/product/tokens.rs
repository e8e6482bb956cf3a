//! The token endpoint and the bearer check.

use aws_lc_rs::signature::Ed25519KeyPair;
use axum::body::Body;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{Method, Request};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use orquiva::operator;
use orquiva_core::id::ClientId;
use orquiva_core::{Plan, Scope, Scopes};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, PUBLIC, on_both, send};

async fn ask_basic(orq: &Orquiva, credentials: &str, form: &str) -> Answer {
    let request = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("authorization", format!("Basic {}", STANDARD.encode(credentials)));
    orq.send(request.body(Body::from(form.to_owned())).unwrap()).await
}

#[tokio::test]
async fn the_token_endpoint_answers_every_mistake_as_rfc_6749_says() {
    on_both(async |orq| {
        let acme =
            orq.company_on("acme", Plan::Pro, Scopes::parse("employees:read events:read").unwrap()).await;
        let (id, secret) = (acme.id.as_str(), acme.secret.expose());
        let credentials = format!("client_id={id}&client_secret={secret}");
        for (form, status, error) in [
            (String::new(), 401, "invalid_client"),
            (credentials.clone(), 400, "invalid_request"),
            (format!("{credentials}&grant_type="), 400, "invalid_request"),
            (format!("{credentials}&grant_type=password"), 400, "unsupported_grant_type"),
            (
                format!("{credentials}&grant_type=client_credentials&grant_type=client_credentials"),
                400,
                "invalid_request",
            ),
            (
                format!("{credentials}&grant_type=client_credentials&scope=employees:write"),
                400,
                "invalid_scope",
            ),
            (
                format!("{credentials}&grant_type=client_credentials&scope=salaries:read"),
                400,
                "invalid_scope",
            ),
            (
                format!("client_id={id}&client_secret=orqs_wrong&grant_type=client_credentials"),
                401,
                "invalid_client",
            ),
            (
                "client_id=cli_nobody&client_secret=x&grant_type=client_credentials".to_owned(),
                401,
                "invalid_client",
            ),
            (format!("client_id={id}&grant_type=client_credentials"), 401, "invalid_client"),
        ] {
            let answer = orq.ask_token(&form).await;
            assert_eq!((answer.status, &answer.body["error"]), (status, &json!(error)), "{form}");
            assert_eq!(answer.header("content-type"), "application/json", "never problem+json");
            assert!(answer.body["error_description"].as_str().unwrap().is_ascii());
            assert_eq!(answer.header("cache-control"), "no-store");
            assert_eq!(answer.header("www-authenticate").starts_with("Basic"), status == 401);
        }
        let unknown = orq.ask_token(&format!("{credentials}&grant_type=client_credentials&audience=x")).await;
        assert_eq!(unknown.status, 200, "an unknown parameter is ignored");
        assert_eq!(
            unknown.body["scope"], "employees:read events:read",
            "asking for none gives all that it holds"
        );
        let fewer =
            orq.ask_token(&format!("{credentials}&grant_type=client_credentials&scope=events:read")).await;
        assert_eq!(fewer.body["scope"], "events:read");
        let json = Request::post("/oauth/token").header("content-type", "application/json");
        let json = orq.send(json.body(Body::from("{}")).unwrap()).await;
        assert_eq!((json.status, &json.body["error"]), (400, &json!("invalid_request")));
    })
    .await;
}

#[tokio::test]
async fn http_basic_works_encoded_or_not_and_never_beside_the_form() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (id, secret) = (acme.id.as_str(), acme.secret.expose());
        let grant = "grant_type=client_credentials";
        assert_eq!(ask_basic(&orq, &format!("{id}:{secret}"), grant).await.status, 200);
        let encoded = format!("{}:{}", id.replace('_', "%5F"), secret.replace('_', "%5F"));
        assert_eq!(ask_basic(&orq, &encoded, grant).await.status, 200);
        let wrong = ask_basic(&orq, &format!("{id}:nope"), grant).await;
        assert_eq!((wrong.status, wrong.header("www-authenticate")), (401, r#"Basic realm="orquiva""#));
        let both = ask_basic(&orq, &format!("{id}:{secret}"), &acme.form()).await;
        assert_eq!((both.status, &both.body["error"]), (400, &json!("invalid_request")));
    })
    .await;
}

#[tokio::test]
async fn an_unknown_client_and_a_wrong_secret_look_the_same() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let wrong = orq.ask_token(&acme.form().replace("orqs_", "orqs_0")).await;
        let unknown = orq.ask_token(&acme.form().replace(&acme.id, "cli_01JQ8Z6X3V4M5N6P7R8S9T0A1B")).await;
        assert_eq!((wrong.status, &wrong.body), (unknown.status, &unknown.body));
    })
    .await;
}

#[tokio::test]
async fn ids_and_secrets_need_neither_quoting_nor_encoding() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        assert!(plain(&acme.id) && plain(acme.secret.expose()));
        assert!(acme.secret.expose().starts_with("orqs_") && acme.secret.expose().len() == 5 + 64);
    })
    .await;
}

/// The claims of a token, unchecked.
fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn a_token_is_a_jwt_of_rfc_9068_that_anyone_can_check_with_the_key_set() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let claims = claims(&acme.token);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(PUBLIC), &json!(PUBLIC)));
        assert_eq!((&claims["sub"], &claims["client_id"]), (&json!(acme.id), &json!(acme.id)));
        assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
        assert_eq!(claims["company"], json!(acme.company));
        assert!(claims["jti"].as_str().unwrap().starts_with("tok_"));

        let keys = orq.send(Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap()).await;
        let key = &keys.body["keys"][0];
        assert_eq!(
            (&key["kty"], &key["crv"], &key["alg"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("EdDSA"))
        );
        assert!(key.get("d").is_none(), "the private half stays here");
        let header = jsonwebtoken::decode_header(&acme.token).unwrap();
        assert_eq!((header.typ.as_deref(), header.kid.as_deref()), (Some("at+jwt"), key["kid"].as_str()));
        let public = URL_SAFE_NO_PAD.decode(key["x"].as_str().unwrap()).unwrap();
        let (signed, signature) = acme.token.rsplit_once('.').unwrap();
        let checks = aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, public);
        checks.verify(signed.as_bytes(), &URL_SAFE_NO_PAD.decode(signature).unwrap()).unwrap();
    })
    .await;
}

async fn with_token(acme: &Caller<'_>, token: &str) -> Answer {
    let request = Request::get("/v1/employees").header("authorization", format!("Bearer {token}"));
    acme.orq.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn forged_and_foreign_tokens_are_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let real = claims(&acme.token);
        let kid = jsonwebtoken::decode_header(&acme.token).unwrap().kid;
        let pair = Ed25519KeyPair::from_seed_unchecked(&[9; 32]).unwrap();
        let other_key = EncodingKey::from_ed_der(pair.to_pkcs8().unwrap().as_ref());
        let keys = orq.send(Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap()).await;
        let public = URL_SAFE_NO_PAD.decode(keys.body["keys"][0]["x"].as_str().unwrap()).unwrap();
        let signed = |alg: Algorithm, typ: &str, kid: Option<String>, claims: &Value, key: &EncodingKey| {
            let mut header = Header::new(alg);
            (header.typ, header.kid) = (Some(typ.to_owned()), kid);
            jsonwebtoken::encode(&header, claims, key).unwrap()
        };
        let b64 = |value: Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let (head, rest) = acme.token.split_once('.').unwrap();
        let (payload, signature) = rest.split_once('.').unwrap();
        let mut more = real.clone();
        more["scope"] = json!("employees:read employees:write events:read");
        let forged = [
            ("nonsense", "abc".to_owned()),
            (
                "alg none",
                format!("{}.{payload}.", b64(json!({ "alg": "none", "typ": "at+jwt", "kid": kid }))),
            ),
            ("another key", signed(Algorithm::EdDSA, "at+jwt", kid.clone(), &real, &other_key)),
            (
                "an unknown key",
                signed(
                    Algorithm::EdDSA,
                    "at+jwt",
                    Some("key_01JQ8Z6X3V4M5N6P7R8S9T0A1B".into()),
                    &real,
                    &other_key,
                ),
            ),
            ("no key", signed(Algorithm::EdDSA, "at+jwt", None, &real, &other_key)),
            (
                "the public key as HMAC secret",
                signed(Algorithm::HS256, "at+jwt", kid.clone(), &real, &EncodingKey::from_secret(&public)),
            ),
            ("other claims", format!("{head}.{}.{signature}", b64(more))),
            (
                "another type",
                format!("{}.{payload}.{signature}", b64(json!({ "alg": "EdDSA", "typ": "JWT", "kid": kid }))),
            ),
            ("no signature", format!("{head}.{payload}.")),
        ];
        assert_eq!(with_token(&acme, &acme.token).await.status, 200);
        for (what, token) in forged {
            let answer = with_token(&acme, &token).await;
            assert_eq!(answer.problem(), (401, "invalid_token"), "{what}");
            assert!(answer.header("www-authenticate").contains(r#"error="invalid_token""#), "{what}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_token_for_another_audience_or_issuer_is_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let elsewhere = orq.base.node("https://elsewhere.test".to_owned(), true).await.unwrap();
        let request = Request::get("/v1/employees").header("authorization", format!("Bearer {}", acme.token));
        let request = request.body(Body::empty()).unwrap();
        let answer = send(&orquiva::wiring::open_router(elsewhere.app), request).await;
        assert_eq!(answer.problem(), (401, "invalid_token"), "same keys, same client, another audience");
    })
    .await;
}

#[tokio::test]
async fn bearer_refusals_follow_rfc_6750() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Pro, Scopes::parse("employees:read").unwrap()).await;
        let none = orq.send(Request::get("/v1/employees").body(Body::empty()).unwrap()).await;
        assert_eq!(none.problem(), (401, "invalid_token"));
        let bare = format!(
            r#"Bearer realm="orquiva", resource_metadata="{PUBLIC}/.well-known/oauth-protected-resource""#
        );
        assert_eq!(none.header("www-authenticate"), bare, "no token, no error code");
        let basic = Request::get("/v1/employees").header("authorization", "Basic abc");
        assert_eq!(orq.send(basic.body(Body::empty()).unwrap()).await.header("www-authenticate"), bare);
        let twice = acme.request(Method::GET, "/v1/employees").header("authorization", "Bearer other");
        assert_eq!(orq.send(twice.body(Body::empty()).unwrap()).await.problem(), (400, "invalid_request"));
        let in_query = Request::get(format!("/v1/employees?access_token={}", acme.token));
        assert_eq!(
            orq.send(in_query.body(Body::empty()).unwrap()).await.status,
            401,
            "no tokens in the query"
        );

        let refused = acme.post("/v1/employees", &json!({ "fullName": "Ana", "email": "a@acme.test" })).await;
        assert_eq!(refused.problem(), (403, "insufficient_scope"));
        assert!(
            refused
                .header("www-authenticate")
                .contains(r#"error="insufficient_scope", scope="employees:write""#)
        );
        assert!(refused.body["detail"].as_str().unwrap().contains("employees:write"), "it names the scope");
    })
    .await;
}

#[tokio::test]
async fn every_route_wants_its_own_scope() {
    on_both(async |orq| {
        let all = orq.company("acme").await;
        let routes = [
            (Method::GET, "/v1/employees", Scope::EmployeesRead),
            (Method::POST, "/v1/employees", Scope::EmployeesWrite),
            (Method::GET, "/v1/employees/emp_1", Scope::EmployeesRead),
            (Method::PATCH, "/v1/employees/emp_1", Scope::EmployeesWrite),
            (Method::DELETE, "/v1/employees/emp_1", Scope::EmployeesWrite),
            (Method::GET, "/v1/webhooks", Scope::WebhooksManage),
            (Method::POST, "/v1/webhooks", Scope::WebhooksManage),
            (Method::GET, "/v1/webhooks/whk_1", Scope::WebhooksManage),
            (Method::DELETE, "/v1/webhooks/whk_1", Scope::WebhooksManage),
            (Method::GET, "/v1/events", Scope::EventsRead),
            (Method::GET, "/v1/events/evt_1", Scope::EventsRead),
            (Method::GET, "/v1/deliveries", Scope::WebhooksManage),
        ];
        for scope in Scope::ALL {
            let holder = orq.client_of(all.company, [*scope].into_iter().collect()).await;
            for (method, path, wanted) in &routes {
                let answer = holder.write(method.clone(), path, &[], &json!({})).await;
                assert_eq!(answer.status == 403, scope != wanted, "{method} {path} with {}", scope.as_str());
            }
        }
        for (method, path, _) in &routes {
            let bare = Request::builder().method(method).uri(*path).body(Body::empty()).unwrap();
            assert_eq!(orq.send(bare).await.problem(), (401, "invalid_token"), "{method} {path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_revoked_client_is_out_as_soon_as_the_node_looks() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.client_of(acme.company, Scopes::all()).await;
        assert_eq!(acme.get("/v1/employees").await.status, 200);
        operator::revoke_client(&orq.base, ClientId::parse(&acme.id).unwrap()).await.unwrap();
        orq.tokens.follow().await.unwrap(); // a node looks four times a second
        assert_eq!(acme.get("/v1/employees").await.problem(), (401, "invalid_token"));
        assert_eq!(orq.ask_token(&acme.form()).await.status, 401);
        assert_eq!(other.get("/v1/employees").await.status, 200, "the company's other client goes on");
    })
    .await;
}

#[tokio::test]
async fn an_old_secret_stays_good_for_the_overlap_only() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = ClientId::parse(&acme.id).unwrap();
        let new = operator::rotate_client(&orq.base, id, 3_600_000).await.unwrap();
        orq.tokens.follow().await.unwrap();
        assert_eq!(orq.ask_token(&acme.form()).await.status, 200, "the old one, within the overlap");
        let new_form = acme.form().replace(acme.secret.expose(), new.expose());
        assert_eq!(orq.ask_token(&new_form).await.status, 200, "the new one");
        orq.clock.advance(3_600_000);
        assert_eq!(orq.ask_token(&acme.form()).await.status, 401, "the old one, after it");
        assert_eq!(orq.ask_token(&new_form).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn keys_rotate_without_ending_a_token() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let keys = async || {
            let answer = orq.send(Request::get("/.well-known/jwks.json").body(Body::empty()).unwrap()).await;
            answer.body["keys"].as_array().unwrap().len()
        };
        orq.clock.advance(31 * 86_400_000);
        let mut acme = acme;
        acme.token = acme.fresh_token().await;
        orq.tokens.follow().await.unwrap();
        assert_eq!(keys().await, 2, "the new key is published before it signs");
        let kid = |token: &str| jsonwebtoken::decode_header(token).unwrap().kid;
        assert_eq!(kid(&acme.fresh_token().await), kid(&acme.token), "the old one still signs");
        orq.clock.advance(11 * 60_000);
        assert_ne!(kid(&acme.fresh_token().await), kid(&acme.token), "the new one signs");
        assert_eq!(acme.get("/v1/employees").await.status, 200, "tokens of the old key go on");
        orq.clock.advance(62 * 60_000);
        orq.tokens.follow().await.unwrap();
        assert_eq!(keys().await, 1, "the old key goes with its last token");
    })
    .await;
}
