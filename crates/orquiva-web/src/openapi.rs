//! The API's own description, made of its routes: `/openapi.json` (OpenAPI 3.1) and `/openapi-3.0.json`. Each handler
//! describes itself, [`people`], [`events`] and [`others`] hold the schemas, and [`operations`] adds what all share.

mod deliveries;
mod events;
mod operations;
mod others;
mod parameters;
mod people;
mod projection;
mod reads;
mod replays;
mod samples;
mod shapes;

use axum::routing::get;
use axum::{Router, middleware};
use http::header;
use serde_json::{Map, Value, json};
use utoipa::openapi::OpenApi;

use crate::app::App;
use crate::condition;

/// What the description says first.
const ABOUT: &str = "People, departments and events of a company. Get a token at `POST /oauth/token` with a client's \
    id and secret; it lives one hour. Every answer tells how much of the plan's rate is left; over it, wait as \
    `Retry-After` says and back off. Every path under `/v1` works without `/v1` too.\n\nFailures are \
    `application/problem+json` (RFC 9457) with a stable `code`. Writes take an `Idempotency-Key`, `If-Match` and \
    `?dryRun=true`. What changed is told by webhooks, and by `GET /v1/events`.";

/// The two documents, as they are served: `api` is found under `/v1`, `open` where it is.
pub(crate) fn router(api: OpenApi, open: OpenApi) -> Router<App> {
    let document = document(&[("/v1", api), ("", open)]);
    let older = projection::older(&document).to_string();
    Router::new()
        .route("/openapi.json", serve(document.to_string()))
        .route("/openapi-3.0.json", serve(older))
        .route_layer(middleware::from_fn(condition::answer_if_changed))
}

fn serve(text: String) -> axum::routing::MethodRouter<App> {
    let text = bytes::Bytes::from(text);
    let headers =
        [(header::CONTENT_TYPE, "application/json"), (header::CACHE_CONTROL, "public, max-age=300")];
    get(async move || (headers, text))
}

fn document(parts: &[(&str, OpenApi)]) -> Value {
    let mut paths = Map::new();
    for (prefix, part) in parts {
        let described = serde_json::to_value(&part.paths).expect("a description is always JSON");
        for (path, methods) in described.as_object().into_iter().flatten() {
            let path = format!("{prefix}{path}");
            let mut methods = methods.clone();
            for (method, operation) in methods.as_object_mut().into_iter().flatten() {
                name_schemas(operation);
                operations::complete(&path, method, operation);
            }
            paths.insert(path, methods);
        }
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Orquiva",
            "version": orquiva_core::event::API_VERSION,
            "summary": "The HR API that explains itself.",
            "description": ABOUT,
            "contact": { "name": "Orquiva", "url": "https://docs.orquiva.com" },
            "license": { "name": "Apache-2.0 OR MIT", "identifier": "Apache-2.0 OR MIT" },
        },
        "servers": [{ "url": "/", "description": "Where this document was found." }],
        "tags": TAGS.map(|(name, description)| json!({ "name": name, "description": description })),
        "paths": paths,
        "webhooks": events::webhooks(),
        "components": {
            "securitySchemes": security(),
            "parameters": parameters::shared(),
            "headers": operations::shared_headers(),
            "responses": operations::shared_answers(),
        },
    });
    document["components"]["schemas"] = schemas(&document["paths"]);
    document
}

/// The groups of operations, in the order in which one gets to know them.
const TAGS: [(&str, &str); 9] = [
    ("OAuth", "Access tokens (OAuth 2.0, client credentials)."),
    ("Employees", "People, from the day on which they are hired."),
    ("Departments", "Where people work."),
    ("Custom fields", "The fields that a company adds to its employees."),
    ("Events", "One ordered log a company, which webhooks, list and stream show."),
    ("Webhooks", "Where events go, and what arrives there."),
    ("Deliveries", "What was sent where, and what came back."),
    ("Notices", "What the administrators of a company have to know."),
    ("Account", "Who is asking, and what was used."),
];

fn security() -> Value {
    json!({
        "client": {
            "type": "oauth2",
            "description": "An access token of a client, as `Authorization: Bearer …`.",
            "flows": { "clientCredentials": { "tokenUrl": "/oauth/token", "scopes": others::scopes() } },
        },
        "credentials": {
            "type": "http",
            "scheme": "basic",
            "description": "`client_id` and `client_secret`, which may be sent in the form instead.",
        },
    })
}

/// Handlers write the bare name of a schema: `ref("Employee")`.
fn name_schemas(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for (name, value) in map.iter_mut() {
                match value {
                    Value::String(text) if name == "$ref" && !text.starts_with('#') => {
                        *text = format!("#/components/schemas/{text}");
                    }
                    _ => name_schemas(value),
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(name_schemas),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Every schema that is named, sorted. What is created and changed is described where an operation takes it, and
/// pages where an operation answers with one.
fn schemas(paths: &Value) -> Value {
    let mut all: Map<String, Value> = [
        others::schemas(),
        events::schemas(),
        deliveries::schemas(),
        replays::schemas(),
        people::schemas(),
        reads::schemas(),
    ]
    .concat()
    .into_iter()
    .collect();
    for resource in people::resources().into_iter().chain([events::webhook()]) {
        all.insert(resource.name.to_owned(), resource.shown());
        all.insert(format!("New{}", resource.name), resource.created());
        all.insert(format!("{}Patch", resource.name), resource.patched());
    }
    let mut named = Vec::new();
    names(paths, &mut named);
    for page in named.iter().filter(|name| name.ends_with("Page")) {
        let one = page.trim_end_matches("Page");
        if let Some(example) = all.get(one).map(|schema| schema["examples"][0].clone()) {
            all.entry(page.clone()).or_insert_with(|| page_of(one, &example));
        }
    }
    all.retain(|name, _| (!name.starts_with("New") && !name.ends_with("Patch")) || named.contains(name));
    all.sort_keys();
    Value::Object(all)
}

fn page_of(name: &str, example: &Value) -> Value {
    let next = shapes::nullable(shapes::string());
    let mut page = shapes::object(
        "A page of a list.",
        &[
            ("data", shapes::list(shapes::refer(name)), "The entries.", json!([example])),
            ("hasMore", shapes::flag(), "Whether there is another page.", json!(false)),
            ("nextCursor", next, "The `cursor` of the next page.", Value::Null),
        ],
    );
    if name.ends_with("Employee") {
        page["properties"]["_meta"] = shapes::said(shapes::refer("Meta"), "What is hidden of each entry.");
    }
    page
}

/// The names of the schemas to which `value` refers.
fn names(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                match value.as_str() {
                    Some(text) if name == "$ref" => found.extend(text.rsplit('/').next().map(str::to_owned)),
                    _ => names(value, found),
                }
            }
        }
        Value::Array(list) => list.iter().for_each(|value| names(value, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
