//! Platforms whose JWTs strangers can have too, by the templates that know them: what each platform
//! says of a job of ours passes, what it says of anybody else's does not.

use std::{fs, path::Path, time::Instant};

use grantor::jose::Algorithm;
use serde_json::{Map, Value, json};

use super::idp::{Idp, claims, command_refused, jwks_file};
use crate::{
    forge::Key,
    oracle::{Use, now, world},
    support::{Answer, Finished, Server},
};

/// The templates as they are shipped.
fn templates() -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../grantor/src/admin/templates.json");
    let text = fs::read_to_string(path).expect("the templates");
    let document: Value = serde_json::from_str(&text).expect("JSON");
    document["templates"].as_array().expect("a list").clone()
}

fn template(name: &str) -> Value {
    let mut all = templates().into_iter();
    all.find(|template| template["name"] == name)
        .expect("a template")
}

/// A platform that is registered at a server, its keys uploaded.
struct Platform {
    server: Server,
    template: Value,
    idp: Idp,
}

impl Platform {
    /// With the issuer of the template's example, and no trust.
    fn of(template: Value) -> Self {
        let server = Server::start();
        let name = template["name"].as_str().expect("a name").to_owned();
        let key = Key::generate(Algorithm::Es256);
        let example = &template["example"];
        let spiffe = name == "spiffe";
        let iss = match spiffe {
            true => "spiffe://acme.example",
            false => example["iss"].as_str().expect("an iss"),
        };
        let keys = key.public_jwk(&[("use", json!(if spiffe { "jwt-svid" } else { "sig" }))]);
        let path = jwks_file(&server, &name, &[keys]);
        let flag = if spiffe { "--spiffe-bundle" } else { "--jwks" };
        let mut create = vec![
            "issuer", "create", iss, "--name", &name, flag, &path, "--alg", "ES256",
        ];
        let lifetime = format!("{}s", template["max_lifetime"]);
        create.extend(["--max-lifetime", &lifetime]);
        create.extend(["--replay", template["replay"].as_str().expect("a policy")]);
        if let Some(how) = template["audience_match"].as_str() {
            create.extend(["--audience-match", how]);
        }
        let fixed = example["aud"]
            .as_str()
            .filter(|aud| *aud != "https://as.example");
        create.extend(fixed.into_iter().flat_map(|aud| ["--audience", aud]));
        server.ok(&create);
        let idp = Idp::of(&server, iss, &name, &key);
        Self {
            server,
            template,
            idp,
        }
    }

    /// Tries to make a trust by the template with these options.
    fn try_trust(&self, name: &str, options: &[(&str, &str)]) -> Finished {
        let template = self.template["name"].as_str().expect("a name");
        let mut create = vec!["trust", "create", name, "--template", template];
        let flags: Vec<_> = options
            .iter()
            .map(|(name, _)| format!("--{name}"))
            .collect();
        for (flag, (_, value)) in flags.iter().zip(options) {
            create.push(flag);
            create.extend(Some(*value).filter(|value| *value != FLAG));
        }
        self.server.run(&create)
    }

    fn trust(&self, name: &str, options: &[(&str, &str)]) {
        let made = self.try_trust(name, options);
        assert!(made.status.success(), "{name}: {}", made.stderr);
    }

    /// What the platform says of a job, with these claims in place of those of the example.
    fn jwt(&self, changes: &Value) -> String {
        let mut example = self.template["example"]
            .as_object()
            .expect("claims")
            .clone();
        for (path, value) in changes.as_object().expect("an object") {
            set(&mut example, path, value.clone());
        }
        let ours = |aud: &Value| match aud == "https://as.example" {
            true => json!(self.server.issuer),
            false => aud.clone(),
        };
        let aud = match example["aud"].clone() {
            Value::Array(all) => all.iter().map(ours).collect(),
            aud => ours(&aud),
        };
        example.insert("aud".to_owned(), aud);
        for (name, offset) in [("iat", 0), ("nbf", -600), ("exp", 290)] {
            if name != "nbf" || example.contains_key(name) {
                example.insert(name.to_owned(), json!(now() + offset));
            }
        }
        if example.contains_key("jti") {
            example.insert("jti".to_owned(), json!(crate::oracle::fresh()));
        }
        example.retain(|_, value| !value.is_null());
        let jwt = self
            .idp
            .jwt()
            .without("tenant")
            .without("iss")
            .without("sub");
        let jwt = match self.template["replay"] == "once" {
            true => jwt,
            // These platforms have no jti; another job is another JWT.
            false => jwt.without("jti").text("job", &crate::oracle::fresh()),
        };
        let claims = example.iter();
        claims
            .fold(jwt, |jwt, (name, value)| jwt.claim(name, value.to_string()))
            .sign()
    }

    fn ask(&self, row: &str, changes: &Value) -> Answer {
        let token = self.jwt(changes);
        let answer = self.server.token(&Use::Grant.form(&token));
        if answer.status != 200 {
            // Claims are echoed by their names only. The time is measured where nothing else is
            // tried.
            world().judge(row, &answer, Instant::now(), &[]);
        }
        answer
    }

    fn passes(&self, row: &str, changes: &Value) -> Value {
        let answer = self.ask(row, changes);
        assert_eq!(
            answer.status,
            200,
            "{row}: {answer:?} {}",
            self.record(&answer)
        );
        claims(&answer)
    }

    /// It is refused, because of this claim; the example passes.
    fn refuses(&self, row: &str, changes: &Value, because: &str) {
        let answer = self.ask(row, changes);
        assert_eq!(answer.error(), "invalid_grant", "{row}: {answer:?}");
        let record = self.record(&answer);
        let cause = record["cause"].as_str().unwrap_or_default();
        // T043: of the trusts of others a stranger is told nothing, and nothing is recorded.
        let because = match self.tenants().contains(&because) {
            true => "no trust of the issuer is for the tenant",
            false => because,
        };
        assert!(
            cause.contains(because),
            "{row}: expected {because}: {cause}"
        );
        self.passes(&format!("control of {row}"), &json!({}));
    }

    /// The claims that tell the customers of its issuer apart.
    fn tenants(&self) -> Vec<&str> {
        let issuers = self.template["issuers"].as_array().expect("a list");
        let its = issuers.iter().find(|issuer| issuer["iss"] == self.idp.iss);
        let claims = its.and_then(|issuer| issuer["tenant_claims"].as_array());
        claims
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }

    fn record(&self, answer: &Answer) -> Value {
        match answer.decision_id() {
            id if id.is_empty() => Value::Null,
            id => self.server.decision(&id),
        }
    }
}

/// The value of an option that has none.
const FLAG: &str = "";

/// Sets the claim of this name, or at this JSON pointer.
fn set(claims: &mut Map<String, Value>, path: &str, value: Value) {
    let mut steps: Vec<_> = match path.strip_prefix('/') {
        Some(pointer) => pointer
            .split('/')
            .map(|step| step.replace("~1", "/").replace("~0", "~"))
            .collect(),
        None => vec![path.to_owned()],
    };
    let last = steps.pop().expect("a name");
    let mut object = claims;
    for step in steps {
        object = object[&step].as_object_mut().expect("an object");
    }
    object.insert(last, value);
}

/// The options of the example.
fn options(template: &Value) -> Vec<(&str, &str)> {
    let options = template["example_options"].as_object().expect("options");
    options
        .iter()
        .map(|(name, value)| (&**name, value.as_str().unwrap_or(FLAG)))
        .collect()
}

const MAIN: [(&str, &str); 3] = [
    ("owner-id", "123456"),
    ("repository-id", "456789"),
    ("ref", "refs/heads/main"),
];

/// What a template says of itself is true of the server.
#[test]
fn t094_what_is_like_a_job_of_ours_is_refused_on_every_platform() {
    let all = templates();
    assert!(all.len() >= 16, "{} templates", all.len());
    for template in all {
        let platform = Platform::of(template.clone());
        let name = template["name"].as_str().expect("a name");
        platform.trust("ours", &options(&template));
        platform.passes(&format!("{name}: the example"), &json!({}));
        for miss in template["near_misses"].as_array().expect("a list") {
            let row = format!("{name}: {}", miss["what"]);
            // Without iss, what names no domain that is known here is nobody's JWT.
            let is_nobodys = name == "spiffe" && miss["what"] != "another workload";
            let because = match is_nobodys {
                true => "claim 'iss' is missing",
                false => miss["fails"].as_str().expect("a claim"),
            };
            platform.refuses(&row, &miss["change"], because);
        }
        // Each option that is required is required.
        for (left_out, _) in options(&template) {
            let declared = template["options"].as_array().expect("a list");
            let required = declared
                .iter()
                .any(|one| one["name"] == left_out && one["required"] == true);
            let mut rest = options(&template);
            rest.retain(|(name, _)| *name != left_out);
            if required {
                let made = platform.try_trust("without", &rest);
                command_refused(
                    &format!("T094 {name} without {left_out}"),
                    &made,
                    2,
                    left_out,
                );
            }
        }
    }
}

#[test]
fn ta19_names_that_begin_or_end_like_ours_are_not_ours() {
    let server = Server::start();
    let key = Key::generate(Algorithm::Es256);
    let idp = Idp::uploaded(&server, "forge", &key, &[]);
    idp.trust(
        &server,
        "pins",
        &[
            "--pin",
            "kind=pins",
            "--pin",
            "repository=acme/widgets",
            "--pin",
            "ref=refs/heads/main",
        ],
    );
    idp.trust(
        &server,
        "globs",
        &[
            "--pin",
            "kind=globs",
            "--match",
            "repository=acme/widgets",
            "--match",
            "ref=refs/heads/ma*n",
        ],
    );
    idp.trust(
        &server,
        "owner",
        &[
            "--pin",
            "kind=owner",
            "--match",
            "repository=acme/*",
            "--pin",
            "ref=refs/heads/main",
        ],
    );
    idp.trust(
        &server,
        "starts",
        &[
            "--pin",
            "kind=starts",
            "--condition",
            "assertion.repository.startsWith('acme/') && assertion.ref == 'refs/heads/main'",
        ],
    );
    let ask = |kind: &str, repository: &str, branch: &str| {
        let claims = json!({"kind": kind, "repository": repository, "ref": branch});
        server.token(&Use::Grant.form(&idp.jwt_with(&claims).sign()))
    };
    let main = "refs/heads/main";
    for kind in ["pins", "globs", "owner", "starts"] {
        for (repository, branch) in [
            ("acme/widgets-evil", main),
            ("acme-evil/widgets", main),
            ("evil/acme-widgets", main),
            ("evil/acme/widgets", main),
            ("ACME/widgets", main),
            ("acme", main),
            ("acme/widgets", "refs/heads/main-x"),
            ("acme/widgets", "refs/heads/x/refs/heads/main"),
            ("acme/widgets", "refs/heads/main "),
            ("acme/widgets", "refs/tags/main"),
            ("acme/widgets", "main"),
            ("acme/widgets\n", main),
        ] {
            let is_of_owner = matches!(kind, "owner" | "starts")
                && repository.starts_with("acme/")
                && branch == main;
            let answer = ask(kind, repository, branch);
            let row = format!("TA19 {kind} {repository:?} {branch:?}");
            assert_eq!(
                answer.status,
                if is_of_owner { 200 } else { 400 },
                "{row}: {answer:?}"
            );
        }
        assert_eq!(
            ask(kind, "acme/widgets", main).status,
            200,
            "TA19 control {kind}"
        );
    }
    for (number, (condition, lint)) in [
        ("assertion.repository.startsWith('acme')", "loose-test"),
        (
            "assertion.repository.startsWith('acme/widgets')",
            "loose-test",
        ),
        ("assertion.repository != 'evil/widgets'", "negative-only"),
    ]
    .into_iter()
    .enumerate()
    {
        let name = format!("loose-{number}");
        let create = [
            "trust",
            "create",
            &name,
            "--from",
            "forge",
            "--condition",
            condition,
        ];
        command_refused(&format!("T041 {condition}"), &server.run(&create), 2, lint);
        server.ok(&[&create[..], &["--allow", lint]].concat());
    }
}

#[test]
fn ta20_a_star_is_one_segment_and_something() {
    let server = Server::start();
    let idp = Idp::uploaded(&server, "forge", &Key::generate(Algorithm::Es256), &[]);
    idp.trust(&server, "release", &["--match", "ref=refs/heads/release/*"]);
    let ask = |branch: &str| server.token(&Use::Grant.form(&idp.jwt().text("ref", branch).sign()));
    for (branch, status) in [
        ("refs/heads/release/a/b", 400),
        ("refs/heads/release/", 400),
        ("refs/heads/release/a:b", 400),
        ("refs/heads/release", 400),
        ("refs/heads/Release/1.0", 400),
        ("x/refs/heads/release/1.0", 400),
        ("refs/heads/release/1.0", 200),
        ("refs/heads/release/*", 200),
    ] {
        let answer = ask(branch);
        assert_eq!(answer.status, status, "TA20 {branch}: {answer:?}");
    }
    for glob in ["*", "**", "**x", "a*b*c*d*e*f*g*h*i*j", "[ab]*"] {
        let made = server.run(&[
            "trust",
            "create",
            "wide",
            "--from",
            "forge",
            "--match",
            &format!("ref={glob}"),
        ]);
        assert_eq!(made.status.code(), Some(2), "TA20 {glob}: {}", made.stderr);
    }
}

#[test]
fn ta21_ta22_ta23_ta24_a_job_of_github_is_told_by_ids_whatever_its_subject_is_called() {
    let github = Platform::of(template("github-actions"));
    github.trust("ours", &MAIN);
    github.refuses(
        "TA21 the account was deleted, its name taken again",
        &json!({"repository_owner_id": "999999", "repository_id": "1000001"}),
        "repository_owner_id",
    );
    github.refuses(
        "TA21 the repository, too",
        &json!({"repository_id": "1000001"}),
        "repository_id",
    );
    for sub in [
        "repo:acme/widgets:ref:refs/heads/main",
        "repo:acme@123456/widgets@456789:ref:refs/heads/main",
        "repo:acme/widgets:environment:prod",
        "repository_owner_id:123456:job_workflow_ref:acme/shared/.github/workflows/deploy.yml@refs/heads/main",
        "repo:evil/widgets:ref:refs/heads/main",
    ] {
        github.passes(&format!("TA22 {sub}"), &json!({"sub": sub}));
    }
    github.passes(
        "TA22 renamed",
        &json!({"repository": "acme/gadgets", "repository_owner": "acme-corp"}),
    );
    for event in [
        "pull_request",
        "pull_request_target",
        "workflow_run",
        "issue_comment",
        "fork",
        "",
    ] {
        github.refuses(
            &format!("TA23 {event:?}"),
            &json!({"event_name": event}),
            "condition",
        );
    }
    github.refuses("TA23 no event", &json!({"event_name": null}), "condition");
    for event in ["push", "release", "workflow_dispatch", "schedule"] {
        github.passes(
            &format!("TA23 control {event}"),
            &json!({"event_name": event}),
        );
    }
    let github = Platform::of(template("github-actions"));
    let shared = "acme/shared/.github/workflows/deploy.yml@refs/heads/main";
    github.trust(
        "reusable",
        &[
            ("owner-id", "123456"),
            ("all-repositories", FLAG),
            ("workflow", shared),
            ("ref", "refs/heads/main"),
        ],
    );
    let foreign = json!({
        "repository": "evil/widgets", "repository_id": "666", "repository_owner": "evil", "repository_owner_id": "666",
        "job_workflow_ref": shared,
    });
    github.refuses("TA24 our workflow in a foreign repository", &foreign, "");
    github.refuses(
        "TA24 a foreign workflow",
        &json!({"job_workflow_ref": "evil/shared/.github/workflows/deploy.yml@refs/heads/main"}),
        "job_workflow_ref",
    );
    github.passes(
        "TA24 control: another repository of ours",
        &json!({"repository_id": "2", "repository": "acme/other"}),
    );
}

#[test]
fn ta26_a_merge_request_from_a_fork_is_a_job_of_the_fork() {
    let gitlab = Platform::of(template("gitlab"));
    gitlab.trust("ours", &[("project-id", "20"), ("ref", "refs/heads/main")]);
    let fork = json!({
        "project_id": "99", "project_path": "stranger/widgets", "namespace_id": "98", "namespace_path": "stranger",
        "job_project_id": "20", "ref": "main", "ref_protected": "false", "pipeline_source": "merge_request_event",
    });
    gitlab.refuses("TA26 a fork", &fork, "");
    // Before 18.2.2 the project was the target's, and the fork showed elsewhere.
    let before = json!({"project_id": "20", "job_project_id": "99", "ref_protected": "true"});
    gitlab.refuses("TA26 the other way round", &before, "job_project_id");
    let all = json!({"ref_protected": "false"});
    gitlab.refuses("TA26 a branch that is not protected", &all, "condition");
}

#[test]
fn ta27_an_account_of_a_cluster_is_told_by_namespace_name_and_uid() {
    let cluster = Platform::of(template("kubernetes"));
    let place = [
        ("eks-region", "eu-west-1"),
        ("eks-id", "ABC"),
        ("namespace", "billing"),
        ("service-account", "deployer"),
    ];
    cluster.trust("ours", &place);
    let namespace = "/kubernetes.io/namespace";
    let name = "/kubernetes.io/serviceaccount/name";
    let uid = "/kubernetes.io/serviceaccount/uid";
    for other in ["web", "billing-evil", "BILLING", ""] {
        cluster.refuses(
            &format!("TA27 namespace {other:?}"),
            &json!({namespace: other}),
            namespace,
        );
    }
    for other in ["default", "deployer-evil", "*"] {
        cluster.refuses(
            &format!("TA27 account {other:?}"),
            &json!({name: other}),
            name,
        );
    }
    cluster.passes(
        "TA27 another uid, where it is not pinned",
        &json!({uid: "another"}),
    );
    cluster.refuses(
        "TA27 no kubernetes.io",
        &json!({"kubernetes.io": null}),
        namespace,
    );
    let aud = json!({"aud": ["https://kubernetes.default.svc.cluster.local"]});
    cluster.refuses("TA17 the audience of the API server", &aud, "aud");
    let pinned = Platform::of(template("kubernetes"));
    let with_uid = [
        &place[..],
        &[("uid", "f5720c1d-e6f4-4a1b-8c2e-1d9b7a6c5e43")],
    ]
    .concat();
    pinned.trust("ours", &with_uid);
    pinned.refuses(
        "TA27 made again under the same name",
        &json!({uid: "another"}),
        uid,
    );
}

#[test]
fn ta58_on_a_shared_platform_no_trust_is_without_the_pin_of_its_owner() {
    let github = Platform::of(template("github-actions"));
    for (row, options) in [
        ("no owner", vec![MAIN[1], MAIN[2]]),
        ("an empty owner", vec![("owner-id", ""), MAIN[1], MAIN[2]]),
        ("a blank owner", vec![("owner-id", " "), MAIN[1], MAIN[2]]),
        ("any owner", vec![("owner-id", "*"), MAIN[1], MAIN[2]]),
        (
            "any owner at all",
            vec![("owner-id", "**"), MAIN[1], MAIN[2]],
        ),
        ("no repository", vec![MAIN[0], MAIN[2]]),
        ("no ref", vec![MAIN[0], MAIN[1]]),
    ] {
        // An option without a value is one that clap refuses.
        let options: Vec<_> = options
            .iter()
            .map(|(name, value)| (*name, if value.is_empty() { " " } else { value }))
            .collect();
        let made = github.try_trust("bad", &options);
        assert_eq!(
            made.status.code(),
            Some(2),
            "TA58 {row}: {}{}",
            made.stdout,
            made.stderr
        );
    }
    github.trust("ours", &MAIN);
    let server = &github.server;
    for (row, arguments) in [
        (
            "by hand",
            vec![
                "trust",
                "create",
                "bad",
                "--from",
                "github-actions",
                "--pin",
                "repository_id=456789",
                "--pin",
                "ref=refs/heads/main",
            ],
        ),
        (
            "a condition is no pin",
            vec![
                "trust",
                "create",
                "bad",
                "--from",
                "github-actions",
                "--condition",
                "assertion.repository_owner_id == '123456'",
            ],
        ),
        (
            "a glob is no pin",
            vec![
                "trust",
                "create",
                "bad",
                "--from",
                "github-actions",
                "--match",
                "repository_owner_id=1234*",
            ],
        ),
        (
            "an empty pin",
            vec![
                "trust",
                "create",
                "bad",
                "--from",
                "github-actions",
                "--pin",
                "repository_owner_id=",
            ],
        ),
        (
            "a star for a pin",
            vec![
                "trust",
                "create",
                "bad",
                "--from",
                "github-actions",
                "--pin",
                "repository_owner_id=*",
            ],
        ),
        (
            "a boolean for a pin",
            vec![
                "trust",
                "create",
                "bad",
                "--from",
                "github-actions",
                "--pin",
                "repository_owner_id=bool:true",
            ],
        ),
        (
            "taken away",
            vec!["trust", "update", "ours", "--unpin", "repository_owner_id"],
        ),
        (
            "emptied",
            vec!["trust", "update", "ours", "--pin", "repository_owner_id="],
        ),
        (
            "all of them",
            vec!["trust", "update", "ours", "--pin", "repository_owner_id=**"],
        ),
    ] {
        let made = server.run(&arguments);
        assert_eq!(
            made.status.code(),
            Some(2),
            "TA58 {row}: {}{}",
            made.stdout,
            made.stderr
        );
    }
    github.passes("TA58 control", &json!({}));
    github.refuses("TA58 a stranger", &json!({"repository_owner_id": "7"}), "");
}

#[test]
fn ta67_jobs_of_ours_that_a_person_or_another_phase_runs_are_refused() {
    let circleci = Platform::of(template("circleci"));
    circleci.trust("ours", &options(&circleci.template));
    for rerun in [json!(true), json!("false"), json!(0), json!(null)] {
        circleci.refuses(
            &format!("TA67 CircleCI {rerun}"),
            &json!({"oidc.circleci.com/ssh-rerun": rerun}),
            "condition",
        );
    }
    let terraform = Platform::of(template("terraform-cloud"));
    terraform.trust("ours", &options(&terraform.template));
    for phase in [json!("plan"), json!(""), json!(null), json!(["apply"])] {
        terraform.refuses(
            &format!("TA67 Terraform {phase}"),
            &json!({"terraform_run_phase": phase}),
            "terraform_run_phase",
        );
    }
    let vercel = Platform::of(template("vercel"));
    vercel.trust("ours", &options(&vercel.template));
    for environment in ["development", "preview", "Production"] {
        vercel.refuses(
            &format!("TA67 Vercel {environment}"),
            &json!({"environment": environment}),
            "environment",
        );
    }
    let bitbucket = Platform::of(template("bitbucket"));
    bitbucket.trust("ours", &options(&bitbucket.template));
    let other = json!({"repositoryUuid": "{11111111-1111-1111-1111-111111111111}"});
    bitbucket.refuses(
        "TA67 Bitbucket, another repository",
        &other,
        "repositoryUuid",
    );
}
