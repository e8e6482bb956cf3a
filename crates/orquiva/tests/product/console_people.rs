//! People and departments in the console: what each role sees and does, stale forms, foreign ids, and what the history
//! and the audit tell.

use orquiva_core::id::{CompanyId, UserId};
use orquiva_core::{Right, Role, Scopes};
use orquiva_store::{StoreError, audit, member, user};
use serde_json::json;

use crate::browser::{Browser, Seen};
use crate::harness::{Orquiva, on_both};

/// Hires someone in a browser; their page.
async fn hire(browser: &Browser<'_>, fields: &[(&str, &str)]) -> String {
    let once = browser.get("/admin/employees/new").await.value("once").unwrap();
    let hired = browser.post("/admin/employees", &[&[("once", once.as_str())], fields].concat()).await;
    assert_eq!(hired.status, 303, "{}", hired.html);
    hired.location().split('?').next().unwrap().to_owned()
}

/// Creates a department in a browser; its page.
async fn department(browser: &Browser<'_>, name: &str, parent: &str) -> String {
    let once = browser.get("/admin/departments/new").await.value("once").unwrap();
    let fields = [("once", once.as_str()), ("name", name), ("parentId", parent)];
    let created = browser.post("/admin/departments", &fields).await;
    assert_eq!(created.status, 303, "{}", created.html);
    let list = browser.get("/admin/departments").await;
    let (before, _) = list.html.split_once(&format!("<bdi>{name}</bdi>")).unwrap();
    let (_, path) = before.rsplit_once("href=\"").unwrap();
    path.split('"').next().unwrap().to_owned()
}

fn id_in(path: &str) -> &str {
    path.rsplit('/').next().unwrap()
}

/// Every field of the form on a page, as it stands there.
async fn form(browser: &Browser<'_>, path: &str) -> Vec<(String, String)> {
    let page = browser.get(path).await;
    assert_eq!(page.status, 200, "{path}");
    inputs(&page)
}

fn inputs(page: &Seen) -> Vec<(String, String)> {
    let value = |tag: &str, name: &str| {
        let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
        Some(rest.split('"').next()?.replace("&#34;", "\""))
    };
    let inputs = page.html.split("<input").skip(1).filter_map(|rest| {
        let tag = rest.split('>').next()?;
        Some((value(tag, "name")?, value(tag, "value").unwrap_or_default()))
    });
    let selects = page.html.split("<select").skip(1).filter_map(|rest| {
        let chosen = rest.split("</select>").next()?.split("<option").find(|one| one.contains(" selected"));
        Some((value(rest, "name")?, chosen.and_then(|one| value(one, "value")).unwrap_or_default()))
    });
    inputs.chain(selects).collect()
}

/// The fields of a form with some of them typed anew.
fn typed<'f>(fields: &'f [(String, String)], new: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let kept = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let known = |name: &str| new.iter().any(|(typed, _)| *typed == name);
    kept.filter(|(name, _)| !known(name) && *name != "language" && *name != "theme")
        .chain(new.iter().copied())
        .collect()
}

async fn ana_of(orq: &Orquiva, email: &str) -> (CompanyId, UserId) {
    let tx = orq.base.store.read().await.unwrap();
    let user = user::by_email(&tx, email).await.unwrap().unwrap();
    (member::companies(&tx, user.id).await.unwrap()[0].company, user.id)
}

const EVA: &[(&str, &str)] = &[
    ("firstName", "Eva"),
    ("lastName", "Sanz"),
    ("email", "eva@acme.test"),
    ("department", "Ventas"),
    ("jobTitle", "Comercial"),
    ("birthDate", "1990-05-04"),
    ("nationalId.type", "dni"),
    ("nationalId.value", "12345678Z"),
    ("homeAddress.line1", "Calle Mayor 1"),
    ("homeAddress.city", "Madrid"),
    ("homeAddress.country", "ES"),
];

#[tokio::test]
async fn a_role_sees_of_people_and_does_to_them_what_it_may() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let eva = hire(&founder, EVA).await;
        let sales = department(&founder, "Compras", "").await;
        let (company, ana) = ana_of(&orq, "ana@acme.test").await;
        for role in Role::ALL {
            let give = move |tx| async move { member::change(&tx, company, ana, *role).await };
            orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
            let (may, sees) = (role.may(Right::ManagePeople), role.may(Right::SeeSensitive));
            let shown = founder.get(&eva).await;
            assert_eq!(
                (shown.status, shown.says("12345678Z"), shown.says("4 may 1990")),
                (200, sees, sees),
                "{role:?}"
            );
            assert_eq!(
                (shown.says("Comercial"), shown.says("/terminate"), shown.says("/delete")),
                (true, may, may)
            );
            assert_eq!(founder.get("/admin/employees").await.says("/admin/employees/new"), may, "{role:?}");
            assert_eq!(
                founder.get("/admin/departments").await.says("/admin/departments/new"),
                may,
                "{role:?}"
            );
            assert_eq!(founder.get(&sales).await.says("/delete"), may, "{role:?}");
            let forms = ["/change", "/terminate", "/rehire", "/delete"].map(|step| format!("{eva}{step}"));
            let others = [
                "/admin/employees/new".to_owned(),
                "/admin/departments/new".to_owned(),
                format!("{sales}/delete"),
            ];
            for path in forms.iter().chain(&others) {
                assert_eq!(founder.get(path).await.status, if may { 200 } else { 403 }, "{role:?} {path}");
            }
            if !may {
                let steps = [
                    "/change",
                    "/references",
                    "/terminate",
                    "/terminate/cancel",
                    "/rehire",
                    "/rehire/cancel",
                    "/delete",
                ];
                let steps = steps.map(|step| format!("{eva}{step}"));
                let rest = [
                    "/admin/employees".to_owned(),
                    "/admin/departments".to_owned(),
                    sales.clone(),
                    format!("{sales}/delete"),
                ];
                for path in steps.iter().chain(&rest) {
                    assert_eq!(founder.post(path, &[("name", "x")]).await.status, 403, "{role:?} {path}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_hire_is_done_once_and_a_refused_one_keeps_what_was_typed() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let once = founder.get("/admin/employees/new").await.value("once").unwrap();
        let sent = [&[("once", once.as_str())], EVA].concat();
        let (first, second) =
            (founder.post("/admin/employees", &sent).await, founder.post("/admin/employees", &sent).await);
        assert_eq!((first.status, first.location()), (303, second.location()), "a double press hires once");

        let wrong = [
            ("once", "another"),
            ("firstName", "<script>alert(1)</script>"),
            ("email", "eva@"),
            ("phone", "600"),
            ("managerId", "nadie@acme.test"),
            ("nationalId.type", "dni"),
            ("nationalId.value", "12345678A"),
            ("nationality", "XX"),
            ("startDate", "2026-02-30"),
        ];
        let refused = founder.post("/admin/employees", &wrong).await;
        assert_eq!(refused.status, 422);
        for field in
            ["lastName", "email", "phone", "managerId", "nationality", "startDate", "nationalId.value"]
        {
            assert!(refused.says(&format!("id=\"{field}-fault\"")), "{field}: {}", refused.html);
        }
        assert!(
            refused.says("value=\"&#60;script&#62;alert(1)&#60;/script&#62;\"")
                && !refused.says("<script>alert")
        );
        assert_eq!(refused.value("once").as_deref(), Some("another"));

        let taken = founder
            .post("/admin/employees", &typed(&[], &[("fullName", "Otra Eva"), ("email", "EVA@acme.test")]))
            .await;
        assert_eq!(taken.status, 422);
        assert!(taken.says("id=\"email-fault\""));
        orq.work().await;
    })
    .await;
}

#[tokio::test]
async fn a_stale_form_is_refused_and_says_what_stands_there_by_now() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let eva = hire(&founder, EVA).await;
        let change = format!("{eva}/change");
        let old = form(&founder, &change).await;
        let changed = founder
            .post(&change, &typed(&old, &[("jobTitle", "Jefa"), ("homeAddress.city", "Getafe")]))
            .await;
        assert_eq!(changed.status, 303, "{}", changed.html);
        let stale = founder.post(&change, &typed(&old, &[("jobTitle", "Presidenta")])).await;
        assert_eq!(stale.status, 422);
        assert!(
            stale.says("Ahora consta: Jefa")
                && stale.says("value=\"Presidenta\"")
                && stale.says("Ahora consta: Getafe")
        );
        // Sent again as it is, it is meant: the form is of the present version by now.
        let again = founder.post(&change, &typed(&inputs(&stale), &[("homeAddress.city", "Getafe")])).await;
        assert_eq!(again.status, 303, "{}", again.html);

        for (path, fields) in [
            ("/terminate", vec![]),
            ("/delete", vec![]),
            ("/references", vec![("system", "sap"), ("value", "1")]),
        ] {
            let etag = &old.iter().find(|(name, _)| name == "etag").unwrap().1;
            let fields = [fields, vec![("etag", etag.as_str())]].concat();
            let refused = founder.post(&format!("{eva}{path}"), &fields).await;
            assert_eq!(refused.status, 422, "{path}");
            assert!(refused.says("mientras tanto"), "{path}");
        }

        let shown = founder.get(&eva).await;
        let history = shown.html.split_once("id=\"history\"").unwrap().1;
        let order = ["Presidenta", "Getafe", "Alta"].map(|text| history.find(text).unwrap());
        assert!(order.is_sorted(), "the newest first: {order:?}");
        assert!(history.contains("Ana Ruiz") && history.contains("<del><bdi>Comercial</bdi></del>"));
        orq.work().await;
    })
    .await;
}

#[tokio::test]
async fn the_history_names_the_client_or_the_member_and_keeps_what_is_protected() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let eva = hire(&founder, EVA).await;
        let (company, ana) = ana_of(&orq, "ana@acme.test").await;
        let client = orq.client_of(company, Scopes::all()).await;
        let path = format!("/v1/employees/{}", id_in(&eva));
        client.patch(&path, &json!({ "birthDate": "1991-01-02", "external_refs": { "sap": "42" } })).await;
        for number in 0..25 {
            client.patch(&path, &json!({ "jobTitle": format!("Puesto {number}") })).await;
        }
        let first = founder.get(&eva).await;
        assert!(
            first.says("Puesto 24") && first.says("<bdi>test</bdi>") && !first.says("<strong>Alta</strong>")
        );
        let next = first.between("href=\"/admin/employees/", "#history").map(|_| ()).and_then(|()| {
            let (before, _) = first.html.split_once("#history\"")?;
            before.rsplit_once("href=\"").map(|(_, path)| path.to_owned())
        });
        let rest = founder.get(&next.unwrap()).await;
        assert!(rest.says("<strong>Alta</strong>") && rest.says("<ins><bdi>42</bdi></ins>"));
        assert!(rest.says("<del><bdi>4 may 1990</bdi></del>"), "{}", rest.html);

        let give = move |tx| async move { member::change(&tx, company, ana, Role::Viewer).await };
        orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
        let (before, _) = first.html.split_once("#history\"").unwrap();
        let hidden = founder.get(before.rsplit_once("href=\"").unwrap().1).await;
        assert!(hidden.says("(protegido)") && !hidden.says("1990") && !hidden.says("1991"));

        let tx = orq.base.store.read().await.unwrap();
        for entry in audit::list(&tx, company, &audit::Filter::default(), 100).await.unwrap() {
            for told in [entry.entry.before, entry.entry.after].into_iter().flatten() {
                assert!(!told.contains("1990") && !told.contains("12345678Z"), "{told}");
            }
        }
        orq.work().await;
    })
    .await;
}

#[tokio::test]
async fn nobody_reaches_the_people_and_departments_of_another_company() {
    on_both(async |orq| {
        let (founder, other) = (orq.founder("Acme").await, orq.founder("Otra").await);
        let (eva, sales) = (hire(&founder, EVA).await, department(&founder, "Compras", "").await);
        other.get("/admin").await;
        for step in ["", "/change", "/terminate", "/rehire", "/delete"] {
            assert_eq!(other.get(&format!("{eva}{step}")).await.status, 404, "{step}");
        }
        for step in [
            "/change",
            "/references",
            "/terminate",
            "/terminate/cancel",
            "/rehire",
            "/rehire/cancel",
            "/delete",
        ] {
            assert_eq!(
                other.post(&format!("{eva}{step}"), &[("system", "sap"), ("value", "1")]).await.status,
                404,
                "{step}"
            );
            assert_eq!(
                other.send(&format!("{eva}{step}"), &[], &[]).await.status,
                403,
                "without token: {step}"
            );
        }
        for path in [sales.clone(), format!("{sales}/delete")] {
            assert_eq!(other.get(&path).await.status, 404);
            assert_eq!(other.post(&path, &[("name", "x")]).await.status, 404);
            assert_eq!(other.send(&path, &[("name", "x")], &[]).await.status, 403, "without token");
        }
        assert_eq!(other.get("/admin/employees/emp_nobody").await.status, 404);
        assert!(!other.get("/admin/employees/find?q=eva").await.says("eva@acme.test"));
        assert!(founder.get("/admin/employees/find?q=eva").await.says("eva@acme.test"));
        assert!(
            !other.get(&format!("/admin/employees?department={}", id_in(&sales))).await.says("eva@acme.test")
        );
        let lead = department(&other, "Dirección", "").await;
        let etag = other.get(&lead).await.value("etag").unwrap().replace("&#34;", "\"");
        let refused =
            other.post(&lead, &[("etag", &etag), ("name", "Dirección"), ("new_lead", "eva@acme.test")]).await;
        assert!(refused.status == 422 && refused.says("new_lead-fault"));
        orq.work().await;
    })
    .await;
}

#[tokio::test]
async fn departments_move_are_renamed_and_give_way_to_another() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let eva = hire(&founder, EVA).await;
        let north = department(&founder, "Norte", "").await;
        let list = founder.get("/admin/departments").await;
        let sales = list.html.split_once("<bdi>Ventas</bdi>").unwrap().0.rsplit_once("href=\"").unwrap().1;
        let sales = sales.split('"').next().unwrap().to_owned();
        assert!(list.says("Abiertos"));

        let old = form(&founder, &sales).await;
        let moved =
            founder.post(&sales, &typed(&old, &[("name", "Comercial"), ("parentId", id_in(&north))])).await;
        assert_eq!(moved.status, 303, "{}", moved.html);
        assert!(founder.get(&eva).await.says(">Comercial<"));
        let stale = founder.post(&sales, &typed(&old, &[("name", "Otra")])).await;
        assert!(stale.status == 422 && stale.says("Ahora consta: Comercial") && stale.says("value=\"Otra\""));
        let circle =
            founder.post(&north, &typed(&form(&founder, &north).await, &[("parentId", id_in(&sales))])).await;
        assert!(circle.status == 422 && circle.says("parentId-fault"));

        let etag =
            founder.get(&format!("{sales}/delete")).await.value("etag").unwrap().replace("&#34;", "\"");
        let kept = founder.post(&format!("{sales}/delete"), &[("etag", &etag)]).await;
        assert!(kept.status == 422 && kept.says("replaceWith-fault"));
        let fields = [("etag", etag.as_str()), ("replaceWith", id_in(&north))];
        assert_eq!(founder.post(&format!("{sales}/delete"), &fields).await.status, 303);
        assert!(founder.get(&eva).await.says(">Norte<"));
        orq.work().await;
    })
    .await;
}
