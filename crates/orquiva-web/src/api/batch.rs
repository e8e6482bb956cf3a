//! `/v1/employees/batch`: up to 500 hires, changes and removals in one request, each with its own result.

use std::sync::Arc;

use axum::extract::State;
use orquiva_core::field::{Fields, string};
use orquiva_core::id::EmployeeId;
use orquiva_core::{Code, Date, Employee, Fault, FieldError, Language, NewEmployee, Scope};
use orquiva_people::{self as people, Holds, Item, Outcome};
use serde_json::{Value, json};

use crate::answer::Answer;
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::condition::IfMatch;
use crate::params::Params;
use crate::problem::Problem;
use crate::request::Reader;
use crate::view::{Guarded, View};

/// Most items of a batch.
const MOST: usize = 500;

/// What can be done to an employee, as an item's `op` says it.
const OPS: &[&str] = &["create", "update", "delete"];

/// Carries out the items in order: each is stored and announced, or refused, by itself; with `atomic` all are,
/// or none is. One transaction either way, so that nothing is ever half done.
#[utoipa::path(
    post,
    path = "/employees/batch",
    tag = "Employees",
    operation_id = "createBatch",
    security(("client" = ["employees:write"])),
    request_body = ref("Batch"),
    responses((status = 200, body = ref("BatchResult")))
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    params: Params,
    Reader(language): Reader,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::EmployeesWrite)?;
    params.finish()?;
    let guarded = Guarded::of(&app, &caller).await?;
    let may_write = |data: &Value| guarded.may_write(&caller, data);
    let batch = Batch::parse(&body.json, may_write, app.clock.now().date()).map_err(Problem::fields)?;
    let (batch, view) = (Arc::new(batch), View::of(&app, &caller).await?);
    app.write(&caller, body.terms, move |tx, pen| async move {
        let outcomes = people::carry_out(&tx, &pen, &batch.items).await?;
        batch.answer(outcomes, &view, language)
    })
    .await
}

/// The result of an item that was carried out.
fn shown(index: usize, status: u16, employee: Option<&Employee>, view: &View) -> String {
    match employee {
        Some(employee) => {
            format!(r#"{{"index":{index},"status":{status},"data":{}}}"#, view.line(employee))
        }
        None => format!(r#"{{"index":{index},"status":{status}}}"#),
    }
}

/// A batch as it was read.
struct Batch {
    /// What can be tried.
    items: Vec<Item>,
    /// For each item as it was sent, in order: the status of its success, or why it cannot be tried.
    places: Vec<Result<u16, Problem>>,
    atomic: bool,
}

impl Batch {
    fn parse(
        body: &Value,
        may_write: impl Fn(&Value) -> Result<(), Problem>,
        today: Date,
    ) -> Result<Self, Vec<FieldError>> {
        let mut fields = Fields::of(body)?;
        let atomic = fields
            .take("atomic", |value| value.as_bool().ok_or(Fault::WrongType { expected: "true or false" }));
        let sent = fields.need("items", |value| match value.as_array() {
            Some(items) if items.is_empty() => Err(Fault::Empty),
            Some(items) if items.len() > MOST => Err(Fault::TooMany { max: MOST }),
            Some(items) => Ok(items),
            None => Err(Fault::WrongType { expected: "array" }),
        });
        let sent = fields.finish(sent)?;
        let mut batch =
            Self { items: Vec::new(), places: Vec::with_capacity(sent.len()), atomic: atomic == Some(true) };
        for (index, item) in sent.iter().enumerate() {
            let read = read(item, today)
                .map_err(|faults| Problem::fields(faults).within(&format!("/items/{index}")))
                .and_then(|read| may_write(&item["data"]).map(|()| read));
            batch.places.push(read.map(|(status, item)| {
                batch.items.push(item);
                status
            }));
        }
        Ok(batch)
    }

    /// What became of each item; or the refusal of all, if one was refused and it was to be all or none.
    fn answer(&self, outcomes: Vec<Outcome>, view: &View, language: Language) -> Result<Answer, Problem> {
        let mut outcomes = outcomes.into_iter();
        let (mut results, mut refused) = (Vec::with_capacity(self.places.len()), Vec::new());
        for (index, place) in self.places.iter().enumerate() {
            let outcome = place.clone().and_then(|status| {
                let outcome = outcomes.next().ok_or_else(|| Problem::internal("an item without outcome"))?;
                let within = format!("/items/{index}/data");
                outcome
                    .map(|employee| (status, employee))
                    .map_err(|refusal| Problem::from(refusal).within(&within))
            });
            match outcome {
                Ok((status, employee)) => results.push(shown(index, status, employee.as_ref(), view)),
                Err(problem) => {
                    let (status, problem) = (problem.status(), problem.told(language));
                    let result = json!({ "index": index, "status": status, "problem": problem });
                    results.push(result.to_string());
                    refused.push(result);
                }
            }
        }
        if self.atomic && !refused.is_empty() {
            return Err(Problem::from(Code::BatchRefused).telling("results", refused));
        }
        let (succeeded, failed) = (results.len() - refused.len(), refused.len());
        let results = results.join(",");
        let meta = view.meta().map(|meta| format!(r#","_meta":{meta}"#)).unwrap_or_default();
        Ok(Answer::done(format!(
            r#"{{"succeeded":{succeeded},"failed":{failed},"results":[{results}]{meta}}}"#
        )))
    }
}

/// Reads an item. It hires unless its `op` says something else.
fn read(item: &Value, today: Date) -> Result<(u16, Item), Vec<FieldError>> {
    let mut fields = Fields::of(item)?;
    let op = fields.take("op", |value| {
        let op = string(value)?;
        OPS.contains(&op).then_some(op).ok_or_else(|| Fault::NotAllowed { choices: OPS.join(", ") })
    });
    match op {
        None if fields.has("op") => fields.finish(None), // the rest depends on it
        None | Some("create") => {
            let data = fields.need("data", Ok);
            let data = fields.finish(data)?;
            NewEmployee::parse(data, today).map(|new| (201, Item::Hire(Box::new(new)))).map_err(within_data)
        }
        Some(op) => {
            let id = fields.need("id", |value| {
                EmployeeId::parse(string(value)?).ok_or(Fault::InvalidId { kind: "emp" })
            });
            let tags = fields.take("ifMatch", string);
            let expected = IfMatch::listed(tags);
            let holds: Holds = Box::new(move |employee| expected.holds(&employee.etag()));
            if op == "delete" {
                return Ok((204, Item::Remove { id: fields.finish(id)?, holds }));
            }
            let patch = fields.need("data", |value| Ok(value.clone()));
            let (id, patch) = fields.finish(id.zip(patch))?;
            Ok((200, Item::Change { id, patch, holds }))
        }
    }
}

fn within_data(faults: Vec<FieldError>) -> Vec<FieldError> {
    let within = |fault: FieldError| FieldError { pointer: format!("/data{}", fault.pointer), ..fault };
    faults.into_iter().map(within).collect()
}
