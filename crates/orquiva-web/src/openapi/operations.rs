//! What all operations share, written into each of them: parameters of paths, of lists and of writes, the headers of
//! answers, and the problems. A handler's own description says only what is its own.

use orquiva_core::Code;
use serde_json::{Map, Value, json};

use super::others::example_of;
use super::parameters;

/// One operation that is being completed.
struct Work<'o> {
    path: &'o str,
    method: &'o str,
    operation: &'o mut Value,
}

/// Completes the operation at `path`.
pub(super) fn complete(path: &str, method: &str, operation: &mut Value) {
    let mut work = Work { path, method, operation };
    work.tell();
    work.parameters();
    work.body();
    work.answers();
}

impl Work<'_> {
    fn is_of_the_api(&self) -> bool {
        self.path.starts_with("/v1/")
    }

    fn writes(&self) -> bool {
        self.is_of_the_api() && self.method != "get"
    }

    /// Whether it answers something that has an `ETag`, which a client may know already.
    fn is_read(&self) -> bool {
        self.is_of_the_api() && self.method == "get" && self.answers_json()
    }

    fn answers_json(&self) -> bool {
        let content = &self.operation["responses"]["200"]["content"];
        content.get("application/json").is_some()
    }

    fn is_page(&self) -> bool {
        let schema = &self.operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
        schema.as_str().is_some_and(|name| name.ends_with("Page"))
    }

    /// The first sentence is the summary; the whole is the description.
    fn tell(&mut self) {
        let text = |name: &str| self.operation[name].as_str().unwrap_or_default().replace('\n', " ");
        let whole = format!("{} {}", text("summary"), text("description")).trim().to_owned();
        let first = whole.split_once(". ").map_or(whole.as_str(), |(first, _)| first);
        self.operation["summary"] = first.trim_end_matches('.').into();
        self.operation["description"] = whole.into();
        if self.is_of_the_api() && self.operation.get("security").is_none() {
            self.operation["security"] = json!([{ "client": [] }]);
        }
    }

    fn parameters(&mut self) {
        let own = self.operation["parameters"].as_array().cloned().unwrap_or_default();
        let named = self.path.split(['{', '}']).skip(1).step_by(2);
        let mut all: Vec<_> = named.map(|name| parameters::described("path", self.path, name)).collect();
        let own = own.iter().filter_map(|parameter| parameter["name"].as_str());
        all.extend(own.map(|name| parameters::described("query", self.path, name)));
        let mut share = |name: &str| all.push(refer("parameters", name));
        if self.is_page() {
            share("Limit");
            if !self.path.starts_with("/v1/events") {
                share("Cursor");
            }
        }
        if self.writes() {
            share("DryRun");
            share("IdempotencyKey");
        }
        if self.changes_one() {
            share("IfMatch");
        }
        if self.is_read() {
            share("IfNoneMatch");
        }
        if self.path.ends_with("/stream") {
            share("LastEventId");
        }
        if self.is_of_the_api() {
            share("AcceptLanguage");
        }
        if !all.is_empty() {
            self.operation["parameters"] = all.into();
        }
    }

    /// Whether it writes to something that is there already, of which there are versions.
    fn changes_one(&self) -> bool {
        let sends = ["/retry", "/replay", "/cancel"].iter().any(|end| self.path.ends_with(end));
        self.writes() && self.path.contains('{') && !sends
    }

    fn body(&mut self) {
        let Some(body) = self.operation.get_mut("requestBody") else { return };
        if self.method == "patch" {
            body["content"]["application/merge-patch+json"] = body["content"]["application/json"].clone();
        }
        // A rotation says something only if it differs from what is usual.
        body["required"] = (!self.path.ends_with("/rotate-secret")).into();
    }

    fn answers(&mut self) {
        let (page, writes) = (self.is_page(), self.writes());
        let of_the_api = self.is_of_the_api();
        let Some(answers) = self.operation["responses"].as_object_mut() else { return };
        let statuses: Vec<_> = answers.keys().cloned().collect();
        for (status, answer) in answers.iter_mut().filter(|(status, _)| status.starts_with('2')) {
            answer["description"] = description(status).into();
            let mut names = Vec::new();
            if of_the_api {
                names.extend([
                    "RateLimit-Policy",
                    "RateLimit",
                    "X-RateLimit-Limit",
                    "X-RateLimit-Remaining",
                    "X-RateLimit-Reset",
                ]);
            }
            if status == "201" {
                names.push("Location");
            }
            if of_the_api
                && status != "204"
                && status != "202"
                && answer["content"].get("application/json").is_some()
            {
                names.push("ETag");
            }
            if page {
                names.push("Link");
            }
            if writes {
                names.extend(["Idempotent-Replayed", "Dry-Run"]);
            }
            names.push("X-Request-Id");
            let own = answer["headers"].as_object().cloned().unwrap_or_default();
            let names = own.keys().map(String::as_str).chain(names);
            answer["headers"] = names.map(|name| (name.to_owned(), refer("headers", name))).collect();
        }
        for status in self.failures(&statuses) {
            let name = self.failure(status);
            self.operation["responses"][status.to_string()] = refer("responses", &name);
        }
        if self.is_read() {
            self.operation["responses"]["304"] = refer("responses", "NotModified");
        }
        if let Some(answers) = self.operation["responses"].as_object_mut() {
            answers.sort_keys();
        }
    }

    /// The statuses of what can go wrong. Those of this operation alone are named by its handler.
    fn failures(&self, named: &[String]) -> Vec<u16> {
        let own = named.iter().filter_map(|status| status.parse().ok()).filter(|status| *status >= 400);
        let mut all: Vec<u16> = own.collect();
        if self.path.starts_with("/oauth/") {
            all.extend([400, 401, 429, 503]);
        }
        if self.path.starts_with("/.well-known/") {
            all.push(405);
        }
        if self.is_of_the_api() {
            all.extend([400, 401, 403, 429, 500, 503]);
        }
        if self.path.contains('{') {
            all.push(404);
        }
        if self.writes() {
            all.extend([409, 422]);
        }
        if self.changes_one() {
            all.push(412);
        }
        if self.operation.get("requestBody").is_some() && self.writes() {
            all.extend([408, 413, 415]);
        }
        all.sort_unstable();
        all.dedup();
        all
    }

    fn failure(&self, status: u16) -> String {
        if self.path.starts_with("/oauth/") { "OAuthRefused".to_owned() } else { named(status) }
    }
}

fn refer(kind: &str, name: &str) -> Value {
    json!({ "$ref": format!("#/components/{kind}/{name}") })
}

fn description(status: &str) -> &'static str {
    match status {
        "201" => "It was created.",
        "202" => "It is on its way.",
        "204" => "Done.",
        _ => "Here it is.",
    }
}

/// The name of a status: `NotFound`.
fn named(status: u16) -> String {
    let status = http::StatusCode::from_u16(status).unwrap_or_default();
    status.canonical_reason().unwrap_or("Problem").replace([' ', '-'], "")
}

/// The answers that many operations share, by name: one for each status of a problem, with all its codes.
pub(super) fn shared_answers() -> Value {
    let mut answers = Map::new();
    let mut statuses: Vec<_> = Code::ALL.iter().map(|code| code.status()).collect();
    statuses.sort_unstable();
    statuses.dedup();
    for status in statuses {
        answers.insert(named(status), problem(status));
    }
    answers.insert(
        "NotModified".to_owned(),
        json!({ "description": "The version that the client has is the present one. It costs nothing." }),
    );
    answers.insert(
        "OAuthRefused".to_owned(),
        json!({
            "description": "Refused (RFC 6749 §5.2). With 429 and 503, `Retry-After` says when to try again.",
            "headers": { "Retry-After": refer("headers", "Retry-After"), "X-Request-Id": refer("headers", "X-Request-Id") },
            "content": { "application/json": { "schema": super::shapes::refer("OAuthError") } },
        }),
    );
    Value::Object(answers)
}

fn problem(status: u16) -> Value {
    let codes = || Code::ALL.iter().filter(|code| code.status() == status);
    let lines: Vec<_> = codes()
        .map(|code| format!("`{}`: {}", code.as_str(), code.title(orquiva_core::Language::English)))
        .collect();
    let examples: Map<_, _> = codes()
        .map(|code| {
            let summary = code.title(orquiva_core::Language::English);
            (code.as_str().to_owned(), json!({ "summary": summary, "value": example_of(*code) }))
        })
        .collect();
    let mut headers = json!({ "X-Request-Id": refer("headers", "X-Request-Id") });
    let also: &[&str] = match status {
        401 | 403 => &["WWW-Authenticate"],
        429 | 503 => &["Retry-After"],
        _ => &[],
    };
    for name in also {
        headers[*name] = refer("headers", name);
    }
    json!({
        "description": format!("{}.", lines.join(". ")),
        "headers": headers,
        "content": { "application/problem+json": { "schema": super::shapes::refer("Problem"), "examples": examples } },
    })
}

/// The headers of answers, by name.
pub(super) fn shared_headers() -> Value {
    let header = |what: &str, example: &str| json!({ "description": what, "schema": { "type": "string" }, "example": example });
    let number = |what: &str, example: i64| json!({ "description": what, "schema": { "type": "integer" }, "example": example });
    json!({
        "X-Request-Id": header("The request's name: the client's own, or a new one.", "req_019b76da8c00700081a2b3c4d5e6f708"),
        "ETag": header("The version of what is shown, for `If-Match` and `If-None-Match`.", "\"1\""),
        "Location": header("Where the new one is found.", "/v1/employees/emp_01KDVFA10P8CR9TPWA4RSS4BJ7"),
        "Link": header("The next page, if there is one (RFC 8288).", "</v1/employees?cursor=…>; rel=\"next\""),
        "RateLimit-Policy": header("The limits of plan and client.", "\"pro\";q=1000;w=60"),
        "RateLimit": header("What is left of them.", "\"pro\";r=997;t=42"),
        "X-RateLimit-Limit": number("Requests a minute.", 1000),
        "X-RateLimit-Remaining": number("Requests that are left.", 997),
        "X-RateLimit-Reset": number("Seconds until all are there again.", 42),
        "Retry-After": number("Seconds to wait before trying again.", 3),
        "WWW-Authenticate": header("What it takes to be let in (RFC 6750).", "Bearer realm=\"orquiva\""),
        "Idempotent-Replayed": header("`true` if this answer was given before, and nothing was done now.", "true"),
        "Dry-Run": header("`true` if nothing was stored.", "true"),
        "X-Orq-Sequence": number("The last event that the export contains: go on after it.", 42),
        "X-Orq-Redacted": header("The fields that are hidden, parted by commas.", "birthDate, nationalId"),
    })
}
