//! What a token costs: assertions signed beforehand, each used once, and the server's CPU time as the operating system counts it.

use std::{error::Error, time::Duration};

use clap::Args;
use grantor::jose::Algorithm;

use crate::{load::Load, server::Server, sign::Signer};

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
    Algorithm::from_name(name).filter(|algorithm| !algorithm.is_mac()).ok_or("not a signature algorithm")
}

/// One run's figures.
struct Run {
    cpu_per_token: Duration,
    tokens_per_second: f64,
    median: Duration,
    p99: Duration,
}

/// Prints the table.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let server = Server::start(options.algorithm, "")?;
    let signer = server.signer()?;
    println!(
        "{} assertion -> ES256 access token, durable replay (SQLite, synchronous=FULL), {} tokens a run, {} connections",
        options.algorithm, options.tokens, options.connections
    );
    measure(&server, &signer, options, options.tokens / 10)?;
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        let run = measure(&server, &signer, options, options.tokens)?;
        row(&format!("run {number}"), &run);
        runs.push(run);
    }
    row("median", &medians(&runs));
    println!("resident memory of the server: {} KiB", server.resident_kib()?);
    Ok(())
}

fn measure(server: &Server, signer: &Signer, options: &Options, tokens: usize) -> Result<Run, Box<dyn Error>> {
    let assertions = signer.presign(tokens)?;
    let before = server.cpu_time()?;
    let outcome = Load { address: server.address(), connections: options.connections }.run(assertions)?;
    let used = server.cpu_time()? - before;
    Ok(Run {
        cpu_per_token: used / u32::try_from(tokens)?,
        tokens_per_second: tokens as f64 / outcome.elapsed.as_secs_f64(),
        median: outcome.quantile(0.5),
        p99: outcome.quantile(0.99),
    })
}

fn row(name: &str, run: &Run) {
    println!(
        "{name:8} {:7.1} us CPU/token  {:8.0} tokens/s  p50 {:6.2} ms  p99 {:6.2} ms",
        run.cpu_per_token.as_secs_f64() * 1e6,
        run.tokens_per_second,
        run.median.as_secs_f64() * 1e3,
        run.p99.as_secs_f64() * 1e3
    );
}

fn medians(runs: &[Run]) -> Run {
    Run {
        cpu_per_token: median(runs.iter().map(|run| run.cpu_per_token)),
        tokens_per_second: median(runs.iter().map(|run| run.tokens_per_second)),
        median: median(runs.iter().map(|run| run.median)),
        p99: median(runs.iter().map(|run| run.p99)),
    }
}

fn median<T: PartialOrd + Copy + Default>(values: impl Iterator<Item = T>) -> T {
    let mut values: Vec<T> = values.collect();
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values.get(values.len() / 2).copied().unwrap_or_default()
}
