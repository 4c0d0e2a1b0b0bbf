//! `grantor token` and `grantor assertion mint` with servers and keys that are not ours.

mod support;

use std::path::Path;

use grantor::jose::{Algorithm, PrivateJwk, Unverified, VerificationKey};
use serde_json::{Value, json};
use support::{
    Finished, Server, finished,
    foreign::{Foreign, claims, part, refused},
    grantor,
};
use tempfile::TempDir;

/// A directory with keys of the client `billing`, who is at home nowhere.
struct Desk {
    directory: TempDir,
    key: PrivateJwk,
}

impl Desk {
    fn new() -> Self {
        let desk = Self {
            directory: tempfile::tempdir().expect("a directory"),
            key: PrivateJwk::generate(Algorithm::Rs256).expect("a key"),
        };
        desk.file("key.pem", &desk.key.expose_rsa_pem().expect("RSA"));
        let mut jwk: Value = serde_json::from_str(desk.key.expose_json()).expect("JSON");
        jwk["kid"] = "from-jwk".into();
        desk.file("key.jwk", &jwk.to_string());
        desk
    }

    fn file(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).expect("a file");
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = grantor(&self.path().join("data"));
        finished(command.current_dir(self.path()).args(arguments).output().expect("the binary runs"))
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(finished.status.success(), "{arguments:?}: {}", finished.stderr);
        finished.stdout.trim_end().to_owned()
    }

    fn refuses(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let finished = self.run(arguments);
        assert_eq!(finished.status.code(), Some(code), "{arguments:?}: {}", finished.stderr);
        assert!(words.iter().all(|word| finished.stderr.contains(word)), "{arguments:?}: {}", finished.stderr);
    }
}

#[test]
fn a_private_key_alone_mints_for_any_audience() {
    let desk = Desk::new();
    let mint =
        |rest: &[&str]| desk.ok(&[&["assertion", "mint", "--iss", "billing", "--aud", "https://as.example"], rest].concat());
    let public = VerificationKey::from_jwk(desk.key.public()).expect("a public key");
    for (rest, kid, typ) in [
        (&["--key", "key.pem", "--alg", "RS256"] as &[&str], Value::Null, "JWT"),
        (&["--key", "key.pem", "--alg", "RS256", "--kid", "2026-01"], "2026-01".into(), "JWT"),
        (&["--key", "key.jwk"], "from-jwk".into(), "JWT"),
        (&["--key", "key.jwk", "--kid", "other", "--client-auth"], "other".into(), "client-authentication+jwt"),
    ] {
        let assertion = mint(rest);
        Unverified::parse(&assertion).and_then(|jws| jws.verify(&public)).expect("a signature by the key");
        let (header, claims) = (part(&assertion, 0), claims(&assertion));
        assert_eq!((&header["kid"], &header["typ"], &header["alg"]), (&kid, &typ.into(), &"RS256".into()), "{rest:?}");
        assert_eq!((&claims["iss"], &claims["sub"]), (&"billing".into(), &"billing".into()));
        assert_eq!(claims["aud"], "https://as.example");
    }
}

#[test]
fn what_a_private_key_alone_does_not_say_has_to_be_said() {
    let desk = Desk::new();
    let mint = |rest: &[&str], words: &[&str]| desk.refuses(&[&["assertion", "mint"], rest].concat(), 2, words);
    mint(&["--key", "key.jwk", "--aud", "a"], &["--iss CLIENT"]);
    mint(&["--key", "key.jwk", "--iss", "billing"], &["--aud URL"]);
    mint(&["--key", "key.pem", "--iss", "billing", "--aud", "a"], &["key.pem", "alg"]);
    mint(&["--key", "key.jwk", "--iss", "billing", "--aud", "a", "--alg", "ES256"], &["key.jwk"]);
    desk.refuses(&["token", "--key", "key.jwk", "--iss", "billing"], 2, &["--issuer URL"]);
    desk.ok(&["client", "create", "a", "--generate-key"]);
    mint(&["--key", "a.json", "--iss", "billing"], &["a.json", "private key alone"]);
}

#[test]
fn a_server_is_found_by_its_issuer() {
    let (desk, server) = (Desk::new(), Foreign::start(|_, _| {}));
    let token = |rest: &[&str]| {
        let key = ["token", "--key", "key.jwk", "--iss", "billing", "--issuer", &server.issuer];
        assert_eq!(desk.ok(&[&key, rest].concat()), "the-token", "{rest:?}");
        server.forms("/token").pop().expect("a form")
    };
    let form = token(&["--sub", "alice", "--scope", "a b", "--resource", "https://api.example"]);
    let expected = [("scope", "a b"), ("resource", "https://api.example")];
    assert!(expected.iter().all(|(name, value)| form[*name] == *value), "{form:?}");
    let assertion = claims(&form["assertion"]);
    assert_eq!((&assertion["aud"], &assertion["sub"]), (&json!(server.issuer), &"alice".into()));
    assert!(!form.contains_key("client_assertion"));

    let form = token(&["--aud", "https://legacy.example/token", "--client-auth", "private_key_jwt"]);
    for assertion in ["assertion", "client_assertion"] {
        assert_eq!(claims(&form[assertion])["aud"], "https://legacy.example/token", "{assertion}");
    }
    let form = token(&["--grant", "client-credentials"]);
    assert_eq!(part(&form["client_assertion"], 0)["typ"], "client-authentication+jwt");
    let form = token(&["--client-auth", "none"]);
    assert_eq!(form["client_id"], "billing");
}

#[test]
fn a_server_that_cannot_be_trusted_or_does_not_agree_is_refused() {
    let desk = Desk::new();
    let lying = Foreign::start(|_, script| script.metadata()["issuer"] = "https://victim.example".into());
    let ask = |issuer: &str| ["token", "--key", "key.jwk", "--iss", "billing", "--issuer", issuer].map(str::to_owned);
    let refuses = |issuer: &str, code, words: &[&str]| {
        let arguments = ask(issuer);
        desk.refuses(&arguments.each_ref().map(String::as_str), code, words);
    };
    refuses(&lying.issuer, 1, &[&lying.issuer, "https://victim.example"]);
    assert!(lying.forms("/token").is_empty());
    refuses("http://as.example", 2, &["--issuer", "https"]);
    refuses("http://127.0.0.1:1", 1, &["http://127.0.0.1:1", "no answer"]);
    let refusing = Foreign::start(|_, script| script.answer = Box::new(|_, _| refused("invalid_grant")));
    refuses(&refusing.issuer, 1, &["invalid_grant", "as scripted"]);
    assert_eq!(refusing.forms("/token").len(), 1, "a refusal is not tried again");
    desk.refuses(
        &[&ask(&refusing.issuer).each_ref().map(String::as_str)[..], &["--client-auth", "password"]].concat(),
        2,
        &["password"],
    );
    desk.refuses(
        &[&ask(&refusing.issuer).each_ref().map(String::as_str)[..], &["--client-auth", "client_secret_post"]].concat(),
        2,
        &["a private key"],
    );
}

/// A bare container has none.
#[test]
fn this_machine_is_reached_without_root_certificates() {
    let (desk, server) = (Desk::new(), Foreign::start(|_, _| {}));
    let mut command = grantor(&desk.path().join("data"));
    let arguments = ["token", "--key", "key.jwk", "--iss", "billing", "--issuer", &server.issuer];
    command.current_dir(desk.path()).args(arguments).env("SSL_CERT_FILE", "/nowhere").env("SSL_CERT_DIR", "/nowhere");
    let finished = finished(command.output().expect("the binary runs"));
    assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), ("the-token\n", ""));
}

#[test]
fn our_own_server_is_found_too() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key", "--scope", "read"]);
    let answer = server.ok(&["token", "--key", &key.to_string_lossy(), "--issuer", &server.issuer, "--json"]);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let members = (&answer["token_type"], &answer["expires_in"], &answer["scope"]);
    assert_eq!(members, (&"Bearer".into(), &3600.into(), &"read".into()));
    assert!(answer["access_token"].is_string());
}
