//! What a company does. Each verb is one function that changes and announces in the caller's transaction:
//! the API, the console, imports and integrations all perform it through here.

mod batch;
mod employees;
mod employment;
mod managers;
mod pen;
mod references;
mod schedule;
mod store;

pub mod custom_fields;
pub mod departments;
pub mod founding;
pub mod invitation;

pub use batch::{Holds, Item, Outcome, carry_out};
pub use employees::{change, hire, remove};
pub use employment::{cancel_rehire, cancel_termination, rehire, terminate};
pub use pen::{Pen, Refusal};
pub use references::{Put, Reference, put};
pub use schedule::Scheduler;
