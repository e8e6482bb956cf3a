//! `/v1/usage`: what each client of the company used, minute by minute.

use axum::extract::{OriginalUri, State};
use orquiva_core::id::ClientId;
use orquiva_core::{Code, Fault, Timestamp};
use orquiva_store::usage::{self, Filter, Minute};
use serde_json::{Value, json};

use crate::app::App;
use crate::caller::Caller;
use crate::list::{Page, Paging};
use crate::params::Params;
use crate::problem::Problem;

/// The minutes in which a client did something, the newest first. It takes no scope: what a company used is no
/// secret to its own clients, who share one budget.
#[utoipa::path(
    get,
    path = "/usage",
    tag = "Account",
    operation_id = "listUsage",
    params(("from", Query), ("to", Query), ("clientId", Query)),
    responses((status = 200, body = ref("UsageMinutePage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<Page, Problem> {
    let paging = Paging::of(&mut params);
    let moment = |text: &str| Timestamp::parse(text).ok_or(Fault::InvalidTime);
    let mut filter = Filter {
        from: params.take("from", moment),
        to: params.take("to", moment),
        client: params.take("clientId", |text| ClientId::parse(text).ok_or(Fault::InvalidId { kind: "cli" })),
        after: None,
    };
    params.finish()?;
    let company = caller.company;
    let list = paging.over(&app, &uri, format!("usage {company} {filter:?}"));
    filter.after = list.place()?.map(|text| place(&text)).transpose()?;
    let most = list.most();
    let scan = move |tx| async move { usage::list(&tx, company, &filter, most).await };
    let found = app.store.scan(scan).await?;
    Ok(list.page(found, |minute| format!("{} {}", minute.start.millis(), minute.client), show))
}

/// The minute and the client that a cursor names.
fn place(text: &str) -> Result<(Timestamp, ClientId), Problem> {
    let read = || {
        let (minute, client) = text.split_once(' ')?;
        Some((Timestamp::from_millis(minute.parse().ok()?), ClientId::parse(client)?))
    };
    read().ok_or_else(|| Code::InvalidCursor.into())
}

fn show(one: &Minute) -> Value {
    let Minute { company: _, client, start, requests, refused, errors } = one;
    json!({ "minute": start, "clientId": client, "requests": requests, "refused": refused, "errors": errors })
}
