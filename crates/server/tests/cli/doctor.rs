//! `grantor doctor`: healthy servers are found well, and each disease is named, with its remedy and
//! nothing else.

use std::{io::Read as _, net::TcpListener, ops::Range, path::PathBuf, thread};

use crate::support::{Finished, Server, finished, grantor};
use grantor::jose::{Algorithm, PrivateJwk};
use grantor_testkit::double::{
    Foreign, ReadJwt, Script, answer,
    foreign::{granted, refused},
    publisher::METADATA,
};
use serde_json::{Value, json};
use tempfile::TempDir;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// A patient's visit: a server, and a directory for key files.
struct Visit {
    server: Foreign,
    directory: TempDir,
}

impl Visit {
    fn to(change: impl FnOnce(&str, &mut Script)) -> Self {
        Self {
            server: Foreign::start(change),
            directory: tempfile::tempdir().expect("a directory"),
        }
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        let mut command = grantor(&self.directory.path().join("data"));
        let command = command
            .current_dir(self.directory.path())
            .args(["doctor", "--issuer", &self.server.issuer])
            .args(arguments);
        finished(command.output().expect("the binary runs"))
    }

    /// The findings that are wrong, as (check, message, remedy); the exit code goes with them.
    fn wrong(&self, arguments: &[&str]) -> Vec<(String, String, String)> {
        let finished = self.run(&[arguments, &["--json"]].concat());
        let report: Value = serde_json::from_str(&finished.stdout)
            .unwrap_or_else(|_| unreachable!("{}", finished.stderr));
        assert_eq!(report["issuer"], self.server.issuer.as_str());
        let wrong = of(&report, "wrong");
        assert_eq!(
            finished.status.code(),
            Some(i32::from(!wrong.is_empty())),
            "{report}"
        );
        assert_eq!(report["healthy"], wrong.is_empty());
        wrong
    }

    fn findings(&self, verdict: &str, arguments: &[&str]) -> Vec<(String, String, String)> {
        let finished = self.run(&[arguments, &["--json"]].concat());
        of(
            &serde_json::from_str(&finished.stdout).expect("JSON"),
            verdict,
        )
    }

    /// One thing is wrong, of this check, and what is said has these words.
    fn suffers(&self, arguments: &[&str], check: &str, words: &[&str]) {
        let wrong = self.wrong(arguments);
        let [(got, message, remedy)] = &wrong[..] else {
            unreachable!("{check}: {wrong:#?}")
        };
        assert_eq!(got, check, "{message}");
        let text = format!("{message} {remedy}");
        for word in words {
            assert!(text.contains(word), "no {word:?} in {text}");
        }
        assert!(!remedy.is_empty());
    }

    /// Writes a key file for the client `billing` at this server.
    fn key(&self, change: impl FnOnce(&mut Value)) -> String {
        let key = PrivateJwk::generate(Algorithm::Es256).expect("a key");
        let private: Value = serde_json::from_str(key.expose_json()).expect("JSON");
        let issuer = &self.server.issuer;
        let mut file = json!({
            "type": "grantor_client", "issuer": issuer, "token_endpoint": format!("{issuer}/token"), "client_id": "billing",
            "alg": "ES256", "private_key": private,
        });
        change(&mut file);
        self.file("billing.json", &file.to_string())
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path: PathBuf = self.directory.path().join(name);
        std::fs::write(&path, text).expect("a file");
        path.to_string_lossy().into_owned()
    }
}

fn of(report: &Value, verdict: &str) -> Vec<(String, String, String)> {
    let text =
        |finding: &Value, member: &str| finding[member].as_str().unwrap_or_default().to_owned();
    let findings = report["findings"]
        .as_array()
        .expect("findings")
        .iter()
        .filter(|finding| finding["verdict"] == verdict);
    findings
        .map(|finding| {
            (
                text(finding, "check"),
                text(finding, "message"),
                text(finding, "remedy"),
            )
        })
        .collect()
}

/// Only an assertion for this audience gets a token.
fn takes(script: &mut Script, audience: String) {
    script.token = Box::new(move |form| {
        let assertion = form
            .get("assertion")
            .or(form.get("client_assertion"))
            .expect("an assertion");
        if ReadJwt::read(assertion).claims["aud"] == audience.as_str() {
            granted()
        } else {
            refused("invalid_client")
        }
    });
}

#[test]
fn our_own_server_is_well() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    let secret = server.client("legacy", &["--auth", "client_secret_basic"]);
    server.ok(&["doctor"]);
    std::fs::write(
        server.data().join("grantor.toml"),
        format!("issuer = \"{}\"", server.issuer),
    )
    .expect("a configuration");
    for arguments in [
        &["doctor"] as &[&str],
        &["doctor", "--key", &key.to_string_lossy()],
    ] {
        let without_issuer = finished(
            grantor(&server.data())
                .args(arguments)
                .output()
                .expect("the binary runs"),
        );
        assert!(without_issuer.status.success(), "{}", without_issuer.stderr);
    }
    for key in [&key, &secret] {
        let report: Value = serde_json::from_str(&server.ok(&[
            "doctor",
            "--key",
            &key.to_string_lossy(),
            "--json",
        ]))
        .expect("JSON");
        assert_eq!(report["healthy"], true, "{report}");
        assert!(of(&report, "note").is_empty(), "{report}");
    }
    let text = server.ok(&["doctor", "--key", &key.to_string_lossy()]);
    assert!(
        text.starts_with(&server.issuer) && text.contains("jwt-bearer: a token was issued"),
        "{text}"
    );

    server.ok(&["client", "disable", "billing"]);
    let refused = server.run(&["doctor", "--key", &key.to_string_lossy()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        refused.stdout.contains("registered under this name")
            && refused.stdout.contains("decision "),
        "{}",
        refused.stdout
    );
    assert_eq!(refused.stderr, "error: 2 things are wrong\n");
}

#[test]
fn a_foreign_server_is_well() {
    let visit = Visit::to(|_, _| {});
    assert!(visit.wrong(&[]).is_empty());
    assert!(
        visit.server.forms("/token").is_empty(),
        "without a key nothing is asked for"
    );
    assert!(visit.wrong(&["--key", &visit.key(|_| {})]).is_empty());
    let forms = visit.server.forms("/token");
    assert_eq!(forms.len(), 2, "one for each grant");
    assert_ne!(forms[0]["grant_type"], forms[1]["grant_type"]);
    assert!(
        visit
            .wrong(&[
                "--key",
                &visit.key(|_| {}),
                "--grant",
                "client-credentials",
                "--scope",
                "a b"
            ])
            .is_empty()
    );
    assert_eq!(visit.server.forms("/token")[2]["scope"], "a b");
}

#[test]
fn metadata_of_another_issuer_is_refused_and_nothing_is_signed() {
    let visit =
        Visit::to(|_, script| script.metadata()["issuer"] = "https://victim.example".into());
    visit.suffers(
        &["--key", &visit.key(|_| {})],
        "issuer",
        &["https://victim.example", "RFC 8414 §3.3"],
    );
    assert!(visit.server.forms("/token").is_empty());
    let visit =
        Visit::to(|issuer, script| script.metadata()["issuer"] = format!("{issuer}/").into());
    visit.suffers(&[], "issuer", &["slash at the end"]);
    let visit = Visit::to(|_, script| script.metadata()["issuer"] = 1.into());
    visit.suffers(&[], "issuer", &["says 1"]);
    let visit = Visit::to(|_, script| {
        drop(
            script
                .metadata()
                .as_object_mut()
                .expect("an object")
                .remove("issuer"),
        );
    });
    visit.suffers(&[], "issuer", &["no member 'issuer'"]);
}

#[test]
fn metadata_that_is_missing_misplaced_or_broken_is_told_apart() {
    let visit = Visit::to(|_, script| script.documents.clear());
    visit.suffers(
        &[],
        "metadata",
        &[
            "404",
            "openid-configuration",
            "Is the issuer identifier right",
        ],
    );
    let visit = Visit::to(|_, script| {
        let document = script.documents.remove(METADATA).expect("metadata");
        script
            .documents
            .insert("/.well-known/openid-configuration".to_owned(), document);
    });
    assert!(visit.wrong(&[]).is_empty(), "worth a note only");
    let notes = visit.findings("note", &[]);
    assert!(
        notes[0].1.contains("OpenID Connect Discovery") && notes[0].2.contains("RFC 8414"),
        "{notes:?}"
    );
    let visit = Visit::to(|_, script| *script.metadata() = json!(["issuer"]));
    visit.suffers(&[], "metadata", &["one JSON object"]);
    let visit = Visit::to(|_, script| {
        let document = std::mem::replace(script.metadata(), json!("a page for people"));
        script
            .documents
            .insert("/.well-known/openid-configuration".to_owned(), document);
    });
    assert!(
        visit.wrong(&[]).is_empty(),
        "clients go on to the second place"
    );
    assert!(
        visit.findings("note", &[])[0].1.contains("no metadata"),
        "and it is worth a note"
    );
    let visit = Visit::to(|issuer, script| {
        let mut other = script.metadata().clone();
        other["token_endpoint"] = format!("{issuer}/other").into();
        script
            .documents
            .insert("/.well-known/openid-configuration".to_owned(), other);
    });
    visit.suffers(&[], "metadata", &["different token endpoints"]);

    let directory = tempfile::tempdir().expect("a directory");
    let run = |arguments: &[&str]| {
        finished(
            grantor(directory.path())
                .arg("doctor")
                .args(arguments)
                .output()
                .expect("it runs"),
        )
    };
    let silent = run(&["--issuer", "http://127.0.0.1:1"]);
    assert_eq!(silent.status.code(), Some(1));
    assert!(
        silent.stdout.contains("Connection refused")
            && silent.stdout.contains("is the server running"),
        "{}",
        silent.stdout
    );
    for (arguments, word) in [
        (&["--issuer", "http://as.example"] as &[&str], "https"),
        (&["--issuer", "https://as.example?a"], "query"),
        (&["--issuer", "https://as.example", "--scope", "a"], "--key"),
        (&["--issuer", "https://as.example", "--iss", "a"], "--key"),
        (&["--key", "nowhere.json"], "nowhere.json"),
    ] {
        let refused = run(arguments);
        assert_eq!(
            refused.status.code(),
            Some(2),
            "{arguments:?}: {}",
            refused.stderr
        );
        assert!(
            refused.stderr.contains(word) && refused.stdout.is_empty(),
            "{arguments:?}: {}",
            refused.stderr
        );
    }
}

#[test]
fn endpoints_in_the_clear_are_named() {
    for (member, words) in [
        (
            "token_endpoint",
            [
                "token_endpoint is \"http://as.example/x\"",
                "credentials would travel",
            ],
        ),
        (
            "introspection_endpoint",
            ["introspection_endpoint is", "serve it by https"],
        ),
        ("jwks_uri", ["jwks_uri is", "keys of their own"]),
    ] {
        let visit = Visit::to(|_, script| script.metadata()[member] = "http://as.example/x".into());
        visit.suffers(&[], "endpoints", &words);
    }
    let visit = Visit::to(|_, script| script.metadata()["token_endpoint"] = 1.into());
    visit.suffers(&[], "endpoints", &["token_endpoint is 1", "a URL"]);
    let visit = Visit::to(|_, script| {
        drop(
            script
                .metadata()
                .as_object_mut()
                .expect("an object")
                .remove("token_endpoint"),
        );
    });
    visit.suffers(&[], "endpoints", &["no member 'token_endpoint'"]);
}

#[test]
fn a_clock_that_is_off_is_noticed_beyond_the_leeway() {
    for (ahead, words) in [
        (3600, Some(["ahead of ours", "less time than they say"])),
        (40, Some(["ahead of ours", "NTP"])),
        (25, None),
        (0, None),
        (-25, None),
        (-45, Some(["behind ours", "from its future"])),
    ] {
        let visit = Visit::to(|_, script| script.ahead = Some(ahead));
        match words {
            Some(words) => visit.suffers(&[], "clock", &words),
            None => assert!(visit.wrong(&[]).is_empty(), "{ahead}"),
        }
    }
    let visit = Visit::to(|_, script| script.ahead = None);
    assert!(visit.wrong(&[]).is_empty(), "nothing can be said");
    assert!(
        !visit
            .findings("ok", &[])
            .iter()
            .any(|(check, ..)| check == "clock")
    );
}

#[test]
fn a_key_set_with_a_private_key_is_an_emergency() {
    let private: Value = serde_json::from_str(
        PrivateJwk::generate(Algorithm::Es256)
            .expect("a key")
            .expose_json(),
    )
    .expect("JSON");
    let visit = Visit::to(|_, script| {
        drop(
            script
                .documents
                .insert("/jwks".to_owned(), json!({"keys": [private]})),
        );
    });
    visit.suffers(
        &[],
        "keys",
        &["key 0", "private parameter 'd'", "Replace that key now"],
    );
    let symmetric = json!({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]});
    let visit = Visit::to(|_, script| drop(script.documents.insert("/jwks".to_owned(), symmetric)));
    visit.suffers(&[], "keys", &["'k'", "Replace that key now"]);
}

#[test]
fn a_key_set_is_judged_key_by_key() {
    let good = |kid: &str| {
        Value::Object(
            PrivateJwk::generate(Algorithm::Es256)
                .expect("a key")
                .public()
                .with_key_id(kid)
                .to_object(),
        )
    };
    let weak = json!({"kty": "RSA", "e": "AQAB", "n": "w".repeat(171)});
    let with = |keys: Value| {
        Visit::to(move |_, script| {
            drop(
                script
                    .documents
                    .insert("/jwks".to_owned(), json!({"keys": keys})),
            );
        })
    };
    with(json!([good("a"), weak])).suffers(&[], "keys", &["key 1", "2048", "too weak"]);
    with(json!([good("a"), good("a")])).suffers(&[], "keys", &["two keys have the kid \"a\""]);
    with(json!([])).suffers(&[], "keys", &["no key can be used"]);
    with(json!("none")).suffers(&[], "keys", &["JWK Set"]);
    let mixed = with(json!([good("a"), {"kty": "AKP", "alg": "ML-DSA-44", "pub": "AA"}]));
    assert!(mixed.wrong(&[]).is_empty(), "unknown kinds are passed over");
    assert!(mixed.findings("note", &[])[0].1.contains("key 1"));
    let visit = Visit::to(|_, script| drop(script.documents.remove("/jwks")));
    visit.suffers(&[], "keys", &["/jwks", "404"]);
}

#[test]
fn an_audience_that_is_not_taken_is_found_out() {
    for (grant, method) in [
        ("jwt-bearer", "assertion"),
        ("client-credentials", "client_assertion"),
    ] {
        let visit = Visit::to(|issuer, script| takes(script, format!("{issuer}/token")));
        let endpoint = format!("{}/token", visit.server.issuer);
        let words = [
            "refuses its issuer identifier as audience",
            &format!("{endpoint:?}"),
            "Audience::TokenEndpoint",
            "--aud",
        ];
        visit.suffers(
            &["--key", &visit.key(|_| {}), "--grant", grant],
            "audience",
            &words,
        );
        let forms = visit.server.forms("/token");
        let audiences: Vec<_> = forms
            .iter()
            .map(|form| ReadJwt::read(&form[method]).claims["aud"].clone())
            .collect();
        assert_eq!(audiences, [json!(visit.server.issuer), json!(endpoint)]);
        assert_ne!(
            ReadJwt::read(&forms[0][method]).claims["jti"],
            ReadJwt::read(&forms[1][method]).claims["jti"]
        );
    }
    let visit = Visit::to(|issuer, script| takes(script, issuer.to_owned()));
    assert!(visit.wrong(&["--key", &visit.key(|_| {})]).is_empty());
    let visit = Visit::to(|_, script| takes(script, "https://elsewhere.example".to_owned()));
    let wrong = visit.wrong(&["--key", &visit.key(|_| {}), "--grant", "jwt-bearer"]);
    assert!(
        wrong[0].1.contains("as scripted") && wrong[0].2.contains("hardly the audience"),
        "{wrong:?}"
    );
}

/// CVE-2025-27370: a server that names another's URL as its own does not get an assertion for it.
#[test]
fn nothing_is_signed_for_an_audience_that_only_the_metadata_names() {
    let other = Foreign::start(|_, script| script.token = Box::new(|_| refused("invalid_client")));
    let visit = Visit::to(|_, script| {
        script.metadata()["token_endpoint"] = format!("{}/token", other.issuer).into();
    });
    let pem = visit.file(
        "key.jwk",
        PrivateJwk::generate(Algorithm::Es256)
            .expect("a key")
            .expose_json(),
    );
    let wrong = visit.wrong(&["--key", &pem, "--iss", "billing", "--grant", "jwt-bearer"]);
    assert_eq!(wrong.len(), 1, "{wrong:?}");
    let forms = other.forms("/token");
    assert_eq!(forms.len(), 1);
    assert_eq!(
        ReadJwt::read(&forms[0]["assertion"]).claims["aud"],
        visit.server.issuer.as_str()
    );
}

#[test]
fn a_grant_that_is_not_allowed_is_a_note_if_the_other_works() {
    let only = |grant: &'static str| {
        Visit::to(move |_, script| {
            script.token = Box::new(move |form| {
                if form["grant_type"] == grant {
                    granted()
                } else {
                    refused("unauthorized_client")
                }
            });
        })
    };
    let visit = only(JWT_BEARER);
    assert!(visit.wrong(&["--key", &visit.key(|_| {})]).is_empty());
    let visit = only("client_credentials");
    assert!(visit.wrong(&["--key", &visit.key(|_| {})]).is_empty());
    visit.suffers(
        &["--key", &visit.key(|_| {}), "--grant", "jwt-bearer"],
        "token",
        &["unauthorized_client", "allow this grant"],
    );
    let visit = Visit::to(|_, script| {
        script.metadata()["grant_types_supported"] = json!(["authorization_code"]);
    });
    visit.suffers(
        &["--key", &visit.key(|_| {})],
        "token",
        &["no grant that this key could use"],
    );
    let visit = Visit::to(|_, script| script.token = Box::new(|_| refused("invalid_scope")));
    visit.suffers(
        &["--key", &visit.key(|_| {}), "--grant", "jwt-bearer"],
        "token",
        &["invalid_scope", "operator allows"],
    );
    let visit = Visit::to(|_, script| script.token = Box::new(|_| answer(200, &json!("hello"))));
    visit.suffers(
        &["--key", &visit.key(|_| {}), "--grant", "jwt-bearer"],
        "token",
        &["no answer of a token endpoint"],
    );
}

#[test]
fn what_the_server_takes_is_held_against_the_key() {
    let algorithms = "token_endpoint_auth_signing_alg_values_supported";
    let visit = Visit::to(|_, script| script.metadata()[algorithms] = json!(["RS256", "PS256"]));
    visit.suffers(
        &["--key", &visit.key(|_| {})],
        "algorithm",
        &["ES256", "RS256", "Make and register a key"],
    );
    let methods = "token_endpoint_auth_methods_supported";
    let visit = Visit::to(|_, script| script.metadata()[methods] = json!(["private_key_jwt"]));
    let secret = |file: &mut Value| {
        file.as_object_mut()
            .expect("an object")
            .remove("private_key");
        file["client_secret"] = "s".repeat(40).into();
    };
    visit.suffers(
        &["--key", &visit.key(secret)],
        "client auth",
        &["client_secret_basic", "private_key_jwt"],
    );
    let visit = Visit::to(|_, script| {
        for member in [algorithms, methods, "grant_types_supported"] {
            script
                .metadata()
                .as_object_mut()
                .expect("an object")
                .remove(member);
        }
    });
    assert!(visit.wrong(&["--key", &visit.key(|_| {})]).is_empty());
    assert_eq!(
        visit.findings("note", &["--key", &visit.key(|_| {})]).len(),
        2
    );
}

#[test]
fn a_key_file_for_another_server_is_noticed() {
    let visit = Visit::to(|_, _| {});
    visit.suffers(
        &[
            "--key",
            &visit.key(|file| file["issuer"] = "https://other.example".into()),
        ],
        "key file",
        &["other.example"],
    );
    let elsewhere = |file: &mut Value| file["token_endpoint"] = "http://127.0.0.1:1/token".into();
    let wrong = visit.wrong(&["--key", &visit.key(elsewhere)]);
    assert_eq!(wrong[0].0, "key file");
    assert!(
        wrong[0].1.contains("token_endpoint")
            && wrong[1..].iter().all(|(check, ..)| check == "token"),
        "{wrong:?}"
    );
}

/// A CA of the operator's own.
struct OwnCa {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    directory: TempDir,
}

impl OwnCa {
    fn new(name: &str) -> Self {
        let directory = tempfile::tempdir().expect("a directory");
        let mut ca = rcgen::CertificateParams::new(Vec::new()).expect("parameters");
        ca.distinguished_name.push(rcgen::DnType::CommonName, name);
        ca.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = ca.self_signed(&key).expect("a certificate");
        std::fs::write(directory.path().join("ca.pem"), certificate.pem()).expect("written");
        Self {
            issuer: rcgen::Issuer::new(ca, key),
            directory,
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join("ca.pem")
    }

    /// A server with a certificate for this name, valid in these years.
    fn server(&self, name: &str, years: Range<i32>) -> Server {
        let mut leaf = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("parameters");
        leaf.not_before = rcgen::date_time_ymd(years.start, 1, 1);
        leaf.not_after = rcgen::date_time_ymd(years.end, 1, 1);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = leaf.signed_by(&key, &self.issuer).expect("a certificate");
        // Of each its own: a server takes up files that change.
        let write = |file: &str, text: String| {
            let path = self
                .directory
                .path()
                .join(format!("{name}-{}-{file}", years.start));
            std::fs::write(&path, text).expect("written");
            path
        };
        let (certificate, key) = (
            write("certificate.pem", certificate.pem()),
            write("key.pem", key.serialize_pem()),
        );
        Server::start_with(&format!(
            "[tls]\ncertificate = {certificate:?}\nkey = {key:?}\n"
        ))
    }
}

#[test]
fn each_way_to_get_no_answer_has_its_remedy() {
    let (ca, other, made_anew) = (
        OwnCa::new("Own CA"),
        OwnCa::new("Other CA"),
        OwnCa::new("Own CA"),
    );
    let good = ca.server("127.0.0.1", 2019..4000);
    let directory = tempfile::tempdir().expect("a directory");
    let run = |issuer: &str, variable: &str, trusted: &std::path::Path| {
        let mut command = grantor(directory.path());
        let command = command.args(["doctor", "--json", "--issuer", issuer]);
        let command = command
            .env_remove("SSL_CERT_FILE")
            .env_remove("SSL_CERT_DIR")
            .env(variable, trusted);
        finished(command.output().expect("the binary runs"))
    };
    // The controls: both variables of OpenSSL name what is trusted.
    for (variable, trusted) in [
        ("SSL_CERT_FILE", ca.path()),
        ("SSL_CERT_DIR", ca.directory.path().to_owned()),
    ] {
        let well = run(&good.issuer, variable, &trusted);
        assert!(
            well.status.success(),
            "{variable}: {}{}",
            well.stdout,
            well.stderr
        );
    }
    // The command that asks for a token says so too.
    let key = good.client("billing", &["--generate-key"]);
    let token = |trusted: &std::path::Path| {
        let mut command = grantor(directory.path());
        command
            .args(["token", "--key"])
            .arg(&key)
            .env_remove("SSL_CERT_DIR")
            .env("SSL_CERT_FILE", trusted);
        finished(command.output().expect("the binary runs"))
    };
    assert!(token(&ca.path()).status.success());
    let refused = token(&other.path());
    assert!(
        refused.stderr.contains("UnknownIssuer") && refused.stderr.contains("SSL_CERT_FILE=ca.pem"),
        "{}",
        refused.stderr
    );
    assert_eq!(
        (refused.status.code(), refused.stderr.lines().count()),
        (Some(1), 1),
        "{}",
        refused.stderr
    );
    let expired = ca.server("127.0.0.1", 2020..2021);
    let early = ca.server("127.0.0.1", 3990..4000);
    let elsewhere = ca.server("as.example", 2020..4000);
    let (plain, closing) = (Server::start(), closing());
    let unused = crate::support::held_address();
    let long = format!("https://{}.invalid", "a".repeat(64));
    for (issuer, trusted, cause, remedy) in [
        (
            &*good.issuer,
            other.path(),
            "UnknownIssuer",
            "SSL_CERT_FILE=ca.pem",
        ),
        (
            &good.issuer,
            made_anew.path(),
            "BadSignature",
            "SSL_CERT_FILE=ca.pem",
        ),
        (
            &good.issuer,
            directory.path().join("nowhere.pem"),
            "UnknownIssuer",
            "SSL_CERT_FILE=ca.pem",
        ),
        (
            &expired.issuer,
            ca.path(),
            "expired",
            "Renew the certificate",
        ),
        (
            &early.issuer,
            ca.path(),
            "not valid yet",
            "The certificate begins later",
        ),
        (
            &elsewhere.issuer,
            ca.path(),
            "as.example",
            "The certificate is for other names",
        ),
        (
            &plain.issuer.replace("http:", "https:"),
            ca.path(),
            "InvalidContentType",
            "does not speak TLS",
        ),
        (&closing, ca.path(), "handshake eof", "does not speak TLS"),
        (
            &format!("https://{unused}"),
            ca.path(),
            "Connection refused",
            "Nothing listens there",
        ),
        // No label may be so long, so that nobody is asked.
        (
            &long,
            ca.path(),
            "invalid dns name",
            "The name is not known here",
        ),
    ] {
        let ill = run(issuer, "SSL_CERT_FILE", &trusted);
        let report: Value =
            serde_json::from_str(&ill.stdout).unwrap_or_else(|_| unreachable!("{}", ill.stderr));
        let wrong = of(&report, "wrong");
        let [(check, message, told)] = &wrong[..] else {
            unreachable!("{issuer}: {wrong:#?}")
        };
        assert!(
            check == "metadata" && message.contains(cause) && told.contains(remedy),
            "{issuer}: {wrong:#?}"
        );
        assert!(!told.contains("Is the server running"), "{told}");
    }
}

/// The URL of a server that closes a connection as soon as something came.
fn closing() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            // Whatever it was.
            let _ = stream.read(&mut [0; 4096]);
        }
    });
    format!("https://{address}")
}
