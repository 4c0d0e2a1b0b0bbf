//! The resource role: tokens that can be changed in one place, and a server that does what a test says.
#![cfg(all(feature = "resource", feature = "reqwest"))]

mod bearer;
mod cost;
mod introspection;
mod keys;
#[cfg(feature = "server")]
mod own_server;
mod rules;
mod support;
