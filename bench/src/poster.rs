//! The least client that does the same: it signs and posts, keeps nothing and decides nothing.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use orquiva_core::time::SystemClock;
use orquiva_core::webhook::signature::Signer;
use orquiva_core::{Clock as _, Secret};
use tokio::task::JoinSet;

use crate::child;
use crate::machine::{Meter, now};
use crate::receiver::Receiver;
use crate::table::Sample;

/// Calls to an endpoint at the same time, as by default.
const AT_ONCE: usize = 4;

/// A body of the usual length.
const BODY: &str = r#"{"id":"evt_01JQ8Z6X3V4M5N6P7R8S9T0A1B","type":"employee.created","timestamp":"2026-01-01T09:00:00.000Z","sequence":1,"apiVersion":"v1","companyId":"cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B","actor":{"type":"client","id":"cli_01JQ8Z6X3V4M5N6P7R8S9T0A1B"},"data":{"id":"emp_01JQ8Z6X3V4M5N6P7R8S9T0A1B","companyId":"cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B","fullName":"Ana Ruiz Gómez","firstName":null,"lastName":null,"secondLastName":null,"preferredName":null,"email":"ana.ruiz.000000000001@example.com","phone":null,"employeeNumber":null,"status":"active","startDate":"2026-01-12","originalHireDate":"2026-01-12","endDate":null,"terminationReason":null,"managerId":null,"department":"Ventas","departmentId":"dep_01JQ8Z6X3V4M5N6P7R8S9T0A1B","jobTitle":"Comercial","employmentType":null,"location":null,"customFields":{},"external_refs":{},"version":1,"createdAt":"2026-01-01T09:00:00.000Z","updatedAt":"2026-01-01T09:00:00.000Z"}}"#;

/// Posts to `endpoints` endpoints for `time`, from a process of its own to a receiver of its own.
pub(crate) async fn post(endpoints: usize, time: Duration) -> anyhow::Result<Sample> {
    let mut receiver = Receiver::start(endpoints).await?;
    let ports: Vec<_> = receiver.ports.iter().map(u16::to_string).collect();
    let (mut process, _) = child::start(&["limit-post", &ports.join(",")])?;
    let meter = Meter { servers: vec![process.id()], generators: vec![receiver.id()] };
    tokio::time::sleep(Duration::from_millis(200)).await; // its connections are open by then
    let (before, first, start) = (meter.read()?, receiver.counts().await?.received, now());
    tokio::time::sleep(time).await;
    let (count, time) = (receiver.counts().await?.received - first, start.elapsed());
    let sample = Sample::of(count, time, meter.since(before)?);
    process.stop();
    Ok(sample)
}

/// What that process does until it is ended.
pub(crate) async fn run(ports: &str) -> anyhow::Result<()> {
    let poster = Poster {
        client: Client::builder(TokioExecutor::new()).build_http(),
        signer: Signer::new(&Secret::new("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")),
        sent: AtomicU64::new(0),
    };
    let poster = Arc::new(poster);
    let mut posting = JoinSet::new();
    for port in ports.split(',') {
        for _ in 0..AT_ONCE {
            posting.spawn(poster.clone().post_on(format!("http://127.0.0.1:{port}/x")));
        }
    }
    child::up("posting");
    posting.join_next().await.context("nobody posts")???;
    Ok(())
}

struct Poster {
    client: Client<HttpConnector, Full<Bytes>>,
    signer: Signer,
    sent: AtomicU64,
}

impl Poster {
    /// One call after the other.
    async fn post_on(self: Arc<Self>, url: String) -> anyhow::Result<Infallible> {
        loop {
            let id = format!("evt_{:026}", self.sent.fetch_add(1, Ordering::Relaxed));
            let at = SystemClock::default().now();
            let signatures = self.signer.sign(&id, at, BODY.as_bytes());
            let request = Request::post(&url)
                .header("content-type", "application/json")
                .header("x-orq-signature", signatures.orq)
                .header("webhook-id", id)
                .header("webhook-timestamp", at.seconds())
                .header("webhook-signature", signatures.standard)
                .body(Full::from(BODY))?;
            self.client.request(request).await?.into_body().collect().await?;
        }
    }
}
