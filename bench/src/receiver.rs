//! The receiver of webhooks: answers 204 and remembers what came. Each endpoint has a port of its own, as each
//! customer has a host of its own.

use std::collections::HashSet;
use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use orquiva_core::id::EventId;
use serde_json::json;
use tokio::net::TcpListener;

use crate::child;
use crate::load::{Connection, request};
use crate::machine::{Process, now};

/// What is done with a request: its path, the event's id, the body. An answer in words is for whoever counts.
pub(crate) type Hook = Arc<dyn Fn(&str, Option<EventId>, &[u8]) -> Option<String> + Send + Sync>;

/// Answers whoever connects, for as long as the runtime lives.
pub(crate) async fn serve(listener: TcpListener, hook: Hook) {
    while let Ok((stream, _)) = listener.accept().await {
        drop(stream.set_nodelay(true)); // it only costs speed if the system refuses
        let hook = hook.clone();
        let service = service_fn(move |request| answer(hook.clone(), request));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn answer(hook: Hook, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let event = request.headers().get("webhook-id").and_then(|id| EventId::parse(id.to_str().ok()?));
    let path = request.uri().path().to_owned();
    let Ok(body) = request.into_body().collect().await else {
        return Ok(with_status(StatusCode::BAD_REQUEST)); // half a webhook is none
    };
    Ok(match hook(&path, event, &body.to_bytes()) {
        Some(text) => Response::new(Full::from(text)),
        None => with_status(StatusCode::NO_CONTENT),
    })
}

fn with_status(status: StatusCode) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = status;
    response
}

/// The receiver in a process of its own: `ports` endpoints, and one more port to ask for the counts.
pub(crate) async fn run(ports: usize) -> anyhow::Result<()> {
    let seen = Seen { received: 0, distinct: HashSet::new(), last: now(), fresh: None };
    let seen = Arc::new(Mutex::new(seen));
    let note: Hook = {
        let seen = seen.clone();
        Arc::new(move |path, event, _| {
            let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.received += 1;
            if let Some((event, endpoint)) = event.zip(path[1..].parse().ok()) {
                if let Some(fresh) = &mut seen.fresh {
                    fresh.insert((endpoint, event));
                }
                if seen.distinct.insert((endpoint, event)) {
                    seen.last = now();
                }
            }
            None
        })
    };
    let tell: Hook = Arc::new(move |path, _, body| {
        let mut seen = seen.lock().unwrap_or_else(PoisonError::into_inner);
        if path == "/among" {
            let fresh = seen.fresh.replace(HashSet::new()).unwrap_or_default();
            let among = String::from_utf8_lossy(body)
                .lines()
                .filter_map(pair)
                .filter(|one| fresh.contains(one))
                .count();
            return Some(json!({ "among": among }).to_string());
        }
        let quiet = u64::try_from(seen.last.elapsed().as_micros()).unwrap_or(u64::MAX);
        let counts = json!({ "received": seen.received, "distinct": seen.distinct.len(), "quiet": quiet });
        Some(counts.to_string())
    });
    let mut open = Vec::new();
    for hook in std::iter::repeat_n(note, ports).chain([tell]) {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        open.push(listener.local_addr()?.port().to_string());
        tokio::spawn(serve(listener, hook));
    }
    child::up(&open.join(" "));
    std::future::pending().await
}

/// Reads an endpoint and an event from a line.
fn pair(line: &str) -> Option<(u32, EventId)> {
    let (endpoint, event) = line.split_once(' ')?;
    Some((endpoint.parse().ok()?, EventId::parse(event)?))
}

struct Seen {
    received: u64,
    distinct: HashSet<(u32, EventId)>,
    last: Instant,
    /// What came since it was last asked what of some came; from the first time on.
    fresh: Option<HashSet<(u32, EventId)>>,
}

/// That process, seen from outside.
pub(crate) struct Receiver {
    process: Process,
    pub(crate) ports: Vec<u16>,
    control: Connection,
}

/// What arrived until now.
#[derive(Clone, Copy, Default)]
pub(crate) struct Counts {
    pub(crate) received: u64,
    /// Different pairs of endpoint and event.
    pub(crate) distinct: u64,
    /// When the last new one came.
    pub(crate) quiet: Duration,
}

impl Receiver {
    pub(crate) async fn start(ports: usize) -> anyhow::Result<Self> {
        let (process, line) = child::start(&["receiver", &ports.to_string()])?;
        let mut ports: Vec<u16> = line.split(' ').filter_map(|port| port.parse().ok()).collect();
        let control = ports.pop().context("the receiver tells no port")?;
        let control = Connection::open((Ipv4Addr::LOCALHOST, control).into()).await?;
        Ok(Self { process, ports, control })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// How many of these pairs of endpoint and event have come since it was asked the last time; none the first time.
    pub(crate) async fn among(&mut self, pairs: &[(usize, String)]) -> anyhow::Result<u64> {
        let lines: Vec<_> = pairs.iter().map(|(endpoint, event)| format!("{endpoint} {event}")).collect();
        let answer =
            self.control.call(&request("POST", "/among", "", "text/plain", &lines.join("\n")), 200).await?;
        answer["among"].as_u64().context("the receiver tells not how many")
    }

    pub(crate) async fn counts(&mut self) -> anyhow::Result<Counts> {
        let counts = self.control.call(&request("GET", "/", "", "", ""), 200).await?;
        let number =
            |name: &str| counts[name].as_u64().with_context(|| format!("the receiver tells no {name}"));
        let quiet = Duration::from_micros(number("quiet")?);
        Ok(Counts { received: number("received")?, distinct: number("distinct")?, quiet })
    }
}
