//! Whoever someone is and whatever a caller may do: what the caller's scopes hide is nowhere, and all of it is named.

use http::Method;
use orquiva_core::{Plan, Scope, Scopes};
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Map, Value, json};

use crate::harness::{Answer, Caller, Orquiva, Receiver, on_both};

/// The fields that are always sensitive, in the order in which they are shown.
const FIELDS: [&str; 6] =
    ["personalEmail", "birthDate", "gender", "nationality", "nationalId", "homeAddress"];

/// The types of the fields that a company adds; its slug is `own` and the place in the list of them.
const TYPES: [&str; 5] = ["text", "number", "boolean", "date", "choice"];

/// Fields that are asked for alone.
const PICKED: [&str; 6] =
    ["fullName", "version", "customFields", "birthDate", "homeAddress", "external_refs"];

/// One company, and what happens in it.
#[derive(Clone, Debug)]
struct Case {
    /// The type of each field of the company's own, and whether it is sensitive.
    own: Vec<(&'static str, bool)>,
    /// The one that becomes sensitive later, or is so no more.
    turns: Option<prop::sample::Index>,
    /// Which sensitive fields each person has, then which of the company's own.
    people: Vec<(u8, u8)>,
    /// Of whom some are changed: the number of a person, and fields as above, every second one taken away.
    changes: Vec<(prop::sample::Index, u8, u8)>,
    /// What happens to each person in the end.
    ends: Vec<u8>,
    scopes: u8,
    fields: Vec<&'static str>,
    /// What the endpoints are sent.
    payload: &'static str,
    format: &'static str,
}

fn cases() -> impl Strategy<Value = Case> {
    let own = prop::collection::vec((prop::sample::select(&TYPES[..]), any::<bool>()), 0..5);
    let shown = (
        prop::sample::subsequence(&PICKED[..], 1..=PICKED.len()),
        prop::sample::select(vec!["full", "full", "thin"]),
        prop::sample::select(vec!["json", "json", "cloudevents"]),
    );
    let people = prop::collection::vec(any::<(u8, u8)>(), 1..4);
    let changes = prop::collection::vec(any::<(prop::sample::Index, u8, u8)>(), 0..4);
    let turns = prop::option::weighted(0.6, any::<prop::sample::Index>());
    (own, turns, people, changes, prop::collection::vec(any::<u8>(), 4), 1..=u8::MAX, shown).prop_map(
        |(own, turns, people, changes, ends, scopes, (fields, payload, format))| Case {
            own,
            turns,
            people,
            changes,
            ends,
            scopes,
            fields,
            payload,
            format,
        },
    )
}

/// The scopes whose place in the list is set in `mask`.
fn scopes(mask: u8) -> Scopes {
    let held = Scope::ALL.iter().enumerate().filter(|(at, _)| mask & 1 << at != 0);
    Scopes::parse(&held.map(|(_, scope)| scope.as_str()).collect::<Vec<_>>().join(" ")).unwrap()
}

/// A company as a case has it, and every value that was ever written into a field that may be hidden.
struct World<'o> {
    all: Caller<'o>,
    some: Caller<'o>,
    held: Scopes,
    own: Vec<(&'static str, bool)>,
    /// The name of the field, and the text by which the value is known.
    written: Vec<(String, String)>,
    count: usize,
    ids: Vec<String>,
}

impl<'o> World<'o> {
    async fn of(orq: &'o Orquiva, case: &Case) -> Self {
        let all = orq.company_on("acme", Plan::Enterprise, Scopes::all()).await;
        let held = scopes(case.scopes);
        let some = orq.client_of(all.company, held).await;
        for (at, (kind, sensitive)) in case.own.iter().enumerate() {
            let mut field =
                json!({ "slug": format!("own{at}"), "label": "L", "type": kind, "sensitive": sensitive });
            if *kind == "choice" {
                field["choices"] = json!(["Opaco", "Turbio"]);
            }
            assert_eq!(all.post("/v1/custom-fields", &field).await.status, 201);
        }
        Self { all, some, held, own: case.own.clone(), written: Vec::new(), count: 0, ids: Vec::new() }
    }

    /// The names of what the caller with few scopes may not see, as `_meta` has them.
    fn hidden(&self) -> Vec<String> {
        if self.sees_all() { Vec::new() } else { self.sensitive_names() }
    }

    /// The names of all that is sensitive.
    fn sensitive_names(&self) -> Vec<String> {
        let own = self.own.iter().enumerate().filter(|(_, (_, sensitive))| *sensitive);
        let own = own.map(|(at, _)| format!("customFields.own{at}"));
        FIELDS.iter().map(|field| (*field).to_owned()).chain(own).collect()
    }

    fn sees_all(&self) -> bool {
        self.held.has(Scope::EmployeesSensitiveRead)
    }

    /// Notes a new value of a field, and the texts by which it is known.
    fn note(&mut self, field: &str, value: Value, texts: &[String]) -> Value {
        self.written.extend(texts.iter().map(|text| (field.to_owned(), text.clone())));
        value
    }

    /// A new value of a field that is always sensitive.
    fn sensitive(&mut self, field: &'static str) -> Value {
        self.count += 1;
        let n = self.count;
        match field {
            "personalEmail" => {
                let email = format!("oculto{n}x@home.test");
                self.note(field, json!(email), std::slice::from_ref(&email))
            }
            "birthDate" => {
                let day = format!("19{:02}-{:02}-{:02}", 30 + n / 336 % 60, n / 28 % 12 + 1, n % 28 + 1);
                self.note(field, json!(day), std::slice::from_ref(&day))
            }
            "gender" => json!(["female", "male", "non_binary"][n % 3]),
            "nationality" => json!(["AD", "FK", "BV"][n % 3]),
            "nationalId" => {
                let number = format!("ZZ{n:06}");
                let passport = json!({ "type": "passport", "value": number, "country": "AD" });
                self.note(field, passport, &[number])
            }
            _ => {
                let texts = ["Calle", "Puerta", "Villa", "Comarca", "CP"].map(|text| format!("{text}{n}x"));
                let [line1, line2, city, region, code] = &texts;
                let address = json!({
                    "line1": line1, "line2": line2, "city": city, "region": region, "postalCode": code,
                    "country": "FK",
                });
                self.note(field, address, &texts)
            }
        }
    }

    /// A new value of the field of the company's own at this place.
    fn own_value(&mut self, at: usize) -> Value {
        self.count += 1;
        let (n, name) = (self.count, format!("customFields.own{at}"));
        match self.own[at].0 {
            "text" => {
                let text = format!("Secreto{n}x");
                self.note(&name, json!(text), std::slice::from_ref(&text))
            }
            "number" => {
                let number = 7_310_000.25 + n as f64;
                self.note(&name, json!(number), &[number.to_string()])
            }
            "boolean" => json!(n % 2 == 0),
            "date" => {
                let day = format!("20{:02}-{:02}-{:02}", 60 + n / 336 % 40, n / 28 % 12 + 1, n % 28 + 1);
                self.note(&name, json!(day), std::slice::from_ref(&day))
            }
            _ => json!(["Opaco", "Turbio"][n % 2]),
        }
    }

    /// The body of a write with these fields; in a `patch` every second one is taken away.
    fn body(&mut self, mask: u8, own: u8, patch: bool) -> Value {
        let mut body = Map::new();
        for (at, field) in FIELDS.into_iter().enumerate().filter(|(at, _)| mask & 1 << at != 0) {
            let value = if patch && at % 2 == 1 { Value::Null } else { self.sensitive(field) };
            body.insert(field.to_owned(), value);
        }
        let mut values = Map::new();
        for at in (0..self.own.len()).filter(|at| own & 1 << at != 0) {
            let value = if patch && at % 2 == 1 { Value::Null } else { self.own_value(at) };
            values.insert(format!("own{at}"), value);
        }
        body.insert("customFields".to_owned(), Value::Object(values));
        Value::Object(body)
    }

    async fn hire(&mut self, mask: u8, own: u8) {
        let mut body = self.body(mask, own, false);
        let n = self.ids.len();
        body["fullName"] = json!(format!("Persona {n}"));
        body["email"] = json!(format!("p{n}@acme.test"));
        body["external_refs"] = json!({ "sap": n.to_string() });
        if let Some(manager) = self.ids.first() {
            body["managerId"] = json!(manager);
        }
        let hired = self.all.post("/v1/employees", &body).await;
        assert_eq!(hired.status, 201, "{}", hired.body);
        for (name, value) in body.as_object().unwrap() {
            assert_eq!(hired.body[name], *value, "who may see everything does");
        }
        self.ids.push(hired.body["id"].as_str().unwrap().to_owned());
    }

    /// Fails if `text`, which is JSON of these `values`, tells anything of the `hidden` fields.
    fn check(&self, what: &str, hidden: &[String], text: &str, values: &[Value]) {
        for (field, secret) in self.written.iter().filter(|(field, _)| hidden.contains(field)) {
            assert!(!text.contains(secret), "{what} tells {secret} of {field}: {text}");
        }
        for value in values {
            walk(what, hidden, value);
        }
    }

    /// The answer, once it is sure that it tells nothing that it must not.
    fn clean(&self, what: &str, answer: Answer) -> Answer {
        let text = str::from_utf8(&answer.raw).unwrap();
        let lines: Vec<Value> = text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect();
        self.check(what, &self.hidden(), text, &lines);
        self.check(what, &self.hidden(), &format!("{:?}", answer.headers), &[]);
        answer
    }

    /// Asks for something, and learns nothing from it.
    async fn get(&self, path: &str) -> Answer {
        self.clean(path, self.some.get(path).await)
    }

    async fn write(&self, method: Method, path: &str, body: &Value) -> Answer {
        let what = format!("{method} {path} {body}");
        self.clean(&what, self.some.write(method, path, &[], body).await)
    }

    /// An answer about employees names what is hidden, and nothing else; of these `fields`, if not of all.
    fn told(&self, answer: &Answer, fields: Option<&[&str]>) {
        if answer.status >= 300 || answer.raw.is_empty() {
            return;
        }
        let wanted = |name: &&String| {
            let field = name.split('.').next().unwrap_or_default();
            fields.is_none_or(|fields| fields.contains(&field))
        };
        let entry = |name: &String| json!({ "field": name, "scope": Scope::EmployeesSensitiveRead.as_str() });
        let expected: Vec<_> = self.hidden().iter().filter(wanted).map(entry).collect();
        let expected = if expected.is_empty() { Value::Null } else { json!({ "redacted": expected }) };
        assert_eq!(answer.body["_meta"], expected, "{}", answer.body);
    }

    async fn look_at_people(&self, fields: &[&str]) {
        let picked = format!("fields={}", fields.join(","));
        for id in self.ids.iter().map(String::as_str).chain(["emp_1"]) {
            let path = format!("/v1/employees/{id}");
            let one = self.get(&path).await;
            self.told(&one, None);
            if one.status == 200 && self.sees_all() {
                assert_eq!(one.body, self.all.get(&path).await.body);
            }
            self.told(&self.get(&format!("{path}?{picked}")).await, Some(fields));
            self.told(&self.get(&format!("{path}?expand=manager,department")).await, None);
            self.told(&self.get(&format!("{path}/reports?depth=all")).await, None);
        }
        self.told(&self.get("/v1/employees?limit=2").await, None);
        self.told(&self.get(&format!("/v1/employees?sort=-updatedAt&{picked}")).await, Some(fields));
        self.told(&self.get("/v1/employees?q=persona&externalRef=sap:0").await, None);
        self.told(&self.get("/v1/employees/by-ref/sap/0").await, None);
        let export = self.get("/v1/employees/export").await;
        if export.status == 200 {
            assert_eq!(export.header("x-orq-redacted"), self.hidden().join(", "));
        }
        let coverage = self.get("/v1/me/coverage").await;
        for field in coverage.body["fields"].as_array().unwrap() {
            let name = field["field"].as_str().unwrap();
            assert!(field.get("count").is_none() || !self.hidden().iter().any(|hidden| hidden == name));
        }
    }

    async fn write_to_people(&self, mask: u8) {
        let path = format!("/v1/employees/{}", self.ids[0]);
        for body in [
            json!({ "jobTitle": format!("T{mask}") }),
            json!({ "homeAddress": { "line2": "B" } }),
            json!({ "nationalId": { "type": "dni" } }),
            json!({ "customFields": { "own0": [] } }),
            json!({ "email": "p1@acme.test", "birthDate": null }),
        ] {
            let before = self.all.get(&path).await.body;
            self.told(&self.write(Method::PATCH, &path, &body).await, None);
            let put = format!("/v1/employees/by-ref/sap/0?dryRun={}", mask.is_multiple_of(2));
            self.told(&self.write(Method::PUT, &put, &body).await, None);
            let item = json!({ "op": "update", "id": self.ids[0], "data": body });
            let batch = json!({ "items": [item, { "data": body }], "atomic": body.get("email").is_some() });
            let answer = self.write(Method::POST, "/v1/employees/batch", &batch).await;
            self.told(&answer, None);
            let after = self.all.get(&path).await.body;
            if !self.held.has(Scope::EmployeesSensitiveWrite) {
                for field in FIELDS {
                    assert_eq!(before[field], after[field], "who may not write it leaves it as it is");
                }
            }
        }
        for (step, body) in [("terminate", json!({})), ("rehire", json!({ "startDate": "2026-01-01" }))] {
            self.told(&self.write(Method::POST, &format!("{path}/{step}?dryRun=true"), &body).await, None);
        }
    }

    async fn look_at_events(&self) {
        self.all.orq.work().await;
        let page = self.get("/v1/events?after=0&limit=200").await;
        for event in page.body["data"].as_array().into_iter().flatten() {
            let one = self.get(&format!("/v1/events/{}", event["id"].as_str().unwrap())).await;
            assert_eq!(&one.body, event);
        }
        if page.status == 200 {
            let (mut stream, _) = self.some.listen("/v1/events/stream?after=0", None).await;
            let mut count = 0;
            while let Some(blocks) = stream.blocks_now().await {
                for data in blocks.into_iter().filter_map(|block| block.data) {
                    self.check("a stream", &self.hidden(), &data.to_string(), &[data]);
                    count += 1;
                }
            }
            assert_eq!(count, page.body["data"].as_array().unwrap().len());
        }
        let deliveries = self.get("/v1/deliveries?limit=200").await;
        for delivery in deliveries.body["data"].as_array().into_iter().flatten() {
            self.get(&format!("/v1/deliveries/{}", delivery["id"].as_str().unwrap())).await;
        }
    }
}

/// Fails if something of this name is anywhere in `value`, or in a text that is JSON itself.
fn walk(what: &str, hidden: &[String], value: &Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let is_hidden = |field: &String| field.rsplit('.').next() == Some(name);
                assert!(!hidden.iter().any(is_hidden), "{what} has {name}: {fields:?}");
                walk(what, hidden, value);
            }
        }
        Value::Array(entries) => entries.iter().for_each(|entry| walk(what, hidden, entry)),
        Value::String(text) if text.starts_with('{') => {
            walk(what, hidden, &serde_json::from_str(text).unwrap());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// What a case comes to, looked at after each step.
async fn live(orq: &Orquiva, case: &Case) {
    let mut world = World::of(orq, case).await;
    let (plain, granted) = (Receiver::start().await, Receiver::start().await);
    for (receiver, sensitive) in [(&plain, false), (&granted, true)] {
        let endpoint = json!({
            "url": receiver.url, "events": ["employee.*"], "sensitive": sensitive,
            "payload": case.payload, "format": case.format,
        });
        assert_eq!(world.all.post("/v1/webhooks", &endpoint).await.status, 201);
    }
    for (mask, own) in &case.people {
        world.hire(*mask, *own).await;
    }
    for (who, mask, own) in &case.changes {
        let patch = world.body(*mask, *own, true);
        let path = format!("/v1/employees/{}", who.get(&world.ids));
        let changed = world.all.patch(&path, &patch).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
    }
    let seen_by_endpoint = |world: &World<'_>, from: usize| {
        for event in &plain.events()[from..] {
            world.check(
                "a webhook",
                &world.sensitive_names(),
                &event.to_string(),
                std::slice::from_ref(event),
            );
        }
    };
    orq.work().await;
    seen_by_endpoint(&world, 0);
    world.look_at_people(&case.fields).await;
    world.write_to_people(case.scopes).await;
    world.look_at_events().await;

    if let Some(at) = case.turns.filter(|_| !world.own.is_empty()).map(|at| at.index(world.own.len())) {
        world.own[at].1 = !world.own[at].1;
        let sent = plain.events().len();
        let turned = json!({ "sensitive": world.own[at].1 });
        assert_eq!(world.all.patch(&format!("/v1/custom-fields/own{at}"), &turned).await.status, 200);
        world.look_at_people(&case.fields).await;
        world.look_at_events().await;
        seen_by_endpoint(&world, sent);
    }
    let sent = plain.events().len();
    for (id, end) in world.ids.clone().iter().zip(&case.ends) {
        let path = format!("/v1/employees/{id}");
        let end = match end % 4 {
            0 => world.all.delete(&path).await,
            1 => world.all.post(&format!("{path}/terminate"), &json!({})).await,
            2 => {
                world.all.post(&format!("{path}/terminate"), &json!({ "effectiveDate": "2026-02-01" })).await
            }
            _ => world.all.get(&path).await,
        };
        assert!(end.status < 300, "{}", end.body);
    }
    world.look_at_events().await;
    seen_by_endpoint(&world, sent);
    world.look_at_people(&case.fields).await;
    assert_eq!(plain.events().len(), granted.events().len());
}

#[tokio::test]
async fn whatever_a_caller_may_do_what_is_hidden_is_nowhere_and_all_of_it_is_named() {
    on_both(async |orq| {
        let mut runner = TestRunner::deterministic();
        for round in 0..25 {
            let case = cases().new_tree(&mut runner).unwrap().current();
            eprintln!("{round}: {case:?}");
            live(&orq, &case).await;
        }
    })
    .await;
}
