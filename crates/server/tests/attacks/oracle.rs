//! One server for all attacks, the parties registered there, and what every answer to an attack is
//! held against.
//!
//! The list of attacks asks for an answer within 250 ms on loopback. This is a debug build on a
//! shared machine: the hard limit is 2 s.

use std::{
    fs,
    io::ErrorKind,
    net::TcpListener,
    process::{Command, Stdio},
    sync::{
        Arc, LazyLock, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use grantor::{
    clock::{Clock as _, SystemClock},
    jose::{Algorithm, base64url_decode},
};
use serde_json::{Value, json};

use crate::{
    forge::{Jwt, Key, quote},
    support::{Answer, CLIENT_ASSERTION, JWT_BEARER, Server},
};

const HARD_LIMIT: Duration = Duration::from_secs(2);

const CONFIGURATION: &str = r#"
[assertion]
algorithms = ["RS256", "PS256", "ES256", "ES384", "ES512", "Ed25519", "EdDSA"]
[token]
resources = ["https://api.example/v1"]
"#;

/// The two uses of an assertion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    Grant,
    ClientAuth,
}

impl Use {
    pub const BOTH: [Self; 2] = [Self::Grant, Self::ClientAuth];

    pub fn form(self, token: &str) -> Vec<(&'static str, &str)> {
        match self {
            Self::Grant => vec![("grant_type", JWT_BEARER), ("assertion", token)],
            Self::ClientAuth => vec![
                ("grant_type", "client_credentials"),
                ("client_assertion_type", CLIENT_ASSERTION),
                ("client_assertion", token),
            ],
        }
    }

    /// RFC 7521 §4.1.1, §4.2.1
    pub fn refusal(self) -> (u16, &'static str) {
        match self {
            Self::Grant => (400, "invalid_grant"),
            Self::ClientAuth => (400, "invalid_client"),
        }
    }
}

/// The rule that must be named as broken, and words of the private cause.
pub type Because = (&'static str, &'static str);

/// A client and its key.
pub struct Party {
    pub id: &'static str,
    pub key: Arc<Key>,
}

/// A client with a secret.
pub struct SecretParty {
    pub id: &'static str,
    pub secret: String,
}

pub struct World {
    pub server: Server,
    /// ES256.
    pub ec: Party,
    /// Another client like it.
    pub other: Party,
    /// RS256, and its key says so.
    pub rsa: Party,
    /// RS256, the key without `alg`.
    pub rsa_open: Party,
    /// ES384.
    pub p384: Party,
    /// ES512.
    pub p521: Party,
    pub ed: Party,
    /// An ES256 and an RSA key; `token_endpoint_auth_signing_alg` is ES256.
    pub pinned: Party,
    /// `client_secret_jwt`, with no other key than its secret.
    pub hmac: Party,
    /// `client_secret_jwt`, its secret expired.
    pub expired: Party,
    /// `client_secret_jwt`, with an ES256 key for grants.
    pub hmac_and_key: Party,
    /// May use client_credentials only.
    pub no_bearer: Party,
    /// May use jwt-bearer only.
    pub bearer_only: Party,
    pub disabled: Party,
    /// `--audience-policy legacy`
    pub legacy: Party,
    pub basic: SecretParty,
    pub post: SecretParty,
    canary: TcpListener,
    tokens: Mutex<Vec<String>>,
}

/// The server, started when first asked for.
pub fn world() -> &'static World {
    static WORLD: LazyLock<World> = LazyLock::new(World::start);
    &WORLD
}

impl World {
    fn start() -> Self {
        let server = Server::start_with(CONFIGURATION);
        reap(&server);
        let generate = |id, algorithm| Party {
            id,
            key: Key::generate(algorithm),
        };
        let rsa = generate("rsa.example", Algorithm::Rs256);
        let keyed = |id, algorithm, arguments: &[&str]| {
            let party = generate(id, algorithm);
            register(&server, id, &[party.key.public_jwk(&[])], arguments);
            party
        };
        let rsa_open = Party {
            id: "rsa-open.example",
            key: rsa.key.clone(),
        };
        register(&server, rsa.id, &[rsa.key.public_jwk(&[])], &[]);
        register(
            &server,
            rsa_open.id,
            &[rsa.key.public_jwk(&[("alg", Value::Null)])],
            &[],
        );
        let pinned = generate("pinned.example", Algorithm::Es256);
        register(
            &server,
            pinned.id,
            &[pinned.key.public_jwk(&[]), rsa.key.public_jwk(&[])],
            &["--signing-alg", "ES256"],
        );
        let hmac = |id, arguments| Party {
            id,
            key: Key::secret(secret(&server, id, "client_secret_jwt", arguments)),
        };
        let hmac_and_key = generate("hmac-and-key.example", Algorithm::Es256);
        register(
            &server,
            hmac_and_key.id,
            &[hmac_and_key.key.public_jwk(&[])],
            &["--auth", "client_secret_jwt"],
        );
        let canary = TcpListener::bind("127.0.0.1:0").expect("a free port");
        canary.set_nonblocking(true).expect("a socket");
        let world = Self {
            ec: keyed("ec.example", Algorithm::Es256, &[]),
            other: keyed("other.example", Algorithm::Es256, &[]),
            p384: keyed("p384.example", Algorithm::Es384, &[]),
            p521: keyed("p521.example", Algorithm::Es512, &[]),
            ed: keyed("ed.example", Algorithm::Ed25519, &[]),
            no_bearer: keyed(
                "no-bearer.example",
                Algorithm::Es256,
                &["--grant", "client-credentials"],
            ),
            bearer_only: keyed(
                "bearer-only.example",
                Algorithm::Es256,
                &["--grant", "jwt-bearer"],
            ),
            disabled: keyed("disabled.example", Algorithm::Es256, &[]),
            legacy: keyed(
                "legacy.example",
                Algorithm::Es256,
                &["--audience-policy", "legacy"],
            ),
            hmac: hmac("hmac.example", &[]),
            expired: hmac("expired.example", &["--secret-lifetime", "0s"]),
            basic: SecretParty {
                id: "basic.example",
                secret: secret(&server, "basic.example", "client_secret_basic", &[]),
            },
            post: SecretParty {
                id: "post.example",
                secret: secret(&server, "post.example", "client_secret_post", &[]),
            },
            rsa,
            rsa_open,
            pinned,
            hmac_and_key,
            canary,
            server,
            tokens: Mutex::default(),
        };
        for subject in [
            "alice@example.com",
            "bob@example.com",
            "carol@example.com",
            "dave@example.com",
        ] {
            world.server.ok(&["subject", "create", subject]);
        }
        for subject in ["alice@example.com", "carol@example.com", "dave@example.com"] {
            world.server.ok(&[
                "permission",
                "create",
                world.ec.id,
                subject,
                "--scope",
                "read",
            ]);
        }
        world
            .server
            .ok(&["subject", "disable", "carol@example.com"]);
        world.server.ok(&["subject", "delete", "dave@example.com"]);
        world.server.ok(&["client", "disable", "disabled.example"]);
        world
    }

    /// A URL that nobody may ever ask.
    pub fn canary_url(&self) -> String {
        format!(
            "http://{}/jwks",
            self.canary.local_addr().expect("a bound socket")
        )
    }

    /// A valid assertion of this party for this use, to be spoilt.
    pub fn jwt<'k>(&self, party: &'k Party, usage: Use) -> Jwt<'k> {
        let jwt = Jwt::new(&party.key).header("alg", quote(party.key.algorithm.name()));
        let jwt = party
            .key
            .key_id()
            .into_iter()
            .fold(jwt, |jwt, kid| jwt.header("kid", quote(kid)));
        let typ = if usage == Use::Grant {
            "JWT"
        } else {
            "client-authentication+jwt"
        };
        jwt.header("typ", quote(typ))
            .text("iss", party.id)
            .text("sub", party.id)
            .text("aud", &self.server.issuer)
            .claim("iat", now().to_string())
            .claim("exp", (now() + 60).to_string())
            .text("jti", &fresh())
    }

    /// What `forge` makes of a valid assertion is refused through both uses, for this reason, and
    /// what it was made from passes.
    pub fn refuses(
        &self,
        row: &str,
        party: &Party,
        forge: impl Fn(Jwt<'_>) -> String,
        because: Because,
    ) {
        for usage in Use::BOTH {
            self.refuses_as(usage, row, party, &forge, because);
        }
    }

    /// As [`World::refuses`], through one use. The answer is for further comparisons.
    pub fn refuses_as(
        &self,
        usage: Use,
        row: &str,
        party: &Party,
        forge: impl Fn(Jwt<'_>) -> String,
        because: Because,
    ) -> Answer {
        let row = format!("{row} as {usage:?}");
        let token = forge(self.jwt(party, usage));
        let answer = self.attack(&row, &usage.form(&token), &[]);
        assert_eq!(
            (answer.status, answer.error().as_str()),
            usage.refusal(),
            "{row}: {answer:?}"
        );
        self.assert_cause(&row, &answer, because);
        self.passes_as(usage, &format!("control of {row}"), party, |jwt| jwt.sign());
        answer
    }

    /// What `forge` makes of a valid assertion is accepted through both uses.
    pub fn passes(&self, row: &str, party: &Party, forge: impl Fn(Jwt<'_>) -> String) {
        for usage in Use::BOTH {
            self.passes_as(usage, row, party, &forge);
        }
    }

    /// As [`World::passes`], through one use.
    pub fn passes_as(
        &self,
        usage: Use,
        row: &str,
        party: &Party,
        forge: impl Fn(Jwt<'_>) -> String,
    ) -> Answer {
        let token = forge(self.jwt(party, usage));
        self.grants(&format!("{row} as {usage:?}"), &usage.form(&token), &[])
    }

    /// This form gets a token.
    pub fn grants(&self, row: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let answer = self.server.post("/token", form, headers);
        let token = answer.json()["access_token"].as_str().map(str::to_owned);
        assert!(
            answer.status == 200 && token.is_some(),
            "{row}: {answer:?} {:?}",
            self.decision(&answer)
        );
        self.tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .extend(token);
        answer
    }

    /// This form gets none, and the answer passes the oracle.
    pub fn attack(&self, row: &str, form: &[(&str, &str)], headers: &[(&str, &str)]) -> Answer {
        let started = Instant::now();
        let answer = self.server.post("/token", form, headers);
        let sent: Vec<&str> = form
            .iter()
            .chain(headers)
            .map(|(_, value)| *value)
            .collect();
        self.judge(row, &answer, started, &sent);
        answer
    }

    /// The oracle for all: no token, no failure of the server, in time, JSON that nobody stores,
    /// clean text, no echo, no call out.
    pub fn judge(&self, row: &str, answer: &Answer, started: Instant, sent: &[&str]) {
        assert!(
            started.elapsed() < HARD_LIMIT,
            "{row}: took {:?}",
            started.elapsed()
        );
        assert!((400..500).contains(&answer.status), "{row}: {answer:?}");
        let body = answer.json();
        assert!(
            body["error"].is_string() && body["access_token"].is_null(),
            "{row}: {answer:?}"
        );
        assert_eq!(
            answer.header("Content-Type"),
            Some("application/json"),
            "{row}: {answer:?}"
        );
        assert_eq!(
            answer.header("Cache-Control"),
            Some("no-store"),
            "{row}: {answer:?}"
        );
        let description = body["error_description"].as_str().unwrap_or_default();
        // RFC 6749 §5.2: %x20-21 / %x23-5B / %x5D-7E
        assert!(
            description
                .bytes()
                .all(|byte| matches!(byte, 0x20..=0x7e) && !b"\"\\".contains(&byte)),
            "{row}: {answer:?}"
        );
        let everything = format!("{:?}{}", answer.headers, answer.body);
        for text in sent.iter().flat_map(|text| texts(text)) {
            assert!(
                !everything.contains(&text),
                "{row}: {text:?} is echoed in {answer:?}"
            );
        }
        let called = self.canary.accept();
        assert!(
            called.is_err_and(|error| error.kind() == ErrorKind::WouldBlock),
            "{row}: the server called out"
        );
    }

    /// The decision log says why.
    pub fn assert_cause(&self, row: &str, answer: &Answer, (rule, cause): Because) {
        let outcome = &self.decision(answer)["outcome"];
        let got = outcome["cause"].as_str().unwrap_or_default();
        assert!(
            outcome["rule"] == rule && got.contains(cause),
            "{row}: expected {rule}: {cause}, got {outcome}"
        );
    }

    /// The decision that the answer names, if it does.
    pub fn decision(&self, answer: &Answer) -> Value {
        let id = answer.decision_id();
        if id.is_empty() {
            Value::Null
        } else {
            self.server.decision(&id)
        }
    }

    /// Every access token issued and every secret there is: what no log may hold.
    pub fn credentials(&self) -> Vec<String> {
        let tokens = self
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let macs = [&self.hmac, &self.expired].map(|party| party.key.text().to_owned());
        tokens
            .into_iter()
            .chain(macs)
            .chain([self.basic.secret.clone(), self.post.secret.clone()])
            .collect()
    }
}

/// The texts in an input that an answer might echo: of a JWT every string in it, else the input
/// itself. Short ones could be there by chance, and the names of grants and types are words of the
/// protocol.
fn texts(input: &str) -> Vec<String> {
    let mut found = vec![input.to_owned()];
    for segment in input.split('.') {
        found.push(segment.to_owned());
        let json = base64url_decode(segment)
            .and_then(|octets| serde_json::from_slice::<Value>(&octets).ok());
        let members = json
            .as_ref()
            .and_then(Value::as_object)
            .into_iter()
            .flatten();
        found.extend(members.filter_map(|(_, value)| value.as_str().map(str::to_owned)));
    }
    found.retain(|text| {
        text.len() >= 8 && !["application/json", "client_credentials"].contains(&text.as_str())
    });
    found
}

/// Statics are never dropped: a shell waits for this process to end, and then ends the server and
/// removes its directory.
pub fn reap(server: &Server) {
    let reaper = Command::new("sh")
        .args([
            "-c",
            "read -r _; kill -9 \"$0\"; rm -rf \"$1\"",
            &server.pid().to_string(),
        ])
        .arg(server.directory())
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell");
    static REAPER: Mutex<Vec<std::process::Child>> = Mutex::new(Vec::new());
    REAPER
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(reaper);
}

/// Registers a client with these public JWKs.
pub fn register(server: &Server, id: &'static str, keys: &[Value], arguments: &[&str]) {
    let path = server.directory().join(format!("{id}.jwks"));
    fs::write(&path, json!({"keys": keys}).to_string()).expect("a file");
    server.client(
        id,
        &[
            &["--jwks", &path.to_string_lossy(), "--scope", "read write"],
            arguments,
        ]
        .concat(),
    );
}

/// Registers a client with a secret, and answers it.
fn secret(server: &Server, id: &str, method: &str, arguments: &[&str]) -> String {
    let path = server.client(
        id,
        &[&["--auth", method, "--scope", "read write"], arguments].concat(),
    );
    let file: Value = serde_json::from_slice(&fs::read(path).expect("a key file")).expect("JSON");
    file["client_secret"].as_str().expect("a secret").to_owned()
}

/// Seconds since 1970.
pub fn now() -> i64 {
    SystemClock.now().seconds()
}

/// A `jti` never used before.
pub fn fresh() -> String {
    static LAST: AtomicU64 = AtomicU64::new(0);
    format!("jti-number-{}", LAST.fetch_add(1, Ordering::Relaxed))
}
