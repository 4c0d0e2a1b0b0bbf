//! A third party that a test registers, with a trust of it and a client that it authenticates; and
//! what its JWTs are held against.

use std::{fs, sync::Arc};

use grantor::jose::{Algorithm, base64url_decode};
use grantor_testkit::double::Publisher;
use serde_json::{Value, json};

use crate::{
    forge::{Jwt, Key, quote},
    oracle::{Because, Use, World, fresh, now, world},
    support::{Answer, Finished, Server},
};

/// No trust takes it, whatever the reason.
pub const NOT_TAKEN: Because = ("trust", "no trust takes the JWT");
/// Whatever the reason.
pub const ANY: Because = ("", "");
/// The options of an issuer on this machine.
pub const LOCAL: [&str; 2] = ["--allow-internal", "127.0.0.0/8"];

/// An issuer that is registered, and what it signs with. Its trusts are for tenant `42` unless a
/// test says otherwise.
#[derive(Clone)]
pub struct Idp {
    /// What it is called here.
    pub name: String,
    pub iss: String,
    pub key: Arc<Key>,
    /// What its JWTs are for.
    pub audience: String,
    /// How far its clock is ahead.
    pub ahead: i64,
}

impl Idp {
    /// Registers `https://NAME.example` at the server of all attacks, with an uploaded key; a trust
    /// of its name for grants, and a client `NAME-job` that its JWTs authenticate.
    pub fn new(name: &str) -> Self {
        Self::with(name, &[])
    }

    /// As [`Idp::new`], with these options of `issuer create`.
    pub fn with(name: &str, options: &[&str]) -> Self {
        let idp = Self::bare(name, options);
        idp.trusted(&world().server);
        idp
    }

    /// As [`Idp::with`], without trust and client.
    pub fn bare(name: &str, options: &[&str]) -> Self {
        Self::uploaded(
            &world().server,
            name,
            &Key::generate(Algorithm::Es256),
            options,
        )
    }

    /// Registers it at `server` with this key, and nothing else.
    pub fn uploaded(server: &Server, name: &str, key: &Arc<Key>, options: &[&str]) -> Self {
        Self::called(
            server,
            &format!("https://{name}.example"),
            name,
            key,
            options,
        )
    }

    /// As [`Idp::uploaded`], with this `iss`.
    pub fn called(
        server: &Server,
        iss: &str,
        name: &str,
        key: &Arc<Key>,
        options: &[&str],
    ) -> Self {
        let path = jwks_file(server, name, &[key.public_jwk(&[])]);
        let create = ["issuer", "create", iss, "--name", name, "--jwks", &path];
        server.ok(&[&create, options].concat());
        Self::of(server, iss, name, key)
    }

    /// Registers a server that publishes its keys, found by its metadata.
    pub fn published(
        server: &Server,
        publisher: &Publisher,
        name: &str,
        key: &Arc<Key>,
        options: &[&str],
    ) -> Self {
        let create = [
            "issuer",
            "create",
            &publisher.issuer,
            "--name",
            name,
            "--discover",
        ];
        server.ok(&[&create[..], &LOCAL, options].concat());
        Self::of(server, &publisher.issuer, name, key)
    }

    /// One that is registered already.
    pub fn of(server: &Server, iss: &str, name: &str, key: &Arc<Key>) -> Self {
        Self {
            name: name.to_owned(),
            iss: iss.to_owned(),
            key: key.clone(),
            audience: server.issuer.clone(),
            ahead: 0,
        }
    }

    /// A trust of its name for grants, and a client `NAME-job` that its JWTs authenticate.
    pub fn trusted(&self, server: &Server) {
        self.trust(server, &self.name, &["--pin", "tenant=42"]);
        self.federated(server, &format!("{}-job", self.name), "repo:acme/widgets");
    }

    /// A trust for grants, of scope `read`, for a client of its own unless the options name one.
    pub fn trust(&self, server: &Server, name: &str, options: &[&str]) {
        let create = [
            "trust", "create", name, "--from", &self.name, "--scope", "read",
        ];
        server.ok(&[&create, options].concat());
    }

    /// A client that its JWTs with this `sub` authenticate.
    pub fn federated(&self, server: &Server, id: &str, sub: &str) {
        let create = [
            "client",
            "create",
            id,
            "--federated",
            &self.name,
            "--sub",
            sub,
        ];
        server.ok(&[&create[..], &["--scope", "read"]].concat());
    }

    /// A good JWT of it for either use, to be spoilt.
    pub fn jwt(&self) -> Jwt<'_> {
        let now = now() + self.ahead;
        let jwt = Jwt::new(&self.key)
            .header("alg", quote(self.key.algorithm.name()))
            .header("kid", quote(self.key.key_id().unwrap_or_default()));
        jwt.text("iss", &self.iss)
            .text("aud", &self.audience)
            .claim("iat", now.to_string())
            .claim("exp", (now + 60).to_string())
            .text("jti", &fresh())
            .text("sub", "repo:acme/widgets")
            .text("tenant", "42")
    }

    /// The same, with these claims in place of others.
    pub fn jwt_with(&self, claims: &Value) -> Jwt<'_> {
        let claims = claims.as_object().expect("an object");
        claims
            .iter()
            .fold(self.jwt(), |jwt, (name, value)| match value {
                Value::Null => jwt.without(name),
                value => jwt.claim(name, value.to_string()),
            })
    }

    /// What `forge` makes of a good JWT is refused through both uses, for this reason, and what it
    /// was made from passes.
    pub fn refuses(&self, row: &str, forge: impl Fn(Jwt<'_>) -> String, because: Because) {
        for usage in Use::BOTH {
            self.refuses_as(usage, row, &forge, because);
        }
    }

    /// As [`Idp::refuses`], through one use. The answer is for further comparisons.
    pub fn refuses_as(
        &self,
        usage: Use,
        row: &str,
        forge: impl Fn(Jwt<'_>) -> String,
        because: Because,
    ) -> Answer {
        let row = format!("{row} as {usage:?}");
        let answer = refused_as(usage, &row, &forge(self.jwt()), because);
        self.passes_as(usage, &format!("control of {row}"), |jwt| jwt.sign());
        answer
    }

    /// What `forge` makes of a good JWT passes through both uses.
    pub fn passes(&self, row: &str, forge: impl Fn(Jwt<'_>) -> String) {
        for usage in Use::BOTH {
            self.passes_as(usage, row, &forge);
        }
    }

    /// As [`Idp::passes`], through one use.
    pub fn passes_as(&self, usage: Use, row: &str, forge: impl Fn(Jwt<'_>) -> String) -> Answer {
        let token = forge(self.jwt());
        world().grants(&format!("{row} as {usage:?}"), &usage.form(&token), &[])
    }
}

/// This JWT is refused for this reason.
pub fn refused_as(usage: Use, row: &str, token: &str, because: Because) -> Answer {
    let world = world();
    let answer = world.attack(row, &usage.form(token), &[]);
    assert_eq!(
        (answer.status, answer.error().as_str()),
        usage.refusal(),
        "{row}: {answer:?} {}",
        world.decision(&answer)
    );
    world.assert_cause(row, &answer, because);
    answer
}

/// This grant is refused with this code and for this reason.
pub fn refused(row: &str, form: &[(&str, &str)], code: &str, because: Because) -> Answer {
    let world = world();
    let answer = world.attack(row, form, &[]);
    assert_eq!(
        answer.error(),
        code,
        "{row}: {answer:?} {}",
        world.decision(&answer)
    );
    if because != ANY {
        world.assert_cause(row, &answer, because);
    }
    answer
}

/// This grant is refused for this reason, and the same with the good JWT passes.
pub fn grant_with<'a>(token: &'a str, more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&Use::Grant.form(token)[..], more].concat()
}

/// The claims of the access token in an answer.
pub fn claims(answer: &Answer) -> Value {
    let token = answer.json()["access_token"].clone();
    let token = token.as_str().expect("an access token").to_owned();
    let payload = token.split('.').nth(1).and_then(base64url_decode);
    serde_json::from_slice(&payload.expect("base64url")).expect("JSON")
}

/// A file with a JWK Set.
pub fn jwks_file(server: &Server, name: &str, keys: &[Value]) -> String {
    let path = server.directory().join(format!("{name}.jwks"));
    fs::write(&path, json!({"keys": keys}).to_string()).expect("a file");
    path.to_string_lossy().into_owned()
}

/// A command is refused with this exit code and these words.
pub fn command_refused(row: &str, finished: &Finished, code: i32, words: &str) {
    assert_eq!(
        finished.status.code(),
        Some(code),
        "{row}: {}{}",
        finished.stdout,
        finished.stderr
    );
    assert!(
        finished.stderr.contains(words),
        "{row}: {}",
        finished.stderr
    );
}

/// The server of all attacks.
pub fn server() -> &'static Server {
    let world: &'static World = world();
    &world.server
}
