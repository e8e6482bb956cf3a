//! What an API client may do (RFC 6749 §3.3).

use std::fmt;

use serde::{Serialize, Serializer};

macro_rules! scopes {
    ($(#[doc = $what:literal] $name:ident $text:literal;)*) => {
        /// One right of an API client.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Scope { $(#[doc = $what] $name,)* }

        impl Scope {
            /// Every scope there is, in the order in which they are written.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it stands in requests and tokens.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// What it allows, for the reference.
            pub fn what(self) -> &'static str {
                match self { $(Self::$name => $what.trim_ascii(),)* }
            }

            /// Reads one scope.
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$name),)* _ => None }
            }
        }
    };
}

scopes! {
    /// See employees.
    EmployeesRead "employees:read";
    /// Hire, change and remove employees.
    EmployeesWrite "employees:write";
    /// See what the law protects: birth date, identity document, home address.
    EmployeesSensitiveRead "employees.sensitive:read";
    /// Change what the law protects.
    EmployeesSensitiveWrite "employees.sensitive:write";
    /// See departments.
    DepartmentsRead "departments:read";
    /// Change departments.
    DepartmentsWrite "departments:write";
    /// Read the event log.
    EventsRead "events:read";
    /// Manage webhook endpoints and see their deliveries.
    WebhooksManage "webhooks:manage";
}

/// A set of scopes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scopes(u16);

impl Scopes {
    /// All of them.
    pub fn all() -> Self {
        Scope::ALL.iter().copied().collect()
    }

    /// Reads a list parted by spaces; the first unknown scope is returned as the error.
    pub fn parse(text: &str) -> Result<Self, &str> {
        text.split(' ').filter(|part| !part.is_empty()).map(|part| Scope::parse(part).ok_or(part)).collect()
    }

    /// Whether `scope` is in the set.
    pub fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u16 != 0
    }

    /// Whether each of `asked` is in the set.
    pub fn cover(self, asked: Self) -> bool {
        self.0 & asked.0 == asked.0
    }

    /// Those that are in both sets.
    #[must_use]
    pub fn both(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether the set has none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |set, scope| set | 1 << scope as u16))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut held = Scope::ALL.iter().filter(|scope| self.has(**scope)).peekable();
        while let Some(scope) = held.next() {
            f.write_str(scope.as_str())?;
            if held.peek().is_some() {
                f.write_str(" ")?;
            }
        }
        Ok(())
    }
}

impl Serialize for Scopes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_read_back_as_they_are_written() {
        assert_eq!(Scopes::parse(&Scopes::all().to_string()), Ok(Scopes::all()));
        assert_eq!(
            Scopes::parse("employees:read  events:read").map(|scopes| scopes.to_string()).as_deref(),
            Ok("employees:read events:read")
        );
        assert_eq!(Scopes::parse("employees:read salaries:read"), Err("salaries:read"));
    }
}
