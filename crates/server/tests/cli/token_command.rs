//! `grantor token` and `grantor assertion mint` with servers and keys that are not ours.

use std::path::Path;

use crate::support::{Finished, Server, finished, grantor};
use grantor::jose::{Algorithm, PrivateJwk, Unverified, VerificationKey};
use grantor_testkit::double::{Foreign, ReadJwt, answer, foreign::refused};
use serde_json::{Value, json};
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
        // Else a warning says that others may read it.
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(self.path().join(name), private).expect("chmod");
    }

    fn path(&self) -> &Path {
        self.directory.path()
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = grantor(&self.path().join("data"));
        finished(
            command
                .current_dir(self.path())
                .args(arguments)
                .output()
                .expect("the binary runs"),
        )
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(
            finished.status.success(),
            "{arguments:?}: {}",
            finished.stderr
        );
        finished.stdout.trim_end().to_owned()
    }

    fn refuses(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let finished = self.run(arguments);
        assert_eq!(
            finished.status.code(),
            Some(code),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert!(
            words.iter().all(|word| finished.stderr.contains(word)),
            "{arguments:?}: {}",
            finished.stderr
        );
    }
}

#[test]
fn a_private_key_alone_mints_for_any_audience() {
    let desk = Desk::new();
    let mint = |rest: &[&str]| {
        desk.ok(&[
            &[
                "assertion",
                "mint",
                "--iss",
                "billing",
                "--aud",
                "https://as.example",
            ],
            rest,
        ]
        .concat())
    };
    let public = VerificationKey::from_jwk(desk.key.public()).expect("a public key");
    for (rest, kid, typ) in [
        (
            &["--key", "key.pem", "--alg", "RS256"] as &[&str],
            Value::Null,
            "JWT",
        ),
        (
            &["--key", "key.pem", "--alg", "RS256", "--kid", "2026-01"],
            "2026-01".into(),
            "JWT",
        ),
        (&["--key", "key.jwk"], "from-jwk".into(), "JWT"),
        (
            &["--key", "key.jwk", "--kid", "other", "--client-auth"],
            "other".into(),
            "client-authentication+jwt",
        ),
    ] {
        let assertion = mint(rest);
        Unverified::parse(&assertion)
            .and_then(|jws| jws.verify(&public))
            .expect("a signature by the key");
        let ReadJwt { header, claims, .. } = ReadJwt::read(&assertion);
        assert_eq!(
            (&header["kid"], &header["typ"], &header["alg"]),
            (&kid, &typ.into(), &"RS256".into()),
            "{rest:?}"
        );
        assert_eq!(
            (&claims["iss"], &claims["sub"]),
            (&"billing".into(), &"billing".into())
        );
        assert_eq!(claims["aud"], "https://as.example");
    }
}

/// A key that comes through a pipe is there once.
#[test]
fn a_key_is_read_once_from_wherever_it_comes() {
    let desk = Desk::new();
    let server = Foreign::start(|_, _| {});
    let key_file = json!({
        "type": "grantor_client", "issuer": server.issuer, "token_endpoint": format!("{}/token", server.issuer),
        "client_id": "billing", "private_key": serde_json::from_str::<Value>(desk.key.expose_json()).expect("JSON"),
    });
    desk.file("key.json", &key_file.to_string());
    desk.file("mark.json", &format!("\u{feff}{key_file}"));
    desk.file(
        "mark.pem",
        &format!("\u{feff}{}", *desk.key.expose_rsa_pem().expect("RSA")),
    );
    let binary = env!("CARGO_BIN_EXE_grantor");
    let bare = "--iss billing --alg RS256 --aud https://as.example";
    for command in [
        "token --key - < key.json".to_owned(),
        "token --key /dev/stdin < key.json".to_owned(),
        "token --key <(cat key.json)".to_owned(),
        "token --key mark.json".to_owned(),
        "doctor --key <(cat key.json)".to_owned(),
        format!("assertion mint --key - {bare} < key.pem"),
        format!("assertion mint --key <(cat key.pem) {bare}"),
        format!("assertion mint --key mark.pem {bare}"),
        "assertion mint --key <(cat key.jwk) --iss billing --aud https://as.example".to_owned(),
    ] {
        let shell = std::process::Command::new("bash")
            .current_dir(desk.path())
            .args(["-c", &format!("'{binary}' --data data {command}")])
            .output();
        let finished = finished(shell.expect("bash runs"));
        assert!(
            finished.status.success() && !finished.stdout.is_empty(),
            "{command}: {}{}",
            finished.stdout,
            finished.stderr
        );
    }
}

/// What people give for a private key, and what each is told: no two the same.
#[test]
fn a_file_that_holds_no_private_key_says_what_it_holds() {
    let desk = Desk::new();
    let openssl = |command: &str| {
        let run = std::process::Command::new("bash")
            .current_dir(desk.path())
            .args(["-c", &format!("openssl {command}")])
            .output();
        let run = run.expect("bash runs");
        assert!(
            run.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&run.stderr)
        );
    };
    openssl("pkey -in key.pem -pubout -out public.pem");
    openssl("pkey -in key.pem -aes128 -passout pass:x -out encrypted.pem");
    openssl("rsa -in key.pem -traditional -aes128 -passout pass:x -out legacy.pem");
    openssl("req -x509 -new -key key.pem -subj /CN=billing -days 2 -out certificate.pem");
    openssl("req -new -key key.pem -subj /CN=billing -out request.pem");
    openssl("pkcs12 -export -inkey key.pem -in certificate.pem -passout pass:x -out key.p12");
    openssl("pkcs12 -in key.p12 -passin pass:x -nodes -out bag.pem");
    openssl("pkey -in key.pem -outform DER -out key.der");
    openssl("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out small.pem");
    openssl("ecparam -name secp256k1 -genkey -noout -out curve.pem");
    openssl("genpkey -algorithm X25519 -out x25519.pem");
    let key = desk.key.expose_rsa_pem().expect("RSA");
    desk.file("two.pem", &[key.as_str(), &key].concat());
    desk.file(
        "openssh.pem",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
    );
    desk.file("cut.pem", &key[..200]);
    desk.file("damaged.pem", &key.replacen("MII", "MIK", 1));
    desk.file("empty", "");
    desk.file("text", "hello");
    desk.file(
        "set.json",
        &format!("{{\"keys\":[{}]}}", desk.key.expose_json()),
    );
    desk.file(
        "public.jwk",
        &serde_json::to_string(&desk.key.public()).expect("JSON"),
    );
    desk.file(
        "enc.jwk",
        &desk.key.expose_json().replacen('{', "{\"use\":\"enc\",", 1),
    );
    desk.file("other.json", "{\"a\":1}");
    desk.file("broken.json", "{\"a\":");
    desk.file("long", &" ".repeat(300_000));
    std::fs::write(desk.path().join("utf16.pem"), b"\xff\xfe-\0-\0").expect("a file");
    std::fs::create_dir(desk.path().join("directory")).expect("a directory");
    let rows = [
        ("public.pem", "a public key"),
        ("encrypted.pem", "openssl pkey -in FILE"),
        ("legacy.pem", "encrypted"),
        ("certificate.pem", "certificate without its private key"),
        ("request.pem", "certificate request"),
        ("key.p12", "binary"),
        ("key.der", "openssl pkey -inform DER"),
        ("small.pem", "1024 bits"),
        ("curve.pem", "P-256, P-384 and P-521"),
        ("x25519.pem", "type that is not supported"),
        ("two.pem", "2 private keys"),
        ("openssh.pem", "ssh-keygen -p -m PKCS8"),
        ("cut.pem", "cut off"),
        ("damaged.pem", "damaged"),
        ("empty", "is empty"),
        ("text", "neither PEM"),
        ("set.json", "JWK Set"),
        ("public.jwk", "no private part"),
        ("enc.jwk", "not for signatures"),
        ("other.json", "neither a key file"),
        ("broken.json", "begins like JSON"),
        ("long", "longer than 65536 octets"),
        ("utf16.pem", "UTF-16"),
        ("directory", "is a directory"),
        ("missing", "No such file"),
    ];
    let mint = |file: &str| {
        [
            "assertion",
            "mint",
            "--key",
            file,
            "--alg",
            "RS256",
            "--iss",
            "billing",
            "--aud",
            "a",
        ]
        .map(str::to_owned)
    };
    let mint = |file: &str| desk.run(&mint(file).each_ref().map(String::as_str));
    let mut said = std::collections::BTreeSet::new();
    for (file, words) in rows {
        let refused = mint(file);
        assert_eq!(refused.status.code(), Some(2), "{file}: {}", refused.stderr);
        assert!(
            refused.stderr.contains(words) && refused.stderr.contains(file),
            "{file}: {}",
            refused.stderr
        );
        said.insert(refused.stderr.replace(file, "FILE"));
    }
    // The two ways to encrypt and the two binary forms are told the same.
    assert_eq!(said.len(), rows.len() - 2, "{said:#?}");
    for file in ["key.pem", "bag.pem"] {
        let minted = mint(file);
        assert!(minted.status.success(), "{file}: {}", minted.stderr);
    }
}

#[test]
fn what_a_private_key_alone_does_not_say_has_to_be_said() {
    let desk = Desk::new();
    let mint = |rest: &[&str], words: &[&str]| {
        desk.refuses(&[&["assertion", "mint"], rest].concat(), 2, words);
    };
    mint(&["--key", "key.jwk", "--aud", "a"], &["--iss CLIENT"]);
    mint(&["--key", "key.jwk", "--iss", "billing"], &["--aud URL"]);
    mint(
        &["--key", "key.pem", "--iss", "billing", "--aud", "a"],
        &["key.pem", "alg"],
    );
    mint(
        &[
            "--key", "key.jwk", "--iss", "billing", "--aud", "a", "--alg", "ES256",
        ],
        &["key.jwk"],
    );
    desk.refuses(
        &["token", "--key", "key.jwk", "--iss", "billing"],
        2,
        &["--issuer URL"],
    );
    desk.ok(&["client", "create", "a", "--generate-key"]);
    mint(
        &["--key", "a.json", "--iss", "billing"],
        &["a.json", "private key alone"],
    );
}

#[test]
fn a_server_is_found_by_its_issuer() {
    let (desk, server) = (Desk::new(), Foreign::start(|_, _| {}));
    let token = |rest: &[&str]| {
        let key = [
            "token",
            "--key",
            "key.jwk",
            "--iss",
            "billing",
            "--issuer",
            &server.issuer,
        ];
        assert_eq!(desk.ok(&[&key, rest].concat()), "the-token", "{rest:?}");
        server.forms("/token").pop().expect("a form")
    };
    let form = token(&[
        "--sub",
        "alice",
        "--scope",
        "a b",
        "--resource",
        "https://api.example",
    ]);
    let expected = [("scope", "a b"), ("resource", "https://api.example")];
    assert!(
        expected.iter().all(|(name, value)| form[*name] == *value),
        "{form:?}"
    );
    let assertion = ReadJwt::read(&form["assertion"]).claims;
    assert_eq!(
        (&assertion["aud"], &assertion["sub"]),
        (&json!(server.issuer), &"alice".into())
    );
    assert!(!form.contains_key("client_assertion"));

    let form = token(&[
        "--aud",
        "https://legacy.example/token",
        "--client-auth",
        "private_key_jwt",
    ]);
    for assertion in ["assertion", "client_assertion"] {
        assert_eq!(
            ReadJwt::read(&form[assertion]).claims["aud"],
            "https://legacy.example/token",
            "{assertion}"
        );
    }
    let form = token(&["--grant", "client-credentials"]);
    assert_eq!(
        ReadJwt::read(&form["client_assertion"]).header["typ"],
        "client-authentication+jwt"
    );
    let form = token(&["--client-auth", "none"]);
    assert_eq!(form["client_id"], "billing");
}

#[test]
fn a_server_that_cannot_be_trusted_or_does_not_agree_is_refused() {
    let desk = Desk::new();
    let lying =
        Foreign::start(|_, script| script.metadata()["issuer"] = "https://victim.example".into());
    let ask = |issuer: &str| {
        [
            "token", "--key", "key.jwk", "--iss", "billing", "--issuer", issuer,
        ]
        .map(str::to_owned)
    };
    let refuses = |issuer: &str, code, words: &[&str]| {
        let arguments = ask(issuer);
        desk.refuses(&arguments.each_ref().map(String::as_str), code, words);
    };
    refuses(&lying.issuer, 1, &[&lying.issuer, "https://victim.example"]);
    assert!(lying.forms("/token").is_empty());
    refuses("http://as.example", 2, &["--issuer", "https"]);
    refuses(
        "http://127.0.0.1:1",
        1,
        &["http://127.0.0.1:1", "no answer"],
    );
    let refusing =
        Foreign::start(|_, script| script.token = Box::new(|_| refused("invalid_grant")));
    refuses(&refusing.issuer, 1, &["invalid_grant", "as scripted"]);
    assert_eq!(
        refusing.forms("/token").len(),
        1,
        "a refusal is not tried again"
    );
    desk.refuses(
        &[
            &ask(&refusing.issuer).each_ref().map(String::as_str)[..],
            &["--client-auth", "password"],
        ]
        .concat(),
        2,
        &["password"],
    );
    desk.refuses(
        &[
            &ask(&refusing.issuer).each_ref().map(String::as_str)[..],
            &["--client-auth", "client_secret_post"],
        ]
        .concat(),
        2,
        &["a private key"],
    );
}

/// C105
#[test]
fn who_has_to_be_asked_first_is_said_with_the_link() {
    let link = "https://as.example/consent?client_id=billing&login_hint=alice%40example.com";
    let body = json!({"error": "consent_required", "error_description": "not yet (decision 7)", "consent_uri": link});
    let server = Foreign::start(|_, script| {
        script.token = Box::new(move |_| answer(400, &body));
    });
    let desk = Desk::new();
    let ask = [
        "token",
        "--key",
        "key.jwk",
        "--iss",
        "billing",
        "--issuer",
        &server.issuer,
    ];
    let expected = format!("have alice@example.com allow it here, then run this again: {link}");
    desk.refuses(
        &[&ask[..], &["--sub", "alice@example.com"]].concat(),
        1,
        &[
            "refused with 400: consent_required: not yet (decision 7)",
            &expected,
        ],
    );
    desk.refuses(
        &ask,
        1,
        &[&expected.replace("have alice@example.com", "have the person")],
    );
}

/// A bare container has none.
#[test]
fn this_machine_is_reached_without_root_certificates() {
    let (desk, server) = (Desk::new(), Foreign::start(|_, _| {}));
    let mut command = grantor(&desk.path().join("data"));
    let arguments = [
        "token",
        "--key",
        "key.jwk",
        "--iss",
        "billing",
        "--issuer",
        &server.issuer,
    ];
    command
        .current_dir(desk.path())
        .args(arguments)
        .env("SSL_CERT_FILE", "/nowhere")
        .env("SSL_CERT_DIR", "/nowhere");
    let finished = finished(command.output().expect("the binary runs"));
    // Nothing is said about roots where none are needed.
    assert_eq!(
        (finished.stdout.as_str(), finished.stderr.as_str()),
        ("the-token\n", "")
    );
}

#[test]
fn our_own_server_is_found_too() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key", "--scope", "read"]);
    let answer = server.ok(&[
        "token",
        "--key",
        &key.to_string_lossy(),
        "--issuer",
        &server.issuer,
        "--json",
    ]);
    let answer: Value = serde_json::from_str(&answer).expect("JSON");
    let members = (
        &answer["token_type"],
        &answer["expires_in"],
        &answer["scope"],
    );
    assert_eq!(members, (&"Bearer".into(), &3600.into(), &"read".into()));
    assert!(answer["access_token"].is_string());
}
