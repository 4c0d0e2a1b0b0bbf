//! Statistics that need minutes or a quiet machine.

#[path = "../support/mod.rs"]
mod support;
mod timing;
