//! What leaves the console as a file: the list for spreadsheets, and the picture of who reports to whom.

use orquiva_core::{Role, Scopes};
use orquiva_store::{StoreError, member, user};
use serde_json::{Value, json};

use crate::harness::{Caller, Orquiva, on_both};

/// A client of the company that the owner of this address has founded.
async fn client_of<'o>(orq: &'o Orquiva, email: &str) -> Caller<'o> {
    let tx = orq.base.store.read().await.unwrap();
    let ana = user::by_email(&tx, email).await.unwrap().unwrap();
    let company = member::companies(&tx, ana.id).await.unwrap()[0].company;
    drop(tx);
    orq.client_of(company, Scopes::all()).await
}

async fn hire(client: &Caller<'_>, body: &Value) -> String {
    client.orq.clock.advance(700); // at the pace of the plan
    let hired = client.post("/v1/employees", body).await;
    assert_eq!(hired.status, 201, "{}", hired.body);
    hired.body["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_has_whom_the_list_has_and_runs_nothing() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let client = client_of(&orq, "ana@acme.test").await;
        let field = json!({ "slug": "shirt", "label": "Talla", "type": "text", "sensitive": true });
        assert_eq!(client.post("/v1/custom-fields", &field).await.status, 201);
        let boss = hire(&client, &json!({ "fullName": "=HYPERLINK(\"x\")", "email": "eva@acme.test", "birthDate": "1990-05-04",
            "phone": "+34600123456", "external_refs": { "sap": "42" }, "customFields": { "shirt": "XL" } })).await;
        for number in 0..230 {
            hire(&client, &json!({ "fullName": format!("Persona {number}; y más"), "email": format!("p{number}@acme.test"), "managerId": boss })).await;
        }
        let file = founder.get("/admin/employees/export.csv?sort=fullName").await;
        assert_eq!(file.status, 200);
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8");
        assert!(file.headers["content-disposition"].to_str().unwrap().contains("plantilla.csv"));
        let lines: Vec<_> = file.html.lines().collect();
        assert_eq!(lines.len(), 232, "a head, and everyone over two pages");
        assert!(lines[0].starts_with("\u{FEFF}Nombre;Primer apellido;") && lines[0].ends_with(";Talla"), "{}", lines[0]);
        let eva = lines.iter().find(|line| line.contains("eva@acme.test;")).unwrap();
        assert!(eva.contains("\"'=HYPERLINK(\"\"x\"\")\"") && eva.contains(";'+34600123456;"), "{eva}");
        assert!(eva.contains("1990-05-04") && eva.contains("sap=42") && eva.ends_with(";XL"), "{eva}");
        assert!(lines[2].contains("\"Persona 0; y más\"") && lines[2].contains("eva@acme.test"), "{}", lines[2]);
        assert_eq!(founder.get("/admin/employees/export.csv?q=persona+7").await.html.lines().count(), 12);

        let (company, ana) = {
            let tx = orq.base.store.read().await.unwrap();
            (client.company, user::by_email(&tx, "ana@acme.test").await.unwrap().unwrap().id)
        };
        let give = move |tx| async move { member::change(&tx, company, ana, Role::Viewer).await };
        orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
        let file = founder.get("/admin/employees/export.csv").await;
        assert!(file.says("eva@acme.test") && !file.says("1990") && !file.says("Talla") && !file.says("XL"));
        assert_eq!(orq.browser().get("/admin/employees/export.csv").await.status, 303);
        orq.work().await;
    })
    .await;
}

#[tokio::test]
async fn a_picture_shows_who_reports_to_whom_and_counts_those_who_do_not_fit() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        assert!(founder.get("/admin/employees/chart").await.says("Todavía no hay nada que dibujar"));
        let client = client_of(&orq, "ana@acme.test").await;
        let top = hire(&client, &json!({ "fullName": "<b>Jefa</b>", "email": "jefa@acme.test", "jobTitle": "Dirección" })).await;
        let middle = hire(&client, &json!({ "fullName": "Mando", "email": "mando@acme.test", "managerId": top })).await;
        let gone = hire(&client, &json!({ "fullName": "Quien se fue", "email": "fue@acme.test", "managerId": top })).await;
        client.post(&format!("/v1/employees/{gone}/terminate"), &json!({})).await;
        hire(&client, &json!({ "fullName": "Sin nadie", "email": "sola@acme.test" })).await;
        for number in 0..310 {
            let body = json!({ "fullName": format!("Equipo {number}"), "email": format!("e{number}@acme.test"), "managerId": middle });
            hire(&client, &body).await;
        }
        let page = founder.get("/admin/employees/chart").await;
        assert!(page.says("&lt;b&gt;Jefa&lt;/b&gt;") && !page.says("<b>Jefa"), "shown as it is");
        assert_eq!(page.html.matches("<rect").count(), 100);
        assert!(page.says(">+212</text>") && page.says(&format!("/admin/employees/chart?root={middle}")));
        assert!(!page.says("Quien se fue") && !page.says("Sin nadie"));
        let part = founder.get(&format!("/admin/employees/chart?root={middle}")).await;
        assert!(part.says("Subir a <bdi>") && !part.says(">Dirección</text>"));

        let file = founder.get(&format!("/admin/employees/chart.svg?root={top}")).await;
        assert_eq!(file.headers["content-type"], "image/svg+xml; charset=utf-8");
        assert!(file.html.starts_with("<svg ") && file.html.ends_with("</svg>") && !file.says("<a "));
        let other = orq.founder("Otra").await;
        assert_eq!(other.get(&format!("/admin/employees/chart?root={top}")).await.status, 404);
        assert_eq!(other.get("/admin/employees/chart.svg?root=x").await.status, 404);
        orq.work().await;
    })
    .await;
}
