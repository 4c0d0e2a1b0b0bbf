//! Clients of other projects, talking to the binary.

#[path = "../support/mod.rs"]
mod support;
mod third_party_clients;
