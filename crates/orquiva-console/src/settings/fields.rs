//! The fields that the company adds to people, through the API.

pub(crate) mod delete;

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::custom_field::FieldType;
use orquiva_core::{Language, Right};
use orquiva_web::{Refused, Reply};
use serde_json::{Value, json};

use super::stale;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::next::escaped;
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;

/// A field as a form has it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) slug: String,
    pub(crate) label: String,
    pub(crate) kind: String,
    /// One a line.
    pub(crate) choices: String,
    pub(crate) sensitive: bool,
}

impl Draft {
    fn of(field: &Value) -> Self {
        let text = |name: &str| field[name].as_str().unwrap_or_default().to_owned();
        let choices = field["choices"].as_array().into_iter().flatten().filter_map(Value::as_str);
        Self {
            slug: text("slug"),
            label: text("label"),
            kind: text("type"),
            choices: choices.collect::<Vec<_>>().join("\n"),
            sensitive: field["sensitive"].as_bool().unwrap_or_default(),
        }
    }

    fn read(form: &Form) -> Self {
        let text = |name: &str| form.text(name).to_owned();
        Self {
            slug: text("slug"),
            label: text("label"),
            kind: text("type"),
            choices: text("choices"),
            sensitive: form.has("sensitive"),
        }
    }

    /// What the API is sent: slug and type only of a new field.
    fn body(&self, is_new: bool) -> Value {
        let mut body = json!({ "label": self.label, "sensitive": self.sensitive });
        if is_new {
            body["slug"] = json!(self.slug);
            body["type"] = json!(self.kind);
        }
        if self.kind == FieldType::Choice.as_str() {
            let choices = self.choices.lines().map(str::trim).filter(|choice| !choice.is_empty());
            body["choices"] = choices.collect();
        }
        body
    }
}

/// What a type of field is called.
pub(crate) fn type_name(kind: &str, language: Language) -> &'static str {
    match FieldType::parse(kind) {
        Some(FieldType::Text) => language.pick("Texto", "Text"),
        Some(FieldType::Number) => language.pick("Número", "Number"),
        Some(FieldType::Boolean) => language.pick("Sí o no", "Yes or no"),
        Some(FieldType::Date) => language.pick("Fecha", "Date"),
        Some(FieldType::Choice) => language.pick("Una opción de una lista", "One of a list"),
        None => "",
    }
}

/// What the API says is wrong, beside the fields; anything else stops the page.
fn faults_of(refusal: Refused, language: Language) -> Result<Faults, Stop> {
    let mut faults = Faults::default();
    let told = refusal.told(language);
    for error in told["errors"].as_array().into_iter().flatten() {
        let pointer = error["pointer"].as_str().unwrap_or_default();
        let field = pointer.split('/').nth(1).unwrap_or_default();
        faults.add(field, error["detail"].as_str().unwrap_or_default());
    }
    match refusal.status() {
        412 => faults.add("stale", stale(language)),
        409 => faults.add("slug", told["detail"].as_str().unwrap_or_default()),
        _ => {}
    }
    if faults.is_empty() { Err(refusal.into()) } else { Ok(faults) }
}

#[derive(Template)]
#[template(path = "settings/field.html")]
struct FieldPage {
    page: Page,
    draft: Draft,
    faults: Faults,
    is_new: bool,
    /// The key under which it is created once, or the version that is changed.
    key: String,
}

impl FieldPage {
    fn of(member: &Member, draft: Draft, faults: Faults, is_new: bool, key: String) -> Self {
        let title =
            if is_new { ("Campo nuevo", "New field") } else { ("Cambiar el campo", "Change the field") };
        Self { page: Page::of(member, Some(Here::Settings), title), draft, faults, is_new, key }
    }

    fn is_kind(&self, kind: &str) -> bool {
        self.draft.kind == kind
    }

    fn is_choice(&self) -> bool {
        self.is_new || self.draft.kind == FieldType::Choice.as_str()
    }
}

/// The address of a field in the API.
fn path(slug: &str) -> String {
    format!("/custom-fields/{}", escaped(slug))
}

async fn find(console: &Console, member: &Member, slug: &str) -> Result<Reply, Stop> {
    Ok(console.inside.read(member.reads(), &path(slug)).await?)
}

/// The form of a new one.
pub(crate) async fn new(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    member.must(Right::ManageSettings)?;
    let key = console.mint.next::<orquiva_core::id::RequestKind>().to_string();
    let draft = Draft { kind: FieldType::Text.as_str().to_owned(), ..Draft::default() };
    Ok(html(&FieldPage::of(&member, draft, Faults::default(), true, key)))
}

/// Creates one.
pub(crate) async fn create(
    State(console): State<Console>,
    member: Member,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageSettings)?;
    let draft = Draft::read(&form);
    let (key, body) = (form.text("key").to_owned(), draft.body(true));
    let who = member.does(Act::new("custom_field.created", &draft.slug));
    let headers = [("idempotency-key", key.as_str())];
    match console.inside.write(who, Method::POST, "/custom-fields", &headers, Some(&body)).await {
        Ok(_) => Ok(Redirect::to("/admin/settings?said=field-created").into_response()),
        Err(refusal) => {
            let faults = faults_of(refusal, member.guest.language)?;
            // What was refused is not kept under the key.
            Ok(refused(&FieldPage::of(&member, draft, faults, true, key)))
        }
    }
}

/// One, and the form that changes it.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(slug): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManageSettings)?;
    let found = find(&console, &member, &slug).await?;
    Ok(html(&FieldPage::of(&member, Draft::of(&found.body), Faults::default(), false, found.etag)))
}

/// Changes it.
pub(crate) async fn change(
    State(console): State<Console>,
    member: Member,
    Path(slug): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageSettings)?;
    let now = find(&console, &member, &slug).await?;
    let known = Draft::of(&now.body);
    let draft = Draft { slug: known.slug, kind: known.kind, ..Draft::read(&form) };
    let (body, who) = (draft.body(false), member.does(Act::new("custom_field.updated", &draft.slug)));
    let headers = [("if-match", form.text("key"))];
    match console.inside.write(who, Method::PATCH, &path(&slug), &headers, Some(&body)).await {
        Ok(_) => Ok(Redirect::to("/admin/settings?said=field-saved").into_response()),
        Err(refusal) => {
            let faults = faults_of(refusal, member.guest.language)?;
            Ok(refused(&FieldPage::of(&member, draft, faults, false, now.etag)))
        }
    }
}
