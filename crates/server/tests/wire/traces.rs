//! What a collector of traces gets, and what it must never get.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use crate::{
    otlp::{self, Attributes},
    support::{Answer, JWT_BEARER, Server, assertion, signing_key},
};
use grantor::jose::SigningKey;

/// A request as the collector got it.
struct Received {
    line: String,
    head: String,
    body: Vec<u8>,
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

fn grant(server: &Server, audience: &str, key: &SigningKey) -> Answer {
    let client = "billing-department";
    let assertion = assertion(audience, client, client, key, Duration::from_secs(60));
    server.token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)])
}

fn attributes(pairs: &[(&str, &str)]) -> Attributes {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect()
}

/// All that is sent is read and compared, so there is room for no token, and for nobody's name. A search
/// for texts among the octets would find some by chance: ids are drawn.
#[test]
fn spans_reach_the_collector_without_a_token() {
    let (collector, address) = Collector::start();
    let mut server = Server::start_with(&format!(
        "log.level = \"debug\"\n[otel]\nendpoint = \"http://{address}\""
    ));
    let key = signing_key(&server.client("billing-department", &["--generate-key"]));
    let answer = grant(&server, &server.issuer, &key);
    assert_eq!(answer.status, 200, "{answer:?}");
    let answer = grant(&server, "https://elsewhere.example", &key);
    let refused = answer.decision_id();
    assert!(
        server.decision(&refused)["span"].is_null(),
        "a log line is as it was without traces"
    );
    assert_eq!(server.terminate().code(), Some(0), "{:?}", server.log());

    let received = collector.0.lock().unwrap_or_else(PoisonError::into_inner);
    let mut spans = Vec::new();
    for Received { line, head, body } in &*received {
        assert_eq!(line, "POST /v1/traces HTTP/1.1\r\n");
        let mut headers: Vec<_> = head.lines().filter(|line| !line.is_empty()).collect();
        headers.sort_unstable();
        let agent = headers.pop().expect("who sends it");
        let version = agent.strip_prefix("user-agent: OTel-OTLP-Exporter-Rust/");
        let is_version = |text: &str| text.chars().all(|one| one.is_ascii_digit() || one == '.');
        assert!(version.is_some_and(is_version), "{agent}");
        let expected = [
            &*format!("content-length: {}", body.len()),
            "content-type: application/x-protobuf",
            &*format!("host: {address}"),
        ];
        assert_eq!(headers, expected);
        for export in otlp::read(body) {
            let version = ("service.version", env!("CARGO_PKG_VERSION"));
            let resource = attributes(&[("service.name", "grantor"), version]);
            assert_eq!((export.resource, &*export.scope), (resource, "grantor"));
            spans.extend(export.spans);
        }
    }
    assert!(spans.iter().all(|span| span.name == "token"), "{spans:?}");
    let said: Vec<_> = spans.into_iter().map(|span| span.attributes).collect();
    let granted = said[0]["decision"].clone();
    assert_eq!(server.decision(&granted)["message"], "granted");
    let common = [("target", "grantor::request"), ("endpoint", "token")];
    let of = |pairs: &[(&str, &str)]| attributes(&[&common, pairs].concat());
    let expected = [
        of(&[
            ("http.response.status_code", "200"),
            ("outcome", "granted"),
            ("decision", &granted),
        ]),
        of(&[
            ("http.response.status_code", "400"),
            ("outcome", "refused"),
            ("error_code", "invalid_grant"),
            ("rule", "aud"),
            ("decision", &refused),
        ]),
    ];
    assert_eq!(said, expected);
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
