//! What a company does. Each verb is one function that changes and announces in the caller's transaction:
//! the API, the console, imports and integrations all perform it through here.

mod employees;
mod managers;
mod pen;
mod store;

pub mod departments;

pub use employees::{change, hire, remove};
pub use pen::{Pen, Refusal};
