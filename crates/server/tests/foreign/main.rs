//! Clients of other projects, talking to the binary.

#[path = "../third_party/packages.rs"]
mod packages;
#[path = "../support/mod.rs"]
mod support;
mod third_party_clients;
