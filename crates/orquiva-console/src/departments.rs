//! `/admin/departments`: the parts of the company, as a tree.

pub(crate) mod create;
pub(crate) mod detail;
mod draft;
pub(crate) mod remove;
mod tree;

use askama::Template;
use axum::extract::State;
use axum::response::Response;
use orquiva_core::Right;
use orquiva_core::id::EmployeeId;
use orquiva_store::{department, employee};

use self::tree::{Tree, all};
use crate::console::Console;
use crate::member::Member;
use crate::page::{Here, Page, html};
use crate::stop::Stop;

/// Deepest step of the tree that has an indentation of its own.
const DEEPEST: usize = 8;

/// A department in the list.
struct Row {
    id: String,
    name: String,
    code: String,
    leads: String,
    heads: i64,
    below: i64,
    depth: usize,
}

impl Row {
    fn shown_depth(&self) -> usize {
        self.depth.min(DEEPEST)
    }
}

#[derive(Template)]
#[template(path = "departments/list.html")]
struct ListPage {
    page: Page,
    rows: Vec<Row>,
    closed: bool,
    /// How many people are in none.
    without: i64,
    may: bool,
}

/// The tree, with how many people are where.
pub(crate) async fn list(State(console): State<Console>, member: Member) -> Result<Response, Stop> {
    let departments = all(&console, &member).await?;
    let tx = console.store.read().await?;
    let company = member.company.id;
    let heads = console.heads.get(&tx, company, async |tx| department::heads(tx, company).await).await?;
    let leads: Vec<EmployeeId> = departments.iter().flat_map(|one| one.leads.iter().copied()).collect();
    let people = employee::people(&tx, company, &leads).await?;
    let without = heads.iter().find(|(department, _)| department.is_none()).map_or(0, |(_, heads)| *heads);
    let tree = Tree::of(&departments, &heads);
    let called = |id: &EmployeeId| people.iter().find(|one| one.id == *id).map(|one| one.full_name.as_str());
    let rows = tree.walk().into_iter().map(|(one, depth)| Row {
        id: one.id.to_string(),
        name: one.name.clone(),
        code: one.code.clone(),
        leads: one.leads.iter().filter_map(called).collect::<Vec<_>>().join(", "),
        heads: tree.heads(one.id),
        below: tree.with_those_below(one.id),
        depth,
    });
    Ok(html(&ListPage {
        rows: rows.collect(),
        page: Page::of(&member, Some(Here::Departments), ("Departamentos", "Departments")),
        closed: member.company.closed_departments,
        without,
        may: member.may(Right::ManagePeople),
    }))
}
