//! Clients of other projects, talking to the binary.

use grantor_testkit::binary as support;
mod browser;
mod console;
mod deployments;
mod mcp;
mod oidc_provider;
mod passkeys;
mod person;
mod rust_clients;
mod schemathesis;
mod third_party_clients;
