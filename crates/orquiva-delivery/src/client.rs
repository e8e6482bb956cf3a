//! The way out: one HTTP client for all endpoints. It checks every address where the connection is made,
//! follows no redirect, keeps no cookie, knows no proxy, and bounds every exchange in time and size.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Uri, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use orquiva_core::webhook::address::is_public;
use orquiva_core::webhook::outcome::{Answer, Failure, retry_after};
use orquiva_core::{Clock, Timestamp};
use tokio::net::TcpStream;
use tower::Service;

/// The time for a whole exchange, the answer's body included.
const TIMEOUT: Duration = Duration::from_secs(15);

/// The time for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// How much of an answer is read, in bytes.
const MOST_READ: usize = 64 * 1024;

/// How much of it is kept.
const MOST_KEPT: usize = 8 * 1024;

/// Sends deliveries.
#[derive(Clone)]
pub struct Client(legacy::Client<HttpsConnector<Guarded>, Full<Bytes>>);

/// What came of it.
pub(crate) struct Reply {
    pub(crate) answer: Answer,
    pub(crate) started_at: Timestamp,
    /// In milliseconds.
    pub(crate) duration: i64,
    /// The beginning of the answer's body.
    pub(crate) body: Option<String>,
}

impl Reply {
    /// What comes of a request that could not even be written.
    pub(crate) fn unsent(now: Timestamp) -> Self {
        Self { answer: Answer::Failed(Failure::Protocol), started_at: now, duration: 0, body: None }
    }
}

impl Client {
    /// A client that reaches the public Internet, and with `allow_private` inner networks too.
    pub fn new(allow_private: bool) -> Result<Self, rustls::Error> {
        let mut roots = rustls::RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(found.certs);
        if roots.is_empty() {
            tracing::warn!(
                "this machine has no certificates of authorities (package ca-certificates): \
                 webhooks to https addresses will fail"
            );
        }
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let connector = hyper_rustls::HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(Guarded { allow_private });
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(32)
            .http1_max_headers(100)
            .http1_max_buf_size(MOST_READ)
            .build(connector);
        Ok(Self(client))
    }

    /// Sends one attempt. It always ends within [`TIMEOUT`], and always in an [`Answer`].
    pub(crate) async fn send(&self, request: Request<Full<Bytes>>, clock: &dyn Clock) -> Reply {
        let started_at = clock.now();
        let start = clock.elapsed();
        let exchanged = tokio::time::timeout(TIMEOUT, self.exchange(request, started_at)).await;
        let (answer, body) = exchanged.unwrap_or((Answer::Failed(Failure::Timeout), None));
        Reply { answer, started_at, duration: clock.elapsed() - start, body }
    }

    async fn exchange(&self, request: Request<Full<Bytes>>, now: Timestamp) -> (Answer, Option<String>) {
        let response = match self.0.request(request).await {
            Ok(response) => response,
            Err(error) => return (Answer::Failed(failure(&error)), None),
        };
        let retry_after = response.headers().get(header::RETRY_AFTER);
        let retry_after = retry_after.and_then(|value| retry_after_of(value, now));
        let answer = Answer::Status { code: response.status().as_u16(), retry_after };
        match read(response.into_body()).await {
            Ok(body) => (answer, body),
            Err(_) => (Answer::Failed(Failure::Protocol), None),
        }
    }
}

fn retry_after_of(value: &http::HeaderValue, now: Timestamp) -> Option<i64> {
    retry_after(value.to_str().ok()?, now)
}

/// Reads up to [`MOST_READ`] bytes and keeps [`MOST_KEPT`]. An answer that is longer is an answer all the same:
/// the rest is dropped with its connection.
async fn read(mut body: Incoming) -> Result<Option<String>, hyper::Error> {
    let mut kept = Vec::new();
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        kept.extend_from_slice(&data[..data.len().min(MOST_KEPT - kept.len())]);
        if length >= MOST_READ {
            break;
        }
    }
    // PostgreSQL keeps no NUL in a text.
    let text = String::from_utf8_lossy(&kept).replace('\0', "\u{FFFD}");
    Ok((!text.is_empty()).then_some(text))
}

/// Finds in the chain of causes what kind of failure it was.
fn failure(error: &legacy::Error) -> Failure {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(refused) = error.downcast_ref::<Refused>() {
            return refused.0;
        }
        if error.is::<rustls::Error>() {
            return Failure::Tls;
        }
        // The source of an I/O error is that of the error within, which `source` alone would pass over.
        let within = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        cause = within.map(|within| within as _).or_else(|| error.source());
    }
    if error.is_connect() { Failure::Connect } else { Failure::Protocol }
}

/// Connects only to addresses that webhooks may reach. A literal address never meets a resolver,
/// so the check stands here, where every connection passes.
#[derive(Clone)]
struct Guarded {
    allow_private: bool,
}

/// Why there was no connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refused(Failure);

type Connecting = Pin<Box<dyn Future<Output = Result<TokioIo<TcpStream>, Refused>> + Send>>;

impl Service<Uri> for Guarded {
    type Response = TokioIo<TcpStream>;
    type Error = Refused;
    type Future = Connecting;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Refused>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Connecting {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let connect = tokio::time::timeout(CONNECT_TIMEOUT, connect(uri, allow_private));
            connect.await.unwrap_or(Err(Refused(Failure::Connect))).map(TokioIo::new)
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the one home of outgoing connections")]
async fn connect(uri: Uri, allow_private: bool) -> Result<TcpStream, Refused> {
    let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
    let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("http") { 80 } else { 443 });
    let addresses: Vec<SocketAddr> = match host.parse::<IpAddr>() {
        Ok(ip) => vec![SocketAddr::new(ip, port)],
        Err(_) => tokio::net::lookup_host((host, port)).await.map_err(|_| Refused(Failure::Dns))?.collect(),
    };
    if addresses.is_empty() {
        return Err(Refused(Failure::Dns));
    }
    let allowed: Vec<_> = addresses.into_iter().filter(|at| allow_private || is_public(at.ip())).collect();
    if allowed.is_empty() {
        return Err(Refused(Failure::PrivateAddress));
    }
    for address in allowed {
        if let Ok(stream) = TcpStream::connect(address).await {
            drop(stream.set_nodelay(true)); // it only costs speed if the system refuses
            return Ok(stream);
        }
    }
    Err(Refused(Failure::Connect))
}
