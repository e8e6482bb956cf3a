//! The company's settings and the fields that it adds to people, in the console.

use orquiva_core::id::{CompanyId, UserId};
use orquiva_core::{Role, Scopes};
use orquiva_store::{StoreError, audit, member, user};
use serde_json::json;

use crate::browser::Seen;
use crate::harness::{Orquiva, on_both};

/// A hidden field as a browser reads it.
trait Hidden {
    fn hidden(&self, name: &str) -> String;
}

impl Hidden for Seen {
    fn hidden(&self, name: &str) -> String {
        self.value(name).unwrap().replace("&#34;", "\"").replace("&#38;", "&")
    }
}

/// The one company of a user, and the user.
async fn company_and_user(orq: &Orquiva, email: &str) -> (CompanyId, UserId) {
    let tx = orq.base.store.read().await.unwrap();
    let user = user::by_email(&tx, email).await.unwrap().unwrap();
    (member::companies(&tx, user.id).await.unwrap()[0].company, user.id)
}

/// What was done in a company, the newest first.
async fn actions(orq: &Orquiva, company: CompanyId) -> Vec<String> {
    let tx = orq.base.store.read().await.unwrap();
    let found = audit::list(&tx, company, &audit::Filter::default(), 100).await.unwrap();
    found.into_iter().map(|placed| placed.entry.action).collect()
}

#[tokio::test]
async fn the_company_is_changed_once_and_a_stale_form_loses_nothing() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (company, _) = company_and_user(&orq, "ana@acme.test").await;
        let shown = founder.get("/admin/settings").await;
        assert!(shown.says("Plan Free") && shown.says("100<span") && shown.says("30 días"));
        let seen = shown.hidden("seen");
        let change =
            [("seen", seen.as_str()), ("name", "Acme & Hijos"), ("language", "en"), ("closed", "on")];
        let changed = founder.post("/admin/settings", &change).await;
        assert_eq!((changed.status, changed.location()), (303, "/admin/settings?said=settings-saved"));
        let shown = founder.get("/admin/settings").await;
        assert!(shown.says("Settings") && shown.says("Acme &#38; Hijos"), "the pages are in English now");
        let program = orq.client_of(company, Scopes::all()).await;
        let person = json!({ "fullName": "A", "email": "a@a.test", "department": "X" });
        assert_eq!(program.post("/v1/employees", &person).await.status, 422, "departments are closed");

        let stale = [("seen", seen.as_str()), ("name", "Otra"), ("language", "")];
        let refused = founder.post("/admin/settings", &stale).await;
        assert_eq!(refused.status, 422);
        assert!(refused.says("Someone else has saved") && refused.says("value=\"Otra\""));
        assert_eq!(program.get("/v1/me").await.body["company"]["name"], "Acme & Hijos");
        for name in ["", " ", "a\u{202e}b", &"x".repeat(201)] {
            let again = founder.get("/admin/settings").await.hidden("seen");
            let refused = founder.post("/admin/settings", &[("seen", &again), ("name", name)]).await;
            assert_eq!(refused.status, 422, "{name}");
            assert!(refused.says("name-fault"), "{name}");
        }
        let again = founder.get("/admin/settings").await.hidden("seen");
        let same = [("seen", again.as_str()), ("name", "Acme & Hijos"), ("language", "en"), ("closed", "on")];
        assert_eq!(founder.post("/admin/settings", &same).await.status, 303);
        let told = actions(&orq, company).await;
        assert_eq!(told.iter().filter(|action| *action == "company.updated").count(), 1, "{told:?}");
    })
    .await;
}

#[tokio::test]
async fn who_chose_a_language_keeps_it() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        founder.post("/admin/look", &[("language", "es"), ("back", "/admin")]).await;
        let seen = founder.get("/admin/settings").await.hidden("seen");
        founder.post("/admin/settings", &[("seen", &seen), ("name", "Acme"), ("language", "en")]).await;
        assert!(founder.get("/admin/settings").await.says("Ajustes"));
    })
    .await;
}

#[tokio::test]
async fn fields_are_made_changed_and_removed_with_their_values() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (company, _) = company_and_user(&orq, "ana@acme.test").await;
        let key = founder.get("/admin/settings/fields/new").await.hidden("key");
        let wrong =
            [("key", key.as_str()), ("label", ""), ("slug", "Talla Á"), ("type", "choice"), ("choices", "")];
        let refused = founder.post("/admin/settings/fields", &wrong).await;
        assert_eq!(refused.status, 422);
        for fault in ["label-fault", "slug-fault", "choices-fault"] {
            assert!(refused.says(fault), "{fault}: {}", refused.html);
        }
        assert!(refused.says("Talla Á"), "what was typed is kept");
        let right = [
            ("key", key.as_str()),
            ("label", "Talla <b>"),
            ("slug", "shirt"),
            ("type", "choice"),
            ("choices", "S\r\n M \r\n\r\nL"),
        ];
        for _ in 0..2 {
            let made = founder.post("/admin/settings/fields", &right).await;
            assert_eq!((made.status, made.location()), (303, "/admin/settings?said=field-created"));
        }
        let twin = [&[("key", "another")], &right[1..]].concat();
        assert_eq!(founder.post("/admin/settings/fields", &twin).await.status, 422, "the name is taken");
        assert!(founder.get("/admin/settings").await.says("Talla &#60;b&#62;"));

        let program = orq.client_of(company, Scopes::all()).await;
        let person = json!({ "fullName": "Ana", "email": "a@a.test", "customFields": { "shirt": "M" } });
        let hired = program.post("/v1/employees", &person).await;
        assert_eq!(hired.status, 201, "{}", hired.body);

        let old = founder.get("/admin/settings/fields/shirt").await.hidden("key");
        let change =
            [("key", old.as_str()), ("label", "Camiseta"), ("choices", "S\nM\nL\nXL"), ("slug", "other")];
        assert_eq!(founder.post("/admin/settings/fields/shirt", &change).await.status, 303);
        let stale = founder.post("/admin/settings/fields/shirt", &change).await;
        assert_eq!(stale.status, 422);
        assert!(stale.says("Otra persona ha guardado cambios"));
        let new = founder.get("/admin/settings/fields/shirt").await.hidden("key");
        let used = [("key", new.as_str()), ("label", "Camiseta"), ("choices", "S")];
        let refused = founder.post("/admin/settings/fields/shirt", &used).await;
        assert_eq!(refused.status, 422, "someone has a choice that would vanish");
        assert!(refused.says("choices-fault"));

        let asked = founder.get("/admin/settings/fields/shirt/delete").await;
        assert!(asked.says("Una persona tiene un valor"));
        assert_eq!(founder.post("/admin/settings/fields/shirt/delete", &[("key", &old)]).await.status, 422);
        let gone = founder.post("/admin/settings/fields/shirt/delete", &[("key", &new)]).await;
        assert_eq!((gone.status, gone.location()), (303, "/admin/settings?said=field-deleted"));
        for path in
            ["/admin/settings/fields/shirt", "/admin/settings/fields/a%2Fb", "/admin/settings/fields/%00"]
        {
            assert_eq!(founder.get(path).await.status, 404, "{path}");
        }
        let told = actions(&orq, company).await;
        assert_eq!(told[..1], ["custom_field.deleted"]);
        for action in ["custom_field.created", "custom_field.updated"] {
            assert_eq!(told.iter().filter(|told| *told == action).count(), 1, "{told:?}");
        }
        orq.work().await;
    })
    .await;
}

#[tokio::test]
async fn only_who_runs_the_company_changes_its_settings() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let (company, ana) = company_and_user(&orq, "ana@acme.test").await;
        let key = founder.get("/admin/settings/fields/new").await.hidden("key");
        let field = [("key", key.as_str()), ("label", "A"), ("slug", "a"), ("type", "text")];
        founder.post("/admin/settings/fields", &field).await;
        let other = orq.founder("Otra").await;
        assert_eq!(other.get("/admin/settings/fields/a").await.status, 404, "another company's field");
        assert_eq!(
            founder.send("/admin/settings", &[("name", "X")], &[]).await.status,
            403,
            "without the form's token"
        );
        for role in Role::ALL {
            let give = move |tx| async move { member::change(&tx, company, ana, *role).await };
            orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
            let may = role.may(orquiva_core::Right::ManageSettings);
            let page = founder.get("/admin/settings").await;
            assert_eq!((page.status, page.says("/admin/settings/fields/new")), (200, may), "{role:?}");
            for path in ["fields/new", "fields/a", "fields/a/delete"] {
                let status = founder.get(&format!("/admin/settings/{path}")).await.status;
                assert_eq!(status, if may { 200 } else { 403 }, "{role:?} {path}");
            }
            if !may {
                for path in ["", "/fields", "/fields/a", "/fields/a/delete"] {
                    let status =
                        founder.post(&format!("/admin/settings{path}"), &[("name", "X")]).await.status;
                    assert_eq!(status, 403, "{role:?} {path}");
                }
            }
        }
    })
    .await;
}
