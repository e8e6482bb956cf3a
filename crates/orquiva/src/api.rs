//! The API, called as a customer's program calls it: what the commands for developers go through.

use std::error::Error;
use std::fmt;

use anyhow::Context as _;
use clap::Args;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt as _, Full};
use hyper::body::{Bytes, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use orquiva_core::Secret;
use serde_json::Value;
use url::Url;

/// A server, and the client as which it is asked.
#[derive(Args, Clone, Debug)]
pub struct Server {
    /// Where the server is reached
    #[arg(long, env = "ORQUIVA_SERVER", default_value = "http://127.0.0.1:8080")]
    pub server: Url,
    /// The API client's client_id: cli_…
    #[arg(long, env = "ORQUIVA_CLIENT_ID")]
    pub client_id: String,
    /// Its client_secret: orqs_…
    #[arg(long, env = "ORQUIVA_CLIENT_SECRET", hide_env_values = true)]
    pub client_secret: String,
}

impl Server {
    /// Its address, ready to put a path behind it.
    pub fn url(&self) -> &str {
        self.server.as_str().trim_end_matches('/')
    }

    /// The client's secret.
    pub fn secret(&self) -> Secret {
        Secret::new(self.client_secret.as_str())
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        match self.server.host() {
            Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
            Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
            Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            None => false,
        }
    }
}

/// An answer that is none of those that were hoped for.
#[derive(Debug)]
pub struct Refusal {
    /// What was asked.
    asked: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// The answer.
    pub answer: Value,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, status, answer } = self;
        // A problem explains itself, and so does an error of OAuth.
        let explained = ["detail", "error_description"].iter().find_map(|name| answer[*name].as_str());
        match explained {
            Some(explained) => write!(f, "{asked} was refused with {}: {explained}", status.as_u16())?,
            None => write!(f, "{asked} was refused with {status}")?,
        }
        for error in answer["errors"].as_array().into_iter().flatten() {
            let [pointer, detail] =
                ["pointer", "detail"].map(|name| error[name].as_str().unwrap_or_default());
            write!(f, " {pointer}: {detail}")?;
        }
        Ok(())
    }
}

impl Error for Refusal {}

/// The API at one server.
pub struct Api {
    url: String,
    http: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

impl Api {
    /// At `url`, without a slash at its end.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        let connector = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .context("this machine has no certificates of authorities")?
            .https_or_http()
            .enable_http1()
            .build();
        Ok(Self { url: url.to_owned(), http: Client::builder(TokioExecutor::new()).build(connector) })
    }

    /// An access token.
    pub async fn token(&self, id: &str, secret: &Secret) -> anyhow::Result<String> {
        let form = format!("grant_type=client_credentials&client_id={id}&client_secret={}", secret.expose());
        let request = Request::post(format!("{}/oauth/token", self.url))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .body(Full::from(form))?;
        let answer = read(self.send("POST /oauth/token", request).await?).await?;
        text(&answer, "access_token")
    }

    /// Calls, and reads the answer.
    pub async fn call(
        &self,
        token: &str,
        method: Method,
        path: &str,
        body: Option<Value>,
    ) -> anyhow::Result<Value> {
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = self.request(token, &method, path).body(Full::from(body))?;
        read(self.send(&format!("{method} {path}"), request).await?).await
    }

    /// Opens the stream of events after `last`; `types` is the query that says which.
    pub async fn stream(
        &self,
        token: &str,
        types: &str,
        last: Option<i64>,
    ) -> anyhow::Result<Response<Incoming>> {
        let path = "/v1/events/stream";
        let mut request = self.request(token, &Method::GET, &format!("{path}?{types}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        self.send(&format!("GET {path}"), request.body(Full::default())?).await
    }

    fn request(&self, token: &str, method: &Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
    }

    /// Sends; what is not answered with a 2xx is a [`Refusal`].
    async fn send(&self, asked: &str, request: Request<Full<Bytes>>) -> anyhow::Result<Response<Incoming>> {
        let sent = self.http.request(request).await;
        let response = sent.with_context(|| format!("the server at {} does not answer", self.url))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let answer = read(response).await.unwrap_or_default();
        Err(Refusal { asked: asked.to_owned(), status, answer }.into())
    }
}

async fn read(response: Response<Incoming>) -> anyhow::Result<Value> {
    let body = response.into_body().collect().await?.to_bytes();
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(&body).context("the answer is no JSON: is this an Orquiva?")
}

/// A text that an answer has to have.
pub fn text(value: &Value, name: &str) -> anyhow::Result<String> {
    value[name].as_str().map(str::to_owned).with_context(|| format!("the answer has no {name}: {value}"))
}
