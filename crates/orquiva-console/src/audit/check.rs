//! Whether the chain holds.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::{Language, Right};
use orquiva_web::{Break, Finding};

use super::wanted::Wanted;
use super::{Checked, list_page};
use crate::console::Console;
use crate::form::Form;
use crate::member::Member;
use crate::page::html;
use crate::show::number;
use crate::stop::Stop;

/// Back to the list.
pub(crate) async fn show() -> Response {
    Redirect::to("/admin/audit").into_response()
}

/// Walks the whole chain and says what it found, above the list.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    _form: Form,
) -> Result<Response, Stop> {
    member.must(Right::SeeAudit)?;
    let found = console.check_audit(member.company.id).await?;
    if let Finding::Breaks { sequence, fault, .. } = &found {
        tracing::error!(company.id = %member.company.id, sequence, ?fault, "the chain of an audit breaks");
    }
    let checked = told(&found, member.guest.language);
    Ok(html(&list_page(&console, &member, Wanted::default(), Some(checked)).await?))
}

fn told(found: &Finding, language: Language) -> Checked {
    match found {
        Finding::Holds { entries, hash } => {
            let entries = number(*entries, language);
            let es = format!(
                "La cadena se cumple: las {entries} entradas están completas, en orden y sin cambios. La huella del final es:"
            );
            let en = format!(
                "The chain holds: all {entries} entries are there, in order and unchanged. The hash at its end is:"
            );
            Checked { holds: true, text: language.pick(es, en), detail: hash.clone() }
        }
        Finding::Breaks { sequence, id, fault } => {
            let place = number(*sequence, language);
            let (es, en) = match fault {
                Break::Missing => (
                    "falta esa entrada. Alguien la ha borrado de la base de datos.",
                    "that entry is not there. Someone has removed it from the database.",
                ),
                Break::Changed => (
                    "el contenido no es el que se guardó. Alguien ha cambiado la base de datos.",
                    "its content is not what was stored. Someone has changed the database.",
                ),
                Break::Forged => (
                    "el final de la cadena no es el que firmó Orquiva. Alguien ha rehecho las huellas o restaurado parte de una copia.",
                    "the end of the chain is not the one that Orquiva signed. Someone has made the hashes anew, or restored a part of a backup.",
                ),
            };
            let es = format!("La cadena se rompe en la entrada n.º {place}: {es}");
            let en = format!("The chain breaks at entry no. {place}: {en}");
            let detail = id.map(|id| id.to_string()).unwrap_or_default();
            Checked { holds: false, text: language.pick(es, en), detail }
        }
    }
}
