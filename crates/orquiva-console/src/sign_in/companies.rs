//! Which of their companies someone looks at.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::id::CompanyId;
use orquiva_store::member::{self, Membership};
use orquiva_store::{StoreError, session};

use crate::console::Console;
use crate::form::Form;
use crate::member::SignedIn;
use crate::page::{Page, html};
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "companies.html")]
struct CompaniesPage {
    page: Page,
    companies: Vec<Membership>,
}

/// Their companies.
pub(crate) async fn show(State(console): State<Console>, signed: SignedIn) -> Result<Response, Stop> {
    let companies = member::companies(&console.store.read().await?, signed.user.id).await?;
    let page = Page::for_user(&signed, signed.guest.language.pick("Sus empresas", "Your companies"));
    Ok(html(&CompaniesPage { page, companies }))
}

/// Looks at one of them.
pub(crate) async fn enter(
    State(console): State<Console>,
    signed: SignedIn,
    form: Form,
) -> Result<Response, Stop> {
    let company = CompanyId::parse(form.text("company")).ok_or(Stop::NotFound)?;
    member::role(&console.store.read().await?, company, signed.user.id).await?.ok_or(Stop::NotFound)?;
    let id = signed.session.id;
    let enter = move |tx| async move { session::enter(&tx, id, Some(company)).await };
    console.store.write::<_, StoreError, _, _>(None, enter).await?;
    Ok(Redirect::to("/admin").into_response())
}
