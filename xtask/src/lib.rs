//! What chores and benchmarks share: a PostgreSQL to throw away, and the certainty that nothing stays behind.

mod postgres;
pub mod tools;
mod watch;

pub use postgres::{Cluster, Postgres, programs};
pub use watch::Watch;
