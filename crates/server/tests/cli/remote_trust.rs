//! As `remote`, of what the server trusts and decides: issuers, trusts, templates, signing keys,
//! tokens, records and explanations.

use std::fs;

use grantor::jose::Algorithm;
use grantor_testkit::{
    binary::{Finished, Server},
    forge::Key,
};
use serde_json::{Value, json};

use crate::{
    desk::{jwt, key_set},
    remote::{Elsewhere, plain, words},
};

/// In the order in which they are run. `KID1` and so on stand for the signing keys of a server.
const COMMANDS: &[&str] = &[
    "template list",
    "template show github-actions",
    "template show github-actions --json",
    "template show githbu-actions",
    // Issuers.
    "issuer create https://a.example --name a --jwks idp.jwks --audience ours",
    "issuer create https://a.example --jwks idp.jwks",
    "issuer create https://b.example --name b --jwks idp.jwks --json",
    "issuer create https://c.example",
    "issuer create not-a-url --discover",
    "issuer create https://nowhere.invalid --discover",
    "issuer create https://inside.example --jwks-uri https://127.0.0.1:1/x",
    "issuer create https://nowhere.invalid --name far --discover --no-check",
    "issuer create https://sized.example --jwks idp.jwks --max-lifetime 99d --leeway 1h",
    "issuer list",
    "issuer list --json",
    "issuer list --search far",
    "issuer list --template github-actions",
    "issuer show a",
    "issuer show a --json",
    "issuer show far",
    "issuer show far --json",
    "issuer show nobody",
    "issuer update a --max-lifetime 10m",
    "issuer update a --max-lifetime 10m --json",
    "issuer update a --leeway 9s --audience-match any --json",
    "issuer update a --jwks idp.jwks --overlap 7d",
    "issuer update a --jwks idp.jwks --add --leeway 8s --json",
    "issuer update a --add",
    "issuer update a --alg RS256",
    "issuer update a --name b",
    "issuer update nobody --leeway 1s",
    "issuer refresh a",
    "issuer refresh far",
    "issuer refresh nobody",
    // Trusts.
    "trust create ci --from a --pin sub=job-1 --scope deploy",
    "trust create ci --from a --pin sub=job-1",
    "trust create loose --from a",
    "trust create b2 --from b --pin sub=x --shadow --json",
    "trust create x --from nobody --pin sub=x",
    "trust create t --template github-actions --owner-id 123456 --repository-id 456789 --ref refs/heads/main --no-check",
    "trust create t2 --template github-actions --owner-id 123456 --repository-id 456789 --ref refs/heads/next --json",
    "trust create u --template github-actions",
    "trust create u --template githbu-actions",
    "trust list",
    "trust list --from a --json",
    "trust list --client ci",
    "trust list --from nobody",
    "trust show ci",
    "trust show ci --json",
    "trust show nobody",
    "trust update ci --scope 'deploy status'",
    "trust update ci --lifetime 15m --pin run=int:7",
    "trust update ci --unpin run --json",
    "trust update nobody --lifetime 15m",
    "trust test job.jwt --at 2030-01-01T00:00:30Z",
    "trust test ci job.jwt --at 2030-01-01T00:00:30Z",
    "trust test ci job.jwt --at 2030-01-01T00:00:30Z --json",
    "trust test ci other.jwt --at 2030-01-01T00:00:30Z --json",
    "trust test b2 job.jwt --at 2030-01-01T00:00:30Z",
    "trust test nobody job.jwt",
    "trust test missing.jwt",
    "issuer test job.jwt --at 2030-01-01T00:00:30Z --client-auth",
    "issuer test a job.jwt --at 2031-01-01T00:00:00Z",
    "issuer test b job.jwt --at 2030-01-01T00:00:30Z",
    "issuer test nobody job.jwt",
    "trust report ci",
    "trust report ci --since 7d --json",
    "trust report nobody",
    "trust disable ci",
    "trust test ci job.jwt --at 2030-01-01T00:00:30Z",
    "trust enable ci --json",
    "issuer disable a --revoke-tokens",
    "issuer show a --json",
    "issuer enable a --json",
    "issuer disable nobody",
    // Tokens, keys, records.
    "token list --from a",
    "token list --trust ci --json",
    "token list --subject nobody",
    "token list --from nobody",
    "key list",
    "key rotate --alg HS256",
    "key rotate --ahead 31d",
    "key rotate --ahead 0s",
    "key rotate --ahead 1h --alg RS256 --json",
    "key list",
    "key list --json",
    "key revoke nobody",
    "key revoke KID1",
    "key revoke KID2 --json",
    "decisions list --party nobody",
    "decisions list --party nobody --json",
    "decisions list --refused --rule aud --since 1h",
    "decisions show nobody",
    "changes list --actor nobody",
    "changes list --resource nothing --json",
    "changes show nobody",
    "changes show 999999",
    "statistics --from 2020-01-01T00:00:00Z --to 2020-01-01T01:00:00Z",
    "statistics --from 2020-01-01T00:00:00Z --to 2020-01-01T01:00:00Z --json --by rule --step hour",
    "statistics --from 1h --to 2h",
    "assertion explain junk",
    "assertion explain e30.e30.e30 --client-auth",
    // What is removed.
    "trust delete b2",
    "trust delete b2",
    "trust delete ci --json",
    "issuer delete b --json",
    "issuer delete https://token.actions.githubusercontent.com",
    "issuer delete https://token.actions.githubusercontent.com --cascade",
    "issuer delete nobody",
    "issuer list",
];

/// The signing keys of a server, in the order in which they were seen.
#[derive(Default)]
struct Kids(Vec<String>);

impl Kids {
    fn look(&mut self, server: &Server) {
        let listed: Value =
            serde_json::from_str(&server.ok(&["key", "list", "--json"])).expect("JSON");
        for key in listed.as_array().expect("keys") {
            let kid = key["kid"].as_str().expect("a kid").to_owned();
            if !self.0.contains(&kid) {
                self.0.push(kid);
            }
        }
    }

    fn name(&self, word: &str) -> String {
        let number = word
            .strip_prefix("KID")
            .and_then(|number| number.parse::<usize>().ok());
        number.map_or_else(|| word.to_owned(), |number| self.0[number - 1].clone())
    }

    fn hide(&self, finished: Finished) -> Finished {
        let hide = |text: String| {
            let kids = self.0.iter().enumerate();
            kids.fold(text, |text, (number, kid)| {
                text.replace(kid, &format!("KID{}", number + 1))
            })
        };
        Finished {
            stdout: hide(finished.stdout),
            stderr: hide(finished.stderr),
            ..finished
        }
    }
}

/// Without how long ago something was.
fn without_age(
    (code, stdout, stderr): (Option<i32>, String, String),
) -> (Option<i32>, String, String) {
    let parts = stdout.split(" s ago");
    let aged = parts.map(|part| part.trim_end_matches(|one: char| one.is_ascii_digit()));
    (code, aged.collect::<Vec<_>>().join(" s ago"), stderr)
}

#[test]
fn m060_what_is_trusted_and_decided_is_said_and_done_alike_here_and_elsewhere() {
    let [here, there] = [(); 2].map(|()| Server::start());
    let operator = ["--generate-key", "--scope", "grantor:admin"];
    let elsewhere = Elsewhere {
        key_file: there.client("ops", &operator),
        directory: tempfile::tempdir().expect("a directory"),
    };
    here.client("ops", &operator);
    let key = Key::generate(Algorithm::Es256);
    let times = [("iat", json!(1_893_456_000)), ("exp", json!(1_893_456_300))];
    let job = jwt(&key, "https://a.example", "ours", &times);
    let other = [&times[..], &[("sub", json!("job-2"))]].concat();
    let other = jwt(&key, "https://a.example", "ours", &other);
    for directory in [here.directory(), elsewhere.directory.path()] {
        for (name, text) in [
            ("idp.jwks", key_set(&[&key])),
            ("job.jwt", job.clone()),
            ("other.jwt", other.clone()),
        ] {
            fs::write(directory.join(name), text).expect("a file");
        }
    }
    let mut kids = [Kids::default(), Kids::default()];
    let mut differing = Vec::new();
    for command in COMMANDS {
        let words = words(command);
        let [local, remote] = &mut kids;
        local.look(&here);
        remote.look(&there);
        let arguments = |kids: &Kids| words.iter().map(|word| kids.name(word)).collect::<Vec<_>>();
        let run = |words: Vec<String>, run: &dyn Fn(&[&str]) -> Finished| {
            run(&words.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let said = run(arguments(local), &|words| here.run(words));
        let told = run(arguments(remote), &|words| elsewhere.run(words));
        local.look(&here);
        remote.look(&there);
        let said = without_age(plain(&local.hide(said), &here));
        let told = without_age(plain(&remote.hide(told), &there));
        if said != told {
            differing.push(format!("{command}\n  here  {said:?}\n  there {told:?}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn m060_decisions_and_changes_are_read_elsewhere_as_here() {
    let server = Server::start();
    let elsewhere = Elsewhere {
        key_file: server.client("ops", &["--generate-key", "--scope", "grantor:read"]),
        directory: tempfile::tempdir().expect("a directory"),
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        let refused = server.token(&[("grant_type", "client_credentials"), ("client_id", "ghost")]);
        ids.push(refused.decision_id());
    }
    let [first, ..] = &ids[..] else {
        unreachable!("three")
    };
    server.wait_until("the decisions", || {
        let list = server.ok(&["decisions", "list", "--party", "ghost", "--json"]);
        serde_json::from_str::<Value>(&list)
            .is_ok_and(|list| list.as_array().is_some_and(|all| all.len() == 3))
    });
    for arguments in [
        &["decisions", "list", "--party", "ghost"][..],
        &[
            "decisions",
            "list",
            "--party",
            "ghost",
            "--limit",
            "2",
            "--json",
        ],
        &["decisions", "list", "--id", first],
        &[
            "decisions",
            "list",
            "--client",
            "ghost",
            "--endpoint",
            "token",
            "--until",
            "0s",
        ],
        &[
            "decisions",
            "list",
            "--from",
            "idp",
            "--trust",
            "ci",
            "--subject",
            "alice",
        ],
        &["decisions", "show", first],
        &["decisions", "show", first, "--json"],
        &["changes", "list"],
        &["changes", "list", "--limit", "1", "--json"],
        &[
            "changes",
            "list",
            "--resource",
            "client",
            "--name",
            "ops",
            "--since",
            "1h",
        ],
        &["changes", "show", "1"],
        &["changes", "show", "1", "--json"],
        &["key", "list", "--json"],
    ] {
        let (local, remote) = (server.run(arguments), elsewhere.run(arguments));
        assert_eq!(
            (local.status.code(), local.stdout, local.stderr),
            (remote.status.code(), remote.stdout, remote.stderr),
            "{arguments:?}"
        );
    }
    let refused = elsewhere.run(&["key", "rotate"]);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.stdout);
    assert!(
        refused.stderr.contains("grantor:admin"),
        "{}",
        refused.stderr
    );
}
