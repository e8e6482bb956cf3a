//! Where someone goes after a step in between: only ever to a page of ours.

/// Where a `next` of ours leads; a path of another host, or none at all, leads home.
pub(crate) fn inward(next: &str) -> &str {
    let ours =
        next.starts_with("/admin") && !next.contains(['\\', '\r', '\n']) && !next.starts_with("/admin/sign-");
    if ours { next } else { "/admin" }
}

/// `path?next=…`.
pub(crate) fn with_next(path: &str, next: &str) -> String {
    match inward(next) {
        "/admin" => path.to_owned(),
        next => format!("{path}?next={}", escaped(next)),
    }
}

/// For a query.
pub(crate) fn escaped(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes()).collect()
}
