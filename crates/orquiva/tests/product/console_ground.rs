//! The company in which the routes of the console are tried: who asks, and what a path names.

use std::collections::BTreeSet;

use axum::body::Body;
use http::Method;
use orquiva::operator;
use orquiva_core::id::{CompanyId, UserId};
use orquiva_core::{Plan, Role, Scopes};
use orquiva_people::{founding, invitation};
use orquiva_store::{StoreError, member, user};
use serde_json::{Value, json};

use crate::browser::{Browser, Seen};
use crate::console_routes::Ask;
use crate::harness::{Caller, Orquiva, Receiver};

/// What is sent: a form's fields, or the one file's contents under the name `file`.
pub(crate) type Fields = Vec<(String, String)>;

/// The company whose routes are tried, who runs it, and who else there is.
pub(crate) struct Ground<'o> {
    orq: &'o Orquiva,
    pub(crate) acme: Caller<'o>,
    ana: UserId,
    /// Ana's, whose role changes.
    pub(crate) member: Browser<'o>,
    /// Of another company.
    pub(crate) other: Browser<'o>,
    /// Of a company that is suspended.
    pub(crate) closed: Browser<'o>,
}

/// A route, and a path of it that leads to something.
pub(crate) struct Target {
    method: Method,
    /// The route as it is registered, its names filled in.
    pub(crate) path: String,
    pub(crate) is_named: bool,
    ask: Ask,
    /// What stands for each name of the path.
    names: Vec<(&'static str, String)>,
}

async fn user_of(orq: &Orquiva, email: &str) -> (CompanyId, UserId) {
    let tx = orq.base.store.read().await.unwrap();
    let user = user::by_email(&tx, email).await.unwrap().unwrap();
    (member::companies(&tx, user.id).await.unwrap()[0].company, user.id)
}

impl<'o> Ground<'o> {
    pub(crate) async fn new(orq: &'o Orquiva) -> Self {
        let closed = orq.founder("Cerrada").await;
        let (company, _) = user_of(orq, "ana@cerrada.test").await;
        operator::suspend_company(&orq.base, company, true).await.unwrap();
        let other = orq.founder("Otra").await;
        let member = orq.founder("Acme").await;
        let (_, ana) = user_of(orq, "ana@acme.test").await;
        let acme = orq.company_on("acme", Plan::Enterprise, Scopes::all()).await;
        let (company, now) = (acme.company, crate::harness::START);
        let join =
            move |tx| async move { member::create(&tx, company, ana, Role::Owner, "operator", now).await };
        orq.base.store.write::<_, StoreError, _, _>(company, join).await.unwrap();
        let ground = Self { orq, acme, ana, member, other, closed };
        let token = ground.member.get("/admin/companies").await.value("form_token").unwrap();
        let company = ground.acme.company.to_string();
        let fields = [("form_token", token.as_str()), ("company", &company)];
        assert_eq!(ground.member.send("/admin/companies", &fields, &[]).await.status, 303);
        ground
    }

    pub(crate) async fn give(&self, role: Role) {
        let (company, ana) = (self.acme.company, self.ana);
        let give = move |tx| async move { member::change(&tx, company, ana, role).await };
        self.orq.base.store.write::<_, StoreError, _, _>(company, give).await.unwrap();
    }

    /// A text that was never used, good for an address, a slug or a name.
    pub(crate) fn number(&self) -> String {
        self.orq.base.mint.next::<orquiva_core::id::RequestKind>().to_string().to_lowercase().replace("_", "")
    }

    /// Something of the company's for each name of a route's path, in the state in which the route makes sense.
    pub(crate) async fn target(&self, method: &str, route: &str, ask: Ask) -> Target {
        let names = match route {
            "/admin/{*rest}" => vec![("*rest", "no".to_owned())],
            "/assets/{name}" => vec![("name", "console.css".to_owned())],
            "/admin/usage/export/{what}" => vec![("what", "requests".to_owned())],
            "/admin/audit/export/{form}" => vec![("form", "csv".to_owned())],
            _ if !route.contains('{') => Vec::new(),
            _ if route.starts_with("/admin/employees/import/") => vec![("id", self.import(route).await)],
            _ if route.starts_with("/admin/employees/") => vec![("id", self.person(route).await)],
            _ if route.starts_with("/admin/departments/") => {
                vec![("id", self.made("/v1/departments", json!({ "name": self.number() })).await)]
            }
            _ if route.starts_with("/admin/api-clients/") => {
                let scopes = Scopes::all();
                let made = operator::create_client(&self.orq.base, self.acme.company, "test", scopes).await;
                vec![("id", made.unwrap().0.to_string())]
            }
            _ if route.starts_with("/admin/settings/members/") => {
                vec![("id", self.colleague().await.to_string())]
            }
            _ if route.starts_with("/admin/settings/invitations/") => vec![("id", self.invited().await.0)],
            _ if route.starts_with("/admin/invitation/") => vec![("token", self.invited().await.1)],
            _ if route.starts_with("/admin/settings/fields/") => {
                let field = json!({ "slug": self.number(), "label": "Nota", "type": "text" });
                vec![("slug", self.made("/v1/custom-fields", field).await)]
            }
            _ if route.starts_with("/admin/events/") => {
                self.person(route).await;
                let event = self.acme.events().await.pop().unwrap();
                vec![("id", event["id"].as_str().unwrap().to_owned())]
            }
            _ if route.starts_with("/admin/notices/") => vec![("id", self.notice().await)],
            _ if route.starts_with("/admin/webhooks/") => self.webhook(route).await,
            _ => panic!("what the names of {route} stand for is not written here"),
        };
        let mut path = route.to_owned();
        for (name, value) in &names {
            path = path.replace(&format!("{{{name}}}"), value);
        }
        let is_named = names.iter().any(|(name, _)| !["*rest", "name", "what", "form"].contains(name));
        Target { method: method.parse().unwrap(), path, is_named, ask, names }
    }

    async fn made(&self, path: &str, body: Value) -> String {
        let made = self.acme.post(path, &body).await;
        assert!(matches!(made.status, 200..300), "{path}: {}", made.body);
        let id = made.body["id"].as_str().or_else(|| made.body["slug"].as_str());
        id.unwrap_or_default().to_owned()
    }

    /// Another member of the company's.
    async fn colleague(&self) -> UserId {
        let (company, now) = (self.acme.company, crate::harness::START);
        let email = format!("{}@acme.test", self.number());
        let id = self.orq.base.mint.next();
        let new = founding::newcomer(id, "Eva Paz", &email, String::new(), now);
        let join = move |tx| async move { founding::join(&tx, company, &new, Role::Viewer, now).await };
        self.orq.base.store.write::<_, StoreError, _, _>(company, join).await.unwrap();
        id
    }

    /// The id and the token of an invitation.
    async fn invited(&self) -> (String, String) {
        let (base, company, now) = (&self.orq.base, self.acme.company, crate::harness::START);
        let email = format!("{}@acme.test", self.number());
        let (host, id) = (("operator", "operator"), base.mint.next());
        let new = invitation::new(id, company, &email, Role::Viewer, host, now);
        let token = invitation::token(base.chance.as_ref());
        let hash = invitation::hash(&base.key, token.expose());
        let invite = move |tx| async move { orquiva_store::invitation::create(&tx, &new, &hash).await };
        base.store.write::<_, StoreError, _, _>(company, invite).await.unwrap();
        (id.to_string(), token.expose().to_owned())
    }

    async fn person(&self, route: &str) -> String {
        let email = format!("{}@acme.test", self.number());
        let id = self.made("/v1/employees", json!({ "fullName": "Ana Gil", "email": email })).await;
        let (end, back) = (format!("/v1/employees/{id}/terminate"), format!("/v1/employees/{id}/rehire"));
        if route.ends_with("/terminate/cancel") {
            self.made(&end, json!({ "effectiveDate": "2030-01-01" })).await;
        } else if route.contains("/rehire") {
            self.made(&end, json!({})).await;
        }
        if route.ends_with("/rehire/cancel") {
            self.made(&back, json!({ "startDate": "2030-02-01" })).await;
        }
        id
    }

    async fn import(&self, route: &str) -> String {
        self.give(Role::Owner).await;
        let csv = format!("Nombre;Apellidos;Correo\nEva;Sanz;{}@acme.test\n", self.number());
        let fields = vec![("file".to_owned(), csv)];
        let token = self.member.get("/admin/employees/import").await.value("form_token").unwrap();
        let sent = post(&self.member, "/admin/employees/import", &fields, &token, &[]).await;
        let path = sent.location().to_owned();
        let steps: &[&str] = match route.rsplit('/').next().unwrap() {
            "again" | "run" => &["check"],
            "undo" => &["check", "run"],
            _ => &[],
        };
        for step in steps {
            let page = self.member.get(&path).await;
            let fields = page.form(&format!("{path}/{step}")).unwrap();
            let token = page.value("form_token").unwrap();
            let done = post(&self.member, &format!("{path}/{step}"), &fields, &token, &[]).await;
            assert_eq!(done.status, 303, "{}", done.html);
            self.orq.work().await;
        }
        path.rsplit('/').next().unwrap().to_owned()
    }

    async fn notice(&self) -> String {
        let receiver = Receiver::start().await;
        receiver.will_answer(&[(410, &[])]);
        self.acme.subscribe(&receiver, &["employee.created"]).await;
        self.person("").await;
        self.orq.work().await;
        let listed = self.acme.get("/v1/notices?unread=true&limit=1").await.body;
        listed["data"][0]["id"].as_str().unwrap().to_owned()
    }

    async fn webhook(&self, route: &str) -> Vec<(&'static str, String)> {
        let receiver = Receiver::start().await;
        let webhook = self.acme.subscribe(&receiver, &["department.deleted"]).await;
        let id = webhook["id"].as_str().unwrap().to_owned();
        let mut names = vec![("id", id.clone())];
        if route.contains("{delivery}") {
            self.made(&format!("/v1/webhooks/{id}/test"), json!({})).await;
            self.orq.work().await;
            let listed = self.acme.get(&format!("/v1/deliveries?webhookId={id}")).await.body;
            names.push(("delivery", listed["data"][0]["id"].as_str().unwrap().to_owned()));
        } else if route.contains("/replay") {
            let unit = self.made("/v1/departments", json!({ "name": self.number() })).await;
            self.acme.delete(&format!("/v1/departments/{unit}")).await;
            self.orq.work().await;
        }
        if route.contains("{replay}") {
            let wish = json!({ "from": "2026-01-01T00:00:00Z", "state": "all" });
            names.push(("replay", self.made(&format!("/v1/webhooks/{id}/replay"), wish).await));
        }
        names
    }

    /// Has somebody else change what a path leads to.
    pub(crate) async fn changed(&self, target: &Target) {
        let Some((_, id)) = target.names.first() else {
            let name = self.number();
            let (company, language) = (self.acme.company, None);
            let change = move |tx| async move {
                orquiva_store::company::change(&tx, company, &name, language, false).await
            };
            return self.orq.base.store.write::<_, StoreError, _, _>(company, change).await.unwrap();
        };
        if target.path.starts_with("/admin/settings/members/") {
            let (company, user) = (self.acme.company, UserId::parse(id).unwrap());
            let change =
                move |tx| async move { member::change(&tx, company, user, Role::Administrator).await };
            return self.orq.base.store.write::<_, StoreError, _, _>(company, change).await.unwrap();
        }
        let (path, body) = match target.path.split('/').nth(2) {
            Some("employees") => ("employees", json!({ "jobTitle": self.number() })),
            Some("departments") => ("departments", json!({ "code": self.number()[14..] })),
            Some("webhooks") => ("webhooks", json!({ "description": self.number() })),
            Some("settings") => ("custom-fields", json!({ "label": self.number() })),
            other => panic!("how one of {other:?} changes is not written here"),
        };
        let changed = self.acme.patch(&format!("/v1/{path}/{id}"), &body).await;
        assert_eq!(changed.status, 200, "{}", changed.body);
    }

    /// What a right request to `target` sends, as `browser` is shown it.
    pub(crate) async fn fields(&self, browser: &Browser<'_>, target: &Target) -> Fields {
        let (on, with) = match target.ask {
            Ask::Look(_) => return Vec::new(),
            Ask::File => {
                return vec![("file".to_owned(), "Nombre;Correo\nEva;eva@acme.test\n".to_owned())];
            }
            Ask::Form(on, with, _) => (on, with),
        };
        let filled = |text: &str| {
            let names = target.names.iter();
            let text =
                names.fold(text.to_owned(), |text, (name, id)| text.replace(&format!("{{{name}}}"), id));
            text.replace('$', &self.number()).replace("{company}", &self.acme.company.to_string())
        };
        let mut fields = match on {
            "" => Vec::new(),
            on => {
                let page = browser.get(&filled(on)).await;
                let form = page.form(&target.path);
                form.unwrap_or_else(|| panic!("{} has no form to {}: {}", filled(on), target.path, page.html))
            }
        };
        fields.retain(|(name, _)| name != "form_token");
        for pair in with.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap();
            fields.retain(|(known, _)| known != name);
            fields.push((name.to_owned(), filled(value)));
        }
        fields
    }

    /// Asks as `browser`, with the ticket of its own pages.
    pub(crate) async fn ask(&self, browser: &Browser<'_>, target: &Target, fields: &Fields) -> Seen {
        let seen = match target.method {
            Method::POST => {
                let token = ticket(browser).await;
                post(browser, &target.path, fields, &token, &[]).await
            }
            _ => browser.get(&target.path).await,
        };
        is_protected(&seen, &target.path);
        seen
    }

    /// Asks as `browser`, who may not: nothing changes.
    pub(crate) async fn is_refused(&self, browser: &Browser<'_>, target: &Target, fields: &Fields) -> Seen {
        ticket(browser).await;
        let before = self.orq.dump().await;
        let seen = self.ask(browser, target, fields).await;
        same(&before, &self.orq.dump().await, &target.path);
        seen
    }
}

/// What the forms of a browser carry.
pub(crate) async fn ticket(browser: &Browser<'_>) -> String {
    browser.get("/admin/no").await.value("form_token").unwrap()
}

/// Sends a form with this ticket.
pub(crate) async fn post(
    browser: &Browser<'_>,
    path: &str,
    fields: &Fields,
    token: &str,
    headers: &[(&str, &str)],
) -> Seen {
    if let [(name, file)] = fields.as_slice()
        && name == "file"
    {
        let body = format!(
            "--xx\r\nContent-Disposition: form-data; name=\"form_token\"\r\n\r\n{token}\r\n--xx\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\n\r\n{file}\r\n--xx--\r\n"
        );
        let kind = [("content-type", "multipart/form-data; boundary=xx"), ("accept-language", "es")];
        return browser.ask(Method::POST, path, &[&kind, headers].concat(), Body::from(body)).await;
    }
    let fields = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let fields: Vec<_> = [("form_token", token)].into_iter().chain(fields).collect();
    browser.send(path, &fields, headers).await
}

pub(crate) fn same(before: &BTreeSet<String>, after: &BTreeSet<String>, at: &str) {
    let changed: Vec<_> = before.symmetric_difference(after).collect();
    assert!(changed.is_empty(), "{at}: {changed:#?}");
}

/// What every answer carries, whatever it is.
pub(crate) fn is_protected(seen: &Seen, at: &str) {
    let header = |name: &str| seen.headers.get(name).map_or("", |value| value.to_str().unwrap());
    assert_eq!(header("x-content-type-options"), "nosniff", "{at}");
    assert_eq!(header("strict-transport-security"), "max-age=31536000; includeSubDomains", "{at}");
    if at.starts_with("/assets/") {
        return;
    }
    let csp = header("content-security-policy");
    for part in [
        "default-src 'none'",
        "object-src 'none'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "form-action 'self'",
    ] {
        assert!(csp.contains(part), "{at}: {csp}");
    }
    assert!(!csp.contains("unsafe"), "{at}: {csp}");
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(header(name), value, "{at}: {name}");
    }
    let kind = header("content-type");
    if kind.starts_with("text/") || kind.contains("svg") {
        assert!(kind.contains("charset=utf-8"), "{at}: {kind}");
    }
    if kind.starts_with("text/html") {
        let nonce = seen.between("nonce=\"", "\"").unwrap();
        for part in [format!("script-src 'nonce-{nonce}';"), format!("style-src 'nonce-{nonce}';")] {
            assert!(csp.contains(&part), "{at}: {csp}");
        }
        for script in seen.html.split("<script").skip(1).chain(seen.html.split("<style").skip(1)) {
            assert!(script.split('>').next().unwrap().contains(nonce), "{at}: a script without its nonce");
        }
        for inline in [" onclick=", " onload=", " style=\"", "javascript:"] {
            assert!(!seen.html.contains(inline), "{at}: {inline}");
        }
    }
}
