//! People from a file: its columns, its bad rows, the import in pieces that survives a restart, and the way back.

use axum::body::Body;
use http::Method;
use orquiva_core::id::CompanyId;
use orquiva_core::{Role, Scopes};
use orquiva_store::{StoreError, member, user};
use serde_json::{Value, json};

use crate::browser::{Browser, Seen};
use crate::harness::{Caller, Orquiva, on_both};

/// Sends a file in a browser.
async fn send(browser: &Browser<'_>, bytes: &[u8]) -> Seen {
    let token = browser.get("/admin/employees/import").await.value("form_token").unwrap();
    send_with(browser, &token, bytes).await
}

async fn send_with(browser: &Browser<'_>, token: &str, bytes: &[u8]) -> Seen {
    let head = format!(
        "--xx\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"gente.csv\"\r\nContent-Type: text/csv\r\n\r\n"
    );
    let body = [head.as_bytes(), bytes, b"\r\n--xx--\r\n"].concat();
    let kind = [("content-type", "multipart/form-data; boundary=xx"), ("accept-language", "es")];
    browser.ask(Method::POST, "/admin/employees/import", &kind, Body::from(body)).await
}

/// Sends a file, and leaves its columns as they are guessed; the page of the import.
async fn checked(orq: &Orquiva, browser: &Browser<'_>, text: &str) -> String {
    let sent = send(browser, text.as_bytes()).await;
    assert_eq!(sent.status, 303, "{}", sent.html);
    let path = sent.location().to_owned();
    let columns = chosen(&browser.get(&path).await);
    let columns: Vec<_> = columns.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let started = browser.post(&format!("{path}/check"), &columns).await;
    assert_eq!(started.status, 303, "{}", started.html);
    assert!(browser.get(&path).await.says("data-refresh"));
    orq.work().await;
    path
}

/// What each column of a page is chosen to be.
fn chosen(page: &Seen) -> Vec<(String, String)> {
    let columns = page.html.split("<select").skip(1).map(|rest| {
        let name = rest.split("name=\"").nth(1).unwrap().split('"').next().unwrap();
        let body = rest.split("</select>").next().unwrap();
        let value = body
            .split("<option")
            .find(|one| one.contains(" selected"))
            .map_or("", |one| one.split('"').nth(1).unwrap());
        (name.to_owned(), value.to_owned())
    });
    columns.filter(|(name, _)| name.starts_with("column-")).collect()
}

async fn company_of(orq: &Orquiva, email: &str) -> CompanyId {
    let tx = orq.base.store.read().await.unwrap();
    let ana = user::by_email(&tx, email).await.unwrap().unwrap();
    member::companies(&tx, ana.id).await.unwrap()[0].company
}

async fn people(client: &Caller<'_>, query: &str) -> Vec<Value> {
    client.get(&format!("/v1/employees?limit=200{query}")).await.body["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn a_file_is_matched_rehearsed_imported_and_taken_back() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let client = orq.client_of(company_of(&orq, "ana@acme.test").await, Scopes::all()).await;
        let field = json!({ "slug": "shirt", "label": "Talla", "type": "choice", "choices": ["S", "M"] });
        assert_eq!(client.post("/v1/custom-fields", &field).await.status, 201);
        assert_eq!(client.post("/v1/employees", &json!({ "fullName": "Ya Está", "email": "ya@acme.test" })).await.status, 201);
        let file = "Nombre;Apellidos;Correo electrónico;Fecha de alta;Departamento;Responsable;DNI;Talla;Teléfono;Nota\n\
            Eva;Sanz;eva@acme.test;03/02/2020;Ventas;jefa@acme.test;12345678Z;M;'+34600123456;=1+1\n\
            Luz;Gil;luz@acme.test;2020-02-30;Ventas;;;M;;\n\
            <b>Jefa</b>;=SUM(A1);jefa@acme.test;;Dirección;ya@acme.test;;;;\n\
            Otra;Vez;EVA@acme.test;;;;;;;\n\
            Sin;Mando;sin@acme.test;;;nadie@acme.test;;;;\n\
            Ya;Está;otro@acme.test;;;;12345678A;;600;\n\
            Talla;Rara;talla@acme.test;;;;;XL;;\n\
            Ya;Está;ya@acme.test;;;;;;;\n";
        let path = checked(&orq, &founder, file).await;
        let shown = founder.get(&path).await;
        for (row, column, what) in [
            (3, "Fecha de alta", "Escriba una fecha"),
            (5, "Correo electrónico", "más de una vez"),
            (6, "Responsable", "Nadie tiene el correo"),
            (8, "Talla", "S, M"),
            (9, "Correo electrónico", "ya tiene este valor"),
            (7, "DNI", "La letra"),
            (7, "Teléfono", "formato internacional"),
        ] {
            let rows = shown.html.split("<tr>").skip(2);
            let found = rows.filter(|one| one.contains(&format!(">{row}<")) && one.contains(column) && one.contains(what));
            assert_eq!(found.count(), 1, "{row} {column}: {}", shown.html);
        }
        assert_eq!(people(&client, "").await.len(), 1, "a rehearsal imports nobody");
        assert!(shown.says("Importar 2 personas"));

        assert_eq!(founder.post(&format!("{path}/run"), &[]).await.status, 303);
        assert_eq!(founder.post(&format!("{path}/run"), &[]).await.status, 303, "a second press does nothing more");
        orq.work().await;
        let all = people(&client, "").await;
        let by = |email: &str| all.iter().find(|one| one["email"] == email).unwrap().clone();
        let (eva, boss) = (by("eva@acme.test"), by("jefa@acme.test"));
        assert_eq!(all.len(), 3);
        assert_eq!((&eva["managerId"], &eva["startDate"]), (&boss["id"], &json!("2020-02-03")));
        assert_eq!((&eva["phone"], &eva["customFields"]["shirt"]), (&json!("+34600123456"), &json!("M")));
        assert_eq!((&boss["firstName"], &boss["lastName"]), (&json!("<b>Jefa</b>"), &json!("=SUM(A1)")), "cells are the text that they are");
        assert_eq!(boss["managerId"], by("ya@acme.test")["id"]);

        let done = founder.get(&path).await;
        assert!(done.says("Deshacer la importación") && !done.says("data-refresh"));
        assert_eq!(founder.post(&format!("{path}/undo"), &[]).await.status, 303);
        orq.work().await;
        assert_eq!(people(&client, "").await.len(), 1, "whoever led another one goes too");
        assert!(founder.get(&path).await.says("Retiradas"));
        assert_eq!(founder.post(&format!("{path}/discard"), &[]).await.status, 303);
        assert_eq!(founder.get(&path).await.status, 404);
        orq.work().await;
    })
    .await;
}

#[tokio::test]
async fn an_import_goes_on_where_it_was_and_leaves_whom_others_have_changed() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let client = orq.client_of(company_of(&orq, "ana@acme.test").await, Scopes::all()).await;
        let mut file = "Full name,E-mail,sap\n".to_owned();
        for number in 0..1300 {
            file.push_str(&format!("Persona {number},p{number}@acme.test,{number}\n"));
        }
        let sent = send(&founder, file.as_bytes()).await;
        let path = sent.location().to_owned();
        let columns = chosen(&founder.get(&path).await);
        assert_eq!(columns[2].1, "", "nobody knows what that is");
        let fields = [("column-0", "fullName"), ("column-1", "email"), ("column-2", "reference")];
        assert_eq!(founder.post(&format!("{path}/check"), &fields).await.status, 303);
        // One piece, then a node that is new to it: it begins the rehearsal again.
        assert!(orq.importer.step().await.unwrap());
        let other = orq.another_importer().await;
        while other.step().await.unwrap() {}
        assert!(founder.get(&path).await.says("Importar 1300 personas"));
        founder.post(&format!("{path}/run"), &[]).await;
        assert!(orq.importer.step().await.unwrap());
        assert!(founder.get(&path).await.says("value=\"1\""), "its progress can be watched");
        while other.step().await.unwrap() {}
        assert_eq!(founder.get("/admin/employees/export.csv").await.html.lines().count(), 1301);

        let one = people(&client, "&externalRef=sap:700").await[0]["id"].as_str().unwrap().to_owned();
        client.patch(&format!("/v1/employees/{one}"), &json!({ "jobTitle": "Jefa" })).await;
        let boss = people(&client, "&externalRef=sap:9").await[0]["id"].clone();
        let report = json!({ "fullName": "Nueva", "email": "nueva@acme.test", "managerId": boss });
        assert_eq!(client.post("/v1/employees", &report).await.status, 201);
        founder.post(&format!("{path}/undo"), &[]).await;
        orq.work().await;
        let mut left: Vec<_> = people(&client, "").await.iter().map(|one| one["fullName"].clone()).collect();
        left.sort_by_key(ToString::to_string);
        assert_eq!(left, ["Nueva", "Persona 700", "Persona 9"]);
        assert!(founder.get(&path).await.says("El resto se queda"));
    })
    .await;
}

#[tokio::test]
async fn only_who_manages_people_of_the_company_gets_at_an_import() {
    on_both(async |orq| {
        let (founder, other) = (orq.founder("Acme").await, orq.founder("Otra").await);
        let path = checked(&orq, &founder, "Correo;Nombre completo\neva@acme.test;Eva Sanz\n").await;
        other.get("/admin").await;
        assert_eq!(other.get(&path).await.status, 404);
        for step in ["check", "again", "run", "undo", "discard"] {
            assert_eq!(other.post(&format!("{path}/{step}"), &[]).await.status, 404, "{step}");
            assert_eq!(
                founder.send(&format!("{path}/{step}"), &[], &[]).await.status,
                403,
                "without token: {step}"
            );
        }
        assert_eq!(send_with(&founder, "", b"a,b\n").await.status, 403);
        assert_eq!(send_with(&founder, &"0".repeat(64), b"a,b\n").await.status, 403);
        for empty in [&b""[..], b"Correo;Nombre\n", b"\xFF\xFE"] {
            let refused = send(&founder, empty).await;
            assert!(refused.status == 422 && refused.says("file-fault"), "{empty:?}");
        }
        let sent = send(&founder, b"a;b\n1;2\n").await;
        let unmatched = founder
            .post(&format!("{}/check", sent.location()), &[("column-0", "email"), ("column-1", "email")])
            .await;
        assert!(unmatched.status == 422 && unmatched.says("column-1-fault"));
        assert_eq!(
            founder.post(&format!("{}/check", sent.location()), &[("column-0", "id")]).await.status,
            422
        );

        founder.post(&format!("{path}/run"), &[]).await;
        let company = company_of(&orq, "ana@acme.test").await;
        let ana = {
            let tx = orq.base.store.read().await.unwrap();
            user::by_email(&tx, "ana@acme.test").await.unwrap().unwrap().id
        };
        let give = move |tx| async move { member::change(&tx, company, ana, Role::Viewer).await };
        orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
        orq.work().await;
        assert!(
            !founder.get("/admin/employees").await.says("eva@acme.test"),
            "who may no longer, imports no longer"
        );
        assert_eq!(founder.get(&path).await.status, 403);
        assert_eq!(founder.get("/admin/employees/import").await.status, 403);
        assert_eq!(
            send_with(
                &founder,
                &founder.get("/admin/profile").await.value("form_token").unwrap(),
                b"a,b\n1,2\n"
            )
            .await
            .status,
            403
        );
    })
    .await;
}
