//! Clients of other projects, talking to the binary.

use grantor_testkit::binary as support;
mod browser;
mod third_party_clients;
