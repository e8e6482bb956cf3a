//! The Orquiva server and its operator's commands: settings, wiring, graceful stop.

pub mod api;
pub mod demo;
pub mod listen;
pub mod operator;
pub mod provider;
pub mod serve;
pub mod settings;
pub mod trigger;
pub mod wiring;
