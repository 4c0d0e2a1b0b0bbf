//! Every command of the registry does and says the same by `--as` as on the machine of the database.

use std::{
    fs,
    path::{Path, PathBuf},
};

use grantor::jose::Algorithm;
use grantor_testkit::{
    binary::{Finished, Server, finished, grantor},
    forge::Key,
};
use serde_json::json;

/// Commands in the order in which they are run. `FILE` names have to be there, as [`furnish`] makes
/// them.
const COMMANDS: &[&str] = &[
    // Clients.
    "client create a --generate-key --scope 'read write' --key-lifetime 90d",
    "client create b --jwks keys.json --json",
    "client create b --jwks keys.json",
    "client create c --auth client_secret_basic --secret-lifetime 90d --json",
    "client create c2 --auth client_secret_basic --generate-key",
    "client create d --auth none --consent ask --scope undescribed",
    "client create d2 --auth none --grant client-credentials",
    "client create e --generate-key --out -",
    "client create f",
    "client create g --generate-key RS256 --format google --scope read",
    "client create bIlling --auth none",
    "client create billing --auth none",
    "client create ~x --auth none",
    "client create h --auth none --scope Grantor:admin",
    "client create w --federated idp --sub system:worker --json",
    "client create w2 --federated idp --sub system:worker",
    "client create w3 --federated nobody --sub x",
    "client list",
    "client list --json",
    "client list --audience",
    "client show a",
    "client show a --json",
    "client show nobody",
    "client update a --scope read --token-format opaque",
    "client update a --json --display-name A --homepage https://a.example/",
    "client update d --display-name D --consent ask",
    "client update a --signing-alg RS256",
    "client update nobody --scope read",
    "client disable a",
    "client enable a --json",
    "client disable nobody",
    "client add-key a --generate-key --out a2.json --overlap 7d",
    "client add-key a --generate-key --out a2.json",
    "client add-key a --jwks keys.json --json",
    "client add-key a --jwks keys.json",
    "client add-key d --generate-key RS256 --json --out d.json",
    "client add-key nobody --jwks keys.json",
    "client add-key nobody --generate-key --out nobody.json",
    "client remove-key a --kid k1",
    "client remove-key a --kid k1",
    "client remove-key b --kid k2",
    "client remove-key b --kid k1",
    "client rotate-secret c --out c2.json --overlap 1d",
    "client rotate-secret c --out c2.json",
    "client rotate-secret c --out c3.json --json",
    "client rotate-secret c --out -",
    "client rotate-secret a --out a3.json",
    "client rotate-secret nobody",
    "client rotate-secret c --out missing/c.json",
    // Subjects.
    "subject create alice",
    "subject create alice",
    "subject create bob --json",
    "subject create a",
    "subject create ..",
    "subject create 'a/b é%'",
    "subject create eve --display-name Eve --language en",
    "subject create mallory --language de",
    "subject update eve --display-name 'E. V.' --language fr",
    "subject update eve --display-name '' --language '' --json",
    "subject update nobody --language fr",
    "subject delete eve",
    "subject list",
    "subject disable bob",
    "subject list --json",
    "subject enable bob --json",
    "subject disable nobody",
    "subject invite alice",
    "subject invite alice --json --recover --lifetime 1h",
    "subject invite alice --lifetime 31d",
    "subject invite nobody",
    "subject credentials alice",
    "subject credentials alice --json",
    "subject credentials nobody",
    "subject remove-credentials alice",
    "subject remove-credentials alice --passkey AAAA",
    "subject remove-credentials nobody --json",
    // Permissions.
    "permission create a alice --scope read --lifetime 90d",
    "permission create a alice",
    "permission create d 'a/b é%' --grant jwt-bearer --json",
    "permission create a nobody",
    "permission create nobody alice",
    "permission list",
    "permission list --client a --json",
    "permission list --origin person",
    "permission show a alice",
    "permission show a alice --json",
    "permission show a nobody",
    "permission ask d alice",
    "permission ask d alice --scope undescribed --json",
    "permission ask a alice",
    "permission delete a alice --origin person",
    "permission delete a alice",
    "permission delete d 'a/b é%' --json",
    // Scopes.
    "scope set read --en 'Read it' --fr 'Lire' --sensitive",
    "scope set read --en 'Read all of it' --json",
    "scope set a/b",
    "scope list",
    "scope list --json",
    "scope delete a/b",
    "scope delete a/b",
    "scope delete read --json",
    // Operators.
    "operator create carol",
    "operator create carol --role owner --json",
    "operator create root --role owner",
    "operator list",
    "operator list --json",
    "subject list",
    "operator delete carol",
    "operator delete carol",
    "operator delete bob --json",
    "operator create a",
    // What is removed.
    "subject delete bob",
    "subject delete bob",
    "subject delete 'a/b é%' --json",
    "client delete d",
    "client delete d",
    "client delete a --json",
    "client list",
    // Files.
    "apply registry.toml --dry-run",
    "apply registry.toml --dry-run --json",
    "apply registry.toml",
    "apply registry.toml --owner platform --secrets-out secrets",
    "apply registry.toml --owner platform --json",
    "apply registry.toml --dry-run",
    "subject disable filed",
    "subject disable filed --override",
    "apply registry.toml --owner platform",
    "apply wrong.toml",
    "apply wrong.toml --json",
    "apply fewer.toml --owner platform --prune --dry-run",
    "apply fewer.toml --owner platform --prune",
    "export",
    "export --json",
];

/// Of the second one the last subject is left.
const FILES: [(&str, &str); 3] = [
    (
        "registry.toml",
        r#"
[[client]]
client_id = "filed-client"
token_endpoint_auth_method = "client_secret_basic"
secret = "make"
scope = "read"

[[subject]]
id = "filed"

[[subject]]
id = "kept"
"#,
    ),
    ("fewer.toml", "[[subject]]\nid = \"kept\"\n"),
    (
        "wrong.toml",
        "[[client]]\nclient_id = \"~x\"\ncolor = 1\n\n[[subject]]\nenabled = 7\n",
    ),
];

/// Makes what the commands need.
fn furnish(server: &Server, directory: &Path) {
    server.ok(&["subject", "create", "biIling"]);
    let public = format!(r#"{{"keys":[{}]}}"#, PUBLIC.join(","));
    fs::write(directory.join("keys.json"), public).expect("a file");
    for (name, text) in FILES {
        fs::write(directory.join(name), text).expect("a file");
    }
    let key = Key::generate(Algorithm::Es256);
    let issuer = json!({"keys": [key.public_jwk(&[("kid", "i".into())])]});
    let file = server.directory().join("idp.json");
    fs::write(&file, issuer.to_string()).expect("a file");
    let file = file.to_string_lossy();
    let issuer = ["issuer", "create", "https://idp.example/", "--name", "idp"];
    server.ok(&[&issuer[..], &["--jwks", &file]].concat());
}

/// Two keys, the same for both servers.
const PUBLIC: [&str; 2] = [
    r#"{"kty":"EC","crv":"P-256","kid":"k1","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#,
    r#"{"kty":"EC","crv":"P-256","kid":"k2","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4","y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"}"#,
];

/// What a command says, without what differs from server to server and from second to second.
pub fn plain(finished: &Finished, server: &Server) -> (Option<i32>, String, String) {
    let plain = |text: &str| {
        let text = text.replace(&server.issuer, "ISSUER");
        let is_of_word = |letter: char| letter.is_ascii_alphanumeric() || "-_:.".contains(letter);
        let mut shown = String::new();
        for part in text.split_inclusive(|letter| !is_of_word(letter)) {
            let word = part.trim_end_matches(|letter| !is_of_word(letter));
            shown += match word {
                word if is_time(word) => "TIME",
                // Keys, thumbprints, secrets and their names.
                word if word.len() >= 43 || word.starts_with("sha256:") => "RANDOM",
                word => word,
            };
            shown += &part[word.len()..];
        }
        shown
    };
    let code = finished.status.code();
    (code, plain(&finished.stdout), plain(&finished.stderr))
}

fn is_time(word: &str) -> bool {
    word.len() >= 20 && word.starts_with("20") && word.ends_with('Z') && word.contains("T")
}

/// The words of a command, of which some are quoted.
pub fn words(command: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut quoted = false;
    for letter in command.chars() {
        match letter {
            '\'' => quoted = !quoted,
            ' ' if !quoted => words.push(String::new()),
            letter => words.last_mut().expect("there is one").push(letter),
        }
    }
    words
}

/// Files in a directory, by their names.
fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).expect("a directory");
    let names = entries.map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<_> = names
        .map(|name| name.to_string_lossy().into_owned())
        .collect();
    names.retain(|name| name != "data" && name != "idp.json" && name != "ops.json");
    names.sort();
    names
}

/// The commands, at a server elsewhere.
pub struct Elsewhere {
    pub key_file: PathBuf,
    pub directory: tempfile::TempDir,
}

impl Elsewhere {
    pub fn run(&self, arguments: &[&str]) -> Finished {
        let data = self.directory.path().join("no-data");
        let output = grantor(&data)
            .current_dir(self.directory.path())
            .arg("--as")
            .arg(&self.key_file)
            .args(arguments)
            .output()
            .expect("the binary runs");
        assert!(!data.exists(), "nothing is made here: {arguments:?}");
        finished(output)
    }
}

#[test]
fn m060_every_command_says_and_does_the_same_here_and_elsewhere() {
    let [here, there] = [(); 2].map(|()| Server::start_with("[person]"));
    let elsewhere = Elsewhere {
        key_file: there.client("ops", &["--generate-key", "--scope", "grantor:admin"]),
        directory: tempfile::tempdir().expect("a directory"),
    };
    here.client("ops", &["--generate-key", "--scope", "grantor:admin"]);
    furnish(&here, here.directory());
    furnish(&there, elsewhere.directory.path());
    let mut differing = Vec::new();
    for command in COMMANDS {
        let words = words(command);
        let arguments: Vec<_> = words.iter().map(String::as_str).collect();
        // Who asks from elsewhere authenticates, and is counted itself.
        let of_others = |mut said: (Option<i32>, String, String)| {
            if command.ends_with("--audience") {
                let lines = said.1.lines().filter(|line| !line.starts_with("ops"));
                said.1 = lines.collect();
            }
            said
        };
        let local = plain(&here.run(&arguments), &here);
        let remote = plain(&elsewhere.run(&arguments), &there);
        let [local, remote] = [local, remote].map(of_others);
        if local != remote {
            differing.push(format!("{command}\n  here  {local:?}\n  there {remote:?}"));
        }
        let made = [files(here.directory()), files(elsewhere.directory.path())];
        if made[0] != made[1] {
            differing.push(format!("{command}: files {made:?}"));
        }
    }
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}

#[test]
fn m060_a_key_that_was_made_for_a_server_elsewhere_works_there() {
    let server = Server::start();
    let elsewhere = Elsewhere {
        key_file: server.client("ops", &["--generate-key", "--scope", "grantor:write"]),
        directory: tempfile::tempdir().expect("a directory"),
    };
    for (id, arguments) in [
        ("key", &["--generate-key"][..]),
        ("secret", &["--auth", "client_secret_basic"]),
    ] {
        let create = ["client", "create", id, "--scope", "read"];
        let made = elsewhere.run(&[&create[..], arguments].concat());
        assert!(made.status.success(), "{id}: {}", made.stderr);
        let file = elsewhere.directory.path().join(format!("{id}.json"));
        let mode = {
            use std::os::unix::fs::PermissionsExt as _;
            fs::metadata(&file)
                .expect("a key file")
                .permissions()
                .mode()
        };
        assert_eq!(mode & 0o777, 0o600, "{id}");
        let file = file.to_string_lossy().into_owned();
        server.ok(&["token", "--key", &file]);
    }
}

#[test]
fn m060_who_may_not_is_told_so_and_no_key_file_stays() {
    let server = Server::start();
    let elsewhere = Elsewhere {
        key_file: server.client("looker", &["--generate-key", "--scope", "grantor:read"]),
        directory: tempfile::tempdir().expect("a directory"),
    };
    let shown = elsewhere.run(&["client", "list"]);
    assert!(shown.status.success(), "{}", shown.stderr);
    for arguments in [
        &["client", "create", "new", "--generate-key"][..],
        &["client", "create", "new", "--auth", "client_secret_basic"],
        &["subject", "create", "new"],
    ] {
        let refused = elsewhere.run(arguments);
        assert_eq!(
            refused.status.code(),
            Some(1),
            "{arguments:?}: {}",
            refused.stderr
        );
        assert!(
            files(elsewhere.directory.path()).is_empty(),
            "{arguments:?}"
        );
    }
    let local = elsewhere.run(&["backup", "copy.db"]);
    assert_eq!(local.status.code(), Some(2), "{}", local.stderr);
    assert!(local.stderr.contains("--as"), "{}", local.stderr);
}
