//! The end of an employment and the return, now or on a day to come, and the way back from both.

use askama::Template;
use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::Right;
use serde_json::{Value, json};

use super::one::{One, find};
use super::references::stale;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::stop::Stop;
use crate::told::{self, WHOLE};

#[derive(Template)]
#[template(path = "people/terminate.html")]
struct TerminatePage {
    page: Page,
    one: One,
    day: String,
    reason: String,
    faults: Faults,
}

#[derive(Template)]
#[template(path = "people/rehire.html")]
struct RehirePage {
    page: Page,
    one: One,
    day: String,
    faults: Faults,
}

fn terminate_page(member: &Member, one: One, form: &Form, faults: Faults) -> TerminatePage {
    TerminatePage {
        page: Page::of(member, Some(Here::People), ("Dar de baja", "Terminate")),
        one,
        day: form.text("day").to_owned(),
        reason: form.text("reason").to_owned(),
        faults,
    }
}

fn rehire_page(member: &Member, one: One, form: &Form, faults: Faults) -> RehirePage {
    RehirePage {
        page: Page::of(member, Some(Here::People), ("Readmitir", "Rehire")),
        one,
        day: form.text("day").to_owned(),
        faults,
    }
}

/// The form that ends an employment.
pub(crate) async fn show_end(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let one = find(&console, &member, &id).await?;
    Ok(html(&terminate_page(&member, one, &Form::default(), Faults::default())))
}

/// Ends it.
pub(crate) async fn end(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    let mut body = json!({});
    for (field, name) in [("effectiveDate", "day"), ("reason", "reason")] {
        if !form.text(name).is_empty() {
            body[field] = json!(form.text(name));
        }
    }
    let step =
        Move { action: "employee.terminated", method: Method::POST, path: "terminate", said: "terminated" };
    match step.take(&console, &member, &id, &form, Some(&body)).await? {
        Taken::Done(response) => Ok(response),
        Taken::Refused(one, faults) => Ok(refused(&terminate_page(&member, one, &form, faults))),
    }
}

/// Cancels an end that lies ahead.
pub(crate) async fn cancel_end(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    let step = Move {
        action: "employee.termination_cancelled",
        method: Method::DELETE,
        path: "terminate",
        said: "termination-cancelled",
    };
    cancelled(step.take(&console, &member, &id, &form, None).await?)
}

/// The form that takes someone on again.
pub(crate) async fn show_return(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let one = find(&console, &member, &id).await?;
    Ok(html(&rehire_page(&member, one, &Form::default(), Faults::default())))
}

/// Takes them on again.
pub(crate) async fn take_back(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    let day = match form.text("day") {
        "" => console.clock.now().date().to_string(),
        day => day.to_owned(),
    };
    let step = Move { action: "employee.rehired", method: Method::POST, path: "rehire", said: "rehired" };
    match step.take(&console, &member, &id, &form, Some(&json!({ "startDate": day }))).await? {
        Taken::Done(response) => Ok(response),
        Taken::Refused(one, faults) => Ok(refused(&rehire_page(&member, one, &form, faults))),
    }
}

/// Cancels a return that lies ahead.
pub(crate) async fn cancel_return(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    let step = Move {
        action: "employee.rehire_cancelled",
        method: Method::DELETE,
        path: "rehire",
        said: "rehire-cancelled",
    };
    cancelled(step.take(&console, &member, &id, &form, None).await?)
}

/// A cancellation that came too late leads to the person as they stand by now, whose page shows what is possible.
fn cancelled(taken: Taken) -> Result<Response, Stop> {
    match taken {
        Taken::Done(response) => Ok(response),
        Taken::Refused(one, _) => {
            Ok(Redirect::to(&format!("{}?said=not-cancelled", one.path())).into_response())
        }
    }
}

/// A step of an employment.
struct Move {
    action: &'static str,
    method: Method,
    path: &'static str,
    said: &'static str,
}

/// What became of it.
enum Taken {
    Done(Response),
    Refused(One, Faults),
}

impl Move {
    async fn take(
        self,
        console: &Console,
        member: &Member,
        id: &str,
        form: &Form,
        body: Option<&Value>,
    ) -> Result<Taken, Stop> {
        member.must(Right::ManagePeople)?;
        let one = find(console, member, id).await?;
        let act = Act::new(self.action, one.id).from(one.body.clone());
        let path = format!("/employees/{}/{}", one.id, self.path);
        let headers = [("if-match", form.text("etag"))];
        match console.inside.write(member.does(act), self.method, &path, &headers, body).await {
            Ok(_) => {
                let to = format!("{}?said={}", one.path(), self.said);
                Ok(Taken::Done(Redirect::to(&to).into_response()))
            }
            Err(problem) if problem.status() == 412 => {
                let mut faults = Faults::default();
                faults.add(WHOLE, stale(member));
                Ok(Taken::Refused(one, faults))
            }
            Err(problem) => {
                // The form says `day` for what the API has its own names for.
                let told = told::faults(problem, member.guest.language)?;
                let mut faults = Faults::default();
                for (name, text) in told.each() {
                    let name = if matches!(name, "effectiveDate" | "startDate") { "day" } else { name };
                    faults.add(name, text);
                }
                Ok(Taken::Refused(one, faults))
            }
        }
    }
}
