//! Connections: resolved, checked, tunnelled through the operator's proxy if there is one, and secured.
//! A literal address never meets a resolver, so the check stands here, where every connection passes.

use std::error::Error;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper::rt;
use hyper_rustls::MaybeHttpsStream;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::TokioIo;
use orquiva_core::Clock;
use orquiva_core::webhook::address::Reach;
use orquiva_core::webhook::outcome::{Failure, Phase};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tower::Service;

use crate::broken::{Broken, explain};
use crate::egress::{Egress, Proxy, Times};
use crate::names::Names;

/// Most addresses of a name that are tried.
const MOST_TRIED: usize = 4;

/// Most bytes of a proxy's answer.
const MOST_OF_PROXY: usize = 8 * 1024;

/// Connects only to addresses that webhooks may reach.
#[derive(Clone)]
pub(crate) struct Connector(Arc<Outward>);

struct Outward {
    reach: Reach,
    proxy: Option<Proxy>,
    times: Times,
    names: Names,
    tls: TlsConnector,
}

impl Connector {
    pub(crate) fn new(egress: &Egress, clock: Arc<dyn Clock>, tls: rustls::ClientConfig) -> Self {
        let Egress { reach, proxy, authorities: _, times, lookup } = egress.clone();
        let names = Names::new(lookup, clock);
        Self(Arc::new(Outward { reach, proxy, times, names, tls: TlsConnector::from(Arc::new(tls)) }))
    }
}

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Line>;
    type Error = Broken;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Broken>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Broken>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let outward = self.0.clone();
        Box::pin(async move { outward.open(&uri).await })
    }
}

impl Outward {
    async fn open(&self, uri: &Uri) -> Result<MaybeHttpsStream<Line>, Broken> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
        let plain = uri.scheme_str() == Some("http");
        let port = uri.port_u16().unwrap_or(if plain { 80 } else { 443 });
        let line = self.connect(host, port).await?;
        if plain { Ok(MaybeHttpsStream::Http(line)) } else { self.secure(host, line).await }
    }

    /// Connects to one of the addresses of `host`. Each gets its share of the time, so that one which is silent
    /// leaves some for the next.
    async fn connect(&self, host: &str, port: u16) -> Result<Line, Broken> {
        let until = Instant::now() + self.times.connect;
        let addresses = self.addresses(host, until).await?;
        let mut last = Broken::late(Phase::Connect);
        for (tried, ip) in addresses.iter().enumerate() {
            let to = SocketAddr::new(*ip, port);
            let left = until.saturating_duration_since(Instant::now());
            let share = left / u32::try_from(addresses.len() - tried).unwrap_or(1);
            last = match timeout(share, self.dial(to)).await {
                Ok(Ok(stream)) => {
                    drop(stream.set_nodelay(true)); // it only costs speed if the system refuses
                    return Ok(Line { io: TokioIo::new(stream), to });
                }
                Ok(Err(broken)) => broken.with(to),
                Err(_) => Broken::late(Phase::Connect).with(to),
            };
        }
        Err(last)
    }

    /// Those addresses of `host` that may be reached.
    async fn addresses(&self, host: &str, until: Instant) -> Result<Vec<IpAddr>, Broken> {
        let all: Vec<IpAddr> = match host.parse() {
            Ok(literal) => vec![literal],
            Err(_) => match timeout_at(until, self.names.addresses(host)).await {
                Ok(Ok(found)) => found.to_vec(),
                Ok(Err(_)) => Vec::new(),
                Err(_) => return Err(Broken::late(Phase::Dns)),
            },
        };
        if all.is_empty() {
            return Err(Broken::new(Failure::Dns, "the name has no address"));
        }
        let mut admitted: Vec<_> = all.into_iter().filter(|ip| self.reach.admits(*ip)).collect();
        if admitted.is_empty() {
            // Which one it is tells of the network inside, so it is not said.
            let detail = "the name leads only to addresses that webhooks may not reach";
            return Err(Broken::new(Failure::PrivateAddress, detail));
        }
        admitted.truncate(MOST_TRIED);
        Ok(admitted)
    }

    #[expect(clippy::disallowed_methods, reason = "the one home of outgoing connections")]
    async fn dial(&self, to: SocketAddr) -> Result<TcpStream, Broken> {
        let Some(proxy) = &self.proxy else {
            return TcpStream::connect(to).await.map_err(|error| not_taken(&error));
        };
        let stream = TcpStream::connect((proxy.host.as_str(), proxy.port)).await.map_err(|_| {
            Broken::new(Failure::Connect, "the proxy through which webhooks leave cannot be reached")
        })?;
        tunnel(proxy, stream, to).await
    }

    async fn secure(&self, host: &str, line: Line) -> Result<MaybeHttpsStream<Line>, Broken> {
        let to = line.to;
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| Broken::new(Failure::Tls, "no certificate can be for this name").with(to))?;
        match timeout(self.times.secure, self.tls.connect(name, TokioIo::new(line))).await {
            Ok(Ok(stream)) => Ok(stream.into()),
            Ok(Err(error)) => Err(Broken::new(Failure::Tls, not_secured(&error)).with(to)),
            Err(_) => Err(Broken::late(Phase::Tls).with(to)),
        }
    }
}

fn not_taken(error: &io::Error) -> Broken {
    let detail = match error.kind() {
        io::ErrorKind::ConnectionRefused => "the connection was refused: nobody listens there".to_owned(),
        io::ErrorKind::ConnectionReset => "the connection was reset as soon as it was made".to_owned(),
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "no way leads there".to_owned(),
        _ => error.to_string(),
    };
    Broken::new(Failure::Connect, detail)
}

fn not_secured(error: &io::Error) -> String {
    let tls = error.get_ref().and_then(|within| (within as &(dyn Error + 'static)).downcast_ref());
    match (tls, error.kind()) {
        (Some(tls), _) => explain(tls),
        (None, io::ErrorKind::UnexpectedEof) => {
            "the connection was closed while TLS was agreed on".to_owned()
        }
        (None, io::ErrorKind::ConnectionReset) => {
            "the connection was reset while TLS was agreed on".to_owned()
        }
        (None, _) => error.to_string(),
    }
}

/// Asks the proxy for a tunnel to `to`: to the address that was checked, not to a name which the proxy would
/// resolve again.
async fn tunnel(proxy: &Proxy, mut stream: TcpStream, to: SocketAddr) -> Result<TcpStream, Broken> {
    let mut ask = format!("CONNECT {to} HTTP/1.1\r\nHost: {to}\r\n");
    if let Some(authorization) = &proxy.authorization {
        ask.push_str(&format!("Proxy-Authorization: {}\r\n", authorization.expose()));
    }
    ask.push_str("\r\n");
    let broken = |_| Broken::new(Failure::Connect, "the proxy through which webhooks leave broke off");
    stream.write_all(ask.as_bytes()).await.map_err(broken)?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        if answer.len() >= MOST_OF_PROXY || stream.read_buf(&mut answer).await.map_err(broken)? == 0 {
            return Err(broken(io::ErrorKind::InvalidData.into()));
        }
    }
    let status = str::from_utf8(&answer).ok().and_then(|text| text.split(' ').nth(1)).unwrap_or_default();
    if status.starts_with('2') && status.len() == 3 {
        return Ok(stream);
    }
    let detail =
        format!("the proxy through which webhooks leave answered {}", status.get(..3).unwrap_or("nonsense"));
    Err(Broken::new(Failure::Connect, detail))
}

/// A connection that knows where it leads, also through a proxy.
pub(crate) struct Line {
    io: TokioIo<TcpStream>,
    to: SocketAddr,
}

/// Where a connection leads, as it is found on what came over it.
#[derive(Clone, Copy)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new().extra(Peer(self.to))
    }
}

impl rt::Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: rt::ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_read(cx, buffer)
    }
}

impl rt::Write for Line {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, slices)
    }
}
