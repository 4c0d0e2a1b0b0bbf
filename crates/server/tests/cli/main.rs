//! The commands of the binary, and what they print.

mod command_line;
mod conformance;
mod decisions;
mod doctor;
#[path = "../support/mod.rs"]
mod support;
mod token_command;
