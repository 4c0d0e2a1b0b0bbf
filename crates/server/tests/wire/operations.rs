//! What an operator relies on: a clean start and end, changes in force at once, nothing that grows,
//! nobody who can hold up others.

use std::{
    collections::BTreeMap,
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::Path,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use crate::support::{
    Answer, CLIENT_ASSERTION, Finished, JWT_BEARER, Server, assertion, escape, finished, grantor,
    held_address, kill_after, read_answer, signing_key,
};
use grantor::jose::SigningKey;
use grantor_testkit::binary::database::{is_not_of_sqlite, is_postgres};
use grantor_testkit::wait;
use rusqlite::{Connection, OpenFlags};
use serde_json::Value;

/// An assertion of `billing` about itself.
fn minted(server: &Server, key: &SigningKey) -> String {
    let minute = Duration::from_secs(60);
    assertion(&server.issuer, "billing", "billing", key, minute)
}

/// A grant by this client, for itself or for somebody else.
fn grant(server: &Server, client: &str, subject: &str, key: &SigningKey) -> Answer {
    let assertion = assertion(
        &server.issuer,
        client,
        subject,
        key,
        Duration::from_secs(60),
    );
    server.token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)])
}

/// Rows of every table of ours: SQLite's own hold one row per table.
fn rows(server: &Server) -> BTreeMap<String, i64> {
    let path = server.data().join("grantor.db");
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the database");
    let mut tables = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        .expect("a query");
    let names: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .expect("tables")
        .map(|name| name.expect("a name"))
        .collect();
    let count = |name: &String| {
        connection.query_row(&format!("SELECT count(*) FROM {name}"), [], |row| {
            row.get(0)
        })
    };
    names
        .into_iter()
        .map(|name| (name.clone(), count(&name).expect("a count")))
        .collect()
}

#[test]
fn a_thousand_tokens_leave_replay_entries_and_those_end() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let server = Server::start_with("[assertion]\nleeway_seconds = 0");
    let key = signing_key(&server.client("billing", &["--generate-key", "Ed25519"]));
    let mut before = rows(&server);
    assert_eq!(before.remove("replay"), Some(0));
    before.remove("decision");
    before.remove("statistic");
    for _ in 0..1_000 {
        let assertion = assertion(
            &server.issuer,
            "billing",
            "billing",
            &key,
            Duration::from_secs(3),
        );
        assert_eq!(
            server
                .token(&[("grant_type", JWT_BEARER), ("assertion", &assertion)])
                .status,
            200
        );
    }
    let mut after = rows(&server);
    let entries = after.remove("replay").expect("the table");
    assert!((1..=1_000).contains(&entries), "{entries} replay entries");
    // Decisions are kept, as many as the operator allows: a store of its own tests that bound.
    assert!(after.remove("decision").is_some_and(|kept| kept <= 1_000));
    // Counts have a row for each minute and kind.
    assert!(after.remove("statistic").is_some_and(|rows| rows <= 10));
    assert_eq!(after, before);
    // They end three seconds after the last token, and ten seconds later they may be removed.
    wait::blocking::within(Duration::from_secs(60), "no entries", || {
        rows(&server)["replay"] == 0
    });
}

#[test]
fn a_signal_lets_an_open_request_finish() {
    let mut server = Server::start();
    let key = signing_key(&server.client("billing", &["--generate-key"]));
    let assertion = minted(&server, &key);
    let body = format!("grant_type={}&assertion={assertion}", escape(JWT_BEARER));
    let mut stream = TcpStream::connect(server.address).expect("the server accepts");
    stream
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let head =
        "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: application/x-www-form-urlencoded";
    write!(
        stream,
        "{head}\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n",
        body.len()
    )
    .expect("sent");
    // The server waits for the body from now on.
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).expect("an answer");
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    let address = server.address;
    let answer = thread::scope(|scope| {
        let rest = scope.spawn(|| {
            wait::blocking::until("no new connection after the signal", || {
                TcpStream::connect(address).is_err()
            });
            stream.write_all(body.as_bytes()).expect("sent");
            read_answer(&mut stream)
        });
        assert_eq!(server.terminate().code(), Some(0), "{:?}", server.log());
        rest.join().expect("an answer")
    });
    assert_eq!(answer.status, 200, "{answer:?}");
}

#[test]
fn health_metadata_and_keys_are_public_documents() {
    let server = Server::start();
    let get = |path: &str| {
        let answer = server.send("GET", path, &[], b"");
        assert_eq!(
            (answer.status, answer.header("Content-Type")),
            (200, Some("application/json")),
            "{path}: {answer:?}"
        );
        answer.json()
    };
    assert_eq!(get("/health/live")["status"], "live");
    assert_eq!(get("/health/ready")["status"], "ready");
    let metadata = get("/.well-known/oauth-authorization-server");
    assert_eq!(metadata["issuer"], server.issuer.as_str());
    for (member, path) in [
        ("token_endpoint", "token"),
        ("introspection_endpoint", "introspect"),
        ("jwks_uri", "jwks"),
    ] {
        assert_eq!(
            metadata[member],
            format!("{}/{path}", server.issuer),
            "{member}"
        );
    }
    let listed = |member: &str, value: &str| {
        metadata[member]
            .as_array()
            .is_some_and(|all| all.iter().any(|each| each == value))
    };
    assert!(
        listed("grant_types_supported", JWT_BEARER)
            && listed("grant_types_supported", "client_credentials")
    );
    assert!(listed(
        "token_endpoint_auth_methods_supported",
        "private_key_jwt"
    ));
    assert!(listed(
        "token_endpoint_auth_signing_alg_values_supported",
        "RS256"
    ));
    assert!(!listed(
        "token_endpoint_auth_signing_alg_values_supported",
        "none"
    ));
    let set = get("/jwks");
    let keys = set["keys"].as_array().expect("keys");
    assert!(!keys.is_empty());
    for member in ["d", "p", "q", "dp", "dq", "qi", "k"] {
        assert!(
            keys.iter().all(|key| key[member].is_null()),
            "R106: {member}"
        );
    }
    let lost = server.send("GET", "/nowhere", &[], b"");
    assert_eq!((lost.status, lost.error().as_str()), (404, "not_found"));
}

#[test]
fn slow_connections_do_not_hold_up_others() {
    let server = Server::start();
    let key = signing_key(&server.client("billing", &["--generate-key"]));
    let begin = |octets: &str| {
        let mut stream = TcpStream::connect(server.address).expect("the server accepts");
        stream.write_all(octets.as_bytes()).expect("sent");
        stream
    };
    let head =
        "POST /token HTTP/1.1\r\nHost: as\r\nContent-Type: application/x-www-form-urlencoded\r\n";
    let mut slow: Vec<_> = (0..64).map(|_| begin("POST /token HT")).collect();
    slow.extend((0..64).map(|_| begin(&format!("{head}Content-Length: 900\r\n\r\ngrant_type="))));
    slow.extend((0..64).map(|_| {
        begin(&format!(
            "{head}Transfer-Encoding: chunked\r\n\r\n5\r\ngrant"
        ))
    }));
    for round in 0..10 {
        let started = Instant::now();
        assert_eq!(grant(&server, "billing", "billing", &key).status, 200);
        assert!(
            started.elapsed() < Duration::from_secs(2),
            "took {:?}",
            started.elapsed()
        );
        // One octet at a time keeps nothing open for ever either; a connection that is gone is the
        // answer wanted below.
        slow.iter_mut()
            .step_by(7 + round)
            .for_each(|stream| drop(stream.write_all(b"a")));
    }
    let started = Instant::now();
    let mut unfinished = slow.swap_remove(0);
    unfinished
        .set_read_timeout(Some(Duration::from_secs(20)))
        .expect("a timeout");
    let _ = unfinished.read_to_end(&mut Vec::new());
    assert!(
        started.elapsed() < Duration::from_secs(15),
        "headers that never end are cut off"
    );
}

/// Waits at most a second.
fn soon(what: &str, is_so: impl Fn() -> bool) {
    wait::blocking::within(Duration::from_secs(1), what, is_so);
}

#[test]
fn changes_by_command_are_in_force_within_a_second() {
    let server = Server::start();
    let status =
        |client: &str, subject: &str, key: &SigningKey| grant(&server, client, subject, key).status;
    let file = server.client("billing", &["--generate-key", "--scope", "read"]);
    let key = signing_key(&file);
    soon("client create", || {
        status("billing", "billing", &key) == 200
    });
    for (arguments, works) in [
        (&["client", "disable", "billing"][..], false),
        (&["client", "enable", "billing"], true),
        (
            &[
                "client",
                "update",
                "billing",
                "--grant",
                "client-credentials",
            ],
            false,
        ),
        (
            &["client", "update", "billing", "--grant", "jwt-bearer"],
            true,
        ),
    ] {
        server.ok(arguments);
        soon(&arguments.join(" "), || {
            (status("billing", "billing", &key) == 200) == works
        });
    }
    for (arguments, works) in [
        (&["subject", "create", "alice"][..], false),
        (&["permission", "create", "billing", "alice"], true),
        (&["subject", "disable", "alice"], false),
        (&["subject", "enable", "alice"], true),
        (&["permission", "delete", "billing", "alice"], false),
        (&["permission", "create", "billing", "alice"], true),
        (&["subject", "delete", "alice"], false),
        (&["subject", "create", "alice"], false),
    ] {
        server.ok(arguments);
        soon(&arguments.join(" "), || {
            (status("billing", "alice", &key) == 200) == works
        });
        assert_eq!(
            status("billing", "billing", &key),
            200,
            "control: for itself, after {arguments:?}"
        );
    }
    let out = server.directory().join("second.json");
    server.ok(&[
        "client",
        "add-key",
        "billing",
        "--generate-key",
        "--out",
        &out.to_string_lossy(),
    ]);
    let second = signing_key(&out);
    soon("client add-key", || {
        status("billing", "billing", &second) == 200
    });
    server.ok(&[
        "client",
        "remove-key",
        "billing",
        "--kid",
        key.key_id().expect("a kid"),
    ]);
    soon("client remove-key", || {
        status("billing", "billing", &key) == 400
    });
    assert_eq!(status("billing", "billing", &second), 200);
    server.ok(&["client", "delete", "billing"]);
    soon("client delete", || {
        status("billing", "billing", &second) == 400
    });
}

#[test]
fn a_rotated_secret_replaces_the_old_one() {
    let server = Server::start();
    let old = server.client("legacy", &["--auth", "client_secret_post"]);
    let new = server.directory().join("new.json");
    let secret = |path: &Path| {
        let file: Value =
            serde_json::from_slice(&fs::read(path).expect("a key file")).expect("JSON");
        file["client_secret"].as_str().expect("a secret").to_owned()
    };
    let status = |path: &Path| {
        let secret = secret(path);
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "legacy"),
            ("client_secret", secret.as_str()),
        ];
        server.token(&form).status
    };
    assert_eq!(status(&old), 200);
    server.ok(&[
        "client",
        "rotate-secret",
        "legacy",
        "--overlap",
        "1h",
        "--out",
        &new.to_string_lossy(),
    ]);
    soon("the new secret", || status(&new) == 200);
    assert_eq!(status(&old), 200, "the overlap");
    let newest = server.directory().join("newest.json");
    server.ok(&[
        "client",
        "rotate-secret",
        "legacy",
        "--out",
        &newest.to_string_lossy(),
    ]);
    soon("the end of the old ones", || {
        status(&old) == 400 && status(&new) == 400
    });
    assert_eq!(status(&newest), 200);
}

#[test]
fn a_rotated_signing_key_is_published_as_long_as_its_tokens_live() {
    let server = Server::start();
    let key = signing_key(&server.client("billing", &["--generate-key"]));
    let kid = || {
        let token = grant(&server, "billing", "billing", &key).json()["access_token"]
            .as_str()
            .expect("a token")
            .to_owned();
        let header = token
            .split('.')
            .next()
            .and_then(grantor::jose::base64url_decode)
            .expect("a header");
        let header: Value = serde_json::from_slice(&header).expect("JSON");
        (header["kid"].as_str().expect("a kid").to_owned(), token)
    };
    let published = || -> Vec<String> {
        let set = server.send("GET", "/jwks", &[], b"").json();
        let kids = set["keys"]
            .as_array()
            .expect("keys")
            .iter()
            .map(|key| key["kid"].as_str().expect("a kid").to_owned());
        kids.collect()
    };
    let (first, old_token) = kid();
    let rotated = Instant::now();
    let said = server.ok(&["key", "rotate", "--alg", "Ed25519", "--ahead", "0s"]);
    assert_eq!(
        said.contains("--ahead was raised to 10s"),
        is_postgres(),
        "{said}"
    );
    match is_postgres() {
        // Other nodes may share the database: each publishes the key before any signs with it.
        true => {
            wait::blocking::until("key rotate", || kid().0 != first);
            let ahead = rotated.elapsed();
            assert!(ahead > Duration::from_secs(9), "{ahead:?}");
        }
        false => soon("key rotate", || kid().0 != first),
    }
    let (second, _) = kid();
    assert_eq!(published(), [second, first]);
    let client = minted(&server, &key);
    let form = [
        ("token", old_token.as_str()),
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", client.as_str()),
    ];
    assert_eq!(
        server.post("/introspect", &form, &[]).json()["active"],
        true,
        "tokens of the old key are still good"
    );
}

/// `grantor serve` on this directory, which is expected to end at once.
fn serve(data: &Path, arguments: &[&str]) -> Finished {
    let grantor = grantor(data);
    // If it does start to serve, it is ended; the assertions then fail.
    let mut command = Command::new("timeout");
    command
        .arg("8")
        .arg(grantor.get_program())
        .args(grantor.get_args())
        .envs(grantor_testkit::binary::database::variables(data))
        .arg("serve")
        .args(arguments);
    finished(command.output().expect("it ends"))
}

/// Exit code and one line that says `error:` and all of these words.
fn assert_refuses(row: &str, finished: &Finished, code: i32, words: &[&str]) {
    assert_eq!(
        finished.status.code(),
        Some(code),
        "{row}: {}",
        finished.stderr
    );
    assert_eq!(
        finished.stderr.lines().count(),
        1,
        "{row}: {}",
        finished.stderr
    );
    assert!(
        finished.stderr.starts_with("error: "),
        "{row}: {}",
        finished.stderr
    );
    for word in words {
        assert!(
            finished.stderr.contains(word),
            "{row}: no {word:?} in {}",
            finished.stderr
        );
    }
}

#[test]
fn a_wrong_address_stops_the_start() {
    let directory = tempfile::tempdir().expect("a directory");
    // So that no line says that a master key was made.
    let made = grantor(directory.path())
        .args(["subject", "create", "alice"])
        .output();
    assert!(made.expect("it runs").status.success());
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    assert_refuses(
        "port in use",
        &serve(directory.path(), &["--listen", &address]),
        1,
        &[&address, "--listen"],
    );
    let open = serve(directory.path(), &["--listen", "0.0.0.0:0"]);
    assert_refuses(
        "not loopback",
        &open,
        2,
        &["configuration key 'listen'", "behind_proxy = true"],
    );
    for (issuer, word) in [
        ("http://as.example", "https"),
        ("nonsense", "absolute URL"),
        ("https://as.example/", "slash"),
    ] {
        let address = held_address().to_string();
        let finished = serve(
            directory.path(),
            &["--listen", &address, "--issuer", issuer],
        );
        assert_refuses(issuer, &finished, 2, &["configuration key 'issuer'", word]);
    }
}

#[test]
fn a_wrong_configuration_stops_the_start() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let directory = tempfile::tempdir().expect("a directory");
    for (text, words) in [
        (
            "lisen = \"127.0.0.1:1\"",
            &["grantor.toml", "lisen", "line 1"][..],
        ),
        ("listen = 8080", &["grantor.toml", "listen", "line 1"]),
        ("listen = \"0.0.0.0:80\"", &["'listen'", "behind_proxy"]),
        ("issuer = \"http://as.example\"", &["'issuer'", "https"]),
        ("a =\n", &["grantor.toml", "line 1"]),
        (
            "[token]\nlifetime_seconds = -1",
            &["grantor.toml", "lifetime_seconds", "line 2"],
        ),
        (
            "[token]\nsigning_algorithm = \"none\"",
            &["'token.signing_algorithm'", "ES256"],
        ),
        (
            "[assertion]\nalgorithms = [\"HS256\"]",
            &["'assertion.algorithms'", "RS256"],
        ),
        (
            "[assertion]\nalgorithms = []",
            &["'assertion.algorithms'", "at least one"],
        ),
        ("[log]\nlevel = \"not=a=level\"", &["'log.level'"]),
        (
            "[log]\nlevel = \"warning\"",
            &["'log.level'", "warn is the nearest"],
        ),
        ("[log]\nformat = \"xml\"", &["grantor.toml", "format"]),
    ] {
        fs::write(directory.path().join("grantor.toml"), text).expect("a file");
        assert_refuses(text, &serve(directory.path(), &[]), 2, words);
        assert!(
            !directory.path().join("grantor.db").exists(),
            "{text}: nothing is created"
        );
    }
    let missing = serve(directory.path(), &["--config", "/nowhere/grantor.toml"]);
    assert_refuses("no file", &missing, 2, &["/nowhere/grantor.toml"]);
}

/// Each row spoils a good data directory; the server must say how to mend it, and leave the
/// database as it found it.
#[test]
fn a_database_that_cannot_be_trusted_stops_the_start() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let good = tempfile::tempdir().expect("a directory");
    let made = finished(
        grantor(good.path())
            .args(["subject", "create", "alice"])
            .output()
            .expect("it runs"),
    );
    assert!(made.status.success(), "{}", made.stderr);
    let version = |data: &Path, version: i64| {
        let connection = Connection::open(data.join("grantor.db")).expect("a database");
        connection
            .pragma_update(None, "user_version", version)
            .expect("written");
    };
    let other_key = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n";
    type Spoil<'a> = &'a dyn Fn(&Path);
    let rows: [(&str, Spoil<'_>, &[&str]); 9] = [
        (
            "page of noise",
            &|data| overwrite(&data.join("grantor.db"), 8192, &[0xa5; 4096]),
            &["grantor.db", "damaged", "backup"],
        ),
        (
            "cut off",
            &|data| truncate(&data.join("grantor.db"), 5000),
            &["grantor.db", "damaged", "backup"],
        ),
        (
            "newer",
            &|data| version(data, 999),
            &["grantor.db", "999", "run a newer grantor"],
        ),
        (
            "text",
            &|data| fs::write(data.join("grantor.db"), "hello").expect("a file"),
            &["not a Grantor database", "--data"],
        ),
        ("foreign", &foreign, &["not a Grantor database", "--data"]),
        (
            "no key",
            &|data| fs::remove_file(data.join("master.key")).expect("removed"),
            &["master.key", "missing", "backup"],
        ),
        (
            "other key",
            &|data| fs::write(data.join("master.key"), other_key).expect("a file"),
            &["master.key", "backup"],
        ),
        (
            "bad key",
            &|data| fs::write(data.join("master.key"), "x").expect("a file"),
            &["master.key", "backup"],
        ),
        (
            "open key",
            &|data| chmod(&data.join("master.key"), "644"),
            &["master.key", "chmod 600"],
        ),
    ];
    for (row, spoil, words) in rows {
        let copy = tempfile::tempdir().expect("a directory");
        for name in ["grantor.db", "master.key"] {
            fs::copy(good.path().join(name), copy.path().join(name)).expect("copied");
        }
        spoil(copy.path());
        let read = || fs::read(copy.path().join("grantor.db")).expect("a database");
        let before = read();
        // A key that is missing or wrong is a wrong file.
        let code = if row.ends_with("key") { 2 } else { 1 };
        assert_refuses(
            row,
            &serve(copy.path(), &["--listen", &held_address().to_string()]),
            code,
            words,
        );
        let listed = finished(
            grantor(copy.path())
                .args(["client", "list"])
                .output()
                .expect("it runs"),
        );
        assert_refuses(row, &listed, code, words);
        assert!(before == read(), "{row}: the database was changed");
    }
}

#[test]
fn a_first_start_that_was_killed_can_be_repeated() {
    for delay in 0..30 {
        let directory = tempfile::tempdir().expect("a directory");
        let address = held_address().to_string();
        let first = grantor(directory.path())
            .args(["serve", "--listen", &address])
            .stderr(std::process::Stdio::null())
            .spawn()
            .expect("it starts");
        kill_after(Duration::from_millis(delay * 2), first);
        let made = finished(
            grantor(directory.path())
                .args(["subject", "create", "alice"])
                .output()
                .expect("it runs"),
        );
        assert!(
            made.status.success(),
            "killed after {} ms: {}, {}",
            delay * 2,
            made.status,
            made.stderr
        );
    }
}

fn overwrite(path: &Path, at: usize, octets: &[u8]) {
    let mut content = fs::read(path).expect("a file");
    content[at..at + octets.len()].copy_from_slice(octets);
    fs::write(path, content).expect("written");
}

fn truncate(path: &Path, length: u64) {
    fs::OpenOptions::new()
        .write(true)
        .open(path)
        .and_then(|file| file.set_len(length))
        .expect("cut");
}

fn foreign(data: &Path) {
    fs::remove_file(data.join("grantor.db")).expect("removed");
    let connection = Connection::open(data.join("grantor.db")).expect("a database");
    connection
        .execute("CREATE TABLE recipe (name TEXT)", [])
        .expect("a table");
}

fn chmod(path: &Path, mode: &str) {
    assert!(
        Command::new("chmod")
            .arg(mode)
            .arg(path)
            .status()
            .expect("chmod")
            .success()
    );
}

#[test]
fn changes_made_at_once_are_all_in_force() {
    let server = Server::start();
    server.client("p", &["--generate-key", "ES256"]);
    let at_once = |commands: &[&[&str]]| {
        thread::scope(|scope| {
            let running: Vec<_> = commands
                .iter()
                .map(|command| scope.spawn(|| server.ok(command)))
                .collect();
            running
                .into_iter()
                .for_each(|command| drop(command.join().expect("the command is done")));
        });
    };
    let shown = || {
        serde_json::from_str::<Value>(&server.ok(&["client", "show", "p", "--json"])).expect("JSON")
    };
    let names = || {
        let keys = shown()["keys"].as_array().expect("keys").clone();
        keys.iter()
            .map(|key| key["name"].as_str().expect("a name").to_owned())
            .collect::<Vec<_>>()
    };
    for round in 0..4 {
        let file = server
            .directory()
            .join(format!("{round}.json"))
            .display()
            .to_string();
        let add: &[&str] = &[
            "client",
            "add-key",
            "p",
            "--generate-key",
            "RS256",
            "--out",
            &file,
        ];
        at_once(&[
            add,
            &["client", "disable", "p"],
            &["client", "update", "p", "--scope", &format!("s{round}")],
        ]);
        assert_eq!(
            (shown()["enabled"].as_bool(), shown()["scope"].as_str()),
            (Some(false), Some(&*format!("s{round}")))
        );
        assert_eq!(names().len(), round + 2);
        server.ok(&["client", "enable", "p"]);
    }
    let kept = names();
    let [last, removed @ ..] = &kept[..] else {
        panic!("keys")
    };
    let commands: Vec<_> = removed
        .iter()
        .map(|name| ["client", "remove-key", "p", "--kid", name])
        .collect();
    at_once(
        &commands
            .iter()
            .map(<[&str; 5]>::as_slice)
            .collect::<Vec<_>>(),
    );
    assert_eq!(&names(), std::slice::from_ref(last));
}

#[test]
fn a_key_that_is_revoked_takes_its_tokens_along_at_once() {
    let server = Server::start();
    let billing = server
        .client("billing", &["--generate-key"])
        .display()
        .to_string();
    let asker = server.client("api", &["--auth", "client_secret_post"]);
    let asker: Value =
        serde_json::from_str(&fs::read_to_string(asker).expect("a key file")).expect("JSON");
    let secret = asker["client_secret"].as_str().expect("a secret");
    let token = || server.ok(&["token", "--key", &billing]).trim().to_owned();
    let active = |token: &str| {
        let form = [
            ("token", token),
            ("client_id", "api"),
            ("client_secret", secret),
        ];
        server.post("/introspect", &form, &[]).json()["active"]
            .as_bool()
            .expect("an answer")
    };
    let keys = || -> Vec<(String, String)> {
        let list: Value =
            serde_json::from_str(&server.ok(&["key", "list", "--json"])).expect("JSON");
        let text = |key: &Value, name: &str| key[name].as_str().expect("a text").to_owned();
        list.as_array()
            .expect("a list")
            .iter()
            .map(|key| (text(key, "kid"), text(key, "state")))
            .collect()
    };
    let published = || {
        server.send("GET", "/jwks", &[], b"").json()["keys"]
            .as_array()
            .expect("keys")
            .len()
    };
    let before = token();
    assert!(active(&before));
    let leaked = keys()[0].0.clone();
    server.ok(&["key", "revoke", &leaked]);
    server.wait_until("the token is inactive", || !active(&before));
    let left = keys();
    assert!(
        left.len() == 1 && left[0].1 == "signing" && left[0].0 != leaked,
        "{left:?}"
    );
    assert!(active(&token()) && published() == 1);

    // The next key is withdrawn before it signs: the one before goes on, for good.
    server.ok(&["key", "rotate"]);
    let next = keys()
        .into_iter()
        .find(|(_, state)| state == "next")
        .expect("a next key")
        .0;
    server.ok(&["key", "revoke", &next]);
    let stays = server.ok(&["key", "list", "--json"]);
    assert_eq!(
        serde_json::from_str::<Value>(&stays).expect("JSON")[0]["published_until"],
        Value::Null,
        "{stays}"
    );
    // The one that signs is withdrawn while the next one waits: that one signs at once.
    server.ok(&["key", "rotate"]);
    let signing = keys()
        .into_iter()
        .find(|(_, state)| state == "signing")
        .expect("a key")
        .0;
    let last = token();
    server.ok(&["key", "revoke", &signing]);
    server.wait_until("the token is inactive", || !active(&last));
    assert!(active(&token()) && keys().iter().all(|(_, state)| state == "signing"));
    let unknown = server.run(&["key", "revoke", &signing]);
    assert!(
        unknown.status.code() == Some(1) && unknown.stderr.contains("no key has the kid"),
        "{}",
        unknown.stderr
    );
}

#[test]
fn a_fifth_live_secret_is_refused_and_each_of_four_works() {
    let server = Server::start();
    for method in [
        "client_secret_jwt",
        "client_secret_basic",
        "client_secret_post",
    ] {
        let mut files = vec![server.client(method, &["--auth", method])];
        let rotate = |number: usize, overlap: &str| {
            let file = server.directory().join(format!("{method}-{number}.json"));
            let finished = server.run(&[
                "client",
                "rotate-secret",
                method,
                "--overlap",
                overlap,
                "--out",
                &file.display().to_string(),
            ]);
            (finished, file)
        };
        for number in 1..4 {
            let (finished, file) = rotate(number, "1d");
            assert!(finished.status.success(), "{}", finished.stderr);
            files.push(file);
        }
        let (refused, file) = rotate(4, "1d");
        assert!(
            refused.status.code() == Some(1) && refused.stderr.contains("5 live secrets"),
            "{}",
            refused.stderr
        );
        assert!(
            !file.exists(),
            "no key file for a secret that is not registered"
        );
        for file in &files {
            server.ok(&[
                "token",
                "--grant",
                "client-credentials",
                "--key",
                &file.display().to_string(),
            ]);
        }
        let (finished, file) = rotate(5, "0s");
        assert!(
            finished.status.success(),
            "a shorter overlap makes room: {}",
            finished.stderr
        );
        server.ok(&[
            "token",
            "--grant",
            "client-credentials",
            "--key",
            &file.display().to_string(),
        ]);
    }
}

#[test]
fn a_restored_backup_lets_no_used_assertion_in_again() {
    if is_not_of_sqlite("PostgreSQL has backups of its own") {
        return;
    }
    let mut server = Server::start_with("[assertion]\nleeway_seconds = 0");
    let key = signing_key(&server.client("billing", &["--generate-key"]));
    let backup = server.directory().join("backup.db").display().to_string();
    server.ok(&["backup", &backup]);
    assert!(
        server
            .run(&["backup", &backup])
            .stderr
            .contains("never overwritten")
    );
    let used = minted(&server, &key);
    let send = |server: &Server, assertion: &str| {
        server.token(&[("grant_type", JWT_BEARER), ("assertion", assertion)])
    };
    assert_eq!(send(&server, &used).status, 200);
    let unsent = minted(&server, &key);
    server.ok(&["subject", "create", "late"]);
    let subjects = |server: &Server| server.ok(&["subject", "list", "--json"]);

    let refused = server.run(&["restore", &backup]);
    assert!(
        refused.status.code() == Some(2) && refused.stderr.contains("--replace"),
        "{}",
        refused.stderr
    );
    assert!(subjects(&server).contains("late"));
    // While it runs.
    server.ok(&["restore", &backup, "--replace"]);
    assert!(!subjects(&server).contains("late"));
    server.wait_until("assertions of before are refused", || {
        send(&server, &unsent).status == 503
    });
    let answer = send(&server, &unsent);
    assert!(answer.error() == "temporarily_unavailable" && answer.header("retry-after").is_some());
    assert_eq!(server.decision(&answer.decision_id())["rule"], "fence");
    let new = || minted(&server, &key);
    server.wait_until("a new one is taken", || send(&server, &new()).status == 200);

    // Over what a killed server left: its log is not applied to the backup.
    server.ok(&["subject", "create", "late"]);
    let again = new();
    server.wait_until("taken", || {
        [200, 400].contains(&send(&server, &again).status)
    });
    server.kill();
    server.ok(&["restore", &backup, "--replace"]);
    let server = server.restart();
    assert!(!subjects(&server).contains("late"));
    for used in [&used, &unsent, &again] {
        assert_eq!(send(&server, used).status, 503, "used before the restore");
    }
    server.wait_until("a new one is taken", || {
        let assertion = minted(&server, &key);
        send(&server, &assertion).status == 200
    });
}

/// A command in another shell, which knows the data directory and nothing else.
fn elsewhere(server: &Server, arguments: &[&str]) -> Finished {
    finished(
        grantor(&server.data())
            .current_dir(server.directory())
            .args(arguments)
            .output()
            .expect("it runs"),
    )
}

/// The issuer that `client create` writes for who has no flags.
fn written_issuer(server: &Server, id: &str) -> String {
    let created = elsewhere(server, &["client", "create", id, "--generate-key"]);
    assert!(created.status.success(), "{}", created.stderr);
    let file: Value = serde_json::from_slice(
        &fs::read(server.directory().join(format!("{id}.json"))).expect("a key file"),
    )
    .expect("JSON");
    file["issuer"].as_str().expect("an issuer").to_owned()
}

#[test]
fn commands_speak_of_the_server_that_was_last_started() {
    let address = held_address();
    let port = format!(":{}", address.port());
    let issuer = format!("http://{address}");
    // The issuer follows the address, and the command knows both.
    let server = Server::start_as(address, &["--listen", &port], &[]);
    let metadata = server
        .send("GET", "/.well-known/oauth-authorization-server", &[], b"")
        .json();
    assert_eq!(metadata["issuer"], issuer.as_str());
    assert_eq!(written_issuer(&server, "billing"), issuer);
    let token = elsewhere(&server, &["token", "--key", "billing.json"]);
    assert!(
        token.status.success(),
        "the key file is of use: {}",
        token.stderr
    );

    // A flag says another issuer: so do key files. Control: unless the file says yet another, which
    // the server then warns of.
    let address = held_address();
    let listen = address.to_string();
    let flags = [
        "--listen",
        listen.as_str(),
        "--issuer",
        "https://as.example",
    ];
    let server = Server::start_as(address, &flags, &[]);
    assert_eq!(written_issuer(&server, "billing"), "https://as.example");
    let is_warned = |server: &Server| {
        server
            .log()
            .iter()
            .any(|line| line["configured"] == "https://configured.example")
    };
    fs::write(
        server.data().join("grantor.toml"),
        "issuer = \"https://configured.example\"",
    )
    .expect("written");
    assert!(!is_warned(&server));
    let mut server = server;
    server.kill();
    if is_postgres() {
        // All nodes of a database have one issuer: another one is agreed when they have ended.
        server.wait_until("another issuer is agreed", || {
            server.run(&["replay", "windows"]).status.success()
        });
    }
    let server = server.restart();
    server.wait_until("the difference is said", || is_warned(&server));
    assert_eq!(
        written_issuer(&server, "orders"),
        "https://configured.example"
    );
}

/// It is a help only: whatever stands in its place stops and delays no command, and nothing is
/// written through it.
#[test]
fn a_last_start_that_makes_no_sense_is_as_none() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let issuer = |id: &str| {
        let out = directory.path().join(format!("{id}.json"));
        let mut command = Command::new("timeout");
        let grantor = grantor(&data);
        command
            .arg("8")
            .arg(grantor.get_program())
            .args(grantor.get_args())
            .envs(grantor_testkit::binary::database::variables(&data));
        let created = command
            .args(["client", "create", id, "--generate-key", "--out"])
            .arg(&out)
            .output();
        let created = finished(created.expect("it runs"));
        assert!(
            created.status.success(),
            "{id}: {}: {}",
            created.status,
            created.stderr
        );
        let file: Value =
            serde_json::from_slice(&fs::read(out).expect("a key file")).expect("JSON");
        file["issuer"].as_str().expect("an issuer").to_owned()
    };
    assert_eq!(issuer("none"), "http://127.0.0.1:8080");
    let last = data.join("last-start.json");
    for (id, said, expected) in [
        ("good", "http://127.0.0.1:9107", "http://127.0.0.1:9107"),
        ("no-url", "nonsense", "http://127.0.0.1:8080"),
        ("no-issuer", "http://as.example", "http://127.0.0.1:8080"),
    ] {
        fs::write(
            &last,
            format!(r#"{{"issuer":"{said}","listen":"127.0.0.1:9107"}}"#),
        )
        .expect("written");
        assert_eq!(issuer(id), expected, "{id}");
    }
    fs::remove_file(&last).expect("removed");
    assert!(
        Command::new("mkfifo")
            .arg(&last)
            .status()
            .expect("it runs")
            .success()
    );
    assert_eq!(issuer("pipe"), "http://127.0.0.1:8080");

    let address = held_address();
    let server = Server::start_as(address, &["--listen", &address.to_string()], &[]);
    let note = server.data().join("last-start.json");
    server.wait_until("the start is noted", || note.is_file());
    fs::remove_file(&note).expect("removed");
    let victim = directory.path().join("victim");
    fs::write(&victim, "untouched").expect("written");
    std::os::unix::fs::symlink(&victim, server.data().join("last-start.part")).expect("a link");
    let server = server.kill_and_restart();
    server.wait_until("the start is noted again", || note.is_file());
    assert_eq!(fs::read_to_string(&victim).expect("a file"), "untouched");
}

#[test]
fn the_environment_configures_a_server_and_flags_win() {
    let (address, other) = (held_address(), held_address());
    let (listen, elsewhere) = (address.to_string(), other.to_string());
    let variables = [
        ("GRANTOR_ISSUER", "https://as.example"),
        ("GRANTOR_LISTEN", elsewhere.as_str()),
        (
            "GRANTOR_TOKEN_RESOURCES",
            "https://a.example, https://b.example",
        ),
        ("GRANTOR_BEHIND_PROXY", ""),
        ("GRANTOR_SERVICE_HOST", "10.0.0.1"),
    ];
    let server = Server::start_as(address, &["--listen", &listen], &variables);
    let metadata = server
        .send("GET", "/.well-known/oauth-authorization-server", &[], b"")
        .json();
    assert_eq!(metadata["issuer"], "https://as.example");
    assert!(TcpStream::connect(other).is_err(), "the flag wins");

    let directory = tempfile::tempdir().expect("a directory");
    fs::write(
        directory.path().join("grantor.toml"),
        "[limits]\nconnections = 7",
    )
    .expect("written");
    for (name, value, words) in [
        (
            "GRANTOR_ISUER",
            "https://as.example",
            &["GRANTOR_ISUER", "GRANTOR_ISSUER"][..],
        ),
        (
            "GRANTOR_LIMITS_CONNECTIONS",
            "0",
            &["limits.connections", "between 1"],
        ),
        (
            "GRANTOR_LISTEN",
            "nowhere",
            &["GRANTOR_LISTEN", "socket address"],
        ),
        (
            "GRANTOR_TLS_CERTIFICATE",
            "a.pem",
            &["GRANTOR_TLS_CERTIFICATE", "missing field `key`"],
        ),
        (
            "GRANTOR_ISSUER_FILE",
            "/nowhere/issuer",
            &["GRANTOR_ISSUER_FILE", "/nowhere/issuer"],
        ),
    ] {
        let mut command = grantor(directory.path());
        let refused = finished(
            command
                .args(["client", "list"])
                .env(name, value)
                .output()
                .expect("it runs"),
        );
        assert_refuses(name, &refused, 2, words);
    }
}

/// Whatever takes a file of secrets for its configuration says where the mistake is, and nothing of
/// what the file holds.
#[test]
fn no_error_of_the_configuration_repeats_a_secret() {
    let directory = tempfile::tempdir().expect("a directory");
    let data = directory.path().join("data");
    let made = finished(
        grantor(&data)
            .args(["subject", "create", "alice"])
            .output()
            .expect("it runs"),
    );
    assert!(made.status.success(), "{}", made.stderr);
    let file = |name: &str, text: &str| {
        fs::write(directory.path().join(name), text).expect("written");
        directory.path().join(name).to_string_lossy().into_owned()
    };
    let master_key = data.join("master.key").to_string_lossy().into_owned();
    let jwk = file(
        "private.jwk",
        r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}"#,
    );
    let password = file("password", "correct horse battery staple");
    let pem =
        "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIJ1hsZ3v\n-----END PRIVATE KEY-----\n";
    let pem_file = file("key.pem", pem);
    let lines = |name: &str| {
        file(
            name,
            &format!("[tls]\ncertificate = \"a.pem\"\nkey = \"\"\"{pem}\"\"\""),
        )
    };
    let (pem_in_toml, digits) = (lines("pem.toml"), file("digits", "20261127"));
    let secrets = [
        fs::read_to_string(&master_key)
            .expect("a key")
            .trim()
            .to_owned(),
        "nWGxne_9WmC6".into(),
        "correct horse".into(),
        "MC4CAQAw".into(),
        "20261127".into(),
    ];
    for (name, value, words) in [
        ("GRANTOR_CONFIG", master_key.as_str(), &["line 1"][..]),
        ("GRANTOR_CONFIG", &jwk, &["line 1"]),
        ("GRANTOR_CONFIG", &pem_file, &["line 1"]),
        (
            "GRANTOR_CONFIG",
            &pem_in_toml,
            &["'tls.key'", "several lines"],
        ),
        (
            "GRANTOR_LIMITS_REQUESTS_FILE",
            &master_key,
            &["GRANTOR_LIMITS_REQUESTS_FILE", "not a whole number"],
        ),
        (
            "GRANTOR_LIMITS_REQUESTS_FILE",
            &digits,
            &["GRANTOR_LIMITS_REQUESTS_FILE", "between 1"],
        ),
        (
            "GRANTOR_BEHIND_PROXY_FILE",
            &password,
            &["GRANTOR_BEHIND_PROXY_FILE", "neither true nor false"],
        ),
        (
            "GRANTOR_ISSUER_FILE",
            &jwk,
            &["GRANTOR_ISSUER_FILE", "absolute URL"],
        ),
        (
            "GRANTOR_ISSUER_FILE",
            &password,
            &["GRANTOR_ISSUER_FILE", "absolute URL"],
        ),
        (
            "GRANTOR_PROFILE_FILE",
            &password,
            &["GRANTOR_PROFILE_FILE", "expected", "fapi2"],
        ),
        ("GRANTOR_LISTEN_FILE", &password, &["GRANTOR_LISTEN_FILE"]),
        (
            "GRANTOR_PROXY_TRUSTED_FILE",
            &master_key,
            &["GRANTOR_PROXY_TRUSTED_FILE", "10.0.0.0/8"],
        ),
        (
            "GRANTOR_TOKEN_SIGNING_ALGORITHM_FILE",
            &password,
            &["GRANTOR_TOKEN_SIGNING_ALGORITHM_FILE", "ES256"],
        ),
        (
            "GRANTOR_TLS_KEY_FILE",
            &pem_file,
            &["GRANTOR_TLS_KEY_FILE", "not the path"],
        ),
        (
            "GRANTOR_ISSUER",
            &secrets[0],
            &["'issuer'", "… (43 octets)"],
        ),
        (
            "GRANTOR_ISSUER_FILE",
            &secrets[0],
            &["GRANTOR_ISSUER_FILE", "… (43 octets)"],
        ),
        (
            "GRANTOR_PROFILE",
            &secrets[0],
            &["GRANTOR_PROFILE", "fapi2"],
        ),
        (
            "GRANTOR_LIMITS_REQUESTS",
            &secrets[0],
            &["GRANTOR_LIMITS_REQUESTS", "not a whole number"],
        ),
        // Controls: what is no secret is said.
        (
            "GRANTOR_ISSUER",
            "http://as.example",
            &["\"http://as.example\" must use https"],
        ),
        (
            "GRANTOR_CONFIG",
            &file("typo.toml", "[limits]\nrequests = many"),
            &["line 2, 'requests'"],
        ),
    ] {
        let refused = finished(
            grantor(&data)
                .args(["client", "list"])
                .env(name, value)
                .output()
                .expect("it runs"),
        );
        assert_refuses(name, &refused, 2, words);
        let told = secrets
            .iter()
            .find(|secret| refused.stderr.contains(secret.as_str()));
        assert_eq!(told, None, "{name}: {}", refused.stderr);
    }
}

#[test]
fn a_flag_tells_of_a_proxy_in_front() {
    for (flags, status) in [(&["--behind-proxy"][..], 429), (&[], 400)] {
        let address = held_address();
        let listen = address.to_string();
        let arguments = [&["--listen", listen.as_str()], flags].concat();
        let server = Server::start_as(
            address,
            &arguments,
            &[("GRANTOR_LIMITS_CLIENT_FAILURES_PER_MINUTE", "1")],
        );
        let form = [
            ("grant_type", "client_credentials"),
            ("client_id", "nobody"),
            ("client_secret", "guess"),
        ];
        let ask = || {
            server
                .post("/token", &form, &[("X-Forwarded-For", "198.51.100.1")])
                .status
        };
        assert_eq!((ask(), ask()), (400, status), "{flags:?}");
    }
}

#[test]
fn health_tells_whether_a_server_is_ready() {
    let address = held_address();
    let mut server = Server::start_as(address, &["--listen", &address.to_string()], &[]);
    for arguments in [
        &["health"][..],
        &["health", "--live"],
        &["health", "--url", &format!("http://{address}")],
    ] {
        let healthy = elsewhere(&server, arguments);
        assert!(
            healthy.status.success() && healthy.stdout.contains("answers 200"),
            "{arguments:?}: {}",
            healthy.stderr
        );
    }
    let lost = elsewhere(
        &server,
        &["health", "--url", &format!("http://{address}/nowhere")],
    );
    assert_refuses("not found", &lost, 1, &["answers 404"]);
    let other = elsewhere(
        &server,
        &["health", "--url", &format!("http://{address}/jwks")],
    );
    assert_refuses("another document", &other, 1, &["answers 200, but not"]);
    server.terminate();
    assert_refuses(
        "ended",
        &elsewhere(&server, &["health"]),
        1,
        &[&address.to_string(), "refused"],
    );
}

/// systemd's protocol of sd_notify(3), and a signal that ended the process before.
#[test]
fn a_supervisor_is_told_and_a_hangup_ends_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).expect("a socket");
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .expect("a timeout");
    let told = || {
        let mut octets = [0; 256];
        let length = socket.recv(&mut octets).expect("word");
        String::from_utf8_lossy(&octets[..length]).trim().to_owned()
    };
    let address = held_address();
    let variables = [("NOTIFY_SOCKET", path.to_str().expect("UTF-8"))];
    let mut server = Server::start_as(address, &["--listen", &address.to_string()], &variables);
    assert_eq!(told(), "READY=1");
    server.signal("HUP");
    server.wait_until("the signal is seen", || {
        server.log().iter().any(|line| {
            line["message"]
                .as_str()
                .is_some_and(|message| message.starts_with("SIGHUP"))
        })
    });
    assert_eq!(server.send("GET", "/health/live", &[], b"").status, 200);
    assert_eq!(server.terminate().code(), Some(0));
    assert_eq!(told(), "STOPPING=1");
}

#[test]
fn what_a_registration_would_be_sorry_for_is_refused_or_said() {
    let server = Server::start();
    server.client("billing", &["--generate-key", "--scope", "read"]);
    let reserved = server.run(&["client", "update", "billing", "--scope", "Grantor:admin"]);
    assert!(
        reserved.status.code() == Some(2) && reserved.stderr.contains("the server's own"),
        "{}",
        reserved.stderr
    );
    let reserved = server.run(&[
        "client",
        "create",
        "other",
        "--auth",
        "none",
        "--grant",
        "jwt-bearer",
        "--scope",
        "grantor:x",
    ]);
    assert!(
        reserved.status.code() == Some(2) && !server.ok(&["client", "list"]).contains("other"),
        "{}",
        reserved.stderr
    );
    server.ok(&["client", "update", "billing", "--scope", "grantors:read"]);

    let alike = server.run(&["subject", "create", "biIling"]);
    assert!(
        alike.status.success() && alike.stderr.contains("looks like another one"),
        "{}",
        alike.stderr
    );
    let unlike = server.run(&["subject", "create", "somebody"]);
    assert!(
        unlike.status.success() && unlike.stderr.is_empty(),
        "{}",
        unlike.stderr
    );

    // An assertion without kid is verified with four keys at most.
    let nameless = |count: usize| {
        let jwk = || {
            let key = grantor::jose::PrivateJwk::generate(grantor::jose::Algorithm::Es256)
                .expect("a key")
                .public();
            let mut jwk = serde_json::to_value(key).expect("JSON");
            jwk.as_object_mut().expect("an object").remove("kid");
            jwk
        };
        let file = server.directory().join(format!("{count}.json"));
        let keys: Vec<_> = (0..count).map(|_| jwk()).collect();
        fs::write(&file, serde_json::json!({"keys": keys}).to_string()).expect("written");
        file.display().to_string()
    };
    let is_warned = |finished: Finished| {
        assert!(finished.status.success(), "{}", finished.stderr);
        finished.stderr.contains("not all of these keys are tried")
    };
    assert!(is_warned(server.run(&[
        "client",
        "create",
        "five",
        "--jwks",
        &nameless(5)
    ])));
    assert!(!is_warned(server.run(&[
        "client",
        "create",
        "four",
        "--jwks",
        &nameless(4)
    ])));
    assert!(is_warned(server.run(&[
        "client",
        "add-key",
        "four",
        "--jwks",
        &nameless(1)
    ])));
}

/// Debian's Python brings a SQLite that is years older than ours.
#[test]
fn a_change_by_hand_with_another_sqlite_is_in_force_and_on_record() {
    if is_not_of_sqlite("it looks at the file") {
        return;
    }
    let server = Server::start();
    let [other, billing] = ["other", "billing"].map(|client| {
        let key = signing_key(&server.client(client, &["--generate-key"]));
        assert_eq!(grant(&server, client, client, &key).status, 200);
        key
    });
    let script = "import sqlite3, sys\n\
        with sqlite3.connect(sys.argv[1]) as database:\n    database.execute(\"\"\"UPDATE client \
        SET metadata = json_set(metadata, '$.enabled', json('false')) WHERE id = 'billing'\"\"\")";
    let path = server.data().join("grantor.db");
    let mut python = Command::new("python3");
    let changed = finished(
        python
            .args(["-c", script])
            .arg(&path)
            .output()
            .expect("Python"),
    );
    assert!(changed.status.success(), "{}", changed.stderr);
    server.wait_until("the client is disabled", || {
        grant(&server, "billing", "billing", &billing).status == 400
    });
    assert_eq!(grant(&server, "other", "other", &other).status, 200);
    let database = Connection::open(&path).expect("the database");
    let recorded: (String, i64) = database
        .query_row(
            "SELECT name, at FROM change_record WHERE actor = 'unknown'",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .expect("one record");
    assert!(
        recorded.0 == "billing" && recorded.1 > 1_700_000_000_000,
        "{recorded:?}"
    );
}
