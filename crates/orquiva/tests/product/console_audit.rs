//! The audit: every change of configuration is in it, and nobody can change it without being noticed.

use http::Method;
use orquiva::operator;
use orquiva_core::Scopes;
use orquiva_core::id::CompanyId;
use orquiva_store::audit::{self, Entry, Filter};
use orquiva_store::{StoreError, company};
use serde_json::{Value, json};

use crate::browser::{Browser, PASSWORD};
use crate::harness::{Orquiva, on_both, two_nodes};

/// The company that was founded last.
async fn last_company(orq: &Orquiva) -> CompanyId {
    let tx = orq.base.store.read().await.unwrap();
    company::list(&tx).await.unwrap().last().unwrap().id
}

/// The entries of a company, the oldest first.
async fn entries(orq: &Orquiva, company: CompanyId) -> Vec<Entry> {
    let tx = orq.base.store.read().await.unwrap();
    let found = audit::list(&tx, company, &Filter::default(), 1000).await.unwrap();
    found.into_iter().rev().map(|placed| placed.entry).collect()
}

async fn check(browser: &Browser<'_>) -> String {
    browser.get("/admin/audit").await;
    let checked = browser.post("/admin/audit/check", &[]).await;
    assert_eq!(checked.status, 200, "{}", checked.html);
    checked.between(r#"role="status">"#, "</p>").unwrap().to_owned()
}

/// A second browser, whose owner has this role in the company.
async fn with_role<'o>(orq: &'o Orquiva, company: CompanyId, role: &str) -> Browser<'o> {
    let browser = orq.founder(&format!("Own{role}")).await;
    orq.tamper(&format!(
        "insert into member (company_id, user_id, role, created_by, created_at)
         select '{company}', user_id, '{role}', user_id, 0 from member where company_id <> '{company}'
            and user_id not in (select user_id from member where company_id = '{company}')"
    ))
    .await;
    browser.get("/admin/companies").await;
    browser.post("/admin/companies", &[("company", &company.to_string())]).await;
    browser
}

#[tokio::test]
async fn changes_of_configuration_by_programs_and_by_the_operator_are_told() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let hook =
            acme.post("/v1/webhooks", &json!({ "url": "https://example.com/h", "events": ["*"] })).await;
        let id = hook.body["id"].as_str().unwrap();
        acme.patch(&format!("/v1/webhooks/{id}"), &json!({ "description": "CRM" })).await;
        acme.raw(Method::POST, &format!("/v1/webhooks/{id}/rotate-secret"), None, "").await;
        acme.delete(&format!("/v1/webhooks/{id}")).await;
        let sales = acme.post("/v1/departments", &json!({ "name": "Ventas" })).await.body["id"].clone();
        let sales = sales.as_str().unwrap();
        acme.patch(&format!("/v1/departments/{sales}"), &json!({ "name": "Comercial" })).await;
        acme.delete(&format!("/v1/departments/{sales}")).await;
        acme.post("/v1/custom-fields", &json!({ "slug": "shirt", "label": "Talla", "type": "text" })).await;
        acme.patch("/v1/custom-fields/shirt", &json!({ "label": "Camiseta" })).await;
        acme.delete("/v1/custom-fields/shirt").await;
        // People are in the event log; what is refused, or only rehearsed, did not happen.
        acme.hire("Ana Ruiz").await;
        acme.patch("/v1/departments/dep_00000000000000000000000001", &json!({ "name": "X" })).await;
        acme.post("/v1/departments?dryRun=true", &json!({ "name": "Nada" })).await;
        operator::close_departments(&orq.base, acme.company, true).await.unwrap();
        operator::revoke_client(&orq.base, acme.id.parse_id()).await.unwrap();

        let told = entries(&orq, acme.company).await;
        let actions: Vec<_> = told.iter().map(|one| (one.actor_type, one.action.as_str())).collect();
        assert_eq!(
            actions,
            [
                ("system", "company.created"),
                ("system", "client.created"),
                ("client", "webhook.created"),
                ("client", "webhook.updated"),
                ("client", "webhook.rotated"),
                ("client", "webhook.deleted"),
                ("client", "department.created"),
                ("client", "department.updated"),
                ("client", "department.deleted"),
                ("client", "custom_field.created"),
                ("client", "custom_field.updated"),
                ("client", "custom_field.deleted"),
                ("system", "company.updated"),
                ("system", "client.revoked"),
            ]
        );
        let json = |text: &Option<String>| -> Value { serde_json::from_str(text.as_ref().unwrap()).unwrap() };
        let renamed = &told[7];
        assert_eq!(json(&renamed.before)["name"], "Ventas");
        assert_eq!(json(&renamed.after)["name"], "Comercial");
        assert_eq!((renamed.target.as_str(), renamed.actor_name.as_str()), (sales, "test"));
        assert_eq!(renamed.actor_id.as_deref(), Some(acme.id.as_str()));
        assert_eq!(told[6].target, sales, "what is new is found by the id that it got");
        let secret = hook.body["secret"].as_str().unwrap();
        assert!(told.iter().all(|one| !format!("{one:?}").contains(secret)), "secrets are not told");
    })
    .await;
}

/// The id of a client, for the operator.
trait ParseId {
    fn parse_id(&self) -> orquiva_core::id::ClientId;
}

impl ParseId for String {
    fn parse_id(&self) -> orquiva_core::id::ClientId {
        orquiva_core::id::ClientId::parse(self).unwrap()
    }
}

#[tokio::test]
async fn the_chain_breaks_where_someone_changed_it() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let company = last_company(&orq).await;
        for at in 0..5 {
            operator::close_departments(&orq.base, company, at % 2 == 0).await.unwrap();
        }
        assert!(check(&founder).await.contains("La cadena se cumple: las 7 entradas"));
        let listed = founder.get("/admin/audit").await;
        assert!(listed.says("n.º </span>7") && listed.says("n.º </span>1"));

        let undo = |what: &str| {
            format!("update audit_entry set {what} where company_id = '{company}' and sequence = 3")
        };
        for (harm, mended) in [
            ("actor_name = 'nobody'", "actor_name = 'operator'"),
            ("at = at + 1", "at = at - 1"),
            ("after = replace(after, 'Acme', 'Acne')", "after = replace(after, 'Acne', 'Acme')"),
            ("target = replace(target, 'cmp', 'cmq')", "target = replace(target, 'cmq', 'cmp')"),
            ("address = '203.0.113.7'", "address = null"),
        ] {
            orq.tamper(&undo(harm)).await;
            let told = check(&founder).await;
            assert!(told.contains("se rompe en la entrada n.º 3: el contenido"), "{harm}: {told}");
            orq.tamper(&undo(mended)).await;
            assert!(check(&founder).await.contains("se cumple"), "{mended}");
        }
        // An entry that is gone leaves a gap; at the end, the end tells.
        orq.tamper(&format!("delete from audit_entry where company_id = '{company}' and sequence = 7")).await;
        assert!(check(&founder).await.contains("n.º 7: falta esa entrada"));
        orq.tamper(&format!("delete from audit_entry where company_id = '{company}' and sequence = 4")).await;
        assert!(check(&founder).await.contains("n.º 4: falta esa entrada"));
    })
    .await;
}

#[tokio::test]
async fn whoever_makes_the_links_anew_lacks_the_key_for_the_end() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let company = last_company(&orq).await;
        assert!(check(&founder).await.contains("las 2 entradas"));
        // The last entry goes, and the end is set back to the one before it.
        orq.tamper(&format!(
            "update audit_log set sequence = 1, hash = (select hash from audit_entry
                where company_id = '{company}' and sequence = 1) where company_id = '{company}';
             delete from audit_entry where company_id = '{company}' and sequence = 2"
        ))
        .await;
        assert!(check(&founder).await.contains("el final de la cadena no es el que firmó Orquiva"));
    })
    .await;
}

#[tokio::test]
async fn two_nodes_make_one_chain() {
    let Some((one, two)) = two_nodes().await else { return };
    let founder = one.founder("Acme").await;
    let company = last_company(&one).await;
    let write = async |orq: &Orquiva| {
        for at in 0..30 {
            operator::close_departments(&orq.base, company, at % 2 == 0).await.unwrap();
        }
    };
    let chain = async |orq: &Orquiva| {
        let browser = orq.browser();
        browser.get("/admin/sign-in").await;
        browser.post("/admin/sign-in", &[("email", "ana@acme.test"), ("password", PASSWORD)]).await;
        for _ in 0..10 {
            assert!(check(&browser).await.contains("se cumple"));
        }
    };
    tokio::join!(write(&one), write(&two), chain(&one), chain(&two));
    assert!(check(&founder).await.contains("las 64 entradas"));
}

#[tokio::test]
async fn only_who_may_see_the_audit_sees_it_and_only_that_of_their_company() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let company = last_company(&orq).await;
        let paths = ["/admin/audit", "/admin/audit/export/csv", "/admin/audit/export/ndjson"];
        for (role, status) in [("viewer", 403), ("developer", 200), ("administrator", 200)] {
            let browser = with_role(&orq, company, role).await;
            for path in paths {
                assert_eq!(browser.get(path).await.status, status, "{role} {path}");
            }
            assert_eq!(browser.get("/admin").await.says("/admin/audit"), status == 200, "{role}");
            assert_eq!(browser.post("/admin/audit/check", &[]).await.status, status, "{role}");
        }
        assert_eq!(orq.browser().get("/admin/audit").await.status, 303);
        assert_eq!(founder.get("/admin/audit/export/xlsx").await.status, 404);
        assert_eq!(
            founder.send("/admin/audit/check", &[], &[]).await.status,
            403,
            "without the form's token"
        );

        let globex = orq.founder("Globex").await;
        let line = globex.get("/admin/audit/export/ndjson").await;
        assert!(!line.html.is_empty() && !line.says(&company.to_string()));
        let foreign = entries(&orq, company).await[0].actor_id.clone().unwrap();
        let found = globex.get(&format!("/admin/audit?who={foreign}")).await;
        assert!(found.says("No hay ninguna entrada así"));
    })
    .await;
}

#[tokio::test]
async fn entries_are_found_and_leave_as_files_that_run_nowhere() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let company = last_company(&orq).await;
        let program = orq.client_of(company, Scopes::all()).await;
        let made = program.post("/v1/departments", &json!({ "name": "<script>alert(1)" })).await;
        assert_eq!(made.status, 201, "{}", made.body);
        orq.base
            .store
            .write::<_, StoreError, _, _>(company, move |tx| async move {
                let mut entry = audit::list(&tx, company, &Filter::default(), 1).await?.remove(0).entry;
                entry.id = orquiva_core::id::AuditId::first_at(entry.at.plus(3 * 86_400_000));
                entry.at = entry.at.plus(3 * 86_400_000);
                entry.actor_name = "=1+1,\"x\"".to_owned();
                audit::add(&tx, company, &entry).await
            })
            .await
            .unwrap();

        let page = founder.get("/admin/audit").await;
        assert!(!page.says("<script>alert") && page.says("&#60;script&#62;alert(1)"), "shown as it is");
        let count = async |query: &str| {
            let page = founder.get(&format!("/admin/audit?{query}")).await;
            (page.status, page.html.matches("<tr id=\"aud_").count())
        };
        assert_eq!(count("").await, (200, 5));
        assert_eq!(count("action=department.created").await, (200, 2));
        assert_eq!(count("who=system").await, (200, 1));
        assert_eq!(count(&format!("who={}", program.id)).await, (200, 2));
        assert_eq!(count(&format!("target={company}&who=&action=")).await, (200, 1));
        assert_eq!(count("to=2026-01-01").await, (200, 4));
        assert_eq!(count("from=2026-01-02").await, (200, 1));
        assert_eq!(count("from=2026-01-04&to=2026-01-04").await, (200, 1));
        assert_eq!(count("from=mañana").await, (422, 0));
        assert_eq!(count("target=%00&before=aud_x").await, (200, 5));

        let csv = founder.get("/admin/audit/export/csv?action=department.created").await;
        assert_eq!(csv.headers["content-type"], "text/csv; charset=utf-8");
        let lines: Vec<_> = csv.html.trim_start_matches('\u{feff}').split_terminator("\r\n").collect();
        assert_eq!(lines.len(), 3, "{lines:?}");
        assert!(
            lines[0].starts_with("sequence,at,") && lines[2].contains(",\"'=1+1,\"\"x\"\"\","),
            "{lines:?}"
        );
        let ndjson = founder.get("/admin/audit/export/ndjson").await;
        let read = |line: &str| serde_json::from_str::<Value>(line).unwrap();
        let sequences: Vec<_> = ndjson.html.lines().map(|line| read(line)["sequence"].clone()).collect();
        assert_eq!(json!(sequences), json!([1, 2, 3, 4, 5]));
    })
    .await;
}
