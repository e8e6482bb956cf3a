//! `orquiva listen`: the events of a server, posted to a program on this machine, signed as webhooks are. No endpoint
//! has to be created, and nothing has to be reachable from outside.

mod blocks;
mod shown;

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use clap::Args;
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Full};
use orquiva_core::id::{DeliveryId, Mint};
use orquiva_core::network::Networks;
use orquiva_core::webhook::address::Reach;
use orquiva_core::webhook::signature::Signer;
use orquiva_core::{Clock, Secret};
use orquiva_delivery::{Client, Egress};
use serde_json::Value;
use url::form_urlencoded;

use crate::api::{Api, Refusal, Server};
use blocks::Blocks;
use shown::Show;

/// The first wait before coming back after the server could not be reached, and the longest.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// How long a stream may be silent: the server gives a sign of life every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// `orquiva listen`
#[derive(Args, Clone, Debug)]
pub struct Listen {
    /// Whose events
    #[command(flatten)]
    pub server: Server,
    /// Where each event is posted: http://localhost:3000/hook; without it they are only shown
    #[arg(long, env = "ORQUIVA_FORWARD_TO", value_name = "URL", value_parser = target)]
    pub forward_to: Option<Uri>,
    /// Which events, parted by commas: employee.created, employee.*
    #[arg(long, default_value = "*")]
    pub events: String,
    /// What they are signed with: whsec_… (default: one that is the same at every start with this client, and shown)
    #[arg(long, env = "ORQUIVA_WEBHOOK_SECRET", hide_env_values = true)]
    pub secret: Option<String>,
    /// Begin after the event with this sequence, instead of with what happens from now on
    #[arg(long, value_name = "SEQUENCE")]
    pub after: Option<i64>,
    /// End after this many events
    #[arg(long)]
    pub count: Option<u64>,
}

/// Listens until it is interrupted, or has had the events that it was to have.
pub async fn listen(wanted: Listen, clock: Arc<dyn Clock>, mint: &Mint, as_json: bool) -> anyhow::Result<()> {
    let secret = match &wanted.secret {
        Some(text) => checked(text)?,
        None => Secret::for_listener(&wanted.server.secret()),
    };
    // What the developer names is the developer's own.
    let egress = Egress { reach: Reach::new(true, Networks::default()), ..Egress::default() };
    let mut listener = Listener {
        api: Api::new(wanted.server.url())?,
        client: Client::new(&egress, clock.clone())?,
        signer: Signer::new(&secret),
        show: Show::new(as_json),
        last: wanted.after,
        left: wanted.count,
        clock,
        mint,
        wanted,
    };
    tokio::select! {
        ended = listener.listen(&secret) => ended,
        interrupted = tokio::signal::ctrl_c() => Ok(interrupted?),
    }
}

/// Reads an address; `localhost:3000/hook` is one, too.
fn target(text: &str) -> Result<Uri, &'static str> {
    let whole = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let address = whole.parse::<Uri>().ok().filter(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
    address.ok_or("write an address such as http://localhost:3000/hook")
}

fn checked(text: &str) -> anyhow::Result<Secret> {
    let key = text.strip_prefix("whsec_").and_then(|text| STANDARD.decode(text).ok());
    let good = key.is_some_and(|key| (24..=64).contains(&key.len()));
    ensure!(good, "a secret is whsec_ and the base64 of 24 to 64 bytes");
    Ok(Secret::new(text))
}

struct Listener<'l> {
    wanted: Listen,
    api: Api,
    client: Client,
    signer: Signer,
    show: Show,
    clock: Arc<dyn Clock>,
    mint: &'l Mint,
    /// The sequence of the last event that was posted.
    last: Option<i64>,
    /// How many are still to come, if that was said.
    left: Option<u64>,
}

/// An event as it came.
struct Event {
    sequence: i64,
    id: String,
    kind: String,
    body: String,
}

impl Listener<'_> {
    async fn listen(&mut self, secret: &Secret) -> anyhow::Result<()> {
        let mut pause = FIRST_PAUSE;
        let mut begun = false;
        while self.left != Some(0) {
            let error = match self.follow(&mut begun, secret).await {
                Ok(()) => {
                    pause = FIRST_PAUSE;
                    continue; // it ended in good order: with its token, or with the node
                }
                Err(error) => error,
            };
            if !begun || is_final(&error) {
                return Err(error);
            }
            self.show.away(&error, pause);
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Ok(())
    }

    /// Follows the stream under one token for as long as it goes.
    async fn follow(&mut self, begun: &mut bool, secret: &Secret) -> anyhow::Result<()> {
        let Server { client_id, .. } = &self.wanted.server;
        let token = self.api.token(client_id, &self.wanted.server.secret()).await?;
        let types: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("types", &self.wanted.events)
            .finish();
        let mut stream = self.api.stream(&token, &types, self.last).await?.into_body();
        if !std::mem::replace(begun, true) {
            self.show.begun(&self.wanted, secret);
        }
        let mut blocks = Blocks::default();
        while self.left != Some(0) {
            let frame = tokio::time::timeout(SILENCE, stream.frame()).await;
            let Some(frame) = frame.context("the stream fell silent")? else { break };
            let Ok(bytes) = frame.context("the stream broke off")?.into_data() else { continue };
            for block in blocks.take(&bytes) {
                if let (Some(sequence), Some(kind), Some(body)) = (block.id, block.event, block.data) {
                    self.take(sequence, kind, body).await?;
                }
                self.last = block.id.or(self.last);
                if self.left == Some(0) {
                    break;
                }
            }
        }
        Ok(())
    }

    /// Posts an event and shows it with its answer.
    async fn take(&mut self, sequence: i64, kind: String, body: String) -> anyhow::Result<()> {
        let parsed: Value = serde_json::from_str(&body).context("an event is no JSON")?;
        let id = parsed["id"].as_str().unwrap_or_default().to_owned();
        let event = Event { sequence, id, kind, body };
        let reply = match &self.wanted.forward_to {
            Some(to) => Some(self.client.send(self.request(to, &event)?, self.clock.as_ref()).await),
            None => None,
        };
        self.show.event(self.clock.now(), &event, &parsed, reply.as_ref());
        self.left = self.left.map(|left| left.saturating_sub(1));
        Ok(())
    }

    /// The request of a webhook's first attempt.
    fn request(&self, to: &Uri, event: &Event) -> anyhow::Result<Request<Full<Bytes>>> {
        let now = self.clock.now();
        let signatures = self.signer.sign(&event.id, now, event.body.as_bytes());
        let delivery: DeliveryId = self.mint.next();
        let request = Request::post(to)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "Orquiva-Webhooks/1")
            .header("x-orq-signature", signatures.orq)
            .header("webhook-id", &event.id)
            .header("webhook-timestamp", now.seconds())
            .header("webhook-signature", signatures.standard)
            .header("x-orq-event-type", &event.kind)
            .header("x-orq-delivery", delivery.to_string())
            .header("x-orq-attempt", 1);
        request.body(Full::from(event.body.clone())).context("the event cannot be posted there")
    }
}

/// Whether coming back would change nothing: the request itself is refused.
fn is_final(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Refusal>().is_some_and(|refusal| {
        refusal.status.is_client_error() && refusal.status != StatusCode::TOO_MANY_REQUESTS
    })
}
