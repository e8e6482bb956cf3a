//! Every route of the description × whoever may not use it: no token, an expired one, the wrong scope, another
//! company's id, a suspended company. And once as it should be: then it answers what it describes.

use std::collections::BTreeSet;

use axum::body::Body;
use http::{HeaderMap, Method, Request};
use http_body_util::BodyExt as _;
use orquiva::operator;
use orquiva_core::{Plan, Scope, Scopes};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use crate::harness::{Caller, Orquiva, Receiver, on_both};
use crate::openapi::operations;
use crate::shape::Shapes;

/// What it takes to use a route.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Guard {
    /// A token with this scope.
    Scope(Scope),
    /// Any token.
    Token,
    /// The client's credentials, in a form with these fields.
    Credentials(&'static str),
    /// Nothing.
    Nothing,
}

use Guard::{Credentials, Nothing, Token};

const EMPLOYEES_READ: Guard = Guard::Scope(Scope::EmployeesRead);
const EMPLOYEES_WRITE: Guard = Guard::Scope(Scope::EmployeesWrite);
const DEPARTMENTS_READ: Guard = Guard::Scope(Scope::DepartmentsRead);
const DEPARTMENTS_WRITE: Guard = Guard::Scope(Scope::DepartmentsWrite);
const EVENTS_READ: Guard = Guard::Scope(Scope::EventsRead);
const WEBHOOKS: Guard = Guard::Scope(Scope::WebhooksManage);

/// Each operation: what it takes, and the body of a right request. What its path names is made for it.
const ENTRIES: &[(&str, Guard, &str)] = &[
    ("createEmployee", EMPLOYEES_WRITE, r#"{"fullName":"Eva Sanz","email":"eva@acme.test"}"#),
    ("getEmployee", EMPLOYEES_READ, ""),
    ("listEmployees", EMPLOYEES_READ, ""),
    ("changeEmployee", EMPLOYEES_WRITE, r#"{"jobTitle":"Comercial"}"#),
    ("deleteEmployee", EMPLOYEES_WRITE, ""),
    ("listReports", EMPLOYEES_READ, ""),
    ("terminateEmployee", EMPLOYEES_WRITE, r#"{"effectiveDate":"2030-01-01"}"#),
    ("cancelTermination", EMPLOYEES_WRITE, ""),
    ("rehireEmployee", EMPLOYEES_WRITE, r#"{"startDate":"2030-02-01"}"#),
    ("cancelRehire", EMPLOYEES_WRITE, ""),
    (
        "createBatch",
        EMPLOYEES_WRITE,
        r#"{"items":[{"data":{"fullName":"Ana Gil","email":"gil@acme.test"}}]}"#,
    ),
    ("exportEmployees", EMPLOYEES_READ, ""),
    ("putEmployeeByReference", EMPLOYEES_WRITE, r#"{"fullName":"Iria Paz","email":"iria@acme.test"}"#),
    ("getEmployeeByReference", EMPLOYEES_READ, ""),
    (
        "createCustomField",
        EMPLOYEES_WRITE,
        r#"{"slug":"talla","label":"Talla","type":"choice","choices":["M"]}"#,
    ),
    ("getCustomField", EMPLOYEES_READ, ""),
    ("listCustomFields", EMPLOYEES_READ, ""),
    ("changeCustomField", EMPLOYEES_WRITE, r#"{"label":"Otra"}"#),
    ("deleteCustomField", EMPLOYEES_WRITE, ""),
    ("createDepartment", DEPARTMENTS_WRITE, r#"{"name":"Compras"}"#),
    ("getDepartment", DEPARTMENTS_READ, ""),
    ("listDepartments", DEPARTMENTS_READ, ""),
    ("changeDepartment", DEPARTMENTS_WRITE, r#"{"code":"X"}"#),
    ("deleteDepartment", DEPARTMENTS_WRITE, ""),
    ("createWebhook", WEBHOOKS, r#"{"url":"https://hooks.acme.com/","events":["*"]}"#),
    ("getWebhook", WEBHOOKS, ""),
    ("listWebhooks", WEBHOOKS, ""),
    ("changeWebhook", WEBHOOKS, r#"{"description":"CRM"}"#),
    ("deleteWebhook", WEBHOOKS, ""),
    ("rotateWebhookSecret", WEBHOOKS, r#"{"overlapHours":1}"#),
    ("testWebhook", WEBHOOKS, ""),
    ("getWebhookKeySet", Nothing, ""),
    ("replayEvents", WEBHOOKS, r#"{"from":"2026-01-01T00:00:00Z","ratePerSecond":1}"#),
    ("getWebhookHealth", WEBHOOKS, ""),
    ("getReplay", WEBHOOKS, ""),
    ("listReplays", WEBHOOKS, ""),
    ("cancelReplay", WEBHOOKS, ""),
    ("getEvent", EVENTS_READ, ""),
    ("listEvents", EVENTS_READ, ""),
    ("streamEvents", EVENTS_READ, ""),
    ("getDelivery", WEBHOOKS, ""),
    ("listDeliveries", WEBHOOKS, ""),
    ("retryDelivery", WEBHOOKS, ""),
    ("listNotices", WEBHOOKS, ""),
    ("readNotice", WEBHOOKS, ""),
    ("getMe", Token, ""),
    ("getCoverage", Token, ""),
    ("listUsage", Token, ""),
    ("issueToken", Credentials("grant_type=client_credentials"), ""),
    ("revokeToken", Credentials("token=x"), ""),
    ("introspectToken", Credentials("token=x"), ""),
    ("getKeySet", Nothing, ""),
    ("getAuthorizationServer", Nothing, ""),
    ("getProtectedResource", Nothing, ""),
];

/// A route of the description, and its entry.
struct Route<'d> {
    path: &'d str,
    method: &'d str,
    operation: &'d Value,
    guard: Guard,
    body: &'static str,
}

/// Every route with its entry; one without, and an entry without a route, fail.
fn routes(document: &Value) -> Vec<Route<'_>> {
    let mut left: BTreeSet<_> = ENTRIES.iter().map(|(id, ..)| *id).collect();
    let routes = operations(document).into_iter().map(|(path, method, operation)| {
        let id = operation["operationId"].as_str().unwrap();
        let entry = ENTRIES.iter().find(|(known, ..)| *known == id);
        let (_, guard, body) =
            entry.unwrap_or_else(|| panic!("{method} {path} ({id}) has no entry in ENTRIES"));
        left.remove(id);
        Route { path, method, operation, guard: *guard, body }
    });
    let routes = routes.collect();
    assert!(left.is_empty(), "no route: {left:?}");
    routes
}

impl Route<'_> {
    /// The path, with something of the company's in place of each name.
    async fn path(&self, owner: &Caller<'_>) -> String {
        let tag = self.operation["tags"][0].as_str().unwrap();
        let tag = if self.path.starts_with("/v1/replays") { "Replays" } else { tag };
        if let Some(start) = self.path.strip_suffix("{system}/{value}") {
            let number = number(owner);
            let body = json!({ "fullName": "Ana Ruiz", "email": format!("{number}@acme.test"),
                               "external_refs": { "crm": number } });
            let made = owner.post("/v1/employees", &body).await;
            assert_eq!(made.status, 201, "{}", made.body);
            return format!("{start}crm/{number}");
        }
        match self.path.split_once("{id}").or_else(|| self.path.split_once("{slug}")) {
            Some((start, end)) => {
                let id = make(owner, tag).await;
                for (call, body) in self.before() {
                    let made = owner.post(&format!("{start}{id}/{call}"), &body).await;
                    assert_eq!(made.status, 200, "{}", made.body);
                }
                format!("{start}{id}{end}")
            }
            None => self.path.to_owned(),
        }
    }

    /// What has to happen before it may be asked.
    fn before(&self) -> Vec<(&'static str, Value)> {
        let ends = || ("terminate", json!({}));
        match self.operation["operationId"].as_str() {
            Some("cancelTermination") => vec![("terminate", json!({ "effectiveDate": "2030-01-01" }))],
            Some("rehireEmployee") => vec![ends()],
            Some("cancelRehire") => vec![ends(), ("rehire", json!({ "startDate": "2030-02-01" }))],
            _ => Vec::new(),
        }
    }

    /// The names of its query's parameters, as the description has them.
    fn parameters(&self, document: &Value) -> Vec<String> {
        let parameters = self.operation["parameters"].as_array().into_iter().flatten();
        let parameters = parameters.map(|parameter| Shapes::of(document).resolve(parameter));
        let of_the_query = parameters.filter(|parameter| parameter["in"] == "query");
        of_the_query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
    }

    fn request(&self, path: &str, token: Option<&str>) -> Request<Body> {
        let method: Method = self.method.to_uppercase().parse().unwrap();
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if !self.body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        request.body(Body::from(self.body)).unwrap()
    }

    fn form(&self, fields: &str, caller: &Caller<'_>, secret: &str) -> Request<Body> {
        let form = format!("{fields}&client_id={}&client_secret={secret}", caller.id);
        let request = Request::post(self.path).header("content-type", "application/x-www-form-urlencoded");
        request.body(Body::from(form)).unwrap()
    }

    /// The operation's scope, as the description has it.
    fn described_guard(&self) -> Option<Vec<&str>> {
        let scopes = self.operation["security"][0]["client"].as_array()?;
        Some(scopes.iter().map(|scope| scope.as_str().unwrap()).collect())
    }
}

/// Makes one of what a path names, and returns its id.
async fn make(owner: &Caller<'_>, tag: &str) -> String {
    let number = number(owner);
    let (path, body) = match tag {
        "Employees" => {
            ("/v1/employees", json!({ "fullName": "Ana Ruiz", "email": format!("{number}@acme.test") }))
        }
        "Departments" => ("/v1/departments", json!({ "name": number })),
        "Custom fields" => ("/v1/custom-fields", json!({ "slug": number, "label": "Nota", "type": "text" })),
        "Webhooks" => {
            ("/v1/webhooks", json!({ "url": "https://hooks.acme.com/", "events": ["*"], "ed25519": true }))
        }
        "Events" => {
            owner.hire(&format!("Ana {number}")).await;
            return owner.events().await.last().unwrap()["id"].as_str().unwrap().to_owned();
        }
        "Deliveries" => {
            let receiver = Receiver::start().await;
            owner.subscribe(&receiver, &["employee.created"]).await;
            owner.hire(&format!("Ana {number}")).await;
            owner.orq.work().await;
            let listed = owner.get("/v1/deliveries?limit=1").await.body;
            return listed["data"][0]["id"].as_str().unwrap().to_owned();
        }
        "Replays" => {
            owner.hire(&format!("Ana {number}")).await;
            owner.orq.work().await;
            let webhook = owner.subscribe(&Receiver::start().await, &["*"]).await;
            let path = format!("/v1/webhooks/{}/replay", webhook["id"].as_str().unwrap());
            let replay = owner.post(&path, &json!({ "from": "2026-01-01T00:00:00Z" })).await;
            return replay.body["id"].as_str().unwrap().to_owned();
        }
        "Notices" => return disabled(owner).await,
        other => panic!("how one of {other} is made is not written here"),
    };
    let made = owner.post(path, &body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let id = made.body["id"].as_str().or_else(|| made.body["slug"].as_str());
    id.unwrap().to_owned()
}

/// Has an endpoint disabled, and returns the notice of it.
async fn disabled(owner: &Caller<'_>) -> String {
    let receiver = Receiver::start().await;
    receiver.will_answer(&[(410, &[])]);
    owner.subscribe(&receiver, &["employee.created"]).await;
    owner.hire(&format!("Ana {}", number(owner))).await;
    owner.orq.work().await;
    let listed = owner.get("/v1/notices?unread=true&limit=1").await.body;
    listed["data"][0]["id"].as_str().unwrap().to_owned()
}

/// A text that was never used, good for an address, a slug or a name.
fn number(owner: &Caller<'_>) -> String {
    owner.orq.base.mint.next::<orquiva_core::id::RequestKind>().to_string().to_lowercase()
}

struct Got {
    status: u16,
    headers: HeaderMap,
    body: Value,
}

impl Got {
    fn code(&self) -> &str {
        self.body["code"].as_str().or_else(|| self.body["error"].as_str()).unwrap_or_default()
    }
}

/// Sends a request. A stream never ends, so it is not read.
async fn send(orq: &Orquiva, request: Request<Body>) -> Got {
    let response = orq.router.clone().oneshot(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let is_stream = parts.headers.get("content-type").is_some_and(|kind| kind == "text/event-stream");
    let raw = if is_stream { bytes::Bytes::new() } else { body.collect().await.unwrap().to_bytes() };
    let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
    Got { status: parts.status.as_u16(), headers: parts.headers, body }
}

/// Answers that are described and that a request brought about.
fn check_described(route: &Route<'_>, shapes: &Shapes<'_>, got: &Got, at: &str) {
    let described = route.operation["responses"].get(got.status.to_string());
    let described = described.unwrap_or_else(|| panic!("{at}: {} is not described", got.status));
    let kind = got.headers.get("content-type").map(|kind| kind.to_str().unwrap());
    let content = &shapes.resolve(described)["content"];
    match kind {
        Some(kind) if content[kind].is_object() && !got.body.is_null() => {
            let faults = shapes.faults(&content[kind]["schema"], &got.body);
            assert_eq!(faults, Vec::<String>::new(), "{at}: {}", got.body);
        }
        Some(kind) => {
            assert!(content[kind].is_object() || got.body.is_null(), "{at}: {kind} is not described")
        }
        None => assert!(content.is_null(), "{at}: nothing came"),
    }
}

#[tokio::test]
async fn every_route_lets_in_only_who_may() {
    on_both(async |orq| {
        let document = send(&orq, Request::get("/openapi.json").body(Body::empty()).unwrap()).await.body;
        let shapes = Shapes::of(&document);
        let expired = orq.company("early").await.token;
        orq.clock.advance(3_601_000);
        let acme = orq.company("acme").await;
        let other = orq.company("other").await;
        let closed = orq.company_on("closed", Plan::Enterprise, Scopes::all()).await;
        operator::suspend_company(&orq.base, closed.company, true).await.unwrap();
        orq.tokens.follow().await.unwrap();

        for route in routes(&document) {
            let at = format!("{} {}", route.method, route.path);
            let check = |got: &Got, expected: (u16, &str)| {
                assert_eq!((got.status, got.code()), expected, "{at}: {}", got.body);
                check_described(&route, &shapes, got, &at);
            };
            let path = route.path(&acme).await;
            match route.guard {
                Guard::Scope(_) | Token => {
                    for token in [None, Some(expired.as_str()), Some(closed.token.as_str())] {
                        let got = send(&orq, route.request(&path, token)).await;
                        check(&got, (401, "invalid_token"));
                        assert!(got.headers.contains_key("www-authenticate"), "{at}");
                    }
                    if path != route.path {
                        let got = send(&orq, route.request(&path, Some(&other.token))).await;
                        match route.operation["operationId"].as_str() {
                            // What is not there in the other company is created there.
                            Some("putEmployeeByReference") => {
                                assert_eq!(
                                    (got.status, &got.body["companyId"]),
                                    (201, &json!(other.company))
                                );
                            }
                            _ => check(&got, (404, "not_found")),
                        }
                    }
                }
                Credentials(fields) => {
                    let got = send(&orq, route.form(fields, &acme, "orqs_wrong")).await;
                    check(&got, (401, "invalid_client"));
                    let got = send(&orq, route.form(fields, &closed, closed.secret.expose())).await;
                    check(&got, (401, "invalid_client"));
                }
                Nothing => {}
            }
            let (with, without): (Scopes, Scopes) = match route.guard {
                Guard::Scope(scope) => {
                    let others = Scope::ALL.iter().copied().filter(|other| *other != scope);
                    ([scope].into_iter().collect(), others.collect())
                }
                Token | Credentials(_) | Nothing => (Scopes::default(), Scopes::all()),
            };
            if let Guard::Scope(scope) = route.guard {
                assert_eq!(route.described_guard(), Some(vec![scope.as_str()]), "{at}");
                let caller = orq.client_of(acme.company, without).await;
                let got = send(&orq, route.request(&path, Some(&caller.token))).await;
                check(&got, (403, "insufficient_scope"));
                assert!(got.headers["www-authenticate"].to_str().unwrap().contains(scope.as_str()), "{at}");
            }
            let caller = orq.client_of(acme.company, with).await;
            let known = route.parameters(&document);
            if let (Guard::Scope(_) | Token, false) = (&route.guard, known.is_empty()) {
                // Each is known to the handler, which would say so of none that is not.
                let empty: Vec<_> = known.iter().map(|name| format!("{name}=")).collect();
                let empty = format!("{path}?{}", empty.join("&"));
                let got = send(&orq, route.request(&empty, Some(&caller.token))).await;
                check(&got, (400, "invalid_parameter"));
                let errors = got.body["errors"].as_array().unwrap();
                let mut refused: Vec<_> = errors.iter().map(|one| one["pointer"].as_str().unwrap()).collect();
                assert!(errors.iter().all(|one| one["code"] == "empty"), "{at}: {}", got.body);
                refused.sort_unstable();
                let mut known: Vec<_> = known.iter().map(String::as_str).collect();
                known.sort_unstable();
                assert_eq!(refused, known, "{at}");
            }
            let request = match route.guard {
                Guard::Scope(_) | Token => route.request(&path, Some(&caller.token)),
                Credentials(fields) => route.form(fields, &acme, acme.secret.expose()),
                Nothing => route.request(&path, None),
            };
            let got = send(&orq, request).await;
            assert!((200..300).contains(&got.status), "{at}: {} {}", got.status, got.body);
            check_described(&route, &shapes, &got, &at);
        }
    })
    .await;
}
