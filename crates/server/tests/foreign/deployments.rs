//! The examples of many nodes in `contrib/`: they are what Compose and Kubernetes take, and have every
//! setting that a start demands of PostgreSQL.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
/// The settings that [`demanded`] finds no value for in `start_check.rs`.
const BY_RULE: [(&str, &str); 1] = [("synchronous_commit", "on")];
/// What the operator of `kubernetes.yaml` sets by itself, or leaves as PostgreSQL has it.
const OF_THE_OPERATOR: [&str; 2] = ["fsync", "full_page_writes"];

#[test]
fn the_compose_file_is_one() {
    let file = contrib("compose.yaml");
    let check = |file: &Path| {
        let arguments = ["--builtin-schema", "vendor.compose-spec"];
        run("check-jsonschema", &arguments, file)
    };
    check(&file).expect("it is as the specification of Compose has it");
    let wrong = spoiled(&file, "\n    ports: [", "\n    portz: [");
    check(wrong.path()).expect_err("a misspelt key is found");
}

#[test]
fn the_kubernetes_manifest_is_one() {
    let file = contrib("kubernetes.yaml");
    let check = |file: &Path| run("kubernetes-validate", &["--strict", "--no-warn"], file);
    check(&file).expect("it is as the API of Kubernetes has it");
    let wrong = spoiled(&file, "\n  replicas: 3", "\n  replicaz: 3");
    check(wrong.path()).expect_err("a misspelt key is found");
}

#[test]
fn s087_the_examples_have_each_setting_that_a_start_demands() {
    let demanded = demanded();
    assert!(demanded.len() >= 6, "{demanded:?}");
    let compose = text(&contrib("compose.yaml"));
    let kubernetes = text(&contrib("kubernetes.yaml"));
    // The server that starts as the primary, and both that may become it.
    let servers: Vec<_> = compose.split("-c fsync=").skip(1).collect();
    assert_eq!(servers.len(), 2, "the primary, and what the standbys share");
    for (name, value) in &demanded {
        let given = [
            format!("-c {name}={value}"),
            format!("-c {name}=\"{value}\""),
        ];
        for server in compose.split("entrypoint:").skip(1) {
            assert!(
                given.iter().any(|given| server.contains(given)),
                "compose.yaml: {name} = {value}"
            );
        }
        let given = [
            format!("{name}: {value}\n"),
            format!("{name}: \"{value}\"\n"),
        ];
        let is_given = given.iter().any(|given| kubernetes.contains(given));
        let is_left =
            OF_THE_OPERATOR.contains(&name.as_str()) && !kubernetes.contains(&format!("{name}: "));
        assert!(is_given || is_left, "kubernetes.yaml: {name} = {value}");
    }
    for server in compose.split("entrypoint:").skip(1) {
        assert!(server.contains("-c synchronous_standby_names=\"ANY 1 (a, b)\""));
    }
    assert!(compose.contains("GRANT pg_monitor TO grantor;"));
    assert!(kubernetes.contains("GRANT pg_monitor TO grantor\n"));
    for required in ["method: any", "number: 1", "dataDurability: required"] {
        assert!(kubernetes.contains(required), "{required}");
    }
    for example in [&compose, &kubernetes] {
        assert!(example.contains("GRANTOR_DATABASE_DURABILITY: replicated"));
        assert!(example.contains("GRANTOR_MASTER_KEY_FILE: "));
        assert!(example.contains("GRANTOR_DATABASE_CA_FILE: "));
        assert!(example.contains("UTF8"));
    }
}

/// Settings and their values, as the start checks have them: a new check is found.
fn demanded() -> Vec<(String, String)> {
    let source = Path::new(ROOT).join("crates/stores/src/postgres/judgement.rs");
    let source = text(&source);
    let body = source.split_once("fn of_disk").expect("the checks").1;
    let body = body.split_once("\n    }\n").expect("their end").0;
    let checks = body.split("self.expect(").skip(1).map(|check| {
        let mut quoted = check.split('"').skip(1).step_by(2).map(str::to_owned);
        let both = quoted.next().zip(quoted.next());
        both.expect("a name and a value")
    });
    let by_rule = BY_RULE.map(|(name, value)| (name.to_owned(), value.to_owned()));
    checks.chain(by_rule).collect()
}

fn contrib(name: &str) -> PathBuf {
    Path::new(ROOT).join("contrib").join(name)
}

fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("it is there")
}

/// A copy with one mistake.
fn spoiled(file: &Path, right: &str, wrong: &str) -> tempfile::NamedTempFile {
    let good = text(file);
    let bad = good.replacen(right, wrong, 1);
    assert_ne!(good, bad, "{right:?} is there");
    let copy = tempfile::Builder::new().suffix(".yaml").tempfile();
    let copy = copy.expect("a file");
    fs::write(copy.path(), bad).expect("it is written");
    copy
}

/// What a program of the pinned packages says of a file, where it refuses it.
fn run(program: &str, arguments: &[&str], file: &Path) -> Result<(), String> {
    let pins = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/third_party/deployments.txt"
    );
    let interpreter =
        grantor_testkit::foreign::packages::python("deployments-venv", Path::new(pins));
    let program = interpreter.expect("the packages").with_file_name(program);
    let output = Command::new(program).args(arguments).arg(file).output();
    let output = output.expect("it runs");
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into()),
    }
}
