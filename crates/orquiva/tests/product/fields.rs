//! The fields of an employee: what each takes and refuses, and who reports to whom.

use serde_json::{Value, json};

use crate::harness::on_both;

#[tokio::test]
async fn every_sensitive_field_is_kept_in_its_normal_form() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let boss = acme.hire("Eva Gil").await;
        let sent = json!({
            "fullName": "Ana Ruiz", "email": "ana@acme.test", "managerId": boss, "startDate": "2025-03-01",
            "personalEmail": "ana.ruiz@home.test", "birthDate": "1990-02-28", "gender": "non_binary", "nationality": "es",
            "nationalId": { "type": "dni", "value": "12.345.678-z" },
            "homeAddress": { "line1": "Calle Mayor 1", "city": "Madrid", "postalCode": "28013", "country": "ES" },
        });
        let hired = acme.post("/v1/employees", &sent).await;
        assert_eq!(hired.status, 201, "{}", hired.body);
        let path = format!("/v1/employees/{}", hired.body["id"].as_str().unwrap());
        let shown = acme.get(&path).await.body;
        assert_eq!(shown, hired.body, "what was answered is what is there");
        for (name, value) in [
            ("managerId", json!(boss)),
            ("originalHireDate", json!("2025-03-01")),
            ("endDate", Value::Null),
            ("personalEmail", json!("ana.ruiz@home.test")),
            ("birthDate", json!("1990-02-28")),
            ("gender", json!("non_binary")),
            ("nationality", json!("ES")),
            ("nationalId", json!({ "type": "dni", "value": "12345678Z", "country": "ES" })),
            (
                "homeAddress",
                json!({ "line1": "Calle Mayor 1", "line2": null, "city": "Madrid", "region": null, "postalCode": "28013", "country": "ES" }),
            ),
        ] {
            assert_eq!(shown[name], value, "{name}");
        }
        assert!(shown.get("_meta").is_none(), "nothing is hidden");

        let patch = json!({ "nationalId": { "type": "passport", "value": "paa-123456" }, "homeAddress": { "line2": "3.º B" } });
        let patched = acme.patch(&path, &patch).await.body;
        assert_eq!(patched["nationalId"], json!({ "type": "passport", "value": "PAA123456", "country": "ES" }));
        assert_eq!(patched["homeAddress"]["line2"], "3.º B");
        assert_eq!(patched["homeAddress"]["city"], "Madrid", "an object merges, it is not replaced");
        let removed = acme.patch(&path, &json!({ "homeAddress": null, "startDate": "2025-04-01" })).await.body;
        assert_eq!(removed["homeAddress"], Value::Null);
        assert_eq!(removed["originalHireDate"], "2025-04-01", "a corrected first day is the first day");
    })
    .await;
}

#[tokio::test]
async fn each_wrong_form_has_its_own_code_and_pointer() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let nobody = "emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B";
        let dni = |value: &str| json!({ "nationalId": { "type": "dni", "value": value } });
        let home = |field: &str, value: Value| {
            let mut address = json!({ "line1": "Calle Mayor 1", "city": "Madrid", "country": "ES" });
            address[field] = value;
            json!({ "homeAddress": address })
        };
        for (field, pointer, code) in [
            (json!({ "personalEmail": "ana" }), "/personalEmail", "invalid_email"),
            (json!({ "birthDate": "2026-01-02" }), "/birthDate", "in_future"),
            (json!({ "birthDate": "1990-02-30" }), "/birthDate", "invalid_date"),
            (json!({ "birthDate": "28/02/1990" }), "/birthDate", "invalid_date"),
            (json!({ "birthDate": 19900228 }), "/birthDate", "wrong_type"),
            (json!({ "gender": "woman" }), "/gender", "not_allowed"),
            (json!({ "gender": true }), "/gender", "wrong_type"),
            (json!({ "nationality": "Spain" }), "/nationality", "unknown_country"),
            (json!({ "nationality": "XX" }), "/nationality", "unknown_country"),
            (dni("12345678A"), "/nationalId/value", "wrong_check_letter"),
            (dni("1234567Z"), "/nationalId/value", "invalid_national_id"),
            (dni(""), "/nationalId/value", "empty"),
            (
                json!({ "nationalId": { "type": "nie", "value": "X1234567T" } }),
                "/nationalId/value",
                "wrong_check_letter",
            ),
            (
                json!({ "nationalId": { "type": "ssn", "value": "1", "country": "US" } }),
                "/nationalId/type",
                "not_allowed",
            ),
            (
                json!({ "nationalId": { "type": "passport", "value": "AB12345" } }),
                "/nationalId/country",
                "required",
            ),
            (
                json!({ "nationalId": { "type": "passport", "value": "A", "country": "FR" } }),
                "/nationalId/value",
                "invalid_national_id",
            ),
            (
                json!({ "nationalId": { "type": "dni", "value": "12345678Z", "country": "PT" } }),
                "/nationalId/country",
                "not_allowed",
            ),
            (
                json!({ "nationalId": { "type": "dni", "value": "12345678Z", "valeu": 1 } }),
                "/nationalId/valeu",
                "unknown_field",
            ),
            (json!({ "nationalId": "12345678Z" }), "/nationalId", "wrong_type"),
            (home("line1", Value::Null), "/homeAddress/line1", "required"),
            (home("country", json!("España")), "/homeAddress/country", "unknown_country"),
            (home("postalCode", json!(28013)), "/homeAddress/postalCode", "wrong_type"),
            (home("city", json!("a".repeat(101))), "/homeAddress/city", "too_long"),
            (home("zip", json!("28013")), "/homeAddress/zip", "unknown_field"),
            (json!({ "homeAddress": [] }), "/homeAddress", "wrong_type"),
            (json!({ "managerId": "emp_1" }), "/managerId", "invalid_id"),
            (json!({ "managerId": nobody }), "/managerId", "unknown_employee"),
            (json!({ "status": "terminated" }), "/status", "use_terminate"),
            (json!({ "status": "terminating" }), "/status", "use_terminate"),
            (json!({ "endDate": "2026-02-01" }), "/endDate", "use_terminate"),
            (json!({ "terminationReason": "x" }), "/terminationReason", "use_terminate"),
            (json!({ "originalHireDate": "2020-01-01" }), "/originalHireDate", "read_only"),
            (json!({ "preferredName": "a\u{202E}b" }), "/preferredName", "bidi_control"),
            (json!({ "preferredName": "a\u{2028}b" }), "/preferredName", "control_character"),
            (json!({ "preferredName": "\u{200B}\u{FEFF} " }), "/preferredName", "empty"),
            (json!({ "preferredName": "ñ".repeat(101) }), "/preferredName", "too_long"),
        ] {
            let mut body = json!({ "fullName": "Ana", "email": "ana@acme.test" });
            body.as_object_mut().unwrap().extend(field.as_object().unwrap().clone());
            let answer = acme.post("/v1/employees", &body).await;
            assert_eq!(answer.problem(), (422, "invalid_fields"), "{field}");
            assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{field}");
        }
        assert_eq!(acme.events().await, Vec::<Value>::new(), "nothing was stored");
    })
    .await;
}

#[tokio::test]
async fn names_of_any_script_are_kept_and_counted_in_characters() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for (number, name) in [
            "María-José Ñíguez d'Ors",
            "محمد بن سلمان",
            "می‌خواهم",
            "山田 太郎",
            "Ωμέγα",
            "עברית",
            "नमस्ते",
            "👩‍💻 Dev",
            "Ł".repeat(200).as_str(),
        ]
        .iter()
        .enumerate()
        {
            let body = json!({ "fullName": name, "email": format!("n{number}@acme.test") });
            let hired = acme.post("/v1/employees", &body).await;
            assert_eq!((hired.status, &hired.body["fullName"]), (201, &json!(name)), "{}", hired.body);
        }
    })
    .await;
}

#[tokio::test]
async fn an_employee_number_belongs_to_one_employee_of_a_company() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let hire = |email: &str| json!({ "fullName": "A", "email": email, "employeeNumber": "E-1" });
        assert_eq!(acme.post("/v1/employees", &hire("a@acme.test")).await.status, 201);
        let taken = acme.post("/v1/employees", &hire("b@acme.test")).await;
        assert_eq!(taken.problem(), (409, "conflict"));
        assert_eq!(taken.faults(), [("/employeeNumber".to_owned(), "taken".to_owned())]);
        assert_eq!(other.post("/v1/employees", &hire("a@acme.test")).await.status, 201);
    })
    .await;
}

#[tokio::test]
async fn nobody_is_above_themselves() {
    on_both(async |orq| {
        let (acme, other) = (orq.company("acme").await, orq.company("other").await);
        let mut people = Vec::new();
        for number in 0..6 {
            people.push(acme.hire(&format!("Person {number}")).await);
        }
        let stranger = other.hire("Eva Gil").await;
        let foreign =
            acme.patch(&format!("/v1/employees/{}", people[0]), &json!({ "managerId": stranger })).await;
        assert_eq!(foreign.faults(), [("/managerId".to_owned(), "unknown_employee".to_owned())]);

        // A long arbitrary sequence of changes, held against the plainest model of it.
        let mut managers = [None; 6];
        let mut seed = 7_u64;
        let mut accepted = 0;
        for _ in 0..150 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (who, above) = ((seed >> 33) as usize % 6, (seed >> 40) as usize % 7);
            let above = (above < 6).then_some(above);
            let patch = json!({ "managerId": above.map(|above| &people[above]) });
            let answer = acme.patch(&format!("/v1/employees/{}", people[who]), &patch).await;
            let mut up = above;
            let mut steps = 0;
            while let Some(at) = up.filter(|at| *at != who && steps < 10) {
                up = managers[at];
                steps += 1;
            }
            assert!(steps < 10, "a circle that was let in before");
            if up == Some(who) {
                let code = if above == Some(who) { "own_manager" } else { "manager_cycle" };
                assert_eq!(answer.problem(), (422, "invalid_fields"));
                assert_eq!(answer.faults(), [("/managerId".to_owned(), code.to_owned())]);
            } else {
                assert_eq!(answer.status, 200, "{}", answer.body);
                managers[who] = above;
                accepted += 1;
            }
        }
        assert!((30..150).contains(&accepted), "{accepted}: both ways were taken");
    })
    .await;
}

#[tokio::test]
async fn who_reported_to_someone_that_is_removed_reports_to_nobody_and_it_is_told() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let boss = acme.hire("Eva Gil").await;
        let report = json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test", "managerId": boss });
        let report = acme.post("/v1/employees", &report).await.body["id"].as_str().unwrap().to_owned();
        assert_eq!(acme.delete(&format!("/v1/employees/{boss}")).await.status, 204);
        let shown = acme.get(&format!("/v1/employees/{report}")).await.body;
        assert_eq!((&shown["managerId"], &shown["version"]), (&Value::Null, &json!(2)));
        let events = acme.events().await;
        let told: Vec<_> = events[2..].iter().map(|event| (&event["type"], &event["data"]["id"])).collect();
        assert_eq!(
            told,
            [(&json!("employee.updated"), &json!(report)), (&json!("employee.deleted"), &json!(boss))]
        );
        assert_eq!(
            (&events[2]["changed"], &events[2]["previous"]),
            (&json!(["managerId"]), &json!({ "managerId": boss }))
        );
    })
    .await;
}
