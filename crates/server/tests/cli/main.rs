//! The commands of the binary, and what they print.

mod command_line;
mod conformance;
mod decisions;
mod doctor;
use grantor_testkit::binary as support;
mod token_command;
