//! The binary `grantor`: RFC 7523 on the command line and over HTTP.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A token is allocated on a worker's thread and its decision freed on the writer's: the system's
/// allocator locks for that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    grantor_server::run()
}
