//! A list in pages: which page was asked for, and the page that comes of what was found.

use axum::Json;
use axum::response::AppendHeaders;
use http::{HeaderName, HeaderValue, Uri};
use orquiva_core::id::{Id, Kind};
use serde_json::Value;

use crate::app::App;
use crate::cursor::{Bound, page};
use crate::params::Params;
use crate::problem::Problem;

/// What a request says of the page that it wants.
pub(crate) struct Paging {
    limit: i64,
    cursor: Option<String>,
}

impl Paging {
    /// Reads `limit` and `cursor`.
    pub(crate) fn of(params: &mut Params) -> Self {
        Self { limit: params.limit(), cursor: params.take("cursor", |text| Ok(text.to_owned())) }
    }

    /// That page of the list that `to` names with its company and its filters: only there does its cursor hold.
    pub(crate) fn over<'l>(self, app: &'l App, uri: &'l Uri, to: String) -> List<'l> {
        List { app, uri, bound: Bound { key: &app.key, to }, paging: self }
    }
}

/// A list, and the page of it that was asked for.
pub(crate) struct List<'l> {
    app: &'l App,
    uri: &'l Uri,
    bound: Bound<'l>,
    paging: Paging,
}

/// A page, with the `Link` to the next.
pub(crate) type Page = (AppendHeaders<Option<(HeaderName, HeaderValue)>>, Json<Value>);

impl List<'_> {
    /// The row after which it begins.
    pub(crate) fn after<K: Kind>(&self) -> Result<Option<Id<K>>, Problem> {
        self.paging.cursor.as_deref().map(|cursor| self.bound.read(cursor)).transpose()
    }

    /// The place after which it begins, where that is no id.
    pub(crate) fn place(&self) -> Result<Option<String>, Problem> {
        self.paging.cursor.as_deref().map(|cursor| self.bound.read_text(cursor)).transpose()
    }

    /// How many rows it shows at most.
    pub(crate) fn limit(&self) -> i64 {
        self.paging.limit
    }

    /// How many rows are to be found: one more than are shown tells that others follow.
    pub(crate) fn most(&self) -> i64 {
        self.paging.limit + 1
    }

    /// The page of the rows that were `found`; `place` tells by what one is found again.
    pub(crate) fn page<T>(
        &self,
        mut found: Vec<T>,
        place: impl Fn(&T) -> String,
        show: impl Fn(&T) -> Value,
    ) -> Page {
        let more = found.len() as i64 > self.limit();
        found.truncate(self.limit() as usize);
        let next = found.last().filter(|_| more).map(|last| self.bound.write_text(&place(last)));
        page(self.app, self.uri, found.iter().map(show).collect(), next)
    }

    /// The page of rows that whoever found them has cut and shown, up to the one `last` if others follow.
    pub(crate) fn shown<K: Kind>(&self, rows: Vec<Value>, last: Option<Id<K>>) -> Page {
        page(self.app, self.uri, rows, last.map(|last| self.bound.write(last)))
    }
}
