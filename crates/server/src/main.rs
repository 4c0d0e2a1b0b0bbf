//! The binary `grantor`: RFC 7523 on the command line and over HTTP.

mod app;
mod cli;
mod config;
mod http;
mod key_file;
mod metrics;
mod telemetry;
mod throttle;

use std::process::ExitCode;

use clap::Parser as _;
use mimalloc::MiMalloc;
use tokio::signal::unix::{SignalKind, signal};

/// A token is allocated on a worker's thread and its decision freed on the writer's: the system's
/// allocator locks for that.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    let cli = match cli::Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return cli::explain(&error),
    };
    let json = cli.global.json;
    telemetry::panics::log();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.report(json),
    }
}

fn run(cli: cli::Cli) -> Result<(), cli::Failure> {
    let _log = telemetry::lines::FlushAtEnd;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime
        .map_err(|error| cli::Failure::failed(format!("no runtime could be started: {error}")))?;
    runtime.block_on(async {
        survive_file_limits();
        cli.run().await
    })
}

/// A file that may not grow any more (RLIMIT_FSIZE) is a write that fails, and not the end of the
/// process without a word: the signal that comes with it is taken, and nothing done.
fn survive_file_limits() {
    const SIGXFSZ: i32 = 25;
    // Where it cannot be taken, it ends the process as ever.
    let _ = signal(SignalKind::from_raw(SIGXFSZ));
}
