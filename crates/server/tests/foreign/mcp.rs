//! MCP workload identity (SEP-1933): the client of the MCP TypeScript SDK, which nobody here wrote,
//! finds this server by the metadata of an MCP server and gets a token by the JWT of its platform.
//! The uses are those of the conformance scenario `auth/wif-jwt-bearer`.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::Arc,
};

use grantor::{
    clock::{Clock as _, SystemClock},
    jose::{Algorithm, base64url_decode},
};
use grantor_testkit::{
    Jwt, Key,
    double::{Publisher, Reply},
    foreign::{packages, servers},
    new_token_id, quote,
};
use serde_json::{Value, json};

use crate::support::Server;

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// The SDK, in a process of its own.
struct Sdk {
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Sdk {
    #[expect(clippy::panic, reason = "the problem in plain words is the message")]
    fn start() -> Self {
        let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/mcp");
        let problem = |problem: String| panic!("{problem}");
        let python = servers::interpreter().unwrap_or_else(problem);
        let node = python.with_file_name("node");
        let pins = ["package.json", "package-lock.json"].map(|file| scripts.join(file));
        let packages = packages::node("mcp-sdk", &pins, &python).unwrap_or_else(problem);
        let mut command = Command::new(node);
        command.arg(scripts.join("wif.js")).current_dir(packages);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().expect("Node.js starts");
        Self {
            stdin: child.stdin.take().expect("a pipe"),
            stdout: BufReader::new(child.stdout.take().expect("a pipe")),
            child,
        }
    }

    /// What comes of one use.
    fn uses(&mut self, how: &Value) -> Value {
        writeln!(self.stdin, "{how}").expect("it listens");
        let mut line = String::new();
        self.stdout.read_line(&mut line).expect("UTF-8");
        let said: Value = serde_json::from_str(&line).expect("JSON");
        said
    }
}

impl Drop for Sdk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The platform of the workload.
struct Workload {
    key: Arc<Key>,
    audience: String,
}

impl Workload {
    fn jwt(&self, audience: &str, seconds: i64) -> String {
        let now = SystemClock.now().seconds();
        let jwt = Jwt::default().header("alg", quote("ES256"));
        jwt.text("iss", "https://idp.conformance-test.local")
            .text("sub", "conformance-workload")
            .text("aud", audience)
            .text("jti", &new_token_id())
            .claim("iat", (now + seconds.min(0) - 1).to_string())
            .claim("exp", (now + seconds).to_string())
            .sign(&self.key)
    }

    fn valid(&self) -> String {
        self.jwt(&self.audience, 300)
    }
}

/// The claims of the access token that came.
fn claims(said: &Value) -> Value {
    let token = said["tokens"]["access_token"].as_str();
    let token = token.unwrap_or_else(|| unreachable!("no token: {said}"));
    let payload = token.split('.').nth(1).and_then(base64url_decode);
    serde_json::from_slice(&payload.expect("base64url")).expect("JSON")
}

#[test]
fn t093_the_mcp_sdk_gets_a_token_for_its_server_by_the_jwt_of_a_workload() {
    // The SDK reads no metadata without an authorization endpoint, so people can sign in here.
    let server = Server::start_with("[person]");
    let key = Key::generate(Algorithm::Es256);
    let workload = Workload {
        key: key.clone(),
        audience: server.issuer.clone(),
    };
    // An MCP server, as far as its clients ask who gives tokens for it.
    let mcp = Publisher::apart(&[]);
    let resource = format!("{}/mcp", mcp.issuer);
    let metadata = json!({"resource": resource, "authorization_servers": [server.issuer]});
    mcp.says(
        "/.well-known/oauth-protected-resource/mcp",
        Reply::json(&metadata),
    );

    let path = server.directory().join("idp.jwks");
    let jwks = json!({"keys": [key.public_jwk(&[("kid", Value::Null)])]});
    fs::write(&path, jwks.to_string()).expect("a file");
    let path = path.to_string_lossy().into_owned();
    let iss = "https://idp.conformance-test.local";
    server.ok(&["issuer", "create", iss, "--name", "idp", "--jwks", &path]);
    let trust = [
        "trust",
        "create",
        "conformance-wif-workload",
        "--from",
        "idp",
    ];
    let pin = [
        "--pin",
        "sub=conformance-workload",
        "--scope",
        "tools:read",
        "--resource",
        &resource,
    ];
    server.ok(&[&trust[..], &pin].concat());

    let metadata = server
        .send("GET", "/.well-known/oauth-authorization-server", &[], b"")
        .json();
    let lists = |member: &str, value: &str| {
        let values = metadata[member].as_array().expect("a list");
        assert!(values.contains(&json!(value)), "T093 {member}: {metadata}");
    };
    lists("grant_types_supported", GRANT);
    lists("token_endpoint_auth_methods_supported", "none");

    let mut sdk = Sdk::start();
    let with = |assertion: &str, more: Value| {
        let mut how = json!({"server": resource, "assertion": assertion});
        for (name, value) in more.as_object().expect("an object") {
            how[name] = value.clone();
        }
        how
    };
    // The scenario's three: with the client id that it gives, and without.
    let named = json!({"client_id": "conformance-wif-workload"});
    for more in [&named, &json!({})] {
        let got = claims(&sdk.uses(&with(&workload.valid(), more.clone())));
        assert_eq!(
            got["aud"], resource,
            "T093: the token is for the MCP server"
        );
        assert_eq!(got["client_id"], "conformance-wif-workload");
        assert_eq!(got["scope"], "tools:read");
        let wrong = workload.jwt("https://wrong.example", 300);
        assert_eq!(
            sdk.uses(&with(&wrong, more.clone()))["error"],
            "invalid_grant",
            "the audience"
        );
        let expired = workload.jwt(&workload.audience, -60);
        assert_eq!(
            sdk.uses(&with(&expired, more.clone()))["error"],
            "invalid_grant",
            "expired"
        );
    }
    let asks = |scope: &str| json!({"client_id": "conformance-wif-workload", "scope": scope});
    let said = sdk.uses(&with(&workload.valid(), asks("tools:read")));
    assert_eq!(claims(&said)["scope"], "tools:read");
    let said = sdk.uses(&with(&workload.valid(), asks("wif.rejected")));
    assert_eq!(said["error"], "invalid_scope", "{said}");
    assert_eq!(said["requests"], 1, "{said}");
    // A JWT that was used is told from one that is wrong (T016).
    let once = workload.valid();
    claims(&sdk.uses(&with(&once, named.clone())));
    let again = sdk.uses(&with(&once, named.clone()));
    assert_eq!(again["error"], "invalid_grant", "{again}");
    assert!(
        again["message"]
            .as_str()
            .is_some_and(|text| text.contains("used before")),
        "{again}"
    );
    let other = sdk.uses(&with(
        &workload.valid(),
        json!({"client_id": "somebody-else"}),
    ));
    assert_eq!(other["error"], "invalid_grant", "T024: {other}");
    // The client of the trust is disabled.
    server.ok(&["client", "disable", "conformance-wif-workload"]);
    server.wait_until("the client is disabled", || {
        sdk.uses(&with(&workload.valid(), named.clone()))["error"] == "unauthorized_client"
    });
}

/// An MCP server for which a token may not be had.
#[test]
fn t028_t093_a_token_is_for_no_other_mcp_server_than_those_of_the_trust() {
    let server = Server::start_with("[person]");
    let key = Key::generate(Algorithm::Es256);
    let workload = Workload {
        key: key.clone(),
        audience: server.issuer.clone(),
    };
    let mcp = Publisher::apart(&[]);
    let resource = format!("{}/mcp", mcp.issuer);
    let metadata = json!({"resource": resource, "authorization_servers": [server.issuer]});
    mcp.says(
        "/.well-known/oauth-protected-resource/mcp",
        Reply::json(&metadata),
    );
    let path = server.directory().join("idp.jwks");
    fs::write(&path, json!({"keys": [key.public_jwk(&[])]}).to_string()).expect("a file");
    let path = path.to_string_lossy().into_owned();
    server.ok(&[
        "issuer",
        "create",
        "https://idp.conformance-test.local",
        "--name",
        "idp",
        "--jwks",
        &path,
    ]);
    let trust = [
        "trust",
        "create",
        "other",
        "--from",
        "idp",
        "--pin",
        "sub=conformance-workload",
    ];
    server.ok(&[&trust[..], &["--resource", "https://other.example/mcp"]].concat());
    let mut sdk = Sdk::start();
    let said = sdk.uses(&json!({"server": resource, "assertion": workload.valid()}));
    assert_eq!(said["error"], "invalid_target", "{said}");
}
