//! Clients that sign with their own key (RFC 7523), and tokens that are bound to one (RFC 9449).

use axum::body::Body;
use http::Request;
use orquiva::operator;
use orquiva_core::Scopes;
use orquiva_core::id::ClientId;
use orquiva_store::client::Terms;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, PUBLIC, START, on_both, send};
use crate::signer::Signer;

/// A client that signs.
async fn signing_client(orq: &Orquiva, company: &Caller<'_>, signer: &Signer) -> String {
    let terms = Terms { keys: Some(signer.key_set()), ..Terms::new("signs", Scopes::all()) };
    let (id, _) = operator::create_client_under(&orq.base, company.company, terms).await.unwrap();
    orq.tokens.follow().await.unwrap();
    id.to_string()
}

#[tokio::test]
async fn a_client_with_a_key_of_its_own_needs_no_secret_and_an_assertion_is_good_once() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let signer = Signer::new(1);
        let id = signing_client(&orq, &acme, &signer).await;
        let issued = orq.ask_token(&signer.form(&id, "one")).await;
        assert_eq!((issued.status, &issued.body["token_type"]), (200, &json!("Bearer")), "{}", issued.body);
        let me = Caller {
            token: issued.body["access_token"].as_str().unwrap().to_owned(),
            ..orq.company("x").await
        };
        assert_eq!(me.get("/v1/me").await.body["client"]["authentication"], "private_key_jwt");

        let again = orq.ask_token(&signer.form(&id, "one")).await;
        assert_eq!((again.status, &again.body["error"]), (401, &json!("invalid_client")));
        let node = orq.base.node(PUBLIC.to_owned(), true).await.unwrap();
        let elsewhere =
            Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
        let elsewhere = elsewhere.body(Body::from(signer.form(&id, "one"))).unwrap();
        assert_eq!(send(&orquiva::wiring::open_router(node.app), elsewhere).await.status, 401, "on no node");
        assert_eq!(orq.ask_token(&signer.form(&id, "two")).await.status, 200);
        assert_eq!(orq.ask_token(&Signer::new(2).form(&id, "three")).await.status, 401, "another key");
        let named = format!("{}&client_id={id}", signer.form(&id, "four"));
        assert_eq!(orq.ask_token(&named).await.status, 200, "the id may be named too");
    })
    .await;
}

#[tokio::test]
async fn a_client_authenticates_by_its_own_method_only() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let signer = Signer::new(1);
        assert_eq!(orq.ask_token(&signer.form(&acme.id, "one")).await.status, 401, "no key is registered");
        let keys = signer.key_set();
        let id = ClientId::parse(&acme.id).unwrap();
        operator::change_client(&orq.base, id, |terms| terms.keys = Some(keys)).await.unwrap();
        orq.tokens.follow().await.unwrap();
        assert_eq!(orq.ask_token(&acme.form()).await.status, 401, "its secret is no good any more");
        assert_eq!(orq.ask_token(&signer.form(&acme.id, "two")).await.status, 200);
        assert_eq!(acme.get("/v1/me").await.status, 200, "its token goes on");
        assert!(operator::rotate_client(&orq.base, id, 0).await.is_err(), "there is no secret to rotate");
        operator::change_client(&orq.base, id, |terms| terms.keys = None).await.unwrap();
        let secret = operator::rotate_client(&orq.base, id, 0).await.unwrap();
        orq.tokens.follow().await.unwrap();
        assert_eq!(orq.ask_token(&acme.form()).await.status, 401, "an old secret does not come back");
        let form = acme.form().replace(acme.secret.expose(), secret.expose());
        assert_eq!(orq.ask_token(&form).await.status, 200);
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_with_an_assertion_is_refused_as_rfc_6749_says() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let signer = Signer::new(1);
        let id = signing_client(&orq, &acme, &signer).await;
        let now = START.seconds();
        let good = json!({ "iss": id, "sub": id, "aud": PUBLIC, "exp": now + 300, "jti": "x" });
        for (name, value) in [
            ("aud", json!("https://elsewhere.test")),
            ("exp", json!(now + 301)),
            ("exp", json!(now)),
            ("iss", json!(acme.id)),
            ("jti", Value::Null),
        ] {
            let mut claims = good.clone();
            claims[name] = value.clone();
            let refused = orq.ask_token(&signer.form_of(&claims)).await;
            assert_eq!(
                (refused.status, &refused.body["error"]),
                (401, &json!("invalid_client")),
                "{name} {value}"
            );
        }
        let form = signer.form_of(&good);
        for other in [
            form.replace("jwt-bearer", "saml2-bearer"),
            format!("{form}&client_secret=orqs_x"),
            format!("{form}&client_id={}", acme.id),
        ] {
            let refused = orq.ask_token(&other).await;
            assert_eq!((refused.status, &refused.body["error"]), (400, &json!("invalid_request")), "{other}");
        }
        assert_eq!(orq.ask_token(&form).await.status, 200, "none of that spent it");
        orq.clock.advance(400_000);
        orq.tokens.forget().await.unwrap();
        assert_eq!(orq.ask_token(&form).await.status, 401, "forgotten because it has expired");
    })
    .await;
}

async fn ask_with_proof(orq: &Orquiva, form: &str, proof: &str) -> Answer {
    let request = Request::post("/oauth/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("dpop", proof);
    orq.send(request.body(Body::from(form.to_owned())).unwrap()).await
}

async fn call(orq: &Orquiva, scheme: &str, token: &str, path: &str, proofs: &[String]) -> Answer {
    let mut request = Request::get(path).header("authorization", format!("{scheme} {token}"));
    for proof in proofs {
        request = request.header("dpop", proof);
    }
    orq.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn a_bound_token_is_of_use_only_with_a_fresh_proof_of_its_key() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let signer = Signer::new(1);
        let issued =
            ask_with_proof(&orq, &acme.form(), &signer.proof("t1", "POST", "/oauth/token", None)).await;
        assert_eq!((issued.status, &issued.body["token_type"]), (200, &json!("DPoP")), "{}", issued.body);
        let token = issued.body["access_token"].as_str().unwrap();
        let proof = |name: &str, path: &str| signer.proof(name, "GET", path, Some(token));

        for (name, sent, asked) in [
            ("a1", "/v1/me", "/v1/me"),
            ("a2", "/me", "/me"),
            ("a3", "/v1/employees", "/v1/employees?limit=1"),
        ] {
            assert_eq!(call(&orq, "DPoP", token, asked, &[proof(name, sent)]).await.status, 200, "{asked}");
        }
        let refused = [
            ("no proof", call(&orq, "DPoP", token, "/v1/me", &[]).await),
            ("the same proof again", call(&orq, "DPoP", token, "/v1/me", &[proof("a1", "/v1/me")]).await),
            (
                "two proofs",
                call(&orq, "DPoP", token, "/v1/me", &[proof("b1", "/v1/me"), proof("b2", "/v1/me")]).await,
            ),
            ("another address", call(&orq, "DPoP", token, "/v1/me", &[proof("c", "/v1/employees")]).await),
            (
                "another method",
                call(&orq, "DPoP", token, "/v1/me", &[signer.proof("d", "POST", "/v1/me", Some(token))])
                    .await,
            ),
            (
                "another token",
                call(&orq, "DPoP", token, "/v1/me", &[signer.proof("e", "GET", "/v1/me", Some("x"))]).await,
            ),
            (
                "another key",
                call(
                    &orq,
                    "DPoP",
                    token,
                    "/v1/me",
                    &[Signer::new(2).proof("f", "GET", "/v1/me", Some(token))],
                )
                .await,
            ),
            ("nonsense", call(&orq, "DPoP", token, "/v1/me", &["nonsense".to_owned()]).await),
        ];
        for (what, answer) in refused {
            assert_eq!(answer.problem(), (401, "invalid_token"), "{what}");
            let challenge = answer.header("www-authenticate");
            assert!(
                challenge.starts_with("DPoP ") && challenge.contains(r#"error="invalid_dpop_proof""#),
                "{what}: {challenge}"
            );
            assert!(challenge.contains(r#"algs="EdDSA Ed25519 ES256 RS256""#), "{what}: {challenge}");
        }
        let stolen = call(&orq, "Bearer", token, "/v1/me", &[]).await;
        assert_eq!(stolen.problem(), (401, "invalid_token"));
        assert!(stolen.header("www-authenticate").starts_with("DPoP "), "a bound token is no bearer token");
        assert_eq!(call(&orq, "Bearer", token, "/v1/me", &[proof("g", "/v1/me")]).await.status, 401);
        let narrow = Scopes::parse("events:read").unwrap();
        let reader = orq.client_of(acme.company, narrow).await;
        let bound =
            ask_with_proof(&orq, &reader.form(), &signer.proof("t2", "POST", "/oauth/token", None)).await;
        let narrow = bound.body["access_token"].as_str().unwrap();
        let proof_of_narrow = signer.proof("n", "GET", "/v1/employees", Some(narrow));
        let forbidden = call(&orq, "DPoP", narrow, "/v1/employees", &[proof_of_narrow]).await;
        assert_eq!(forbidden.problem(), (403, "insufficient_scope"));
        assert!(forbidden.header("www-authenticate").starts_with("DPoP "));
        let unbound = call(
            &orq,
            "DPoP",
            &acme.token,
            "/v1/me",
            &[signer.proof("h", "GET", "/v1/me", Some(&acme.token))],
        )
        .await;
        assert_eq!(unbound.problem(), (401, "invalid_token"));

        orq.clock.advance(60_000);
        assert_eq!(
            call(&orq, "DPoP", token, "/v1/me", &[proof("i", "/v1/me")]).await.status,
            401,
            "a proof lives a minute"
        );
        let form = acme.form().replace("grant_type=client_credentials", "x=y");
        let told = orq.post_form("/oauth/introspect", &format!("{form}&token={token}")).await;
        assert_eq!(
            (&told.body["token_type"], &told.body["cnf"]["jkt"]),
            (&json!("DPoP"), &json!(signer.thumbprint()))
        );
    })
    .await;
}

#[tokio::test]
async fn a_client_that_has_to_bind_its_tokens_gets_no_others() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = ClientId::parse(&acme.id).unwrap();
        operator::change_client(&orq.base, id, |terms| terms.dpop_required = true).await.unwrap();
        orq.tokens.follow().await.unwrap();
        let signer = Signer::new(1);
        let proof = |name: &str| signer.proof(name, "POST", "/oauth/token", None);
        for (what, answer) in [
            ("none", orq.ask_token(&acme.form()).await),
            ("nonsense", ask_with_proof(&orq, &acme.form(), "nonsense").await),
            (
                "another address",
                ask_with_proof(&orq, &acme.form(), &signer.proof("a", "POST", "/v1/me", None)).await,
            ),
        ] {
            assert_eq!((answer.status, &answer.body["error"]), (400, &json!("invalid_dpop_proof")), "{what}");
            assert!(answer.body["error_description"].as_str().unwrap().is_ascii());
        }
        assert_eq!(ask_with_proof(&orq, &acme.form(), &proof("one")).await.status, 200);
        let again = ask_with_proof(&orq, &acme.form(), &proof("one")).await;
        assert_eq!(
            (again.status, &again.body["error"]),
            (400, &json!("invalid_dpop_proof")),
            "a proof is good once"
        );
    })
    .await;
}
