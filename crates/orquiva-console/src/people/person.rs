//! One person: what is known of them, who they work with, and what has changed by whom.

use askama::Template;
use axum::extract::{Path, Query, State};
use axum::response::Response;
use orquiva_core::custom_field::FieldType;
use orquiva_core::employee::Status;
use orquiva_core::{Employee, Language, Right};
use orquiva_store::employee;
use serde_json::Value;

use super::Row;
use super::draft::text_at;
use super::history::{History, history};
use super::one::{One, find, own_fields};
use super::words::{FIELDS, Group, shown};
use crate::console::Console;
use crate::member::Member;
use crate::page::{Here, Page, html};
use crate::show::Faults;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Most of those who report to someone that their page shows.
const REPORTS: usize = 50;

/// What can be done with an employment as it stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Terminate,
    CancelTermination,
    Rehire,
    CancelRehire,
}

impl Step {
    /// The one that is possible.
    pub(super) fn of(employee: &Employee) -> Self {
        match employee.profile.status {
            Status::Terminating => Self::CancelTermination,
            Status::Terminated => Self::Rehire,
            Status::Onboarding if employee.former.is_some() => Self::CancelRehire,
            Status::Onboarding | Status::Active | Status::OnLeave => Self::Terminate,
        }
    }
}

/// Facts that stand together.
pub(super) struct Facts {
    title: &'static str,
    facts: Vec<Fact>,
}

/// What something is called, and what it says; empty if it says nothing.
struct Fact {
    label: String,
    value: String,
    /// Where it leads; nothing if it leads nowhere.
    href: String,
}

impl Fact {
    fn new(label: impl Into<String>, value: String) -> Self {
        Self { label: label.into(), value, href: String::new() }
    }
}

#[derive(Template)]
#[template(path = "people/person.html")]
pub(super) struct PersonPage {
    page: Page,
    one: One,
    identity: Facts,
    work: Facts,
    protected: Option<Facts>,
    own: Facts,
    references: Vec<(String, String)>,
    typed: (String, String),
    faults: Faults,
    reports: Vec<Row>,
    /// Whether there are more than those.
    more: bool,
    history: History,
    step: Step,
    may: bool,
}

impl PersonPage {
    fn language(&self) -> Language {
        self.page.language()
    }

    fn is(&self, step: &str) -> bool {
        let own = match self.step {
            Step::Terminate => "terminate",
            Step::CancelTermination => "cancel-termination",
            Step::Rehire => "rehire",
            Step::CancelRehire => "cancel-rehire",
        };
        own == step
    }
}

/// The page.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let one = find(&console, &member, &id).await?;
    let before = asked.get("before").and_then(|before| before.parse().ok());
    let typed = Default::default();
    Ok(html(&view(&console, &member, one, before, typed, Faults::default()).await?))
}

/// The page of someone; `typed` is a reference that was refused.
pub(super) async fn view(
    console: &Console,
    member: &Member,
    one: One,
    before: Option<i64>,
    typed: (String, String),
    faults: Faults,
) -> Result<PersonPage, Stop> {
    let name = one.name();
    let page = Page::of(member, Some(Here::People), (&name, &name));
    let language = page.language();
    let path = format!("/employees/{}/reports?limit={REPORTS}", one.id);
    let reports = console.inside.read(member.reads(), &path).await?.body;
    let stored = employee::get(&console.store.read().await?, member.company.id, one.id).await?;
    let own = own_fields(console, member).await?;
    let own = own.iter().map(|field| {
        let value = match (&field.shape.kind, &one.body["customFields"][&field.shape.slug]) {
            (FieldType::Boolean, Value::Bool(yes)) => {
                (if *yes { page.t("Sí", "Yes") } else { "No" }).to_owned()
            }
            (FieldType::Date, Value::String(day)) => page.date(day),
            (_, value) => text_at(value, ""),
        };
        Fact::new(field.shape.label.clone(), value)
    });
    let references = one.body["external_refs"].as_object().into_iter().flatten();
    Ok(PersonPage {
        identity: Facts {
            title: page.t("Identidad", "Identity"),
            facts: facts(&one, Group::Identity, language),
        },
        work: work(&one, &page),
        protected: member.may(Right::SeeSensitive).then(|| Facts {
            title: page.t("Datos protegidos", "Protected data"),
            facts: facts(&one, Group::Protected, language),
        }),
        own: Facts {
            title: page.t("Campos propios de la empresa", "The company's own fields"),
            facts: own.collect(),
        },
        references: references.map(|(system, value)| (system.clone(), text_at(value, ""))).collect(),
        reports: reports["data"].as_array().into_iter().flatten().map(Row::of).collect(),
        more: reports["hasMore"] == true,
        history: history(console, member, &stored, before).await?,
        step: Step::of(&stored),
        may: member.may(Right::ManagePeople),
        typed,
        faults,
        one,
        page,
    })
}

fn facts(one: &One, group: Group, language: Language) -> Vec<Fact> {
    let fields = FIELDS.iter().filter(|field| field.group == group);
    let fact = |field: &super::words::Field| {
        let value = one.text(field.name);
        let value = if value.is_empty() { value } else { shown(field.name, &value, language) };
        let href = match field.name {
            _ if value.is_empty() => String::new(),
            "department" => format!("/admin/departments/{}", one.text("departmentId")),
            "managerId" => format!("/admin/employees/{value}"),
            _ => String::new(),
        };
        let value = match (field.name, &one.manager) {
            ("managerId", Some(manager)) => manager.full_name.clone(),
            _ => value,
        };
        Fact { label: field.label(language).to_owned(), value, href }
    };
    // The status stands beside the name, and an address or a document without any part is one thing that is missing.
    let has = |object: &str| one.body[object].is_object();
    let told = fields.filter(|field| {
        field.name != "status"
            && field.part().is_none_or(|(object, part)| has(object) || matches!(part, "value" | "line1"))
    });
    told.map(fact).collect()
}

/// What they do, and what of it is past.
fn work(one: &One, page: &Page) -> Facts {
    let language = page.language();
    let mut facts = facts(one, Group::Work, language);
    for name in ["endDate", "terminationReason", "originalHireDate"] {
        let value = one.text(name);
        let same = name == "originalHireDate" && value == one.text("startDate");
        if !value.is_empty() && !same {
            facts.push(Fact::new(super::words::label(name, language), shown(name, &value, language)));
        }
    }
    Facts { title: page.t("Puesto", "Work"), facts }
}
