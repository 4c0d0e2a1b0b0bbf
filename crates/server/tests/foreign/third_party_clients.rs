//! OAuth clients and JWT libraries that others wrote, from PyPI, against the real binary. What each
//! one needs is in docs/clients.md. A scenario is a Python function in `third_party/`; it asserts,
//! and its output is shown when it fails.

use std::{
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use crate::{
    browser::{ALICE, CODE_GRANT, Here, PASSWORD},
    support::Server,
};

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/third_party");

#[test]
fn authlib_assertion_session_gets_and_renews_tokens() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key", "--scope", "invoices:read"]);
    run(
        "with_authlib.py",
        "assertion_session",
        &[&text(&key), &resource(&server)],
    );
}

#[test]
fn authlib_assertion_session_acts_for_permitted_subjects_only() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    permit(&server, "billing");
    run(
        "with_authlib.py",
        "assertion_session_for_a_subject",
        &[&text(&key), "alice@example.com", "bob@example.com"],
    );
}

#[test]
fn authlib_with_shared_claims_is_told_of_its_replay() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    run(
        "with_authlib.py",
        "shared_claims_are_a_replay",
        &[&text(&key)],
    );
}

#[test]
fn authlib_httpx_assertion_clients_get_tokens() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    for scenario in ["httpx_assertion_client", "httpx_async_assertion_client"] {
        run(
            "with_authlib.py",
            scenario,
            &[&text(&key), &resource(&server)],
        );
    }
}

#[test]
fn authlib_oauth2_session_authenticates_by_every_method() {
    let server = Server::start();
    let [private, secret, basic, post] = one_client_per_method(&server);
    run(
        "with_authlib.py",
        "client_authentication",
        &["invoices:read", &private, &secret, &basic, &post],
    );
}

/// The seed's own example: `private_key_jwt` on the code grant, and the others beside it.
#[test]
fn c106_authlib_oauth2_session_redeems_codes_by_every_method() {
    code_grant("with_authlib.py");
}

#[test]
fn c083_a_recovery_ends_what_others_may_have() {
    let here = Here::new();
    let invited = here.json(&["subject", "invite", ALICE, "--recover"]);
    let link = invited["link"].as_str().expect("a link");
    run(
        "with_authlib.py",
        "recovered",
        &[ALICE, PASSWORD, &text(&here.key), link],
    );
}

#[test]
fn c106_requests_oauth2client_redeems_codes_by_every_method() {
    code_grant("with_requests_oauth2client.py");
}

/// A person says yes to one client for each method; each redeems its code and refreshes.
fn code_grant(script: &str) {
    let here = Here::new();
    let keys = METHODS.map(|method| {
        let generate = match method {
            "private_key_jwt" => &["--generate-key"][..],
            _ => &["--auth", method],
        };
        text(&here.server.client(method, &[generate, CODE_GRANT].concat()))
    });
    let keys = keys.each_ref().map(String::as_str);
    run(
        script,
        "code_grant",
        &[&[ALICE, PASSWORD], &keys[..]].concat(),
    );
}

#[test]
fn authlib_signs_for_both_uses_with_generated_keys() {
    let server = Server::start();
    let keys = one_client_per_algorithm(&server);
    run(
        "with_authlib.py",
        "both_uses_in_one_request",
        &keys.each_ref().map(String::as_str),
    );
}

#[test]
fn authlib_default_audience_is_refused_with_the_remedy() {
    let server = Server::start();
    let [private, secret] = one_client_per_assertion_method(&server, "strict");
    run(
        "with_authlib.py",
        "default_audience_is_refused",
        &[&private, &secret],
    );
}

#[test]
fn authlib_default_audience_is_accepted_by_legacy_policy() {
    let server = Server::start();
    let [private, secret] = one_client_per_assertion_method(&server, "legacy");
    run(
        "with_authlib.py",
        "default_audience_is_accepted",
        &[&private, &secret],
    );
}

#[test]
fn authlib_requests_posted_again_are_refused() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    run("with_authlib.py", "replays_are_refused", &[&text(&key)]);
}

#[test]
fn google_auth_gets_tokens_with_a_service_account_file() {
    let server = Server::start();
    let key = service_account(&server);
    run(
        "with_google_auth.py",
        "service_account",
        &[&text(&key), &resource(&server)],
    );
    run(
        "with_google_auth.py",
        "wider_scope_is_refused",
        &[&text(&key)],
    );
}

#[test]
fn google_auth_refreshes_twice_in_one_second() {
    let server = Server::start();
    let key = service_account(&server);
    run(
        "with_google_auth.py",
        "two_refreshes_in_one_second",
        &[&text(&key)],
    );
}

#[test]
fn google_auth_acts_for_permitted_subjects_only() {
    let server = Server::start();
    let key = service_account(&server);
    permit(&server, "pipeline@ci.example");
    run(
        "with_google_auth.py",
        "with_subject",
        &[&text(&key), "alice@example.com", "bob@example.com"],
    );
}

#[test]
fn requests_oauth2client_authenticates_by_every_method() {
    let server = Server::start();
    let [private, secret, basic, post] = one_client_per_method(&server);
    run(
        "with_requests_oauth2client.py",
        "client_authentication",
        &["invoices:read", &private, &secret, &basic, &post],
    );
}

#[test]
fn requests_oauth2client_presents_a_grant() {
    let server = Server::start();
    let key = server.client("billing", &["--generate-key"]);
    run(
        "with_requests_oauth2client.py",
        "jwt_bearer",
        &[&text(&key)],
    );
}

#[test]
fn requests_oauth2client_default_audience_needs_legacy_policy() {
    let server = Server::start();
    for (policy, scenario) in [
        ("strict", "default_audience_is_refused"),
        ("legacy", "default_audience_is_accepted"),
    ] {
        let key = server.client(policy, &["--generate-key", "--audience-policy", policy]);
        run("with_requests_oauth2client.py", scenario, &[&text(&key)]);
    }
}

#[test]
fn oauthlib_service_application_gets_a_token_once() {
    let server = Server::start();
    let key = service_account(&server);
    run(
        "with_oauthlib.py",
        "service_application",
        &[&text(&key), "invoices:read"],
    );
}

#[test]
fn requests_oauthlib_backend_application_gets_a_token() {
    let server = Server::start();
    let key = server.client(
        "billing",
        &["--auth", "client_secret_basic", "--scope", "invoices:read"],
    );
    run(
        "with_oauthlib.py",
        "backend_application",
        &[&text(&key), "invoices:read"],
    );
}

#[test]
fn idpyoidc_authenticates_with_the_issuer_as_audience() {
    let server = Server::start();
    let [private, secret] = one_client_per_assertion_method(&server, "strict");
    run(
        "with_idpyoidc.py",
        "client_authentication",
        &[&private, &secret],
    );
}

#[test]
fn pyjwt_signs_for_both_uses_with_keys_made_elsewhere() {
    const ALGORITHMS: [&str; 5] = ["RS256", "PS256", "ES256", "ES384", "EdDSA"];
    let server = Server::start();
    let directory = text(server.directory());
    run(
        "with_pyjwt.py",
        "make_keys",
        &[&[directory.as_str()], &ALGORITHMS[..]].concat(),
    );
    for algorithm in ALGORITHMS {
        server.ok(&[
            "client",
            "create",
            algorithm,
            "--jwks",
            &format!("{algorithm}-jwks.json"),
        ]);
    }
    run(
        "with_pyjwt.py",
        "both_uses_with_own_keys",
        &[&[server.issuer.as_str(), &directory], &ALGORITHMS[..]].concat(),
    );
}

#[test]
fn pyjwt_signs_for_both_uses_with_generated_keys() {
    let server = Server::start();
    let keys = one_client_per_algorithm(&server);
    run(
        "with_pyjwt.py",
        "both_uses_with_key_files",
        &keys.each_ref().map(String::as_str),
    );
}

#[test]
fn pyjwt_authenticates_with_a_secret_that_grants_nothing() {
    let server = Server::start();
    let key = server.client("billing", &["--auth", "client_secret_jwt"]);
    run(
        "with_pyjwt.py",
        "secret_authenticates_but_grants_nothing",
        &[&text(&key)],
    );
}

#[test]
fn tokens_of_every_signing_algorithm_validate_in_pyjwt_and_joserfc() {
    let servers = ["ES256", "RS256", "PS256", "ES384", "EdDSA"].map(|algorithm| {
        Server::start_with(&format!("[token]\nsigning_algorithm = \"{algorithm}\""))
    });
    let keys = servers
        .each_ref()
        .map(|server| text(&server.client("billing", &["--generate-key"])));
    run(
        "with_pyjwt.py",
        "both_uses_with_key_files",
        &keys.each_ref().map(String::as_str),
    );
}

#[test]
fn tokens_signed_under_the_new_name_of_ed25519_validate_in_joserfc_only() {
    let server = Server::start_with("[token]\nsigning_algorithm = \"Ed25519\"");
    let key = server.client("billing", &["--generate-key"]);
    run("with_pyjwt.py", "ed25519_by_its_new_name", &[&text(&key)]);
}

/// A client in the service-account form, with a scope.
fn service_account(server: &Server) -> PathBuf {
    server.client(
        "pipeline@ci.example",
        &[
            "--generate-key",
            "--format",
            "google",
            "--scope",
            "invoices:read",
        ],
    )
}

/// The methods that prove who is calling, assertions first.
const METHODS: [&str; 4] = [
    "private_key_jwt",
    "client_secret_jwt",
    "client_secret_basic",
    "client_secret_post",
];

/// Key files of one client for each method that proves who is calling.
fn one_client_per_method(server: &Server) -> [String; 4] {
    METHODS.map(|method| {
        let generate: &[&str] = if method == "private_key_jwt" {
            &["--generate-key"]
        } else {
            &[]
        };
        text(&server.client(
            method,
            &[&["--auth", method, "--scope", "invoices:read"], generate].concat(),
        ))
    })
}

/// Key files of a `private_key_jwt` and a `client_secret_jwt` client under this audience policy.
fn one_client_per_assertion_method(server: &Server, policy: &str) -> [String; 2] {
    [
        ("private", "--generate-key"),
        ("secret", "--auth=client_secret_jwt"),
    ]
    .map(|(id, credential)| text(&server.client(id, &[credential, "--audience-policy", policy])))
}

/// Key files of one client for each algorithm that assertions may have by default.
fn one_client_per_algorithm(server: &Server) -> [String; 5] {
    ["RS256", "PS256", "ES256", "ES384", "Ed25519"]
        .map(|name| text(&server.client(name, &["--generate-key", name])))
}

/// Lets a client act for alice, and nobody else; bob is known.
fn permit(server: &Server, client: &str) {
    for subject in ["alice@example.com", "bob@example.com"] {
        server.ok(&["subject", "create", subject]);
    }
    server.ok(&["permission", "create", client, "alice@example.com"]);
}

/// Something to get with a token: what it is does not matter here.
fn resource(server: &Server) -> String {
    format!("{}/jwks", server.issuer)
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}

/// Runs one scenario.
#[expect(clippy::panic, reason = "the problem in plain words is the message")]
fn run(script: &str, scenario: &str, arguments: &[&str]) {
    let python = interpreter()
        .as_deref()
        .unwrap_or_else(|problem| panic!("{problem}"));
    let mut command = Command::new(python);
    command
        .arg("-B")
        .arg(Path::new(SCRIPTS).join(script))
        .arg(scenario)
        .args(arguments)
        .env("no_proxy", "127.0.0.1");
    let outcome = crate::support::finished(command.output().expect("the interpreter starts"));
    assert!(
        outcome.status.success(),
        "{script}, {scenario}:\n{}{}",
        outcome.stdout,
        outcome.stderr
    );
}

/// An interpreter that has exactly the pinned packages.
fn interpreter() -> &'static Result<PathBuf, String> {
    static INTERPRETER: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    INTERPRETER.get_or_init(|| {
        grantor_testkit::foreign::packages::python(
            "third-party-venv",
            &Path::new(SCRIPTS).join("requirements.txt"),
        )
    })
}
