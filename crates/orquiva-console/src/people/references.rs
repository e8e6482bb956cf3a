//! What a person is called in other systems.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use http::Method;
use orquiva_core::employee::valid_system;
use orquiva_core::{Fault, Right};
use serde_json::{Value, json};

use super::one::find;
use super::person;
use crate::console::Console;
use crate::form::Form;
use crate::member::{Act, Member};
use crate::page::refused;
use crate::show::Faults;
use crate::stop::Stop;
use crate::told;

/// Adds or changes one reference, or removes it.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    Path(id): Path<String>,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManagePeople)?;
    let language = member.guest.language;
    let one = find(&console, &member, &id).await?;
    let (system, value) = match form.has("remove") {
        true => (form.text("remove"), Value::Null),
        false => (form.text("system"), json!(form.text("value"))),
    };
    let mut faults = Faults::default();
    if !valid_system(system) {
        faults.add("system", Fault::InvalidKey.detail(language));
    } else {
        let act = Act::new("employee.updated", one.id).from(one.body.clone());
        let body = json!({ "external_refs": { system: value } });
        let headers = [("if-match", form.text("etag"))];
        let path = format!("/employees/{}", one.id);
        match console.inside.write(member.does(act), Method::PATCH, &path, &headers, Some(&body)).await {
            Ok(_) => {
                return Ok(Redirect::to(&format!("{}?said=references-changed", one.path())).into_response());
            }
            Err(problem) if problem.status() == 412 => faults.add("value", stale(&member)),
            Err(problem) => {
                let told = told::faults(problem, language)?;
                told.each().for_each(|(_, text)| faults.add("value", text));
            }
        }
    }
    let typed = (form.text("system").to_owned(), form.text("value").to_owned());
    Ok(refused(&person::view(&console, &member, one, None, typed, faults).await?))
}

/// What to do when someone else was quicker.
pub(super) fn stale(member: &Member) -> &'static str {
    member.guest.language.pick(
        "Alguien ha cambiado los datos de esta persona mientras tanto. No se ha guardado nada: revíselos y envíelo de nuevo.",
        "Someone has changed this person's data in the meantime. Nothing was saved: look at it and send it again.",
    )
}
