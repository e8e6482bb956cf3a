//! Lists: filters, search, order, picked fields, and pages that stay true while others write.

use serde_json::{Value, json};

use crate::harness::{Caller, on_both};

/// Hires someone with these fields beside an e-mail made of `name`; returns the id.
async fn hire(acme: &Caller<'_>, name: &str, more: Value) -> String {
    let local = orquiva_core::text::fold(name).replace([' ', '\''], ".");
    let mut body = json!({ "fullName": name, "email": format!("{local}@acme.test") });
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let hired = acme.post("/v1/employees", &body).await;
    assert_eq!(hired.status, 201, "{}", hired.body);
    hired.body["id"].as_str().unwrap().to_owned()
}

/// What a list shows under `field`, page after page.
async fn all(acme: &Caller<'_>, query: &str, field: &str) -> Vec<String> {
    let mut seen = Vec::new();
    let mut path = format!("/v1/employees?{query}");
    loop {
        let page = acme.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let data = page.body["data"].as_array().unwrap();
        seen.extend(data.iter().map(|one| one[field].as_str().unwrap_or("null").to_owned()));
        match page.header("link") {
            "" => return seen,
            link => {
                path = link
                    .strip_prefix("<https://api.orquiva.test")
                    .and_then(|link| link.strip_suffix(">; rel=\"next\""))
                    .unwrap()
                    .to_owned();
            }
        }
    }
}

#[tokio::test]
async fn people_are_found_by_the_beginnings_of_their_words() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        hire(&acme, "María-José Ñíguez O'Neill", json!({ "preferredName": "Pepa" })).await;
        hire(&acme, "Jose Maria 100%_Real", json!({ "email": "jm@acme.test" })).await;
        hire(&acme, "Łukasz Straße", json!({})).await;
        hire(&other, "Maria Elsewhere", json!({})).await;
        let found = async |q: &str| {
            let query: String = url_encoded(q);
            all(&acme, &format!("limit=1&q={query}"), "fullName").await
        };
        let (pepa, jose) = ("María-José Ñíguez O'Neill", "Jose Maria 100%_Real");
        for (q, expected) in [
            ("maria", vec![pepa, jose]),
            ("MARÍA jos", vec![pepa, jose]),
            ("pepa", vec![pepa]),
            ("nig", vec![pepa]),
            ("o'neill mar", vec![pepa]),
            ("100", vec![jose]),
            ("100%_r", vec![jose]),
            ("jm@acme.te", vec![jose]),
            ("łuk", vec!["Łukasz Straße"]),
            ("straße", vec!["Łukasz Straße"]),
            ("aria", vec![]),
            ("maria x", vec![]),
            ("%", vec!["-"]),
            ("@acme", vec![]),
            ("100_", vec![jose]),
            ("elsewhere", vec![]),
        ] {
            if expected == ["-"] {
                let refused = acme.get(&format!("/v1/employees?q={}", url_encoded(q))).await;
                assert_eq!(refused.faults(), [("q".to_owned(), "no_words".to_owned())]);
            } else {
                assert_eq!(found(q).await, expected, "{q}");
            }
        }
    })
    .await;
}

fn url_encoded(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

#[tokio::test]
async fn a_search_follows_new_names_and_forgets_who_left() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let id = acme.hire("Ana Ruiz").await;
        let path = format!("/v1/employees/{id}");
        let renamed = json!({ "fullName": "Ana Gil", "email": "ana.gil@acme.test" });
        assert_eq!(acme.patch(&path, &renamed).await.status, 200);
        for (q, found) in [("ruiz", 0), ("ana.ruiz@", 0), ("gil", 1), ("ana", 1), ("ana.gil@acme.test", 1)] {
            assert_eq!(all(&acme, &format!("q={q}"), "id").await.len(), found, "{q}");
        }
        assert_eq!(acme.patch(&path, &json!({ "jobTitle": "Jefa" })).await.status, 200);
        assert_eq!(all(&acme, "q=gil", "id").await, [id], "another change leaves the words");
        assert_eq!(acme.delete(&path).await.status, 204);
        assert!(all(&acme, "q=ana", "id").await.is_empty());
        acme.hire("Ana Gil").await;
        assert_eq!(all(&acme, "q=gil", "id").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn every_filter_narrows_and_several_values_widen() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "startDate": "2025-01-01", "employmentType": "full_time", "location": "Málaga",
                          "employeeNumber": "E,1", "department": "Ventas, España" });
        hire(&acme, "Ana", ana).await;
        let luis = json!({ "startDate": "2025-06-01", "employmentType": "intern", "location": "malaga",
                           "status": "on_leave", "external_refs": { "sap": "a:b,c" } });
        hire(&acme, "Luis", luis).await;
        orq.clock.advance(60_000);
        hire(&acme, "Eva", json!({ "startDate": "2027-01-01", "department": "Compras" })).await;
        let compras = acme.get("/v1/employees?q=eva").await.body["data"][0]["departmentId"].clone();
        let compras = compras.as_str().unwrap();
        for (query, expected) in [
            ("status=active", vec!["Ana"]),
            ("status=active,onboarding", vec!["Ana", "Eva"]),
            ("employmentType=intern,full_time", vec!["Ana", "Luis"]),
            ("location=M%C3%81LAGA", vec!["Ana", "Luis"]),
            ("employeeNumber=E,1", vec!["Ana"]),
            ("department=ventas,%20espana", vec!["Ana"]),
            (&format!("departmentId={compras}"), vec!["Eva"]),
            ("email=EVA@acme.test,luis@acme.test,x@acme.test", vec!["Luis", "Eva"]),
            ("externalRef=sap:a:b,c", vec!["Luis"]),
            ("startedFrom=2025-06-01", vec!["Luis", "Eva"]),
            ("startedTo=2025-06-01", vec!["Ana", "Luis"]),
            ("startedFrom=2025-02-01&startedTo=2026-01-01", vec!["Luis"]),
            ("createdSince=2026-01-01T00:00:01Z", vec!["Eva"]),
            ("updatedSince=2026-01-01T01:01:00%2B01:00", vec!["Eva"]),
            ("location=malaga&status=on_leave&q=l", vec!["Luis"]),
        ] {
            assert_eq!(all(&acme, &format!("limit=1&{query}"), "fullName").await, expected, "{query}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_wrong_parameter_is_named_with_what_would_be_right() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let long = "a".repeat(201);
        let many = vec!["active"; 51].join(",");
        for (query, pointer, code) in [
            ("satus=active", "satus", "unknown_field"),
            ("status=active,gone", "status", "not_allowed"),
            ("status=active&status=on_leave", "status", "repeated"),
            (&format!("status={many}"), "status", "too_many"),
            ("departmentId=dep_1", "departmentId", "invalid_id"),
            ("email=nobody", "email", "invalid_email"),
            ("startedFrom=2026-02-30", "startedFrom", "invalid_date"),
            ("updatedSince=2026-01-01", "updatedSince", "invalid_time"),
            ("createdSince=yesterday", "createdSince", "invalid_time"),
            ("externalRef=sap", "externalRef", "wrong_type"),
            ("sort=name", "sort", "not_allowed"),
            ("sort=--id", "sort", "not_allowed"),
            ("limit=0", "limit", "out_of_range"),
            ("limit=201", "limit", "out_of_range"),
            ("q=%F0%9F%8C%BB", "q", "no_words"),
            ("q=a+b+c+d+e+f+g+h+i", "q", "too_many"),
            (&format!("q={long}"), "q", "too_long"),
            ("fields=fullname", "fields", "unknown_field"),
            ("fields=id,,email", "fields", "unknown_field"),
        ] {
            let refused = acme.get(&format!("/v1/employees?{query}")).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter"), "{query}");
            assert_eq!(refused.faults(), [(pointer.to_owned(), code.to_owned())], "{query}");
        }
        let near = acme.get("/v1/employees?fields=fullname").await;
        assert!(near.body["errors"][0]["detail"].as_str().unwrap().contains("fullName"), "{}", near.body);
        let cursor = acme.get("/v1/employees?cursor=AAAA").await;
        assert_eq!(cursor.problem(), (400, "invalid_cursor"));
    })
    .await;
}

#[tokio::test]
async fn only_the_picked_fields_are_shown_and_the_next_page_picks_the_same() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (ana, eva) = (acme.hire("Ana").await, acme.hire("Eva").await);
        let page = acme.get("/v1/employees?fields=email,fullName&limit=1&sort=-fullName").await;
        let expected = json!([{ "id": eva, "fullName": "Eva", "email": "eva@acme.test" }]);
        assert_eq!(page.body["data"], expected, "in the order of the resource, with the id");
        let link = page.header("link").to_owned();
        assert!(link.contains("fields=email%2CfullName") && link.contains("sort=-fullName"), "{link}");
        assert_eq!(all(&acme, "fields=email&limit=1", "email").await, ["ana@acme.test", "eva@acme.test"]);
        let one = acme.get(&format!("/v1/employees/{ana}?fields=status")).await;
        assert_eq!(one.body, json!({ "id": ana, "status": "active" }));
    })
    .await;
}

#[tokio::test]
async fn every_order_is_kept_over_pages_while_others_write() {
    on_both(async |orq| {
        for sort in ["id", "fullName", "startDate", "createdAt", "updatedAt"] {
            for sort in [sort.to_owned(), format!("-{sort}")] {
                let acme = orq.company(&format!("acme {sort}")).await;
                assert_paging(&acme, &sort).await;
            }
        }
    })
    .await;
}

/// Reads a list page by page, with someone hired, someone removed and someone changed between each two: those who
/// stood still are seen once each, in order.
async fn assert_paging(acme: &Caller<'_>, sort: &str) {
    let days = [json!(null), json!("2025-01-01"), json!("2024-12-31"), json!(null), json!("2025-01-01")];
    let mut still = Vec::new();
    for number in 0..15_usize {
        let name = ["Zoe", "álvaro", "Ángel", "bea", "Bea"][number % 5];
        let day = json!({ "startDate": days[number % 5], "email": format!("still{number}@acme.test") });
        still.push(hire(acme, name, day).await);
        acme.orq.clock.advance(if number % 3 == 0 { 0 } else { 1 });
    }
    let mut moving = Vec::new();
    for number in 0..15 {
        moving.push(hire(acme, &format!("M{number}"), json!({ "startDate": "2025-01-01" })).await);
    }
    let path = format!("/v1/employees?sort={sort}&limit=4");
    let mut seen = Vec::new();
    let mut cursor = String::new();
    for round in 0.. {
        let page = acme.get(&format!("{path}{cursor}")).await;
        assert_eq!(page.status, 200, "{}", page.body);
        seen.extend(page.body["data"].as_array().unwrap().clone());
        let Some(next) = page.body["nextCursor"].as_str() else { break };
        cursor = format!("&cursor={next}");
        let last = seen.last().unwrap()["id"].as_str().unwrap().to_owned();
        let gone = if moving.contains(&last) { last } else { moving[0].clone() };
        moving.retain(|id| *id != gone);
        assert_eq!(
            acme.delete(&format!("/v1/employees/{gone}")).await.status,
            204,
            "who the cursor stands on"
        );
        hire(acme, ["Aaa", "Mmm", "Zzz"][round % 3], json!({ "email": format!("new{round}@acme.test") }))
            .await;
        let changed = format!("/v1/employees/{}", moving[round % moving.len()]);
        let patch = json!({ "fullName": format!("Renamed {round}"), "startDate": "2023-01-01" });
        assert_eq!(acme.patch(&changed, &patch).await.status, 200);
        if round > 12 {
            break; // in the order of changes, one list may be led on for ever
        }
    }
    let key = |one: &Value| match sort.trim_start_matches('-') {
        "fullName" => orquiva_core::text::fold(one["fullName"].as_str().unwrap()),
        by => one[by].as_str().unwrap_or_default().to_owned(),
    };
    let stood: Vec<_> =
        seen.iter().filter(|one| still.contains(&one["id"].as_str().unwrap().to_owned())).collect();
    let mut expected: Vec<_> = stood.iter().map(|one| (key(one), one["id"].clone().to_string())).collect();
    let shown = expected.clone();
    expected.sort();
    expected.dedup();
    if sort.starts_with('-') {
        expected.reverse();
    }
    assert_eq!(shown, expected, "{sort}");
    assert_eq!(shown.len(), still.len(), "{sort}: nobody twice, nobody missing");
}

#[tokio::test]
async fn a_cursor_serves_its_own_list_only() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        acme.hire("Ana").await;
        acme.hire("Eva").await;
        let page = acme.get("/v1/employees?limit=1&sort=fullName&status=active").await;
        let cursor = page.body["nextCursor"].as_str().unwrap().to_owned();
        let next = async |caller: &Caller<'_>, query: &str| {
            caller.get(&format!("/v1/employees?{query}&cursor={cursor}")).await
        };
        let own = next(&acme, "status=active&sort=fullName&limit=200&fields=email").await;
        assert_eq!(own.body["data"][0]["email"], "eva@acme.test", "limit and fields may change");
        for query in [
            "sort=fullName",
            "status=active",
            "sort=-fullName&status=active",
            "status=on_leave&sort=fullName",
        ] {
            assert_eq!(next(&acme, query).await.problem(), (400, "invalid_cursor"), "{query}");
        }
        let foreign = next(&other, "sort=fullName&status=active").await;
        assert_eq!(foreign.problem(), (400, "invalid_cursor"));
        let link = page.header("link");
        assert!(link.contains("status=active") && link.contains("sort=fullName") && link.contains("limit=1"));
    })
    .await;
}

#[tokio::test]
async fn what_changed_since_is_told_in_the_order_of_the_changes() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let mut people = Vec::new();
        for name in ["Ana", "Eva", "Luis", "Zoe"] {
            people.push(acme.hire(name).await);
            orq.clock.advance(1_000);
        }
        for (at, title) in [(2, "a"), (0, "b")] {
            let path = format!("/v1/employees/{}", people[at]);
            assert_eq!(acme.patch(&path, &json!({ "jobTitle": title })).await.status, 200);
            orq.clock.advance(1_000);
        }
        let since = |second: u32| format!("limit=1&updatedSince=2026-01-01T00:00:0{second}Z");
        assert_eq!(all(&acme, &since(3), "fullName").await, ["Zoe", "Luis", "Ana"]);
        assert_eq!(all(&acme, &since(4), "fullName").await, ["Luis", "Ana"]);
        assert_eq!(all(&acme, &since(6), "fullName").await, Vec::<String>::new());
        assert_eq!(all(&acme, &format!("{}&sort=id", since(3)), "fullName").await, ["Ana", "Luis", "Zoe"]);
        // Who changes while a list is read comes again, at its end.
        let page = acme.get(&format!("/v1/employees?{}", since(4))).await;
        let path = format!("/v1/employees/{}", people[2]);
        assert_eq!(acme.patch(&path, &json!({ "jobTitle": "c" })).await.status, 200);
        let next = format!("{}&cursor={}", since(4), page.body["nextCursor"].as_str().unwrap());
        assert_eq!(all(&acme, &next, "fullName").await, ["Ana", "Luis"]);
    })
    .await;
}

#[tokio::test]
async fn each_picked_field_is_what_the_whole_shows_and_the_hidden_ones_are_named() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let boss = acme.hire("Boss").await;
        let sent = json!({
            "firstName": "Ana", "lastName": "Ruiz", "secondLastName": "Gil", "preferredName": "Anita", "managerId": boss,
            "email": "ana@acme.test", "phone": "+34600123456", "employeeNumber": "E1", "startDate": "2025-01-01",
            "jobTitle": "Jefa", "employmentType": "intern", "location": "Madrid", "department": "Ventas",
            "external_refs": { "sap": "1" }, "personalEmail": "ana@home.test", "birthDate": "1990-01-01",
            "gender": "female", "nationality": "ES",
        });
        let whole = acme.post("/v1/employees", &sent).await.body;
        let path = format!("/v1/employees/{}", whole["id"].as_str().unwrap());
        for (name, value) in whole.as_object().unwrap() {
            let one = acme.get(&format!("{path}?fields={name}")).await;
            assert_eq!(&one.body[name], value, "{name}");
            assert_eq!(one.body.as_object().unwrap().len(), if name == "id" { 1 } else { 2 }, "{name}");
            let page = acme.get(&format!("/v1/employees?q=ana&fields={name}")).await;
            assert_eq!(page.body["data"], json!([one.body]), "{name}");
        }
        let every = whole.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(",");
        assert_eq!(acme.get(&format!("{path}?fields={every}")).await.body, whole);

        let plain = orq.client_of(acme.company, orquiva_core::Scopes::parse("employees:read").unwrap()).await;
        let hidden = json!([{ "field": "birthDate", "scope": "employees.sensitive:read" }]);
        let one = plain.get(&format!("{path}?fields=birthDate,email")).await.body;
        assert_eq!((&one["_meta"]["redacted"], one.get("birthDate")), (&hidden, None));
        let page = plain.get("/v1/employees?q=ana&fields=birthDate,email").await.body;
        assert_eq!((&page["_meta"]["redacted"], page["data"][0].get("birthDate")), (&hidden, None));
        assert_eq!(plain.get(&format!("{path}?fields=email")).await.body.get("_meta"), None);
        let page = plain.get("/v1/employees").await.body;
        assert_eq!(page["_meta"]["redacted"].as_array().unwrap().len(), 6);
    })
    .await;
}

#[tokio::test]
async fn managers_and_departments_are_shown_beside_on_demand() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let boss = acme.hire("Boss").await;
        let more = json!({ "managerId": boss, "department": "Ventas" });
        let ana = hire(&acme, "Ana", more.clone()).await;
        hire(&acme, "Eva", more).await;
        let department = acme.get(&format!("/v1/employees/{ana}")).await.body["departmentId"].clone();
        let details = json!({ "id": department, "name": "Ventas", "code": null, "parentId": null });
        let manager = json!({ "id": boss, "fullName": "Boss", "email": "boss@acme.test" });

        let page =
            acme.get("/v1/employees?expand=manager,department&fields=department&sort=fullName").await.body;
        let data = page["data"].as_array().unwrap();
        assert_eq!(
            data[0],
            json!({ "id": ana, "department": "Ventas", "manager": manager, "departmentDetails": details })
        );
        assert_eq!((&data[1]["manager"], &data[1]["departmentDetails"]), (&Value::Null, &Value::Null));
        assert_eq!(data[2]["manager"], manager);

        let path = format!("/v1/employees/{ana}?expand=manager");
        let one = acme.get(&path).await;
        assert_eq!((&one.body["manager"], one.body.get("departmentDetails")), (&manager, None));
        let renamed = acme.patch(&format!("/v1/employees/{boss}"), &json!({ "fullName": "Big Boss" })).await;
        assert_eq!(renamed.status, 200);
        let request = acme.request(http::Method::GET, &path).header("if-none-match", one.header("etag"));
        let again = orq.send(request.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((again.status, &again.body["manager"]["fullName"]), (200, &json!("Big Boss")));

        let found = all(&acme, &format!("managerId={boss},{ana}&limit=1"), "fullName").await;
        assert_eq!(found, ["Ana", "Eva"]);
        let refused = acme.get("/v1/employees?expand=manager,company").await;
        assert_eq!(refused.faults(), [("expand".to_owned(), "not_allowed".to_owned())]);
        let plain = orq.client_of(acme.company, orquiva_core::Scopes::parse("employees:read").unwrap()).await;
        let refused = plain.get("/v1/employees?expand=department").await;
        assert_eq!(refused.problem(), (403, "insufficient_scope"));
        assert_eq!(plain.get("/v1/employees?expand=manager").await.status, 200);
    })
    .await;
}
