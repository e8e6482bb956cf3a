//! What every page has around it: language, look, the way to the other pages, and what has just been done.

use askama::Template;
use axum::response::{IntoResponse as _, Response};
use http::{StatusCode, header};
use orquiva_core::{Language, Right};

use crate::guest::Guest;
use crate::member::{Member, SignedIn};

/// A page of the console's own navigation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Here {
    Home,
    People,
    Departments,
    Clients,
    Webhooks,
    Events,
    Usage,
    Audit,
    Members,
    Settings,
}

/// One way to another page.
pub(crate) struct Way {
    pub(crate) here: Here,
    pub(crate) path: &'static str,
    /// Its picture in `icons.html`.
    pub(crate) icon: &'static str,
    names: (&'static str, &'static str),
    /// Only for who has this right.
    right: Option<Right>,
}

/// The navigation: groups with their names, Spanish and English.
const NAVIGATION: &[((&str, &str), &[Way])] = &[
    (
        ("", ""),
        &[Way { here: Here::Home, path: "/admin", icon: "home", names: ("Inicio", "Home"), right: None }],
    ),
    (
        ("Personas", "People"),
        &[
            Way {
                here: Here::People,
                path: "/admin/employees",
                icon: "people",
                names: ("Plantilla", "People"),
                right: None,
            },
            Way {
                here: Here::Departments,
                path: "/admin/departments",
                icon: "tree",
                names: ("Departamentos", "Departments"),
                right: None,
            },
        ],
    ),
    (
        ("Integración", "Integration"),
        &[
            Way {
                here: Here::Clients,
                path: "/admin/api-clients",
                icon: "key",
                names: ("Clientes de API", "API clients"),
                right: None,
            },
            Way {
                here: Here::Webhooks,
                path: "/admin/webhooks",
                icon: "hook",
                names: ("Webhooks", "Webhooks"),
                right: None,
            },
            Way {
                here: Here::Events,
                path: "/admin/events",
                icon: "list",
                names: ("Eventos", "Events"),
                right: None,
            },
            Way {
                here: Here::Usage,
                path: "/admin/usage",
                icon: "chart",
                names: ("Uso", "Usage"),
                right: None,
            },
        ],
    ),
    (
        ("Empresa", "Company"),
        &[
            Way {
                here: Here::Audit,
                path: "/admin/audit",
                icon: "shield",
                names: ("Auditoría", "Audit"),
                right: Some(Right::SeeAudit),
            },
            Way {
                here: Here::Members,
                path: "/admin/settings/members",
                icon: "user",
                names: ("Miembros", "Members"),
                right: None,
            },
            Way {
                here: Here::Settings,
                path: "/admin/settings",
                icon: "gear",
                names: ("Ajustes", "Settings"),
                right: None,
            },
        ],
    ),
];

/// Whoever is signed in, as the frame shows them.
pub(crate) struct Signed {
    pub(crate) name: String,
    pub(crate) email: String,
    /// Company and role; empty while none is chosen.
    pub(crate) company: String,
    pub(crate) role: &'static str,
    here: Option<Here>,
    may: Vec<Right>,
}

/// What every page has around it.
pub(crate) struct Page {
    language: Language,
    pub(crate) theme: &'static str,
    pub(crate) nonce: String,
    pub(crate) form_token: String,
    pub(crate) title: String,
    /// Where they are, to come back to.
    pub(crate) path: String,
    /// What has just been done.
    pub(crate) said: &'static str,
    pub(crate) signed: Option<Signed>,
}

impl Page {
    /// A page for whoever is not signed in.
    pub(crate) fn for_guest(guest: &Guest, title: &str) -> Self {
        Self {
            language: guest.language,
            theme: guest.theme,
            nonce: guest.nonce.clone(),
            form_token: guest.form_token.clone(),
            title: title.to_owned(),
            path: guest.path.clone(),
            said: said(&guest.path, guest.language),
            signed: None,
        }
    }

    /// A page for whoever is signed in, without a company.
    pub(crate) fn for_user(signed: &SignedIn, title: &str) -> Self {
        let SignedIn { guest, user, .. } = signed;
        let signed = Signed {
            name: user.name.clone(),
            email: user.email.clone(),
            company: String::new(),
            role: "",
            here: None,
            may: Vec::new(),
        };
        Self { signed: Some(signed), ..Self::for_guest(guest, title) }
    }

    /// A page of a company; `title` in Spanish and in English.
    pub(crate) fn of(member: &Member, here: Option<Here>, title: (&str, &str)) -> Self {
        let Member { guest, user, company, role, .. } = member;
        let signed = Signed {
            name: user.name.clone(),
            email: user.email.clone(),
            company: company.name.clone(),
            role: role.name(guest.language),
            here,
            may: Right::ALL.iter().copied().filter(|right| role.may(*right)).collect(),
        };
        Self { signed: Some(signed), ..Self::for_guest(guest, guest.language.pick(title.0, title.1)) }
    }

    /// Picks one of two texts: every text of a page stands in both languages side by side.
    pub(crate) fn t<'t>(&self, spanish: &'t str, english: &'t str) -> &'t str {
        self.language.pick(spanish, english)
    }

    /// The language's tag.
    pub(crate) fn tag(&self) -> &'static str {
        self.language.tag()
    }

    /// The language.
    pub(crate) fn language(&self) -> Language {
        self.language
    }

    /// The navigation: each group's name and its ways, of those that may be gone.
    pub(crate) fn navigation(&self) -> Vec<(&'static str, Vec<&'static Way>)> {
        let Some(signed) = self.signed.as_ref().filter(|signed| !signed.company.is_empty()) else {
            return Vec::new();
        };
        let open = |way: &&Way| way.right.is_none_or(|right| signed.may.contains(&right));
        NAVIGATION
            .iter()
            .map(|((es, en), ways)| (self.t(es, en), ways.iter().filter(open).collect::<Vec<_>>()))
            .filter(|(_, ways)| !ways.is_empty())
            .collect()
    }

    /// Whether a way leads to where they are.
    pub(crate) fn is_here(&self, way: &Way) -> bool {
        self.signed.as_ref().is_some_and(|signed| signed.here == Some(way.here))
    }

    /// The address of an asset, which changes with its contents.
    pub(crate) fn asset(&self, name: &str) -> String {
        crate::assets::address(name)
    }
}

impl Way {
    /// Its name.
    pub(crate) fn name(&self, page: &Page) -> &'static str {
        page.t(self.names.0, self.names.1)
    }
}

/// What has just been done, by the word in the query: the page that follows a form says so.
const SAID: &[(&str, &str, &str)] = &[
    ("client-changed", "Cliente de API guardado.", "API client saved."),
    (
        "client-revoked",
        "Cliente de API revocado. Sus tokens ya no sirven.",
        "API client revoked. Its tokens are dead.",
    ),
    ("webhook-changed", "Webhook guardado.", "Webhook saved."),
    ("webhook-paused", "Webhook en pausa. Lo que llegue esperará.", "Webhook paused. What comes will wait."),
    ("webhook-resumed", "Webhook en marcha.", "Webhook resumed."),
    (
        "webhook-deleted",
        "Webhook borrado. Lo que esperaba se ha cancelado.",
        "Webhook deleted. What waited was cancelled.",
    ),
    ("delivery-again", "Se envía de nuevo.", "It is sent again."),
    ("replay-cancelled", "Repetición cancelada.", "Replay cancelled."),
    ("notice-read", "Aviso leído.", "Notice read."),
    ("hired", "Alta hecha y anunciada.", "Hired and announced."),
    ("person-changed", "Datos guardados.", "Data saved."),
    ("person-deleted", "Persona borrada.", "Person deleted."),
    ("references-changed", "Referencias guardadas.", "References saved."),
    ("terminated", "Baja guardada.", "Termination saved."),
    (
        "termination-cancelled",
        "Baja cancelada: todo sigue como estaba.",
        "Termination cancelled: everything is as it was.",
    ),
    ("rehired", "Readmisión guardada.", "Rehire saved."),
    ("rehire-cancelled", "Readmisión cancelada.", "Rehire cancelled."),
    (
        "not-cancelled",
        "No se ha cancelado nada: mientras tanto ha cambiado. Así está ahora.",
        "Nothing was cancelled: it has changed in the meantime. This is how it is now.",
    ),
    ("import-discarded", "Hecho: el archivo ya no está.", "Done: the file is gone."),
    ("department-created", "Departamento creado.", "Department created."),
    ("department-changed", "Departamento guardado.", "Department saved."),
    ("department-deleted", "Departamento borrado.", "Department deleted."),
    ("profile-saved", "Perfil guardado.", "Profile saved."),
    (
        "password-changed",
        "Contraseña cambiada. Las demás sesiones se han cerrado.",
        "Password changed. All other sessions were ended.",
    ),
    (
        "invitation-withdrawn",
        "Invitación retirada: su enlace ya no vale.",
        "Invitation withdrawn: its link is good no more.",
    ),
    ("member-changed", "Rol guardado.", "Role saved."),
    ("member-removed", "Ya no es miembro.", "They are no member any more."),
    ("joined", "Ya es miembro de la empresa.", "You belong to the company now."),
    ("settings-saved", "Ajustes guardados.", "Settings saved."),
    ("field-created", "Campo creado.", "Field created."),
    ("field-saved", "Campo guardado.", "Field saved."),
    ("field-deleted", "Campo borrado, con sus valores.", "Field deleted, with its values."),
    ("sessions-ended", "Sesión cerrada.", "Session ended."),
    (
        "totp-removed",
        "Los códigos de la aplicación ya no se piden al entrar.",
        "The app's codes are no longer asked for when you sign in.",
    ),
    (
        "identity-linked",
        "Identidad vinculada: ya puede entrar con ella.",
        "Identity linked: you can sign in with it now.",
    ),
    ("identity-unlinked", "Identidad desvinculada.", "Identity unlinked."),
    ("passkey-added", "Llave de acceso guardada.", "Passkey saved."),
    ("passkey-removed", "Llave de acceso borrada.", "Passkey removed."),
];

fn said(path: &str, language: Language) -> &'static str {
    let word = path.split_once("said=").map_or("", |(_, rest)| rest.split('&').next().unwrap_or_default());
    SAID.iter().find(|(known, _, _)| *known == word).map_or("", |(_, es, en)| language.pick(es, en))
}

/// The answer with a page.
pub(crate) fn html(page: &impl Template) -> Response {
    match page.render() {
        Ok(text) => ([(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response(),
        Err(cause) => {
            tracing::error!(%cause, "a page could not be rendered");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

/// The answer with a page whose form was refused.
pub(crate) fn refused(page: &impl Template) -> Response {
    let mut response = html(page);
    *response.status_mut() = StatusCode::UNPROCESSABLE_ENTITY;
    response
}
