//! What a collector of traces gets, and what it must never get.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::support::{Answer, JWT_BEARER, Server, assertion, signing_key};
use grantor::jose::SigningKey;

/// A request as the collector got it.
struct Received {
    line: String,
    head: String,
    body: Vec<u8>,
}

impl Received {
    fn contains(&self, text: &str) -> bool {
        self.body
            .windows(text.len())
            .any(|window| window == text.as_bytes())
            || self.head.contains(text)
    }
}

/// Answers every request with 200 and keeps it.
#[derive(Clone, Default)]
struct Collector(Arc<Mutex<Vec<Received>>>);

impl Collector {
    fn start() -> (Self, SocketAddr) {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let (collector, address) = (Self::default(), listener.local_addr().expect("an address"));
        let kept = collector.clone();
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let kept = kept.clone();
                thread::spawn(move || kept.read(&stream));
            }
        });
        (collector, address)
    }

    /// Reads requests until the connection ends.
    fn read(&self, stream: &TcpStream) {
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).is_ok_and(|count| count == 0) {
                return;
            }
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") && head != "\r\n" {
                reader.read_line(&mut head).expect("a header");
            }
            let length = head
                .to_lowercase()
                .lines()
                .find_map(|header| header.strip_prefix("content-length: ")?.parse().ok());
            let mut body = vec![0; length.unwrap_or(0)];
            reader.read_exact(&mut body).expect("a body");
            self.0
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(Received { line, head, body });
            let mut stream = stream;
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                .expect("answered");
        }
    }
}

fn grant(server: &Server, audience: &str, key: &SigningKey) -> (String, Answer) {
    let client = "billing-department";
    let assertion = assertion(audience, client, client, key, Duration::from_secs(60));
    let answer = server.token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
    (assertion, answer)
}

#[test]
fn spans_reach_the_collector_without_a_token() {
    let (collector, address) = Collector::start();
    let mut server = Server::start_with(&format!("[otel]\nendpoint = \"http://{address}\""));
    let key = signing_key(&server.client("billing-department", &["--generate-key"]));
    let (used, answer) = grant(&server, &server.issuer, &key);
    assert_eq!(answer.status, 200, "{answer:?}");
    let token = answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let (refused, answer) = grant(&server, "https://elsewhere.example", &key);
    let id = answer.decision_id();
    assert!(
        server.decision(&id)["span"].is_null(),
        "a log line is as it was without traces"
    );
    assert_eq!(server.terminate().code(), Some(0), "{:?}", server.log());

    let received = collector.0.lock().unwrap_or_else(PoisonError::into_inner);
    assert!(
        !received.is_empty()
            && received
                .iter()
                .all(|each| each.line == "POST /v1/traces HTTP/1.1\r\n")
    );
    assert!(received.iter().all(|each| {
        each.head
            .to_lowercase()
            .contains("content-type: application/x-protobuf")
    }));
    for told in [
        "grantor",
        "token",
        "granted",
        "refused",
        "invalid_grant",
        "rule",
        "aud",
        &id,
    ] {
        assert!(
            received.iter().any(|each| each.contains(told)),
            "{told:?} is missing"
        );
    }
    let signature = |jws: &str| jws.rsplit('.').next().unwrap_or_default().to_owned();
    for hidden in [
        &token,
        &used,
        &refused,
        &signature(&token),
        &signature(&used),
        "eyJ",
        "billing",
        "elsewhere",
    ] {
        assert!(
            !received.iter().any(|each| each.contains(hidden)),
            "{hidden:?} was sent"
        );
    }
}

#[test]
fn a_collector_that_is_away_holds_up_nobody() {
    let mut server = Server::start_with(&format!(
        "[otel]\nendpoint = \"http://{}\"",
        crate::support::held_address()
    ));
    for _ in 0..10 {
        assert_eq!(server.token(&[]).status, 400);
    }
    assert_eq!(server.terminate().code(), Some(0), "{:?}", server.log());
    assert!(
        server
            .log()
            .iter()
            .any(|line| line["message"] == "traces could not be sent"),
        "{:?}",
        server.log()
    );
}

#[test]
fn an_endpoint_that_is_no_url_is_refused() {
    let server = Server::start();
    fs::write(
        server.data().join("grantor.toml"),
        "[otel]\nendpoint = \"collector\"",
    )
    .expect("a configuration");
    let refused = server.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("otel.endpoint"),
        "{}",
        refused.stderr
    );
}
