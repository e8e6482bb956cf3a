//! The API's own description: served to anyone, the same as the one in `docs`, whole, and true of its examples.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use axum::body::Body;
use http::Request;
use orquiva_core::event::EventType;
use orquiva_core::{Code, Scope};
use serde_json::{Value, json};

use crate::harness::Orquiva;
use crate::shape::{Shapes, each};

/// Set to renew `docs/openapi.json` instead of comparing with it.
const UPDATE: &str = "ORQUIVA_UPDATE_OPENAPI";

async fn document(path: &str) -> Value {
    let orq = Orquiva::strict().await;
    let answer = orq.send(Request::get(path).body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    answer.body
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

#[tokio::test]
async fn it_is_served_without_token_and_costs_little_to_ask_again() {
    let orq = Orquiva::strict().await;
    for (path, version) in [("/openapi.json", "3.1.0"), ("/openapi-3.0.json", "3.0.3")] {
        let answer = orq.send(Request::get(path).body(Body::empty()).unwrap()).await;
        assert_eq!((answer.status, &answer.body["openapi"]), (200, &json!(version)));
        assert_eq!(answer.header("content-type"), "application/json");
        assert_eq!(answer.header("cache-control"), "public, max-age=300");
        let again = Request::get(path).header("if-none-match", answer.header("etag"));
        let again = orq.send(again.body(Body::empty()).unwrap()).await;
        assert_eq!((again.status, again.raw.len()), (304, 0));
        assert_eq!(again.header("cache-control"), "public, max-age=300");
        let wrong = orq.send(Request::post(path).body(Body::empty()).unwrap()).await;
        assert_eq!((wrong.problem(), wrong.header("allow")), ((405, "method_not_allowed"), "GET,HEAD"));
    }
}

#[tokio::test]
async fn what_is_served_is_what_docs_have() {
    let file = root().join("docs/openapi.json");
    let served = serde_json::to_string_pretty(&document("/openapi.json").await).unwrap() + "\n";
    if std::env::var_os(UPDATE).is_some() {
        std::fs::write(&file, &served).unwrap();
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    let line = kept.lines().zip(served.lines()).position(|(kept, served)| kept != served);
    assert!(
        kept == served,
        "docs/openapi.json differs from line {:?} on: if it is meant, {UPDATE}=1 cargo test -p orquiva --test product openapi",
        line.map(|line| line + 1)
    );
}

#[tokio::test]
async fn it_names_every_scope_event_and_problem() {
    let document = document("/openapi.json").await;
    let keys = |value: &Value| -> BTreeSet<String> { value.as_object().unwrap().keys().cloned().collect() };
    let flow = &document["components"]["securitySchemes"]["client"]["flows"]["clientCredentials"];
    assert_eq!(keys(&flow["scopes"]), Scope::ALL.iter().map(|scope| scope.as_str().to_owned()).collect());
    let events = EventType::ALL.iter().map(|kind| (*kind).to_owned()).collect();
    assert_eq!(keys(&document["webhooks"]), events);
    let mut codes = BTreeSet::new();
    for answer in document["components"]["responses"].as_object().unwrap().values() {
        if let Some(examples) = answer["content"]["application/problem+json"]["examples"].as_object() {
            codes.extend(examples.keys().cloned());
        }
    }
    assert_eq!(codes, Code::ALL.iter().map(|code| code.as_str().to_owned()).collect());
}

#[tokio::test]
async fn it_is_whole() {
    let document = document("/openapi.json").await;
    let mut ids = BTreeSet::new();
    for (path, method, operation) in operations(&document) {
        let at = format!("{method} {path}");
        assert!(ids.insert(operation["operationId"].as_str().unwrap().to_owned()), "{at}: an id of its own");
        for text in ["summary", "description"] {
            assert!(operation[text].as_str().is_some_and(|text| !text.is_empty()), "{at}: {text}");
        }
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            let described = parameter.get("$ref").is_some() || parameter["schema"].is_object();
            assert!(described, "{at}: openapi/parameters.rs knows no {parameter}");
        }
        if path.starts_with("/v1/") {
            for status in ["400", "401", "403", "429", "500", "503"] {
                assert!(operation["responses"][status].is_object(), "{at}: {status}");
            }
        }
    }
    let mut broken = Vec::new();
    each(&document, &mut |name, value| {
        if let (Some("$ref"), Some(target)) = (name, value.as_str())
            && document.pointer(target.trim_start_matches('#')).is_none()
        {
            broken.push(target.to_owned());
        }
    });
    assert_eq!(broken, Vec::<String>::new(), "every reference leads somewhere");
}

#[tokio::test]
async fn every_parameter_that_a_handler_takes_is_described() {
    let document = document("/openapi.json").await;
    let mut described = BTreeSet::from(["limit".to_owned(), "cursor".to_owned()]);
    for (_, _, operation) in operations(&document) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            described.extend(parameter["name"].as_str().map(str::to_owned));
        }
    }
    let mut sources = vec![root().join("crates/orquiva-web/src/api")];
    while let Some(source) = sources.pop() {
        if source.is_dir() {
            sources.extend(std::fs::read_dir(&source).unwrap().map(|entry| entry.unwrap().path()));
            continue;
        }
        let text = std::fs::read_to_string(&source).unwrap();
        for (at, _) in text.match_indices("params") {
            let rest = text[at + "params".len()..].trim_start();
            let name = rest.strip_prefix(".take(").and_then(|rest| rest.trim_start().strip_prefix('"'));
            if let Some(name) = name.and_then(|rest| rest.split('"').next()) {
                assert!(described.contains(name), "{}: {name} is in no description", source.display());
            }
        }
    }
}

#[tokio::test]
async fn its_examples_are_what_it_describes() {
    for path in ["/openapi.json", "/openapi-3.0.json"] {
        let document = document(path).await;
        let shapes = Shapes::of(&document);
        let mut seen = 0;
        each(&document, &mut |_, value| {
            let Some(schema) = value.get("schema").filter(|schema| schema.is_object()) else { return };
            let several = value["examples"].as_object().into_iter().flatten().map(|(_, one)| &one["value"]);
            for example in value.get("example").into_iter().chain(several) {
                assert_eq!(shapes.faults(schema, example), Vec::<String>::new(), "{example}");
                seen += 1;
            }
        });
        for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
            let examples = schema["examples"].as_array().into_iter().flatten();
            for example in examples.chain(schema.get("example")) {
                assert_eq!(shapes.faults(schema, example), Vec::<String>::new(), "{path} {name}");
                seen += 1;
            }
        }
        assert!(seen > 80, "{path}: {seen} examples");
    }
}

/// Every operation: path, method and what is said of it.
pub(crate) fn operations(document: &Value) -> Vec<(&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    let of = |methods: &'static str| methods.split(' ');
    let mut all = Vec::new();
    for (path, methods) in paths {
        for method in of("get put post delete patch") {
            all.extend(methods.get(method).map(|operation| (path.as_str(), method, operation)));
        }
    }
    all
}
