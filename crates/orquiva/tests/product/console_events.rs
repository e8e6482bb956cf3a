//! The event log in the console, and the page that says why a signature fails.

use orquiva_core::Scopes;
use orquiva_core::id::CompanyId;
use orquiva_core::{Right, Role};
use orquiva_store::{StoreError, member, user};
use serde_json::json;

use crate::browser::{Browser, Seen};
use crate::harness::{Caller, Orquiva, Receiver, on_both};

/// The company of a founder, as its programs talk to it.
async fn api<'o>(orq: &'o Orquiva, email: &str) -> Caller<'o> {
    let company = company(orq, email).await;
    orq.client_of(company, Scopes::all()).await
}

async fn company(orq: &Orquiva, email: &str) -> CompanyId {
    let tx = orq.base.store.read().await.unwrap();
    let user = user::by_email(&tx, email).await.unwrap().unwrap();
    member::companies(&tx, user.id).await.unwrap()[0].company
}

#[tokio::test]
async fn the_log_is_found_by_type_person_and_time_and_paged_from_its_end() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        assert!(ana.get("/admin/events").await.says("Todavía no ha pasado nada"));
        let api = api(&orq, "ana@acme.test").await;
        let eva = json!({ "fullName": "Eva <b>Gil</b>", "email": "eva@acme.test" });
        let eva = api.post("/v1/employees", &eva).await.body["id"].as_str().unwrap().to_owned();
        for number in 0..60 {
            orq.clock.advance(30_000);
            api.hire(&format!("Luis {number}")).await;
        }
        orq.clock.advance(1_200_000);
        api.patch(&format!("/v1/employees/{eva}"), &json!({ "department": "Ventas" })).await;
        orq.work().await;

        let first = ana.get("/admin/events").await;
        assert!(first.says("Cambio en una persona") && first.says("Luis 59") && !first.says("Luis 5<"));
        assert!(first.says("data-refresh") && first.says("&#60;b&#62;Gil") && !first.says("<b>Gil"));
        let next = first.between("href=\"/admin/events?before=", "\"").unwrap();
        let second = ana.get(&format!("/admin/events?before={next}")).await;
        assert!(second.says("Eva") && second.says("Luis 5<") && !second.says("data-refresh"));
        assert!(!second.says("href=\"/admin/events?before="), "the log begins here");

        let of_eva = ana.get(&format!("/admin/events?subject={eva}")).await;
        assert_eq!(of_eva.html.matches("href=\"/admin/events/evt_").count(), 2);
        let changed = ana.get("/admin/events?type=employee.updated").await;
        assert_eq!(changed.html.matches("href=\"/admin/events/evt_").count(), 1);
        let minutes =
            ana.get("/admin/events?type=employee.*&from=2026-01-01T00:10&to=2026-01-01T00:12").await;
        assert_eq!(minutes.html.matches("href=\"/admin/events/evt_").count(), 4);
        assert!(ana.get("/admin/events?from=ayer").await.says("No es una fecha con hora"));
        assert!(ana.get("/admin/events?subject=emp_1").await.says("Ningún evento es así"));
        assert_eq!(ana.get("/admin/events?before=x&type=y").await.status, 200, "what is no filter is none");

        let other = orq.founder("Otra").await;
        assert!(!other.get(&format!("/admin/events?subject={eva}")).await.says("evt_"));
        let id = changed.between("/admin/events/", "\"").unwrap();
        assert_eq!(other.get(&format!("/admin/events/{id}")).await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn an_event_shows_what_changed_who_did_it_and_where_it_went() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let api = api(&orq, "ana@acme.test").await;
        let (good, bad) = (Receiver::start().await, Receiver::start().await);
        bad.will_fail(1);
        for (receiver, name) in [(&good, "Slack"), (&bad, "Nóminas")] {
            api.post(
                "/v1/webhooks",
                &json!({ "url": receiver.url, "events": ["employee.updated"], "description": name }),
            )
            .await;
        }
        let eva = api.hire("Eva Gil").await;
        api.patch(
            &format!("/v1/employees/{eva}"),
            &json!({ "jobTitle": "<i>Jefa</i>", "birthDate": "1990-05-06" }),
        )
        .await;
        orq.work().await;
        let list = ana.get("/admin/events?type=employee.updated").await;
        let path = format!("/admin/events/{}", list.between("/admin/events/", "\"").unwrap());
        let event = ana.get(&path).await;
        assert!(event.says("<del>") && event.says("<ins>") && event.says("&#60;i&#62;Jefa"));
        assert!(
            event.says("Slack")
                && event.says("Entregada")
                && event.says("Nóminas")
                && event.says("Reintentando")
        );
        assert!(event.says("test</bdi>") && event.says(&api.id), "the client that did it, by name and id");
        assert!(event.says("1990-05-06") && event.says("data-refresh"));

        // Who may not see what is protected, does not see it here either.
        let company = api.company;
        let user = {
            let tx = orq.base.store.read().await.unwrap();
            user::by_email(&tx, "ana@acme.test").await.unwrap().unwrap().id
        };
        for role in Role::ALL {
            let give = move |tx| async move { member::change(&tx, company, user, *role).await };
            orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
            assert_eq!(ana.get(&path).await.says("1990-05-06"), role.may(Right::SeeSensitive), "{role:?}");
            assert_eq!(ana.get("/admin/events").await.status, 200);
            let check = if role.may(Right::ManageWebhooks) { 200 } else { 403 };
            assert_eq!(ana.get("/admin/webhooks/check").await.status, check, "{role:?}");
            assert_eq!(
                ana.post("/admin/webhooks/check", &[("headers", "a: b")]).await.status,
                check,
                "{role:?}"
            );
        }
    })
    .await;
}

/// What the check says of a request.
async fn checked(browser: &Browser<'_>, headers: &str, body: &str, more: &[(&str, &str)]) -> Seen {
    browser.get("/admin/webhooks/check").await;
    let fields = [&[("headers", headers), ("body", body)], more].concat();
    browser.post("/admin/webhooks/check", &fields).await
}

#[tokio::test]
async fn a_pasted_request_is_told_why_its_signature_fails() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let api = api(&orq, "ana@acme.test").await;
        let receiver = Receiver::start().await;
        let created = api.subscribe(&receiver, &["employee.*"]).await;
        let (id, secret) = (created["id"].as_str().unwrap(), created["secret"].as_str().unwrap());
        let rotated =
            api.post(&format!("/v1/webhooks/{id}/rotate-secret"), &json!({ "overlapHours": 0 })).await.body;
        let fresh = rotated["secret"].as_str().unwrap();
        api.hire("José Ñáñez").await;
        orq.work().await;
        let (headers, raw) = receiver.got().pop().unwrap();
        let body = String::from_utf8(raw.to_vec()).unwrap();
        let lines: String =
            headers.iter().map(|(name, value)| format!("{name}: {}\n", value.to_str().unwrap())).collect();
        let signature = headers["x-orq-signature"].to_str().unwrap();
        let bare = format!("X-Orq-Signature: {signature}");

        let right = checked(&ana, &lines, &body, &[("secret", fresh)]).await;
        assert!(right.says("La firma es buena"), "{}", right.html);
        assert!(
            checked(&ana, &bare, &body, &[]).await.says("el secreto de ahora de"),
            "found among those of all endpoints"
        );
        let old = checked(&ana, &lines, &body, &[("secret", secret)]).await;
        assert!(
            old.says("El secreto es otro")
                && old.says("el secreto de ahora")
                && old.says("el secreto anterior")
        );
        assert!(!old.says(fresh), "no secret is told");
        let pretty =
            serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&body).unwrap()).unwrap();
        for headers in [&lines, &bare] {
            let reprinted = checked(&ana, headers, &pretty, &[("secret", fresh)]).await;
            assert!(reprinted.says("El cuerpo no es el que se firmó") && reprinted.says("Se leyó como JSON"));
        }
        let other = body.replace("Ñáñez", "Gil");
        let changed = checked(&ana, &lines, &other, &[("webhook", id)]).await;
        assert!(changed.says("Su contenido no es el que se envió") && changed.says("<mark>"));
        assert!(checked(&ana, &bare, &other, &[]).await.says("No la firma ningún secreto conocido"));
        let late = checked(&ana, &lines, &body, &[("secret", fresh), ("at", "2026-01-01T01:00:00")]).await;
        assert!(late.says("El reloj no cuadra") && late.says("60 min"), "{}", late.html);
        assert!(checked(&ana, "content-type: x", &body, &[]).await.says("Falta la cabecera x-orq-signature"));
        let cut = checked(&ana, &bare[..bare.len() - 4], &body, &[]).await;
        assert!(cut.says("tiene 60 caracteres y debe tener 64"));
        let prefix = checked(&ana, &lines, &body, &[("secret", &fresh[6..])]).await;
        assert!(prefix.says("Le falta whsec_"));
        assert_eq!(checked(&ana, "", &body, &[]).await.status, 422);
        assert_eq!(checked(&ana, &lines, &body, &[("at", "ayer")]).await.status, 422);

        // Filled in from the log, it is what was sent; another company finds neither delivery nor secret.
        let delivery = headers["x-orq-delivery"].to_str().unwrap();
        let filled = ana.get(&format!("/admin/webhooks/check?delivery={delivery}&attempt=1")).await;
        assert!(filled.says(signature) && filled.says("José Ñáñez"));
        let other = orq.founder("Otra").await;
        assert_eq!(other.get(&format!("/admin/webhooks/check?delivery={delivery}")).await.status, 404);
        assert!(
            checked(&other, &lines, &body, &[("webhook", id)])
                .await
                .says("No la firma ningún secreto conocido")
        );
    })
    .await;
}
