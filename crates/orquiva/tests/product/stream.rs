//! Events as they happen: Server-Sent Events that begin, go on and end as they should.

use orquiva::operator;
use orquiva_core::{Plan, Scope, Scopes};
use serde_json::json;

use crate::harness::{Caller, Orquiva, on_both, two_nodes};
use crate::sse::{Block, Stream};

/// Routes what waits and tells whoever listens.
async fn tell(orq: &Orquiva) {
    orq.work().await;
    orq.feed.follow(true).await.unwrap();
}

/// The ids of the next events, once there are `count`.
async fn ids(stream: &mut Stream, count: usize) -> Vec<i64> {
    let mut ids = Vec::new();
    while ids.len() < count {
        let blocks = stream.blocks().await.expect("the stream goes on");
        ids.extend(blocks.into_iter().filter(|block| block.data.is_some()).filter_map(|block| block.id));
    }
    ids
}

#[tokio::test]
async fn a_listener_hears_what_happens_from_now_on_as_the_log_tells_it() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let other = orq.company("other").await;
        acme.hire("Ana Ruiz").await;
        orq.work().await;
        let (mut stream, first) = acme.listen("/v1/events/stream", None).await;
        assert_eq!(
            first,
            Block { id: Some(1), ..Block::default() },
            "it knows where it stands before anything happens"
        );
        for (name, value) in [
            ("content-type", "text/event-stream"),
            ("cache-control", "no-store"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(stream.headers[name], value);
        }
        assert_eq!(stream.headers["x-ratelimit-remaining"], "9998", "a stream is one request");
        other.hire("Luis Gil").await;
        acme.hire("Eva Sanz").await;
        tell(&orq).await;
        let block = stream.blocks().await.unwrap().remove(0);
        let event = acme.get("/v1/events?after=1").await.body["data"][0].clone();
        assert_eq!((block.id, block.event.as_deref()), (Some(2), Some("employee.created")));
        assert_eq!(block.data.unwrap(), event, "a view of the same log");
        assert_eq!(stream.blocks_now().await, None, "nothing of another company");
    })
    .await;
}

#[tokio::test]
async fn who_comes_back_goes_on_where_it_was() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        for number in 0..250 {
            acme.hire(&format!("Person {number}")).await;
        }
        orq.work().await;
        let (mut stream, first) = acme.listen("/v1/events/stream?after=0", None).await;
        assert_eq!(first.id, Some(0));
        acme.hire("Ana Ruiz").await;
        tell(&orq).await;
        assert_eq!(ids(&mut stream, 251).await, (1..=251).collect::<Vec<_>>(), "what was, then what is");
        drop(stream);
        acme.hire("Luis Gil").await;
        orq.work().await;
        let (mut stream, first) = acme.listen("/v1/events/stream?after=0", Some("251")).await;
        assert_eq!(first.id, Some(251), "the header goes before the address");
        acme.hire("Eva Sanz").await;
        tell(&orq).await;
        assert_eq!(ids(&mut stream, 2).await, [252, 253]);
        for last in ["x", "-1", "254"] {
            let request = acme.request(http::Method::GET, "/v1/events/stream").header("last-event-id", last);
            let refused = orq.send(request.body(axum::body::Body::empty()).unwrap()).await;
            assert_eq!(refused.problem(), (400, "invalid_parameter"), "{last}");
            assert_eq!(refused.faults(), [("Last-Event-ID".to_owned(), "out_of_range".to_owned())]);
        }
    })
    .await;
}

#[tokio::test]
async fn a_listener_to_some_types_is_told_of_them_alone_and_where_it_stands() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (mut stream, _) =
            acme.listen("/v1/events/stream?types=employee.updated,department.*", None).await;
        orq.clock.advance(15_000);
        tell(&orq).await;
        let still = Block { comment: true, ..Block::default() };
        assert_eq!(stream.blocks().await.unwrap(), [still], "a sign of life every 15 seconds");
        let ana = acme.hire("Ana Ruiz").await;
        acme.patch(&format!("/v1/employees/{ana}"), &json!({ "jobTitle": "Cook" })).await;
        acme.hire("Luis Gil").await;
        tell(&orq).await;
        let blocks = stream.blocks().await.unwrap();
        assert_eq!(blocks.len(), 1);
        assert_eq!((blocks[0].id, blocks[0].event.as_deref()), (Some(2), Some("employee.updated")));
        orq.clock.advance(15_000);
        tell(&orq).await;
        let passed = Block { comment: true, id: Some(3), ..Block::default() };
        assert_eq!(stream.blocks().await.unwrap(), [passed], "it comes back past what it did not ask for");
    })
    .await;
}

#[tokio::test]
async fn a_stream_ends_with_its_token_its_client_or_the_node() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let second = orq.client_of(acme.company, Scopes::all()).await;
        let (mut expiring, _) = acme.listen("/v1/events/stream", None).await;
        orq.clock.advance(3_599_000);
        orq.feed.follow(true).await.unwrap();
        assert!(expiring.blocks().await.unwrap()[0].comment, "it lives for as long as its token");
        let fresh = Caller { token: second.fresh_token().await, ..second };
        let (mut revoked, _) = fresh.listen("/v1/events/stream", None).await;
        orq.clock.advance(1_000);
        orq.feed.follow(true).await.unwrap();
        assert_eq!(expiring.blocks().await, None, "its token has run out");
        assert_eq!(revoked.blocks_now().await, None);
        let client = orquiva_core::id::ClientId::parse(&fresh.id).unwrap();
        operator::revoke_client(&orq.base, client).await.unwrap();
        orq.tokens.follow().await.unwrap();
        orq.feed.follow(true).await.unwrap();
        assert_eq!(revoked.blocks().await, None, "its client was revoked");

        let third = orq.client_of(acme.company, Scopes::all()).await;
        let (mut last, _) = third.listen("/v1/events/stream", None).await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        stop.send_replace(true);
        orq.feed.watch(stopped).await;
        assert_eq!(last.blocks().await, None, "the node stops");
        assert_eq!(third.get("/v1/events/stream").await.problem(), (503, "unavailable"));
    })
    .await;
}

#[tokio::test]
async fn a_plan_allows_only_so_many_streams_and_a_closed_one_makes_room() {
    on_both(async |orq| {
        let acme = orq.company_on("acme", Plan::Free, Scopes::all()).await;
        let mut open = Vec::new();
        for _ in 0..5 {
            open.push(acme.listen("/v1/events/stream", None).await);
        }
        assert_eq!(acme.get("/v1/events/stream").await.problem(), (429, "too_many_streams"));
        let other = orq.company_on("other", Plan::Free, Scopes::all()).await;
        drop(other.listen("/v1/events/stream", None).await);
        open.pop();
        drop(acme.listen("/v1/events/stream", None).await);
        assert_eq!(acme.get("/v1/events/stream?after=1").await.problem(), (400, "invalid_parameter"));
        drop(acme.listen("/v1/events/stream", None).await); // a refusal takes no seat
        let blind = orq.client_of(acme.company, [Scope::EmployeesRead].into_iter().collect()).await;
        assert_eq!(blind.get("/v1/events/stream").await.problem(), (403, "insufficient_scope"));
    })
    .await;
}

#[tokio::test]
async fn a_listener_who_does_not_keep_up_is_cut_off_and_comes_back() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (mut slow, _) = acme.listen("/v1/events/stream", None).await;
        let (mut quick, _) = acme.listen("/v1/events/stream", None).await;
        assert_eq!(slow.blocks_now().await, None);
        for number in 0..40 {
            acme.hire(&format!("Person {number}")).await;
            tell(&orq).await;
            assert_eq!(ids(&mut quick, 1).await, [number + 1]);
        }
        assert_eq!(slow.blocks().await, None, "others do not pay for it");
        let (mut back, _) = acme.listen("/v1/events/stream", Some("0")).await;
        assert_eq!(ids(&mut back, 40).await, (1..=40).collect::<Vec<_>>());
    })
    .await;
}

#[tokio::test]
async fn what_another_node_has_routed_arrives_too() {
    let Some((first, second)) = two_nodes().await else { return };
    let acme = first.company("acme").await;
    second.tokens.follow().await.unwrap();
    let there = Caller {
        orq: &second,
        company: acme.company,
        id: acme.id.clone(),
        secret: acme.secret.clone(),
        token: acme.token.clone(),
    };
    let (mut stream, _) = there.listen("/v1/events/stream", None).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let feed = second.feed.clone();
    let watching = tokio::spawn(async move { feed.watch(stopped).await });
    for number in 0..3 {
        acme.hire(&format!("Person {number}")).await;
        first.work().await;
        assert_eq!(ids(&mut stream, 1).await, [number + 1]);
    }
    stop.send_replace(true);
    watching.await.unwrap();
    assert_eq!(stream.blocks().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn listeners_who_come_and_go_while_others_write_miss_nothing() {
    on_both(async |orq| {
        let acme = orq.company("acme").await;
        let (stop, stopped) = tokio::sync::watch::channel(false);
        let (feed, worker) = (orq.feed.clone(), orq.worker.clone());
        let working =
            tokio::spawn(async move { tokio::join!(feed.watch(stopped.clone()), worker.run(stopped)) });
        let writing = async {
            for number in 0..120 {
                acme.hire(&format!("Person {number}")).await;
            }
        };
        let listening = async |pace: usize| {
            let (mut last, mut heard) = (0, Vec::new());
            while heard.len() < 120 {
                let (mut stream, first) = acme.listen("/v1/events/stream", Some(&last.to_string())).await;
                assert_eq!(first.id, Some(last));
                let some = pace.min(120 - heard.len());
                heard.extend(ids(&mut stream, some).await);
                last = *heard.last().unwrap();
            }
            heard
        };
        let (_, one, seven, all) = tokio::join!(writing, listening(5), listening(17), listening(120));
        for heard in [one, seven, all] {
            assert_eq!(heard, (1..=120).collect::<Vec<_>>());
        }
        stop.send_replace(true);
        working.await.unwrap();
    })
    .await;
}
