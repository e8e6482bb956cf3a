//! Two nodes over one PostgreSQL that get into each other's way.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use orquiva_core::id::{CompanyId, Id, WebhookId};
use orquiva_core::{Company, Plan};
use orquiva_store::lane::{self, Lane};
use orquiva_store::{StoreError, company};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::harness::{Caller, Orquiva, Receiver, two_nodes};

/// The lane of an endpoint.
fn lane_of(acme: &Caller<'_>, webhook: &Value) -> Lane {
    let id: WebhookId = Id::parse(webhook["id"].as_str().unwrap()).unwrap();
    Lane { company: acme.company, webhook: id }
}

fn new_company(node: &Orquiva, name: String) -> Company {
    Company {
        id: node.base.mint.next(),
        name,
        plan: Plan::Free,
        closed_departments: false,
        created_at: node.base.clock.now(),
        suspended_at: None,
    }
}

/// Stores `created` between holding `lanes`; the first time it waits for the other node before the second one.
async fn write(
    node: &Orquiva,
    company: Option<CompanyId>,
    lanes: [Lane; 2],
    both: Option<Arc<Barrier>>,
    created: Company,
) -> (Result<(), StoreError>, usize) {
    let runs = Arc::new(AtomicUsize::new(0));
    let counted = runs.clone();
    let verb = move |tx| async move {
        let first = counted.fetch_add(1, Ordering::SeqCst) == 0;
        lane::lock(&tx, lanes[0]).await?;
        company::create(&tx, &created).await?;
        if let Some(both) = both.filter(|_| first) {
            both.wait().await;
        }
        lane::lock(&tx, lanes[1]).await.map(drop)
    };
    let result = node.base.store.write(company, verb).await;
    (result, runs.load(Ordering::SeqCst))
}

#[tokio::test]
async fn writes_of_two_nodes_that_wait_for_each_other_are_both_stored_once() {
    let Some((one, other)) = two_nodes().await else { return };
    let acme = one.company("acme").await;
    let receiver = Receiver::start().await;
    let first = lane_of(&acme, &acme.subscribe(&receiver, &["*"]).await);
    let second = lane_of(&acme, &acme.subscribe(&receiver, &["*"]).await);
    // A verb that is alone, and one that shares its transaction with others.
    for beside in [0, 3] {
        let both = Arc::new(Barrier::new(2));
        let create = |node, name: &str| new_company(node, format!("{name} {beside}"));
        let crowd = (0..beside).map(|at| {
            // It asks for the same lane again, so it waits for nobody.
            write(&one, None, [first; 2], None, create(&one, &format!("beside {at}")))
        });
        let (there, back, crowd) = tokio::join!(
            write(&one, None, [first, second], Some(both.clone()), create(&one, "there")),
            write(&other, Some(acme.company), [second, first], Some(both.clone()), create(&other, "back")),
            join_all(crowd),
        );
        let runs = there.1 + back.1;
        for (result, _) in [there, back].into_iter().chain(crowd) {
            result.unwrap();
        }
        assert!(runs > 2, "one of them was undone and ran again");
    }
    let tx = one.base.store.read().await.unwrap();
    let mut names: Vec<_> = company::list(&tx).await.unwrap().into_iter().map(|one| one.name).collect();
    names.sort();
    let expected =
        ["acme", "back 0", "back 3", "beside 0 3", "beside 1 3", "beside 2 3", "there 0", "there 3"];
    assert_eq!(names, expected);
}

#[tokio::test]
async fn whoever_disables_an_endpoint_holds_it_before_its_lane() {
    let Some((one, _)) = two_nodes().await else { return };
    let acme = one.company("acme").await;
    let receiver = Receiver::start().await;
    receiver.will_answer(&[(410, &[])]);
    let webhook = acme.subscribe(&receiver, &["employee.created"]).await;
    acme.hire("Ana Ruiz").await;
    while one.worker.route().await.unwrap() > 0 {}

    let mut somebody = one.postgres().await;
    somebody.batch_execute("set lock_timeout = '500ms'").await.unwrap();
    let mine: i32 = somebody.query_one("select pg_backend_pid()", &[]).await.unwrap().get(0);
    let holding = somebody.transaction().await.unwrap();
    let id = webhook["id"].as_str().unwrap();
    holding.query_one("select 1 from webhook where id = $1 for update", &[&id]).await.unwrap();
    let worker = one.worker.clone();
    let working = tokio::spawn(async move { worker.step().await });
    let watcher = one.postgres().await;
    let waits = "select count(*) from pg_stat_activity where $1 = any (pg_blocking_pids(pid))";
    let waiting = async {
        while watcher.query_one(waits, &[&mine]).await.unwrap().get::<_, i64>(0) == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting)
        .await
        .expect("the recorder waits for the endpoint");
    let took = holding.execute("update lane set warned = 0 where webhook_id = $1", &[&id]).await;
    assert_eq!(took.expect("nobody who waits for the endpoint has its lane"), 1);
    holding.commit().await.unwrap();
    working.await.unwrap().unwrap();
    let shown = acme.get(&format!("/v1/webhooks/{id}")).await.body;
    assert_eq!((&shown["status"], &shown["disabledReason"]), (&json!("disabled"), &json!("gone")));
}
