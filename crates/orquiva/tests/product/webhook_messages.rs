//! What arrives at an endpoint: which events, how much of them, in which form, with which headers and signatures, and
//! when it is tried again.

use aws_lc_rs::signature::{ED25519, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use http::{HeaderMap, Method, Request};
use orquiva_core::Scope;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, Receiver, on_both};

/// Creates an endpoint at `receiver` with `more`.
async fn endpoint(acme: &Caller<'_>, receiver: &Receiver, more: Value) -> Value {
    let mut body = json!({ "url": receiver.url, "events": ["employee.*"] });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let created = acme.post("/v1/webhooks", &body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    created.body
}

async fn hire(acme: &Caller<'_>, name: &str, more: Value) -> String {
    let email = format!("{}@acme.test", name.to_lowercase());
    let mut body = json!({ "fullName": name, "email": email });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let hired = acme.post("/v1/employees", &body).await;
    assert_eq!(hired.status, 201, "{}", hired.body);
    hired.body["id"].as_str().unwrap().to_owned()
}

fn names(receiver: &Receiver) -> Vec<String> {
    let mut names: Vec<_> = receiver
        .events()
        .iter()
        .map(|event| event["data"]["fullName"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_filter_lets_through_what_it_names_and_sees_no_more_than_its_endpoint() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receivers = [(); 5].map(|()| Receiver::start());
        let [sales, moves, unmanaged, women, all] = receivers.map(|one| one);
        let (sales, moves, unmanaged, women, all) =
            (sales.await, moves.await, unmanaged.await, women.await, all.await);
        endpoint(&acme, &sales, json!({ "filter": { "data.department": ["Ventas", "Compras"] } })).await;
        endpoint(
            &acme,
            &moves,
            json!({ "filter": { "changed": ["department"], "previous.department": [null] } }),
        )
        .await;
        endpoint(
            &acme,
            &unmanaged,
            json!({ "filter": { "data.jobTitle": [null], "type": ["employee.created"] } }),
        )
        .await;
        let gender = json!({ "filter": { "data.gender": ["female"] }, "sensitive": true });
        endpoint(&acme, &women, gender).await;
        endpoint(&acme, &all, json!({})).await;
        hire(&acme, "Ana", json!({ "department": "Ventas", "gender": "female" })).await;
        hire(&acme, "Eva", json!({ "department": "ventas", "jobTitle": "Jefa" })).await;
        let pau = hire(&acme, "Pau", json!({ "gender": "male" })).await;
        orq.work().await;
        acme.patch(&format!("/v1/employees/{pau}"), &json!({ "department": "Compras" })).await;
        orq.work().await;
        assert_eq!(names(&sales), ["Ana", "Eva", "Pau"], "`ventas` is the department `Ventas`");
        assert_eq!(names(&moves), ["Pau"]);
        assert_eq!(names(&unmanaged), ["Ana", "Pau"]);
        assert_eq!(names(&women), ["Ana"]);
        assert_eq!(names(&all), ["Ana", "Eva", "Pau", "Pau"]);
    })
    .await;
}

#[tokio::test]
async fn a_thin_payload_says_what_happened_to_what_and_no_more() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        endpoint(&acme, &receiver, json!({ "payload": "thin", "sensitive": true })).await;
        let ana = hire(&acme, "Ana", json!({ "birthDate": "1990-01-01" })).await;
        acme.patch(&format!("/v1/employees/{ana}"), &json!({ "jobTitle": "Jefa" })).await;
        orq.work().await;
        let events = receiver.events();
        assert_eq!(events.len(), 2);
        for event in events {
            assert_eq!(event["data"], json!({ "id": ana }));
            let mut names: Vec<_> = event.as_object().unwrap().keys().map(String::as_str).collect();
            names.sort_unstable();
            let expected =
                ["actor", "apiVersion", "companyId", "data", "id", "sequence", "timestamp", "type"];
            assert_eq!(names, expected);
        }
    })
    .await;
}

#[tokio::test]
async fn a_cloud_event_is_whole_in_the_body_and_signed_like_any_other() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = endpoint(&acme, &receiver, json!({ "format": "cloudevents" })).await;
        let ana = hire(&acme, "Ana", json!({})).await;
        orq.work().await;
        let (headers, body) = &receiver.got()[0];
        assert_eq!(headers["content-type"], "application/cloudevents+json");
        assert_eq!(headers["x-orq-event-type"], "employee.created");
        let event = &receiver.events()[0];
        let plain = orq.client_of(acme.company, [Scope::EventsRead].into_iter().collect()).await;
        let log = &plain.events().await[0];
        for (name, value) in [
            ("specversion", json!("1.0")),
            ("id", log["id"].clone()),
            ("source", json!(format!("urn:orquiva:{}", acme.company))),
            ("type", json!("com.orquiva.employee.created")),
            ("subject", json!(ana)),
            ("time", log["timestamp"].clone()),
            ("datacontenttype", json!("application/json")),
            ("sequence", json!("00000000000000000001")),
            ("companyid", json!(acme.company)),
            ("actortype", json!("client")),
            ("actorid", json!(acme.id)),
            ("data", log["data"].clone()),
        ] {
            assert_eq!(event[name], value, "{name}");
        }
        let outside = standardwebhooks::Webhook::new(webhook["secret"].as_str().unwrap()).unwrap();
        let seconds = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        let signed = outside.sign(headers["webhook-id"].to_str().unwrap(), seconds, body).unwrap();
        assert_eq!(headers["webhook-signature"], signed);
    })
    .await;
}

#[tokio::test]
async fn headers_of_its_own_arrive_opened_and_are_shown_to_nobody() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let own = json!({ "headers": { "Authorization": "Bearer t0ken", "X-Team": "people & co" } });
        let webhook = endpoint(&acme, &receiver, own).await;
        hire(&acme, "Ana", json!({})).await;
        orq.work().await;
        let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
        acme.patch(&path, &json!({ "headers": { "AUTHORIZATION": "Bearer n3w", "x-team": null } })).await;
        hire(&acme, "Eva", json!({})).await;
        orq.work().await;
        let sent = |at: usize, name: &str| {
            receiver.got()[at].0.get(name).map(|value| value.to_str().unwrap().to_owned())
        };
        assert_eq!(sent(0, "authorization").as_deref(), Some("Bearer t0ken"));
        assert_eq!(sent(0, "x-team").as_deref(), Some("people & co"));
        assert_eq!(sent(1, "authorization").as_deref(), Some("Bearer n3w"), "at once");
        assert_eq!(sent(1, "x-team"), None);
        for shown in ["/v1/webhooks", path.as_str(), "/v1/deliveries", "/v1/events"] {
            let shown = acme.get(shown).await;
            assert!(!String::from_utf8_lossy(&shown.raw).contains("Bearer"), "{}", shown.body);
        }
    })
    .await;
}

/// The keys that anyone gets for an endpoint.
async fn key_set(orq: &Orquiva, webhook: &Value) -> Answer {
    let path = format!("/.well-known/webhook-keys/{}", webhook["id"].as_str().unwrap());
    orq.send(Request::get(path).body(axum::body::Body::empty()).unwrap()).await
}

/// Which of these keys (as `whpk_…`) have signed a request.
fn signed_by(headers: &HeaderMap, body: &[u8], keys: &[&Value]) -> Vec<bool> {
    let text = |name: &str| headers[name].to_str().unwrap();
    let message =
        [format!("{}.{}.", text("webhook-id"), text("webhook-timestamp")).as_bytes(), body].concat();
    let checks = |key: &&Value| {
        let public = STANDARD.decode(key.as_str().unwrap().strip_prefix("whpk_").unwrap()).unwrap();
        let verifier = UnparsedPublicKey::new(&ED25519, public);
        let signatures = text("webhook-signature").split(' ').filter_map(|one| one.strip_prefix("v1a,"));
        signatures.map(|one| STANDARD.decode(one).unwrap()).any(|one| verifier.verify(&message, &one).is_ok())
    };
    keys.iter().map(checks).collect()
}

#[tokio::test]
async fn an_ed25519_key_of_its_own_signs_too_and_anyone_finds_its_public_half() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        let webhook = endpoint(&acme, &receiver, json!({ "ed25519": true })).await;
        let other = endpoint(&acme, &receiver, json!({ "ed25519": true, "events": ["webhook.test"] })).await;
        assert_ne!(webhook["publicKey"], other["publicKey"], "nobody else's events are signed with it");
        hire(&acme, "Ana", json!({})).await;
        orq.work().await;
        let last = || receiver.got().pop().unwrap();
        let (headers, body) = last();
        assert_eq!(signed_by(&headers, &body, &[&webhook["publicKey"], &other["publicKey"]]), [true, false]);

        let published = key_set(&orq, &webhook).await;
        assert_eq!((published.status, published.header("cache-control")), (200, "public, max-age=300"));
        let keys = published.body["keys"].as_array().unwrap().clone();
        let raw =
            STANDARD.decode(webhook["publicKey"].as_str().unwrap().strip_prefix("whpk_").unwrap()).unwrap();
        assert_eq!((keys.len(), &keys[0]["x"]), (1, &json!(URL_SAFE_NO_PAD.encode(raw))));
        assert_eq!(
            (&keys[0]["kty"], &keys[0]["crv"], &keys[0]["use"]),
            (&json!("OKP"), &json!("Ed25519"), &json!("sig"))
        );

        let path = format!("/v1/webhooks/{}", webhook["id"].as_str().unwrap());
        let rotated = acme.post(&format!("{path}/rotate-secret"), &json!({ "overlapHours": 1 })).await.body;
        hire(&acme, "Eva", json!({})).await;
        orq.work().await;
        let (headers, body) = last();
        let both = [&webhook["publicKey"], &rotated["publicKey"]];
        assert_eq!(signed_by(&headers, &body, &both), [true, true]);
        assert_eq!(key_set(&orq, &webhook).await.body["keys"].as_array().unwrap().len(), 2);
        let mut acme = acme;
        orq.clock.advance(3_600_000);
        acme.token = acme.fresh_token().await;
        hire(&acme, "Pau", json!({})).await;
        orq.work().await;
        let (headers, body) = last();
        assert_eq!(signed_by(&headers, &body, &both), [false, true]);
        assert_eq!(key_set(&orq, &webhook).await.body["keys"].as_array().unwrap().len(), 1);

        let without = acme.patch(&path, &json!({ "ed25519": false })).await.body;
        assert_eq!((&without["publicKey"], &without["ed25519"]), (&Value::Null, &json!(false)));
        hire(&acme, "Luis", json!({})).await;
        orq.work().await;
        assert!(!last().0["webhook-signature"].to_str().unwrap().contains("v1a"));
        assert_eq!(key_set(&orq, &webhook).await.problem(), (404, "not_found"));
        assert_eq!(key_set(&orq, &json!({ "id": "whk_1" })).await.problem(), (404, "not_found"));
        let again = acme.patch(&path, &json!({ "ed25519": true })).await.body;
        assert!(![&webhook, &rotated].iter().any(|old| old["publicKey"] == again["publicKey"]));
    })
    .await;
}

#[tokio::test]
async fn a_schedule_of_its_own_says_when_and_how_often_it_is_tried() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        receiver.will_fail(20);
        endpoint(&acme, &receiver, json!({ "retrySchedule": [10, 100, 50] })).await;
        hire(&acme, "Ana", json!({})).await;
        for (wait, tries) in [(0, 0), (9_999, 0), (1, 1), (79_999, 1), (40_001, 2), (39_999, 2), (20_001, 3)]
        {
            orq.clock.advance(wait);
            orq.work().await;
            assert_eq!(receiver.got().len(), tries, "after {wait} ms more");
        }
        let delivery = &acme.get("/v1/deliveries").await.body["data"][0];
        assert_eq!((&delivery["state"], receiver.got().len()), (&json!("failed"), 3));
        let patched = acme.write(Method::GET, "/v1/webhooks", &[], &Value::Null).await;
        assert_eq!(patched.body["data"][0]["retrySchedule"], json!([10, 100, 50]));
    })
    .await;
}
