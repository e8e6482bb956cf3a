//! Members and invitations in the console: nobody gives more than they have, a company is never without an owner, and a
//! link lets in one person once.

use orquiva::operator;
use orquiva_core::Role;
use orquiva_core::id::{CompanyId, UserId};
use orquiva_store::{audit, member, user};

use crate::browser::{Browser, PASSWORD, Seen};
use crate::harness::{Orquiva, on_both};

const MEMBERS: &str = "/admin/settings/members";

async fn id_of(orq: &Orquiva, email: &str) -> UserId {
    let tx = orq.base.store.read().await.unwrap();
    user::by_email(&tx, email).await.unwrap().unwrap().id
}

async fn company_of(orq: &Orquiva, email: &str) -> CompanyId {
    let id = id_of(orq, email).await;
    let tx = orq.base.store.read().await.unwrap();
    member::companies(&tx, id).await.unwrap()[0].company
}

async fn role_of(orq: &Orquiva, company: CompanyId, email: &str) -> Option<Role> {
    let id = id_of(orq, email).await;
    member::role(&orq.base.store.read().await.unwrap(), company, id).await.unwrap()
}

async fn actions(orq: &Orquiva, company: CompanyId) -> Vec<String> {
    let tx = orq.base.store.read().await.unwrap();
    let found = audit::list(&tx, company, &audit::Filter::default(), 100).await.unwrap();
    found.into_iter().map(|placed| placed.entry.action).collect()
}

/// Invites someone; the path of their link.
async fn invite(host: &Browser<'_>, email: &str, role: &str) -> String {
    host.get("/admin/settings/members/new").await;
    let shown = host.post(MEMBERS, &[("email", email), ("role", role)]).await;
    assert_eq!(shown.status, 200, "{}", shown.html);
    link(&shown)
}

fn link(shown: &Seen) -> String {
    format!("/admin/invitation/{}", shown.between("/admin/invitation/", "<").unwrap())
}

/// Accepts an invitation as someone who is new here.
async fn accept<'o>(orq: &'o Orquiva, link: &str, name: &str) -> Browser<'o> {
    let browser = orq.browser();
    assert_eq!(browser.get(link).await.status, 200);
    let joined = browser.post(link, &[("name", name), ("password", PASSWORD)]).await;
    assert_eq!((joined.status, joined.location()), (303, "/admin?said=joined"), "{}", joined.html);
    browser.get("/admin").await;
    browser
}

#[tokio::test]
async fn whoever_was_invited_comes_in_once_with_the_role_that_they_were_given() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let company = company_of(&orq, "ana@acme.test").await;
        let link = invite(&founder, "Eva.Paz@acme.test", "developer").await;
        let listed = founder.get(MEMBERS).await;
        assert!(listed.says("Eva.Paz@acme.test") && listed.says("Retirar"));
        assert!(!listed.says(&link), "the link is shown once");

        let stranger = orq.browser();
        let shown = stranger.get(&link).await;
        assert!(shown.says("Acme") && shown.says("Ana Ruiz") && shown.says("Desarrollador"));
        for (name, password, fault) in [
            ("", PASSWORD, "name-fault"),
            ("Eva", "kurz", "password-fault"),
            ("Eva", "eva.paz@acme.test", "password-fault"),
        ] {
            let refused = stranger.post(&link, &[("name", name), ("password", password)]).await;
            assert_eq!((refused.status, refused.says(fault)), (422, true), "{}", refused.html);
        }
        let eva = accept(&orq, &link, "Eva <b>Paz</b>").await;
        assert_eq!(eva.get("/admin/settings/members/new").await.status, 403, "a developer invites nobody");
        assert_eq!(role_of(&orq, company, "eva.paz@acme.test").await, Some(Role::Developer));
        assert!(founder.get(MEMBERS).await.says("Eva &#60;b&#62;Paz&#60;/b&#62;"));

        for browser in [&orq.browser(), &eva, &founder] {
            let gone = browser.get(&link).await;
            assert_eq!((gone.status, gone.says("La invitación ya no vale")), (404, true));
            let form = [("name", "Eva"), ("password", PASSWORD)];
            browser.get("/admin/sign-up").await;
            browser.get("/admin").await;
            assert_eq!(browser.post(&link, &form).await.status, 404);
        }
        let told = actions(&orq, company).await;
        for action in ["invitation.created", "member.created"] {
            assert!(told.iter().any(|one| one == action), "{told:?}");
        }
        let audit = founder.get("/admin/audit").await;
        assert!(audit.says("Se incorporó un miembro") && audit.says("Invitación creada"));
    })
    .await;
}

#[tokio::test]
async fn a_link_that_ended_in_any_way_says_the_same() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let first = invite(&founder, "eva@acme.test", "viewer").await;
        let second = invite(&founder, "EVA@acme.test", "viewer").await;
        let listed = founder.get(MEMBERS).await;
        let (_, rest) = listed.html.split_once("/admin/settings/invitations/").unwrap();
        let id = rest.split('/').next().unwrap().to_owned();
        assert!(!rest.contains("/admin/settings/invitations/"), "one an address");
        let withdraw = format!("/admin/settings/invitations/{id}/withdraw");
        assert_eq!(orq.browser().get(&second).await.status, 200);
        let other = orq.founder("Otra").await;
        assert_eq!(other.post(&withdraw, &[]).await.status, 404, "another company's");
        founder.get(MEMBERS).await;
        assert_eq!(founder.post(&withdraw, &[]).await.status, 303);
        assert_eq!(founder.post(&withdraw, &[]).await.status, 404);
        let third = invite(&founder, "eva@acme.test", "viewer").await;
        orq.clock.advance(8 * 24 * 3_600_000);
        let made_up = format!("/admin/invitation/{}", "0".repeat(64));
        let told = orq.browser().get(&made_up).await;
        for link in [&first, &second, &third] {
            let gone = orq.browser().get(link).await;
            assert_eq!(gone.status, 404);
            assert!(gone.says("La invitación ya no vale") && told.says("La invitación ya no vale"));
        }
    })
    .await;
}

#[tokio::test]
async fn someone_who_has_an_account_signs_in_first_and_somebody_else_is_told_so() {
    on_both(async |orq| {
        let (founder, other) = (orq.founder("Acme").await, orq.founder("Otra").await);
        let acme = company_of(&orq, "ana@acme.test").await;
        let link = invite(&founder, "ana@otra.test", "administrator").await;
        let browser = orq.browser();
        let shown = browser.get(&link).await;
        assert!(shown.says("ya tiene una cuenta") && shown.says("/admin/sign-in?next="));
        assert_eq!(browser.post(&link, &[("name", "X"), ("password", PASSWORD)]).await.status, 422);
        let stranger = founder.get(&link).await;
        assert!(stranger.says("ana@acme.test") && stranger.says("para otro correo"));
        assert_eq!(founder.post(&link, &[]).await.status, 422);
        assert_eq!(role_of(&orq, acme, "ana@otra.test").await, None);

        assert!(other.get(&link).await.says("Aceptar la invitación"));
        let joined = other.post(&link, &[]).await;
        assert_eq!((joined.status, joined.location()), (303, "/admin?said=joined"));
        assert!(other.get("/admin").await.says("Acme"));
        assert_eq!(role_of(&orq, acme, "ana@otra.test").await, Some(Role::Administrator));
        other.get("/admin/settings/members/new").await;
        let again = founder.post(MEMBERS, &[("email", "ana@otra.test"), ("role", "viewer")]).await;
        assert_eq!((again.status, again.says("Ya es miembro")), (422, true));
        let stuck = other.post(MEMBERS, &[("email", "x@acme.test"), ("role", "owner")]).await;
        assert_eq!(stuck.status, 403, "an administrator makes no owners");
    })
    .await;
}

#[tokio::test]
async fn roles_change_and_memberships_end_but_an_owner_stays() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let company = company_of(&orq, "ana@acme.test").await;
        let link = invite(&founder, "eva@acme.test", "administrator").await;
        let eva = accept(&orq, &link, "Eva").await;
        let link = invite(&founder, "leo@acme.test", "viewer").await;
        let leo = accept(&orq, &link, "Leo").await;
        let ana = id_of(&orq, "ana@acme.test").await;
        let (eva_id, leo_id) = (id_of(&orq, "eva@acme.test").await, id_of(&orq, "leo@acme.test").await);
        let at = |id: UserId| format!("{MEMBERS}/{id}");

        assert_eq!(eva.get(&at(ana)).await.status, 403, "an administrator changes no owner");
        assert_eq!(eva.post(&at(ana), &[("seen", "owner"), ("role", "viewer")]).await.status, 403);
        assert_eq!(eva.post(&format!("{}/remove", at(ana)), &[]).await.status, 403);
        assert_eq!(eva.post(&at(leo_id), &[("seen", "viewer"), ("role", "owner")]).await.status, 403);
        assert_eq!(eva.post(&at(leo_id), &[("seen", "viewer"), ("role", "developer")]).await.status, 303);
        let stale = eva.post(&at(leo_id), &[("seen", "viewer"), ("role", "viewer")]).await;
        assert_eq!((stale.status, stale.says("Otra persona ha guardado")), (422, true));
        assert_eq!(leo.get(&at(eva_id)).await.status, 403);
        assert!(leo.get("/admin").await.says("Actividad reciente"), "a developer reads the audit");
        assert_eq!(eva.post(&at(leo_id), &[("seen", "developer"), ("role", "viewer")]).await.status, 303);
        let home = leo.get("/admin").await;
        assert!(
            !home.says("Actividad reciente") && !home.says("/admin/api-clients/new"),
            "a viewer does not"
        );

        let last = founder.post(&format!("{}/remove", at(ana)), &[]).await;
        assert_eq!((last.status, last.says("único propietario")), (422, true));
        assert_eq!(
            founder.post(&at(eva_id), &[("seen", "administrator"), ("role", "owner")]).await.status,
            303
        );
        eva.get("/admin").await;
        let (one, two) = (format!("{}/remove", at(ana)), format!("{}/remove", at(eva_id)));
        // Both go at the same moment, each by the other's hand: one stays.
        let (first, second) = tokio::join!(eva.post(&one, &[]), founder.post(&two, &[]));
        let mut both = [first.status, second.status];
        both.sort_unstable();
        assert_eq!(both[0], 303);
        assert!(matches!(both[1], 303 | 403 | 404 | 422), "{both:?}");
        let tx = orq.base.store.read().await.unwrap();
        assert_eq!(member::owners(&tx, company).await.unwrap(), 1);
        drop(tx);

        let (left, gone) = match role_of(&orq, company, "ana@acme.test").await {
            Some(_) => (&founder, &eva),
            None => (&eva, &founder),
        };
        let away = gone.get("/admin/employees").await;
        assert_eq!((away.status, away.location()), (303, "/admin/companies"));
        let leave = format!("{}/remove", at(leo_id));
        assert!(leo.get(&leave).await.says("Dejar la empresa"));
        assert_eq!(leo.post(&leave, &[]).await.location(), "/admin/companies");
        assert!(!left.get(MEMBERS).await.says("leo@acme.test"));
        assert!(actions(&orq, company).await.iter().filter(|one| *one == "member.removed").count() >= 2);
    })
    .await;
}

#[tokio::test]
async fn an_operator_gives_a_company_its_first_owner() {
    on_both(async |orq| {
        let base = &orq.base;
        let company = operator::create_company(base, "Acme", orquiva_core::Plan::Pro).await.unwrap();
        assert!(operator::invite_owner(base, company.id, "no address").await.is_err());
        assert!(operator::invite_owner(base, base.mint.next(), "eva@acme.test").await.is_err());
        let (_, token) = operator::invite_owner(base, company.id, "eva@acme.test").await.unwrap();
        let link = orquiva_people::invitation::path(&token);
        operator::suspend_company(base, company.id, true).await.unwrap();
        assert_eq!(orq.browser().get(&link).await.status, 403, "nobody comes into a suspended company");
        operator::suspend_company(base, company.id, false).await.unwrap();
        let eva = accept(&orq, &link, "Eva").await;
        assert_eq!(role_of(&orq, company.id, "eva@acme.test").await, Some(Role::Owner));
        let listed = eva.get(MEMBERS).await;
        assert!(listed.says("eva@acme.test") && listed.says("usted"));
        let tx = base.store.read().await.unwrap();
        let stored = orquiva_store::invitation::list(&tx, company.id, base.clock.now()).await.unwrap();
        assert!(stored.is_empty());
    })
    .await;
}
