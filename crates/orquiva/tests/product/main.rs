//! The whole product in short dialogues, on SQLite and, where `ORQUIVA_TEST_POSTGRES` names one, on PostgreSQL.
#![expect(clippy::unwrap_used, reason = "a test that meets what it did not expect fails there")]

mod announcement;
mod bad_input;
mod batch;
mod clients;
mod coverage;
mod crash;
mod custom_fields;
mod delivery;
mod department_tree;
mod departments;
mod employees;
mod employment;
mod events;
mod export;
mod fields;
mod harness;
mod lists;
mod oauth;
mod operator;
mod problems;
mod process;
mod proofs;
mod rate;
mod redaction;
mod references;
mod retention;
mod safe_writes;
mod sequence;
mod signer;
mod store;
mod stream;
mod tidy;
mod tokens;
mod usage;
