//! Everybody side by side: in each round every contestant has a turn, so that whatever else the
//! machine does meets all alike.

use std::error::Error;

use clap::{Args, ValueEnum};
use grantor_testkit::postgres::Postgres;

use crate::{
    chart::bars,
    contestant::{CONNECTIONS, Contestant, Kind},
    peers::Peers,
    report::{self, Section, Table},
    run::Run,
    scale,
    statistics::{Spread, times},
};

/// Compare floor, Grantor and peers side by side; then see whether the cost stays flat
#[derive(Debug, Args)]
pub struct Options {
    /// Prove that everything works, within two minutes: few tokens, three rounds, nothing to be
    /// concluded from
    #[arg(long)]
    quick: bool,
    /// Rounds in which every contestant has a turn [default: 5, quick: 3]
    #[arg(long)]
    rounds: Option<usize>,
    /// Tokens in each turn; peers get a fifth [default: 10000, quick: 1000]
    #[arg(long)]
    tokens: Option<usize>,
    /// Leave out Authlib and node-oidc-provider, which need python3 and package registries
    #[arg(long)]
    without_peers: bool,
    /// With a PostgreSQL server, too, which is started on this machine's disk: what used assertions
    /// in it cost beside those in memory, and a node on it; its own CPU time beside theirs
    #[arg(long, value_name = "ENGINE")]
    database: Option<Engine>,
    /// Leave out `scale`
    #[arg(long)]
    without_scale: bool,
    /// Only contestants whose row has this text, and the floor
    #[arg(long, value_name = "TEXT")]
    only: Option<String>,
    /// Write tables and pictures into docs/
    #[arg(long, conflicts_with_all = ["without_peers", "without_scale", "only", "quick"])]
    write: bool,
}

/// A database that nodes share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Engine {
    Postgres,
}

/// Prints the tables, and writes them where that is asked for.
pub fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let peers = if options.without_peers {
        None
    } else {
        Some(Peers::install()?)
    };
    let postgres = match options.database {
        Some(Engine::Postgres) => {
            let server = Postgres::new_in(&std::env::temp_dir(), &[]);
            Some(server.ok_or("PostgreSQL is not installed")?)
        }
        None => None,
    };
    let mut contestants = Contestant::all(peers.as_ref(), postgres.as_ref())?;
    if let Some(text) = &options.only {
        let row =
            |contestant: &Contestant| [contestant.row.server, contestant.row.exchange].join(" ");
        contestants.retain(|contestant| {
            contestant.row.kind == Kind::Floor || row(contestant).contains(text.as_str())
        });
    }
    let results = rounds(&contestants, options)?;
    let section = section(&results);
    println!("{}", section.text());
    drop(results);
    drop(contestants);
    if options.write {
        section.write("compare")?;
    }
    if options.without_scale {
        return Ok(());
    }
    scale::run(&scale::Options::new(options.quick, options.write))
}

/// Tokens a second that everybody can give, to compare how long they take when none of them is
/// short of anything.
const SAME_RATE: f64 = 400.0;

/// A contestant, and what each of its turns measured.
struct Results<'a> {
    contestant: &'a Contestant,
    /// At the highest load.
    full: Vec<Run>,
    /// At half of the rate reached there.
    half: Vec<Run>,
    /// At a rate that is the same for all.
    same: Vec<Run>,
    resident_kib: u64,
}

fn rounds<'a>(
    contestants: &'a [Contestant],
    options: &Options,
) -> Result<Vec<Results<'a>>, Box<dyn Error>> {
    let tokens = options
        .tokens
        .unwrap_or(if options.quick { 1000 } else { 10_000 });
    let rounds = options.rounds.unwrap_or(if options.quick { 3 } else { 5 });
    let new = |contestant| Results {
        contestant,
        full: Vec::new(),
        half: Vec::new(),
        same: Vec::new(),
        resident_kib: 0,
    };
    let mut results: Vec<Results<'_>> = contestants.iter().map(new).collect();
    for contestant in contestants {
        // Peers get faster for some thousand requests, as they are compiled.
        let requests = contestant.requests(if contestant.row.kind.is_peer() {
            tokens
        } else {
            tokens.div_ceil(5)
        })?;
        Run::measure(&[contestant.process()], &contestant.load(), requests)?;
    }
    for round in 1..=rounds {
        for results in &mut results {
            print!("round {round}: ");
            results.turn(tokens)?;
        }
    }
    for results in &mut results {
        results.resident_kib = results.contestant.process().resident_kib()?;
    }
    Ok(results)
}

impl Results<'_> {
    fn turn(&mut self, tokens: usize) -> Result<(), Box<dyn Error>> {
        let Contestant { row, .. } = self.contestant;
        let (process, load) = ([self.contestant.process()], self.contestant.load());
        let requests = |tokens: usize| self.contestant.requests(tokens);
        let many = if row.kind.is_peer() {
            tokens.div_ceil(5)
        } else {
            tokens
        };
        let full = Run::measure(&process, &load, requests(many)?)?;
        let half = Run::measure_at(&process, &load, full.rate / 2.0, requests(many)?)?;
        let same = Run::measure_at(&process, &load, SAME_RATE, requests(tokens.div_ceil(20))?)?;
        println!(
            "{:46} {:36} {:7.1} us {:7.0}/s  half load p50 {:6.2} p99 {:6.2} ms",
            row.server, row.exchange, full.cpu_micros, full.rate, half.p50_millis, half.p99_millis
        );
        self.full.push(full);
        self.half.push(half);
        self.same.push(same);
        Ok(())
    }

    fn full(&self, figure: fn(&Run) -> f64) -> Spread {
        Spread::of(self.full.iter().map(figure))
    }

    fn cpu(&self) -> Spread {
        self.full(|run| run.cpu_micros)
    }

    /// How many times as much this was as the other, by rounds.
    fn times(&self, other: &Self, figure: fn(&Run) -> f64) -> f64 {
        times(self.full.iter().map(figure), other.full.iter().map(figure))
    }
}

fn section(results: &[Results<'_>]) -> Section {
    let mut table = Table::new(&[
        "server",
        "assertion -> token",
        "CPU us/token (least to most)",
        "x floor",
        "database's us/token",
        "tokens/s at 64",
        "p99 ms at 64",
        "p50 / p99 ms at half load",
        "at 400/s",
        "start ms",
        "MiB at start / after",
    ]);
    let floor = results
        .iter()
        .find(|results| results.contestant.row.kind == Kind::Floor);
    for results in results {
        let cpu = results.cpu();
        let start = results.contestant.start();
        table.row([
            results.contestant.row.server.to_owned(),
            results.contestant.row.exchange.to_owned(),
            format!("{:.1} ({:.1} to {:.1})", cpu.median, cpu.least, cpu.most),
            floor.map_or_else(String::new, |floor| {
                format!("{:.2}", results.times(floor, |run| run.cpu_micros))
            }),
            match results.contestant.row.kind {
                Kind::Claims | Kind::Postgres => {
                    format!("{:.1}", results.full(|run| run.database_micros).median)
                }
                _ => String::new(),
            },
            format!("{:.0}", results.full(|run| run.rate).median),
            format!("{:.2}", results.full(|run| run.p99_millis).median),
            latencies(&results.half),
            latencies(&results.same),
            format!("{:.0}", start.milliseconds()),
            format!(
                "{:.1} / {:.1}",
                start.resident_kib as f64 / 1024.0,
                results.resident_kib as f64 / 1024.0
            ),
        ]);
    }
    let mut text = format!("{}\n\n{table}\n", report::machine());
    if let Some(floor) = floor {
        text += &generator(floor);
        text += &wanted(results, floor);
    }
    let bar = |results: &Results<'_>| {
        (
            format!(
                "{}: {}",
                results.contestant.row.server, results.contestant.row.exchange
            ),
            results.cpu(),
        )
    };
    let picture = bars(
        "Server CPU time per token, microseconds",
        &results.iter().map(bar).collect::<Vec<_>>(),
    );
    Section {
        text,
        picture: ("performance.svg", picture),
    }
}

/// Medians of the 50th and the 99th percentiles.
fn latencies(runs: &[Run]) -> String {
    let median = |figure: fn(&Run) -> f64| Spread::of(runs.iter().map(figure)).median;
    format!(
        "{:.2} / {:.2}",
        median(|run| run.p50_millis),
        median(|run| run.p99_millis)
    )
}

/// The proof that the generator does not hold the server back.
fn generator(floor: &Results<'_>) -> String {
    let (rate, own) = (
        floor.full(|run| run.rate).median,
        floor.full(|run| run.generator_micros).median,
    );
    let server = rate * floor.cpu().median / 1e4;
    format!(
        "The load generator is one thread. At the floor's {rate:.0} tokens/s with {CONNECTIONS} connections it spends {own:.1} us a \
         token, {:.0} % of one core, while the floor spends {server:.0} % of one.\n",
        rate * own / 1e4
    )
}

/// What was measured, beside what it is meant to be.
fn wanted(results: &[Results<'_>], floor: &Results<'_>) -> String {
    let of = |kind: Kind| {
        results
            .iter()
            .filter(move |results| results.contestant.row.kind == kind)
    };
    let (Some(durable), Some(memory)) = (of(Kind::Durable).next(), of(Kind::Memory).next()) else {
        return String::new();
    };
    let mut table = Table::new(&["RS256 assertion -> ES256 JWT", "measured", "wanted"]);
    let mut row = |what: &str, measured: f64, wanted: &str| {
        table.row([what.to_owned(), format!("{measured:.2}"), wanted.to_owned()]);
    };
    row(
        "CPU per token, durable replay / floor",
        durable.times(floor, |run| run.cpu_micros),
        "<= 1.5",
    );
    row(
        "CPU per token, memory replay / floor",
        memory.times(floor, |run| run.cpu_micros),
        "<= 1.25",
    );
    if let Some(claims) = of(Kind::Claims).next() {
        row(
            "CPU per token, embedded, PostgreSQL replay / memory replay",
            claims.times(memory, |run| run.cpu_micros),
            "<= 1.05",
        );
    }
    // Like with like, and then a peer that forgets with a Grantor that does not.
    for (own, kind) in [
        (memory, Kind::PeerMemory),
        (durable, Kind::PeerDurable),
        (durable, Kind::PeerMemory),
    ] {
        let cpu = of(kind)
            .map(|peer| peer.times(own, |run| run.cpu_micros))
            .reduce(f64::min);
        let rate = of(kind)
            .map(|peer| own.times(peer, |run| run.rate))
            .reduce(f64::min);
        if let (Some(cpu), Some(rate)) = (cpu, rate) {
            let [own_name, name] = [own.contestant.row.kind, kind].map(Kind::replay);
            row(
                &format!("CPU per token, the thriftier peer with {name} / Grantor with {own_name}"),
                cpu,
                ">= 8",
            );
            row(
                &format!("tokens/s at 64, Grantor with {own_name} / the faster peer with {name}"),
                rate,
                ">= 5",
            );
        }
    }
    row(
        "p99 at half load, durable, ms",
        Spread::of(durable.half.iter().map(|run| run.p99_millis)).median,
        "<= 5",
    );
    row(
        "start to first token, 10 clients, ms",
        durable.contestant.start().milliseconds(),
        "<= 200",
    );
    row(
        "resident after start, 10 clients, MiB",
        durable.contestant.start().resident_kib as f64 / 1024.0,
        "<= 40",
    );
    format!("\n{table}")
}
