//! What the listener bears: both versions of HTTP, TLS and its renewal, too many connections,
//! clients that are slow, senders that guess.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Answer, JWT_BEARER, Server, assertion, escape, finished, grantor, held_address, read_answer,
};
use bytes::Bytes;
use grantor::jose::{Algorithm, PrivateJwk};
use grantor_testkit::binary::database::is_not_of_sqlite;
use grantor_testkit::wait;
use http::{Method, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::{
    TlsConnector,
    rustls::{
        ClientConfig, ConfigBuilder, RootCertStore,
        client::WantsClientCert,
        crypto::aws_lc_rs,
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject as _},
    },
};

/// An address of the documentation range, which no test shares.
const ELSEWHERE: &str = "203.0.113.200";
const FORM: &str = "application/x-www-form-urlencoded";

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime")
        .block_on(work)
}

type Http2 = http2::SendRequest<Full<Bytes>>;

/// Speaks HTTP/2 from the first octet.
async fn http2_over(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> Http2 {
    let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream))
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    sender
}

async fn http2(server: &Server) -> Http2 {
    http2_over(
        tokio::net::TcpStream::connect(server.address)
            .await
            .expect("the server accepts"),
    )
    .await
}

async fn ask(
    sender: &mut Http2,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Version, Value), hyper::Error> {
    let response = sender.send_request(request).await?;
    let (status, version) = (response.status(), response.version());
    assert_eq!(
        response.headers().get("connection"),
        None,
        "RFC 9113 §8.2.2"
    );
    let body = response.into_body().collect().await?.to_bytes();
    Ok((
        status,
        version,
        serde_json::from_slice(&body).unwrap_or(Value::Null),
    ))
}

fn get(server: &Server, path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .uri(format!("{}{path}", server.issuer))
        .body(Full::default())
        .expect("a request")
}

fn post(server: &Server, form: String) -> Request<Full<Bytes>> {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("{}/token", server.issuer))
        .header("content-type", FORM);
    request.body(Full::from(form)).expect("a request")
}

/// A client with a key, known to the running server at its next request.
fn client(server: &Server, id: &str) -> PathBuf {
    server.client(id, &["--generate-key"])
}

fn mint(server: &Server, key: &Path) -> String {
    server.ok(&["assertion", "mint", "--key", &key.to_string_lossy()])
}

fn grant_form(assertion: &str) -> String {
    format!("grant_type={}&assertion={assertion}", escape(JWT_BEARER))
}

#[test]
fn one_listener_speaks_both_versions_of_http() {
    let server = Server::start();
    let key = client(&server, "billing");
    let (first, second) = (mint(&server, &key), mint(&server, &key));
    block_on(async {
        let mut sender = http2(&server).await;
        let (status, version, metadata) = ask(
            &mut sender,
            get(&server, "/.well-known/oauth-authorization-server"),
        )
        .await
        .expect("h2");
        assert_eq!((status, version), (StatusCode::OK, Version::HTTP_2));
        assert_eq!(metadata["issuer"], server.issuer.as_str());
        let (status, _, token) = ask(&mut sender, post(&server, grant_form(&first)))
            .await
            .expect("h2");
        assert!(
            status == StatusCode::OK && token["access_token"].is_string(),
            "{status} {token}"
        );
        let (status, _, replayed) = ask(&mut sender, post(&server, grant_form(&first)))
            .await
            .expect("h2");
        assert_eq!(
            (status, replayed["error"].as_str()),
            (StatusCode::BAD_REQUEST, Some("invalid_grant"))
        );
    });
    assert_eq!(
        server
            .token(&[("grant_type", JWT_BEARER), ("assertion", &second)])
            .status,
        200
    );
}

#[test]
fn heads_bodies_and_streams_are_limited_over_http2_too() {
    let server = Server::start();
    block_on(async {
        let mut sender = http2(&server).await;
        let (status, ..) = ask(&mut sender, post(&server, "a".repeat(64 * 1024 + 1)))
            .await
            .expect("an answer");
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
        let mut large = get(&server, "/jwks");
        large.headers_mut().insert(
            "x-large",
            "a".repeat(80 * 1024).parse().expect("a header value"),
        );
        let refused = ask(&mut http2(&server).await, large).await;
        assert!(refused.is_err() || refused.is_ok_and(|(status, ..)| status == StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));

        // More at once than may be under way: the client's library waits for its turn, and all are
        // answered.
        let mut many = tokio::task::JoinSet::new();
        for _ in 0..500 {
            let (mut sender, request) = (sender.clone(), get(&server, "/health/ready"));
            many.spawn(async move { ask(&mut sender, request).await.expect("an answer").0 });
        }
        assert!(
            many.join_all()
                .await
                .into_iter()
                .all(|status| status == StatusCode::OK)
        );
    });
}

/// Reads until the server ends the connection; how long that took.
fn until_closed(stream: &mut TcpStream, limit: Duration) -> Duration {
    let started = Instant::now();
    stream.set_read_timeout(Some(limit)).expect("a timeout");
    // A reset is an end, too.
    let _ = stream.read_to_end(&mut Vec::new());
    started.elapsed()
}

#[test]
fn a_connection_on_which_nothing_is_asked_is_cut_off() {
    let server = Server::start();
    let preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    let settings = "\0\0\0\x04\0\0\0\0\0";
    let begun = format!("{preface}{settings}\0\0\x01\x01\0\0\0\0\x01");
    let beginnings = [
        "",
        "PRI * HT",
        preface,
        &format!("{preface}{settings}"),
        &begun,
        "GET /jwks HTTP/1.1\r\nHost: as\r\n\r\n",
    ];
    thread::scope(|scope| {
        for beginning in beginnings {
            let mut stream = TcpStream::connect(server.address).expect("the server accepts");
            stream.write_all(beginning.as_bytes()).expect("sent");
            scope.spawn(move || {
                let limit = Duration::from_secs(25);
                assert!(
                    until_closed(&mut stream, limit) < limit,
                    "{beginning:?} is still open"
                );
            });
        }
    });
}

/// A request whose body the server waits for; `None` if it does not.
fn try_busy(server: &Server) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(server.address).expect("the system accepts");
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: {FORM}\r\nContent-Length: 9\r\n"
    );
    write!(stream, "{head}Expect: 100-continue\r\n\r\n").expect("sent");
    stream
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a timeout");
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).expect("an answer");
    (&go_on == b"HTTP/1.1 100 Continue\r\n\r\n").then_some(stream)
}

fn busy(server: &Server) -> TcpStream {
    try_busy(server).expect("a place")
}

#[test]
fn connections_beyond_the_limit_wait_while_all_are_busy() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let server = Server::start_with("[limits]\nconnections = 4");
    let key = client(&server, "billing");
    let assertions: Vec<_> = (0..4).map(|_| mint(&server, &key)).collect();
    // No grant is decided, for nothing can be written.
    let locked = lock(&server);
    let mut open: Vec<_> = assertions
        .iter()
        .map(|assertion| begun(&server, &grant_form(assertion), usize::MAX))
        .collect();
    let mut waiting = TcpStream::connect(server.address).expect("the system accepts");
    waiting
        .write_all(b"GET /health/live HTTP/1.1\r\nHost: as\r\nConnection: close\r\n\r\n")
        .expect("sent");
    waiting
        .set_read_timeout(Some(Duration::from_secs(1)))
        .expect("a timeout");
    assert!(waiting.read(&mut [0; 1]).is_err(), "no place is free");
    drop(open.pop());
    waiting
        .set_read_timeout(Some(Duration::from_secs(5)))
        .expect("a timeout");
    assert_eq!(read_answer(&mut waiting).status, 200, "a place was free");
    drop(locked);
}

/// A token request of which so many octets of the body were sent.
fn begun(server: &Server, form: &str, octets: usize) -> TcpStream {
    let mut stream = TcpStream::connect(server.address).expect("the system accepts");
    let (sent, length) = (&form[..octets.min(form.len())], form.len());
    let head = format!(
        "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: {FORM}\r\nContent-Length: {length}\r\n\r\n"
    );
    stream
        .write_all(format!("{head}{sent}").as_bytes())
        .expect("sent");
    stream
}

/// Has nothing be written until this is dropped.
fn lock(server: &Server) -> Connection {
    let other = Connection::open(server.data().join("grantor.db")).expect("a connection");
    other
        .busy_timeout(Duration::from_secs(5))
        .expect("a timeout");
    other.execute_batch("BEGIN IMMEDIATE").expect("the lock");
    other
}

/// More clients than there are places begin a request, send no more of it, and come again as soon
/// as they are sent away: others are served beside them. A client that is slow keeps its place
/// while nobody wants it.
#[test]
fn slow_bodies_make_room_for_others_and_are_taken_where_there_is_room() {
    let server = Server::start_with("[limits]\nconnections = 16");
    let form = "a=1".repeat(100);
    let (stop, begins) = (AtomicBool::new(false), AtomicUsize::new(0));
    let kept_waiting = thread::scope(|scope| {
        for _ in 0..24 {
            scope.spawn(|| {
                let limit = Duration::from_secs(20);
                while !stop.load(Ordering::SeqCst) {
                    let mut stream = begun(&server, &form, 1);
                    begins.fetch_add(1, Ordering::SeqCst);
                    stream.set_read_timeout(Some(limit)).expect("a timeout");
                    let _ = stream.read(&mut [0; 1]);
                }
            });
        }
        wait::blocking::until("all have come again", || {
            begins.load(Ordering::SeqCst) >= 2 * 24
        });
        let honest = |_| {
            let started = Instant::now();
            let status = server.send("GET", "/health/live", &[], b"").status;
            (started.elapsed(), status)
        };
        let kept_waiting = (0..10)
            .map(honest)
            .find(|(time, status)| *time > Duration::from_secs(2) || *status != 200);
        stop.store(true, Ordering::SeqCst);
        kept_waiting
    });
    assert_eq!(kept_waiting, None);

    let mut slow = begun(&server, &form[..10], 1);
    for octet in form[1..10].bytes() {
        assert_eq!(server.send("GET", "/health/live", &[], b"").status, 200);
        slowly();
        slow.write_all(&[octet]).expect("the connection is open");
    }
    let mut octets = [0; 12];
    slow.read_exact(&mut octets).expect("an answer");
    assert_eq!(&octets, b"HTTP/1.1 400", "control: nobody wanted the place");
}

#[expect(
    clippy::disallowed_methods,
    reason = "a slow client waits for nothing that a test could wait for"
)]
fn slowly() {
    thread::sleep(Duration::from_millis(300));
}

/// Also the head may be what does not come.
#[test]
fn slow_heads_make_room_for_others() {
    let server = Server::start_with("[limits]\nconnections = 16");
    let slow = |_| {
        let mut stream = TcpStream::connect(server.address).expect("the system accepts");
        stream
            .write_all(b"GET /health/live HTTP/1.1\r\n")
            .expect("sent");
        stream
    };
    let held: Vec<_> = (0..24).map(slow).collect();
    let started = Instant::now();
    assert_eq!(server.send("GET", "/health/live", &[], b"").status, 200);
    assert!(
        started.elapsed() < Duration::from_secs(3),
        "{:?}",
        started.elapsed()
    );
    drop(held);
}

/// All places are held with one cheap request now and then, or by clients that take no answers;
/// others are served nevertheless, and requests that are under way go on.
#[test]
fn the_quietest_connection_makes_room_for_a_new_one() {
    use crate::support::frames::{Frames, Window};
    let server = Server::start_with("[limits]\nconnections = 6");
    let mut quiet: Vec<_> = (0..3)
        .map(|_| {
            let mut stream = TcpStream::connect(server.address).expect("the server accepts");
            stream
                .write_all(b"GET /health/live HTTP/1.1\r\nHost: as\r\n\r\n")
                .expect("sent");
            assert!(stream.read(&mut [0; 1024]).expect("an answer") > 0);
            stream
        })
        .collect();
    let mut unread = Frames::open(server.address, Window::Closed);
    unread.get("/jwks");
    let mut busy = [busy(&server), busy(&server)];
    for round in 0..20 {
        let started = Instant::now();
        assert_eq!(
            server.send("GET", "/health/live", &[], b"").status,
            200,
            "{round}"
        );
        assert!(
            started.elapsed() < Duration::from_secs(3),
            "{round} took {:?}",
            started.elapsed()
        );
    }
    assert!(
        until_closed(&mut quiet[0], Duration::from_secs(5)) < Duration::from_secs(5),
        "the quietest went"
    );
    for stream in &mut busy {
        stream.write_all(b"a=1&b=234").expect("sent");
        let mut octets = [0; 12];
        stream.read_exact(&mut octets).expect("an answer");
        assert_eq!(&octets, b"HTTP/1.1 400", "what was under way was answered");
    }
}

/// The other way to hold all places: the system gives out fewer than the configuration allows.
#[test]
fn the_quietest_makes_room_also_where_files_cannot_be_opened() {
    let server = Server::start_with_descriptors(60);
    let warns = |words: &str| {
        server.log().iter().any(|line| {
            line["message"]
                .as_str()
                .is_some_and(|said| said.contains(words))
        })
    };
    server.wait_until("the low limit is said", || warns("raise the limit"));
    let held: Vec<_> = (0..80)
        .map(|_| TcpStream::connect(server.address).expect("the system accepts"))
        .collect();
    server.wait_until("no more are accepted", || warns("could not be accepted"));
    let started = Instant::now();
    assert_eq!(server.send("GET", "/health/live", &[], b"").status, 200);
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "before those who ask nothing are cut off: {:?}",
        started.elapsed()
    );
    drop(held);
}

/// One connection has as many requests under way as HTTP/2 allows; others are heard beside it.
#[test]
fn requests_under_way_are_bounded_over_all_connections() {
    use crate::support::frames::{Frames, Window};
    let server = Server::start_with("[limits]\nconnections = 20\nrequests = 30");
    let mut greedy: Vec<_> = (0..4)
        .map(|_| Frames::open(server.address, Window::Open))
        .collect();
    greedy
        .iter_mut()
        .for_each(|frames| (0..16).for_each(|_| _ = frames.post(0)));
    server.wait_until("others are heard", || {
        server.send("GET", "/health/live", &[], b"").status == 200
    });
    // Half of the places, and the even part of each connection that came later.
    let more: Vec<_> = (0..15).map_while(|_| try_busy(&server)).collect();
    assert!(more.len() >= 10, "{} more", more.len());
    server.wait_until("all places are taken", || {
        let answer = server.send("GET", "/jwks", &[], b"");
        answer.status == 503 && answer.header("retry-after") == Some("1")
    });
    drop((greedy, more));
    server.wait_until("places are free again", || {
        server.send("GET", "/jwks", &[], b"").status == 200
    });
}

/// Answers that nobody takes keep their places only until others want them.
#[test]
fn clients_that_take_no_answers_do_not_keep_others_from_being_heard() {
    use crate::support::frames::{Frames, Window};
    let server = Server::start_with("[limits]\nconnections = 40\nrequests = 30");
    let mut unread: Vec<_> = (0..35)
        .map(|_| Frames::open(server.address, Window::Closed))
        .collect();
    unread
        .iter_mut()
        .for_each(|frames| (0..16).for_each(|_| _ = frames.get("/jwks")));
    server.wait_until("all places are taken", || {
        server.send("GET", "/jwks", &[], b"").status == 503
    });
    let started = Instant::now();
    server.wait_until("others are heard", || {
        server.send("GET", "/jwks", &[], b"").status == 200
    });
    assert!(
        started.elapsed() < Duration::from_secs(8),
        "took {:?}",
        started.elapsed()
    );
    drop(unread);
}

/// RFC 9112 §3.2
#[test]
fn a_request_without_exactly_one_host_is_refused() {
    let server = Server::start();
    for (head, status) in [
        ("GET /jwks HTTP/1.1\r\nHost: as\r\n", 200),
        ("GET /jwks HTTP/1.1\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost: as\r\nHost: as\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost:\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost: a b\r\n", 400),
        ("GET http://as/jwks HTTP/1.1\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost: [::1]:8080\r\n", 200),
        ("GET /jwks HTTP/1.1\r\nHost: [::1]x\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost: [::1]80\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost: []\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost: [x]\r\n", 400),
        ("GET /jwks HTTP/1.1\r\nHost: 12@12\r\n", 400),
        ("GET /jwks HTTP/1.0\r\n", 200),
        ("GET /jwks HTTP/1.0\r\nHost: as\r\nHost: as\r\n", 400),
    ] {
        assert_eq!(
            server
                .raw(format!("{head}Connection: close\r\n\r\n").as_bytes())
                .status,
            status,
            "{head}"
        );
    }
}

#[test]
fn a_head_has_at_most_a_hundred_fields_and_16_kib() {
    let server = Server::start();
    // Host, Connection and Content-Length are sent, too.
    for (fields, status) in [(97, 200), (98, 431)] {
        let headers = vec![("x", "1"); fields];
        assert_eq!(
            server.send("GET", "/jwks", &headers, b"").status,
            status,
            "{fields}"
        );
        block_on(async {
            let mut request = get(&server, "/jwks");
            for _ in 0..fields + 3 {
                request
                    .headers_mut()
                    .append("x", "1".parse().expect("a header value"));
            }
            assert_eq!(
                ask(&mut http2(&server).await, request)
                    .await
                    .expect("an answer")
                    .0,
                status,
                "{fields}"
            );
        });
    }
    for (octets, status) in [(15_000, 200), (17_000, 431)] {
        assert_eq!(
            server
                .send("GET", "/jwks", &[("x", &"a".repeat(octets))], b"")
                .status,
            status,
            "{octets}"
        );
    }
}

/// Holds what `attack` opens for as long as the server lets it, and compares its memory with what
/// was sent.
fn holds_little<T>(what: &str, attack: impl FnOnce(&Server) -> (Vec<T>, usize)) {
    let server = Server::start();
    // The claims and the allocator's first pages are not the attack's.
    assert_eq!(server.send("GET", "/health/ready", &[], b"").status, 200);
    let before = server.resident();
    let (attacked, most) = (AtomicBool::new(false), AtomicUsize::new(0));
    let (held, sent) = thread::scope(|scope| {
        // While it lasts, and for two seconds more.
        scope.spawn(|| {
            let mut ended = None::<Instant>;
            wait::blocking::comes(Duration::from_secs(60), || {
                most.fetch_max(server.resident(), Ordering::SeqCst);
                ended = ended.or_else(|| attacked.load(Ordering::SeqCst).then(Instant::now));
                ended.is_some_and(|end| end.elapsed() >= Duration::from_secs(2))
            });
        });
        let attack = attack(&server);
        attacked.store(true, Ordering::SeqCst);
        attack
    });
    let most = most.into_inner();
    assert!(
        most < 4 * sent + (64 << 20),
        "{what}: {sent} octets sent, {most} octets of memory, {before} before"
    );
    assert_eq!(
        server.send("GET", "/health/live", &[], b"").status,
        200,
        "{what}: others are served"
    );
    drop(held);
}

#[test]
fn hostile_requests_take_no_more_memory_than_four_times_what_was_sent() {
    use crate::support::frames::{Frames, Window};
    let http2 =
        |server: &Server, connections: usize, window: Window, each: &dyn Fn(&mut Frames)| {
            let mut open: Vec<_> = (0..connections)
                .map(|_| Frames::open(server.address, window))
                .collect();
            open.iter_mut().for_each(each);
            let sent = open.iter().map(Frames::sent).sum();
            (open, sent)
        };
    // As many fields as were held by the thousand, as many as fit into the head, as many as are
    // taken.
    for fields in [1900, 450, 95] {
        holds_little(&format!("{fields} fields"), |server| {
            http2(server, 20, Window::Open, &|frames| {
                (0..100).for_each(|_| _ = frames.post(fields));
            })
        });
    }
    holds_little("answers that nobody takes", |server| {
        http2(server, 200, Window::Closed, &|frames| {
            (0..100).for_each(|_| _ = frames.get("/jwks"));
        })
    });
    holds_little("refusals that nobody reads", |server| {
        http2(server, 200, Window::Closed, &|frames| {
            (0..1000).for_each(|_| _ = frames.get("/nowhere"));
        })
    });
    holds_little("bodies in pieces of one octet", |server| {
        http2(server, 20, Window::Open, &|frames| {
            let streams: Vec<_> = (0..10).map(|_| frames.post(0)).collect();
            (0..1000).for_each(|_| streams.iter().for_each(|stream| frames.data(*stream, b"a")));
        })
    });
    holds_little("HTTP/1.1 heads", |server| {
        let head = format!(
            "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: {FORM}\r\nContent-Length: 60000\r\n"
        );
        let request = format!("{head}{}\r\na", "x: 1\r\n".repeat(95));
        let open = |_| {
            let mut stream = TcpStream::connect(server.address).expect("the server accepts");
            stream.write_all(request.as_bytes()).expect("sent");
            stream
        };
        let open: Vec<_> = (0..500).map(open).collect();
        let sent = open.len() * request.len();
        (open, sent)
    });
}

#[test]
fn requests_behind_each_other_whose_answers_nobody_reads_take_little_memory() {
    for path in ["/jwks", "/nowhere"] {
        holds_little(&format!("{path} behind each other"), |server| {
            let requests = format!("GET {path} HTTP/1.1\r\nHost: as\r\n\r\n").repeat(1000);
            let open = |_| {
                let mut stream = TcpStream::connect(server.address).expect("the server accepts");
                // What is not taken within this time is not sent.
                stream
                    .set_write_timeout(Some(Duration::from_millis(10)))
                    .expect("a timeout");
                let sent = requests
                    .as_bytes()
                    .chunks(4096)
                    .map_while(|piece| stream.write(piece).ok())
                    .sum::<usize>();
                (stream, sent)
            };
            let (open, sent): (Vec<_>, Vec<usize>) = (0..200).map(open).unzip();
            (open, sent.into_iter().sum())
        });
    }
}

/// A grant whose issuer is long, and longer when it is escaped.
fn long_claims(number: usize) -> String {
    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    let issuer = format!("{number}{}", "\u{7f}".repeat(12_000));
    let segments = [
        r#"{"alg":"ES256"}"#.to_owned(),
        serde_json::json!({"iss": issuer, "sub": "a"}).to_string(),
    ];
    grant_form(&format!(
        "{}.AA",
        segments
            .map(|segment| URL_SAFE_NO_PAD.encode(segment))
            .join(".")
    ))
}

#[test]
fn long_claims_take_no_more_memory_than_four_times_what_was_sent() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    const REQUESTS: usize = 3000;
    let octets: usize = (0..REQUESTS).map(|number| long_claims(number).len()).sum();
    // The decisions wait, for nothing can be written.
    holds_little("long claims over HTTP/1.1", |server| {
        let locked = lock(server);
        thread::scope(|scope| {
            for worker in 0..8 {
                scope.spawn(move || {
                    for number in (worker..REQUESTS).step_by(8) {
                        let answer = server.send(
                            "POST",
                            "/token",
                            &[("Content-Type", FORM)],
                            long_claims(number).as_bytes(),
                        );
                        assert_eq!(answer.status, 400, "{answer:?}");
                    }
                });
            }
        });
        (vec![locked], octets)
    });
    holds_little("long claims over HTTP/2", |server| {
        let locked = lock(server);
        block_on(async {
            let mut senders = Vec::new();
            for _ in 0..8 {
                senders.push(http2(server).await);
            }
            let mut all = tokio::task::JoinSet::new();
            for number in 0..REQUESTS {
                let (mut sender, request) = (
                    senders[number % 8].clone(),
                    post(server, long_claims(number)),
                );
                all.spawn(async move { ask(&mut sender, request).await.expect("an answer").0 });
            }
            assert!(
                all.join_all()
                    .await
                    .into_iter()
                    .all(|status| status == StatusCode::BAD_REQUEST)
            );
            (vec![(senders, locked)], octets)
        })
    });
}

/// A certificate of this server's names, and its key, as files.
struct Certificate {
    directory: TempDir,
}

impl Certificate {
    fn new() -> Self {
        let certificate = Self {
            directory: tempfile::tempdir().expect("a directory"),
        };
        certificate.renew();
        certificate
    }

    fn path(&self, file: &str) -> PathBuf {
        self.directory.path().join(file)
    }

    /// Writes a new pair over the one before; answers the certificate.
    fn renew(&self) -> Vec<u8> {
        self.renew_for(1975, 4096)
    }

    /// As [`Certificate::renew`], valid between these years.
    fn renew_for(&self, from: i32, until: i32) -> Vec<u8> {
        let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
        let mut parameters = rcgen::CertificateParams::new(names).expect("names");
        parameters.not_before = rcgen::date_time_ymd(from, 1, 1);
        parameters.not_after = rcgen::date_time_ymd(until, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = parameters.self_signed(&key).expect("a certificate");
        fs::write(self.path("certificate.pem"), certificate.pem()).expect("written");
        fs::write(self.path("key.pem"), key.serialize_pem()).expect("written");
        certificate.der().to_vec()
    }

    fn configuration(&self) -> String {
        format!(
            "[tls]\ncertificate = {:?}\nkey = {:?}\n",
            self.path("certificate.pem"),
            self.path("key.pem")
        )
    }

    /// Shakes hands with this certificate as the only root; `Err` if the server shows another.
    async fn connect(
        &self,
        server: &Server,
        root: &[u8],
        protocol: &[u8],
    ) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        self.connect_as(server, root, protocol, |config| {
            config.with_no_client_auth()
        })
        .await
    }

    /// As [`Certificate::connect`], with what the client shows.
    async fn connect_as(
        &self,
        server: &Server,
        root: &[u8],
        protocol: &[u8],
        show: impl FnOnce(ConfigBuilder<ClientConfig, WantsClientCert>) -> ClientConfig,
    ) -> std::io::Result<tokio_rustls::client::TlsStream<tokio::net::TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots
            .add(CertificateDer::from(root.to_vec()))
            .expect("a root");
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots);
        let mut config = show(config);
        config.alpn_protocols = vec![protocol.to_vec()];
        let stream = tokio::net::TcpStream::connect(server.address)
            .await
            .expect("the server accepts");
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").expect("a name"), stream)
            .await
    }

    fn is_shown(&self, server: &Server, certificate: &[u8]) -> bool {
        block_on(async { self.connect(server, certificate, b"h2").await.is_ok() })
    }
}

#[test]
fn tls_carries_both_versions_of_http_as_the_client_chooses() {
    let certificate = Certificate::new();
    let server = Server::start_with(&certificate.configuration());
    let key = client(&server, "billing");
    let assertion = mint(&server, &key);
    let root = CertificateDer::from_pem_file(certificate.path("certificate.pem")).expect("PEM");
    block_on(async {
        let stream = certificate
            .connect(&server, &root, b"h2")
            .await
            .expect("TLS");
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let (status, _, token) = ask(
            &mut http2_over(stream).await,
            post(&server, grant_form(&assertion)),
        )
        .await
        .expect("h2");
        assert!(
            status == StatusCode::OK && token["access_token"].is_string(),
            "{status} {token}"
        );

        let stream = certificate
            .connect(&server, &root, b"http/1.1")
            .await
            .expect("TLS");
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .expect("HTTP/1.1");
        tokio::spawn(connection);
        let request = Request::builder()
            .uri("/jwks")
            .header("host", "localhost")
            .body(Full::<Bytes>::default())
            .expect("a request");
        let response = sender.send_request(request).await.expect("an answer");
        assert_eq!(
            (response.status(), response.version()),
            (StatusCode::OK, Version::HTTP_11)
        );
    });
    assert!(
        server.ok(&["health"]).contains("answers 200"),
        "a health check needs no root certificate"
    );
    let clear = server.send("GET", "/jwks", &[], b"");
    assert_ne!(clear.status, 200, "nothing is answered in the clear");
}

/// RFC 8705 §2: the connection does not fail for a certificate; what it is worth is decided later.
#[test]
fn a_client_that_shows_a_certificate_is_answered_like_one_that_shows_none() {
    let certificate = Certificate::new();
    let configuration = certificate.configuration() + "client_certificates = \"ask\"\n";
    let server = Server::start_with(&configuration);
    let key = client(&server, "billing");
    let root = CertificateDer::from_pem_file(certificate.path("certificate.pem")).expect("PEM");
    let names = ["billing".to_owned()];
    let shown = rcgen::generate_simple_self_signed(names).expect("a certificate");
    let signer = PrivateKeyDer::try_from(shown.signing_key.serialize_der()).expect("a key");
    let chain = vec![shown.cert.der().clone()];
    block_on(async {
        for is_shown in [true, false] {
            let show = |config: ConfigBuilder<ClientConfig, WantsClientCert>| match is_shown {
                true => config
                    .with_client_auth_cert(chain.clone(), signer.clone_key())
                    .expect("its key"),
                false => config.with_no_client_auth(),
            };
            let stream = certificate.connect_as(&server, &root, b"h2", show).await;
            let request = post(&server, grant_form(&mint(&server, &key)));
            let (status, _, token) = ask(&mut http2_over(stream.expect("TLS")).await, request)
                .await
                .expect("h2");
            assert!(
                status == StatusCode::OK && token["access_token"].is_string(),
                "{is_shown}: {status} {token}"
            );
        }
    });
}

#[test]
fn a_renewed_certificate_is_taken_up_and_a_bad_one_is_not() {
    let certificate = Certificate::new();
    let server = Server::start_with(&certificate.configuration());
    let renewed = certificate.renew();
    server.wait_until("the new certificate is shown", || {
        certificate.is_shown(&server, &renewed)
    });

    for (file, bad) in [("certificate.pem", "-----BEGIN CERT"), ("key.pem", "")] {
        let good = fs::read(certificate.path(file)).expect("a file");
        let errors = || {
            server
                .log()
                .iter()
                .filter(|line| line["level"] == "ERROR")
                .count()
        };
        let before = errors();
        fs::write(certificate.path(file), bad).expect("written");
        server.wait_until("the bad file is reported", || errors() == before + 1);
        assert!(
            certificate.is_shown(&server, &renewed),
            "{file}: the one before stays"
        );
        fs::write(certificate.path(file), good).expect("written");
    }
    let again = certificate.renew();
    server.wait_until("the next good one is shown", || {
        certificate.is_shown(&server, &again)
    });
    assert!(!certificate.is_shown(&server, &renewed), "control");
}

/// It is served all the same: clients may have pinned it, and nothing else is there.
#[test]
fn a_certificate_out_of_its_time_is_reported_at_the_start_and_when_it_is_taken_up() {
    let certificate = Certificate::new();
    certificate.renew_for(1975, 2001);
    let metrics = held_address();
    let server = Server::start_with(&format!(
        "{}[metrics]\nlisten = \"{metrics}\"",
        certificate.configuration()
    ));
    let reported = |until: &str, word: &str| {
        server.log().iter().any(|line| {
            let message = line["message"].as_str().unwrap_or_default();
            line["level"] == "WARN" && line["until"] == until && message.contains(word)
        })
    };
    server.wait_until("it is reported", || {
        reported("2001-01-01T00:00:00Z", "has expired")
    });
    let expires = || {
        let mut stream = TcpStream::connect(metrics).expect("a listener");
        stream
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: as\r\n\r\n")
            .expect("sent");
        let text = read_answer(&mut stream).body;
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("grantor_tls_certificate_expires_seconds "))
            .map(str::to_owned);
        line.and_then(|value| value.parse::<i64>().ok())
    };
    assert_eq!(expires(), Some(978_307_200));
    certificate.renew_for(4000, 4096);
    server.signal("HUP");
    server.wait_until("the next is reported", || {
        reported("4096-01-01T00:00:00Z", "not valid yet")
    });
    let good = certificate.renew_for(1975, 4096);
    server.signal("HUP");
    server.wait_until("a good one is shown", || {
        certificate.is_shown(&server, &good)
    });
    assert_eq!(expires(), Some(67_090_118_400));
    let reports = server
        .log()
        .iter()
        .filter(|line| line["until"].is_string())
        .count();
    assert_eq!(reports, 2, "control: a good one is not reported");
}

#[test]
fn certificate_files_that_cannot_be_used_stop_the_start() {
    let (certificate, other) = (Certificate::new(), Certificate::new());
    fs::copy(other.path("key.pem"), certificate.path("foreign.pem")).expect("copied");
    fs::write(certificate.path("empty.pem"), "").expect("written");
    for (chain, key, names) in [
        ("missing.pem", "key.pem", "tls.certificate"),
        ("empty.pem", "key.pem", "tls.certificate"),
        ("key.pem", "key.pem", "tls.certificate"),
        ("certificate.pem", "missing.pem", "tls.key"),
        ("certificate.pem", "certificate.pem", "tls.key"),
        ("certificate.pem", "foreign.pem", "tls.key"),
    ] {
        let text = format!("[tls]\ncertificate = {chain:?}\nkey = {key:?}");
        fs::write(certificate.path("grantor.toml"), text).expect("written");
        let mut command = grantor(certificate.directory.path());
        let command = command.args([
            "serve",
            "--issuer",
            "https://as.example",
            "--listen",
            &held_address().to_string(),
        ]);
        let finished = finished(command.output().expect("it runs"));
        assert_eq!(
            finished.status.code(),
            Some(2),
            "{chain} {key}: {}",
            finished.stderr
        );
        // A line before may warn of the files' modes.
        let line = finished.stderr.lines().last().unwrap_or_default();
        assert!(
            line.contains(&format!("'{names}'")),
            "{chain} {key}: {line}"
        );
    }
}

/// A server behind a proxy, two clients with secrets, and requests from wherever.
struct Guessed {
    server: Server,
    secrets: [String; 2],
}

const PER_CLIENT: usize = 30;

impl Guessed {
    fn start(limits: &str) -> Self {
        let server = Server::start_with(&format!("behind_proxy = true\n[limits]\n{limits}"));
        let secret = |id: &str| {
            let path = server.client(id, &["--auth", "client_secret_post"]);
            let file: Value =
                serde_json::from_slice(&fs::read(path).expect("a key file")).expect("JSON");
            file["client_secret"].as_str().expect("a secret").to_owned()
        };
        let secrets = ["billing", "orders"].map(secret);
        Self { server, secrets }
    }

    /// Asks for a token; `from` is all of X-Forwarded-For.
    fn ask(&self, from: &str, id: &str, secret: &str) -> Answer {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        self.server
            .post("/token", &form, &[("X-Forwarded-For", from)])
    }

    fn works(&self, from: &str, client: usize) -> bool {
        self.ask(from, ["billing", "orders"][client], &self.secrets[client])
            .status
            == 200
    }
}

#[test]
fn guessing_at_a_client_is_slowed_down_where_it_comes_from_and_nowhere_else() {
    let guessed = Guessed::start(&format!("client_failures_per_minute = {PER_CLIENT}"));
    let here = "198.51.100.1";
    for count in 0..PER_CLIENT {
        // What the client itself says about its address is before the proxy's entry, and ignored.
        let answer = guessed.ask(&format!("10.0.0.{count}, {here}"), "billing", "guess");
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_client"),
            "{count}"
        );
    }
    for secret in ["guess", &guessed.secrets[0]] {
        let answer = guessed.ask(here, "billing", secret);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (429, "temporarily_unavailable"),
            "{answer:?}"
        );
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(
            answer
                .header("retry-after")
                .is_some_and(|wait| ["1", "2", "3"].contains(&wait)),
            "{answer:?}"
        );
        let decision = guessed.server.decision(&answer.decision_id());
        assert_eq!(
            (
                decision["rule"].as_str(),
                decision["claimed_client"].as_str()
            ),
            (Some("throttled"), Some("billing"))
        );
    }
    assert!(guessed.works(here, 1), "another client at that address");
    assert!(guessed.works(ELSEWHERE, 0), "that client elsewhere");
    assert!(
        guessed.works("unknown", 0),
        "that client, where the proxy does not say"
    );
    assert_eq!(
        guessed.ask(here, "nobody", "guess").status,
        400,
        "an unknown client has a budget of its own"
    );
    let wait: u64 = guessed
        .ask(here, "billing", "guess")
        .header("retry-after")
        .and_then(|wait| wait.parse().ok())
        .expect("a wait");
    let told = Duration::from_secs(wait + 1);
    wait::blocking::within(told, "it works after waiting as told", || {
        guessed.works(here, 0)
    });
}

/// With one entry believed, everybody behind the outer proxy would be one sender, and one of them
/// could shut out all others.
#[test]
fn behind_several_proxies_each_client_is_told_from_the_others() {
    const OUTER: &str = "10.1.1.1";
    for (proxy, header, entry) in [
        ("hops = 2", "X-Forwarded-For", ""),
        (
            "trusted = [\"127.0.0.1\", \"10.0.0.0/8\"]",
            "X-Forwarded-For",
            "",
        ),
        (
            "trusted = [\"127.0.0.0/8\", \"10.1.1.1\"]\nheader = \"forwarded\"",
            "Forwarded",
            "for=",
        ),
    ] {
        let guessed = Guessed::start(&format!("client_failures_per_minute = 5\n[proxy]\n{proxy}"));
        let ask = |client: &str, secret: &str| {
            let form = [
                ("grant_type", "client_credentials"),
                ("client_id", "billing"),
                ("client_secret", secret),
            ];
            let forwarded = format!("{entry}192.0.2.99, {entry}{client}, {entry}{OUTER}");
            guessed
                .server
                .post("/token", &form, &[(header, &forwarded)])
                .status
        };
        for _ in 0..6 {
            ask("198.51.100.1", "guess");
        }
        assert_eq!(ask("198.51.100.1", "guess"), 429, "{proxy}");
        assert_eq!(
            ask("198.51.100.2", &guessed.secrets[0]),
            200,
            "{proxy}: another client behind the same proxy"
        );
    }
}

/// RFC 7523 §3: the same for those who forge assertions.
#[test]
fn forging_assertions_is_slowed_down() {
    let guessed = Guessed::start(&format!("client_failures_per_minute = {PER_CLIENT}"));
    let server = &guessed.server;
    let path = client(server, "signer");
    let forger = PrivateJwk::generate(Algorithm::Es256)
        .expect("a key")
        .signing_key()
        .expect("a key that signs");
    let ask = |from: &str, assertion: &str| {
        server.post(
            "/token",
            &[("grant_type", JWT_BEARER), ("assertion", assertion)],
            &[("X-Forwarded-For", from)],
        )
    };
    let forge = || {
        assertion(
            &server.issuer,
            "signer",
            "signer",
            &forger,
            Duration::from_secs(60),
        )
    };
    for _ in 0..PER_CLIENT {
        let answer = ask("198.51.100.2", &forge());
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_grant")
        );
    }
    assert_eq!(ask("198.51.100.2", &forge()).status, 429);
    let assertion = mint(server, &path);
    assert_eq!(
        ask("198.51.100.2", &assertion).status,
        429,
        "not verified, so not used up"
    );
    assert_eq!(ask(ELSEWHERE, &assertion).status, 200, "control");
}

/// Nobody's JWTs are no party of their own: JWT-SVIDs need no `iss`, and those of others come from the
/// same address.
#[test]
fn what_names_nobody_counts_against_its_address_alone() {
    let guessed = Guessed::start("client_failures_per_minute = 1\naddress_failures_per_minute = 3");
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let key = key.signing_key().expect("a key that signs");
    let token = grantor::jose::sign(&key, None, br#"{"sub":"spiffe://acme.example/a"}"#);
    let token = token.expect("a JWT");
    let form = [("grant_type", JWT_BEARER), ("assertion", &token)];
    let ask = || {
        let from = [("X-Forwarded-For", "198.51.100.2")];
        guessed.server.post("/token", &form, &from).status
    };
    assert_eq!([ask(), ask(), ask(), ask()], [400, 400, 400, 429]);
}

#[test]
fn one_who_does_not_wait_cannot_push_the_other_decisions_out() {
    let guessed = Guessed::start("client_failures_per_minute = 1");
    let refused = guessed
        .ask("198.51.100.1", "billing", "guess")
        .decision_id();
    for _ in 0..200 {
        assert_eq!(guessed.ask("198.51.100.1", "billing", "guess").status, 429);
    }
    assert_eq!(guessed.server.decision(&refused)["rule"], "client");
    let log = guessed.server.log();
    let throttled = log
        .iter()
        .filter(|line| line["target"] == "grantor::decision" && line["rule"] == "throttled")
        .count();
    assert!((10..200).contains(&throttled), "{throttled} of 200");
}

/// Sends so many requests that prove nothing, malformed ones and ones without credentials; answers
/// how many were refused as such.
fn garbage(guessed: &Guessed, from: &str, count: usize) -> usize {
    let form = |number: usize| {
        if number.is_multiple_of(2) {
            ("a", "")
        } else {
            ("grant_type", "client_credentials")
        }
    };
    let statuses = (0..count).map(|number| {
        guessed
            .server
            .post("/token", &[form(number)], &[("X-Forwarded-For", from)])
            .status
    });
    statuses.filter(|status| *status == 400).count()
}

#[test]
fn garbage_is_slowed_down_where_it_comes_from_and_shuts_out_nobody() {
    let guessed = Guessed::start("address_failures_per_minute = 40");
    let here = "198.51.100.1";
    let heard = garbage(&guessed, here, 200);
    assert!((40..60).contains(&heard), "{heard}");
    let slowed = guessed
        .server
        .post("/token", &[("a", "")], &[("X-Forwarded-For", here)]);
    assert_eq!(
        (slowed.status, slowed.error().as_str()),
        (429, "temporarily_unavailable"),
        "{slowed:?}"
    );
    assert!(slowed.header("retry-after").is_some());
    assert!(guessed.works(here, 0), "a client at that address");
    assert_eq!(
        guessed.ask(here, "billing", "guess").error(),
        "invalid_client",
        "whose failures are counted apart"
    );
    assert_eq!(garbage(&guessed, ELSEWHERE, 10), 10, "control: elsewhere");
}

#[test]
fn garbage_from_one_address_pushes_no_decision_out_and_each_decision_names_its_sender() {
    let guessed = Guessed::start("client_failures_per_minute = 0\naddress_failures_per_minute = 0");
    assert_eq!(garbage(&guessed, "198.51.100.1", 2_000), 2_000);
    let forged: Vec<String> = (0..50)
        .map(|_| guessed.ask(ELSEWHERE, "billing", "guess").decision_id())
        .collect();
    assert_eq!(garbage(&guessed, "2001:db8::7", 1), 1);
    let listed = || {
        serde_json::from_str::<Vec<Value>>(&guessed.server.ok(&[
            "--json",
            "decisions",
            "list",
            "--limit",
            "3000",
        ]))
    };
    let from = |sender: &str| {
        listed()
            .expect("JSON")
            .iter()
            .filter(|decision| decision["sender"] == sender)
            .count()
    };
    guessed
        .server
        .wait_until("recorded", || from("2001:db8::7") == 1);
    let kept = from("198.51.100.1");
    assert!(
        (1_000..1_500).contains(&kept),
        "500 of each of two rules at once, then 10 a second: {kept} of 2000"
    );
    assert_eq!(from(ELSEWHERE), 50, "all of them");
    assert_eq!(guessed.server.decision(&forged[0])["sender"], ELSEWHERE);
    let list = guessed.server.ok(&["decisions", "list"]);
    assert!(list.contains("FROM") && list.contains(ELSEWHERE), "{list}");

    // What a public client asks for anybody can.
    guessed
        .server
        .ok(&["client", "create", "public", "--auth", "none"]);
    for _ in 0..700 {
        let form = [("client_id", "public"), ("token", "unknown")];
        let answer = guessed
            .server
            .post("/revoke", &form, &[("X-Forwarded-For", "198.51.100.9")]);
        assert_eq!(answer.status, 200);
    }
    guessed
        .server
        .wait_until("recorded", || from("198.51.100.9") >= 500);
    let public = from("198.51.100.9");
    assert!(public < 650, "{public} of 700");
}

#[test]
fn one_party_cannot_fill_the_replay_store() {
    let server = Server::start_with("[limits]\nreplay_entries_per_issuer = 2");
    let [billing, orders] = ["billing", "orders"].map(|id| client(&server, id));
    let ask =
        |assertion: &str| server.token(&[("grant_type", JWT_BEARER), ("assertion", assertion)]);
    let used = mint(&server, &billing);
    assert_eq!(
        (ask(&used).status, ask(&mint(&server, &billing)).status),
        (200, 200)
    );
    let answer = ask(&mint(&server, &billing));
    assert_eq!(
        (answer.status, answer.error().as_str()),
        (429, "temporarily_unavailable"),
        "{answer:?}"
    );
    assert_eq!(answer.header("retry-after"), Some("61"));
    assert_eq!(
        server.decision(&answer.decision_id())["rule"],
        "replay_quota"
    );
    assert_eq!(
        ask(&used).error(),
        "invalid_grant",
        "what was used stays used"
    );
    assert_eq!(
        ask(&mint(&server, &orders)).status,
        200,
        "control: another party"
    );
}

#[test]
fn an_address_that_guesses_at_everybody_is_slowed_down() {
    let guessed = Guessed::start("address_failures_per_minute = 40");
    for count in 0..40 {
        assert_eq!(
            guessed
                .ask("2001:db8::1", &format!("guess-{count}"), "guess")
                .status,
            400,
            "{count}"
        );
    }
    let same_network = guessed.ask("2001:db8::2", "guess", "guess");
    assert_eq!(
        same_network.status, 429,
        "an IPv6 site is one address: {same_network:?}"
    );
    assert!(
        guessed.works("2001:db8:0:1::1", 0) && guessed.works(ELSEWHERE, 1),
        "control: others"
    );
}

/// golang.org/x/oauth2 tries Basic first and then the form, once in each process.
#[test]
fn a_library_that_finds_out_the_method_by_trying_is_not_slowed_down() {
    let guessed = Guessed::start("");
    let basic = basic_credentials("billing", &guessed.secrets[0]);
    for round in 0..100 {
        let headers = [
            ("X-Forwarded-For", "198.51.100.3"),
            ("Authorization", basic.as_str()),
        ];
        let first =
            guessed
                .server
                .post("/token", &[("grant_type", "client_credentials")], &headers);
        assert_eq!(
            (first.status, first.error().as_str()),
            (401, "invalid_client"),
            "{round}"
        );
        assert!(guessed.works("198.51.100.3", 0), "{round}");
    }
}

fn basic_credentials(id: &str, secret: &str) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    format!("Basic {}", STANDARD.encode(format!("{id}:{secret}")))
}

#[test]
fn limits_can_be_turned_off_and_this_machine_is_never_slowed_down() {
    let off = Guessed::start("client_failures_per_minute = 0\naddress_failures_per_minute = 0");
    assert!((0..300).all(|_| off.ask("198.51.100.4", "billing", "guess").status == 400));
    let local = Guessed::start("client_failures_per_minute = 1\naddress_failures_per_minute = 1");
    assert!((0..30).all(|_| local.ask("127.0.0.1", "billing", "guess").status == 400));
    assert!(off.works("198.51.100.4", 0) && local.works("127.0.0.1", 0));
}
