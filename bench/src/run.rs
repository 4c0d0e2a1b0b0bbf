//! One run: a server, a load, and what came of it.

use std::error::Error;

use crate::{
    load::{Load, Outcome},
    process::Process,
};

/// Figures for one token, or for the whole run.
pub struct Run {
    /// The server's CPU time for one token, in microseconds.
    pub cpu_micros: f64,
    /// That of the database server which it asks; 0 where it has none.
    pub database_micros: f64,
    /// The load generator's.
    pub generator_micros: f64,
    /// Tokens a second.
    pub rate: f64,
    pub p50_millis: f64,
    pub p99_millis: f64,
}

impl Run {
    /// Sends these requests, each connection one after the other.
    pub fn measure(
        server: &Process,
        load: Load,
        requests: Vec<Vec<u8>>,
    ) -> Result<Self, Box<dyn Error>> {
        Self::of(server, requests, |requests| load.run(requests))
    }

    /// Sends these requests at this rate.
    pub fn measure_at(
        server: &Process,
        load: Load,
        rate: f64,
        requests: Vec<Vec<u8>>,
    ) -> Result<Self, Box<dyn Error>> {
        Self::of(server, requests, |requests| load.run_at(rate, requests))
    }

    fn of(
        server: &Process,
        requests: Vec<Vec<u8>>,
        send: impl FnOnce(Vec<Vec<u8>>) -> Result<Outcome, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let tokens = requests.len() as f64;
        let (before, database) = (server.cpu_time()?, server.database_time()?);
        let outcome =
            send(requests).map_err(|error| format!("{error}\nthe server: {}", server.said()))?;
        let used = server.cpu_time()? - before;
        let database = server.database_time()?.saturating_sub(database);
        Ok(Self {
            cpu_micros: used.as_secs_f64() * 1e6 / tokens,
            database_micros: database.as_secs_f64() * 1e6 / tokens,
            generator_micros: outcome.generator_cpu.as_secs_f64() * 1e6 / tokens,
            rate: outcome.rate(),
            p50_millis: outcome.quantile(0.5).as_secs_f64() * 1e3,
            p99_millis: outcome.quantile(0.99).as_secs_f64() * 1e3,
        })
    }
}
