//! Language and look: remembered by the browser, and the language of whoever is signed in by us too.

use axum::extract::State;
use axum::response::{IntoResponse as _, Redirect, Response};
use orquiva_core::Language;
use orquiva_store::{StoreError, user};

use crate::console::Console;
use crate::cookie;
use crate::form::Form;
use crate::member::SignedIn;
use crate::stop::Stop;

/// A year, in seconds.
const YEAR: i64 = 31_536_000;

/// Changes language or look, and comes back to the page.
pub(crate) async fn change(
    State(console): State<Console>,
    signed: Result<SignedIn, Stop>,
    form: Form,
) -> Result<Response, Stop> {
    let back = form.text("back");
    let back = if back.starts_with("/admin") && !back.contains(['\\', '\r', '\n']) { back } else { "/admin" };
    let mut response = Redirect::to(back).into_response();
    let mut keep = |name, value: &str| {
        let (name, value) = cookie::set(&console, name, value, Some(YEAR));
        response.headers_mut().append(name, value);
    };
    if let Some(language) = Language::parse(form.text("language")) {
        keep(cookie::LANGUAGE, language.tag());
        if let Ok(SignedIn { user, .. }) = signed {
            let change =
                move |tx| async move { user::change(&tx, user.id, &user.name, Some(language)).await };
            console.store.write::<_, StoreError, _, _>(None, change).await?;
        }
    }
    if let theme @ ("light" | "dark" | "auto") = form.text("theme") {
        keep(cookie::THEME, theme);
    }
    Ok(response)
}
