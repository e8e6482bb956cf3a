//! What a company used, as the console shows it.

use orquiva_core::{Plan, Scopes};
use orquiva_store::{StoreError, Tx, client, company};
use serde_json::json;

use crate::harness::{Orquiva, Receiver, on_both};

/// The lines of a file, cell by cell, without its head.
async fn rows(orq: &Orquiva, browser: &crate::browser::Browser<'_>, path: &str) -> Vec<Vec<String>> {
    orq.tokens.write_usage().await.unwrap();
    let file = browser.get(path).await;
    assert_eq!(
        (file.status, file.headers["content-type"].to_str().unwrap()),
        (200, "text/csv; charset=utf-8")
    );
    let lines = file.html.trim_start_matches('\u{feff}').split_terminator("\r\n").skip(1);
    lines.map(|line| line.split(',').map(str::to_owned).collect()).collect()
}

/// What the last column numbers of all lines add up to.
fn sums(rows: &[Vec<String>], first: usize) -> Vec<i64> {
    let sum = |at: usize| rows.iter().map(|row| row[at].parse::<i64>().unwrap()).sum();
    (first..rows[0].len()).map(sum).collect()
}

#[tokio::test]
async fn charts_and_files_tell_what_was_counted_and_nothing_of_others() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let id = company::list(&orq.base.store.read().await.unwrap()).await.unwrap().last().unwrap().id;
        let program = orq.client_of(id, Scopes::all()).await;
        let other = orq.company_on("other", Plan::Free, Scopes::all()).await;
        for _ in 0..7 {
            other.get("/v1/me").await;
        }
        for _ in 0..97 {
            program.get("/v1/me").await;
        }
        orq.clock.advance(61_000);
        for _ in 0..2 {
            program.get("/v1/employees/nobody").await;
        }
        for range in ["hour", "day", "week", "month", "", "century"] {
            let found = rows(&orq, &founder, &format!("/admin/usage/export/requests?range={range}")).await;
            let told = sums(&found, 1);
            assert_eq!((told[0], told[2], told[3]), (99, 0, 2), "{range}");
            let busiest = found.iter().map(|row| row[2].as_str()).collect::<Vec<_>>();
            assert!(busiest.contains(&"97"), "{range}: {busiest:?}");
        }
        let clients = rows(&orq, &founder, "/admin/usage/export/clients").await;
        assert_eq!(clients, [[program.id.as_str(), "test", "99", "97", "0", "2"]]);
        let foreign = format!("/admin/usage/export/requests?client={}", other.id);
        assert_eq!(sums(&rows(&orq, &founder, &foreign).await, 1)[0], 99, "another company's client is none");

        let page = founder.get(&format!("/admin/usage?range=hour&client={}", program.id)).await;
        assert!(page.says("97 peticiones por minuto como máximo, 97 en total"));
        assert!(page.html.len() < 90_000, "{} bytes", page.html.len());
        assert_eq!(founder.get("/admin/usage/export/everything").await.status, 404);
        assert_eq!(orq.browser().get("/admin/usage").await.status, 303);
    })
    .await;
}

#[tokio::test]
async fn deliveries_are_counted_by_what_came_of_them() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let id = company::list(&orq.base.store.read().await.unwrap()).await.unwrap().last().unwrap().id;
        let program = orq.client_of(id, Scopes::all()).await;
        let receiver = Receiver::start().await;
        program
            .post("/v1/webhooks", &json!({ "url": receiver.url, "events": ["*"], "retrySchedule": [0, 60] }))
            .await;
        receiver.will_fail(1);
        program.hire("Ana Ruiz").await;
        orq.work().await;
        orq.clock.advance(70_000);
        receiver.will_fail(0);
        orq.work().await;
        let found = rows(&orq, &founder, "/admin/usage/export/deliveries?range=hour").await;
        let told = sums(&found, 1);
        assert_eq!(told[..3], [1, 1, 0]);
        assert!(founder.get("/admin/usage?range=hour").await.says("1 entregadas, 0 por repetir, 0 fallidas"));
    })
    .await;
}

#[tokio::test]
async fn names_of_clients_run_nowhere() {
    on_both(async |orq| {
        let founder = orq.founder("Acme").await;
        let id = company::list(&orq.base.store.read().await.unwrap()).await.unwrap().last().unwrap().id;
        let program = orq.client_of(id, Scopes::all()).await;
        let client = orquiva_core::id::ClientId::parse(&program.id).unwrap();
        let rename = move |tx: Tx| async move {
            let mut terms = client::find(&tx, client).await?.terms;
            terms.name = "=1+1<script>".to_owned();
            client::change(&tx, id, client, &terms).await
        };
        orq.base.store.write::<_, StoreError, _, _>(id, rename).await.unwrap();
        program.get("/v1/me").await;
        let found = rows(&orq, &founder, "/admin/usage/export/clients").await;
        assert_eq!(found[0][1], "'=1+1<script>");
        assert!(!founder.get("/admin/usage").await.says("1+1<script>"));
    })
    .await;
}
