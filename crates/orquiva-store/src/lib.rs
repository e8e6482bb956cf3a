//! Everything SQL, on SQLite and on PostgreSQL behind one transaction type.
//!
//! [`Store::write`] is the one way to change anything: what waits at a moment is committed together.
//! Each noun is a module, each statement stands whole in the function that runs it.

mod arg;
mod engine;
mod error;
mod migrate;
mod postgres;
mod sql;
mod sqlite;
mod tx;
mod writer;

pub mod audit;
pub mod authority;
pub mod client;
pub mod company;
pub mod custom_field;
pub mod delivery;
pub mod department;
pub mod employee;
pub mod event;
pub mod factor;
pub mod idempotency;
pub mod identity;
pub mod import;
pub mod invitation;
pub mod lane;
pub mod member;
pub mod notice;
pub mod replay;
pub mod session;
pub mod token;
pub mod usage;
pub mod user;
pub mod webhook;

pub use arg::{Arg, Row};
pub use engine::{Settings, Snapshot, Store};
pub use error::StoreError;
pub use tx::Tx;
pub use writer::Order;

#[cfg(test)]
mod plans;
