//! What the store promises, on both engines.

use futures_util::future::join_all;
use orquiva_core::id::CompanyId;
use orquiva_core::{Company, Plan};
use orquiva_store::{StoreError, company};

use crate::harness::{Orquiva, on_both};

fn some_company(orq: &Orquiva, name: String) -> Company {
    Company {
        id: orq.base.mint.next(),
        name,
        plan: Plan::Free,
        closed_departments: false,
        created_at: orq.base.clock.now(),
        suspended_at: None,
    }
}

async fn names(orq: &Orquiva) -> Vec<String> {
    let tx = orq.base.store.read().await.unwrap();
    company::list(&tx).await.unwrap().into_iter().map(|one| one.name).collect()
}

#[tokio::test]
async fn of_writes_that_share_a_commit_the_refused_ones_drop_out_alone() {
    on_both(async |orq| {
        let writes = (0..200).map(|number| {
            let new = some_company(&orq, format!("company {number:03}"));
            let wanted = number % 3 != 0;
            orq.base.store.write::<CompanyId, StoreError, _, _>(None, move |tx| async move {
                company::create(&tx, &new).await?;
                if wanted { Ok(new.id) } else { Err(StoreError::NotFound) }
            })
        });
        let results = join_all(writes).await;
        for (number, result) in results.iter().enumerate() {
            assert_eq!(result.is_ok(), number % 3 != 0, "each hears what became of its own");
        }
        let expected: Vec<_> =
            (0..200).filter(|number| number % 3 != 0).map(|number| format!("company {number:03}")).collect();
        let mut stored = names(&orq).await;
        stored.sort();
        assert_eq!(stored, expected);
    })
    .await;
}

#[tokio::test]
async fn a_statement_that_fails_undoes_its_verb_and_no_other() {
    on_both(async |orq| {
        let (first, second) =
            (some_company(&orq, "first".to_owned()), some_company(&orq, "second".to_owned()));
        let twice = first.clone();
        let failing = orq.base.store.write::<(), StoreError, _, _>(None, move |tx| async move {
            company::create(&tx, &twice).await?;
            company::create(&tx, &twice).await // the same id again
        });
        let good = orq.base.store.write::<(), StoreError, _, _>(None, move |tx| async move {
            company::create(&tx, &second).await
        });
        let (failed, done) = tokio::join!(failing, good);
        assert!(failed.is_err() && done.is_ok());
        assert_eq!(names(&orq).await, ["second"]);
    })
    .await;
}

#[tokio::test]
async fn a_verb_that_panics_is_undone_and_the_writer_goes_on() {
    on_both(async |orq| {
        let (lost, kept) = (some_company(&orq, "lost".to_owned()), some_company(&orq, "kept".to_owned()));
        let panicking = orq.base.store.write::<(), StoreError, _, _>(None, move |tx| async move {
            company::create(&tx, &lost).await?;
            panic!("a fault of ours")
        });
        assert!(matches!(panicking.await, Err(StoreError::Unavailable(_))));
        let write = move |tx| async move { company::create(&tx, &kept).await };
        orq.base.store.write::<(), StoreError, _, _>(None, write).await.unwrap();
        assert_eq!(names(&orq).await, ["kept"]);
    })
    .await;
}

#[tokio::test]
async fn what_was_answered_is_seen_by_whoever_reads_next() {
    on_both(async |orq| {
        for number in 0..50 {
            let new = some_company(&orq, format!("company {number}"));
            let id = new.id;
            let write = move |tx| async move { company::create(&tx, &new).await };
            orq.base.store.write::<(), StoreError, _, _>(None, write).await.unwrap();
            let tx = orq.base.store.read().await.unwrap();
            assert_eq!(company::get(&tx, id).await.unwrap().id, id);
            let scanned =
                orq.base.store.scan(move |tx| async move { company::get(&tx, id).await }).await.unwrap();
            assert_eq!(scanned.id, id);
        }
    })
    .await;
}
