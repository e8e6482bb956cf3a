//! Webhooks in the console: created with a test, changed, rotated, sent again and replayed by who may, and only theirs.

use orquiva_core::id::{CompanyId, UserId};
use orquiva_core::{Right, Role};
use orquiva_store::{StoreError, audit, member, user};

use crate::browser::{Browser, PASSWORD, Seen};
use crate::harness::{Orquiva, Receiver, on_both};

/// Creates an endpoint in a browser; its id and its secret.
async fn new_webhook(browser: &Browser<'_>, fields: &[(&str, &str)]) -> (String, String) {
    let key = browser.get("/admin/webhooks/new").await.value("key").unwrap();
    let created = browser.post("/admin/webhooks/new", &[&[("key", key.as_str())], fields].concat()).await;
    assert_eq!(created.status, 200, "{}", created.html);
    let secret = created.between("Secreto</span><code>", "<").unwrap().to_owned();
    let id = created.between(r#"class="button" href="/admin/webhooks/"#, "\"").unwrap().to_owned();
    (id, secret)
}

/// The one company of a user, and the user.
async fn company_and_user(orq: &Orquiva, email: &str) -> (CompanyId, UserId) {
    let tx = orq.base.store.read().await.unwrap();
    let user = user::by_email(&tx, email).await.unwrap().unwrap();
    (member::companies(&tx, user.id).await.unwrap()[0].company, user.id)
}

/// Of a page's first delivery: where it is shown.
fn first_delivery(seen: &Seen, id: &str) -> String {
    let start = format!("/admin/webhooks/{id}/deliveries/");
    format!("{start}{}", seen.between(&start, "\"").unwrap())
}

#[tokio::test]
async fn an_endpoint_is_created_once_and_its_test_arrives() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let receiver = Receiver::start().await;
        assert!(ana.get("/admin/webhooks").await.says("Todavía no hay webhooks"));
        let key = ana.get("/admin/webhooks/new").await.value("key").unwrap();
        let fields = [
            ("key", key.as_str()),
            ("url", &receiver.url),
            ("events", "employee.created"),
            ("events", "department.*"),
            ("description", "Nóminas <script>"),
            ("payload", "thin"),
            ("format", "json"),
            ("maxConcurrency", "2"),
            ("headers", "Authorization: Bearer abc\n\nX-Team: people"),
            ("test", "1"),
        ];
        let created = ana.post("/admin/webhooks/new", &fields).await;
        assert_eq!(created.status, 200, "{}", created.html);
        let secret = created.between("Secreto</span><code>", "<").unwrap();
        assert!(
            secret.starts_with("whsec_") && created.html.matches(secret).count() == 3,
            "with two receivers"
        );
        let trial = created.between("data-from=\"", "\"").unwrap().to_owned();
        let (id, _) = trial.strip_prefix("/admin/webhooks/").unwrap().split_once('/').unwrap();
        assert!(ana.get(&trial).await.says("Saliendo"), "not even routed");
        let twice = ana.post("/admin/webhooks/new", &fields).await;
        assert_eq!(twice.between("Secreto</span><code>", "<"), Some(secret), "sent twice, made once");
        orq.work().await;

        let (headers, _) = receiver.got().pop().unwrap();
        assert_eq!(
            (receiver.got().len(), &headers["x-orq-event-type"]),
            (1, &"webhook.test".parse().unwrap())
        );
        assert_eq!(headers["authorization"], "Bearer abc");
        let arrived = ana.get(&trial).await;
        assert!(arrived.says("Entregada") && arrived.says("204"));
        assert!(!arrived.says("data-refresh"), "what has arrived is not asked for again");
        let list = ana.get("/admin/webhooks").await;
        assert!(list.says("100 %") && list.says("1 de las últimas 1 entregas llegaron"));
        assert!(list.says("script&#62;") && !list.says("Nóminas <script>") && !list.says(secret));
        let shown = ana.get(&format!("/admin/webhooks/{id}")).await;
        assert!(shown.says("authorization: ***") && !shown.says("Bearer abc") && !shown.says(secret));

        for (name, value, what) in [
            ("url", "ftp://x", "https"),
            ("events", "", "eventos"),
            ("maxConcurrency", "muchas", "maxConcurrency-fault"),
            ("headers", "Host: x", "headers-fault"),
            ("headers", "sin dos puntos", "dos puntos"),
        ] {
            let fields = [("key", "k2"), ("url", &*receiver.url), ("events", "*"), ("description", "Otro")];
            let mut fields: Vec<_> = fields.into_iter().filter(|(known, _)| *known != name).collect();
            if !value.is_empty() {
                fields.push((name, value));
            }
            let refused = ana.post("/admin/webhooks/new", &fields).await;
            assert_eq!(refused.status, 422, "{name}");
            assert!(
                refused.says(what) && refused.says("Otro") && refused.says("fault"),
                "{name}: {}",
                refused.html
            );
        }
    })
    .await;
}

#[tokio::test]
async fn it_is_changed_paused_rotated_and_removed_and_no_stale_form_counts() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let receiver = Receiver::start().await;
        let (id, secret) =
            new_webhook(&ana, &[("url", &receiver.url), ("events", "employee.*"), ("headers", "X-A: 1")])
                .await;
        let at = |path: &str| format!("/admin/webhooks/{id}{path}");
        let form = ana.get(&at("/edit")).await;
        let etag = form.value("etag").unwrap().replace("&#34;", "\"").replace("&quot;", "\"");
        let edit = |etag: &str, description: &str| {
            let fields = [
                ("etag", etag),
                ("url", &receiver.url),
                ("events", "*"),
                ("description", description),
                ("headers", "x-a: ***\nX-B: 2"),
            ];
            fields.map(|(name, value)| (name.to_owned(), value.to_owned()))
        };
        let send = async |path: String, fields: &[(String, String)]| {
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            ana.post(&path, &fields).await
        };
        assert_eq!(send(at("/edit"), &edit(&etag, "Uno")).await.location(), at("?said=webhook-changed"));
        let stale = send(at("/edit"), &edit(&etag, "Dos")).await;
        assert_eq!(stale.status, 422);
        assert!(stale.says("Alguien lo ha cambiado") && stale.says("Dos"), "what was typed is kept");
        assert!(ana.get(&at("")).await.says("Uno"));
        let fresh = stale.value("etag").unwrap().replace("&#34;", "\"").replace("&quot;", "\"");
        assert_eq!(send(at("/edit"), &edit(&fresh, "Dos")).await.status, 303, "looked over, and saved again");

        assert_eq!(ana.post(&at("/status"), &[("etag", &etag), ("status", "paused")]).await.status, 412);
        let etag = || async { ana.get(&at("/edit")).await.value("etag").unwrap().replace("&#34;", "\"") };
        let now = etag().await;
        assert_eq!(ana.post(&at("/status"), &[("etag", &now), ("status", "paused")]).await.status, 303);
        let paused = ana.get(&at("")).await;
        assert!(paused.says("En pausa") && paused.says("Reanudar"));
        let now = etag().await;
        assert_eq!(ana.post(&at("/status"), &[("etag", &now), ("status", "enabled")]).await.status, 303);

        // A secret is shown only to who has just proved who they are.
        orq.clock.advance(20 * 60_000);
        assert!(ana.get(&at("/rotate")).await.location().starts_with("/admin/confirm?next="));
        assert_eq!(ana.post(&at("/rotate"), &[("overlap", "1")]).await.status, 303);
        ana.get("/admin/confirm").await;
        ana.post("/admin/confirm", &[("password", PASSWORD), ("next", &at("/rotate"))]).await;
        ana.get(&at("/rotate")).await;
        let now = etag().await;
        let rotated = ana.post(&at("/rotate"), &[("etag", &now), ("key", "k"), ("overlap", "1")]).await;
        let other = rotated.between("Secreto</span><code>", "<").unwrap();
        assert!(other.starts_with("whsec_") && other != secret);
        assert!(ana.get(&at("")).await.says("El secreto anterior también firma"));

        let now = etag().await;
        assert!(ana.get(&at("/delete")).await.says("Borrar para siempre"));
        assert_eq!(ana.post(&at("/delete"), &[("etag", &now)]).await.status, 303);
        assert_eq!(ana.get(&at("")).await.status, 404);

        let (company, _) = company_and_user(&orq, "ana@acme.test").await;
        let entries =
            audit::list(&orq.base.store.read().await.unwrap(), company, &audit::Filter::default(), 20)
                .await
                .unwrap();
        let actions: Vec<_> = entries.iter().map(|entry| entry.entry.action.as_str()).take(7).collect();
        let expected = [
            "webhook.deleted",
            "webhook.rotated",
            "webhook.resumed",
            "webhook.paused",
            "webhook.updated",
            "webhook.updated",
            "webhook.created",
        ];
        assert_eq!(actions, expected);
        let all = format!("{entries:?}");
        assert!(entries.iter().take(7).all(|entry| entry.entry.target == id) && all.contains("Uno"));
        assert!(!all.contains(&secret) && !all.contains(other));
    })
    .await;
}

#[tokio::test]
async fn a_delivery_shows_what_was_sent_and_is_sent_again_and_events_are_replayed_once_counted() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let receiver = Receiver::start().await;
        let (id, _) = new_webhook(&ana, &[("url", &receiver.url), ("events", "employee.*")]).await;
        let (company, _) = company_and_user(&orq, "ana@acme.test").await;
        let api = orq.client_of(company, orquiva_core::Scopes::all()).await;
        receiver.will_answer(&[(500, &[("x-trace", "<b>7</b>")])]);
        api.hire("Eva Gil").await;
        orq.work().await;
        let shown = ana.get(&format!("/admin/webhooks/{id}")).await;
        assert!(shown.says("Reintentando") && shown.says("500") && shown.says("Alta de una persona"));
        let path = first_delivery(&shown, &id);
        let delivery = ana.get(&path).await;
        let (headers, raw) = receiver.got().pop().unwrap();
        assert!(delivery.says(headers["x-orq-signature"].to_str().unwrap()));
        assert!(delivery.says("data-refresh") && delivery.says("&#60;b&#62;7") && delivery.says("thank you"));
        let body = String::from_utf8(raw.to_vec()).unwrap().replace('"', "&quot;");
        assert!(delivery.says(&body), "byte for byte");
        let key = delivery.value("key").unwrap();
        for _ in 0..2 {
            let again = ana.post(&format!("{path}/again"), &[("key", &key)]).await;
            assert_eq!(again.location(), format!("{path}?said=delivery-again"));
        }
        orq.work().await;
        assert_eq!(receiver.got().len(), 2, "pressed twice, sent once");
        let delivered = ana.get(&path).await;
        assert!(
            delivered.says("Entregada") && delivered.says("Intento 2") && !delivered.says("data-refresh")
        );

        let narrowed = |query: &str| format!("/admin/webhooks/{id}?{query}");
        assert!(ana.get(&narrowed("state=failed")).await.says("Ninguna entrega cumple"));
        assert!(
            ana.get(&narrowed("state=delivered&type=employee.created&from=2026-01-01T00:00"))
                .await
                .says("/deliveries/")
        );
        assert!(ana.get(&narrowed("to=2026-01-01T00:00")).await.says("Ninguna entrega cumple"));
        assert!(ana.get(&narrowed("from=ayer")).await.says("No es una fecha con hora"));
        assert_eq!(ana.get(&narrowed("cursor=x")).await.status, 400);

        let replay = format!("/admin/webhooks/{id}/replay");
        let form = ana.get(&replay).await;
        let key = form.value("key").unwrap();
        let span = [("from", "2025-12-31T00:00"), ("state", "all"), ("key", key.as_str())];
        let counted = ana.post(&replay, &[&span[..], &[("count", "1")]].concat()).await;
        assert!(counted.says("Se enviarían") && counted.says("Enviar 1"), "{}", counted.html);
        let none = ana
            .post(&replay, &[&span[..], &[("types", "department.created"), ("count", "1")]].concat())
            .await;
        assert!(none.says("nada que enviar") && !none.says("name=\"begin\""));
        orq.work().await;
        assert_eq!(receiver.got().len(), 2, "nothing is sent by counting");
        for (name, value) in [("from", "ayer"), ("ratePerSecond", "0"), ("types", "x")] {
            let fields: Vec<_> =
                span.into_iter().filter(|(known, _)| *known != name).chain([(name, value)]).collect();
            let refused = ana.post(&replay, &fields).await;
            assert_eq!((refused.status, refused.says("fault")), (422, true), "{name}");
        }
        let began = ana.post(&replay, &[&span[..], &[("begin", "1")]].concat()).await;
        let twice = ana.post(&replay, &[&span[..], &[("begin", "1")]].concat()).await;
        assert_eq!((began.status, began.location()), (303, twice.location()), "begun twice, sent once");
        orq.work().await;
        orq.work().await;
        assert_eq!(receiver.got().len(), 3);
        assert!(ana.get(began.location()).await.says("Terminada"));
        assert_eq!(ana.post(&format!("{}/cancel", began.location()), &[]).await.status, 409, "it is over");
    })
    .await;
}

#[tokio::test]
async fn a_filter_is_chosen_on_an_event_and_tried_on_those_that_happened() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let receiver = Receiver::start().await;
        let (id, _) = new_webhook(&ana, &[("url", &receiver.url), ("events", "employee.*")]).await;
        let path = format!("/admin/webhooks/{id}/filter");
        assert!(ana.get(&path).await.says("Todavía no ha ocurrido"));
        let (company, _) = company_and_user(&orq, "ana@acme.test").await;
        let api = orq.client_of(company, orquiva_core::Scopes::all()).await;
        api.hire("Eva Gil").await;
        api.hire("Luis Mar").await;
        orq.work().await;
        let form = ana.get(&path).await;
        assert!(form.says("Luis Mar") && !form.says("value=\"data\t"), "the last one, and only values");
        let etag = form.value("etag").unwrap().replace("&#34;", "\"");
        let pick = ("pick", "data.fullName\t\"Eva Gil\"");
        let tried = ana.post(&path, &[("etag", &etag), pick, ("try", "1")]).await;
        assert!(tried.says("<strong>1</strong>") && tried.says("<strong>2</strong>"), "one of two");
        assert!(tried.says("También elegidos"), "it is not in the event that is shown");
        let bad = ana.post(&path, &[("etag", &etag), ("pick", "data.nam\t1"), ("save", "1")]).await;
        assert_eq!((bad.status, bad.says("data.nam:")), (422, true), "{}", bad.html);
        let saved = ana
            .post(&path, &[("etag", &etag), pick, ("pick", "type\t\"employee.updated\""), ("save", "1")])
            .await;
        assert_eq!(saved.status, 303);
        let stale = ana.post(&path, &[("etag", &etag), ("save", "1")]).await;
        assert_eq!((stale.status, stale.says("Alguien lo ha cambiado")), (422, true));
        let now = ana.get(&path).await.value("etag").unwrap().replace("&#34;", "\"");
        assert_eq!(
            ana.post(&path, &[("etag", &now), pick, ("save", "1")]).await.status,
            303,
            "one path less"
        );
        let shown = ana.get(&format!("/admin/webhooks/{id}")).await;
        assert!(shown.says("data.fullName") && !shown.says("type: "));
    })
    .await;
}

#[tokio::test]
async fn a_role_does_what_it_may_and_another_company_sees_nothing() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let receiver = Receiver::start().await;
        let (id, _) = new_webhook(&ana, &[("url", &receiver.url), ("events", "*"), ("test", "1")]).await;
        orq.work().await;
        let at = |path: &str| format!("/admin/webhooks/{id}{path}");
        let delivery = first_delivery(&ana.get(&at("")).await, &id);
        let again = format!("{delivery}/again");
        let forms = [at("/edit"), at("/filter"), at("/rotate"), at("/delete"), at("/replay")];
        let posts: Vec<_> = forms.iter().cloned().chain([at("/status"), at("/trial"), again]).collect();

        let other = orq.founder("Otra").await;
        for path in forms.iter().chain([&at(""), &delivery]) {
            assert_eq!(other.get(path).await.status, 404, "{path}");
        }
        for path in &posts {
            assert_eq!(
                other.post(path, &[("etag", "\"1\""), ("save", "1"), ("begin", "1")]).await.status,
                404,
                "{path}"
            );
        }
        assert!(!other.get("/admin/webhooks").await.says(&id));

        let (company, user) = company_and_user(&orq, "ana@acme.test").await;
        for role in Role::ALL {
            let give = move |tx| async move { member::change(&tx, company, user, *role).await };
            orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
            let may = role.may(Right::ManageWebhooks);
            let shown = ana.get(&at("")).await;
            assert_eq!(
                (shown.status, shown.says("/edit"), shown.says("/delete")),
                (200, may, may),
                "{role:?}"
            );
            assert_eq!(ana.get(&delivery).await.says("/again"), may, "{role:?}");
            assert_eq!(ana.get("/admin/webhooks").await.says("/admin/webhooks/new"), may, "{role:?}");
            for path in forms.iter().chain([&"/admin/webhooks/new".to_owned()]) {
                assert_eq!(ana.get(path).await.status, if may { 200 } else { 403 }, "{role:?} {path}");
            }
            if !may {
                for path in posts.iter().chain([&"/admin/webhooks/new".to_owned()]) {
                    assert_eq!(ana.post(path, &[("etag", "\"1\"")]).await.status, 403, "{role:?} {path}");
                }
                assert_eq!(ana.post("/admin/notices/ntc_1/read", &[]).await.status, 403);
            }
            // Nobody lets protected data out who may not see it.
            if may {
                let fields =
                    [("url", &*receiver.url), ("events", "*"), ("sensitive", "1"), ("key", role.as_str())];
                let sees = role.may(Right::SeeSensitive);
                assert_eq!(
                    ana.post("/admin/webhooks/new", &fields).await.status,
                    if sees { 200 } else { 422 },
                    "{role:?}"
                );
            }
        }
        let stranger = ana.send(&at("/delete"), &[("etag", "\"1\"")], &[]).await;
        assert_eq!(stranger.status, 403, "a form without its token");
    })
    .await;
}

#[tokio::test]
async fn a_notice_stands_above_until_somebody_took_note_of_it() {
    on_both(async |orq| {
        let ana = orq.founder("Acme").await;
        let receiver = Receiver::start().await;
        let (id, _) = new_webhook(&ana, &[("url", &receiver.url), ("events", "*")]).await;
        let (company, _) = company_and_user(&orq, "ana@acme.test").await;
        let api = orq.client_of(company, orquiva_core::Scopes::all()).await;
        receiver.will_answer(&[(410, &[])]);
        api.hire("Eva Gil").await;
        orq.work().await;
        let list = ana.get("/admin/webhooks").await;
        assert!(list.says("se ha desactivado") && list.says("Respondió 410") && list.says("Desactivado"));
        assert!(ana.get(&format!("/admin/webhooks/{id}")).await.says("Está desactivado"));
        let read = format!("/admin/notices/{}/read", list.between("action=\"/admin/notices/", "/").unwrap());
        let other = orq.founder("Otra").await;
        other.get("/admin/webhooks").await;
        assert_eq!(other.post(&read, &[]).await.status, 404);
        ana.get("/admin/webhooks").await;
        assert_eq!(ana.post(&read, &[]).await.status, 303);
        assert!(!ana.get("/admin/webhooks").await.says("se ha desactivado"));
    })
    .await;
}
