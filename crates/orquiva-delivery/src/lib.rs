//! The life of an event after its commit: it gets its place in the log and its deliveries, its lanes are claimed,
//! each delivery is sent, and what came of it is recorded in groups.
//!
//! Wake-ups are hints: losing one costs latency, never an event.

mod broken;
mod call;
mod client;
mod connector;
mod egress;
mod endpoint;
mod lanes;
mod mailbox;
mod message;
mod names;
mod parts;
mod recent;
mod recorder;
mod replay;
mod retention;
mod router;
mod run;
mod slots;
mod tally;
mod worker;

pub use client::{Client, Reply};
pub use egress::{Egress, Finding, Lookup, NotAProxy, Proxy, Times};
pub use parts::Parts;
pub use worker::Worker;
