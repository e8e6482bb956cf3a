//! Batches: each item by itself or all or none, and the same in the end as one by one.

use futures_util::future::{join, join_all};
use http::Method;
use orquiva_core::Chance as _;
use orquiva_core::chance::SeededChance;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, on_both};

const PATH: &str = "/v1/employees/batch";

fn person(name: &str) -> Value {
    json!({ "fullName": name, "email": format!("{name}@acme.test") })
}

fn hire(name: &str) -> Value {
    json!({ "data": person(name) })
}

async fn send(acme: &Caller<'_>, items: &[Value]) -> Answer {
    acme.post(PATH, &json!({ "items": items })).await
}

fn results(answer: &Answer) -> &Vec<Value> {
    assert_eq!(answer.status, 200, "{}", answer.body);
    let results = answer.body["results"].as_array().unwrap();
    for (index, result) in results.iter().enumerate() {
        assert_eq!(result["index"], json!(index), "in order");
    }
    let succeeded = results.iter().filter(|result| result["problem"].is_null()).count();
    assert_eq!(answer.body["succeeded"], json!(succeeded));
    assert_eq!(answer.body["failed"], json!(results.len() - succeeded));
    results
}

fn statuses(answer: &Answer) -> Vec<u64> {
    results(answer).iter().map(|result| result["status"].as_u64().unwrap()).collect()
}

/// Pointers and codes of what an item was refused for.
fn faults(result: &Value) -> Vec<(&str, &str)> {
    let errors = result["problem"]["errors"].as_array().unwrap();
    errors.iter().map(|error| (error["pointer"].as_str().unwrap(), error["code"].as_str().unwrap())).collect()
}

/// Everyone, in the order of their addresses.
async fn everyone(acme: &Caller<'_>) -> Vec<Value> {
    let listed = acme.get("/v1/employees?limit=200").await;
    let mut everyone = listed.body["data"].as_array().unwrap().clone();
    everyone.sort_by_key(|one| one["email"].to_string());
    everyone
}

#[tokio::test]
async fn five_hundred_are_hired_in_one_request_and_each_is_announced_once() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let new = |number| {
            let mut item = hire(&format!("p{number}"));
            item["data"]["department"] = json!(format!("D{}", number % 7));
            item
        };
        let items: Vec<_> = (0..500).map(new).collect();
        let answer = send(&acme, &items).await;
        assert_eq!(statuses(&answer), vec![201; 500]);
        for (item, result) in items.iter().zip(results(&answer)) {
            assert_eq!(result["data"]["email"], item["data"]["email"]);
            assert_eq!(result["data"]["department"], item["data"]["department"]);
        }
        let last = &results(&answer)[499]["data"];
        let shown = acme.get(&format!("/v1/employees/{}", last["id"].as_str().unwrap())).await;
        assert_eq!(&shown.body, last, "as the API shows it");

        orq.work().await;
        let log = acme.get("/v1/events?after=400&limit=200").await;
        assert_eq!(log.body["nextAfter"], 507, "500 hires and 7 departments");
        assert_eq!(answer.header("x-ratelimit-remaining"), "9999", "a batch is one request");
    })
    .await;
}

#[tokio::test]
async fn an_item_that_is_refused_drops_out_alone() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        acme.post("/v1/employees", &person("taken")).await;
        let mut unknown = hire("d");
        unknown["data"]["departmentId"] = json!("dep_01JQ8Z6X3V4M5N6P7R8S9T0A1B");
        let bad = json!({ "data": { "fullName": "x", "email": "no", "jobTitel": "y" } });
        let mut new_department = hire("taken");
        new_department["data"]["department"] = json!("Never");
        let items = [hire("a"), hire("taken"), bad, hire("b"), hire("A"), unknown, new_department, hire("c")];
        let answer = send(&acme, &items).await;
        assert_eq!(statuses(&answer), [201, 409, 422, 201, 409, 422, 409, 201]);
        let results = results(&answer);
        assert_eq!(faults(&results[1]), [("/items/1/data/email", "taken")]);
        assert_eq!(
            faults(&results[2]),
            [("/items/2/data/email", "invalid_email"), ("/items/2/data/jobTitel", "unknown_field")]
        );
        assert_eq!(faults(&results[4]), [("/items/4/data/email", "taken")], "by one before it in the batch");
        assert_eq!(faults(&results[5]), [("/items/5/data/departmentId", "unknown_department")]);
        assert_eq!(results[5]["problem"]["code"], "invalid_fields");
        assert_eq!(acme.event_types().await, ["employee.created"; 4], "nor does its department come to be");

        let spanish = acme
            .write(Method::POST, PATH, &[("accept-language", "es")], &json!({ "items": [hire("taken")] }))
            .await;
        assert_eq!(spanish.body["results"][0]["problem"]["title"], "Otro registro ya tiene ese valor");
    })
    .await;
}

#[tokio::test]
async fn an_atomic_batch_is_carried_out_whole_or_not_at_all() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        acme.post("/v1/employees", &person("taken")).await;
        let bad = json!({ "data": { "fullName": "x" } });
        let items = json!([hire("a"), bad, hire("b"), hire("taken"), { "op": "delete", "id": "emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B" }]);
        let key = [("idempotency-key", "k")];
        let refused =
            acme.write(Method::POST, PATH, &key, &json!({ "atomic": true, "items": items })).await;
        assert_eq!(refused.problem(), (422, "batch_refused"));
        let told = refused.body["results"].as_array().unwrap();
        let told: Vec<_> =
            told.iter().map(|one| (one["index"].as_u64().unwrap(), one["status"].as_u64().unwrap())).collect();
        assert_eq!(told, [(1, 422), (3, 409), (4, 404)], "all that is wrong, and nothing else");
        assert_eq!(acme.event_types().await, ["employee.created"], "nothing was stored");

        let good = json!({ "atomic": true, "items": [hire("a"), hire("b")] });
        let done = acme.write(Method::POST, PATH, &key, &good).await;
        assert_eq!(statuses(&done), [201, 201], "and the key was left free");
        assert_eq!(acme.event_types().await.len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_batch_changes_and_removes_what_is_meant() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (ana, luis) = (acme.hire("Ana").await, acme.hire("Luis").await);
        let change = |id: &str, tag: Option<&str>, title: &str| {
            let mut item = json!({ "op": "update", "id": id, "data": { "jobTitle": title } });
            if let Some(tag) = tag {
                item["ifMatch"] = json!(tag);
            }
            item
        };
        let items = [
            change(&ana, Some("\"1\""), "first"),
            change(&ana, Some("\"1\""), "stale"),
            change(&ana, Some("\"1\", \"2\""), "second"),
            json!({ "op": "delete", "id": luis, "ifMatch": "\"7\"" }),
            json!({ "op": "delete", "id": luis, "ifMatch": "*" }),
            json!({ "op": "delete", "id": luis }),
            change(&luis, None, "gone"),
            json!({ "op": "create", "data": { "fullName": "Luis", "email": "luis@acme.test" } }),
        ];
        let answer = send(&acme, &items).await;
        assert_eq!(statuses(&answer), [200, 412, 200, 412, 204, 404, 404, 201]);
        let results = results(&answer);
        assert_eq!(
            (&results[2]["data"]["jobTitle"], &results[2]["data"]["version"]),
            (&json!("second"), &json!(3))
        );
        assert_eq!(results[4].get("data"), None, "there is nothing to show");
        let created = "employee.created";
        let kinds = [created, created, "employee.updated", "employee.updated", "employee.deleted", created];
        assert_eq!(acme.event_types().await, kinds);
    })
    .await;
}

#[tokio::test]
async fn a_batch_is_repeated_under_its_key_and_rehearsed() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let batch = json!({ "items": [hire("a"), hire("a"), hire("b")] });
        let dry = acme.post(&format!("{PATH}?dryRun=true"), &batch).await;
        assert_eq!((statuses(&dry), dry.header("dry-run")), (vec![201, 409, 201], "true"));
        assert_eq!(everyone(&acme).await.len(), 0);

        let key = [("idempotency-key", "k")];
        let first = acme.write(Method::POST, PATH, &key, &batch).await;
        assert_eq!(statuses(&first), [201, 409, 201]);
        let again = acme.write(Method::POST, PATH, &key, &batch).await;
        assert_eq!((again.header("idempotent-replayed"), &again.raw), ("true", &first.raw));
        assert_eq!(acme.event_types().await.len(), 2);
    })
    .await;
}

#[tokio::test]
async fn a_batch_of_the_wrong_form_is_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let fault = |at: &str, code: &str| (at.to_owned(), code.to_owned());
        for (batch, expected) in [
            (json!({}), fault("/items", "required")),
            (json!({ "items": [] }), fault("/items", "empty")),
            (json!({ "items": {} }), fault("/items", "wrong_type")),
            (json!({ "items": vec![hire("a"); 501] }), fault("/items", "too_many")),
            (json!({ "items": [hire("a")], "atomic": "yes" }), fault("/atomic", "wrong_type")),
            (json!({ "items": [hire("a")], "atomc": true }), fault("/atomc", "unknown_field")),
            (json!([hire("a")]), fault("", "wrong_type")),
        ] {
            let refused = acme.post(PATH, &batch).await;
            assert_eq!(refused.problem(), (422, "invalid_fields"));
            assert_eq!(refused.faults(), [expected]);
        }
        let id = "emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B";
        for (item, at, code) in [
            (json!(3), "/items/0", "wrong_type"),
            (json!({}), "/items/0/data", "required"),
            (person("a"), "/items/0/data", "required"),
            (json!({ "data": 3 }), "/items/0/data", "wrong_type"),
            (json!({ "op": "upsert", "data": person("a") }), "/items/0/op", "not_allowed"),
            (json!({ "op": 3, "data": person("a") }), "/items/0/op", "wrong_type"),
            (json!({ "data": person("a"), "id": id }), "/items/0/id", "unknown_field"),
            (json!({ "op": "update", "data": {} }), "/items/0/id", "required"),
            (json!({ "op": "update", "id": "emp_1", "data": {} }), "/items/0/id", "invalid_id"),
            (json!({ "op": "update", "id": id }), "/items/0/data", "required"),
            (json!({ "op": "delete", "id": id, "data": {} }), "/items/0/data", "unknown_field"),
            (json!({ "op": "delete", "id": id, "ifMatch": 3 }), "/items/0/ifMatch", "wrong_type"),
        ] {
            let refused = send(&acme, std::slice::from_ref(&item)).await;
            assert_eq!(statuses(&refused), [422], "{item}");
            let faults = faults(&results(&refused)[0]);
            assert!(faults.contains(&(at, code)), "{item}: {faults:?}");
        }
        assert_eq!(acme.get(PATH).await.problem(), (405, "method_not_allowed"));
        assert_eq!(everyone(&acme).await.len(), 0);
    })
    .await;
}

/// A batch that shares its transaction with writes of other companies, good ones and refused ones.
#[tokio::test]
async fn a_batch_among_the_writes_of_others_is_carried_out_all_the_same() {
    on_both(async |orq| {
        let mut companies = Vec::new();
        for number in 0..8 {
            companies.push(orq.company(&format!("company {number}")).await);
        }
        for round in 0..5 {
            let items = [hire(&format!("a{round}")), hire("twice"), hire(&format!("b{round}")), json!({})];
            let batches = companies.iter().map(|acme| send(acme, &items));
            let (good, bad) = (person(&format!("c{round}")), person("other"));
            let singles = companies
                .iter()
                .map(|acme| join(acme.post("/v1/employees", &good), acme.post("/v1/employees", &bad)));
            let (batches, singles) = join(join_all(batches), join_all(singles)).await;
            let again = if round == 0 { 201 } else { 409 };
            for batch in &batches {
                assert_eq!(statuses(batch), [201, again, 201, 422]);
            }
            for (good, bad) in &singles {
                assert_eq!((u64::from(good.status), u64::from(bad.status)), (201, again));
            }
        }
        for acme in &companies {
            assert_eq!(everyone(acme).await.len(), 17);
            assert_eq!(acme.event_types().await, ["employee.created"; 17]);
        }
    })
    .await;
}

/// Batches of few names, so that their items are in each other's way, do what the same items do one by one.
#[tokio::test]
async fn a_batch_ends_as_its_items_do_one_by_one() {
    on_both(async |orq| {
        let chance = SeededChance::new(7);
        let pick = |count: u8| {
            let mut byte = [0];
            chance.fill(&mut byte);
            byte[0] % count
        };
        for round in 0..12 {
            let batched = orq.company(&format!("batched {round}")).await;
            let single = orq.company(&format!("single {round}")).await;
            for _ in 0..3 {
                let (batch, one_by_one) = (everyone(&batched).await, everyone(&single).await);
                let (mut items, mut statuses_of_singles) = (Vec::new(), Vec::new());
                for _ in 0..=pick(20) {
                    let name = format!("n{}", pick(12));
                    let mut data = person(&name);
                    if pick(2) == 0 {
                        data["department"] = json!(format!("D{}", pick(4)));
                    }
                    let whom = usize::from(pick(12));
                    let id = |of: &[Value]| of.get(whom).map(|one| one["id"].as_str().unwrap().to_owned());
                    let (op, method) = match (pick(4), id(&one_by_one)) {
                        (2, Some(_)) => ("update", Method::PATCH),
                        (3, Some(_)) => ("delete", Method::DELETE),
                        _ => ("create", Method::POST),
                    };
                    let path = match op {
                        "create" => "/v1/employees".to_owned(),
                        _ => format!("/v1/employees/{}", id(&one_by_one).unwrap()),
                    };
                    let mut item = json!({ "op": op });
                    if op != "create" {
                        item["id"] = json!(id(&batch).unwrap());
                    }
                    if op != "delete" {
                        item["data"] = data.clone();
                    }
                    items.push(item);
                    statuses_of_singles.push(u64::from(single.write(method, &path, &[], &data).await.status));
                }
                let answer = send(&batched, &items).await;
                assert_eq!(statuses(&answer), statuses_of_singles, "{items:?}");
                assert_eq!(comparable(&everyone(&batched).await), comparable(&everyone(&single).await));
            }
            let mut told = [batched.event_types().await, single.event_types().await];
            told.iter_mut().for_each(|kinds| kinds.sort());
            assert_eq!(told[0], told[1], "each effect is announced once");
        }
    })
    .await;
}

/// Without ids.
fn comparable(people: &[Value]) -> Vec<Value> {
    let strip = |one: &Value| {
        let mut one = one.clone();
        one.as_object_mut().unwrap().retain(|name, _| !name.ends_with("Id") && name != "id");
        one
    };
    people.iter().map(strip).collect()
}
