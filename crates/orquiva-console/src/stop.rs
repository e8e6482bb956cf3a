//! Why a page is not shown, and the layer around all pages that says so to a person.

use askama::Template;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use http::{HeaderName, HeaderValue, StatusCode, header};
use orquiva_core::Language;
use orquiva_store::StoreError;
use orquiva_web::Refused;

use crate::console::Console;
use crate::cookie;
use crate::guest::Guest;
use crate::member::with_next;
use crate::page::{Page, html};

/// Why a page is not shown.
#[derive(Clone, Debug)]
pub(crate) enum Stop {
    /// Nobody is signed in; afterwards they come here.
    SignIn(String),
    /// They have to prove who they are once more; afterwards they come here.
    Confirm(String),
    /// They have to choose a company first.
    Company,
    /// The operator suspended the company.
    Suspended,
    /// Their role does not allow it.
    Forbidden,
    /// Nothing is there, or it is another company's.
    NotFound,
    /// The form does not come from a page of ours, or from one of another session.
    Forged,
    /// What was sent is too large.
    TooLarge,
    /// Too many tries.
    Busy,
    /// The API refused, and no field is to blame.
    Refused(Refused),
}

impl From<StoreError> for Stop {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            other => Self::Refused(other.into()),
        }
    }
}

impl From<Refused> for Stop {
    fn from(refused: Refused) -> Self {
        match refused.status() {
            404 => Self::NotFound,
            _ => Self::Refused(refused),
        }
    }
}

impl Stop {
    /// Status, title and what to do.
    fn told(&self, language: Language) -> (u16, String, String) {
        let (status, title, text) = match self {
            Self::Suspended => (
                403,
                language.pick("La empresa está suspendida", "The company is suspended"),
                language.pick(
                    "Sus datos siguen guardados. Hable con quien administra esta instalación de Orquiva.",
                    "Its data is kept. Talk to whoever operates this installation of Orquiva.",
                ),
            ),
            Self::Forbidden => (
                403,
                language.pick("No tiene permiso para esto", "You may not do this"),
                language.pick(
                    "Su rol en la empresa no lo permite. Pida a un administrador que lo haga, o que le cambie el rol.",
                    "Your role in the company does not allow it. Ask an administrator to do it, or to change your role.",
                ),
            ),
            Self::NotFound | Self::SignIn(_) | Self::Confirm(_) | Self::Company => (
                404,
                language.pick("Aquí no hay nada", "There is nothing here"),
                language.pick(
                    "Puede que se haya borrado o que la dirección esté mal escrita.",
                    "It may have been removed, or the address is mistyped.",
                ),
            ),
            Self::Forged => (
                403,
                language.pick("El formulario ha caducado", "The form has expired"),
                language.pick(
                    "No se ha guardado nada. Vuelva atrás, recargue la página y envíelo de nuevo.",
                    "Nothing was stored. Go back, reload the page and send it again.",
                ),
            ),
            Self::TooLarge => (
                413,
                language.pick("Es demasiado grande", "It is too large"),
                language.pick("No se ha guardado nada. Envíe menos de una vez.", "Nothing was stored. Send less at a time."),
            ),
            Self::Busy => (
                429,
                language.pick("Demasiados intentos", "Too many attempts"),
                language.pick("Espere unos minutos y vuelva a intentarlo.", "Wait a few minutes and try again."),
            ),
            Self::Refused(refused) => {
                let told = refused.told(language);
                let text = |name: &str| told[name].as_str().unwrap_or_default().to_owned();
                return (refused.status(), text("title"), text("detail"));
            }
        };
        (status, title.to_owned(), text.to_owned())
    }
}

/// The layer around all pages renders it: only there it is known who reads.
impl IntoResponse for Stop {
    fn into_response(self) -> Response {
        match self {
            Self::SignIn(next) => Redirect::to(&with_next("/admin/sign-in", &next)).into_response(),
            Self::Confirm(next) => Redirect::to(&with_next("/admin/confirm", &next)).into_response(),
            Self::Company => Redirect::to("/admin/companies").into_response(),
            stop => {
                let mut response = StatusCode::INTERNAL_SERVER_ERROR.into_response();
                response.extensions_mut().insert(stop);
                response
            }
        }
    }
}

/// A page that says why there is no other.
#[derive(Template)]
#[template(path = "stop.html")]
struct StopPage {
    page: Page,
    title: String,
    text: String,
}

/// Finds out who asks, shows a [`Stop`] as a page, and puts on every answer what protects it.
pub(crate) async fn finish(State(console): State<Console>, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let guest = Guest::of(&console, &parts);
    parts.extensions.insert(guest.clone());
    let mut response = next.run(Request::from_parts(parts, body)).await;
    if let Some(stop) = response.extensions_mut().remove::<Stop>() {
        if let Stop::Refused(refused) = &stop
            && refused.status() == 500
        {
            tracing::error!(path = guest.path, "a page could not be shown");
        }
        let (status, title, text) = stop.told(guest.language);
        let page = Page::for_guest(&guest, &title);
        response = html(&StopPage { page, title, text });
        *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    }
    protect(&console, &guest, &mut response);
    response
}

/// What every page carries (ASVS 3.4, 14.3.2).
fn protect(console: &Console, guest: &Guest, response: &mut Response) {
    let nonce = &guest.nonce;
    let csp = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; font-src 'self'; img-src 'self' data:; \
         connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'; object-src 'none'"
    );
    let headers = response.headers_mut();
    let mut set = |name: HeaderName, value: &str| {
        if let Ok(value) = HeaderValue::from_str(value) {
            headers.entry(name).or_insert(value);
        }
    };
    set(header::CONTENT_SECURITY_POLICY, &csp);
    set(header::CACHE_CONTROL, "no-store");
    set(header::REFERRER_POLICY, "same-origin");
    set(header::X_FRAME_OPTIONS, "DENY");
    set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    set(HeaderName::from_static("cross-origin-resource-policy"), "same-origin");
    set(
        HeaderName::from_static("permissions-policy"),
        "camera=(), microphone=(), geolocation=(), payment=(), publickey-credentials-get=(self), publickey-credentials-create=(self)",
    );
    if console.is_secure() {
        set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains");
    }
    if let Some(new) = &guest.new_cookie {
        let (name, value) = cookie::set(console, cookie::GUEST, new, None);
        headers.append(name, value);
    }
}

/// No page has this address.
pub(crate) async fn nothing_here() -> Stop {
    Stop::NotFound
}

/// For a query.
pub(crate) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
