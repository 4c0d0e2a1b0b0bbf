//! The command line: what is wrong is said in one line that names it and the remedy; secrets are
//! where they belong and nowhere else.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use crate::support::{Finished, JWT_BEARER, Server, finished, grantor, kill_after};
use grantor::jose::{Algorithm, PrivateJwk};
use grantor_testkit::binary::database::{is_not_of_sqlite, is_postgres, variables};
use grantor_testkit::{binary::browser::Browser, wait};
use rusqlite::Connection;
use serde_json::{Map, Value, json};
use tempfile::TempDir;

/// A data directory without a server.
struct Desk(TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a directory"))
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file for its owner alone, and answers its name.
    fn file(&self, name: &str, text: impl AsRef<[u8]>) -> String {
        fs::write(self.path().join(name), text).expect("a file");
        self.chmod(name, 0o600);
        name.to_owned()
    }

    fn chmod(&self, name: &str, mode: u32) {
        fs::set_permissions(self.path().join(name), fs::Permissions::from_mode(mode))
            .expect("chmod");
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let output = grantor(&self.path().join("data"))
            .current_dir(self.path())
            .args(arguments)
            .output();
        finished(output.expect("the binary runs"))
    }

    fn ok(&self, arguments: &[&str]) -> String {
        let finished = self.run(arguments);
        assert!(
            finished.status.success(),
            "{arguments:?}: {}",
            finished.stderr
        );
        finished.stdout
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let text = self.ok(&[arguments, &["--json"]].concat());
        serde_json::from_str(&text)
            .unwrap_or_else(|error| unreachable!("{arguments:?}: {error}: {text}"))
    }

    /// Every command that there is: its words, its help, and whether it is a leaf.
    fn commands(&self) -> Vec<(Vec<String>, String, bool)> {
        let mut waiting = vec![Vec::<String>::new()];
        let mut found = Vec::new();
        while let Some(command) = waiting.pop() {
            let arguments: Vec<&str> = command
                .iter()
                .map(String::as_str)
                .chain(["--help"])
                .collect();
            let help = self.ok(&arguments);
            let commands = help.split_once("Commands:\n").map_or("", |(_, rest)| rest);
            let before = waiting.len();
            for line in commands
                .lines()
                .take_while(|line| line.starts_with("  "))
                .filter(|line| !line.starts_with("   "))
            {
                let (name, text) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
                assert!(text.trim().len() > 5, "{command:?}: {name} has no text");
                if name != "help" {
                    waiting.push([&command[..], &[name.to_owned()]].concat());
                }
            }
            found.push((command, help, waiting.len() == before));
        }
        found
    }

    fn key_file(&self, name: &str) -> Value {
        serde_json::from_slice(&fs::read(self.path().join(name)).expect("a key file"))
            .expect("JSON")
    }

    /// Exit code, and exactly one line that says `error:` and all of these words.
    fn refuses(&self, arguments: &[&str], code: i32, words: &[&str]) {
        let finished = self.run(arguments);
        assert_eq!(
            finished.status.code(),
            Some(code),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert!(
            finished.stdout.is_empty(),
            "{arguments:?}: {}",
            finished.stdout
        );
        assert_eq!(
            finished.stderr.lines().count(),
            1,
            "{arguments:?}: {}",
            finished.stderr
        );
        assert!(
            finished.stderr.starts_with("error: "),
            "{arguments:?}: {}",
            finished.stderr
        );
        for word in words {
            assert!(
                finished.stderr.contains(word),
                "{arguments:?}: no {word:?} in {}",
                finished.stderr
            );
        }
        let as_json = self.run(&[arguments, &["--json"]].concat());
        let error: Value = serde_json::from_str(&as_json.stderr).expect("one JSON object");
        assert!(
            error["error"].is_string() && as_json.status.code() == Some(code),
            "{arguments:?}: {}",
            as_json.stderr
        );
    }
}

fn private_jwk(algorithm: Algorithm) -> Map<String, Value> {
    let key = PrivateJwk::generate(algorithm).expect("a key");
    serde_json::from_str(key.expose_json()).expect("JSON")
}

/// A set of the public half of a new key, with these members instead; `null` removes one.
fn set(algorithm: Algorithm, members: &[(&str, Value)]) -> String {
    let mut jwk = private_jwk(algorithm);
    jwk.retain(|name, _| !["d", "p", "q", "dp", "dq", "qi"].contains(&name.as_str()));
    jwk.extend(
        members
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone())),
    );
    jwk.retain(|_, value| !value.is_null());
    json!({"keys": [jwk]}).to_string()
}

#[test]
fn clap_refuses_malformed_flags() {
    let desk = Desk::new();
    for arguments in [
        &["nonsense"][..],
        &[],
        &["client"],
        &["client", "create"],
        &["client", "create", ""],
        &["client", "create", " a"],
        &["client", "create", "a\nb"],
        &["client", "create", "a", "--auth", "password"],
        &["client", "create", "a", "--scope", "a  b"],
        &["client", "create", "a", "--grant", "password"],
        &["client", "create", "a", "--signing-alg", "none"],
        &["client", "create", "a", "--jwks", "x", "--generate-key"],
        &["client", "create", "a", "--secret-lifetime", "-1d"],
        &["client", "add-key", "a"],
        &["client", "remove-key", "a"],
        &["client", "show", "a", "b"],
        &["subject", "create", &"a".repeat(256)],
        &["permission", "create", "a"],
        &["key", "rotate", "--alg", "rs256"],
        &["assertion", "mint"],
        &["assertion", "mint", "--key", "k", "--lifetime", "soon"],
        &[
            "assertion",
            "mint",
            "--key",
            "k",
            "--client-auth",
            "--sub",
            "x",
        ],
        &["token", "--key", "k", "--grant", "password"],
        &["serve", "--listen", "localhost"],
        &["serve", "--listen", "127.0.0.1:99999"],
    ] {
        let finished = desk.run(arguments);
        assert_eq!(
            finished.status.code(),
            Some(2),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert!(
            finished.stdout.is_empty() && !finished.stderr.is_empty(),
            "{arguments:?}"
        );
    }
    assert!(!desk.path().join("data").exists(), "nothing was created");
}

/// A pipe that is full and that nobody reads keeps no process from ending, whatever is wrong.
#[test]
fn no_error_waits_for_a_standard_error_that_stalls() {
    let desk = Desk::new();
    for arguments in [
        &["nonsense"][..],
        &["client", "show"],
        &["client", "show", "nobody"],
    ] {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        // As much as a pipe holds.
        writer.write_all(&[b' '; 64 * 1024]).expect("filled");
        let grantor = grantor(&desk.path().join("data"));
        let mut command = Command::new("timeout");
        command
            .arg("8")
            .arg(grantor.get_program())
            .args(grantor.get_args())
            .envs(variables(&desk.path().join("data")))
            .args(arguments);
        let status = command.stderr(writer).status().expect("it runs");
        assert!(
            matches!(status.code(), Some(1 | 2)),
            "{arguments:?}: {status}"
        );
        drop(reader);
    }
}

#[test]
fn a_usage_error_is_one_line_with_the_remedy() {
    let desk = Desk::new();
    let create = |rest: &[&'static str]| [&["client", "create", "a"], rest].concat();
    desk.refuses(&create(&[]), 2, &["--generate-key", "--jwks"]);
    desk.refuses(
        &create(&["--generate-key", "HS256"]),
        2,
        &["--generate-key HS256", "ES256"],
    );
    desk.refuses(
        &create(&["--generate-key", "none"]),
        2,
        &["--generate-key none", "ES256"],
    );
    desk.refuses(
        &create(&["--format", "google"]),
        2,
        &["--format google", "--generate-key"],
    );
    desk.refuses(
        &create(&["--format", "google", "--generate-key", "ES256"]),
        2,
        &["--format google", "RS256"],
    );
    desk.refuses(
        &create(&["--generate-key", "--signing-alg", "HS256"]),
        2,
        &["HS256", "does not fit"],
    );
    desk.refuses(
        &create(&["--auth", "none", "--grant", "client-credentials"]),
        2,
        &["client_credentials", "authenticate"],
    );
    // A path goes elsewhere by these names, or says them in base64url.
    for name in [".", "..", "~a"] {
        let named = format!("the name {name} ");
        for arguments in [
            &["client", "create", name, "--generate-key"][..],
            &["subject", "create", name],
        ] {
            desk.refuses(arguments, 2, &[&named, "choose another"]);
        }
    }
    // The key file has one place for a key or a secret.
    desk.refuses(
        &create(&["--generate-key", "--auth", "client_secret_basic"]),
        2,
        &["--generate-key: ", "add the key later"],
    );
    desk.refuses(
        &create(&[
            "--generate-key",
            "--scope",
            "grantor:foo",
            "--signing-alg",
            "HS256",
        ]),
        2,
        &["--scope: ", "--signing-alg: "],
    );
    assert!(
        !desk.path().join("data").exists(),
        "what was refused has made no database"
    );
    desk.ok(&["client", "create", "...", "--generate-key"]);
    desk.ok(&["subject", "create", "a~b"]);
    desk.ok(&["subject", "create", "somebody"]);
    desk.refuses(
        &["key", "rotate", "--alg", "HS256"],
        2,
        &["--alg: HS256", "signed"],
    );
    desk.refuses(
        &["client", "list", "--config", "nowhere.toml"],
        2,
        &["nowhere.toml"],
    );
    desk.refuses(
        &["client", "list", "--issuer", "http://as.example"],
        2,
        &["'issuer'", "https"],
    );
    for command in ["assertion", "token"] {
        let with = |key: &str| match command {
            "token" => vec!["token".to_owned(), "--key".to_owned(), key.to_owned()],
            _ => vec![
                "assertion".to_owned(),
                "mint".to_owned(),
                "--key".to_owned(),
                key.to_owned(),
            ],
        };
        let refuses = |key: &str, words: &[&str]| {
            let arguments = with(key);
            desk.refuses(
                &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
                2,
                &[&[key], words].concat(),
            );
        };
        refuses("nowhere.json", &["No such file"]);
        refuses(&desk.file("text.json", "hello"), &["neither PEM", "JSON"]);
        refuses(
            &desk.file("array.json", "[]"),
            &["neither a key file", "JWK"],
        );
        refuses(
            &desk.file("other.json", r#"{"type":"authorized_user"}"#),
            &["'type'", "service_account"],
        );
        refuses(
            &desk.file("short.json", r#"{"type":"grantor_client"}"#),
            &["'private_key'", "missing"],
        );
        let form = |key: Value| {
            let issuer = "http://127.0.0.1:1";
            let endpoint = format!("{issuer}/token");
            json!({"type": "grantor_client", "issuer": issuer, "token_endpoint": endpoint, "client_id": "a", "private_key": key})
        };
        refuses(
            &desk.file("nokey.json", form(Value::Null).to_string()),
            &["private_key"],
        );
        refuses(
            &desk.file(
                "oct.json",
                form(json!({"kty": "oct", "k": "AA"})).to_string(),
            ),
            &["private_key"],
        );
        let mut mixed = private_jwk(Algorithm::Es256);
        mixed.insert("d".to_owned(), private_jwk(Algorithm::Es256)["d"].clone());
        refuses(
            &desk.file("mixed.json", form(mixed.into()).to_string()),
            &["private_key", "does not match"],
        );
        let google = r#"{"type":"service_account","client_email":"a","private_key":"-----BEGIN","token_uri":"http://127.0.0.1:1"}"#;
        refuses(&desk.file("pem.json", google), &["private_key", "PEM"]);
    }
}

#[test]
fn keys_that_must_not_be_registered_are_refused() {
    use Algorithm::{Ed25519, Es256, Rs256};
    let desk = Desk::new();
    let small = "a".repeat(170) + "E";
    let private = json!({"keys": [private_jwk(Es256)]}).to_string();
    desk.ok(&["subject", "create", "somebody"]);
    let rows: [(&str, String, &[&str]); 17] = [
        ("private.jwks", private, &["private"]),
        (
            "oct.jwks",
            r#"{"keys":[{"kty":"oct","k":"AAAA"}]}"#.to_owned(),
            &["key 0"],
        ),
        (
            "rsa1024.jwks",
            set(Rs256, &[("n", small.into())]),
            &["bits"],
        ),
        (
            "exponent1.jwks",
            set(Rs256, &[("e", "AQ".into())]),
            &["'e' must be odd"],
        ),
        (
            "exponent4.jwks",
            set(Rs256, &[("e", "BA".into())]),
            &["'e' must be odd"],
        ),
        ("zero.jwks", set(Rs256, &[("n", "".into())]), &["'n'"]),
        (
            "offcurve.jwks",
            set(
                Es256,
                &[("x", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into())],
            ),
            &["point"],
        ),
        ("short.jwks", set(Es256, &[("x", "AAAA".into())]), &["'x'"]),
        (
            "infinity.jwks",
            set(Es256, &[("x", "".into()), ("y", "".into())]),
            &["'x'"],
        ),
        (
            "wrongalg.jwks",
            set(Es256, &[("alg", "ES384".into())]),
            &["ES384", "does not fit"],
        ),
        (
            "smallorder.jwks",
            set(
                Ed25519,
                &[("x", "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA".into())],
            ),
            &["point"],
        ),
        (
            "enc.jwks",
            set(Es256, &[("use", "enc".into())]),
            &["not for verifying"],
        ),
        (
            "ops.jwks",
            set(Es256, &[("key_ops", json!(["encrypt"]))]),
            &["not for verifying"],
        ),
        (
            "twice.jwks",
            r#"{"keys":[],"keys":[]}"#.to_owned(),
            &["duplicate"],
        ),
        ("none.jwks", r#"{"keys":[]}"#.to_owned(), &["no usable key"]),
        (
            "unknown.jwks",
            r#"{"keys":[{"kty":"LATTICE"}]}"#.to_owned(),
            &["no usable key"],
        ),
        ("text.jwks", "hello".to_owned(), &["JSON"]),
    ];
    for (name, text, words) in rows {
        desk.file(name, text);
        desk.refuses(
            &["client", "create", "a", "--jwks", name],
            2,
            &[&["--jwks", name], words].concat(),
        );
    }
    desk.refuses(
        &["client", "create", "a", "--jwks", "nowhere.jwks"],
        2,
        &["nowhere.jwks", "No such file"],
    );
    assert_eq!(
        desk.json(&["client", "list"]),
        json!([]),
        "none was registered"
    );
    let known = set(Es256, &[]);
    let mixed = known.replacen("[{", "[{\"kty\":\"LATTICE\"},{", 1);
    desk.ok(&[
        "client",
        "create",
        "a",
        "--jwks",
        &desk.file("mixed.jwks", mixed),
    ]);
    desk.ok(&[
        "client",
        "create",
        "b",
        "--jwks",
        &desk.file("good.jwks", known.clone()),
    ]);
    desk.ok(&[
        "client",
        "create",
        "m",
        "--jwks",
        &desk.file("mark.jwks", format!("\u{feff}{known}")),
    ]);
    // An encryption key beside it is not registered, and is no reason to refuse the other: whatever
    // it looks like.
    let encryption = "[{\"kty\":\"RSA\",\"use\":\"enc\",\"kid\":\"enc\",\"alg\":\"RSA-OAEP\",\"n\":\"AQ\",\"e\":\"AQAB\"},{";
    let both = known.replacen("[{", encryption, 1);
    desk.ok(&[
        "client",
        "create",
        "c",
        "--jwks",
        &desk.file("both.jwks", both.clone()),
    ]);
    let keys = desk.json(&["client", "show", "c"])["jwks"]["keys"]
        .as_array()
        .expect("keys")
        .clone();
    assert!(keys.len() == 1 && keys[0]["kid"] != "enc", "{keys:?}");
    let weak = desk.file(
        "weak.jwks",
        both.replacen("enc", "sig", 1)
            .replacen("RSA-OAEP", "RS256", 1),
    );
    desk.refuses(
        &["client", "create", "d", "--jwks", &weak],
        2,
        &["weak.jwks", "key 0", "bits"],
    );
    for name in ["private.jwks", "rsa1024.jwks"] {
        desk.refuses(
            &["client", "add-key", "a", "--jwks", name],
            2,
            &["--jwks", name],
        );
    }
}

/// A new reader of files has to say how much it reads: what is read without a limit is found here.
#[test]
fn one_function_reads_files() {
    let mut waiting = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("..")];
    let mut found = Vec::new();
    let mut seen = 0;
    while let Some(directory) = waiting.pop() {
        for entry in fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() && !path.ends_with("tests") && !path.ends_with("testkit") {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs")
                && !path.ends_with("grantor/src/file.rs")
                && !path.ends_with("tests.rs")
            {
                let text = fs::read_to_string(&path).expect("a source");
                let code = text.split("#[cfg(test)]").next().unwrap_or_default();
                let lines = code.lines().filter(|line| {
                    !line.trim_start().starts_with("//") && !line.contains(".take(")
                });
                let reads = [
                    "fs::read(",
                    "read_to_string(",
                    "read_to_end(",
                    "pem_file_iter(",
                    "from_pem_file(",
                ];
                found.extend(
                    lines
                        .filter(|line| reads.iter().any(|read| line.contains(read)))
                        .map(|line| format!("{path:?}: {line}")),
                );
                seen += 1;
            }
        }
    }
    assert!(found.is_empty() && seen > 150, "{seen} files: {found:?}");
}

/// Public keys as partners hand them out, made by another program.
fn openssl(desk: &Desk, command: &str) {
    let mut openssl = Command::new("sh");
    let output = openssl
        .args(["-c", &format!("openssl {command}")])
        .current_dir(desk.path())
        .output()
        .expect("a shell");
    assert!(
        output.status.success(),
        "openssl {command}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn a_public_key_in_pem_or_the_key_of_a_certificate_is_registered() {
    let desk = Desk::new();
    // Nobody listens there.
    let issuer = ["--issuer", "http://127.0.0.1:1"];
    for (name, generate, alg) in [
        (
            "rsa",
            "genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            "RS256",
        ),
        (
            "p256",
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            "ES256",
        ),
        (
            "p384",
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384",
            "ES384",
        ),
        ("ed", "genpkey -algorithm ED25519", "Ed25519"),
    ] {
        openssl(&desk, &format!("{generate} -out {name}.key"));
        openssl(
            &desk,
            &format!("pkey -in {name}.key -pubout -out {name}.spki"),
        );
        openssl(
            &desk,
            &format!("req -x509 -key {name}.key -subj /CN={name} -days 1 -out {name}.crt"),
        );
        openssl(
            &desk,
            &format!("x509 -in {name}.crt -text -out {name}.text"),
        );
        if name == "rsa" {
            openssl(
                &desk,
                &format!("rsa -in {name}.key -RSAPublicKey_out -out {name}.pkcs1"),
            );
        }
        // A chain: the leaf first, others after it.
        let certificate =
            fs::read_to_string(desk.path().join(format!("{name}.crt"))).expect("a certificate");
        let other = rcgen::generate_simple_self_signed(["other".to_owned()])
            .expect("a certificate")
            .cert
            .pem();
        desk.file(&format!("{name}.chain"), format!("{certificate}{other}"));
        for form in ["spki", "crt", "text", "chain", "pkcs1"] {
            let (file, id) = (format!("{name}.{form}"), format!("{name}-{form}"));
            if !desk.path().join(&file).exists() {
                continue;
            }
            desk.ok(&["client", "create", &id, "--pem", &file, "--kid", "2026-01"]);
            let key = desk.json(&["client", "show", &id])["jwks"]["keys"][0].clone();
            assert_eq!(key["kid"], "2026-01", "{file}");
            // What its private half signs verifies with it.
            let mint = [
                "assertion",
                "mint",
                "--key",
                &format!("{name}.key"),
                "--alg",
                alg,
                "--iss",
                &id,
                "--kid",
                "2026-01",
            ];
            let assertion =
                desk.ok(&[&mint[..], &["--aud", "http://127.0.0.1:1"], &issuer].concat());
            desk.ok(&[&["assertion", "explain", assertion.trim()], &issuer[..]].concat());
        }
    }
    // No key file is made of a public key.
    desk.refuses(
        &[
            "client",
            "create",
            "named",
            "--pem",
            "p256.spki",
            "--out",
            "k",
        ],
        2,
        &["--out k", "leave out --out"],
    );
    desk.ok(&["client", "create", "named", "--pem", "p256.spki"]);
    for (id, flag, text) in [
        ("piped", "--pem", "p256.spki"),
        ("piped-set", "--jwks", "set.jwks"),
    ] {
        desk.file("set.jwks", set(Algorithm::Es256, &[]));
        let mut command = grantor(&desk.path().join("data"));
        command
            .current_dir(desk.path())
            .args(["client", "create", id, flag, "-"]);
        let piped = command
            .stdin(fs::File::open(desk.path().join(text)).expect("a file"))
            .output()
            .expect("the binary runs");
        assert!(
            piped.status.success(),
            "{}",
            String::from_utf8_lossy(&piped.stderr)
        );
    }
    let shown = desk.json(&["client", "show", "named"]);
    assert_eq!(
        shown["jwks"]["keys"][0]["kid"].as_str().map(str::len),
        Some(43),
        "the thumbprint: {shown}"
    );
    desk.ok(&["client", "add-key", "named", "--pem", "rsa.crt"]);
    desk.refuses(
        &["client", "add-key", "named", "--pem", "rsa.spki"],
        1,
        &["has a key with kid", "already"],
    );
    assert_eq!(
        desk.json(&["client", "show", "named"])["jwks"]["keys"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
}

#[test]
fn a_file_without_one_good_public_key_in_pem_is_refused() {
    let desk = Desk::new();
    for (name, command) in [
        (
            "private.pem",
            "genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out private.pem",
        ),
        ("good.pem", "pkey -in private.pem -pubout -out good.pem"),
        (
            "compressed.pem",
            "ec -in private.pem -pubout -conv_form compressed -out compressed.pem",
        ),
        (
            "x25519.pem",
            "genpkey -algorithm X25519 | openssl pkey -pubout -out x25519.pem",
        ),
        (
            "small.pem",
            "genrsa 1024 | openssl rsa -pubout -out small.pem",
        ),
        (
            "spki.der",
            "pkey -in private.pem -pubout -outform DER -out spki.der",
        ),
        (
            "cert.der",
            "req -x509 -key private.pem -subj /CN=a -outform DER -out cert.der",
        ),
        (
            "pss.pem",
            "genpkey -algorithm RSA-PSS | openssl pkey -pubout -out pss.pem",
        ),
        (
            "k256.pem",
            "ecparam -name secp256k1 -genkey -noout | openssl ec -pubout -out k256.pem",
        ),
    ] {
        openssl(&desk, command);
        assert!(desk.path().join(name).exists(), "{command}");
    }
    let good = fs::read_to_string(desk.path().join("good.pem")).expect("a key");
    desk.file(
        "both.pem",
        format!(
            "{good}{}",
            fs::read_to_string(desk.path().join("private.pem")).expect("a key")
        ),
    );
    desk.file("two.pem", format!("{good}{good}"));
    desk.file("cut.pem", &good[..good.len() - 40]);
    desk.file("letters.pem", good.replace("MFk", "M?k"));
    desk.file("label.pem", good.replace("PUBLIC KEY", "CERTIFICATE"));
    desk.file("text.pem", "hello");
    desk.file("set.jwks", set(Algorithm::Es256, &[]));
    desk.refuses(
        &["client", "create", "a", "--jwks", "good.pem"],
        2,
        &["--jwks good.pem", "name it with --pem"],
    );
    for (file, words) in [
        ("private.pem", "private key"),
        ("spki.der", "it is binary (DER?)"),
        ("cert.der", "openssl x509 -inform DER"),
        ("both.pem", "private key"),
        ("two.pem", "2 public keys"),
        ("cut.pem", "PUBLIC KEY is malformed"),
        ("letters.pem", "PUBLIC KEY is malformed"),
        ("label.pem", "CERTIFICATE is malformed"),
        ("text.pem", "no public key in PEM"),
        ("set.jwks", "name a JWK Set with --jwks"),
        ("compressed.pem", "PUBLIC KEY is malformed"),
        ("x25519.pem", "1.3.101.110 is not supported"),
        ("pss.pem", "1.2.840.113549.1.1.10 is not supported"),
        ("k256.pem", "1.3.132.0.10 is not supported"),
        ("small.pem", "1024 bits"),
    ] {
        desk.refuses(
            &["client", "create", "a", "--pem", file],
            2,
            &["--pem", file, words],
        );
    }
    assert!(!desk.path().join("data").exists(), "none was registered");
    desk.ok(&["client", "create", "a", "--pem", "good.pem"]);
}

/// A server says at registration what it would say at the first request.
#[test]
fn keys_and_algorithms_that_would_never_be_accepted_are_not_registered() {
    use Algorithm::{Es256, Es512, Ps512, Rs256};
    let desk = Desk::new();
    let es512 = desk.file("es512.jwks", set(Es512, &[("kid", "five".into())]));
    let ps512 = desk.file("ps512.jwks", set(Ps512, &[("kid", "five".into())]));
    let rsa = desk.file("rsa.jwks", set(Rs256, &[("alg", Value::Null)]));
    let key = "'assertion.algorithms'";
    desk.refuses(
        &["client", "create", "a", "--jwks", &es512],
        2,
        &["key five", "ES512", key, "name it there"],
    );
    desk.refuses(
        &["client", "create", "a", "--jwks", &ps512],
        2,
        &["key five", "PS512", key],
    );
    desk.refuses(
        &["client", "create", "a", "--generate-key", "ES512"],
        2,
        &["ES512", key],
    );
    desk.refuses(
        &[
            "client",
            "create",
            "a",
            "--generate-key",
            "--signing-alg",
            "ES512",
        ],
        2,
        &["--signing-alg: ", "ES512", key],
    );
    desk.refuses(
        &[
            "client",
            "create",
            "a",
            "--generate-key",
            "--signing-alg",
            "RS256",
        ],
        2,
        &["--signing-alg: none of", "RS256"],
    );
    assert!(
        !desk.path().join("data").exists() && !desk.path().join("a.json").exists(),
        "nothing was made"
    );
    desk.ok(&[
        "client",
        "create",
        "a",
        "--generate-key",
        "--signing-alg",
        "ES256",
    ]);
    desk.ok(&[
        "client",
        "create",
        "r",
        "--jwks",
        &rsa,
        "--signing-alg",
        "PS256",
    ]);
    desk.ok(&[
        "client",
        "create",
        "s",
        "--auth",
        "client_secret_jwt",
        "--signing-alg",
        "HS512",
    ]);
    desk.refuses(
        &["client", "add-key", "a", "--jwks", &es512],
        2,
        &["key five", key],
    );
    desk.refuses(
        &[
            "client",
            "add-key",
            "a",
            "--generate-key",
            "ES512",
            "--out",
            "b.json",
        ],
        2,
        &["ES512", key],
    );
    desk.refuses(
        &["client", "update", "a", "--signing-alg", "ES512"],
        2,
        &["--signing-alg: ", "ES512", key],
    );
    desk.refuses(
        &["client", "update", "a", "--signing-alg", "RS256"],
        2,
        &["--signing-alg: none of", "RS256"],
    );
    // Who changes it adds a key first, and is told what is missing.
    let added = desk.run(&["client", "add-key", "a", "--jwks", &rsa]);
    assert!(
        added.status.success()
            && added
                .stderr
                .contains("grantor client update a --signing-alg"),
        "{}",
        added.stderr
    );
    desk.ok(&["client", "update", "a", "--signing-alg", "RS256"]);
    desk.ok(&["client", "update", "a", "--signing-alg", "ES256"]);
    let fitting = desk.file("more.jwks", set(Es256, &[]));
    assert!(
        desk.run(&["client", "add-key", "a", "--jwks", &fitting])
            .stderr
            .is_empty()
    );
    assert!(!desk.path().join("b.json").exists());
    // The same with a server that takes them.
    let wide = desk.file(
        "wide.toml",
        "[assertion]\nalgorithms = [\"ES256\", \"ES512\"]",
    );
    let wide = ["--config", &wide];
    desk.ok(&[&["client", "add-key", "a", "--jwks", &es512], &wide[..]].concat());
    desk.ok(&[
        &["client", "update", "a", "--signing-alg", "ES512"],
        &wide[..],
    ]
    .concat());
    desk.refuses(
        &[&["client", "create", "c", "--jwks", &rsa], &wide[..]].concat(),
        2,
        &["for RSA", "ES256, ES512"],
    );
    let strict = desk.file("strict.toml", "profile = \"fapi2\"");
    let es384 = desk.file("es384.jwks", set(Algorithm::Es384, &[]));
    let es256 = desk.file("es256.jwks", set(Es256, &[]));
    let create = |id: &'static str, file: &'static str| ["client", "create", id, "--jwks", file];
    assert_eq!((&*es384, &*es256), ("es384.jwks", "es256.jwks"));
    let strict = ["--config", &strict];
    desk.refuses(
        &[&create("d", "es384.jwks"), &strict[..]].concat(),
        2,
        &["profile fapi2 does not allow ES384"],
    );
    let secret = ["client", "create", "d", "--auth", "client_secret_basic"];
    desk.refuses(
        &[&secret, &strict[..]].concat(),
        2,
        &[
            "--auth: client_secret_basic",
            "'profile'",
            "private_key_jwt only",
        ],
    );
    desk.ok(&[&create("d", "es256.jwks"), &strict[..]].concat());
    desk.ok(&["client", "create", "f", "--auth", "client_secret_basic"]);
    desk.ok(&create("e", "es384.jwks"));
}

#[test]
fn no_file_is_read_beyond_its_limit() {
    let desk = Desk::new();
    let mebibyte = 1024 * 1024;
    let padded = |text: &str, length: usize| text.to_owned() + &" ".repeat(length - text.len());
    let set = set(Algorithm::Es256, &[]);
    let create = |id: &'static str, file: &'static str| ["client", "create", id, "--jwks", file];
    desk.file("longest.jwks", padded(&set, mebibyte));
    desk.ok(&create("a", "longest.jwks"));
    desk.file("longer.jwks", padded(&set, mebibyte + 1));
    let too_long = "longer than 1048576 octets";
    for file in ["longer.jwks", "/dev/zero"] {
        desk.refuses(&create("b", file), 2, &["--jwks", file, too_long]);
        desk.refuses(
            &["client", "add-key", "a", "--jwks", file],
            2,
            &["--jwks", file, too_long],
        );
    }
    for (length, code) in [(mebibyte, 0), (mebibyte + 1, 2)] {
        desk.file("long.toml", padded("#", length));
        let finished = desk.run(&["client", "list", "--config", "long.toml"]);
        assert_eq!(finished.status.code(), Some(code), "{}", finished.stderr);
        assert_eq!(
            finished.stderr.contains(too_long),
            code == 2,
            "{}",
            finished.stderr
        );
    }
    desk.refuses(
        &["client", "list", "--config", "/dev/zero"],
        2,
        &["configuration /dev/zero", too_long],
    );
    let key = desk.file("long.key", padded(&"A".repeat(43), 1025));
    desk.refuses(
        &["client", "list", "--master-key", &key],
        2,
        &["long.key", "longer than 1024 octets"],
    );
    for (certificate, key, named) in [
        ("/dev/zero", "k", "tls.certificate"),
        ("certificate.pem", "/dev/zero", "tls.key"),
    ] {
        let certified =
            rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
        desk.file("certificate.pem", certified.cert.pem());
        let configuration = format!(
            "issuer = \"https://localhost\"\n[tls]\ncertificate = \"{certificate}\"\nkey = \"{key}\""
        );
        let configuration = desk.file("tls.toml", configuration);
        let finished = desk.run(&[
            "serve",
            "--config",
            &configuration,
            "--listen",
            "127.0.0.1:0",
        ]);
        assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
        assert!(
            finished.stderr.contains(named) && finished.stderr.contains(too_long),
            "{}",
            finished.stderr
        );
    }
}

#[test]
fn every_command_prints_json() {
    let desk = Desk::new();
    let is = |arguments: &[&str], pointer: &str, value: Value| {
        let printed = desk.json(arguments);
        assert_eq!(
            printed.pointer(pointer),
            Some(&value),
            "{arguments:?}: {printed}"
        );
    };
    is(
        &["client", "create", "a", "--generate-key", "--scope", "x y"],
        "/client/scope",
        "x y".into(),
    );
    is(
        &["client", "create", "s", "--auth", "client_secret_basic"],
        "/client/client_id",
        "s".into(),
    );
    is(
        &["client", "create", "p", "--auth", "none"],
        "/client/token_endpoint_auth_method",
        "none".into(),
    );
    is(&["client", "list"], "/0/client_id", "a".into());
    is(
        &["client", "show", "a"],
        "/token_endpoint_auth_method",
        "private_key_jwt".into(),
    );
    is(
        &["client", "update", "a", "--scope", "x"],
        "/scope",
        "x".into(),
    );
    is(&["client", "disable", "a"], "/enabled", false.into());
    is(&["client", "enable", "a"], "/enabled", true.into());
    is(
        &[
            "client",
            "add-key",
            "a",
            "--generate-key",
            "RS256",
            "--out",
            "a2.json",
        ],
        "/key_file",
        "a2.json".into(),
    );
    let kid = desk.key_file("a2.json")["private_key"]["kid"]
        .as_str()
        .expect("a kid")
        .to_owned();
    is(
        &["client", "remove-key", "a", "--kid", &kid],
        "/removed",
        kid.as_str().into(),
    );
    is(
        &["client", "rotate-secret", "s", "--out", "s2.json"],
        "/key_file",
        "s2.json".into(),
    );
    is(&["subject", "create", "alice"], "/subject", "alice".into());
    is(&["subject", "disable", "alice"], "/done", "disabled".into());
    is(&["subject", "enable", "alice"], "/done", "enabled".into());
    is(&["subject", "list"], "/0/id", "alice".into());
    is(
        &["permission", "create", "a", "alice", "--scope", "x"],
        "/subject",
        "alice".into(),
    );
    is(&["permission", "list"], "/0/client", "a".into());
    is(
        &["permission", "delete", "a", "alice"],
        "/deleted/client",
        "a".into(),
    );
    is(&["subject", "delete", "alice"], "/done", "deleted".into());
    is(&["key", "list"], "/0/state", "signing".into());
    is(
        &["key", "rotate", "--ahead", "0s"],
        "/state",
        // Nodes that share a database publish a key before any of them signs with it.
        if is_postgres() { "next" } else { "signing" }.into(),
    );
    is(
        &["key", "list"],
        "/1/state",
        if is_postgres() { "signing" } else { "retired" }.into(),
    );
    let assertion = desk.json(&["assertion", "mint", "--key", "a.json"]);
    assert_eq!(
        assertion["assertion"]
            .as_str()
            .map(|jwt| jwt.split('.').count()),
        Some(3)
    );
    is(&["client", "delete", "a"], "/deleted", "a".into());
    is(&["client", "list"], "/0/client_id", "p".into());
}

/// A directory that is mistyped is not taken for a new one.
#[test]
fn only_what_registers_something_new_makes_a_database() {
    let desk = Desk::new();
    desk.ok(&["client", "create", "a", "--generate-key"]);
    let assertion = desk.ok(&["assertion", "mint", "--key", "a.json"]);
    for arguments in [
        &["client", "list"][..],
        &["client", "list", "--audience"],
        &["client", "show", "a"],
        &["client", "disable", "a"],
        &["client", "update", "a", "--scope", "x"],
        &[
            "client",
            "add-key",
            "a",
            "--generate-key",
            "--out",
            "new.json",
        ],
        &["client", "delete", "a"],
        &["subject", "list"],
        &["subject", "disable", "a"],
        &["permission", "list"],
        &["permission", "create", "a", "alice"],
        &["key", "list"],
        &["key", "rotate"],
        &["decisions", "list"],
        &["decisions", "show", "x"],
        &["decisions", "tail"],
        &["assertion", "explain", &assertion],
    ] {
        let elsewhere = ["--data", "tpyo"];
        let run = |directory: &[&str]| {
            let mut command = Command::new(env!("CARGO_BIN_EXE_grantor"));
            finished(
                command
                    .current_dir(desk.path())
                    .args(arguments)
                    .args(directory)
                    .output()
                    .expect("the binary runs"),
            )
        };
        let finished = run(&elsewhere);
        assert_eq!(
            finished.status.code(),
            Some(1),
            "{arguments:?}: {}",
            finished.stderr
        );
        assert!(
            finished
                .stderr
                .contains("no database in tpyo; name the right directory with --data"),
            "{}",
            finished.stderr
        );
        assert!(
            !desk.path().join("tpyo").exists() && !desk.path().join("new.json").exists(),
            "{arguments:?} made something"
        );
    }
    // A directory that is there is left as it is.
    fs::create_dir(desk.path().join("empty")).expect("a directory");
    let finished = finished(
        grantor(&desk.path().join("empty"))
            .args(["client", "list"])
            .output()
            .expect("the binary runs"),
    );
    assert_eq!(finished.status.code(), Some(1), "{}", finished.stderr);
    assert_eq!(
        fs::read_dir(desk.path().join("empty"))
            .expect("a directory")
            .count(),
        0
    );
    // What makes one says so.
    let create = |name: &str| {
        let mut other = grantor(&desk.path().join("other"));
        let output = other.args(["subject", "create", name]).output();
        self::finished(output.expect("the binary runs"))
    };
    let told = match is_postgres() {
        true => "a new master key was made",
        false => "a new one was made",
    };
    let made = create("alice");
    assert!(
        made.status.success() && made.stderr.contains(told),
        "{}",
        made.stderr
    );
    assert!(create("bob").stderr.is_empty());
}

#[test]
fn a_key_file_that_others_may_read_is_used_with_a_warning_and_one_they_may_change_is_not() {
    let desk = Desk::new();
    // Nobody listens there.
    desk.ok(&[
        "client",
        "create",
        "a",
        "--generate-key",
        "--issuer",
        "http://127.0.0.1:1",
    ]);
    for (mode, warns, refuses) in [
        (0o600, false, false),
        (0o640, false, false),
        (0o604, true, false),
        (0o644, true, false),
        (0o602, true, true),
        (0o666, true, true),
    ] {
        desk.chmod("a.json", mode);
        for (arguments, code) in [
            (&["assertion", "mint", "--key", "a.json"][..], 0),
            (&["token", "--key", "a.json"], 1),
            (&["doctor", "--key", "a.json"], 1),
        ] {
            let finished = desk.run(arguments);
            assert_eq!(
                finished.stderr.contains("chmod 600 a.json"),
                warns,
                "{arguments:?}, {mode:o}: {}",
                finished.stderr
            );
            let expected = if refuses { 2 } else { code };
            assert_eq!(
                finished.status.code(),
                Some(expected),
                "{arguments:?}, {mode:o}: {}",
                finished.stderr
            );
            assert_eq!(
                finished.stderr.contains("others may change it"),
                refuses,
                "{arguments:?}, {mode:o}: {}",
                finished.stderr
            );
        }
    }
}

/// As a secret that is mounted, beside which the database is made: by a flag, by the environment and
/// by the configuration.
#[test]
fn s011_all_nodes_are_given_one_master_key() {
    let desk = Desk::new();
    let made = desk.run(&["subject", "create", "alice"]);
    assert!(made.status.success(), "{}", made.stderr);
    let told = made
        .stderr
        .lines()
        .filter(|line| line.contains("hand this file to the other nodes"));
    assert_eq!(told.count(), 1, "{}", made.stderr);
    assert!(made.stderr.contains("data/master.key"), "{}", made.stderr);
    let again = desk.run(&["subject", "create", "bob"]);
    assert!(
        again.status.success() && again.stderr.is_empty(),
        "{}",
        again.stderr
    );

    fs::create_dir(desk.path().join("secrets")).expect("a directory");
    let key = "secrets/key";
    fs::copy(desk.path().join("data/master.key"), desk.path().join(key)).expect("handed over");
    fs::remove_file(desk.path().join("data/master.key")).expect("removed");
    desk.refuses(
        &["subject", "list"],
        2,
        &["data/master.key", "missing", "--master-key"],
    );
    let by_file = desk.file("node.toml", format!("master_key_file = \"{key}\""));
    // Relative to the configuration, also where that is elsewhere.
    let beside = desk.file("secrets/node.toml", "master_key_file = \"key\"");
    for (number, (arguments, variable)) in [
        (&["--master-key", key][..], None),
        (&["--config", &by_file], None),
        (&["--config", &beside], None),
        (&[], Some(("GRANTOR_MASTER_KEY", key))),
        (&[], Some(("GRANTOR_MASTER_KEY_FILE", key))),
        // The flag is the last word.
        (
            &["--master-key", key],
            Some(("GRANTOR_MASTER_KEY_FILE", "none")),
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let run = |first: &[&str]| {
            let mut command = grantor(&desk.path().join("data"));
            command.current_dir(desk.path()).envs(variable);
            finished(
                command
                    .args(first)
                    .args(arguments)
                    .output()
                    .expect("it runs"),
            )
        };
        let listed = run(&["subject", "list"]);
        assert!(
            listed.status.success(),
            "{arguments:?} {variable:?}: {}",
            listed.stderr
        );
        let another = format!("node-{number}");
        let new = run(&["subject", "create", &another, "--data", &another]);
        assert!(
            new.status.success(),
            "{arguments:?} {variable:?}: {}",
            new.stderr
        );
        assert!(!new.stderr.contains("master key"), "{}", new.stderr);
        assert!(!desk.path().join(another).join("master.key").exists());
    }
}

/// With a proof of another key in the database, or without a file where one is named.
#[test]
fn s011_a_node_with_another_master_key_or_none_does_not_start_and_changes_nothing() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let desk = Desk::new();
    desk.ok(&["subject", "create", "alice"]);
    desk.ok(&["subject", "create", "bob", "--data", "other"]);
    let open = || Connection::open(desk.path().join("data/grantor.db")).expect("the database");
    let version = |change: i64| {
        let connection = open();
        let read = connection.pragma_query_value(None, "user_version", |row| row.get::<_, i64>(0));
        let set = connection.pragma_update(None, "user_version", read.expect("a version") + change);
        set.expect("written");
        let one_file = connection.pragma_update(None, "journal_mode", "DELETE");
        one_file.expect("nobody else has it open");
    };
    // As an earlier version left it: nor is it brought to the present form.
    version(-1);
    let database = || fs::read(desk.path().join("data/grantor.db")).expect("the database");
    let before = database();
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["subject", "list"],
        &["key", "rotate"],
    ] {
        for (key, words) in [
            (
                "other/master.key",
                &["other/master.key", "another", "--master-key"][..],
            ),
            ("data/nokey", &["data/nokey", "missing", "--master-key"]),
        ] {
            let given = [arguments, &["--master-key", key]].concat();
            desk.refuses(&given, 2, words);
            assert!(before == database(), "{given:?}: it was changed");
            assert!(!desk.path().join("data/nokey").exists());
        }
    }
    // Nor is a new database made with a key that is not the one that was named.
    for arguments in [
        &["serve", "--listen", "127.0.0.1:0"][..],
        &["subject", "create", "alice"],
    ] {
        let named = ["--data", "new", "--master-key", "nokey"];
        let given = [arguments, &named].concat();
        desk.refuses(
            &given,
            2,
            &["nokey", "missing", "--master-key", "master_key_file"],
        );
        assert!(!desk.path().join("nokey").exists());
        assert!(!desk.path().join("new/grantor.db").exists());
    }
    version(1);
    desk.ok(&["subject", "list", "--master-key", "data/master.key"]);
}

#[test]
fn what_cannot_be_done_exits_1_and_says_why() {
    let desk = Desk::new();
    // Nobody listens there.
    let issuer = "http://127.0.0.1:1";
    desk.ok(&[
        "client",
        "create",
        "a",
        "--generate-key",
        "--scope",
        "x",
        "--issuer",
        issuer,
    ]);
    desk.ok(&["subject", "create", "alice"]);
    desk.ok(&["permission", "create", "a", "alice"]);
    let nobody = &["client nobody does not exist"];
    for arguments in [
        &["client", "show", "nobody"][..],
        &["client", "update", "nobody", "--scope", "x"],
        &["client", "disable", "nobody"],
        &["client", "enable", "nobody"],
        &["client", "delete", "nobody"],
        &["client", "remove-key", "nobody", "--kid", "x"],
        &["client", "rotate-secret", "nobody"],
        &["client", "add-key", "nobody", "--generate-key"],
        &["permission", "create", "nobody", "alice"],
    ] {
        desk.refuses(arguments, 1, nobody);
    }
    desk.refuses(
        &[
            "client",
            "create",
            "a",
            "--generate-key",
            "--out",
            "again.json",
        ],
        1,
        &["a client, subject or issuer named a exists"],
    );
    desk.refuses(
        &[
            "client",
            "create",
            "alice",
            "--generate-key",
            "--out",
            "again.json",
        ],
        1,
        &["named alice exists"],
    );
    assert!(
        !desk.path().join("again.json").exists(),
        "the key of a client that was not created is not left behind"
    );
    desk.refuses(&["subject", "create", "a"], 1, &["named a exists"]);
    desk.refuses(&["subject", "create", "alice"], 1, &["named alice exists"]);
    desk.refuses(
        &["subject", "disable", "bob"],
        1,
        &["subject bob does not exist"],
    );
    desk.refuses(
        &["permission", "create", "a", "bob"],
        1,
        &["subject bob does not exist"],
    );
    desk.refuses(
        &["permission", "create", "a", "alice"],
        1,
        &["already", "delete it first"],
    );
    desk.refuses(
        &["permission", "delete", "a", "bob"],
        1,
        &["no permission for bob"],
    );
    desk.refuses(
        &["client", "remove-key", "a", "--kid", "x"],
        1,
        &["no key with kid x"],
    );
    // Random names may begin with a hyphen.
    desk.refuses(
        &["client", "remove-key", "a", "--kid", "-x"],
        1,
        &["no key with kid -x"],
    );
    desk.refuses(&["decisions", "show", "-x"], 1, &["no decision -x"]);
    assert_eq!(desk.json(&["decisions", "list", "--id", "-x"]), json!([]));
    desk.refuses(&["client", "rotate-secret", "a"], 1, &["has no secret"]);
    desk.refuses(
        &["token", "--key", "a.json"],
        1,
        &["http://127.0.0.1:1/token", "no answer"],
    );
}

#[test]
fn key_files_are_private_and_never_overwritten() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let desk = Desk::new();
    let mode = |name: &str| {
        fs::metadata(desk.path().join(name))
            .expect("a file")
            .permissions()
            .mode()
            & 0o777
    };
    desk.ok(&["client", "create", "a", "--generate-key"]);
    desk.ok(&["client", "create", "s", "--auth", "client_secret_basic"]);
    desk.ok(&[
        "client",
        "create",
        "g@ci.example",
        "--generate-key",
        "--format",
        "google",
    ]);
    desk.ok(&[
        "client",
        "add-key",
        "a",
        "--generate-key",
        "--out",
        "a2.json",
    ]);
    desk.ok(&["client", "rotate-secret", "s", "--out", "s2.json"]);
    for name in [
        "a.json",
        "s.json",
        "g@ci.example.json",
        "a2.json",
        "s2.json",
        "data/grantor.db",
        "data/master.key",
    ] {
        assert_eq!(mode(name), 0o600, "{name}");
    }
    assert_eq!(mode("data"), 0o700);
    let before = desk.key_file("a.json");
    desk.refuses(
        &["client", "create", "b", "--generate-key", "--out", "a.json"],
        2,
        &["a.json", "exists"],
    );
    desk.refuses(
        &["client", "add-key", "a", "--generate-key"],
        2,
        &["a.json", "exists"],
    );
    desk.refuses(&["client", "rotate-secret", "s"], 2, &["s.json", "exists"]);
    assert_eq!(desk.key_file("a.json"), before);
    assert_eq!(
        desk.json(&["client", "list"]).as_array().map(Vec::len),
        Some(3),
        "b was not created"
    );
    assert_eq!(
        desk.json(&["client", "show", "a"])["jwks"]["keys"]
            .as_array()
            .map(Vec::len),
        Some(2)
    );
    let printed = desk.ok(&["client", "create", "c", "--generate-key", "--out", "-"]);
    let printed: Value = serde_json::from_str(&printed).expect("only the key file is printed");
    assert_eq!(printed["client_id"], "c");
}

/// Of each command that makes a key: what it needs, and what it prints the key of.
const KEY_MAKERS: [&[&str]; 3] = [
    &["client", "create", "new", "--generate-key"],
    &["client", "add-key", "a", "--generate-key"],
    &["client", "rotate-secret", "s", "--overlap", "1h"],
];

fn registered(desk: &Desk) -> [Value; 3] {
    let secrets = desk.json(&["client", "show", "s"])["secrets"].clone();
    [
        desk.json(&["client", "list"]),
        desk.json(&["client", "show", "a"])["jwks"].clone(),
        secrets,
    ]
}

fn with_key_and_secret() -> Desk {
    let desk = Desk::new();
    desk.ok(&["client", "create", "a", "--generate-key"]);
    desk.ok(&["client", "create", "s", "--auth", "client_secret_basic"]);
    desk
}

#[test]
fn a_key_that_cannot_be_printed_is_not_registered() {
    let desk = with_key_and_secret();
    let before = registered(&desk);
    for arguments in KEY_MAKERS {
        let run = |stdout: Stdio| {
            let mut command = grantor(&desk.path().join("data"));
            command
                .current_dir(desk.path())
                .args(arguments)
                .args(["--out", "-"])
                .stdout(stdout);
            finished(command.output().expect("the binary runs"))
        };
        for stdout in [
            sink("a full disk"),
            sink("a pipe without a reader"),
            Stdio::null(),
        ] {
            let refused = run(stdout);
            assert_eq!(
                refused.status.code(),
                Some(1),
                "{arguments:?}: {}",
                refused.stderr
            );
            assert!(
                refused.stderr.contains("nothing was registered"),
                "{arguments:?}: {}",
                refused.stderr
            );
            assert_eq!(registered(&desk), before, "{arguments:?}");
        }
        let mut closed = Command::new("sh");
        closed
            .args([
                "-c",
                "\"$@\" >&-",
                "sh",
                env!("CARGO_BIN_EXE_grantor"),
                "--data",
                "data",
            ])
            .args(arguments)
            .envs(variables(&desk.path().join("data")));
        let closed = closed
            .args(["--out", "-"])
            .current_dir(desk.path())
            .output()
            .expect("a shell");
        assert_eq!(
            (closed.status.code(), registered(&desk)),
            (Some(1), before.clone()),
            "{arguments:?}"
        );
    }
    for (arguments, index) in KEY_MAKERS.into_iter().zip(0..) {
        let printed = desk.ok(&[arguments, &["--out", "-"]].concat());
        let printed: Value = serde_json::from_str(&printed).expect("only the key file is printed");
        assert_eq!(printed["client_id"], arguments[2]);
        let after = registered(&desk);
        assert_ne!(after[index], before[index], "{arguments:?}");
        let kid = &printed["private_key"]["kid"];
        assert!(
            index == 2
                || desk
                    .ok(&["client", "show", arguments[2]])
                    .contains(kid.as_str().expect("a kid")),
            "{arguments:?}"
        );
    }
    assert!(!desk.path().join("-").exists());
}

/// A limit on the size of files, as a disk that is full, lets nothing be written.
#[test]
fn a_key_file_that_cannot_be_written_leaves_nothing_behind() {
    let server = Server::start();
    server.client("a", &["--generate-key"]);
    server.client("s", &["--auth", "client_secret_basic"]);
    for (arguments, index) in KEY_MAKERS.into_iter().zip(0..) {
        let out = format!("new{index}.json");
        let files = || {
            let names = fs::read_dir(server.directory())
                .expect("a directory")
                .map(|entry| entry.expect("an entry").file_name());
            names
                .map(|name| name.into_string().expect("UTF-8"))
                .collect::<std::collections::BTreeSet<_>>()
        };
        let before = files();
        let mut full = Command::new("sh");
        full.args([
            "-c",
            "trap '' XFSZ; ulimit -f 0; exec \"$@\"",
            "sh",
            env!("CARGO_BIN_EXE_grantor"),
        ]);
        full.arg("--data")
            .arg(server.data())
            .envs(variables(&server.data()))
            .args(arguments)
            .args(["--out", &out])
            .current_dir(server.directory());
        let full = finished(full.output().expect("a shell"));
        assert_eq!(
            full.status.code(),
            Some(2),
            "{arguments:?}: {}",
            full.stderr
        );
        assert!(
            full.stderr
                .contains(&format!("key file {out}: File too large")),
            "{}",
            full.stderr
        );
        assert_eq!(files(), before, "{arguments:?}");
        server.ok(&[arguments, &["--out", &out]].concat());
        assert!(files().contains(&out), "the next try does it");
    }
    let nowhere = server.run(&[
        "client",
        "create",
        "b",
        "--generate-key",
        "--out",
        "nowhere/b.json",
    ]);
    assert_eq!(nowhere.status.code(), Some(2), "{}", nowhere.stderr);
    assert!(
        nowhere
            .stderr
            .contains("nowhere/b.json: its directory does not exist"),
        "{}",
        nowhere.stderr
    );
    assert!(
        !server.run(&["client", "show", "b"]).status.success(),
        "it was not registered"
    );
}

#[test]
fn a_command_that_is_killed_loses_no_key_of_a_registered_client() {
    let desk = with_key_and_secret();
    let started = std::time::Instant::now();
    desk.ok(&["client", "create", "whole", "--generate-key"]);
    let whole = started.elapsed();
    for try_ in 0..30 {
        let (id, out) = (format!("k{try_}"), format!("k{try_}.json"));
        let mut command = grantor(&desk.path().join("data"));
        command.current_dir(desk.path()).args([
            "client",
            "create",
            &id,
            "--generate-key",
            "--out",
            &out,
        ]);
        let running = command
            .stdout(Stdio::null())
            .spawn()
            .expect("the binary starts");
        // Whenever that is: before the key file, between it and the commit, or after.
        kill_after(whole * try_ / 30, running);
    }
    for client in desk.json(&["client", "list"]).as_array().expect("a list") {
        let id = client["client_id"].as_str().expect("a client_id");
        if id.starts_with('k') {
            assert_eq!(
                desk.key_file(&format!("{id}.json"))["private_key"]["kid"],
                client["keys"][0]["name"],
                "{id}"
            );
        }
    }
}

/// Who was told of damage would bring back a backup.
#[test]
fn a_database_on_a_full_disk_is_not_called_damaged() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let desk = with_key_and_secret();
    let limited = |command: &str| {
        let script = format!("trap '' XFSZ; {command}; exec \"$@\"");
        let mut limited = Command::new("sh");
        limited.args([
            "-c",
            &script,
            "sh",
            env!("CARGO_BIN_EXE_grantor"),
            "--data",
            "data",
            "client",
            "list",
        ]);
        finished(limited.current_dir(desk.path()).output().expect("a shell"))
    };
    let full = limited("ulimit -f 0");
    assert_eq!(full.status.code(), Some(1), "{}", full.stderr);
    assert!(
        full.stderr.contains("grantor.db: disk I/O error") && !full.stderr.contains("damaged"),
        "{}",
        full.stderr
    );
    assert!(
        limited("ulimit -f 100000").status.success(),
        "the same with room"
    );
}

/// What the database says decides: a change that it refused was not made; one that failed after its
/// commit was.
#[test]
fn a_key_file_is_removed_only_if_its_key_is_certainly_not_registered() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let desk = with_key_and_secret();
    let execute = |sql: &str| {
        let connection =
            Connection::open(desk.path().join("data/grantor.db")).expect("the database");
        connection.execute_batch(sql).expect(sql);
    };
    for (arguments, event) in KEY_MAKERS.into_iter().zip(["INSERT", "UPDATE", "UPDATE"]) {
        let run = |out: &str| desk.run(&[arguments, &["--out", out]].concat());
        execute(&format!(
            "CREATE TRIGGER broken BEFORE {event} ON client BEGIN SELECT raise(ABORT, 'broken'); END"
        ));
        let before = registered(&desk);
        let refused = run("refused.json");
        assert_eq!(
            (refused.status.code(), registered(&desk)),
            (Some(1), before),
            "{arguments:?}: {}",
            refused.stderr
        );
        assert!(
            !desk.path().join("refused.json").exists(),
            "{arguments:?}: {}",
            refused.stderr
        );
        let printed = run("-");
        assert!(
            !printed.status.success() && printed.stderr.contains("printed is worthless"),
            "{}",
            printed.stderr
        );
        // Whoever reads the log of changes finds something unreadable there, after the commit.
        let poison =
            "INSERT INTO change (resource, subject) VALUES ('client', CAST(x'ff' AS TEXT))";
        execute(&format!(
            "DROP TRIGGER broken; CREATE TRIGGER broken AFTER {event} ON client BEGIN {poison}; END"
        ));
        let kept = run("kept.json");
        assert_eq!(
            kept.status.code(),
            Some(1),
            "{arguments:?}: {}",
            kept.stderr
        );
        assert!(
            kept.stderr.contains("kept.json was kept"),
            "{arguments:?}: {}",
            kept.stderr
        );
        execute("DROP TRIGGER broken; DELETE FROM change WHERE subject = CAST(x'ff' AS TEXT)");
        let file = desk.key_file("kept.json");
        let kid = file["private_key"]["kid"].as_str();
        let shown = desk.ok(&["client", "show", arguments[2]]);
        assert!(
            kid.is_none_or(|kid| shown.contains(kid)),
            "{arguments:?}: the key that was kept is registered: {shown}"
        );
        fs::remove_file(desk.path().join("kept.json")).expect("removed");
        if event == "INSERT" {
            desk.ok(&["client", "delete", "new"]);
        }
    }
    assert_eq!(
        desk.json(&["client", "show", "s"])["secrets"]
            .as_array()
            .map(Vec::len),
        Some(2),
        "the secret was rotated once"
    );
}

#[test]
fn of_two_clients_with_one_key_file_one_is_registered() {
    let desk = with_key_and_secret();
    let spawn = |id: &str| {
        let mut command = grantor(&desk.path().join("data"));
        command.current_dir(desk.path()).args([
            "client",
            "create",
            id,
            "--generate-key",
            "--out",
            "both.json",
        ]);
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the binary starts")
    };
    let mut running = ["x", "y"].map(spawn);
    let ended = running
        .each_mut()
        .map(|child| child.wait().expect("it ends").success());
    assert_eq!(ended.iter().filter(|success| **success).count(), 1);
    let winner = if ended[0] { "x" } else { "y" };
    assert_eq!(desk.key_file("both.json")["client_id"], winner);
    let clients = desk.json(&["client", "list"]).to_string();
    assert!(
        clients.contains(&format!("\"{winner}\""))
            && desk.json(&["client", "list"]).as_array().map(Vec::len) == Some(3)
    );
}

#[test]
fn a_key_file_has_the_documented_members() {
    let desk = Desk::new();
    let members = |file: &Value| {
        file.as_object()
            .expect("an object")
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    let issuer = "https://as.example";
    desk.ok(&[
        "client",
        "create",
        "a",
        "--generate-key",
        "RS256",
        "--issuer",
        issuer,
    ]);
    let file = desk.key_file("a.json");
    let expected = [
        ("type", "grantor_client"),
        ("issuer", issuer),
        ("client_id", "a"),
        ("alg", "RS256"),
    ];
    for (member, value) in expected
        .into_iter()
        .chain([("token_endpoint", "https://as.example/token")])
    {
        assert_eq!(file[member], value, "{member}");
    }
    for member in ["kty", "kid", "n", "e", "d", "p", "q", "dp", "dq", "qi"] {
        assert!(file["private_key"][member].is_string(), "{member}");
    }
    desk.ok(&[
        "client",
        "create",
        "g@ci.example",
        "--generate-key",
        "--format",
        "google",
        "--issuer",
        issuer,
    ]);
    let file = desk.key_file("g@ci.example.json");
    let names = [
        "client_email",
        "client_id",
        "private_key",
        "private_key_id",
        "token_uri",
        "type",
    ];
    let mut got = members(&file);
    got.sort();
    assert_eq!(got, names);
    assert_eq!(
        (&file["type"], &file["token_uri"]),
        (
            &"service_account".into(),
            &"https://as.example/token".into()
        )
    );
    assert_eq!(
        (&file["client_email"], &file["client_id"]),
        (&"g@ci.example".into(), &"g@ci.example".into())
    );
    let pem = file["private_key"].as_str().expect("a text");
    let kid = file["private_key_id"].as_str().expect("a text").to_owned();
    assert!(
        pem.starts_with("-----BEGIN PRIVATE KEY-----\n")
            && pem.ends_with("-----END PRIVATE KEY-----\n")
    );
    let key = PrivateJwk::from_pem(pem, Some(Algorithm::Rs256), Some(kid)).expect("a readable key");
    let registered = desk.json(&["client", "show", "g@ci.example"]);
    assert_eq!(
        registered["jwks"]["keys"][0],
        Value::Object(key.public().to_object()),
        "the registered half belongs to it"
    );
    desk.ok(&["assertion", "mint", "--key", "g@ci.example.json"]);

    desk.ok(&["client", "create", "s", "--auth", "client_secret_jwt"]);
    let secret = desk.key_file("s.json")["client_secret"]
        .as_str()
        .expect("a secret")
        .to_owned();
    assert!(
        secret.len() >= 64
            && secret
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    );
}

#[test]
fn secrets_are_in_the_key_file_and_nowhere_else() {
    let desk = Desk::new();
    let mut printed = String::new();
    for (id, arguments) in [
        ("a", &["--generate-key"][..]),
        ("r", &["--generate-key", "RS256"]),
        ("j", &["--auth", "client_secret_jwt"]),
        ("b", &["--auth", "client_secret_basic"]),
    ] {
        for json in [&[][..], &["--json"]] {
            let id = format!("{id}{}", json.len());
            printed += &desk.ok(&[&["client", "create", &id], arguments, json].concat());
            printed += &desk.ok(&[&["client", "show", &id][..], json].concat());
        }
    }
    printed += &desk.ok(&["client", "list"]);
    printed += &desk.ok(&["client", "list", "--json"]);
    printed += &desk.ok(&[
        "client",
        "rotate-secret",
        "b0",
        "--out",
        "b2.json",
        "--json",
    ]);
    printed += &desk.ok(&["client", "show", "b0", "--json"]);
    let mut stored = Vec::new();
    for entry in fs::read_dir(desk.path().join("data")).expect("a directory") {
        stored.extend(fs::read(entry.expect("an entry").path()).expect("a file"));
    }
    let stored = String::from_utf8_lossy(&stored);
    for name in ["a0", "a1", "r0", "r1", "j0", "j1", "b0", "b1", "b2"] {
        let file = desk.key_file(&format!("{name}.json"));
        let key = &file["private_key"];
        let secrets = ["d", "p", "q", "dp", "dq", "qi"].map(|member| key[member].as_str());
        let secrets: Vec<_> = secrets
            .into_iter()
            .chain([file["client_secret"].as_str()])
            .flatten()
            .collect();
        assert!(!secrets.is_empty());
        for secret in secrets {
            assert!(!printed.contains(secret), "{name}: a secret was printed");
            assert!(
                !stored.contains(secret),
                "{name}: a secret is readable in the data directory"
            );
        }
    }
    assert!(
        !printed.contains("client_secret\"") && !printed.contains("\"d\""),
        "{printed}"
    );
}

#[test]
fn every_command_explains_itself() {
    let desk = Desk::new();
    let commands = desk.commands();
    for (command, help, _) in &commands {
        assert!(
            help.contains("Usage: grantor")
                && help.lines().next().is_some_and(|line| line.len() > 10),
            "{command:?}: {help}"
        );
        let options = help.split_once("Options:\n").map_or("", |(_, rest)| rest);
        let flags = options.lines().filter(|line| {
            line.trim_start().starts_with("--") || line.trim_start().starts_with('-')
        });
        assert!(
            flags.count() >= 5,
            "{command:?}: the global flags are there"
        );
    }
    assert!(commands.len() > 25, "{} commands", commands.len());
    assert!(desk.ok(&["--version"]).starts_with("grantor "));
}

/// What takes nothing that is printed, which exit code it leads to, and what is said about it.
const SINKS: [(&str, i32, &str); 2] = [
    ("a full disk", 1, "No space left on device"),
    ("a pipe without a reader", 141, ""),
];

fn sink(name: &str) -> Stdio {
    match name {
        "a full disk" => fs::File::options()
            .write(true)
            .open("/dev/full")
            .expect("a full device")
            .into(),
        _ => std::io::pipe().expect("a pipe").1.into(),
    }
}

#[test]
fn what_cannot_be_printed_is_a_failure_of_every_command() {
    let server = Server::start_with("[person]");
    for number in ["1", "2"] {
        server.ok(&["scope", "set", &format!("x{number}")]);
        for (id, arguments) in [
            ("p", &["--auth", "none", "--consent", "ask"][..]),
            ("a", &["--generate-key"]),
            ("s", &["--auth", "client_secret_basic"]),
            ("d", &["--auth", "none"]),
        ] {
            server.client(&format!("{id}{number}"), arguments);
        }
        for id in ["alice", "bob", "carol"] {
            server.ok(&["subject", "create", &format!("{id}{number}")]);
        }
        let link = server.ok(&["subject", "invite", &format!("bob{number}")]);
        let link = link.lines().next().expect("a link");
        Browser::new(&server).accept(link, "correct horse battery staple");
        server.ok(&["permission", "create", "a1", &format!("bob{number}")]);
        let file = server.directory().join("key.jwks");
        fs::write(
            &file,
            set(Algorithm::Es256, &[("kid", format!("k{number}").into())]),
        )
        .expect("written");
        let file = file.to_string_lossy();
        server.ok(&["client", "add-key", "a1", "--jwks", &file]);
        for name in ["i", "g"] {
            let (iss, name) = (
                format!("https://{name}{number}.example"),
                format!("{name}{number}"),
            );
            server.ok(&["issuer", "create", &iss, "--name", &name, "--jwks", &file]);
        }
        for name in ["t", "u"] {
            let (name, pin) = (format!("{name}{number}"), format!("sub={name}{number}"));
            server.ok(&["trust", "create", &name, "--from", "i1", "--pin", &pin]);
        }
    }
    let jwks = format!("{}/jwks", server.issuer);
    server.ok(&[
        &["issuer", "create", "https://far.example", "--name", "far"],
        &["--jwks-uri", &jwks, "--allow-internal", "127.0.0.0/8"][..],
    ]
    .concat());
    for (name, text) in [
        ("no.jwt", "x"),
        ("realm.json", r#"{"realm":"acme","clients":[]}"#),
        ("app1.toml", "[[subject]]\nid = 'app1'\n"),
        ("app2.toml", "[[subject]]\nid = 'app2'\n"),
    ] {
        fs::write(server.directory().join(name), text).expect("written");
    }
    server.ok(&["key", "rotate", "--ahead", "0s"]);
    server.ok(&["key", "rotate", "--ahead", "0s"]);
    let keys: Value = serde_json::from_str(&server.ok(&["key", "list", "--json"])).expect("JSON");
    let retired = |key: usize| keys[key]["kid"].as_str().expect("a kid").to_owned();
    let assertion = server.ok(&["assertion", "mint", "--key", "a1.json"]);
    let refused = server
        .token(&[("grant_type", JWT_BEARER), ("assertion", "x")])
        .decision_id();
    server.decision(&refused);
    // Of each command: arguments with which it prints something, and whether it has changed
    // something by then. # is 1 or 2.
    let mut rows: Vec<(&str, Vec<&str>, &str)> = vec![
        ("demo", vec!["--once", "--listen", "127.0.0.1:0"], ""),
        (
            "client create",
            vec!["c#", "--generate-key"],
            "client c# created; its key file is c#.json",
        ),
        ("client list", vec![], ""),
        ("client show", vec!["a1"], ""),
        (
            "client update",
            vec!["a1", "--scope", "x"],
            "client a1 updated",
        ),
        ("client disable", vec!["a2"], "client a2 disabled"),
        ("client enable", vec!["a2"], "client a2 enabled"),
        ("client delete", vec!["d#"], "client d# deleted"),
        (
            "client add-key",
            vec!["a1", "--generate-key", "--out", "new#.json"],
            "key added to client a1; its key file is new#.json",
        ),
        (
            "client remove-key",
            vec!["a1", "--kid", "k#"],
            "key removed from client a1",
        ),
        (
            "client rotate-secret",
            vec!["s1", "--out", "secret#.json"],
            "client s1 has a new secret; its key file is secret#.json",
        ),
        ("subject create", vec!["dora#"], "subject dora# created"),
        (
            "subject update",
            vec!["carol#", "--language", "fr"],
            "subject carol# updated",
        ),
        ("subject list", vec![], ""),
        ("subject disable", vec!["carol#"], "subject carol# disabled"),
        ("subject enable", vec!["carol#"], "subject carol# enabled"),
        ("subject delete", vec!["carol#"], "subject carol# deleted"),
        (
            "operator create",
            vec!["erin#", "--role", "editor"],
            "erin# has the role editor",
        ),
        ("operator list", vec![], ""),
        (
            "operator delete",
            vec!["erin#"],
            "erin# is no operator any more",
        ),
        (
            "permission create",
            vec!["a1", "alice#"],
            "client a1 may act for alice#",
        ),
        ("permission list", vec![], ""),
        (
            "permission delete",
            vec!["a1", "bob#"],
            "client a1 may no longer act for bob#",
        ),
        ("permission show", vec!["a1", "alice1"], ""),
        ("permission ask", vec!["p1", "alice1"], ""),
        (
            "subject invite",
            vec!["alice1"],
            "it works once, and is not shown again",
        ),
        ("subject credentials", vec!["alice1"], ""),
        (
            "subject remove-credentials",
            vec!["bob#"],
            "bob# has nothing to sign in with any more",
        ),
        ("scope set", vec!["read", "--en", "Read"], "scope read set"),
        ("scope list", vec![], ""),
        (
            "scope delete",
            vec!["x#"],
            "scope x# has no description any more",
        ),
        (
            "issuer create",
            vec!["https://new#.example", "--jwks", "key.jwks"],
            "issuer https://new#.example created",
        ),
        ("issuer list", vec![], ""),
        ("issuer show", vec!["i1"], ""),
        (
            "issuer update",
            vec!["i1", "--leeway", "2#s"],
            "issuer i1 updated",
        ),
        (
            "issuer refresh",
            vec!["far"],
            "issuer far: its keys were fetched",
        ),
        ("issuer test", vec!["i1", "no.jwt"], ""),
        ("issuer disable", vec!["i2"], "issuer i2 disabled"),
        ("issuer enable", vec!["i2"], "issuer i2 enabled"),
        ("issuer delete", vec!["g#"], "issuer g# deleted"),
        (
            "trust create",
            vec!["new#", "--from", "i1", "--pin", "sub=new#"],
            "trust new# created",
        ),
        ("trust list", vec![], ""),
        ("trust show", vec!["t1"], ""),
        (
            "trust update",
            vec!["t1", "--lifetime", "#0m"],
            "trust t1 updated",
        ),
        ("trust test", vec!["t1", "no.jwt"], ""),
        ("trust report", vec!["t1"], ""),
        ("trust disable", vec!["t2"], "trust t2 disabled"),
        ("trust enable", vec!["t2"], "trust t2 enabled"),
        ("trust delete", vec!["u#"], "trust u# deleted"),
        ("template list", vec![], ""),
        ("template show", vec!["github-actions"], ""),
        ("key list", vec![], ""),
        ("key rotate", vec![], "signs from"),
        ("key revoke", vec!["retired#"], "is withdrawn"),
        ("assertion mint", vec!["--key", "a1.json"], ""),
        ("assertion explain", vec![&assertion], ""),
        ("decisions list", vec![], ""),
        ("decisions show", vec![&refused], ""),
        ("statistics", vec![], ""),
        ("subject credentials", vec!["bob#"], ""),
        ("changes list", vec![], ""),
        ("changes show", vec!["1"], ""),
        ("import jwks", vec!["key.jwks", "--client", "j#"], ""),
        ("import keycloak", vec!["realm.json", "--json"], ""),
        ("export", vec![], ""),
        ("apply", vec!["app#.toml"], "app#"),
        ("token", vec!["--key", "a1.json"], ""),
        ("token list", vec!["--trust", "t1"], ""),
        ("backup", vec!["copy#.db"], "copy#.db written"),
        ("doctor", vec![], ""),
        ("health", vec![], ""),
        ("node list", vec![], ""),
        // Last, for what came before is gone then, and assertions are refused for a while.
        (
            "restore",
            vec!["--replace", "copy#.db"],
            "copy#.db restored",
        ),
    ];
    // These print nothing before something happens, or nothing at all: of a file there is one node.
    // `console` prints to terminals alone, no command sets up a way to sign in that could be taken, and
    // a database moves once (moving.rs).
    let others = [
        "decisions tail",
        "changes tail",
        "serve",
        "console",
        "move",
        "subject remove-credentials",
        "replay fence",
        "replay windows",
    ];
    let leaves = Desk::new()
        .commands()
        .into_iter()
        .filter(|(.., is_leaf)| *is_leaf)
        .map(|(command, ..)| command.join(" "));
    let unknown: Vec<_> = leaves
        .filter(|leaf| !others.contains(&&**leaf) && !rows.iter().any(|row| row.0 == leaf))
        .collect();
    assert_eq!(unknown, Vec::<String>::new(), "commands without a row here");
    if is_postgres() {
        // These are of a file, and refuse.
        rows.retain(|row| !["backup", "restore"].contains(&row.0));
    }
    for (command, arguments, done) in &rows {
        for ((name, code, words), number) in SINKS.into_iter().zip(["1", "2"]) {
            let arguments = command
                .split(' ')
                .map(str::to_owned)
                .chain(arguments.iter().map(|each| each.replace('#', number)));
            let arguments = arguments.map(|each| {
                each.replace("retired1", &retired(1))
                    .replace("retired2", &retired(2))
            });
            let arguments: Vec<String> = arguments.collect();
            let mut run = grantor(&server.data());
            run.current_dir(server.directory())
                .args(["--issuer", &server.issuer])
                .args(&arguments)
                .stdout(sink(name));
            let finished = finished(run.output().expect("the binary runs"));
            assert_eq!(
                finished.status.code(),
                Some(code),
                "{arguments:?} on {name}: {}",
                finished.stderr
            );
            assert_eq!(
                finished.stderr.lines().count(),
                usize::from(code == 1),
                "{arguments:?} on {name}: {}",
                finished.stderr
            );
            let says = |words: &str| finished.stderr.contains(words);
            let done = code == 141 || says(&done.replace('#', number));
            assert!(
                says(words) && done,
                "{arguments:?} on {name}: {}",
                finished.stderr
            );
        }
    }
    for (name, code, _) in SINKS {
        for arguments in [
            &["--help"][..],
            &["client", "create", "--help"],
            &["--version"],
        ] {
            let mut run = grantor(&server.data());
            let finished = finished(
                run.args(arguments)
                    .stdout(sink(name))
                    .output()
                    .expect("the binary runs"),
            );
            assert_eq!(
                finished.status.code(),
                Some(code),
                "{arguments:?} on {name}: {}",
                finished.stderr
            );
        }
        let mut tail = grantor(&server.data());
        let tail = tail
            .args(["decisions", "tail"])
            .stdout(sink(name))
            .stderr(Stdio::null());
        let mut tail = tail.spawn().expect("the binary runs");
        server.wait_until("the tail ends", || {
            server.token(&[("grant_type", JWT_BEARER), ("assertion", "x")]);
            tail.try_wait()
                .expect("a status")
                .is_some_and(|status| status.code() == Some(code))
        });
    }
}

/// A reader copies them.
#[test]
fn the_command_lines_that_the_demo_prints_work_as_they_are() {
    let desk = Desk::new();
    let mut demo = grantor(&desk.path().join("data"))
        .current_dir(desk.path())
        .args(["demo", "--listen", "127.0.0.1:0"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    // Open to the end: a demo that cannot print ends.
    let mut output = BufReader::new(demo.stdout.take().expect("a pipe"));
    let lines = output.by_ref().lines().map(|line| line.expect("a line"));
    let printed: Vec<String> = lines
        .skip_while(|line| !line.contains("Ctrl-C"))
        .take_while(|line| !line.starts_with("The last line"))
        .collect();
    let run = |line: &str| {
        let mut shell = Command::new("sh");
        shell.current_dir(desk.path()).args(["-c", line]);
        finished(shell.output().expect("a shell"))
    };
    let line = |part: &str| {
        let found = printed.iter().find(|line| line.contains(part));
        found.unwrap_or_else(|| unreachable!("{part}: {printed:?}"))
    };
    let token = run(line(" token --key "));
    assert!(token.status.success(), "{}", token.stderr);
    wait::blocking::until("the decision is recorded", || {
        run(line(" decisions show "))
            .stdout
            .contains("rule       replay\n")
    });
    let ended = Command::new("kill").arg(demo.id().to_string()).status();
    assert!(ended.expect("it runs").success() && demo.wait().expect("it ends").success());
}

#[test]
fn the_demo_shows_the_main_job_and_exits() {
    let desk = Desk::new();
    let text = desk.ok(&["demo", "--once", "--listen", "127.0.0.1:0"]);
    assert!(
        text.contains("access token") && text.contains("refused"),
        "{text}"
    );
    let lines = desk.ok(&["demo", "--once", "--listen", "127.0.0.1:0", "--json"]);
    let steps: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON lines only"))
        .collect();
    assert_eq!(steps.len(), 6);
    assert!(
        steps
            .iter()
            .enumerate()
            .all(|(index, step)| step["step"] == index + 1 && step["title"].is_string()),
        "{lines}"
    );
    assert_eq!(
        steps[5]["detail"]["body"]["error"], "invalid_grant",
        "the replay"
    );
    assert!(!desk.path().join("data").exists(), "a throw-away database");
}

/// Without people nobody can be asked; with them, what they are asked about is described.
#[test]
fn c005_c006_a_client_that_asks_is_told_what_is_missing() {
    for (configuration, words, others) in [
        ("", "nobody can be asked here", true),
        ("[person]", "nobody can be asked here", false),
        ("[person]", "scope read has no description", true),
    ] {
        let server = Server::start_with(configuration);
        server.client("billing", &["--generate-key", "--scope", "read"]);
        let asks = server.run(&["client", "update", "billing", "--consent", "ask"]);
        assert!(asks.status.success(), "{}", asks.stderr);
        assert_eq!(asks.stderr.contains(words), others, "{}", asks.stderr);
        let control = server.run(&["client", "update", "billing", "--consent", "off"]);
        assert!(!control.stderr.contains(words), "{}", control.stderr);
    }
}
