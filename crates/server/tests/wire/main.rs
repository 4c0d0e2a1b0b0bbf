//! The running binary: what it serves, measures and withstands.

mod limits;
mod main_job;
mod metrics;
mod operations;
mod readiness;
#[path = "../support/mod.rs"]
mod support;
#[cfg(feature = "otel")]
mod traces;
