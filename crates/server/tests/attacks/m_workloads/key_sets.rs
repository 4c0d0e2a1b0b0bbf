//! What an issuer's server can do to us by what it answers, or does not: nothing to the tokens of its
//! honest workloads, and nothing to anybody else.

use std::{
    io::{self, Write as _},
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use grantor::jose::Algorithm;
use grantor_testkit::double::{
    Canary, Publisher, Raw, Reply,
    publisher::{JWKS, METADATA, OPENID, key_set},
};
use http::header;
use serde_json::{Value, json};

use super::idp::{Idp, LOCAL, command_refused};
use crate::{
    forge::{ATTACKER, Key, quote},
    oracle::Use,
    support::{Answer, Server, clock::Clock},
};

/// Between two fetches for unknown keys, and a second.
const COOLDOWN: i64 = 31;
const MINUTE: i64 = 60;
const HOUR: i64 = 3600;

/// A provider, and a server of its own that fetches its keys, by a clock that can be set.
pub struct Fetching {
    pub server: Server,
    clock: Clock,
    pub publisher: Publisher,
    /// Registered, with a trust; it signs with the key that was there at first.
    pub idp: Idp,
}

impl Fetching {
    /// With one key, which is held. `None` where there is no way to set a clock.
    pub fn start(test: &str) -> Option<Self> {
        let this = Self::cold(test)?;
        this.works("at first", &this.idp.key);
        Some(this)
    }

    /// As [`Fetching::start`], of which nothing was asked yet but at its registration.
    fn cold(test: &str) -> Option<Self> {
        let clock = match Clock::new() {
            Ok(clock) => clock,
            Err(why) => {
                let _ = writeln!(
                    io::stderr(),
                    "SKIPPED {test}: no library for the clock: {why}"
                );
                return None;
            }
        };
        let server = Server::start_under(&clock, "");
        let key = Key::generate(Algorithm::Es256);
        let publisher = Publisher::apart(&[&key]);
        let idp = Idp::published(&server, &publisher, "idp", &key, &["--replay", "reusable"]);
        idp.trust(&server, "ci", &["--pin", "tenant=42"]);
        Some(Self {
            server,
            clock,
            publisher,
            idp,
        })
    }

    /// So many seconds pass.
    pub fn pass(&mut self, seconds: i64) {
        self.idp.ahead += seconds;
        self.clock.set(self.idp.ahead);
    }

    /// A grant by this key.
    pub fn ask(&self, key: &Key) -> Answer {
        let kid = quote(key.key_id().unwrap_or_default());
        let token = self.idp.jwt().header("kid", kid).by(key).sign();
        self.server.token(&Use::Grant.form(&token))
    }

    #[track_caller]
    pub fn works(&self, row: &str, key: &Key) {
        let answer = self.ask(key);
        assert_eq!(answer.status, 200, "{row}: {answer:?}");
    }

    #[track_caller]
    pub fn refuses(&self, row: &str, key: &Key) {
        let answer = self.ask(key);
        let got = (answer.status, answer.error());
        assert_eq!(got, (400, "invalid_grant".to_owned()), "{row}: {answer:?}");
    }

    /// The keys are asked for once more, for the sake of an unknown one.
    #[track_caller]
    pub fn is_asked_again(&mut self, row: &str) {
        self.pass(COOLDOWN);
        let before = self.publisher.count();
        // A fetch that is under way is one for all.
        self.server
            .wait_until(&format!("{row}: it is fetched"), || {
                self.refuses(row, &ATTACKER);
                self.publisher.count() > before
            });
    }

    /// What is answered at this path is of no use: a new key is not known, the old one works, and it
    /// does so at once. Afterwards all is well again.
    #[track_caller]
    pub fn is_not_led_by(&mut self, row: &str, path: &str, bad: Reply, new: &Key) {
        self.publisher.publishes(&[&self.idp.key, new]);
        let good = match path {
            OPENID => Reply::json(&self.publisher.metadata()),
            _ => Reply::json(&key_set(&[&self.idp.key])),
        };
        self.publisher.says(path, bad);
        self.is_asked_again(row);
        self.works(&format!("{row}: the old key"), &self.idp.key);
        self.refuses(&format!("{row}: the new key"), new);
        self.publisher.says(path, good);
        self.publisher.publishes(&[&self.idp.key]);
    }

    /// What was refused works where the answer is right.
    #[track_caller]
    pub fn control(&mut self, row: &str, new: &Key) {
        self.publisher.publishes(&[&self.idp.key, new]);
        self.is_asked_again(row);
        self.works(&format!("{row}: control"), new);
        self.works(&format!("{row}: control"), &self.idp.key);
    }
}

#[test]
fn ta40_metadata_that_is_not_of_this_issuer_to_the_letter_leads_nowhere() {
    let Some(mut fetching) = Fetching::start("ta40") else {
        return;
    };
    let new = Key::generate(Algorithm::Es256);
    let issuer = fetching.publisher.issuer.clone();
    let good = fetching.publisher.metadata();
    let with = |member: &str, value: Value| {
        let mut document = good.clone();
        document[member] = value;
        Reply::json(&document)
    };
    let jwks = format!("{issuer}{JWKS}");
    let twice = format!(
        "{{\"issuer\":{0},\"issuer\":{0},\"jwks_uri\":{1}}}",
        quote(&issuer),
        quote(&jwks)
    );
    let long = format!(
        "{{\"issuer\":{},\"jwks_uri\":{},\"x\":\"{}\"}}",
        quote(&issuer),
        quote(&jwks),
        "x".repeat(1 << 20)
    );
    for (row, bad) in [
        ("no issuer", with("issuer", Value::Null)),
        (
            "another issuer",
            with("issuer", json!("https://other.example")),
        ),
        ("a slash", with("issuer", json!(format!("{issuer}/")))),
        ("upper case", with("issuer", json!(issuer.to_uppercase()))),
        ("a list", with("issuer", json!([issuer]))),
        ("members twice", Reply::octets(twice)),
        ("1 MiB", Reply::octets(long)),
        (
            "a page",
            Reply::octets("<!doctype html><title>Sign in</title>"),
        ),
        ("nothing", Reply::octets("")),
        ("a list of documents", Reply::json(&json!([good]))),
        (
            "in the clear",
            with("jwks_uri", json!("http://idp.example/jwks")),
        ),
        ("a file", with("jwks_uri", json!("file:///etc/passwd"))),
        (
            "a user",
            with("jwks_uri", json!(jwks.replace("//", "//me:secret@"))),
        ),
        ("no URL", with("jwks_uri", json!("/jwks"))),
        ("no jwks_uri", with("jwks_uri", Value::Null)),
        ("a number", with("jwks_uri", json!(1))),
        ("404", Reply::status(404)),
        ("500", Reply::status(500)),
        ("204", Reply::status(204)),
    ] {
        let created = fetching.server.run(&["issuer", "refresh", "idp"]);
        assert!(created.status.success(), "TA40 control: {}", created.stderr);
        fetching.is_not_led_by(&format!("TA40 {row}"), OPENID, bad.clone(), &new);
        // T004, T020: an operator is told, and nothing is stored.
        fetching.publisher.says(OPENID, bad);
        let refreshed = fetching.server.run(&["issuer", "refresh", "idp"]);
        command_refused(&format!("TA40 {row}"), &refreshed, 1, "cannot be had");
        fetching.publisher.says(OPENID, Reply::json(&good));
    }
    fetching.control("TA40", &new);
    // T004: the other place is asked where the first has a page for people.
    let third = Key::generate(Algorithm::Es256);
    fetching.publisher.says(
        OPENID,
        Reply::octets("<!doctype html><title>Sign in</title>"),
    );
    fetching.publisher.says(METADATA, Reply::json(&good));
    fetching.control("T004", &third);
}

#[test]
fn ta42_a_set_is_refused_as_a_whole_for_secrets_and_skips_what_is_odd() {
    let Some(mut fetching) = Fetching::start("ta42") else {
        return;
    };
    let new = Key::generate(Algorithm::Es256);
    let jwk = new.public_jwk(&[]);
    let with = |members: &[(&str, Value)]| new.public_jwk(members);
    let other = Key::generate(Algorithm::Es256).public_jwk(&[]);
    let private = {
        let mut private = Key::generate(Algorithm::Es256).public_jwk(&[("kid", json!("private"))]);
        private["d"] = other["x"].clone();
        private
    };
    let many: Vec<_> = (0..101)
        .map(|kid| with(&[("kid", json!(kid.to_string()))]))
        .collect();
    let refused = [
        ("a private key", json!([jwk, private])),
        (
            "a symmetric key",
            json!([jwk, {"kty": "oct", "kid": "s", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ"}]),
        ),
        ("101 keys", json!(many)),
        ("no keys", json!([])),
        ("no list", json!({"a": jwk})),
        (
            "nothing that can be used",
            json!([{"kty": "OKP", "crv": "X25519", "x": "AA", "kid": "x"}]),
        ),
    ];
    for (row, keys) in refused {
        let bad = Reply::json(&json!({"keys": keys}));
        fetching.is_not_led_by(&format!("TA42 {row}"), JWKS, bad, &new);
    }
    for (row, text) in [
        (
            "nested",
            format!("{{\"keys\":{}{}}}", "[".repeat(100), "]".repeat(100)),
        ),
        ("no JSON", "keys: []".to_owned()),
        ("members twice", format!("{{\"keys\":[],\"keys\":[{jwk}]}}")),
    ] {
        fetching.is_not_led_by(&format!("TA42 {row}"), JWKS, Reply::octets(text), &new);
    }
    let modulus = "_".repeat(1400);
    let point = json!("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE");
    let odd = [
        (
            "RSA of more than 8,192 bits",
            json!({"kty": "RSA", "kid": "big", "n": modulus, "e": "AQAB"}),
        ),
        (
            "RSA of 1,024 bits",
            json!({"kty": "RSA", "kid": "small", "n": "_".repeat(171), "e": "AQAB"}),
        ),
        (
            "off the curve",
            json!({"kty": "EC", "crv": "P-256", "kid": "off", "x": point, "y": point}),
        ),
        (
            "an unknown type",
            json!({"kty": "AKP", "kid": "pq", "alg": "ML-DSA-44", "pub": "AA"}),
        ),
        (
            "an unknown curve",
            json!({"kty": "EC", "crv": "secp256k1", "kid": "k", "x": point, "y": point}),
        ),
        (
            "a key for encryption",
            Key::generate(Algorithm::Es256).public_jwk(&[("use", json!("enc"))]),
        ),
        (
            "a kid that is a number",
            Key::generate(Algorithm::Es256).public_jwk(&[("kid", json!(7))]),
        ),
        (
            "the same kid twice",
            Key::generate(Algorithm::Es384).public_jwk(&[("kid", jwk["kid"].clone())]),
        ),
    ];
    for (row, odd) in odd {
        let row = format!("TA42 {row}");
        let old = fetching.idp.key.public_jwk(&[]);
        fetching.publisher.publishes(&[&fetching.idp.key]);
        fetching.is_asked_again(&row);
        fetching.refuses(&format!("{row}: not yet"), &new);
        fetching
            .publisher
            .says(JWKS, Reply::json(&json!({"keys": [odd, jwk, old]})));
        fetching.is_asked_again(&row);
        fetching.works(&row, &new);
        fetching.works(&row, &fetching.idp.key);
    }
}

#[test]
fn ta44_of_a_spiffe_bundle_only_keys_for_jwt_svids_with_a_name_verify() {
    let server = Server::start();
    let [svid, x509, nameless, other] = [(); 4].map(|()| Key::generate(Algorithm::Es256));
    let publisher = Publisher::apart(&[]);
    let bundle = |keys: Value| {
        Reply::json(&json!({"spiffe_sequence": 1, "spiffe_refresh_hint": 60, "keys": keys}))
    };
    let svid_jwk = svid.public_jwk(&[("use", json!("jwt-svid")), ("alg", Value::Null)]);
    let keys = json!([
        x509.public_jwk(&[("use", json!("x509-svid"))]),
        nameless.public_jwk(&[("use", json!("jwt-svid")), ("kid", Value::Null)]),
        other.public_jwk(&[("use", json!("sig"))]),
        svid_jwk,
    ]);
    publisher.says(JWKS, bundle(keys));
    let url = format!("{}{JWKS}", publisher.issuer);
    let create = [
        "issuer",
        "create",
        "spiffe://acme.example",
        "--name",
        "acme",
        "--spiffe-bundle",
        &url,
    ];
    server.ok(&[&create, &LOCAL[..], &["--replay", "reusable"]].concat());
    let idp = Idp::of(&server, "spiffe://acme.example", "acme", &svid);
    let sub = "spiffe://acme.example/ns/billing/sa/deployer";
    idp.trust(&server, "billing", &["--pin", &format!("sub={sub}")]);
    let ask = |key: &Key, kid: Option<&str>, sub: &str| {
        let jwt = idp
            .jwt()
            .without("iss")
            .without("jti")
            .text("sub", sub)
            .by(key);
        let token = match kid {
            Some(kid) => jwt.header("kid", quote(kid)).sign(),
            None => jwt.without_header("kid").sign(),
        };
        server.token(&Use::Grant.form(&token))
    };
    let kid = |key: &Key| key.key_id().expect("a kid").to_owned();
    for (row, key, named) in [
        ("a key for certificates", &x509, Some(kid(&x509))),
        (
            "a key without a name, named",
            &nameless,
            Some(kid(&nameless)),
        ),
        ("a key without a name", &nameless, None),
        ("a key for something else", &other, Some(kid(&other))),
        ("another key under the good name", &x509, Some(kid(&svid))),
    ] {
        let answer = ask(key, named.as_deref(), sub);
        assert_eq!(answer.error(), "invalid_grant", "TA44 {row}: {answer:?}");
    }
    let name = kid(&svid);
    assert_eq!(ask(&svid, Some(&name), sub).status, 200, "TA44 control");
    for wrong in [
        "spiffe://evil.example/ns/billing/sa/deployer",
        "spiffe://acme.example//ns",
        "acme.example",
    ] {
        assert_eq!(
            ask(&svid, Some(&name), wrong).error(),
            "invalid_grant",
            "T010 {wrong}"
        );
    }
    // T009: a bundle without keys has revoked them all, at once.
    publisher.says(JWKS, bundle(json!([])));
    server.ok(&["issuer", "refresh", "acme"]);
    server.wait_until("the keys are revoked", || {
        ask(&svid, Some(&name), sub).error() == "invalid_grant"
    });
}

#[test]
fn ta47_answers_without_end_or_measure_are_cut_short_and_the_held_keys_serve() {
    let Some(mut fetching) = Fetching::start("ta47") else {
        return;
    };
    let new = Key::generate(Algorithm::Es256);
    let set = key_set(&[&new]).to_string();
    let before = fetching.server.resident();
    let huge = format!("{}{set}", " ".repeat(50 << 20));
    let zipped = Reply::octets(gzip(set.as_bytes())).with_header(header::CONTENT_ENCODING, "gzip");
    let short = Raw::answers(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{set}",
        set.len() + 1000
    ));
    let cut = Raw::answers(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{set}",
        set.len() - 1
    ));
    let vast = Raw::answers(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: 9999999999999\r\n\r\n{set}"
    ));
    let led = |url: String| {
        let mut metadata = fetching.publisher.metadata();
        metadata["jwks_uri"] = json!(url);
        Reply::json(&metadata)
    };
    let rows = [
        ("endless", JWKS, Reply::Endless),
        ("an octet a second", JWKS, Reply::Trickle),
        ("50 MiB", JWKS, Reply::octets(huge)),
        ("packed", JWKS, zipped),
        ("shorter than it says", OPENID, led(short.url())),
        ("longer than it says", OPENID, led(cut.url())),
        ("a length that nobody has", OPENID, led(vast.url())),
        ("metadata without end", OPENID, Reply::Endless),
        ("metadata an octet a second", OPENID, Reply::Trickle),
        ("silence", JWKS, Reply::Hang),
    ];
    for (row, path, bad) in rows {
        let started = Instant::now();
        fetching.is_not_led_by(&format!("TA47 {row}"), path, bad, &new);
        // T054: 5 s for an answer, and one of each path.
        assert!(
            started.elapsed() < Duration::from_secs(15),
            "TA47 {row}: {:?}",
            started.elapsed()
        );
    }
    let grown = fetching.server.resident().saturating_sub(before);
    assert!(grown < 32 << 20, "TA47: {grown} octets more");
    let asked = fetching.publisher.asked(JWKS);
    let packed = asked
        .iter()
        .find(|asked| asked.headers.contains_key(header::ACCEPT_ENCODING));
    assert!(packed.is_none(), "T054: {packed:?}");
    fetching.control("TA47", &new);
}

#[test]
fn ta48_no_redirect_is_followed() {
    let Some(mut fetching) = Fetching::start("ta48") else {
        return;
    };
    let new = Key::generate(Algorithm::Es256);
    let canary = Canary::at("127.0.0.1");
    let issuer = fetching.publisher.issuer.clone();
    // Where they would lead there are good documents.
    let good = Publisher::apart(&[&fetching.idp.key, &new]);
    let mut metadata = fetching.publisher.metadata();
    metadata["jwks_uri"] = json!(format!("{}{JWKS}", good.issuer));
    fetching.publisher.says("/moved", Reply::json(&metadata));
    fetching.publisher.says(
        "/moved-keys",
        Reply::json(&key_set(&[&fetching.idp.key, &new])),
    );
    let redirect = |status, to: &str| Reply::status(status).with_header(header::LOCATION, to);
    let canary_url = canary.url("127.0.0.1");
    for status in [301, 302, 303, 307, 308] {
        for (to, path) in [
            (&*format!("{issuer}/moved-keys"), JWKS),
            (&*format!("{}{JWKS}", good.issuer), JWKS),
            (&*canary_url, JWKS),
            ("http://169.254.169.254/latest/meta-data", JWKS),
            (&*format!("{issuer}/moved"), OPENID),
            (&*canary_url, OPENID),
        ] {
            let row = format!("TA48 {status} to {to} at {path}");
            fetching.is_not_led_by(&row, path, redirect(status, to), &new);
        }
    }
    assert!(canary.saw_nothing(), "TA48: a redirect was followed");
    assert_eq!(
        (good.count(), fetching.publisher.hits("/moved")),
        (0, 0),
        "TA48"
    );
    fetching.control("TA48", &new);
}

#[test]
fn ta54_a_key_that_its_issuer_removed_works_no_longer_than_keys_are_used() {
    let Some(mut fetching) = Fetching::start("ta54") else {
        return;
    };
    let old = fetching.idp.key.clone();
    let new = Key::generate(Algorithm::Es256);
    fetching.publisher.publishes(&[&new]);
    fetching.pass(30 * MINUTE);
    fetching.works("TA54 within its life", &old);
    // T051: behind the back of callers, when three quarters of an hour have passed.
    fetching.pass(16 * MINUTE);
    let fetched = fetching.publisher.hits(JWKS);
    fetching.works("TA54 as it is asked for anew", &old);
    fetching.server.wait_until("the keys are fetched", || {
        fetching.publisher.hits(JWKS) > fetched
    });
    fetching
        .server
        .wait_until("the old key is gone", || fetching.ask(&old).status == 400);
    fetching.refuses("TA54 after a refresh", &old);
    fetching.works("TA54 control", &new);

    // T053: an outage, in which held keys serve for a day after their life.
    for path in [OPENID, JWKS] {
        fetching.publisher.says(path, Reply::status(500));
    }
    for hours in [1, 6, 12] {
        fetching.pass(hours * HOUR);
        fetching.works(&format!("TA54 in an outage, {hours} h more"), &new);
        fetching.refuses("TA54 an unknown key in an outage", &ATTACKER);
    }
    fetching.pass(7 * HOUR);
    fetching.server.wait_until("the held keys are too old", || {
        fetching.ask(&new).status == 503
    });
    let answer = fetching.ask(&new);
    assert_eq!(
        answer.error(),
        "temporarily_unavailable",
        "T058: {answer:?}"
    );
    assert!(answer.header("Retry-After").is_some(), "T058: {answer:?}");
    fetching
        .publisher
        .says(OPENID, Reply::json(&fetching.publisher.metadata()));
    fetching.publisher.publishes(&[&new]);
    fetching.pass(6 * MINUTE);
    fetching.works("T058 when they can be had again", &new);
}

#[test]
fn t050_many_first_requests_are_one_fetch() {
    let Some(fetching) = Fetching::cold("t050") else {
        return;
    };
    let asked = || {
        (
            fetching.publisher.hits(OPENID),
            fetching.publisher.hits(JWKS),
        )
    };
    let before = asked();
    let slow = Duration::from_millis(300);
    let set = Reply::json(&key_set(&[&fetching.idp.key]));
    fetching.publisher.says(JWKS, set.late(slow));
    thread::scope(|scope| {
        let asking: Vec<_> = (0..64)
            .map(|_| scope.spawn(|| fetching.ask(&fetching.idp.key).status))
            .collect();
        for answer in asking {
            assert_eq!(answer.join().expect("an answer"), 200);
        }
    });
    assert_eq!(asked(), (before.0 + 1, before.1 + 1), "T050");
}

#[test]
fn t051_a_server_says_how_long_its_keys_are_used_within_a_minute_and_a_day() {
    let Some(mut fetching) = Fetching::start("t051") else {
        return;
    };
    let key = fetching.idp.key.clone();
    for (row, says, within, after) in [
        ("an hour, if nothing is said", None, 44 * MINUTE, 2 * MINUTE),
        ("as it says", Some("max-age=600"), 440, 30),
        ("a minute at least", Some("max-age=0"), 44, 5),
        ("a minute, if not to be stored", Some("no-store"), 44, 5),
        (
            "a day at most",
            Some("max-age=31536000"),
            17 * HOUR,
            2 * HOUR,
        ),
    ] {
        let set = Reply::json(&key_set(&[&key]));
        let set = match says {
            Some(says) => set.with_header(header::CACHE_CONTROL, says),
            None => set,
        };
        fetching.publisher.says(JWKS, set);
        fetching.is_asked_again(row);
        let asked = fetching.publisher.hits(JWKS);
        fetching.pass(within);
        fetching.works(row, &key);
        assert_eq!(
            fetching.publisher.hits(JWKS),
            asked,
            "T051 {row}: too early"
        );
        fetching.pass(after);
        fetching.works(row, &key);
        fetching
            .server
            .wait_until(row, || fetching.publisher.hits(JWKS) > asked);
    }
}

#[test]
fn t052_unknown_keys_are_one_fetch_in_half_a_minute_whatever_it_brings() {
    let Some(mut fetching) = Fetching::start("t052") else {
        return;
    };
    let key = fetching.idp.key.clone();
    let replies = [
        ("the same set", Reply::json(&key_set(&[&key]))),
        ("an empty set", Reply::json(&json!({"keys": []}))),
        ("500", Reply::status(500)),
        ("no JSON", Reply::octets("x")),
    ];
    for (row, reply) in replies {
        fetching.publisher.says(JWKS, reply);
        fetching.is_asked_again(row);
        let asked = fetching.publisher.count();
        for _ in 0..20 {
            fetching.refuses(row, &Key::generate(Algorithm::Es256));
            fetching.works(row, &key);
        }
        assert_eq!(fetching.publisher.count(), asked, "T052 {row}");
    }
    // A known key does not wait for the fetch that an unknown one has caused.
    fetching.publisher.says(JWKS, Reply::Hang);
    fetching.pass(COOLDOWN);
    let asked = fetching.publisher.hits(JWKS);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| fetching.ask(&ATTACKER).status);
        fetching
            .server
            .wait_until("it is fetched", || fetching.publisher.hits(JWKS) > asked);
        let started = Instant::now();
        fetching.works("T052 beside a fetch", &key);
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "T052: {:?}",
            started.elapsed()
        );
        assert_eq!(waiting.join().expect("an answer"), 400, "T052");
    });
}

#[test]
fn t058_a_cold_start_in_an_outage_asks_to_come_back() {
    let Some(mut fetching) = Fetching::cold("t058") else {
        return;
    };
    let key: Arc<Key> = fetching.idp.key.clone();
    for path in [OPENID, JWKS] {
        fetching.publisher.says(path, Reply::status(503));
    }
    let answer = fetching.ask(&key);
    assert_eq!(
        (answer.status, &*answer.error()),
        (503, "temporarily_unavailable"),
        "T058: {answer:?}"
    );
    let wait = answer
        .header("Retry-After")
        .and_then(|wait| wait.parse::<u64>().ok());
    assert!(
        wait.is_some_and(|wait| (1..=300).contains(&wait)),
        "T058: {answer:?}"
    );
    // No key that somebody else signs with is told from the right one.
    let forged = fetching.ask(&ATTACKER);
    assert_eq!(
        (forged.status, forged.error()),
        (answer.status, answer.error()),
        "T058"
    );
    fetching
        .publisher
        .says(OPENID, Reply::json(&fetching.publisher.metadata()));
    fetching.publisher.publishes(&[&key]);
    fetching.pass(6);
    fetching.works("T058 again", &key);
}

#[test]
fn t059_an_issuer_that_does_not_answer_delays_nobody_elses_requests() {
    let Some(fetching) = Fetching::cold("t059") else {
        return;
    };
    fetching.publisher.says(OPENID, Reply::Hang);
    let other = Idp::uploaded(
        &fetching.server,
        "other",
        &Key::generate(Algorithm::Es256),
        &[],
    );
    other.trust(&fetching.server, "other", &["--pin", "tenant=42"]);
    let started = Instant::now();
    thread::scope(|scope| {
        let waiting: Vec<_> = (0..20)
            .map(|_| scope.spawn(|| fetching.ask(&fetching.idp.key).status))
            .collect();
        fetching
            .server
            .wait_until("it is asked", || fetching.publisher.hits(OPENID) > 1);
        let mut times: Vec<_> = (0..50)
            .map(|_| {
                let started = Instant::now();
                let token = other.jwt().sign();
                let answer = fetching.server.token(&Use::Grant.form(&token));
                assert_eq!(answer.status, 200, "T059: {answer:?}");
                started.elapsed()
            })
            .collect();
        times.sort();
        assert!(
            started.elapsed() < Duration::from_secs(5),
            "T059: the others still wait"
        );
        assert!(times[25] < Duration::from_secs(1), "T059: {times:?}");
        for answer in waiting {
            assert_eq!(answer.join().expect("an answer"), 503, "T059");
        }
    });
}

#[test]
fn t005_another_place_of_the_keys_is_followed_and_told() {
    let Some(mut fetching) = Fetching::start("t005") else {
        return;
    };
    let new = Key::generate(Algorithm::Es256);
    let elsewhere = Publisher::apart(&[&new]);
    let mut metadata = fetching.publisher.metadata();
    metadata["jwks_uri"] = json!(format!("{}{JWKS}", elsewhere.issuer));
    fetching.publisher.says(OPENID, Reply::json(&metadata));
    fetching.is_asked_again("T005");
    fetching.works("T005", &new);
    let log = fetching.server.log();
    let told = log
        .iter()
        .find(|line| line["level"] == "WARN" && line.to_string().contains(&elsewhere.issuer));
    assert!(told.is_some(), "T005: {log:?}");
}

#[test]
fn t007_the_bearer_token_of_a_fetch_goes_to_the_issuers_own_server_only() {
    let server = Server::start();
    let key = Key::generate(Algorithm::Es256);
    let (publisher, elsewhere) = (Publisher::apart(&[&key]), Publisher::apart(&[&key]));
    let mut metadata = publisher.metadata();
    metadata["jwks_uri"] = json!(format!("{}{JWKS}", elsewhere.issuer));
    publisher.says(OPENID, Reply::json(&metadata));
    let path = server.directory().join("token");
    std::fs::write(&path, "first-secret\n").expect("a file");
    let path = path.to_string_lossy().into_owned();
    let idp = Idp::published(
        &server,
        &publisher,
        "idp",
        &key,
        &["--bearer-token-file", &path],
    );
    idp.trust(&server, "ci", &["--pin", "tenant=42"]);
    std::fs::write(&path, "second-secret").expect("a file");
    assert_eq!(
        server.token(&Use::Grant.form(&idp.jwt().sign())).status,
        200
    );
    let sent: Vec<_> = publisher
        .asked(OPENID)
        .iter()
        .map(|asked| asked.authorization().map(str::to_owned))
        .collect();
    assert_eq!(
        sent.first().cloned().flatten().as_deref(),
        Some("Bearer first-secret"),
        "T007"
    );
    assert_eq!(
        sent.last().cloned().flatten().as_deref(),
        Some("Bearer second-secret"),
        "T007"
    );
    let foreign = elsewhere.asked(JWKS);
    assert!(
        !foreign.is_empty() && foreign.iter().all(|asked| asked.authorization().is_none()),
        "T007"
    );
}

/// A gzip file with this content, which is not made smaller (RFC 1952, RFC 1951 §3.2.4).
fn gzip(content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).expect("a short text");
    let crc = !content.iter().fold(!0_u32, |crc, octet| {
        (0..8).fold(crc ^ u32::from(*octet), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 * (crc & 1))
        })
    });
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1];
    let block = [length.to_le_bytes(), (!length).to_le_bytes()].concat();
    let tail = [crc.to_le_bytes(), u32::from(length).to_le_bytes()].concat();
    [&head[..], &block, content, &tail].concat()
}
