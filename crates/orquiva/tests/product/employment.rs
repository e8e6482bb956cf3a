//! The end of an employment and its return, at once and on days to come, each step told exactly once.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Caller, on_both};

const DAY: i64 = 24 * 3_600_000;

/// Lets days pass; the work of each of them is done. Tokens live an hour, so the caller gets a new one.
async fn days_pass(acme: &mut Caller<'_>, days: i64) {
    for _ in 0..days {
        acme.orq.clock.advance(DAY);
        acme.orq.work().await;
    }
    acme.token = acme.fresh_token().await;
}

async fn hire_on(acme: &Caller<'_>, start: &str) -> String {
    let body = json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test", "startDate": start });
    let hired = acme.post("/v1/employees", &body).await;
    assert_eq!(hired.status, 201, "{}", hired.body);
    format!("/v1/employees/{}", hired.body["id"].as_str().unwrap())
}

/// Type, changed and previous of the last event, which comes after `before` others.
async fn told(acme: &Caller<'_>, before: usize) -> (String, Value, Value) {
    let events = acme.events().await;
    assert_eq!(events.len(), before + 1, "exactly one event: {events:?}");
    let last = &events[before];
    (last["type"].as_str().unwrap().to_owned(), last["changed"].clone(), last["previous"].clone())
}

#[tokio::test]
async fn an_employment_ends_on_its_day_and_each_step_is_told_once() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        let body = json!({ "effectiveDate": "2026-01-04", "reason": "Fin de contrato" });
        let scheduled = acme.post(&format!("{path}/terminate"), &body).await;
        assert_eq!(scheduled.status, 200, "{}", scheduled.body);
        let stand = |body: &Value| {
            [&body["status"], &body["endDate"], &body["terminationReason"], &body["version"]]
                .map(Clone::clone)
        };
        let ahead = [json!("terminating"), json!("2026-01-04"), json!("Fin de contrato"), json!(2)];
        assert_eq!(stand(&scheduled.body), ahead);
        assert_eq!(scheduled.header("etag"), "\"2\"");
        let three = json!(["status", "endDate", "terminationReason"]);
        let was = json!({ "status": "active", "endDate": null, "terminationReason": null });
        assert_eq!(told(&acme, 1).await, ("employee.termination_scheduled".to_owned(), three, was));

        days_pass(&mut acme, 2).await;
        assert_eq!(stand(&acme.get(&path).await.body), ahead, "the day has not come");
        assert_eq!(acme.events().await.len(), 2);
        days_pass(&mut acme, 1).await;
        let gone = acme.get(&path).await.body;
        assert_eq!(
            stand(&gone),
            [json!("terminated"), json!("2026-01-04"), json!("Fin de contrato"), json!(3)]
        );
        let event = told(&acme, 2).await;
        assert_eq!(
            event,
            ("employee.terminated".to_owned(), json!(["status"]), json!({ "status": "terminating" }))
        );
        let last = acme.events().await.pop().unwrap();
        assert_eq!(
            (&last["actor"], &last["timestamp"]),
            (&json!({ "type": "system" }), &json!("2026-01-04T00:00:00.000Z"))
        );
        assert_eq!(last["data"]["status"], "terminated");
        days_pass(&mut acme, 3).await;
        assert_eq!(acme.events().await.len(), 3, "it is carried out once");
        assert_eq!(acme.get("/v1/employees?status=terminated").await.body["data"][0], gone);
    })
    .await;
}

#[tokio::test]
async fn an_end_on_this_day_or_before_is_one_step() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        let ended = acme.post(&format!("{path}/terminate"), &json!({})).await;
        assert_eq!(
            (&ended.body["status"], &ended.body["endDate"]),
            (&json!("terminated"), &json!("2026-01-01"))
        );
        let event = told(&acme, 1).await;
        let was = json!({ "status": "active", "endDate": null });
        assert_eq!(event, ("employee.terminated".to_owned(), json!(["status", "endDate"]), was));
        let other = acme.hire("Luis Gil").await;
        let past = json!({ "effectiveDate": "2025-12-24" });
        let ended = acme.post(&format!("/v1/employees/{other}/terminate"), &past).await;
        assert_eq!(
            (&ended.body["status"], &ended.body["endDate"]),
            (&json!("terminated"), &json!("2025-12-24"))
        );
    })
    .await;
}

#[tokio::test]
async fn an_end_that_lies_ahead_can_be_cancelled_and_the_employment_goes_on_as_it_was() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        acme.patch(&path, &json!({ "status": "on_leave" })).await;
        let body = json!({ "effectiveDate": "2026-01-04", "reason": "x" });
        acme.post(&format!("{path}/terminate"), &body).await;
        let patched = acme.patch(&path, &json!({ "jobTitle": "Jefa", "status": "terminating" })).await;
        assert_eq!(
            (patched.status, &patched.body["status"]),
            (200, &json!("terminating")),
            "the rest can change"
        );
        let refused = acme.patch(&path, &json!({ "status": "active" })).await;
        assert_eq!(refused.faults(), [("/status".to_owned(), "cancel_termination".to_owned())]);
        let cancelled = acme.delete(&format!("{path}/terminate")).await;
        assert_eq!(cancelled.status, 200, "{}", cancelled.body);
        assert_eq!(
            [&cancelled.body["status"], &cancelled.body["endDate"], &cancelled.body["terminationReason"]],
            [&json!("on_leave"), &Value::Null, &Value::Null]
        );
        let was = json!({ "status": "terminating", "endDate": "2026-01-04", "terminationReason": "x" });
        let event = told(&acme, 4).await;
        assert_eq!((event.0.as_str(), event.2), ("employee.termination_cancelled", was));
        days_pass(&mut acme, 5).await;
        assert_eq!(acme.get(&path).await.body["status"], "on_leave");
        assert_eq!(acme.events().await.len(), 5);
    })
    .await;
}

#[tokio::test]
async fn the_first_day_of_someone_hired_ahead_is_told_once_over_all_nodes_also_after_a_rest() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let other = orq.company("other").await;
        let path = hire_on(&acme, "2026-01-03").await;
        let later = hire_on(&other, "2026-01-05").await;
        let begun = json!({ "fullName": "B", "email": "b@acme.test", "startDate": "2025-12-01", "status": "onboarding" });
        let begun = acme.post("/v1/employees", &begun).await.body["id"].as_str().unwrap().to_owned();
        assert_eq!(acme.get(&path).await.body["status"], "onboarding");
        let second = orq.another_scheduler().await;
        let first = orq.scheduler.clone();
        assert_eq!(first.step().await.unwrap() + second.step().await.unwrap(), 0);
        orq.clock.advance(9 * DAY); // nobody ran in the meantime
        let (a, b, c) = tokio::join!(first.step(), second.step(), first.step());
        assert_eq!(a.unwrap() + b.unwrap() + c.unwrap(), 2, "each is carried out by one of them");
        assert_eq!(first.step().await.unwrap(), 0);
        acme.token = acme.fresh_token().await;
        assert_eq!(acme.event_types().await, ["employee.created", "employee.created", "employee.started"]);
        let event = acme.events().await.pop().unwrap();
        assert_eq!((&event["changed"], &event["previous"]), (&json!(["status"]), &json!({ "status": "onboarding" })));
        assert_eq!(acme.get(&path).await.body["status"], "active");
        let kept = acme.get(&format!("/v1/employees/{begun}")).await.body;
        assert_eq!(kept["status"], "onboarding", "who was hired as beginning begins when a client says so");
        let mut other = other;
        other.token = other.fresh_token().await;
        assert_eq!(other.get(&later).await.body["status"], "active");
    })
    .await;
}

#[tokio::test]
async fn a_first_day_that_is_moved_is_the_one_that_counts() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let path = hire_on(&acme, "2026-01-10").await;
        acme.patch(&path, &json!({ "startDate": "2026-01-20" })).await;
        days_pass(&mut acme, 12).await;
        assert_eq!(acme.get(&path).await.body["status"], "onboarding");
        let now = acme.patch(&path, &json!({ "startDate": "2026-01-13" })).await;
        assert_eq!(now.body["originalHireDate"], "2026-01-13");
        orq.work().await;
        assert_eq!(acme.get(&path).await.body["status"], "active");
        let types = acme.event_types().await;
        assert_eq!(types[1..], ["employee.updated", "employee.updated", "employee.started"]);
        let early = acme.patch(&path, &json!({ "status": "onboarding" })).await;
        assert_eq!(early.status, 200);
        orq.work().await;
        assert_eq!(acme.get(&path).await.body["status"], "onboarding", "written so, and no day lies ahead");
    })
    .await;
}

#[tokio::test]
async fn who_has_left_is_taken_on_again_at_once_or_ahead() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        acme.post(&format!("{path}/terminate"), &json!({ "effectiveDate": "2025-12-31", "reason": "x" }))
            .await;
        let refused = acme.patch(&path, &json!({ "status": "active" })).await;
        assert_eq!(refused.faults(), [("/status".to_owned(), "use_rehire".to_owned())]);

        let ahead = json!({ "startDate": "2026-01-03", "jobTitle": "Jefa", "department": "Ventas" });
        let rehired = acme.post(&format!("{path}/rehire"), &ahead).await;
        assert_eq!(rehired.status, 200, "{}", rehired.body);
        for (name, value) in [
            ("status", json!("onboarding")),
            ("startDate", json!("2026-01-03")),
            ("originalHireDate", json!("2025-03-01")),
            ("endDate", Value::Null),
            ("terminationReason", Value::Null),
            ("jobTitle", json!("Jefa")),
            ("department", json!("Ventas")),
        ] {
            assert_eq!(rehired.body[name], value, "{name}");
        }
        let events = acme.event_types().await;
        assert_eq!(events[2..], ["department.created", "employee.rehired"]);
        let event = acme.events().await.pop().unwrap();
        assert_eq!(event["previous"]["status"], "terminated");
        assert_eq!(event["previous"]["endDate"], "2025-12-31");

        let cancelled = acme.delete(&format!("{path}/rehire")).await;
        for (name, value) in [
            ("status", json!("terminated")),
            ("startDate", json!("2025-03-01")),
            ("endDate", json!("2025-12-31")),
            ("terminationReason", json!("x")),
            ("jobTitle", json!("Jefa")),
        ] {
            assert_eq!(cancelled.body[name], value, "{name}");
        }
        assert_eq!(acme.event_types().await[4..], ["employee.terminated"]);
        days_pass(&mut acme, 3).await;
        assert_eq!(acme.get(&path).await.body["status"], "terminated", "what was cancelled does not come");

        acme.post(&format!("{path}/rehire"), &json!({ "startDate": "2026-01-06" })).await;
        days_pass(&mut acme, 2).await;
        assert_eq!(acme.get(&path).await.body["status"], "active");
        assert_eq!(acme.event_types().await[5..], ["employee.rehired", "employee.started"]);
        acme.post(&format!("{path}/terminate"), &json!({})).await;
        let again = acme.post(&format!("{path}/rehire"), &json!({ "startDate": "2026-01-06" })).await;
        assert_eq!(
            (&again.body["status"], &again.body["originalHireDate"]),
            (&json!("active"), &json!("2025-03-01"))
        );
        assert_eq!(acme.event_types().await[7..], ["employee.terminated", "employee.rehired"]);
    })
    .await;
}

#[tokio::test]
async fn a_step_that_is_not_possible_says_which_one_is() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        let step = async |method: Method, verb: &str, body: Value| {
            let path = format!("{path}/{verb}");
            let answer = match method == Method::DELETE {
                true => acme.delete(&path).await,
                false => acme.post(&path, &body).await,
            };
            (answer.status, answer.code().to_owned())
        };
        let refused = |code: &str| (409, code.to_owned());
        let (ahead, start) = (json!({ "effectiveDate": "2026-02-01" }), json!({ "startDate": "2026-02-01" }));
        let done = (200, String::new());
        // At work.
        assert_eq!(step(Method::DELETE, "terminate", json!({})).await, refused("no_termination_scheduled"));
        assert_eq!(step(Method::POST, "rehire", start.clone()).await, refused("not_terminated"));
        assert_eq!(step(Method::DELETE, "rehire", json!({})).await, refused("no_rehire_scheduled"));
        // The end lies ahead.
        assert_eq!(step(Method::POST, "terminate", ahead.clone()).await, done);
        assert_eq!(step(Method::POST, "terminate", json!({})).await, refused("termination_scheduled"));
        assert_eq!(step(Method::POST, "rehire", start.clone()).await, refused("termination_scheduled"));
        assert_eq!(step(Method::DELETE, "rehire", json!({})).await, refused("termination_scheduled"));
        assert_eq!(step(Method::DELETE, "terminate", json!({})).await, done);
        // Gone.
        assert_eq!(step(Method::POST, "terminate", json!({})).await, done);
        assert_eq!(step(Method::POST, "terminate", ahead.clone()).await, refused("already_terminated"));
        assert_eq!(step(Method::DELETE, "terminate", json!({})).await, refused("already_terminated"));
        assert_eq!(step(Method::DELETE, "rehire", json!({})).await, refused("already_terminated"));
        // The return lies ahead.
        assert_eq!(step(Method::POST, "rehire", start.clone()).await, done);
        assert_eq!(step(Method::POST, "rehire", start).await, refused("rehire_scheduled"));
        assert_eq!(step(Method::POST, "terminate", ahead).await, refused("rehire_scheduled"));
        assert_eq!(step(Method::DELETE, "terminate", json!({})).await, refused("no_termination_scheduled"));
        assert_eq!(acme.events().await.len(), 5, "a refused step announces nothing");
        for verb in ["terminate", "rehire"] {
            let nobody = format!("/v1/employees/emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B/{verb}");
            assert_eq!(
                acme.post(&nobody, &json!({ "startDate": "2026-02-01" })).await.status,
                if verb == "rehire" { 404 } else { 422 }
            );
            assert_eq!(acme.delete(&nobody).await.problem(), (404, "not_found"));
        }
    })
    .await;
}

#[tokio::test]
async fn an_end_whose_day_has_come_is_no_longer_cancelled_even_before_it_is_carried_out() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        acme.post(&format!("{path}/terminate"), &json!({ "effectiveDate": "2026-01-02" })).await;
        orq.clock.advance(DAY);
        acme.token = acme.fresh_token().await;
        let late = acme.delete(&format!("{path}/terminate")).await;
        assert_eq!(late.problem(), (409, "already_terminated"));
        orq.work().await;
        assert_eq!(acme.get(&path).await.body["status"], "terminated");
    })
    .await;
}

#[tokio::test]
async fn wrong_dates_and_fields_are_named() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        let fault = |pointer: &str, code: &str| (pointer.to_owned(), code.to_owned());
        for (body, expected) in [
            (json!({ "effectiveDate": "2026-02-30" }), fault("/effectiveDate", "invalid_date")),
            (json!({ "effectiveDate": 20260201 }), fault("/effectiveDate", "wrong_type")),
            (json!({ "effectiveDate": "2025-02-28" }), fault("/effectiveDate", "end_before_start")),
            (json!({ "reason": "" }), fault("/reason", "empty")),
            (json!({ "reason": "x".repeat(501) }), fault("/reason", "too_long")),
            (json!({ "efectiveDate": "2026-02-01" }), fault("/efectiveDate", "unknown_field")),
            (json!([]), fault("", "wrong_type")),
        ] {
            let answer = acme.post(&format!("{path}/terminate"), &body).await;
            assert_eq!(answer.problem(), (422, "invalid_fields"), "{body}");
            assert_eq!(answer.faults(), [expected], "{body}");
        }
        acme.post(&format!("{path}/terminate"), &json!({ "effectiveDate": "2025-12-31" })).await;
        for (body, expected) in [
            (json!({}), fault("/startDate", "required")),
            (json!({ "startDate": null }), fault("/startDate", "required")),
            (json!({ "startDate": "soon" }), fault("/startDate", "invalid_date")),
            (json!({ "startDate": "2025-12-30" }), fault("/startDate", "start_before_end")),
            (json!({ "startDate": "2026-01-01", "status": "on_leave" }), fault("/status", "read_only")),
            (json!({ "startDate": "2026-01-01", "email": "x" }), fault("/email", "invalid_email")),
            (
                json!({ "startDate": "2026-01-01", "endDate": "2026-02-01" }),
                fault("/endDate", "use_terminate"),
            ),
            (json!("2026-01-01"), fault("", "wrong_type")),
        ] {
            let answer = acme.post(&format!("{path}/rehire"), &body).await;
            assert_eq!(answer.problem(), (422, "invalid_fields"), "{body}");
            assert_eq!(answer.faults(), [expected], "{body}");
        }
        assert_eq!(acme.event_types().await, ["employee.created", "employee.terminated"]);
    })
    .await;
}

#[tokio::test]
async fn each_step_honours_key_entity_tag_and_rehearsal() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let path = hire_on(&acme, "2025-03-01").await;
        let end = format!("{path}/terminate");
        let stale = acme.write(Method::POST, &end, &[("if-match", "\"7\"")], &json!({})).await;
        assert_eq!(stale.problem(), (412, "precondition_failed"));
        let rehearsed = acme.post(&format!("{end}?dryRun=true"), &json!({})).await;
        assert_eq!((rehearsed.status, &rehearsed.body["status"]), (200, &json!("terminated")));
        assert_eq!(acme.get(&path).await.body["status"], "active");
        let headers = [("idempotency-key", "end-ana"), ("if-match", "\"1\"")];
        let ended = acme.write(Method::POST, &end, &headers, &json!({})).await;
        let again = acme.write(Method::POST, &end, &headers, &json!({})).await;
        assert_eq!((ended.status, again.header("idempotent-replayed")), (200, "true"));
        assert_eq!(again.raw, ended.raw);
        let back = json!({ "startDate": "2026-01-01" });
        let headers = [("idempotency-key", "back-ana")];
        let rehired = acme.write(Method::POST, &format!("{path}/rehire"), &headers, &back).await;
        let again = acme.write(Method::POST, &format!("{path}/rehire"), &headers, &back).await;
        assert_eq!((rehired.status, &again.raw), (200, &rehired.raw));
        assert_eq!(acme.event_types().await, ["employee.created", "employee.terminated", "employee.rehired"]);
    })
    .await;
}

#[tokio::test]
async fn who_reports_to_someone_is_listed_directly_or_all_the_way_down() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let mut people: Vec<String> = Vec::new();
        for (number, above) in [None, Some(0), Some(0), Some(1), Some(3), None].iter().enumerate() {
            let body = json!({
                "fullName": format!("P{number}"), "email": format!("p{number}@acme.test"),
                "managerId": above.map(|above: usize| people[above].clone()),
            });
            let hired = acme.post("/v1/employees", &body).await;
            people.push(hired.body["id"].as_str().unwrap().to_owned());
        }
        let reports = async |of: usize, query: &str| {
            let mut path = format!("/v1/employees/{}/reports?{query}", people[of]);
            let mut found = Vec::new();
            loop {
                let page = acme.get(&path).await;
                assert_eq!(page.status, 200, "{}", page.body);
                let names = page.body["data"].as_array().unwrap().iter();
                found.extend(names.map(|one| one["fullName"].as_str().unwrap().to_owned()));
                let Some(next) = page.body["nextCursor"].as_str() else { return found };
                path = format!("/v1/employees/{}/reports?{query}&cursor={next}", people[of]);
            }
        };
        assert_eq!(reports(0, "").await, ["P1", "P2"]);
        assert_eq!(reports(0, "limit=1").await, ["P1", "P2"]);
        assert_eq!(reports(0, "depth=all&limit=2").await, ["P1", "P2", "P3", "P4"]);
        assert_eq!(reports(1, "depth=direct").await, ["P3"]);
        assert_eq!(reports(5, "depth=all").await, Vec::<String>::new());
        let wrong = acme.get(&format!("/v1/employees/{}/reports?depth=2", people[0])).await;
        assert_eq!(wrong.problem(), (400, "invalid_parameter"));
        let other = orq.company("other").await;
        let foreign = other.get(&format!("/v1/employees/{}/reports", people[0])).await;
        assert_eq!(foreign.problem(), (404, "not_found"));
        let few = orq.client_of(acme.company, orquiva_core::Scopes::parse("employees:read").unwrap()).await;
        let page = few.get(&format!("/v1/employees/{}/reports", people[0])).await.body;
        assert_eq!(page["_meta"]["redacted"].as_array().unwrap().len(), 6);
    })
    .await;
}
