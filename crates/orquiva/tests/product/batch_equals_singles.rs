//! Whatever a batch is made of, it ends as the same writes one by one; and one of all or nothing as all, or as nothing.

use http::Method;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{Caller, on_both};

/// People who are there at the beginning.
const COUNT: usize = 4;

/// An id that nobody has.
const NOBODY: &str = "emp_00000000000000000000000000";

/// What is tried, people by their number; one past the last is nobody.
#[derive(Clone, Debug)]
enum Try {
    Hire { email: usize, department: Option<&'static str>, manager: Option<usize> },
    Change { who: usize, version: Option<u8>, patch: Value },
    Remove { who: usize, version: Option<u8> },
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let departments = prop::option::of(prop::sample::select(vec!["Ventas", "VENTAS", "Compras", " "]));
    let hire = (0..12_usize, departments, prop::option::weighted(0.3, 0..=COUNT));
    let version = || prop::option::weighted(0.4, 1..3_u8);
    let patch = prop_oneof![
        "[a-c]".prop_map(|title| json!({ "jobTitle": title })),
        (0..12_usize).prop_map(|email| json!({ "email": address(email) })),
        Just(json!({ "department": "Ventas" })),
        Just(json!({ "fullName": null })),
    ];
    let one = prop_oneof![
        6 => hire.prop_map(|(email, department, manager)| Try::Hire { email, department, manager }),
        3 => (0..=COUNT, version(), patch).prop_map(|(who, version, patch)| Try::Change { who, version, patch }),
        1 => (0..=COUNT, version()).prop_map(|(who, version)| Try::Remove { who, version }),
    ];
    prop::collection::vec(one, 1..16)
}

fn address(number: usize) -> String {
    format!("p{number}@acme.test")
}

/// A company and those who are there.
struct Company<'o> {
    caller: Caller<'o>,
    ids: Vec<String>,
}

impl Company<'_> {
    fn id(&self, who: usize) -> &str {
        self.ids.get(who).map_or(NOBODY, String::as_str)
    }

    /// What is tried, as an item of a batch.
    fn item(&self, one: &Try) -> Value {
        let with_tag = |mut item: Value, version: &Option<u8>| {
            if let Some(version) = version {
                item["ifMatch"] = json!(format!("\"{version}\""));
            }
            item
        };
        match one {
            Try::Hire { email, department, manager } => {
                let mut data = json!({ "fullName": "Eva Gil", "email": address(*email) });
                if let Some(department) = department {
                    data["department"] = json!(department);
                }
                if let Some(manager) = manager {
                    data["managerId"] = json!(self.id(*manager));
                }
                json!({ "data": data })
            }
            Try::Change { who, version, patch } => {
                with_tag(json!({ "op": "update", "id": self.id(*who), "data": patch }), version)
            }
            Try::Remove { who, version } => with_tag(json!({ "op": "delete", "id": self.id(*who) }), version),
        }
    }

    /// Does it alone; status and code of the answer.
    async fn alone(&self, item: &Value) -> (u64, String) {
        let path = format!("/v1/employees/{}", item["id"].as_str().unwrap_or_default());
        let tag: Vec<_> = item["ifMatch"].as_str().map(|tag| ("if-match", tag)).into_iter().collect();
        let answer = match item["op"].as_str() {
            None => self.caller.post("/v1/employees", &item["data"]).await,
            Some("update") => self.caller.write(Method::PATCH, &path, &tag, &item["data"]).await,
            Some(_) => self.caller.write(Method::DELETE, &path, &tag, &Value::Null).await,
        };
        (u64::from(answer.status), answer.code().to_owned())
    }

    /// All that the company has, without what is each company's own.
    async fn all(&self) -> (Vec<String>, Vec<String>) {
        let employees = self.caller.get("/v1/employees?limit=200").await.body["data"].clone();
        let employees = employees.as_array().unwrap();
        let email_of =
            |id: &Value| employees.iter().find(|one| one["id"] == *id).map(|one| one["email"].clone());
        let shown = |one: &Value| {
            let own =
                ["email", "department", "jobTitle", "version", "fullName"].map(|name| one[name].to_string());
            format!("{} under {:?}", own.join(" "), email_of(&one["managerId"]))
        };
        let mut people: Vec<_> = employees.iter().map(shown).collect();
        people.sort();
        let mut events = self.caller.event_types().await;
        events.sort();
        (people, events)
    }
}

#[tokio::test]
async fn a_batch_ends_as_the_same_writes_one_by_one_and_all_or_nothing_as_one_of_both() {
    on_both(async |orq| {
        let mut runner = TestRunner::deterministic();
        for round in 0..30 {
            let mut companies = Vec::new();
            for name in ["batch", "singles", "atomic"] {
                let caller = orq.company(&format!("{name} {round}")).await;
                let mut ids = Vec::new();
                for number in 0..COUNT {
                    ids.push(caller.hire(&format!("p{number}")).await);
                }
                companies.push(Company { caller, ids });
            }
            let [batch, singles, atomic] = companies.try_into().unwrap_or_else(|_| panic!("three"));
            let tries = tries().new_tree(&mut runner).unwrap().current();
            let items = |company: &Company<'_>| tries.iter().map(|one| company.item(one)).collect::<Vec<_>>();

            let path = "/v1/employees/batch";
            let together = batch.caller.post(path, &json!({ "items": items(&batch) })).await;
            assert_eq!(together.status, 200, "{}", together.body);
            let told = |one: &Value| {
                let code = one["problem"]["code"].as_str().unwrap_or_default();
                (one["status"].as_u64().unwrap(), code.to_owned())
            };
            let results: Vec<_> = together.body["results"].as_array().unwrap().iter().map(told).collect();
            let mut expected = Vec::new();
            for item in items(&singles) {
                expected.push(singles.alone(&item).await);
            }
            assert_eq!(results, expected, "{tries:?}");
            assert_eq!(batch.all().await, singles.all().await, "{tries:?}");

            let before = atomic.all().await;
            let all = atomic.caller.post(path, &json!({ "atomic": true, "items": items(&atomic) })).await;
            let refused = results.iter().any(|(status, _)| *status >= 400);
            assert_eq!(all.status == 200, !refused, "{tries:?}: {}", all.body);
            let after = if refused { before } else { batch.all().await };
            assert_eq!(atomic.all().await, after, "{tries:?}");
        }
    })
    .await;
}
