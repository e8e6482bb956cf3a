//! The world outside as tests and benchmarks meet it: receivers of webhooks that misbehave, certificates that do not
//! hold, and a proxy.
#![expect(clippy::unwrap_used, reason = "a world that cannot be built fails the test there")]

mod authority;
mod hostile;
mod manners;
mod polite;
mod proxy;

pub use authority::Authority;
pub use hostile::Hostile;
pub use manners::Manner;
pub use polite::Polite;
pub use proxy::Proxy;
