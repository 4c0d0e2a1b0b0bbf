//! `grantor move`: from the file of one machine to a PostgreSQL server.

use std::{fs, path::Path, process::Stdio, thread, time::Duration};

use grantor_testkit::{binary::database::is_not_of_sqlite, postgres::Database, wait};
use serde_json::Value;

use crate::support::{
    CLIENT_ASSERTION, Finished, JWT_BEARER, Server, assertion, finished, grantor, signing_key,
};

/// A server on a file that has worked for a while, and is stopped.
struct Source {
    server: Server,
    /// What was granted as a JWT.
    token: String,
    /// What was granted as an opaque text.
    opaque: String,
    /// What was granted and revoked.
    revoked: String,
    /// An assertion that was used.
    used: String,
    /// What commands told.
    told: Vec<Value>,
}

/// Commands that tell what is registered and what was done.
const TOLD: [&[&str]; 10] = [
    &["client", "list", "--json"],
    &["client", "show", "billing", "--json"],
    &["subject", "list", "--json"],
    &["operator", "list", "--json"],
    &["permission", "list", "--json"],
    &["issuer", "list", "--json"],
    &["trust", "list", "--json"],
    &["key", "list", "--json"],
    &["decisions", "list", "--json"],
    &["changes", "list", "--json"],
];

/// A new database; `None` where this run is not of files, or PostgreSQL is not installed.
fn target() -> Option<Database> {
    match is_not_of_sqlite("the file is what is moved") {
        true => None,
        false => Database::of_test(),
    }
}

impl Source {
    fn filled() -> Self {
        let server = Server::start();
        let scopes = ["--generate-key", "--scope", "read"];
        server.client("billing", &scopes);
        server.client("opaque", &["--generate-key", "--token-format", "opaque"]);
        server.client("gone", &["--generate-key"]);
        server.ok(&["client", "delete", "gone"]);
        server.ok(&["subject", "create", "alice"]);
        server.ok(&["permission", "create", "billing", "alice"]);
        server.ok(&["operator", "create", "olga", "--role", "editor"]);
        let jwks = format!("{}/jwks", server.issuer);
        let issuer = ["issuer", "create", "https://idp.example", "--name", "idp"];
        let keys = ["--jwks-uri", &jwks, "--allow-internal", "127.0.0.0/8"];
        server.ok(&[&issuer[..], &keys].concat());
        let pins = ["--client", "billing", "--pin", "sub=a"];
        server.ok(&[&["trust", "create", "ci", "--from", "idp"], &pins[..]].concat());
        server.ok(&["key", "rotate", "--ahead", "0s"]);
        let used = minted(&server, "alice");
        let token = exchanged(&server, &used).expect("a token");
        let [opaque, revoked] = [(); 2].map(|()| server.ok(&["token", "--key", "opaque.json"]));
        about(&server, "/revoke", "opaque", &revoked);
        let mut source = Self {
            server,
            token,
            opaque,
            revoked,
            used,
            told: Vec::new(),
        };
        source.check();
        assert!(source.server.terminate().success());
        source.told = source.told_now();
        source
    }

    /// What commands tell now.
    fn told_now(&self) -> Vec<Value> {
        let told = TOLD.iter().map(|command| self.server.ok(command));
        told.map(|text| serde_json::from_str(&text).expect("JSON"))
            .collect()
    }

    /// What was granted is in force, what was revoked is not, and what was used is a replay.
    fn check(&self) {
        let is_active = |client, token| {
            let answer = about(&self.server, "/introspect", client, token);
            answer["active"].as_bool().expect("an answer")
        };
        assert!(is_active("billing", &self.token));
        assert!(is_active("opaque", &self.opaque));
        assert!(!is_active("opaque", &self.revoked));
        let replayed = exchanged(&self.server, &self.used);
        assert_eq!(replayed, Err("replay".to_owned()));
        let fresh = exchanged(&self.server, &minted(&self.server, "alice"));
        assert!(fresh.is_ok(), "the control: {fresh:?}");
    }

    fn move_to(&self, database: &Database) -> Finished {
        self.server.run(&["move", "--to", &database.url])
    }

    /// `grantor serve` on the directory, which has to end by itself.
    fn serve(&self) -> Finished {
        self.server.run(&["serve", "--listen", "127.0.0.1:0"])
    }

    /// Goes on with the database there.
    fn go_on(mut self, database: &Database) -> Self {
        let configuration = format!(
            "[database]\nurl = {:?}\ndurability = \"local\"\n",
            database.url
        );
        fs::write(self.server.data().join("grantor.toml"), configuration).expect("written");
        self.server = self.server.restart();
        self
    }
}

fn minted(server: &Server, subject: &str) -> String {
    let key = signing_key(&server.directory().join("billing.json"));
    let lifetime = Duration::from_secs(600);
    assertion(&server.issuer, "billing", subject, &key, lifetime)
}

/// The token that it is exchanged for, or the rule by which it is refused.
fn exchanged(server: &Server, assertion: &str) -> Result<String, String> {
    let form = [("grant_type", JWT_BEARER), ("assertion", assertion)];
    let answer = server.token(&form);
    match answer.json()["access_token"].as_str() {
        Some(token) => Ok(token.to_owned()),
        None => {
            let decision = server.decision(&answer.decision_id());
            let rule = decision["rule"].as_str().unwrap_or_default();
            Err(rule.to_owned())
        }
    }
}

/// What is answered at an endpoint about a token, to the client that it is of.
fn about(server: &Server, path: &str, client: &str, token: &str) -> Value {
    let key = signing_key(&server.directory().join(format!("{client}.json")));
    let lifetime = Duration::from_secs(60);
    let authenticates = assertion(&server.issuer, client, client, &key, lifetime);
    let form = [
        ("token", token),
        ("client_assertion_type", CLIENT_ASSERTION),
        ("client_assertion", &authenticates),
    ];
    let answer = server.post(path, &form, &[]);
    assert_eq!(answer.status, 200, "{}", answer.body);
    answer.json()
}

/// Asserts that a command was refused with one line that has this in it.
#[track_caller]
fn assert_refused(refused: &Finished, code: i32, words: &[&str]) {
    let stderr = &refused.stderr;
    assert_eq!(refused.status.code(), Some(code), "{stderr}");
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    for words in words {
        assert!(stderr.contains(words), "{words}: {stderr}");
    }
}

#[test]
fn all_of_it_goes_on_there_and_no_server_starts_here() {
    let Some(database) = target() else {
        return;
    };
    let mut source = Source::filled();
    source.server = source.server.restart();
    let in_use = source.move_to(&database);
    assert_refused(&in_use, 1, &["another process", "stop `grantor serve`"]);
    assert!(source.server.terminate().success());

    let arguments = ["move", "--to", &database.url, "--json"];
    let moved = source.server.ok(&arguments);
    let moved: Value = serde_json::from_str(&moved).expect("JSON");
    assert_eq!(moved["moved_to"]["url"], database.url.as_str());
    assert_eq!(moved["rows"]["client"], 2);
    assert_eq!(moved["rows"]["trust"], 1);
    assert!(moved["rows"]["claim"].as_u64() >= Some(2), "{moved}");
    let key = source.server.data().join("master.key");
    assert_eq!(moved["master_key"], key.to_string_lossy().as_ref());

    let to = format!("set url = {:?} in the section [database]", database.url);
    let backup = source.server.directory().join("copy.db");
    let backup = backup.to_string_lossy();
    for refused in [
        source.serve(),
        source.server.run(&["client", "list"]),
        source.server.run(&["backup", &backup]),
        source.move_to(&database),
    ] {
        assert_refused(&refused, 2, &["was moved to PostgreSQL", &to]);
    }

    let source = source.go_on(&database);
    assert_eq!(source.told_now(), source.told);
    source.check();
    // The third client is gone, and its number is not given again.
    source.server.client("new", &["--generate-key"]);
    let number = database.psql("SELECT max(number) FROM client");
    assert_eq!(number.as_deref(), Ok("4"));
}

#[test]
fn a_place_that_is_taken_a_password_and_a_backup_are_refused() {
    let Some(database) = target() else {
        return;
    };
    let source = Source::filled();
    let server = &source.server;
    let backup = server.directory().join("copy.db");
    let backup = backup.to_string_lossy();
    server.ok(&["backup", &backup]);
    let with_password = database.url.replace("grantor@", "grantor:secret@");
    assert_ne!(with_password, database.url);
    for (arguments, words) in [
        (&["move"][..], "--to postgres://"),
        (&["move", "--to", &with_password], "--password-file"),
        (
            &["move", "--to", "mysql://db.example/x"],
            "--to: is neither",
        ),
        (
            &["move", "--to", &database.url, "--schema", "X"],
            "--schema: \"X\" is no name",
        ),
        (
            &["move", "--to", &database.url, "--as", "billing.json"],
            "on this machine",
        ),
    ] {
        assert_refused(&server.run(arguments), 2, &[words]);
    }
    let none = server.run(&["move", "--abandon"]);
    assert_refused(&none, 1, &["no move of this database has begun"]);

    // Another server was started there.
    let other = tempfile::tempdir().expect("a directory");
    create_at(&other.path().join("data"), &database);
    let mut fresh = grantor(&server.directory().join("fresh"));
    let none = fresh.args(["move", "--to", &database.url]).output();
    let none = finished(none.expect("the binary runs"));
    assert_refused(&none, 1, &["fresh"]);
    assert!(!server.directory().join("fresh/grantor.db").exists());
    assert_refused(&source.move_to(&database), 2, &["master key", "another"]);
    let taken = database.server().database();
    create_at(&server.data(), &taken);
    let words = ["rows in its table", "DROP SCHEMA grantor CASCADE"];
    assert_refused(&source.move_to(&taken), 2, &words);

    let free = database.server().database();
    let moved = source.move_to(&free);
    assert!(moved.status.success(), "the control: {}", moved.stderr);
    let next = ["[database]", "master.key", "grantor doctor --database"];
    assert!(
        next.iter().all(|words| moved.stdout.contains(words)),
        "{}",
        moved.stdout
    );
    let restore = ["restore", "--replace", &backup];
    assert_refused(&server.run(&restore), 2, &["was moved to PostgreSQL"]);
    // What the server there has, it copies by its own means.
    let source = source.go_on(&free);
    for command in [&["backup", "other.db"][..], &restore] {
        let refused = source.server.run(command);
        assert_refused(
            &refused,
            2,
            &["pg_dump", "pg_basebackup", "replay fence --raise"],
        );
    }
}

#[test]
fn a_move_that_is_killed_is_ended_by_the_same_command_or_given_up() {
    let Some(database) = target() else {
        return;
    };
    let mut source = Source::filled();
    kill_under_way(&source, &database);
    let moving = source.serve();
    let again = format!("run `grantor move` again with url = {:?}", database.url);
    assert_refused(&moving, 2, &[&again, "--abandon"]);
    let nowhere = database.server().database();
    assert_refused(&source.move_to(&nowhere), 2, &[&again]);

    let given_up = ["move", "--abandon", "--to", &database.url];
    let given_up = source.server.ok(&given_up);
    assert!(given_up.contains("nothing had arrived"), "{given_up}");
    source.server = source.server.restart();
    source.check();
    assert!(source.server.terminate().success());

    kill_under_way(&source, &database);
    let moved = source.move_to(&database);
    assert!(moved.status.success(), "{}", moved.stderr);
    source.go_on(&database).check();
}

/// Registers a subject in this database, by the master key in a directory.
fn create_at(data: &Path, database: &Database) {
    let mut create = grantor(data);
    create.args(["subject", "create", "bob"]).envs([
        ("GRANTOR_DATABASE_URL", database.url.as_str()),
        ("GRANTOR_DATABASE_DURABILITY", "local"),
    ]);
    assert!(create.status().expect("the binary runs").success());
}

/// Whoever writes a client waits for this lock.
const HOLD: &str = "SELECT pg_advisory_lock(7523, 5), pg_sleep(100)";
const LET_GO: &str = "SELECT pg_terminate_backend(pid) FROM pg_locks \
    WHERE locktype = 'advisory' AND classid = 7523 AND objid = 5 AND granted";

/// Kills a move when it has begun to write.
fn kill_under_way(source: &Source, database: &Database) {
    let number_is = |granted: &str, wanted: &str| {
        let number = format!(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7523 AND objid = 5 AND {granted}"
        );
        database.psql(&number).as_deref() == Ok(wanted)
    };
    thread::scope(|scope| {
        let holder = scope.spawn(|| database.psql(HOLD));
        wait::blocking::until("the lock is held", || number_is("granted", "1"));
        let mut running = grantor(&source.server.data());
        let running = running.args(["move", "--to", &database.url]);
        let mut running = running.stderr(Stdio::null()).spawn().expect("it runs");
        wait::blocking::until("it writes", || number_is("NOT granted", "1"));
        running.kill().expect("SIGKILL");
        running.wait().expect("it ends");
        database.psql(LET_GO).expect("let go");
        assert!(holder.join().expect("it ends").is_err());
    });
}
