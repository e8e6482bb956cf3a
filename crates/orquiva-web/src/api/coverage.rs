//! `/v1/me/coverage`: which fields of employees the caller can see, and how full they are. A sync that finds a field
//! empty learns here whether it is empty, or hidden.

use axum::Json;
use axum::extract::State;
use orquiva_core::Scope;
use orquiva_core::employee::{FIELDS, SENSITIVE};
use orquiva_store::employee::{self, Coverage};
use serde::Serialize;

use crate::app::App;
use crate::caller::Caller;
use crate::params::Params;
use crate::problem::Problem;

#[derive(Serialize)]
pub(super) struct Shown {
    /// How many employees there are, for whoever may see employees.
    employees: Option<i64>,
    fields: Vec<Field>,
}

#[derive(Serialize)]
struct Field {
    field: &'static str,
    visible: bool,
    /// What it takes to see it.
    scope: &'static str,
    /// How many employees have it.
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<i64>,
    /// The same, of 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    share: Option<f64>,
}

/// Every field, with the scope that shows it, and how full it is if the caller holds that. It takes no scope.
#[utoipa::path(
    get,
    path = "/me/coverage",
    tag = "Account",
    operation_id = "getCoverage",
    responses((status = 200, body = ref("Coverage")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    params: Params,
) -> Result<Json<Shown>, Problem> {
    params.finish()?;
    let company = caller.company;
    let counted = match caller.may(Scope::EmployeesRead) {
        true => Some(app.store.scan(move |tx| async move { employee::coverage(&tx, company).await }).await?),
        false => None,
    };
    let shown = |field: &&'static str| show(&caller, counted.as_ref(), field);
    let fields = FIELDS.iter().chain(SENSITIVE).map(shown).collect();
    Ok(Json(Shown { employees: counted.as_ref().map(|counted| counted.employees), fields }))
}

fn show(caller: &Caller, counted: Option<&Coverage>, field: &'static str) -> Field {
    let scope = match SENSITIVE.contains(&field) {
        true => Scope::EmployeesSensitiveRead,
        false => Scope::EmployeesRead,
    };
    let counted = counted.filter(|_| caller.may(scope));
    let share = |counted: &Coverage| match counted.employees {
        0 => 0.0,
        all => (counted.of(field) * 10_000 / all) as f64 / 10_000.0,
    };
    Field {
        field,
        visible: counted.is_some(),
        scope: scope.as_str(),
        count: counted.map(|counted| counted.of(field)),
        share: counted.map(share),
    }
}
