//! The schemas of problems, of tokens, and of what a client reads about itself.

use orquiva_core::{Code, Language, Plan, Scope};
use serde_json::{Value, json};

use super::samples::{CLIENT, COMPANY, MOMENT};
use super::shapes::{
    address, count, flag, id, list, moment, nullable, object, refer, said, string, whole, word,
};

/// The schemas of this file, by name.
pub(super) fn schemas() -> Vec<(String, Value)> {
    let own = |(name, schema): (&str, Value)| (name.to_owned(), schema);
    [
        ("Problem", problem()),
        ("ProblemCode", problem_code()),
        ("FieldError", field_error()),
        ("Actor", actor()),
        ("Me", me()),
        ("UsageMinute", usage_minute()),
        ("TokenRequest", token_request()),
        ("TokenQuestion", token_question()),
        ("Token", token()),
        ("Introspection", introspection()),
        ("OAuthError", oauth_error()),
        ("KeySet", key_set()),
        ("AuthorizationServer", authorization_server()),
        ("ProtectedResource", protected_resource()),
    ]
    .map(own)
    .to_vec()
}

/// Every scope with what it allows.
pub(super) fn scopes() -> Value {
    Value::Object(Scope::ALL.iter().map(|scope| (scope.as_str().to_owned(), scope.what().into())).collect())
}

fn scope() -> Value {
    word(&Scope::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>())
}

/// A problem of this kind, as it is answered where nothing more exact is known.
pub(super) fn example_of(code: Code) -> Value {
    let mut problem = json!({
        "type": format!("https://docs.orquiva.com/problems/{}", code.as_str()),
        "title": code.title(Language::English),
        "status": code.status(),
        "detail": code.detail(Language::English),
        "code": code.as_str(),
        "requestId": "req_019b76da8c00700081a2b3c4d5e6f708",
    });
    let error = |pointer: &str, code: &str, detail: &str| json!([{ "pointer": pointer, "code": code, "detail": detail }]);
    match code {
        Code::InvalidFields => problem["errors"] = error("/email", "required", "This field is required."),
        Code::InvalidParameter => {
            problem["errors"] = error("limit", "out_of_range", "Use a whole number from 1 to 200.");
        }
        Code::Conflict => {
            problem["errors"] = error("/email", "taken", "Another record already has this value.")
        }
        _ => {}
    }
    problem
}

fn problem() -> Value {
    let mut schema = object(
        "Why a request was refused (RFC 9457).",
        &[
            ("type", address(), "A page about this kind of problem.", Value::Null),
            ("title", string(), "What happened, in the language of the answer.", Value::Null),
            ("status", whole(400, 599), "The HTTP status.", Value::Null),
            ("detail", string(), "What happened exactly, and what to do.", Value::Null),
            ("code", refer("ProblemCode"), "The kind of problem; it never changes.", Value::Null),
            ("requestId", string(), "As in `X-Request-Id`: tell it when you ask us.", Value::Null),
        ],
    );
    schema["properties"]["errors"] =
        said(list(refer("FieldError")), "Everything that is wrong with the body or the query.");
    schema["properties"]["results"] =
        said(list(json!({ "type": "object" })), "With `batch_refused`: the items for which it was.");
    schema["properties"]["oldestSequence"] =
        said(count(), "With `cursor_expired`: the oldest event that is kept.");
    schema["examples"] = json!([example_of(Code::InvalidFields)]);
    schema
}

/// The problem of one item among several: the request's name is told once, outside.
pub(super) fn problem_of_item() -> Value {
    let mut schema = problem();
    schema["description"] = "Why it was refused.".into();
    if let Some(required) = schema["required"].as_array_mut() {
        required.retain(|name| name != "requestId");
    }
    for name in ["requestId", "results", "oldestSequence"] {
        schema["properties"].as_object_mut().map(|properties| properties.shift_remove(name));
    }
    schema.as_object_mut().map(|schema| schema.shift_remove("examples"));
    schema
}

/// Every code in one list, with its status and what it means.
fn problem_code() -> Value {
    let each = Code::ALL.iter();
    let lines = each
        .clone()
        .map(|code| format!("- `{}` ({}): {}", code.as_str(), code.status(), code.title(Language::English)));
    json!({
        "type": "string",
        "description": format!("The kind of a problem. More may come.\n\n{}", lines.collect::<Vec<_>>().join("\n")),
        "enum": each.map(|code| code.as_str()).collect::<Vec<_>>(),
        "examples": [Code::InvalidFields.as_str()],
    })
}

fn field_error() -> Value {
    object(
        "What is wrong with one field or parameter.",
        &[
            (
                "pointer",
                string(),
                "A JSON pointer into the body (RFC 6901), or the name of a parameter.",
                json!("/email"),
            ),
            ("code", string(), "What is wrong with it; it never changes.", json!("required")),
            ("detail", string(), "What is wrong and what to do.", json!("This field is required.")),
        ],
    )
}

fn actor() -> Value {
    json!({
        "type": "object",
        "description": "Who caused an event. A client finds its own writes by it.",
        "required": ["type"],
        "properties": {
            "type": said(word(&["client", "user", "system"]), "An API client, someone in the console, or Orquiva itself."),
            "id": said(string(), "The `client_id` of a client (`cli_…`), or the id of someone in the console (`usr_…`)."),
        },
        "examples": [{ "type": "client", "id": CLIENT }],
    })
}

fn me() -> Value {
    let plans: Vec<_> = Plan::ALL.iter().map(|plan| plan.as_str()).collect();
    let company = object(
        "The company.",
        &[
            ("id", id("cmp"), "Its id.", json!(COMPANY)),
            ("name", string(), "As it calls itself.", json!("Acme")),
            ("plan", word(&plans), "What it pays for.", json!("pro")),
        ],
    );
    let client = object(
        "The client that asks.",
        &[
            ("id", id("cli"), "Its `client_id`.", json!(CLIENT)),
            ("name", string(), "What it is called.", json!("CRM")),
            ("scopes", list(scope()), "What the token allows.", json!(["employees:read"])),
            (
                "authentication",
                word(&["client_secret", "private_key_jwt"]),
                "How it shows that it is itself.",
                json!("client_secret"),
            ),
            ("dpopRequired", flag(), "Whether it gets only tokens that are bound to a key.", json!(false)),
            (
                "allowedIps",
                list(string()),
                "From where it may come; from everywhere if the list is empty.",
                json!([]),
            ),
            (
                "share",
                nullable(json!({ "type": "number" })),
                "Its share of the company's budget.",
                Value::Null,
            ),
            ("expiresAt", nullable(moment()), "When it ends.", Value::Null),
            ("lastUsedAt", nullable(moment()), "When it was last used, to some seconds.", json!(MOMENT)),
            ("createdAt", moment(), "When it was created.", json!(MOMENT)),
        ],
    );
    let limits = object(
        "How much it may do.",
        &[
            ("requestsPerMinute", count(), "Of the company, over all its clients.", json!(1000)),
            ("clientRequestsPerMinute", count(), "Of this client.", json!(1000)),
            ("tokensPerMinute", nullable(count()), "Requests for tokens, from one address.", json!(60)),
            ("webhooks", count(), "Endpoints at once.", json!(50)),
        ],
    );
    let example = |schema: &Value| schema["examples"][0].clone();
    let examples = (example(&company), example(&client), example(&limits));
    let bare = |mut schema: Value| {
        schema.as_object_mut().map(|schema| schema.shift_remove("examples"));
        schema
    };
    object(
        "Who is asking, and what it may do.",
        &[
            ("company", bare(company), "The company.", examples.0),
            ("client", bare(client), "The client that asks.", examples.1),
            ("limits", bare(limits), "How much it may do.", examples.2),
        ],
    )
}

fn usage_minute() -> Value {
    object(
        "What a client did in one minute.",
        &[
            ("minute", moment(), "When the minute began.", json!(MOMENT)),
            ("clientId", id("cli"), "The client.", json!(CLIENT)),
            ("requests", count(), "All requests.", json!(120)),
            ("refused", count(), "Those of them that were over the rate (429).", json!(0)),
            ("errors", count(), "All other answers from 400 on.", json!(2)),
        ],
    )
}

/// The credentials that the endpoints about tokens take in their form.
fn form(what: &str, first: &[(&str, &str)], required: &str, example: Value) -> Value {
    let credentials = [
        ("client_id", "The client, unless HTTP Basic or an assertion names it."),
        ("client_secret", "Its secret, unless HTTP Basic carries it."),
        (
            "client_assertion_type",
            "`urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with an assertion (RFC 7523).",
        ),
        ("client_assertion", "What the client signed, instead of a secret."),
    ];
    let each =
        first.iter().chain(&credentials).map(|(name, what)| ((*name).to_owned(), said(string(), what)));
    json!({
        "type": "object",
        "description": what,
        "required": [required],
        "properties": each.collect::<serde_json::Map<_, _>>(),
        "examples": [example],
    })
}

fn token_request() -> Value {
    let fields = [
        ("grant_type", "`client_credentials`."),
        ("scope", "Fewer scopes than the client holds, parted by spaces."),
    ];
    let example =
        json!({ "grant_type": "client_credentials", "client_id": CLIENT, "client_secret": "orqs_…" });
    let mut schema = form("What it takes to get a token.", &fields, "grant_type", example);
    schema["properties"]["grant_type"]["enum"] = json!(["client_credentials"]);
    schema
}

fn token_question() -> Value {
    let fields = [("token", "The token in question."), ("token_type_hint", "Ignored: there is one type.")];
    let example = json!({ "token": "eyJ…", "client_id": CLIENT, "client_secret": "orqs_…" });
    form("A token in question, and who asks.", &fields, "token", example)
}

fn token() -> Value {
    object(
        "An access token. It lives one hour: keep it in memory, and ask for a new one when it ends.",
        &[
            ("access_token", string(), "To be sent as `Authorization: Bearer …`.", json!("eyJ…")),
            (
                "token_type",
                word(&["Bearer", "DPoP"]),
                "`DPoP` if it is bound to a key (RFC 9449).",
                json!("Bearer"),
            ),
            ("expires_in", count(), "Seconds that it lives.", json!(3600)),
            ("scope", string(), "What it allows, parted by spaces.", json!("employees:read employees:write")),
        ],
    )
}

fn introspection() -> Value {
    json!({
        "type": "object",
        "description": "What a token allows at this moment (RFC 7662); only `active` if it is none of the company's, or has ended.",
        "required": ["active"],
        "properties": {
            "active": said(flag(), "Whether it is good."),
            "scope": said(string(), "What it allows, parted by spaces."),
            "client_id": said(id("cli"), "Its client."),
            "sub": said(id("cli"), "The same."),
            "company": said(id("cmp"), "Its company."),
            "token_type": said(word(&["Bearer", "DPoP"]), "Its type."),
            "iss": said(string(), "Who issued it."),
            "aud": said(json!({}), "For whom."),
            "jti": said(string(), "Its id."),
            "iat": said(count(), "When it was issued, in seconds since 1970."),
            "exp": said(count(), "When it ends."),
            "cnf": said(json!({ "type": "object" }), "The key that it is bound to."),
        },
        "examples": [{ "active": false }],
    })
}

fn oauth_error() -> Value {
    object(
        "Why a request about tokens was refused (RFC 6749 §5.2).",
        &[
            ("error", string(), "The code.", json!("invalid_client")),
            (
                "error_description",
                string(),
                "What is wrong.",
                json!("Unknown client or wrong credentials, or the client or its company has ended"),
            ),
        ],
    )
}

fn key_set() -> Value {
    json!({
        "type": "object",
        "description": "The public keys by which anyone can check a token (RFC 7517).",
        "required": ["keys"],
        "properties": { "keys": list(json!({ "type": "object" })) },
        "examples": [{ "keys": [] }],
    })
}

fn authorization_server() -> Value {
    metadata("The endpoints and what they can do (RFC 8414).", "issuer", &["token_endpoint", "jwks_uri"])
}

fn protected_resource() -> Value {
    metadata("The API, and who issues tokens for it (RFC 9728).", "resource", &["jwks_uri"])
}

fn metadata(what: &str, name: &str, addresses: &[&str]) -> Value {
    let each = std::iter::once(&name).chain(addresses).map(|name| ((*name).to_owned(), string()));
    json!({
        "type": "object",
        "description": what,
        "required": [name],
        "properties": each.collect::<serde_json::Map<_, _>>(),
        "additionalProperties": true,
    })
}
