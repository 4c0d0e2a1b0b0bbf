//! The door for workloads, as the README opens it: the operator's command and the workflow file, as
//! they stand there, with a stand-in for GitHub that gives the job its JWT.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    path::Path,
    process::Command,
    thread,
};

use grantor::clock::{Clock as _, SystemClock};
use grantor_testkit::{Jwt, binary::Server, keys, quote};
use serde_json::json;

const GITHUB: &str = "https://token.actions.githubusercontent.com";

/// The code block of the README that contains this text.
fn block(text: &str) -> String {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md");
    let readme = fs::read_to_string(readme).expect("the README");
    let mut blocks = readme.split("```").skip(1).step_by(2);
    let block = blocks.find(|block| block.contains(text));
    let block = block.expect("the block");
    let (_, block) = block.split_once('\n').expect("a language");
    block.to_owned()
}

/// What the one step of the workflow runs.
fn script(workflow: &str) -> String {
    let (_, script) = workflow.split_once("run: |\n").expect("a step");
    let lines = script.lines().map(str::trim_start);
    lines.collect::<Vec<_>>().join("\n")
}

/// A JWT as GitHub gives it to a job of `acme/widgets` on this branch.
fn jwt(audience: &str, branch: &str) -> String {
    let now = SystemClock.now().seconds();
    Jwt::default()
        .header("alg", quote("RS256"))
        .header("kid", quote(keys::RSA.key_id().expect("a kid")))
        .text("iss", GITHUB)
        .text("aud", audience)
        .text("sub", "repo:acme@123456/widgets@456789:ref:refs/heads/main")
        .text("jti", &grantor_testkit::new_token_id())
        .claim("iat", now.to_string())
        .claim("nbf", (now - 600).to_string())
        .claim("exp", (now + 300).to_string())
        .text("repository", "acme/widgets")
        .text("repository_id", "456789")
        .text("repository_owner", "acme")
        .text("repository_owner_id", "123456")
        .text("ref", branch)
        .text("event_name", "push")
        .sign(&keys::RSA)
}

/// Answers one request as GitHub does, for a job on this branch. The URL is what the job is told.
fn github(branch: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a request");
        let mut head = vec![0; 8192];
        let read = stream.read(&mut head).expect("a head");
        let head = String::from_utf8_lossy(&head[..read]).into_owned();
        let authorized = head.to_ascii_lowercase();
        assert!(
            authorized.contains("authorization: bearer of-the-job"),
            "{head}"
        );
        let (_, audience) = head.split_once("&audience=").expect("an audience");
        let (audience, _) = audience.split_once(' ').expect("an end");
        let body = json!({"value": jwt(audience, branch)}).to_string();
        let length = body.len();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        stream.write_all(answer.as_bytes()).expect("an answer");
    });
    format!("http://{address}/token?api-version=2.0")
}

/// Runs the workflow's step as a runner does. Answers what it wrote, and whether it went well.
fn run(server: &Server, branch: &'static str) -> (String, String, bool) {
    let workflow = block("id-token: write");
    let environment = server.directory().join("github-env");
    fs::write(&environment, "").expect("a file");
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-eo", "pipefail", "-c"])
        .arg(script(&workflow))
        .env("AS", &server.issuer)
        .env("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "of-the-job")
        .env("ACTIONS_ID_TOKEN_REQUEST_URL", github(branch))
        .env("GITHUB_ENV", &environment)
        .env("NO_PROXY", "127.0.0.1")
        .output()
        .expect("bash, curl and jq");
    let kept = fs::read_to_string(&environment).expect("a file");
    let text = String::from_utf8_lossy(&output.stdout).into_owned()
        + &String::from_utf8_lossy(&output.stderr);
    (kept, text, output.status.success())
}

#[test]
fn the_workflow_of_the_readme_works_as_it_stands() {
    let server = Server::start();
    // The keys of GitHub itself are out of reach here.
    let jwks = server.directory().join("github.json");
    let public = json!({"keys": [keys::RSA.public().jwk()]}).to_string();
    fs::write(&jwks, public).expect("a file");
    let jwks = jwks.to_str().expect("UTF-8");
    let issuer = [
        "issuer",
        "create",
        GITHUB,
        "--name",
        "github-actions",
        "--jwks",
        jwks,
    ];
    let kept = [
        "--max-lifetime",
        "5m",
        "--tenant-claim",
        "repository_owner_id",
        "--shared",
    ];
    server.ok(&[&issuer[..], &kept].concat());
    let command = block("grantor trust create deploy");
    let command = command.replace("\\\n", " ");
    let words: Vec<_> = command.split_whitespace().skip(1).collect();
    server.ok(&words);

    let (kept, text, done) = run(&server, "refs/heads/main");
    assert!(done, "{text}");
    let token = kept.trim().strip_prefix("TOKEN=").expect("a token");
    assert!(text.contains(&format!("::add-mask::{token}")), "{text}");
    assert_eq!(token.split('.').count(), 3, "{token}");

    let (kept, text, done) = run(&server, "refs/heads/feature");
    assert!(!done && kept.is_empty(), "{text}");
    assert!(
        text.contains("claim ref is not what trust deploy expects"),
        "{text}"
    );
    let (_, id) = text.split_once("(decision ").expect("a decision");
    let (id, _) = id.split_once(')').expect("its end");
    server.wait_until("the decision is recorded", || {
        server.run(&["decisions", "show", id]).status.success()
    });
    let shown = server.ok(&["decisions", "show", id]);
    for words in [
        "refs/heads/feature",
        "refs/heads/main",
        "repository_owner_id",
        "trust update",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}
