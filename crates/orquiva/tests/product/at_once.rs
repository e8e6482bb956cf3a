//! Hires of one company that come at the same moment: they run beside each other, and end as if each had come alone.

use std::collections::{BTreeMap, BTreeSet};

use axum::Router;
use futures_util::future::join_all;
use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, on_both, send};

/// Sends hires at the same moment, in turn to each of `nodes`.
async fn hire_at_once(
    acme: &Caller<'_>,
    nodes: &[&Router],
    hires: &[(Option<String>, Value)],
) -> Vec<Answer> {
    let sent = hires.iter().enumerate().map(|(at, (key, body))| {
        let key: Vec<_> = key.iter().map(|key| ("idempotency-key", key.as_str())).collect();
        send(nodes[at % nodes.len()], acme.written(Method::POST, "/v1/employees", &key, body))
    });
    join_all(sent).await
}

/// Everything that a list shows.
async fn all(acme: &Caller<'_>, path: &str) -> Vec<Value> {
    let (mut all, mut next) = (Vec::new(), format!("{path}?limit=200"));
    loop {
        let page = acme.get(&next).await;
        all.extend(page.body["data"].as_array().unwrap().clone());
        match page.body["nextCursor"].as_str() {
            Some(cursor) => next = format!("{path}?limit=200&cursor={cursor}"),
            None => return all,
        }
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// The log is whole: everyone was announced once, and after the department that they were put into.
async fn log_agrees(acme: &Caller<'_>, employees: &[Value], departments: &[Value]) {
    acme.orq.work().await;
    let (mut log, mut after) = (Vec::new(), 0);
    loop {
        let page = acme.get(&format!("/v1/events?after={after}&limit=200")).await;
        let events = page.body["data"].as_array().unwrap().clone();
        let Some(last) = events.last() else { break };
        after = last["sequence"].as_i64().unwrap();
        log.extend(events);
    }
    let places: Vec<_> = log.iter().map(|event| event["sequence"].as_i64().unwrap()).collect();
    assert_eq!(places, (1..=log.len() as i64).collect::<Vec<_>>(), "without gaps");
    let (mut people, mut known) = (BTreeSet::new(), BTreeSet::new());
    for event in &log {
        let (id, department) = (text(&event["data"]["id"]), text(&event["data"]["departmentId"]));
        match event["type"].as_str().unwrap() {
            "department.created" => assert!(known.insert(id), "announced once"),
            "employee.created" => {
                assert!(
                    department.is_empty() || known.contains(&department),
                    "{department} was not announced"
                );
                assert!(people.insert(id), "announced once");
            }
            other => assert_eq!(other, "department.updated"),
        }
    }
    assert_eq!((people.len(), known.len()), (employees.len(), departments.len()));
}

#[tokio::test]
async fn of_hires_at_once_each_ends_as_if_it_had_come_alone() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.another_node().await;
        let boss = acme.hire("Boss").await;
        let nobody = "emp_00000000000000000000000000";
        let mut expected = 1;
        for round in 0..3 {
            let mut hires = Vec::new();
            for number in 0..40 {
                let names = ["Ventas", "VENTAS", "Compras", "COMPRAS", "I+D"];
                let department = format!("{}{}", names[number % names.len()], if number < 20 { "" } else { " Sur" });
                let email = format!("p{round}.{number}@acme.test");
                let mut body = json!({ "fullName": "Eva Gil", "email": email, "department": department });
                match number % 8 {
                    // Twice, each for itself: the second is refused.
                    1 => hires.push((None, body.clone())),
                    // Twice under one key: the second is the first.
                    2 => hires.push((Some(format!("k{round}.{number}")), body.clone())),
                    3 => body["managerId"] = json!(boss),
                    4 => hires.push((None, json!({ "fullName": "X", "email": format!("x{number}@acme.test"), "managerId": nobody }))),
                    5 => body["external_refs"] = json!({ "sap": format!("{round}.{number}") }),
                    _ => {}
                }
                let key = (number % 2 == 0).then(|| format!("k{round}.{number}"));
                hires.push((key, body));
            }
            // On one node, on two nodes, on the other.
            let (one, both, another) = ([&orq.router], [&orq.router, &other], [&other]);
            let nodes = [&one[..], &both, &another][round];
            let answers = hire_at_once(&acme, nodes, &hires).await;
            let mut by_email: BTreeMap<String, Vec<&Answer>> = BTreeMap::new();
            for (answer, (_, body)) in answers.iter().zip(&hires) {
                by_email.entry(text(&body["email"])).or_default().push(answer);
            }
            for (email, answers) in &by_email {
                let hired = answers.iter().filter(|answer| answer.status == 201);
                let hired: BTreeSet<_> = hired.map(|answer| text(&answer.body["id"])).collect();
                let told: Vec<_> = answers.iter().map(|answer| (answer.status, answer.body.to_string())).collect();
                assert_eq!(hired.len(), usize::from(!email.starts_with('x')), "{email}: {told:?}");
                for answer in answers.iter().filter(|answer| answer.status != 201) {
                    let refused = answer.problem();
                    let known = [(409, "conflict"), (409, "idempotency_in_progress"), (422, "invalid_fields")];
                    assert!(known.contains(&refused), "{email}: {told:?}");
                }
            }
            expected += 40;
            assert_eq!(all(&acme, "/v1/employees").await.len(), expected);
        }
        let (employees, departments) = (all(&acme, "/v1/employees").await, all(&acme, "/v1/departments").await);
        let names: BTreeSet<_> = departments.iter().map(|department| text(&department["name"]).to_lowercase()).collect();
        let expected = ["compras", "compras sur", "i+d", "i+d sur", "ventas", "ventas sur"];
        assert_eq!(names.into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(departments.len(), expected.len());
        log_agrees(&acme, &employees, &departments).await;
    })
    .await;
}

#[tokio::test]
async fn a_department_that_changes_its_name_among_hires_takes_them_along() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ventas = acme.post("/v1/departments", &json!({ "name": "Ventas" })).await;
        let path = ventas.header("location").to_owned();
        for round in 0..4 {
            let hire = |number: usize| {
                let email = format!("p{round}.{number}@acme.test");
                let body =
                    json!({ "fullName": "Eva Gil", "email": email, "department": format!("V{round}") });
                acme.written(Method::POST, "/v1/employees", &[], &body)
            };
            let rename = |name: String| acme.written(Method::PATCH, &path, &[], &json!({ "name": name }));
            assert_eq!(send(&orq.router, rename(format!("V{round}"))).await.status, 200);
            let mut requests: Vec<_> = (0..12).map(hire).collect();
            requests.insert(6, rename(format!("W{round}")));
            let answers = join_all(requests.into_iter().map(|request| send(&orq.router, request))).await;
            assert!(answers.iter().all(|answer| answer.status < 300));
        }
        let departments = all(&acme, "/v1/departments").await;
        let names: BTreeMap<_, _> =
            departments.iter().map(|one| (text(&one["id"]), text(&one["name"]))).collect();
        let employees = all(&acme, "/v1/employees").await;
        assert_eq!(employees.len(), 48);
        for one in &employees {
            assert_eq!(names[&text(&one["departmentId"])], text(&one["department"]));
        }
    })
    .await;
}
