//! The life of an event after its commit: it gets its place in the log and its deliveries, its lanes are claimed,
//! each delivery is sent, and what came of it is recorded in groups.
//!
//! Wake-ups are hints: losing one costs latency, never an event.

mod client;
mod endpoint;
mod lanes;
mod message;
mod parts;
mod recorder;
mod retention;
mod router;
mod worker;

pub use client::Client;
pub use parts::Parts;
pub use worker::Worker;
