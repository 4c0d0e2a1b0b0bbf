//! The load: keep-alive connections that send one request after the other, written by hand so that
//! the generator is cheap.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    process,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    runtime::{Builder, Runtime},
    sync::mpsc::{self, UnboundedReceiver},
};

use crate::process::cpu_time;

/// Where to, and how much at once.
#[derive(Clone)]
pub struct Load {
    /// Among which the connections are shared out; the first is the host in requests.
    pub addresses: Vec<SocketAddr>,
    pub connections: usize,
}

/// How it went.
pub struct Outcome {
    pub elapsed: Duration,
    /// What this process spent meanwhile.
    pub generator_cpu: Duration,
    latencies: Vec<Duration>,
}

impl Outcome {
    /// The latency below which this part of the answers came.
    pub fn quantile(&self, part: f64) -> Duration {
        let index = (self.latencies.len() as f64 * part) as usize;
        self.latencies
            .get(index.min(self.latencies.len().saturating_sub(1)))
            .copied()
            .unwrap_or_default()
    }

    /// Answers a second.
    pub fn rate(&self) -> f64 {
        self.latencies.len() as f64 / self.elapsed.as_secs_f64()
    }
}

/// A request, and when it is to be sent.
type Due = (Instant, Vec<u8>);

impl Load {
    /// To one server.
    pub fn to(address: SocketAddr, connections: usize) -> Self {
        Self {
            addresses: vec![address],
            connections,
        }
    }

    /// What requests call the server.
    pub fn host(&self) -> SocketAddr {
        self.addresses[0]
    }

    /// Grant requests with these assertions.
    pub fn grants(&self, assertions: &[String]) -> Vec<Vec<u8>> {
        assertions
            .iter()
            .map(|assertion| request(self.host(), assertion))
            .collect()
    }

    /// Sends every request once, as soon as a connection is free. Any answer but 200 is an error: a
    /// refusal is cheaper than a token.
    pub fn run(&self, requests: Vec<Vec<u8>>) -> Result<Outcome, Box<dyn Error>> {
        let queue = Arc::new(Mutex::new(requests));
        self.measured(|address| {
            let queue = queue.clone();
            let next = async move || {
                let request = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
                request.map(|request| (Instant::now(), request))
            };
            connection(address, next)
        })
    }

    /// Sends every request once, evenly at `rate` a second whether or not earlier ones are
    /// answered. A latency counts from when the request was due: who waits for a slow server
    /// asks less of it, and would not notice.
    #[expect(clippy::disallowed_methods, reason = "requests are sent at a pace")]
    pub fn run_at(&self, rate: f64, requests: Vec<Vec<u8>>) -> Result<Outcome, Box<dyn Error>> {
        let (sender, receiver) = mpsc::unbounded_channel::<Due>();
        let receiver = Arc::new(tokio::sync::Mutex::new(receiver));
        // The runtime's timers are too coarse for this: it would send what is due within a
        // millisecond at once.
        let pacer = thread::spawn(move || {
            let started = Instant::now() + Duration::from_millis(20);
            for (number, request) in requests.into_iter().enumerate() {
                let due = started + Duration::from_secs_f64(number as f64 / rate);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                if sender.send((due, request)).is_err() {
                    return;
                }
            }
        });
        let outcome = self.measured(|address| {
            let receiver: Arc<tokio::sync::Mutex<UnboundedReceiver<Due>>> = receiver.clone();
            let next = async move || receiver.lock().await.recv().await;
            connection(address, next)
        });
        // Ends when the receiver is gone.
        drop(receiver);
        pacer.join().map_err(|_| "the pacing thread panicked")?;
        outcome
    }

    /// Sends one request; the body of its answer.
    pub fn ask(&self, request: &[u8]) -> Result<String, Box<dyn Error>> {
        runtime()?.block_on(async {
            let mut connection = Connection::open(self.host()).await?;
            match connection.ask(request).await? {
                200 => Ok(connection
                    .answer()
                    .split_once("\r\n\r\n")
                    .map(|(_, body)| body.to_owned())
                    .unwrap_or_default()),
                _ => Err(connection.answer().into()),
            }
        })
    }

    fn measured<F>(&self, connection: impl Fn(SocketAddr) -> F) -> Result<Outcome, Box<dyn Error>>
    where
        F: Future<Output = io::Result<Vec<Duration>>> + Send + 'static,
    {
        let runtime = runtime()?;
        let cpu_before = cpu_time(process::id())?;
        let started = Instant::now();
        let mut latencies = runtime.block_on(async {
            let workers: Vec<_> = (self.addresses.iter().cycle())
                .take(self.connections)
                .map(|address| tokio::spawn(connection(*address)))
                .collect();
            let mut latencies = Vec::new();
            for worker in workers {
                latencies.extend(worker.await??);
            }
            Ok::<_, Box<dyn Error>>(latencies)
        })?;
        let elapsed = started.elapsed();
        latencies.sort_unstable();
        Ok(Outcome {
            elapsed,
            generator_cpu: cpu_time(process::id())? - cpu_before,
            latencies,
        })
    }
}

/// One thread: the others are for the server.
fn runtime() -> io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// A grant request.
pub fn request(address: SocketAddr, assertion: &str) -> Vec<u8> {
    form_request(address, "", &grant_form(assertion))
}

/// The body of a grant request.
pub fn grant_form(assertion: &str) -> String {
    format!(
        "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}"
    )
}

/// The body of a client credentials request by a client that authenticates with an assertion.
pub fn client_credentials_form(assertion: &str) -> String {
    format!(
        "grant_type=client_credentials&client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer\
         &client_assertion={assertion}"
    )
}

/// A form for the token endpoint; `headers` are whole lines.
pub fn form_request(address: SocketAddr, headers: &str, body: &str) -> Vec<u8> {
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: {address}\r\n{headers}Content-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_str(), body].concat().into_bytes()
}

/// Sends what is next until nothing is; how long each answer took.
async fn connection(
    address: SocketAddr,
    next: impl AsyncFn() -> Option<Due>,
) -> io::Result<Vec<Duration>> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Vec::new();
    while let Some((due, request)) = next().await {
        match connection.ask(&request).await? {
            200 => latencies.push(due.elapsed()),
            _ => return Err(io::Error::other(connection.answer())),
        }
    }
    Ok(latencies)
}

/// A connection that is kept alive.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            buffer: Vec::with_capacity(4096),
        })
    }

    /// Sends one request and reads its answer to the end; the status.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let head = std::str::from_utf8(&self.buffer[..end]).map_err(io::Error::other)?;
            let length = head.lines().find_map(content_length);
            let length = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
            if self.buffer.len() < end + 4 + length {
                continue;
            }
            let status = head
                .split(' ')
                .nth(1)
                .and_then(|status| status.parse().ok());
            return status.ok_or_else(|| io::Error::other("an answer without a status"));
        }
    }

    /// The last answer.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}

fn content_length(line: &str) -> Option<usize> {
    let (name, value) = line.split_once(':')?;
    if name.eq_ignore_ascii_case("content-length") {
        value.trim().parse().ok()
    } else {
        None
    }
}
