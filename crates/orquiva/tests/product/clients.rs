//! What an operator may want of a client: an end, a place, a share; and what the client sees of it.

use axum::body::Body;
use http::{Method, Request};
use orquiva::operator;
use orquiva::settings::Rules;
use orquiva_core::id::ClientId;
use orquiva_core::{Plan, Scopes, Timestamp};
use orquiva_store::client::Terms;
use orquiva_web::Peer;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, PUBLIC, START, on_both, send};
use crate::process::on_both_installed;
use crate::signer::Signer;

impl Caller<'_> {
    /// Changes what the operator wants of this client.
    async fn change(&self, change: impl FnOnce(&mut Terms) + Clone + Send + 'static) {
        let id = ClientId::parse(&self.id).unwrap();
        operator::change_client(&self.orq.base, id, change).await.unwrap();
        self.orq.tokens.follow().await.unwrap();
    }

    async fn get_from(&self, from: &str, path: &str) -> Answer {
        let request = self.request(Method::GET, path).extension(Peer(from.parse().unwrap()));
        self.orq.send(request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn a_client_ends_at_its_time_and_its_tokens_with_it() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        acme.change(|terms| terms.expires_at = Some(START.plus(60_000))).await;
        assert_eq!(acme.get("/v1/me").await.body["client"]["expiresAt"], "2026-01-01T00:01:00.000Z");
        assert_eq!(orq.ask_token(&acme.form()).await.status, 200);
        orq.clock.advance(60_000);
        assert_eq!(acme.get("/v1/me").await.problem(), (401, "invalid_token"));
        let refused = orq.ask_token(&acme.form()).await;
        assert_eq!((refused.status, &refused.body["error"]), (401, &json!("invalid_client")));
        acme.change(|terms| terms.expires_at = None).await;
        assert_eq!(acme.get("/v1/me").await.status, 200, "a longer life wakes its token again");
    })
    .await;
}

#[tokio::test]
async fn a_client_with_a_list_of_addresses_comes_from_no_other() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        acme.change(|terms| terms.allowed_ips = "203.0.113.0/24 2001:db8::/32".parse().unwrap()).await;
        for (from, allowed) in [
            ("203.0.113.7", true),
            ("::ffff:203.0.113.7", true),
            ("2001:db8:1::1", true),
            ("203.0.114.7", false),
            ("2001:db9::1", false),
            ("127.0.0.1", false),
        ] {
            let token = orq.post_form_from(Some(from), "/oauth/token", &acme.form()).await;
            let error = if allowed { Value::Null } else { json!("unauthorized_client") };
            assert_eq!(
                (token.status, &token.body["error"]),
                (if allowed { 200 } else { 400 }, &error),
                "{from}"
            );
            let answer = acme.get_from(from, "/v1/me").await;
            match allowed {
                true => assert_eq!(answer.status, 200, "{from}"),
                false => assert_eq!(answer.problem(), (403, "address_not_allowed"), "{from}"),
            }
        }
        assert_eq!(acme.get("/v1/me").await.problem(), (403, "address_not_allowed"), "from who knows where");
        let forwarded = acme.request(Method::GET, "/v1/me").header("x-forwarded-for", "203.0.113.7");
        let forwarded = forwarded.extension(Peer("127.0.0.1".parse().unwrap())).body(Body::empty()).unwrap();
        assert_eq!(orq.send(forwarded).await.status, 403, "anyone can write a header");
    })
    .await;
}

#[tokio::test]
async fn behind_a_proxy_that_the_operator_named_its_header_counts() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        acme.change(|terms| terms.allowed_ips = "203.0.113.7".parse().unwrap()).await;
        let rules = Rules { trusted_proxies: "10.0.0.0/8".parse().unwrap(), ..Rules::default() };
        let router =
            orquiva::wiring::open_router(orq.base.node_under(PUBLIC.to_owned(), rules).await.unwrap().app);
        for (peer, forwarded, status) in [
            ("10.0.0.1", "203.0.113.7", 200),
            ("10.0.0.1", "203.0.113.7, 10.0.0.2", 200),
            ("10.0.0.1", "203.0.113.7, 198.51.100.1", 403),
            ("10.0.0.1", "unknown", 403),
            ("198.51.100.1", "203.0.113.7", 403),
        ] {
            let request = acme.request(Method::GET, "/v1/me").header("x-forwarded-for", forwarded);
            let request = request.extension(Peer(peer.parse().unwrap())).body(Body::empty()).unwrap();
            assert_eq!(send(&router, request).await.status, status, "{peer} for {forwarded}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_spends_no_more_than_its_share_and_leaves_the_rest_to_others() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let other = orq.client_of(acme.company, Scopes::all()).await;
        acme.change(|terms| terms.share = Some(20)).await;
        for left in (0..20).rev() {
            let answer = acme.get("/v1/me").await;
            assert_eq!(
                (answer.status, answer.header("x-ratelimit-remaining")),
                (200, left.to_string().as_str())
            );
        }
        let refused = acme.get("/v1/me").await;
        assert_eq!(refused.problem(), (429, "rate_limited"));
        assert_eq!(refused.header("ratelimit-policy"), "\"free\";q=100;w=60, \"client\";q=20;w=60");
        assert_eq!(refused.header("ratelimit"), "\"free\";r=80;t=61, \"client\";r=0;t=61");
        assert_eq!((refused.header("retry-after"), refused.header("x-ratelimit-limit")), ("61", "20"));
        for left in (0..80).rev() {
            let answer = other.get("/v1/me").await;
            assert_eq!(
                answer.header("x-ratelimit-remaining"),
                left.to_string(),
                "what the share refused cost nothing"
            );
        }
        assert_eq!(other.get("/v1/me").await.status, 429);
        orq.clock.advance(61_000);
        assert_eq!(acme.get("/v1/me").await.status, 200, "Retry-After is true");
    })
    .await;
}

#[tokio::test]
async fn a_client_sees_itself_and_its_limits_without_any_scope() {
    on_both(async |orq| {
        let acme = orq.company_on("Acme", Plan::Pro, Scopes::parse("events:read").unwrap()).await;
        acme.change(|terms| terms.share = Some(25)).await;
        for path in ["/v1/me", "/me"] {
            let me = acme.get(path).await.body;
            assert_eq!(me["company"], json!({ "id": acme.company, "name": "Acme", "plan": "pro" }));
            assert_eq!((&me["client"]["id"], &me["client"]["scopes"]), (&json!(acme.id), &json!(["events:read"])));
            assert_eq!((&me["client"]["share"], &me["client"]["expiresAt"]), (&json!(25), &Value::Null));
            let limits = json!({ "requestsPerMinute": 1000, "clientRequestsPerMinute": 250, "tokensPerMinute": 60, "webhooks": 50 });
            assert_eq!(me["limits"], limits);
        }
        assert_eq!(acme.get("/v1/me?fields=x").await.problem(), (400, "invalid_parameter"));
        let bare = orq.send(Request::get("/v1/me").body(Body::empty()).unwrap()).await;
        assert_eq!(bare.problem(), (401, "invalid_token"));
    })
    .await;
}

async fn last_used(orq: &Orquiva, acme: &Caller<'_>) -> Option<Timestamp> {
    let tx = orq.base.store.read().await.unwrap();
    orquiva_store::client::find(&tx, ClientId::parse(&acme.id).unwrap()).await.unwrap().last_used_at
}

#[tokio::test]
async fn the_last_use_of_a_client_is_written_in_bulk() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        assert_eq!(last_used(&orq, &acme).await, None, "a token costs no write");
        orq.tokens.write_usage().await.unwrap();
        assert_eq!(last_used(&orq, &acme).await, Some(START));
        orq.clock.advance(5_000);
        acme.get("/v1/me").await;
        orq.tokens.write_usage().await.unwrap();
        assert_eq!(last_used(&orq, &acme).await, Some(START.plus(5_000)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sets_the_terms_of_a_client() {
    on_both_installed(async |installation| {
        let company = installation.json(&["company", "create", "--name", "Acme"]);
        let company = company["id"].as_str().unwrap();
        let server = installation.serve();
        let made = installation.json(&[
            "client",
            "create",
            "--company",
            company,
            "--name",
            "sync",
            "--allow-ip",
            "127.0.0.0/8,::1",
            "--share",
            "30",
            "--expires-at",
            "2100-01-01",
            "--dpop",
            "optional",
        ]);
        let (id, secret) = (made["client_id"].as_str().unwrap(), made["client_secret"].as_str().unwrap());
        let listed = || installation.json(&["client", "list", "--company", company])[0].clone();
        let client = listed();
        for (name, value) in [
            ("allowedIps", json!(["127.0.0.0/8", "::1/128"])),
            ("share", json!(30)),
            ("expiresAt", json!("2100-01-01T00:00:00.000Z")),
            ("dpopRequired", json!(false)),
            ("authentication", json!("client_secret")),
            ("lastUsedAt", Value::Null),
        ] {
            assert_eq!(client[name], value, "{name}");
        }
        let (status, token) = server.token(id, secret).await;
        assert_eq!(status, 200, "the address reached the handler: {token}");
        let token = token["access_token"].as_str().unwrap();
        assert_eq!(server.call(token, Method::GET, "/v1/me", &Value::Null).await.unwrap().0, 200);

        installation.json(&[
            "client",
            "update",
            id,
            "--allow-ip",
            "203.0.113.0/24",
            "--no-expiry",
            "--no-share",
        ]);
        let client = listed();
        assert_eq!(
            (&client["expiresAt"], &client["share"], &client["name"]),
            (&Value::Null, &Value::Null, &json!("sync"))
        );
        let mut server = server;
        server.stop().await;
        assert!(listed()["lastUsedAt"].is_string(), "what was counted is written at the stop");
        let server = installation.serve();
        assert_eq!(server.token(id, secret).await.0, 400, "from 127.0.0.1");

        let file = installation.folder.path().join("keys.json");
        std::fs::write(&file, json!({ "keys": [Signer::new(1).jwk()] }).to_string()).unwrap();
        installation.json(&[
            "client",
            "update",
            id,
            "--any-ip",
            "--jwks",
            file.to_str().unwrap(),
            "--dpop",
            "required",
        ]);
        let client = listed();
        assert_eq!(
            (&client["authentication"], &client["dpopRequired"]),
            (&json!("private_key_jwt"), &json!(true))
        );
        assert_eq!(client["keys"], json!([Signer::new(1).thumbprint()]));
        let again = installation.json(&["client", "update", id, "--use-secret", "--dpop", "optional"]);
        assert_ne!(again["client_secret"], secret);
        assert_eq!(installation.json(&["company", "suspend", company])["suspended"], true);
        assert!(installation.json(&["company", "list"])[0]["suspendedAt"].is_string());
        assert_eq!(installation.json(&["company", "resume", company])["suspended"], false);

        let says = |args: &[&str], words: &str| {
            let said = installation.refusal(args);
            assert!(said.contains(words) && said.lines().count() == 1, "{args:?} says: {said}");
        };
        says(&["client", "update", id, "--expires-at", "soon"], "`soon` is no time");
        says(&["client", "update", id, "--jwks", "nowhere.json"], "nowhere.json cannot be read");
        std::fs::write(&file, json!({ "keys": [{ "kty": "oct", "k": "AAAA" }] }).to_string()).unwrap();
        says(
            &["client", "update", id, "--jwks", file.to_str().unwrap()],
            "private keys stay with the client",
        );
        says(&["client", "update", "cli_01JQ8Z6X3V4M5N6P7R8S9T0A1B"], "there is no client");
        says(&["company", "suspend", "cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B"], "there is no company");
        for wrong in [["--share", "0"], ["--share", "101"], ["--allow-ip", "10.1.2.3/8"], ["--dpop", "yes"]] {
            let args = [&["client", "update", id], &wrong[..]].concat();
            assert_eq!(installation.run(&args).status.code(), Some(2), "{wrong:?}");
        }
    })
    .await;
}
