//! The audit as a file, made as it is read.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Response};
use orquiva_core::chain::hex;
use orquiva_core::id::{AuditId, CompanyId};
use orquiva_core::{Right, Timestamp};
use orquiva_store::audit::{self, Filter, Placed};
use orquiva_web::lines::{Parts, Patience, stream};

use super::wanted::Wanted;
use crate::console::Console;
use crate::member::Member;
use crate::sheet;
use crate::show::Faults;
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Entries that are held in memory at once.
const PART: i64 = 200;

const PATIENCE: Patience = Patience { part: Duration::from_secs(30), whole: Duration::from_secs(3600) };

/// In which form.
#[derive(Clone, Copy)]
enum Form {
    Csv,
    Lines,
}

/// The entries that are wanted, the oldest first.
pub(crate) async fn get(
    State(console): State<Console>,
    member: Member,
    Path(form): Path<String>,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    member.must(Right::SeeAudit)?;
    let form = match form.as_str() {
        "csv" => Form::Csv,
        "ndjson" => Form::Lines,
        _ => return Err(Stop::NotFound),
    };
    let mut faults = Faults::default();
    let filter = Wanted::read(&asked).filter(member.guest.language, &mut faults);
    if !faults.is_empty() {
        return Err(Stop::NotFound);
    }
    let company = member.company.id;
    let running = console.export_audit(company).await?;
    let snapshot = console.store.snapshot().await?;
    let lines = stream(PATIENCE, async move |parts: Parts| {
        let _running = running;
        if let Form::Csv = form {
            parts.put(format!("{}{}", sheet::MARK, sheet::line(COLUMNS))).await?;
        }
        let mut after = AuditId::first_at(Timestamp::from_millis(0));
        loop {
            let filter = Filter { before: None, after: Some(after), ..filter.clone() };
            let next = move |tx| async move { audit::list(&tx, company, &filter, PART).await };
            let entries = snapshot.read(next).await?;
            let Some(last) = entries.last() else { return Ok(parts) };
            after = last.entry.id;
            parts.put(entries.iter().map(|placed| line(form, company, placed)).collect::<String>()).await?;
        }
    });
    let day = console.clock.now().date();
    let head = match form {
        Form::Csv => sheet::head(&format!("audit-{day}.csv"), sheet::CSV),
        Form::Lines => sheet::head(&format!("audit-{day}.ndjson"), "application/x-ndjson"),
    };
    Ok((head, Body::new(lines)).into_response())
}

const COLUMNS: [&str; 11] = [
    "sequence",
    "at",
    "actorType",
    "actorId",
    "actorName",
    "address",
    "action",
    "target",
    "before",
    "after",
    "hash",
];

fn line(form: Form, company: CompanyId, placed: &Placed) -> String {
    let Placed { entry, place } = placed;
    let sequence = place.as_ref().map(|place| place.sequence);
    let hash = place.as_ref().map(|place| hex(&place.hash)).unwrap_or_default();
    match form {
        // The line as it stands in the chain, with its link at the end.
        Form::Lines => {
            let mut line = entry.line(company, sequence);
            line.pop();
            format!("{line},\"hash\":\"{hash}\"}}\n")
        }
        Form::Csv => {
            let own = |text: &Option<String>| text.clone().unwrap_or_default();
            sheet::line([
                sequence.map(|sequence| sequence.to_string()).unwrap_or_default(),
                entry.at.to_string(),
                entry.actor_type.to_owned(),
                own(&entry.actor_id),
                entry.actor_name.clone(),
                own(&entry.address),
                entry.action.clone(),
                entry.target.clone(),
                own(&entry.before),
                own(&entry.after),
                hash,
            ])
        }
    }
}
