//! I06, R050: what a whole run leaves in the log. The name puts this test last where tests run in
//! the order of their names; alone, it has its own requests to look for.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;

use crate::oracle::{Use, world};

#[test]
fn the_log_holds_no_credential() {
    let world = world();
    let mut sent = Vec::new();
    for party in [&world.ec, &world.rsa, &world.hmac] {
        let token = world.jwt(party, Use::ClientAuth).sign();
        world.grants("a token", &Use::ClientAuth.form(&token), &[]);
        world.attack("a replay", &Use::ClientAuth.form(&token), &[]);
        sent.push(token);
    }
    // In places where they do not belong.
    let misplaced = world.jwt(&world.ec, Use::Grant).sign();
    world.attack("as grant_type", &[("grant_type", &misplaced)], &[]);
    let as_secret = [
        ("grant_type", "client_credentials"),
        ("client_id", world.post.id),
        ("client_secret", &misplaced),
    ];
    world.attack("as client_secret", &as_secret, &[]);
    let wrong = format!(
        "Basic {}",
        STANDARD.encode(format!("{}:{}x", world.basic.id, world.basic.secret))
    );
    world.attack(
        "a wrong secret",
        &[("grant_type", "client_credentials")],
        &[("Authorization", &wrong)],
    );
    sent.extend([misplaced, wrong.replace("Basic ", "")]);

    let log = world.server.log();
    let text = Value::from(log.clone()).to_string();
    assert!(
        log.iter().all(Value::is_object),
        "a line was split, or is not JSON"
    );
    assert!(log.len() > 6, "there is a log");
    for credential in sent
        .iter()
        .flat_map(|token| token.split('.').next_back())
        .filter(|part| part.len() > 20)
    {
        assert!(
            !text.contains(credential),
            "a signature or credential is in the log"
        );
    }
    for credential in world.credentials() {
        assert!(
            !text.contains(&credential),
            "a token or secret is in the log"
        );
    }
    let jws = text
        .split(|each: char| !each.is_ascii_alphanumeric() && !"-_.".contains(each))
        .find(|word| is_compact_jws(word));
    assert_eq!(jws, None, "a compact JWS is in the log");
}

fn is_compact_jws(word: &str) -> bool {
    let parts: Vec<_> = word.split('.').collect();
    parts.len() >= 3 && parts[0].starts_with("eyJ") && parts[1].len() > 10
}
