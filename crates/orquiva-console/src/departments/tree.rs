//! All departments of a company, and who stands under whom.

use std::collections::HashMap;

use orquiva_core::id::{DepartmentId, EmployeeId};
use serde_json::Value;

use crate::console::Console;
use crate::member::Member;
use crate::next::escaped;
use crate::stop::Stop;

/// Most departments that are read: a tree of more is no longer looked at.
const MOST: usize = 5_000;

/// A department, as the pages need it.
#[derive(Clone, Debug)]
pub(super) struct Unit {
    pub(super) id: DepartmentId,
    pub(super) name: String,
    pub(super) code: String,
    pub(super) parent: Option<DepartmentId>,
    pub(super) leads: Vec<EmployeeId>,
}

impl Unit {
    /// As the API shows it.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        let leads = value["leadIds"].as_array().into_iter().flatten();
        Some(Self {
            id: DepartmentId::parse(text("id"))?,
            name: text("name").to_owned(),
            code: text("code").to_owned(),
            parent: DepartmentId::parse(text("parentId")),
            leads: leads.filter_map(|lead| EmployeeId::parse(lead.as_str()?)).collect(),
        })
    }
}

/// Every department of the company, by name.
pub(super) async fn all(console: &Console, member: &Member) -> Result<Vec<Unit>, Stop> {
    let mut all: Vec<Unit> = Vec::new();
    let mut path = "/departments?limit=200".to_owned();
    loop {
        let page = console.inside.read(member.reads(), &path).await?.body;
        all.extend(page["data"].as_array().into_iter().flatten().filter_map(Unit::of));
        match page["nextCursor"].as_str() {
            Some(cursor) if all.len() < MOST => {
                path = format!("/departments?limit=200&cursor={}", escaped(cursor));
            }
            Some(_) | None => break,
        }
    }
    all.sort_by_cached_key(|one| orquiva_core::department::key(&one.name));
    Ok(all)
}

/// The tree of some departments.
pub(super) struct Tree<'u> {
    roots: Vec<&'u Unit>,
    children: HashMap<DepartmentId, Vec<&'u Unit>>,
    heads: HashMap<DepartmentId, i64>,
}

impl<'u> Tree<'u> {
    /// Of `units`, in their order, with how many people are in each.
    pub(super) fn of(units: &'u [Unit], heads: &[(Option<DepartmentId>, i64)]) -> Self {
        let known = |id: DepartmentId| units.iter().any(|one| one.id == id);
        let mut tree = Self { roots: Vec::new(), children: HashMap::new(), heads: HashMap::new() };
        for unit in units {
            match unit.parent.filter(|parent| units.len() == MOST || known(*parent)) {
                Some(parent) => tree.children.entry(parent).or_default().push(unit),
                None => tree.roots.push(unit),
            }
        }
        tree.heads.extend(heads.iter().filter_map(|(id, heads)| Some(((*id)?, *heads))));
        tree
    }

    /// Every department with how deep it stands, those under it right after it.
    pub(super) fn walk(&self) -> Vec<(&'u Unit, usize)> {
        let mut walked = Vec::new();
        let mut open: Vec<_> = self.roots.iter().rev().map(|one| (*one, 0)).collect();
        while let Some((one, depth)) = open.pop() {
            walked.push((one, depth));
            open.extend(self.under(one.id).iter().rev().map(|child| (*child, depth + 1)));
        }
        walked
    }

    /// Those directly under one.
    pub(super) fn under(&self, id: DepartmentId) -> &[&'u Unit] {
        self.children.get(&id).map_or(&[], Vec::as_slice)
    }

    /// How many people are in it.
    pub(super) fn heads(&self, id: DepartmentId) -> i64 {
        self.heads.get(&id).copied().unwrap_or(0)
    }

    /// How many people are in it and in all that stands under it.
    pub(super) fn with_those_below(&self, id: DepartmentId) -> i64 {
        let (mut sum, mut open) = (0, vec![id]);
        while let Some(id) = open.pop() {
            sum += self.heads(id);
            open.extend(self.under(id).iter().map(|child| child.id));
        }
        sum
    }
}
