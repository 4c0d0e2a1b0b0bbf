//! What a token costs: starts the real `grantor` beside this program, sends it assertions signed beforehand, each used once, and
//! reads the server's CPU time from the operating system.
#![allow(clippy::print_stdout, reason = "the table is the result")]

mod load;
mod server;

use std::{error::Error, sync::Arc, thread, time::Duration};

use clap::Parser;
use grantor::{
    assertion::NewAssertion,
    clock::{Clock as _, SystemClock},
    jose::{Algorithm, PrivateJwk, json::Object},
};

use crate::{load::Load, server::Server};

/// Measure CPU time per token and tokens per second
#[derive(Debug, Parser)]
#[command(after_help = "Example:
  cargo build --release -p grantor-server && cargo run --release -p grantor-bench -- --runs 5")]
struct Options {
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

fn algorithm(name: &str) -> Result<Algorithm, &'static str> {
    Algorithm::from_name(name).filter(|algorithm| !algorithm.is_mac()).ok_or("not a signature algorithm")
}

/// One run's figures.
struct Run {
    cpu_per_token: Duration,
    tokens_per_second: f64,
    median: Duration,
    p99: Duration,
}

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::parse();
    let server = Server::start(options.algorithm)?;
    let key = Arc::new(PrivateJwk::parse(server.private_key().as_bytes(), Some(options.algorithm))?);
    println!(
        "{} assertion -> ES256 access token, durable replay (SQLite, synchronous=FULL), {} tokens a run, {} connections",
        options.algorithm, options.tokens, options.connections
    );
    measure(&server, &key, &options, options.tokens / 10)?;
    let mut runs = Vec::new();
    for number in 1..=options.runs {
        let run = measure(&server, &key, &options, options.tokens)?;
        row(&format!("run {number}"), &run);
        runs.push(run);
    }
    row("median", &medians(&runs));
    println!("resident memory of the server: {} KiB", server.resident_kib()?);
    Ok(())
}

fn measure(server: &Server, key: &Arc<PrivateJwk>, options: &Options, tokens: usize) -> Result<Run, Box<dyn Error>> {
    let assertions = presign(server.issuer(), key, tokens)?;
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

/// Signs on all cores, before the clock runs.
fn presign(issuer: &str, key: &Arc<PrivateJwk>, count: usize) -> Result<Vec<String>, Box<dyn Error>> {
    let threads = thread::available_parallelism()?.get();
    let share = count.div_ceil(threads);
    let workers: Vec<_> = (0..threads)
        .map(|_| {
            let (key, issuer) = (key.clone(), issuer.to_owned());
            thread::spawn(move || {
                let signing = key.signing_key()?;
                let assertion = NewAssertion {
                    issuer: "bench",
                    subject: "bench",
                    audience: &issuer,
                    lifetime: Duration::from_secs(600),
                    typ: Some("JWT"),
                    claims: Object::new(),
                };
                (0..share).map(|_| assertion.sign(&signing, SystemClock.now())).collect::<Result<Vec<_>, _>>()
            })
        })
        .collect();
    let mut signed = Vec::new();
    for worker in workers {
        signed.extend(worker.join().map_err(|_| "a signing thread panicked")??);
    }
    signed.truncate(count);
    Ok(signed)
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
