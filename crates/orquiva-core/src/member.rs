//! What someone who belongs to a company's console may do there.

use crate::{Language, Scope, Scopes};

macro_rules! roles {
    ($($(#[doc = $doc:literal])+ $name:ident $text:literal [$es:literal, $en:literal] [$what_es:literal, $what_en:literal];)*) => {
        /// As what someone belongs to a company.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Role { $($(#[doc = $doc])+ $name,)* }

        impl Role {
            /// Every role, the mightiest first.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands in SQL and forms.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// Reads one role.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }

            /// Its name on screens.
            pub fn name(self, language: Language) -> &'static str {
                match self { $(Self::$name => language.pick($es, $en),)* }
            }

            /// What it is for, in a sentence.
            pub fn what(self, language: Language) -> &'static str {
                match self { $(Self::$name => language.pick($what_es, $what_en),)* }
            }
        }
    };
}

roles! {
    /// May do everything, also make others owners.
    Owner "owner" ["Propietario", "Owner"]
        ["Puede hacerlo todo, también nombrar a otros propietarios.", "May do everything, also make others owners."];
    /// Runs the company: people, integrations, members.
    Administrator "administrator" ["Administrador", "Administrator"]
        ["Gestiona personas, integraciones, miembros y ajustes.", "Runs people, integrations, members and settings."];
    /// Integrates: API clients, webhooks, events.
    Developer "developer" ["Desarrollador", "Developer"]
        ["Gestiona clientes de API, webhooks y eventos. Ve a las personas sin sus datos protegidos.", "Runs API clients, webhooks and events. Sees people without their protected data."];
    /// Looks, and changes nothing.
    Viewer "viewer" ["Lector", "Viewer"]
        ["Lo ve casi todo y no cambia nada.", "Sees nearly everything and changes nothing."];
}

/// One thing that not everybody in the console may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// See what the law protects: birth date, identity document, home address.
    SeeSensitive,
    /// Hire, change and end employments; change departments.
    ManagePeople,
    /// Create, rotate and revoke API clients.
    ManageClients,
    /// Create and change webhook endpoints, send again.
    ManageWebhooks,
    /// Invite and remove members, change their roles.
    ManageMembers,
    /// Change the company's settings and its own fields.
    ManageSettings,
    /// Read the audit.
    SeeAudit,
}

impl Right {
    /// Every right there is.
    pub const ALL: &'static [Self] = &[
        Self::SeeSensitive,
        Self::ManagePeople,
        Self::ManageClients,
        Self::ManageWebhooks,
        Self::ManageMembers,
        Self::ManageSettings,
        Self::SeeAudit,
    ];
}

impl Role {
    /// Whether this role has `right`.
    pub fn may(self, right: Right) -> bool {
        match self {
            Self::Owner | Self::Administrator => true,
            Self::Developer => {
                matches!(right, Right::ManageClients | Right::ManageWebhooks | Right::SeeAudit)
            }
            Self::Viewer => false,
        }
    }

    /// Whether it may give someone the role `other`, or take it: nobody gives more than they have.
    pub fn may_give(self, other: Self) -> bool {
        self.may(Right::ManageMembers) && self <= other
    }

    /// What the API lets its calls do. Everyone reads everything but what is sensitive.
    pub fn scopes(self) -> Scopes {
        let has = |scope: &&Scope| match scope {
            Scope::EmployeesRead | Scope::DepartmentsRead | Scope::EventsRead | Scope::WebhooksManage => true,
            Scope::EmployeesWrite | Scope::DepartmentsWrite => self.may(Right::ManagePeople),
            Scope::EmployeesSensitiveRead => self.may(Right::SeeSensitive),
            Scope::EmployeesSensitiveWrite => self.may(Right::SeeSensitive) && self.may(Right::ManagePeople),
        };
        Scope::ALL.iter().filter(has).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_gives_more_than_they_have() {
        for role in Role::ALL {
            assert_eq!(Role::parse(role.as_str()), Some(*role));
            for other in Role::ALL.iter().filter(|other| role.may_give(**other)) {
                assert!(Right::ALL.iter().all(|right| role.may(*right) || !other.may(*right)));
            }
        }
        assert!(!Role::Administrator.may_give(Role::Owner));
        assert!(!Role::Viewer.may_give(Role::Viewer));
        assert!(!Role::Developer.scopes().has(Scope::EmployeesSensitiveRead));
        assert!(!Role::Viewer.scopes().has(Scope::EmployeesWrite));
    }
}
