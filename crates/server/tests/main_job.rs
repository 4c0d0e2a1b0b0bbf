//! The main job as an operator sees it: a client is registered, its assertion becomes a token, the same one again does not.

mod support;

use support::{CLIENT_ASSERTION, JWT_BEARER, Server};

#[test]
fn an_assertion_becomes_a_token_once() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key", "--scope", "invoices:read"]);
    let assertion = server.ok(&["assertion", "mint", "--key", &key.to_string_lossy()]);
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion.as_str())];
    let granted = server.token(&form);
    assert_eq!(granted.status, 200, "{granted:?}");
    assert_eq!(granted.json()["scope"], "invoices:read");

    let replayed = server.token(&form);
    assert_eq!((replayed.status, replayed.error().as_str()), (400, "invalid_grant"));
    assert_eq!(server.decision(&replayed.decision_id())["outcome"]["rule"], "replay");
}

#[test]
fn a_replay_after_a_kill_is_refused() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let mint = |server: &Server| server.ok(&["assertion", "mint", "--key", &key.to_string_lossy()]);
    let used = mint(&server);
    assert_eq!(server.token(&[("grant_type", JWT_BEARER), ("assertion", &used)]).status, 200);

    let server = server.kill_and_restart();
    let replayed = server.token(&[("grant_type", JWT_BEARER), ("assertion", &used)]);
    assert_eq!((replayed.status, replayed.error().as_str()), (400, "invalid_grant"));
    assert_eq!(server.token(&[("grant_type", JWT_BEARER), ("assertion", &mint(&server))]).status, 200);
}

#[test]
fn the_token_command_works_for_every_method() {
    let server = Server::start();
    for method in ["private_key_jwt", "client_secret_jwt", "client_secret_basic", "client_secret_post"] {
        let generate: &[&str] = if method == "private_key_jwt" { &["--generate-key"] } else { &[] };
        let key = server.client(method, &[&["--auth", method, "--scope", "read"], generate].concat());
        let token = server.ok(&["token", "--key", &key.to_string_lossy(), "--grant", "client-credentials", "--json"]);
        assert!(token.contains("\"access_token\""), "{method}: {token}");
    }
}

#[test]
fn a_disabled_client_is_refused_within_a_second() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let attempt = || {
        let assertion = server.ok(&["assertion", "mint", "--key", &key.to_string_lossy(), "--client-auth"]);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_assertion_type", CLIENT_ASSERTION),
            ("client_assertion", assertion.as_str()),
        ];
        server.token(&form)
    };
    assert_eq!(attempt().status, 200);
    server.ok(&["client", "disable", "billing"]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    let refused = attempt();
    assert_eq!(refused.error(), "invalid_client");
    assert_eq!(server.decision(&refused.decision_id())["outcome"]["cause"], "client is disabled");
    server.ok(&["client", "enable", "billing"]);
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(attempt().status, 200);
}
