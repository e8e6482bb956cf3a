//! The OpenID Connect provider that people may sign in to the console with: its settings, and the way to it.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use bytes::Bytes;
use clap::Args;
use http::Request;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use orquiva_console::{Fetch, Provider, is_safe};
use orquiva_core::Secret;
use url::Url;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Most bytes of an answer.
const MOST: usize = 256 * 1024;

/// Which provider.
#[derive(Args, Clone, Debug)]
pub struct OpenId {
    /// Issuer identifier of an OpenID Connect provider that people may sign in to the console with: https://id.example.com
    #[arg(long, env = "ORQUIVA_OIDC_ISSUER")]
    pub oidc_issuer: Option<String>,
    /// The server's client_id there; its redirect URI is PUBLIC_URL/admin/sign-in/openid/back
    #[arg(long, env = "ORQUIVA_OIDC_CLIENT_ID")]
    pub oidc_client_id: Option<String>,
    /// Its client_secret there
    #[arg(long, env = "ORQUIVA_OIDC_CLIENT_SECRET", hide_env_values = true)]
    pub oidc_client_secret: Option<String>,
    /// What the button calls the provider (default: the issuer's host)
    #[arg(long, env = "ORQUIVA_OIDC_NAME")]
    pub oidc_name: Option<String>,
}

impl OpenId {
    /// The provider, if one is named.
    pub fn provider(&self) -> anyhow::Result<Option<Provider>> {
        let Self { oidc_issuer, oidc_client_id, oidc_client_secret, oidc_name } = self;
        let (issuer, client_id, client_secret) = match (oidc_issuer, oidc_client_id, oidc_client_secret) {
            (None, None, None) => return Ok(None),
            (Some(issuer), Some(id), Some(secret)) => (issuer.clone(), id.clone(), Secret::new(secret)),
            _ => bail!(
                "OpenID Connect needs all three of ORQUIVA_OIDC_ISSUER, ORQUIVA_OIDC_CLIENT_ID and ORQUIVA_OIDC_CLIENT_SECRET"
            ),
        };
        ensure!(is_safe(&issuer), "`{issuer}` is no issuer: it is an https:// address");
        let host = Url::parse(&issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
        let name = oidc_name.clone().or(host).unwrap_or_default();
        Ok(Some(Provider { issuer, client_id, client_secret, name, fetch: fetch()? }))
    }
}

/// Sends over TLS with the authorities of this machine; no redirect is followed.
fn fetch() -> anyhow::Result<Fetch> {
    let connector = HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
        .context("this machine has no certificates of authorities")?
        .https_or_http() // which address may be plain http is judged before
        .enable_http1()
        .build();
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    Ok(Arc::new(move |request: Request<Bytes>| {
        let client = client.clone();
        Box::pin(async move {
            let exchange = async {
                let response =
                    client.request(request.map(Full::new)).await.map_err(|error| error.to_string())?;
                let status = response.status().as_u16();
                let body = Limited::new(response.into_body(), MOST).collect().await;
                Ok((status, body.map_err(|error| error.to_string())?.to_bytes()))
            };
            tokio::time::timeout(PATIENCE, exchange)
                .await
                .unwrap_or_else(|_| Err("no answer in time".to_owned()))
        })
    }))
}
