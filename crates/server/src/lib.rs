//! An RFC 7523 authorization server on an embedded database: everything of the program `grantor`
//! but its allocator. The commands and the network are its API, not this library: it is what the
//! program, its tests and the bench share.

mod admin;
mod app;
mod backend;
mod cli;
mod config;
mod console;
pub mod http;
mod key_access;
mod metrics;
mod pages;
mod person;
mod telemetry;
mod throttle;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::signal::unix::{SignalKind, signal};

/// Does what the command line of this process asks, and answers how the process is to end.
pub fn run() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::explain(&error),
    };
    let json = cli.global.json;
    telemetry::panics::log();
    match run_command(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn run_command(cli: cli::Cli) -> Result<(), cli::Failure> {
    let _log = telemetry::lines::FlushAtEnd;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| cli::Failure::failed(format!("no runtime could be started: {error}")))?;
    runtime.block_on(async {
        survive_file_limits();
        Box::pin(cli.run()).await
    })
}

/// A file that may not grow any more (RLIMIT_FSIZE) is a write that fails, and not the end of the
/// process without a word: the signal that comes with it is taken, and nothing done.
fn survive_file_limits() {
    const SIGXFSZ: i32 = 25;
    // Where it cannot be taken, it ends the process as ever.
    let _ = signal(SignalKind::from_raw(SIGXFSZ));
}
