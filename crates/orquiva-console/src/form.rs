//! A form that was sent to us. It can be read only once it is sure that a page of ours made it for this very browser.

use axum::extract::{FromRequest, FromRequestParts as _, Multipart, Request};
use http_body_util::{BodyExt as _, Limited};

use crate::console::Console;
use crate::guest::Guest;
use crate::stop::Stop;

/// Most bytes of a form.
const MOST: usize = 256 * 1024;

/// Most bytes of a form with a file.
pub(crate) const MOST_OF_FILE: usize = 33 * 1024 * 1024;

/// The name of the field that proves where a form comes from.
pub(crate) const TOKEN: &str = "form_token";

/// A form that is ours.
#[derive(Debug, Default)]
pub(crate) struct Form(Vec<(String, String)>);

impl FromRequest<Console> for Form {
    type Rejection = Stop;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Stop> {
        let (mut parts, body) = request.into_parts();
        let guest =
            Guest::from_request_parts(&mut parts, console).await.unwrap_or_else(|never| match never {});
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        let kind = text("content-type").unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded")
            || !is_ours(&guest, text("origin"), text("sec-fetch-site"))
        {
            return Err(Stop::Forged);
        }
        let body = Limited::new(body, MOST).collect().await.map_err(|_| Stop::TooLarge)?.to_bytes();
        let fields = url::form_urlencoded::parse(&body).into_owned().collect();
        let form = Self(fields);
        match guest.made(form.text(TOKEN)) {
            true => Ok(form),
            false => Err(Stop::Forged),
        }
    }
}

/// Whether a browser says that a page of this very host sent it. One that says nothing has the token to show.
pub(crate) fn is_ours(guest: &Guest, origin: Option<&str>, site: Option<&str>) -> bool {
    let from_here =
        origin.is_none_or(|origin| origin.split_once("://").is_some_and(|(_, host)| host == guest.host));
    from_here && site.is_none_or(|site| site == "same-origin")
}

impl Form {
    /// The value of a field without spaces around it; empty if it is not there.
    pub(crate) fn text(&self, name: &str) -> &str {
        self.raw(name).trim()
    }

    /// The value of a field as it was typed: for passwords.
    pub(crate) fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    /// Every value of a field.
    pub(crate) fn all<'f>(&'f self, name: &'f str) -> impl Iterator<Item = &'f str> {
        self.0.iter().filter(move |(known, _)| known == name).map(|(_, value)| value.trim())
    }

    /// Whether a box is ticked, or a button of this name was pressed.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(known, _)| known == name)
    }
}

/// A file that is ours to read. What proves where it comes from stands before it.
#[derive(Debug)]
pub(crate) struct Upload {
    /// What it is called.
    pub(crate) name: String,
    /// What is in it.
    pub(crate) bytes: bytes::Bytes,
}

impl FromRequest<Console> for Upload {
    type Rejection = Stop;

    async fn from_request(request: Request, console: &Console) -> Result<Self, Stop> {
        let (mut parts, body) = request.into_parts();
        let guest =
            Guest::from_request_parts(&mut parts, console).await.unwrap_or_else(|never| match never {});
        let text = |name: &str| parts.headers.get(name).and_then(|value| value.to_str().ok());
        if !is_ours(&guest, text("origin"), text("sec-fetch-site")) {
            return Err(Stop::Forged);
        }
        // A file is held whole while its rows are put away: a few at a time.
        let _turn = console.uploads.acquire().await.map_err(|_| Stop::Busy)?;
        let whole = Request::from_parts(parts, body);
        let mut fields = Multipart::from_request(whole, console).await.map_err(|_| Stop::Forged)?;
        let mut ours = false;
        while let Some(field) = fields.next_field().await.map_err(|_| Stop::TooLarge)? {
            match field.name() {
                Some(TOKEN) => {
                    let token = field.text().await.map_err(|_| Stop::Forged)?;
                    ours = guest.made(token.trim());
                }
                Some("file") if ours => {
                    let name = field.file_name().unwrap_or_default().chars().take(100).collect();
                    let bytes = field.bytes().await.map_err(|_| Stop::TooLarge)?;
                    return Ok(Self { name, bytes });
                }
                Some(_) | None => {}
            }
        }
        Err(Stop::Forged)
    }
}
