//! Whatever managers are tried, nobody comes to report to themselves, and whoever is named is there.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{Caller, on_both};

/// People in play at the beginning.
const COUNT: usize = 7;

/// What is tried, people by their number: one gets a manager or none, alone or in a batch, or goes.
#[derive(Clone, Debug)]
enum Try {
    Put(usize, Option<usize>),
    PutInBatch(Vec<(usize, usize)>),
    Remove(usize),
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = prop_oneof![
        8 => (0..COUNT, prop::option::weighted(0.9, 0..COUNT)).prop_map(|(who, under)| Try::Put(who, under)),
        3 => prop::collection::vec((0..COUNT, 0..COUNT), 1..5).prop_map(Try::PutInBatch),
        1 => (0..COUNT).prop_map(Try::Remove),
    ];
    prop::collection::vec(one, 30)
}

/// Each one's manager, as the API lists them.
type Lines = BTreeMap<String, Option<String>>;

async fn lines(acme: &Caller<'_>) -> Lines {
    let list = acme.get("/v1/employees?limit=200").await.body["data"].clone();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    list.as_array().unwrap().iter().map(|one| (text(&one["id"]).unwrap(), text(&one["managerId"]))).collect()
}

/// Whether `person` is `above` or reports to them. Panics where the way up does not end.
fn reports_to(lines: &Lines, person: &str, above: &str) -> bool {
    let (mut way, mut found) = (Some(person.to_owned()), false);
    for _ in 0..=COUNT {
        let Some(one) = way else { return found };
        found |= one == above;
        way = lines.get(&one).unwrap_or_else(|| panic!("{one} is a manager and not there")).clone();
    }
    panic!("{person} reports in a circle: {lines:?}");
}

/// What is wrong with `under` as the manager of `who`; nothing if it is right.
fn fault(lines: &Lines, who: &str, under: Option<&str>) -> &'static str {
    match under {
        Some(under) if lines[who].as_deref() == Some(under) => "",
        Some(under) if !lines.contains_key(under) => "unknown_employee",
        Some(under) if who == under => "own_manager",
        Some(under) if reports_to(lines, under, who) => "manager_cycle",
        Some(_) | None => "",
    }
}

#[tokio::test]
async fn no_change_of_managers_ever_closes_a_circle() {
    on_both(async |orq| {
        let mut runner = TestRunner::deterministic();
        for round in 0..12 {
            let acme = orq.company(&format!("acme {round}")).await;
            let mut ids = Vec::new();
            for number in 0..COUNT {
                ids.push(acme.hire(&format!("p{number}")).await);
            }
            for one in tries().new_tree(&mut runner).unwrap().current() {
                let mut expected = lines(&acme).await;
                match one {
                    Try::Put(who, under) if expected.contains_key(&ids[who]) => {
                        let (who, under) = (&ids[who], under.map(|number| ids[number].as_str()));
                        let path = format!("/v1/employees/{who}");
                        let put = acme.patch(&path, &json!({ "managerId": under })).await;
                        let code = put.faults().first().map(|(_, code)| code.clone()).unwrap_or_default();
                        assert_eq!(code, fault(&expected, who, under), "{who} under {under:?} in {expected:?}");
                        if code.is_empty() {
                            expected.insert(who.clone(), under.map(str::to_owned));
                        }
                    }
                    Try::PutInBatch(pairs) => {
                        let item = |(who, under): &(usize, usize)| {
                            json!({ "op": "update", "id": ids[*who], "data": { "managerId": ids[*under] } })
                        };
                        let items: Vec<_> = pairs.iter().map(item).collect();
                        let done = acme.post("/v1/employees/batch", &json!({ "items": items })).await;
                        for ((who, under), result) in pairs.iter().zip(done.body["results"].as_array().unwrap()) {
                            let (who, under) = (&ids[*who], &ids[*under]);
                            let there = expected.contains_key(who);
                            let good = there && fault(&expected, who, Some(under)).is_empty();
                            assert_eq!(result["status"] == 200, good, "{pairs:?}: {result}");
                            if good {
                                expected.insert(who.clone(), Some(under.clone()));
                            }
                        }
                    }
                    Try::Remove(who) if expected.remove(&ids[who]).is_some() => {
                        assert_eq!(acme.delete(&format!("/v1/employees/{}", ids[who])).await.status, 204);
                        for manager in expected.values_mut().filter(|manager| manager.as_ref() == Some(&ids[who])) {
                            *manager = None;
                        }
                    }
                    Try::Put(..) | Try::Remove(_) => {}
                }
                let after = lines(&acme).await;
                assert!(after.keys().all(|person| reports_to(&after, person, person)));
                assert_eq!(after, expected);
            }
        }
    })
    .await;
}
