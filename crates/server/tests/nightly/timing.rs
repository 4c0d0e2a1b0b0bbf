//! I01, I02: whoever guesses at clients, secrets and keys is answered the same, after the same
//! time, whatever of it exists.
//!
//! Median times over one connection, the cases in changing order. What counts as noise is taken
//! from the same run: three times what the medians of two halves of one case differ by, 30
//! microseconds, and a tenth of the time itself, because a busy machine is never quieter than that.
//! Of five runs one must stay below; a real difference is in each: before it was levelled, an
//! unknown client was told from a known one by a third of the time.
#![allow(
    clippy::print_stdout,
    reason = "the measured times are worth reading: --nocapture"
)]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    path::Path,
    thread,
    time::{Duration, Instant},
};

use crate::support::{Answer, CLIENT_ASSERTION, JWT_BEARER, Server, escape};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use grantor::jose::{Algorithm, PrivateJwk, SigningKey};
use serde_json::Value;

const WARM_UP: usize = 20;
const FLOOR: Duration = Duration::from_micros(30);

/// Requests that nobody may be able to tell from those of other cases.
struct Case {
    name: &'static str,
    request: Box<dyn Fn(usize) -> Request>,
}

/// The Authorization header, if any, and the form.
struct Request(Option<String>, Vec<(&'static str, String)>);

fn case(name: &'static str, request: impl Fn(usize) -> Request + 'static) -> Case {
    Case {
        name,
        request: Box::new(request),
    }
}

/// One connection, kept alive.
struct Connection(TcpStream);

impl Connection {
    fn open(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).expect("the server accepts");
        stream.set_nodelay(true).expect("a socket");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        Self(stream)
    }

    /// The answer, and how long it took to come.
    fn ask(&mut self, Request(authorization, form): &Request) -> (Answer, Duration) {
        let body: Vec<_> = form
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        let body = body.join("&");
        let authorization = authorization
            .as_ref()
            .map(|value| format!("Authorization: {value}\r\n"))
            .unwrap_or_default();
        let head =
            "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: application/x-www-form-urlencoded";
        let request = format!(
            "{head}\r\n{authorization}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let (mut octets, mut answer) = ([0; 4096], String::new());
        let sent = Instant::now();
        self.0.write_all(request.as_bytes()).expect("sent");
        while !is_whole(&answer) {
            let length = self.0.read(&mut octets).expect("an answer");
            assert!(length > 0, "the connection was closed");
            answer += &String::from_utf8_lossy(&octets[..length]);
        }
        let took = sent.elapsed();
        let (head, body) = answer.split_once("\r\n\r\n").expect("it is whole");
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .expect("a status");
        let headers = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "));
        let headers = headers
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        (
            Answer {
                status,
                headers,
                body: body.to_owned(),
            },
            took,
        )
    }
}

fn is_whole(answer: &str) -> bool {
    let Some((head, body)) = answer.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        line.to_ascii_lowercase()
            .strip_prefix("content-length: ")?
            .parse()
            .ok()
    });
    length.is_some_and(|length: usize| body.len() >= length)
}

/// How requests follow each other.
#[derive(Clone, Copy)]
struct Pace {
    /// Requests of each case in one run.
    samples: usize,
    pause: Duration,
}

const AT_ONCE: Pace = Pace {
    samples: 400,
    pause: Duration::ZERO,
};
/// What a server does at most a hundred times a second, it does each time now.
const SLOWLY: Pace = Pace {
    samples: 300,
    pause: Duration::from_millis(11),
};

/// All cases are refused with the same status, headers and body, and none of them faster or slower
/// than another.
fn cannot_be_told_apart(server: &Server, what: &str, status: u16, pace: Pace, cases: &[Case]) {
    let mut connection = Connection::open(server);
    let mut report = String::new();
    for run in 0..5 {
        let times = measure(&mut connection, status, pace, cases, run);
        let medians: Vec<_> = times
            .iter()
            .map(|times| median(times.iter().copied()))
            .collect();
        let noise = times.iter().map(|times| {
            let half = |parity| median(times.iter().copied().skip(parity).step_by(2));
            half(0).abs_diff(half(1))
        });
        let fastest = medians.iter().min().copied().unwrap_or_default();
        let bound = noise.max().unwrap_or_default() * 3 + FLOOR + fastest / 10;
        let difference = medians.iter().max().copied().unwrap_or_default() - fastest;
        report += &format!("{what}, run {run}: difference {difference:?}, bound {bound:?}\n");
        for (case, median) in cases.iter().zip(&medians) {
            report += &format!("  {median:>12?}  {}\n", case.name);
        }
        if difference <= bound {
            println!("{report}");
            return;
        }
    }
    assert!(report.is_empty(), "{report}");
}

#[expect(
    clippy::disallowed_methods,
    reason = "the pace of the requests is part of what is measured"
)]
fn measure(
    connection: &mut Connection,
    status: u16,
    pace: Pace,
    cases: &[Case],
    run: usize,
) -> Vec<Vec<Duration>> {
    let mut times = vec![Vec::with_capacity(pace.samples); cases.len()];
    let mut face = None;
    for round in 0..WARM_UP + pace.samples {
        for at in shuffled(cases.len(), run * 10_000 + round) {
            thread::sleep(pace.pause);
            let (answer, took) = connection.ask(&(cases[at].request)(run * 10_000 + round));
            let seen = public_face(&answer);
            assert_eq!(answer.status, status, "{}: {answer:?}", cases[at].name);
            assert_eq!(
                *face.get_or_insert_with(|| seen.clone()),
                seen,
                "{}",
                cases[at].name
            );
            if round >= WARM_UP {
                times[at].push(took);
            }
        }
    }
    times
}

/// What an answer says, but for the decision id and the time.
fn public_face(answer: &Answer) -> (Vec<(String, String)>, String) {
    let id = answer.decision_id();
    let headers = answer
        .headers
        .iter()
        .filter(|(name, _)| !name.eq_ignore_ascii_case("date"));
    let headers = headers.map(|(name, value)| (name.clone(), value.replace(&id, "ID")));
    (headers.collect(), answer.body.replace(&id, "ID"))
}

/// Another order each time, so that no case always comes after the same other.
fn shuffled(count: usize, seed: usize) -> Vec<usize> {
    let mut order: Vec<_> = (0..count).collect();
    let mut state = (seed as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    for at in (1..count).rev() {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        order.swap(at, (state >> 33) as usize % (at + 1));
    }
    order
}

fn median(times: impl Iterator<Item = Duration>) -> Duration {
    let mut times: Vec<_> = times.collect();
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}

fn key_file(path: &Path) -> Value {
    serde_json::from_slice(&fs::read(path).expect("a key file")).expect("JSON")
}

#[test]
#[ignore = "statistics of microseconds: .ci/nightly, on a quiet machine"]
fn an_unknown_client_takes_as_long_as_a_wrong_secret() {
    let server = Server::start();
    let file = key_file(&server.client("known", &["--auth", "client_secret_basic"]));
    let secret = file["client_secret"].as_str().expect("a secret").to_owned();
    server.client("other", &["--auth", "client_secret_post"]);
    server.client("keyed", &["--generate-key"]);
    let request = |id: &str, secret: &str| {
        let credentials = STANDARD.encode(format!("{id}:{secret}"));
        Request(
            Some(format!("Basic {credentials}")),
            vec![("grant_type", "client_credentials".to_owned())],
        )
    };
    let (granted, _) = Connection::open(&server).ask(&request("known", &secret));
    assert_eq!(granted.status, 200, "control");
    let wrong = "x".repeat(64);
    let half = format!("{}{}", &secret[..32], "x".repeat(32));
    let all_but_one = format!(
        "{}{}",
        &secret[..63],
        if secret.ends_with('x') { "y" } else { "x" }
    );
    let of = |id: &'static str, secret: &str| {
        let secret = secret.to_owned();
        move |_| request(id, &secret)
    };
    let cases = [
        case("unknown client, always another", move |count| {
            request(&format!("u{count:04}"), &"x".repeat(64))
        }),
        case("unknown client, always the same", of("nobdy", &wrong)),
        case("known client, wrong secret", of("known", &wrong)),
        case("known client, half of the secret right", of("known", &half)),
        case(
            "known client, one character wrong",
            of("known", &all_but_one),
        ),
        case("known client, another method", of("other", &wrong)),
        case("known client, a key", of("keyed", &wrong)),
    ];
    cannot_be_told_apart(&server, "client_secret_basic", 401, AT_ONCE, &cases);
    cannot_be_told_apart(
        &server,
        "client_secret_basic, slowly",
        401,
        SLOWLY,
        &cases[1..3],
    );
}

/// Neither a long secret nor the number of a client's secrets shows: a secret is digested once,
/// whoever is meant, and not at all if it is longer than any.
#[test]
#[ignore = "statistics of microseconds: .ci/nightly, on a quiet machine"]
fn a_long_secret_and_many_secrets_take_as_long_as_an_unknown_client() {
    let server = Server::start();
    let known = |id: &str, rotations| {
        server.client(id, &["--auth", "client_secret_post"]);
        for number in 0..rotations {
            server.ok(&[
                "client",
                "rotate-secret",
                id,
                "--overlap",
                "1d",
                "--out",
                &format!("{id}-{number}.json"),
            ]);
        }
    };
    known("one", 0);
    known("four", 3);
    let request = |id: &str, secret: &str| {
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", id),
            ("client_secret", secret),
        ];
        Request(
            None,
            form.map(|(name, value)| (name, value.to_owned())).into(),
        )
    };
    for (what, octets) in [("as long as ours", 64), ("60 KB", 60_000)] {
        let secret = "x".repeat(octets);
        let of = |id: &'static str| {
            let secret = secret.clone();
            case(id, move |_| request(id, &secret))
        };
        cannot_be_told_apart(
            &server,
            what,
            400,
            AT_ONCE,
            &[of("none"), of("one"), of("four")],
        );
    }
}

/// The MAC of a long assertion takes long: as long for nobody as for a client with one secret or
/// four.
#[test]
#[ignore = "statistics of microseconds: .ci/nightly, on a quiet machine"]
fn a_long_assertion_with_a_mac_takes_as_long_for_nobody() {
    let server = Server::start();
    for id in ["one", "four"] {
        server.client(id, &["--auth", "client_secret_jwt"]);
    }
    for number in 0..3 {
        server.ok(&[
            "client",
            "rotate-secret",
            "four",
            "--overlap",
            "1d",
            "--out",
            &format!("four-{number}.json"),
        ]);
    }
    let key = SigningKey::from_secret(&[7; 64], Algorithm::Hs256).expect("a secret");
    let of = |id: &'static str| {
        let claims = serde_json::json!({"iss": id, "sub": id, "aud": server.issuer, "jti": "x", "exp": 4_000_000_000_u64, "pad": "x".repeat(11_000)});
        let assertion =
            grantor::jose::sign(&key, None, claims.to_string().as_bytes()).expect("an assertion");
        case(id, move |_| form("private_key_jwt", &assertion))
    };
    cannot_be_told_apart(
        &server,
        "client_secret_jwt",
        400,
        AT_ONCE,
        &[of("none"), of("one"), of("four")],
    );
}

/// A key as it is, or under the `kid` of another.
fn signing_key(json: &Value, key_id: Option<&str>) -> SigningKey {
    let mut jwk = json.clone();
    if let Some(key_id) = key_id {
        jwk["kid"] = key_id.into();
    }
    PrivateJwk::parse(jwk.to_string().as_bytes(), None)
        .and_then(|jwk| jwk.signing_key())
        .expect("a key")
}

fn assertion(server: &Server, issuer: &str, key: &SigningKey) -> String {
    crate::support::assertion(
        &server.issuer,
        issuer,
        issuer,
        key,
        Duration::from_secs(600),
    )
}

fn form(use_: &str, assertion: &str) -> Request {
    let parameters = match use_ {
        "private_key_jwt" => vec![
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", assertion),
        ],
        _ => vec![("grant_type", JWT_BEARER), ("assertion", assertion)],
    };
    Request(
        None,
        parameters
            .into_iter()
            .map(|(name, value)| (name, value.to_owned()))
            .collect(),
    )
}

fn assertions_cannot_be_told_apart(use_: &'static str) {
    let server = Server::start();
    for algorithm in [Algorithm::Es256, Algorithm::Rs256] {
        let known = ["a", "b"].map(|id| format!("{id}-{}", algorithm.name()));
        let [known, disabled] = known.each_ref().map(String::as_str);
        let genuine =
            key_file(&server.client(known, &["--generate-key", algorithm.name()]))["private_key"]
                .clone();
        let other = key_file(&server.client(disabled, &["--generate-key", algorithm.name()]))["private_key"].clone();
        server.client(
            &format!("c-{}", algorithm.name()),
            &["--generate-key", "ES384"],
        );
        server.ok(&["client", "disable", disabled]);
        let attempt = |key: &SigningKey| {
            Connection::open(&server)
                .ask(&form(use_, &assertion(&server, known, key)))
                .0
                .status
        };
        server.wait_until("the client is known", || {
            attempt(&signing_key(&genuine, None)) == 200
        });

        let attacker = PrivateJwk::generate(algorithm).expect("a key");
        let attacker: Value = serde_json::from_str(attacker.expose_json()).expect("JSON");
        let key_id = |jwk: &Value| jwk["kid"].as_str().expect("a kid").to_owned();
        let stranger = signing_key(&attacker, None);
        let impostor = signing_key(&attacker, Some(&key_id(&genuine)));
        let of_disabled = signing_key(&attacker, Some(&key_id(&other)));
        let strangers: Vec<_> = (0..64)
            .map(|count| assertion(&server, &format!("u-{count:05}"), &stranger))
            .collect();
        let always = |assertion: String| move |_| form(use_, &assertion);
        let cases = [
            case("unknown issuer, always another", move |count| {
                form(use_, &strangers[count % strangers.len()])
            }),
            case(
                "unknown issuer, always the same",
                always(assertion(&server, "u-ES256", &stranger)),
            ),
            case(
                "known issuer, forged signature",
                always(assertion(&server, known, &impostor)),
            ),
            case(
                "known issuer, unknown kid",
                always(assertion(&server, known, &stranger)),
            ),
            case(
                "known issuer, disabled",
                always(assertion(&server, disabled, &of_disabled)),
            ),
            case(
                "known issuer, another algorithm",
                always(assertion(&server, &known.replace('a', "c"), &stranger)),
            ),
        ];
        cannot_be_told_apart(
            &server,
            &format!("{use_} {}", algorithm.name()),
            400,
            AT_ONCE,
            &cases,
        );
    }
}

#[test]
#[ignore = "statistics of microseconds: .ci/nightly, on a quiet machine"]
fn an_unknown_client_takes_as_long_as_a_forged_client_assertion() {
    assertions_cannot_be_told_apart("private_key_jwt");
}

#[test]
#[ignore = "statistics of microseconds: .ci/nightly, on a quiet machine"]
fn an_unknown_issuer_takes_as_long_as_a_forged_grant_assertion() {
    assertions_cannot_be_told_apart("jwt-bearer");
}
