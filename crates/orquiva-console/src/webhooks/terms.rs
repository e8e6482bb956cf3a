//! What someone says of an endpoint in a form, right or wrong.

use orquiva_core::Language;
use orquiva_web::Refused;
use serde_json::{Map, Value, json};

use super::endpoint::Endpoint;
use crate::form::Form;
use crate::show::Faults;

/// An endpoint as it stands in a form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) url: String,
    pub(crate) description: String,
    pub(crate) events: Vec<String>,
    pub(crate) payload: String,
    pub(crate) format: String,
    pub(crate) ordered: bool,
    pub(crate) concurrency: String,
    pub(crate) rate: String,
    /// One `name: value` a line; what is kept secret is `***`.
    pub(crate) headers: String,
    pub(crate) sensitive: bool,
    pub(crate) ed25519: bool,
}

impl Draft {
    /// What most want.
    pub(crate) fn new() -> Self {
        Self {
            events: vec!["employee.*".to_owned()],
            payload: "full".to_owned(),
            format: "json".to_owned(),
            concurrency: "4".to_owned(),
            ..Self::default()
        }
    }

    /// As an endpoint has it.
    pub(crate) fn of(endpoint: &Endpoint) -> Self {
        let number = |name: &str| endpoint.0[name].as_i64().map(|n| n.to_string()).unwrap_or_default();
        let flag = |name: &str| endpoint.0[name].as_bool().unwrap_or_default();
        let lines = endpoint.headers().into_iter().map(|name| format!("{name}: ***\n")).collect();
        Self {
            url: endpoint.url().to_owned(),
            description: endpoint.text("description").to_owned(),
            events: endpoint.events().into_iter().map(str::to_owned).collect(),
            payload: endpoint.text("payload").to_owned(),
            format: endpoint.text("format").to_owned(),
            ordered: flag("ordered"),
            concurrency: number("maxConcurrency"),
            rate: number("ratePerSecond"),
            headers: lines,
            sensitive: flag("sensitive"),
            ed25519: flag("ed25519"),
        }
    }

    /// As it was sent.
    pub(crate) fn read(form: &Form) -> Self {
        let own = |name: &str| form.text(name).to_owned();
        Self {
            url: own("url"),
            description: own("description"),
            events: form.all("events").map(str::to_owned).collect(),
            payload: own("payload"),
            format: own("format"),
            ordered: form.has("ordered"),
            concurrency: own("maxConcurrency"),
            rate: own("ratePerSecond"),
            headers: own("headers"),
            sensitive: form.has("sensitive"),
            ed25519: form.has("ed25519"),
        }
    }

    /// Whether the box of a type or pattern is ticked.
    pub(crate) fn has(&self, pattern: &str) -> bool {
        self.events.iter().any(|ticked| ticked == pattern)
    }

    /// Whether one of these boxes is ticked.
    pub(crate) fn has_any(&self, patterns: &[&str]) -> bool {
        patterns.iter().any(|pattern| self.has(pattern))
    }

    /// Whether anything but the defaults stands in the part of the form that most leave closed.
    pub(crate) fn is_special(&self) -> bool {
        let Self { payload, format, ordered, concurrency, rate, headers, sensitive, ed25519, .. } = self;
        (payload.as_str(), format.as_str(), concurrency.as_str()) != ("full", "json", "4")
            || *ordered
            || *sensitive
            || *ed25519
            || !rate.is_empty()
            || !headers.is_empty()
    }

    /// What the API is told, as a merge patch over `before`, or as a new endpoint. What is empty is left to the API:
    /// it has the defaults. What of the headers cannot even be told is noted in `faults`.
    pub(crate) fn told(&self, before: Option<&Endpoint>, language: Language, faults: &mut Faults) -> Value {
        let optional = |text: &str| if text.is_empty() { Value::Null } else { json!(text) };
        let mut told = json!({
            "url": self.url,
            "events": self.events,
            "description": optional(&self.description),
            "payload": optional(&self.payload),
            "format": optional(&self.format),
            "ordered": self.ordered,
            "maxConcurrency": number(&self.concurrency),
            "ratePerSecond": number(&self.rate),
            "headers": self.headers(before, language, faults),
            "sensitive": self.sensitive,
            "ed25519": self.ed25519,
        });
        if before.is_none()
            && let Value::Object(fields) = &mut told
        {
            fields.retain(|_, value| !value.is_null());
        }
        told
    }

    fn headers(&self, before: Option<&Endpoint>, language: Language, faults: &mut Faults) -> Value {
        let mut headers = Map::new();
        for line in self.headers.lines().map(str::trim).filter(|line| !line.is_empty()) {
            match line.split_once(':') {
                Some((name, value)) => {
                    headers.insert(name.trim().to_ascii_lowercase(), json!(value.trim()));
                }
                None => faults.add(
                    "headers",
                    language.pick(
                        format!("A «{line}» le faltan los dos puntos. Escriba «Nombre: valor»."),
                        format!("“{line}” has no colon. Write “Name: value”."),
                    ),
                ),
            }
        }
        for gone in before.map(Endpoint::headers).unwrap_or_default() {
            headers.entry(gone).or_insert(Value::Null);
        }
        Value::Object(headers)
    }
}

/// A number, or what was typed instead of one: the API says what is wrong with it.
fn number(text: &str) -> Value {
    match text.parse::<i64>() {
        Ok(number) => json!(number),
        Err(_) if text.is_empty() => Value::Null,
        Err(_) => json!(text),
    }
}

/// What the API refused, by the fields of a form (the first part of each pointer), or as a whole under an empty name.
pub(crate) fn faults_of(refused: &Refused, language: Language) -> Faults {
    let mut faults = Faults::default();
    let told = refused.told(language);
    if refused.status() == 412 {
        faults.add(
            "",
            language.pick(
                "Alguien lo ha cambiado mientras usted lo editaba. Lo que ha escrito sigue aquí: revíselo y guarde otra vez.",
                "Someone changed it while you were editing. What you wrote is still here: look it over and save again.",
            ),
        );
        return faults;
    }
    let errors = told["errors"].as_array().map(Vec::as_slice).unwrap_or_default();
    for error in errors {
        let (pointer, detail) = (error["pointer"].as_str(), error["detail"].as_str());
        let mut parts = pointer.unwrap_or_default().trim_start_matches('/').splitn(2, '/');
        let field = parts.next().unwrap_or_default();
        let within = parts.next().filter(|within| within.parse::<usize>().is_err());
        let detail = detail.unwrap_or_default();
        match within {
            Some(within) => faults.add(field, format!("{}: {detail}", within.replace("~1", "/"))),
            None => faults.add(field, detail),
        }
    }
    if errors.is_empty() {
        faults.add("", told["detail"].as_str().unwrap_or_default());
    }
    faults
}
