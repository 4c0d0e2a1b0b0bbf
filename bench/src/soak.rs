//! Minutes of honest clients at a fixed rate with attackers among them: every honest request is
//! granted, nothing fails, memory stays flat, and the honest do not wait noticeably longer than
//! they do alone.

use std::{
    error::Error,
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use clap::Args;
use grantor::jose::{Algorithm, PrivateJwk};
use tokio::{
    sync::mpsc::{self, Receiver, UnboundedReceiver},
    time::sleep,
};

use crate::{
    hostile::{Arsenal, Outcome},
    load::{Connection, Load, form_request, grant_form},
    process::Process,
    server::Server,
    sign::Signer,
    tokens::algorithm,
};

/// The proxy's word decides who is throttled, so that honest clients and attackers have addresses
/// of their own on one machine.
const CONFIGURATION: &str = "behind_proxy = true";
const HONEST_ADDRESS: &str = "X-Forwarded-For: 192.0.2.1\r\n";
/// Connections that send an octet a second.
const CRAWLERS: usize = 32;
/// Connections of the other attackers.
const ATTACKERS: usize = 16;
/// Assertions a second at most, unless told otherwise: claims live two minutes, and more of them
/// would be what grows, and beyond the quota of an issuer.
const MOST_A_SECOND: f64 = 4_000.0;
/// How much the last third of the memory samples may exceed the first.
const SLACK_KIB: u64 = 8 * 1024;

/// Serve honest clients at a fixed rate for minutes, attackers among them, and judge what came of
/// it
#[derive(Debug, Args)]
pub struct Options {
    /// How long attackers are among the clients; before, a fifth of that without
    #[arg(long, default_value_t = 5.0)]
    minutes: f64,
    /// Attacks for each hundred honest requests
    #[arg(long, default_value_t = 10.0)]
    hostile: f64,
    /// Honest requests a second [default: half of what as many connections reach that never pause:
    /// one core's worth of two]
    #[arg(long)]
    rate: Option<f64>,
    /// Connections of the honest clients
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Algorithm of the assertions
    #[arg(long, default_value = "ES256", value_parser = algorithm)]
    algorithm: Algorithm,
    /// Do not judge latency: for machines that do other things too
    #[arg(long)]
    no_timing: bool,
}

/// Prints a row for each minute, and the verdicts. Fails if one is bad.
pub fn run(options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let (server, signer) = Server::start(options.algorithm, CONFIGURATION)?;
    server.register_secret_client("guessed")?;
    let capacity = capacity(&server, &signer, options)?;
    let rate = options.rate.unwrap_or((capacity * 0.5).min(MOST_A_SECOND));
    println!(
        "{} assertions at {rate:.0} a second ({capacity:.0} without a pause), {} connections; then {} attacks for each 100, and \
         {CRAWLERS} connections that crawl",
        options.algorithm, options.connections, options.hostile
    );
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (alone, attacked) = runtime.block_on(phases(&server.process, &signer, options, rate))?;
    Ok(judge(&alone, &attacked, options))
}

/// Tokens a second where every connection asks again as soon as it is answered.
fn capacity(server: &Server, signer: &Signer, options: &Options) -> Result<f64, Box<dyn Error>> {
    const TOKENS: usize = 4000;
    let load = Load::to(server.process.address(), options.connections);
    let requests = |tokens| Ok::<_, Box<dyn Error>>(load.grants(&signer.presign(tokens)?));
    load.run(requests(TOKENS / 4)?)?;
    Ok(load.run(requests(TOKENS)?)?.rate())
}

/// The same honest clients all the time, first alone, then under attack.
async fn phases(
    server: &Process,
    signer: &Signer,
    options: &Options,
    rate: f64,
) -> Result<(Phase, Phase), Box<dyn Error>> {
    let stage = Arc::new(Stage::default());
    let (queue, requests) = mpsc::unbounded_channel();
    let requests = Arc::new(tokio::sync::Mutex::new(requests));
    for _ in 0..options.connections {
        tokio::spawn(honest(server.address(), requests.clone(), stage.clone()));
    }
    tokio::spawn(ask_steadily(rate, signer.stream(), queue));

    let length = Duration::from_secs_f64(options.minutes * 60.0);
    println!(
        "{:10} {:>8} {:>9} {:>9} {:>8} {:>9} {:>7} {:>4} {:>9}",
        "", "tokens/s", "p50 ms", "p99 ms", "refused", "throttled", "cut off", "5xx", "KiB"
    );
    let alone = Phase::observe("alone", length / 5, server, &stage).await?;

    let arsenal = Arc::new(Arsenal {
        address: server.address(),
        forged: signer
            .with(PrivateJwk::generate(options.algorithm)?.signing_key()?)
            .presign(64)?,
        used: stage.used.clone(),
        guessed_client: "guessed",
    });
    for number in 0..CRAWLERS {
        tokio::spawn(crawler(number, arsenal.clone(), stage.clone()));
    }
    for number in 0..ATTACKERS {
        let each = rate * options.hostile / 100.0 / ATTACKERS as f64;
        tokio::spawn(attacker(number, each, arsenal.clone(), stage.clone()));
    }
    let attacked = Phase::observe("attacked", length, server, &stage).await?;
    Ok((alone, attacked))
}

/// What the clients and attackers write into.
#[derive(Default)]
struct Stage {
    tally: Mutex<Tally>,
    used: Arc<Mutex<String>>,
}

/// What happened since it was last looked at.
#[derive(Default)]
struct Tally {
    /// Of honest requests that were granted, in microseconds from when they were due.
    latencies: Vec<u32>,
    honest_failures: u64,
    refused: u64,
    throttled: u64,
    cut_off: u64,
    server_errors: u64,
    /// Attacks that were neither refused nor throttled.
    unexpected: u64,
    /// The first thing that should not have been.
    complaint: Option<String>,
}

impl Stage {
    fn note(&self, change: impl FnOnce(&mut Tally)) {
        change(&mut self.tally.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// A request, its assertion, and when it was due.
struct Due {
    since: Instant,
    assertion: String,
}

/// Puts requests into the queue at the times when they are due, whether or not earlier ones are
/// answered: who waits for a slow server asks less of it, and would not notice.
#[expect(clippy::disallowed_methods, reason = "requests are sent at a pace")]
async fn ask_steadily(
    rate: f64,
    mut assertions: Receiver<String>,
    queue: mpsc::UnboundedSender<Due>,
) {
    let (started, mut sent) = (Instant::now(), 0);
    loop {
        while sent < (started.elapsed().as_secs_f64() * rate) as u64 {
            let since = started + Duration::from_secs_f64(sent as f64 / rate);
            let Some(assertion) = assertions.recv().await else {
                return;
            };
            if queue.send(Due { since, assertion }).is_err() {
                return;
            }
            sent += 1;
        }
        sleep(Duration::from_millis(1)).await;
    }
}

/// Takes requests from the queue, one at a time.
async fn honest(
    address: std::net::SocketAddr,
    requests: Arc<tokio::sync::Mutex<UnboundedReceiver<Due>>>,
    stage: Arc<Stage>,
) {
    let mut connection = None;
    loop {
        let Some(due) = requests.lock().await.recv().await else {
            return;
        };
        let request = form_request(address, HONEST_ADDRESS, &grant_form(&due.assertion));
        let outcome = async {
            let open = match &mut connection {
                Some(open) => open,
                None => connection.insert(Connection::open(address).await?),
            };
            let status = open.ask(&request).await?;
            Ok::<_, std::io::Error>((
                status,
                if status == 200 {
                    String::new()
                } else {
                    open.answer()
                },
            ))
        };
        match outcome.await {
            Ok((200, _)) => {
                let latency = u32::try_from(due.since.elapsed().as_micros()).unwrap_or(u32::MAX);
                stage.note(|tally| tally.latencies.push(latency));
                *stage.used.lock().unwrap_or_else(PoisonError::into_inner) = due.assertion;
            }
            Ok((status, answer)) => stage.note(|tally| {
                tally.honest_failures += 1;
                tally.server_errors += u64::from(status >= 500);
                tally.complaint.get_or_insert(answer);
            }),
            Err(error) => {
                connection = None;
                stage.note(|tally| {
                    tally.honest_failures += 1;
                    tally.complaint.get_or_insert(format!("honest: {error}"));
                });
            }
        }
    }
}

/// Attacks again and again over one connection; each attacker has attacks of its own.
#[expect(clippy::disallowed_methods, reason = "requests are sent at a pace")]
async fn attacker(first: usize, rate: f64, arsenal: Arc<Arsenal>, stage: Arc<Stage>) {
    let started = Instant::now();
    let mut connection = None;
    for count in 0_usize.. {
        let due = started + Duration::from_secs_f64(count as f64 / rate);
        sleep(due.saturating_duration_since(Instant::now())).await;
        let number = first + count * ATTACKERS;
        let outcome = arsenal.attack(number, &mut connection).await;
        stage.note(|tally| match outcome {
            Outcome::Refused => tally.refused += 1,
            Outcome::Throttled => tally.throttled += 1,
            Outcome::Unexpected(status) => {
                tally.unexpected += 1;
                tally.server_errors += u64::from(status >= 500);
                tally
                    .complaint
                    .get_or_insert(format!("attack {number} was answered with {status}"));
            }
        });
    }
}

#[expect(clippy::disallowed_methods, reason = "an attacker that is slow")]
async fn crawler(number: usize, arsenal: Arc<Arsenal>, stage: Arc<Stage>) {
    loop {
        arsenal.crawl(number).await;
        stage.note(|tally| tally.cut_off += 1);
        sleep(Duration::from_millis(100)).await;
    }
}

/// What was seen during one phase.
#[derive(Default)]
struct Phase {
    all: Tally,
    /// The 99th percentile of each row.
    p99s: Vec<f64>,
    resident: Vec<u64>,
}

impl Phase {
    /// Looks once a second, and prints a row each minute, or a third of the phase where that is
    /// shorter.
    #[expect(
        clippy::disallowed_methods,
        reason = "what is measured is what happens in a time"
    )]
    async fn observe(
        name: &str,
        length: Duration,
        server: &Process,
        stage: &Stage,
    ) -> Result<Self, Box<dyn Error>> {
        let mut phase = Self::default();
        let started = Instant::now();
        let (step, mut row_ends) = (length.div_f64(3.0).min(Duration::from_secs(60)), 1);
        let mut row_began = started;
        while started.elapsed() < length {
            sleep(Duration::from_secs(1).min(length)).await;
            phase.resident.push(server.resident_kib()?);
            if started.elapsed() >= step * row_ends {
                let mut tally = Tally::default();
                stage.note(|current| std::mem::swap(current, &mut tally));
                row(
                    &format!("{name} {row_ends}"),
                    &mut tally,
                    row_began.elapsed(),
                    phase.resident.last().copied(),
                );
                phase.p99s.push(tally.quantile(0.99));
                phase.all.add(tally);
                row_ends += 1;
                row_began = Instant::now();
            }
        }
        phase.p99s.sort_by(f64::total_cmp);
        Ok(phase)
    }

    /// The median of the rows' 99th percentiles: something else that keeps the machine busy for a
    /// minute spoils one row only.
    fn p99(&self) -> f64 {
        self.p99s
            .get(self.p99s.len() / 2)
            .copied()
            .unwrap_or(f64::NAN)
    }

    /// The means of the first and of the last third of the samples, the first fifth being warm-up.
    fn memory(&self) -> (u64, u64) {
        let samples = &self.resident[self.resident.len() / 5..];
        let third = samples.len().div_ceil(3);
        let mean = |part: &[u64]| part.iter().sum::<u64>() / (part.len() as u64).max(1);
        (
            mean(&samples[..third.min(samples.len())]),
            mean(&samples[samples.len().saturating_sub(third)..]),
        )
    }
}

impl Tally {
    fn add(&mut self, other: Self) {
        self.latencies.extend(other.latencies);
        self.honest_failures += other.honest_failures;
        self.refused += other.refused;
        self.throttled += other.throttled;
        self.cut_off += other.cut_off;
        self.server_errors += other.server_errors;
        self.unexpected += other.unexpected;
        self.complaint = self.complaint.take().or(other.complaint);
    }

    /// In milliseconds; the latencies are sorted.
    fn quantile(&self, part: f64) -> f64 {
        let index = (self.latencies.len() as f64 * part) as usize;
        self.latencies
            .get(index.min(self.latencies.len().saturating_sub(1)))
            .map_or(f64::NAN, |micros| f64::from(*micros) / 1e3)
    }
}

fn row(name: &str, tally: &mut Tally, elapsed: Duration, resident: Option<u64>) {
    tally.latencies.sort_unstable();
    println!(
        "{name:10} {:8.0} {:9.2} {:9.2} {:8} {:9} {:7} {:4} {:9}",
        tally.latencies.len() as f64 / elapsed.as_secs_f64(),
        tally.quantile(0.5),
        tally.quantile(0.99),
        tally.refused,
        tally.throttled,
        tally.cut_off,
        tally.server_errors,
        resident.unwrap_or_default()
    );
}

fn judge(alone: &Phase, attacked: &Phase, options: &Options) -> ExitCode {
    let both = [&alone.all, &attacked.all];
    let total = |count: fn(&Tally) -> u64| both.iter().map(|tally| count(tally)).sum::<u64>();
    let (granted, failures) = (
        total(|tally| tally.latencies.len() as u64),
        total(|tally| tally.honest_failures),
    );
    let (errors, unexpected) = (
        total(|tally| tally.server_errors),
        total(|tally| tally.unexpected),
    );
    let (early, late) = attacked.memory();
    let [quiet, busy] = [alone, attacked].map(Phase::p99);
    let mut verdicts = vec![
        (errors == 0, format!("{errors} answers 5xx")),
        (
            failures == 0 && granted > 0,
            format!("{granted} honest requests granted, {failures} not"),
        ),
        (
            unexpected == 0,
            format!("{unexpected} attacks neither refused nor throttled"),
        ),
        (
            late <= early + SLACK_KIB.max(early / 10),
            format!(
                "resident memory {early} KiB in the first third after warm-up, {late} KiB in the last"
            ),
        ),
    ];
    if !options.no_timing {
        verdicts.push((
            busy <= 2.0 * quiet,
            format!(
                "honest p99 {quiet:.2} ms alone, {busy:.2} ms under attack (medians of the rows)"
            ),
        ));
    }
    for (holds, what) in &verdicts {
        println!("{} {what}", if *holds { "ok    " } else { "BROKEN" });
    }
    for complaint in both.iter().filter_map(|tally| tally.complaint.as_ref()) {
        println!("first complaint: {complaint}");
    }
    if verdicts.iter().all(|(holds, _)| *holds) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
