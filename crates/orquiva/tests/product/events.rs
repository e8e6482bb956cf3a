//! The log: in order, without gaps, with who did what.

use axum::body::Body;
use http::Request;
use orquiva_core::Scopes;
use orquiva_core::event::{EventType, NewEvent};
use orquiva_core::id::CompanyId;
use orquiva_store::{StoreError, event};
use serde_json::json;

use crate::harness::{Orquiva, Receiver, on_both};

#[tokio::test]
async fn the_log_is_gap_free_in_commit_order_and_pages_by_sequence() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.company("other").await;
        for number in 0..5 {
            acme.hire(&format!("Person {number}")).await;
            other.hire(&format!("Person {number}")).await;
        }
        orq.work().await;
        let first = acme.get("/v1/events?limit=2").await;
        assert_eq!((&first.body["hasMore"], &first.body["nextAfter"]), (&json!(true), &json!(2)));
        assert_eq!(
            first.header("link"),
            "<https://api.orquiva.test/v1/events?limit=2&after=2>; rel=\"next\""
        );
        let rest = acme.get("/v1/events?after=2").await;
        let sequences: Vec<_> = rest.body["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["sequence"].as_i64().unwrap())
            .collect();
        assert_eq!(sequences, [3, 4, 5], "each company counts for itself");
        assert_eq!((&rest.body["hasMore"], &rest.body["nextAfter"]), (&json!(false), &json!(5)));
        let none = acme.get("/v1/events?after=5").await;
        assert_eq!((&none.body["data"], &none.body["nextAfter"]), (&json!([]), &json!(5)));
    })
    .await;
}

#[tokio::test]
async fn an_event_says_who_did_it_and_is_the_same_bytes_everywhere() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        acme.subscribe(&receiver, &["employee.*"]).await;
        acme.hire("Ana Ruiz").await;
        let event = acme.events().await[0].clone();
        assert_eq!(
            event["actor"],
            json!({ "type": "client", "id": acme.id }),
            "so that a client skips its own writes"
        );
        assert_eq!((&event["apiVersion"], &event["companyId"]), (&json!("v1"), &json!(acme.company)));
        assert_eq!(
            (&event["timestamp"], &event["sequence"]),
            (&json!("2026-01-01T00:00:00.000Z"), &json!(1))
        );
        let (_, sent) = &receiver.got()[0];
        // Someone who may see no more than the webhook was granted.
        let acme = orq.client_of(acme.company, Scopes::parse("events:read").unwrap()).await;
        let got = acme.get(&format!("/v1/events/{}", event["id"].as_str().unwrap())).await;
        assert_eq!(&got.raw, sent, "webhook, list and reading are views of one log");
        let listed = acme.get("/v1/events").await;
        let listed = std::str::from_utf8(&listed.raw).unwrap().to_owned();
        assert!(listed.contains(std::str::from_utf8(sent).unwrap()));
    })
    .await;
}

#[tokio::test]
async fn a_reader_who_asks_for_types_gets_them_and_moves_past_the_rest() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for number in 0..4 {
            let id = acme.hire(&format!("Person {number}")).await;
            acme.patch(&format!("/v1/employees/{id}"), &json!({ "jobTitle": "Cook" })).await;
        }
        acme.post(
            "/v1/employees",
            &json!({ "fullName": "Ana Ruiz", "email": "ana@acme.test", "department": "Sales" }),
        )
        .await;
        orq.work().await;
        let told = async |query: &str| {
            let page = acme.get(&format!("/v1/events?{query}")).await.body;
            let data = page["data"].as_array().unwrap().iter();
            let sequences: Vec<_> = data.map(|event| event["sequence"].as_i64().unwrap()).collect();
            (sequences, page["hasMore"].as_bool().unwrap(), page["nextAfter"].as_i64().unwrap())
        };
        assert_eq!(
            told("types=employee.updated").await,
            (vec![2, 4, 6, 8], false, 10),
            "past what was not asked"
        );
        assert_eq!(told("types=employee.updated&limit=2").await, (vec![2, 4], true, 4));
        assert_eq!(told("types=employee.updated&limit=2&after=4").await, (vec![6, 8], false, 10));
        assert_eq!(told("types=employee.deleted&after=3").await, (vec![], false, 10));
        let mixed = told("types=department.created,employee.updated&after=5").await;
        assert_eq!(mixed, (vec![6, 8, 9], false, 10), "in one order");
        assert_eq!(told("types=department.*,employee.*&limit=3&after=7").await, (vec![8, 9, 10], false, 10));
        assert_eq!(told("types=*").await.0.len(), 10);
        let link = acme.get("/v1/events?types=employee.updated&limit=1").await;
        assert_eq!(
            link.header("link"),
            "<https://api.orquiva.test/v1/events?types=employee.updated&limit=1&after=2>; rel=\"next\""
        );
    })
    .await;
}

/// Writes `count` events of this type into a company's log, as they are.
async fn fill(orq: &Orquiva, company: CompanyId, kind: EventType, count: usize) {
    let (mint, now) = (orq.base.mint.clone(), orq.base.clock.now());
    let write = move |tx| async move {
        for _ in 0..count {
            let payload = json!({ "apiVersion": "v1", "data": {} }).to_string();
            let new =
                NewEvent { id: mint.next(), kind, subject: String::new(), at: now, payload, sensitive: None };
            event::announce(&tx, company, &new).await?;
        }
        Ok(())
    };
    orq.base.store.write::<_, StoreError, _, _>(company, write).await.unwrap();
    orq.work().await;
}

#[tokio::test]
async fn a_long_log_is_looked_through_in_spans_and_a_rare_type_is_found_at_once() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        fill(&orq, acme.company, EventType::EmployeeUpdated, 5_200).await;
        acme.hire("Ana Ruiz").await;
        fill(&orq, acme.company, EventType::EmployeeDeleted, 1).await;
        let told = async |query: &str| {
            let page = acme.get(&format!("/v1/events?{query}")).await.body;
            let last = page["data"].as_array().unwrap().last().map(|event| event["sequence"].clone());
            (last, page["hasMore"].clone(), page["nextAfter"].clone())
        };
        let nothing_yet = (None, json!(true), json!(5_000));
        assert_eq!(told("types=employee.created").await, nothing_yet, "it goes on from there");
        let found = (Some(json!(5_201)), json!(false), json!(5_202));
        assert_eq!(told("types=employee.created&after=5000").await, found);
        let rare = (Some(json!(5_202)), json!(false), json!(5_202));
        assert_eq!(told("types=employee.deleted,department.*").await, rare);
        let (mut stream, _) = acme.listen("/v1/events/stream?types=employee.created&after=0", None).await;
        assert_eq!(stream.blocks().await.unwrap()[0].id, Some(5_201));
    })
    .await;
}

#[tokio::test]
async fn a_reading_of_the_log_that_means_nothing_is_refused() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        for (query, pointer, code) in [
            ("types=employe.created", "types", "unknown_event"),
            ("types=employee.created,salary.*", "types", "unknown_event"),
            ("types=employee.created,,", "types", "unknown_event"),
            ("types=*&types=*", "types", "repeated"),
            ("after=-1", "after", "out_of_range"),
            ("after=x", "after", "out_of_range"),
            ("after=2", "after", "out_of_range"), // the log ends at 1
            ("types=employee.*&after=9223372036854775807", "after", "out_of_range"),
            ("type=*", "type", "unknown_field"),
        ] {
            for path in ["/v1/events", "/v1/events/stream"] {
                let answer = acme.get(&format!("{path}?{query}")).await;
                assert_eq!(answer.problem(), (400, "invalid_parameter"), "{path}?{query}");
                assert_eq!(answer.faults(), [(pointer.to_owned(), code.to_owned())], "{path}?{query}");
            }
        }
        let near = acme.get("/v1/events?types=employe.created").await.body["errors"][0]["detail"].clone();
        assert!(near.as_str().unwrap().contains("employee.created"), "{near}");
    })
    .await;
}

#[tokio::test]
async fn every_answer_has_a_request_id_and_keeps_a_sane_one() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let own = acme.request(http::Method::GET, "/v1/events").header("x-request-id", "my-id.1");
        assert_eq!(orq.send(own.body(Body::empty()).unwrap()).await.header("x-request-id"), "my-id.1");
        let insane = Request::get("/v1/events").header("x-request-id", "<script>");
        let answer = orq.send(insane.body(Body::empty()).unwrap()).await;
        assert!(answer.header("x-request-id").starts_with("req_"));
        assert_eq!(answer.body["requestId"], json!(answer.header("x-request-id")));
    })
    .await;
}
