//! The OpenID Connect provider of this installation: where it is, what it says of itself (OpenID Connect Discovery 1.0 §4),
//! and its keys.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{Request, header};
use orquiva_core::openid::Keys;
use orquiva_core::{Clock, Secret, Timestamp};
use serde_json::Value;
use tokio::sync::Mutex;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

/// How long what a provider says of itself is believed, in milliseconds.
const KEPT: i64 = 3_600_000;

/// How soon its keys are asked for again for the sake of one that is not known, in milliseconds.
const AGAIN: i64 = 60_000;

/// What comes of a request: a status and a body, or what failed.
pub type Fetched = Pin<Box<dyn Future<Output = Result<(u16, Bytes), String>> + Send>>;

/// Sends a request to the provider. It follows no redirect, and bounds answer and time.
pub type Fetch = Arc<dyn Fn(Request<Bytes>) -> Fetched + Send + Sync>;

/// The provider, as the operator names it.
#[derive(Clone)]
pub struct Provider {
    /// Its issuer identifier, exactly as its tokens have it.
    pub issuer: String,
    /// Our id there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Secret,
    /// What the button calls it.
    pub name: String,
    /// The way to it.
    pub fetch: Fetch,
}

impl fmt::Debug for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provider").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Whether an address may be asked: over TLS, or on this machine.
pub fn is_safe(address: &str) -> bool {
    let Ok(url) = Url::parse(address) else { return false };
    let local = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "https" || (url.scheme() == "http" && local)
}

/// What a provider says of itself.
#[derive(Clone, Debug)]
struct About {
    authorization: String,
    token: String,
    keys: String,
    /// Whether our secret goes into the form, and not into the head.
    posts_secret: bool,
}

/// What is known of the provider.
#[derive(Default)]
struct Known {
    about: Option<(Timestamp, About)>,
    keys: Option<(Timestamp, Keys)>,
}

/// The provider, and what is known of it.
pub(crate) struct Door {
    pub(crate) provider: Provider,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
}

impl Door {
    pub(crate) fn new(provider: Provider, clock: Arc<dyn Clock>) -> Self {
        Self { provider, clock, known: Mutex::default() }
    }

    /// Where a browser is sent to, with what is asked.
    pub(crate) async fn address(&self, asked: &[(&str, &str)]) -> Result<String, String> {
        let about = self.about().await?;
        let mut url = Url::parse(&about.authorization).map_err(|error| error.to_string())?;
        url.query_pairs_mut().append_pair("client_id", &self.provider.client_id).extend_pairs(asked);
        Ok(url.into())
    }

    /// Swaps a code for an ID token (OpenID Connect Core 1.0 §3.1.3).
    pub(crate) async fn token(&self, code: &str, verifier: &str, back: &str) -> Result<String, String> {
        let about = self.about().await?;
        let request = self.swap(&about, code, verifier, back).map_err(|error| error.to_string())?;
        let answer = self.ask(request).await?;
        answer["id_token"].as_str().map(str::to_owned).ok_or_else(|| "the answer has no id_token".to_owned())
    }

    /// The request that swaps a code.
    fn swap(&self, about: &About, code: &str, verifier: &str, back: &str) -> http::Result<Request<Bytes>> {
        let Provider { client_id, client_secret, .. } = &self.provider;
        let mut form = Serializer::new(String::new());
        form.extend_pairs([
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", back),
            ("code_verifier", verifier),
        ]);
        let request = Request::post(&about.token)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json");
        let request = if about.posts_secret {
            form.extend_pairs([("client_id", client_id.as_str()), ("client_secret", client_secret.expose())]);
            request
        } else {
            // Both are form-encoded before they are joined (RFC 6749 §2.3.1).
            let part = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
            let pair = STANDARD.encode(format!("{}:{}", part(client_id), part(client_secret.expose())));
            request.header(header::AUTHORIZATION, format!("Basic {pair}"))
        };
        request.body(Bytes::from(form.finish()))
    }

    /// Its keys; asked for again if the one that `token` names is not among them.
    pub(crate) async fn keys(&self, token: &str) -> Result<Keys, String> {
        let address = self.about().await?.keys;
        let now = self.clock.now();
        let mut known = self.known.lock().await;
        if let Some((at, keys)) = &known.keys {
            let age = now.since(*at);
            if age < AGAIN || (age < KEPT && keys.know(token)) {
                return Ok(keys.clone());
            }
        }
        let keys = Keys::parse(&self.get(&address).await?);
        known.keys = Some((now, keys.clone()));
        Ok(keys)
    }

    async fn about(&self) -> Result<About, String> {
        let now = self.clock.now();
        let mut known = self.known.lock().await;
        if let Some((_, about)) = known.about.as_ref().filter(|(at, _)| now.since(*at) < KEPT) {
            return Ok(about.clone());
        }
        let issuer = &self.provider.issuer;
        let told =
            self.get(&format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))).await?;
        if told["issuer"] != **issuer {
            return Err(format!("it calls itself {}, not {issuer}", told["issuer"]));
        }
        let address = |name: &str| {
            let address = told[name].as_str().filter(|address| is_safe(address));
            address.map(str::to_owned).ok_or_else(|| format!("{name} is no https address"))
        };
        let ways = told["token_endpoint_auth_methods_supported"].as_array();
        let about = About {
            authorization: address("authorization_endpoint")?,
            token: address("token_endpoint")?,
            keys: address("jwks_uri")?,
            posts_secret: ways.is_some_and(|ways| {
                let has = |name: &str| ways.iter().any(|way| way == name);
                has("client_secret_post") && !has("client_secret_basic")
            }),
        };
        known.about = Some((now, about.clone()));
        Ok(about)
    }

    async fn get(&self, address: &str) -> Result<Value, String> {
        let request = Request::get(address).header(header::ACCEPT, "application/json");
        self.ask(request.body(Bytes::new()).map_err(|error| error.to_string())?).await
    }

    /// The JSON of a 200. What an answer says of an error may stand in the log; it has no secret of ours.
    async fn ask(&self, request: Request<Bytes>) -> Result<Value, String> {
        let address = request.uri().to_string();
        let (status, body) =
            (self.provider.fetch)(request).await.map_err(|cause| format!("{address}: {cause}"))?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or_default();
        match status {
            200 => Ok(answer),
            _ => Err(format!("{address} answered {status} {}", answer["error"].as_str().unwrap_or_default())),
        }
    }
}
