//! A receiver that misbehaves, on a port of this machine.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::authority::{Authority, self_signed};
use crate::manners::{Manner, Then};

/// The pause between two bits of something that is sent slowly.
const SLOWLY: Duration = Duration::from_millis(50);

/// A receiver that misbehaves. It goes when it is dropped.
pub struct Hostile {
    /// How.
    pub manner: Manner,
    /// Where.
    pub url: String,
    counts: Arc<Counts>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct Counts {
    connections: AtomicU64,
    requests: AtomicU64,
    sent: AtomicU64,
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Hostile {
    /// Starts one. Its certificate, if it has one that is not its own, is from `authority`.
    pub async fn start(manner: Manner, authority: &Authority) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let listener = socket.listen(if manner == Manner::NeverAccepts { 1 } else { 1024 }).unwrap();
        let scheme = if manner.is_secure() { "https" } else { "http" };
        let url = format!("{scheme}://localhost:{}/hook", listener.local_addr().unwrap().port());
        let counts: Arc<Counts> = Arc::default();
        let task = match manner {
            Manner::NeverAccepts => never_accept(listener).await,
            _ => tokio::spawn(accept(listener, manner, tls(manner, authority), counts.clone())),
        };
        Self { manner, url, counts, task }
    }

    /// Connections that were made to it.
    pub fn connections(&self) -> u64 {
        self.counts.connections.load(Ordering::Relaxed)
    }

    /// Requests that it read.
    pub fn requests(&self) -> u64 {
        self.counts.requests.load(Ordering::Relaxed)
    }

    /// Bytes that it could send.
    pub fn sent(&self) -> u64 {
        self.counts.sent.load(Ordering::Relaxed)
    }
}

fn tls(manner: Manner, authority: &Authority) -> Option<TlsAcceptor> {
    let config = match manner {
        Manner::SelfSigned => self_signed("localhost"),
        Manner::Expired => authority.server("localhost", 2021),
        Manner::WrongName => authority.server("other.test", 2126),
        _ => return None,
    };
    Some(TlsAcceptor::from(Arc::new(config)))
}

/// Fills the queue of a listener that takes nobody out of it.
async fn never_accept(listener: TcpListener) -> JoinHandle<()> {
    let at = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..8 {
        let connect = TcpSocket::new_v4().unwrap().connect(at);
        match tokio::time::timeout(SLOWLY, connect).await {
            Ok(connected) => waiting.push(connected.unwrap()),
            Err(_) => break,
        }
    }
    tokio::spawn(async move {
        std::future::pending::<()>().await;
        drop((listener, waiting));
    })
}

async fn accept(listener: TcpListener, manner: Manner, tls: Option<TlsAcceptor>, counts: Arc<Counts>) {
    while let Ok((stream, _)) = listener.accept().await {
        counts.connections.fetch_add(1, Ordering::Relaxed);
        let (tls, counts) = (tls.clone(), counts.clone());
        tokio::spawn(async move {
            // Whoever is treated like this may well hang up.
            drop(match tls {
                Some(tls) => secured(tls, stream, manner, &counts).await,
                None => plain(stream, manner, &counts).await,
            });
        });
    }
}

async fn secured(tls: TlsAcceptor, stream: TcpStream, manner: Manner, counts: &Counts) -> io::Result<()> {
    let mut stream = tls.accept(stream).await?;
    talk(&mut stream, manner, counts).await.map(drop)
}

async fn plain(mut stream: TcpStream, manner: Manner, counts: &Counts) -> io::Result<()> {
    stream.set_nodelay(true)?;
    match manner {
        Manner::ClosesAtOnce => Ok(()),
        Manner::SilentTls => read_on(&mut stream).await,
        Manner::OldTls => {
            stream.read_buf(&mut Vec::with_capacity(4096)).await?;
            stream.write_all(&[21, 3, 1, 0, 2, 2, 70]).await?; // an alert: protocol_version
            read_on(&mut stream).await
        }
        Manner::PlainTls => {
            stream.read_buf(&mut Vec::with_capacity(4096)).await?;
            stream.write_all(&manner.answer(0).0).await
        }
        _ => {
            if talk(&mut stream, manner, counts).await? == Then::Reset {
                stream.set_zero_linger()?;
            }
            Ok(())
        }
    }
}

/// Reads request after request and answers in its manner; how it is to end.
async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    manner: Manner,
    counts: &Counts,
) -> io::Result<Then> {
    loop {
        read_request(stream).await?;
        let turn = counts.requests.fetch_add(1, Ordering::Relaxed);
        let (bytes, then) = manner.answer(turn);
        send(stream, &bytes, counts).await?;
        match then {
            Then::KeepOpen => {}
            Then::Close | Then::Reset => return Ok(then),
            Then::Repeat(bytes, quickly) => loop {
                send(stream, bytes, counts).await?;
                if !quickly {
                    tokio::time::sleep(SLOWLY).await;
                }
            },
        }
    }
}

async fn send<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8], counts: &Counts) -> io::Result<()> {
    stream.write_all(bytes).await?;
    stream.flush().await?;
    counts.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    Ok(())
}

/// Reads one request to the end of its body.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<()> {
    let mut request = Vec::with_capacity(4096);
    loop {
        if stream.read_buf(&mut request).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(&request);
        if let Some((head, _)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
            });
            if request.len() >= head.len() + 4 + length.unwrap_or(0) {
                return Ok(());
            }
        }
    }
}

/// Reads and says nothing.
async fn read_on(stream: &mut TcpStream) -> io::Result<()> {
    let mut bytes = [0; 1024];
    while stream.read(&mut bytes).await? > 0 {}
    Ok(())
}
