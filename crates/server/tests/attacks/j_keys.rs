//! J. Keys: what may be registered, which key is chosen, and what a storm of unknown ones costs.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpStream,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

use grantor::jose::{Algorithm, base64url_encode};
use num_bigint::BigUint;
use serde_json::{Value, json};

use crate::{
    forge::{ATTACKER, Jwt, Key, quote},
    oracle::{Because, Party, Use, fresh, register, world},
    support::{Finished, Server, escape},
};

const NO_KEY_ID: Because = ("key", "the issuer has no key with this kid");
const SIGNATURE: Because = ("signature", "signature does not verify");

/// The field prime and the constant of P-256.
const P: &str = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
const B: &str = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b";

/// A modulus of the ROCA generator, from Wycheproof (Apache-2.0).
const ROCA: &str = concat!(
    "AanFpofbj7KjD4Lf-N2hVMKR7yewSyXhhbirIMTGpfYEhZ_lnt5UoK98DnKIgArXGTu3MaW_HhFw16HGaTDUHqPrId7fe4r11CqRw09yBFuW79",
    "V8sYIwHdzCaWflUI6auImYbVfoN9_nD5n8N8SY9DwXw7mwZM9wREPXoDPgOoIWl6q_MPsp7n0zs3Z5ZaiQWOOzl1S9OhwAfSiiOwz6efnXEaxu",
    "TEtPd7BjSx7NaFka8Dx9U7YqXy2RFj1O9PjyaDGuRh7YXsX3iMUSP_wSyHQg_c_qHRtKUsNSGCT7OZg0hzm2KphtjnayKJvC64vAbROBR4Ubg6",
    "Bxg9IQVZ-QYyE",
);

fn number(hexadecimal: &str) -> BigUint {
    BigUint::parse_bytes(hexadecimal.as_bytes(), 16).expect("a number")
}

fn encoded(number: &BigUint) -> Value {
    base64url_encode(number.to_bytes_be()).into()
}

fn fresh_id() -> String {
    fresh().replace("jti-number", "key-owner")
}

fn key_set(keys: &[Value]) -> String {
    let path = world()
        .server
        .directory()
        .join(format!("{}.jwks", fresh_id()));
    fs::write(&path, json!({"keys": keys}).to_string()).expect("a file");
    path.to_string_lossy().into_owned()
}

fn create(id: &str, keys: &[Value]) -> Finished {
    world()
        .server
        .run(&["client", "create", id, "--jwks", &key_set(keys)])
}

/// Neither a new client nor a known one gets this key; the message says why. `control` differs in
/// the attacked member, and passes.
fn refuses_key(row: &str, jwk: &Value, words: &str, control: &Value) {
    let server = &world().server;
    let id = fresh_id();
    let created = create(&id, std::slice::from_ref(jwk));
    assert_eq!(created.status.code(), Some(2), "{row}: {}", created.stderr);
    assert!(
        created.stderr.contains(words)
            && ["--jwks", "error: key "]
                .iter()
                .any(|which| created.stderr.contains(which)),
        "{row}: {}",
        created.stderr
    );
    assert_eq!(
        server.run(&["client", "show", &id]).status.code(),
        Some(1),
        "{row}: nothing is registered"
    );

    assert!(
        create(&id, &[ATTACKER.public_jwk(&[])]).status.success(),
        "{row}"
    );
    let before = server.ok(&["client", "show", &id]);
    let added = server.run(&[
        "client",
        "add-key",
        &id,
        "--jwks",
        &key_set(std::slice::from_ref(jwk)),
    ]);
    assert_eq!(added.status.code(), Some(2), "{row}: {}", added.stderr);
    assert!(added.stderr.contains(words), "{row}: {}", added.stderr);
    assert_eq!(
        server.ok(&["client", "show", &id]),
        before,
        "{row}: nothing is added"
    );

    let passes = create(&fresh_id(), std::slice::from_ref(control));
    assert!(
        passes.status.success(),
        "control of {row}: {}",
        passes.stderr
    );
}

#[test]
fn j01_rsa_keys_of_less_than_2048_bits_are_refused() {
    let rsa = &world().rsa.key;
    let n = rsa.octets("n");
    for bits in [512_usize, 1024, 2047] {
        let mut short = n[n.len() - bits.div_ceil(8)..].to_vec();
        short[0] = if bits % 8 == 0 {
            short[0] | 0x80
        } else {
            0x40 | short[0] & 0x7f
        };
        let jwk = rsa.public_jwk(&[("n", base64url_encode(short).into())]);
        refuses_key(
            &format!("J01 {bits}"),
            &jwk,
            &format!("RSA key has {bits} bits"),
            &rsa.public_jwk(&[]),
        );
    }
}

/// However it got there: a key that could not be registered verifies nothing.
#[test]
fn j01_a_weak_key_in_the_database_verifies_nothing() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let server = Server::start();
    let rsa = &world().rsa.key;
    register(&server, "weak.example", &[rsa.public_jwk(&[])], &[]);
    let party = Party {
        id: "weak.example",
        key: rsa.clone(),
    };
    let attempt = |server: &Server, usage: Use| {
        let token = world()
            .jwt(&party, usage)
            .text("aud", &server.issuer)
            .sign();
        server.token(&usage.form(&token))
    };
    assert_eq!(attempt(&server, Use::Grant).status, 200, "J01 control");
    let other = Key::generate(Algorithm::Es256);
    server.ok(&[
        "client",
        "add-key",
        "weak.example",
        "--jwks",
        &key_set(&[other.public_jwk(&[])]),
    ]);
    let weak = rsa.public_jwk(&[("n", json!(format!("{}8", "_".repeat(170))))]);
    let database =
        rusqlite::Connection::open(server.data().join("grantor.db")).expect("the database");
    let replace =
        "UPDATE client SET keys = json_set(keys, '$[0].jwk', json(?1)) WHERE id = 'weak.example'";
    assert_eq!(database.execute(replace, [weak.to_string()]), Ok(1));
    let server = server.kill_and_restart();
    for usage in Use::BOTH {
        let answer = attempt(&server, usage);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            usage.refusal(),
            "{answer:?}"
        );
        let cause = server.decision(&answer.decision_id())["cause"].to_string();
        assert!(
            cause.contains("key cannot be used: registered key 1: RSA key has 1024 bits"),
            "{cause}"
        );
        let good = Party {
            id: "weak.example",
            key: other.clone(),
        };
        let token = world().jwt(&good, usage).text("aud", &server.issuer).sign();
        assert_eq!(
            server.token(&usage.form(&token)).status,
            200,
            "J01 control: the other key works"
        );
    }
    let is_told = |line: &Value| line["level"] == "ERROR" && line["client"] == "weak.example";
    assert!(server.log().iter().any(is_told), "{:?}", server.log());
    // What cannot be used is shown, is left alone by other changes, and can be removed.
    server.ok(&["client", "update", "weak.example", "--scope", "read"]);
    let show = || {
        serde_json::from_str::<Value>(&server.ok(&["client", "show", "weak.example", "--json"]))
            .expect("JSON")
    };
    let shown = show();
    assert!(
        shown["keys"][0]["refused"]
            .to_string()
            .contains("1024 bits")
            && shown["keys"][1]["refused"].is_null(),
        "{shown}"
    );
    server.ok(&[
        "client",
        "remove-key",
        "weak.example",
        "--kid",
        shown["keys"][0]["name"].as_str().expect("a name"),
    ]);
    assert_eq!(show()["keys"].as_array().map(Vec::len), Some(1));
}

#[test]
fn j02_unsafe_rsa_exponents_and_moduli_are_refused() {
    let rsa = &world().rsa.key;
    let good = rsa.public_jwk(&[]);
    let n = BigUint::from_bytes_be(&rsa.octets("n"));
    let two = BigUint::from(2_u8);
    for (row, member, value, words) in [
        ("e = 1", "e", json!("AQ"), "'e' must be odd, at least 3"),
        ("e even", "e", json!("AQAA"), "'e' must be odd, at least 3"),
        ("e = 0", "e", json!("AA"), "'e' is malformed"),
        (
            "e = 2^32 + 1",
            "e",
            json!("AQAAAAE"),
            "below 2^32; make a new key",
        ),
        ("n = 0", "n", json!("AA"), "'n' is malformed"),
        ("n empty", "n", json!(""), "'n' is malformed"),
        (
            "n even",
            "n",
            encoded(&(&n - 1_u8)),
            "'n' is divisible by 2",
        ),
        (
            "n divisible by 3",
            "n",
            encoded(&(&n + (3_u8 - (&n % 3_u8).to_bytes_be()[0]) * 4_u8)),
            "'n' is divisible by 3",
        ),
        (
            "n prime",
            "n",
            encoded(&(two.pow(2048) - 1557_u16)),
            "'n' is a prime number; make a new key",
        ),
        (
            "n of 8200 bits",
            "n",
            encoded(&(two.pow(8199) + 1_u8)),
            "RSA key has 8200 bits",
        ),
        (
            "n with a leading zero",
            "n",
            base64url_encode([&[0][..], &rsa.octets("n")].concat()).into(),
            "'n' is malformed",
        ),
    ] {
        refuses_key(
            &format!("J02 {row}"),
            &rsa.public_jwk(&[(member, value)]),
            words,
            &good,
        );
    }
}

/// CVE-2017-15361. The modulus is that of Wycheproof's case, made by such a generator.
#[test]
fn j04_moduli_of_the_roca_generator_are_refused() {
    let rsa = &world().rsa.key;
    let jwk = rsa.public_jwk(&[("n", ROCA.into())]);
    refuses_key(
        "J04",
        &jwk,
        "'n' comes from the faulty generator of CVE-2017-15361 (ROCA); make a new key",
        &rsa.public_jwk(&[]),
    );
}

/// x³ - 3x + b as a square root modulo p, which is 3 modulo 4.
fn y_of(x: &BigUint) -> Option<BigUint> {
    let (p, b) = (number(P), number(B));
    let square = (x.pow(3) + (&p - 3_u8) * x + b) % &p;
    let root = square.modpow(&((&p + 1_u8) / 4_u8), &p);
    (root.pow(2) % &p == square).then_some(root)
}

#[test]
fn j05_coordinates_that_are_no_point_of_the_curve_are_refused() {
    let ec = &world().ec.key;
    let good = ec.public_jwk(&[]);
    let [x, y] = ["x", "y"].map(|name| ec.octets(name));
    let text = |octets: &[u8]| Value::from(base64url_encode(octets));
    let mut off = y.clone();
    off[31] ^= 1;
    let p384 = Key::generate(Algorithm::Es384);
    let point = "not a valid point";
    for (row, members, words) in [
        ("off curve", vec![("y", text(&off))], point),
        (
            "the origin",
            vec![("x", text(&[0; 32])), ("y", text(&[0; 32]))],
            point,
        ),
        (
            "at infinity",
            vec![("x", json!("")), ("y", json!(""))],
            "'x' is malformed",
        ),
        ("swapped", vec![("x", text(&y)), ("y", text(&x))], point),
        (
            "truncated x",
            vec![("x", text(&x[1..]))],
            "'x' is malformed",
        ),
        (
            "longer x",
            vec![("x", text(&[&[0][..], &x].concat()))],
            "'x' is malformed",
        ),
        (
            "a point of P-384",
            vec![
                ("x", text(&p384.octets("x"))),
                ("y", text(&p384.octets("y"))),
            ],
            "'x' is malformed",
        ),
        (
            "a point of P-384 cut to size",
            vec![
                ("x", text(&p384.octets("x")[..32])),
                ("y", text(&p384.octets("y")[..32])),
            ],
            point,
        ),
        (
            "another curve",
            vec![("crv", json!("P-384")), ("alg", Value::Null)],
            "'x' is malformed",
        ),
        ("no y", vec![("y", Value::Null)], "'y' is missing"),
    ] {
        refuses_key(
            &format!("J05 {row}"),
            &ec.public_jwk(&members),
            words,
            &good,
        );
    }
    // The same point, its x once reduced and once not.
    let (small, y) = (1_u8..)
        .find_map(|x| Some((BigUint::from(x), y_of(&BigUint::from(x))?)))
        .expect("half of all x have a y");
    let padded = |number: &BigUint| {
        let octets = number.to_bytes_be();
        text(&[vec![0; 32 - octets.len()], octets].concat())
    };
    let reduced = ec.public_jwk(&[
        ("x", padded(&small)),
        ("y", padded(&y)),
        ("kid", Value::Null),
    ]);
    let unreduced = ec.public_jwk(&[
        ("x", padded(&(small + number(P)))),
        ("y", padded(&y)),
        ("kid", Value::Null),
    ]);
    refuses_key("J05 x >= p", &unreduced, point, &reduced);
}

#[test]
fn j06_a_key_is_of_the_type_its_alg_and_curve_say() {
    let world = world();
    let (ec, rsa, ed) = (&world.ec.key, &world.rsa.key, &world.ed.key);
    for (row, key, members, words) in [
        (
            "P-256 for ES384",
            ec,
            vec![("alg", json!("ES384"))],
            "ES384, which does not fit",
        ),
        (
            "P-256 for RS256",
            ec,
            vec![("alg", json!("RS256"))],
            "RS256, which does not fit",
        ),
        (
            "P-256 for HS256",
            ec,
            vec![("alg", json!("HS256"))],
            "HS256, which does not fit",
        ),
        (
            "RSA for ES256",
            rsa,
            vec![("alg", json!("ES256"))],
            "ES256, which does not fit",
        ),
        (
            "P-256 for ES521",
            ec,
            vec![("alg", json!("ES521"))],
            "no usable key",
        ),
        (
            "P-256 for ES224",
            ec,
            vec![("alg", json!("ES224"))],
            "no usable key",
        ),
        (
            "P-224",
            ec,
            vec![("crv", json!("P-224")), ("alg", Value::Null)],
            "no usable key",
        ),
        (
            "X25519 for EdDSA",
            ed,
            vec![("crv", json!("X25519")), ("alg", json!("EdDSA"))],
            "no usable key",
        ),
        (
            "RSA with x and y",
            ec,
            vec![
                ("kty", json!("RSA")),
                ("alg", Value::Null),
                ("crv", Value::Null),
            ],
            "'n' is missing",
        ),
        (
            "EC with n and e",
            rsa,
            vec![
                ("kty", json!("EC")),
                ("alg", Value::Null),
                ("crv", json!("P-256")),
            ],
            "'x' is missing",
        ),
        (
            "alg a number",
            ec,
            vec![("alg", json!(1))],
            "'alg' is malformed",
        ),
    ] {
        refuses_key(
            &format!("J06 {row}"),
            &key.public_jwk(&members),
            words,
            &key.public_jwk(&[]),
        );
    }
}

/// RFC 7517 §5: a key nobody knows is skipped, and is none; the rest of the set works.
#[test]
fn j06_keys_of_unknown_kinds_leave_the_others_working() {
    let world = world();
    let key = Key::generate(Algorithm::Es256);
    let odd = ATTACKER.public_jwk(&[("alg", json!("ES521")), ("kid", json!("odd"))]);
    register(
        &world.server,
        "j06.example",
        &[
            odd,
            json!({"kty": "LATTICE", "kid": "new"}),
            key.public_jwk(&[]),
        ],
        &[],
    );
    let party = Party {
        id: "j06.example",
        key,
    };
    let by_skipped = |jwt: Jwt<'_>| jwt.header("kid", quote("odd")).by(&ATTACKER).sign();
    world.refuses("J06 the skipped key", &party, by_skipped, NO_KEY_ID);
    world.refuses(
        "J06 the skipped key without its kid",
        &party,
        |jwt| jwt.openly_by(&ATTACKER).sign(),
        SIGNATURE,
    );
}

#[test]
fn j07_keys_for_other_uses_are_refused() {
    let ec = &world().ec.key;
    let not_for_this = "not for verifying";
    for (row, members, words) in [
        ("use enc", vec![("use", json!("enc"))], not_for_this),
        (
            "a use nobody knows",
            vec![("use", json!("SIG"))],
            not_for_this,
        ),
        (
            "key_ops encrypt",
            vec![("key_ops", json!(["encrypt"]))],
            not_for_this,
        ),
        (
            "key_ops sign",
            vec![("key_ops", json!(["sign"]))],
            not_for_this,
        ),
        (
            "key_ops of nothing",
            vec![("key_ops", json!([]))],
            not_for_this,
        ),
        (
            "key_ops twice",
            vec![("key_ops", json!(["verify", "verify"]))],
            "inconsistent",
        ),
        (
            "key_ops against use",
            vec![("use", json!("enc")), ("key_ops", json!(["verify"]))],
            "inconsistent",
        ),
        (
            "key_ops a text",
            vec![("key_ops", json!("verify"))],
            "'key_ops' is malformed",
        ),
        (
            "use a list",
            vec![("use", json!(["sig"]))],
            "'use' is malformed",
        ),
    ] {
        let control = ec.public_jwk(&[("use", json!("sig")), ("key_ops", json!(["verify"]))]);
        refuses_key(
            &format!("J07 {row}"),
            &ec.public_jwk(&members),
            words,
            &control,
        );
    }
}

/// RFC 7517 §9.3. Whoever sent it must replace the key: not even the other keys of the set are
/// taken.
#[test]
fn j08_j09_private_and_symmetric_keys_are_refused_with_their_whole_set() {
    let ec = &world().ec.key;
    let good = ec.public_jwk(&[]);
    for member in ["d", "k", "p", "q", "dp", "dq", "qi", "oth", "priv"] {
        let jwk = ec.public_jwk(&[(member, json!("AAAA"))]);
        refuses_key(
            &format!("J08 {member}"),
            &jwk,
            &format!("private parameter '{member}'"),
            &good,
        );
        let created = create(&fresh_id(), &[ATTACKER.public_jwk(&[]), jwk]);
        assert_eq!(
            created.status.code(),
            Some(2),
            "J08 {member}: {}",
            created.stderr
        );
        assert!(
            created.stderr.contains("key 1 of the set"),
            "J08 {member}: {}",
            created.stderr
        );
    }
    let secret = Key::secret([7; 64]);
    let oct = json!({"kty": "oct", "alg": "HS256", "k": base64url_encode([7; 64])});
    refuses_key("J09 oct", &oct, "private parameter 'k'", &good);
    // A MAC needs a registered secret, whatever else is registered.
    let because = ("key", "the issuer has no key for algorithm HS256");
    world().refuses(
        "J09 MAC",
        &world().ec,
        |jwt| jwt.openly_by(&secret).sign(),
        because,
    );
}

#[test]
fn j10_of_keys_with_one_kid_the_right_one_is_found_in_bounded_tries() {
    if grantor_testkit::binary::database::is_not_of_sqlite("it looks at the file") {
        return;
    }
    let world = world();
    let same = [("kid", json!("same"))];
    let keys: Vec<_> = (0..5).map(|_| Key::generate(Algorithm::Es256)).collect();
    let all = [&world.rsa.key].into_iter().chain(&keys);
    let jwks: Vec<_> = all.clone().map(|key| key.public_jwk(&same)).collect();
    // One of its own is asked of each key; who registered these before is served all the same.
    let refused = create("j10.example", &jwks);
    assert_eq!(refused.status.code(), Some(2), "{}", refused.stderr);
    let words = "key 1 has the kid of a key before it; give each key one of its own";
    assert!(refused.stderr.contains(words), "{}", refused.stderr);
    let apart: Vec<_> = all
        .enumerate()
        .map(|(index, key)| key.public_jwk(&[("kid", json!(format!("same{index}")))]))
        .collect();
    let again = [("kid", json!("same6"))];
    let twice = [apart.clone(), vec![keys[0].public_jwk(&again)]].concat();
    register(&world.server, "j10.example", &apart, &[]);
    register(&world.server, "j10-twice.example", &twice, &[]);
    let database = rusqlite::Connection::open(world.server.data().join("grantor.db"));
    let database = database.expect("the database");
    for index in 0..7 {
        let replace = "UPDATE client SET keys = replace(keys, ?1, 'same') WHERE id LIKE 'j10%'";
        let replaced = database.execute(replace, [format!("same{index}")]);
        assert_eq!(replaced, Ok(2));
    }
    for id in ["j10.example", "j10-twice.example"] {
        let party = |key: &Arc<Key>| Party {
            id,
            key: key.clone(),
        };
        let named = |jwt: Jwt<'_>| jwt.header("kid", quote("same")).sign();
        for key in [&world.rsa.key].into_iter().chain(&keys[..4]) {
            world.passes("J10", &party(key), named);
        }
        // DESIGN C7: at most four of those that fit the algorithm.
        let first = party(&keys[0]);
        let fifth = |jwt: Jwt<'_>| jwt.header("kid", quote("same")).by(&keys[4]).sign();
        for usage in Use::BOTH {
            let token = fifth(world.jwt(&first, usage));
            let answer = world.attack("J10 the fifth", &usage.form(&token), &[]);
            assert_eq!((answer.status, answer.error().as_str()), usage.refusal());
            world.assert_cause("J10 the fifth", &answer, SIGNATURE);
        }
    }
    let added = world.server.run(&[
        "client",
        "add-key",
        "j10.example",
        "--jwks",
        &key_set(&[ATTACKER.public_jwk(&same)]),
    ]);
    assert_eq!(added.status.code(), Some(1), "{}", added.stderr);
    assert!(
        added.stderr.contains("has a key with kid same already"),
        "{}",
        added.stderr
    );
}

/// Sends the request a number of times over one connection; how many answers have that status.
fn repeat(server: &Server, requests: impl Iterator<Item = String>, status: &str) -> usize {
    let mut stream = TcpStream::connect(server.address).expect("the server accepts");
    stream.set_nodelay(true).expect("a socket");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let mut octets = [0; 4096];
    let mut answer = |request: String| {
        stream.write_all(request.as_bytes()).expect("sent");
        let length = stream.read(&mut octets).expect("an answer");
        String::from_utf8_lossy(&octets[..length]).starts_with(&format!("HTTP/1.1 {status} "))
    };
    requests.filter(|request| answer(request.clone())).count()
}

fn resident_kib(server: &Server) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", server.pid())).expect("procfs");
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .expect("VmRSS");
    line.trim()
        .trim_end_matches(" kB")
        .parse()
        .expect("a number")
}

#[test]
fn j12_a_storm_of_unknown_kids_costs_no_memory_and_disturbs_nobody() {
    const EACH: usize = 2500;
    let server = Server::start();
    register(
        &server,
        world().ec.id,
        &[world().ec.key.public_jwk(&[])],
        &[],
    );
    let assertion = |usage, kid: Option<String>| {
        let jwt = world().jwt(&world().ec, usage).text("aud", &server.issuer);
        kid.iter()
            .fold(jwt, |jwt, kid| jwt.header("kid", quote(kid)).by(&ATTACKER))
            .sign()
    };
    let request = |usage: Use, kid| {
        let token = assertion(usage, kid);
        let body: Vec<_> = usage
            .form(&token)
            .iter()
            .map(|(name, value)| format!("{name}={}", escape(value)))
            .collect();
        let body = body.join("&");
        let head =
            "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: application/x-www-form-urlencoded";
        format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
    };
    let storm = |count: usize| {
        thread::scope(|scope| {
            let flood = |usage| {
                repeat(
                    &server,
                    (0..count).map(|_| request(usage, Some(fresh()))),
                    "400",
                )
            };
            let floods: Vec<_> = [Use::BOTH, Use::BOTH]
                .concat()
                .into_iter()
                .map(|usage| scope.spawn(move || flood(usage)))
                .collect();
            let honest =
                scope.spawn(|| repeat(&server, (0..50).map(|_| request(Use::Grant, None)), "200"));
            let refused: usize = floods
                .into_iter()
                .map(|flood| flood.join().expect("a flood"))
                .sum();
            (refused, honest.join().expect("an honest client"))
        })
    };
    // What is allocated once is allocated now.
    storm(EACH / 10);
    let (before, started) = (resident_kib(&server), Instant::now());
    assert_eq!(
        storm(EACH),
        (4 * EACH, 50),
        "J12: all of the storm refused, all of the others granted"
    );
    let (grown, elapsed) = (
        resident_kib(&server).saturating_sub(before),
        started.elapsed(),
    );
    assert!(
        grown < 16 * 1024,
        "J12: {grown} KiB more after {} assertions",
        4 * EACH
    );
    assert!(elapsed < Duration::from_secs(60), "J12: {elapsed:?}");
    let again = server.token(&Use::Grant.form(&assertion(Use::Grant, None)));
    assert_eq!(again.status, 200, "J12 control: {again:?}");
    let refused = server.token(&Use::Grant.form(&assertion(Use::Grant, Some(fresh()))));
    assert_eq!(
        server.decision(&refused.decision_id())["cause"],
        "key: the issuer has no key with this kid"
    );
}

/// Law 4: no command and no look at the database comes between the last answer and the end.
#[test]
fn law_4_a_key_with_an_end_is_refused_on_the_next_request() {
    let world = world();
    let server = &world.server;
    let (old, new) = (
        Key::generate(Algorithm::Es256),
        Key::generate(Algorithm::Es256),
    );
    register(
        server,
        "ending.example",
        &[old.public_jwk(&[])],
        &["--key-lifetime", "90d"],
    );
    let party = |key: &Arc<Key>| Party {
        id: "ending.example",
        key: key.clone(),
    };
    let (old, new) = (party(&old), party(&new));
    let show = || {
        serde_json::from_str::<Value>(&server.ok(&["client", "show", "ending.example", "--json"]))
            .expect("JSON")
    };
    let registered = show()["keys"][0]["expires_at"]
        .as_str()
        .expect("an end")
        .to_owned();
    assert!(
        !server.ok(&["client", "list"]).contains(&registered),
        "90 days are long"
    );
    world.passes("the old key", &old, |jwt| jwt.sign());

    let set = key_set(&[new.key.public_jwk(&[])]);
    server.ok(&[
        "client",
        "add-key",
        "ending.example",
        "--jwks",
        &set,
        "--overlap",
        "3s",
    ]);
    let added = Instant::now();
    world.passes("within the overlap", &old, |jwt| jwt.sign());
    world.passes("the new key", &new, |jwt| jwt.sign());
    let keys = show()["keys"].clone();
    let ends = keys[0]["expires_at"].as_str().expect("an end").to_owned();
    assert!(
        ends < registered && keys[1]["expires_at"].is_null(),
        "{keys}"
    );
    assert!(
        server
            .ok(&["client", "list"])
            .contains(&format!("a key or secret ends {ends}"))
    );

    let attempt = |usage: Use| server.token(&usage.form(&world.jwt(&old, usage).sign()));
    server.wait_until("the overlap is over", || attempt(Use::Grant).status != 200);
    assert!(
        added.elapsed() < Duration::from_secs(4),
        "{:?}",
        added.elapsed()
    );
    for usage in Use::BOTH {
        let answer = world.attack(
            "after the overlap",
            &usage.form(&world.jwt(&old, usage).sign()),
            &[],
        );
        assert_eq!((answer.status, answer.error().as_str()), usage.refusal());
        world.assert_cause(
            "after the overlap",
            &answer,
            ("key", "key has expired: registered key 1 ended"),
        );
    }
    world.passes("the control", &new, |jwt| jwt.sign());
    assert_eq!(show()["keys"][0]["refused"], "expired");
    let third = key_set(&[Key::generate(Algorithm::Es256).public_jwk(&[])]);
    server.ok(&[
        "client",
        "add-key",
        "ending.example",
        "--jwks",
        &third,
        "--overlap",
        "1d",
    ]);
    assert_eq!(
        show()["keys"].as_array().map(Vec::len),
        Some(2),
        "what has ended is removed"
    );
}

#[test]
fn j21_a_new_key_works_beside_the_old_and_a_removed_one_no_more() {
    let world = world();
    let server = &world.server;
    let (old, new) = (
        Key::generate(Algorithm::Es256),
        Key::generate(Algorithm::Es256),
    );
    register(server, "j21.example", &[old.public_jwk(&[])], &[]);
    let party = |key: &Arc<Key>| Party {
        id: "j21.example",
        key: key.clone(),
    };
    let (old, new) = (party(&old), party(&new));
    let attempt =
        |party: &Party, usage: Use| server.token(&usage.form(&world.jwt(party, usage).sign()));
    world.passes("J21 the old key", &old, |jwt| jwt.sign());
    let answer = attempt(&new, Use::Grant);
    world.assert_cause("J21 not added yet", &answer, NO_KEY_ID);

    server.ok(&[
        "client",
        "add-key",
        "j21.example",
        "--jwks",
        &key_set(&[new.key.public_jwk(&[])]),
    ]);
    let added = Instant::now();
    server.wait_until("the new key works", || {
        attempt(&new, Use::Grant).status == 200
    });
    assert!(
        added.elapsed() < Duration::from_secs(1),
        "J21: {:?}",
        added.elapsed()
    );
    world.passes("J21 both", &old, |jwt| jwt.sign());
    world.passes("J21 both", &new, |jwt| jwt.sign());

    let in_flight = Use::BOTH.map(|usage| (usage, world.jwt(&old, usage).sign()));
    server.ok(&[
        "client",
        "remove-key",
        "j21.example",
        "--kid",
        old.key.key_id().expect("a kid"),
    ]);
    let removed = Instant::now();
    server.wait_until("the old key is gone", || {
        attempt(&old, Use::Grant).status != 200
    });
    assert!(
        removed.elapsed() < Duration::from_secs(1),
        "J21: {:?}",
        removed.elapsed()
    );
    for (usage, token) in in_flight {
        let answer = world.attack("J21 removed", &usage.form(&token), &[]);
        assert_eq!((answer.status, answer.error().as_str()), usage.refusal());
        world.assert_cause("J21 removed", &answer, NO_KEY_ID);
    }
    world.passes("J21 control", &new, |jwt| jwt.sign());
}
