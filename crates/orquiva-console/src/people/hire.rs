//! A new person.

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::id::RequestKind;
use orquiva_core::{CustomField, Right};

use super::draft::{Draft, Frame, OWN, Section, resolve_manager};
use super::one::{Unit, own_fields, units};
use super::words::FIELDS;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;
use crate::told::{self, WHOLE};

#[derive(Template)]
#[template(path = "people/form.html")]
pub(super) struct FormPage {
    pub(super) page: Page,
    pub(super) sections: Vec<Section>,
    pub(super) departments: Vec<Unit>,
    pub(super) fault: String,
    /// Where it leads, where it is sent, and what its button says.
    pub(super) back: (String, String),
    pub(super) action: String,
    pub(super) button: &'static str,
    /// Carries out a form that is sent twice once.
    pub(super) once: String,
    /// The version that the form was made of.
    pub(super) etag: String,
}

/// The form.
pub(crate) async fn show(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let once = console.mint.next::<RequestKind>().to_string();
    Ok(html(&form(&console, &member, &Draft::default(), &Faults::default(), once).await?))
}

async fn form(
    console: &Console,
    member: &Member,
    draft: &Draft,
    faults: &Faults,
    once: String,
) -> Result<FormPage, Stop> {
    let page = Page::of(member, Some(Here::People), ("Alta de una persona", "Hire someone"));
    let (own, departments) = (own_fields(console, member).await?, units(console, member).await?);
    let names: Vec<_> = departments.iter().map(|unit| unit.name.clone()).collect();
    let whole = draft.whole(&own);
    let frame = Frame {
        page: &page,
        faults,
        own: &own,
        closed: member.company.closed_departments.then_some(names.as_slice()),
        protected: member.may(Right::SeeSensitive),
    };
    Ok(FormPage {
        sections: frame.sections(&whole),
        departments,
        fault: faults.of(WHOLE).to_owned(),
        back: ("/admin/employees".to_owned(), page.t("Plantilla", "People").to_owned()),
        action: "/admin/employees".to_owned(),
        button: page.t("Dar de alta", "Hire"),
        once,
        etag: String::new(),
        page,
    })
}

impl Draft {
    /// With every field that the form of a hire has.
    fn whole(&self, own: &[CustomField]) -> Self {
        let mut whole = Self::default();
        for field in FIELDS.iter().filter(|field| field.name != "status") {
            whole.set(field.name, self.text(field.name));
        }
        for name in own.iter().map(|field| format!("{OWN}{}", field.shape.slug)) {
            whole.set(&name, self.text(&name));
        }
        whole
    }
}

/// Hires them.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    form_sent: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let own = own_fields(&console, &member).await?;
    let draft = Draft::read(&form_sent, &own);
    let once = form_sent.text("once").to_owned();
    let mut body = draft.hire(&own);
    let mut faults = Faults::default();
    resolve_manager(&console, &member, &mut body, &mut faults).await?;
    if draft.text("fullName").is_empty()
        && (draft.text("firstName").is_empty() || draft.text("lastName").is_empty())
    {
        let first = if draft.text("firstName").is_empty() { "firstName" } else { "lastName" };
        faults.add(
            first,
            member.guest.language.pick(
                "Escriba nombre y primer apellido, o el nombre completo.",
                "Write first and last name, or the full name.",
            ),
        );
    }
    // A hire that is wrong here is tried all the same, as a rehearsal: so everything that is wrong is told at once.
    let path = if faults.is_empty() { "/employees" } else { "/employees?dryRun=true" };
    let headers = [("idempotency-key", once.as_str())];
    let act = member.does(Act::creating("employee.created"));
    match console.inside.write(act, Method::POST, path, &headers, Some(&body)).await {
        Ok(reply) if faults.is_empty() => {
            let id = reply.body["id"].as_str().unwrap_or_default();
            return Ok(Redirect::to(&format!("/admin/employees/{id}?said=hired")).into_response());
        }
        Ok(_) => {}
        Err(problem) => {
            let more = told::faults(problem, member.guest.language)?;
            faults
                .extend_unless(more, |name| name == "managerId" || name == "fullName" && faults_name(&draft));
        }
    }
    Ok(refused(&form(&console, &member, &draft, &faults, once).await?))
}

/// Whether the name is what is missing, which is told beside its parts.
fn faults_name(draft: &Draft) -> bool {
    draft.text("fullName").is_empty()
}
