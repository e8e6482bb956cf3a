//! Departments: create, look, list, change, remove, and what that means for the people in them.

use std::collections::BTreeMap;

use http::Method;
use orquiva::operator;
use orquiva_core::{Plan, Scope};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, on_both, send};

impl Caller<'_> {
    /// Creates a department and returns it.
    pub(crate) async fn department(&self, body: Value) -> Value {
        let created = self.post("/v1/departments", &body).await;
        assert_eq!(created.status, 201, "{}", created.body);
        created.body
    }

    /// Hires someone into a department and returns the id.
    async fn hire_into(&self, name: &str, department: &str) -> String {
        let body =
            json!({ "fullName": name, "email": format!("{name}@acme.test"), "department": department });
        let hired = self.post("/v1/employees", &body).await;
        assert_eq!(hired.status, 201, "{}", hired.body);
        text(&hired.body["id"])
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

fn path(department: &Value) -> String {
    format!("/v1/departments/{}", department["id"].as_str().unwrap())
}

fn names(list: &Answer) -> Vec<&str> {
    list.body["data"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

fn faults(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.problem(), (422, "invalid_fields"), "{}", answer.body);
    answer.faults()
}

fn fault(pointer: &str, code: &str) -> Vec<(String, String)> {
    vec![(pointer.to_owned(), code.to_owned())]
}

/// What the event log makes of all resources, by id: the last `data` of each that was not deleted.
async fn copy(acme: &Caller<'_>) -> BTreeMap<String, Value> {
    let mut copy = BTreeMap::new();
    acme.orq.work().await;
    let mut after = json!(0);
    loop {
        let page = acme.get(&format!("/v1/events?limit=200&after={after}")).await.body;
        for event in page["data"].as_array().unwrap() {
            let id = text(&event["data"]["id"]);
            match event["type"].as_str().unwrap().ends_with(".deleted") {
                true => copy.remove(&id),
                false => copy.insert(id, event["data"].clone()),
            };
        }
        after = page["nextAfter"].clone();
        if page["hasMore"] == json!(false) {
            return copy;
        }
    }
}

/// Every employee and department as the API lists them, by id.
async fn shown(acme: &Caller<'_>) -> BTreeMap<String, Value> {
    let mut shown = BTreeMap::new();
    for list in ["/v1/employees", "/v1/departments"] {
        let mut path = format!("{list}?limit=200");
        loop {
            let page = acme.get(&path).await.body;
            let found = page["data"].as_array().unwrap().iter();
            shown.extend(found.map(|one| (text(&one["id"]), one.clone())));
            let Some(next) = page["nextCursor"].as_str() else { break };
            path = format!("{list}?limit=200&cursor={next}");
        }
    }
    shown
}

#[tokio::test]
async fn a_department_is_created_shown_changed_and_removed_and_each_is_announced() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = acme.hire("Ana Ruiz").await;
        let sales = acme.department(json!({ "name": " Ventas ", "code": "V" })).await;
        let body = json!({ "name": "Ventas Norte", "parentId": sales["id"], "leadIds": [ana] });
        let created = acme.post("/v1/departments", &body).await;
        let north = &created.body;
        assert_eq!((created.status, created.header("location")), (201, path(north).as_str()));
        assert_eq!(created.header("etag"), "\"1\"");
        let expected = json!({
            "id": north["id"], "name": "Ventas Norte", "code": null, "parentId": sales["id"], "leadIds": [ana],
            "version": 1, "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        });
        assert_eq!(north, &expected);
        assert_eq!(&acme.get(&path(north)).await.body, north);

        orq.clock.advance(1_000);
        let patch = json!({ "code": "VN", "leadIds": null });
        let changed = acme.patch(&path(north), &patch).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""), "{}", changed.body);
        assert_eq!((&changed.body["code"], &changed.body["leadIds"]), (&json!("VN"), &json!([])));
        assert_eq!(changed.body["updatedAt"], "2026-01-01T00:00:01.000Z");
        let same = acme.patch(&path(north), &patch).await;
        assert_eq!(same.body, changed.body, "the same again changes nothing");

        let removed = acme.delete(&path(north)).await;
        assert_eq!((removed.status, removed.raw.len()), (204, 0));
        for gone in [acme.get(&path(north)).await, acme.delete(&path(north)).await] {
            assert_eq!(gone.problem(), (404, "not_found"));
        }
        acme.department(json!({ "name": "ventas norte", "code": "VN" })).await; // name and code are free again

        let events = acme.events().await;
        let types: Vec<_> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected = [
            "employee.created", "department.created", "department.created", "department.updated",
            "department.deleted", "department.created",
        ];
        assert_eq!(types, expected);
        assert_eq!(events[2]["data"], *north);
        assert_eq!(events[3]["data"], changed.body);
        assert_eq!(events[3]["changed"], json!(["code", "leadIds"]));
        assert_eq!(events[3]["previous"], json!({ "code": null, "leadIds": [ana] }));
        assert_eq!(events[4]["data"], changed.body, "with all that was known");
        assert_eq!(copy(&acme).await, shown(&acme).await);
    })
    .await;
}

#[tokio::test]
async fn departments_are_listed_narrowed_and_paged() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let top = acme.department(json!({ "name": "Ingeniería", "code": "I" })).await;
        for name in ["Datos", "Web", "Móvil"] {
            acme.department(json!({ "name": name, "parentId": top["id"] })).await;
        }
        acme.hire_into("eva", "Compras").await;
        assert_eq!(
            names(&acme.get("/v1/departments").await),
            ["Ingeniería", "Datos", "Web", "Móvil", "Compras"]
        );
        for (query, expected) in [
            ("name=INGENIERIA", vec!["Ingeniería"]),
            ("code=I", vec!["Ingeniería"]),
            ("code=i", vec![]),
            ("name=Ingenieria&code=X", vec![]),
            (&format!("parentId={}", top["id"].as_str().unwrap()), vec!["Datos", "Web", "Móvil"]),
        ] {
            assert_eq!(names(&acme.get(&format!("/v1/departments?{query}")).await), expected, "{query}");
        }
        let first = acme.get("/v1/departments?limit=2").await;
        let next = first.body["nextCursor"].as_str().unwrap();
        assert!(first.header("link").contains("/v1/departments?limit=2&cursor="));
        let second = acme.get(&format!("/departments?limit=3&cursor={next}")).await;
        assert_eq!(names(&second), ["Web", "Móvil", "Compras"]);
        assert_eq!((&second.body["hasMore"], &second.body["nextCursor"]), (&json!(false), &Value::Null));
        let elsewhere = acme.get(&format!("/v1/departments?name=web&cursor={next}")).await;
        assert_eq!(elsewhere.problem(), (400, "invalid_cursor"));
        assert_eq!(other.get("/v1/departments").await.body["data"], json!([]));
        for answer in [
            other.get(&path(&top)).await,
            other.delete(&path(&top)).await,
            other.patch(&path(&top), &json!({ "code": "Z" })).await,
        ] {
            assert_eq!(answer.problem(), (404, "not_found"));
        }
    })
    .await;
}

#[tokio::test]
async fn bad_departments_are_refused_field_by_field_and_nothing_is_stored() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let foreign = other.department(json!({ "name": "Ventas" })).await;
        let foreigner = other.hire("Ana Ruiz").await;
        let sales = acme.department(json!({ "name": "Ventas", "code": "V" })).await;
        let gone = acme.hire("Eva Gil").await;
        acme.delete(&format!("/v1/employees/{gone}")).await;
        let before = (acme.events().await.len(), shown(&acme).await);
        for (body, pointer, code) in [
            (json!({}), "/name", "required"),
            (json!({ "name": null }), "/name", "required"),
            (json!({ "name": "  " }), "/name", "empty"),
            (json!({ "name": 7 }), "/name", "wrong_type"),
            (json!({ "name": "a\nb" }), "/name", "control_character"),
            (json!({ "name": "x".repeat(101) }), "/name", "too_long"),
            (json!({ "name": "X", "code": "x".repeat(65) }), "/code", "too_long"),
            (json!({ "name": "X", "parentId": "dep_1" }), "/parentId", "invalid_id"),
            (json!({ "name": "X", "parentId": foreign["id"] }), "/parentId", "unknown_department"),
            (json!({ "name": "X", "leadIds": "emp_1" }), "/leadIds", "wrong_type"),
            (json!({ "name": "X", "leadIds": ["emp_1"] }), "/leadIds/0", "invalid_id"),
            (json!({ "name": "X", "leadIds": [foreigner] }), "/leadIds/0", "unknown_employee"),
            (json!({ "name": "X", "leadIds": [gone] }), "/leadIds/0", "unknown_employee"),
            (json!({ "name": "X", "leadIds": [gone, gone] }), "/leadIds/1", "repeated"),
            (json!({ "name": "X", "leadIds": vec![gone.clone(); 21] }), "/leadIds", "too_many"),
            (json!({ "name": "X", "parent": "V" }), "/parent", "unknown_field"),
            (json!({ "name": "X", "version": 2 }), "/version", "read_only"),
        ] {
            let refused = acme.post("/v1/departments", &body).await;
            assert_eq!(faults(&refused), fault(pointer, code), "{body}");
        }
        for (patch, pointer, code) in [
            (json!({ "name": null }), "/name", "required"),
            (json!({ "id": "dep_1" }), "/id", "read_only"),
            (json!({ "nmae": "X" }), "/nmae", "unknown_field"),
            (json!({ "parentId": sales["id"] }), "/parentId", "department_cycle"),
            (json!({ "leadIds": [gone] }), "/leadIds/0", "unknown_employee"),
            (json!([]), "", "wrong_type"),
        ] {
            let refused = acme.patch(&path(&sales), &patch).await;
            assert_eq!(faults(&refused), fault(pointer, code), "{patch}");
        }
        for (body, pointer) in
            [(json!({ "name": "VÉNTAS" }), "/name"), (json!({ "name": "X", "code": "V" }), "/code")]
        {
            let taken = acme.post("/v1/departments", &body).await;
            assert_eq!(taken.problem(), (409, "conflict"));
            assert_eq!(taken.faults(), fault(pointer, "taken"));
        }
        for (query, code) in [
            ("parentId=7", "invalid_id"),
            ("name=a%00", "control_character"),
            ("q=x", "unknown_field"),
            ("limit=0", "out_of_range"),
        ] {
            let refused = acme.get(&format!("/v1/departments?{query}")).await;
            assert_eq!(
                (refused.problem(), refused.faults()[0].1.as_str()),
                ((400, "invalid_parameter"), code)
            );
        }
        for id in ["dep_1", "%00", "emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B"] {
            assert_eq!(acme.get(&format!("/v1/departments/{id}")).await.problem(), (404, "not_found"));
        }
        assert_eq!((acme.events().await.len(), shown(&acme).await), before);
    })
    .await;
}

#[tokio::test]
async fn scopes_keys_and_etags_hold_for_departments_too() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let reader = orq.client_of(acme.company, [Scope::DepartmentsRead].into_iter().collect()).await;
        let writer = orq.client_of(acme.company, [Scope::DepartmentsWrite].into_iter().collect()).await;
        let body = json!({ "name": "Ventas" });
        assert_eq!(reader.post("/v1/departments", &body).await.problem(), (403, "insufficient_scope"));
        assert_eq!(writer.get("/v1/departments").await.problem(), (403, "insufficient_scope"));
        let key = [("idempotency-key", "k")];
        let first = writer.write(Method::POST, "/v1/departments", &key, &body).await;
        let again = writer.write(Method::POST, "/v1/departments", &key, &body).await;
        assert_eq!((again.status, again.header("idempotent-replayed")), (201, "true"));
        assert_eq!(again.raw, first.raw);

        let place = path(&first.body);
        assert_eq!(reader.delete(&place).await.problem(), (403, "insufficient_scope"));
        let stale = [("if-match", "\"2\"")];
        let refused = writer.write(Method::PATCH, &place, &stale, &json!({ "code": "V" })).await;
        assert_eq!(refused.problem(), (412, "precondition_failed"));
        let refused = writer.write(Method::DELETE, &place, &stale, &json!(null)).await;
        assert_eq!(refused.problem(), (412, "precondition_failed"));
        let good =
            writer.write(Method::PATCH, &place, &[("if-match", "\"1\"")], &json!({ "code": "V" })).await;
        assert_eq!((good.status, good.header("etag")), (200, "\"2\""));
        let known = reader.request(Method::GET, &place).header("if-none-match", "\"2\"");
        let known = orq.send(known.body(axum::body::Body::empty()).unwrap()).await;
        assert_eq!((known.status, known.raw.len(), known.header("etag")), (304, 0, "\"2\""));
    })
    .await;
}

#[tokio::test]
async fn a_rename_reaches_everyone_in_the_department_and_nobody_else() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = acme.hire_into("ana", "Ventas").await;
        let eva = acme.hire_into("eva", "Compras").await;
        let hires = (0..620).map(|number| {
            let body = json!({ "fullName": format!("P {number}"), "email": format!("p{number}@acme.test"), "department": "ventas" });
            async { (acme.post("/v1/employees", &{ body }).await.status, 201) }
        });
        assert!(futures_util::future::join_all(hires).await.iter().all(|(status, expected)| status == expected));
        let sales = acme.get("/v1/departments?name=ventas").await.body["data"][0].clone();
        let etag = acme.get(&format!("/v1/employees/{ana}")).await.header("etag").to_owned();
        let so_far = copy(&acme).await;
        let last = acme.get("/v1/events?after=620&limit=200").await.body["nextAfter"].clone();

        orq.clock.advance(5_000);
        let renamed = acme.patch(&path(&sales), &json!({ "name": "Comercial" })).await;
        assert_eq!((renamed.status, &renamed.body["version"]), (200, &json!(2)), "{}", renamed.body);
        let ana = acme.get(&format!("/v1/employees/{ana}")).await;
        assert_ne!(ana.header("etag"), etag);
        assert_eq!((&ana.body["department"], &ana.body["version"]), (&json!("Comercial"), &json!(2)));
        assert_eq!(ana.body["updatedAt"], "2026-01-01T00:00:05.000Z");
        assert_eq!(acme.get(&format!("/v1/employees/{eva}")).await.body, so_far[&eva]);

        orq.work().await;
        let told = acme.get(&format!("/v1/events?after={last}&limit=2")).await.body["data"].clone();
        assert_eq!((&told[0]["type"], &told[0]["changed"]), (&json!("department.updated"), &json!(["name"])));
        assert_eq!(told[0]["previous"], json!({ "name": "Ventas" }));
        assert_eq!((&told[1]["type"], &told[1]["changed"]), (&json!("employee.updated"), &json!(["department"])));
        assert_eq!((&told[1]["previous"], &told[1]["data"]), (&json!({ "department": "Ventas" }), &ana.body));
        let end = acme.get(&format!("/v1/events?after={}", last.as_i64().unwrap() + 1 + 621)).await;
        assert_eq!(end.body["data"], json!([]), "one event a person");
        assert_eq!(copy(&acme).await, shown(&acme).await, "a copy made of events is exact");

        let case = acme.patch(&path(&sales), &json!({ "name": "COMERCIAL" })).await;
        assert_eq!((case.status, &case.body["name"]), (200, &json!("COMERCIAL")), "its own name is not taken");
        let taken = acme.patch(&path(&sales), &json!({ "name": "cómpras" })).await;
        assert_eq!((taken.problem(), taken.faults()), ((409, "conflict"), fault("/name", "taken")));
        assert_eq!(copy(&acme).await, shown(&acme).await, "a refused rename told nobody");
    })
    .await;
}

#[tokio::test]
async fn a_department_in_use_goes_only_if_another_takes_its_place() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let top = acme.department(json!({ "name": "Dirección" })).await;
        let sales = acme.department(json!({ "name": "Ventas", "parentId": top["id"] })).await;
        let north = acme.department(json!({ "name": "Norte", "parentId": sales["id"] })).await;
        let port = acme.department(json!({ "name": "Puerto", "parentId": north["id"] })).await;
        let south = acme.department(json!({ "name": "Sur", "parentId": sales["id"] })).await;
        let ana = acme.hire_into("ana", "ventas").await;
        acme.hire_into("luis", "ventas").await;
        acme.hire_into("eva", "puerto").await;
        let place = path(&sales);

        let refused = acme.delete(&place).await;
        assert_eq!(refused.problem(), (409, "department_in_use"));
        let detail = "2 people are in it, and 2 departments stand directly under it. Add `?replaceWith=dep_…` to move them to another department.";
        assert_eq!(refused.body["detail"], detail);
        assert_eq!(acme.delete(&path(&south)).await.status, 204, "nobody is in it");
        for (replacement, code) in [
            ("Puerto", "invalid_id"),
            (sales["id"].as_str().unwrap(), "same_department"),
            (south["id"].as_str().unwrap(), "unknown_department"),
        ] {
            let refused = acme.delete(&format!("{place}?replaceWith={replacement}")).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter"));
            assert_eq!(refused.faults(), fault("replaceWith", code));
        }
        assert_eq!(copy(&acme).await, shown(&acme).await);

        // The replacement stands two levels below what it replaces.
        let replacing = format!("{place}?replaceWith={}", port["id"].as_str().unwrap());
        let before = acme.event_types().await.len();
        assert_eq!(acme.delete(&replacing).await.status, 204);
        let all = shown(&acme).await;
        let parent = |department: &Value| all[department["id"].as_str().unwrap()]["parentId"].clone();
        assert_eq!(parent(&port), top["id"], "it moves up into the place");
        assert_eq!(parent(&north), port["id"], "and takes in what stood there");
        assert_eq!(all[&ana]["department"], "Puerto");
        assert_eq!(all[&ana]["departmentId"], port["id"]);
        assert_eq!(copy(&acme).await, all);
        let told = acme.events().await.split_off(before);
        let types: Vec<_> = told.iter().map(|event| event["type"].as_str().unwrap()).collect();
        let expected = ["department.updated", "department.updated", "employee.updated", "employee.updated", "department.deleted"];
        assert_eq!(types, expected);
        assert_eq!(told[2]["changed"], json!(["department", "departmentId"]));
        assert_eq!(told[2]["previous"], json!({ "department": "Ventas", "departmentId": sales["id"] }));
        acme.hire_into("nora", "Ventas").await; // the name of the dead one makes a new one
        assert_ne!(acme.get("/v1/departments?name=ventas").await.body["data"][0]["id"], sales["id"]);
    })
    .await;
}

#[tokio::test]
async fn who_is_removed_leads_nothing_any_more() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (ana, eva) = (acme.hire("Ana Ruiz").await, acme.hire("Eva Gil").await);
        let sales = acme.department(json!({ "name": "Ventas", "leadIds": [ana, eva] })).await;
        let north = acme.department(json!({ "name": "Norte", "leadIds": [ana] })).await;
        acme.patch(&path(&north), &json!({ "leadIds": [eva] })).await;
        acme.delete(&format!("/v1/employees/{ana}")).await;
        let left = acme.get(&path(&sales)).await;
        assert_eq!((&left.body["leadIds"], left.header("etag")), (&json!([eva]), "\"2\""));
        assert_eq!(acme.get(&path(&north)).await.body["version"], 2, "it was none of hers by then");
        assert_eq!(copy(&acme).await, shown(&acme).await);
        acme.delete(&format!("/v1/employees/{eva}")).await;
        assert_eq!(acme.get(&path(&north)).await.body["leadIds"], json!([]));
        assert_eq!(copy(&acme).await, shown(&acme).await);
    })
    .await;
}

#[tokio::test]
async fn a_company_may_close_its_departments() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Enterprise, orquiva_core::Scopes::all()).await;
        let ana = acme.hire_into("ana", "Ventas").await;
        acme.hire_into("eva", "Ventas Norte").await;
        let updated = operator::close_departments(&orq.base, acme.company, true).await.unwrap();
        assert!(updated.closed_departments);
        let hire = |department: &str| json!({ "fullName": "X", "email": "x@acme.test", "department": department });
        let refused = acme.post("/v1/employees", &hire("Vetnas")).await;
        assert_eq!(faults(&refused), fault("/department", "unknown_department"));
        let near = "There is no department of this name, and this company creates them at /v1/departments only. The nearest: Ventas.";
        assert_eq!(refused.body["errors"][0]["detail"], near);
        let refused = acme.patch(&format!("/v1/employees/{ana}"), &json!({ "department": "Legal" })).await;
        assert_eq!(faults(&refused), fault("/department", "unknown_department"));
        let nothing_near = "There is no department of this name, and this company creates them at /v1/departments only.";
        assert_eq!(refused.body["errors"][0]["detail"], nothing_near);
        assert_eq!(names(&acme.get("/v1/departments").await), ["Ventas", "Ventas Norte"]);

        assert_eq!(acme.post("/v1/employees", &hire("VENTAS")).await.status, 201, "a known one is open");
        acme.department(json!({ "name": "Legal" })).await;
        acme.hire_into("nora", "legal").await;
        operator::close_departments(&orq.base, acme.company, false).await.unwrap();
        acme.hire_into("olga", "Calidad").await;
    })
    .await;
}

#[tokio::test]
async fn two_nodes_at_once_keep_the_tree_a_tree_and_every_copy_exact() {
    on_both(async |orq| {
        let (acme, node) = (orq.company("acme").await, orq.another_node().await);
        let (sales, north) = (
            acme.department(json!({ "name": "Ventas" })).await,
            acme.department(json!({ "name": "Norte" })).await,
        );
        let there = |method, path: &str, body: Value| send(&node, acme.written(method, path, &[], &body));
        for round in 0..15 {
            let (under_north, under_sales) =
                (json!({ "parentId": north["id"] }), json!({ "parentId": sales["id"] }));
            let (sales_path, north_path) = (path(&sales), path(&north));
            let (one, two) = tokio::join!(
                acme.patch(&sales_path, &under_north),
                there(Method::PATCH, &north_path, under_sales),
            );
            let mut statuses = [one.status, two.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 422], "one of them closes the circle");
            for department in [&sales, &north] {
                acme.patch(&path(department), &json!({ "parentId": null })).await;
            }

            let name = json!({ "name": format!("Ventas {round}") });
            let hires = (0..4).map(|number| {
                let email = format!("p{round}.{number}@acme.test");
                there(
                    Method::POST,
                    "/v1/employees",
                    json!({ "fullName": "P", "email": email, "departmentId": sales["id"] }),
                )
            });
            let (renamed, hired) =
                tokio::join!(acme.patch(&sales_path, &name), futures_util::future::join_all(hires));
            assert_eq!(renamed.status, 200, "{}", renamed.body);
            assert!(hired.iter().all(|answer| answer.status == 201));
        }
        let replacing = format!("{}?replaceWith={}", path(&sales), north["id"].as_str().unwrap());
        let into_the_dead = json!({ "fullName": "P", "email": "p@acme.test", "departmentId": sales["id"] });
        let (removed, hired) =
            tokio::join!(acme.delete(&replacing), there(Method::POST, "/v1/employees", into_the_dead));
        assert_eq!(removed.status, 204, "{}", removed.body);
        assert!([201, 422].contains(&hired.status), "{}", hired.body);
        let all = shown(&acme).await;
        assert!(
            all.values().all(|one| one["departmentId"] != sales["id"]),
            "nobody stays in a dead department"
        );
        assert_eq!(copy(&acme).await, all);
    })
    .await;
}
