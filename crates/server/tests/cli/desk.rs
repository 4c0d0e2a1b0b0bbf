//! A data directory without a server, beside the keys and JWTs of a third party.

use std::{fs, path::Path, sync::Arc};

use grantor::{
    clock::{Clock as _, SystemClock},
    jose::Algorithm,
};
use grantor_testkit::{
    binary::{Finished, finished, grantor},
    forge::{Jwt, Key, quote},
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// The `iss` of the third party.
pub const ISS: &str = "https://idp.example/";
/// The issuer identifier of the server that commands speak of here.
pub const OURS: &str = "http://127.0.0.1:8080";

/// A directory, and a key of the third party, whose public half is in `idp.jwks` there.
pub struct Desk {
    directory: TempDir,
    pub key: Arc<Key>,
}

impl Desk {
    pub fn new() -> Self {
        let desk = Self {
            directory: tempfile::tempdir().expect("a directory"),
            key: Key::generate(Algorithm::Es256),
        };
        desk.file("idp.jwks", key_set(&[&desk.key]));
        desk
    }

    /// With the third party registered under the name `idp`.
    pub fn with_issuer() -> Self {
        let desk = Self::new();
        desk.ok(&[
            "issuer", "create", ISS, "--name", "idp", "--jwks", "idp.jwks",
        ]);
        desk
    }

    pub fn path(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file, and answers its name.
    pub fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.path().join(name), text).expect("a file");
        name.to_owned()
    }

    /// Writes a JWT of the third party with these claims beside the usual ones, and answers the
    /// file's name.
    pub fn jwt(&self, name: &str, claims: &[(&str, Value)]) -> String {
        self.file(name, jwt(&self.key, ISS, OURS, claims))
    }

    pub fn run(&self, arguments: &[&str]) -> Finished {
        let output = grantor(&self.path().join("data"))
            .current_dir(self.path())
            .args(arguments)
            .output();
        finished(output.expect("the binary runs"))
    }

    pub fn ok(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(
            finished.status.success(),
            "{arguments:?}: {}",
            finished.stderr
        );
        finished.stdout
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text)
            .unwrap_or_else(|error| unreachable!("{arguments:?}: {error}: {text}"))
    }

    /// This exit code, nothing on standard output, and an error that says all of these words.
    pub fn refuses(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let finished = self.run(arguments);
        let stderr = &finished.stderr;
        assert_eq!(
            (finished.status.code(), &*finished.stdout),
            (Some(code), ""),
            "{arguments:?}: {stderr}"
        );
        assert!(stderr.contains("error: "), "{arguments:?}: {stderr}");
        for word in words {
            assert!(
                stderr.contains(word),
                "{arguments:?}: no {word:?} in {stderr}"
            );
        }
    }
}

/// A JWK Set of public halves.
pub fn key_set(keys: &[&Key]) -> String {
    let keys: Vec<_> = keys.iter().map(|key| key.public_jwk(&[])).collect();
    json!({"keys": keys}).to_string()
}

/// A JWT of this issuer for this audience, good for five minutes, about `job-1` unless the claims
/// say otherwise; null takes a claim away.
pub fn jwt(key: &Key, iss: &str, aud: &str, claims: &[(&str, Value)]) -> String {
    let now = SystemClock.now();
    let jwt = Jwt::default()
        .header("alg", quote(key.algorithm.name()))
        .header("kid", quote(key.key_id().expect("a kid")))
        .text("iss", iss)
        .text("aud", aud)
        .text("sub", "job-1")
        .text("jti", &format!("jti-{}", now.millis()))
        .claim("iat", now.seconds().to_string())
        .claim("exp", (now.seconds() + 300).to_string());
    let jwt = claims.iter().fold(jwt, |jwt, (name, value)| match value {
        Value::Null => jwt.without(name),
        value => jwt.claim(name, value.to_string()),
    });
    jwt.sign(key)
}
