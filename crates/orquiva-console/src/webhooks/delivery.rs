//! A delivery: each attempt with what was sent, what came back, how long it took and how it was signed.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::{Language, Right, Timestamp};
use orquiva_web::Refused;
use serde_json::Value;

use super::detail::Line;
use super::endpoint::{find, moment};
use super::trial::Try;
use crate::console::Console;
use crate::form::Form;
use crate::guest::random;
use crate::member::{Act, Member};
use crate::next::escaped;
use crate::page::{Here, Page, html};
use crate::show::number;
use crate::stop::Stop;

/// One attempt as a whole.
pub(crate) struct Exchange {
    short: Try,
    address: String,
    url: String,
    sent: Vec<(String, String)>,
    body: String,
    /// What came back, if anything did.
    got: Option<Got>,
    signature: Signature,
    /// How long it was since the attempt before, or since the delivery was made, in milliseconds.
    waited: i64,
}

/// What came back.
struct Got {
    headers: Vec<(String, String)>,
    body: String,
}

/// What a receiver checks.
struct Signature {
    seconds: String,
    orq: String,
    standard: String,
    id: String,
}

/// A step of an attempt, in the order in which they are taken.
const STEPS: [(&str, &str, &str); 4] = [
    ("dns", "Nombre", "Name"),
    ("connect", "Conexión", "Connection"),
    ("tls", "TLS", "TLS"),
    ("answer", "Respuesta", "Answer"),
];

impl Exchange {
    fn of(attempt: &Value, before: Option<Timestamp>) -> Self {
        let own = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let (request, response) = (&attempt["request"], &attempt["response"]);
        let sent = lines(&request["headers"]);
        let header = |name: &str| {
            sent.iter().find(|(known, _)| known == name).map(|(_, value)| value.clone()).unwrap_or_default()
        };
        let signature = Signature {
            seconds: header("webhook-timestamp"),
            orq: header("x-orq-signature"),
            standard: header("webhook-signature"),
            id: header("webhook-id"),
        };
        let short = Try::of(attempt);
        let waited = short.at.zip(before).map_or(0, |(at, before)| at.since(before).max(0));
        let got = Got { headers: lines(&response["headers"]), body: own(&response["body"]) };
        Self {
            short,
            address: own(&attempt["address"]),
            url: own(&request["url"]),
            sent,
            body: own(&request["body"]),
            got: (!response.is_null()).then_some(got),
            signature,
            waited,
        }
    }

    /// Each step by its name, and whether it was done (`good`), is where the attempt ended (`bad`), or was not reached
    /// (`off`). An address that is not allowed is noticed when the name has been found.
    fn steps(&self, language: Language) -> Vec<(&'static str, &'static str)> {
        let ended = match self.short.error.as_str() {
            "dns" | "timeout_dns" | "private_address" => Some(0),
            "connect" | "timeout_connect" => Some(1),
            "tls" | "timeout_tls" => Some(2),
            "" => None,
            _ => Some(3),
        };
        let is_plain = self.url.starts_with("http://");
        let steps = STEPS.iter().enumerate().filter(|(_, (word, ..))| *word != "tls" || !is_plain);
        let named = |(at, (_, es, en)): (usize, &(&str, &'static str, &'static str))| {
            let class = match ended {
                Some(end) if at == end => "bad",
                Some(end) if at > end => "off",
                Some(_) | None => "good",
            };
            (class, language.pick(*es, *en))
        };
        steps.map(named).collect()
    }

    /// How long it waited before, as one says it.
    fn waited(&self, language: Language) -> String {
        span(self.waited, language)
    }
}

/// A span of time as one says it.
fn span(millis: i64, language: Language) -> String {
    match millis {
        ..1_000 => format!("{millis} ms"),
        1_000..120_000 => format!("{} s", number(millis / 1_000, language)),
        120_000..7_200_000 => format!("{} min", number(millis / 60_000, language)),
        _ => format!("{} h", number(millis / 3_600_000, language)),
    }
}

/// Headers as they went over the line: one that came several times is there as often.
fn lines(headers: &Value) -> Vec<(String, String)> {
    let mut lines = Vec::new();
    for (name, value) in headers.as_object().into_iter().flatten() {
        match value {
            Value::Array(values) => {
                let values = values.iter().map(|value| value.as_str().unwrap_or_default());
                lines.extend(values.map(|value| (name.clone(), value.to_owned())));
            }
            one => lines.push((name.clone(), one.as_str().unwrap_or_default().to_owned())),
        }
    }
    lines
}

#[derive(Template)]
#[template(path = "webhooks/delivery.html")]
struct DeliveryPage {
    page: Page,
    line: Line,
    name: String,
    event: String,
    replay: String,
    done: Option<Timestamp>,
    exchanges: Vec<Exchange>,
    /// Whether what is sensitive was left out for who looks.
    is_redacted: bool,
    key: String,
    may_check: bool,
    /// Whether it can be sent again: the endpoint is there and takes something, and they may.
    may: bool,
}

/// One delivery of an endpoint, which may have been removed since.
async fn read(console: &Console, member: &Member, webhook: &str, id: &str) -> Result<Value, Stop> {
    let path = format!("/deliveries/{}", escaped(id));
    let delivery = console.inside.read(member.reads(), &path).await?.body;
    match delivery["webhookId"] == webhook {
        true => Ok(delivery),
        false => Err(Stop::NotFound),
    }
}

/// The page.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path((webhook, id)): Path<(String, String)>,
) -> Result<Response, Stop> {
    let delivery = read(&console, &member, &webhook, &id).await?;
    let endpoint = match find(&console, &member, &webhook).await {
        Ok((endpoint, _)) => Some(endpoint),
        Err(refused) if refused.status() == 404 => None,
        Err(refused) => return Err(refused.into()),
    };
    let mut before = moment(&delivery["createdAt"]);
    let mut exchanges = Vec::new();
    for attempt in delivery["attempts"].as_array().into_iter().flatten() {
        let exchange = Exchange::of(attempt, before);
        before = exchange.short.at;
        exchanges.push(exchange);
    }
    exchanges.reverse();
    let own = |name: &str| delivery[name].as_str().unwrap_or_default().to_owned();
    Ok(html(&DeliveryPage {
        page: Page::of(&member, Some(Here::Webhooks), ("Entrega", "Delivery")),
        line: Line::of(&delivery),
        name: endpoint.as_ref().map_or(String::new(), |endpoint| endpoint.name().to_owned()),
        event: own("eventId"),
        replay: own("replayId"),
        done: moment(&delivery["doneAt"]),
        exchanges,
        is_redacted: delivery["_meta"]["redacted"].is_array(),
        key: random(console.chance.as_ref()),
        may_check: member.may(Right::ManageWebhooks),
        may: member.may(Right::ManageWebhooks) && endpoint.is_some_and(|endpoint| !endpoint.is("disabled")),
    }))
}

/// Sends it again.
pub(crate) async fn again(
    State(console): State<Console>,
    member: Member,
    Path((webhook, id)): Path<(String, String)>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    read(&console, &member, &webhook, &id).await?;
    let who = member.does(Act::new("delivery.retried", &id));
    let path = format!("/deliveries/{}/retry", escaped(&id));
    let keyed = [("idempotency-key", form.text("key"))];
    let sent: Result<_, Refused> = console.inside.write(who, Method::POST, &path, &keyed, None).await;
    sent?;
    Ok(Redirect::to(&format!("/admin/webhooks/{webhook}/deliveries/{id}?said=delivery-again"))
        .into_response())
}
