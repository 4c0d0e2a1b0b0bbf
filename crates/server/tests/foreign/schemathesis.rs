//! M001: the admin API held against its own OpenAPI document by schemathesis (PyPI), with a token of
//! each role and with none. Whatever is asked, there is no failure of the server, and no answer whose
//! status, media type and body the document does not describe.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::{Value, json};

use crate::support::{Server, finished};

/// The checks of schemathesis. Not those by which the document alone would have to say which
/// requests make sense: names, keys and scopes have rules that no schema says.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
                      response_headers_conformance,response_schema_conformance,\
                      missing_required_header,unsupported_method,ignored_auth";

/// How much is tried: cases of an operation, and seconds for all of them. Without the seconds it would
/// be thousands of cases.
#[derive(Clone, Copy)]
struct Effort {
    examples: u32,
    seconds: u32,
}

/// Fewest cases that were tried, or the seconds were too few.
const FEWEST: u32 = 100;
/// Times as many seconds, one after the other, for a machine that does other things meanwhile.
const PATIENCE: [u32; 3] = [1, 4, 16];

const ROLES: [(&str, &str); 3] = [
    ("reader", "grantor:read"),
    ("editor", "grantor:write"),
    ("owner", "grantor:admin"),
];

#[test]
fn m001_no_answer_is_one_that_the_openapi_document_does_not_describe() {
    let server = furnished();
    let usual = Effort {
        examples: 2,
        seconds: 12,
    };
    try_all(
        &server,
        None,
        Effort {
            examples: 1,
            seconds: 6,
        },
    );
    for (role, scope) in ROLES {
        try_all(&server, Some(&token(&server, role, scope)), usual);
    }
    is_well(&server);
}

#[test]
#[ignore = "minutes: .ci/nightly"]
fn m001_for_minutes_no_answer_is_one_that_the_openapi_document_does_not_describe() {
    let server = furnished();
    let much = Effort {
        examples: 100,
        seconds: 400,
    };
    for (role, scope) in ROLES {
        try_all(&server, Some(&token(&server, role, scope)), much);
    }
    is_well(&server);
}

/// A server where everything is there once, and a client for each role.
fn furnished() -> Server {
    let server = Server::start_with("[admin]\nrequests_per_minute = 1000000\n[person]");
    for (role, scope) in ROLES {
        let options = ["--auth", "client_secret_post", "--scope", scope];
        server.client(
            role,
            &[&options[..], &["--grant", "client-credentials"]].concat(),
        );
    }
    server.client("billing", &["--generate-key", "--scope", "read"]);
    server.ok(&["subject", "create", "alice"]);
    server.ok(&["permission", "create", "billing", "alice"]);
    server.ok(&["scope", "set", "read", "--en", "Read"]);
    server
}

/// A token of a client for the API.
fn token(server: &Server, client: &str, scope: &str) -> String {
    let file = fs::read(server.directory().join(format!("{client}.json"))).expect("a key file");
    let file: Value = serde_json::from_slice(&file).expect("JSON");
    let answer = server.token(&[
        ("grant_type", "client_credentials"),
        ("client_id", client),
        (
            "client_secret",
            file["client_secret"].as_str().expect("a secret"),
        ),
        ("scope", scope),
        ("resource", &format!("{}/admin/v1", server.issuer)),
    ]);
    let token = answer.json()["access_token"].as_str().map(str::to_owned);
    token.unwrap_or_else(|| unreachable!("{client}: {answer:?}"))
}

/// Tries as much as a quiet machine does in the time of the effort, however long that takes here.
fn try_all(server: &Server, token: Option<&str>, effort: Effort) {
    let mut told = String::new();
    for times in PATIENCE {
        let seconds = effort.seconds * times;
        told = tried(server, token, Effort { seconds, ..effort });
        if generated(&told) >= FEWEST {
            return;
        }
    }
    // The control: it did try.
    unreachable!("fewer than {FEWEST} cases: {told}");
}

/// What schemathesis tells about cases of which none has failed.
fn tried(server: &Server, token: Option<&str>, effort: Effort) -> String {
    let mut command = schemathesis(server, effort);
    if let Some(token) = token {
        command.args(["--header", &format!("Authorization: Bearer {token}")]);
    }
    let outcome = finished(command.output().expect("the interpreter starts"));
    let told = format!("{}{}", outcome.stdout, outcome.stderr);
    assert!(outcome.status.success(), "{told}");
    told
}

/// How many cases there were.
fn generated(told: &str) -> u32 {
    let mut numbers = told.lines().filter_map(|line| {
        let (number, _) = line.trim().split_once(" generated")?;
        number.parse().ok()
    });
    numbers.next_back().unwrap_or(0)
}

fn schemathesis(server: &Server, effort: Effort) -> Command {
    let python = interpreter()
        .as_deref()
        .unwrap_or_else(|problem| unreachable!("{problem}"));
    let document = format!("{}/admin/v1/openapi.json", server.issuer);
    let mut command = Command::new(python);
    command
        .args([
            "-B",
            "-c",
            "from schemathesis.cli import schemathesis; schemathesis()",
            "run",
        ])
        .args([
            &*document,
            "--checks",
            CHECKS,
            "--phases",
            "examples,coverage,fuzzing",
        ])
        .args([
            "--seed",
            "1",
            "--no-color",
            "--continue-on-failure",
            "--warnings",
            "off",
        ])
        .args([
            "--generation-database",
            "none",
            "--output-truncate",
            "false",
        ])
        .args(["--max-examples", &effort.examples.to_string()])
        .args(["--max-time", &effort.seconds.to_string()])
        // Of one answer, in seconds: the machine may do other things meanwhile.
        .args(["--request-timeout", "60"])
        .current_dir(server.directory())
        .env("no_proxy", "127.0.0.1");
    command
}

/// No failure is in its log, and it goes on.
fn is_well(server: &Server) {
    let faults: Vec<_> = server
        .log()
        .into_iter()
        .filter(|line| line["level"] == json!("ERROR"))
        .collect();
    assert!(faults.is_empty(), "{faults:?}");
    let bearer = format!("Bearer {}", token(server, "reader", "grantor:read"));
    let answer = server.send(
        "GET",
        "/admin/v1/clients",
        &[("Authorization", &bearer)],
        b"",
    );
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// An interpreter that has exactly the pinned packages.
fn interpreter() -> &'static Result<PathBuf, String> {
    static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        let pins = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/third_party/schemathesis.txt"
        );
        grantor_testkit::foreign::packages::python("schemathesis-venv", Path::new(pins))
    })
}
