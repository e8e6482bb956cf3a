//! Start free: a company, its owner, and on to the first API client.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::employee::Email;
use orquiva_core::field::line;
use orquiva_core::{Company, Language, Plan, Secret, password};
use orquiva_people::founding;
use orquiva_store::{StoreError, Tx, audit};
use serde_json::json;

use crate::console::{Console, SignUp};
use crate::form::Form;
use crate::guest::Guest;
use crate::member::{Act, entry, sign_in};
use crate::page::{Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;

#[derive(Template)]
#[template(path = "sign_up.html")]
struct SignUpPage {
    page: Page,
    company: String,
    name: String,
    email: String,
    faults: Faults,
}

/// The form.
pub(crate) async fn show(State(console): State<Console>, guest: Guest) -> Result<Response, Stop> {
    is_open(&console)?;
    let page = Page::for_guest(&guest, guest.language.pick("Empezar gratis", "Start free"));
    let [company, name, email] = [const { String::new() }; 3];
    Ok(html(&SignUpPage { page, company, name, email, faults: Faults::default() }))
}

/// Founds the company and signs its owner in.
pub(crate) async fn create(
    State(console): State<Console>,
    guest: Guest,
    form: Form,
) -> Result<Response, Stop> {
    is_open(&console)?;
    if !console.gate.admits(guest.address, console.clock.now()) {
        return Err(Stop::Busy);
    }
    let (now, language) = (console.clock.now(), guest.language);
    let mut faults = Faults::default();
    let company = short_text(&form, "company", language, &mut faults);
    let name = short_text(&form, "name", language, &mut faults);
    let email = address(&form, language, &mut faults);
    let secret = Secret::new(form.raw("password"));
    if let Err(weak) = password::check(secret.expose(), &[&company, &name, &email]) {
        faults.add("password", weak.told(language));
    }
    let again = |faults: Faults| {
        let page = Page::for_guest(&guest, language.pick("Empezar gratis", "Start free"));
        let [company, name, email] = ["company", "name", "email"].map(|field| form.text(field).to_owned());
        refused(&SignUpPage { page, company, name, email, faults })
    };
    if !faults.is_empty() {
        return Ok(again(faults));
    }
    let hash = console.hash(secret).await;
    let company = Company {
        id: console.mint.next(),
        name: company,
        plan: Plan::Free,
        closed_departments: false,
        created_at: now,
        suspended_at: None,
    };
    let owner = founding::newcomer(console.mint.next(), &name, &email, hash, now);
    let told = entry(&console, &guest, &owner, Act::new("company.created", company.id).to(json!(company)));
    let (new, first) = (company.clone(), owner.clone());
    let founded = console.store.write::<_, StoreError, _, _>(company.id, move |tx: Tx| async move {
        founding::found(&tx, &new, &first).await?;
        audit::add(&tx, new.id, &told).await
    });
    match founded.await {
        Ok(()) => {}
        Err(StoreError::Duplicate(_)) => {
            faults.add("email", taken(language));
            return Ok(again(faults));
        }
        Err(error) => return Err(error.into()),
    }
    let cookie = sign_in(&console, &guest, &owner, Some(company.id), console.mint.next()).await?;
    Ok(([cookie], Redirect::to("/admin/api-clients/new?first=1")).into_response())
}

fn is_open(console: &Console) -> Result<(), Stop> {
    match console.sign_up {
        SignUp::Open => Ok(()),
        SignUp::Closed => Err(Stop::NotFound),
    }
}

fn taken(language: Language) -> &'static str {
    language.pick(
        "Ya hay una cuenta con este correo. Entre con ella.",
        "There is an account with this e-mail already. Sign in with it.",
    )
}

/// A field of one line, of 1 to 200 characters.
pub(crate) fn short_text(form: &Form, field: &str, language: Language, faults: &mut Faults) -> String {
    line(200)(&json!(form.text(field))).unwrap_or_else(|fault| {
        faults.add(field, fault.detail(language));
        String::new()
    })
}

/// The field `email`.
pub(crate) fn address(form: &Form, language: Language, faults: &mut Faults) -> String {
    match Email::parse(form.text("email")) {
        Some(email) => email.as_str().to_owned(),
        None => {
            let fault = "Escriba un correo como ana@empresa.es.";
            faults.add("email", language.pick(fault, "Write an address such as ana@company.com."));
            String::new()
        }
    }
}
