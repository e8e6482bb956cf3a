//! Fields that a company adds to its employees: their definitions, their values, and who sees them.

use std::collections::BTreeMap;

use http::Method;
use orquiva_core::Scopes;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, Receiver, on_both, send};

impl Caller<'_> {
    /// Adds a field.
    async fn field(&self, body: Value) -> Value {
        let created = self.post("/v1/custom-fields", &body).await;
        assert_eq!(created.status, 201, "{}", created.body);
        created.body
    }

    /// Hires someone with these values and returns where they are.
    async fn hire_with(&self, name: &str, values: Value) -> String {
        let body = json!({ "fullName": name, "email": format!("{name}@acme.test"), "customFields": values });
        let hired = self.post("/v1/employees", &body).await;
        assert_eq!(hired.status, 201, "{}", hired.body);
        hired.header("location").to_owned()
    }
}

/// A company with a field of each type; `disability` is sensitive.
async fn company(orq: &Orquiva) -> Caller<'_> {
    let acme = orq.company("acme").await;
    acme.field(json!({ "slug": "shirt", "label": "Talla", "type": "choice", "choices": ["S", "M", "L"] }))
        .await;
    acme.field(json!({ "slug": "badge", "label": "Tarjeta", "type": "text" })).await;
    acme.field(json!({ "slug": "desk_no", "label": "Mesa", "type": "number" })).await;
    acme.field(json!({ "slug": "remote", "label": "Teletrabajo", "type": "boolean" })).await;
    acme.field(json!({ "slug": "visa_until", "label": "Visado hasta", "type": "date" })).await;
    acme.field(json!({ "slug": "disability", "label": "Discapacidad", "type": "number", "sensitive": true }))
        .await;
    acme
}

fn fault(pointer: &str, code: &str) -> Vec<(String, String)> {
    vec![(pointer.to_owned(), code.to_owned())]
}

fn faults(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(answer.problem(), (422, "invalid_fields"), "{}", answer.body);
    answer.faults()
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

#[tokio::test]
async fn a_field_is_defined_shown_changed_and_removed() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let body = json!({ "slug": "shirt", "label": "Talla", "type": "choice", "choices": ["S", "M"] });
        let created = acme.post("/v1/custom-fields", &body).await;
        assert_eq!((created.status, created.header("location")), (201, "/v1/custom-fields/shirt"));
        let expected = json!({
            "slug": "shirt", "label": "Talla", "type": "choice", "choices": ["S", "M"], "sensitive": false, "version": 1,
            "createdAt": "2026-01-01T00:00:00.000Z", "updatedAt": "2026-01-01T00:00:00.000Z",
        });
        assert_eq!(created.body, expected);
        let shown = acme.get("/v1/custom-fields/shirt").await;
        assert_eq!((&shown.body, shown.header("etag")), (&expected, "\"1\""));
        let badge = acme.field(json!({ "slug": "badge", "label": "Tarjeta", "type": "text" })).await;
        assert_eq!(badge["choices"], Value::Null);

        let again = acme.post("/v1/custom-fields", &body).await;
        assert_eq!((again.problem(), again.faults()), ((409, "conflict"), fault("/slug", "taken")));
        assert_eq!(other.get("/v1/custom-fields/shirt").await.problem(), (404, "not_found"));
        other.field(body).await;

        let first = acme.get("/v1/custom-fields?limit=1").await;
        assert_eq!(first.body["data"], json!([badge]), "by slug");
        let next = first.body["nextCursor"].as_str().unwrap();
        let second = acme.get(&format!("/v1/custom-fields?limit=1&cursor={next}")).await;
        assert_eq!((&second.body["data"], &second.body["hasMore"]), (&json!([expected]), &json!(false)));

        orq.clock.advance(1_000);
        let patch = json!({ "label": "Talla de camiseta", "choices": ["S", "M", "L"] });
        let stale = acme
            .write(Method::PATCH, "/v1/custom-fields/shirt", &[("if-match", "\"7\"")], &patch)
            .await;
        assert_eq!(stale.problem(), (412, "precondition_failed"));
        let changed = acme.patch("/v1/custom-fields/shirt", &patch).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
        assert_eq!(changed.body["choices"], json!(["S", "M", "L"]));
        assert_eq!(changed.body["updatedAt"], "2026-01-01T00:00:01.000Z");
        assert_eq!(acme.delete("/v1/custom-fields/shirt").await.status, 204);
        for gone in [
            acme.get("/v1/custom-fields/shirt").await,
            acme.patch("/v1/custom-fields/shirt", &patch).await,
            acme.delete("/v1/custom-fields/shirt").await,
            acme.get("/v1/custom-fields/%00").await,
        ] {
            assert_eq!(gone.problem(), (404, "not_found"));
        }
        let reader = orq.client_of(acme.company, scopes("employees:read")).await;
        assert_eq!(reader.get("/v1/custom-fields").await.status, 200);
        for refused in [
            reader.post("/v1/custom-fields", &json!({})).await,
            reader.patch("/v1/custom-fields/badge", &json!({})).await,
            reader.delete("/v1/custom-fields/badge").await,
        ] {
            assert_eq!(refused.problem(), (403, "insufficient_scope"));
        }
    })
    .await;
}

#[tokio::test]
async fn bad_definitions_are_refused_and_there_are_a_hundred_at_most() {
    on_both(async |orq| {
        let acme = company(&orq).await;
        for (body, pointer, code) in [
            (json!({ "label": "A", "type": "text" }), "/slug", "required"),
            (json!({ "slug": "A", "label": "A", "type": "text" }), "/slug", "invalid_slug"),
            (json!({ "slug": "a", "type": "text" }), "/label", "required"),
            (json!({ "slug": "a", "label": "A" }), "/type", "required"),
            (json!({ "slug": "a", "label": "A", "type": "money" }), "/type", "not_allowed"),
            (json!({ "slug": "a", "label": "A", "type": "choice" }), "/choices", "required"),
            (json!({ "slug": "a", "label": "A", "type": "choice", "choices": [] }), "/choices", "empty"),
            (
                json!({ "slug": "a", "label": "A", "type": "choice", "choices": ["S", "S"] }),
                "/choices/1",
                "repeated",
            ),
            (
                json!({ "slug": "a", "label": "A", "type": "text", "choices": ["S"] }),
                "/choices",
                "nothing_to_choose",
            ),
            (
                json!({ "slug": "a", "label": "A", "type": "text", "sensitive": 1 }),
                "/sensitive",
                "wrong_type",
            ),
            (
                json!({ "slug": "a", "label": "A", "type": "text", "sensible": true }),
                "/sensible",
                "unknown_field",
            ),
        ] {
            assert_eq!(faults(&acme.post("/v1/custom-fields", &body).await), fault(pointer, code), "{body}");
        }
        for (patch, pointer, code) in [
            (json!({ "slug": "b" }), "/slug", "immutable"),
            (json!({ "type": "text" }), "/type", "immutable"),
            (json!({ "label": null }), "/label", "required"),
            (json!({ "choices": null }), "/choices", "required"),
            (json!({ "version": 3 }), "/version", "read_only"),
        ] {
            let refused = acme.patch("/v1/custom-fields/shirt", &patch).await;
            assert_eq!(faults(&refused), fault(pointer, code), "{patch}");
        }
        let force = acme.delete("/v1/custom-fields/shirt?force=yes").await;
        assert_eq!(
            (force.problem(), force.faults()),
            ((400, "invalid_parameter"), fault("force", "not_allowed"))
        );
        for number in 6..100 {
            acme.field(json!({ "slug": format!("f{number}"), "label": "F", "type": "text" })).await;
        }
        let more =
            acme.post("/v1/custom-fields", &json!({ "slug": "more", "label": "M", "type": "text" })).await;
        assert_eq!(more.problem(), (409, "limit_reached"));
    })
    .await;
}

#[tokio::test]
async fn values_are_checked_by_their_fields_and_merge_key_by_key() {
    on_both(async |orq| {
        let acme = company(&orq).await;
        let values = json!({ "badge": " Ñ-7 \"x\" ", "desk_no": 4.5, "remote": false, "shirt": "M", "visa_until": "2027-02-28" });
        let ana = acme.hire_with("ana", values).await;
        let shown = acme.get(&ana).await.body;
        let kept = json!({ "badge": "Ñ-7 \"x\"", "desk_no": 4.5, "remote": false, "shirt": "M", "visa_until": "2027-02-28" });
        assert_eq!(shown["customFields"], kept);
        let nobody = acme.hire("Luis Gil").await;
        assert_eq!(acme.get(&format!("/v1/employees/{nobody}")).await.body["customFields"], json!({}));

        for (values, pointer, code) in [
            (json!({ "badge": 7 }), "/customFields/badge", "wrong_type"),
            (json!({ "badge": "  " }), "/customFields/badge", "empty"),
            (json!({ "badge": "x".repeat(501) }), "/customFields/badge", "too_long"),
            (json!({ "desk_no": "4" }), "/customFields/desk_no", "wrong_type"),
            (json!({ "remote": "true" }), "/customFields/remote", "wrong_type"),
            (json!({ "visa_until": "28/02/2027" }), "/customFields/visa_until", "invalid_date"),
            (json!({ "shirt": "XL" }), "/customFields/shirt", "not_allowed"),
            (json!({ "shirt": ["S"] }), "/customFields/shirt", "wrong_type"),
            (json!({ "shrit": "S" }), "/customFields/shrit", "unknown_field"),
            (json!({ "shrit": null }), "/customFields/shrit", "unknown_field"),
            (json!({ "a/b": 1 }), "/customFields/a~1b", "unknown_field"),
            (json!("M"), "/customFields", "wrong_type"),
            (json!(["M"]), "/customFields", "wrong_type"),
        ] {
            let hire = json!({ "fullName": "X", "email": "x@acme.test", "customFields": values });
            assert_eq!(faults(&acme.post("/v1/employees", &hire).await), fault(pointer, code), "{values}");
            let patch = json!({ "customFields": values });
            assert_eq!(faults(&acme.patch(&ana, &patch).await), fault(pointer, code), "{values}");
        }
        let both = acme.patch(&ana, &json!({ "customFields": { "shirt": "XL", "shrit": "S" } })).await;
        assert_eq!(both.faults().len(), 2, "all at once");
        let details: Vec<_> = both.body["errors"].as_array().unwrap().iter().map(|error| &error["detail"]).collect();
        assert_eq!(details, ["Use one of: S, M, L.", "There is no such field. Did you mean `shirt`?"]);
        let emptied = acme.patch(&ana, &json!({ "customFields": null })).await;
        assert_eq!(faults(&emptied), fault("/customFields", "wrong_type"), "never emptied by accident");
        assert_eq!(acme.get(&ana).await.body, shown, "nothing of it is stored");

        let patch = json!({ "customFields": { "shirt": "L", "badge": null, "disability": null } });
        let changed = acme.patch(&ana, &patch).await;
        let after = json!({ "desk_no": 4.5, "remote": false, "shirt": "L", "visa_until": "2027-02-28" });
        assert_eq!((&changed.body["customFields"], &changed.body["version"]), (&after, &json!(2)), "{}", changed.body);
        assert_eq!(acme.patch(&ana, &patch).await.body["version"], 2, "the same again changes nothing");
        let event = acme.events().await.pop().unwrap();
        assert_eq!((&event["type"], &event["changed"]), (&json!("employee.updated"), &json!(["customFields"])));
        assert_eq!(event["previous"], json!({ "customFields": kept }));

        assert_eq!(acme.post(&format!("{ana}/terminate"), &json!({})).await.status, 200);
        let rehire = |values: Value| json!({ "startDate": "2026-01-01", "customFields": values });
        let back = format!("{ana}/rehire");
        let refused = acme.post(&back, &rehire(json!({ "shirt": "XL" }))).await;
        assert_eq!(faults(&refused), fault("/customFields/shirt", "not_allowed"));
        let rehired = acme.post(&back, &rehire(json!({ "shirt": "S", "remote": null }))).await;
        let after = json!({ "desk_no": 4.5, "shirt": "S", "visa_until": "2027-02-28" });
        assert_eq!((rehired.status, &rehired.body["customFields"]), (200, &after), "{}", rehired.body);
    })
    .await;
}

#[tokio::test]
async fn a_field_in_use_keeps_its_choices_and_goes_only_by_force() {
    on_both(async |orq| {
        let acme = company(&orq).await;
        acme.field(json!({ "slug": "deskxno", "label": "Otra", "type": "number" })).await;
        let ana =
            acme.hire_with("ana", json!({ "shirt": "M", "desk_no": 7, "badge": "\"desk_no\":7" })).await;
        let eva = acme.hire_with("eva", json!({ "shirt": "L", "deskxno": 1, "badge": "desk_no" })).await;
        let luis = acme.hire_with("luis", json!({ "desk_no": 0, "disability": 33 })).await;
        let refused = acme.patch("/v1/custom-fields/shirt", &json!({ "choices": ["S", "L", "XL"] })).await;
        assert_eq!(faults(&refused), fault("/choices", "choice_in_use"));
        assert!(refused.body["errors"][0]["detail"].as_str().unwrap().contains("these choices: M."));
        let shorter = acme.patch("/v1/custom-fields/shirt", &json!({ "choices": ["L", "M"] })).await;
        assert_eq!((shorter.status, &shorter.body["choices"]), (200, &json!(["L", "M"])), "nobody has S");

        let refused = acme.delete("/v1/custom-fields/desk_no").await;
        assert_eq!(refused.problem(), (409, "custom_field_in_use"));
        assert!(
            refused.body["detail"].as_str().unwrap().starts_with("2 people have a value."),
            "{}",
            refused.body
        );
        let before = acme.events().await.len();
        let untouched = acme.get(&eva).await.body;
        orq.clock.advance(1_000);
        assert_eq!(acme.delete("/v1/custom-fields/desk_no?force=true").await.status, 204);
        assert_eq!(acme.get(&eva).await.body, untouched, "who has none is not changed");
        let ana = acme.get(&ana).await.body;
        assert_eq!(ana["customFields"], json!({ "badge": "\"desk_no\":7", "shirt": "M" }));
        assert_eq!((&ana["version"], &ana["updatedAt"]), (&json!(2), &json!("2026-01-01T00:00:01.000Z")));
        let told = acme.events().await.split_off(before);
        let luis = acme.get(&luis).await.body;
        assert_eq!(told.len(), 2);
        assert_eq!((&told[0]["changed"], &told[0]["data"]), (&json!(["customFields"]), &ana));
        assert_eq!(told[0]["previous"]["customFields"]["desk_no"], 7);
        assert_eq!(
            (&told[1]["data"], &told[1]["data"]["customFields"]),
            (&luis, &json!({ "disability": 33 }))
        );
        assert_eq!(told[1]["previous"], json!({ "customFields": { "desk_no": 0, "disability": 33 } }));
    })
    .await;
}

#[tokio::test]
async fn sensitive_values_are_shown_only_where_granted() {
    on_both(async |orq| {
        let acme = company(&orq).await;
        let some = orq
            .client_of(acme.company, scopes("employees:read employees:write events:read webhooks:manage"))
            .await;
        let receiver = Receiver::start().await;
        some.subscribe(&receiver, &["employee.*"]).await;
        let ana = acme.hire_with("ana", json!({ "disability": 33, "shirt": "M" })).await;
        assert_eq!(acme.get(&ana).await.body["customFields"], json!({ "disability": 33, "shirt": "M" }));
        let shown = some.get(&ana).await.body;
        assert_eq!(shown["customFields"], json!({ "shirt": "M" }), "absent, not null");
        let hidden = json!({ "field": "customFields.disability", "scope": "employees.sensitive:read" });
        let is_told = |body: &Value| body["_meta"]["redacted"].as_array().unwrap().contains(&hidden);
        assert!(is_told(&shown), "{shown}");
        let page = some.get("/v1/employees").await.body;
        assert!(is_told(&page) && !page.to_string().contains("33"), "{page}");
        let luis = some.get(&acme.hire_with("luis", json!({})).await).await.body;
        assert!(is_told(&luis), "whether they have a value is hidden too");

        let changed = some.patch(&ana, &json!({ "customFields": { "shirt": "L" } })).await;
        assert_eq!(changed.body["customFields"], json!({ "shirt": "L" }));
        assert_eq!(acme.get(&ana).await.body["customFields"]["disability"], 33, "what is not seen stays");
        for value in [json!(50), Value::Null, json!("nonsense")] {
            let refused = some.patch(&ana, &json!({ "customFields": { "disability": value } })).await;
            assert_eq!(refused.problem(), (403, "insufficient_scope"));
            assert!(refused.body["detail"].as_str().unwrap().contains("employees.sensitive:write"));
        }
        let changed = acme.patch(&ana, &json!({ "customFields": { "disability": 50 } })).await;
        assert_eq!(changed.body["customFields"], json!({ "disability": 50, "shirt": "L" }));

        orq.work().await;
        let (all, open) = (acme.events().await, some.events().await);
        let last = |events: &[Value]| events.last().unwrap().clone();
        assert_eq!(last(&all)["data"]["customFields"], json!({ "disability": 50, "shirt": "L" }));
        assert_eq!(last(&all)["previous"], json!({ "customFields": { "disability": 33, "shirt": "L" } }));
        assert_eq!(last(&open)["data"]["customFields"], json!({ "shirt": "L" }));
        assert_eq!(
            (&last(&open)["changed"], &last(&open)["previous"]),
            (&json!(["customFields"]), &json!({}))
        );
        for event in open.iter().chain(&receiver.events()) {
            assert!(!event.to_string().contains("disability"), "{event}");
        }
        assert!(!receiver.events().is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_field_that_becomes_sensitive_is_hidden_at_once_and_a_copy_stays_exact() {
    on_both(async |orq| {
        let acme = company(&orq).await;
        let some = orq.client_of(acme.company, scopes("employees:read events:read")).await;
        let mut people = Vec::new();
        for number in 0..5 {
            let values = json!({ "badge": format!("B{number}"), "disability": number });
            people.push(acme.hire_with(&format!("p{number}"), values).await);
        }
        let copies_are_exact = async || {
            for caller in [&acme, &some] {
                let mut copy = BTreeMap::new();
                for event in caller.events().await {
                    copy.insert(event["data"]["id"].clone().to_string(), event["data"].clone());
                }
                for one in caller.get("/v1/employees").await.body["data"].as_array().unwrap() {
                    assert_eq!(copy.get(&one["id"].to_string()), Some(one));
                }
            }
        };
        copies_are_exact().await;
        assert_eq!(acme.patch("/v1/custom-fields/badge", &json!({ "sensitive": true })).await.status, 200);
        let shown = some.get(&people[0]).await;
        assert_eq!((&shown.body["customFields"], &shown.body["version"]), (&json!({}), &json!(2)));
        assert_eq!(
            acme.get(&people[0]).await.body["customFields"],
            json!({ "badge": "B0", "disability": 0 })
        );
        copies_are_exact().await;
        for event in some.events().await {
            assert!(!event.to_string().contains("\"B"), "nor do older events tell it: {event}");
        }
        let told = acme.events().await;
        assert_eq!(told[0]["data"]["customFields"], json!({ "badge": "B0", "disability": 0 }));
        assert_eq!(told[5]["previous"]["customFields"], json!({ "badge": "B0", "disability": 0 }));
        assert_eq!(
            acme.patch("/v1/custom-fields/disability", &json!({ "sensitive": false })).await.status,
            200
        );
        assert_eq!(some.get(&people[3]).await.body["customFields"], json!({ "disability": 3 }));
        copies_are_exact().await;
    })
    .await;
}

#[tokio::test]
async fn who_may_not_see_and_write_what_is_sensitive_does_not_open_remove_or_probe_it() {
    on_both(async |orq| {
        let acme = company(&orq).await;
        let mood = json!({ "slug": "mood", "label": "Ánimo", "type": "choice", "choices": ["bien", "mal"], "sensitive": true });
        acme.field(mood).await;
        let ana = acme.hire_with("ana", json!({ "disability": 33, "mood": "mal" })).await;
        let before = acme.get(&ana).await.body;
        for (held, missing) in [
            ("employees:read employees:write", "employees.sensitive:read"),
            ("employees:write employees.sensitive:write", "employees.sensitive:read"),
            ("employees:write employees.sensitive:read", "employees.sensitive:write"),
        ] {
            let some = orq.client_of(acme.company, scopes(held)).await;
            for refused in [
                some.patch("/v1/custom-fields/disability", &json!({ "sensitive": false })).await,
                some.patch("/v1/custom-fields/disability?dryRun=true", &json!({ "sensitive": false })).await,
                some.patch("/v1/custom-fields/mood", &json!({ "choices": ["bien"] })).await,
                some.delete("/v1/custom-fields/mood").await,
                some.delete("/v1/custom-fields/disability?force=true").await,
            ] {
                assert_eq!(refused.problem(), (403, "insufficient_scope"), "{held}");
                let challenge = format!("scope=\"{missing}\"");
                assert!(refused.header("www-authenticate").contains(&challenge), "{held}");
                assert!(!refused.body.to_string().contains("mal"), "{}", refused.body);
            }
            let shirt = some.patch("/v1/custom-fields/shirt", &json!({ "label": format!("de {held}") })).await;
            assert_eq!(shirt.status, 200, "what is not sensitive is theirs");
        }
        assert_eq!(acme.get(&ana).await.body, before);
        assert_eq!(acme.get("/v1/custom-fields/disability").await.body["version"], 1);
        assert_eq!(acme.delete("/v1/custom-fields/disability?force=true").await.status, 204);
    })
    .await;
}

#[tokio::test]
async fn two_nodes_at_once_leave_no_value_without_its_field() {
    on_both(async |orq| {
        let (acme, node) = (company(&orq).await, orq.another_node().await);
        for round in 0..10 {
            let hire = json!({ "fullName": "P", "email": format!("p{round}@acme.test"), "customFields": { "badge": "7" } });
            let hire = send(&node, acme.written(Method::POST, "/v1/employees", &[], &hire));
            let (removed, hired) = tokio::join!(acme.delete("/v1/custom-fields/badge?force=true"), hire);
            assert_eq!(removed.status, 204, "{}", removed.body);
            assert!([201, 422].contains(&hired.status), "{}", hired.body);
            for one in acme.get("/v1/employees").await.body["data"].as_array().unwrap() {
                assert_eq!(one["customFields"], json!({}));
            }
            acme.field(json!({ "slug": "badge", "label": "Tarjeta", "type": "text" })).await;
        }
    })
    .await;
}
