//! The words of the business: ids, time, plan, scope, employee, department, event, webhook.
//! No I/O and no async: whatever is here can be tested by calling it.

pub mod assertion;
pub mod chain;
pub mod chance;
pub mod company;
pub mod custom_field;
pub mod department;
pub mod dpop;
pub mod employee;
pub mod event;
pub mod field;
pub mod id;
pub mod jws;
pub mod language;
pub mod member;
pub mod merge;
pub mod network;
pub mod openid;
pub mod password;
pub mod problem;
pub mod scope;
pub mod seal;
pub mod search;
pub mod secret;
pub mod text;
pub mod time;
pub mod totp;
pub mod webauthn;
pub mod webhook;
mod words;

pub use chance::Chance;
pub use company::{Company, Plan};
pub use custom_field::{CustomField, NewCustomField};
pub use department::{Department, NewDepartment};
pub use employee::{Employee, NewEmployee};
pub use field::{Fault, FieldError};
pub use language::Language;
pub use member::{Right, Role};
pub use problem::Code;
pub use scope::{Scope, Scopes};
pub use secret::Secret;
pub use time::{Clock, Date, Timestamp};
