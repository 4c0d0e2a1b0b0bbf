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

fn request(address: SocketAddr, assertion: &str) -> Vec<u8> {
    let body = format!("grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion={assertion}");
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head, body].concat().into_bytes()
}

async fn connection(address: SocketAddr, queue: Arc<Mutex<Vec<Vec<u8>>>>) -> io::Result<Vec<Duration>> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut latencies = Vec::new();
    let mut buffer = Vec::with_capacity(4096);
    loop {
        let next = queue.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let Some(request) = next else { return Ok(latencies) };
        let sent = Instant::now();
        stream.write_all(&request).await?;
        read_answer(&mut stream, &mut buffer).await?;
        latencies.push(sent.elapsed());
    }
}

/// Reads one answer to its end, and insists on 200.
async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    loop {
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let text = String::from_utf8_lossy(buffer);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        let length: usize = length.ok_or_else(|| io::Error::other("an answer without a length"))?;
        if body.len() < length {
            continue;
        }
        return if head.starts_with("HTTP/1.1 200") { Ok(()) } else { Err(io::Error::other(text.into_owned())) };
    }
}
