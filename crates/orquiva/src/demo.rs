//! `orquiva demo`: the main job through the real HTTP interface, one step after the other, with a receiver of its own.
#![expect(clippy::print_stdout, reason = "the walk is shown on standard output")]

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use axum::extract::State;
use axum::routing::post;
use bytes::Bytes;
use http::{HeaderMap, Method, StatusCode};
use orquiva_core::network::Networks;
use orquiva_core::webhook::address::Reach;
use orquiva_core::webhook::signature::Signer;
use orquiva_core::{Clock, Company, Plan, Scopes, Secret};
use orquiva_store::{client, company};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::api::{Api, text};
use crate::settings::{Data, Network};
use crate::wiring::{Base, lock, router};
use crate::{operator, serve};

/// The company that the walk is made in.
const COMPANY: &str = "Orquiva Demo";

/// The client that makes it.
const CLIENT: &str = "demo";

/// How long a webhook may take to arrive before the walk counts as failed.
const PATIENCE: Duration = Duration::from_secs(20);

/// Serves, walks, and stays up for whoever wants to go on by hand; with `exit` it ends after the walk.
pub async fn demo(data: &Data, network: &Network, exit: bool) -> anyhow::Result<()> {
    let _lock = lock(data)?;
    let base = Base::open(data).await?;
    let (listener, url) = serve::listen(network).await?;
    let mut rules = network.rules()?;
    rules.egress.reach = Reach::new(true, Networks::default()); // its own receiver is on this machine
    let node = base.node_under(url.clone(), rules).await?;
    let tokens = node.tokens.clone();
    let (stop, stopped) = watch::channel(false);
    let routes = router(node.app.clone(), network.sign_up.into(), network.openid.provider()?);
    let running = tokio::spawn(serve::run(node, routes, listener, stopped));

    let (company, id, secret) = prepare(&base).await?;
    tokens.follow().await?;
    println!("Orquiva demo at {url}\n");
    println!("  company        {} ({}, plan {})", company.id, company.name, company.plan.as_str());
    println!("  client_id      {id}");
    println!("  client_secret  {}\n", secret.expose());
    let walk = Walk { api: Api::new(&url)?, clock: base.clock.clone() };
    let walked = walk.go(&id, &secret).await;

    if let (Ok(employee), false) = (&walked, exit) {
        go_on(&url, &id, &secret, employee);
        tokio::signal::ctrl_c().await?;
    }
    stop.send_replace(true);
    running.await.context("the server broke down")?;
    walked.map(drop)
}

/// The company and the client of the walk: made on the first run, found on the next, the client with a new secret.
async fn prepare(base: &Base) -> anyhow::Result<(Company, String, Secret)> {
    let tx = base.store.read().await?;
    let known = company::list(&tx).await?.into_iter().find(|one| one.name == COMPANY);
    let company = match known {
        Some(company) => company,
        None => operator::create_company(base, COMPANY, Plan::Pro).await?,
    };
    let known = client::list(&tx, company.id).await?;
    let (id, secret) = match known.iter().find(|one| one.terms.name == CLIENT && one.revoked_at.is_none()) {
        Some(client) => (client.id, operator::rotate_client(base, client.id, 0).await?),
        None => operator::create_client(base, company.id, CLIENT, Scopes::all()).await?,
    };
    Ok((company, id.to_string(), secret))
}

struct Walk {
    api: Api,
    clock: Arc<dyn Clock>,
}

impl Walk {
    /// Does the job and returns the employee's id.
    async fn go(&self, id: &str, secret: &Secret) -> anyhow::Result<String> {
        let start = self.clock.elapsed();
        let token = self.api.token(id, secret).await?;
        println!(
            "1. Token      POST /oauth/token → 200, good for one hour ({} ms)",
            self.clock.elapsed() - start
        );

        let mut receiver = Receiver::start().await?;
        for old in self.api.call(&token, Method::GET, "/v1/webhooks", None).await?["data"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if old["description"] == "orquiva demo" {
                let path = format!("/v1/webhooks/{}", old["id"].as_str().unwrap_or_default());
                self.api.call(&token, Method::DELETE, &path, None).await?;
            }
        }
        let subscription =
            json!({ "url": receiver.url, "events": ["employee.created"], "description": "orquiva demo" });
        let webhook = self.api.call(&token, Method::POST, "/v1/webhooks", Some(subscription)).await?;
        let webhook_secret = Secret::new(text(&webhook, "secret")?);
        println!("2. Webhook    POST /v1/webhooks → 201, {} to {}", text(&webhook, "id")?, receiver.url);

        let unique = self.clock.now().millis();
        let hire = json!({ "fullName": "Ana Pérez", "email": format!("ana.perez+{unique}@demo.test"), "department": "Ventas" });
        let sent = self.clock.elapsed();
        let hired = self.api.call(&token, Method::POST, "/v1/employees", Some(hire)).await?;
        let employee = text(&hired, "id")?;
        println!("3. Hire       POST /v1/employees → 201, {employee}");

        let event = receiver.event_of(&employee, &webhook_secret, self.clock.as_ref()).await?;
        println!(
            "4. Webhook    {} {} arrived, X-Orq-Signature verified; hire → receipt {} ms",
            text(&event.body, "type")?,
            text(&event.body, "id")?,
            event.at - sent,
        );

        // As `fetch` sends a string body: without a content type of its own.
        let back = json!({ "external_refs": { "stripe_id": format!("cus_demo{unique}") } });
        let path = format!("/employees/{employee}");
        self.api.call(&token, Method::PATCH, &path, Some(back.clone())).await?;
        println!("5. Write-back PATCH {path} → 200, {back}");

        let now = self.api.call(&token, Method::GET, &format!("/v1{path}"), None).await?;
        ensure!(
            now["external_refs"] == back["external_refs"],
            "the write-back is not on the employee: {now}"
        );
        println!("6. Employee   GET /v1{path} → 200\n{now:#}");
        Ok(employee)
    }
}

/// Lines to paste, so that the reader can go on where the walk ended.
fn go_on(url: &str, id: &str, secret: &Secret, employee: &str) {
    let secret = secret.expose();
    println!(
        "
Now by hand, in another terminal (Ctrl-C ends the demo):

TOKEN=$(curl -s {url}/oauth/token -d grant_type=client_credentials -d client_id={id} -d client_secret={secret} | sed 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/')
curl -s {url}/v1/employees -H \"Authorization: Bearer $TOKEN\" -d '{{\"fullName\":\"Luis Gil\",\"email\":\"luis@demo.test\",\"department\":\"Soporte\"}}' -H 'Content-Type: application/json'
curl -s {url}/v1/employees/{employee} -H \"Authorization: Bearer $TOKEN\"
curl -s '{url}/v1/events?after=0' -H \"Authorization: Bearer $TOKEN\"
curl -s {url}/v1/deliveries -H \"Authorization: Bearer $TOKEN\""
    );
}

/// A webhook as it arrived.
struct Received {
    headers: HeaderMap,
    raw: Bytes,
    body: Value,
    at: i64,
}

/// A receiver of webhooks on a free port of this machine.
struct Receiver {
    url: String,
    arrived: mpsc::UnboundedReceiver<(HeaderMap, Bytes)>,
}

impl Receiver {
    async fn start() -> anyhow::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("http://{}/hook", listener.local_addr()?);
        let (tell, arrived) = mpsc::unbounded_channel();
        let hook = |State(tell): State<mpsc::UnboundedSender<_>>, headers: HeaderMap, raw: Bytes| async move {
            let _nobody_listens_after_the_walk = tell.send((headers, raw));
            StatusCode::NO_CONTENT
        };
        let router = axum::Router::new().route("/hook", post(hook)).with_state(tell);
        let (never, stop) = watch::channel(false);
        tokio::spawn(async move {
            orquiva_web::serve(listener, router, stop).await;
            drop(never);
        });
        Ok(Self { url, arrived })
    }

    /// Waits for the event about `employee` and checks its signature over the raw body.
    async fn event_of(
        &mut self,
        employee: &str,
        secret: &Secret,
        clock: &dyn Clock,
    ) -> anyhow::Result<Received> {
        let wait = async {
            loop {
                let (headers, raw) = self.arrived.recv().await.context("the receiver stopped")?;
                let at = clock.elapsed();
                let body: Value = serde_json::from_slice(&raw)?;
                if body["data"]["id"] == employee {
                    return Ok::<_, anyhow::Error>(Received { headers, raw, body, at });
                }
            }
        };
        let received = tokio::time::timeout(PATIENCE, wait).await.context("the webhook did not arrive")??;
        let signature = received.headers.get("x-orq-signature").and_then(|value| value.to_str().ok());
        let signature = signature.context("the webhook has no X-Orq-Signature")?;
        let verified = Signer::new(secret).verifies(signature, &received.raw, clock.now(), 300_000);
        ensure!(verified, "the webhook's signature is wrong: {signature}");
        Ok(received)
    }
}
