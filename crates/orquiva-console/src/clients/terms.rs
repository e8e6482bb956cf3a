//! The terms of a client as a form has them.

use orquiva_core::field::line;
use orquiva_core::network::{Network, Networks};
use orquiva_core::{Date, Language, Scope, Scopes, Timestamp};
use orquiva_store::client::Terms;
use serde_json::json;

use crate::form::Form;
use crate::page::Page;
use crate::show::Faults;

impl Page {
    /// What a scope allows, in words.
    pub(crate) fn explain(&self, scope: &Scope) -> &'static str {
        let language = self.language();
        match scope {
            Scope::EmployeesRead => {
                language.pick("Ver a las personas de la plantilla", "See the people of the company")
            }
            Scope::EmployeesWrite => language
                .pick("Dar altas y bajas y cambiar datos de personas", "Hire, change and end employments"),
            Scope::EmployeesSensitiveRead => language.pick(
                "Ver datos protegidos: nacimiento, documento de identidad, domicilio",
                "See protected data: birth date, identity document, home address",
            ),
            Scope::EmployeesSensitiveWrite => {
                language.pick("Cambiar datos protegidos", "Change protected data")
            }
            Scope::DepartmentsRead => language.pick("Ver los departamentos", "See departments"),
            Scope::DepartmentsWrite => language.pick("Cambiar los departamentos", "Change departments"),
            Scope::EventsRead => language.pick("Leer el registro de eventos", "Read the event log"),
            Scope::WebhooksManage => language
                .pick("Gestionar webhooks y ver sus entregas", "Manage webhooks and see their deliveries"),
        }
    }
}

/// The terms of a client as they stand in a form, right or wrong.
#[derive(Clone, Debug, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) scopes: Vec<String>,
    pub(crate) share: String,
    pub(crate) expires_on: String,
    pub(crate) allowed_ips: String,
}

impl Draft {
    /// As a client has them.
    pub(crate) fn of(terms: &Terms) -> Self {
        Self {
            name: terms.name.clone(),
            scopes: Scope::ALL
                .iter()
                .filter(|scope| terms.scopes.has(**scope))
                .map(|scope| scope.as_str().to_owned())
                .collect(),
            share: terms.share.map(|share| share.to_string()).unwrap_or_default(),
            expires_on: terms.expires_at.map(|at| at.date().to_string()).unwrap_or_default(),
            allowed_ips: terms.allowed_ips.to_string().replace(' ', "\n"),
        }
    }

    /// As they were sent.
    pub(crate) fn read(form: &Form) -> Self {
        Self {
            name: form.text("name").to_owned(),
            scopes: form.all("scope").map(str::to_owned).collect(),
            share: form.text("share").to_owned(),
            expires_on: form.text("expires_on").to_owned(),
            allowed_ips: form.text("allowed_ips").to_owned(),
        }
    }

    /// Whether a scope's box is ticked.
    pub(crate) fn has(&self, scope: &Scope) -> bool {
        self.scopes.iter().any(|ticked| ticked == scope.as_str())
    }

    /// `known` with what the form says, or what is wrong with it.
    pub(crate) fn terms(&self, known: &Terms, language: Language) -> Result<Terms, Faults> {
        let mut faults = Faults::default();
        let mut terms = known.clone();
        match line(200)(&json!(self.name)) {
            Ok(name) => terms.name = name,
            Err(fault) => faults.add("name", fault.detail(language)),
        }
        match Scopes::parse(&self.scopes.join(" ")) {
            Ok(scopes) if !scopes.is_empty() => terms.scopes = scopes,
            Ok(_) | Err(_) => {
                faults.add(
                    "scope",
                    language.pick("Elija al menos un permiso.", "Choose at least one permission."),
                );
            }
        }
        match self.share.is_empty() {
            true => terms.share = None,
            false => match self.share.parse::<u8>().ok().filter(|share| (1..=100).contains(share)) {
                Some(share) => terms.share = Some(share),
                None => faults.add(
                    "share",
                    language.pick("Escriba un número de 1 a 100.", "Write a number from 1 to 100."),
                ),
            },
        }
        match self.expires_on.is_empty() {
            true => terms.expires_at = None,
            false => match midnight(&self.expires_on) {
                // The day of an end that has an hour of its own stays as it is.
                Some(_) if known.expires_at.is_some_and(|at| at.date().to_string() == self.expires_on) => {}
                Some(at) => terms.expires_at = Some(at),
                None => faults.add(
                    "expires_on",
                    language.pick("Escriba una fecha como 2026-12-31.", "Write a date such as 2026-12-31."),
                ),
            },
        }
        match networks(&self.allowed_ips) {
            Ok(networks) => terms.allowed_ips = networks,
            Err(wrong) => faults.add(
                "allowed_ips",
                language.pick(
                    format!("«{wrong}» no es una dirección ni una red. Escriba 203.0.113.7 o 203.0.113.0/24, una por línea."),
                    format!("`{wrong}` is neither an address nor a network. Write 203.0.113.7 or 203.0.113.0/24, one a line."),
                ),
            ),
        }
        if faults.is_empty() { Ok(terms) } else { Err(faults) }
    }
}

/// The beginning of a day, UTC.
fn midnight(day: &str) -> Option<Timestamp> {
    Date::parse(day).and_then(|day| Timestamp::parse(&format!("{day}T00:00:00Z")))
}

fn networks(text: &str) -> Result<Networks, &str> {
    let parts = text.split([' ', ',', ';', '\n', '\r']).filter(|part| !part.is_empty());
    let networks: Result<Vec<Network>, &str> = parts.map(|part| part.parse().map_err(|_| part)).collect();
    networks.map(Networks::from)
}
