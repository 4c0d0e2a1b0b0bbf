//! One run: a server or several nodes, a load, and what came of it.

use std::{error::Error, time::Duration};

use crate::{
    load::{Load, Outcome},
    process::Process,
};

/// Figures for one token, or for the whole run.
pub struct Run {
    /// CPU time of all servers for one token, in microseconds.
    pub cpu_micros: f64,
    /// That of the database server which they ask; 0 where they have none.
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
        servers: &[&Process],
        load: &Load,
        requests: Vec<Vec<u8>>,
    ) -> Result<Self, Box<dyn Error>> {
        Self::of(servers, requests, |requests| load.run(requests))
    }

    /// Sends these requests at this rate.
    pub fn measure_at(
        servers: &[&Process],
        load: &Load,
        rate: f64,
        requests: Vec<Vec<u8>>,
    ) -> Result<Self, Box<dyn Error>> {
        Self::of(servers, requests, |requests| load.run_at(rate, requests))
    }

    fn of(
        servers: &[&Process],
        requests: Vec<Vec<u8>>,
        send: impl FnOnce(Vec<Vec<u8>>) -> Result<Outcome, Box<dyn Error>>,
    ) -> Result<Self, Box<dyn Error>> {
        let tokens = requests.len() as f64;
        let used = || -> Result<Duration, Box<dyn Error>> {
            servers.iter().map(|server| server.cpu_time()).sum()
        };
        // Nodes ask the same one.
        let of_database = || servers[0].database_time();
        let (before, database) = (used()?, of_database()?);
        let outcome = send(requests).map_err(|error| {
            let said: Vec<_> = servers.iter().map(|server| server.said()).collect();
            format!("{error}\nthe server: {}", said.join("\n"))
        })?;
        let used = used()? - before;
        let database = of_database()?.saturating_sub(database);
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
