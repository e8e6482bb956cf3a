//! Signing in to the console by way of an OpenID Connect provider: who has linked themselves comes in, and nobody else.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use bytes::Bytes;
use http::Request;
use orquiva_console::{Fetch, Provider, SignUp};
use orquiva_core::Secret;
use serde_json::{Value, json};
use url::Url;

use crate::browser::{Browser, PASSWORD};
use crate::harness::{Orquiva, PUBLIC, START, on_both};
use crate::signer::Signer;

const ISSUER: &str = "https://id.acme.test/tenant";
const START_PATH: &str = "/admin/sign-in/openid";

/// A provider: what it was asked, and what it answers.
#[derive(Default)]
struct Fake {
    /// What its ID tokens say; `nonce` is filled in.
    claims: Value,
    /// The key that it signs with.
    seed: u8,
    /// The name of that key.
    kid: String,
    /// Whether it is away.
    away: bool,
    /// What it calls itself.
    issuer: String,
    /// The forms that came for a token, and the heads that went with them.
    asked: Vec<(HashMap<String, String>, String)>,
    /// Requests for its keys.
    keys_asked: usize,
    nonce: String,
}

type Known = Arc<Mutex<Fake>>;

fn provider() -> Known {
    let now = START.seconds();
    let claims = json!({ "iss": ISSUER, "aud": "orquiva", "sub": "248", "iat": now, "exp": now + 3600, "email": "ana@id.test" });
    let fake = Fake { claims, seed: 9, kid: "a".to_owned(), issuer: ISSUER.to_owned(), ..Fake::default() };
    Arc::new(Mutex::new(fake))
}

fn answer(known: &Known, request: &Request<Bytes>) -> Result<(u16, Bytes), String> {
    let mut fake = known.lock().unwrap();
    if fake.away {
        return Err("nobody answers".to_owned());
    }
    let body = match request.uri().to_string().as_str() {
        "https://id.acme.test/tenant/.well-known/openid-configuration" => json!({
            "issuer": fake.issuer, "authorization_endpoint": "https://id.acme.test/authorize?tenant=1",
            "token_endpoint": "https://id.acme.test/token", "jwks_uri": "https://id.acme.test/keys",
        }),
        "https://id.acme.test/keys" => {
            fake.keys_asked += 1;
            let mut jwk = Signer::new(fake.seed).jwk();
            jwk["kid"] = json!(fake.kid);
            json!({ "keys": [{ "kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "weak" }, jwk] })
        }
        "https://id.acme.test/token" => {
            let form: HashMap<String, String> =
                url::form_urlencoded::parse(request.body()).into_owned().collect();
            let head = request.headers()["authorization"].to_str().unwrap().to_owned();
            fake.asked.push((form.clone(), head));
            if form["code"] != "good" {
                return Ok((400, Bytes::from(json!({ "error": "invalid_grant" }).to_string())));
            }
            let mut claims = fake.claims.clone();
            if claims.get("nonce").is_none() {
                claims["nonce"] = json!(fake.nonce);
            }
            let token = Signer::new(fake.seed).sign(&json!({ "alg": "EdDSA", "kid": fake.kid }), &claims);
            json!({ "id_token": token, "access_token": "x", "token_type": "Bearer" })
        }
        other => panic!("{other} was asked for"),
    };
    Ok((200, Bytes::from(body.to_string())))
}

/// The routes of a node whose people may come from `known`.
async fn routes(orq: &Orquiva, known: &Known) -> Router {
    let known = known.clone();
    let fetch: Fetch = Arc::new(move |request| {
        let answer = answer(&known, &request);
        Box::pin(async move { answer })
    });
    let provider = Provider {
        issuer: ISSUER.to_owned(),
        client_id: "orquiva".to_owned(),
        client_secret: Secret::new("s&cret"),
        name: "Acme ID".to_owned(),
        fetch,
    };
    let app = orq.base.node(PUBLIC.to_owned(), true).await.unwrap().app;
    orquiva::wiring::router(app, SignUp::Open, Some(provider))
}

/// Goes to the provider and comes back with `code`; where that leads, or what it says.
async fn go(browser: &Browser<'_>, known: &Known, from: &str, code: &str) -> crate::browser::Seen {
    let state = leave(browser, known, from).await;
    browser.get(&format!("{START_PATH}/back?code={code}&state={state}")).await
}

/// Goes to the provider; the state that it was asked with.
async fn leave(browser: &Browser<'_>, known: &Known, from: &str) -> String {
    let left = browser.get(from).await;
    assert_eq!(left.status, 303, "{}", left.html);
    let url = Url::parse(left.location()).unwrap();
    assert!(left.location().starts_with("https://id.acme.test/authorize?tenant=1&client_id=orquiva&"));
    let query: HashMap<_, _> = url.query_pairs().into_owned().collect();
    assert_eq!((query["response_type"].as_str(), query["code_challenge_method"].as_str()), ("code", "S256"));
    assert_eq!(query["redirect_uri"], format!("{PUBLIC}{START_PATH}/back"));
    assert!(query["scope"].contains("openid"));
    known.lock().unwrap().nonce = query["nonce"].clone();
    query["state"].clone()
}

#[tokio::test]
async fn whoever_linked_themselves_comes_in_without_a_password() {
    on_both(async |orq| {
        let known = provider();
        let orq = Orquiva { router: routes(&orq, &known).await, ..orq };
        let founder = orq.founder("Acme").await;
        assert!(orq.browser().get("/admin/sign-in").await.says("Acme ID"));

        let stranger = orq.browser();
        let refused = go(&stranger, &known, START_PATH, "good").await;
        assert_eq!((refused.status, refused.says("no ha vinculado")), (422, true), "{}", refused.html);
        let linked = go(&founder, &known, "/admin/sign-in/openid?link=1", "good").await;
        assert_eq!(
            (linked.status, linked.location()),
            (303, "/admin/profile?said=identity-linked"),
            "{}",
            linked.html
        );
        assert!(founder.get("/admin/profile").await.says("ana@id.test"));
        {
            let fake = known.lock().unwrap();
            let (form, head) = fake.asked.last().unwrap();
            assert_eq!(form["grant_type"], "authorization_code");
            assert_eq!(form["code_verifier"].len(), 64);
            assert_eq!(head, "Basic b3JxdWl2YTpzJTI2Y3JldA==", "form-encoded before they are joined");
            assert_eq!(fake.keys_asked, 1, "keys are kept");
        }

        let browser = orq.browser();
        let back = "/admin/sign-in/openid?next=/admin/webhooks";
        let come = go(&browser, &known, back, "good").await;
        assert_eq!((come.status, come.location()), (303, "/admin/webhooks"), "{}", come.html);
        assert!(browser.get("/admin").await.says("Acme"));
        let twice = browser.get(&format!("{START_PATH}/back?code=good&state=x")).await;
        assert_eq!(twice.status, 422, "what was begun is over");

        let other = orq.founder("Otra").await;
        let taken = go(&other, &known, "/admin/sign-in/openid?link=1", "good").await;
        assert_eq!((taken.status, taken.says("ya está vinculada")), (422, true));
        founder.get("/admin/profile").await;
        assert_eq!(founder.post("/admin/profile/identity/remove", &[]).await.status, 303);
        assert_eq!(go(&orq.browser(), &known, START_PATH, "good").await.status, 422);
        orq.clock.advance(16 * 60_000);
        let old = founder.get("/admin/sign-in/openid?link=1").await;
        assert!(old.location().starts_with("/admin/confirm"), "linking takes a proof: {}", old.location());
        let nobody = orq.browser().get("/admin/sign-in/openid?link=1").await;
        assert!(nobody.location().starts_with("/admin/sign-in"), "{}", nobody.location());
    })
    .await;
}

#[tokio::test]
async fn whatever_is_wrong_lets_nobody_in_and_says_what_to_do() {
    on_both(async |orq| {
        let known = provider();
        let orq = Orquiva { router: routes(&orq, &known).await, ..orq };
        let founder = orq.founder("Acme").await;
        assert_eq!(go(&founder, &known, "/admin/sign-in/openid?link=1", "good").await.status, 303);
        for (name, value) in [
            ("iss", json!("https://id.acme.test")),
            ("aud", json!("other")),
            ("exp", json!(START.seconds() - 3600)),
            ("nonce", json!("another")),
            ("sub", json!("249")),
        ] {
            let right = known.lock().unwrap().claims.clone();
            known.lock().unwrap().claims[name] = value.clone();
            let browser = orq.browser();
            let refused = go(&browser, &known, START_PATH, "good").await;
            assert_eq!(refused.status, 422, "{name}: {value}");
            assert!(browser.get("/admin").await.location().starts_with("/admin/sign-in"));
            known.lock().unwrap().claims = right;
        }
        let browser = orq.browser();
        assert_eq!(go(&browser, &known, START_PATH, "bad").await.status, 422, "a code that is none");
        let state = leave(&browser, &known, START_PATH).await;
        let denied = browser.get(&format!("{START_PATH}/back?error=access_denied&state={state}")).await;
        assert_eq!((denied.status, denied.says("no ha confirmado")), (422, true));
        let state = leave(&browser, &known, START_PATH).await;
        let mixed = format!("{START_PATH}/back?code=good&state={state}&iss=https%3A%2F%2Fevil.test");
        assert_eq!(browser.get(&mixed).await.status, 422, "another issuer");
        let state = leave(&browser, &known, START_PATH).await;
        let foreign = orq.browser().get(&format!("{START_PATH}/back?code=good&state={state}")).await;
        assert_eq!((foreign.status, foreign.says("otra ventana")), (422, true), "another browser");
        orq.clock.advance(301_000);
        let late = browser.get(&format!("{START_PATH}/back?code=good&state={state}")).await;
        assert_eq!(late.status, 422, "too late");

        // A new key is asked for once it signs; one that the set does not have is none.
        {
            let mut fake = known.lock().unwrap();
            (fake.seed, fake.kid) = (10, "b".to_owned());
        }
        let new = go(&orq.browser(), &known, START_PATH, "good").await;
        assert_eq!((new.status, new.location()), (303, "/admin"), "{}", new.html);
        known.lock().unwrap().seed = 11;
        assert_eq!(
            go(&orq.browser(), &known, START_PATH, "good").await.status,
            422,
            "not the key of that name"
        );

        known.lock().unwrap().away = true;
        orq.clock.advance(3_600_000);
        let away = orq.browser().get(START_PATH).await;
        assert_eq!((away.status, away.says("no responde")), (422, true));
        {
            let mut fake = known.lock().unwrap();
            (fake.away, fake.issuer) = (false, "https://id.acme.test/tenant/".to_owned());
        }
        assert_eq!(orq.browser().get(START_PATH).await.status, 422, "it calls itself otherwise");
    })
    .await;
}

#[tokio::test]
async fn an_authenticator_app_is_asked_for_unless_the_provider_did() {
    on_both(async |orq| {
        let known = provider();
        let orq = Orquiva { router: routes(&orq, &known).await, ..orq };
        let founder = orq.founder("Acme").await;
        assert_eq!(go(&founder, &known, "/admin/sign-in/openid?link=1", "good").await.status, 303);
        crate::console_factors::with_app(&orq, &founder).await;
        let asked = go(&orq.browser(), &known, START_PATH, "good").await;
        assert!(asked.says("/admin/sign-in/code"), "{}", asked.html);
        known.lock().unwrap().claims["amr"] = json!(["pwd", "mfa"]);
        let come = go(&orq.browser(), &known, START_PATH, "good").await;
        assert_eq!((come.status, come.location()), (303, "/admin"));
        let own = orq.browser();
        own.get("/admin/sign-in").await;
        let password =
            own.post("/admin/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
        assert!(password.says("/admin/sign-in/code"));
    })
    .await;
}
