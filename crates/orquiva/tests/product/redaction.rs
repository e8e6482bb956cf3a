//! What the caller's scopes hide: absent and explained in answers, absent from events, wherever one looks.

use http::Method;
use orquiva_core::{Plan, Scopes};
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, Orquiva, Receiver, on_both};

const FIELDS: [&str; 6] =
    ["personalEmail", "birthDate", "gender", "nationality", "nationalId", "homeAddress"];

/// Texts that stand in the sensitive fields of [`ana`] and nowhere else.
const HIDDEN: [&str; 8] =
    ["home.test", "1990-02-28", "non_binary", "\"AD\"", "87654321X", "Calle Oculta", "secreto", "\"FK\""];

fn ana() -> Value {
    json!({
        "fullName": "Ana Ruiz", "email": "ana@acme.test",
        "personalEmail": "ana@home.test", "birthDate": "1990-02-28", "gender": "non_binary", "nationality": "AD",
        "nationalId": { "type": "dni", "value": "87654321X" },
        "homeAddress": { "line1": "Calle Oculta 1", "city": "secreto", "country": "FK" },
    })
}

fn scopes(text: &str) -> Scopes {
    Scopes::parse(text).unwrap()
}

fn redacted() -> Value {
    let entry = |field: &&str| json!({ "field": field, "scope": "employees.sensitive:read" });
    json!({ "redacted": FIELDS.iter().map(entry).collect::<Vec<_>>() })
}

fn assert_hidden(answer: &Answer, what: &str) {
    let text = std::str::from_utf8(&answer.raw).unwrap();
    for hidden in HIDDEN {
        assert!(!text.contains(hidden), "{what} shows {hidden}: {text}");
    }
}

/// A company in which one client knows everything, and another one whatever `scopes` let it.
async fn two<'o>(orq: &'o Orquiva, scopes: Scopes) -> (Caller<'o>, Caller<'o>) {
    let all = orq.company_on("acme", Plan::Enterprise, Scopes::all()).await;
    let some = orq.client_of(all.company, scopes).await;
    (all, some)
}

#[tokio::test]
async fn what_is_hidden_is_absent_and_the_answer_says_what_shows_it() {
    on_both(async |orq| {
        let (all, some) = two(&orq, scopes("employees:read employees:write")).await;
        let path =
            format!("/v1/employees/{}", all.post("/v1/employees", &ana()).await.body["id"].as_str().unwrap());
        let one = some.get(&path).await;
        assert_hidden(&one, "one");
        for field in FIELDS {
            assert!(one.body.get(field).is_none(), "{field} is absent, not null");
            assert!(!all.get(&path).await.body[field].is_null());
        }
        assert_eq!(one.body["_meta"], redacted());

        let page = some.get("/v1/employees").await;
        assert_hidden(&page, "a page");
        assert_eq!(page.body["_meta"], redacted(), "once a page");
        assert!(page.body["data"][0].get("_meta").is_none());
        assert!(all.get("/v1/employees").await.body.get("_meta").is_none());

        let changed = some.patch(&path, &json!({ "jobTitle": "Jefa" })).await;
        assert_hidden(&changed, "the answer to a change");
        assert_eq!((changed.status, &changed.body["_meta"]), (200, &redacted()));
        let kept = all.get(&path).await.body;
        assert_eq!(kept["birthDate"], "1990-02-28", "a change by who does not see it leaves it as it is");
        let hired = some.post("/v1/employees", &json!({ "fullName": "Luis", "email": "l@acme.test" })).await;
        assert_eq!((hired.status, &hired.body["_meta"]), (201, &redacted()));
    })
    .await;
}

#[tokio::test]
async fn who_may_see_more_from_now_on_is_sent_more() {
    on_both(async |orq| {
        let (all, some) = two(&orq, scopes("employees:read employees:write")).await;
        let hired = some.post("/v1/employees", &json!({ "fullName": "Ana", "email": "a@acme.test" })).await;
        let path = hired.header("location").to_owned();
        let (whole, part) = (all.get(&path).await, some.get(&path).await);
        assert_eq!(hired.header("etag"), part.header("etag"));
        assert_ne!(whole.header("etag"), part.header("etag"));
        for (caller, known, status) in [(&all, &part, 200), (&some, &whole, 200), (&some, &part, 304)] {
            let known = [("if-none-match", known.header("etag"))];
            assert_eq!(caller.write(Method::GET, &path, &known, &Value::Null).await.status, status);
        }
        // For a write either means the version.
        for (caller, known) in [(&some, &whole), (&all, &part)] {
            let known = [("if-match", known.header("etag"))];
            let dry = format!("{path}?dryRun=true");
            let changed = caller.write(Method::PATCH, &dry, &known, &json!({ "jobTitle": "Jefa" })).await;
            assert_eq!(changed.status, 200);
        }
        assert_eq!(some.patch(&path, &json!({ "jobTitle": "Jefa" })).await.status, 200);
        for known in [&whole, &part] {
            let known = [("if-match", known.header("etag"))];
            let stale = all.write(Method::DELETE, &path, &known, &Value::Null).await;
            assert_eq!(stale.problem(), (412, "precondition_failed"));
        }
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_names_what_is_hidden_is_another_one_when_more_is() {
    on_both(async |orq| {
        let (all, some) = two(&orq, scopes("employees:read employees:write")).await;
        let path = format!("/v1/employees/{}", all.hire("Ana Ruiz").await);
        let (whole, part) = (all.get(&path).await, some.get(&path).await);
        let field = json!({ "slug": "disability", "label": "D", "type": "number", "sensitive": true });
        assert_eq!(all.post("/v1/custom-fields", &field).await.status, 201);
        let again = async |caller: &Caller<'_>, known: &Answer| {
            let known = [("if-none-match", known.header("etag"))];
            caller.write(Method::GET, &path, &known, &Value::Null).await
        };
        assert_eq!(again(&all, &whole).await.status, 304, "who sees everything is told nothing new");
        let told = again(&some, &part).await;
        let added = json!({ "field": "customFields.disability", "scope": "employees.sensitive:read" });
        assert_eq!(
            (told.status, told.body["_meta"]["redacted"].as_array().unwrap().last()),
            (200, Some(&added))
        );
        assert_eq!(again(&some, &told).await.status, 304);
        for known in [&whole, &part, &told] {
            let known = [("if-match", known.header("etag"))];
            let dry = format!("{path}?dryRun=true");
            let changed = some.write(Method::PATCH, &dry, &known, &json!({ "jobTitle": "Jefa" })).await;
            assert_eq!(changed.status, 200, "for a write each means the version");
        }
        for wrong in ["\"1-redacted", "\"1-redactedx\"", "\"11-redacted\"", "W/\"1\"", "1"] {
            let stale = some.write(Method::DELETE, &path, &[("if-match", wrong)], &Value::Null).await;
            assert_eq!(stale.problem(), (412, "precondition_failed"), "{wrong}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_write_sensitive_fields_is_told_so_and_nothing_is_stored() {
    on_both(async |orq| {
        let (all, some) = two(&orq, scopes("employees:read employees:write employees.sensitive:read")).await;
        let path = format!("/v1/employees/{}", all.hire("Ana Ruiz").await);
        for field in FIELDS {
            for value in [ana()[field].clone(), Value::Null, json!("nonsense")] {
                let patch = json!({ field: value, "jobTitle": "Jefa" });
                let refused = some.patch(&path, &patch).await;
                assert_eq!(refused.problem(), (403, "insufficient_scope"), "{patch}");
                assert!(refused.body["detail"].as_str().unwrap().contains("employees.sensitive:write"));
                assert!(refused.header("www-authenticate").contains("scope=\"employees.sensitive:write\""));
                let hire = json!({ "fullName": "Luis", "email": "l@acme.test", field: value });
                assert_eq!(
                    some.post("/v1/employees", &hire).await.problem(),
                    (403, "insufficient_scope"),
                    "{hire}"
                );
            }
        }
        assert_eq!(all.event_types().await, ["employee.created"]);
        assert!(all.get(&path).await.body["jobTitle"].is_null());
    })
    .await;
}

#[tokio::test]
async fn who_writes_without_seeing_gets_nothing_back() {
    on_both(async |orq| {
        let (all, blind) = two(&orq, scopes("employees:write employees.sensitive:write")).await;
        let hired = blind.post("/v1/employees", &ana()).await;
        assert_hidden(&hired, "a hire");
        let path = hired.header("location").to_owned();
        let patched =
            blind.patch(&path, &json!({ "homeAddress": { "line2": "3.º B" }, "birthDate": null })).await;
        assert_hidden(&patched, "a patch");
        let kept = all.get(&path).await.body;
        assert_eq!(
            (&kept["homeAddress"]["line2"], &kept["homeAddress"]["city"]),
            (&json!("3.º B"), &json!("secreto"))
        );
        assert!(kept["birthDate"].is_null());
        assert_eq!(blind.get(&path).await.problem(), (403, "insufficient_scope"));
    })
    .await;
}

#[tokio::test]
async fn an_answer_that_was_kept_is_not_repeated_to_who_may_see_less() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let key = [("idempotency-key", "k")];
        let first = acme.write(Method::POST, "/v1/employees", &key, &ana()).await;
        assert_eq!((first.status, &first.body["birthDate"]), (201, &json!("1990-02-28")));
        let less = "employees:read+employees:write+employees.sensitive:write";
        let token = orq.ask_token(&format!("{}&scope={less}", acme.form())).await;
        acme.token = token.body["access_token"].as_str().unwrap().to_owned();
        let again = acme.write(Method::POST, "/v1/employees", &key, &ana()).await;
        assert_hidden(&again, "a repeat");
        assert_eq!(again.problem(), (422, "idempotency_mismatch"));
    })
    .await;
}

#[tokio::test]
async fn events_name_what_changed_and_show_it_only_to_who_may_see_it() {
    on_both(async |orq| {
        let (all, some) = two(&orq, scopes("events:read employees:read")).await;
        let path =
            format!("/v1/employees/{}", all.post("/v1/employees", &ana()).await.body["id"].as_str().unwrap());
        all.patch(
            &path,
            &json!({ "birthDate": null, "jobTitle": "Jefa", "nationalId": { "type": "other" } }),
        )
        .await;
        all.delete(&path).await;
        let events = all.events().await;
        assert_eq!(events[0]["data"]["homeAddress"]["city"], "secreto");
        assert_eq!(events[1]["data"]["birthDate"], Value::Null);
        assert_eq!(
            events[1]["previous"],
            json!({
                "jobTitle": null, "birthDate": "1990-02-28",
                "nationalId": { "type": "dni", "value": "87654321X", "country": "ES" },
            })
        );
        assert_eq!(events[2]["data"]["gender"], "non_binary");

        let listed = some.get("/v1/events").await;
        assert_hidden(&listed, "the log");
        assert_eq!(listed.body["data"][1]["changed"], json!(["jobTitle", "birthDate", "nationalId"]));
        assert_eq!(listed.body["data"][1]["previous"], json!({ "jobTitle": null }));
        for event in listed.body["data"].as_array().unwrap() {
            let one = some.get(&format!("/v1/events/{}", event["id"].as_str().unwrap())).await;
            assert_hidden(&one, "an event");
            assert_eq!(&one.body, event);
            for field in FIELDS {
                assert!(event["data"].get(field).is_none());
            }
        }
        let plain = all.hire("Luis Gil").await;
        let last = all.events().await.pop().unwrap();
        assert_eq!((&last["data"]["id"], last["data"].get("birthDate")), (&json!(plain), Some(&Value::Null)));
    })
    .await;
}

#[tokio::test]
async fn a_webhook_carries_sensitive_fields_only_if_it_asked_and_its_client_may_see_them() {
    on_both(async |orq| {
        let (all, some) = two(&orq, scopes("webhooks:manage employees:read")).await;
        let receivers = [Receiver::start().await, Receiver::start().await];
        let wish = |receiver: &Receiver, sensitive: Value| {
            json!({ "url": receiver.url, "events": ["employee.*"], "sensitive": sensitive })
        };
        let refused = some.post("/v1/webhooks", &wish(&receivers[0], json!(true))).await;
        assert_eq!(refused.problem(), (403, "insufficient_scope"));
        assert!(refused.body["detail"].as_str().unwrap().contains("employees.sensitive:read"));
        let wrong = all.post("/v1/webhooks", &wish(&receivers[0], json!("yes"))).await;
        assert_eq!(wrong.faults(), [("/sensitive".to_owned(), "wrong_type".to_owned())]);
        let granted = all.post("/v1/webhooks", &wish(&receivers[0], json!(true))).await;
        assert_eq!((granted.status, &granted.body["sensitive"]), (201, &json!(true)));
        assert_eq!(all.subscribe(&receivers[1], &["*"]).await["sensitive"], false);

        receivers[0].will_fail(1);
        let hired = all.post("/v1/employees", &ana()).await;
        orq.work().await;
        orq.clock.advance(7_000);
        orq.work().await;
        let (tries, plain) = (receivers[0].got(), receivers[1].got());
        assert_eq!((tries.len(), plain.len()), (2, 1));
        assert_eq!(tries[0].1, tries[1].1, "the same bytes at every attempt");
        assert_eq!(receivers[0].events()[0]["data"], hired.body);
        let event = all.events().await[0]["id"].as_str().unwrap().to_owned();
        assert_eq!(all.get(&format!("/v1/events/{event}")).await.raw, tries[0].1);
        let text = std::str::from_utf8(&plain[0].1).unwrap();
        for hidden in HIDDEN {
            assert!(!text.contains(hidden), "a webhook that did not ask carries {hidden}");
        }
    })
    .await;
}

#[tokio::test]
async fn whatever_the_scopes_no_hidden_value_appears_anywhere() {
    on_both(async |orq| {
        let all = orq.company("acme").await;
        let path =
            format!("/v1/employees/{}", all.post("/v1/employees", &ana()).await.body["id"].as_str().unwrap());
        all.patch(&path, &json!({ "homeAddress": { "line2": "Calle Oculta 2" } })).await;
        all.patch(&path, &json!({ "homeAddress": null })).await;
        all.patch(&path, &ana()).await;
        orq.work().await;
        let held = [
            "employees:read",
            "employees:write",
            "employees.sensitive:write",
            "departments:read",
            "departments:write",
            "events:read",
            "webhooks:manage",
        ];
        for chosen in 0..1 << held.len() {
            let text: Vec<_> = held
                .iter()
                .enumerate()
                .filter(|(at, _)| chosen & 1 << at != 0)
                .map(|(_, scope)| *scope)
                .collect();
            if text.is_empty() {
                continue;
            }
            orq.clock.advance(2_000); // a client asks for no more than a token a second
            let token = orq.ask_token(&format!("{}&scope={}", all.form(), text.join("+"))).await;
            let token = token.body["access_token"].as_str().unwrap().to_owned();
            let some = Caller {
                orq: &orq,
                company: all.company,
                id: all.id.clone(),
                secret: all.secret.clone(),
                token,
            };
            for read in
                ["/v1/employees", "/v1/employees?email=ana@acme.test", &path, "/v1/events", "/v1/deliveries"]
            {
                assert_hidden(&some.get(read).await, &format!("{read} with {text:?}"));
            }
            for patch in
                [json!({ "jobTitle": format!("T{chosen}") }), json!({ "nationalId": { "type": "nie" } })]
            {
                assert_hidden(&some.patch(&path, &patch).await, &format!("{patch} with {text:?}"));
            }
        }
    })
    .await;
}

#[tokio::test]
async fn batches_and_exports_hide_what_single_answers_hide() {
    on_both(async |orq| {
        let (all, some) = two(&orq, scopes("employees:read employees:write")).await;
        let batch = json!({ "items": [
            { "data": ana() },
            { "data": { "fullName": "Luis", "email": "luis@acme.test" } },
        ] });
        let answer = some.post("/v1/employees/batch", &batch).await;
        assert_eq!((answer.status, &answer.body["_meta"]), (200, &redacted()));
        let refused = &answer.body["results"][0];
        assert_eq!(
            (&refused["status"], &refused["problem"]["code"]),
            (&json!(403), &json!("insufficient_scope"))
        );
        assert_eq!(answer.body["results"][1]["status"], 201);

        let hired = all.post("/v1/employees/batch", &json!({ "items": [{ "data": ana() }] })).await;
        assert_eq!(hired.body["results"][0]["data"]["birthDate"], "1990-02-28");
        assert!(hired.body.get("_meta").is_none());
        let id = &hired.body["results"][0]["data"]["id"];
        let change =
            json!({ "items": [{ "op": "update", "id": id, "data": { "birthDate": "1991-01-01" } }] });
        let refused = some.post("/v1/employees/batch", &change).await;
        assert_eq!(refused.body["results"][0]["status"], 403);

        let export = some.get("/v1/employees/export").await;
        assert_hidden(&export, "an export");
        assert_eq!(export.header("x-orq-redacted"), FIELDS.join(", "));
        let whole = all.get("/v1/employees/export").await;
        assert!(std::str::from_utf8(&whole.raw).unwrap().contains("1990-02-28"));
        assert_eq!(whole.header("x-orq-redacted"), "");
    })
    .await;
}
