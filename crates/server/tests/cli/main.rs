//! The commands of the binary, and what they print.

mod api;
mod api_bodies;
mod api_rules;
mod api_trust;
mod changes;
mod command_line;
mod conformance;
mod console;
mod decisions;
mod desk;
mod doctor;
mod files;
mod imports;
mod issuers;
mod moving;
mod nodes;
mod people;
mod remote;
mod remote_trust;
mod statistics;
mod templates;
mod trusts;
use grantor_testkit::binary as support;
mod token_command;
mod workloads;
