//! The log of deliveries, whatever it is narrowed to, is a walk along an index, in order.

use orquiva_core::id::{EventId, ReplayId, WebhookId};

use super::{on_both, plan};
use crate::delivery;
use crate::delivery::log::{self, Filter};
use crate::lane::Lane;
use crate::replay::part;
use crate::sql::{STATEMENTS, Sql};
use crate::tx::TxEngine;
use crate::{Arg, StoreError, Tx, args};
use orquiva_core::Timestamp;
use orquiva_core::id::CompanyId;

/// Deliveries of each of two companies.
const DELIVERIES: i64 = 12_000;

fn parsed<K: orquiva_core::id::Kind>(number: i64) -> orquiva_core::id::Id<K> {
    orquiva_core::id::Id::parse(&format!("{}_{number:026}", K::PREFIX)).expect("an id")
}

/// Deliveries of ten endpoints and all states; most arrived, those of the tenth endpoint wait.
async fn fill(tx: &Tx) -> Result<(), StoreError> {
    let numbers = match &tx.0 {
        TxEngine::Sqlite(_) => {
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < $2),
             p (i, id, evt, whk, rpl) as (select i, printf('dlv_%026d', i), printf('evt_%026d', i / 10),
                printf('whk_%026d', i % 10), printf('rpl_%026d', i % 7) from n)"
        }
        TxEngine::Postgres(_) => {
            "with p (i, id, evt, whk, rpl) as (select i, 'dlv_' || lpad(i::text, 26, '0'),
                'evt_' || lpad((i / 10)::text, 26, '0'), 'whk_' || lpad((i % 10)::text, 26, '0'),
                'rpl_' || lpad((i % 7)::text, 26, '0') from generate_series(1, $2::bigint) n (i))"
        }
    };
    for company in [parsed::<orquiva_core::id::CompanyKind>(1), parsed(2)] {
        let made = Sql::made(format!(
            "{numbers} insert into delivery (company_id, id, webhook_id, event_id, event_type, state, attempts, due_at,
                first_due_at, created_at, replay_id)
             select $1, id, whk, evt, 'employee.created',
                case when i % 10 = 9 then 'waiting' when i % 50 = 1 then 'failed' when i % 50 = 2 then 'cancelled'
                     else 'delivered' end,
                i % 2, i, i, i, case when i % 3 = 0 then rpl end from p"
        ));
        tx.run(&made, args![company, DELIVERIES]).await?;
    }
    if let TxEngine::Postgres(_) = &tx.0 {
        tx.run(&Sql::made("analyze delivery".to_owned()), &[]).await?;
    }
    Ok(())
}

/// The steps of `plan` neither read the whole table nor put what is walked along in order.
fn assert_walks(what: &str, plan: &[String], sorts: bool) {
    let steps = plan.join("\n");
    assert!(!steps.contains("SCAN delivery") && !steps.contains("Seq Scan on delivery"), "{what}: {steps}");
    let all_of_a_company = steps.contains("PRIMARY KEY (company_id=?)");
    assert!(!all_of_a_company || ["all", "arrived"].contains(&what), "{what}: {steps}");
    let sorted = steps.contains("TEMP B-TREE FOR ORDER BY") || steps.contains("Sort");
    assert!(sorts || !sorted, "{what}: {steps}");
}

#[tokio::test]
async fn the_log_of_deliveries_is_read_along_an_index_whatever_it_is_narrowed_to() {
    on_both(async |store| {
        let company: CompanyId = parsed(1);
        store.write(company, move |tx: Tx| async move { fill(&tx).await }).await.expect("deliveries");
        let tx = store.read().await.expect("a connection");
        let all = Filter::default;
        let webhook: Option<WebhookId> = Some(parsed(3));
        let state = |state: &str| Some(state.to_owned());
        let created = Some("employee.created".to_owned());
        let event: Option<EventId> = Some(parsed(77));
        let replay: Option<ReplayId> = Some(parsed(3));
        let busy: Option<WebhookId> = Some(parsed(9));
        // What is few by its nature, or one span, may be put in order after it was found.
        for (what, filter, found, sorts) in [
            ("all", all(), 51, false),
            ("an endpoint", Filter { webhook, ..all() }, 51, false),
            ("an event", Filter { event, ..all() }, 10, true),
            ("an event at an endpoint", Filter { event, webhook, ..all() }, 1, true),
            ("failed", Filter { state: state("failed"), ..all() }, 51, false),
            ("failed at an endpoint", Filter { state: state("failed"), webhook, ..all() }, 0, true),
            ("arrived", Filter { state: state("delivered"), ..all() }, 51, false),
            ("waiting", Filter { state: state("waiting"), ..all() }, 51, true),
            ("waiting for an endpoint", Filter { state: state("waiting"), webhook: busy, ..all() }, 51, true),
            ("waiting for another", Filter { state: state("waiting"), webhook, ..all() }, 0, true),
            ("a type", Filter { kind: created, webhook, ..all() }, 51, true),
            ("a replay", Filter { replay, ..all() }, 51, false),
            ("a time", Filter { to: Some(Timestamp::from_millis(0)), ..all() }, 0, false),
        ] {
            let page = log::list(&tx, company, &filter, None, 50).await.expect("a page");
            assert_eq!((page.found.len(), page.next.is_some()), (found.min(50), found > 50), "{what}");
            assert_walks(what, &plan(&tx).await, sorts);
        }
        for (webhook, most, counted) in [(None, 10_000, 1_200), (busy, 100, 100), (webhook, 100, 0)] {
            assert_eq!(log::waiting(&tx, company, webhook, most).await.expect("a count"), counted);
            assert_walks("a count", &plan(&tx).await, false);
        }
        let events: Vec<EventId> = (1..=500).map(parsed).collect();
        let fates = part::fates(&tx, company, parsed(3), &events).await.expect("what became of them");
        assert_eq!(fates.len(), 500);
        let steps = plan(&tx).await;
        assert!(steps.iter().any(|step| step.contains("delivery_event")), "{steps:?}");
        assert_walks("what became of events", &steps, true);
    })
    .await;
}

#[tokio::test]
async fn an_ordered_lane_whose_head_waits_is_not_read_behind_it() {
    on_both(async |store| {
        let company: CompanyId = parsed(1);
        let lane = Lane { company, webhook: parsed(9) };
        let order = "update delivery set place = due_at where company_id = $1 and webhook_id = $2 and state = 'waiting'";
        store
            .write(company, move |tx: Tx| async move {
                fill(&tx).await?;
                tx.run(&Sql::made(order.to_owned()), args![company, lane.webhook]).await
            })
            .await
            .expect("deliveries");
        let tx = store.read().await.expect("a connection");
        let due = delivery::due(&tx, lane, Timestamp::from_millis(0), (64, 0), None).await.expect("an answer");
        assert!(due.due.is_empty());
        let steps = plan(&tx).await.join("\n");
        let bounded = match &tx.0 {
            TxEngine::Sqlite(_) => steps.contains("delivery_placed (company_id=? AND webhook_id=? AND place>? AND place<?)"),
            TxEngine::Postgres(_) => steps.contains("delivery_placed") && steps.contains("(place <= "),
        };
        assert!(bounded, "{steps}");
    })
    .await;
}

#[tokio::test]
async fn no_statement_goes_through_all_deliveries_of_a_company() {
    on_both(async |store| {
        let tx = store.read().await.expect("a connection");
        if !matches!(tx.0, TxEngine::Sqlite(_)) {
            return; // it goes by its statistics, of which there are none here
        }
        for statement in STATEMENTS.iter().filter(|statement| statement.sqlite().contains("delivery")) {
            let text = statement.sqlite();
            let args = (1..=20).take_while(|number| text.contains(&format!("?{number}"))).map(|_| Arg::Null);
            let args: Vec<_> = args.collect();
            let explained = Sql::made(format!("explain query plan {text}"));
            let steps = tx.all(&explained, &args, |row| row.text(3)).await.expect("a plan");
            let all = [
                "SEARCH delivery USING PRIMARY KEY (company_id=?)",
                "SEARCH d USING PRIMARY KEY (company_id=?)",
                "SCAN delivery",
            ];
            assert!(!steps.iter().any(|step| all.contains(&step.as_str())), "{steps:?} in: {text}");
        }
    })
    .await;
}
