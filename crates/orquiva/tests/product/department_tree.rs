//! Whatever moves and removals are tried, the departments stay a tree.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use crate::harness::{Caller, on_both};

/// Departments in play at the beginning.
const COUNT: usize = 7;

/// What is tried: who by its number, and under whom or for whom.
#[derive(Clone, Debug)]
enum Try {
    Move(usize, Option<usize>),
    Replace(usize, usize),
}

fn tries() -> impl Strategy<Value = Vec<Try>> {
    let one = prop_oneof![
        12 => (0..COUNT, prop::option::weighted(0.9, 0..COUNT)).prop_map(|(who, under)| Try::Move(who, under)),
        1 => (0..COUNT, 0..COUNT).prop_map(|(who, by)| Try::Replace(who, by)),
    ];
    prop::collection::vec(one, 40)
}

/// Each department's parent, as the API lists them.
async fn parents(acme: &Caller<'_>) -> BTreeMap<String, Option<String>> {
    let list = acme.get("/v1/departments?limit=200").await.body["data"].clone();
    let text = |value: &Value| value.as_str().map(str::to_owned);
    list.as_array().unwrap().iter().map(|one| (text(&one["id"]).unwrap(), text(&one["parentId"]))).collect()
}

/// Whether `department` is `above` or stands below it. Panics where the way up does not end at a root.
fn stands_below(parents: &BTreeMap<String, Option<String>>, department: &str, above: &str) -> bool {
    let mut way = Some(department.to_owned());
    let mut found = false;
    for _ in 0..=COUNT {
        let Some(one) = way else { return found };
        found |= one == above;
        way = parents.get(&one).unwrap_or_else(|| panic!("{one} is a parent and not there")).clone();
    }
    panic!("{department} reaches no root: {parents:?}");
}

#[tokio::test]
async fn no_moves_and_removals_ever_close_the_tree_into_a_circle() {
    on_both(async |orq| {
        let mut runner = TestRunner::deterministic();
        for round in 0..12 {
            let acme = orq.company(&format!("acme {round}")).await;
            let mut ids = Vec::new();
            for number in 0..COUNT {
                let created = acme.department(json!({ "name": format!("D{number}") })).await;
                ids.push(created["id"].as_str().unwrap().to_owned());
            }
            for one in tries().new_tree(&mut runner).unwrap().current() {
                let before = parents(&acme).await;
                let live = |number: &usize| before.contains_key(&ids[*number]);
                match one {
                    Try::Move(who, under) if live(&who) => {
                        let under = under.map(|number| ids[number].as_str());
                        let moved = acme
                            .patch(&format!("/v1/departments/{}", ids[who]), &json!({ "parentId": under }))
                            .await;
                        let expected = match under {
                            Some(under) if !before.contains_key(under) => "unknown_department",
                            Some(under)
                                if stands_below(&before, under, &ids[who])
                                    && before[&ids[who]].as_deref() != Some(under) =>
                            {
                                "department_cycle"
                            }
                            Some(_) | None => "",
                        };
                        let code = moved.faults().first().map(|(_, code)| code.clone()).unwrap_or_default();
                        assert_eq!(code, expected, "{who} under {under:?} in {before:?}");
                    }
                    Try::Replace(who, by) if live(&who) && live(&by) && who != by => {
                        let path = format!("/v1/departments/{}?replaceWith={}", ids[who], ids[by]);
                        assert_eq!(acme.delete(&path).await.status, 204);
                    }
                    Try::Move(..) | Try::Replace(..) => {}
                }
                let after = parents(&acme).await;
                assert!(after.keys().all(|department| stands_below(&after, department, department)));
            }
        }
    })
    .await;
}
