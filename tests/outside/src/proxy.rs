//! An HTTP proxy that opens tunnels, and leads each where the test wants.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::JoinHandle;

/// A proxy on a port of this machine.
pub struct Proxy {
    /// Where it listens.
    pub at: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    task: JoinHandle<()>,
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Proxy {
    /// Starts one. Every tunnel leads to `target`, whatever was asked for; `authorization`, if there is one, has to
    /// be in `Proxy-Authorization`.
    pub async fn start(target: SocketAddr, authorization: Option<&str>) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (note, wanted) = (asked.clone(), authorization.map(str::to_owned));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (note, wanted) = (note.clone(), wanted.clone());
                tokio::spawn(async move {
                    drop(tunnel(stream, target, &note, wanted.as_deref()).await); // either side may hang up
                });
            }
        });
        Self { at, asked, task }
    }

    /// The address of each tunnel that was asked for.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn tunnel(
    mut stream: TcpStream,
    target: SocketAddr,
    asked: &Mutex<Vec<String>>,
    wanted: Option<&str>,
) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let head = String::from_utf8_lossy(&head);
    let address = head.strip_prefix("CONNECT ").and_then(|rest| rest.split(' ').next()).unwrap_or("nothing");
    asked.lock().unwrap_or_else(PoisonError::into_inner).push(address.to_owned());
    let given = head.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: "));
    if wanted.is_some() && wanted != given {
        return stream
            .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")
            .await;
    }
    let mut out = TcpSocket::new_v4()?.connect(target).await?;
    stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await?;
    copy_bidirectional(&mut stream, &mut out).await.map(drop)
}
