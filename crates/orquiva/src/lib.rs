//! The Orquiva server and its operator's commands: settings, wiring, graceful stop.

pub mod demo;
pub mod operator;
pub mod serve;
pub mod settings;
pub mod wiring;
