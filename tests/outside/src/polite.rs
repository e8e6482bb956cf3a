//! A receiver that does all as it should: TLS, HTTP/1.1 and HTTP/2, and 204.

use std::convert::Infallible;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Version};
use http_body_util::{BodyExt as _, Empty};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::authority::Authority;

/// A receiver that does all as it should, on a port of this machine.
pub struct Polite {
    /// Where it listens.
    pub at: SocketAddr,
    versions: Arc<Mutex<Vec<Version>>>,
    task: JoinHandle<()>,
}

impl Drop for Polite {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Polite {
    /// Starts one with a certificate for `name`, that speaks HTTP/2 if `modern`.
    pub async fn start(authority: &Authority, name: &str, modern: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut config = authority.server(name, 2126);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        if modern {
            config.alpn_protocols.insert(0, b"h2".to_vec());
        }
        let tls = TlsAcceptor::from(Arc::new(config));
        let versions: Arc<Mutex<Vec<Version>>> = Arc::default();
        let note = versions.clone();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (tls, note) = (tls.clone(), note.clone());
                tokio::spawn(async move {
                    let Ok(stream) = tls.accept(stream).await else { return };
                    let service = service_fn(move |request| answer(request, note.clone()));
                    let server = auto::Builder::new(TokioExecutor::new());
                    drop(server.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        Self { at, versions, task }
    }

    /// The version of HTTP of each request that came.
    pub fn versions(&self) -> Vec<Version> {
        self.versions.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn answer(
    request: Request<Incoming>,
    versions: Arc<Mutex<Vec<Version>>>,
) -> Result<Response<Empty<Bytes>>, Infallible> {
    let version = request.version();
    let mut response = Response::new(Empty::new());
    *response.status_mut() = StatusCode::BAD_REQUEST;
    if request.into_body().collect().await.is_ok() {
        *response.status_mut() = StatusCode::NO_CONTENT;
        versions.lock().unwrap_or_else(PoisonError::into_inner).push(version);
    }
    Ok(response)
}
