//! M017, M081, MA26: what is made once is answered once, and is nowhere afterwards.

use grantor_testkit::binary::browser::Browser;
use grantor_testkit::binary::database::stored;
use serde_json::{Value, json};

use super::office::{Office, client};
use crate::support::Answer;

const PASSWORD: &str = "a password that is nowhere else";

/// Every text in the answer that is a secret: each member that is named as one, whole.
fn secrets(answer: &Answer, members: &[&str]) -> Vec<String> {
    let body = answer.json();
    let mut found = Vec::new();
    for member in members {
        let value = body
            .pointer(member)
            .unwrap_or_else(|| unreachable!("{member}: {answer:?}"));
        let text = match value {
            // The private member of a JWK, and a link's token.
            Value::Object(jwk) => jwk["d"].as_str().expect("a private key"),
            value => value.as_str().expect("a text"),
        };
        let text = text.split_once("token=").map_or(text, |(_, token)| token);
        assert!(text.len() >= 20, "{member}: {answer:?}");
        found.push(text.to_owned());
    }
    found
}

#[test]
fn ma26_m017_m081_what_is_answered_once_is_nowhere_afterwards() {
    let office = Office::open();
    let basic = |name: &str| client(name, json!({}));
    let keyed = |name: &str| {
        let more = json!({"token_endpoint_auth_method": "private_key_jwt", "generate": "ES256"});
        client(name, more)
    };
    let mac = |name: &str| {
        client(
            name,
            json!({"token_endpoint_auth_method": "client_secret_jwt"}),
        )
    };
    let rows: [(&str, &str, Value, &[&str]); 7] = [
        ("POST", "/clients", basic("by-secret"), &["/client_secret"]),
        ("POST", "/clients", mac("by-mac"), &["/client_secret"]),
        ("POST", "/clients", keyed("by-key"), &["/private_key"]),
        (
            "POST",
            "/clients/by-key/keys",
            json!({"generate": "RS256"}),
            &["/private_key"],
        ),
        (
            "POST",
            "/clients/by-secret/secrets",
            json!({"overlap": 60}),
            &["/client_secret"],
        ),
        ("POST", "/subjects/alice/invitations", json!({}), &["/link"]),
        (
            "POST",
            "/apply",
            json!({"resources": {"client": [client("by-file", json!({"secret": "make"}))]}}),
            &["/secrets/0/client_secret"],
        ),
    ];
    office.done("editor", "POST", "/subjects", &json!({"id": "alice"}));
    let mut kept = office.secrets();
    kept.push(office.token("editor"));
    for (method, path, body, members) in &rows {
        let answer = office.done("editor", method, path, body);
        let told = secrets(&answer, members);
        for secret in &told {
            let headers = format!("{:?}", answer.headers);
            assert!(!headers.contains(&**secret), "{method} {path}: a header");
            assert_eq!(
                answer.body.matches(&**secret).count(),
                1,
                "{method} {path}: twice"
            );
        }
        assert_eq!(
            answer.header("Cache-Control"),
            Some("no-store"),
            "{method} {path}"
        );
        if *path == "/subjects/alice/invitations" {
            let link = answer.json()["link"].as_str().expect("a link").to_owned();
            Browser::new(&office.server).accept(&link, PASSWORD);
        }
        kept.extend(told);
    }
    kept.push(PASSWORD.to_owned());
    // Whatever can be read afterwards, by an owner.
    let mut places: Vec<(String, String)> = Vec::new();
    for path in [
        "/clients?limit=200",
        "/clients/by-secret",
        "/clients/by-mac",
        "/clients/by-key",
        "/clients/by-key/keys",
        "/clients/by-file",
        "/subjects/alice",
        "/subjects/alice/invitations",
        "/subjects/alice/credentials",
        "/subjects/alice/sessions",
        "/changes?limit=200",
        "/decisions?limit=200",
        "/server",
        "/export",
        "/openapi.json",
        "/statistics",
        "/signing-keys",
        "/me",
    ] {
        let answer = office.done("owner", "GET", path, &Value::Null);
        places.push((
            path.to_owned(),
            format!("{:?}{}", answer.headers, answer.body),
        ));
    }
    let (method, path, body, _) = &rows[0];
    let again = office.ask("editor", method, path, body);
    assert_eq!(again.status, 409, "{again:?}");
    places.push(("a second POST".to_owned(), again.body));
    places.push((
        "the log".to_owned(),
        Value::from(office.server.log()).to_string(),
    ));
    let printed = office
        .server
        .ok(&["changes", "list", "--limit", "1000", "--json"]);
    places.push(("changes list".to_owned(), printed));
    let octets = stored(&office.server.data());
    places.push((
        "the database".to_owned(),
        String::from_utf8_lossy(&octets).into_owned(),
    ));
    for secret in &kept {
        for (place, text) in &places {
            // Of a token the signature, which makes it one.
            let telling = secret.rsplit('.').next().unwrap_or(secret);
            for part in [&telling[..20], &telling[telling.len() - 20..]] {
                assert!(!text.contains(part), "MA26: part of {secret} is in {place}");
            }
        }
    }
    // The controls: what may be there is found.
    let found = |place: &str, word: &str| {
        places
            .iter()
            .any(|(known, text)| known == place && text.contains(word))
    };
    for (place, word) in [
        ("/changes?limit=200", "sha256:"),
        ("the log", "grantor::change"),
        ("the database", "by-secret"),
        ("/export", "by-file"),
        ("/clients/by-key", "\"kty\""),
    ] {
        assert!(found(place, word), "MA26 control: {word} in {place}");
    }
}
