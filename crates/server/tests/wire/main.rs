//! The running binary: what it serves, measures and withstands.

mod limits;
mod main_job;
mod metrics;
mod operations;
mod readiness;
use grantor_testkit::binary as support;
#[cfg(feature = "otel")]
mod otlp;
#[cfg(feature = "otel")]
mod traces;
