//! A new endpoint, whose secret is shown this once, with a receiver that runs and a first test.

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use http::Method;
use orquiva_core::Right;

use super::endpoint::Endpoint;
use super::receiver::Receiver;
use super::terms::{Draft, faults_of};
use super::trial::{self, Trial};
use crate::console::Console;
use crate::form::Form;
use crate::guest::random;
use crate::kinds;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "webhooks/new.html")]
struct NewPage {
    page: Page,
    /// Under which a form that is sent twice makes one endpoint.
    key: String,
    draft: Draft,
    faults: Faults,
    /// Whether a test follows at once.
    with_test: bool,
    may_see_sensitive: bool,
}

const TITLE: (&str, &str) = ("Nuevo webhook", "New webhook");

/// The form.
pub(crate) async fn show(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    Ok(html(&NewPage {
        page: Page::of(&member, Some(Here::Webhooks), TITLE),
        key: random(console.chance.as_ref()),
        draft: Draft::new(),
        faults: Faults::default(),
        with_test: true,
        may_see_sensitive: member.may(Right::SeeSensitive),
    }))
}

/// Creates it, shows its secret, and sends it a test.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let language = member.guest.language;
    let draft = Draft::read(&form);
    let mut faults = Faults::default();
    let told = draft.told(None, language, &mut faults);
    let key = form.text("key");
    let mut created = None;
    if faults.is_empty() {
        let (who, keyed) = (member.does(Act::creating("webhook.created")), [("idempotency-key", key)]);
        match console.inside.write(who, Method::POST, "/webhooks", &keyed, Some(&told)).await {
            Ok(reply) => created = Some(Endpoint(reply.body)),
            Err(error) => faults = faults_of(&error, language),
        }
    }
    let Some(endpoint) = created else {
        return Ok(refused(&NewPage {
            page: Page::of(&member, Some(Here::Webhooks), TITLE),
            key: key.to_owned(),
            draft,
            faults,
            with_test: form.has("test"),
            may_see_sensitive: member.may(Right::SeeSensitive),
        }));
    };
    let trial = match form.has("test") {
        true => Some(trial::send(&console, &member, endpoint.id(), &format!("{key}-test")).await?),
        false => None,
    };
    Ok(html(&SecretPage::of(&member, endpoint, trial, ("Webhook creado", "Webhook created"))))
}

/// The one page that shows a secret.
#[derive(Template)]
#[template(path = "webhooks/secret.html")]
pub(super) struct SecretPage {
    page: Page,
    endpoint: Endpoint,
    receiver: Receiver,
    trial: Option<Trial>,
}

impl SecretPage {
    /// Of an endpoint whose secret is in the answer.
    pub(super) fn of(member: &Member, endpoint: Endpoint, trial: Option<Trial>, title: (&str, &str)) -> Self {
        Self {
            page: Page::of(member, Some(Here::Webhooks), title),
            receiver: Receiver::of(endpoint.url(), endpoint.text("secret"), member.guest.language),
            endpoint,
            trial,
        }
    }
}

impl NewPage {
    fn groups(&self) -> Vec<(&'static str, Vec<&'static str>)> {
        kinds::groups()
    }
}
