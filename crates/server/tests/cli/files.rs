//! Files of registrations: `grantor apply` and `grantor export`, through the real binary and a real
//! database.

use std::{fs, os::unix::fs::PermissionsExt as _, path::Path, thread};

use grantor::jose::{Algorithm, PrivateJwk};
use grantor_testkit::binary::Finished;
use serde_json::{Value, json};

use crate::desk::{Desk, key_set};

/// What a dry run ends with that would change something.
const PENDING: i32 = 3;

/// The files of the documentation.
fn example() -> &'static Path {
    Path::new(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../examples/registry"
    ))
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a directory");
    for entry in fs::read_dir(from).expect("a directory") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name");
        match path.is_dir() {
            true => copy(&path, &to.join(name)),
            false => drop(fs::copy(&path, to.join(name)).expect("copied")),
        }
    }
}

/// A desk with a copy of the example, in `registry`.
fn desk() -> Desk {
    let desk = Desk::new();
    copy(example(), &desk.path().join("registry"));
    desk
}

/// Replaces a text in a file.
fn edit(desk: &Desk, file: &str, from: &str, to: &str) {
    let path = desk.path().join(file);
    let text = fs::read_to_string(&path).expect("a file");
    assert!(text.contains(from), "{file} has no {from}");
    fs::write(path, text.replace(from, to)).expect("written");
}

/// The lines of a plan that are no members, without what is as it was.
fn changes(finished: &Finished) -> Vec<&str> {
    let lines = finished.stdout.lines();
    lines
        .filter(|line| line.starts_with(['+', '~', '-']))
        .collect()
}

const APPLY: [&str; 6] = [
    "apply",
    "registry",
    "--owner",
    "platform",
    "--secrets-out",
    "keys",
];

#[test]
fn m070_m071_m073_the_example_is_applied_twice_changed_and_pruned() {
    let desk = desk();
    let done = desk.ok(&APPLY);
    assert!(
        done.contains("done: 10 new, 0 changed, 0 removed"),
        "{done}"
    );
    let read = desk.json(&["client", "show", "billing"]);
    assert_eq!(read["managed_by"], "platform");
    assert_eq!(read["jwks"]["keys"].as_array().map(Vec::len), Some(1));
    let again = desk.ok(&APPLY);
    assert_eq!(again, "nothing to do: 10 as they are\n");
    // Only what differs is changed.
    edit(
        &desk,
        "registry/people.toml",
        "id = \"bob\"\nenabled = false",
        "id = \"bob\"",
    );
    let pruned = [&APPLY[..], &["--prune"]].concat();
    let changed = desk.run(&pruned);
    assert_eq!(changes(&changed), ["~ subject bob"], "{}", changed.stderr);
    assert!(
        changed.stdout.contains("    enabled: false -> true\n"),
        "{}",
        changed.stdout
    );
    // What the files do not have any more goes, and nothing that others have made.
    desk.ok(&["subject", "create", "by-hand"]);
    fs::remove_file(desk.path().join("registry/workloads.toml")).expect("removed");
    edit(
        &desk,
        "registry/clients.toml",
        "client_id = \"deployer\"",
        "client_id = \"other\"",
    );
    let removed = desk.run(&pruned);
    let expected = [
        "- client deployer",
        "+ client other",
        "- issuer https://token.actions.githubusercontent.com",
        "- trust deployer",
    ];
    assert_eq!(changes(&removed), expected, "{}", removed.stderr);
    // A directory that is not the one that was meant has no files in it, or none of registrations.
    fs::create_dir(desk.path().join("empty")).expect("a directory");
    desk.refuses(
        &["apply", "empty", "--owner", "platform", "--prune"],
        2,
        &["no file in it"],
    );
    desk.file("none.toml", "");
    let none = ["apply", "none.toml", "--owner", "platform", "--prune"];
    desk.refuses(&none, 2, &["--allow-empty"]);
    let emptied = desk.ok(&[&none[..], &["--allow-empty"]].concat());
    assert!(
        emptied.contains("done: 0 new, 0 changed, 8 removed"),
        "{emptied}"
    );
    let left = desk.ok(&["export", "--json"]);
    let left: Value = serde_json::from_str(&left).expect("JSON");
    assert_eq!(
        left,
        json!({"subject": [{"id": "by-hand", "enabled": true}]})
    );
}

#[test]
fn m070_what_is_wrong_is_named_with_its_file_and_line() {
    let desk = Desk::new();
    desk.ok(&["subject", "create", "alice"]);
    let toml = |text: &str| desk.file("r.toml", text);
    toml("[[client]]\nclient_id = \"a\"\ncolour = \"red\"\n");
    desk.refuses(
        &["apply", "r.toml"],
        2,
        &[
            "2 faults",
            "r.toml:3: colour: unknown",
            "r.toml:1: token_endpoint_auth_method: missing",
        ],
    );
    toml("\n[[clients]]\nclient_id = \"a\"\n");
    desk.refuses(
        &["apply", "r.toml"],
        2,
        &["r.toml:2: ", "clients", "unknown"],
    );
    toml("[[client]]\nclient_id = \"a\"\nclient_id = \"secret-in-a-file\"\n");
    let finished = desk.run(&["apply", "r.toml"]);
    assert!(
        finished.stderr.contains("r.toml:3: "),
        "{}",
        finished.stderr
    );
    assert!(
        !finished.stderr.contains("secret-in-a-file"),
        "{}",
        finished.stderr
    );
    desk.file("r.json", "{\"client\": [\n{\"client_id\": \"a\",\n\"token_endpoint_auth_method\": \"none\",\n\"colour\": 1}]}");
    desk.refuses(&["apply", "r.json"], 2, &["r.json:4: colour: unknown"]);
    desk.file("r.json", "{\"client\": [\n{\"client_id\" \"a\"}]}");
    desk.refuses(&["apply", "r.json"], 2, &["r.json:2: "]);
    desk.file("r.json", "{\"client\": [], \"client\": []}");
    desk.refuses(&["apply", "r.json"], 2, &["r.json: "]);
    desk.file("r.yaml", "");
    desk.refuses(&["apply", "r.yaml"], 2, &[".toml or .json"]);
    desk.refuses(&["apply", "absent.toml"], 2, &["absent.toml"]);
    // The control: without the member that is unknown.
    toml("[[client]]\nclient_id = \"a\"\ntoken_endpoint_auth_method = \"none\"\n");
    desk.ok(&["apply", "r.toml"]);
}

#[test]
fn ma29_all_faults_of_all_files_are_named_and_nothing_is_changed() {
    let desk = desk();
    edit(
        &desk,
        "registry/people.toml",
        "client = \"billing\"",
        "client = \"gone\"",
    );
    let weak = json!({"keys": [{"kty": "RSA", "kid": "weak", "e": "AQAB", "n": "AQAB"}]});
    desk.file("registry/keys/billing.json", weak.to_string());
    edit(
        &desk,
        "registry/workloads.toml",
        "    { claim = \"repository_owner_id\", equals = \"123456\" },\n",
        "",
    );
    desk.file("registry/more.json", "{\"subject\": [{\"id\": \"alice\"}]}");
    desk.refuses(
        &APPLY,
        2,
        &[
            "4 faults",
            "registry/people.toml:11: client: client gone is neither in the file nor registered",
            "registry/clients.toml:10: jwks.keys.0: ",
            "registry/workloads.toml:13: pins: ",
            "registry/people.toml:4: id: ",
        ],
    );
    assert!(!desk.path().join("keys").exists());
    let desk = self::desk();
    desk.ok(&APPLY);
}

#[test]
fn m070_keys_may_be_in_a_file_beside() {
    let desk = Desk::new();
    let client = |file: &str| {
        let text = format!(
            "[[client]]\nclient_id = \"a\"\ntoken_endpoint_auth_method = \"private_key_jwt\"\njwks_file = \"{file}\"\n"
        );
        desk.file("files/r.toml", text);
    };
    fs::create_dir(desk.path().join("files")).expect("a directory");
    desk.file("files/a.json", key_set(&[&desk.key]));
    desk.file("outside.json", key_set(&[&desk.key]));
    for wrong in ["../outside.json", "/etc/passwd", "absent.json", ""] {
        client(wrong);
        desk.refuses(
            &["apply", "files/r.toml"],
            2,
            &["files/r.toml:4: jwks_file: "],
        );
    }
    let private = PrivateJwk::generate(Algorithm::Es256).expect("a key");
    let private: Value = serde_json::from_str(private.expose_json()).expect("JSON");
    let private = json!({"keys": [private]});
    desk.file("files/private.json", private.to_string());
    client("private.json");
    let finished = desk.run(&["apply", "files/r.toml"]);
    assert_eq!(finished.status.code(), Some(2), "{}", finished.stderr);
    client("a.json");
    fs::remove_file(desk.path().join("files/private.json")).expect("removed");
    // Of a directory, files with keys are none with registrations.
    desk.ok(&["apply", "files"]);
    let issuer = "[[issuer]]\niss = \"https://i.example\"\nkeys = { jwks_file = \"a.json\" }\n";
    desk.file("files/i.toml", issuer);
    let done = desk.run(&["apply", "files"]);
    assert_eq!(
        changes(&done),
        ["+ issuer https://i.example"],
        "{}",
        done.stderr
    );
}

#[test]
fn m072_a_dry_run_shows_what_would_change_and_changes_nothing() {
    let desk = desk();
    desk.ok(&["subject", "create", "alice"]);
    let dry = [&APPLY[..4], &["--dry-run"]].concat();
    let finished = desk.run(&dry);
    assert_eq!(finished.status.code(), Some(PENDING), "{}", finished.stderr);
    assert_eq!(changes(&finished).len(), 10, "{}", finished.stdout);
    for line in [
        "+ client billing\n",
        "    scope: invoices:read invoices:write\n",
        "~ subject alice\n",
        "    managed_by: - -> platform\n",
        "+ permission billing for alice\n",
        "to do: 9 new, 1 changed",
    ] {
        assert!(
            finished.stdout.contains(line),
            "{line} in {}",
            finished.stdout
        );
    }
    desk.refuses(&["client", "show", "billing"], 1, &["does not exist"]);
    desk.refuses(&[&dry[..], &["--reason", "x"]].concat(), 2, &["--reason"]);
    desk.ok(&APPLY);
    let finished = desk.run(&dry);
    assert_eq!(finished.status.code(), Some(0));
    assert!(
        finished.stdout.contains("= client billing\n"),
        "{}",
        finished.stdout
    );
    assert!(
        finished.stdout.contains("nothing to do: 10 as they are"),
        "{}",
        finished.stdout
    );
}

#[test]
fn m072_ma31_a_plan_is_done_only_while_what_it_was_made_from_is_so() {
    let desk = desk();
    desk.ok(&APPLY);
    edit(
        &desk,
        "registry/clients.toml",
        "invoices:read invoices:write",
        "invoices:read",
    );
    let plan = || {
        let dry = [&APPLY[..4], &["--dry-run", "--json"]].concat();
        let finished = desk.run(&dry);
        assert_eq!(finished.status.code(), Some(PENDING), "{}", finished.stderr);
        desk.file("plan.json", finished.stdout);
    };
    let expecting = [&APPLY[..], &["--expect", "plan.json"]].concat();
    plan();
    // Somebody else's change.
    desk.ok(&["subject", "disable", "alice", "--override"]);
    desk.refuses(&expecting, 1, &["has changed since the plan was made"]);
    plan();
    // Another file than the plan was made of.
    edit(
        &desk,
        "registry/clients.toml",
        "Writes the invoices",
        "Prints the invoices",
    );
    desk.refuses(&expecting, 1, &["another plan"]);
    plan();
    let done = desk.run(&expecting);
    assert_eq!(
        changes(&done),
        ["~ client billing", "~ subject alice"],
        "{}",
        done.stderr
    );
    desk.file("plan.json", "{}");
    desk.refuses(&expecting, 2, &["--expect plan.json", "is no plan"]);
}

#[test]
fn ma31_two_applies_at_once_are_made_one_after_the_other() {
    let desk = desk();
    desk.ok(&APPLY);
    let texts = ["One.", "Two."].map(|text| {
        let file = format!("{}toml", text.to_lowercase());
        let client = format!("[[client]]\nclient_id = \"deployer\"\ntoken_endpoint_auth_method = \"private_key_jwt\"\nfederated = true\nscope = \"deploy\"\ndescription = \"{text}\"\n");
        desk.file(&file, client);
        (text, file)
    });
    let apply = |file: &str| desk.run(&["apply", file, "--owner", "platform"]);
    let finished = thread::scope(|scope| {
        let both = texts
            .each_ref()
            .map(|(_, file)| scope.spawn(|| apply(file)));
        both.map(|one| one.join().expect("finished"))
    });
    for one in &finished {
        let has_moved_on = one.stderr.contains("has changed since the plan was made");
        assert!(one.status.success() || has_moved_on, "{}", one.stderr);
    }
    assert!(finished.iter().any(|one| one.status.success()));
    let read = desk.json(&["client", "show", "deployer"]);
    assert!(
        texts.iter().any(|(text, _)| read["description"] == *text),
        "{read}"
    );
}

#[test]
fn m073_two_owners_do_not_remove_each_others() {
    let desk = Desk::new();
    let file = |owner: &str, subjects: &[&str]| {
        let subjects: Vec<_> = subjects.iter().map(|id| json!({"id": id})).collect();
        desk.file(
            &format!("{owner}.json"),
            json!({"subject": subjects}).to_string(),
        );
        let file = format!("{owner}.json");
        desk.run(&["apply", &file, "--owner", owner, "--prune"])
    };
    assert_eq!(
        changes(&file("east", &["a", "b"])),
        ["+ subject a", "+ subject b"]
    );
    assert_eq!(changes(&file("west", &["c"])), ["+ subject c"]);
    assert_eq!(changes(&file("east", &["a"])), ["- subject b"]);
    assert_eq!(changes(&file("west", &["c", "d"])), ["+ subject d"]);
    desk.refuses(&["apply", "east.json", "--prune"], 2, &["--owner"]);
}

#[test]
fn m073_what_one_owner_manages_another_changes_only_by_overriding() {
    let desk = Desk::new();
    let file = |owner: &str, enabled: bool| {
        let text = json!({"subject": [{"id": "alice", "enabled": enabled}]});
        desk.file(&format!("{owner}.json"), text.to_string())
    };
    let (east, west) = (file("east", true), file("west", false));
    desk.ok(&["apply", &east, "--owner", "east"]);
    let others = ["apply", &west, "--owner", "west"];
    for more in [&[][..], &["--dry-run"]] {
        desk.refuses(
            &[&others[..], more].concat(),
            1,
            &["managed by east", "--override"],
        );
    }
    desk.refuses(&["apply", &west], 1, &["managed by east"]);
    let overridden = desk.run(&[&others[..], &["--override"]].concat());
    assert_eq!(
        changes(&overridden),
        ["~ subject alice"],
        "{}",
        overridden.stderr
    );
    desk.refuses(
        &["apply", &east, "--owner", "east"],
        1,
        &["managed by west"],
    );
}

#[test]
fn m074_secrets_are_made_once_into_files_for_their_owner_alone() {
    let desk = desk();
    let without = &APPLY[..4];
    desk.refuses(without, 2, &["client shop", "--secrets-out"]);
    desk.refuses(&["client", "show", "shop"], 1, &["does not exist"]);
    let done = desk.ok(&APPLY);
    assert!(
        done.contains("the key file of client shop is keys/shop.json"),
        "{done}"
    );
    let path = desk.path().join("keys/shop.json");
    let mode = |path: &Path| fs::metadata(path).expect("a file").permissions().mode() & 0o777;
    assert_eq!(
        (mode(&path), mode(&desk.path().join("keys"))),
        (0o600, 0o700)
    );
    let file: Value = serde_json::from_slice(&fs::read(&path).expect("a file")).expect("JSON");
    let secret = file["client_secret"].as_str().expect("a secret");
    assert_eq!(file["client_id"], "shop");
    // It is in that file only.
    for shown in [
        done,
        desk.ok(&["export"]),
        desk.ok(&["export", "--json"]),
        desk.ok(&["changes", "list", "--json"]),
    ] {
        assert!(!shown.contains(secret));
    }
    fs::remove_file(&path).expect("removed");
    assert_eq!(desk.ok(without), "nothing to do: 10 as they are\n");
    assert!(!path.exists());
    // A secret that is written there is refused, and not repeated.
    edit(
        &desk,
        "registry/clients.toml",
        "secret = \"make\"",
        "secret = \"swordfish\"",
    );
    let refused = desk.run(&APPLY);
    assert!(
        refused
            .stderr
            .contains("registry/clients.toml:17: secret: "),
        "{}",
        refused.stderr
    );
    assert!(!refused.stderr.contains("swordfish"), "{}", refused.stderr);
}

#[test]
fn m074_no_key_file_is_left_of_what_was_not_registered() {
    let desk = desk();
    // There is a file of that name, which is never overwritten.
    fs::create_dir(desk.path().join("keys")).expect("a directory");
    desk.file("keys/shop.json", "mine");
    desk.refuses(&APPLY, 2, &["keys/shop.json", "exists already"]);
    desk.refuses(&["client", "show", "billing"], 1, &["does not exist"]);
    assert_eq!(
        fs::read_to_string(desk.path().join("keys/shop.json")).expect("a file"),
        "mine"
    );
    fs::remove_file(desk.path().join("keys/shop.json")).expect("removed");
    desk.ok(&APPLY);
}

#[test]
fn m063_what_is_exported_is_here_already_and_makes_the_same_elsewhere() {
    let desk = desk();
    desk.ok(&APPLY);
    for (form, file) in [
        (&["export"][..], "all.toml"),
        (&["export", "--json"], "all.json"),
    ] {
        let exported = desk.ok(form);
        desk.file(file, &exported);
        assert_eq!(desk.ok(&["apply", file]), "nothing to do: 10 as they are\n");
        let other = Desk::new();
        other.file(file, &exported);
        let done = other.ok(&["apply", file, "--secrets-out", "keys"]);
        assert!(done.contains("done: 10 new"), "{done}");
        assert_eq!(other.ok(form), exported);
    }
    let empty = Desk::new();
    empty.file("none.toml", "");
    empty.ok(&["apply", "none.toml"]);
    assert_eq!(empty.ok(&["export"]), "# nothing is registered\n");
    assert_eq!(empty.ok(&["export", "--json"]), "{}\n");
}

#[test]
fn m061_m080_what_a_file_changes_is_recorded_as_its_change_with_its_reason() {
    let desk = desk();
    desk.ok(&[&APPLY[..], &["--reason", "a new platform"]].concat());
    let records = desk.json(&["changes", "list", "--limit", "100"]);
    let records = records.as_array().expect("a list");
    assert_eq!(records.len(), 10);
    for record in records {
        assert_eq!(
            (&record["way"], &record["reason"]),
            (&json!("apply"), &json!("a new platform"))
        );
    }
}
