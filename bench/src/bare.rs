//! The least program that answers the same: a bare axum, for what HTTP, a hash and a signature cost.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context as _;
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::Ed25519KeyPair;
use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::serve::ListenerExt as _;
use bytes::Bytes;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::json;
use tokio::net::TcpListener;

use crate::child;
use crate::load::request;
use crate::machine::Process;

/// The secret that the bare server knows.
const SECRET: &str = "orqs_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

/// The bare HTTP server, in a process of its own.
pub(crate) struct Bare {
    process: Process,
    pub(crate) at: SocketAddr,
}

impl Bare {
    /// Starts one whose constant answer has `length` bytes.
    pub(crate) fn start(length: usize) -> anyhow::Result<Self> {
        let (process, line) = child::start(&["limit-http", &length.to_string()])?;
        Ok(Self { process, at: line.parse().context("the bare server tells no address")? })
    }

    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it is asked for a token.
    pub(crate) fn token_request() -> Vec<u8> {
        let id = "cli_01JQ8Z6X3V4M5N6P7R8S9T0A1B";
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={SECRET}");
        request("POST", "/token", "", "application/x-www-form-urlencoded", &form)
    }
}

struct Signer {
    key: EncodingKey,
    hash: Vec<u8>,
}

/// Serves `/token` and `/constant` with nothing around them.
pub(crate) async fn serve(length: usize) -> anyhow::Result<()> {
    let pair = Ed25519KeyPair::from_seed_unchecked(&[7; 32])?;
    let key = EncodingKey::from_ed_der(pair.to_pkcs8()?.as_ref());
    let hash = digest(&SHA256, SECRET.as_bytes()).as_ref().to_vec();
    let body = Bytes::from(format!(r#"{{"x":"{}"}}"#, "x".repeat(length.saturating_sub(8))));
    let router = Router::new()
        .route("/token", post(token))
        .route("/constant", get(move || std::future::ready(as_json(body.clone()))))
        .with_state(Arc::new(Signer { key, hash }));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    child::up(&listener.local_addr()?.to_string());
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    Ok(axum::serve(listener, router).await?)
}

fn as_json(body: impl Into<axum::body::Body>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body.into()).into_response()
}

/// Checks a hash and signs.
async fn token(State(signer): State<Arc<Signer>>, form: String) -> Response {
    let secret = form.rsplit_once("client_secret=").map_or("", |(_, secret)| secret);
    if verify_slices_are_equal(digest(&SHA256, secret.as_bytes()).as_ref(), &signer.hash).is_err() {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let scope = "employees:read employees:write events:read webhooks:manage";
    let claims = json!({
        "iss": "http://127.0.0.1:8080", "aud": "http://127.0.0.1:8080", "scope": scope,
        "sub": "cli_01JQ8Z6X3V4M5N6P7R8S9T0A1B", "client_id": "cli_01JQ8Z6X3V4M5N6P7R8S9T0A1B",
        "company": "cmp_01JQ8Z6X3V4M5N6P7R8S9T0A1B", "jti": "tok_01JQ8Z6X3V4M5N6P7R8S9T0A1B",
        "iat": 1_767_225_600, "exp": 1_767_229_200,
    });
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    header.kid = Some("key_01JQ8Z6X3V4M5N6P7R8S9T0A1B".to_owned());
    let Ok(token) = jsonwebtoken::encode(&header, &claims, &signer.key) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let answer = json!({ "access_token": token, "token_type": "Bearer", "expires_in": 3600, "scope": scope });
    as_json(answer.to_string())
}
