//! The password once more, before a secret is shown.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::Secret;
use orquiva_store::{StoreError, session};

use super::{Asked, Proof};
use crate::console::Console;
use crate::cookie;
use crate::form::Form;
use crate::guest::random;
use crate::member::{SignedIn, token_hash};
use crate::next::inward;
use crate::page::{Page, html, refused};
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "confirm.html")]
struct ConfirmPage {
    page: Page,
    next: String,
    fault: String,
}

fn page(signed: &SignedIn, next: &str, fault: String) -> ConfirmPage {
    let title = signed.guest.language.pick("Confirme que es usted", "Confirm that it is you");
    ConfirmPage { page: Page::for_user(signed, title), next: inward(next).to_owned(), fault }
}

/// The form.
pub(crate) async fn show(State(console): State<Console>, signed: SignedIn, Query(asked): Asked) -> Response {
    let next = asked.get("next").map_or("", String::as_str);
    match signed.is_confirmed(console.clock.now()) {
        true => Redirect::to(inward(next)).into_response(),
        false => html(&page(&signed, next, String::new())),
    }
}

/// Notes that they are who they are, under a new token.
pub(crate) async fn create(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    let next = form.text("next");
    let proof = console.prove(Some(signed.user.clone()), Secret::new(form.raw("password"))).await?;
    if !matches!(proof, Proof::Right(_)) {
        let fault = proof.told(signed.guest.language, console.clock.now());
        return Ok(refused(&page(&signed, next, fault)));
    }
    let token = random(console.chance.as_ref());
    let (id, hash, now) = (signed.session.id, token_hash(&console, &token), console.clock.now());
    let confirm = move |tx| async move { session::confirm(&tx, id, &hash, now).await };
    console.store.write::<_, StoreError, _, _>(None, confirm).await?;
    let left = signed.session.expires_at.since(now) / 1000;
    let cookie = cookie::set(&console, cookie::SESSION, &token, Some(left));
    Ok(([cookie], Redirect::to(inward(next))).into_response())
}
