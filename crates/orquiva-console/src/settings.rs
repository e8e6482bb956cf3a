//! `/admin/settings`: what the company says of itself, what its plan gives, and the fields that it adds to people.

pub(crate) mod fields;

use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::{Company, CustomField, Language, Plan, Right};
use orquiva_store::{StoreError, Tx, company, custom_field};
use serde_json::{Value, json};

use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::sign_up::short_text;
use crate::stop::Stop;

/// What can be changed, as a form has it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Draft {
    name: String,
    language: Option<Language>,
    closed: bool,
}

impl Draft {
    fn of(company: &Company, language: Option<Language>) -> Self {
        Self { name: company.name.clone(), language, closed: company.closed_departments }
    }

    /// What the form was made of comes back with it, so that a stale one is noticed.
    fn seen(&self) -> String {
        let Self { name, language, closed } = self;
        format!("{closed}/{}/{name}", language.map_or("", Language::tag))
    }

    /// As the audit tells it.
    fn told(&self) -> Value {
        let Self { name, language, closed } = self;
        json!({ "name": name, "language": language.map(Language::tag), "closedDepartments": closed })
    }

    fn is(&self, tag: &str) -> bool {
        self.language.map_or("", Language::tag) == tag
    }
}

#[derive(Template)]
#[template(path = "settings/page.html")]
struct SettingsPage {
    page: Page,
    id: String,
    draft: Draft,
    seen: String,
    faults: Faults,
    plan: Plan,
    fields: Vec<CustomField>,
    may: bool,
}

async fn page(
    console: &Console,
    member: &Member,
    draft: Option<Draft>,
    faults: Faults,
) -> Result<SettingsPage, Stop> {
    let id = member.company.id;
    let tx = console.store.read().await?;
    let now = Draft::of(&member.company, company::language(&tx, id).await?);
    let fields = custom_field::list(&tx, id, "", orquiva_core::custom_field::MAX_FIELDS).await?;
    Ok(SettingsPage {
        page: Page::of(member, Some(Here::Settings), ("Ajustes", "Settings")),
        id: id.to_string(),
        seen: now.seen(),
        draft: draft.unwrap_or(now),
        faults,
        plan: member.company.plan,
        fields,
        may: member.may(Right::ManageSettings),
    })
}

/// The page.
pub(crate) async fn show(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    Ok(html(&page(&console, &member, None, Faults::default()).await?))
}

/// Changes the company.
pub(crate) async fn change(
    State(console): State<Console>,
    member: Member,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageSettings)?;
    let language = member.guest.language;
    let mut faults = Faults::default();
    let name = short_text(&form, "name", language, &mut faults);
    let wanted = Draft { name, language: Language::parse(form.text("language")), closed: form.has("closed") };
    if !faults.is_empty() {
        let typed = Draft { name: form.text("name").to_owned(), ..wanted };
        return Ok(refused(&page(&console, &member, Some(typed), faults).await?));
    }
    let (id, new, seen) = (member.company.id, wanted.clone(), form.text("seen").to_owned());
    let entry = member.entry(&console, Act::new("company.updated", id));
    let change = move |tx: Tx| async move {
        let before = Draft::of(&company::hold(&tx, id).await?, company::language(&tx, id).await?);
        if before.seen() != seen {
            return Ok(false);
        }
        if before != new {
            company::change(&tx, id, &new.name, new.language, new.closed).await?;
            let (before, after) = (Some(before.told().to_string()), Some(new.told().to_string()));
            orquiva_store::audit::add(&tx, id, &orquiva_store::audit::Entry { before, after, ..entry })
                .await?;
        }
        Ok(true)
    };
    match console.store.write::<_, StoreError, _, _>(id, change).await? {
        true => Ok(Redirect::to("/admin/settings?said=settings-saved").into_response()),
        false => {
            faults.add("stale", stale(language));
            Ok(refused(&page(&console, &member, Some(wanted), faults).await?))
        }
    }
}

/// What a plan is called.
fn plan_name(plan: &Plan) -> &'static str {
    match plan {
        Plan::Free => "Free",
        Plan::Pro => "Pro",
        Plan::Enterprise => "Enterprise",
    }
}

/// Someone else was quicker.
pub(crate) fn stale(language: Language) -> &'static str {
    language.pick(
        "Otra persona ha guardado cambios mientras tanto. Lo que ha escrito sigue aquí: revíselo y guarde de nuevo.",
        "Someone else has saved changes meanwhile. What you typed is still here: check it and save again.",
    )
}
