//! `GET /v1/employees`: filters, search, order and pages.

use axum::extract::{OriginalUri, State};
use axum::response::IntoResponse;
use orquiva_core::employee::{Email, EmploymentType, Status, valid_system};
use orquiva_core::id::{DepartmentId, EmployeeId};
use orquiva_core::search::Search;
use orquiva_core::{Code, Date, Fault, Scope, Timestamp, department};
use orquiva_store::Tx;
use orquiva_store::employee::{self, Filter, Order, Place, Sort};

use crate::app::App;
use crate::caller::Caller;
use crate::cursor::{Bound, page_of};
use crate::params::{Params, several};
use crate::pick::Pick;
use crate::problem::Problem;
use crate::view::View;

/// Most characters of a search, and most words.
const MOST: (usize, usize) = (200, 8);

/// Each order and its two names.
pub(crate) const SORTS: &[(&str, &str, Order)] = &[
    ("id", "-id", Order::Id),
    ("fullName", "-fullName", Order::FullName),
    ("startDate", "-startDate", Order::StartDate),
    ("createdAt", "-createdAt", Order::Id), // ids are made in the order of the hires
    ("updatedAt", "-updatedAt", Order::UpdatedAt),
];

/// The employees of the company: in the order in which they were hired here, if no other is asked for. Filters that
/// take several values, parted by commas, let any of them pass.
#[utoipa::path(
    get,
    path = "/employees",
    tag = "Employees",
    operation_id = "listEmployees",
    security(("client" = ["employees:read"])),
    params(
        ("q", Query), ("department", Query), ("departmentId", Query), ("status", Query), ("email", Query),
        ("employeeNumber", Query), ("managerId", Query), ("employmentType", Query), ("location", Query),
        ("externalRef", Query), ("startedFrom", Query), ("startedTo", Query), ("createdSince", Query),
        ("updatedSince", Query), ("sort", Query), ("fields", Query), ("expand", Query)
    ),
    responses((status = 200, body = ref("SeenEmployeePage")))
)]
pub(in crate::api) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<impl IntoResponse, Problem> {
    caller.must(Scope::EmployeesRead)?;
    let limit = params.limit();
    let cursor = params.take("cursor", |text| Ok(text.to_owned()));
    let filter = filter(&mut params);
    let sort = params.take("sort", sort).unwrap_or(Sort {
        by: if filter.updated_since.is_some() { Order::UpdatedAt } else { Order::Id },
        descending: false,
    });
    let pick = Pick::of(&mut params);
    params.finish()?;
    pick.must(&caller)?;
    let company = caller.company;
    let bound = Bound { key: &app.key, to: format!("employees {company} {filter:?} {sort:?}") };
    let place = cursor.map(|cursor| place(&bound.read_text(&cursor)?)).transpose()?;
    let wanted = pick.clone();
    let scan = move |tx: Tx| async move {
        let mut found = employee::list(&tx, company, &filter, sort, place.as_ref(), limit + 1).await?;
        let more = found.len() as i64 > limit;
        found.truncate(limit as usize);
        let related = wanted.related(&tx, company, &found).await?;
        Ok((found, more, related))
    };
    let (found, more, related) = app.store.scan(scan).await?;
    let next = found.last().filter(|_| more).map(|last| {
        let Place { id, key } = sort.by.place(last);
        bound.write_text(&format!("{id} {key}"))
    });
    let view = View::of(&app, &caller).await?;
    let data: Vec<_> = found.iter().map(|employee| pick.each(&view, employee, &related)).collect();
    Ok(page_of(&app, &uri, &data, next, pick.hidden(&view)))
}

fn filter(params: &mut Params) -> Filter {
    let day = |text: &str| Date::parse(text).ok_or(Fault::InvalidDate);
    let moment = |text: &str| Timestamp::parse(text).ok_or(Fault::InvalidTime);
    Filter {
        department: params.take("department", |name| Ok(department::key(name))),
        departments: params
            .take(
                "departmentId",
                several(|id| DepartmentId::parse(id).ok_or(Fault::InvalidId { kind: "dep" })),
            )
            .unwrap_or_default(),
        statuses: params
            .take("status", several(|text| word(text, Status::parse, Status::ALL)))
            .unwrap_or_default(),
        emails: params
            .take("email", several(|text| Email::parse(text).ok_or(Fault::InvalidEmail)))
            .unwrap_or_default(),
        employee_number: params.take("employeeNumber", |text| Ok(text.to_owned())),
        managers: params
            .take("managerId", several(|id| EmployeeId::parse(id).ok_or(Fault::InvalidId { kind: "emp" })))
            .unwrap_or_default(),
        employment_types: params
            .take("employmentType", several(|text| word(text, EmploymentType::parse, EmploymentType::ALL)))
            .unwrap_or_default(),
        location: params.take("location", |text| Ok(text.to_owned())),
        external_ref: params.take("externalRef", |text| match text.split_once(':') {
            Some((system, value)) if valid_system(system) && !value.is_empty() => {
                Ok((system.to_owned(), value.to_owned()))
            }
            Some(_) | None => Err(Fault::WrongType { expected: "system:value" }),
        }),
        started_from: params.take("startedFrom", day),
        started_to: params.take("startedTo", day),
        created_since: params.take("createdSince", moment),
        updated_since: params.take("updatedSince", moment),
        with_value: None,
        search: params.take("q", search).unwrap_or_default(),
    }
}

fn word<T>(text: &str, parse: fn(&str) -> Option<T>, all: &[&str]) -> Result<T, Fault> {
    parse(text).ok_or_else(|| Fault::NotAllowed { choices: all.join(", ") })
}

fn search(query: &str) -> Result<Search, Fault> {
    let (max, most) = MOST;
    if query.chars().count() > max {
        return Err(Fault::TooLong { max });
    }
    let search = Search::parse(query);
    match search.len() {
        0 => Err(Fault::NoWords),
        count if count > most => Err(Fault::TooMany { max: most }),
        _ => Ok(search),
    }
}

fn sort(text: &str) -> Result<Sort, Fault> {
    let known = SORTS.iter().find(|(up, down, _)| [*up, *down].contains(&text));
    known.map(|(_, down, by)| Sort { by: *by, descending: text == *down }).ok_or_else(|| {
        let all: Vec<_> = SORTS.iter().flat_map(|(up, down, _)| [*up, *down]).collect();
        Fault::NotAllowed { choices: all.join(", ") }
    })
}

/// The place that a cursor tells: an id, and what the order goes by.
fn place(text: &str) -> Result<Place, Problem> {
    let (id, key) = text.split_once(' ').ok_or(Code::InvalidCursor)?;
    let id = EmployeeId::parse(id).ok_or(Code::InvalidCursor)?;
    Ok(Place { id, key: key.to_owned() })
}
