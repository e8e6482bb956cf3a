//! Cursors: where a list goes on. Each is signed for its company, its list and its filters,
//! so one that was tampered with, or taken elsewhere, is refused.

use axum::response::{AppendHeaders, IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Uri, header};
use orquiva_core::Code;
use orquiva_core::id::{Id, Kind};
use orquiva_core::seal::MasterKey;
use serde::Serialize;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

use crate::answer::to_json;
use crate::app::App;
use crate::problem::Problem;

/// What a cursor is bound to: company, list and filters, in one text.
pub(crate) struct Bound<'k> {
    pub(crate) key: &'k MasterKey,
    pub(crate) to: String,
}

impl Bound<'_> {
    /// The cursor after the row `id`.
    pub(crate) fn write<K: Kind>(&self, id: Id<K>) -> String {
        self.write_text(&id.to_string())
    }

    /// The cursor after the row whose place `text` tells.
    pub(crate) fn write_text(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode([self.tag(text).as_slice(), text.as_bytes()].concat())
    }

    /// The row that a cursor names.
    pub(crate) fn read<K: Kind>(&self, cursor: &str) -> Result<Id<K>, Problem> {
        Id::parse(&self.read_text(cursor)?).ok_or_else(|| Code::InvalidCursor.into())
    }

    /// The place that a cursor tells.
    pub(crate) fn read_text(&self, cursor: &str) -> Result<String, Problem> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap_or_default();
        let (tag, text) = bytes.split_at_checked(16).ok_or(Code::InvalidCursor)?;
        let text = str::from_utf8(text).map_err(|_| Code::InvalidCursor)?;
        match bool::from(self.tag(text).ct_eq(tag)) {
            true => Ok(text.to_owned()),
            false => Err(Code::InvalidCursor.into()),
        }
    }

    fn tag(&self, id: &str) -> [u8; 16] {
        self.key.tag(format!("{}\n{id}", self.to).as_bytes())
    }
}

/// The `Link` header to the next page: the same address with `name` set to `value` (RFC 8288).
pub(crate) fn next_link(app: &App, uri: &Uri, name: &str, value: &str) -> Option<HeaderValue> {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (given, text) in url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if given != name {
            query.append_pair(&given, &text);
        }
    }
    let query = query.append_pair(name, value).finish();
    HeaderValue::from_str(&format!("<{}{}?{query}>; rel=\"next\"", app.public_url, uri.path())).ok()
}

/// A page of a list, with its `Link`.
pub(crate) fn page(
    app: &App,
    uri: &Uri,
    data: Vec<Value>,
    next: Option<String>,
) -> (axum::response::AppendHeaders<Option<(header::HeaderName, HeaderValue)>>, axum::Json<Value>) {
    let link = next.as_deref().and_then(|next| next_link(app, uri, "cursor", next));
    let page = serde_json::json!({ "data": data, "hasMore": next.is_some(), "nextCursor": next });
    (axum::response::AppendHeaders(link.map(|link| (header::LINK, link))), axum::Json(page))
}

/// A page whose rows are written straight into the answer; `meta` is what is to be said of all of them.
pub(crate) fn page_of(
    app: &App,
    uri: &Uri,
    data: &[impl Serialize],
    next: Option<String>,
    meta: Option<impl Serialize>,
) -> Response {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Page<'d, D, M> {
        data: &'d [D],
        has_more: bool,
        next_cursor: Option<String>,
        #[serde(rename = "_meta", skip_serializing_if = "Option::is_none")]
        meta: Option<M>,
    }
    let link = next.as_deref().and_then(|next| next_link(app, uri, "cursor", next));
    let page = to_json(&Page { data, has_more: next.is_some(), next_cursor: next, meta });
    let kind = [(header::CONTENT_TYPE, "application/json")];
    (kind, AppendHeaders(link.map(|link| (header::LINK, link))), page).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_cursor_reads_back_where_it_was_made_and_nowhere_else(
            place in "\\PC{0,60}",
            list in "\\PC{0,60}",
            other in "\\PC{0,60}",
            at in any::<prop::sample::Index>(),
            flip in 1_u8..=255,
        ) {
            let key = MasterKey::new(&[7; 32]);
            let bound = Bound { key: &key, to: list.clone() };
            let cursor = bound.write_text(&place);
            prop_assert_eq!(bound.read_text(&cursor).ok(), Some(place));
            if list != other {
                prop_assert!(Bound { key: &key, to: other }.read_text(&cursor).is_err(), "another list");
            }
            let foreign = MasterKey::new(&[8; 32]);
            prop_assert!(Bound { key: &foreign, to: list }.read_text(&cursor).is_err(), "another installation");
            let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap_or_default();
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
            prop_assert!(bound.read_text(&URL_SAFE_NO_PAD.encode(bytes)).is_err(), "tampered with");
        }

        #[test]
        fn what_is_no_cursor_is_refused(text in "\\PC{0,120}") {
            let key = MasterKey::new(&[7; 32]);
            let bound = Bound { key: &key, to: "a list".to_owned() };
            prop_assert!(bound.read_text(&text).is_err());
        }
    }
}
