//! `/v1/webhooks/{id}/replay` and `/v1/replays`: events that an endpoint gets again.

use axum::Json;
use axum::extract::{OriginalUri, Path, State};
use orquiva_core::id::{CompanyId, WebhookId};
use orquiva_core::webhook::replay::{NewReplay, What, Which};
use orquiva_core::{Code, Fault, FieldError, Scope};
use orquiva_store::lane::Lane;
use orquiva_store::replay::part::{Asked, target};
use orquiva_store::replay::{self, Counts, Replay};
use orquiva_store::{StoreError, company, event};
use serde_json::{Value, json};

use crate::answer::{Answer, to_json};
use crate::app::App;
use crate::body::Body;
use crate::caller::Caller;
use crate::list::{Page, Paging};
use crate::params::Params;
use crate::problem::Problem;
use crate::request::known;
use crate::terms::Terms;

/// Events that are looked at with one statement while they are counted.
const PART: i64 = 500;

/// Parts that are looked at, at most, to count what a replay will be.
const MOST_PARTS: usize = 400;

/// Sends an endpoint events of the log again, also those from before it was created.
#[utoipa::path(
    post,
    path = "/webhooks/{id}/replay",
    tag = "Webhooks",
    operation_id = "replayEvents",
    security(("client" = ["webhooks:manage"])),
    request_body = ref("NewReplay"),
    responses((status = 202, body = ref("Replay")))
)]
pub(super) async fn create(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    body: Body,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let webhook = WebhookId::parse(&id).ok_or(Code::NotFound)?;
    let target = {
        let tx = app.store.read().await?;
        target(&tx, caller.company, webhook).await?
    };
    let new = NewReplay::parse(&body.json).map_err(Problem::fields)?;
    if target.is_disabled() {
        return Err(Code::WebhookDisabled.into());
    }
    let types = match &new.what {
        What::Span { types, .. } => types.clone(),
        What::Ids(_) => None,
    };
    let (asked, after) = span(&app, &caller, &new, Asked::of(target, types.as_ref())).await?;
    let (total, is_exact) = count(&app, caller.company, &asked, new.which, after).await?;
    app.write(&caller, body.terms, move |tx, pen| async move {
        if replay::running(&tx, pen.company).await? >= replay::MOST_RUNNING {
            return Err(too_many());
        }
        let made = Replay {
            id: pen.mint.next(),
            webhook,
            from: asked.from,
            to: asked.to,
            types: types.map(|types| types.each().iter().map(|kind| (*kind).to_owned()).collect()),
            which: new.which,
            sequences: asked.sequences,
            rate: new.rate,
            status: "running".to_owned(),
            reason: None,
            position: after,
            last: asked.last.max(after),
            total,
            is_exact,
            queued: 0,
            counts: Counts::default(),
            created_at: pen.now,
            done_at: None,
        };
        replay::create(&tx, pen.company, &made).await?;
        let location = Some(format!("/v1/replays/{}", made.id));
        Ok(Answer { status: 202, location, body: to_json(&show(&made)), ..Answer::default() })
    })
    .await
}

fn too_many() -> Problem {
    let most = replay::MOST_RUNNING;
    Problem::from(Code::LimitReached).because(
        format!("Ya hay {most} repeticiones en curso. Espere a que acabe una o cancélela."),
        format!("{most} replays are running. Wait for one to end, or cancel it."),
    )
}

/// One replay, and how far it has come.
#[utoipa::path(
    get,
    path = "/replays/{id}",
    tag = "Deliveries",
    operation_id = "getReplay",
    security(("client" = ["webhooks:manage"])),
    responses((status = 200, body = ref("Replay")))
)]
pub(super) async fn get(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
) -> Result<Json<Value>, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let (company, id) = (caller.company, known(&id)?);
    let one = app.store.scan(move |tx| async move { replay::get(&tx, company, id).await }).await?;
    Ok(Json(show(&one)))
}

/// The replays of the company, the newest first.
#[utoipa::path(
    get,
    path = "/replays",
    tag = "Deliveries",
    operation_id = "listReplays",
    security(("client" = ["webhooks:manage"])),
    params(("webhookId", Query)),
    responses((status = 200, body = ref("ReplayPage")))
)]
pub(super) async fn list(
    State(app): State<App>,
    caller: Caller,
    OriginalUri(uri): OriginalUri,
    mut params: Params,
) -> Result<Page, Problem> {
    caller.must(Scope::WebhooksManage)?;
    let paging = Paging::of(&mut params);
    let webhook =
        params.take("webhookId", |text| WebhookId::parse(text).ok_or(Fault::InvalidId { kind: "whk" }));
    params.finish()?;
    let company = caller.company;
    let list = paging.over(&app, &uri, format!("replays {company} {webhook:?}"));
    let (before, most) = (list.after()?, list.most());
    let scan = move |tx| async move { replay::list(&tx, company, webhook, before, most).await };
    let found = app.store.scan(scan).await?;
    Ok(list.page(found, |replay| replay.id.to_string(), show))
}

/// Ends a replay. What of it was not sent yet is cancelled; what was sent stays so.
#[utoipa::path(
    post,
    path = "/replays/{id}/cancel",
    tag = "Deliveries",
    operation_id = "cancelReplay",
    security(("client" = ["webhooks:manage"])),
    responses((status = 200, body = ref("Replay")))
)]
pub(super) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    Path(id): Path<String>,
    params: Params,
    terms: Terms,
) -> Result<Answer, Problem> {
    caller.must(Scope::WebhooksManage)?;
    params.finish()?;
    let id = known(&id)?;
    app.write(&caller, terms, move |tx, pen| async move {
        let company = pen.company;
        let before = replay::get(&tx, company, id).await?;
        if before.status == "completed" {
            return Err(Code::ReplayCompleted.into());
        }
        let lane = Lane { company, webhook: before.webhook };
        replay::cancel(&tx, lane, id, None, pen.now).await?;
        Ok(Answer::done(to_json(&show(&replay::get(&tx, company, id).await?))))
    })
    .await
}

/// The part of the log that is meant, and the place before it.
async fn span(app: &App, caller: &Caller, new: &NewReplay, asked: Asked) -> Result<(Asked, i64), Problem> {
    let company = caller.company;
    let (from, to) = match &new.what {
        What::Span { from, to, .. } => (*from, *to),
        What::Ids(ids) => {
            let ids = ids.clone();
            let tx = app.store.read().await?;
            let places = event::places(&tx, company, &ids).await?;
            let unknown = ids.iter().enumerate().filter(|(_, id)| !places.contains_key(id));
            let fault = |at| FieldError { pointer: format!("/eventIds/{at}"), fault: Fault::UnknownEventId };
            let faults: Vec<_> = unknown.map(|(at, _)| fault(at)).collect();
            if !faults.is_empty() {
                return Err(Problem::fields(faults));
            }
            let mut sequences: Vec<_> = places.into_values().collect();
            sequences.sort_unstable();
            return Ok((asked.at(sequences), 0));
        }
    };
    let tx = app.store.read().await?;
    let days = company::get(&tx, company).await?.plan.delivery_days();
    if new.which != Which::All && app.clock.now().since(from) > days * 86_400_000 {
        let fault = Fault::BeforeDeliveryLog { days };
        return Err(Problem::fields(vec![FieldError { pointer: "/from".to_owned(), fault }]));
    }
    drop(tx);
    let between = move |tx| async move { asked.between(&tx, company, from, to).await };
    Ok(app.store.scan(between).await?)
}

/// How many events are meant, and whether that was counted to the end.
async fn count(
    app: &App,
    company: CompanyId,
    asked: &Asked,
    which: Which,
    mut after: i64,
) -> Result<(i64, bool), StoreError> {
    let mut total = 0;
    for _ in 0..MOST_PARTS {
        if after >= asked.last {
            return Ok((total, true));
        }
        let asked = asked.clone();
        let look = move |tx| async move { asked.look(&tx, company, after, PART).await };
        let part = app.store.scan(look).await?;
        total += part.events.iter().filter(|(_, fate)| fate.is_meant_by(which)).count() as i64;
        after = part.through;
    }
    Ok((total, after >= asked.last))
}

fn show(one: &Replay) -> Value {
    let Replay { id, webhook, from, to, types, which, rate, status, reason, .. } = one;
    let Replay { total, is_exact, queued, counts, created_at, done_at, .. } = one;
    let Counts { waiting, delivered, failed, cancelled } = counts;
    json!({
        "id": id,
        "webhookId": webhook,
        "status": status,
        "reason": reason,
        "from": from,
        "to": to,
        "types": types,
        "state": which,
        "ratePerSecond": rate,
        "total": total,
        "totalIsExact": is_exact,
        "queued": queued,
        "waiting": waiting,
        "delivered": delivered,
        "failed": failed,
        "cancelled": cancelled,
        "createdAt": created_at,
        "doneAt": done_at,
    })
}
