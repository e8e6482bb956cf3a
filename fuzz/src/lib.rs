//! The product as the fuzz targets meet it: in process, over HTTP, on an embedded database of its own.
//! A panic ends the program, and so does an answer that blames us.

use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use axum::Router;
use axum::body::{Body, Bytes};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt as _;
use orquiva::operator;
use orquiva::wiring::Base;
use orquiva_core::chance::SeededChance;
use orquiva_core::seal::MasterKey;
use orquiva_core::time::FrozenClock;
use orquiva_core::{Plan, Scopes, Timestamp};
use orquiva_store::{Settings, Store};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use tower::ServiceExt as _;

/// Where the clock stands at first: 2026-01-01.
const START: Timestamp = Timestamp::from_millis(1_767_225_600_000);

/// Requests after which the token is a new one: it lives an hour of the clock, which moves with each request.
const TOKEN_AGE: u32 = 100_000;

/// A product with one company, one client that may do everything, and one employee.
pub struct Product {
    router: Router,
    runtime: Runtime,
    clock: Arc<FrozenClock>,
    form: String,
    token: Mutex<(String, u32)>,
    employee: String,
    _folder: TempDir,
}

/// What came back.
pub struct Answer {
    /// The status.
    pub status: StatusCode,
    /// The body, if it is JSON.
    pub json: Option<Value>,
}

/// The product that all runs of a target share.
pub fn product() -> &'static Product {
    static PRODUCT: LazyLock<Product> = LazyLock::new(Product::start);
    &PRODUCT
}

impl Product {
    fn start() -> Self {
        let runtime = Runtime::new().expect("a runtime starts");
        let folder = tempfile::tempdir().expect("a folder for the database");
        let clock = Arc::new(FrozenClock::at(START));
        let (router, form) = runtime.block_on(async {
            let settings = Settings::Sqlite { file: folder.path().join("orquiva.db") };
            let store = Store::open(settings, clock.as_ref()).await.expect("an empty database opens");
            let chance = Arc::new(SeededChance::new(1));
            let base = Base::over(store, clock.clone(), chance, MasterKey::new(&[7; 32]));
            let node = base.node("https://api.orquiva.test".to_owned(), false).await.expect("a node starts");
            let company = operator::create_company(&base, "acme", Plan::Enterprise).await.expect("a company");
            let client = operator::create_client(&base, company.id, "fuzz", Scopes::all()).await;
            let (id, secret) = client.expect("a client");
            node.tokens.follow().await.expect("the client is known");
            let form =
                format!("grant_type=client_credentials&client_id={id}&client_secret={}", secret.expose());
            (orquiva::wiring::open_router(node.app), form)
        });
        let mut product = Self {
            router,
            runtime,
            clock,
            form,
            token: Mutex::new((String::new(), TOKEN_AGE)),
            employee: String::new(),
            _folder: folder,
        };
        let ana = json!({
            "fullName": "Ana Ruiz", "email": "ana@acme.test", "department": "Ventas",
            "external_refs": { "stripe_id": "cus_1" },
        });
        let hired = product.write(Method::POST, "/v1/employees", ana.to_string().into_bytes());
        let id = hired.json.as_ref().and_then(|employee| employee["id"].as_str());
        product.employee = id.expect("someone is hired").to_owned();
        product
    }

    /// The path of the employee that there is.
    pub fn employee(&self) -> String {
        format!("/v1/employees/{}", self.employee)
    }

    /// The form by which the client asks for a token.
    pub fn form(&self) -> &str {
        &self.form
    }

    /// A token that is good at this moment.
    pub fn token(&self) -> String {
        let mut token = self.token.lock().unwrap_or_else(PoisonError::into_inner);
        if token.1 >= TOKEN_AGE {
            let request = Request::post("/oauth/token")
                .header("content-type", "application/x-www-form-urlencoded")
                .body(Body::from(self.form.clone()));
            let answer = self.send(request.expect("a request"));
            let issued = answer.json.as_ref().and_then(|answer| answer["access_token"].as_str());
            *token = (issued.expect("the client gets a token").to_owned(), 0);
        }
        token.1 += 1;
        token.0.clone()
    }

    /// A request of the client, to be added to.
    pub fn request(&self, method: Method, path: &str) -> http::request::Builder {
        Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {}", self.token()))
    }

    /// Writes `body`, as it is.
    pub fn write(&self, method: Method, path: &str, body: Vec<u8>) -> Answer {
        self.send(self.request(method, path).body(Body::from(body)).expect("a request"))
    }

    /// Sends a request. Whatever it says, the fault is never ours, and whoever refuses it says why.
    pub fn send(&self, request: Request<Body>) -> Answer {
        self.clock.advance(10); // within the plan's rate
        let (status, body): (StatusCode, Bytes) = self.runtime.block_on(async {
            let response = self.router.clone().oneshot(request).await.expect("the router is infallible");
            let status = response.status();
            (status, response.into_body().collect().await.expect("a body").to_bytes())
        });
        let json: Option<Value> = serde_json::from_slice(&body).ok();
        assert!(!status.is_server_error(), "{status}: {json:?}");
        if status.is_client_error() {
            let refusal = json.as_ref().expect("a refusal is JSON");
            assert!(refusal["code"].is_string() || refusal["error"].is_string(), "{refusal}");
        }
        Answer { status, json }
    }
}
