//! Nodes on one PostgreSQL server, as commands see them.

use grantor_testkit::{binary::held_address, postgres::Database, wait::blocking};
use serde_json::Value;

use crate::support::{Finished, JWT_BEARER, Server, assertion, finished, grantor, signing_key};

/// The issuer of all nodes.
const ISSUER: &str = "http://127.0.0.1:9";
const LEEWAY: &str = "GRANTOR_ASSERTION_LEEWAY_SECONDS";

/// Nodes on this database, the first of which makes the master key.
struct Nodes {
    database: Database,
    leeway: &'static str,
    first: Server,
}

impl Nodes {
    fn start(database: Database) -> Self {
        let leeway = "30";
        let variables = variables(&database.url, leeway);
        let first = start(&variables);
        Self {
            database,
            leeway,
            first,
        }
    }

    /// Another node with the first one's master key.
    fn another(&self) -> Server {
        let key = self.first.data().join("master.key");
        let key = key.to_string_lossy().into_owned();
        let mut variables = self.variables();
        variables.push(("GRANTOR_MASTER_KEY_FILE", &key));
        start(&variables)
    }

    fn variables(&self) -> Vec<(&'static str, &str)> {
        variables(&self.database.url, self.leeway)
    }

    fn run(&self, arguments: &[&str]) -> Finished {
        run(&self.first, &self.variables(), arguments)
    }

    fn ok(&self, arguments: &[&str]) -> Finished {
        let finished = self.run(arguments);
        assert!(finished.status.success(), "{arguments:?}: {finished:?}");
        finished
    }

    /// `serve` as it is answered where it does not start.
    fn refused(&self) -> Finished {
        let listen = held_address().to_string();
        self.run(&["serve", "--listen", &listen])
    }
}

fn variables<'a>(url: &'a str, leeway: &'a str) -> Vec<(&'static str, &'a str)> {
    vec![
        ("GRANTOR_DATABASE_URL", url),
        ("GRANTOR_DATABASE_DURABILITY", "local"),
        (LEEWAY, leeway),
    ]
}

fn start(variables: &[(&str, &str)]) -> Server {
    let address = held_address();
    let listen = address.to_string();
    Server::start_as(
        address,
        &["--listen", &listen, "--issuer", ISSUER],
        variables,
    )
}

/// A command on the data directory of this server, with these variables.
fn run(server: &Server, variables: &[(&str, &str)], arguments: &[&str]) -> Finished {
    let output = grantor(&server.data())
        .envs(variables.iter().copied())
        .args(["--issuer", ISSUER])
        .args(arguments)
        .output();
    finished(output.expect("the binary runs"))
}

#[test]
fn s037_each_node_is_listed_with_where_it_runs() {
    let Some(database) = Database::of_test() else {
        return;
    };
    let nodes = Nodes::start(database);
    let mut second = nodes.another();
    let listed = || -> Vec<Value> {
        let told = nodes.ok(&["node", "list", "--json"]);
        serde_json::from_str(&told.stdout).expect("JSON")
    };
    let is_listed = |listed: &[Value], server: &Server| {
        let ends = format!(", {}", server.address);
        listed.iter().any(|node| {
            let place = node["place"].as_str().unwrap_or_default();
            place.ends_with(&ends) && node["state"] == "current" && node["version"].is_string()
        })
    };
    let both = listed();
    assert_eq!(both.len(), 2, "{both:?}");
    for server in [&nodes.first, &second] {
        assert!(is_listed(&both, server), "{both:?}");
    }
    let table = nodes.ok(&["node", "list"]).stdout;
    assert!(table.contains(&second.address.to_string()), "{table}");
    // One that has stopped is not there any more.
    assert!(second.terminate().success());
    let rest = listed();
    assert!(
        rest.len() == 1 && is_listed(&rest, &nodes.first),
        "{rest:?}"
    );
}

#[test]
fn s019_windows_are_changed_by_a_command_while_no_node_runs() {
    let Some(database) = Database::of_test() else {
        return;
    };
    let mut nodes = Nodes::start(database);
    let out = nodes.first.directory().join("billing.json");
    let out = out.to_string_lossy().into_owned();
    nodes.ok(&[
        "client",
        "create",
        "billing",
        "--generate-key",
        "--out",
        &out,
    ]);
    let key = signing_key(out.as_ref());
    let sign = || {
        assertion(
            ISSUER,
            "billing",
            "billing",
            &key,
            std::time::Duration::from_secs(120),
        )
    };
    let ask = |server: &Server, assertion: &str| {
        server.token(&[("grant_type", JWT_BEARER), ("assertion", assertion)])
    };
    let used = sign();
    assert_eq!(ask(&nodes.first, &used).status, 200);

    nodes.leeway = "60";
    let told = nodes.refused();
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    assert!(
        told.stderr.contains("leeway") && told.stderr.contains("grantor replay windows"),
        "{told:?}"
    );
    let windows = ["replay", "windows", "--reason", "slow clocks"];
    let told = nodes.run(&windows);
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    assert!(told.stderr.contains("nodes are running"), "{told:?}");
    assert_eq!(
        ask(&nodes.first, &sign()).status,
        200,
        "nothing was changed"
    );

    assert!(nodes.first.terminate().success());
    nodes.ok(&windows);
    let records = nodes.ok(&["changes", "list", "--json"]).stdout;
    assert!(
        records.contains("replay_windows") && records.contains("slow clocks"),
        "{records}"
    );
    // One that remembers for as long as before does not start any more.
    nodes.leeway = "30";
    let told = nodes.refused();
    assert_eq!(told.status.code(), Some(2), "{told:?}");
    nodes.leeway = "60";
    let second = nodes.another();
    blocking::until("it serves", || ask(&second, &used).status != 0);
    let told = ask(&second, &used);
    assert_eq!(told.status, 503, "it may have been forgotten: {told:?}");
    assert!(told.header("retry-after").is_some(), "{told:?}");
}

/// What a start would check, and what is promised then; nothing is started or made.
#[test]
fn s088_the_checks_of_a_start_are_told_without_one() {
    let Some(database) = Database::of_test() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let examine = |durability: &str, arguments: &[&str]| {
        let output = grantor(&directory.path().join("data"))
            .env("GRANTOR_DATABASE_URL", &database.url)
            .env("GRANTOR_DATABASE_DURABILITY", durability)
            .args(["doctor", "--database"])
            .args(arguments)
            .output();
        finished(output.expect("the binary runs"))
    };
    let told = examine("local", &[]);
    assert!(told.status.success(), "{told:?}");
    let lines: Vec<Vec<&str>> = told.stdout.lines().map(columns).collect();
    let version = database.psql("SELECT current_setting('server_version_num')");
    let version = version.expect("a version");
    for line in [
        &["CHECK", "FOUND", "WANTED", "REMEDY"][..],
        &["server_version_num", &version, "150000 or later", "ok"],
        &["pg_is_in_recovery()", "false", "false", "ok"],
        &["server_encoding", "UTF8", "UTF8", "ok"],
        &["default_transaction_read_only", "off", "off", "ok"],
        &[
            "default_transaction_isolation",
            "read committed",
            "read committed",
            "ok",
        ],
        &["fsync", "on", "on", "ok"],
        &["full_page_writes", "on", "on", "ok"],
        &["autovacuum", "on", "on", "ok"],
        &["synchronous_commit", "on", "on or remote_apply", "ok"],
        &[
            "settings of the session",
            "as they were set",
            "those that Grantor sets",
            "ok",
        ],
        &["no tables yet"],
    ] {
        assert!(
            lines.iter().any(|shown| shown == line),
            "{line:?}: {}",
            told.stdout
        );
    }
    assert!(
        told.stdout.contains("local, one server: "),
        "{}",
        told.stdout
    );
    let tables = "SELECT count(*) FROM pg_namespace WHERE nspname = 'grantor'";
    assert_eq!(database.psql(tables).as_deref(), Ok("0"), "nothing is made");

    let told = examine("replicated", &["--json"]);
    assert_eq!(told.status.code(), Some(1), "{told:?}");
    let survey: Value = serde_json::from_str(&told.stdout).expect("JSON");
    let checks = survey["checks"].as_array().expect("checks");
    let wrong: Vec<&Value> = checks
        .iter()
        .filter(|check| check["verdict"] == "refused")
        .collect();
    assert!(!wrong.is_empty(), "no server confirms here: {survey}");
    for check in wrong {
        let is_text = |member: &str| check[member].as_str().is_some_and(|text| !text.is_empty());
        assert!(
            ["name", "wanted", "remedy"].into_iter().all(is_text),
            "{check}"
        );
    }
    assert!(
        told.stderr.contains("no node starts with"),
        "{}",
        told.stderr
    );
}

/// The columns of a line of a table.
fn columns(line: &str) -> Vec<&str> {
    let columns = line.split("  ").map(str::trim);
    columns.filter(|column| !column.is_empty()).collect()
}

/// Of a server that is there, and does not let in what is configured, nothing comes by trying again:
/// the exit code is that of a wrong configuration. One that is not there may come back.
#[test]
fn s085_what_the_server_refuses_of_the_configuration_ends_with_2() {
    let Some(database) = Database::of_test() else {
        return;
    };
    let directory = tempfile::tempdir().expect("a directory");
    let nobody = held_address();
    let exit = |url: &str| {
        let output = grantor(&directory.path().join("data"))
            .envs(variables(url, "30"))
            .args(["--issuer", ISSUER, "serve", "--listen", &nobody.to_string()])
            .output();
        let told = finished(output.expect("the binary runs"));
        (told.status.code(), told.stderr)
    };
    let name = database.url.rsplit('/').next().expect("a database");
    let missing = database.url.replace(name, "no_such_database");
    let role = database.url.replace("://", "://no_such_role_of_");
    for (url, named) in [(&missing, "make the database"), (&role, "[database] url")] {
        let (code, told) = exit(url);
        assert_eq!(code, Some(2), "{url}: {told}");
        assert!(told.contains(named), "{url}: {told}");
    }
    let absent = database.url_at(nobody);
    let (code, told) = exit(&absent);
    assert_eq!(code, Some(1), "{told}");
}
