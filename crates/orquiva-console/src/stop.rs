//! Why a page is not shown.

use axum::response::{IntoResponse, Redirect, Response};
use http::StatusCode;
use orquiva_core::Language;
use orquiva_store::StoreError;
use orquiva_web::Refused;

use crate::next::with_next;

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
    /// No invitation has this link, or none any more.
    Invitation,
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
    pub(crate) fn told(&self, language: Language) -> (u16, String, String) {
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
            Self::Invitation => (
                404,
                language.pick("La invitación ya no vale", "The invitation is good no more"),
                language.pick(
                    "Ya se aceptó, se retiró, ha caducado o el enlace está incompleto. Pida otra a quien le invitó.",
                    "It was accepted, withdrawn, has ended, or the link is not whole. Ask whoever invited you for another one.",
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

/// No page has this address.
pub(crate) async fn nothing_here() -> Stop {
    Stop::NotFound
}
