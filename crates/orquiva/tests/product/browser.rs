//! A browser to talk to the console with: it keeps its cookies, and sends forms as the last page that it saw made them.

use std::cell::RefCell;
use std::collections::BTreeMap;

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use url::form_urlencoded::Serializer;

use crate::harness::{Orquiva, send};

/// The password of everyone in these tests.
pub(crate) const PASSWORD: &str = "caballo correcto pila grapa";

/// A browser.
pub(crate) struct Browser<'o> {
    orq: &'o Orquiva,
    pub(crate) cookies: RefCell<BTreeMap<String, String>>,
    token: RefCell<String>,
}

/// What a browser got.
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

impl Orquiva {
    /// A browser that never was here.
    pub(crate) fn browser(&self) -> Browser<'_> {
        Browser { orq: self, cookies: RefCell::default(), token: RefCell::default() }
    }

    /// A browser whose owner has just founded a company.
    pub(crate) async fn founder(&self, company: &str) -> Browser<'_> {
        let browser = self.browser();
        browser.get("/admin/sign-up").await;
        let email = format!("ana@{}.test", company.to_lowercase());
        let fields = [("company", company), ("name", "Ana Ruiz"), ("email", &email), ("password", PASSWORD)];
        let founded = browser.post("/admin/sign-up", &fields).await;
        assert_eq!(
            (founded.status, founded.location()),
            (303, "/admin/api-clients/new?first=1"),
            "{}",
            founded.html
        );
        browser.get("/admin").await;
        browser
    }
}

impl Browser<'_> {
    /// Asks for a page.
    pub(crate) async fn get(&self, path: &str) -> Seen {
        self.ask(Method::GET, path, &[("accept-language", "es")], Body::empty()).await
    }

    /// Sends a form with the token of the last page.
    pub(crate) async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Seen {
        let token = self.token.borrow().clone();
        self.send(path, &[&[("form_token", token.as_str())], fields].concat(), &[]).await
    }

    /// Sends a form as it is, with more headers.
    pub(crate) async fn send(&self, path: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Seen {
        let body = Serializer::new(String::new()).extend_pairs(fields).finish();
        let kind = ("content-type", "application/x-www-form-urlencoded");
        let headers = [&[kind, ("accept-language", "es")], headers].concat();
        self.ask(Method::POST, path, &headers, Body::from(body)).await
    }

    /// Sends a request as it is, but for the cookies.
    pub(crate) async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Body) -> Seen {
        let mut request = Request::builder().method(method).uri(path).header("host", "api.orquiva.test");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let cookies: Vec<_> =
            self.cookies.borrow().iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            request = request.header("cookie", cookies.join("; "));
        }
        let answer = send(&self.orq.router, request.body(body).unwrap()).await;
        for set in answer.headers.get_all("set-cookie") {
            let (pair, rest) = set.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            assert!(
                name.starts_with("__Host-")
                    && ["; Path=/", "; Secure", "; HttpOnly", "; SameSite=Lax"]
                        .iter()
                        .all(|part| format!(";{rest}").contains(part))
                    && !rest.contains("Domain"),
                "{set:?}"
            );
            match rest.contains("Max-Age=0") {
                true => self.cookies.borrow_mut().remove(name),
                false => self.cookies.borrow_mut().insert(name.to_owned(), value.to_owned()),
            };
        }
        let seen = Seen {
            status: answer.status,
            html: String::from_utf8_lossy(&answer.raw).into_owned(),
            headers: answer.headers,
        };
        if let Some(token) = seen.value("form_token") {
            *self.token.borrow_mut() = token;
        }
        seen
    }
}

impl Seen {
    /// Where it leads, if it is a redirect.
    pub(crate) fn location(&self) -> &str {
        self.headers.get("location").map_or("", |value| value.to_str().unwrap())
    }

    /// Whether the page has this text.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.html.contains(text)
    }

    /// The value of the first hidden field of this name.
    pub(crate) fn value(&self, name: &str) -> Option<String> {
        let (_, rest) = self.html.split_once(&format!(r#"name="{name}" value=""#))?;
        rest.split_once('"').map(|(value, _)| value.to_owned())
    }

    /// What stands between these two texts for the first time.
    pub(crate) fn between(&self, before: &str, after: &str) -> Option<&str> {
        self.html.split_once(before)?.1.split_once(after).map(|(found, _)| found)
    }

    /// What a browser would send with the form that leads to `action`: every field as the page filled it in, without
    /// a button; nothing if the page has no such form.
    pub(crate) fn form(&self, action: &str) -> Option<Vec<(String, String)>> {
        let leads = [format!(r#" action="{action}""#), format!(r#"formaction="{action}""#)];
        let forms = self.html.split("<form").skip(1).map(|rest| rest.split("</form>").next().unwrap());
        let form = forms.into_iter().find(|form| leads.iter().any(|leads| form.contains(leads)))?;
        let mut fields = Vec::new();
        for part in form.split('<').skip(1) {
            let (tag, inner) = part.split_once('>').unwrap_or((part, ""));
            let value = attribute(tag, "value").unwrap_or_default();
            let name = attribute(tag, "name");
            match (tag.split([' ', '\n']).next().unwrap(), name) {
                ("input", Some(name)) => match attribute(tag, "type").as_deref() {
                    Some("file") => {}
                    Some("checkbox" | "radio") if !tag.contains(" checked") => {}
                    _ => fields.push((name, value)),
                },
                ("textarea", Some(name)) => fields.push((name, unescaped(inner.trim_start_matches('\n')))),
                ("select", Some(name)) => fields.push((name, String::new())),
                ("option", _) if tag.contains(" selected") => fields.last_mut()?.1 = value,
                _ => {}
            }
        }
        Some(fields)
    }
}

/// The value of an attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(r#" {name}=""#))?;
    rest.split_once('"').map(|(value, _)| unescaped(value))
}

/// A text of a page as it is read.
fn unescaped(text: &str) -> String {
    let mut parts = text.split("&#");
    let mut read = parts.next().unwrap().to_owned();
    for part in parts {
        let (code, rest) = part.split_once(';').unwrap();
        read.extend(char::from_u32(code.parse().unwrap()));
        read.push_str(rest);
    }
    read
}
