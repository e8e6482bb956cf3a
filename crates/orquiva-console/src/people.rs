//! `/admin/employees`: the people of the company.

pub(crate) mod change;
pub(crate) mod chart;
mod draft;
pub(crate) mod employment;
pub(crate) mod export;
pub(crate) mod find;
pub(crate) mod hire;
mod history;
pub(crate) mod import;
mod one;
pub(crate) mod person;
pub(crate) mod references;
pub(crate) mod remove;
mod words;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use orquiva_core::{Language, Right};
use serde_json::Value;

pub(crate) use self::draft::{nobody, person as known_by};
use self::one::{Unit, units};
use crate::console::Console;
use crate::member::Member;
use crate::next::escaped;
use crate::page::{Here, Page, html};
use crate::show::Faults;
use crate::sign_in::Asked;
use crate::stop::Stop;
use crate::told;

/// Those who have not left.
const PRESENT: &str = "active,onboarding,on_leave,terminating";

/// What the list is narrowed to, as the address says it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    q: String,
    department: String,
    /// A status, nothing for those who have not left, or `all`.
    status: String,
    sort: String,
    cursor: String,
}

impl Wish {
    /// As the query of a page says it.
    pub(crate) fn of(asked: &std::collections::HashMap<String, String>) -> Self {
        let text = |name: &str| asked.get(name).map_or_else(String::new, |text| text.trim().to_owned());
        Self {
            q: text("q"),
            department: text("department"),
            status: text("status"),
            sort: text("sort"),
            cursor: text("cursor"),
        }
    }

    fn sort(&self) -> &str {
        match self.sort.as_str() {
            known @ ("fullName" | "-fullName" | "startDate" | "-startDate" | "updatedAt" | "-updatedAt") => {
                known
            }
            _ => "fullName",
        }
    }

    /// The query of the API that finds them.
    pub(crate) fn api(&self) -> String {
        let mut query = format!("sort={}", self.sort());
        let mut and = |name: &str, value: &str| {
            if !value.is_empty() {
                query.push_str(&format!("&{name}={}", escaped(value)));
            }
        };
        and("q", &self.q);
        and("departmentId", &self.department);
        let known = words::STATUSES.iter().any(|(word, _, _)| *word == self.status);
        match self.status.as_str() {
            "all" => {}
            status if known => and("status", status),
            _ => and("status", PRESENT),
        }
        and("cursor", &self.cursor);
        query
    }

    /// The query of this page, with another order, from the beginning.
    fn query(&self, sort: &str) -> String {
        let pairs = [
            ("q", self.q.as_str()),
            ("department", &self.department),
            ("status", &self.status),
            ("sort", sort),
        ];
        let said = pairs.iter().filter(|(_, value)| !value.is_empty());
        said.map(|(name, value)| format!("{name}={}", escaped(value))).collect::<Vec<_>>().join("&")
    }

    fn is_narrow(&self) -> bool {
        !(self.q.is_empty() && self.department.is_empty() && self.status.is_empty())
    }
}

/// Someone in the list.
pub(crate) struct Row {
    id: String,
    name: String,
    email: String,
    job: String,
    department: String,
    status: String,
    start: String,
}

impl Row {
    fn of(one: &Value) -> Self {
        let text = |name: &str| one[name].as_str().unwrap_or_default().to_owned();
        Self {
            id: text("id"),
            name: text("fullName"),
            email: text("email"),
            job: text("jobTitle"),
            department: text("department"),
            status: text("status"),
            start: text("startDate"),
        }
    }

    fn status(&self, language: Language) -> (&'static str, &str) {
        words::status(&self.status, language)
    }
}

/// A column by which the list can be put in order.
pub(crate) struct Column {
    label: &'static str,
    /// Where a press leads; nothing if it orders nothing.
    href: String,
    /// `ascending`, `descending`, or nothing.
    order: &'static str,
}

#[derive(Template)]
#[template(path = "people/list.html")]
struct ListPage {
    page: Page,
    wish: Wish,
    rows: Vec<Row>,
    columns: Vec<Column>,
    departments: Vec<Unit>,
    statuses: &'static [words::Choice],
    faults: Faults,
    next: String,
    export: String,
    may: bool,
}

impl ListPage {
    fn language(&self) -> Language {
        self.page.language()
    }
}

/// The list.
pub(crate) async fn list(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let page = Page::of(&member, Some(Here::People), ("Plantilla", "People"));
    let wish = Wish::of(&asked);
    let fields = "fullName,email,jobTitle,department,status,startDate";
    let path = format!("/employees?fields={fields}&{}", wish.api());
    let (found, faults) = match console.inside.read(member.reads(), &path).await {
        Ok(reply) => (reply.body, Faults::default()),
        Err(refused) => (Value::Null, told::faults(refused, page.language())?),
    };
    let rows = found["data"].as_array().into_iter().flatten().map(Row::of).collect();
    let next = found["nextCursor"]
        .as_str()
        .map(|cursor| format!("/admin/employees?{}&cursor={}", wish.query(&wish.sort), escaped(cursor)));
    let view = ListPage {
        columns: columns(&page, &wish),
        departments: units(&console, &member).await?,
        statuses: words::STATUSES,
        rows,
        faults,
        next: next.unwrap_or_default(),
        export: format!("/admin/employees/export.csv?{}", wish.query(&wish.sort)),
        may: member.may(Right::ManagePeople),
        wish,
        page,
    };
    Ok(html(&view))
}

fn columns(page: &Page, wish: &Wish) -> Vec<Column> {
    let sort = wish.sort();
    let column = |label, by: &str| {
        let order = match sort.strip_prefix('-') {
            Some(down) if down == by => "descending",
            None if sort == by => "ascending",
            Some(_) | None => "",
        };
        let next = if order == "ascending" { format!("-{by}") } else { by.to_owned() };
        let href =
            if by.is_empty() { String::new() } else { format!("/admin/employees?{}", wish.query(&next)) };
        Column { label, href, order }
    };
    vec![
        column(page.t("Nombre", "Name"), "fullName"),
        column(page.t("Puesto", "Job"), ""),
        column(page.t("Departamento", "Department"), ""),
        column(page.t("Situación", "Status"), ""),
        column(page.t("Fecha de alta", "First day"), "startDate"),
    ]
}
