//! G. Replay: one use of a `jti`, whatever happens at the same time, and whatever happened to the
//! process.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    process::Command,
    sync::{Barrier, Mutex},
    thread,
    time::Duration,
};

use grantor::jose::Algorithm;

use crate::{
    forge::{ATTACKER, Jwt, Key, quote},
    oracle::{Because, Party, Use, fresh, now, register, world},
    support::{Server, escape, read_answer},
};

const REPLAY: Because = ("replay", "jti: used before");

fn is_replay(row: &str, usage: Use, token: &str) {
    let world = world();
    let answer = world.attack(row, &usage.form(token), &[]);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        usage.refusal(),
        "{row}"
    );
    world.assert_cause(row, &answer, REPLAY);
}

#[test]
fn g01_an_assertion_is_used_once() {
    let world = world();
    for party in [&world.ec, &world.rsa, &world.ed] {
        for usage in Use::BOTH {
            let token = world.jwt(party, usage).sign();
            world.grants("G01", &usage.form(&token), &[]);
            is_replay("G01", usage, &token);
            is_replay("G01 third time", usage, &token);
        }
    }
    let token = world.jwt(&world.hmac, Use::ClientAuth).sign();
    world.grants("G01 by secret", &Use::ClientAuth.form(&token), &[]);
    is_replay("G01 by secret", Use::ClientAuth, &token);
}

#[test]
fn g01_a_jti_is_used_once_for_both_uses() {
    let world = world();
    for (first, second) in [(Use::Grant, Use::ClientAuth), (Use::ClientAuth, Use::Grant)] {
        let jti = fresh();
        let token = |usage| world.jwt(&world.ec, usage).text("jti", &jti).sign();
        world.grants("G01", &first.form(&token(first)), &[]);
        is_replay("G01 the other use", second, &token(second));
    }
}

#[test]
fn g03_of_64_concurrent_uses_one_wins() {
    let world = world();
    for usage in Use::BOTH {
        let token = world.jwt(&world.ec, usage).sign();
        let request = request(&usage.form(&token), "close");
        let together = Barrier::new(64);
        let granted = thread::scope(|scope| {
            let attempt = || {
                let mut stream = kept_alive(world.server.address);
                together.wait();
                stream.write_all(request.as_bytes()).expect("sent");
                read_answer(&mut stream)
            };
            let threads: Vec<_> = (0..64).map(|_| scope.spawn(attempt)).collect();
            let answers: Vec<_> = threads
                .into_iter()
                .map(|thread| thread.join().expect("an answer"))
                .collect();
            let refused = answers
                .iter()
                .filter(|answer| (answer.status, answer.error().as_str()) == usage.refusal());
            assert_eq!(refused.count(), 63, "{answers:?}");
            answers.iter().filter(|answer| answer.status == 200).count()
        });
        assert_eq!(granted, 1, "{usage:?}");
    }
}

/// A connection that has served a request already, so that the next one starts at once.
fn kept_alive(address: SocketAddr) -> TcpStream {
    let mut stream = TcpStream::connect(address).expect("the server accepts");
    stream.set_nodelay(true).expect("a socket");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    write!(
        stream,
        "GET /health/live HTTP/1.1\r\nHost: {address}\r\n\r\n"
    )
    .expect("sent");
    read_one(&mut stream).expect("an answer");
    stream
}

/// The status of one answer of a connection that stays open. `None` when it is closed.
fn read_one(stream: &mut TcpStream) -> Option<u16> {
    let mut octets = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        match stream.read(&mut buffer) {
            Ok(0) | Err(_) => return None,
            Ok(length) => octets.extend(&buffer[..length]),
        }
        let text = String::from_utf8_lossy(&octets);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            line.to_ascii_lowercase()
                .strip_prefix("content-length: ")?
                .parse()
                .ok()
        });
        if body.len() >= length.unwrap_or(0) {
            return head.split(' ').nth(1)?.parse().ok();
        }
    }
}

fn request(form: &[(&str, &str)], connection: &str) -> String {
    let body: Vec<_> = form
        .iter()
        .map(|(name, value)| format!("{name}={}", escape(value)))
        .collect();
    let body = body.join("&");
    format!(
        "POST /token HTTP/1.1\r\nHost: as\r\nConnection: {connection}\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Law 3: what was answered is on disk. The power fails while eight connections are being served.
#[test]
fn g05_no_use_that_was_answered_is_forgotten_by_a_kill() {
    let server = Server::start();
    let party = Party {
        id: "load.example",
        key: Key::generate(Algorithm::Ed25519),
    };
    register(&server, party.id, &[party.key.public_jwk(&[])], &[]);
    let jwt = |usage| {
        world()
            .jwt(&party, usage)
            .text("aud", &server.issuer)
            .sign()
    };
    let answered = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for worker in 0..8 {
            let usage = Use::BOTH[worker % 2];
            let (jwt, answered, address) = (&jwt, &answered, server.address);
            scope.spawn(move || {
                let mut stream = kept_alive(address);
                loop {
                    let token = jwt(usage);
                    let sent =
                        stream.write_all(request(&usage.form(&token), "keep-alive").as_bytes());
                    match sent.ok().and_then(|()| read_one(&mut stream)) {
                        Some(status) => {
                            assert_eq!(status, 200);
                            answered
                                .lock()
                                .expect("no thread panicked")
                                .push((usage, token));
                        }
                        None => return,
                    }
                }
            });
        }
        let busy = || answered.lock().expect("no thread panicked").len() > 200;
        server.wait_until("200 tokens are issued", busy);
        Command::new("kill")
            .args(["-9", &server.pid().to_string()])
            .status()
            .expect("kill");
    });
    let server = server.kill_and_restart();
    let answered = answered.into_inner().expect("no thread panicked");
    for (usage, token) in &answered {
        let answer = server.token(&usage.form(token));
        assert_eq!(
            (answer.status, answer.error().as_str()),
            usage.refusal(),
            "of {}: {answer:?}",
            answered.len()
        );
        assert_eq!(
            server.decision(&answer.decision_id())["outcome"]["rule"],
            "replay"
        );
    }
    let new = world()
        .jwt(&party, Use::Grant)
        .text("aud", &server.issuer)
        .sign();
    assert_eq!(
        server.token(&Use::Grant.form(&new)).status,
        200,
        "control: a new one"
    );
}

#[test]
fn g07_the_same_jti_of_two_clients_is_two() {
    let world = world();
    let jti = fresh();
    for party in [&world.ec, &world.other, &world.rsa] {
        world.passes_as(Use::Grant, "G07", party, |jwt| jwt.text("jti", &jti).sign());
    }
    // The digest has a border between issuer and jti: moving a letter over it makes another name.
    let jti = fresh();
    world.passes_as(Use::ClientAuth, "G07 border", &world.ec, |jwt| {
        jwt.text("jti", &format!("e{jti}")).sign()
    });
    world.passes_as(Use::ClientAuth, "G07 border", &world.ec, |jwt| {
        jwt.text("jti", &jti).sign()
    });
}

/// Nobody but the client uses up its names: neither a forger, nor the client itself by a request
/// that breaks a rule.
#[test]
fn g07_a_refused_assertion_burns_nothing() {
    let world = world();
    for usage in Use::BOTH {
        let jti = fresh();
        let genuine = || world.jwt(&world.ec, usage).text("jti", &jti);
        let by_other = genuine().by(&world.other.key);
        let from_other = genuine()
            .text("iss", world.other.id)
            .text("sub", world.other.id);
        let kid = quote(world.other.key.key_id().expect("a kid"));
        for (row, token) in [
            ("forged", genuine().by(&ATTACKER).sign()),
            ("by another client", by_other.sign()),
            (
                "another client's, same jti",
                from_other.header("kid", kid).by(&ATTACKER).sign(),
            ),
            (
                "for another audience",
                genuine().text("aud", "https://evil.example").sign(),
            ),
            (
                "expired",
                genuine()
                    .without("iat")
                    .claim("exp", (now() - 60).to_string())
                    .sign(),
            ),
            (
                "of another type",
                genuine().header("typ", "\"at+jwt\"").sign(),
            ),
        ] {
            world.attack(&format!("G07 {row}"), &usage.form(&token), &[]);
        }
        world.grants("G07 the genuine one", &usage.form(&genuine().sign()), &[]);
        is_replay("G07 control", usage, &genuine().sign());
    }
}

/// C11: the claim is the last rule of the assertion; what fails after it (here the scope) needs a
/// new assertion.
#[test]
fn g10_a_request_that_fails_later_has_used_its_jti() {
    let world = world();
    for usage in Use::BOTH {
        let token = world.jwt(&world.ec, usage).sign();
        let form = [&usage.form(&token)[..], &[("scope", "admin-everything")]].concat();
        let answer = world.attack("G10", &form, &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            (400, "invalid_scope")
        );
        is_replay("G10 the same again", usage, &token);
        world.passes_as(usage, "G10 control: a new one", &world.ec, |jwt| jwt.sign());
    }
}

#[test]
fn g11_jti_is_a_name_of_sensible_length() {
    let world = world();
    world.refuses(
        "G11 missing",
        &world.ec,
        |jwt| jwt.without("jti").sign(),
        ("jti", "claim 'jti' is missing"),
    );
    for json in ["1", "null", "[]", "{}", "true"] {
        let because = ("claims", "claim 'jti' is not a string");
        world.refuses(
            &format!("G11 {json}"),
            &world.ec,
            |jwt| jwt.claim("jti", json).sign(),
            because,
        );
    }
    for (jti, because) in [
        (String::new(), "is empty"),
        ("  ".to_owned(), "is empty"),
        ("\t\n".to_owned(), "is empty"),
        ("a\0b".to_owned(), "control characters"),
        ("a\r\nb".to_owned(), "control characters"),
        ("a".repeat(256), "longer than 255 octets"),
        ("é".repeat(128), "longer than 255 octets"),
    ] {
        let forge = |jwt: Jwt<'_>| jwt.text("jti", &jti).sign();
        world.refuses(
            &format!("G11 {} octets", jti.len()),
            &world.ec,
            forge,
            ("jti", because),
        );
    }
    let huge = |jwt: Jwt<'_>| jwt.text("jti", &"a".repeat(40_000)).sign();
    world.refuses(
        "G11 40,000 octets",
        &world.ec,
        huge,
        ("jws", "token is too large"),
    );
    let longest = |jwt: Jwt<'_>| jwt.text("jti", &format!("{:a>255}", fresh())).sign();
    world.passes("G11 control: 255 octets", &world.ec, longest);
}

#[test]
fn g12_jti_is_compared_to_the_letter() {
    let world = world();
    let jti = fresh();
    for (usage, suffix) in Use::BOTH.into_iter().zip(["x", "y"]) {
        for variant in [
            "é", "e\u{301}", "É", "a", "A", " a", "a ", "\u{ff41}", "%61",
        ] {
            let forge = |jwt: Jwt<'_>| jwt.text("jti", &format!("{jti}{suffix}{variant}.")).sign();
            world.passes_as(usage, &format!("G12 {variant:?}"), &world.ec, forge);
        }
    }
}
