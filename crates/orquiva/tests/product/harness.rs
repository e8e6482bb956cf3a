//! A product to talk to: in process, without a port, on a real database, with a clock that stands still.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::routing::any;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use orquiva::operator;
use orquiva::wiring::Base;
use orquiva_console::Importer;
use orquiva_core::chance::SeededChance;
use orquiva_core::id::CompanyId;
use orquiva_core::seal::MasterKey;
use orquiva_core::time::FrozenClock;
use orquiva_core::{Clock as _, Plan, Scopes, Secret, Timestamp};
use orquiva_delivery::Worker;
use orquiva_people::Scheduler;
use orquiva_store::{Settings, Store};
use orquiva_web::{Feed, Tokens};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Where the clock stands at first: 2026-01-01.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// The address that the product believes to be reached at.
pub(crate) const PUBLIC: &str = "https://api.orquiva.test";

/// The environment variable that names a PostgreSQL for tests.
const POSTGRES: &str = "ORQUIVA_TEST_POSTGRES";

pub(crate) struct Orquiva {
    pub(crate) router: Router,
    pub(crate) worker: Worker,
    pub(crate) scheduler: Scheduler,
    pub(crate) importer: Importer,
    pub(crate) clock: Arc<FrozenClock>,
    pub(crate) base: Base,
    pub(crate) tokens: Arc<Tokens>,
    pub(crate) feed: Arc<Feed>,
    pub(crate) database: Database,
}

/// Where a product keeps its data.
pub(crate) enum Database {
    File(tempfile::TempDir),
    Server(String),
}

impl Database {
    fn new_file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    fn settings(&self) -> Settings {
        match self {
            Self::File(folder) => Settings::Sqlite { file: folder.path().join("orquiva.db") },
            Self::Server(url) => {
                Settings::Postgres { url: Secret::new(url.as_str()), writers: 2, readers: 1 }
            }
        }
    }
}

/// Runs `test` on a fresh product of each engine.
pub(crate) async fn on_both(test: impl AsyncFn(Orquiva)) {
    eprintln!("on SQLite");
    test(Orquiva::over(Database::new_file(), true).await).await;
    if let Some(url) = fresh_postgres().await {
        eprintln!("on PostgreSQL");
        test(Orquiva::over(Database::Server(url), true).await).await;
    }
}

/// Two nodes over one PostgreSQL, if there is one for tests.
pub(crate) async fn two_nodes() -> Option<(Orquiva, Orquiva)> {
    let url = fresh_postgres().await?;
    let first = Orquiva::seeded(1, Database::Server(url.clone()), true).await;
    Some((first, Orquiva::seeded(2, Database::Server(url), true).await))
}

/// The address of an empty schema, if there is a PostgreSQL for tests.
pub(crate) async fn fresh_postgres() -> Option<String> {
    let url = std::env::var(POSTGRES).ok()?;
    let (client, connection) =
        tokio_postgres::connect(&url, tokio_postgres::NoTls).await.expect("PostgreSQL is up");
    let driver = tokio::spawn(connection);
    #[expect(clippy::disallowed_methods, reason = "the name of a schema, the same in no two runs")]
    let schema = format!("t_{}", uuid::Uuid::now_v7().simple());
    client.batch_execute(&format!("create schema {schema}")).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    Some(format!("{url}?options=-csearch_path%3D{schema}"))
}

async fn base(database: &Database, clock: Arc<FrozenClock>, seed: u64) -> Base {
    let store = Store::open(database.settings(), clock.as_ref()).await.unwrap();
    Base::over(store, clock, Arc::new(SeededChance::new(seed)), MasterKey::new(&[7; 32]))
}

/// Sends a request to `router` as it is.
pub(crate) async fn send(router: &Router, request: Request<Body>) -> Answer {
    let response = router.clone().oneshot(request).await.expect("the router is infallible");
    let (parts, body) = response.into_parts();
    let raw = body.collect().await.unwrap().to_bytes();
    let body = serde_json::from_slice(&raw).unwrap_or(Value::Null);
    Answer { status: parts.status.as_u16(), headers: parts.headers, body, raw }
}

impl Orquiva {
    /// On SQLite, and with webhooks to the public Internet only.
    pub(crate) async fn strict() -> Self {
        Self::over(Database::new_file(), false).await
    }

    async fn over(database: Database, allow_private: bool) -> Self {
        Self::seeded(1, database, allow_private).await
    }

    async fn seeded(seed: u64, database: Database, allow_private: bool) -> Self {
        let clock = Arc::new(FrozenClock::at(START));
        let base = base(&database, clock.clone(), seed).await;
        let node = base.node(PUBLIC.to_owned(), allow_private).await.unwrap();
        let feed = node.app.feed().clone();
        let importer = Importer::new(node.app.clone());
        let router = orquiva::wiring::open_router(node.app);
        Self {
            router,
            worker: node.worker,
            scheduler: node.scheduler,
            importer,
            clock,
            base,
            tokens: node.tokens,
            feed,
            database,
        }
    }

    /// The routes of another node over the same database, with the same clock.
    pub(crate) async fn another_node(&self) -> Router {
        let base = base(&self.database, self.clock.clone(), 2).await;
        orquiva::wiring::open_router(base.node(PUBLIC.to_owned(), true).await.unwrap().app)
    }

    /// A connection of one's own to the PostgreSQL that this product runs on.
    pub(crate) async fn postgres(&self) -> tokio_postgres::Client {
        let Database::Server(url) = &self.database else { panic!("this product is on SQLite") };
        let (client, driver) = tokio_postgres::connect(url, tokio_postgres::NoTls).await.unwrap();
        tokio::spawn(driver);
        client
    }

    /// The worker of a server that is started over the same database, with a clock that is set by `millis` from this one's.
    pub(crate) async fn started_again(&self, millis: i64) -> Worker {
        let clock = Arc::new(FrozenClock::at(self.clock.now().plus(millis)));
        let base = base(&self.database, clock, 4).await;
        base.node(PUBLIC.to_owned(), true).await.unwrap().worker
    }

    /// Works at imports on another node over the same database, with the same clock.
    pub(crate) async fn another_importer(&self) -> Importer {
        let base = base(&self.database, self.clock.clone(), 4).await;
        Importer::new(base.node(PUBLIC.to_owned(), true).await.unwrap().app)
    }

    /// The scheduler of another node over the same database, with the same clock.
    pub(crate) async fn another_scheduler(&self) -> Scheduler {
        let base = base(&self.database, self.clock.clone(), 3).await;
        base.node(PUBLIC.to_owned(), true).await.unwrap().scheduler
    }

    /// A company on Enterprise with a client that may do everything, and its token.
    pub(crate) async fn company(&self, name: &str) -> Caller<'_> {
        self.company_on(name, Plan::Enterprise, Scopes::all()).await
    }

    pub(crate) async fn company_on(&self, name: &str, plan: Plan, scopes: Scopes) -> Caller<'_> {
        let company = operator::create_company(&self.base, name, plan).await.unwrap();
        self.client_of(company.id, scopes).await
    }

    /// A client of a company, and its token.
    pub(crate) async fn client_of(&self, company: CompanyId, scopes: Scopes) -> Caller<'_> {
        let (id, secret) = operator::create_client(&self.base, company, "test", scopes).await.unwrap();
        self.tokens.follow().await.unwrap();
        let mut caller = Caller { orq: self, company, id: id.to_string(), secret, token: String::new() };
        caller.token = caller.fresh_token().await;
        caller
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        send(&self.router, request).await
    }

    /// Asks for a token with this form.
    pub(crate) async fn ask_token(&self, form: &str) -> Answer {
        let request =
            Request::post("/oauth/token").header("content-type", "application/x-www-form-urlencoded");
        self.send(request.body(Body::from(form.to_owned())).unwrap()).await
    }

    /// Does all the work that is due at this moment.
    pub(crate) async fn work(&self) {
        self.scheduler.step().await.unwrap();
        while self.importer.step().await.unwrap() {}
        self.worker.step().await.unwrap();
    }
}

/// A company's program with its token.
pub(crate) struct Caller<'o> {
    pub(crate) orq: &'o Orquiva,
    pub(crate) company: CompanyId,
    pub(crate) id: String,
    pub(crate) secret: Secret,
    pub(crate) token: String,
}

impl Caller<'_> {
    pub(crate) fn form(&self) -> String {
        format!("grant_type=client_credentials&client_id={}&client_secret={}", self.id, self.secret.expose())
    }

    pub(crate) async fn fresh_token(&self) -> String {
        let answer = self.orq.ask_token(&self.form()).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.body["access_token"].as_str().unwrap().to_owned()
    }

    /// A request with the token; more can be added to it.
    pub(crate) fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder().method(method).uri(path).header("authorization", format!("Bearer {}", self.token))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.orq.send(self.request(Method::GET, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.orq.send(self.request(Method::DELETE, path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::POST, path, &[], body).await
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.write(Method::PATCH, path, &[], body).await
    }

    pub(crate) async fn write(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        self.orq.send(self.written(method, path, headers, body)).await
    }

    /// The request of [`Self::write`], to be sent anywhere.
    pub(crate) fn written(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Request<Body> {
        let mut request = self.request(method, path).header("content-type", "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.body(Body::from(body.to_string())).unwrap()
    }

    /// Sends bytes that may be no JSON, under a content type or under none.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        kind: Option<&str>,
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = self.request(method, path);
        if let Some(kind) = kind {
            request = request.header("content-type", kind);
        }
        self.orq.send(request.body(body.into()).unwrap()).await
    }

    /// Hires someone of that name and returns the id.
    pub(crate) async fn hire(&self, name: &str) -> String {
        let email = format!("{}@acme.test", name.to_lowercase().replace(' ', "."));
        let hired = self.post("/v1/employees", &json!({ "fullName": name, "email": email })).await;
        assert_eq!(hired.status, 201, "{}", hired.body);
        hired.body["id"].as_str().unwrap().to_owned()
    }

    /// Subscribes `receiver` and returns the endpoint as it was created.
    pub(crate) async fn subscribe(&self, receiver: &Receiver, events: &[&str]) -> Value {
        let created = self.post("/v1/webhooks", &json!({ "url": receiver.url, "events": events })).await;
        assert_eq!(created.status, 201, "{}", created.body);
        created.body
    }

    /// The whole event log.
    pub(crate) async fn events(&self) -> Vec<Value> {
        self.orq.work().await;
        self.get("/v1/events?after=0&limit=200").await.body["data"].as_array().unwrap().clone()
    }

    /// The types of the whole event log, in order.
    pub(crate) async fn event_types(&self) -> Vec<String> {
        self.events().await.iter().map(|event| event["type"].as_str().unwrap().to_owned()).collect()
    }
}

pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Value,
    pub(crate) raw: Bytes,
}

impl Answer {
    /// The stable code of a problem.
    pub(crate) fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }

    /// Status and code of a problem, once it is sure that it is one in full.
    pub(crate) fn problem(&self) -> (u16, &str) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{}", self.body);
        assert_eq!(self.body["status"], json!(self.status));
        assert!(self.body["type"].as_str().unwrap().ends_with(self.code()));
        assert!(
            !self.body["title"].as_str().unwrap().is_empty()
                && !self.body["detail"].as_str().unwrap().is_empty()
        );
        assert_eq!(self.body["requestId"], json!(self.header("x-request-id")));
        (self.status, self.code())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Pointer and code of each bad field, sorted.
    pub(crate) fn faults(&self) -> Vec<(String, String)> {
        let own = |value: &Value| value.as_str().unwrap().to_owned();
        let errors = self.body["errors"].as_array().cloned().unwrap_or_default();
        let mut faults: Vec<_> =
            errors.iter().map(|error| (own(&error["pointer"]), own(&error["code"]))).collect();
        faults.sort();
        faults
    }
}

/// A receiver of webhooks on a port of this machine: remembers what it got, and answers as it is told.
pub(crate) struct Receiver {
    pub(crate) url: String,
    state: Arc<Mutex<Hook>>,
}

#[derive(Default)]
struct Hook {
    arrived: Arc<tokio::sync::Notify>,
    got: Vec<(HeaderMap, Bytes)>,
    answers: Vec<(u16, Vec<(&'static str, String)>)>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(Hook::default()));
        let router = Router::new().fallback(any(take)).with_state(state.clone());
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        Self { url, state }
    }

    /// Answers the next requests with these statuses and headers; after them with 204.
    pub(crate) fn will_answer(&self, answers: &[(u16, &[(&'static str, &str)])]) {
        let own = |headers: &[(&'static str, &str)]| {
            headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect()
        };
        let answers = answers.iter().rev().map(|(status, headers)| (*status, own(headers)));
        self.state.lock().unwrap().answers = answers.collect();
    }

    /// Answers the next `count` requests with 500.
    pub(crate) fn will_fail(&self, count: usize) {
        self.state.lock().unwrap().answers = vec![(500, Vec::new()); count];
    }

    pub(crate) fn got(&self) -> Vec<(HeaderMap, Bytes)> {
        self.state.lock().unwrap().got.clone()
    }

    /// Waits until `count` requests have arrived.
    pub(crate) async fn has_got(&self, count: usize) {
        let arrived = self.state.lock().unwrap().arrived.clone();
        while self.state.lock().unwrap().got.len() < count {
            arrived.notified().await;
        }
    }

    /// The bodies that arrived.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.got().iter().map(|(_, raw)| serde_json::from_slice(raw).unwrap()).collect()
    }
}

async fn take(
    State(state): State<Arc<Mutex<Hook>>>,
    headers: HeaderMap,
    raw: Bytes,
) -> axum::response::Response {
    let mut state = state.lock().unwrap();
    state.got.push((headers, raw));
    state.arrived.notify_one();
    let (status, headers) = state.answers.pop().unwrap_or((204, Vec::new()));
    let mut response = axum::response::Response::new(Body::from("thank you"));
    *response.status_mut() = StatusCode::from_u16(status).unwrap();
    for (name, value) in headers {
        response.headers_mut().insert(name, value.parse().unwrap());
    }
    response
}
