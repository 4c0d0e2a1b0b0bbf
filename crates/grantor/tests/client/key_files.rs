//! Key files: both forms are read, and what is wrong with one is said by member.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex},
    time::Duration,
};

use crate::support::{Double, clock, refusal, token};
use grantor::{
    client::{AccessToken, KeySourceError, LocalKey, TokenError, TokenSource},
    credential::{
        Credential, CredentialError, KeyFile, KeyFileError, KeyText, KeyTextError, KeyTextForm,
    },
    jose::{Algorithm, PrivateJwk},
    types::{AuthMethod, ClientId, Issuer},
};
use serde_json::{Value, json};

const SECRET: &str = "a-secret-of-at-least-thirty-two-octets";

fn grantor_form(key: &PrivateJwk) -> Value {
    let private: Value = serde_json::from_str(key.expose_json()).expect("JSON");
    json!({
        "type": "grantor_client", "issuer": "https://as.example", "token_endpoint": "https://as.example/token",
        "client_id": "billing", "alg": key.algorithm().name(), "private_key": private,
    })
}

fn service_account(key: &PrivateJwk) -> Value {
    let pem = key.expose_rsa_pem().expect("RSA");
    json!({
        "type": "service_account", "project_id": "p", "private_key_id": "b3f1", "private_key": *pem,
        "client_email": "a@p.example", "client_id": "1234567890", "token_uri": "https://as.example/token",
        "auth_uri": "https://accounts.example/auth", "universe_domain": "googleapis.com",
    })
}

fn secret_form(method: &str) -> Value {
    json!({
        "type": "grantor_client", "issuer": "https://as.example", "token_endpoint": "https://as.example/token",
        "client_id": "billing", "auth_method": method, "client_secret": SECRET,
    })
}

fn with(mut file: Value, member: &str, value: Value) -> Value {
    file[member] = value;
    file
}

fn without(mut file: Value, member: &str) -> Value {
    file.as_object_mut().expect("an object").remove(member);
    file
}

/// Writes a key file for this server and asks it for a token.
async fn ask(file: Value, endpoint: &str) -> crate::support::Asked {
    let server = Double::tokens().await;
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("key.json");
    std::fs::write(
        &path,
        with(file, endpoint, json!(server.token_endpoint())).to_string(),
    )
    .expect("a file");
    let source = TokenSource::from_key_file(&path).expect("a source");
    assert_eq!(source.token().await.expect("a token").expose(), "token-0");
    let mut asked = server.last();
    asked.uri = server.token_endpoint().parse().expect("a URI");
    asked
}

#[tokio::test]
async fn a_key_file_is_all_that_is_needed() {
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let asked = ask(grantor_form(&key), "token_endpoint").await;
    let jwt = asked.jwt("assertion");
    jwt.is_by(&key);
    assert_eq!(jwt.header["kid"], key.key_id());
    assert_eq!(
        (jwt.claim("iss"), jwt.claim("sub"), jwt.claim("aud")),
        (
            &json!("billing"),
            &json!("billing"),
            &json!("https://as.example")
        )
    );
    assert_eq!(asked.form().len(), 2);
}

#[tokio::test]
async fn a_service_account_file_is_used_by_its_rules() {
    let key = PrivateJwk::generate(Algorithm::Rs256).expect("a key");
    let asked = ask(service_account(&key), "token_uri").await;
    let jwt = asked.jwt("assertion");
    assert_eq!(
        (&jwt.header["kid"], jwt.claim("iss")),
        (&json!("b3f1"), &json!("a@p.example")),
        "the e-mail, not the number"
    );
    assert_eq!(
        (jwt.claim("aud"), jwt.claims.get("sub")),
        (&json!(asked.uri.to_string()), None)
    );
}

#[tokio::test]
async fn a_file_with_a_secret_is_used_by_its_method() {
    let basic = ask(secret_form("client_secret_basic"), "token_endpoint").await;
    assert!(
        basic
            .authorization()
            .is_some_and(|value| value.starts_with("Basic "))
    );
    let default = ask(without(secret_form(""), "auth_method"), "token_endpoint").await;
    assert_eq!(default.authorization(), basic.authorization());
    let post = ask(secret_form("client_secret_post"), "token_endpoint").await;
    assert_eq!(post.parameter("client_secret").as_deref(), Some(SECRET));
    let jwt = ask(secret_form("client_secret_jwt"), "token_endpoint")
        .await
        .jwt("client_assertion");
    assert_eq!(
        (&jwt.header["alg"], jwt.claim("aud")),
        (&json!("HS256"), &json!("https://as.example"))
    );
}

#[test]
fn a_file_says_by_member_what_is_wrong_with_it() {
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let rsa = PrivateJwk::generate(Algorithm::Rs256).expect("a key");
    let public: Value =
        serde_json::from_str(&serde_json::to_string(&key.public()).expect("JSON")).expect("JSON");
    let good = || grantor_form(&key);
    let rows = [
        (json!([]), "type"),
        (json!({"type": "authorized_user"}), "type"),
        (without(good(), "type"), "type"),
        (without(good(), "client_id"), "client_id"),
        (with(good(), "client_id", json!("a\nb")), "client_id"),
        (with(good(), "issuer", json!(1)), "issuer"),
        (with(good(), "alg", json!("none")), "alg"),
        (with(good(), "alg", json!("RS256")), "private_key"),
        (with(good(), "private_key", public), "private_key"),
        (without(good(), "private_key"), "private_key"),
        (
            without(service_account(&rsa), "client_email"),
            "client_email",
        ),
        (
            with(
                service_account(&rsa),
                "private_key",
                json!("-----BEGIN PRIVATE KEY-----"),
            ),
            "private_key",
        ),
    ];
    for (file, expected) in rows {
        let (member, problem) = KeyFile::parse(file.to_string().as_bytes()).expect_err(expected);
        assert_eq!(member, expected, "{problem}");
    }
    for file in [good(), service_account(&rsa)] {
        let file = KeyFile::parse(file.to_string().as_bytes()).expect("the control");
        assert!(
            matches!(file.credential, Credential::PrivateKey(_))
                && file.auth_method == AuthMethod::PRIVATE_KEY_JWT
        );
        assert!(!format!("{file:?}").contains("\"d\""));
    }
}

/// A value in the wrong place may be the secret: an error names the member, and does not show the
/// value.
#[test]
fn no_error_shows_what_a_member_is() {
    const CANARY: &str = "canary-5318008";
    const NUMBER: u64 = 5_318_008;
    let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let rsa = PrivateJwk::generate(Algorithm::Rs256).expect("a key");
    let texts = [
        "issuer",
        "token_endpoint",
        "client_id",
        "auth_method",
        "alg",
    ];
    let grantor = texts.map(|member| (grantor_form(&key), member));
    let secret = [
        (secret_form("client_secret_basic"), "client_secret"),
        (secret_form("client_secret_basic"), "issuer"),
    ];
    let texts = ["client_email", "private_key_id", "private_key", "token_uri"];
    let accounts = texts.map(|member| (service_account(&rsa), member));
    let wrong = [
        json!(NUMBER),
        json!([CANARY]),
        json!({"d": CANARY}),
        json!(true),
    ];
    let mut rows: Vec<(Value, &str)> = Vec::new();
    for (file, member) in grantor.into_iter().chain(secret).chain(accounts) {
        rows.extend(
            wrong
                .iter()
                .map(|value| (with(file.clone(), member, value.clone()), member)),
        );
        assert!(
            KeyFile::parse(file.to_string().as_bytes()).is_ok(),
            "{member}: the control"
        );
    }
    let pem = format!("-----BEGIN PRIVATE KEY-----\n{CANARY}\n-----END PRIVATE KEY-----\n");
    for value in [
        json!(pem),
        json!(NUMBER),
        json!([CANARY]),
        json!({"kty": "EC", "d": CANARY}),
        json!({"kty": [CANARY]}),
    ] {
        rows.push((
            with(grantor_form(&key), "private_key", value),
            "private_key",
        ));
    }
    for (member, value) in [
        ("alg", json!(CANARY)),
        ("type", json!(CANARY)),
        ("client_id", json!(format!("{CANARY}\n"))),
    ] {
        rows.push((with(grantor_form(&key), member, value), member));
    }
    rows.push((
        with(service_account(&rsa), "private_key", json!(pem)),
        "private_key",
    ));
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("key.json");
    for (file, expected) in rows {
        std::fs::write(&path, file.to_string()).expect("a file");
        let error = KeyFile::read(&path).expect_err(expected);
        let shown = format!("{error} {error:?}");
        assert!(
            !shown.contains(CANARY) && !shown.contains(&NUMBER.to_string()),
            "{expected}: {shown}"
        );
        assert!(
            matches!(error, KeyFileError::Member(_, member, _) if member == expected),
            "{expected}: {shown}"
        );
    }
    for text in [
        format!("{{\"private_key\": {CANARY}}}"),
        format!("\"{CANARY}\""),
        format!("{{\"type\": \"{CANARY}"),
    ] {
        let error = KeyFile::parse(text.as_bytes()).expect_err("not an object");
        assert!(!format!("{error:?}").contains(CANARY), "{error:?}");
    }
}

#[test]
fn a_file_that_makes_no_source_says_where_it_is() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("billing.json");
    assert!(matches!(
        TokenSource::from_key_file(&path),
        Err(KeySourceError::File(KeyFileError::Text(..)))
    ));
    let rows = [
        with(
            secret_form("client_secret_basic"),
            "token_endpoint",
            json!("http://as.example/token"),
        ),
        secret_form("private_key_jwt"),
        secret_form("none"),
        with(
            secret_form("client_secret_jwt"),
            "client_secret",
            json!("short"),
        ),
    ];
    for file in rows {
        std::fs::write(&path, file.to_string()).expect("a file");
        let error = TokenSource::from_key_file(&path).expect_err("unusable");
        assert!(
            matches!(error, KeySourceError::Config(..))
                && error.to_string().contains("billing.json"),
            "{error}"
        );
    }
    let parsed =
        KeyFile::parse(secret_form("private_key_jwt").to_string().as_bytes()).expect("readable");
    assert!(matches!(
        parsed.client_auth().err(),
        Some(CredentialError::AuthMethod(_))
    ));
    std::fs::write(&path, secret_form("client_secret_basic").to_string()).expect("a file");
    assert!(TokenSource::from_key_file(&path).is_ok(), "the control");
}

/// A server that takes assertions of one key, which a test changes; and a source with a key file
/// for it.
struct Rotation {
    server: Double,
    taken: Arc<Mutex<String>>,
    directory: tempfile::TempDir,
}

impl Rotation {
    async fn start() -> Self {
        let taken = Arc::<Mutex<String>>::default();
        let known = Arc::clone(&taken);
        let server = Double::start(move |number, asked| {
            let is_known =
                asked.jwt("assertion").header["kid"] == known.lock().expect("no panic").as_str();
            async move {
                if is_known {
                    token(&format!("token-{number}"), 3600)
                } else {
                    refusal(400, "invalid_grant")
                }
            }
        });
        Self {
            server: server.await,
            taken,
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("billing.json")
    }

    /// Puts a key file where the last one is.
    fn writes(&self, key: &PrivateJwk) {
        let file = with(
            grantor_form(key),
            "token_endpoint",
            json!(self.server.token_endpoint()),
        );
        std::fs::write(self.path(), file.to_string()).expect("a file");
    }

    fn takes(&self, key: &PrivateJwk) {
        key.key_id()
            .clone_into(&mut self.taken.lock().expect("no panic"));
    }

    /// Asks for a new token, and answers how many requests that took.
    async fn fetches(&self, source: &TokenSource) -> (Result<AccessToken, TokenError>, usize) {
        let before = self.server.count();
        let token = source.token().await;
        if let Ok(token) = &token {
            source.invalidate(token);
        }
        (token, self.server.count() - before)
    }
}

fn new_key() -> PrivateJwk {
    PrivateJwk::generate(Algorithm::Es256).expect("a key")
}

#[tokio::test]
async fn a_key_file_that_has_changed_is_read_again() {
    let rotation = Rotation::start().await;
    let (old, new) = (new_key(), new_key());
    rotation.writes(&old);
    rotation.takes(&old);
    let clock = clock();
    let source = TokenSource::key_file(rotation.path())
        .expect("a key file")
        .clock(clock.clone())
        .build()
        .expect("a source");
    let (token, requests) = rotation.fetches(&source).await;
    assert!(token.is_ok() && requests == 1, "{token:?}");

    // What is new is used without a refusal.
    clock.advance(Duration::from_secs(60));
    std::fs::remove_file(rotation.path()).expect("there is one");
    rotation.writes(&new);
    rotation.takes(&new);
    let (token, requests) = rotation.fetches(&source).await;
    assert!(token.is_ok() && requests == 1, "{token:?}");
    rotation.server.last().jwt("assertion").is_by(&new);

    // What is broken or for somebody else is not: the key that is known is used on.
    let stranger = with(
        with(grantor_form(&old), "client_id", json!("other")),
        "token_endpoint",
        json!(rotation.server.token_endpoint()),
    );
    for bad in ["{\"type\":".to_owned(), String::new(), stranger.to_string()] {
        clock.advance(Duration::from_secs(60));
        std::fs::write(rotation.path(), &bad).expect("a file");
        let (token, requests) = rotation.fetches(&source).await;
        assert!(token.is_ok() && requests == 1, "{bad}: {token:?}");
        rotation.server.last().jwt("assertion").is_by(&new);
    }
    std::fs::remove_file(rotation.path()).expect("there is one");
    clock.advance(Duration::from_secs(60));
    assert!(rotation.fetches(&source).await.0.is_ok(), "without a file");
}

#[tokio::test]
async fn a_refusal_has_the_key_file_read_again_once() {
    let rotation = Rotation::start().await;
    let (old, new, lost) = (new_key(), new_key(), new_key());
    rotation.writes(&old);
    rotation.takes(&old);
    let clock = clock();
    let source = TokenSource::key_file(rotation.path())
        .expect("a key file")
        .clock(clock.clone())
        .build()
        .expect("a source");
    assert!(rotation.fetches(&source).await.0.is_ok());

    // A change that nothing about the file tells: written within the grain of its time, as long as
    // before.
    let modified = std::fs::metadata(rotation.path())
        .and_then(|metadata| metadata.modified())
        .expect("a time");
    rotation.writes(&new);
    let file = std::fs::File::options()
        .write(true)
        .open(rotation.path())
        .expect("the file");
    file.set_modified(modified).expect("a time");
    clock.advance(Duration::from_secs(60));
    let (token, requests) = rotation.fetches(&source).await;
    assert!(
        token.is_ok() && requests == 1,
        "the old key is still taken: {token:?}"
    );
    rotation.takes(&new);
    clock.advance(Duration::from_secs(60));
    let (token, requests) = rotation.fetches(&source).await;
    assert!(
        token.is_ok() && requests == 2,
        "refused with the old key, and asked again with the new one: {token:?}"
    );

    // A refusal of the key that is in the file is one.
    rotation.takes(&lost);
    clock.advance(Duration::from_secs(60));
    let (token, requests) = rotation.fetches(&source).await;
    assert_eq!(
        (token.expect_err("refused").oauth_code(), requests),
        (Some("invalid_grant"), 1)
    );
}

/// A pipe gives its text once: reading it again would wait for ever.
#[cfg(unix)]
#[tokio::test]
async fn a_key_file_that_is_a_pipe_is_read_once() {
    let rotation = Rotation::start().await;
    let (key, other) = (new_key(), new_key());
    rotation.takes(&key);
    let pipe = rotation.path();
    let made = std::process::Command::new("mkfifo")
        .arg(&pipe)
        .status()
        .expect("mkfifo runs");
    assert!(made.success());
    let file = with(
        grantor_form(&key),
        "token_endpoint",
        json!(rotation.server.token_endpoint()),
    )
    .to_string();
    let writer = std::thread::spawn({
        let pipe = pipe.clone();
        move || std::fs::write(pipe, file)
    });
    let clock = clock();
    let source = TokenSource::key_file(&pipe)
        .expect("a key file")
        .clock(clock.clone())
        .build()
        .expect("a source");
    writer.join().expect("no panic").expect("written");
    assert!(rotation.fetches(&source).await.0.is_ok());
    rotation.takes(&other);
    clock.advance(Duration::from_secs(60));
    let (token, requests) =
        tokio::time::timeout(Duration::from_secs(20), rotation.fetches(&source))
            .await
            .expect("nobody waits");
    assert!(token.is_err() && requests == 1, "{token:?}");
}

/// Editors of some systems put a byte order mark in front.
#[test]
fn a_byte_order_mark_is_passed_over() {
    let key = new_key();
    let text = format!("\u{feff}{}", grantor_form(&key));
    assert!(KeyFile::parse(text.as_bytes()).is_ok());
    let text = KeyText::parse(format!("\u{feff}{}", key.expose_json()).as_bytes()).expect("a key");
    assert_eq!(text.form(), KeyTextForm::Jwk);
    assert!(LocalKey::from_text(&text, None).is_ok() && !format!("{text:?}").contains("\"d\""));
    assert!(matches!(
        KeyText::parse(b"\xff\xfe{\0}\0"),
        Err(KeyTextError::Utf16)
    ));
}

/// What a key file says, to be compared.
fn said(file: &KeyFile) -> [String; 7] {
    let credential = match &file.credential {
        Credential::PrivateKey(key) => format!("{} {}", key.algorithm(), key.expose_json()),
        Credential::Secret(secret) => secret.to_string(),
        _ => unreachable!("another kind of credential"),
    };
    [
        format!("{:?}", file.form),
        file.client_id.to_string(),
        file.token_endpoint.clone(),
        file.issuer.clone(),
        file.audience.clone(),
        file.auth_method.to_string(),
        credential,
    ]
}

fn is_read_back(file: &KeyFile) {
    let text = file.to_text().expect("its form has a place for it");
    let read = KeyFile::parse(text.as_bytes()).expect("what was written is read");
    assert_eq!(said(&read), said(file));
    assert_eq!(read.to_text().expect("once more"), text);
}

#[test]
fn what_is_written_is_read_back_the_same() {
    use proptest::{prelude::any, prop_assume, proptest};

    let methods = [
        AuthMethod::PRIVATE_KEY_JWT,
        AuthMethod::CLIENT_SECRET_JWT,
        AuthMethod::CLIENT_SECRET_BASIC,
        AuthMethod::CLIENT_SECRET_POST,
        AuthMethod::NONE,
    ];
    let signing = Algorithm::ALL.into_iter().filter(|each| !each.is_mac());
    let keys: Vec<_> = signing
        .map(|each| PrivateJwk::generate(each).expect("a key"))
        .collect();
    let again = |key: &PrivateJwk| {
        PrivateJwk::parse(key.expose_json().as_bytes(), Some(key.algorithm())).expect("a key")
    };
    let issuers = [
        "https://as.example",
        "https://as.example/tenant",
        "http://127.0.0.1:8080",
    ]
    .map(|text| Issuer::parse(text).expect("an issuer"));
    proptest!(|(id in any::<String>(), secret in any::<String>(), which in any::<[proptest::sample::Index; 3]>())| {
        let id = ClientId::parse(&id);
        prop_assume!(id.is_ok());
        let id = id.expect("an identifier");
        let (issuer, method) = (which[0].get(&issuers), which[1].get(&methods));
        let key = which[2].get(&keys);
        let by_key = Credential::PrivateKey(again(key));
        is_read_back(&KeyFile::new(issuer, id.clone(), method.clone(), by_key));
        let by_secret = Credential::Secret(secret.into());
        is_read_back(&KeyFile::new(issuer, id.clone(), method.clone(), by_secret));
        let account = KeyFile::service_account(issuer, id, again(key));
        if key.algorithm() == Algorithm::Rs256 {
            is_read_back(&account);
        }
    });
}

#[test]
fn a_key_file_is_written_whole_and_over_no_other() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("billing.json");
    let issuer = Issuer::parse("https://as.example").expect("an issuer");
    let file = |secret: &str| {
        let id = ClientId::parse("billing").expect("an identifier");
        let secret = Credential::Secret(secret.to_owned().into());
        KeyFile::new(&issuer, id, AuthMethod::CLIENT_SECRET_BASIC, secret)
    };
    file(SECRET).write_new(&path).expect("written");
    assert!(matches!(
        file("another").write_new(&path),
        Err(KeyFileError::Exists(_))
    ));
    let read = KeyFile::read(&path).expect("a key file");
    assert_eq!(said(&read), said(&file(SECRET)));
    let elsewhere = directory.path().join("none").join("billing.json");
    assert!(matches!(
        file(SECRET).write_new(&elsewhere),
        Err(KeyFileError::NoDirectory(_))
    ));
    let account = KeyFile::service_account(
        &issuer,
        ClientId::parse("ci").expect("an identifier"),
        PrivateJwk::generate(Algorithm::Es256).expect("a key"),
    );
    let none = directory.path().join("ci.json");
    assert!(matches!(
        account.write_new(&none),
        Err(KeyFileError::Form(_))
    ));
    let names: Vec<_> = std::fs::read_dir(&directory)
        .expect("a directory")
        .map(|entry| entry.expect("an entry").file_name())
        .collect();
    assert_eq!(names, ["billing.json"], "nothing else is left there");
}
