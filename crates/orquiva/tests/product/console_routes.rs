//! Every route of the console, as its source registers them, and what each takes.

use std::path::Path;

use orquiva_core::Right;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Who {
    /// Whoever comes by.
    Anyone,
    /// Whoever is signed in.
    SignedIn,
    /// Every member of the company.
    Member,
    /// Every member whose role has this right.
    Has(Right),
}

/// What is asked, and what comes of it if it is right.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ask {
    /// Something to look at: the answer's status.
    Look(u16),
    /// The form of this page, filled in with these fields, in which `$` is a text that was never used; the answer's
    /// status. Without a page nothing but these fields is sent.
    Form(&'static str, &'static str, u16),
    /// A file.
    File,
}

use Ask::{File, Form, Look};
use Right::{ManageClients, ManageMembers, ManagePeople, ManageSettings, ManageWebhooks, SeeAudit};
use Who::{Anyone, Has, Member, SignedIn};

/// Each route: who may use it, and a right request. What its path names is made for it
/// (`Ground::target`).
pub(crate) const ENTRIES: &[(&str, Who, Ask)] = &[
    ("GET /admin", Member, Look(200)),
    ("GET /admin/sign-up", Anyone, Look(200)),
    (
        "POST /admin/sign-up",
        Anyone,
        Form("/admin/sign-up", "company=C&name=Eva&email=$@acme.test&password=caballo correcto $", 303),
    ),
    ("GET /admin/sign-in", Anyone, Look(200)),
    (
        "POST /admin/sign-in",
        Anyone,
        Form("/admin/sign-in", "email=ana@acme.test&password=caballo correcto pila grapa", 303),
    ),
    ("POST /admin/sign-in/code", Anyone, Form("", "ticket=x&code=123456", 303)),
    ("POST /admin/sign-in/passkey", Anyone, Form("/admin/sign-in", "passkey_id=AAAA", 422)),
    // Without a provider there is nothing.
    ("GET /admin/sign-in/openid", Anyone, Look(404)),
    ("GET /admin/sign-in/openid/back", Anyone, Look(404)),
    ("POST /admin/profile/identity/remove", SignedIn, Form("", "", 404)),
    ("POST /admin/sign-out", SignedIn, Form("/admin", "", 303)),
    ("GET /admin/confirm", SignedIn, Look(303)),
    ("POST /admin/confirm", SignedIn, Form("", "password=caballo correcto pila grapa", 303)),
    ("GET /admin/companies", SignedIn, Look(200)),
    ("POST /admin/companies", SignedIn, Form("/admin/companies", "company={company}", 303)),
    ("POST /admin/look", Anyone, Form("/admin/sign-in", "theme=dark", 303)),
    ("GET /admin/profile", SignedIn, Look(200)),
    ("POST /admin/profile", SignedIn, Form("/admin/profile", "name=Eva", 303)),
    (
        "POST /admin/profile/password",
        SignedIn,
        Form("/admin/profile", "current=caballo correcto pila grapa&password=lejos queda el mar", 303),
    ),
    ("GET /admin/profile/totp", SignedIn, Look(200)),
    ("POST /admin/profile/totp", SignedIn, Form("/admin/profile/totp", "code=000000", 422)),
    ("POST /admin/profile/totp/remove", SignedIn, Form("", "", 303)),
    ("POST /admin/profile/recovery", SignedIn, Form("", "", 404)),
    ("GET /admin/profile/passkeys", SignedIn, Look(200)),
    ("POST /admin/profile/passkeys", SignedIn, Form("/admin/profile/passkeys", "name=L", 422)),
    ("POST /admin/profile/passkeys/remove", SignedIn, Form("", "passkey=AAAA", 303)),
    ("POST /admin/profile/sessions/end", SignedIn, Form("", "", 303)),
    ("GET /admin/api-clients", Member, Look(200)),
    (
        "POST /admin/api-clients",
        Has(ManageClients),
        Form("/admin/api-clients/new", "name=N&scope=employees:read", 200),
    ),
    ("GET /admin/api-clients/new", Has(ManageClients), Look(200)),
    ("GET /admin/api-clients/{id}", Member, Look(200)),
    ("POST /admin/api-clients/{id}", Has(ManageClients), Form("/admin/api-clients/{id}", "name=Otro", 303)),
    ("GET /admin/api-clients/{id}/rotate", Has(ManageClients), Look(200)),
    (
        "POST /admin/api-clients/{id}/rotate",
        Has(ManageClients),
        Form("/admin/api-clients/{id}/rotate", "overlap=1", 200),
    ),
    ("GET /admin/api-clients/{id}/revoke", Has(ManageClients), Look(200)),
    (
        "POST /admin/api-clients/{id}/revoke",
        Has(ManageClients),
        Form("/admin/api-clients/{id}/revoke", "", 303),
    ),
    ("GET /admin/employees", Member, Look(200)),
    (
        "POST /admin/employees",
        Has(ManagePeople),
        Form("/admin/employees/new", "firstName=Eva&lastName=Sanz&email=$@acme.test", 303),
    ),
    ("GET /admin/employees/new", Has(ManagePeople), Look(200)),
    ("GET /admin/employees/chart", Member, Look(200)),
    ("GET /admin/employees/chart.svg", Member, Look(200)),
    ("GET /admin/employees/export.csv", Member, Look(200)),
    ("GET /admin/employees/import", Has(ManagePeople), Look(200)),
    ("POST /admin/employees/import", Has(ManagePeople), File),
    ("GET /admin/employees/import/{id}", Has(ManagePeople), Look(200)),
    (
        "POST /admin/employees/import/{id}/check",
        Has(ManagePeople),
        Form("/admin/employees/import/{id}", "", 303),
    ),
    (
        "POST /admin/employees/import/{id}/again",
        Has(ManagePeople),
        Form("/admin/employees/import/{id}", "", 303),
    ),
    (
        "POST /admin/employees/import/{id}/run",
        Has(ManagePeople),
        Form("/admin/employees/import/{id}", "", 303),
    ),
    (
        "POST /admin/employees/import/{id}/undo",
        Has(ManagePeople),
        Form("/admin/employees/import/{id}", "", 303),
    ),
    (
        "POST /admin/employees/import/{id}/discard",
        Has(ManagePeople),
        Form("/admin/employees/import/{id}", "", 303),
    ),
    ("GET /admin/employees/find", Member, Look(200)),
    ("GET /admin/employees/{id}", Member, Look(200)),
    ("GET /admin/employees/{id}/change", Has(ManagePeople), Look(200)),
    (
        "POST /admin/employees/{id}/change",
        Has(ManagePeople),
        Form("/admin/employees/{id}/change", "location=Vigo", 303),
    ),
    (
        "POST /admin/employees/{id}/references",
        Has(ManagePeople),
        Form("/admin/employees/{id}", "system=crm&value=$", 303),
    ),
    ("GET /admin/employees/{id}/terminate", Has(ManagePeople), Look(200)),
    (
        "POST /admin/employees/{id}/terminate",
        Has(ManagePeople),
        Form("/admin/employees/{id}/terminate", "day=2030-01-01", 303),
    ),
    (
        "POST /admin/employees/{id}/terminate/cancel",
        Has(ManagePeople),
        Form("/admin/employees/{id}", "", 303),
    ),
    ("GET /admin/employees/{id}/rehire", Has(ManagePeople), Look(200)),
    (
        "POST /admin/employees/{id}/rehire",
        Has(ManagePeople),
        Form("/admin/employees/{id}/rehire", "day=2030-02-01", 303),
    ),
    ("POST /admin/employees/{id}/rehire/cancel", Has(ManagePeople), Form("/admin/employees/{id}", "", 303)),
    ("GET /admin/employees/{id}/delete", Has(ManagePeople), Look(200)),
    ("POST /admin/employees/{id}/delete", Has(ManagePeople), Form("/admin/employees/{id}/delete", "", 303)),
    ("GET /admin/departments", Member, Look(200)),
    ("POST /admin/departments", Has(ManagePeople), Form("/admin/departments/new", "name=$", 303)),
    ("GET /admin/departments/new", Has(ManagePeople), Look(200)),
    ("GET /admin/departments/{id}", Member, Look(200)),
    ("POST /admin/departments/{id}", Has(ManagePeople), Form("/admin/departments/{id}", "name=$", 303)),
    ("GET /admin/departments/{id}/delete", Has(ManagePeople), Look(200)),
    (
        "POST /admin/departments/{id}/delete",
        Has(ManagePeople),
        Form("/admin/departments/{id}/delete", "", 303),
    ),
    ("GET /admin/settings", Member, Look(200)),
    ("POST /admin/settings", Has(ManageSettings), Form("/admin/settings", "name=Acme $", 303)),
    (
        "POST /admin/settings/fields",
        Has(ManageSettings),
        Form("/admin/settings/fields/new", "label=Talla&slug=$&type=text", 303),
    ),
    ("GET /admin/settings/fields/new", Has(ManageSettings), Look(200)),
    ("GET /admin/settings/fields/{slug}", Has(ManageSettings), Look(200)),
    (
        "POST /admin/settings/fields/{slug}",
        Has(ManageSettings),
        Form("/admin/settings/fields/{slug}", "label=Otra", 303),
    ),
    ("GET /admin/settings/fields/{slug}/delete", Has(ManageSettings), Look(200)),
    (
        "POST /admin/settings/fields/{slug}/delete",
        Has(ManageSettings),
        Form("/admin/settings/fields/{slug}/delete", "", 303),
    ),
    ("GET /admin/settings/members", Member, Look(200)),
    (
        "POST /admin/settings/members",
        Has(ManageMembers),
        Form("/admin/settings/members/new", "email=$@acme.test&role=viewer", 200),
    ),
    ("GET /admin/settings/members/new", Has(ManageMembers), Look(200)),
    ("GET /admin/settings/members/{id}", Has(ManageMembers), Look(200)),
    (
        "POST /admin/settings/members/{id}",
        Has(ManageMembers),
        Form("/admin/settings/members/{id}", "role=developer", 303),
    ),
    ("GET /admin/settings/members/{id}/remove", Has(ManageMembers), Look(200)),
    (
        "POST /admin/settings/members/{id}/remove",
        Has(ManageMembers),
        Form("/admin/settings/members/{id}/remove", "", 303),
    ),
    (
        "POST /admin/settings/invitations/{id}/withdraw",
        Has(ManageMembers),
        Form("/admin/settings/members", "", 303),
    ),
    ("GET /admin/invitation/{token}", Anyone, Look(200)),
    (
        "POST /admin/invitation/{token}",
        Anyone,
        Form("/admin/invitation/{token}", "name=Eva&password=caballo correcto $", 303),
    ),
    ("GET /admin/usage", Member, Look(200)),
    ("GET /admin/usage/export/{what}", Member, Look(200)),
    ("GET /admin/audit", Has(SeeAudit), Look(200)),
    ("GET /admin/audit/check", Anyone, Look(303)),
    ("POST /admin/audit/check", Has(SeeAudit), Form("/admin/audit", "", 200)),
    ("GET /admin/audit/export/{form}", Has(SeeAudit), Look(200)),
    ("GET /admin/webhooks", Member, Look(200)),
    ("GET /admin/webhooks/new", Has(ManageWebhooks), Look(200)),
    (
        "POST /admin/webhooks/new",
        Has(ManageWebhooks),
        Form("/admin/webhooks/new", "url=https://hooks.acme.com/&events=department.deleted", 200),
    ),
    ("GET /admin/webhooks/check", Has(ManageWebhooks), Look(200)),
    (
        "POST /admin/webhooks/check",
        Has(ManageWebhooks),
        Form("/admin/webhooks/check", "headers=x-orq-signature: t=1,v1=00&body={}", 200),
    ),
    ("GET /admin/webhooks/{id}", Member, Look(200)),
    ("GET /admin/webhooks/{id}/edit", Has(ManageWebhooks), Look(200)),
    (
        "POST /admin/webhooks/{id}/edit",
        Has(ManageWebhooks),
        Form("/admin/webhooks/{id}/edit", "description=CRM", 303),
    ),
    (
        "POST /admin/webhooks/{id}/status",
        Has(ManageWebhooks),
        Form("/admin/webhooks/{id}", "status=paused", 303),
    ),
    ("GET /admin/webhooks/{id}/filter", Has(ManageWebhooks), Look(200)),
    (
        "POST /admin/webhooks/{id}/filter",
        Has(ManageWebhooks),
        Form("/admin/webhooks/{id}/filter", "save=1&pick=data.department\t\"Ventas\"", 303),
    ),
    ("GET /admin/webhooks/{id}/rotate", Has(ManageWebhooks), Look(200)),
    (
        "POST /admin/webhooks/{id}/rotate",
        Has(ManageWebhooks),
        Form("/admin/webhooks/{id}/rotate", "overlap=1", 200),
    ),
    ("GET /admin/webhooks/{id}/delete", Has(ManageWebhooks), Look(200)),
    ("POST /admin/webhooks/{id}/delete", Has(ManageWebhooks), Form("/admin/webhooks/{id}/delete", "", 303)),
    ("POST /admin/webhooks/{id}/trial", Has(ManageWebhooks), Form("/admin/webhooks/{id}", "", 303)),
    ("GET /admin/webhooks/{id}/trial/{delivery}", Member, Look(200)),
    ("GET /admin/webhooks/{id}/deliveries/{delivery}", Member, Look(200)),
    (
        "POST /admin/webhooks/{id}/deliveries/{delivery}/again",
        Has(ManageWebhooks),
        Form("/admin/webhooks/{id}/deliveries/{delivery}", "", 303),
    ),
    ("GET /admin/webhooks/{id}/replay", Has(ManageWebhooks), Look(200)),
    (
        "POST /admin/webhooks/{id}/replay",
        Has(ManageWebhooks),
        Form("/admin/webhooks/{id}/replay", "begin=1&key=$&from=2025-12-31T00:00&state=all", 303),
    ),
    ("GET /admin/webhooks/{id}/replays/{replay}", Member, Look(200)),
    (
        "POST /admin/webhooks/{id}/replays/{replay}/cancel",
        Has(ManageWebhooks),
        Form("/admin/webhooks/{id}/replays/{replay}", "", 303),
    ),
    ("POST /admin/notices/{id}/read", Has(ManageWebhooks), Form("/admin/webhooks", "", 303)),
    ("GET /admin/events", Member, Look(200)),
    ("GET /admin/events/{id}", Member, Look(200)),
    ("GET /admin/{*rest}", Anyone, Look(404)),
    ("GET /assets/{name}", Anyone, Look(200)),
];

/// Every route that the console's source registers: `GET /admin`. What takes any method counts as `GET`.
pub(crate) fn registered() -> Vec<String> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../orquiva-console/src");
    let mut found = Vec::new();
    let mut folders = vec![source];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => found.extend(routes(&std::fs::read_to_string(path).unwrap())),
            }
        }
    }
    found.sort();
    found
}

/// The routes of one source.
fn routes(text: &str) -> Vec<String> {
    for other in [".nest(", ".nest_service(", ".route_service(", ".fallback("] {
        assert!(!text.contains(other), "{other} hides routes from the matrix");
    }
    let mut found = Vec::new();
    for call in text.split(".route(").skip(1) {
        let mut depth = 1;
        let end = call.find(|letter| {
            depth += match letter {
                '(' => 1,
                ')' => -1,
                _ => 0,
            };
            depth == 0
        });
        let (_, rest) = call[..end.unwrap()].split_once('"').unwrap();
        let (path, handlers) = rest.split_once('"').unwrap();
        let words: Vec<_> =
            handlers.split(|letter: char| !letter.is_alphanumeric() && letter != '(').collect();
        let before = found.len();
        for (word, method) in [("get(", "GET"), ("any(", "GET"), ("post(", "POST")] {
            let named = words.iter().filter(|known| known.starts_with(word)).count();
            found.extend((0..named).map(|_| format!("{method} {path}")));
        }
        assert!(found.len() > before, "{path} is registered in a way that the matrix does not know");
    }
    found
}
