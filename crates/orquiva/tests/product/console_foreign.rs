//! What a form's field, and not its address, names of another company: it is not there, and the other company's rows
//! stay as they are.

use orquiva_core::Scopes;
use orquiva_core::id::CompanyId;
use orquiva_store::{member, user};
use serde_json::{Value, json};

use crate::browser::Browser;
use crate::harness::{Orquiva, on_both};

async fn company_of(orq: &Orquiva, email: &str) -> CompanyId {
    let tx = orq.base.store.read().await.unwrap();
    let user = user::by_email(&tx, email).await.unwrap().unwrap();
    member::companies(&tx, user.id).await.unwrap()[0].company
}

/// Sends the form of the page `on` to `to`, with these fields in place of its own.
async fn send(browser: &Browser<'_>, on: &str, to: &str, with: &[(&str, &str)]) -> crate::browser::Seen {
    let mut fields = browser.get(on).await.form(to).unwrap();
    fields.retain(|(name, _)| name != "form_token" && with.iter().all(|(known, _)| known != name));
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fields: Vec<_> = fields.chain(with.iter().copied()).collect();
    browser.post(to, &fields).await
}

#[tokio::test]
async fn what_a_field_names_of_another_company_is_not_there() {
    on_both(async |orq| {
        let (founder, other) = (orq.founder("Acme").await, orq.founder("Otra").await);
        let acme = orq.client_of(company_of(&orq, "ana@acme.test").await, Scopes::all()).await;
        let mine = orq.client_of(company_of(&orq, "ana@otra.test").await, Scopes::all()).await;
        let made = |made: &Value| made["id"].as_str().unwrap().to_owned();
        let unit = made(&acme.post("/v1/departments", &json!({ "name": "Ventas" })).await.body);
        let lead = acme.hire("Ana Gil").await;
        let hook = json!({ "url": "https://hooks.acme.com/", "events": ["*"] });
        let hook = made(&acme.post("/v1/webhooks", &hook).await.body);
        let client = acme.id.clone();
        let own = made(&mine.post("/v1/departments", &json!({ "name": "Compras" })).await.body);
        let person = json!({ "fullName": "Eva Paz", "email": "eva@otra.test", "department": "Compras" });
        let person = made(&mine.post("/v1/employees", &person).await.body);
        orq.work().await;
        let of_acme = async || {
            let all = orq.dump().await;
            let id = acme.company.to_string();
            all.into_iter().filter(|row| row.contains(&id)).collect::<Vec<_>>()
        };
        let before = of_acme().await;

        let (at, away) = (format!("/admin/departments/{own}"), format!("/admin/departments/{own}/delete"));
        let refused = send(&other, &at, &at, &[("parentId", &unit)]).await;
        assert_eq!((refused.status, refused.says("parentId-fault")), (422, true), "{}", refused.html);
        let refused = send(&other, &at, &at, &[("new_lead", "ana.gil@acme.test")]).await;
        assert_eq!((refused.status, refused.says("new_lead-fault")), (422, true));
        let kept = send(&other, &at, &at, &[("lead", &lead)]).await;
        assert_eq!(kept.status, 303, "who is not there is not among those who lead");
        assert_eq!(mine.get(&format!("/v1/departments/{own}")).await.body["leadIds"], json!([]));
        let refused = send(&other, &away, &away, &[("replaceWith", &unit)]).await;
        assert_eq!((refused.status, refused.says("replaceWith-fault")), (422, true), "{}", refused.html);

        let change = format!("/admin/employees/{person}/change");
        let refused = send(&other, &change, &change, &[("managerId", "ana.gil@acme.test")]).await;
        assert_eq!((refused.status, refused.says("managerId-fault")), (422, true));
        let create = [("id", client.as_str()), ("name", "N"), ("scope", "employees:read")];
        let twin = send(&other, "/admin/api-clients/new", "/admin/api-clients", &create).await;
        assert_eq!((twin.status, other.get(twin.location()).await.status), (303, 404));
        let check = [("webhook", hook.as_str()), ("headers", "x-orq-signature: t=1,v1=00"), ("body", "{}")];
        let checked = send(&other, "/admin/webhooks/check", "/admin/webhooks/check", &check).await;
        assert!(!checked.says("hooks.acme.com"));
        for path in [
            format!("/admin/employees?department={unit}"),
            format!("/admin/employees/chart?root={lead}"),
            format!("/admin/employees/export.csv?department={unit}"),
            format!("/admin/audit?target={lead}"),
            format!("/admin/events?subject={lead}"),
        ] {
            let seen = other.get(&path).await;
            assert!(!seen.says("Ana Gil") && !seen.says("Ventas"), "{path}: {}", seen.html);
        }

        let session = founder.get("/admin/profile").await;
        assert!(session.says("Esta"));
        let tx = orq.base.store.read().await.unwrap();
        let ana = user::by_email(&tx, "ana@acme.test").await.unwrap().unwrap().id;
        let session = orquiva_store::session::list(&tx, ana).await.unwrap()[0].id.to_string();
        drop(tx);
        other.get("/admin/profile").await;
        other.post("/admin/profile/sessions/end", &[("session", &session)]).await;
        assert_eq!(founder.get("/admin").await.status, 200, "nobody ends another's session");
        assert_eq!(of_acme().await, before);
    })
    .await;
}
