//! Every route of the console × whoever asks: nobody, each role, another company, a suspended one. And every form
//! without what proves that it is ours, with a foreign company's id, and with a stale version: nothing changes.

use std::collections::BTreeSet;

use axum::body::Body;
use http::Method;
use orquiva_core::Role;

use crate::console_ground::{Ground, is_protected, post, same, ticket};
use crate::console_routes::{Ask, ENTRIES, Who, registered};
use crate::harness::on_both;

/// Every registered route with its entry; one without, and an entry without a route, fail.
fn routes() -> Vec<(&'static str, &'static str, Who, Ask)> {
    let (registered, mut known) = (registered(), BTreeSet::new());
    for (route, ..) in ENTRIES {
        assert!(known.insert((*route).to_owned()), "{route} has two entries");
    }
    let registered: BTreeSet<_> = registered.into_iter().collect();
    let missing: Vec<_> = registered.symmetric_difference(&known).collect();
    assert!(
        missing.is_empty(),
        "routes without an entry in ENTRIES, or entries without a route: {missing:?}"
    );
    let split = |(route, who, ask): &(&'static str, Who, Ask)| {
        let (method, path) = route.split_once(' ').unwrap();
        (method, path, *who, *ask)
    };
    ENTRIES.iter().map(split).collect()
}

fn right_status(ask: Ask) -> u16 {
    match ask {
        Ask::Look(status) | Ask::Form(_, _, status) => status,
        Ask::File => 303,
    }
}

#[tokio::test]
async fn every_page_and_every_action_lets_in_only_who_may() {
    on_both(async |orq| {
        let ground = Ground::new(&orq).await;
        for (method, route, who, ask) in routes() {
            let at = format!("{method} {route}");
            ground.give(Role::Owner).await;
            let target = ground.target(method, route, ask).await;
            let fields = match who {
                Who::Member | Who::Has(_) => ground.fields(&ground.member, &target).await,
                Who::Anyone | Who::SignedIn => vec![("name".to_owned(), "x".to_owned())],
            };
            if who != Who::Anyone {
                let nobody = ground.is_refused(&orq.browser(), &target, &fields).await;
                assert_eq!(nobody.status, 303, "{at}");
                assert!(nobody.location().starts_with("/admin/sign-in"), "{at}: {}", nobody.location());
            }
            let roles: &[Role] = match who {
                Who::Anyone | Who::SignedIn => {
                    let browser = match who {
                        Who::Anyone => orq.browser(),
                        _ => orq.founder(&ground.number()).await,
                    };
                    ticket(&browser).await;
                    if at == "POST /admin/companies" {
                        let foreign = ground.acme.company.to_string();
                        let foreign = vec![("company".to_owned(), foreign)];
                        assert_eq!(ground.is_refused(&browser, &target, &foreign).await.status, 404, "{at}");
                        continue;
                    }
                    let fields = ground.fields(&browser, &target).await;
                    let seen = ground.ask(&browser, &target, &fields).await;
                    assert_eq!(seen.status, right_status(ask), "{at}: {}", seen.html);
                    continue;
                }
                Who::Member | Who::Has(_) => Role::ALL,
            };
            let suspended = ground.is_refused(&ground.closed, &target, &fields).await;
            assert_eq!((suspended.status, suspended.says("suspendida")), (403, true), "{at}");
            if target.is_named {
                let foreign = ground.is_refused(&ground.other, &target, &fields).await;
                assert_eq!(foreign.status, 404, "{at}: {}", foreign.html);
            }
            for role in roles.iter().rev() {
                let may = match who {
                    Who::Has(right) => role.may(right),
                    Who::Member | Who::Anyone | Who::SignedIn => true,
                };
                if !may {
                    ground.give(*role).await;
                    let refused = ground.is_refused(&ground.member, &target, &fields).await;
                    assert_eq!((refused.status, refused.says("Su rol")), (403, true), "{at} {role:?}");
                    continue;
                }
                let target = ground.target(method, route, ask).await;
                ground.give(*role).await;
                let fields = ground.fields(&ground.member, &target).await;
                let before = orq.dump().await;
                let seen = ground.ask(&ground.member, &target, &fields).await;
                assert_eq!(seen.status, right_status(ask), "{at} {role:?}: {}", seen.html);
                if method == "GET" {
                    same(&before, &orq.dump().await, &at);
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn every_form_counts_only_from_a_page_of_ours_and_over_what_it_showed() {
    on_both(async |orq| {
        let ground = Ground::new(&orq).await;
        for (method, route, _, ask) in routes().into_iter().filter(|(method, ..)| *method == "POST") {
            let at = format!("{method} {route}");
            let target = ground.target(method, route, ask).await;
            let fields = match ask {
                Ask::Form("/admin/invitation/{token}", ..) => Vec::new(),
                Ask::Form(on, ..) if on.starts_with("/admin/sign-") => Vec::new(),
                _ => ground.fields(&ground.member, &target).await,
            };
            let own = ticket(&ground.member).await;
            let foreign = ticket(&ground.other).await;
            let before = orq.dump().await;
            for (token, headers) in [
                ("", &[][..]),
                (&foreign, &[]),
                (&own[1..], &[]),
                (&own, &[("origin", "https://evil.test")]),
                (&own, &[("origin", "null")]),
                (&own, &[("sec-fetch-site", "cross-site")]),
                (&own, &[("sec-fetch-site", "same-site")]),
                (&own, &[("sec-fetch-site", "none")]),
            ] {
                let forged = post(&ground.member, &target.path, &fields, token, headers).await;
                is_protected(&forged, &at);
                assert_eq!(forged.status, 403, "{at} {headers:?}: {}", forged.html);
                assert!(forged.says("El formulario ha caducado"), "{at} {headers:?}");
            }
            for kind in ["text/plain", "application/json", "multipart/form-data"] {
                let body = Body::from(format!("form_token={own}&form_token=\"{own}\""));
                let headers = [("content-type", kind), ("accept-language", "es")];
                let forged = ground.member.ask(Method::POST, &target.path, &headers, body).await;
                assert_eq!(forged.status, 403, "{at} {kind}");
            }
            same(&before, &orq.dump().await, &at);

            let versioned = route.starts_with("/admin/settings/fields/{slug}")
                || fields.iter().any(|(name, _)| name == "etag" || name == "seen");
            if versioned {
                ground.changed(&target).await;
                let stale = ground.is_refused(&ground.member, &target, &fields).await;
                let told = stale.status == 303 && stale.location().ends_with("said=not-cancelled");
                assert!(told || matches!(stale.status, 412 | 422), "{at}: {} {}", stale.status, stale.html);
            }
        }
    })
    .await;
}
