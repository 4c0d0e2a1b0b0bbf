//! Attackers: each request is one that has to be refused. Half of them come from a few addresses,
//! and are soon told to wait (429); of the others the proxy does not say where they come from, so
//! each is looked at.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::{sleep, timeout},
};

use crate::load::{Connection, form_request, grant_form, request};

/// Attackers with an address.
const ADDRESSES: usize = 4;
/// How long an attacker waits for an answer before it is called missing.
const PATIENCE: Duration = Duration::from_secs(30);

/// What attackers have at hand.
pub struct Arsenal {
    pub address: SocketAddr,
    /// Of the honest client's name, by a key that is not its.
    pub forged: Vec<String>,
    /// An assertion that was just exchanged for a token.
    pub used: Arc<Mutex<String>>,
    /// A client that has a secret.
    pub guessed_client: &'static str,
}

/// How an attack ended.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// 4xx, or the connection was cut off.
    Refused,
    /// 429
    Throttled,
    /// Anything else.
    Unexpected(u16),
}

impl Arsenal {
    /// The attack of this number, over this connection, which is opened again where the server
    /// closed it.
    pub async fn attack(&self, number: usize, connection: &mut Option<Connection>) -> Outcome {
        let request = self.request(number);
        for _ in 0..2 {
            let mut open = match connection.take() {
                Some(open) => open,
                None => match Connection::open(self.address).await {
                    Ok(open) => open,
                    Err(_) => return Outcome::Unexpected(0),
                },
            };
            match timeout(PATIENCE, open.ask(&request)).await {
                Err(_) => return Outcome::Unexpected(0),
                Ok(Ok(status)) => {
                    // An oversized body is not read to its end, so the connection is.
                    *connection = Some(open).filter(|_| status != 413 && !is_oversized(number));
                    return match status {
                        429 => Outcome::Throttled,
                        400..500 => Outcome::Refused,
                        other => Outcome::Unexpected(other),
                    };
                }
                Ok(Err(_)) if is_oversized(number) => return Outcome::Refused,
                // Closed between two requests: once more, on a new one.
                Ok(Err(_)) => {}
            }
        }
        Outcome::Unexpected(0)
    }

    fn request(&self, number: usize) -> Vec<u8> {
        let origin = match number % 2 {
            0 => format!("X-Forwarded-For: 198.51.100.{}\r\n", number / 2 % ADDRESSES),
            _ => String::new(),
        };
        let form = |body: &str| form_request(self.address, &origin, body);
        match number / 2 % KINDS {
            0 => form(&grant_form(&self.forged[number % self.forged.len()])),
            1 => form(&grant_form(
                &self.used.lock().unwrap_or_else(PoisonError::into_inner),
            )),
            2 => form(&grant_form(MALFORMED[number / KINDS % MALFORMED.len()])),
            OVERSIZED => request(self.address, &"A".repeat(100_000)),
            WIDE => form_request(
                self.address,
                &format!("{origin}{}", "x: 1\r\n".repeat(200)),
                "grant_type=client_credentials",
            ),
            4 => form(&format!(
                "grant_type=client_credentials&client_id=nobody-{number}&client_secret=guess"
            )),
            _ => {
                use base64::{Engine as _, engine::general_purpose::STANDARD};
                let credentials =
                    STANDARD.encode(format!("{}:guess-{number}", self.guessed_client));
                let headers = format!("{origin}Authorization: Basic {credentials}\r\n");
                form_request(self.address, &headers, "grant_type=client_credentials")
            }
        }
    }

    /// Sends a head, or a body, one octet a second, until the server has enough of it.
    #[expect(clippy::disallowed_methods, reason = "an attacker that is slow")]
    pub async fn crawl(&self, number: usize) {
        let Ok(mut stream) = TcpStream::connect(self.address).await else {
            return;
        };
        let start = match number % 2 {
            0 => "POST /token HTTP/1.1\r\nHost: as\r\nX-Slow: ".to_owned(),
            _ => String::from_utf8_lossy(&form_request(self.address, "", &"a".repeat(1000)))
                .trim_end_matches('a')
                .to_owned(),
        };
        if stream.write_all(start.as_bytes()).await.is_err() {
            return;
        }
        let mut octets = [0; 1024];
        loop {
            match timeout(Duration::from_secs(1), stream.read(&mut octets)).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(_)) => sleep(Duration::from_millis(100)).await,
                Err(_) if stream.write_all(b"a").await.is_err() => return,
                Err(_) => {}
            }
        }
    }
}

const KINDS: usize = 7;
const OVERSIZED: usize = 3;
/// More fields in the head than are taken.
const WIDE: usize = 5;

fn is_oversized(number: usize) -> bool {
    number / 2 % KINDS == OVERSIZED
}

/// No JWT; no JSON; no `alg`; `alg` none; five segments; too deep; not base64url.
const MALFORMED: [&str; 7] = [
    "x",
    "AAAA.AAAA.AAAA",
    "e30.e30.AAAA",
    "eyJhbGciOiJub25lIn0.eyJpc3MiOiJiZW5jaCJ9.",
    "e30.e30.e30.e30.e30",
    "W1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tb.e30.AAAA",
    "%FF%00.e30.AAAA",
];
