//! The console: who gets in, what a form has to carry, and API clients from their first to their last day.

use axum::body::Body;
use http::Method;
use orquiva_core::Clock as _;
use orquiva_core::id::CompanyId;
use orquiva_core::{Role, Scope};
use orquiva_store::{StoreError, audit, member, user};

use crate::browser::{Browser, PASSWORD};
use crate::harness::{Orquiva, on_both};

const SESSION: &str = "__Host-orq_session";

/// Creates a client in a browser; its id and its secret.
async fn new_client(browser: &Browser<'_>, fields: &[(&str, &str)]) -> (String, String) {
    let id = browser.get("/admin/api-clients/new").await.value("id").unwrap();
    let all = [&[("id", id.as_str()), ("name", "Nóminas")], fields].concat();
    let created = browser.post("/admin/api-clients", &all).await;
    assert_eq!(created.status, 200, "{}", created.html);
    let (_, rest) = created.html.split_once("client_secret</span><code>").unwrap();
    (id, rest.split_once('<').unwrap().0.to_owned())
}

async fn token_status(orq: &Orquiva, id: &str, secret: &str) -> u16 {
    orq.tokens.follow().await.unwrap();
    orq.ask_token(&format!("grant_type=client_credentials&client_id={id}&client_secret={secret}"))
        .await
        .status
}

#[tokio::test]
async fn nobody_gets_in_without_signing_in_and_everyone_comes_back_to_where_they_wanted() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        assert!(founder.get("/admin").await.says("Hola, Ana"));

        let other = orq.browser();
        for path in ["/admin", "/admin/api-clients", "/admin/profile", "/admin/companies"] {
            let asked = other.get(path).await;
            assert_eq!(asked.status, 303, "{path}");
            assert!(asked.location().starts_with("/admin/sign-in"));
        }
        let asked = other.get("/admin/api-clients").await;
        assert_eq!(asked.location(), "/admin/sign-in?next=%2Fadmin%2Fapi-clients");
        assert_eq!(other.get(asked.location()).await.value("next").as_deref(), Some("/admin/api-clients"));
        let form = |password, next| [("email", "ANA@acme.test"), ("password", password), ("next", next)];
        let wrong = other.post("/admin/sign-in", &form("caballo", "/admin")).await;
        assert_eq!(wrong.status, 422);
        assert!(!other.cookies.borrow().contains_key(SESSION));
        let right = other.post("/admin/sign-in", &form(PASSWORD, "/admin/api-clients")).await;
        assert_eq!((right.status, right.location()), (303, "/admin/api-clients"));

        // A way out of the house is none.
        for next in ["https://evil.test", "//evil.test", "/\\evil.test", "/admin/../../x\\y"] {
            let guest = orq.browser();
            guest.get("/admin/sign-in").await;
            assert_eq!(
                guest.post("/admin/sign-in", &form(PASSWORD, next)).await.location(),
                "/admin",
                "{next}"
            );
        }

        other.get("/admin").await;
        assert_eq!(other.post("/admin/sign-out", &[]).await.location(), "/admin/sign-in");
        assert_eq!(other.get("/admin").await.status, 303);
        assert_eq!(founder.get("/admin").await.status, 200, "another browser of theirs stays signed in");
    })
    .await;
}

#[tokio::test]
async fn a_session_ends_when_it_rests_or_gets_old_and_its_token_is_kept_as_a_hash() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        for _ in 0..15 {
            orq.clock.advance(11 * 3_600_000);
            if (orq.clock.now().since(crate::harness::START)) < 7 * 24 * 3_600_000 {
                assert_eq!(founder.get("/admin").await.status, 200);
            }
        }
        orq.clock.advance(4 * 3_600_000);
        assert_eq!(founder.get("/admin").await.status, 303, "a week is the most");
        let again = orq.browser();
        again.get("/admin/sign-in").await;
        again.post("/admin/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
        assert_eq!(again.get("/admin").await.status, 200);
        orq.clock.advance(12 * 3_600_000);
        assert_eq!(again.get("/admin").await.status, 303, "half a day at rest");
    })
    .await;
}

#[tokio::test]
async fn a_form_counts_only_from_a_page_of_ours_in_the_same_session() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let token = founder.get("/admin/profile").await.value("form_token").unwrap();
        let stranger = orq.founder("Otra").await;
        let foreign = stranger.get("/admin/profile").await.value("form_token").unwrap();
        let rename = |token: &str| {
            vec![("form_token".to_owned(), token.to_owned()), ("name".to_owned(), "Eva".to_owned())]
        };
        for (token, headers, status) in [
            ("", &[][..], 403),
            (foreign.as_str(), &[], 403),
            (&token, &[("origin", "https://evil.test")], 403),
            (&token, &[("sec-fetch-site", "cross-site")], 403),
            (&token, &[("sec-fetch-site", "same-site")], 403),
            (&token, &[("origin", "null")], 403),
            (&token, &[("origin", "https://api.orquiva.test"), ("sec-fetch-site", "same-origin")], 303),
        ] {
            let fields = rename(token);
            let fields: Vec<_> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            assert_eq!(founder.send("/admin/profile", &fields, headers).await.status, status, "{headers:?}");
        }
        let json = [("content-type", "text/plain")];
        let body = Body::from(format!("form_token={token}&name=Eva"));
        assert_eq!(founder.ask(Method::POST, "/admin/profile", &json, body).await.status, 403);
    })
    .await;
}

#[tokio::test]
async fn wrong_passwords_take_longer_and_longer_and_say_nothing_of_who_exists() {
    on_both(async |orq| {
        orq.founder("Acme").await;
        let guest = orq.browser();
        guest.get("/admin/sign-in").await;
        let tries = async |email, password| {
            guest.post("/admin/sign-in", &[("email", email), ("password", password)]).await
        };
        let unknown = tries("nadie@acme.test", "x").await;
        for _ in 0..5 {
            let wrong = tries("ana@acme.test", "x").await;
            assert_eq!(wrong.between("role=\"alert\">", "</p>"), unknown.between("role=\"alert\">", "</p>"));
        }
        let blocked = tries("ana@acme.test", PASSWORD).await;
        assert_eq!(blocked.status, 422, "after five wrong ones not even the right one counts");
        assert!(blocked.says("1 min"));
        orq.clock.advance(60_000);
        assert_eq!(tries("ana@acme.test", PASSWORD).await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn a_second_company_has_another_owner_and_bad_forms_say_what_to_do() {
    on_both(async |orq| {
        orq.founder("Acme").await;
        let guest = orq.browser();
        guest.get("/admin/sign-up").await;
        let form = |email, password| {
            [("company", "Otra"), ("name", "Ana"), ("email", email), ("password", password)]
        };
        let taken = guest.post("/admin/sign-up", &form("Ana@Acme.test", PASSWORD)).await;
        assert_eq!(taken.status, 422);
        assert!(taken.says("Ya hay una cuenta con este correo"));
        assert!(
            guest
                .post("/admin/sign-up", &form("eva@otra.test", "password123"))
                .await
                .says("fácil de adivinar")
        );
        assert!(guest.post("/admin/sign-up", &form("eva", PASSWORD)).await.says("Escriba un correo"));
        let script = [
            ("company", "<script>alert(1)</script>"),
            ("name", "\u{202e}eva"),
            ("email", ""),
            ("password", ""),
        ];
        let refused = guest.post("/admin/sign-up", &script).await;
        assert!(refused.says("&#60;script&#62;") || refused.says("&lt;script&gt;"));
        assert!(!refused.says("<script>alert"));
    })
    .await;
}

#[tokio::test]
async fn a_client_is_created_once_rotated_with_overlap_and_revoked() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (id, secret) = new_client(&founder, &[("scope", "employees:read"), ("share", "50")]).await;
        assert_eq!(token_status(&orq, &id, &secret).await, 200);
        let twice = founder
            .post("/admin/api-clients", &[("id", &id), ("name", "Otra"), ("scope", "employees:read")])
            .await;
        assert_eq!(
            (twice.status, twice.location()),
            (303, &*format!("/admin/api-clients/{id}")),
            "sent twice, made once"
        );
        assert!(!founder.get("/admin/api-clients").await.says(&secret));

        for (fields, what) in [
            (&[("name", ""), ("scope", "employees:read")][..], "No puede estar vacío"),
            (&[("name", "x")], "al menos un permiso"),
            (&[("name", "x"), ("scope", "salaries:read")], "al menos un permiso"),
            (&[("name", "x"), ("scope", "employees:read"), ("share", "101")], "de 1 a 100"),
            (&[("name", "x"), ("scope", "employees:read"), ("expires_on", "mañana")], "Escriba una fecha"),
            (&[("name", "x"), ("scope", "employees:read"), ("allowed_ips", "10.0.0.0/99")], "10.0.0.0/99"),
        ] {
            let refused = founder.post(&format!("/admin/api-clients/{id}"), fields).await;
            assert_eq!(refused.status, 422, "{what}");
            assert!(refused.says(what), "{what}");
        }
        let fields = [
            ("name", "Nóminas 2"),
            ("scope", "employees:read"),
            ("scope", "events:read"),
            ("expires_on", "2026-02-01"),
        ];
        assert_eq!(founder.post(&format!("/admin/api-clients/{id}"), &fields).await.status, 303);
        let shown = founder.get(&format!("/admin/api-clients/{id}")).await;
        assert!(shown.says("Nóminas 2") && shown.says("2026-02-01"));

        // A secret is shown only to who has just proved who they are.
        orq.clock.advance(20 * 60_000);
        let rotate = format!("/admin/api-clients/{id}/rotate");
        let asked = founder.get(&rotate).await;
        assert!(asked.location().starts_with("/admin/confirm?next="));
        assert_eq!(founder.post(&rotate, &[("overlap", "1")]).await.status, 303);
        assert_eq!(token_status(&orq, &id, &secret).await, 200, "nothing was rotated");
        founder.get(asked.location()).await;
        assert_eq!(founder.post("/admin/confirm", &[("password", "no")]).await.status, 422);
        let before = founder.cookies.borrow()[SESSION].clone();
        let proved = founder.post("/admin/confirm", &[("password", PASSWORD), ("next", &rotate)]).await;
        assert_eq!(proved.location(), rotate);
        assert_ne!(founder.cookies.borrow()[SESSION], before, "the session has another token");
        founder.get(&rotate).await;
        let rotated = founder.post(&rotate, &[("overlap", "1")]).await;
        let (_, rest) = rotated.html.split_once("client_secret</span><code>").unwrap();
        let fresh = rest.split_once('<').unwrap().0;
        assert_ne!(fresh, secret);
        assert_eq!(
            (token_status(&orq, &id, fresh).await, token_status(&orq, &id, &secret).await),
            (200, 200)
        );
        orq.clock.advance(3_600_001);
        assert_eq!(
            (token_status(&orq, &id, fresh).await, token_status(&orq, &id, &secret).await),
            (200, 401)
        );

        founder.get(&format!("/admin/api-clients/{id}/revoke")).await;
        assert_eq!(founder.post(&format!("/admin/api-clients/{id}/revoke"), &[]).await.status, 303);
        assert_eq!(token_status(&orq, &id, fresh).await, 401);
    })
    .await;
}

#[tokio::test]
async fn another_companys_clients_are_not_there() {
    on_both(async |orq| {
        let acme = orq.founder("Acme").await;
        let (id, secret) = new_client(&acme, &[("scope", "employees:read")]).await;
        let other = orq.founder("Otra").await;
        for path in ["", "/rotate", "/revoke"] {
            let path = format!("/admin/api-clients/{id}{path}");
            assert_eq!(other.get(&path).await.status, 404, "{path}");
            assert_eq!(
                other.post(&path, &[("name", "x"), ("scope", "employees:read")]).await.status,
                404,
                "{path}"
            );
        }
        assert!(!other.get("/admin/api-clients").await.says(&id));
        let twin = other
            .post("/admin/api-clients", &[("id", &id), ("name", "x"), ("scope", "employees:read")])
            .await;
        assert_eq!(other.get(twin.location()).await.status, 404, "an id that somebody has is not taken over");
        assert_eq!(token_status(&orq, &id, &secret).await, 200);
    })
    .await;
}

#[tokio::test]
async fn a_role_sees_and_does_what_it_may() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (id, _) = new_client(&founder, &[("scope", "employees:read")]).await;
        let (company, ana) = company_and_user(&orq, "ana@acme.test").await;
        for role in Role::ALL {
            let give = move |tx| async move { member::change(&tx, company, ana, *role).await };
            orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
            let may = role.may(orquiva_core::Right::ManageClients);
            let list = founder.get("/admin/api-clients").await;
            assert_eq!((list.status, list.says("/admin/api-clients/new")), (200, may), "{role:?}");
            let shown = founder.get(&format!("/admin/api-clients/{id}")).await;
            assert_eq!((shown.status, shown.says("/revoke")), (200, may), "{role:?}");
            for path in ["/admin/api-clients/new", &*format!("/admin/api-clients/{id}/revoke")] {
                assert_eq!(founder.get(path).await.status, if may { 200 } else { 403 }, "{role:?} {path}");
            }
            let change = [("name", "x"), ("scope", "employees:read")];
            let changed = founder.post(&format!("/admin/api-clients/{id}"), &change).await;
            assert_eq!(changed.status, if may { 303 } else { 403 }, "{role:?}");
        }
        // Who is no member any more sees nothing, with the same session.
        let leave = move |tx| async move { member::remove(&tx, company, ana).await };
        orq.base.store.write::<_, StoreError, _, _>(company, leave).await.unwrap();
        assert_eq!(founder.get("/admin/api-clients").await.location(), "/admin/companies");
    })
    .await;
}

/// The one company of a user, and the user.
async fn company_and_user(orq: &Orquiva, email: &str) -> (CompanyId, orquiva_core::id::UserId) {
    let tx = orq.base.store.read().await.unwrap();
    let user = user::by_email(&tx, email).await.unwrap().unwrap();
    (member::companies(&tx, user.id).await.unwrap()[0].company, user.id)
}

#[tokio::test]
async fn what_is_done_is_in_the_audit_and_no_secret_is() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (id, secret) = new_client(&founder, &[("scope", "employees:read")]).await;
        founder
            .post(
                &format!("/admin/api-clients/{id}"),
                &[("name", "Otro"), ("scope", Scope::EventsRead.as_str())],
            )
            .await;
        let (company, ana) = company_and_user(&orq, "ana@acme.test").await;
        let entries =
            audit::list(&orq.base.store.read().await.unwrap(), company, &audit::Filter::default(), 10).await;
        let entries: Vec<_> = entries.unwrap().into_iter().map(|placed| placed.entry).collect();
        let actions: Vec<_> = entries.iter().map(|entry| entry.action.as_str()).collect();
        assert_eq!(actions, ["client.updated", "client.created", "session.created", "company.created"]);
        assert!(
            entries
                .iter()
                .all(|entry| entry.actor_id == Some(ana.to_string()) && entry.actor_name == "Ana Ruiz")
        );
        assert_eq!(entries[0].target, id);
        assert!(entries[0].before.as_ref().unwrap().contains("Nóminas"));
        assert!(entries[0].after.as_ref().unwrap().contains("events:read"));
        let all = format!("{entries:?}");
        assert!(!all.contains(&secret) && !all.contains("argon2"));
    })
    .await;
}

#[tokio::test]
async fn every_page_protects_itself() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        for path in ["/admin", "/admin/sign-up", "/admin/api-clients", "/admin/profile", "/admin/no"] {
            let page = founder.get(path).await;
            let header = |name: &str| page.headers.get(name).map_or("", |value| value.to_str().unwrap());
            let csp = header("content-security-policy");
            let nonce = page.between("nonce=\"", "\"").unwrap();
            assert!(csp.contains(&format!("script-src 'nonce-{nonce}'")), "{path}");
            assert!(
                ["default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "object-src 'none'"]
                    .iter()
                    .all(|part| csp.contains(part))
            );
            assert_eq!(header("cache-control"), "no-store");
            assert!(header("strict-transport-security").contains("max-age=31536000"));
            assert_eq!(header("x-content-type-options"), "nosniff");
            let other = founder.get(path).await;
            assert_ne!(other.between("nonce=\"", "\""), Some(nonce), "a nonce is used once");
        }
    })
    .await;
}
