//! Why a receiver says that a signature is wrong: a request that was pasted is held against what was sent.

use askama::Template;
use axum::extract::{Query, State};
use axum::response::Response;
use orquiva_core::id::{DeliveryId, WebhookId};
use orquiva_core::webhook::check::{
    Change, Evidence, Finding, Malformed, Spelling, TOLERANCE, check, header,
};
use orquiva_core::{Right, Secret, Timestamp};
use orquiva_store::lane::Lane;
use orquiva_store::{StoreError, webhook};
use serde_json::Value;

use super::endpoint::Endpoint;
use crate::console::Console;
use crate::form::Form;
use crate::member::Member;
use crate::next::escaped;
use crate::page::{Here, Page, html};
use crate::show::{Faults, number, utc};
use crate::sign_in::Asked;
use crate::stop::Stop;

/// Endpoints whose secrets are tried if it is not known which one it was.
const MOST: usize = 50;

/// What was pasted.
#[derive(Clone, Debug, Default)]
struct Draft {
    headers: String,
    body: String,
    secret: String,
    at: String,
    /// Which endpoint it is of, if that was said.
    webhook: String,
}

/// A secret that may have signed, and what it is called.
struct Known {
    secret: Secret,
    /// Of which endpoint.
    name: String,
    id: String,
    /// Until when it signs, if it is not the present one.
    until: Option<Timestamp>,
}

/// What was found, as it is told.
struct Told {
    /// Whether it is good news.
    is_good: bool,
    title: String,
    text: String,
    /// What was received, with where it differs from what was sent.
    differs: Option<Differs>,
}

/// Where a body differs: what is the same before, and what follows here and there.
struct Differs {
    before: String,
    received: String,
    sent: String,
}

#[derive(Template)]
#[template(path = "webhooks/check.html")]
struct CheckPage {
    page: Page,
    draft: Draft,
    endpoints: Vec<Endpoint>,
    faults: Faults,
    told: Vec<Told>,
}

/// The form, with a request that was really sent if one was named.
pub(crate) async fn show(
    State(console): State<Console>,
    member: Member,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let mut draft = Draft::default();
    if let Some(id) = asked.get("delivery") {
        let delivery =
            console.inside.read(member.reads(), &format!("/deliveries/{}", escaped(id))).await?.body;
        let number = asked.get("attempt").and_then(|number| number.parse::<i64>().ok());
        let attempts = delivery["attempts"].as_array().map(Vec::as_slice).unwrap_or_default();
        let attempt = attempts.iter().find(|one| one["number"].as_i64() == number).or(attempts.last());
        let request = &attempt.unwrap_or(&Value::Null)["request"];
        for (name, value) in request["headers"].as_object().into_iter().flatten() {
            draft.headers.push_str(&format!("{name}: {}\n", value.as_str().unwrap_or_default()));
        }
        draft.body = request["body"].as_str().unwrap_or_default().to_owned();
        let at = attempt.and_then(|one| one["startedAt"].as_str()).unwrap_or_default();
        draft.at = at.get(..19).unwrap_or_default().to_owned();
        draft.webhook = delivery["webhookId"].as_str().unwrap_or_default().to_owned();
    }
    let endpoints = endpoints(&console, &member).await?;
    let page = Page::of(&member, Some(Here::Webhooks), TITLE);
    Ok(html(&CheckPage { page, draft, endpoints, faults: Faults::default(), told: Vec::new() }))
}

const TITLE: (&str, &str) = ("Comprobar una firma", "Check a signature");

async fn endpoints(console: &Console, member: &Member) -> Result<Vec<Endpoint>, Stop> {
    let found = console.inside.read(member.reads(), "/webhooks?limit=200").await?.body;
    Ok(found["data"].as_array().into_iter().flatten().cloned().map(Endpoint).collect())
}

/// Checks what was pasted.
pub(crate) async fn post(
    State(console): State<Console>,
    member: Member,
    form: Form,
) -> Result<Response, Stop> {
    member.must(Right::ManageWebhooks)?;
    let own = |name: &str| form.text(name).to_owned();
    let draft = Draft {
        headers: own("headers"),
        body: form.raw("body").to_owned(),
        secret: own("secret"),
        at: own("at"),
        webhook: own("webhook"),
    };
    let page = Page::of(&member, Some(Here::Webhooks), TITLE);
    let mut faults = Faults::default();
    if draft.headers.is_empty() {
        faults.add("headers", page.t("Pegue las cabeceras que llegaron.", "Paste the headers that came."));
    }
    let at = match utc(&draft.at) {
        Some(at) => at,
        None if draft.at.is_empty() => console.clock.now(),
        None => {
            faults.add("at", page.t("No es una fecha con hora.", "It is no date with a time."));
            console.clock.now()
        }
    };
    let endpoints = endpoints(&console, &member).await?;
    let mut told = Vec::new();
    if faults.is_empty() {
        let (delivery, sent) = sent(&console, &member, &draft).await?;
        let one = [draft.webhook.as_str(), delivery.as_str()].into_iter().find(|id| !id.is_empty());
        let meant = endpoints.iter().filter(|endpoint| one.is_none_or(|id| endpoint.id() == id)).take(MOST);
        let known = secrets(&console, &member, meant).await?;
        let secrets: Vec<_> = known.iter().map(|one| one.secret.clone()).collect();
        let secret = (!draft.secret.is_empty()).then(|| Secret::new(form.raw("secret")));
        let evidence = Evidence {
            headers: &draft.headers,
            // A field of a form ends its lines in its own way.
            body: &draft.body.replace("\r\n", "\n"),
            own: secret.as_ref(),
            known: &secrets,
            sent: sent.as_deref(),
            at,
        };
        told = check(evidence).iter().map(|finding| tell(&page, finding, &known, evidence)).collect();
    }
    let answer = CheckPage { page, draft, endpoints, faults, told };
    Ok(if answer.faults.is_empty() { html(&answer) } else { crate::page::refused(&answer) })
}

/// The endpoint and the body of the delivery that the headers name, if it is in the log.
async fn sent(console: &Console, member: &Member, draft: &Draft) -> Result<(String, Option<String>), Stop> {
    let id = header(&draft.headers, "x-orq-delivery").and_then(DeliveryId::parse);
    let Some(id) = id else { return Ok((String::new(), None)) };
    match console.inside.read(member.reads(), &format!("/deliveries/{id}")).await {
        Ok(reply) => {
            let last = reply.body["attempts"].as_array().and_then(|attempts| attempts.last().cloned());
            let last = last.unwrap_or_default();
            let is_whole = !reply.body["_meta"]["redacted"].is_array();
            let body = last["request"]["body"].as_str().filter(|_| is_whole).map(str::to_owned);
            Ok((reply.body["webhookId"].as_str().unwrap_or_default().to_owned(), body))
        }
        Err(refused) if refused.status() == 404 => Ok((String::new(), None)),
        Err(refused) => Err(refused.into()),
    }
}

/// The secrets of these endpoints, opened: the present ones, and those before the last rotation.
async fn secrets(
    console: &Console,
    member: &Member,
    endpoints: impl Iterator<Item = &Endpoint>,
) -> Result<Vec<Known>, StoreError> {
    let tx = console.store.read().await?;
    let company = member.company.id;
    let mut known = Vec::new();
    for endpoint in endpoints {
        let Some(id) = WebhookId::parse(endpoint.id()) else { continue };
        let keys = match webhook::keys(&tx, company, id).await {
            Ok(keys) => keys,
            Err(StoreError::NotFound) => continue,
            Err(error) => return Err(error),
        };
        let place = Lane { company, webhook: id }.secret_place();
        let previous = keys.previous.map(|(keys, until)| (keys.secret, Some(until)));
        for (sealed, until) in [(keys.keys.secret, None)].into_iter().chain(previous) {
            let open = console.key.open(&sealed, &place).map_err(StoreError::broken)?;
            let secret = Secret::new(str::from_utf8(&open).map_err(StoreError::broken)?);
            known.push(Known {
                secret,
                name: endpoint.name().to_owned(),
                id: endpoint.id().to_owned(),
                until,
            });
        }
    }
    Ok(known)
}

fn tell(page: &Page, finding: &Finding, known: &[Known], evidence: Evidence<'_>) -> Told {
    let (title, text) = match finding {
        Finding::Holds(of) => (
            page.t("La firma es buena", "The signature is good").to_owned(),
            match of.and_then(|at| known.get(at)) {
                Some(one) => format!("{} {}", page.t("Con", "With"), named(page, one)),
                None => page
                    .t(
                        "Con ese secreto, ese cuerpo y esa hora. Si su programa la rechaza, compara otra cosa: mire qué bytes y qué secreto usa de verdad.",
                        "With that secret, that body and that time. If your program refuses it, it compares something else: look at which bytes and which secret it really uses.",
                    )
                    .to_owned(),
            },
        ),
        Finding::Missing(name) => (
            format!("{} {name}", page.t("Falta la cabecera", "There is no header")),
            page.t(
                "Sin ella no hay firma que comprobar. Suele quitarla un proxy o una pasarela que solo deja pasar las cabeceras que conoce.",
                "Without it there is no signature to check. Often a proxy or gateway lets only the headers through that it knows.",
            )
            .to_owned(),
        ),
        Finding::Malformed(name, what) => {
            (format!("{} {name}", page.t("No se puede leer", "One cannot read")), malformed(page, *what))
        }
        Finding::Clock(off) => clock(page, *off),
        Finding::Body { change, .. } => body(page, *change),
        Finding::Spelling(spelling) => (
            page.t("El secreto está mal copiado", "The secret was copied badly").to_owned(),
            match spelling {
                Spelling::Around => page.t(
                    "Lleva comillas o espacios alrededor. Quítelos.",
                    "It has quotation marks or spaces around it. Remove them.",
                ),
                Spelling::NoPrefix => page.t(
                    "Le falta whsec_ al principio: la clave es el texto entero del secreto, tal como se mostró.",
                    "whsec_ is missing at its start: the key is the whole text of the secret, as it was shown.",
                ),
            }
            .to_owned(),
        ),
        Finding::Secret { signed, own } => secret(page, *signed, *own, known, evidence),
        Finding::Unknown => (
            page.t("No la firma ningún secreto conocido", "No known secret signs it").to_owned(),
            page.t(
                "O el cuerpo no es el que se envió, o el secreto es de otro webhook. Pegue también x-orq-delivery: con ella se busca lo que se envió.",
                "Either the body is not what was sent, or the secret is another endpoint's. Paste x-orq-delivery too: with it what was sent is looked for.",
            )
            .to_owned(),
        ),
    };
    let differs = match finding {
        Finding::Body { at, .. } => differs(evidence.body, evidence.sent, *at),
        _ => None,
    };
    Told { is_good: matches!(finding, Finding::Holds(_)), title, text, differs }
}

fn malformed(page: &Page, what: Malformed) -> String {
    match what {
        Malformed::NoTime => page
            .t("No dice cuándo se firmó: falta t=… en segundos.", "It does not say when it was signed: t=… in seconds is missing.")
            .to_owned(),
        Malformed::NoSignature => {
            page.t("No lleva ninguna firma v1.", "There is no v1 signature in it.").to_owned()
        }
        Malformed::WrongLength { has, needs } => page.language().pick(
            format!("La firma tiene {has} caracteres y debe tener {needs}: se ha cortado al copiarla o por el camino."),
            format!("The signature has {has} characters and should have {needs}: it was cut while copying or on the way."),
        ),
    }
}

fn clock(page: &Page, off: i64) -> (String, String) {
    let span = match off.abs() {
        seconds @ ..7_200 => format!("{} min", number(seconds / 60, page.language())),
        seconds => format!("{} h", number(seconds / 3_600, page.language())),
    };
    let minutes = TOLERANCE / 60;
    let text = match off > 0 {
        true => page.language().pick(
            format!("Se firmó {span} antes de la hora de su receptor, que admite {minutes} min. Si acababa de llegar, su reloj adelanta: sincronícelo con NTP. Si la petición es vieja, la firma está bien y solo ha pasado el tiempo."),
            format!("It was signed {span} before your receiver's time, which allows {minutes} min. If it had just come, its clock is fast: synchronise it by NTP. If the request is old, the signature is right and only time has passed."),
        ),
        false => page.language().pick(
            format!("Se firmó {span} después de la hora de su receptor: su reloj atrasa. Sincronícelo con NTP."),
            format!("It was signed {span} after your receiver's time: its clock is slow. Synchronise it by NTP."),
        ),
    };
    (page.t("El reloj no cuadra", "The clock is off").to_owned(), text)
}

fn body(page: &Page, change: Change) -> (String, String) {
    let text = match change {
        Change::Around => page.t(
            "Lleva saltos de línea o espacios que no se enviaron. Compruebe la firma con los bytes tal como llegan.",
            "It has line ends or spaces that were not sent. Check the signature over the bytes as they come.",
        ),
        Change::Reprinted => page.t(
            "Se leyó como JSON y se escribió otra vez: con otros espacios, otro orden u otra forma de las letras. Guarde el cuerpo en crudo antes de leerlo (en Express, express.raw; en Flask, request.get_data()).",
            "It was parsed as JSON and printed again: with other spaces, another order or other forms of letters. Keep the raw body before you parse it (in Express, express.raw; in Flask, request.get_data()).",
        ),
        Change::Encoding => page.t(
            "Se leyó con otra codificación: el cuerpo es UTF-8. Compruebe la firma con los bytes, sin convertirlos en texto.",
            "It was read in another encoding: the body is UTF-8. Check the signature over the bytes, without turning them into text.",
        ),
        Change::Contents => page.t(
            "Su contenido no es el que se envió: alguien lo cambió por el camino, o pegó el de otra entrega.",
            "Its contents are not what was sent: someone changed it on the way, or pasted that of another delivery.",
        ),
    };
    (
        page.t("El cuerpo no es el que se firmó", "The body is not the one that was signed").to_owned(),
        text.to_owned(),
    )
}

fn secret(
    page: &Page,
    signed: Option<usize>,
    own: Option<usize>,
    known: &[Known],
    evidence: Evidence<'_>,
) -> (String, String) {
    let title = match evidence.own {
        Some(_) => page.t("El secreto es otro", "The secret is another one"),
        None => page.t("No la firma ningún secreto conocido", "No known secret signs it"),
    };
    let mut text = String::new();
    if let Some(one) = signed.and_then(|at| known.get(at)) {
        text = format!("{} {} ", page.t("La firma", "It was signed by"), named(page, one));
    } else {
        text.push_str(page.t(
            "El cuerpo es el que se envió, pero no lo firma ninguno de los secretos del webhook. ",
            "The body is what was sent, but none of the endpoint's secrets signs it. ",
        ));
    }
    if let Some(one) = own.and_then(|at| known.get(at)) {
        text.push_str(&format!("{} {}", page.t("Su receptor tiene", "Your receiver has"), named(page, one)));
    } else if evidence.own.is_some() {
        text.push_str(page.t(
            "El de su receptor no es ninguno de los conocidos.",
            "Your receiver's is none of the known ones.",
        ));
    }
    (title.to_owned(), text)
}

/// What a secret is called in a sentence.
fn named(page: &Page, one: &Known) -> String {
    let Known { name, id, until, .. } = one;
    match until {
        None => page.language().pick(
            format!("el secreto de ahora de «{name}» ({id})."),
            format!("the present secret of “{name}” ({id})."),
        ),
        Some(until) => page.language().pick(
            format!("el secreto anterior de «{name}» ({id}), que firma hasta {until}."),
            format!("the former secret of “{name}” ({id}), which signs until {until}."),
        ),
    }
}

/// What stands around the first difference; without what was sent only what was received is known.
fn differs(received: &str, sent: Option<&str>, at: usize) -> Option<Differs> {
    const AROUND: usize = 40;
    let sent = sent?;
    let piece = |text: &str, from: usize, to: usize| {
        let (from, to) = (text.floor_char_boundary(from), text.ceil_char_boundary(to.min(text.len())));
        text.get(from..to).unwrap_or_default().to_owned()
    };
    let start = received.floor_char_boundary(at);
    Some(Differs {
        before: piece(received, start.saturating_sub(AROUND), start),
        received: piece(received, start, start + AROUND),
        sent: piece(sent, start, start + AROUND),
    })
}
