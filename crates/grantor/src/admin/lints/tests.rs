use super::*;
use crate::{
    admin::{Templates, templates::TemplateOptions},
    clock::UnixTime,
    registry::{Condition, KeyOrigin, Match, Pin, TemplateRef},
    types::{ClientId, Glob, IssuerId, Name},
};

const NOW: UnixTime = UnixTime::from_millis(1_750_000_000_000);

fn name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

fn issuer(iss: &str, template: Option<&str>) -> TrustedIssuer {
    let keys = KeyOrigin::Discovery { metadata_url: None };
    let id = IssuerId::parse(iss).expect("an issuer");
    let mut issuer = TrustedIssuer::new(id, name("x"), keys, NOW);
    issuer.template = template.map(|template| TemplateRef::new(template, 1));
    if let Some((_, tenants)) = templates::shared(iss) {
        issuer.tenant_claims = tenants.to_vec();
    }
    issuer
}

fn path(text: &str) -> ClaimPath {
    ClaimPath::parse(text).expect("a claim")
}

/// A trust of this issuer: pins `claim=value`, matches `claim~glob`, and a condition.
fn trust(issuer: &TrustedIssuer, tests: &[&str], condition: Option<&str>) -> Trust {
    let client = ClientId::parse("ci").expect("a client");
    let mut trust = Trust::new(name("ci"), issuer.id.clone(), client, NOW);
    for test in tests {
        if let Some((claim, value)) = test.split_once('=') {
            let pin = Pin::new(path(claim), PinValue::parse(value));
            trust.pins.push(pin);
        } else if let Some((claim, glob)) = test.split_once('~') {
            let glob = Glob::parse(glob).expect("a glob");
            trust.matches.push(Match::new(path(claim), glob));
        }
    }
    let parsed = condition.map(|text| Condition::parse(text).expect(text));
    trust.condition = parsed;
    trust
}

/// The lints by their names.
fn found(issuer: &TrustedIssuer, trust: &Trust) -> Vec<String> {
    let faults = faults_of(issuer, trust);
    let name = |fault: &Fault| {
        let (_, name) = fault.detail.rsplit_once("; or allow ").expect("a lint");
        name.to_owned()
    };
    faults.iter().map(name).collect()
}

/// T041: each lint, what is near it and none, and that it can be allowed.
#[test]
fn t041_each_lint_is_found_and_can_be_allowed() {
    let github = issuer("https://token.actions.githubusercontent.com", None);
    let gitlab = issuer("https://gitlab.com", None);
    let eks = issuer("https://oidc.eks.eu-west-1.amazonaws.com/id/ABC", None);
    let aws = issuer("https://a-1.tokens.sts.global.api.aws", None);
    let buildkite = issuer("https://agent.buildkite.com", None);
    let entra = issuer("https://login.microsoftonline.com/T/v2.0", None);
    let circleci = issuer("https://oidc.circleci.com/org/O", None);
    let terraform = issuer("https://app.terraform.io", None);
    let vercel = issuer("https://oidc.vercel.com/acme", None);
    let own = issuer("https://idp.acme.example", None);
    let push = "assertion.event_name == 'push'";
    let ids = ["repository_owner_id=1", "repository_id=2"];
    let account = "/https:~1~1sts.amazonaws.com~1/aws_account=1";
    let request_tag = "/https:~1~1sts.amazonaws.com~1/request_tags/job=7";
    let project = "oidc.circleci.com/project-id=p";
    let rerun = "assertion['oidc.circleci.com/ssh-rerun'] == false";
    let namespace = "/kubernetes.io/namespace=billing";
    let name = "/kubernetes.io/serviceaccount/name=deployer";
    type Row<'a> = (&'a str, &'a TrustedIssuer, &'a [&'a str], Option<&'a str>);
    let rows: [(Row<'_>, Row<'_>); 19] = [
        (
            (
                "loose-test",
                &own,
                &[],
                Some("assertion.sub.startsWith('acme')"),
            ),
            ("", &own, &[], Some("assertion.sub.startsWith('acme/')")),
        ),
        (
            (
                "loose-test",
                &own,
                &["sub=a"],
                Some("assertion.email.endsWith('acme.example')"),
            ),
            (
                "",
                &own,
                &["sub=a"],
                Some("assertion.email.endsWith('@acme.example')"),
            ),
        ),
        (
            ("negative-only", &own, &[], Some("assertion.sub != 'eve'")),
            ("", &own, &["azp=a"], Some("assertion.sub != 'eve'")),
        ),
        (
            ("literal-star", &own, &["sub=acme/*"], None),
            ("", &own, &["sub~acme/*"], None),
        ),
        (
            (
                "mutable-names",
                &github,
                &["repository_owner_id=1", "repository=acme/widgets"],
                Some(push),
            ),
            (
                "",
                &github,
                &[
                    "repository_owner_id=1",
                    "repository_id=2",
                    "repository=acme/widgets",
                ],
                Some(push),
            ),
        ),
        (
            (
                "mutable-names",
                &github,
                &["repository_owner_id=1"],
                Some("assertion.event_name == 'push' && assertion.repository == 'acme/widgets'"),
            ),
            (
                "",
                &github,
                &["repository_owner_id=1"],
                Some("assertion.event_name == 'push' && assertion.repository_id == '2'"),
            ),
        ),
        (
            ("caller-written", &aws, &[request_tag], None),
            (
                "",
                &aws,
                &[account, request_tag, "sub~arn:aws:iam::1:role/*"],
                None,
            ),
        ),
        (
            (
                "caller-written",
                &buildkite,
                &["organization_id=o", "sub=x"],
                None,
            ),
            (
                "",
                &buildkite,
                &["organization_id=o", "pipeline_id=p", "sub=x"],
                None,
            ),
        ),
        (
            ("foreign-events", &github, &ids, None),
            ("", &github, &ids, Some(push)),
        ),
        (
            (
                "foreign-events",
                &github,
                &ids,
                Some("assertion.event_name != 'pull_request'"),
            ),
            (
                "",
                &github,
                &ids,
                Some("assertion.event_name in ['push', 'release']"),
            ),
        ),
        (
            (
                "foreign-events",
                &github,
                &[
                    "repository_owner_id=1",
                    "repository_id=2",
                    "event_name=pull_request_target",
                ],
                None,
            ),
            (
                "",
                &github,
                &[
                    "repository_owner_id=1",
                    "repository_id=2",
                    "event_name=push",
                ],
                None,
            ),
        ),
        (
            // The condition asks for what the example does not have.
            (
                "foreign-events",
                &github,
                &ids,
                Some("assertion.sha == 'x'"),
            ),
            (
                "",
                &github,
                &ids,
                Some("assertion.sha == 'x' && assertion.event_name == 'push'"),
            ),
        ),
        (
            (
                "unprotected-ref",
                &gitlab,
                &["project_id=20", "ref=main"],
                None,
            ),
            (
                "",
                &gitlab,
                &["project_id=20", "ref=main", "ref_protected=true"],
                None,
            ),
        ),
        (
            ("all-accounts", &eks, &[namespace], None),
            ("", &eks, &[namespace, name], None),
        ),
        (
            ("all-namespaces", &eks, &[name], None),
            (
                "",
                &eks,
                &["sub=system:serviceaccount:billing:deployer"],
                None,
            ),
        ),
        (
            ("person", &entra, &["tid=T", "oid=O"], None),
            ("", &entra, &["tid=T", "oid=O"], Some("!has(assertion.scp)")),
        ),
        (
            ("ssh-rerun", &circleci, &[project], None),
            ("", &circleci, &[project], Some(rerun)),
        ),
        (
            (
                "plan-phase",
                &terraform,
                &["terraform_organization_id=o", "terraform_workspace_id=w"],
                None,
            ),
            (
                "",
                &terraform,
                &[
                    "terraform_organization_id=o",
                    "terraform_workspace_id=w",
                    "terraform_run_phase=plan",
                ],
                None,
            ),
        ),
        (
            (
                "development",
                &vercel,
                &["owner_id=o", "project_id=p"],
                None,
            ),
            (
                "",
                &vercel,
                &["owner_id=o", "project_id=p", "environment=production"],
                None,
            ),
        ),
    ];
    for ((lint, of, tests, condition), control) in rows {
        let mut wrong = trust(of, tests, condition);
        let all = found(of, &wrong);
        assert!(
            all.iter().any(|name| name == lint),
            "{lint}: {tests:?} {condition:?} {all:?}"
        );
        wrong.allowed_lints = all;
        assert_eq!(faults_of(of, &wrong), [], "{lint}");
        wrong.allowed_lints.retain(|name| name != lint);
        assert_eq!(found(of, &wrong).len(), 1, "{lint}");
        let (_, of, tests, condition) = control;
        let right = trust(of, tests, condition);
        assert_eq!(
            found(of, &right),
            [""; 0],
            "control of {lint}: {tests:?} {condition:?}"
        );
    }
}

#[test]
fn t041_who_writes_a_claim_alone_is_nobody() {
    let github = issuer("https://token.actions.githubusercontent.com", None);
    let gitlab = issuer("https://gitlab.com", None);
    for (of, tests) in [
        (&github, ["repository_owner_id=1", "actor=jo"]),
        (&github, ["repository_owner_id=1", "workflow=release"]),
        (
            &github,
            ["repository_owner_id=1", "runner_environment=self-hosted"],
        ),
        (&gitlab, ["namespace_id=72", "user_login=jo"]),
        (&gitlab, ["namespace_id=72", "user_email=jo@acme.example"]),
    ] {
        let found = found(of, &trust(of, &tests, None));
        assert!(
            found.iter().any(|name| name == CALLER_WRITTEN),
            "{tests:?} {found:?}"
        );
    }
    let fine = ["repository_owner_id=1", "repository_id=2", "actor=jo"];
    let found = found(&github, &trust(&github, &fine, None));
    assert_eq!(found, ["foreign-events"]);
}

/// A platform is known by what made the issuer, also where its name tells nothing.
#[test]
fn lints_of_a_platform_hold_for_an_issuer_that_its_template_made() {
    let own = issuer("https://gitlab.acme.example", Some("gitlab"));
    let names = trust(
        &own,
        &["project_path=acme/widgets"],
        Some("assertion.ref_protected == 'true'"),
    );
    assert_eq!(found(&own, &names), [MUTABLE_NAMES]);
    let unknown = issuer("https://gitlab.acme.example", None);
    assert_eq!(found(&unknown, &names), [""; 0]);
}

#[test]
fn a_lint_that_there_is_not_cannot_be_allowed() {
    let own = issuer("https://idp.acme.example", None);
    let mut right = trust(&own, &["sub=a"], None);
    right.allowed_lints = vec!["loose-test".to_owned(), "everything".to_owned()];
    let faults = faults_of(&own, &right);
    assert_eq!(faults.len(), 1);
    assert_eq!(faults[0].pointer, "/allowed_lints/1");
    assert!(faults[0].detail.contains("mutable-names"), "{}", faults[0]);
}

/// What templates make has no lint, whichever of their optional options are named.
#[test]
fn no_template_makes_what_it_warns_of() {
    for template in Templates::all() {
        let example: TemplateOptions = template.example_options.clone().into_iter().collect();
        let optional = template
            .options
            .iter()
            .filter(|option| !option.required && !option.is_flag && !option.pins.is_empty());
        for option in optional {
            let options = example.clone().with(&option.name, &option.example);
            let made = template.make(&name("ci"), &options).expect(&template.name);
            let of = issuer(made.issuer.iss.as_str(), Some(&template.name));
            let client = ClientId::parse("ci").expect("a client");
            let trust = made.trust.trust(of.id.clone(), client, NOW);
            assert_eq!(
                faults_of(&of, &trust),
                [],
                "{} {}",
                template.name,
                option.name
            );
        }
    }
}
