//! What a scrape tells, where, and what it must never tell.

use std::{
    collections::BTreeMap,
    fs,
    io::Write as _,
    net::{SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use crate::support::{
    Answer, JWT_BEARER, Server, assertion, held_address, read_answer, signing_key,
};
use grantor::jose::SigningKey;
use grantor_testkit::binary::database::is_postgres;
use serde_json::Value;

/// A server that serves metrics too.
struct Observed {
    server: Server,
    metrics: SocketAddr,
}

impl Observed {
    fn start() -> Self {
        let metrics = held_address();
        Self {
            server: Server::start_with(&format!("[metrics]\nlisten = \"{metrics}\"")),
            metrics,
        }
    }

    fn get(&self, path: &str) -> Answer {
        let mut stream = TcpStream::connect(self.metrics).expect("the metrics listener accepts");
        stream
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: metrics\r\n\r\n").expect("sent");
        read_answer(&mut stream)
    }

    fn scrape(&self) -> Samples {
        let answer = self.get("/metrics");
        assert_eq!(answer.status, 200, "{answer:?}");
        parse(&answer.body)
    }

    /// The key of a new client, once the server knows it. Only introspections are counted
    /// meanwhile.
    fn client(&self, id: &str) -> SigningKey {
        let key = signing_key(&self.server.client(id, &["--generate-key"]));
        self.server.wait_until("the client is known", || {
            let answer = self.server.post(
                "/introspect",
                &[("token", "x"), ("client_id", id), ("client_secret", "x")],
                &[],
            );
            let cause = self.server.decision(&answer.decision_id())["cause"].to_string();
            !cause.contains("is not registered\"")
        });
        key
    }

    /// A grant by the client `billing`.
    fn granted(&self, key: &SigningKey) {
        let (_, answer) = self.grant("billing", &self.server.issuer, key);
        assert_eq!(
            answer.status,
            200,
            "{}",
            self.server.decision(&answer.decision_id())
        );
    }

    fn grant(&self, client: &str, audience: &str, key: &SigningKey) -> (String, Answer) {
        let assertion = assertion(audience, client, client, key, Duration::from_secs(60));
        let answer = self
            .server
            .token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)]);
        (assertion, answer)
    }
}

/// Values by series, as written.
type Samples = BTreeMap<String, f64>;

/// Reads OpenMetrics text, failing on any line that is not of it.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with("# EOF\n"), "{text}");
    let mut families: Vec<&str> = Vec::new();
    let mut samples = Samples::new();
    for line in text.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            let words: Vec<&str> = comment.splitn(3, ' ').collect();
            let is_comment = match words[..] {
                ["EOF"] => true,
                ["HELP" | "UNIT", name, _] => is_name(name),
                ["TYPE", name, "counter" | "gauge" | "histogram" | "info"] => {
                    is_name(name) && !families.contains(&name)
                }
                _ => false,
            };
            assert!(is_comment, "{line}");
            families.extend((words[0] == "TYPE").then(|| words[1]));
            continue;
        }
        let (series, value) = line.rsplit_once(' ').expect(line);
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let suffix = families
            .last()
            .and_then(|family| name.strip_prefix(family))
            .expect(line);
        assert!(
            ["", "_total", "_info", "_sum", "_count", "_bucket"].contains(&suffix),
            "{line}"
        );
        let labels = labels.strip_suffix('}').expect(line);
        for label in labels.split(',').filter(|label| !label.is_empty()) {
            let (name, value) = label.split_once('=').expect(line);
            assert!(is_name(name), "{line}");
            let value = value
                .strip_prefix('"')
                .and_then(|value| value.strip_suffix('"'))
                .expect(line);
            assert!(!value.contains(['"', '\\', '\n']), "{line}");
        }
        assert!(
            samples
                .insert(series.to_owned(), value.parse().expect(line))
                .is_none(),
            "twice: {line}"
        );
    }
    samples
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

fn decisions(outcome: &str, error: &str, rule: &str) -> String {
    format!(
        r#"grantor_decisions_total{{endpoint="token",outcome="{outcome}",error="{error}",rule="{rule}"}}"#
    )
}

#[test]
fn counters_move_by_outcome_and_rule() {
    let observed = Observed::start();
    let key = observed.client("billing");
    assert_eq!(observed.scrape().get(&decisions("granted", "", "")), None);
    for expected in 1..=3 {
        observed.granted(&key);
        assert_eq!(
            observed.scrape()[&decisions("granted", "", "")],
            f64::from(expected)
        );
    }
    let (assertion, answer) = observed.grant("billing", "https://elsewhere.example", &key);
    assert_eq!(answer.error(), "invalid_grant");
    assert_eq!(
        observed
            .grant("nobody", &observed.server.issuer, &key)
            .1
            .error(),
        "invalid_grant"
    );
    assert_eq!(
        observed.server.token(&[("assertion", &assertion)]).error(),
        "invalid_request"
    );
    let samples = observed.scrape();
    for (error, rule) in [
        ("invalid_grant", "aud"),
        ("invalid_grant", "issuer"),
        ("invalid_request", "form"),
    ] {
        assert_eq!(samples[&decisions("refused", error, rule)], 1.0, "{rule}");
    }
    assert_eq!(samples[&decisions("granted", "", "")], 3.0);
}

#[test]
fn every_answer_is_counted_and_timed() {
    let observed = Observed::start();
    observed.server.token(&[]);
    for path in [
        "/jwks",
        "/jwks",
        "/health/live",
        "/wp-login.php",
        "/another-guess",
    ] {
        observed.server.send("GET", path, &[], b"");
    }
    observed.server.send("GET", "/token", &[], b"");
    let samples = observed.scrape();
    for (endpoint, status, count) in [
        ("token", 400, 1.0),
        ("token", 405, 1.0),
        ("jwks", 200, 2.0),
        ("health", 200, 1.0),
        ("unknown", 404, 2.0),
    ] {
        let series =
            format!(r#"grantor_http_answers_total{{endpoint="{endpoint}",status="{status}"}}"#);
        assert_eq!(samples.get(&series), Some(&count), "{series}");
    }
    let latency = |rest: &str| samples[&format!("grantor_http_request_duration_seconds_{rest}")];
    assert_eq!(latency(r#"count{endpoint="token"}"#), 2.0);
    assert!(latency(r#"sum{endpoint="token"}"#) > 0.0);
    let bounds = [
        "0.00025", "0.0005", "0.001", "0.0025", "0.005", "0.01", "0.025", "0.05", "0.1", "0.25",
        "0.5", "1.0", "+Inf",
    ];
    let buckets =
        bounds.map(|bound| latency(&format!(r#"bucket{{le="{bound}",endpoint="token"}}"#)));
    assert!(
        buckets.is_sorted() && buckets.last() == Some(&2.0),
        "{buckets:?}"
    );
}

/// The series that tells of claims: those in memory, or those that PostgreSQL was sent.
fn claims() -> &'static str {
    match is_postgres() {
        true => "grantor_replay_claims_total",
        false => "grantor_replay_entries",
    }
}

#[test]
fn gauges_tell_of_replay_entries_and_keys() {
    let observed = Observed::start();
    let key = observed.client("billing");
    for _ in 0..2 {
        observed.granted(&key);
    }
    observed.server.ok(&["key", "rotate"]);
    let samples = observed.scrape();
    assert_eq!(samples[claims()], 2.0);
    assert_eq!(samples["grantor_decisions_dropped_total"], 0.0);
    assert_eq!(
        samples[concat!(
            "grantor_build_info{version=\"",
            env!("CARGO_PKG_VERSION"),
            "\"}"
        )],
        1.0
    );
    for (state, count) in [("upcoming", 1.0), ("signing", 1.0), ("previous", 0.0)] {
        assert_eq!(
            samples[&format!(r#"grantor_signing_keys{{state="{state}"}}"#)],
            count,
            "{state}"
        );
    }
    let ages: Vec<_> = samples
        .iter()
        .filter(|(series, _)| series.starts_with("grantor_signing_key_age_seconds{"))
        .collect();
    assert_eq!(ages.len(), 2, "{ages:?}");
    assert!(
        ages.iter().all(|(_, age)| (0.0..60.0).contains(*age)),
        "{ages:?}"
    );

    // Keys are read at most every ten seconds, what is counted is of this moment.
    observed.granted(&key);
    observed.server.ok(&["key", "rotate", "--ahead", "0s"]);
    let samples = observed.scrape();
    assert_eq!(
        (samples[claims()], samples[&decisions("granted", "", "")]),
        (3.0, 3.0)
    );
    assert_eq!(samples[r#"grantor_signing_keys{state="previous"}"#], 0.0);
}

#[test]
fn a_scrape_never_tells_who_or_what() {
    let observed = Observed::start();
    let server = &observed.server;
    let key = observed.client("billing-department");
    let created = server.ok(&[
        "client",
        "create",
        "shop-client",
        "--auth",
        "client_secret_basic",
        "--json",
    ]);
    let created: Value = serde_json::from_str(&created).unwrap_or(Value::String(created));
    let (assertion, answer) = observed.grant("billing-department", &server.issuer, &key);
    let token = answer.json()["access_token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let (stranger, _) = observed.grant("stranger-in-the-night", &server.issuer, &key);
    server.post(
        "/introspect",
        &[
            ("token", &token),
            ("client_id", "shop-client"),
            ("client_secret", "guess-of-a-secret"),
        ],
        &[],
    );
    server.post(&format!("/{token}"), &[], &[]);
    let text = observed.get("/metrics").body;
    parse(&text);
    let secret = created["client_secret"]
        .as_str()
        .unwrap_or("no secret was shown");
    for hidden in [
        &assertion, &stranger, &token, secret, "billing", "shop", "stranger", "guess-of", "eyJ",
    ] {
        assert!(!text.contains(hidden), "{hidden:?} in {text}");
    }
}

#[test]
fn metrics_have_a_listener_of_their_own() {
    let observed = Observed::start();
    assert_eq!(
        observed.server.send("GET", "/metrics", &[], b"").status,
        404
    );
    assert_eq!(
        observed
            .get("/metrics")
            .header("Content-Type")
            .map(|value| value.starts_with("application/openmetrics-text")),
        Some(true)
    );
    for path in ["/", "/token", "/jwks", "/metrics/", "/health/live"] {
        assert_eq!(observed.get(path).status, 404, "{path}");
    }
}

#[test]
fn metrics_are_off_by_default_and_stay_at_home() {
    let server = Server::start();
    assert!(
        !server.log().iter().any(|line| line["message"] == "metrics"),
        "{:?}",
        server.log()
    );
    fs::write(
        server.data().join("grantor.toml"),
        "[metrics]\nlisten = \"0.0.0.0:9464\"",
    )
    .expect("a configuration");
    let refused = server.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("metrics.listen") && refused.stderr.contains("allow_remote"),
        "{}",
        refused.stderr
    );
}

#[test]
fn slow_and_many_scrapers_hold_up_nobody() {
    let observed = Observed::start();
    let idle: Vec<_> = (0..15)
        .map(|_| TcpStream::connect(observed.metrics).expect("accepted"))
        .collect();
    let started = Instant::now();
    for _ in 0..50 {
        observed.scrape();
    }
    assert!(
        started.elapsed() < Duration::from_secs(5),
        "{:?}",
        started.elapsed()
    );
    assert_eq!(
        observed.server.send("GET", "/health/live", &[], b"").status,
        200
    );
    drop(idle);
}

#[cfg(not(feature = "otel"))]
#[test]
fn traces_that_could_not_be_sent_are_refused() {
    let server = Server::start();
    fs::write(
        server.data().join("grantor.toml"),
        "[otel]\nendpoint = \"http://127.0.0.1:4318\"",
    )
    .expect("a configuration");
    let refused = server.run(&["serve"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(
        refused.stderr.contains("'otel.endpoint'") && refused.stderr.contains("cargo feature otel"),
        "{}",
        refused.stderr
    );
}
