//! Hire, look, list, change, remove.

use http::Method;
use serde_json::{Value, json};

use crate::harness::on_both;

#[tokio::test]
async fn a_hire_is_announced_once_and_a_refused_hire_never() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test", "department": "Ventas" });
        let hired = acme.post("/v1/employees", &ana).await;
        assert_eq!(hired.status, 201);
        let id = hired.body["id"].as_str().unwrap();
        assert_eq!(hired.header("location"), format!("/v1/employees/{id}"));
        assert_eq!(acme.event_types().await, ["department.created", "employee.created"]);

        let again = json!({ "fullName": "Ana Ruiz", "email": "ANA@acme.test", "department": "Compras" });
        let refused = acme.post("/v1/employees", &again).await;
        assert_eq!(refused.problem(), (409, "conflict"));
        assert_eq!(refused.faults(), [("/email".to_owned(), "taken".to_owned())]);
        assert_eq!(
            acme.event_types().await.len(),
            2,
            "a refused hire announces nothing, nor does its department"
        );
    })
    .await;
}

#[tokio::test]
async fn every_field_is_kept_as_it_was_sent() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let sent = json!({
            "firstName": "María José", "lastName": "Ñíguez", "secondLastName": "O'Neill", "preferredName": "Pepa 🌻",
            "email": "maria.jose@acme.test", "phone": "+34 600 123-456", "employeeNumber": "E-0042",
            "startDate": "2026-02-28", "jobTitle": "Ingeniera <b>&</b> \"co\"", "employmentType": "part_time",
            "location": "東京", "department": "Ingeniería", "external_refs": { "sap.id": "00042", "stripe_id": "cus_9" },
        });
        let hired = acme.post("/v1/employees", &sent).await;
        assert_eq!(hired.status, 201, "{}", hired.body);
        let id = hired.body["id"].as_str().unwrap();
        let shown = acme.get(&format!("/v1/employees/{id}")).await.body;
        assert_eq!(shown, hired.body, "what was answered is what is there");
        for (name, value) in sent.as_object().unwrap() {
            if name != "phone" {
                assert_eq!(&shown[name], value, "{name}");
            }
        }
        assert_eq!(shown["phone"], "+34600123456");
        assert_eq!(shown["fullName"], "María José Ñíguez O'Neill", "made of its parts");
        assert_eq!(shown["status"], "onboarding", "the first day is still to come");
        assert_eq!((&shown["version"], &shown["createdAt"]), (&json!(1), &json!("2026-01-01T00:00:00.000Z")));
        assert_eq!(shown["companyId"], json!(acme.company));
    })
    .await;
}

#[tokio::test]
async fn a_patch_changes_what_it_names_and_tells_what_was_before() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = acme.hire("Ana Ruiz").await;
        let path = format!("/v1/employees/{id}");
        orq.clock.advance(1_000);
        let patch = json!({ "jobTitle": "Jefa", "external_refs": { "sap": "7" } });
        let changed = acme.patch(&path, &patch).await;
        assert_eq!((changed.status, &changed.body["jobTitle"]), (200, &json!("Jefa")));
        assert_eq!(
            (&changed.body["version"], &changed.body["updatedAt"]),
            (&json!(2), &json!("2026-01-01T00:00:01.000Z"))
        );

        let same = acme.patch(&path, &patch).await;
        assert_eq!((same.status, &same.body["version"]), (200, &json!(2)), "the same again changes nothing");
        let removed =
            acme.patch(&path, &json!({ "jobTitle": null, "external_refs": { "sap": null, "x": "1" } })).await;
        assert_eq!(
            (&removed.body["jobTitle"], &removed.body["external_refs"]),
            (&Value::Null, &json!({ "x": "1" }))
        );

        let events = acme.events().await;
        assert_eq!(events.len(), 3, "one hire, two changes");
        assert_eq!(events[1]["type"], "employee.updated");
        assert_eq!(events[1]["changed"], json!(["jobTitle", "external_refs"]));
        assert_eq!(events[1]["previous"], json!({ "jobTitle": null, "external_refs": {} }));
        assert_eq!(events[2]["previous"], json!({ "jobTitle": "Jefa", "external_refs": { "sap": "7" } }));
        let found = acme.get("/v1/employees?externalRef=sap:7").await;
        assert_eq!(found.body["data"], json!([]), "a removed reference finds nobody");
    })
    .await;
}

#[tokio::test]
async fn a_reference_belongs_to_one_employee_of_a_company() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let (ana, luis) = (acme.hire("Ana Ruiz").await, acme.hire("Luis Gil").await);
        let refs = json!({ "external_refs": { "stripe_id": "cus_1" } });
        assert_eq!(acme.patch(&format!("/v1/employees/{ana}"), &refs).await.status, 200);
        let taken = acme.patch(&format!("/v1/employees/{luis}"), &refs).await;
        assert_eq!(taken.problem(), (409, "conflict"));
        assert_eq!(taken.faults(), [("/external_refs".to_owned(), "taken".to_owned())]);
        let foreign = other.hire("Ana Ruiz").await;
        assert_eq!(other.patch(&format!("/v1/employees/{foreign}"), &refs).await.status, 200);

        assert_eq!(acme.delete(&format!("/v1/employees/{ana}")).await.status, 204);
        assert_eq!(acme.patch(&format!("/v1/employees/{luis}"), &refs).await.status, 200, "free again");
    })
    .await;
}

#[tokio::test]
async fn who_is_removed_is_gone_and_announced_with_all_that_was_known() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = acme.hire("Ana Ruiz").await;
        let path = format!("/v1/employees/{id}");
        let removed = acme.delete(&path).await;
        assert_eq!((removed.status, removed.raw.len()), (204, 0));
        assert_eq!(acme.get(&path).await.problem(), (404, "not_found"));
        assert_eq!(acme.delete(&path).await.problem(), (404, "not_found"));
        let events = acme.events().await;
        assert_eq!(events.last().unwrap()["type"], "employee.deleted");
        assert_eq!(events.last().unwrap()["data"]["fullName"], "Ana Ruiz");
        acme.hire("Ana Ruiz").await; // the e-mail is free again
    })
    .await;
}

#[tokio::test]
async fn a_list_goes_on_where_it_stopped_while_others_write() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let mut hired = Vec::new();
        for number in 0..7 {
            hired.push(acme.hire(&format!("Person {number}")).await);
        }
        let mut seen = Vec::new();
        let mut path = "/v1/employees?limit=3".to_owned();
        loop {
            let page = acme.get(&path).await;
            assert_eq!(page.status, 200, "{}", page.body);
            seen.extend(
                page.body["data"]
                    .as_array()
                    .unwrap()
                    .iter()
                    .map(|one| one["id"].as_str().unwrap().to_owned()),
            );
            if seen.len() == 3 {
                acme.delete(&format!("/v1/employees/{}", hired[2])).await; // the row that the cursor stands on
                acme.hire("Late Comer").await;
            }
            let Some(next) = page.body["nextCursor"].as_str() else {
                assert_eq!((&page.body["hasMore"], page.header("link")), (&json!(false), ""));
                break;
            };
            path = format!("/v1/employees?limit=3&cursor={next}");
            let link = format!("<https://api.orquiva.test{path}>; rel=\"next\"");
            assert_eq!((&page.body["hasMore"], page.header("link")), (&json!(true), link.as_str()));
        }
        assert_eq!(seen.len(), 8);
        assert_eq!(seen[..7], hired[..], "nobody twice, nobody missing, and who came meanwhile at the end");
    })
    .await;
}

#[tokio::test]
async fn a_list_is_narrowed_by_department_status_email_and_reference() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for (name, department, start) in [
            ("ana", "Ingeniería", "2025-01-01"),
            ("luis", "ingenieria", "2027-01-01"),
            ("eva", "Ventas", "2025-01-01"),
        ] {
            let body = json!({
                "fullName": name, "email": format!("{name}@acme.test"), "department": department,
                "startDate": start, "external_refs": { "sap": name },
            });
            assert_eq!(acme.post("/v1/employees", &body).await.status, 201);
        }
        for (query, expected) in [
            ("department=INGENIERIA", vec!["ana", "luis"]),
            ("department=ingenier%C3%ADa&status=active", vec!["ana"]),
            ("status=onboarding", vec!["luis"]),
            ("email=EVA@acme.test", vec!["eva"]),
            ("externalRef=sap:luis", vec!["luis"]),
            ("externalRef=sap:nobody", vec![]),
            ("department=Nowhere", vec![]),
            ("status=on_leave", vec![]),
        ] {
            let found = acme.get(&format!("/v1/employees?{query}")).await;
            let names: Vec<_> = found.body["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["fullName"].as_str().unwrap())
                .collect();
            assert_eq!(names, expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_department_is_one_whatever_its_case_and_accents() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let hire = async |email: &str, department: Value| {
            let mut body = json!({ "fullName": "A", "email": email });
            body.as_object_mut().unwrap().extend(department.as_object().unwrap().clone());
            acme.post("/v1/employees", &body).await
        };
        let first = hire("a@acme.test", json!({ "department": "Atención al Cliente" })).await;
        let second = hire("b@acme.test", json!({ "department": "  atencion AL cliente " })).await;
        assert_eq!(second.body["department"], "Atención al Cliente", "as it was first written");
        let id = &first.body["departmentId"];
        assert_eq!(&second.body["departmentId"], id);
        let by_id = hire("c@acme.test", json!({ "departmentId": id })).await;
        assert_eq!(by_id.body["department"], "Atención al Cliente");
        let both =
            hire("d@acme.test", json!({ "departmentId": id, "department": "ATENCION AL CLIENTE" })).await;
        assert_eq!(both.status, 201);
        let disagree = hire("e@acme.test", json!({ "departmentId": id, "department": "Ventas" })).await;
        assert_eq!(disagree.problem(), (422, "invalid_fields"));
        assert_eq!(disagree.faults(), [("/departmentId".to_owned(), "departments_disagree".to_owned())]);
        let unknown = hire("f@acme.test", json!({ "departmentId": "dep_01JQ8Z6X3V4M5N6P7R8S9T0A1B" })).await;
        assert_eq!(unknown.faults(), [("/departmentId".to_owned(), "unknown_department".to_owned())]);

        let path = format!("/v1/employees/{}", first.body["id"].as_str().unwrap());
        let moved = acme.patch(&path, &json!({ "department": "Ventas" })).await;
        assert_eq!(moved.body["department"], "Ventas");
        let back = acme.patch(&path, &json!({ "departmentId": id })).await;
        assert_eq!(back.body["department"], "Atención al Cliente");
        let none = acme.patch(&path, &json!({ "department": null })).await;
        assert_eq!((&none.body["department"], &none.body["departmentId"]), (&Value::Null, &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn a_repeat_under_the_same_key_gets_the_first_answer_and_does_nothing_twice() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test" });
        let key = [("idempotency-key", "hire-ana-1")];
        let first = acme.write(Method::POST, "/v1/employees", &key, &ana).await;
        assert_eq!((first.status, first.header("idempotent-replayed")), (201, ""));
        let quoted = [("idempotency-key", "\"hire-ana-1\"")];
        let again = acme.write(Method::POST, "/employees", &quoted, &ana).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
        assert_eq!(
            (&again.raw, again.header("location"), again.header("etag")),
            (&first.raw, first.header("location"), first.header("etag"))
        );

        let other = json!({ "fullName": "Eva Gil", "email": "eva@acme.test" });
        let mismatch = acme.write(Method::POST, "/v1/employees", &key, &other).await;
        assert_eq!(mismatch.problem(), (422, "idempotency_mismatch"));
        assert_eq!(acme.event_types().await, ["employee.created"]);

        let path = first.header("location").to_owned();
        let patch = json!({ "jobTitle": "Jefa" });
        let changed = acme.write(Method::PATCH, &path, &[("idempotency-key", "p")], &patch).await;
        let repeated = acme.write(Method::PATCH, &path, &[("idempotency-key", "p")], &patch).await;
        assert_eq!((repeated.header("idempotent-replayed"), &repeated.raw), ("true", &changed.raw));

        let second = orq.client_of(acme.company, orquiva_core::Scopes::all()).await;
        let own = second.write(Method::POST, "/v1/employees", &key, &other).await;
        assert_eq!(own.status, 201, "a key belongs to its client");

        orq.clock.advance(24 * 3_600_000 + 1);
        let late = acme.fresh_token().await;
        let mut acme = acme;
        acme.token = late;
        let after = acme
            .write(Method::POST, "/v1/employees", &key, &json!({ "fullName": "X", "email": "x@acme.test" }))
            .await;
        assert_eq!((after.status, after.header("idempotent-replayed")), (201, ""), "kept for 24 hours");
    })
    .await;
}

#[tokio::test]
async fn a_refused_write_leaves_its_key_free() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let key = [("idempotency-key", "k")];
        let bad = acme.write(Method::POST, "/v1/employees", &key, &json!({ "fullName": "Ana" })).await;
        assert_eq!(bad.status, 422);
        let good = acme
            .write(Method::POST, "/v1/employees", &key, &json!({ "fullName": "Ana", "email": "a@acme.test" }))
            .await;
        assert_eq!(good.status, 201);
    })
    .await;
}

#[tokio::test]
async fn two_at_once_under_one_key_are_carried_out_once() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test" });
        let key = [("idempotency-key", "k")];
        let hire = || acme.write(Method::POST, "/v1/employees", &key, &ana);
        let (a, b, c) = tokio::join!(hire(), hire(), hire());
        let mut statuses = [a.status, b.status, c.status];
        statuses.sort_unstable();
        assert!(
            statuses.contains(&201) && statuses.iter().all(|status| [201, 409].contains(status)),
            "{statuses:?}"
        );
        assert_eq!(acme.event_types().await, ["employee.created"]);
    })
    .await;
}

#[tokio::test]
async fn an_etag_keeps_stale_changes_out_and_makes_unchanged_reads_free() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = acme.hire("Ana Ruiz").await;
        let path = format!("/v1/employees/{id}");
        let etag = acme.get(&path).await.header("etag").to_owned();
        let change = |tag: &str, title: &str| {
            let (headers, body) = ([("if-match", tag.to_owned())], json!({ "jobTitle": title }));
            let (acme, path) = (&acme, &path);
            async move { acme.write(Method::PATCH, path, &[(headers[0].0, &headers[0].1)], &body).await }
        };
        let changed = change(&etag, "Jefa").await;
        assert_eq!(changed.status, 200);
        assert_ne!(changed.header("etag"), etag);
        assert_eq!(change(&etag, "Directora").await.problem(), (412, "precondition_failed"));
        assert_eq!(change("*", "Directora").await.status, 200);
        let stale = acme
            .request(Method::DELETE, &path)
            .header("if-match", &etag)
            .body(axum::body::Body::empty())
            .unwrap();
        assert_eq!(orq.send(stale).await.problem(), (412, "precondition_failed"));

        let etag = acme.get(&path).await.header("etag").to_owned();
        let before: u32 = acme.get(&path).await.header("x-ratelimit-remaining").parse().unwrap();
        for _ in 0..5 {
            let read = acme
                .request(Method::GET, &path)
                .header("if-none-match", &etag)
                .body(axum::body::Body::empty())
                .unwrap();
            let read = orq.send(read).await;
            assert_eq!((read.status, read.raw.len(), read.header("etag")), (304, 0, etag.as_str()));
        }
        let after: u32 = acme.get(&path).await.header("x-ratelimit-remaining").parse().unwrap();
        assert_eq!(after, before - 1, "a 304 costs nothing");
    })
    .await;
}

#[tokio::test]
async fn companies_never_see_each_other() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let receiver = crate::harness::Receiver::start().await;
        let id = acme.hire("Ana Ruiz").await;
        let webhook = acme.subscribe(&receiver, &["*"]).await["id"].as_str().unwrap().to_owned();
        let event = acme.events().await[0]["id"].as_str().unwrap().to_owned();
        for path in
            [format!("/v1/employees/{id}"), format!("/v1/webhooks/{webhook}"), format!("/v1/events/{event}")]
        {
            assert_eq!(acme.get(&path).await.status, 200, "{path}");
            assert_eq!(other.get(&path).await.problem(), (404, "not_found"), "{path}");
            if !path.contains("events") {
                assert_eq!(other.delete(&path).await.problem(), (404, "not_found"), "{path}");
            }
        }
        let patch = other.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": "x" })).await;
        assert_eq!(patch.problem(), (404, "not_found"));
        for path in ["/v1/employees", "/v1/webhooks", "/v1/events", "/v1/deliveries"] {
            assert_eq!(other.get(path).await.body["data"], json!([]), "{path}");
        }
        let heard = receiver.events().len();
        other.hire("Ana Ruiz").await;
        orq.work().await;
        assert_eq!(receiver.events().len(), heard, "another company's hire goes to nobody here");
    })
    .await;
}
