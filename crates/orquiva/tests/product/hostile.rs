//! Receivers that misbehave, all at once beside some that do not.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use futures_util::future::join_all;
use orquiva::settings::Rules;
use orquiva_core::network::Networks;
use orquiva_core::webhook::address::Reach;
use orquiva_delivery::{Egress, Lookup, Times, Worker};
use orquiva_outside::{Authority, Hostile, Manner};
use serde_json::{Value, json};

use crate::harness::{Caller, Orquiva, PUBLIC, Receiver, on_both, send};

/// A worker that goes out like this.
async fn worker(orq: &Orquiva, egress: Egress) -> Worker {
    orq.base.node_under(PUBLIC.to_owned(), Rules { egress, ..Rules::default() }).await.unwrap().worker
}

fn impatient(authority: &Authority) -> Egress {
    let millis = Duration::from_millis;
    Egress {
        reach: Reach::new(true, Networks::default()),
        authorities: vec![authority.certificate()],
        times: Times { connect: millis(1000), secure: millis(1500), whole: millis(2000) },
        lookup: Lookup::by(|_| Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })),
        ..Egress::default()
    }
}

/// An endpoint at `url`; the description tells it from others.
async fn endpoint(acme: &Caller<'_>, url: &str, description: &str) -> String {
    let body = json!({ "url": url, "events": ["employee.created"], "description": description });
    let created = acme.post("/v1/webhooks", &body).await;
    assert_eq!(created.status, 201, "{}", created.body);
    created.body["id"].as_str().unwrap().to_owned()
}

/// The one delivery to that endpoint.
async fn delivery_to(acme: &Caller<'_>, webhook: &str) -> Value {
    let found = acme.get(&format!("/v1/deliveries?webhookId={webhook}")).await;
    let found = found.body["data"].as_array().unwrap().clone();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

/// What the first attempt leads to: the state, and the error or the status of the attempt.
fn expected(manner: Manner) -> (&'static str, Value) {
    let waits = |error: &'static str| ("waiting", json!(error));
    match manner {
        Manner::EndlessBody | Manner::GzipBomb => ("delivered", json!(200)),
        Manner::Gone => ("failed", json!(410)),
        Manner::Busy => ("waiting", json!(429)),
        Manner::Flaps => ("waiting", json!(500)),
        Manner::RedirectsInside => ("waiting", json!(307)),
        Manner::NeverAccepts => waits("timeout_connect"),
        Manner::NeverAnswers | Manner::DripsHead | Manner::KeepsPromising => waits("timeout_answer"),
        Manner::DripsBody => waits("timeout_body"),
        Manner::SilentTls => waits("timeout_tls"),
        Manner::OldTls | Manner::PlainTls | Manner::SelfSigned | Manner::Expired | Manner::WrongName => {
            waits("tls")
        }
        Manner::ClosesAtOnce
        | Manner::HugeHeader
        | Manner::ManyHeaders
        | Manner::ResetsBeforeHead
        | Manner::ResetsInHead
        | Manner::ResetsInBody
        | Manner::SpeaksNoHttp => waits("protocol"),
    }
}

#[tokio::test]
async fn each_hostile_receiver_ends_as_it_should_and_its_neighbours_do_not_notice() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let authority = Authority::new();
        let start = Manner::ALL.iter().map(|manner| Hostile::start(*manner, &authority));
        let hostile: Vec<Hostile> = join_all(start).await;
        let mut webhooks = Vec::new();
        for receiver in &hostile {
            webhooks.push(endpoint(&acme, &receiver.url, &format!("{:?}", receiver.manner)).await);
        }
        let healthy = Receiver::start().await;
        for number in 0..3 {
            endpoint(&acme, &healthy.url, &format!("healthy {number}")).await;
        }
        acme.hire("Ana Ruiz").await;
        let worker = worker(&orq, impatient(&authority)).await;
        let stepping = tokio::spawn(async move { worker.step().await.unwrap() });
        healthy.has_got(3).await;
        assert!(!stepping.is_finished(), "the healthy ones did not wait for those that hang");
        stepping.await.unwrap();

        for (receiver, webhook) in hostile.iter().zip(&webhooks) {
            let manner = receiver.manner;
            let delivery = delivery_to(&acme, webhook).await;
            let attempt = &delivery["attempts"][0];
            let told = if attempt["error"].is_null() { &attempt["status"] } else { &attempt["error"] };
            let (state, wanted) = expected(manner);
            assert_eq!((delivery["state"].as_str().unwrap(), told), (state, &wanted), "{manner:?}");
            assert_eq!(delivery["attempts"].as_array().unwrap().len(), 1, "{manner:?}");
            assert_eq!(
                attempt["errorDetail"].is_null(),
                attempt["error"].is_null(),
                "{manner:?} is explained"
            );
            assert!(receiver.sent() < 16 << 20, "{manner:?} got rid of {} bytes", receiver.sent());
            let status = if manner == Manner::Gone { "disabled" } else { "enabled" };
            let now = acme.get(&format!("/v1/webhooks/{webhook}")).await.body;
            assert_eq!(now["status"], status, "{manner:?}");
        }
        assert_eq!(healthy.got().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_receiver_that_flaps_gets_what_it_refused_and_a_busy_one_is_left_alone() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let authority = Authority::new();
        let flapping = Hostile::start(Manner::Flaps, &authority).await;
        let busy = Hostile::start(Manner::Busy, &authority).await;
        let flapping_id = endpoint(&acme, &flapping.url, "flaps").await;
        let busy_id = endpoint(&acme, &busy.url, "busy").await;
        acme.hire("Ana Ruiz").await;
        let worker = worker(&orq, impatient(&authority)).await;
        worker.step().await.unwrap();
        orq.clock.advance(6_000);
        worker.step().await.unwrap();
        assert_eq!(delivery_to(&acme, &flapping_id).await["state"], "delivered");
        assert_eq!(
            (delivery_to(&acme, &busy_id).await["state"].clone(), busy.requests()),
            (json!("waiting"), 1)
        );
        orq.clock.advance(3_600_000 - 6_001);
        worker.step().await.unwrap();
        assert_eq!(busy.requests(), 1, "it asked for an hour");
    })
    .await;
}

#[tokio::test]
async fn a_name_that_changes_to_an_inner_address_is_caught_though_the_endpoint_was_created_with_a_public_one()
{
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let authority = Authority::new();
        let receiver = Hostile::start(Manner::Flaps, &authority).await; // a connection for each request
        let webhook = endpoint(&acme, &receiver.url, "rebinds").await;
        acme.hire("Ana Ruiz").await;
        let clock = orq.base.clock.clone();
        let from = clock.now();
        let lookup = Lookup::by(move |_| {
            let inside = clock.now().since(from) > 0;
            let ip: IpAddr = if inside { [10, 0, 0, 1] } else { [127, 0, 0, 1] }.into();
            Box::pin(async move { Ok(vec![ip]) })
        });
        // This machine stands for the public Internet.
        let reach = Reach::new(false, vec!["127.0.0.1".parse().unwrap()].into());
        let worker = worker(&orq, Egress { reach, lookup, ..impatient(&authority) }).await;
        worker.step().await.unwrap();
        assert_eq!(delivery_to(&acme, &webhook).await["attempts"][0]["status"], 500);
        orq.clock.advance(60_000);
        worker.step().await.unwrap();
        let attempts = delivery_to(&acme, &webhook).await["attempts"].clone();
        assert_eq!((&attempts[1]["error"], receiver.connections()), (&json!("private_address"), 1));
    })
    .await;
}

#[tokio::test]
async fn an_operator_opens_inner_networks_and_no_others() {
    let orq = Orquiva::strict().await;
    let acme = orq.company("acme").await;
    let reach = Reach::new(false, "10.0.0.0/8 fd00::/8".parse().unwrap());
    let rules = Rules { egress: Egress { reach, ..Egress::default() }, ..Rules::default() };
    let lab = orquiva::wiring::open_router(orq.base.node_under(PUBLIC.to_owned(), rules).await.unwrap().app);
    for (url, fault) in [
        ("https://10.1.2.3/hook", None),
        ("http://10.1.2.3:3000/hook", None),
        ("http://[fd00::1]/hook", None),
        ("http://hooks.lan/hook", None),
        ("https://hooks.acme.com/hook", None),
        ("http://hooks.acme.com/hook", Some("invalid_url")),
        ("http://1.1.1.1/hook", Some("invalid_url")),
        ("https://192.168.0.1/hook", Some("private_address")),
        ("https://169.254.169.254/", Some("private_address")),
        ("https://[::ffff:127.0.0.1]/", Some("private_address")),
    ] {
        let body = json!({ "url": url, "events": ["*"] });
        let answer = send(&lab, acme.written(http::Method::POST, "/v1/webhooks", &[], &body)).await;
        match fault {
            None => assert_eq!(answer.status, 201, "{url}: {}", answer.body),
            Some(code) => assert_eq!(answer.faults(), [("/url".to_owned(), code.to_owned())], "{url}"),
        }
    }
}
