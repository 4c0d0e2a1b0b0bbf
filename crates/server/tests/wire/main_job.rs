//! The main job as an operator sees it: a client is registered, its assertion becomes a token, the
//! same one again does not.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
    time::Duration,
};

use crate::support::{CLIENT_ASSERTION, JWT_BEARER, Server, finished, grantor};
use grantor::jose::base64url_decode;
use grantor_testkit::wait;
use serde_json::{Value, json};

#[test]
fn an_assertion_becomes_a_token_once() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key", "--scope", "invoices:read"]);
    let assertion = server.ok(&["assertion", "mint", "--key", &key.to_string_lossy()]);
    let form = [
        ("grant_type", JWT_BEARER),
        ("assertion", assertion.as_str()),
    ];
    let granted = server.token(&form);
    assert_eq!(granted.status, 200, "{granted:?}");
    assert_eq!(granted.json()["scope"], "invoices:read");

    let replayed = server.token(&form);
    assert_eq!(
        (replayed.status, replayed.error().as_str()),
        (400, "invalid_grant")
    );
    assert_eq!(
        server.decision(&replayed.decision_id())["outcome"]["rule"],
        "replay"
    );
}

#[test]
fn a_replay_after_a_kill_is_refused() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let mint = |server: &Server| server.ok(&["assertion", "mint", "--key", &key.to_string_lossy()]);
    let used = mint(&server);
    assert_eq!(
        server
            .token(&[("grant_type", JWT_BEARER), ("assertion", &used)])
            .status,
        200
    );

    let server = server.kill_and_restart();
    let replayed = server.token(&[("grant_type", JWT_BEARER), ("assertion", &used)]);
    assert_eq!(
        (replayed.status, replayed.error().as_str()),
        (400, "invalid_grant")
    );
    assert_eq!(
        server
            .token(&[("grant_type", JWT_BEARER), ("assertion", &mint(&server))])
            .status,
        200
    );
}

#[test]
fn the_token_command_works_for_every_method() {
    let server = Server::start();
    for method in [
        "private_key_jwt",
        "client_secret_jwt",
        "client_secret_basic",
        "client_secret_post",
    ] {
        let generate: &[&str] = if method == "private_key_jwt" {
            &["--generate-key"]
        } else {
            &[]
        };
        let key = server.client(
            method,
            &[&["--auth", method, "--scope", "read"], generate].concat(),
        );
        let token = server.ok(&[
            "token",
            "--key",
            &key.to_string_lossy(),
            "--grant",
            "client-credentials",
            "--json",
        ]);
        assert!(token.contains("\"access_token\""), "{method}: {token}");
    }
}

/// RFC 10070 §4: what this server takes a little more loosely, its own client sends as it should
/// be.
#[test]
fn a_minted_client_assertion_names_its_type_and_the_issuer_alone() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let assertion = server.ok(&[
        "assertion",
        "mint",
        "--key",
        &key.to_string_lossy(),
        "--client-auth",
    ]);
    let part = |index| {
        let octets = assertion
            .split('.')
            .nth(index)
            .and_then(base64url_decode)
            .expect("base64url");
        serde_json::from_slice::<Value>(&octets).expect("JSON")
    };
    assert_eq!(part(0)["typ"], "client-authentication+jwt");
    let claims = part(1);
    let expected = [
        ("aud", server.issuer.as_str()),
        ("iss", "billing"),
        ("sub", "billing"),
    ];
    assert!(
        expected
            .iter()
            .all(|(claim, value)| claims[claim] == *value),
        "{claims}"
    );
    assert!(
        claims["jti"].is_string() && claims["exp"].is_i64() && claims["iat"].is_i64(),
        "{claims}"
    );
}

/// RFC 6749 §5.1, §7.1, against servers that are not ours.
#[test]
fn the_token_command_takes_bearer_tokens_only() {
    let kinds = [
        (json!("bEaReR"), true),
        (json!("Bearer"), true),
        (json!("mac"), false),
        (json!(1), false),
        (Value::Null, false),
    ];
    for (kind, is_taken) in kinds {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let issuer = format!("http://{}", listener.local_addr().expect("an address"));
        let answer =
            json!({"access_token": "the-token", "token_type": kind, "unknown": {"member": []}})
                .to_string();
        let foreign = thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("a request");
            let mut octets = [0; 4096];
            let length = stream.read(&mut octets).expect("a request");
            assert!(octets[..length].starts_with(b"POST /token "), "R001");
            let head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close";
            write!(
                stream,
                "{head}\r\nContent-Length: {}\r\n\r\n{answer}",
                answer.len()
            )
            .expect("sent");
        });
        let directory = tempfile::tempdir().expect("a directory");
        let run = |arguments: &[&str]| {
            let mut command = grantor(&directory.path().join("data"));
            let command = command
                .current_dir(directory.path())
                .args(["--issuer", &issuer])
                .args(arguments);
            finished(command.output().expect("the binary runs"))
        };
        assert!(
            run(&["client", "create", "a", "--auth", "client_secret_post"])
                .status
                .success()
        );
        let got = run(&["token", "--key", "a.json"]);
        foreign.join().expect("asked once");
        assert_eq!(
            (got.status.success(), got.stdout.contains("the-token")),
            (is_taken, is_taken),
            "{kind}: {}",
            got.stderr
        );
        assert!(
            is_taken || got.stderr.contains("expected a Bearer token"),
            "{kind}: {}",
            got.stderr
        );
    }
}

#[test]
fn a_disabled_client_is_refused_within_a_second() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let attempt = || {
        let assertion = server.ok(&[
            "assertion",
            "mint",
            "--key",
            &key.to_string_lossy(),
            "--client-auth",
        ]);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", assertion.as_str()),
        ];
        server.token(&form)
    };
    assert_eq!(attempt().status, 200);
    let a_second = Duration::from_secs(1);
    server.ok(&["client", "disable", "billing"]);
    wait::blocking::within(a_second, "it is disabled", || attempt().status != 200);
    let refused = attempt();
    assert_eq!(refused.error(), "invalid_client");
    assert_eq!(
        server.decision(&refused.decision_id())["outcome"]["cause"],
        "client is disabled"
    );
    server.ok(&["client", "enable", "billing"]);
    wait::blocking::within(a_second, "it is enabled", || attempt().status == 200);
}
