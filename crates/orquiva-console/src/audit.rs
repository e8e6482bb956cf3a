//! `/admin/audit`: who did what, from where, before and after, in a chain that can be checked.

pub(crate) mod check;
mod diff;
pub(crate) mod export;
mod wanted;

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use orquiva_core::chain::hex;
use orquiva_core::{Language, Right};
use orquiva_store::audit::{self, Filter, Placed};
use serde_json::Value;

use self::diff::{Change, changes};
use self::wanted::{Choice, Wanted, actors};
use crate::console::Console;
use crate::member::Member;
use crate::page::{Here, Page, html, refused};
use crate::show::Faults;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Each action by its word, in Spanish and in English.
const ACTIONS: &[(&str, &str, &str)] = &[
    ("company.created", "Empresa creada", "Company created"),
    ("company.updated", "Ajustes cambiados", "Settings changed"),
    ("company.suspended", "Empresa suspendida", "Company suspended"),
    ("company.resumed", "Empresa reactivada", "Company resumed"),
    ("session.created", "Inicio de sesión", "Signed in"),
    ("invitation.created", "Invitación creada", "Invitation created"),
    ("invitation.withdrawn", "Invitación retirada", "Invitation withdrawn"),
    ("member.created", "Se incorporó un miembro", "Member joined"),
    ("member.updated", "Rol de un miembro cambiado", "Member's role changed"),
    ("member.removed", "Miembro quitado", "Member removed"),
    ("client.created", "Cliente de API creado", "API client created"),
    ("client.updated", "Cliente de API cambiado", "API client changed"),
    ("client.rotated", "Secreto rotado", "Secret rotated"),
    ("client.revoked", "Cliente de API revocado", "API client revoked"),
    ("webhook.created", "Webhook creado", "Webhook created"),
    ("webhook.updated", "Webhook cambiado", "Webhook changed"),
    ("webhook.paused", "Webhook en pausa", "Webhook paused"),
    ("webhook.resumed", "Webhook reanudado", "Webhook resumed"),
    ("webhook.rotated", "Secreto de webhook rotado", "Webhook secret rotated"),
    ("webhook.tested", "Webhook probado", "Webhook tested"),
    ("webhook.deleted", "Webhook borrado", "Webhook deleted"),
    ("delivery.retried", "Entrega enviada de nuevo", "Delivery sent again"),
    ("replay.started", "Eventos repetidos", "Events replayed"),
    ("replay.cancelled", "Repetición cancelada", "Replay cancelled"),
    ("notice.read", "Aviso leído", "Notice read"),
    ("employee.created", "Alta", "Hired"),
    ("employee.updated", "Datos de una persona cambiados", "Person changed"),
    ("employee.terminated", "Baja", "Terminated"),
    ("employee.termination_cancelled", "Baja cancelada", "Termination cancelled"),
    ("employee.rehired", "Readmisión", "Rehired"),
    ("employee.rehire_cancelled", "Readmisión cancelada", "Rehire cancelled"),
    ("employee.deleted", "Persona borrada", "Person deleted"),
    ("import.started", "Importación iniciada", "Import started"),
    ("import.undone", "Importación deshecha", "Import undone"),
    ("department.created", "Departamento creado", "Department created"),
    ("department.updated", "Departamento cambiado", "Department changed"),
    ("department.deleted", "Departamento borrado", "Department deleted"),
    ("custom_field.created", "Campo propio creado", "Custom field created"),
    ("custom_field.updated", "Campo propio cambiado", "Custom field changed"),
    ("custom_field.deleted", "Campo propio borrado", "Custom field deleted"),
];

/// What an action is called on screens.
pub(crate) fn name(action: &str, language: Language) -> &str {
    let known = ACTIONS.iter().find(|(word, _, _)| *word == action);
    known.map_or(action, |(_, es, en)| language.pick(*es, *en))
}

/// Entries on a page.
const PAGE: i64 = 40;

/// An entry as the page shows it.
struct Shown {
    placed: Placed,
    changes: Vec<Change>,
    /// What its target is called.
    called: String,
    hash: String,
}

impl Shown {
    fn of(placed: Placed, language: Language) -> Self {
        let entry = &placed.entry;
        let called = [&entry.after, &entry.before].into_iter().flatten().find_map(|text| called(text));
        Self {
            changes: changes(entry.before.as_deref(), entry.after.as_deref(), language),
            called: called.unwrap_or_default(),
            hash: placed.place.as_ref().map(|place| hex(&place.hash)).unwrap_or_default(),
            placed,
        }
    }

    /// By what only its doings are shown.
    fn actor(&self) -> &str {
        self.placed.entry.actor_id.as_deref().unwrap_or("system")
    }

    fn sequence(&self) -> Option<i64> {
        self.placed.place.as_ref().map(|place| place.sequence)
    }

    /// Where its target is looked at, if it has a page.
    fn way(&self) -> Option<String> {
        let target = &self.placed.entry.target;
        let (prefix, _) = target.split_once('_')?;
        match prefix {
            "cli" => Some(format!("/admin/api-clients/{target}")),
            "dep" => Some(format!("/admin/departments/{target}")),
            "emp" => Some(format!("/admin/employees/{target}")),
            "whk" => Some(format!("/admin/webhooks/{target}")),
            _ => None,
        }
    }
}

/// The name that a resource has in its JSON.
fn called(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    ["name", "fullName", "label", "description", "url", "email"]
        .iter()
        .find_map(|name| value[*name].as_str().filter(|text| !text.is_empty()).map(str::to_owned))
}

/// What came of a check.
pub(crate) struct Checked {
    holds: bool,
    text: String,
    /// The last link, or the entry at which the chain breaks.
    detail: String,
}

#[derive(Template)]
#[template(path = "audit/list.html")]
struct ListPage {
    page: Page,
    entries: Vec<Shown>,
    wanted: Wanted,
    faults: Faults,
    actors: Vec<Choice>,
    actions: Vec<Choice>,
    older: Option<String>,
    is_first: bool,
    checked: Option<Checked>,
}

async fn list_page(
    console: &Console,
    member: &Member,
    wanted: Wanted,
    checked: Option<Checked>,
) -> Result<ListPage, Stop> {
    let (company, language) = (member.company.id, member.guest.language);
    let mut faults = Faults::default();
    let filter = wanted.filter(language, &mut faults);
    let is_first = filter.before.is_none();
    let mut found = match faults.is_empty() {
        true => {
            console
                .store
                .scan(move |tx| async move { audit::list(&tx, company, &filter, PAGE + 1).await })
                .await?
        }
        false => Vec::new(),
    };
    let more = found.len() as i64 > PAGE;
    found.truncate(PAGE as usize);
    let older = found.last().filter(|_| more).map(|last| wanted.query(Some(last.entry.id)));
    let mut actions: Vec<_> =
        ACTIONS.iter().map(|(word, es, en)| Choice::of(word, language.pick(es, en))).collect();
    actions.sort_by_key(|choice| choice.name.to_lowercase());
    Ok(ListPage {
        page: Page::of(member, Some(Here::Audit), ("Auditoría", "Audit")),
        entries: found.into_iter().map(|placed| Shown::of(placed, language)).collect(),
        actors: actors(console, member, &wanted).await?,
        actions,
        older,
        is_first,
        wanted,
        faults,
        checked,
    })
}

/// The newest entries that are wanted.
pub(crate) async fn list(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    member.must(Right::SeeAudit)?;
    let page = list_page(&console, &member, Wanted::read(&asked), None).await?;
    Ok(if page.faults.is_empty() { html(&page) } else { refused(&page) })
}

/// The last few entries of a company, for the first page of who may read them.
pub(crate) async fn recent(
    console: &Console,
    member: &Member,
    count: i64,
) -> Result<Vec<audit::Entry>, Stop> {
    if !member.may(Right::SeeAudit) {
        return Ok(Vec::new());
    }
    let tx = console.store.read().await?;
    let found = audit::list(&tx, member.company.id, &Filter::default(), count).await?;
    Ok(found.into_iter().map(|placed| placed.entry).collect())
}
