//! Cursors: where a list goes on. Each is signed for its company, its list and its filters,
//! so one that was tampered with, or taken elsewhere, is refused.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::{HeaderValue, Uri, header};
use orquiva_core::Code;
use orquiva_core::id::{Id, Kind};
use orquiva_core::seal::MasterKey;
use serde_json::Value;
use subtle::ConstantTimeEq as _;

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
