//! What a token costs: assertions signed beforehand, each used once, and the server's CPU time as
//! the operating system counts it.

use std::error::Error;

use clap::Args;
use grantor::jose::Algorithm;

use crate::{load::Load, run::Run, server::Server, statistics::Spread};

/// Measure CPU time per token and tokens per second
#[derive(Debug, Args)]
pub struct Options {
    /// Tokens in each run
    #[arg(long, default_value_t = 20_000)]
    tokens: usize,
    /// Connections, each with one request at a time
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Runs; the table shows each, and the medians
    #[arg(long, default_value_t = 5)]
    runs: usize,
    /// Algorithm of the assertions
    #[arg(long, default_value = "RS256", value_parser = algorithm)]
    algorithm: Algorithm,
}

/// A signature algorithm by its name.
pub fn algorithm(name: &str) -> Result<Algorithm, &'static str> {
    Algorithm::from_name(name)
        .filter(|algorithm| !algorithm.is_mac())
        .ok_or("not a signature algorithm")
}

/// Prints the table.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let (server, signer) = Server::start(options.algorithm, "")?;
    println!(
        "{} assertion -> ES256 access token, durable replay (SQLite, synchronous=FULL), {} tokens a run, {} connections",
        options.algorithm, options.tokens, options.connections
    );
    let load = Load::to(server.process.address(), options.connections);
    let measure = |tokens| {
        Run::measure(
            &[&server.process],
            &load,
            load.grants(&signer.presign(tokens)?),
        )
    };
    measure(options.tokens / 10)?;
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        let run = measure(options.tokens)?;
        row(&format!("run {number}"), &run);
        runs.push(run);
    }
    let median = |figure: fn(&Run) -> f64| Spread::of(runs.iter().map(figure)).median;
    row(
        "median",
        &Run {
            cpu_micros: median(|run| run.cpu_micros),
            database_micros: 0.0,
            generator_micros: median(|run| run.generator_micros),
            rate: median(|run| run.rate),
            p50_millis: median(|run| run.p50_millis),
            p99_millis: median(|run| run.p99_millis),
        },
    );
    println!(
        "resident memory of the server: {} KiB",
        server.process.resident_kib()?
    );
    Ok(())
}

fn row(name: &str, run: &Run) {
    println!(
        "{name:8} {:7.1} us CPU/token  {:8.0} tokens/s  p50 {:6.2} ms  p99 {:6.2} ms",
        run.cpu_micros, run.rate, run.p50_millis, run.p99_millis
    );
}
