//! Many requests beside a few honest ones: connections that stay open, a flood at a pace, and what
//! was measured meanwhile.

use std::{
    collections::BTreeMap,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::escape;
use crate::wait;

/// A request to `/token`, of a sender at this address behind a proxy.
pub fn token_request(form: &[(&str, &str)], sender: &str) -> String {
    let body: Vec<_> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    let body = body.join("&");
    let head =
        "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: application/x-www-form-urlencoded";
    format!(
        "{head}\r\nX-Forwarded-For: {sender}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// A connection that stays open.
pub struct Connection(TcpStream);

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket");
        stream
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        Self(stream)
    }

    /// The status of the answer, and how long it took to come.
    pub fn ask(&mut self, request: &str) -> (u16, Duration) {
        let (mut octets, mut answer) = ([0; 8192], String::new());
        let sent = Instant::now();
        self.0.write_all(request.as_bytes()).expect("sent");
        while !is_whole(&answer) {
            let length = self.0.read(&mut octets).expect("an answer");
            assert!(length > 0, "the connection was closed: {answer}");
            answer += &String::from_utf8_lossy(&octets[..length]);
        }
        let took = sent.elapsed();
        let status = answer.split(' ').nth(1);
        let status = status.and_then(|status| status.parse().ok());
        (status.expect("a status"), took)
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let line = line.to_ascii_lowercase();
        line.strip_prefix("content-length: ")?.parse::<usize>().ok()
    });
    length.is_some_and(|length| body.len() >= length)
}

/// How often each status was answered.
pub type Statuses = BTreeMap<u16, usize>;

/// Requests at a pace, until told to end.
pub struct Flood {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicUsize>,
    started: Instant,
    threads: Vec<JoinHandle<Statuses>>,
}

/// Connections of a flood.
const CONNECTIONS: usize = 4;

impl Flood {
    /// So many requests a second, if the server answers that many: `request` makes them, of a
    /// number.
    pub fn begin(
        address: SocketAddr,
        per_second: u32,
        request: impl Fn(usize) -> String + Send + Sync + 'static,
    ) -> Self {
        let (stop, sent) = (Arc::<AtomicBool>::default(), Arc::<AtomicUsize>::default());
        let request = Arc::new(request);
        let started = Instant::now();
        let threads = (0..CONNECTIONS).map(|_| {
            let (stop, sent, request) = (stop.clone(), sent.clone(), request.clone());
            thread::spawn(move || {
                let mut connection = Connection::open(address);
                let mut statuses = Statuses::new();
                while !stop.load(Ordering::SeqCst) {
                    let number = sent.fetch_add(1, Ordering::SeqCst);
                    let text = request(number);
                    let count = u32::try_from(number).expect("not so many");
                    let due = started + Duration::from_secs(1) * count / per_second;
                    let is_due = || Instant::now() >= due || stop.load(Ordering::SeqCst);
                    wait::blocking::comes(wait::PATIENCE, is_due);
                    *statuses.entry(connection.ask(&text).0).or_default() += 1;
                }
                statuses
            })
        });
        let threads = threads.collect();
        Self {
            stop,
            sent,
            started,
            threads,
        }
    }

    /// How many were sent.
    pub fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }

    /// Ends it: what was answered, and how many requests there were in a second.
    pub fn end(self) -> (Statuses, f64) {
        self.stop.store(true, Ordering::SeqCst);
        let mut all = Statuses::new();
        for thread in self.threads {
            for (status, count) in thread.join().expect("a flood") {
                *all.entry(status).or_default() += count;
            }
        }
        let count: usize = all.values().sum();
        (all, count as f64 / self.started.elapsed().as_secs_f64())
    }
}

/// How long answers took.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    pub fn add(&mut self, time: Duration) {
        self.0.push(time);
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> Duration {
        self.percentile(50)
    }

    /// So many of a hundred took no longer.
    pub fn percentile(&self, of_hundred: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let index = (sorted.len() * of_hundred).div_ceil(100);
        sorted[index.saturating_sub(1)]
    }
}
