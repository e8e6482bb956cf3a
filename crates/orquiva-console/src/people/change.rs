//! A person's data, changed. A form that was made of an older version is refused, keeps what was typed, and says what
//! stands there by now.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;

use super::draft::{Draft, Frame, resolve_manager};
use super::hire::FormPage;
use super::one::{One, find, own_fields, units};
use super::words::{FIELDS, shown};
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;
use crate::told::{self, WHOLE};

/// The form.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let one = find(&console, &member, &id).await?;
    let draft = one.draft(&own_fields(&console, &member).await?);
    Ok(html(&form(&console, &member, &one, &draft, &Faults::default()).await?))
}

async fn form(
    console: &Console,
    member: &Member,
    one: &One,
    draft: &Draft,
    faults: &Faults,
) -> Result<FormPage, Stop> {
    let page = Page::of(member, Some(Here::People), ("Cambiar los datos", "Change the data"));
    let (own, departments) = (own_fields(console, member).await?, units(console, member).await?);
    let names: Vec<_> = departments.iter().map(|unit| unit.name.clone()).collect();
    let frame = Frame {
        page: &page,
        faults,
        own: &own,
        closed: member.company.closed_departments.then_some(names.as_slice()),
        protected: member.may(Right::SeeSensitive),
    };
    Ok(FormPage {
        sections: frame.sections(draft),
        departments,
        fault: faults.of(WHOLE).to_owned(),
        back: (one.path(), one.name()),
        action: format!("{}/change", one.path()),
        button: page.t("Guardar", "Save"),
        once: String::new(),
        etag: one.etag.clone(),
        page,
    })
}

/// Changes them.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    sent: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let one = find(&console, &member, &id).await?;
    let own = own_fields(&console, &member).await?;
    let (before, draft) = (one.draft(&own), Draft::read(&sent, &own));
    if sent.text("etag") != one.etag {
        let faults = stale(&member, &draft, &before);
        return Ok(refused(&form(&console, &member, &one, &draft, &faults).await?));
    }
    let mut body = draft.patch(&before, &own);
    let mut faults = Faults::default();
    resolve_manager(&console, &member, &mut body, &mut faults).await?;
    if faults.is_empty() {
        let act = Act::new("employee.updated", one.id).from(one.body.clone());
        let headers = [("if-match", one.etag.as_str())];
        let path = format!("/employees/{}", one.id);
        match console.inside.write(member.does(act), Method::PATCH, &path, &headers, Some(&body)).await {
            Ok(_) => return Ok(Redirect::to(&format!("{}?said=person-changed", one.path())).into_response()),
            Err(problem) if problem.status() == 412 => {
                let one = find(&console, &member, &id).await?;
                let faults = stale(&member, &draft, &one.draft(&own));
                return Ok(refused(&form(&console, &member, &one, &draft, &faults).await?));
            }
            Err(problem) => faults = told::faults(problem, member.guest.language)?,
        }
    }
    Ok(refused(&form(&console, &member, &one, &draft, &faults).await?))
}

/// What is wrong with a form that was made of an older version: beside each field that says something else, what stands
/// there by now.
fn stale(member: &Member, draft: &Draft, now: &Draft) -> Faults {
    let language = member.guest.language;
    let mut faults = Faults::default();
    faults.add(
        WHOLE,
        language.pick(
            "Alguien ha cambiado estos datos mientras los editaba. No se ha guardado nada: lo que escribió sigue aquí, y donde difiere se indica lo que consta ahora. Corrija lo que haga falta y guarde de nuevo.",
            "Someone has changed this data while you were editing. Nothing was saved: what you typed is still here, and where it differs you see what is stored now. Correct what has to be, and save again.",
        ),
    );
    for name in draft.unlike(now) {
        let value = match now.text(name) {
            "" => language.pick("vacío", "empty").to_owned(),
            value if FIELDS.iter().any(|field| field.name == name) => shown(name, value, language),
            value => value.to_owned(),
        };
        faults.add(name, language.pick(format!("Ahora consta: {value}"), format!("Stored now: {value}")));
    }
    faults
}
