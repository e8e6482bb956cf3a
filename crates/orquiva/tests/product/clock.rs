//! The clock of the machine is set while events are delivered: nothing is lost, and nothing waits for the time to come again.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use tokio::sync::watch;

use crate::harness::{Caller, Receiver, on_both};

const HOUR: i64 = 3_600_000;

/// Calls of an endpoint at once.
const AT_ONCE: usize = 4;

async fn hire(acme: &mut Caller<'_>, people: std::ops::Range<usize>) {
    acme.token = acme.fresh_token().await; // the last one may have expired, or not be good yet
    for number in people {
        acme.hire(&format!("Person {number}")).await;
    }
}

async fn soon(what: &str, waiting: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(20), waiting).await.expect(what);
}

fn different(receiver: &Receiver) -> usize {
    receiver.events().iter().map(|event| event["id"].to_string()).collect::<BTreeSet<_>>().len()
}

/// Waits until so many different events have arrived.
async fn has(receiver: &Receiver, count: usize) {
    while different(receiver) < count {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_clock_that_is_set_by_an_hour_loses_nothing_and_holds_up_nothing() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let (well, failing) = (Receiver::start().await, Receiver::start().await);
        acme.subscribe(&well, &["employee.created"]).await;
        acme.subscribe(&failing, &["employee.created"]).await;
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(orq.worker.clone().run(stopped));
        let mut hired = 0;
        // Forward; back to where it was; and back behind where it began.
        for by in [HOUR, -HOUR, -HOUR] {
            failing.will_fail(2);
            hire(&mut acme, hired..hired + 10).await;
            soon("before it is set", has(&well, hired + 10)).await;
            soon("before it is set", has(&failing, hired + 10)).await;
            orq.clock.set(by);
            hire(&mut acme, hired + 10..hired + 20).await;
            hired += 20;
            soon("after it was set", has(&well, hired)).await;
            soon("after it was set", has(&failing, hired)).await;
            orq.clock.advance(7_000); // what failed is tried again after 5 s, whatever the clock shows
            let none_waits = async {
                while acme.get("/v1/deliveries?state=waiting").await.body["data"] != json!([]) {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            };
            soon("nothing waits for the time to come again", none_waits).await;
        }
        stop.send_replace(true);
        running.await.unwrap();
        let repeated = well.got().len() - different(&well);
        assert!(repeated <= AT_ONCE, "{repeated} were sent again: more than were under way when it was set");
        let repeated = failing.got().len() - different(&failing);
        assert!((6..=6 + AT_ONCE).contains(&repeated), "{repeated}: six failed, and were sent again");
        let arrived = acme.get("/v1/deliveries?state=delivered&limit=200").await.body;
        assert_eq!(arrived["data"].as_array().unwrap().len(), 2 * hired);
    })
    .await;
}

#[tokio::test]
async fn a_server_that_is_started_after_the_clock_was_set_back_sends_what_was_due() {
    on_both(async |orq| {
        let mut acme = orq.company("acme").await;
        let receiver = Receiver::start().await;
        acme.subscribe(&receiver, &["employee.created"]).await;
        orq.clock.set(HOUR);
        hire(&mut acme, 0..3).await;
        while orq.worker.route().await.unwrap() > 0 {}
        let later = orq.started_again(-HOUR).await;
        let (stop, stopped) = watch::channel(false);
        let running = tokio::spawn(later.run(stopped));
        soon("it was due before", receiver.has_got(3)).await;
        stop.send_replace(true);
        running.await.unwrap();
    })
    .await;
}
