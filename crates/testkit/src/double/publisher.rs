//! An authorization server that says at each path what a test has it say: its metadata and keys,
//! to begin with.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use grantor::{
    clock::ManualClock,
    jose::JwkSet,
    resource::{Validator, ValidatorBuilder},
};
use serde_json::{Value, json};

use super::{Asked, Dates, Double, Reply};
use crate::{
    NOW, at,
    forge::{Jwt, Key, quote},
};

/// The API that the tokens are for.
pub const AUDIENCE: &str = "https://api.example/invoices";

pub const METADATA: &str = "/.well-known/oauth-authorization-server";
/// Where OpenID providers have theirs.
pub const OPENID: &str = "/.well-known/openid-configuration";
pub const JWKS: &str = "/jwks";
pub const INTROSPECT: &str = "/introspect";

/// The server, and what it was asked.
#[derive(Clone)]
pub struct Publisher {
    pub issuer: String,
    double: Double,
    script: Script,
}

/// What is answered at each path; 404 at others.
type Script = Arc<Mutex<HashMap<String, Reply>>>;

fn reply(script: &Script, path: &str) -> Reply {
    let script = script.lock().unwrap_or_else(PoisonError::into_inner);
    let reply = script.get(path).cloned();
    reply.unwrap_or_else(|| Reply::status(404))
}

impl Publisher {
    /// A server that publishes these keys, and has metadata.
    pub async fn of(keys: &[&Key]) -> Self {
        let script = Script::default();
        let said = Arc::clone(&script);
        let double = Double::start(move |_, asked| reply(&said, asked.uri.path()).answer()).await;
        Self::new(double, script, METADATA, keys)
    }

    /// An OpenID provider that publishes these keys, on a thread of its own: for tests without a
    /// runtime. The thread ends with the test program.
    pub fn apart(keys: &[&Key]) -> Self {
        let script = Script::default();
        let said = Arc::clone(&script);
        let (double, listener) = Double::bind();
        let serving = double.clone();
        serving.serve_apart(listener, Dates::Right, move |_, asked| {
            reply(&said, asked.uri.path()).answer()
        });
        Self::new(double, script, OPENID, keys)
    }

    fn new(double: Double, script: Script, metadata_path: &str, keys: &[&Key]) -> Self {
        let publisher = Self {
            issuer: double.url.clone(),
            double,
            script,
        };
        publisher.says(metadata_path, Reply::json(&publisher.metadata()));
        publisher.publishes(keys);
        publisher
    }

    /// How often it was asked, wherever.
    pub fn count(&self) -> usize {
        self.double.count()
    }

    pub fn metadata(&self) -> Value {
        let at = |path: &str| format!("{}{path}", self.issuer);
        json!({"issuer": self.issuer, "jwks_uri": at(JWKS), "introspection_endpoint": at(INTROSPECT)})
    }

    /// From now on this is the answer.
    pub fn says(&self, path: &str, reply: Reply) {
        let mut script = self.script.lock().unwrap_or_else(PoisonError::into_inner);
        script.insert(path.to_owned(), reply);
    }

    pub fn publishes(&self, keys: &[&Key]) {
        self.says(JWKS, Reply::json(&key_set(keys)));
    }

    /// What it was asked at this path so far.
    pub fn asked(&self, path: &str) -> Vec<Asked> {
        self.double.asked_at(path)
    }

    /// How often it was asked at this path.
    pub fn hits(&self, path: &str) -> usize {
        self.asked(path).len()
    }

    /// Waits until it was asked that often.
    pub async fn hits_become(&self, path: &str, hits: usize) {
        self.double.hits_become(path, hits).await;
    }

    /// A good token of this server.
    pub fn token(&self, key: &Key) -> Jwt {
        good_token(key).text("iss", &self.issuer)
    }

    /// A validator of this server's tokens, with a clock to turn.
    pub fn validator(
        &self,
        change: impl FnOnce(ValidatorBuilder) -> ValidatorBuilder,
    ) -> (Validator, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(at(0.0)));
        let builder = Validator::builder(&self.issuer, AUDIENCE).clock(clock.clone());
        (change(builder).build().expect("a validator"), clock)
    }
}

/// A JWK Set of public halves.
pub fn key_set(keys: &[&Key]) -> Value {
    let jwks: Vec<_> = keys
        .iter()
        .map(|key| key.public().jwk().expect("a public key").to_object())
        .collect();
    json!({"keys": jwks})
}

pub fn parsed_key_set(keys: &[&Key]) -> JwkSet {
    JwkSet::parse(key_set(keys).to_string().as_bytes()).expect("a key set")
}

/// A token as RFC 9068 wants it, for ten minutes. The issuer is to be filled in.
pub fn good_token(key: &Key) -> Jwt {
    let jwt = Jwt::default()
        .header("alg", quote(key.algorithm.name()))
        .header("typ", quote("at+jwt"));
    let jwt = jwt
        .header("kid", quote(key.key_id().expect("a key with a name")))
        .text("sub", "alice")
        .text("aud", AUDIENCE);
    let jwt = jwt
        .text("client_id", "billing")
        .text("jti", "token-1")
        .text("scope", "invoices:read invoices:write");
    jwt.claim("iat", NOW.to_string())
        .claim("exp", (NOW + 600).to_string())
}
