//! Nodes that share a PostgreSQL server: what a token costs them and the server, by how many nodes
//! there are, how many clients, and how many uses of assertions are in force.

use std::{error::Error, sync::Arc, time::Instant};

use clap::Args;
use grantor_testkit::postgres::{Database, Postgres};

use crate::{
    chart::{Curve, curves, grouped},
    contestant::{CONNECTIONS, Start},
    load::{Load, request},
    population,
    process::Process,
    report::{self, Section, Table},
    run::Run,
    server::{Installation, Server},
    sign::{Signer, presign_each},
    statistics::{Spread, times},
};

/// Clients beside which nodes and claims are counted.
const FEW_CLIENTS: usize = 10;
/// What an operator gives a server of this size; all else is as PostgreSQL comes.
const SETTINGS: [(&str, &str); 2] = [("shared_buffers", "1GB"), ("max_wal_size", "4GB")];

/// Measure CPU time per token of nodes on PostgreSQL and of PostgreSQL itself, with several nodes, a
/// million clients, and ten million claims
#[derive(Debug, Args)]
pub struct Options {
    /// Prove that it works: up to two nodes, a thousand clients, ten thousand claims, and few tokens
    #[arg(long)]
    quick: bool,
    /// Rounds in which every size has a turn [default: 5, quick: 2]
    #[arg(long)]
    rounds: Option<usize>,
    /// Tokens in each half of a turn [default: 10000, quick: 1000]
    #[arg(long)]
    tokens: Option<usize>,
    /// Numbers of nodes
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    nodes: Option<Vec<usize>>,
    /// Numbers of clients of one node
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    clients: Option<Vec<usize>>,
    /// Numbers of claims in force beside which one node works
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    claims: Option<Vec<usize>>,
    /// Write table and picture into docs/
    #[arg(long, conflicts_with = "quick")]
    write: bool,
}

/// How much there is.
#[derive(Clone, Copy)]
struct Size {
    nodes: usize,
    clients: usize,
    claims: usize,
}

/// Nodes on a database, and what each of their turns measured.
struct Deployment {
    size: Size,
    servers: Vec<Server>,
    start: Start,
    /// Who asks, drawn at random, in the order of asking.
    signers: std::vec::IntoIter<Signer>,
    /// At the highest load.
    full: Vec<Run>,
    /// At half of the rate reached there.
    half: Vec<Run>,
    resident_kib: u64,
    /// Goes after the nodes.
    _database: Database,
}

impl Options {
    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    fn tokens(&self) -> usize {
        self.tokens
            .unwrap_or(if self.quick { 1000 } else { 10_000 })
    }

    /// The first is the smallest, with which the others are compared.
    fn sizes(&self) -> Vec<Size> {
        let (nodes, clients, claims): (&[usize], usize, usize) = match self.quick {
            true => (&[1, 2], 1000, 10_000),
            false => (&[1, 2, 4], 1_000_000, 10_000_000),
        };
        let few = Size {
            nodes: 1,
            clients: FEW_CLIENTS,
            claims: 0,
        };
        let nodes = self.nodes.as_deref().unwrap_or(nodes);
        let clients = self.clients.clone().unwrap_or_else(|| vec![clients]);
        let claims = self.claims.clone().unwrap_or_else(|| vec![claims]);
        let nodes = nodes.iter().map(|&nodes| Size { nodes, ..few });
        let clients = clients.into_iter().map(|clients| Size { clients, ..few });
        let claims = claims.into_iter().map(|claims| Size { claims, ..few });
        nodes.chain(clients).chain(claims).collect()
    }
}

/// Prints the table, and writes it where that is asked for.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let engine = Postgres::new_in(&std::env::temp_dir(), &SETTINGS);
    let engine = engine.ok_or("PostgreSQL is not installed")?;
    let mut all = options
        .sizes()
        .into_iter()
        .map(|size| Deployment::start(size, &engine, options))
        .collect::<Result<Vec<_>, _>>()?;
    for deployment in &mut all {
        deployment.full(options.tokens() / 2)?;
    }
    for round in 1..=options.rounds() {
        for deployment in &mut all {
            print!("round {round}: ");
            deployment.turn(options.tokens())?;
        }
    }
    for deployment in &mut all {
        deployment.resident_kib = deployment.servers[0].process.resident_kib()?;
    }
    let section = section(&all);
    println!("{}", section.text());
    match options.write {
        true => section.write("nodes"),
        false => Ok(()),
    }
}

impl Deployment {
    /// All is written into a file first, which is then moved: the way that an operator goes.
    fn start(
        size: Size,
        engine: &Arc<Postgres>,
        options: &Options,
    ) -> Result<Self, Box<dyn Error>> {
        let database = engine.database();
        let first = Installation::new("")?;
        let draws = 1 + options.tokens() / 2 + 2 * options.tokens() * options.rounds();
        let signers = population::fill(&first, size.clients, size.claims, draws)?;
        let moved = Instant::now();
        first.move_to(&database)?;
        let moved = moved.elapsed();
        // What moving leaves to be done is no part of what a token costs.
        engine.psql(&database.name, "CHECKPOINT; ANALYZE")?;
        let others = (1..size.nodes)
            .map(|_| first.another())
            .collect::<Result<Vec<_>, _>>()?;
        let mut signers = signers.into_iter();
        let signer: Vec<Signer> = signers.by_ref().take(1).collect();
        let assertion = presign_each(&signer)?;
        let mut servers = vec![first.serve()?];
        let process = &servers[0].process;
        let start = Start::of(process, &request(process.address(), &assertion[0]))?;
        for node in others {
            servers.push(node.serve()?);
        }
        for server in &mut servers {
            server.process.asks(engine)?;
        }
        println!(
            "{}: moved in {:.1} s, first token {:.0} ms after start, {:.1} MiB resident",
            size.text(),
            moved.as_secs_f64(),
            start.milliseconds(),
            start.resident_kib as f64 / 1024.0
        );
        Ok(Self {
            size,
            servers,
            start,
            signers,
            full: Vec::new(),
            half: Vec::new(),
            resident_kib: 0,
            _database: database,
        })
    }

    /// Full load, then half of what was reached there.
    fn turn(&mut self, tokens: usize) -> Result<(), Box<dyn Error>> {
        let full = self.full(tokens)?;
        let load = self.load();
        let requests = self.requests(&load, tokens)?;
        let half = Run::measure_at(&self.processes(), &load, full.rate / 2.0, requests)?;
        println!(
            "{:46} {:7.1} us + PostgreSQL {:6.1} us {:7.0}/s  half load p50 {:6.2} p99 {:6.2} ms",
            self.size.text(),
            full.cpu_micros,
            full.database_micros,
            full.rate,
            half.p50_millis,
            half.p99_millis
        );
        self.full.push(full);
        self.half.push(half);
        Ok(())
    }

    fn full(&mut self, tokens: usize) -> Result<Run, Box<dyn Error>> {
        let load = self.load();
        let requests = self.requests(&load, tokens)?;
        Run::measure(&self.processes(), &load, requests)
    }

    /// Shared out among the nodes.
    fn load(&self) -> Load {
        let address = |server: &Server| server.process.address();
        Load {
            addresses: self.servers.iter().map(address).collect(),
            connections: CONNECTIONS,
        }
    }

    fn requests(&mut self, load: &Load, tokens: usize) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
        let signers: Vec<Signer> = self.signers.by_ref().take(tokens).collect();
        Ok(load.grants(&presign_each(&signers)?))
    }

    fn processes(&self) -> Vec<&Process> {
        self.servers.iter().map(|server| &server.process).collect()
    }

    fn figures(&self, figure: fn(&Run) -> f64) -> impl Iterator<Item = f64> {
        self.full.iter().map(figure)
    }

    fn median(&self, figure: fn(&Run) -> f64) -> f64 {
        Spread::of(self.figures(figure)).median
    }

    /// How many cores that was busy with, of tokens that took it so many microseconds each.
    fn cores(&self, micros: fn(&Run) -> f64) -> f64 {
        let busy = |run: &Run| micros(run) * run.rate / 1e6;
        Spread::of(self.full.iter().map(busy)).median
    }
}

impl Size {
    fn text(self) -> String {
        let Self {
            nodes,
            clients,
            claims,
        } = self;
        format!(
            "{nodes} node(s), {} clients, {} claims",
            grouped(clients),
            grouped(claims)
        )
    }
}

fn section(all: &[Deployment]) -> Section {
    let mut table = Table::new(&[
        "nodes",
        "clients",
        "claims in force",
        "nodes' CPU us/token (least to most)",
        "x the first row",
        "PostgreSQL's us/token",
        "tokens/s at 64",
        "p99 ms at 64",
        "cores of nodes + PostgreSQL + load",
        "p50 / p99 ms at half load",
        "start to first token, ms",
        "MiB of a node at start / after",
    ]);
    for deployment in all {
        let Deployment { size, start, .. } = deployment;
        let cpu = Spread::of(deployment.figures(|run| run.cpu_micros));
        let half = |figure: fn(&Run) -> f64| Spread::of(deployment.half.iter().map(figure)).median;
        table.row([
            size.nodes.to_string(),
            grouped(size.clients),
            grouped(size.claims),
            format!("{:.1} ({:.1} to {:.1})", cpu.median, cpu.least, cpu.most),
            format!(
                "{:.2}",
                times(
                    deployment.figures(|run| run.cpu_micros),
                    all[0].figures(|run| run.cpu_micros)
                )
            ),
            format!("{:.1}", deployment.median(|run| run.database_micros)),
            format!("{:.0}", deployment.median(|run| run.rate)),
            format!("{:.2}", deployment.median(|run| run.p99_millis)),
            format!(
                "{:.2} + {:.2} + {:.2}",
                deployment.cores(|run| run.cpu_micros),
                deployment.cores(|run| run.database_micros),
                deployment.cores(|run| run.generator_micros)
            ),
            format!(
                "{:.2} / {:.2}",
                half(|run| run.p50_millis),
                half(|run| run.p99_millis)
            ),
            format!("{:.0}", start.milliseconds()),
            format!(
                "{:.1} / {:.1}",
                start.resident_kib as f64 / 1024.0,
                deployment.resident_kib as f64 / 1024.0
            ),
        ]);
    }
    let curve = |title, figure: fn(&Run) -> f64| Curve {
        title,
        points: all
            .iter()
            .filter(|deployment| deployment.size.clients == FEW_CLIENTS)
            .filter(|deployment| deployment.size.claims == 0)
            .map(|deployment| {
                (
                    deployment.size.nodes,
                    Spread::of(deployment.figures(figure)),
                )
            })
            .collect(),
    };
    let picture = curves(
        "CPU time per token, microseconds, by the number of nodes",
        &[
            curve("of all nodes together", |run| run.cpu_micros),
            curve("of PostgreSQL", |run| run.database_micros),
        ],
    );
    Section {
        text: format!("{}\n\n{table}", report::machine()),
        picture: ("performance-nodes.svg", picture),
    }
}
