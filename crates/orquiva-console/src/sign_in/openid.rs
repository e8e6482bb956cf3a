//! Signing in by way of an OpenID Connect provider (OpenID Connect Core 1.0 §3.1, with PKCE, RFC 7636). Whoever comes so
//! has linked who they are there with their account here, when they were signed in.

use askama::Template;
use aws_lc_rs::digest::{SHA256, digest};
use axum::extract::{Query, State};
use axum::response::{AppendHeaders, IntoResponse as _, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use orquiva_core::openid::{self, Expected, Identity};
use orquiva_store::{StoreError, Tx, identity, user};
use serde_json::{Value, json};
use subtle::ConstantTimeEq as _;

use super::{Asked, code};
use crate::console::Console;
use crate::cookie;
use crate::form::Form;
use crate::guest::{Guest, random};
use crate::member::SignedIn;
use crate::next::inward;
use crate::page::{Page, html};
use crate::provider::Door;
use crate::stop::Stop;
use crate::ticket;

const PURPOSE: &str = "openid";

/// Where the provider sends a browser back to.
const BACK: &str = "/admin/sign-in/openid/back";

/// How long someone may take at the provider's, in seconds: as long as a ticket counts.
const WAIT: i64 = 300;

#[derive(Template)]
#[template(path = "openid.html")]
struct ProblemPage {
    page: Page,
    provider: String,
    text: &'static str,
}

/// Sends the browser to the provider: to sign in, or to link who is signed in.
pub(crate) async fn start(
    State(console): State<Console>,
    guest: Guest,
    signed: Result<SignedIn, Stop>,
    Query(asked): Asked,
) -> Result<Response, Stop> {
    let door = console.door.as_ref().ok_or(Stop::NotFound)?;
    let link = match (asked.contains_key("link"), signed) {
        (false, _) => None,
        (true, Err(stop)) => return Err(stop),
        (true, Ok(signed)) => {
            signed.confirmed(&console, "/admin/profile")?;
            Some(signed.user.id)
        }
    };
    if !console.gate.admits(guest.address, console.clock.now()) {
        return Err(Stop::Busy);
    }
    let [state, nonce, verifier] = [(); 3].map(|()| random(console.chance.as_ref()));
    let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
    let back = format!("{}{BACK}", console.public_url);
    let question = [
        ("response_type", "code"),
        ("redirect_uri", back.as_str()),
        ("scope", "openid email"),
        ("state", &state),
        ("nonce", &nonce),
        ("code_challenge", &challenge),
        ("code_challenge_method", "S256"),
    ];
    let address = match door.address(&question).await {
        Ok(address) => address,
        Err(cause) => return Ok(away(&guest, door, &cause)),
    };
    let next = asked.get("next").map_or("", String::as_str);
    let kept =
        json!({ "state": state, "nonce": nonce, "verifier": verifier, "next": inward(next), "link": link });
    let kept = ticket::issue(&console, PURPOSE, &kept);
    let cookie = cookie::set(&console, cookie::OPENID, &kept, Some(WAIT));
    Ok(([cookie], Redirect::to(&address)).into_response())
}

/// Takes a browser that comes back from the provider.
pub(crate) async fn back(
    State(console): State<Console>,
    guest: Guest,
    signed: Result<SignedIn, Stop>,
    Query(asked): Asked,
    headers: HeaderMap,
) -> Result<Response, Stop> {
    let door = console.door.as_ref().ok_or(Stop::NotFound)?;
    let text = |name: &str| asked.get(name).map_or("", String::as_str);
    let kept = cookie::read(&console, &headers, cookie::OPENID);
    let kept = kept.and_then(|kept| ticket::read(&console, PURPOSE, kept));
    let state = kept.as_ref().and_then(|kept| kept["state"].as_str()).unwrap_or_default();
    let ours = !state.is_empty() && bool::from(state.as_bytes().ct_eq(text("state").as_bytes()));
    let Some(kept) = kept.filter(|_| ours) else {
        let words = guest.language.pick(
            "La entrada tardó demasiado o se abrió en otra ventana. Empiece de nuevo.",
            "It took too long, or was begun in another window. Begin again.",
        );
        return Ok(problem(&guest, door, words));
    };
    // What was begun is over, whatever comes of it (its state counts once).
    let forget = cookie::set(&console, cookie::OPENID, "", Some(0));
    let answer = arrived(&console, door, &guest, signed.ok(), &kept, &asked).await?;
    Ok((AppendHeaders([forget]), answer).into_response())
}

async fn arrived(
    console: &Console,
    door: &Door,
    guest: &Guest,
    signed: Option<SignedIn>,
    kept: &Value,
    asked: &std::collections::HashMap<String, String>,
) -> Result<Response, Stop> {
    let text = |name: &str| asked.get(name).map_or("", String::as_str);
    let issuer = door.provider.issuer.as_str();
    if asked.get("iss").is_some_and(|iss| iss != issuer) {
        return Ok(away(guest, door, "another issuer answered (RFC 9207)"));
    }
    if asked.contains_key("error") {
        let words = guest.language.pick(
            "El proveedor no ha confirmado quién es. Inténtelo otra vez o entre con su contraseña.",
            "The provider did not confirm who you are. Try again, or sign in with your password.",
        );
        tracing::warn!(error = text("error"), "the OpenID Connect provider refused someone");
        return Ok(problem(guest, door, words));
    }
    let told = match who(console, door, kept, text("code")).await {
        Ok(told) => told,
        Err(cause) => return Ok(away(guest, door, &cause)),
    };
    match kept["link"].as_str() {
        Some(id) => {
            link(console, door, guest, signed.filter(|one| one.user.id.to_string() == id), told).await
        }
        None => enter(console, door, guest, told, kept["next"].as_str().unwrap_or_default()).await,
    }
}

/// Swaps the code for an ID token, and believes it if everything is right.
async fn who(console: &Console, door: &Door, kept: &Value, code: &str) -> Result<Identity, String> {
    let text = |name: &str| kept[name].as_str().unwrap_or_default();
    let back = format!("{}{BACK}", console.public_url);
    let token = door.token(code, text("verifier"), &back).await?;
    let keys = door.keys(&token).await?;
    let expected = Expected {
        issuer: &door.provider.issuer,
        client_id: &door.provider.client_id,
        nonce: text("nonce"),
        now: console.clock.now(),
    };
    openid::check(&token, &keys, expected).map_err(|wrong| format!("its ID token was refused: {wrong}"))
}

/// Signs in whoever is linked; who has an authenticator app shows its code too, unless the provider asked for as much.
async fn enter(
    console: &Console,
    door: &Door,
    guest: &Guest,
    told: Identity,
    next: &str,
) -> Result<Response, Stop> {
    let tx = console.store.read().await?;
    let Some(id) = identity::find(&tx, &door.provider.issuer, &told.subject).await? else {
        let words = guest.language.pick(
            "Todavía no ha vinculado esta identidad con su cuenta. Entre con su contraseña y vincúlela en su perfil. Si no tiene cuenta, pida una invitación a quien administra su empresa.",
            "You have not linked this identity with your account yet. Sign in with your password and link it in your profile. If you have no account, ask whoever runs your company for an invitation.",
        );
        return Ok(problem(guest, door, words));
    };
    let user = user::get(&tx, id).await?;
    drop(tx);
    if user.totp.is_some() && !told.has_second_factor {
        return Ok(code::ask(console, guest, &user, next));
    }
    let (issuer, now) = (door.provider.issuer.clone(), console.clock.now());
    let used = move |tx: Tx| async move { identity::used(&tx, &issuer, &told.subject, now).await };
    console.store.write::<_, StoreError, _, _>(None, used).await?;
    console.enter(guest, &user, console.mint.next(), next).await
}

/// Links whoever is signed in.
async fn link(
    console: &Console,
    door: &Door,
    guest: &Guest,
    signed: Option<SignedIn>,
    told: Identity,
) -> Result<Response, Stop> {
    let Some(signed) = signed else { return Err(Stop::SignIn("/admin/profile".to_owned())) };
    signed.confirmed(console, "/admin/profile")?;
    let (user, issuer, now) = (signed.user.id, door.provider.issuer.clone(), console.clock.now());
    let link = move |tx: Tx| async move {
        identity::create(&tx, (&issuer, &told.subject), user, told.email.as_deref(), now).await
    };
    match console.store.write::<_, StoreError, _, _>(None, link).await {
        Ok(()) => {
            tracing::info!(user.id = %user, "someone linked who they are to the OpenID Connect provider");
            Ok(Redirect::to("/admin/profile?said=identity-linked").into_response())
        }
        Err(StoreError::Duplicate(_)) => {
            let words = guest.language.pick(
                "Esta identidad ya está vinculada con una cuenta. Si es otra cuenta suya, desvincúlela antes allí.",
                "This identity is linked with an account already. If that is another account of yours, unlink it there first.",
            );
            Ok(problem(guest, door, words))
        }
        Err(other) => Err(other.into()),
    }
}

/// Unlinks whoever is signed in.
pub(crate) async fn unlink(
    State(console): State<Console>,
    signed: SignedIn,
    _form: Form,
) -> Result<Response, Stop> {
    let door = console.door.as_ref().ok_or(Stop::NotFound)?;
    signed.confirmed(&console, "/admin/profile")?;
    let (user, issuer) = (signed.user.id, door.provider.issuer.clone());
    let unlink = move |tx: Tx| async move { identity::remove(&tx, &issuer, user).await };
    console.store.write::<_, StoreError, _, _>(None, unlink).await?;
    Ok(Redirect::to("/admin/profile?said=identity-unlinked").into_response())
}

/// The provider cannot be used at the moment; the log says why.
fn away(guest: &Guest, door: &Door, cause: &str) -> Response {
    tracing::error!(
        cause,
        issuer = door.provider.issuer,
        "nobody can sign in by way of the OpenID Connect provider"
    );
    let words = guest.language.pick(
        "El proveedor no responde como debe. Inténtelo dentro de un rato o entre con su contraseña.",
        "The provider does not answer as it should. Try again in a while, or sign in with your password.",
    );
    problem(guest, door, words)
}

fn problem(guest: &Guest, door: &Door, text: &'static str) -> Response {
    let title = guest.language.pick("No ha entrado", "You are not signed in");
    let page = Page::for_guest(guest, title);
    let mut response = html(&ProblemPage { page, provider: door.provider.name.clone(), text });
    *response.status_mut() = http::StatusCode::UNPROCESSABLE_ENTITY;
    response
}
