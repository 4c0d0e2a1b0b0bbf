//! The load: keep-alive connections that send one request after the other, written by hand so that the generator is cheap.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Where to, and how much at once.
pub struct Load {
    pub address: SocketAddr,
    pub connections: usize,
}

/// How it went.
pub struct Outcome {
    pub elapsed: Duration,
    latencies: Vec<Duration>,
}

impl Outcome {
    /// The latency below which this part of the answers came.
    pub fn quantile(&self, part: f64) -> Duration {
        let index = (self.latencies.len() as f64 * part) as usize;
        self.latencies.get(index.min(self.latencies.len().saturating_sub(1))).copied().unwrap_or_default()
    }
}

impl Load {
    /// Sends every assertion once. Any answer but 200 is an error: a refusal is cheaper than a token.
    pub fn run(&self, assertions: Vec<String>) -> Result<Outcome, Box<dyn Error>> {
        let requests: Vec<Vec<u8>> = assertions.iter().map(|assertion| request(self.address, assertion)).collect();
        let count = requests.len();
        let queue = Arc::new(Mutex::new(requests));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let started = Instant::now();
        let mut latencies = runtime.block_on(async {
            let workers: Vec<_> = (0..self.connections).map(|_| tokio::spawn(connection(self.address, queue.clone()))).collect();
            let mut latencies = Vec::with_capacity(count);
            for worker in workers {
                latencies.extend(worker.await??);
            }
            Ok::<_, Box<dyn Error>>(latencies)
        })?;
        let elapsed = started.elapsed();
        latencies.sort_unstable();
        Ok(Outcome { elapsed, latencies })
    }
}

/// A grant request.
pub fn request(address: SocketAddr, assertion: &str) -> Vec<u8> {
    form_request(address, "", &grant_form(assertion))
}

/// The body of a grant request.
pub fn grant_form(assertion: &str) -> String {
    format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}")
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

async fn connection(address: SocketAddr, queue: Arc<Mutex<Vec<Vec<u8>>>>) -> io::Result<Vec<Duration>> {
    let mut connection = Connection::open(address).await?;
    let mut latencies = Vec::new();
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(request) = next else { return Ok(latencies) };
        let sent = Instant::now();
        match connection.ask(&request).await? {
            200 => latencies.push(sent.elapsed()),
            _ => return Err(io::Error::other(connection.answer())),
        }
    }
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
        Ok(Self { stream, buffer: Vec::with_capacity(4096) })
    }

    /// Sends one request and reads its answer to the end; the status.
    pub async fn ask(&mut self, request: &[u8]) -> io::Result<u16> {
        self.stream.write_all(request).await?;
        self.buffer.clear();
        loop {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&self.buffer);
            let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
            let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            let length: usize = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
            if body.len() < length {
                continue;
            }
            let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
            return status.ok_or_else(|| io::Error::other("an answer without a status"));
        }
    }

    /// The last answer.
    pub fn answer(&self) -> String {
        String::from_utf8_lossy(&self.buffer).into_owned()
    }
}
