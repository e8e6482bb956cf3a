//! Whatever is sent, the answer is a problem with the right status and code, never a 500, and nothing is stored.

use axum::body::Body;
use http::{Method, Request};
use serde_json::json;

use crate::harness::{Answer, Caller, Orquiva, Receiver, on_both};

const ID: &str = "emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B";

/// Nothing was hired, subscribed or announced.
async fn assert_untouched(acme: &Caller<'_>) {
    for path in ["/v1/employees", "/v1/webhooks", "/v1/events", "/v1/deliveries"] {
        acme.orq.work().await;
        assert_eq!(acme.get(path).await.body["data"], json!([]), "{path}");
    }
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let deep = [vec![b'['; 10_000], vec![b']'; 10_000]].concat();
        let deep_object = format!("{}1{}", "{\"external_refs\":".repeat(10_000), "}".repeat(10_000));
        let bodies: [(&str, Vec<u8>); 15] = [
            ("nothing", b"".to_vec()),
            ("a brace", b"{".to_vec()),
            ("two values", b"{} {}".to_vec()),
            ("a trailing comma", br#"{"fullName":"Ana",}"#.to_vec()),
            ("single quotes", b"{'fullName':'Ana'}".to_vec()),
            ("NaN", br#"{"fullName":NaN}"#.to_vec()),
            ("invalid UTF-8", b"{\"fullName\":\"An\xff\xfe\"}".to_vec()),
            ("a lone surrogate", br#"{"fullName":"\ud800","email":"a@acme.test"}"#.to_vec()),
            ("a raw NUL", b"{\"fullName\":\"A\0na\"}".to_vec()),
            ("a name twice", br#"{"fullName":"Ana","fullName":"Eva","email":"a@acme.test"}"#.to_vec()),
            ("a name twice, within", br#"{"external_refs":{"sap":"1","\u0073ap":"2"}}"#.to_vec()),
            ("a number without end", br#"{"fullName":1e400}"#.to_vec()),
            ("a form", b"fullName=Ana&email=a%40acme.test".to_vec()),
            ("arrays, 10,000 deep", deep),
            ("objects, 10,000 deep", deep_object.into_bytes()),
        ];
        for (what, body) in bodies {
            for (method, path) in [
                (Method::POST, "/v1/employees".to_owned()),
                (Method::POST, "/v1/webhooks".to_owned()),
                (Method::PATCH, format!("/v1/employees/{ID}")),
            ] {
                let answer = acme.raw(method, &path, Some("application/json"), body.clone()).await;
                assert_eq!(answer.problem(), (400, "malformed_json"), "{what}");
            }
        }
        assert_untouched(&acme).await;
    })
    .await;
}

#[tokio::test]
async fn all_bad_fields_are_named_at_once_with_the_nearest_valid_name() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let body = json!({
            "fullname": "Ana", "firstName": 7, "email": "no address", "phone": "600123456", "startDate": "2026-02-30",
            "status": "sleeping", "employmentType": ["full_time"], "departmentId": "dep_1", "jobTitle": "a\u{0}b",
            "location": "  ", "employeeNumber": "x".repeat(65), "id": ID, "version": 3, "zzz": null,
            "external_refs": { "stripe_id": 7, "no spaces": "x", "ok": "a\nb" },
        });
        let answer = acme.post("/v1/employees", &body).await;
        assert_eq!(answer.problem(), (422, "invalid_fields"));
        let expected = [
            ("/departmentId", "invalid_id"), ("/email", "invalid_email"), ("/employeeNumber", "too_long"),
            ("/employmentType", "wrong_type"), ("/external_refs/no spaces", "invalid_key"), ("/external_refs/ok", "control_character"),
            ("/external_refs/stripe_id", "wrong_type"), ("/firstName", "wrong_type"), ("/fullName", "required"),
            ("/fullname", "unknown_field"), ("/id", "read_only"), ("/jobTitle", "control_character"), ("/location", "empty"),
            ("/phone", "invalid_phone"), ("/startDate", "invalid_date"), ("/status", "not_allowed"), ("/version", "read_only"),
            ("/zzz", "unknown_field"),
        ];
        let expected: Vec<_> = expected.iter().map(|(pointer, code)| ((*pointer).to_owned(), (*code).to_owned())).collect();
        assert_eq!(answer.faults(), expected);
        let misspelt = answer.body["errors"].as_array().unwrap().iter().find(|error| error["pointer"] == "/fullname").unwrap();
        assert_eq!(misspelt["detail"], "There is no such field. Did you mean `fullName`?");
        for body in [json!(null), json!([]), json!("x"), json!(7), json!([{ "fullName": "Ana" }])] {
            assert_eq!(acme.post("/v1/employees", &body).await.problem(), (422, "invalid_fields"), "{body}");
        }
        assert_untouched(&acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_bad_patch_changes_nothing() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let path = format!("/v1/employees/{}", acme.hire("Ana Ruiz").await);
        let before = acme.get(&path).await.body;
        for (patch, pointer) in [
            (json!({ "jobTitle": "ok", "email": null }), "/email"),
            (json!({ "fullName": null }), "/fullName"),
            (json!({ "version": 9 }), "/version"),
            (json!({ "companyId": "cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B" }), "/companyId"),
            (json!({ "externalRefs": { "stripe_id": "cus_1" } }), "/externalRefs"),
            (json!({ "external_refs": null }), "/external_refs"),
            (json!({ "external_refs": "cus_1" }), "/external_refs"),
            (json!({ "external_refs": { "stripe_id": {} } }), "/external_refs/stripe_id"),
            (json!([]), ""),
        ] {
            let answer = acme.patch(&path, &patch).await;
            assert_eq!(answer.problem(), (422, "invalid_fields"), "{patch}");
            assert_eq!(answer.faults()[0].0, pointer, "{patch}");
        }
        assert_eq!(acme.get(&path).await.body, before);
        assert_eq!(acme.event_types().await, ["employee.created"]);
    })
    .await;
}

#[tokio::test]
async fn sizes_types_and_methods_are_held_to() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let large = format!(r#"{{"fullName":"{}"}}"#, "a".repeat(2 * 1024 * 1024));
        let answer = acme.raw(Method::POST, "/v1/employees", Some("application/json"), large.clone()).await;
        assert_eq!(answer.problem(), (413, "body_too_large"));
        let form = orq.ask_token(&format!("grant_type={large}")).await;
        assert_eq!((form.status, &form.body["error"]), (400, &json!("invalid_request")));

        for kind in [
            "application/xml",
            "multipart/form-data; boundary=x",
            "application/json; charset=utf-16",
            "text/html",
        ] {
            let answer = acme.raw(Method::POST, "/v1/employees", Some(kind), "{}").await;
            assert_eq!(answer.problem(), (415, "unsupported_media_type"), "{kind}");
        }
        for kind in
            ["application/json", "application/merge-patch+json", "text/plain;charset=UTF-8", "TEXT/PLAIN"]
        {
            assert_eq!(
                acme.raw(Method::POST, "/v1/employees", Some(kind), "{}").await.status,
                422,
                "{kind} is read as JSON"
            );
        }
        let two = acme
            .request(Method::POST, "/v1/employees")
            .header("content-type", "application/json")
            .header("content-type", "text/html");
        let two = orq.send(two.body(Body::from("{}")).unwrap()).await;
        assert_eq!(two.problem(), (415, "unsupported_media_type"), "nobody knows which is meant");
        for coding in ["gzip", "identity, br"] {
            let packed =
                acme.write(Method::POST, "/v1/employees", &[("content-encoding", coding)], &json!({})).await;
            assert_eq!(packed.problem(), (415, "unsupported_media_type"), "{coding}");
            assert_eq!(packed.header("accept-encoding"), "identity");
        }
        let plain = [("content-encoding", "identity")];
        assert_eq!(acme.write(Method::POST, "/v1/employees", &plain, &json!({})).await.status, 422);
        let put = acme.raw(Method::PUT, "/v1/employees", None, "{}").await;
        assert_eq!(put.problem(), (405, "method_not_allowed"));
        let mut allowed: Vec<_> = put.header("allow").split(',').collect();
        allowed.sort_unstable();
        assert_eq!(allowed, ["GET", "HEAD", "POST"]);
        assert_untouched(&acme).await;
    })
    .await;
}

#[tokio::test]
async fn unknown_ids_and_parameters_are_told_apart() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for id in [
            ID,
            "emp_1",
            "whk_01JQ8Z6X3V4M5N6P7R8S9T0A1B",
            "%00",
            "..%2f..%2fetc",
            "emp_%F0%9F%98%80",
            "' or 1=1 --",
        ] {
            let id = id.replace(' ', "%20");
            for path in
                [format!("/v1/employees/{id}"), format!("/v1/webhooks/{id}"), format!("/v1/events/{id}")]
            {
                assert_eq!(acme.get(&path).await.problem(), (404, "not_found"), "{path}");
            }
            let patch = acme.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": "x" })).await;
            assert_eq!(patch.problem(), (404, "not_found"), "{id}");
        }
        for (query, pointer, code) in [
            ("limit=0", "limit", "out_of_range"),
            ("limit=201", "limit", "out_of_range"),
            ("limit=abc", "limit", "out_of_range"),
            ("limit=99999999999999999999", "limit", "out_of_range"),
            ("limit=1&limit=2", "limit", "repeated"),
            ("status=gone", "status", "not_allowed"),
            ("email=nobody", "email", "invalid_email"),
            ("externalRef=stripe_id", "externalRef", "wrong_type"),
            ("externalref=a:b", "externalref", "unknown_field"),
            ("department=a%00b", "department", "control_character"),
            ("q%5B%5D=1", "q[]", "unknown_field"),
        ] {
            let answer = acme.get(&format!("/v1/employees?{query}")).await;
            assert_eq!(answer.problem(), (400, "invalid_parameter"), "{query}");
            assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{query}");
        }
        assert_eq!(acme.get("/v1/events?after=-1").await.problem(), (400, "invalid_parameter"));
        assert_eq!(acme.get("/v1/deliveries?state=lost").await.problem(), (400, "invalid_parameter"));
        assert_eq!(
            acme.get("/v1/employees?department=%FF%FE").await.status,
            200,
            "what is no UTF-8 names no department"
        );
        assert_eq!(acme.get("/v1/employees/%FF").await.problem(), (400, "invalid_request"));
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_or_taken_elsewhere_is_refused() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        for number in 0..3 {
            acme.hire(&format!("Person {number}")).await;
        }
        let cursor = acme.get("/v1/employees?limit=1").await.body["nextCursor"].as_str().unwrap().to_owned();
        let refused = async |caller: &Caller<'_>, path: String| {
            assert_eq!(caller.get(&path).await.problem(), (400, "invalid_cursor"), "{path}");
        };
        assert_eq!(acme.get(&format!("/v1/employees?limit=2&cursor={cursor}")).await.status, 200);
        for at in [0, 10, 30, cursor.len() - 1] {
            let other_letter = if cursor.as_bytes()[at] == b'B' { "C" } else { "B" };
            let mut tampered = cursor.clone();
            tampered.replace_range(at..=at, other_letter);
            refused(&acme, format!("/v1/employees?cursor={tampered}")).await;
        }
        refused(&acme, "/v1/employees?cursor=abc".to_owned()).await;
        refused(&acme, format!("/v1/employees?status=active&cursor={cursor}")).await;
        refused(&acme, format!("/v1/webhooks?cursor={cursor}")).await;
        refused(&acme, format!("/v1/deliveries?cursor={cursor}")).await;
        refused(&other, format!("/v1/employees?cursor={cursor}")).await;
    })
    .await;
}

#[tokio::test]
async fn a_bad_idempotency_key_is_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for key in ["", " ", "a b", &"k".repeat(256)] {
            let answer =
                acme.write(Method::POST, "/v1/employees", &[("idempotency-key", key)], &json!({})).await;
            assert_eq!(answer.problem(), (400, "invalid_idempotency_key"), "{key:?}");
        }
        let two = [("idempotency-key", "a"), ("idempotency-key", "b")];
        let answer = acme.write(Method::POST, "/v1/employees", &two, &json!({})).await;
        assert_eq!(answer.problem(), (400, "invalid_idempotency_key"), "nobody knows which is meant");
        assert_untouched(&acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_bad_endpoint_is_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let url = "https://example.com/hook";
        for (body, pointer, code) in [
            (json!({ "url": url }), "/events", "required"),
            (json!({ "url": url, "events": [] }), "/events", "empty"),
            (json!({ "url": url, "events": "employee.created" }), "/events", "wrong_type"),
            (json!({ "url": url, "events": ["employee.create"] }), "/events/0", "unknown_event"),
            (json!({ "url": url, "events": ["*", "employees.*"] }), "/events/1", "unknown_event"),
            (json!({ "url": url, "events": ["*"], "maxConcurrency": 0 }), "/maxConcurrency", "out_of_range"),
            (json!({ "url": url, "events": ["*"], "secret": "whsec_mine" }), "/secret", "read_only"),
            (json!({ "url": url, "event": ["*"], "events": ["*"] }), "/event", "unknown_field"),
            (json!({ "events": ["*"] }), "/url", "required"),
            (json!({ "url": "example.com", "events": ["*"] }), "/url", "invalid_url"),
            (json!({ "url": "ftp://example.com", "events": ["*"] }), "/url", "invalid_url"),
            (json!({ "url": "https://user:pw@example.com", "events": ["*"] }), "/url", "invalid_url"),
            (json!({ "url": "https://example.com/#x", "events": ["*"] }), "/url", "invalid_url"),
            (json!({ "url": "https://exa mple.com/", "events": ["*"] }), "/url", "invalid_url"),
            (
                json!({ "url": format!("https://example.com/{}", "a".repeat(3000)), "events": ["*"] }),
                "/url",
                "invalid_url",
            ),
        ] {
            let answer = acme.post("/v1/webhooks", &body).await;
            assert_eq!(answer.problem(), (422, "invalid_fields"), "{body}");
            assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{body}");
        }
        assert_untouched(&acme).await;
    })
    .await;
}

#[tokio::test]
async fn a_plan_allows_only_so_many_endpoints() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", orquiva_core::Plan::Free, orquiva_core::Scopes::all()).await;
        let receiver = Receiver::start().await;
        for _ in 0..5 {
            acme.subscribe(&receiver, &["*"]).await;
        }
        let sixth = acme.post("/v1/webhooks", &json!({ "url": receiver.url, "events": ["*"] })).await;
        assert_eq!(sixth.problem(), (409, "limit_reached"));
    })
    .await;
}

/// Asks for something that is not there, in a language.
async fn nowhere(orq: &Orquiva, language: &str) -> Answer {
    let request = Request::get("/nowhere").header("accept-language", language);
    orq.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn problems_speak_spanish_and_english() {
    on_both(async |orq| {
        for (asked, tag, title) in [
            ("es-MX,es;q=0.9,en;q=0.8", "es", "No existe"),
            ("en-GB", "en", "There is nothing here"),
            ("fr, es;q=0.5", "es", "No existe"),
            ("de", "en", "There is nothing here"),
        ] {
            let answer = nowhere(&orq, asked).await;
            assert_eq!(answer.problem(), (404, "not_found"), "the code is the same in every language");
            assert_eq!(
                (answer.header("content-language"), &answer.body["title"]),
                (tag, &json!(title)),
                "{asked}"
            );
        }
    })
    .await;
}
