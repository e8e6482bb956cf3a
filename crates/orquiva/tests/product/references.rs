//! Employees by what other systems call them.

use http::Method;
use serde_json::{Value, json};

use crate::harness::{Answer, Caller, on_both};

async fn put(acme: &Caller<'_>, path: &str, headers: &[(&str, &str)], body: &Value) -> Answer {
    acme.write(Method::PUT, &format!("/v1/employees/by-ref/{path}"), headers, body).await
}

#[tokio::test]
async fn who_has_the_reference_is_changed_and_who_has_it_not_is_created() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test", "jobTitle": "Jefa" });
        let created = put(&acme, "sap/00042", &[], &ana).await;
        assert_eq!(created.status, 201, "{}", created.body);
        assert_eq!(created.body["external_refs"], json!({ "sap": "00042" }));
        let path = format!("/v1/employees/{}", created.body["id"].as_str().unwrap());
        assert_eq!((created.header("location"), created.header("etag")), (path.as_str(), "\"1\""));

        let same = put(&acme, "sap/00042", &[], &ana).await;
        assert_eq!((same.status, &same.body["version"]), (200, &json!(1)), "the same again changes nothing");
        let patch =
            json!({ "jobTitle": null, "location": "Madrid", "external_refs": { "stripe_id": "cus_1" } });
        let changed = put(&acme, "sap/00042", &[], &patch).await;
        assert_eq!(
            (changed.status, &changed.body["fullName"]),
            (200, &json!("Ana Ruiz")),
            "{}",
            changed.body
        );
        assert_eq!((&changed.body["jobTitle"], &changed.body["location"]), (&Value::Null, &json!("Madrid")));
        assert_eq!(changed.body["external_refs"], json!({ "sap": "00042", "stripe_id": "cus_1" }));

        let found = acme.get("/employees/by-ref/stripe_id/cus_1").await;
        assert_eq!((found.status, &found.body), (200, &changed.body));
        assert_eq!(found.header("etag"), changed.header("etag"));
        let picked = acme.get("/v1/employees/by-ref/stripe_id/cus_1?fields=email").await;
        assert_eq!(picked.body["email"], "ana@acme.test");
        assert_eq!(picked.body.get("fullName"), None);
        assert_eq!(acme.event_types().await, ["employee.created", "employee.updated"]);

        let removed = acme.patch(&path, &json!({ "external_refs": { "sap": null } })).await;
        assert_eq!(removed.body["external_refs"], json!({ "stripe_id": "cus_1" }));
        assert_eq!(acme.get("/v1/employees/by-ref/sap/00042").await.problem(), (404, "not_found"));
        let taken = put(&acme, "sap/00042", &[], &ana).await;
        assert_eq!(taken.problem(), (409, "conflict"), "somebody else of that e-mail");
        assert_eq!(taken.faults(), [("/email".to_owned(), "taken".to_owned())]);
    })
    .await;
}

#[tokio::test]
async fn a_reference_in_the_address_may_hold_anything() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        for (number, (path, value)) in
            [("a%2Fb%3Fc", "a/b?c"), ("%C3%B1%20%2B+%25", "ñ ++%"), ("%E6%9D%B1", "東"), ("..%2f..", "../..")]
                .into_iter()
                .enumerate()
        {
            let body = json!({ "fullName": "Ana", "email": format!("a{number}@acme.test") });
            let created = put(&acme, &format!("sap.id/{path}"), &[], &body).await;
            assert_eq!((created.status, &created.body["external_refs"]["sap.id"]), (201, &json!(value)));
            let found = acme.get(&format!("/v1/employees/by-ref/sap.id/{path}")).await;
            assert_eq!(found.body["id"], created.body["id"], "{path}");
            assert_eq!(other.get(&format!("/v1/employees/by-ref/sap.id/{path}")).await.status, 404);
        }
        let long = "x".repeat(256);
        for (path, pointer, code) in [
            ("sa%20p/1", "system", "invalid_key"),
            (&format!("sap/{long}"), "value", "too_long"),
            ("sap/a%00b", "value", "control_character"),
            ("sap/%20", "value", "empty"),
        ] {
            let body = json!({ "fullName": "Ana", "email": "x@acme.test" });
            for answer in
                [put(&acme, path, &[], &body).await, acme.get(&format!("/v1/employees/by-ref/{path}")).await]
            {
                assert_eq!(answer.problem(), (400, "invalid_parameter"), "{path}");
                assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())]);
            }
        }
        let broken = acme.get("/v1/employees/by-ref/sap/%FF").await;
        assert_eq!(broken.problem(), (400, "invalid_request"));
        let wrong = acme.delete("/v1/employees/by-ref/sap/1").await;
        assert_eq!(wrong.problem(), (405, "method_not_allowed"));
    })
    .await;
}

#[tokio::test]
async fn a_body_that_does_not_fit_is_refused_field_by_field() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana", "email": "ana@acme.test" });
        for (body, pointer, code) in [
            (json!({ "fullName": "Ana" }), "/email", "required"),
            (
                json!({ "fullName": "Ana", "email": "a@acme.test", "external_refs": { "sap": "2" } }),
                "/external_refs/sap",
                "reference_disagrees",
            ),
            (
                json!({ "fullName": "Ana", "email": "a@acme.test", "external_refs": { "sap": null } }),
                "/external_refs/sap",
                "reference_disagrees",
            ),
            (
                json!({ "fullName": "Ana", "email": "a@acme.test", "external_refs": null }),
                "/external_refs",
                "wrong_type",
            ),
            (json!([]), "", "wrong_type"),
            (json!({ "fullName": "Ana", "email": "a@acme.test", "emial": 1 }), "/emial", "unknown_field"),
        ] {
            let refused = put(&acme, "sap/1", &[], &body).await;
            assert_eq!(refused.problem(), (422, "invalid_fields"), "{body}");
            assert_eq!(refused.faults(), [(pointer.to_owned(), code.to_owned())], "{body}");
        }
        assert_eq!(acme.get("/v1/employees").await.body["data"], json!([]));
        assert_eq!(put(&acme, "sap/1", &[], &ana).await.status, 201);
        let given = json!({ "external_refs": { "sap": "1", "hr": "7" } });
        assert_eq!(put(&acme, "sap/1", &[], &given).await.status, 200, "the same reference may be there");
        let lost = put(&acme, "sap/1", &[], &json!({ "external_refs": { "sap": null } })).await;
        assert_eq!(lost.faults(), [("/external_refs/sap".to_owned(), "reference_disagrees".to_owned())]);
        let strange = acme.write(Method::PUT, "/v1/employees/by-ref/sap/1?upsert=1", &[], &given).await;
        assert_eq!(strange.problem(), (400, "invalid_parameter"));
    })
    .await;
}

#[tokio::test]
async fn conditions_make_it_create_only_or_change_only() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let ana = json!({ "fullName": "Ana", "email": "ana@acme.test" });
        let only_change = put(&acme, "sap/1", &[("if-match", "*")], &ana).await;
        assert_eq!(only_change.problem(), (412, "precondition_failed"));
        let only_create = [("if-none-match", "*")];
        assert_eq!(put(&acme, "sap/1", &only_create, &ana).await.status, 201);
        let again = put(&acme, "sap/1", &only_create, &ana).await;
        assert_eq!(again.problem(), (412, "precondition_failed"));
        let title = json!({ "jobTitle": "Jefa" });
        assert_eq!(put(&acme, "sap/1", &[("if-match", "\"7\"")], &title).await.status, 412);
        let changed = put(&acme, "sap/1", &[("if-match", "\"1\"")], &title).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));

        let key = [("idempotency-key", "k")];
        let luis = json!({ "fullName": "Luis", "email": "luis@acme.test" });
        let first = put(&acme, "sap/2", &key, &luis).await;
        let repeat = put(&acme, "sap/2", &key, &luis).await;
        assert_eq!((first.status, repeat.status, repeat.header("idempotent-replayed")), (201, 201, "true"));
        let body = json!({ "fullName": "Eva", "email": "eva@acme.test" });
        let dry = acme.write(Method::PUT, "/v1/employees/by-ref/sap/3?dryRun=true", &[], &body).await;
        assert_eq!((dry.status, dry.header("dry-run")), (201, "true"));
        assert_eq!(acme.get("/v1/employees/by-ref/sap/3").await.status, 404);
    })
    .await;
}

#[tokio::test]
async fn of_many_at_once_one_creates_and_nobody_is_there_twice() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other_node = orq.another_node().await;
        let puts = (0..8).map(|number| {
            let body =
                json!({ "fullName": "Ana", "email": "ana@acme.test", "jobTitle": format!("t{number}") });
            let request = acme.written(Method::PUT, "/v1/employees/by-ref/sap/1", &[], &body);
            let node = if number % 2 == 0 { orq.router.clone() } else { other_node.clone() };
            async move { crate::harness::send(&node, request).await }
        });
        let answers = futures_util::future::join_all(puts).await;
        let statuses: Vec<_> = answers.iter().map(|answer| answer.status).collect();
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [200, 201, 409].contains(status)), "{statuses:?}");
        assert_eq!(acme.get("/v1/employees").await.body["data"].as_array().unwrap().len(), 1);
        let created = acme.event_types().await.iter().filter(|kind| *kind == "employee.created").count();
        assert_eq!(created, 1);
    })
    .await;
}
