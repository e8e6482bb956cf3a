//! The way out: one HTTP client for all endpoints. It follows no redirect, keeps no cookie, takes no proxy from its
//! environment, and bounds every exchange in time and size.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::response::Parts;
use http::{Extensions, HeaderMap, Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::capture_connection;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use orquiva_core::webhook::outcome::{Answer, Failure, Phase, retry_after};
use orquiva_core::{Clock, Timestamp};
use tokio::time::{Instant, timeout_at};

use crate::broken::Broken;
use crate::connector::{Connector, Peer};
use crate::egress::Egress;

/// How much of an answer's body is read, in bytes.
const MOST_READ: usize = 64 * 1024;

/// How much of it is kept.
const MOST_KEPT: usize = 8 * 1024;

/// How much of an answer's head is read.
const MOST_HEAD: usize = 16 * 1024;

/// How much of its headers is kept.
const MOST_HEADERS_KEPT: usize = 2 * 1024;

/// Sends deliveries.
#[derive(Clone)]
pub struct Client {
    http: legacy::Client<Connector, Full<Bytes>>,
    whole: Duration,
}

/// What came of an attempt.
pub struct Reply {
    /// The status, or what failed.
    pub answer: Answer,
    /// When it began.
    pub started_at: Timestamp,
    /// In milliseconds.
    pub duration: i64,
    /// The beginning of the answer's body.
    pub body: Option<String>,
    /// The headers of the answer, one `name: value` a line, as far as they fit into 2 KiB. Cookies are not kept.
    pub headers: Option<String>,
    /// Who answered, or who was tried last.
    pub address: Option<SocketAddr>,
    /// What exactly failed, in words.
    pub detail: Option<String>,
}

impl Reply {
    /// What comes of a request that could not even be written.
    pub(crate) fn unsent(now: Timestamp) -> Self {
        let mut reply = Self::begun(now);
        reply.fail(Broken::new(Failure::Protocol, "the request could not be written"));
        reply
    }

    /// One of which nothing is known yet.
    fn begun(started_at: Timestamp) -> Self {
        let answer = Answer::Failed(Failure::Protocol);
        Self { answer, started_at, duration: 0, body: None, headers: None, address: None, detail: None }
    }

    fn fail(&mut self, broken: Broken) {
        let Broken { failure, detail, address } = broken;
        self.answer = Answer::Failed(failure);
        self.detail = Some(detail);
        self.address = address.or(self.address);
    }
}

impl Client {
    /// A client that goes out as `egress` says.
    pub fn new(egress: &Egress, clock: Arc<dyn Clock>) -> Result<Self, rustls::Error> {
        let connector = Connector::new(egress, clock, tls(egress)?);
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(60))
            .pool_max_idle_per_host(32)
            .http1_max_headers(100)
            .http1_max_buf_size(MOST_HEAD)
            .http2_max_header_list_size(MOST_HEAD as u32)
            .http2_initial_stream_window_size(MOST_READ as u32)
            // A connection that died silently would fail everything that shares it.
            .http2_keep_alive_interval(Duration::from_secs(10))
            .http2_keep_alive_timeout(Duration::from_secs(5))
            .build(connector);
        Ok(Self { http, whole: egress.times.whole })
    }

    /// Sends one attempt. It always ends in time, and always in an [`Answer`].
    pub async fn send(&self, request: Request<Full<Bytes>>, clock: &dyn Clock) -> Reply {
        let start = clock.elapsed();
        let mut reply = Reply::begun(clock.now());
        if let Err(broken) = self.exchange(request, &mut reply).await {
            reply.fail(broken);
        }
        reply.duration = clock.elapsed() - start;
        reply
    }

    async fn exchange(&self, mut request: Request<Full<Bytes>>, reply: &mut Reply) -> Result<(), Broken> {
        let until = Instant::now() + self.whole;
        let connection = capture_connection(&mut request);
        let answered = timeout_at(until, self.http.request(request)).await;
        reply.address = connection.connection_metadata().as_ref().and_then(|connected| {
            let mut extras = Extensions::new();
            connected.get_extras(&mut extras);
            extras.remove().map(|Peer(address)| address)
        });
        let response = match answered {
            Ok(Ok(response)) => response,
            Ok(Err(error)) => return Err(Broken::of(&error)),
            Err(_) => return Err(Broken::late(Phase::Answer)),
        };
        let (Parts { status, headers, .. }, body) = response.into_parts();
        reply.headers = shown(&headers);
        let mut kept = Vec::new();
        let read = timeout_at(until, read(body, &mut kept)).await;
        reply.body = text(&kept);
        let broken = match read {
            Ok(Ok(())) => {
                let asked = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok());
                let retry_after = asked.and_then(|asked| retry_after(asked, reply.started_at));
                reply.answer = Answer::Status { code: status.as_u16(), retry_after };
                return Ok(());
            }
            Ok(Err(error)) => Broken::of(&error),
            Err(_) => Broken::late(Phase::Body),
        };
        Err(Broken { detail: format!("after status {}: {}", status.as_u16(), broken.detail), ..broken })
    }
}

/// TLS 1.2 and 1.3 with the authorities of this machine and those that the operator adds; HTTP/2 where it is spoken.
fn tls(egress: &Egress) -> Result<rustls::ClientConfig, rustls::Error> {
    let mut roots = rustls::RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(found.certs.into_iter().chain(egress.authorities.iter().cloned()));
    if roots.is_empty() {
        tracing::warn!(
            "this machine has no certificates of authorities (package ca-certificates): \
             webhooks to https addresses will fail"
        );
    }
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let mut tls = rustls::ClientConfig::builder_with_provider(provider.into())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(tls)
}

/// Reads up to [`MOST_READ`] bytes and keeps [`MOST_KEPT`]. An answer that is longer is an answer all the same:
/// the rest is dropped with its connection.
async fn read(mut body: Incoming, kept: &mut Vec<u8>) -> Result<(), hyper::Error> {
    let mut length = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        length += data.len();
        kept.extend_from_slice(&data[..data.len().min(MOST_KEPT - kept.len())]);
        if length >= MOST_READ {
            break;
        }
    }
    Ok(())
}

/// As a text that every database keeps: PostgreSQL takes no NUL.
fn text(kept: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(kept).replace('\0', "\u{FFFD}");
    (!text.is_empty()).then_some(text)
}

/// The headers of an answer for the log.
fn shown(headers: &HeaderMap) -> Option<String> {
    let mut text = String::new();
    for (name, value) in headers {
        let value = match name {
            &header::SET_COOKIE => "(not kept)".into(),
            _ => String::from_utf8_lossy(value.as_bytes()),
        };
        if text.len() + name.as_str().len() + value.len() + 3 <= MOST_HEADERS_KEPT {
            text.push_str(&format!("{name}: {value}\n"));
        }
    }
    (!text.is_empty()).then_some(text)
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::atomic::{AtomicU8, Ordering};

    use futures_util::future::join_all;
    use http::{HeaderValue, Version};
    use orquiva_core::network::Networks;
    use orquiva_core::time::{FrozenClock, SystemClock};
    use orquiva_core::webhook::address::Reach;
    use orquiva_outside::{Authority, Hostile, Manner, Polite, Proxy};

    use super::*;
    use crate::egress::{Lookup, Times};

    /// Reaches this machine, believes `authority`, and has little patience.
    fn egress(authority: &Authority) -> Egress {
        let millis = Duration::from_millis;
        Egress {
            reach: Reach::new(true, Networks::default()),
            authorities: vec![authority.certificate()],
            times: Times { connect: millis(1000), secure: millis(1500), whole: millis(2000) },
            lookup: Lookup::by(|_| Box::pin(async { Ok(vec![Ipv4Addr::LOCALHOST.into()]) })),
            ..Egress::default()
        }
    }

    fn client(egress: &Egress) -> Client {
        Client::new(egress, Arc::new(SystemClock::default())).expect("TLS can be set up")
    }

    async fn post(client: &Client, url: &str) -> Reply {
        let request = Request::post(url).body(Full::from("{}")).expect("a request");
        client.send(request, &SystemClock::default()).await
    }

    /// What a reply tells: the status, or the failure and its detail.
    fn told(reply: &Reply) -> (String, &str) {
        let answer = match reply.answer {
            Answer::Status { code, .. } => code.to_string(),
            Answer::Failed(failure) => failure.to_string(),
        };
        (answer, reply.detail.as_deref().unwrap_or_default())
    }

    /// What comes of a receiver, and a part of what is told of it.
    fn expected(manner: Manner) -> (&'static str, &'static str) {
        match manner {
            Manner::NeverAccepts => ("timeout_connect", "nobody took the connection"),
            Manner::ClosesAtOnce => ("protocol", ""), // closed or reset: that depends on who is quicker
            Manner::NeverAnswers | Manner::DripsHead | Manner::KeepsPromising => {
                ("timeout_answer", "no answer came in time")
            }
            Manner::DripsBody => ("timeout_body", "after status 200: the answer began"),
            Manner::EndlessBody | Manner::GzipBomb => ("200", ""),
            Manner::HugeHeader | Manner::ManyHeaders => ("protocol", "16 KiB and 100 headers"),
            Manner::ResetsBeforeHead | Manner::ResetsInHead => ("protocol", "reset"),
            Manner::ResetsInBody => ("protocol", "after status 200: the connection was reset"),
            Manner::SpeaksNoHttp => ("protocol", "no HTTP"),
            Manner::RedirectsInside => ("307", ""),
            Manner::Gone => ("410", ""),
            Manner::Busy => ("429", ""),
            Manner::Flaps => ("500", ""),
            Manner::SilentTls => ("timeout_tls", "TLS was not agreed on"),
            Manner::OldTls => ("tls", "TLS 1.2 or 1.3 is needed"),
            Manner::PlainTls => ("tls", "is it plain http?"),
            Manner::SelfSigned => ("tls", "unknown authority"),
            Manner::Expired => ("tls", "the certificate has expired"),
            Manner::WrongName => ("tls", "for another name: other.test"),
        }
    }

    #[tokio::test]
    async fn whatever_a_receiver_does_ends_in_time_and_says_what_it_was() {
        let authority = Authority::new();
        let client = client(&egress(&authority));
        let all = Manner::ALL.iter().map(async |manner| {
            let receiver = Hostile::start(*manner, &authority).await;
            let reply = post(&client, &receiver.url).await;
            let ((answer, detail), (wanted, part)) = (told(&reply), expected(*manner));
            assert_eq!(answer, wanted, "{manner:?}: {detail}");
            assert!(detail.contains(part), "{manner:?}: {detail}");
            assert!(reply.duration < 6_000, "{manner:?} took {} ms", reply.duration);
            assert!(receiver.sent() < 16 << 20, "{manner:?} got rid of {} bytes", receiver.sent());
            assert!(reply.body.is_none_or(|body| body.chars().count() <= MOST_KEPT), "{manner:?}");
            assert_eq!(reply.address.map(|at| at.ip()), Some(Ipv4Addr::LOCALHOST.into()), "{manner:?}");
        });
        join_all(all).await;
    }

    #[tokio::test]
    async fn the_newest_http_that_both_speak_is_spoken() {
        let authority = Authority::new();
        let client = client(&egress(&authority));
        for (modern, version) in [(true, Version::HTTP_2), (false, Version::HTTP_11)] {
            let receiver = Polite::start(&authority, "hooks.test", modern).await;
            let url = format!("https://hooks.test:{}/", receiver.at.port());
            for _ in 0..2 {
                let reply = post(&client, &url).await;
                assert_eq!(told(&reply), ("204".to_owned(), ""));
                assert_eq!(reply.address, Some(receiver.at));
            }
            assert_eq!(receiver.versions(), [version; 2]);
        }
    }

    #[tokio::test]
    async fn a_name_that_moves_inside_is_caught_at_the_next_connection() {
        let (authority, clock) = (Authority::new(), Arc::new(FrozenClock::at(Timestamp::from_millis(0))));
        let receiver = Hostile::start(Manner::Flaps, &authority).await; // a connection for each request
        let turn = AtomicU8::new(0);
        let lookup = Lookup::by(move |_| {
            let inside = turn.fetch_add(1, Ordering::Relaxed) > 0;
            let ip: IpAddr = if inside { [127, 0, 0, 2] } else { [127, 0, 0, 1] }.into();
            Box::pin(async move { Ok(vec![ip]) })
        });
        let networks = vec!["127.0.0.1".parse().expect("an address")];
        let reach = Reach::new(false, networks.into());
        let egress = Egress { reach, lookup, ..egress(&authority) };
        let client = Client::new(&egress, clock.clone()).expect("TLS can be set up");
        assert_eq!(told(&post(&client, &receiver.url).await).0, "500");
        assert_eq!(told(&post(&client, &receiver.url).await).0, "204", "within the minute it is believed");
        clock.advance(60_000);
        let reply = post(&client, &receiver.url).await;
        assert_eq!(told(&reply).0, "private_address");
        assert!(!reply.detail.expect("a detail").contains("127."), "what is inside is not told");
        let literal = post(&client, "http://127.0.0.2:1/").await;
        assert_eq!(told(&literal).0, "private_address", "a literal address meets no resolver");
        assert_eq!(receiver.connections(), 2);
    }

    #[tokio::test]
    async fn a_proxy_gets_the_address_that_was_checked_and_never_an_inner_one() {
        let authority = Authority::new();
        let receiver = Polite::start(&authority, "hooks.test", true).await;
        let wanted = "Basic dXNlcjpwYXNz"; // user:pass
        let proxy = Proxy::start(receiver.at, Some(wanted)).await;
        let lookup = Lookup::by(|name| {
            let ip: IpAddr = if name == "hooks.test" { [1, 1, 1, 1] } else { [10, 0, 0, 1] }.into();
            Box::pin(async move { Ok(vec![ip]) })
        });
        let behind = |credentials: &str| {
            let proxy = format!("http://{credentials}{}", proxy.at).parse().expect("a proxy");
            let reach = Reach::default();
            client(&Egress { reach, proxy: Some(proxy), lookup: lookup.clone(), ..egress(&authority) })
        };
        let reply = post(&behind("user:pass@"), "https://hooks.test/").await;
        assert_eq!(told(&reply), ("204".to_owned(), ""));
        assert_eq!(reply.address.map(|at| at.to_string()).as_deref(), Some("1.1.1.1:443"));
        let refused = post(&behind("user:wrong@"), "https://hooks.test/").await;
        let detail = "the proxy through which webhooks leave answered 407";
        assert_eq!(told(&refused), ("connect".to_owned(), detail));
        let inner = post(&behind("user:pass@"), "https://db.test/").await;
        assert_eq!(told(&inner).0, "private_address");
        assert_eq!(proxy.asked(), ["1.1.1.1:443", "1.1.1.1:443"]);
    }

    #[test]
    fn headers_are_kept_in_bounds_and_cookies_not_at_all() {
        let mut headers = HeaderMap::new();
        headers.insert("server", HeaderValue::from_static("nginx"));
        headers.insert("x-long", HeaderValue::from_str(&"y".repeat(4000)).expect("a value"));
        headers.append("set-cookie", HeaderValue::from_static("session=secret"));
        headers.insert("x-end", HeaderValue::from_bytes(b"\xff!").expect("a value"));
        let kept = shown(&headers).expect("headers");
        assert_eq!(kept, "server: nginx\nset-cookie: (not kept)\nx-end: \u{FFFD}!\n");
        assert_eq!(shown(&HeaderMap::new()), None);
    }
}
