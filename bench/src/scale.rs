//! Whether the cost of a token stays the same as the registry grows, and as the uses to remember
//! grow.

use std::{error::Error, fs};

use clap::Args;

use crate::{
    chart::{Curve, curves, grouped},
    contestant::{CONNECTIONS, Start},
    load::{Load, request},
    population,
    report::{Section, Table},
    run::Run,
    server::{Installation, Server},
    sign::{Signer, presign_each},
    statistics::{Spread, times},
};

/// Clients beside which replay entries are counted.
const FEW_CLIENTS: usize = 10;

/// Measure CPU time per token with up to a million clients, and ten million live replay entries
#[derive(Debug, Args)]
pub struct Options {
    /// Prove that it works: up to a thousand clients, ten thousand entries, and few tokens
    #[arg(long)]
    quick: bool,
    /// Rounds in which every size has a turn [default: 5, quick: 2]
    #[arg(long)]
    rounds: Option<usize>,
    /// Tokens in each turn [default: 10000, quick: 1000]
    #[arg(long)]
    tokens: Option<usize>,
    /// Numbers of clients
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    clients: Option<Vec<usize>>,
    /// Numbers of live replay entries
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS")]
    entries: Option<Vec<usize>>,
    /// Write table and picture into docs/
    #[arg(long, conflicts_with = "quick")]
    write: bool,
}

impl Options {
    pub fn new(quick: bool, write: bool) -> Self {
        Self {
            quick,
            write,
            rounds: None,
            tokens: None,
            clients: None,
            entries: None,
        }
    }

    fn rounds(&self) -> usize {
        self.rounds.unwrap_or(if self.quick { 2 } else { 5 })
    }

    fn tokens(&self) -> usize {
        self.tokens
            .unwrap_or(if self.quick { 1000 } else { 10_000 })
    }

    /// The first is the smallest, with which the others are compared.
    fn sizes(&self) -> Vec<Size> {
        let (clients, entries): (&[usize], &[usize]) = match self.quick {
            true => (&[1000], &[10_000]),
            false => (
                &[1000, 100_000, 1_000_000],
                &[100_000, 1_000_000, 10_000_000],
            ),
        };
        let clients = self
            .clients
            .as_deref()
            .unwrap_or(clients)
            .iter()
            .map(|&clients| Size {
                clients,
                entries: 0,
            });
        let entries = self
            .entries
            .as_deref()
            .unwrap_or(entries)
            .iter()
            .map(|&entries| Size {
                clients: FEW_CLIENTS,
                entries,
            });
        [Size {
            clients: FEW_CLIENTS,
            entries: 0,
        }]
        .into_iter()
        .chain(clients)
        .chain(entries)
        .collect()
    }
}

/// How much a server has to do with.
#[derive(Clone, Copy)]
struct Size {
    clients: usize,
    entries: usize,
}

/// A server of a size, and what each of its turns measured.
struct Sized {
    size: Size,
    server: Server,
    start: Start,
    database_bytes: u64,
    /// Who asks, drawn at random, in the order of asking.
    signers: std::vec::IntoIter<Signer>,
    runs: Vec<Run>,
    resident_kib: u64,
}

/// Prints the table, and writes it where that is asked for.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let mut all = options
        .sizes()
        .into_iter()
        .map(|size| Sized::start(size, options))
        .collect::<Result<Vec<_>, _>>()?;
    for sized in &mut all {
        sized.turn(options.tokens() / 2)?;
    }
    for round in 1..=options.rounds() {
        for sized in &mut all {
            let run = sized.turn(options.tokens())?;
            println!(
                "round {round}: {:>9} clients {:>10} entries {:7.1} us {:7.0}/s  p99 {:6.2} ms",
                sized.size.clients, sized.size.entries, run.cpu_micros, run.rate, run.p99_millis
            );
            sized.runs.push(run);
        }
    }
    for sized in &mut all {
        sized.resident_kib = sized.server.process.resident_kib()?;
    }
    let section = section(&all);
    println!("{}", section.text());
    if options.write {
        section.write("scale")
    } else {
        Ok(())
    }
}

impl Sized {
    fn start(size: Size, options: &Options) -> Result<Self, Box<dyn Error>> {
        let installation = Installation::new("")?;
        let draws = 1 + options.tokens() / 2 + options.tokens() * options.rounds();
        let signers = population::fill(&installation, size.clients, size.entries, draws)?;
        let database_bytes = fs::metadata(installation.data().join("grantor.db"))?.len();
        let mut signers = signers.into_iter();
        let first: Vec<Signer> = signers.by_ref().take(1).collect();
        let first = presign_each(&first)?;
        let server = installation.serve()?;
        let start = Start::of(
            &server.process,
            &request(server.process.address(), &first[0]),
        )?;
        println!(
            "{} clients and {} entries, {} MiB: first token {:.0} ms after start, {:.1} MiB resident",
            size.clients,
            size.entries,
            database_bytes >> 20,
            start.milliseconds(),
            start.resident_kib as f64 / 1024.0
        );
        Ok(Self {
            size,
            server,
            start,
            database_bytes,
            signers,
            runs: Vec::new(),
            resident_kib: 0,
        })
    }

    fn turn(&mut self, tokens: usize) -> Result<Run, Box<dyn Error>> {
        let signers: Vec<Signer> = self.signers.by_ref().take(tokens).collect();
        let load = Load::to(self.server.process.address(), CONNECTIONS);
        Run::measure(
            &[&self.server.process],
            &load,
            load.grants(&presign_each(&signers)?),
        )
    }

    fn cpu(&self) -> impl Iterator<Item = f64> {
        self.runs.iter().map(|run| run.cpu_micros)
    }
}

fn section(all: &[Sized]) -> Section {
    let mut table = Table::new(&[
        "clients",
        "live replay entries",
        "CPU us/token (least to most)",
        "x the first row",
        "tokens/s at 64",
        "start to first token, ms",
        "MiB at start / after",
        "database MiB",
    ]);
    for sized in all {
        let cpu = Spread::of(sized.cpu());
        table.row([
            grouped(sized.size.clients),
            grouped(sized.size.entries),
            format!("{:.1} ({:.1} to {:.1})", cpu.median, cpu.least, cpu.most),
            format!("{:.2}", times(sized.cpu(), all[0].cpu())),
            format!(
                "{:.0}",
                Spread::of(sized.runs.iter().map(|run| run.rate)).median
            ),
            format!("{:.0}", sized.start.milliseconds()),
            format!(
                "{:.1} / {:.1}",
                sized.start.resident_kib as f64 / 1024.0,
                sized.resident_kib as f64 / 1024.0
            ),
            format!("{:.1}", sized.database_bytes as f64 / 1048576.0),
        ]);
    }
    let text = format!(
        "{table}{}{}",
        each(all, "client", |size| size.clients),
        each(all, "replay entry", |size| size.entries)
    );
    let curve = |title, is_of: fn(&Size) -> bool, count: fn(&Size) -> usize| Curve {
        title,
        points: all
            .iter()
            .filter(|sized| is_of(&sized.size))
            .map(|sized| (count(&sized.size), Spread::of(sized.cpu())))
            .collect(),
    };
    let clients = curve(
        "registered clients, each with a key of its own",
        |size| size.entries == 0,
        |size| size.clients,
    );
    let entries = curve(
        "live replay entries in SQLite",
        |size| size.clients == FEW_CLIENTS,
        |size| size.entries,
    );
    let picture = curves(
        "Server CPU time per token, microseconds, by what there is to look through",
        &[clients, entries],
    );
    Section {
        text,
        picture: ("performance-scale.svg", picture),
    }
}

/// What one more costs, from the most that were measured.
fn each(all: &[Sized], name: &str, count: fn(&Size) -> usize) -> String {
    let Some(most) = all.iter().max_by_key(|sized| count(&sized.size)) else {
        return String::new();
    };
    let more = (count(&most.size) - count(&all[0].size)) as f64;
    let memory =
        (most.start.resident_kib as f64 - all[0].start.resident_kib as f64) * 1024.0 / more;
    let disk = (most.database_bytes as f64 - all[0].database_bytes as f64) / more;
    format!(
        "\nA {name} costs {memory:.0} bytes of memory after start and {disk:.0} bytes of disk, at {}.\n",
        grouped(count(&most.size))
    )
}
