//! What a token costs. The real `grantor`, the floor below it and other authorization servers
//! beside it, as processes on a throw-away directory under load on loopback; or `grantor` alone,
//! kept busy among attackers to see how it holds out.
#![allow(clippy::print_stdout, reason = "the tables are the result")]

mod chart;
mod compare;
mod contestant;
mod floor;
mod hostile;
mod load;
mod memory;
mod nodes;
mod peers;
mod population;
mod process;
mod report;
mod run;
mod scale;
mod serve;
mod server;
mod settings;
mod sign;
mod soak;
mod statistics;
mod tokens;

use std::{error::Error, path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand, ValueEnum};
use mimalloc::MiMalloc;

use crate::settings::Settings;

/// That of `grantor serve`, for the servers that live in this program, the floor among them.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Measure CPU time per token and tokens per second; compare; soak
#[derive(Debug, Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "Build the server first: cargo build --release -p grantor-server
Examples:
  cargo run --release -p grantor-bench -- --runs 5
  cargo run --release -p grantor-bench -- compare --write
  cargo run --release -p grantor-bench -- compare --quick
  cargo run --release -p grantor-bench -- compare --without-peers --without-scale --only 'RS256 grant -> ES256'
  cargo run --release -p grantor-bench -- scale --clients 1000000 --entries 0
  cargo run --release -p grantor-bench -- nodes --quick
  cargo run --release -p grantor-bench -- soak --minutes 5"
)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    tokens: tokens::Options,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measure CPU time per token and tokens per second; what is done without a command
    Tokens(tokens::Options),
    /// Compare floor, Grantor and peers side by side; then see whether the cost stays flat
    Compare(compare::Options),
    /// Measure CPU time per token with up to a million clients, and ten million live replay entries
    Scale(scale::Options),
    /// Measure CPU time per token of nodes on PostgreSQL and of PostgreSQL itself, with several nodes, a
    /// million clients, and ten million claims
    Nodes(nodes::Options),
    /// Serve honest clients at a fixed rate for minutes, attackers among them, and judge what came
    /// of it
    Soak(soak::Options),
    /// Be a server that is compared
    #[command(hide = true)]
    Serve { what: Served, settings: PathBuf },
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Served {
    Floor,
    Memory,
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Tokens(cli.tokens)) {
        Command::Tokens(options) => tokens::run(&options),
        Command::Compare(options) => compare::run(&options),
        Command::Scale(options) => scale::run(&options),
        Command::Nodes(options) => nodes::run(&options),
        Command::Soak(options) => return soak::run(&options),
        Command::Serve {
            what: Served::Floor,
            settings,
        } => floor::run(&Settings::read(&settings)?).map(|never| match never {}),
        Command::Serve {
            what: Served::Memory,
            settings,
        } => memory::run(&Settings::read(&settings)?).map(|never| match never {}),
    };
    done.map(|()| ExitCode::SUCCESS)
}
