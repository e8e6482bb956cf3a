//! Which fields a client sees, and how full they are.

use orquiva_core::{Plan, Scopes};
use serde_json::{Value, json};

use crate::harness::on_both;

fn field(body: &Value, name: &str) -> Value {
    let fields = body["fields"].as_array().unwrap();
    fields.iter().find(|field| field["field"] == name).cloned().unwrap_or_default()
}

#[tokio::test]
async fn a_client_learns_what_it_sees_and_how_full_it_is() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let empty = acme.get("/v1/me/coverage").await;
        assert_eq!((empty.status, &empty.body["employees"]), (200, &json!(0)));
        assert_eq!(field(&empty.body, "fullName")["share"], json!(0.0));

        acme.hire("Ana Ruiz").await;
        acme.hire("Eva Gil").await;
        let luis = json!({ "firstName": "Luis", "lastName": "Gil", "email": "luis@acme.test", "department": "Ventas",
                           "birthDate": "1990-01-01", "external_refs": { "sap": "1" } });
        assert_eq!(acme.post("/v1/employees", &luis).await.status, 201);
        orq.company("other").await.hire("Elsewhere").await;
        let all = acme.get("/v1/me/coverage").await.body;
        assert_eq!(all["employees"], 3);
        for (name, count, share) in [
            ("id", 3, 1.0),
            ("fullName", 3, 1.0),
            ("firstName", 1, 0.3333),
            ("department", 1, 0.3333),
            ("departmentId", 1, 0.3333),
            ("external_refs", 1, 0.3333),
            ("startDate", 0, 0.0),
            ("birthDate", 1, 0.3333),
        ] {
            let field = field(&all, name);
            assert_eq!((&field["count"], &field["share"]), (&json!(count), &json!(share)), "{name}");
            assert_eq!(field["visible"], true, "{name}");
        }

        let plain = orq.client_of(acme.company, Scopes::parse("employees:read").unwrap()).await;
        let shown = plain.get("/v1/me/coverage").await.body;
        let hidden = json!({ "field": "birthDate", "visible": false, "scope": "employees.sensitive:read" });
        assert_eq!(field(&shown, "birthDate"), hidden, "the scope is told, the count is not");
        assert_eq!(field(&shown, "firstName")["count"], 1);

        let blind = orq.client_of(acme.company, Scopes::parse("webhooks:manage").unwrap()).await;
        let shown = blind.get("/v1/me/coverage").await;
        assert_eq!((shown.status, &shown.body["employees"]), (200, &Value::Null));
        let hidden = json!({ "field": "fullName", "visible": false, "scope": "employees:read" });
        assert_eq!(field(&shown.body, "fullName"), hidden);
    })
    .await;
}

#[tokio::test]
async fn every_field_that_is_shown_is_covered() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Pro, Scopes::all()).await;
        acme.hire("Ana").await;
        let one = acme.get("/v1/employees").await.body["data"][0].clone();
        let covered = acme.get("/v1/me/coverage").await.body;
        for name in one.as_object().unwrap().keys() {
            assert_eq!(field(&covered, name)["field"], json!(name));
        }
        assert_eq!(covered["fields"].as_array().unwrap().len(), one.as_object().unwrap().len());
        let refused = acme.get("/v1/me/coverage?fields=id").await;
        assert_eq!(refused.problem(), (400, "invalid_parameter"));
    })
    .await;
}
